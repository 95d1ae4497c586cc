-- A period of retention that is made shorter counts only when it has stood in the ledger for a while. Entries that announce periods say so in
-- their mark: a hash of their digest, under a name of its own. They are few, and looked for before anything is erased.
CREATE INDEX ledger_entries_announced ON ledger_entries (replica, lane, n)
    WHERE substring(leaf FROM 137 FOR 32) = sha256('himaya retention periods v1'::bytea || substring(leaf FROM 169 FOR 32));

-- The label stays when the detail is erased: by it the verifier sees later whether a case should have kept the entry, whatever stood here
-- in the minute in which that was looked up.
DROP POLICY ledger_entries_erase ON ledger_entries;
CREATE POLICY ledger_entries_erase ON ledger_entries FOR UPDATE TO himaya_resolver
    USING (detail IS NOT NULL) WITH CHECK (detail IS NULL);
REVOKE UPDATE (label) ON ledger_entries FROM himaya_resolver;
CREATE OR REPLACE FUNCTION erase_details(retention uuid, wanted bigint[], stated text, code bytea) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            erased bigint;
        BEGIN
            IF cardinality(wanted) NOT BETWEEN 1 AND 1024 THEN
                RAISE EXCEPTION 'so many details are not erased at once' USING ERRCODE = 'program_limit_exceeded';
            END IF;
            INSERT INTO public.ledger_retentions (id, first, last, statement, vouch)
            SELECT retention, min(w), max(w), stated, code FROM unnest(wanted) w;
            UPDATE public.ledger_entries e SET detail = NULL FROM public.ledger_tree t
            WHERE t.position = ANY (wanted) AND e.replica = t.replica AND e.lane = t.lane AND e.n = t.n AND e.detail IS NOT NULL;
            GET DIAGNOSTICS erased = ROW_COUNT;
            IF erased <> cardinality(wanted) THEN
                RAISE EXCEPTION 'what is to be erased is not there' USING ERRCODE = 'no_data_found';
            END IF;
        END
    $$;

-- Which of these are a case, or hang on one.
CREATE FUNCTION hang_on_cases(asked uuid[]) RETURNS TABLE (record_id uuid, case_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT a.id, a.id FROM unnest(asked) AS a (id)
        UNION SELECT x.record_id, x.case_id FROM public.sealed x WHERE x.record_id = ANY (asked) AND x.case_id IS NOT NULL
        UNION SELECT x.id, x.case_id FROM public.sections x WHERE x.id = ANY (asked)
        UNION SELECT x.id, x.case_id FROM public.subjects x WHERE x.id = ANY (asked)
        UNION SELECT x.id, x.case_id FROM public.case_notes x WHERE x.id = ANY (asked)
        UNION SELECT x.id, x.case_id FROM public.placements x WHERE x.id = ANY (asked)
        UNION SELECT x.id, x.case_id FROM public.consents x WHERE x.id = ANY (asked)
        UNION SELECT x.id, x.case_id FROM public.notices x WHERE x.id = ANY (asked) AND x.case_id IS NOT NULL
        UNION SELECT x.id, x.case_id FROM public.tasks x WHERE x.id = ANY (asked) AND x.case_id IS NOT NULL
        UNION SELECT x.opening_id, x.case_id FROM public.opening_cases x WHERE x.opening_id = ANY (asked)
        UNION SELECT x.id, n.case_id FROM public.attachments x JOIN public.notices n ON n.id = x.notice_id
              WHERE x.id = ANY (asked) AND n.case_id IS NOT NULL
        UNION SELECT x.id, s.case_id FROM public.attachments x JOIN public.sections s ON s.id = x.section_id WHERE x.id = ANY (asked)
    $$;
CREATE OR REPLACE FUNCTION kept_for_cases(asked uuid[], moment timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT h.record_id FROM public.hang_on_cases(asked) h JOIN public.cases c ON c.id = h.case_id
        WHERE c.state <> 'closed' OR EXISTS (
            SELECT FROM public.holds o WHERE o.case_id = c.id AND o.lifted_at IS NULL AND (o.until IS NULL OR o.until > moment))
        UNION SELECT n.id FROM public.notices n WHERE n.id = ANY (asked) AND n.state IN ('sent', 'acknowledged')
    $$;
-- For the verifier: the cases behind these, each with each of its holds.
CREATE FUNCTION cases_behind(asked uuid[])
    RETURNS TABLE (case_id uuid, closed boolean, opened_at timestamptz, held_from timestamptz, held_until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT DISTINCT c.id, c.state = 'closed', c.opened_at, o.made_at, least(o.until, o.lifted_at)
        FROM public.hang_on_cases(asked) h JOIN public.cases c ON c.id = h.case_id LEFT JOIN public.holds o ON o.case_id = c.id
    $$;

DO $$
DECLARE wanted text;
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY['hang_on_cases(uuid[])', 'cases_behind(uuid[])'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
    END LOOP;
    GRANT EXECUTE ON FUNCTION cases_behind(uuid[]) TO himaya_auditor;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;
