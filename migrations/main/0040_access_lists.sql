-- For the list of who opened a person's record: the ids of everything that hangs on cases, or on calls and notices that became no case.
-- Ids and nothing else, to the auditors' sessions and to nobody else: they stand in the entries that the auditors read.
-- `erased` marks a case that two persons erased: what hung on it is not known any more.
CREATE FUNCTION hangs_on(wanted uuid[]) RETURNS TABLE (record uuid, erased boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            told uuid[]; parts uuid[]; stays uuid[]; work uuid[]; bars uuid[]; own uuid[];
        BEGIN
            IF NOT public.i_audit() THEN
                RETURN;
            END IF;
            told := ARRAY(SELECT n.id FROM public.notices n WHERE n.case_id = ANY (wanted) OR n.id = ANY (wanted));
            parts := ARRAY(SELECT s.id FROM public.sections s WHERE s.case_id = ANY (wanted));
            stays := ARRAY(SELECT p.id FROM public.placements p WHERE p.case_id = ANY (wanted));
            work := ARRAY(SELECT t.id FROM public.tasks t WHERE t.case_id = ANY (wanted) OR t.call_id = ANY (wanted));
            bars := ARRAY(SELECT b.id FROM public.bars b WHERE b.case_id = ANY (wanted));
            own := ARRAY(SELECT c.id FROM public.cases c WHERE c.id = ANY (wanted)
                         UNION ALL SELECT c.id FROM public.calls c WHERE c.id = ANY (wanted));
            own := own || told || parts || stays || work || bars
                || ARRAY(SELECT s.record_id FROM public.sealed s WHERE s.case_id = ANY (wanted))
                -- Sealed under ids of their own: where the person arrives, and the care.
                || ARRAY(SELECT u.id FROM public.placements p, pg_catalog.unnest(ARRAY[p.address_id, p.care_id]) AS u (id)
                         WHERE p.case_id = ANY (wanted) AND u.id IS NOT NULL)
                || ARRAY(SELECT d.id FROM public.addenda d WHERE d.notice_id = ANY (told))
                || ARRAY(SELECT d.id FROM public.directions d WHERE d.notice_id = ANY (told))
                || ARRAY(SELECT a.id FROM public.attachments a
                         WHERE a.notice_id = ANY (told) OR a.section_id = ANY (parts) OR a.call_id = ANY (wanted))
                || ARRAY(SELECT c.id FROM public.consents c WHERE c.case_id = ANY (wanted))
                || ARRAY(SELECT n.id FROM public.case_notes n WHERE n.case_id = ANY (wanted))
                || ARRAY(SELECT s.id FROM public.subjects s WHERE s.case_id = ANY (wanted))
                || ARRAY(SELECT a.id FROM public.assignments a WHERE a.case_id = ANY (wanted))
                || ARRAY(SELECT h.id FROM public.holds h WHERE h.case_id = ANY (wanted))
                || ARRAY(SELECT p.id FROM public.proposals p WHERE p.case_id = ANY (wanted))
                || ARRAY(SELECT o.opening_id FROM public.opening_cases o WHERE o.case_id = ANY (wanted))
                || ARRAY(SELECT a.grant_id FROM public.case_access a WHERE a.case_id = ANY (wanted));
            RETURN QUERY SELECT DISTINCT u.id, false FROM pg_catalog.unnest(own) AS u (id);
            RETURN QUERY SELECT a.id, false FROM public.alerts a WHERE a.about = ANY (own);
            RETURN QUERY SELECT e.case_id, true FROM public.erasures e WHERE e.case_id = ANY (wanted)
                         UNION ALL SELECT e.id, false FROM public.erasures e WHERE e.case_id = ANY (wanted);
        END
    $$;

DO $$
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    ALTER FUNCTION hangs_on(uuid[]) OWNER TO himaya_resolver;
    REVOKE ALL ON FUNCTION hangs_on(uuid[]) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION hangs_on(uuid[]) TO himaya_app;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;
