-- Clear rows that the ledger vouches for. What is sealed has its digest there; a clear row could still be hidden: deleted,
-- or put into another state. So each person has a register: every row that they bring in gets its next number, and a mark
-- under that number; each later change gets a mark under the row's next standing; a row that is rightly taken away is
-- struck off. The verifier counts the registers: a gap, or a row that stands otherwise than the ledger says, is found.
-- Rows from before this migration, and those of `himaya init`, stand in no register.
ALTER TABLE accounts ADD COLUMN register uuid NOT NULL DEFAULT gen_random_uuid(); -- a secret name: leaves tell no outsider whose number it is

CREATE TABLE registers (
    account_id uuid PRIMARY KEY REFERENCES accounts,
    length     bigint NOT NULL                     -- the last number that was given
);
ALTER TABLE registers ENABLE ROW LEVEL SECURITY;
ALTER TABLE registers FORCE ROW LEVEL SECURITY;
CREATE POLICY registers_resolver ON registers TO himaya_resolver USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON registers TO himaya_resolver;

-- The next number of the session's own register; none without a session. The row is held until the commit, so it is taken
-- after the locks on records.
CREATE FUNCTION register_next() RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        INSERT INTO public.registers AS r (account_id, length)
        SELECT public.me(), 1 WHERE public.me() IS NOT NULL
        ON CONFLICT (account_id) DO UPDATE SET length = r.length + 1 RETURNING r.length
    $$;
CREATE FUNCTION my_register() RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT a.register FROM public.accounts a WHERE a.id = public.me() $$;
GRANT EXECUTE ON FUNCTION me() TO himaya_door;

DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['organisations', 'accounts', 'memberships', 'calls', 'notices', 'addenda', 'cases',
                                  'case_access', 'subjects', 'sections', 'case_notes'] LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN registered_by uuid, ADD COLUMN register_no bigint,
                        ADD COLUMN standing bigint NOT NULL DEFAULT 1,
                        ADD CHECK ((registered_by IS NULL) = (register_no IS NULL))', wanted);
        EXECUTE format('ALTER TABLE %I ALTER COLUMN registered_by SET DEFAULT me(),
                        ALTER COLUMN register_no SET DEFAULT register_next()', wanted);
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (registered_by, register_no)', wanted || '_register', wanted);
    END LOOP;
    FOREACH wanted IN ARRAY ARRAY['accounts', 'memberships', 'calls', 'notices', 'cases', 'case_access'] LOOP
        EXECUTE format('GRANT UPDATE (standing) ON %I TO himaya_app', wanted);
    END LOOP;
    FOREACH wanted IN ARRAY ARRAY['memberships', 'calls', 'addenda', 'subjects', 'sections', 'case_notes', 'case_heads'] LOOP
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO himaya_resolver USING (true)', wanted || '_standing', wanted);
    END LOOP;
END $$;
GRANT SELECT (standing) ON accounts TO himaya_app;
GRANT SELECT ON memberships, calls, addenda, subjects, sections, case_notes, case_heads, sealed TO himaya_resolver;
CREATE POLICY sealed_standing ON sealed FOR SELECT TO himaya_resolver USING (true);

-- How each row stands: a digest of its clear columns. Times are taken at UTC, so that no setting of a session changes them.
CREATE VIEW standings WITH (security_invoker = true) AS
    SELECT kind, id, registered_by, register_no, standing, written,
           sha256(convert_to(jsonb_build_array(kind, id, registered_by, register_no, standing, facts)::text, 'UTF8')) AS digest
    FROM (
        SELECT 'organisation' AS kind, id, registered_by, register_no, standing, xmin AS written,
               jsonb_build_array(o.kind, name, created_at AT TIME ZONE 'UTC') AS facts
        FROM organisations o
        UNION ALL
        SELECT 'account', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, handle, nominated_responsible, nominated_custodian, register,
                                 created_at AT TIME ZONE 'UTC', disabled_at AT TIME ZONE 'UTC')
        FROM accounts
        UNION ALL
        SELECT 'membership', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(account_id, organisation_id, note, complete, proposed_at AT TIME ZONE 'UTC',
                                 ended_at AT TIME ZONE 'UTC')
        FROM memberships
        UNION ALL
        SELECT 'call', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, operator_id, state, opened_at AT TIME ZONE 'UTC',
                                 expires_at AT TIME ZONE 'UTC', closed_at AT TIME ZONE 'UTC')
        FROM calls
        UNION ALL
        SELECT 'notice', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(number, sender_id, sender_organisation_id, squad_id, intake_key_id, state,
                                 suspected_at AT TIME ZONE 'UTC', sent_at AT TIME ZONE 'UTC',
                                 acknowledged_at AT TIME ZONE 'UTC', return_code, case_id)
        FROM notices
        UNION ALL
        SELECT 'addendum', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(notice_id, author_id, added_at AT TIME ZONE 'UTC')
        FROM addenda
        UNION ALL
        SELECT 'case', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(number, organisation_id, state, epoch, epoch_pending, opened_at AT TIME ZONE 'UTC')
        FROM cases
        UNION ALL
        SELECT 'case_access', grant_id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, account_id, relation, note, started_at AT TIME ZONE 'UTC',
                                 ended_at AT TIME ZONE 'UTC')
        FROM case_access
        UNION ALL
        SELECT 'person', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, added_at AT TIME ZONE 'UTC')
        FROM subjects
        UNION ALL
        SELECT 'section', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, subject_id, s.kind)
        FROM sections s
        UNION ALL
        SELECT 'case_note', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, position, author_id, written_at AT TIME ZONE 'UTC')
        FROM case_notes
        UNION ALL
        -- A case's head stands in no register of its own: the case does.
        SELECT 'case_head', case_id, NULL, NULL, number, xmin, jsonb_build_array(note, signer_id)
        FROM case_heads
    ) AS stored;
GRANT SELECT ON standings TO himaya_resolver;

-- How the rows stand that this very transaction wrote: injected SQL learns nothing of any other.
CREATE FUNCTION standings_written(wanted uuid[])
    RETURNS TABLE (kind text, id uuid, register uuid, register_no bigint, standing bigint, digest bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT s.kind, s.id, a.register, s.register_no, s.standing, s.digest
        FROM public.standings s LEFT JOIN public.accounts a ON a.id = s.registered_by
        WHERE s.id = ANY(wanted) AND s.written = pg_catalog.pg_current_xact_id()::pg_catalog.xid
    $$;

-- All of them for the verifier, register by register. It learns ids and digests, not who works on what.
CREATE FUNCTION standings_all() RETURNS TABLE (
        kind text, id uuid, account_id uuid, register_no bigint, standing bigint, digest bytea, sealed boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT s.kind, s.id, s.registered_by, s.register_no, s.standing, s.digest,
               EXISTS (SELECT FROM public.sealed c WHERE c.record_id = s.id)
        FROM public.standings s ORDER BY s.registered_by, s.register_no
    $$;
CREATE FUNCTION registers_all() RETURNS TABLE (account_id uuid, register uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT a.id, a.register FROM public.accounts a $$;

GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION register_next() OWNER TO himaya_resolver;
ALTER FUNCTION my_register() OWNER TO himaya_resolver;
ALTER FUNCTION standings_written(uuid[]) OWNER TO himaya_resolver;
ALTER FUNCTION standings_all() OWNER TO himaya_resolver;
ALTER FUNCTION registers_all() OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION register_next(), my_register(), standings_written(uuid[]), standings_all(), registers_all() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION register_next() TO himaya_app, himaya_door, himaya_resolver;
GRANT EXECUTE ON FUNCTION my_register(), standings_written(uuid[]) TO himaya_app, himaya_resolver;
GRANT EXECUTE ON FUNCTION standings_all(), registers_all() TO himaya_auditor, himaya_resolver;
