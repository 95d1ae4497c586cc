-- Others answer for an organisation. A founding that follows another is proposed by one of the two of today and waits for its signatures;
-- nothing here is secret, and nothing here is believed: signatures and pins decide.
CREATE TABLE successions (
    id              uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisations,
    number          integer NOT NULL CHECK (number >= 1),   -- the first that follows the founding is 1
    first_id        uuid NOT NULL REFERENCES accounts,      -- the two who are to answer for it
    second_id       uuid NOT NULL REFERENCES accounts,
    note            text NOT NULL CHECK (octet_length(note) <= 1048576), -- the founding that follows, with its signatures so far
    made_at         timestamptz NOT NULL,
    lapses_at       timestamptz NOT NULL,
    declined_at     timestamptz,
    registered_by   uuid DEFAULT me(),
    register_no     bigint DEFAULT register_next(),
    standing        bigint NOT NULL DEFAULT 1,
    CHECK (first_id <> second_id),
    CHECK ((registered_by IS NULL) = (register_no IS NULL))
);
CREATE INDEX successions_of ON successions (organisation_id, made_at);
CREATE UNIQUE INDEX successions_register ON successions (registered_by, register_no);
-- A founding that another one has followed. Only the door's own role writes here, and changes a founding that is complete: SQL that is
-- injected into somebody's session takes no organisation away from its two.
CREATE TABLE former_foundings (
    organisation_id uuid NOT NULL REFERENCES organisations,
    number          integer NOT NULL CHECK (number >= 0),   -- its own: the first founding is 0
    note            text NOT NULL,
    succession_id   uuid NOT NULL,                          -- what follows it
    first_id        uuid NOT NULL REFERENCES accounts,      -- who has answered since
    second_id       uuid NOT NULL REFERENCES accounts,
    followed_at     timestamptz NOT NULL,
    PRIMARY KEY (organisation_id, number)
);
CREATE INDEX former_foundings_of_succession ON former_foundings (succession_id);

GRANT SELECT, INSERT (id, organisation_id, number, first_id, second_id, note, made_at, lapses_at) ON successions TO himaya_app;
GRANT UPDATE (note, declined_at, standing) ON successions TO himaya_app;
GRANT SELECT ON successions, former_foundings TO himaya_resolver;
GRANT SELECT ON former_foundings TO himaya_app, himaya_door;
GRANT INSERT ON former_foundings TO himaya_door;
GRANT SELECT, UPDATE (note) ON foundings TO himaya_door;
ALTER TABLE successions ENABLE ROW LEVEL SECURITY;
ALTER TABLE successions FORCE ROW LEVEL SECURITY;
ALTER TABLE former_foundings ENABLE ROW LEVEL SECURITY;
ALTER TABLE former_foundings FORCE ROW LEVEL SECURITY;
CREATE POLICY successions_standing ON successions FOR SELECT TO himaya_resolver USING (true);
CREATE POLICY former_foundings_standing ON former_foundings FOR SELECT TO himaya_resolver USING (true);
-- Like the foundings: read by everybody who checks a chain.
CREATE POLICY successions_read ON successions FOR SELECT TO himaya_app USING (true);
CREATE POLICY former_foundings_read ON former_foundings FOR SELECT TO himaya_app USING (true);
CREATE POLICY former_foundings_door ON former_foundings TO himaya_door USING (true) WITH CHECK (true);
CREATE POLICY foundings_door ON foundings TO himaya_door USING (true) WITH CHECK (true);

-- The two of today: those who are nominated, until others answer for the organisation.
CREATE FUNCTION the_two_of(wanted uuid) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT a.id FROM public.accounts a
        LEFT JOIN LATERAL (
            SELECT f.first_id, f.second_id FROM public.former_foundings f
            WHERE f.organisation_id = a.organisation_id ORDER BY f.number DESC LIMIT 1) l ON true
        WHERE a.organisation_id = wanted
          AND CASE WHEN l.first_id IS NULL THEN a.nominated_responsible ELSE a.id IN (l.first_id, l.second_id) END
    $$;
CREATE OR REPLACE FUNCTION i_am_responsible(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT public.me() IN (SELECT public.the_two_of(wanted)) $$;

CREATE POLICY successions_add ON successions FOR INSERT TO himaya_app
    WITH CHECK (organisation_id = public.my_organisation() AND public.i_am_responsible(organisation_id));
CREATE POLICY successions_sign ON successions FOR UPDATE TO himaya_app
    USING (declined_at IS NULL
           AND (public.i_am_responsible(organisation_id) OR public.i_keep_custody(organisation_id)
                OR public.me() IN (first_id, second_id)))
    WITH CHECK (true);
-- Whom the two before had only proposed is proposed anew by those who follow.
GRANT UPDATE (ended_at) ON memberships TO himaya_app;

-- The two of today and the auditors are told when others are proposed, and when they follow or are declined.
ALTER TABLE alerts DROP CONSTRAINT alerts_what_check;
ALTER TABLE alerts ADD CONSTRAINT alerts_what_check CHECK (what IN (
    'notice_clock', 'task_overdue', 'roster_gap', 'consent_ended', 'custody_opened', 'emergency_unreviewed', 'barred', 'succession'));
DROP INDEX alerts_once, alerts_once_for_each;
CREATE UNIQUE INDEX alerts_once ON alerts (what, level, about, occasion)
    WHERE what NOT IN ('consent_ended', 'custody_opened', 'emergency_unreviewed', 'barred', 'succession');
CREATE UNIQUE INDEX alerts_once_for_each ON alerts (what, level, about, occasion, organisation_id, account_id) NULLS NOT DISTINCT
    WHERE what IN ('custody_opened', 'emergency_unreviewed', 'barred', 'succession');
CREATE FUNCTION tell_of_succession() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            succession uuid;
            moment timestamptz;
            level text := 'ended';
        BEGIN
            IF TG_TABLE_NAME = 'former_foundings' THEN
                succession := NEW.succession_id;
                moment := NEW.followed_at;
            ELSE
                succession := NEW.id;
                moment := coalesce(NEW.declined_at, NEW.made_at);
                IF NEW.declined_at IS NULL THEN level := 'begun'; END IF;
            END IF;
            INSERT INTO public.alerts (what, level, about, occasion, organisation_id, desk, account_id, raised_at)
            SELECT 'succession', level, succession, moment, o.id, true, NULL, moment
            FROM public.organisations o WHERE o.kind = 'auditor_office'
            UNION ALL
            SELECT 'succession', level, succession, moment, NEW.organisation_id, false, two, moment
            FROM public.the_two_of(NEW.organisation_id) two
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END
    $$;
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION the_two_of(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION tell_of_succession() OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION the_two_of(uuid), tell_of_succession() FROM PUBLIC;
CREATE TRIGGER tell_of_succession AFTER INSERT OR UPDATE OF declined_at ON successions
    FOR EACH ROW EXECUTE FUNCTION tell_of_succession();
CREATE TRIGGER tell_of_succession AFTER INSERT ON former_foundings FOR EACH ROW EXECUTE FUNCTION tell_of_succession();

-- How each row stands, with the new ones: the rest is as it was.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS ' || rtrim(pg_get_viewdef('standings'), ';') || $view$
    UNION ALL
    SELECT 'succession', id, registered_by, register_no, standing, xmin,
           sha256(convert_to(jsonb_build_array('succession', id, registered_by, register_no, standing, jsonb_build_array(
               organisation_id, number, first_id, second_id, note, made_at AT TIME ZONE 'UTC', lapses_at AT TIME ZONE 'UTC',
               declined_at AT TIME ZONE 'UTC'))::text, 'UTF8'))
    FROM successions $view$;
END $$;
