-- The supervisors of an organisation see what its own people did. An entry's detail is sealed once, under a key of one organisation and
-- hour; that key is wrapped to the auditors, and to the organisation's supervisors where they have a key (OVERSIGHT).
ALTER TABLE shared_keys DROP CONSTRAINT shared_keys_purpose_check;
ALTER TABLE shared_keys ADD CONSTRAINT shared_keys_purpose_check
    CHECK (purpose IN ('intake', 'review', 'ledger', 'custody', 'oversight'));
ALTER TABLE ledger_detail_keys
    ADD COLUMN oversight_id   uuid REFERENCES shared_keys,  -- the OVERSIGHT epoch that it is wrapped to besides; null where there is none
    ADD COLUMN oversight_wrap bytea,                        -- HPKE to that epoch
    ADD CONSTRAINT ledger_detail_keys_oversight CHECK ((oversight_id IS NULL) = (oversight_wrap IS NULL)),
    ADD CONSTRAINT ledger_detail_keys_sealed CHECK (oversight_id IS NULL OR key_id IS NOT NULL); -- what lies open is nobody's own
CREATE INDEX ledger_detail_keys_of_oversight ON ledger_detail_keys (oversight_id, hour) WHERE oversight_id IS NOT NULL;
-- A supervisor's entries are found by their keys, among those of everybody.
CREATE INDEX ledger_entries_of_key ON ledger_entries (detail_key);

-- Only what a function asks for: what lies open of the founding is in no column that it may read.
GRANT SELECT (id, hour, oversight_id, oversight_wrap) ON ledger_detail_keys TO himaya_resolver;
GRANT SELECT ON ledger_entries, ledger_tree TO himaya_resolver;
CREATE POLICY ledger_detail_keys_resolver ON ledger_detail_keys FOR SELECT TO himaya_resolver USING (oversight_id IS NOT NULL);
CREATE POLICY ledger_entries_resolver ON ledger_entries FOR SELECT TO himaya_resolver USING (true);

-- The entries whose keys are wrapped to an OVERSIGHT epoch of the session's own organisation that the session's person holds: hour by
-- hour, the newest first, from below a position of the newest hour on. It takes no organisation, so nobody asks for another's.
CREATE FUNCTION own_entries(newest bigint, below bigint, oldest bigint, most integer) RETURNS TABLE (
        hour bigint, "position" bigint, replica uuid, lane integer, n bigint, leaf_hash bytea, leaf bytea, signature bytea, detail bytea,
        detail_key uuid, key_id uuid, wrap bytea)
    -- By the keys of one hour, always: planning anew for each hour costs more than finding its entries.
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
    AS $$
        DECLARE
            epochs uuid[] := ARRAY(
                SELECT s.id FROM public.shared_keys s JOIN public.shared_key_wraps w ON w.key_id = s.id
                WHERE s.purpose = 'oversight' AND s.organisation_id = public.my_organisation() AND w.account_id = public.me());
            wanted integer := least(most, 5000);
            one bigint;
            found bigint;
        BEGIN
            FOR one IN SELECT DISTINCT k.hour FROM public.ledger_detail_keys k
                       WHERE k.oversight_id = ANY (epochs) AND k.hour BETWEEN oldest AND newest ORDER BY k.hour DESC LOOP
                RETURN QUERY
                SELECT k.hour, t.position, e.replica, e.lane, e.n, t.leaf_hash, e.leaf, e.signature, e.detail, k.id, k.oversight_id,
                       k.oversight_wrap
                FROM public.ledger_detail_keys k
                JOIN public.ledger_entries e ON e.detail_key = k.id
                JOIN public.ledger_tree t ON t.replica = e.replica AND t.lane = e.lane AND t.n = e.n
                WHERE k.oversight_id = ANY (epochs) AND k.hour = one AND (one < newest OR t.position < below)
                ORDER BY t.position DESC LIMIT wanted;
                GET DIAGNOSTICS found = ROW_COUNT;
                wanted := wanted - found;
                EXIT WHEN wanted <= 0;
            END LOOP;
        END
    $$;
-- On which case of those that the session's person supervises a record hangs that is not theirs to see. Of cases from which they are
-- kept off it says nothing, nor to anybody else.
CREATE FUNCTION supervised_cases_of(wanted uuid[]) RETURNS TABLE (record uuid, case_id uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN QUERY
            WITH hangs AS MATERIALIZED (
                SELECT x.record_id AS r, x.case_id AS c FROM public.sealed x WHERE x.record_id = ANY (wanted) AND x.case_id IS NOT NULL
                UNION SELECT x.id, x.case_id FROM public.sections x WHERE x.id = ANY (wanted)
                UNION SELECT x.id, x.case_id FROM public.subjects x WHERE x.id = ANY (wanted)
                UNION SELECT x.id, x.case_id FROM public.case_notes x WHERE x.id = ANY (wanted)
                UNION SELECT x.id, x.case_id FROM public.placements x WHERE x.id = ANY (wanted)
                UNION SELECT x.id, x.case_id FROM public.consents x WHERE x.id = ANY (wanted)
                UNION SELECT x.id, s.case_id FROM public.attachments x JOIN public.sections s ON s.id = x.section_id
                      WHERE x.id = ANY (wanted)),
            mine AS MATERIALIZED (
                SELECT d.c FROM (SELECT DISTINCT h.c FROM hangs h) d WHERE public.i_supervise_case(d.c))
            SELECT h.r, h.c FROM hangs h JOIN mine m ON m.c = h.c;
        END
    $$;

DO $$
DECLARE wanted text;
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY['own_entries(bigint, bigint, bigint, integer)', 'supervised_cases_of(uuid[])'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_app', wanted);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;
