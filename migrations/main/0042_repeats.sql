-- What was answered to an Idempotency-Key is remembered for a day: whoever sends the same again after a lost answer does so at once, and
-- the ids in it are not to outlast what they name.
CREATE INDEX idempotency_age ON idempotency (created_at);
GRANT SELECT, DELETE ON idempotency TO himaya_resolver;
CREATE POLICY idempotency_old ON idempotency TO himaya_resolver USING (created_at < now() - interval '1 day');
CREATE FUNCTION forget_answers() RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE gone bigint;
        BEGIN
            DELETE FROM public.idempotency WHERE created_at < pg_catalog.now() - interval '1 day';
            GET DIAGNOSTICS gone = ROW_COUNT;
            RETURN gone;
        END
    $$;

-- As before, but for the OVERSIGHT key: a row of it gives nothing that the signature and the wraps do not, and whoever of the organisation
-- planted the first one would keep its supervisors from ever making theirs.
CREATE OR REPLACE FUNCTION i_may_make_key(organisation uuid, wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT (organisation = public.my_organisation()
           AND (wanted = 'oversight'
                OR NOT EXISTS (SELECT FROM public.shared_keys k
                            WHERE k.organisation_id = organisation AND k.purpose = wanted
                              AND (wanted = 'custody'
                                   OR EXISTS (SELECT FROM public.shared_key_wraps w WHERE w.key_id = k.id)))
                OR EXISTS (SELECT FROM public.shared_keys k JOIN public.shared_key_wraps w ON w.key_id = k.id
                           WHERE k.organisation_id = organisation AND k.purpose = wanted AND w.account_id = public.me())
                OR (wanted = 'custody' AND public.i_am_responsible(organisation))))
            OR (wanted = 'custody' AND public.i_keep_custody(organisation))
    $$;

DO $$
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    ALTER FUNCTION forget_answers() OWNER TO himaya_resolver;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
    REVOKE ALL ON FUNCTION forget_answers() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION forget_answers() TO himaya_sweeper;
END $$;
