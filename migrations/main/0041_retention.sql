-- What entries say is erased when its time is over: salt and sealed detail, for auditors and supervisors alike. Leaf, mark and tree stay.
-- Which class an entry is of, and which case it is about, only the service reads: sealed to its own secret. Erased with the detail.
ALTER TABLE ledger_entries ADD COLUMN label bytea CHECK (octet_length(label) = 33);

-- What was erased, by which rule: an entry of the ledger vouches for each row, and the verifier believes no other.
CREATE TABLE ledger_retentions (
    id        uuid PRIMARY KEY,
    number    bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    first     bigint NOT NULL CHECK (first >= 0),  -- the first position of the tree whose detail was erased, and the last
    last      bigint NOT NULL CHECK (last >= first),
    statement text NOT NULL CHECK (octet_length(statement) <= 16384), -- the class, the rule and each position; its digest stands in the entry's leaf
    vouch     bytea NOT NULL CHECK (octet_length(vouch) = 32), -- that this service made it
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ledger_retentions_span ON ledger_retentions (last, first);
ALTER TABLE ledger_retentions ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_retentions FORCE ROW LEVEL SECURITY;
GRANT SELECT ON ledger_retentions TO himaya_auditor;
GRANT INSERT ON ledger_retentions TO himaya_resolver;
CREATE POLICY ledger_retentions_read ON ledger_retentions FOR SELECT TO himaya_auditor USING (true);
CREATE POLICY ledger_retentions_add ON ledger_retentions FOR INSERT TO himaya_resolver WITH CHECK (true);

GRANT UPDATE (detail, label) ON ledger_entries TO himaya_resolver;
-- Nothing can be put in the place of a detail.
CREATE POLICY ledger_entries_erase ON ledger_entries FOR UPDATE TO himaya_resolver
    USING (detail IS NOT NULL) WITH CHECK (detail IS NULL AND label IS NULL);

-- Erases what the entries at these positions say and stores by which rule: all of it, or nothing.
CREATE FUNCTION erase_details(retention uuid, wanted bigint[], stated text, code bytea) RETURNS void
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
            UPDATE public.ledger_entries e SET detail = NULL, label = NULL FROM public.ledger_tree t
            WHERE t.position = ANY (wanted) AND e.replica = t.replica AND e.lane = t.lane AND e.n = t.n AND e.detail IS NOT NULL;
            GET DIAGNOSTICS erased = ROW_COUNT;
            IF erased <> cardinality(wanted) THEN
                RAISE EXCEPTION 'what is to be erased is not there' USING ERRCODE = 'no_data_found';
            END IF;
        END
    $$;
-- Which of these are a case, or hang on one, that is not closed or is under a hold; and notices that wait. The moment is the service's,
-- which witnesses bound: no clock of a database ends a hold.
CREATE FUNCTION kept_for_cases(asked uuid[], moment timestamptz) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH hangs AS MATERIALIZED (
            SELECT a.id AS r, a.id AS c FROM unnest(asked) AS a (id)
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
            UNION SELECT x.id, s.case_id FROM public.attachments x JOIN public.sections s ON s.id = x.section_id WHERE x.id = ANY (asked))
        SELECT h.r FROM hangs h JOIN public.cases c ON c.id = h.c
        WHERE c.state <> 'closed' OR EXISTS (
            SELECT FROM public.holds o WHERE o.case_id = c.id AND o.lifted_at IS NULL AND (o.until IS NULL OR o.until > moment))
        UNION SELECT n.id FROM public.notices n WHERE n.id = ANY (asked) AND n.state IN ('sent', 'acknowledged')
    $$;

-- Of what witnesses signed longer than two days ago, the first of each witness and day stays, and what was signed of the newest checkpoints
-- that enough of them did: so many rows less, at most.
CREATE FUNCTION thin_cosignatures(names text[], needed bigint, most integer) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH newest AS (
            SELECT size FROM public.ledger_cosignatures WHERE witness = ANY (names)
            GROUP BY size HAVING count(DISTINCT witness) >= needed ORDER BY size DESC LIMIT 16),
        dead AS (
            SELECT c.size, c.witness, c.cosigned_at FROM public.ledger_cosignatures c
            WHERE c.cosigned_at < clock_timestamp() - interval '2 days' AND c.size NOT IN (SELECT size FROM newest)
              -- Of the day in which it was signed, by Greenwich: no setting of a session moves it.
              AND EXISTS (SELECT FROM public.ledger_cosignatures f WHERE f.witness = c.witness
                    AND f.cosigned_at >= date_trunc('day', c.cosigned_at, 'UTC')
                    AND (f.cosigned_at, f.size) < (c.cosigned_at, c.size))
            ORDER BY c.cosigned_at LIMIT least(most, 10000)),
        gone AS (
            DELETE FROM public.ledger_cosignatures c USING dead d
            WHERE c.size = d.size AND c.witness = d.witness AND c.cosigned_at = d.cosigned_at RETURNING 1)
        SELECT count(*) FROM gone
    $$;
GRANT SELECT, DELETE ON ledger_cosignatures TO himaya_resolver;

DO $$
DECLARE wanted text;
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY['erase_details(uuid, bigint[], text, bytea)', 'kept_for_cases(uuid[], timestamptz)',
                                  'thin_cosignatures(text[], bigint, integer)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_sweeper', wanted);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;
