-- A supervisor keeps others off a case alone, other supervisors and custodians among them. So the squad's other supervisors and the
-- auditors are told of it at once, and when a bar is lifted; whom it concerns is not.
ALTER TABLE alerts DROP CONSTRAINT alerts_what_check;
ALTER TABLE alerts ADD CONSTRAINT alerts_what_check CHECK (what IN (
    'notice_clock', 'task_overdue', 'roster_gap', 'consent_ended', 'custody_opened', 'emergency_unreviewed', 'barred'));
DROP INDEX alerts_once, alerts_once_for_each;
CREATE UNIQUE INDEX alerts_once ON alerts (what, level, about, occasion)
    WHERE what NOT IN ('consent_ended', 'custody_opened', 'emergency_unreviewed', 'barred');
CREATE UNIQUE INDEX alerts_once_for_each ON alerts (what, level, about, occasion, organisation_id, account_id) NULLS NOT DISTINCT
    WHERE what IN ('custody_opened', 'emergency_unreviewed', 'barred');

CREATE FUNCTION tell_of_bar() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            is_lifted boolean := NEW.lifted_at IS NOT NULL;
            moment timestamptz := coalesce(NEW.lifted_at, NEW.made_at);
        BEGIN
            -- Who steps back from a case tells nobody why.
            IF NOT is_lifted AND NEW.account_id IS NOT DISTINCT FROM public.me() THEN RETURN NULL; END IF;
            INSERT INTO public.alerts (what, level, about, occasion, organisation_id, desk, account_id, raised_at)
            SELECT 'barred', CASE WHEN is_lifted THEN 'ended' ELSE 'begun' END, NEW.id, moment, o.id,
                   o.kind = 'auditor_office', NULL, moment
            FROM public.organisations o
            WHERE o.kind = 'auditor_office'
               OR o.id = (SELECT c.organisation_id FROM public.cases c WHERE c.id = NEW.case_id)
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END
    $$;
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION tell_of_bar() OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION tell_of_bar() FROM PUBLIC;
CREATE TRIGGER tell_of_bar AFTER INSERT OR UPDATE OF lifted_at ON bars FOR EACH ROW EXECUTE FUNCTION tell_of_bar();

-- As it was, and by any bar of the case.
DO $$
DECLARE was text := pg_get_functiondef('i_am_barred_from(uuid)'::regprocedure);
    term text := 'EXISTS (SELECT FROM public.tasks t WHERE t.id = about AND t.case_id = b.case_id)';
BEGIN
    IF array_length(string_to_array(was, term), 1) IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'the function i_am_barred_from is not as it was';
    END IF;
    EXECUTE replace(was, term, 'EXISTS (SELECT FROM public.bars x WHERE x.id = about AND x.case_id = b.case_id) OR ' || term);
END $$;
