-- People who look without work to do. What is stored are numbers of a person's day: which records they looked at stands in the
-- ledger, sealed to the auditors, and nowhere else.
CREATE TABLE snooping_days (
    person          uuid NOT NULL,                          -- a tag under a secret of the service: a dump says of nobody whose day it is
    role            text NOT NULL,
    day             date NOT NULL,                          -- by the country's clocks
    measure         text NOT NULL,
    counted         integer NOT NULL CHECK (counted >= 0),
    PRIMARY KEY (person, day, measure)
);
CREATE INDEX snooping_days_of_role ON snooping_days (role, measure, day);
-- A day that is not like others, as the auditors are told of it: under the ledger's pseudonym.
CREATE TABLE suspicions (
    id              uuid PRIMARY KEY,
    number          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    person          text NOT NULL,
    organisation_id uuid NOT NULL REFERENCES organisations,
    role            text NOT NULL,
    measure         text NOT NULL,
    day             date NOT NULL,
    counted         integer NOT NULL,
    usual           integer NOT NULL,
    most            integer NOT NULL,
    raised_at       timestamptz NOT NULL,
    UNIQUE (person, measure, day)
);

ALTER TABLE snooping_days ENABLE ROW LEVEL SECURITY;
ALTER TABLE snooping_days FORCE ROW LEVEL SECURITY;
ALTER TABLE suspicions ENABLE ROW LEVEL SECURITY;
ALTER TABLE suspicions FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON snooping_days TO himaya_resolver;
GRANT SELECT, INSERT, UPDATE (counted, usual, most) ON suspicions TO himaya_resolver;
CREATE POLICY snooping_days_count ON snooping_days TO himaya_resolver USING (true) WITH CHECK (true);
CREATE POLICY suspicions_raise ON suspicions TO himaya_resolver USING (true) WITH CHECK (true);
GRANT SELECT ON suspicions TO himaya_app;
CREATE POLICY suspicions_read ON suspicions FOR SELECT TO himaya_app USING (public.i_audit());

CREATE FUNCTION count_looks(people uuid[], roles text[], days date[], measures text[], counts integer[])
    RETURNS TABLE (who uuid, measure text, day date, counted integer)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        INSERT INTO public.snooping_days AS s (person, role, day, measure, counted)
        -- In one order everywhere: two processes that add to the same days wait for one another, and never both.
        SELECT * FROM unnest(people, roles, days, measures, counts) AS added (p, r, d, m, n) ORDER BY p, d, m
        ON CONFLICT (person, day, measure) DO UPDATE SET counted = least(s.counted::bigint + excluded.counted, 1000000)::integer
        RETURNING person, measure, day, counted
    $$;
CREATE FUNCTION habit_of(wanted_role text, wanted text, since date) RETURNS TABLE (who uuid, day date, counted integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT d.person, d.day, coalesce(m.counted, 0) FROM public.snooping_days d
        LEFT JOIN public.snooping_days m ON m.person = d.person AND m.day = d.day AND m.measure = wanted
        WHERE d.role = wanted_role AND d.measure = 'records' AND d.day >= since
    $$;
CREATE FUNCTION tell_of_snooping(suspicion uuid, who text, organisation uuid, as_role text, what_for text, on_day date,
                                 so_many integer, is_usual integer, at_most integer, at timestamptz) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            told uuid;
        BEGIN
            INSERT INTO public.suspicions AS s (id, person, organisation_id, role, measure, day, counted, usual, most, raised_at)
            VALUES (suspicion, who, organisation, as_role, what_for, on_day, so_many, is_usual, at_most, at)
            ON CONFLICT (person, measure, day) DO UPDATE
                SET counted = greatest(s.counted, excluded.counted), usual = excluded.usual, most = excluded.most
            RETURNING id INTO told;
            INSERT INTO public.alerts (what, level, about, occasion, organisation_id, desk, account_id, raised_at)
            SELECT 'snooping', 'begun', told, s.raised_at, o.id, true, NULL, s.raised_at
            FROM public.organisations o, public.suspicions s WHERE o.kind = 'auditor_office' AND s.id = told
            ON CONFLICT DO NOTHING;
            RETURN told = suspicion;
        END
    $$;
CREATE FUNCTION forget_looks(before date) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ DELETE FROM public.snooping_days WHERE day < before $$;

ALTER TABLE alerts DROP CONSTRAINT alerts_what_check;
ALTER TABLE alerts ADD CONSTRAINT alerts_what_check CHECK (what IN (
    'notice_clock', 'task_overdue', 'roster_gap', 'consent_ended', 'custody_opened', 'emergency_unreviewed', 'barred', 'succession',
    'snooping'));
DROP INDEX alerts_once, alerts_once_for_each;
CREATE UNIQUE INDEX alerts_once ON alerts (what, level, about, occasion)
    WHERE what NOT IN ('consent_ended', 'custody_opened', 'emergency_unreviewed', 'barred', 'succession', 'snooping');
CREATE UNIQUE INDEX alerts_once_for_each ON alerts (what, level, about, occasion, organisation_id, account_id) NULLS NOT DISTINCT
    WHERE what IN ('custody_opened', 'emergency_unreviewed', 'barred', 'succession', 'snooping');

DO $$
DECLARE wanted text;
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY[
        'count_looks(uuid[], text[], date[], text[], integer[])', 'habit_of(text, text, date)', 'forget_looks(date)',
        'tell_of_snooping(uuid, text, uuid, text, text, date, integer, integer, integer, timestamptz)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_timekeeper', wanted);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;
