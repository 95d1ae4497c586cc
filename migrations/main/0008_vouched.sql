-- What the service vouches for with a key of its own (HMAC): whoever holds the database and one person's passphrase can
-- sign as that person, and could so put a record, a head or a shared key of their making in the place of another's.
ALTER TABLE sealed ADD COLUMN vouch bytea CHECK (octet_length(vouch) = 32);
ALTER TABLE case_heads ADD COLUMN vouch bytea CHECK (octet_length(vouch) = 32);
ALTER TABLE shared_keys ADD COLUMN vouch bytea CHECK (octet_length(vouch) = 32);
-- Over account and length: nobody else makes a register jump ahead, to leave numbers out.
ALTER TABLE registers ADD COLUMN tag bytea CHECK (octet_length(tag) = 32);
GRANT UPDATE (vouch) ON sealed, case_heads TO himaya_app;

CREATE FUNCTION register_state() RETURNS TABLE (length bigint, tag bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT r.length, r.tag FROM public.registers r WHERE r.account_id = public.me() $$;
CREATE FUNCTION register_tag(new bytea) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ UPDATE public.registers SET tag = new WHERE account_id = public.me() $$;

-- Columns that the database fills in, or that only a later step sets, are not for an INSERT by the app.
DO $$
DECLARE wanted text; columns text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['organisations', 'accounts', 'memberships', 'calls', 'notices', 'addenda', 'cases',
                                  'case_access', 'subjects', 'sections', 'case_notes'] LOOP
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
        WHERE attrelid = wanted::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''
          AND attname NOT IN ('registered_by', 'register_no', 'standing', 'register', 'complete', 'ended_at', 'disabled_at',
                              'acknowledged_at', 'return_code', 'epoch_pending');
        EXECUTE format('REVOKE INSERT ON %I FROM himaya_app', wanted);
        EXECUTE format('GRANT INSERT (%s) ON %I TO himaya_app', columns, wanted);
    END LOOP;
END $$;

-- A member is admitted to the organisation that the account belongs to, and to no other.
CREATE FUNCTION works_with_me(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.accounts a
                       WHERE a.id = wanted AND a.organisation_id = public.my_organisation())
    $$;
DROP POLICY memberships_write ON memberships;
CREATE POLICY memberships_write ON memberships FOR INSERT TO himaya_app
    WITH CHECK (organisation_id = public.my_organisation() AND public.works_with_me(account_id));

-- Holders are added to a shared key in the transaction that makes it, by its maker, and to CUSTODY never: its shares lie
-- elsewhere, and a wrap beside them would count for what it opens.
CREATE OR REPLACE FUNCTION key_is_new_or_mine(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.shared_keys k
                       WHERE k.id = wanted AND k.purpose <> 'custody' AND k.maker_id = public.me()
                         AND k.organisation_id = public.my_organisation()
                         AND k.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid)
    $$;
CREATE OR REPLACE FUNCTION i_can_unwrap(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (
            SELECT FROM public.wraps w
            WHERE w.key_id = wanted AND w.active_from <= pg_catalog.now() AND w.active_until > pg_catalog.now()
              AND (w.recipient_account = public.me()
                   OR w.recipient_key IN (SELECT s.key_id FROM public.shared_key_wraps s
                                          JOIN public.shared_keys k ON k.id = s.key_id AND k.purpose <> 'custody'
                                          WHERE s.account_id = public.me())))
    $$;
-- Whether anybody holds a shared key: nothing is sealed to one that nobody could open.
CREATE FUNCTION key_is_held(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT FROM public.shared_key_wraps w WHERE w.key_id = wanted) $$;
-- The first key of a purpose, or the next one by somebody who held one, or a new one where the wraps of all are gone.
CREATE OR REPLACE FUNCTION i_may_make_key(organisation uuid, wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT organisation = public.my_organisation()
           AND (NOT EXISTS (SELECT FROM public.shared_keys k
                            WHERE k.organisation_id = organisation AND k.purpose = wanted
                              AND (wanted = 'custody'
                                   OR EXISTS (SELECT FROM public.shared_key_wraps w WHERE w.key_id = k.id)))
                OR EXISTS (SELECT FROM public.shared_keys k JOIN public.shared_key_wraps w ON w.key_id = k.id
                           WHERE k.organisation_id = organisation AND k.purpose = wanted AND w.account_id = public.me()))
    $$;

GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION register_state() OWNER TO himaya_resolver;
ALTER FUNCTION register_tag(bytea) OWNER TO himaya_resolver;
ALTER FUNCTION works_with_me(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION key_is_held(uuid) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION register_state(), register_tag(bytea), works_with_me(uuid), key_is_held(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION register_state(), register_tag(bytea), works_with_me(uuid), key_is_held(uuid)
    TO himaya_app, himaya_resolver;
