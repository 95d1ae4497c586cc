-- While the ledger cannot do all of its work no record is opened. Two persons let the assigned and duty readers of one organisation go on
-- for some hours: one proposes it, another agrees. Nothing here is secret, and nothing here is believed: both signatures on the note decide,
-- and the time in it. That it was ended is believed.
CREATE TABLE outages (
    id              uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisations, -- whose readers
    note            text NOT NULL CHECK (octet_length(note) <= 16384), -- what is open, why, from when until when: signed by one, then by both
    made_at         timestamptz NOT NULL,
    agreed_at       timestamptz,                   -- null until the second has signed
    ended_at        timestamptz,                   -- somebody ended it before its time
    ended_by        uuid REFERENCES accounts,
    registered_by   uuid DEFAULT me(),
    register_no     bigint DEFAULT register_next(),
    standing        bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL)),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX outages_newest ON outages (made_at DESC, id);
CREATE UNIQUE INDEX outages_register ON outages (registered_by, register_no);

GRANT SELECT, INSERT (id, organisation_id, note, made_at) ON outages TO himaya_app;
GRANT UPDATE (note, agreed_at, ended_at, ended_by, standing) ON outages TO himaya_app;
GRANT SELECT ON outages TO himaya_resolver;
ALTER TABLE outages ENABLE ROW LEVEL SECURITY;
ALTER TABLE outages FORCE ROW LEVEL SECURITY;
CREATE POLICY outages_standing ON outages FOR SELECT TO himaya_resolver USING (true);
-- A process reads them without anybody's session.
CREATE POLICY outages_read ON outages FOR SELECT TO himaya_app
    USING (public.me() IS NULL OR organisation_id = public.my_organisation() OR public.i_audit());
CREATE POLICY outages_add ON outages FOR INSERT TO himaya_app WITH CHECK (organisation_id = public.my_organisation());
CREATE POLICY outages_change ON outages FOR UPDATE TO himaya_app
    USING ((organisation_id = public.my_organisation() OR public.i_audit()) AND ended_at IS NULL)
    WITH CHECK (organisation_id = public.my_organisation() OR public.i_audit());

-- What waits gets one signature more, of the person who signs and who is not the one that proposed it; what was ended stays ended.
CREATE FUNCTION outages_hold() RETURNS trigger
    LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            IF current_user <> 'himaya_app' THEN
                RETURN NEW;
            END IF;
            IF (NEW.note <> OLD.note OR NEW.agreed_at IS DISTINCT FROM OLD.agreed_at) AND NOT (
                OLD.agreed_at IS NULL AND NEW.agreed_at IS NOT NULL AND OLD.registered_by IS DISTINCT FROM public.me()
                AND starts_with(NEW.note, OLD.note)
                -- A key's id and an Ed25519 signature are 68 bytes.
                AND substr(NEW.note, length(OLD.note) + 1)
                    ~ ('^— himaya/' || public.me() || ' [A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=\n$')) THEN
                RAISE EXCEPTION 'an outage that waits gets one signature, of another person than proposed it'
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            IF NEW.ended_at IS NOT NULL AND NEW.ended_by IS DISTINCT FROM public.me() THEN
                RAISE EXCEPTION 'who ends an outage says so themselves' USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END
    $$;
REVOKE ALL ON FUNCTION outages_hold() FROM PUBLIC;
CREATE TRIGGER outages_hold BEFORE UPDATE ON outages FOR EACH ROW EXECUTE FUNCTION outages_hold();

-- The auditors and the organisation's supervisors are told when one begins, and when somebody ends it.
ALTER TABLE alerts DROP CONSTRAINT alerts_what_check;
ALTER TABLE alerts ADD CONSTRAINT alerts_what_check CHECK (what IN (
    'notice_clock', 'task_overdue', 'roster_gap', 'consent_ended', 'custody_opened', 'emergency_unreviewed', 'barred', 'succession',
    'snooping', 'outage'));
DROP INDEX alerts_once, alerts_once_for_each;
CREATE UNIQUE INDEX alerts_once ON alerts (what, level, about, occasion)
    WHERE what NOT IN ('consent_ended', 'custody_opened', 'emergency_unreviewed', 'barred', 'succession', 'snooping', 'outage');
CREATE UNIQUE INDEX alerts_once_for_each ON alerts (what, level, about, occasion, organisation_id, account_id) NULLS NOT DISTINCT
    WHERE what IN ('custody_opened', 'emergency_unreviewed', 'barred', 'succession', 'snooping', 'outage');

CREATE FUNCTION tell_of_outage() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            is_ended boolean := NEW.ended_at IS NOT NULL;
            moment timestamptz := coalesce(NEW.ended_at, NEW.agreed_at);
        BEGIN
            -- One that never began ends without a word.
            IF NEW.agreed_at IS NULL THEN RETURN NULL; END IF;
            INSERT INTO public.alerts (what, level, about, occasion, organisation_id, desk, account_id, raised_at)
            SELECT 'outage', CASE WHEN is_ended THEN 'ended' ELSE 'begun' END, NEW.id, moment, o.id,
                   o.kind = 'auditor_office', NULL, moment
            FROM public.organisations o WHERE o.kind = 'auditor_office' OR o.id = NEW.organisation_id
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END
    $$;
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION tell_of_outage() OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION tell_of_outage() FROM PUBLIC;
CREATE TRIGGER tell_of_outage AFTER UPDATE OF agreed_at, ended_at ON outages FOR EACH ROW EXECUTE FUNCTION tell_of_outage();

-- How each row stands, with the new ones: the rest is as it was.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS ' || rtrim(pg_get_viewdef('standings'), ';') || $view$
    UNION ALL
    SELECT 'outage', id, registered_by, register_no, standing, xmin,
           sha256(convert_to(jsonb_build_array('outage', id, registered_by, register_no, standing, jsonb_build_array(
               organisation_id, note, made_at AT TIME ZONE 'UTC', agreed_at AT TIME ZONE 'UTC', ended_at AT TIME ZONE 'UTC',
               ended_by))::text, 'UTF8'))
    FROM outages $view$;
END $$;
