-- What nobody does alone: one person proposes it, and another confirms it. Both sign one statement.
CREATE TABLE proposals (
    id            uuid PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES cases,
    act           text NOT NULL CHECK (act IN ('removal')), -- what is to be done
    about         uuid NOT NULL,                   -- to what: a removal ends this permission
    account_id    uuid REFERENCES accounts,        -- whom it concerns: it is not shown to them
    note          text NOT NULL,                   -- who proposes what, and until when: signed
    vouch         bytea NOT NULL CHECK (octet_length(vouch) = 32), -- that this service stored it
    made_at       timestamptz NOT NULL,
    lapses_at     timestamptz NOT NULL,
    confirmed_at  timestamptz,
    confirm_note  text,                            -- the same, signed by the second person too
    confirm_vouch bytea CHECK (octet_length(confirm_vouch) = 32),
    CHECK ((confirmed_at IS NULL) = (confirm_note IS NULL)),
    CHECK ((confirmed_at IS NULL) = (confirm_vouch IS NULL)),
    registered_by uuid DEFAULT me(),
    register_no   bigint DEFAULT register_next(),
    standing      bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL))
);
CREATE INDEX proposals_open ON proposals (case_id, made_at) WHERE confirmed_at IS NULL;
CREATE UNIQUE INDEX proposals_register ON proposals (registered_by, register_no);

GRANT SELECT, INSERT (id, case_id, act, about, account_id, note, vouch, made_at, lapses_at) ON proposals TO himaya_app;
GRANT UPDATE (confirmed_at, confirm_note, confirm_vouch, standing) ON proposals TO himaya_app;
GRANT SELECT ON proposals TO himaya_resolver;
ALTER TABLE proposals ENABLE ROW LEVEL SECURITY;
ALTER TABLE proposals FORCE ROW LEVEL SECURITY;
CREATE POLICY proposals_standing ON proposals FOR SELECT TO himaya_resolver USING (true);
CREATE POLICY proposals_mine ON proposals FOR SELECT TO himaya_app USING (
    (public.my_relation_to_case(case_id) = 'assigned' OR public.i_supervise_case(case_id))
    AND account_id IS DISTINCT FROM public.me());
CREATE POLICY proposals_add ON proposals FOR INSERT TO himaya_app WITH CHECK (
    (public.my_relation_to_case(case_id) = 'assigned' OR public.i_supervise_case(case_id))
    AND account_id IS DISTINCT FROM public.me());
CREATE POLICY proposals_confirm ON proposals FOR UPDATE TO himaya_app USING (
    (public.my_relation_to_case(case_id) = 'assigned' OR public.i_supervise_case(case_id))
    AND account_id IS DISTINCT FROM public.me());

-- Whether an absence hands over a case from which the person is kept off: they do not see it, and would leave it open.
CREATE FUNCTION i_am_barred_from_absence(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (SELECT FROM public.case_access c
                           WHERE c.absence_id = wanted AND c.ended_at IS NULL AND c.active_until > pg_catalog.now()
                             AND public.i_am_barred(c.case_id));
        END
    $$;
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION i_am_barred_from_absence(uuid) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION i_am_barred_from_absence(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION i_am_barred_from_absence(uuid) TO himaya_app, himaya_resolver;

-- How each row stands, with the new ones: the rest is as it was.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS ' || rtrim(pg_get_viewdef('standings'), ';') || $view$
    UNION ALL
    SELECT 'proposal', id, registered_by, register_no, standing, xmin,
           sha256(convert_to(jsonb_build_array('proposal', id, registered_by, register_no, standing, jsonb_build_array(
               case_id, act, about, account_id, note, made_at AT TIME ZONE 'UTC', lapses_at AT TIME ZONE 'UTC',
               confirmed_at AT TIME ZONE 'UTC', confirm_note))::text, 'UTF8'))
    FROM proposals $view$;
END $$;
