-- Erasing a case for good, by two persons, and holds by which the law keeps one from being erased.
ALTER TABLE proposals DROP CONSTRAINT proposals_act_check;
ALTER TABLE proposals ADD CONSTRAINT proposals_act_check CHECK (act IN ('removal', 'erasure', 'hold_lift'));

-- While one is in force the case is not erased. Who placed it, why and until when is a signed statement, and so is its end.
CREATE TABLE holds (
    id         uuid PRIMARY KEY,
    case_id    uuid NOT NULL REFERENCES cases,
    until      timestamptz,                        -- in force until then; without it until two persons lift it
    note       text NOT NULL,                      -- who holds which case, why and until when: signed
    vouch      bytea NOT NULL CHECK (octet_length(vouch) = 32), -- that this service stored it
    made_at    timestamptz NOT NULL,
    lifted_at  timestamptz,
    lift_note  text,                               -- the proposal to lift it, signed by both
    lift_vouch bytea CHECK (octet_length(lift_vouch) = 32),
    CHECK ((lifted_at IS NULL) = (lift_note IS NULL)),
    CHECK ((lifted_at IS NULL) = (lift_vouch IS NULL)),
    registered_by uuid DEFAULT me(),
    register_no   bigint DEFAULT register_next(),
    standing      bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL))
);
CREATE INDEX holds_of_case ON holds (case_id);
CREATE UNIQUE INDEX holds_register ON holds (registered_by, register_no);

-- What is left of a case that was erased: that there was one, and who erased it, when and why.
CREATE TABLE erasures (
    id              uuid PRIMARY KEY,              -- the proposal's, which both signed
    case_id         uuid NOT NULL UNIQUE,          -- refers to nothing any more
    number          bigint NOT NULL UNIQUE,        -- of the case
    organisation_id uuid NOT NULL REFERENCES organisations,
    reason          text NOT NULL CHECK (reason IN ('retention_ended', 'person_asked', 'registered_in_error', 'court_order')),
    proposed_by     uuid NOT NULL REFERENCES accounts,
    proposed_at     timestamptz NOT NULL,
    confirmed_by    uuid NOT NULL REFERENCES accounts,
    erased_at       timestamptz NOT NULL,
    note            text NOT NULL,                 -- what was proposed, signed by both
    barred          uuid[] NOT NULL,               -- who was kept off the case: it is not listed to them
    vouch           bytea NOT NULL CHECK (octet_length(vouch) = 32),
    -- By this database's clock, and in no mark: the erasure is carried out by nobody's session.
    online_at       timestamptz,                   -- when every erasure key was gone,
    final_at        timestamptz,                   -- and when the last backup is gone that still has one
    CHECK (proposed_by <> confirmed_by),
    CHECK ((online_at IS NULL) = (final_at IS NULL)),
    registered_by uuid DEFAULT me(),
    register_no   bigint DEFAULT register_next(),
    standing      bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL))
);
CREATE INDEX erasures_of_organisation ON erasures (organisation_id, number DESC);
CREATE UNIQUE INDEX erasures_register ON erasures (registered_by, register_no);

-- What is still to be erased in the second database and in the store of objects. The service vouches for the list: whoever
-- writes to this database alone has nothing erased by it.
CREATE TABLE erasing (
    erasure_id uuid PRIMARY KEY REFERENCES erasures,
    keys       uuid[] NOT NULL,
    objects    uuid[] NOT NULL,
    vouch      bytea NOT NULL CHECK (octet_length(vouch) = 32)
);

-- Cases that came back with a restored backup after they were erased: there for nobody. Their rows stay as the ledger of the
-- backup says, and nothing of them opens.
CREATE TABLE erased_before (
    case_id uuid PRIMARY KEY
);

DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['holds', 'erasures', 'erasing', 'erased_before'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', wanted);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', wanted);
        EXECUTE format('GRANT SELECT ON %I TO himaya_resolver', wanted);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO himaya_resolver USING (true)', wanted || '_standing', wanted);
    END LOOP;
END $$;

-- The case that this very transaction erases, in the session of the second of the two.
CREATE FUNCTION case_is_erased_here(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (SELECT FROM public.erasures e
                           WHERE e.case_id = wanted AND e.confirmed_by = public.me()
                             AND e.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid);
        END
    $$;
-- What does not name its case.
CREATE FUNCTION something_is_erased_here() RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN mine IS NOT NULL
               AND EXISTS (SELECT FROM public.erasures e
                           WHERE e.confirmed_by = mine AND e.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid);
        END
    $$;
CREATE INDEX erasures_of_second ON erasures (confirmed_by);
-- Whether two persons agreed, the second of them in this very transaction, and no hold is in the way. The service checks their
-- signatures; this holds SQL that is injected into the session of who proposed it, or into another's while nothing is proposed.
CREATE FUNCTION two_erase(proposal uuid, wanted uuid, wanted_number bigint, organisation uuid, first uuid, at timestamptz)
    RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (
                SELECT FROM public.proposals p JOIN public.cases c ON c.id = p.case_id
                WHERE p.id = proposal AND p.case_id = wanted AND p.act = 'erasure' AND p.confirmed_at IS NOT NULL
                  AND p.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid
                  AND p.registered_by = first AND first <> public.me()
                  AND p.lapses_at > at AND p.lapses_at > pg_catalog.now()
                  AND c.number = wanted_number AND c.organisation_id = organisation)
               AND NOT EXISTS (SELECT FROM public.holds h
                               WHERE h.case_id = wanted AND h.lifted_at IS NULL AND (h.until IS NULL OR h.until > at));
        END
    $$;

-- Whether two persons agreed that a hold be lifted, likewise.
CREATE FUNCTION two_lift(hold uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (
                SELECT FROM public.proposals p
                WHERE p.about = hold AND p.act = 'hold_lift' AND p.confirmed_at IS NOT NULL
                  AND p.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid
                  AND p.registered_by <> public.me() AND p.lapses_at > pg_catalog.now());
        END
    $$;
-- Whether these are the accounts that are kept off a case.
CREATE FUNCTION are_barred(wanted uuid, accounts uuid[]) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE kept_off uuid[] := ARRAY(SELECT b.account_id FROM public.bars b WHERE b.case_id = wanted AND b.lifted_at IS NULL);
        BEGIN
            RETURN accounts @> kept_off AND accounts <@ kept_off;
        END
    $$;

GRANT SELECT, INSERT (id, case_id, until, note, vouch, made_at) ON holds TO himaya_app;
GRANT UPDATE (lifted_at, lift_note, lift_vouch, standing) ON holds TO himaya_app;
CREATE POLICY holds_read ON holds FOR SELECT TO himaya_app
    USING (public.i_am_on_case(case_id) OR public.i_supervise_case(case_id));
CREATE POLICY holds_add ON holds FOR INSERT TO himaya_app WITH CHECK (public.i_supervise_case(case_id));
CREATE POLICY holds_lift ON holds FOR UPDATE TO himaya_app USING (public.i_supervise_case(case_id))
    WITH CHECK (public.i_supervise_case(case_id) AND public.two_lift(id));

GRANT SELECT, INSERT (id, case_id, number, organisation_id, reason, proposed_by, proposed_at, confirmed_by, erased_at, note, barred,
                      vouch)
    ON erasures TO himaya_app;
CREATE POLICY erasures_read ON erasures FOR SELECT TO himaya_app
    USING ((public.i_supervise(organisation_id) OR public.i_audit()) AND public.me() <> ALL (barred));
CREATE POLICY erasures_add ON erasures FOR INSERT TO himaya_app WITH CHECK (
    confirmed_by = public.me() AND public.i_supervise_case(case_id) AND public.are_barred(case_id, barred)
    AND public.two_erase(id, case_id, number, organisation_id, proposed_by, erased_at));
GRANT INSERT ON erasing TO himaya_app;
CREATE POLICY erasing_add ON erasing FOR INSERT TO himaya_app WITH CHECK (EXISTS (
    SELECT FROM erasures e WHERE e.id = erasure_id AND public.case_is_erased_here(e.case_id)));

-- An emergency that waits for its review is reviewed also when the case is gone: what names the case there stays, and refers
-- to nothing.
ALTER TABLE opening_cases DROP CONSTRAINT opening_cases_case_id_fkey;

-- Takes away everything that hangs on a case and the case, and says which rows of which registers these were, which objects are
-- to be erased, and what was sealed, with all that the service vouched for: it has no key erased that was not sealed on this case.
-- What hangs on a case by a table that this does not know keeps it from being erased at all.
CREATE FUNCTION erase_case(wanted uuid) RETURNS TABLE (
        what text, id uuid, register uuid, register_no bigint, kind text, case_id uuid, key_id uuid, epoch integer, version bigint,
        author uuid, digest bytea, vouch bytea)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            told uuid[]; parts uuid[]; stays uuid[]; work uuid[]; files uuid[]; alarms uuid[]; beside uuid[];
            lines uuid[]; secrets uuid[]; objects uuid[];
        BEGIN
            IF NOT public.case_is_erased_here(wanted) THEN
                RETURN;
            END IF;
            -- The case is locked. What others than its officers hang on it waits here, and then does not find it.
            PERFORM FROM public.notices n WHERE n.case_id = wanted ORDER BY n.id FOR UPDATE;
            PERFORM FROM public.placements p WHERE p.case_id = wanted ORDER BY p.id FOR UPDATE;
            told := ARRAY(SELECT n.id FROM public.notices n WHERE n.case_id = wanted);
            parts := ARRAY(SELECT s.id FROM public.sections s WHERE s.case_id = wanted);
            stays := ARRAY(SELECT p.id FROM public.placements p WHERE p.case_id = wanted);
            work := ARRAY(SELECT t.id FROM public.tasks t WHERE t.case_id = wanted);
            files := ARRAY(SELECT t.id FROM public.attachments t WHERE t.notice_id = ANY (told) OR t.section_id = ANY (parts));
            objects := ARRAY(SELECT t.object FROM public.attachments t WHERE t.id = ANY (files));
            alarms := ARRAY(SELECT a.id FROM public.alerts a WHERE a.about = ANY (
                told || stays || work || wanted || ARRAY(SELECT b.id FROM public.bars b WHERE b.case_id = wanted)));
            -- Sealed under ids of their own: where the person arrives, and the care.
            beside := ARRAY(SELECT u.id FROM public.placements p, pg_catalog.unnest(ARRAY[p.address_id, p.care_id]) AS u (id)
                            WHERE p.case_id = wanted AND u.id IS NOT NULL);
            lines := told || parts || stays || work || files || wanted
                || ARRAY(SELECT d.id FROM public.addenda d WHERE d.notice_id = ANY (told))
                || ARRAY(SELECT d.id FROM public.directions d WHERE d.notice_id = ANY (told))
                || ARRAY(SELECT k.id FROM public.alert_acknowledgements k WHERE k.alert_id = ANY (alarms))
                || ARRAY(SELECT c.id FROM public.consents c WHERE c.case_id = wanted)
                || ARRAY(SELECT n.id FROM public.case_notes n WHERE n.case_id = wanted)
                || ARRAY(SELECT s.id FROM public.subjects s WHERE s.case_id = wanted)
                || ARRAY(SELECT a.id FROM public.assignments a WHERE a.case_id = wanted)
                || ARRAY(SELECT b.id FROM public.bars b WHERE b.case_id = wanted)
                || ARRAY(SELECT h.id FROM public.holds h WHERE h.case_id = wanted)
                || ARRAY(SELECT p.id FROM public.proposals p WHERE p.case_id = wanted)
                || ARRAY(SELECT a.grant_id FROM public.case_access a WHERE a.case_id = wanted);
            secrets := ARRAY(SELECT DISTINCT s.key_id FROM public.sealed s
                             WHERE s.case_id = wanted OR s.record_id = ANY (lines || beside));
            -- Somebody else's records, or their keys, were put under this case. Erasing is for ever: nothing is.
            IF EXISTS (SELECT FROM public.sealed s WHERE s.case_id = wanted AND s.record_id <> ALL (lines || beside))
               OR EXISTS (SELECT FROM public.sealed s
                          WHERE s.key_id = ANY (secrets) AND s.case_id IS DISTINCT FROM wanted
                            AND s.record_id <> ALL (lines || beside))
               OR EXISTS (SELECT FROM public.sealed s WHERE s.key_id = ANY (objects))
               OR EXISTS (SELECT FROM public.wraps w WHERE w.key_id = ANY (objects))
               OR EXISTS (SELECT FROM public.placements p JOIN public.subjects s ON s.id = p.subject_id
                          WHERE p.case_id = wanted AND s.case_id <> wanted) THEN
                RAISE EXCEPTION 'something of another case was put under the case that is to be erased';
            END IF;
            RETURN QUERY
            SELECT s.kind, s.id, a.register, s.register_no, NULL::text, NULL::uuid, NULL::uuid, NULL::integer, NULL::bigint,
                   NULL::uuid, NULL::bytea, NULL::bytea
            FROM public.standings s LEFT JOIN public.accounts a ON a.id = s.registered_by
            WHERE s.id = ANY (lines) AND s.kind <> 'erasure';
            RETURN QUERY SELECT 'sealed', s.record_id, NULL::uuid, NULL::bigint, s.kind, s.case_id, s.key_id, s.epoch, s.version,
                                s.author, pg_catalog.sha256(s.blob), s.vouch
                         FROM public.sealed s WHERE s.case_id = wanted OR s.record_id = ANY (lines || beside);
            RETURN QUERY SELECT 'object', k, NULL::uuid, NULL::bigint, NULL::text, NULL::uuid, NULL::uuid, NULL::integer,
                                NULL::bigint, NULL::uuid, NULL::bytea, NULL::bytea
                         FROM pg_catalog.unnest(objects) AS k;

            DELETE FROM public.wraps w WHERE w.key_id = ANY (secrets);
            DELETE FROM public.sealed s WHERE s.case_id = wanted OR s.record_id = ANY (lines || beside);
            DELETE FROM public.attachments t WHERE t.id = ANY (files);
            DELETE FROM public.addenda d WHERE d.notice_id = ANY (told);
            DELETE FROM public.directions d WHERE d.notice_id = ANY (told);
            DELETE FROM public.alert_acknowledgements k WHERE k.alert_id = ANY (alarms);
            DELETE FROM public.alerts a WHERE a.id = ANY (alarms);
            DELETE FROM public.consents c WHERE c.case_id = wanted;
            DELETE FROM public.placements p WHERE p.case_id = wanted;
            DELETE FROM public.tasks t WHERE t.case_id = wanted;
            DELETE FROM public.case_notes n WHERE n.case_id = wanted;
            DELETE FROM public.sections s WHERE s.case_id = wanted;
            DELETE FROM public.subjects s WHERE s.case_id = wanted;
            DELETE FROM public.case_heads h WHERE h.case_id = wanted;
            DELETE FROM public.assignments a WHERE a.case_id = wanted;
            DELETE FROM public.bars b WHERE b.case_id = wanted;
            DELETE FROM public.holds h WHERE h.case_id = wanted;
            DELETE FROM public.proposals p WHERE p.case_id = wanted;
            DELETE FROM public.case_access a WHERE a.case_id = wanted;
            DELETE FROM public.notices n WHERE n.case_id = wanted;
            DELETE FROM public.cases c WHERE c.id = wanted;
        END
    $$;
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['notices', 'consents', 'placements', 'tasks', 'case_notes', 'sections', 'subjects', 'case_heads',
                                  'assignments', 'bars', 'holds', 'proposals', 'case_access'] LOOP
        EXECUTE format('GRANT DELETE ON %I TO himaya_resolver', wanted);
        EXECUTE format('CREATE POLICY %I ON %I FOR DELETE TO himaya_resolver USING (public.case_is_erased_here(case_id))',
                       wanted || '_erased', wanted);
    END LOOP;
    FOREACH wanted IN ARRAY ARRAY['wraps', 'sealed', 'attachments', 'addenda', 'directions', 'alert_acknowledgements'] LOOP
        EXECUTE format('GRANT DELETE ON %I TO himaya_resolver', wanted);
        EXECUTE format('CREATE POLICY %I ON %I FOR DELETE TO himaya_resolver USING (public.something_is_erased_here())',
                       wanted || '_erased', wanted);
    END LOOP;
    GRANT DELETE ON cases, alerts TO himaya_resolver;
    CREATE POLICY cases_erased ON cases FOR DELETE TO himaya_resolver USING (public.case_is_erased_here(id));
    -- To lock them. Nothing is changed.
    GRANT UPDATE (standing) ON notices TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY['notices', 'placements'] LOOP
        EXECUTE format('CREATE POLICY %I ON %I FOR UPDATE TO himaya_resolver USING (public.case_is_erased_here(case_id))
                        WITH CHECK (false)', wanted || '_erased_lock', wanted);
    END LOOP;
END $$;

-- What the sweeper's role carries out afterwards, as often as it takes.
CREATE FUNCTION erasures_due() RETURNS TABLE (erasure_id uuid, keys uuid[], objects uuid[], vouch bytea, erased_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT w.erasure_id, w.keys, w.objects, w.vouch, e.erased_at
        FROM public.erasing w JOIN public.erasures e ON e.id = w.erasure_id ORDER BY e.erased_at, e.id
    $$;
CREATE FUNCTION erasure_is_online(wanted uuid, kept interval) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            UPDATE public.erasures e SET online_at = pg_catalog.now(), final_at = pg_catalog.now() + kept
            WHERE e.id = wanted AND e.online_at IS NULL;
            DELETE FROM public.erasing w WHERE w.erasure_id = wanted;
            RETURN FOUND;
        END
    $$;
GRANT UPDATE (online_at, final_at) ON erasures TO himaya_resolver;
GRANT DELETE ON erasing TO himaya_resolver;
CREATE POLICY erasures_online ON erasures FOR UPDATE TO himaya_resolver
    USING (online_at IS NULL) WITH CHECK (online_at IS NOT NULL);
CREATE POLICY erasing_done ON erasing FOR DELETE TO himaya_resolver
    USING (EXISTS (SELECT FROM erasures e WHERE e.id = erasure_id AND e.online_at IS NOT NULL));
-- For the doctor: erasures whose keys are not all gone, and since when the oldest of them waits, by this database's clock.
CREATE FUNCTION erasures_waiting() RETURNS TABLE (waiting bigint, longest interval)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT pg_catalog.count(*), COALESCE(pg_catalog.max(pg_catalog.now() - e.erased_at), interval '0')
        FROM public.erasures e WHERE e.online_at IS NULL
    $$;

-- Nobody stands in any relation to a case that was erased and came back.
CREATE FUNCTION was_erased(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ BEGIN RETURN EXISTS (SELECT FROM public.erased_before e WHERE e.case_id = wanted); END $$;
CREATE OR REPLACE FUNCTION i_am_barred(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN public.was_erased(wanted)
                OR EXISTS (SELECT FROM public.bars b
                           WHERE b.case_id = wanted AND b.account_id = mine AND b.lifted_at IS NULL);
        END
    $$;
DO $$
DECLARE place text[]; was text; term text;
BEGIN
    FOREACH place SLICE 1 IN ARRAY ARRAY[['my_relation_to_case(uuid)', 'c'], ['my_cases(bigint, bigint)', 'a'],
                                         ['visit_section(bytea, uuid, uuid, text)', 'g']] LOOP
        was := pg_get_functiondef(place[1]::regprocedure);
        term := format(' %s.ended_at IS NULL', place[2]);
        IF array_length(string_to_array(was, term), 1) IS DISTINCT FROM 2 THEN
            RAISE EXCEPTION 'the function % is not as it was', place[1];
        END IF;
        EXECUTE replace(was, term, format('%1$s
                AND NOT EXISTS (SELECT FROM public.erased_before x WHERE x.case_id = %2$s.case_id)', term, place[2]));
    END LOOP;
END $$;
ALTER POLICY notices_mine ON notices USING (NOT public.was_erased(case_id) AND (
    sender_id = public.me() OR public.i_hold(intake_key_id) OR public.i_am_on_case(case_id)
    OR (public.i_supervise(squad_id) AND NOT public.i_am_barred(case_id))
    OR (state = 'returned' AND public.i_supervise(sender_organisation_id))));

DO $$
DECLARE wanted text;
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY['case_is_erased_here(uuid)', 'something_is_erased_here()', 'erase_case(uuid)', 'was_erased(uuid)',
                                  'two_lift(uuid)', 'are_barred(uuid, uuid[])',
                                  'two_erase(uuid, uuid, bigint, uuid, uuid, timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_app, himaya_resolver', wanted);
    END LOOP;
    FOREACH wanted IN ARRAY ARRAY['erasures_due()', 'erasure_is_online(uuid, interval)', 'erasures_waiting()'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_sweeper, himaya_resolver', wanted);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;

-- How each row stands, with the new ones: the rest is as it was.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS ' || rtrim(pg_get_viewdef('standings'), ';') || $view$
    UNION ALL
    SELECT 'hold', id, registered_by, register_no, standing, xmin,
           sha256(convert_to(jsonb_build_array('hold', id, registered_by, register_no, standing, jsonb_build_array(
               case_id, until AT TIME ZONE 'UTC', note, made_at AT TIME ZONE 'UTC', lifted_at AT TIME ZONE 'UTC',
               lift_note))::text, 'UTF8'))
    FROM holds
    UNION ALL
    SELECT 'erasure', id, registered_by, register_no, standing, xmin,
           sha256(convert_to(jsonb_build_array('erasure', id, registered_by, register_no, standing, jsonb_build_array(
               case_id, number, organisation_id, reason, proposed_by, proposed_at AT TIME ZONE 'UTC', confirmed_by,
               erased_at AT TIME ZONE 'UTC', note, barred))::text, 'UTF8'))
    FROM erasures $view$;
END $$;
