-- Everyday work: tasks with due times, alerts, instructions of supervisors, rosters, absences. What is clear are ids, codes,
-- states and times; what a task says is in `sealed`.
CREATE TABLE tasks (
    id              uuid PRIMARY KEY,              -- also the record under which its words are sealed
    organisation_id uuid NOT NULL REFERENCES organisations,
    maker_id        uuid NOT NULL REFERENCES accounts,
    assignee_id     uuid NOT NULL REFERENCES accounts, -- who is to do it
    case_id         uuid REFERENCES cases,         -- the case that it hangs on,
    call_id         uuid REFERENCES calls,         -- or the finished call after which somebody is to be called back
    kind            text NOT NULL CHECK (kind IN ('call_back', 'follow_up', 'visit', 'document', 'deadline', 'review')),
    state           text NOT NULL CHECK (state IN ('open', 'done')),
    due_at          timestamptz NOT NULL,
    made_at         timestamptz NOT NULL,
    done_at         timestamptz,
    CHECK ((case_id IS NULL) = (kind = 'call_back')),
    CHECK ((call_id IS NULL) = (kind <> 'call_back')),
    CHECK ((done_at IS NULL) = (state = 'open'))
);
CREATE INDEX tasks_open ON tasks (due_at) WHERE state = 'open';
CREATE INDEX tasks_of_case ON tasks (case_id) WHERE case_id IS NOT NULL;

-- Raised by the timekeeper, and when a person takes a consent back, so they stand in nobody's register: one that is deleted is raised again.
CREATE TABLE alerts (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number          bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- their order: many are raised at one moment
    what            text NOT NULL CHECK (what IN ('notice_clock', 'task_overdue', 'roster_gap', 'consent_ended')),
    level           text NOT NULL CHECK (level IN ('half_gone', 'three_quarters_gone', 'overdue', 'coming', 'uncovered', 'ended')),
    about           uuid NOT NULL,                 -- the notice, the task, the placement, or the organisation whose desk nobody keeps
    occasion        timestamptz NOT NULL,          -- when the clock began, the task was due, the gap begins, the person said so
    organisation_id uuid NOT NULL REFERENCES organisations, -- whose supervisors see it
    desk            boolean NOT NULL,              -- whether everybody at the organisation's desk sees it
    account_id      uuid REFERENCES accounts,      -- whose work it is, where it is one person's
    raised_at       timestamptz NOT NULL
);
-- Each once ever, whoever looks and how often; what the person said, once to each who held something by it.
CREATE UNIQUE INDEX alerts_once ON alerts (what, level, about, occasion) WHERE what <> 'consent_ended';
CREATE UNIQUE INDEX alerts_once_each ON alerts (level, about, occasion, account_id) NULLS NOT DISTINCT
    WHERE what = 'consent_ended';
CREATE INDEX alerts_of_organisation ON alerts (organisation_id, number DESC);

CREATE TABLE alert_acknowledgements (
    id              uuid PRIMARY KEY,
    alert_id        uuid NOT NULL REFERENCES alerts,
    account_id      uuid NOT NULL REFERENCES accounts,
    acknowledged_at timestamptz NOT NULL,
    UNIQUE (alert_id, account_id)
);

-- A supervisor's signed instruction to bring somebody onto a case. It has no effect until somebody who holds the case's
-- keys carries it out, and none after it has lapsed.
CREATE TABLE assignments (
    id             uuid PRIMARY KEY,               -- becomes the id of the grant: so it is carried out once
    case_id        uuid NOT NULL REFERENCES cases,
    account_id     uuid NOT NULL REFERENCES accounts,
    note           text NOT NULL,                  -- who instructs whom to be put on which case, and until when: signed
    vouch          bytea CHECK (octet_length(vouch) = 32), -- that this service stored it
    made_at        timestamptz NOT NULL,
    lapses_at      timestamptz NOT NULL,
    carried_out_at timestamptz,
    withdrawn_at   timestamptz                     -- by a supervisor, before anybody carried it out
);
CREATE INDEX assignments_pending ON assignments (case_id) WHERE carried_out_at IS NULL AND withdrawn_at IS NULL;

-- Which duty officer is to take a notice that waits; the newest counts. The clock goes on as before.
CREATE TABLE directions (
    id         uuid PRIMARY KEY,
    notice_id  uuid NOT NULL REFERENCES notices,
    account_id uuid NOT NULL REFERENCES accounts,
    made_at    timestamptz NOT NULL
);
CREATE INDEX directions_of_notice ON directions (notice_id, made_at DESC);

CREATE TABLE shifts (
    id              uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisations, -- whose desk: a helpline's line, a squad's duty desk
    account_id      uuid NOT NULL REFERENCES accounts,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    made_at         timestamptz NOT NULL,
    cancelled_at    timestamptz,
    CHECK (starts_at < ends_at)
);
CREATE INDEX shifts_of_organisation ON shifts (organisation_id, ends_at) WHERE cancelled_at IS NULL;

CREATE TABLE absences (
    id              uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisations,
    account_id      uuid NOT NULL REFERENCES accounts, -- who is away,
    stand_in_id     uuid NOT NULL REFERENCES accounts, -- and who has their cases meanwhile
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    made_at         timestamptz NOT NULL,
    ended_at        timestamptz,                   -- when it was ended early
    CHECK (starts_at < ends_at),
    CHECK (account_id <> stand_in_id)
);

-- A stand-in's access counts from a time until a time, as the signed note beside it says.
ALTER TABLE case_access
    ADD COLUMN active_from  timestamptz,
    ADD COLUMN active_until timestamptz,
    ADD COLUMN absence_id   uuid REFERENCES absences,
    ADD CHECK ((active_from IS NULL) = (active_until IS NULL)),
    ADD CHECK (active_from < active_until);
CREATE INDEX case_access_of_absence ON case_access (absence_id) WHERE absence_id IS NOT NULL;
CREATE INDEX case_access_that_lapses ON case_access (case_id, active_until)
    WHERE ended_at IS NULL AND active_until IS NOT NULL;
GRANT INSERT (active_from, active_until, absence_id) ON case_access TO himaya_app;

DO $$
DECLARE wanted text; columns text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tasks', 'alert_acknowledgements', 'assignments', 'directions', 'shifts', 'absences'] LOOP
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
        WHERE attrelid = wanted::regclass AND attnum > 0 AND NOT attisdropped
          AND attname NOT IN ('done_at', 'carried_out_at', 'withdrawn_at', 'cancelled_at', 'ended_at');
        EXECUTE format('GRANT SELECT, INSERT (%s) ON %I TO himaya_app', columns, wanted);
        EXECUTE format('ALTER TABLE %I ADD COLUMN registered_by uuid DEFAULT me(), ADD COLUMN register_no bigint
                        DEFAULT register_next(), ADD COLUMN standing bigint NOT NULL DEFAULT 1,
                        ADD CHECK ((registered_by IS NULL) = (register_no IS NULL))', wanted);
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (registered_by, register_no)', wanted || '_register', wanted);
        EXECUTE format('GRANT SELECT ON %I TO himaya_resolver', wanted);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', wanted);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', wanted);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO himaya_resolver USING (true)', wanted || '_standing', wanted);
    END LOOP;
END $$;
GRANT UPDATE (state, assignee_id, done_at, standing) ON tasks TO himaya_app;
GRANT UPDATE (carried_out_at, withdrawn_at, standing) ON assignments TO himaya_app;
GRANT UPDATE (cancelled_at, standing) ON shifts TO himaya_app;
GRANT UPDATE (ended_at, standing) ON absences TO himaya_app;
ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
GRANT SELECT ON alerts TO himaya_app;
GRANT SELECT, INSERT ON alerts TO himaya_resolver;
CREATE POLICY alerts_raise ON alerts TO himaya_resolver USING (true) WITH CHECK (true);

-- Access that ends by itself counts for nothing from that moment on, whoever has been at work since. By the database's own
-- clock, like the wraps that belong to it.
CREATE OR REPLACE FUNCTION i_am_on_case(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (SELECT FROM public.case_access c
                           WHERE c.case_id = wanted AND c.account_id = mine AND c.ended_at IS NULL
                             AND (c.active_until IS NULL
                                  OR (c.active_from <= pg_catalog.now() AND c.active_until > pg_catalog.now())));
        END
    $$;
-- How the person stands to a case by a permission that counts now: one place for every query that asks.
CREATE FUNCTION my_relation_to_case(wanted uuid) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN (SELECT c.relation FROM public.case_access c
                    WHERE c.case_id = wanted AND c.account_id = mine AND c.ended_at IS NULL
                      AND (c.active_until IS NULL
                           OR (c.active_from <= pg_catalog.now() AND c.active_until > pg_catalog.now())));
        END
    $$;
-- The same where it was asked in words of its own.
CREATE OR REPLACE FUNCTION i_place(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT COALESCE(public.my_relation_to_case(wanted) = 'assigned', false) $$;
-- The officers of a placement, those to come included; a stand-in with the time in which they are one.
DROP FUNCTION officers_of(uuid);
CREATE FUNCTION officers_of(wanted uuid) RETURNS TABLE (
        account_id uuid, active_from timestamptz, active_until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT a.account_id, a.active_from, a.active_until
        FROM public.placements p JOIN public.case_access a ON a.case_id = p.case_id
        WHERE p.id = wanted AND a.relation = 'assigned' AND a.ended_at IS NULL
          AND (a.active_until IS NULL OR a.active_until > pg_catalog.now())
          AND (public.i_can_unwrap(p.id) OR public.i_am_on_case(p.case_id))
    $$;
-- The wraps that rest on access which has ended, whoever ended it: a supervisor holds no key and would delete none.
CREATE FUNCTION leave_case(ended uuid) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DELETE FROM public.wraps w USING public.case_access a
        WHERE a.grant_id = ended AND a.ended_at IS NOT NULL AND w.grant_id = a.grant_id
          AND w.recipient_account = a.account_id
    $$;
CREATE POLICY wraps_resolver_left ON wraps FOR DELETE TO himaya_resolver
    USING (EXISTS (SELECT FROM case_access a WHERE a.grant_id = wraps.grant_id AND a.ended_at IS NOT NULL));
-- Whether whoever is to do something on a case is not on it any more.
CREATE FUNCTION nobody_does(colleague uuid, wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT public.i_am_on_case(wanted)
           AND NOT EXISTS (SELECT FROM public.case_access o
                           WHERE o.case_id = wanted AND o.account_id = colleague AND o.ended_at IS NULL
                             AND (o.active_until IS NULL OR o.active_until > pg_catalog.now()))
    $$;
-- Whether the person has a colleague's work on a case at this moment.
CREATE FUNCTION i_stand_in_for(colleague uuid, wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.case_access c JOIN public.absences a ON a.id = c.absence_id
                       WHERE c.case_id = wanted AND c.account_id = public.me() AND a.account_id = colleague
                         AND a.stand_in_id = c.account_id AND c.ended_at IS NULL
                         AND c.active_from <= pg_catalog.now() AND c.active_until > pg_catalog.now())
    $$;
-- Whether somebody's access has ended by itself and the keys are still those that they had.
CREATE FUNCTION case_has_lapsed_access(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.case_access c
                       WHERE c.case_id = wanted AND c.ended_at IS NULL AND c.active_until <= pg_catalog.now())
           AND (public.i_am_on_case(wanted) OR public.i_supervise_case(wanted))
    $$;
-- And in the two that answer a request in one round trip: the rest of them is as it was (0013).
CREATE OR REPLACE FUNCTION my_cases(before bigint, most bigint) RETURNS TABLE (
        id uuid, number bigint, organisation_id uuid, state text, epoch integer, epoch_pending boolean,
        opened_at timestamptz, relation text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            -- The person's own cases first: going down all numbers until fifty are found would pass by everybody's.
            RETURN QUERY
            WITH own AS MATERIALIZED (
                SELECT a.case_id, a.relation FROM public.case_access a
                WHERE a.account_id = mine AND a.ended_at IS NULL
                  AND (a.active_until IS NULL
                       OR (a.active_from <= pg_catalog.now() AND a.active_until > pg_catalog.now())))
            SELECT c.id, c.number, c.organisation_id, c.state, c.epoch,
                   c.epoch_pending OR public.case_has_lapsed_access(c.id), c.opened_at, o.relation
            FROM own o JOIN public.cases c ON c.id = o.case_id
            WHERE c.number < before
            ORDER BY c.number DESC LIMIT most;
        END
    $$;
CREATE OR REPLACE FUNCTION visit_section(lookup bytea, wanted_case uuid, wanted_person uuid, wanted_kind text) RETURNS TABLE (
        session_id uuid, account_id uuid, organisation_id uuid, sealed_keys bytea, expires_at timestamptz,
        founding text, membership text, relation text, supervises boolean,
        section uuid, case_organisation uuid, case_epoch integer,
        head_number bigint, head_note text, head_signer uuid, head_vouch bytea,
        signer_founding text, signer_membership text, author_founding text, author_membership text,
        kind text, key_id uuid, epoch integer, version bigint, blob bytea, author uuid, signature bytea, vouch bytea,
        wrap bytea, grant_id uuid)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    AS $$
        DECLARE
            wanted bytea := pg_catalog.sha256(lookup);
            last_seen timestamptz;
        BEGIN
            SELECT o.id, o.account_id, n.organisation_id, o.sealed_keys, o.expires_at, o.last_seen_at, f.note, m.note,
                   g.relation, c.organisation_id,
                   EXISTS (SELECT FROM public.shared_key_wraps x JOIN public.shared_keys k ON k.id = x.key_id
                           WHERE x.account_id = o.account_id AND k.organisation_id = c.organisation_id
                             AND k.purpose = 'review')
            INTO session_id, account_id, organisation_id, sealed_keys, expires_at, last_seen, founding, membership,
                 relation, case_organisation, supervises
            FROM public.sessions o
            JOIN public.accounts n ON n.id = o.account_id
            LEFT JOIN public.foundings f ON f.organisation_id = n.organisation_id
            LEFT JOIN public.memberships m ON m.account_id = n.id AND m.organisation_id = n.organisation_id
                AND m.ended_at IS NULL AND m.complete
            LEFT JOIN public.cases c ON c.id = wanted_case
            LEFT JOIN public.case_access g ON g.case_id = c.id AND g.account_id = n.id AND g.ended_at IS NULL
                AND (g.active_until IS NULL
                     OR (g.active_from <= pg_catalog.now() AND g.active_until > pg_catalog.now()))
            WHERE o.lookup_hash = wanted
              AND o.ended_at IS NULL AND o.expires_at > pg_catalog.now()
              AND o.last_seen_at > pg_catalog.now() - interval '20 minutes' AND n.disabled_at IS NULL;
            IF session_id IS NULL THEN
                RETURN;
            END IF;
            -- As in `session_enter`.
            IF last_seen < pg_catalog.now() - interval '1 minute' THEN
                UPDATE public.sessions o SET last_seen_at = pg_catalog.now() WHERE o.id = session_id;
            END IF;
            IF relation IS NULL THEN
                case_organisation := NULL; -- a stranger learns nothing of the case
                RETURN NEXT;
                RETURN;
            END IF;
            -- One statement: the head and what it vouches for are of one moment.
            SELECT t.id, h.number, h.note, h.signer_id, h.vouch, s.kind, s.key_id, s.epoch, s.version, s.blob, s.author,
                   s.signature, s.vouch, w.wrap, w.grant_id, c.organisation_id, c.epoch
            INTO section, head_number, head_note, head_signer, head_vouch, kind, key_id, epoch, version, blob, author,
                 signature, vouch, wrap, grant_id, case_organisation, case_epoch
            FROM public.sections t
            JOIN public.cases c ON c.id = t.case_id
            JOIN public.case_heads h ON h.case_id = t.case_id
            JOIN public.sealed s ON s.record_id = t.id
            JOIN public.wraps w ON w.key_id = s.key_id AND w.epoch = s.epoch
                AND w.recipient_account = visit_section.account_id
                AND w.active_from <= pg_catalog.now() AND w.active_until > pg_catalog.now()
            WHERE t.case_id = wanted_case AND t.subject_id IS NOT DISTINCT FROM wanted_person AND t.kind = wanted_kind;
            IF head_signer = account_id THEN
                signer_membership := membership;
            ELSE
                SELECT r.founding, r.membership INTO signer_founding, signer_membership
                FROM public.statements_ever(head_signer) r;
            END IF;
            IF author = account_id THEN
                author_membership := membership;
            ELSIF author = head_signer THEN
                author_founding := signer_founding;
                author_membership := signer_membership;
            ELSE
                SELECT r.founding, r.membership INTO author_founding, author_membership
                FROM public.statements_ever(author) r;
            END IF;
            -- It comes over once.
            signer_founding := NULLIF(signer_founding, founding);
            author_founding := NULLIF(author_founding, founding);
            RETURN NEXT;
        END
    $$;
-- The people of a desk are those who hold its INTAKE: the database follows the keys.
CREATE FUNCTION i_keep_desk(organisation uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (
            SELECT FROM public.shared_keys k JOIN public.shared_key_wraps w ON w.key_id = k.id
            WHERE k.organisation_id = organisation AND k.purpose = 'intake' AND w.account_id = public.me())
    $$;

CREATE POLICY tasks_mine ON tasks FOR SELECT TO himaya_app USING (
    (case_id IS NULL AND organisation_id = public.my_organisation()) -- a call-back: ids and times, for colleagues
    OR public.i_am_on_case(case_id) OR public.i_supervise(organisation_id));
CREATE POLICY tasks_add ON tasks FOR INSERT TO himaya_app WITH CHECK (
    maker_id = public.me() AND organisation_id = public.my_organisation() AND public.works_with_me(assignee_id)
    AND (public.i_am_on_case(case_id)
         OR (case_id IS NULL AND EXISTS (SELECT FROM calls c WHERE c.id = call_id AND c.operator_id = public.me()))));
CREATE POLICY tasks_change ON tasks FOR UPDATE TO himaya_app
    USING (public.i_am_on_case(case_id)
           OR (case_id IS NULL AND (assignee_id = public.me() OR public.i_supervise(organisation_id))))
    WITH CHECK (public.works_with_me(assignee_id));

-- An alert about a task is for whoever is to do it now, not for whom it was raised.
CREATE POLICY alerts_mine ON alerts FOR SELECT TO himaya_app USING (
    CASE what WHEN 'task_overdue' THEN EXISTS (
                  SELECT FROM tasks t WHERE t.id = about AND (t.case_id IS NULL OR public.i_am_on_case(t.case_id))
                     AND (t.assignee_id = public.me() OR public.i_stand_in_for(t.assignee_id, t.case_id)
                          OR (public.my_relation_to_case(t.case_id) = 'assigned' AND public.nobody_does(t.assignee_id, t.case_id))))
              ELSE account_id = public.me() END
    OR (desk AND public.i_keep_desk(organisation_id)) OR public.i_supervise(organisation_id));
CREATE POLICY alert_acknowledgements_read ON alert_acknowledgements FOR SELECT TO himaya_app
    USING (EXISTS (SELECT FROM alerts a WHERE a.id = alert_id));
CREATE POLICY alert_acknowledgements_add ON alert_acknowledgements FOR INSERT TO himaya_app
    WITH CHECK (account_id = public.me() AND EXISTS (SELECT FROM alerts a WHERE a.id = alert_id));

CREATE POLICY assignments_read ON assignments FOR SELECT TO himaya_app
    USING (public.i_am_on_case(case_id) OR public.i_supervise_case(case_id));
CREATE POLICY assignments_add ON assignments FOR INSERT TO himaya_app
    WITH CHECK (public.i_supervise_case(case_id) AND public.works_with_me(account_id));
CREATE POLICY assignments_settle ON assignments FOR UPDATE TO himaya_app
    USING (public.i_am_on_case(case_id) OR public.i_supervise_case(case_id));

CREATE POLICY directions_read ON directions FOR SELECT TO himaya_app USING (EXISTS (
    SELECT FROM notices n
    WHERE n.id = notice_id AND (public.i_hold(n.intake_key_id) OR public.i_supervise(n.squad_id))));
CREATE POLICY directions_add ON directions FOR INSERT TO himaya_app WITH CHECK (
    public.works_with_me(account_id)
    AND EXISTS (SELECT FROM notices n WHERE n.id = notice_id AND public.i_supervise(n.squad_id)));

CREATE POLICY shifts_read ON shifts FOR SELECT TO himaya_app USING (organisation_id = public.my_organisation());
CREATE POLICY shifts_add ON shifts FOR INSERT TO himaya_app
    WITH CHECK (public.i_supervise(organisation_id) AND public.works_with_me(account_id));
CREATE POLICY shifts_cancel ON shifts FOR UPDATE TO himaya_app USING (public.i_supervise(organisation_id));

-- Who is away, and who stands in, every colleague knows; for which cases, the people on them.
CREATE POLICY absences_read ON absences FOR SELECT TO himaya_app USING (organisation_id = public.my_organisation());
CREATE POLICY absences_add ON absences FOR INSERT TO himaya_app WITH CHECK (
    account_id = public.me() AND organisation_id = public.my_organisation() AND public.works_with_me(stand_in_id));
CREATE POLICY absences_end ON absences FOR UPDATE TO himaya_app
    USING (account_id = public.me() OR public.i_supervise(organisation_id));

-- When nobody keeps an organisation's desk, of the time between two moments. A gap begins where it begins, also before the
-- first of them: so it is the same gap whenever one looks.
CREATE FUNCTION roster_gaps(organisation uuid, since timestamptz, until timestamptz)
    RETURNS TABLE (starts_at timestamptz, ends_at timestamptz)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT lower(g.gap), upper(g.gap)
        FROM public.organisations o, unnest(
            tstzmultirange(tstzrange(LEAST(o.created_at, until), until))
            - COALESCE((SELECT range_agg(tstzrange(s.starts_at, s.ends_at)) FROM public.shifts s
                        WHERE s.organisation_id = o.id AND s.cancelled_at IS NULL), '{}'::tstzmultirange)) AS g (gap)
        WHERE o.id = organisation AND upper(g.gap) > since
        ORDER BY 1
    $$;

-- Raises every alert that is due at a moment and was never raised; says how many. The highest level that a clock has
-- reached: what was missed while nobody kept time is said once.
CREATE FUNCTION raise_alerts(at timestamptz, deadline interval, ahead interval) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH due AS (
            SELECT 'notice_clock' AS what,
                   CASE WHEN at >= n.suspected_at + deadline THEN 'overdue'
                        WHEN at >= n.suspected_at + deadline * 0.75 THEN 'three_quarters_gone'
                        ELSE 'half_gone' END AS level,
                   n.id AS about, n.suspected_at AS occasion, n.squad_id AS organisation_id, true AS desk,
                   NULL::uuid AS account_id
            FROM public.notices n WHERE n.state = 'sent' AND at >= n.suspected_at + deadline * 0.5
            UNION ALL
            SELECT 'task_overdue', 'overdue', t.id, t.due_at, t.organisation_id, false, t.assignee_id
            FROM public.tasks t WHERE t.state = 'open' AND t.due_at <= at
            UNION ALL
            -- A helpline answers around the clock (plan, section 6); a squad's desk as soon as it has a roster.
            SELECT 'roster_gap', CASE WHEN g.starts_at <= at THEN 'uncovered' ELSE 'coming' END,
                   o.id, g.starts_at, o.id, false, NULL::uuid
            FROM public.organisations o JOIN public.foundings f ON f.organisation_id = o.id AND f.complete,
                 public.roster_gaps(o.id, at, at + ahead) g
            WHERE o.kind = 'helpline'
               OR (o.kind = 'squad' AND EXISTS (SELECT FROM public.shifts s WHERE s.organisation_id = o.id))
        ), raised AS (
            INSERT INTO public.alerts (what, level, about, occasion, organisation_id, desk, account_id, raised_at)
            SELECT d.what, d.level, d.about, d.occasion, d.organisation_id, d.desk, d.account_id, at FROM due d
            WHERE NOT EXISTS (SELECT FROM public.alerts a
                              WHERE (a.what, a.level, a.about, a.occasion) = (d.what, d.level, d.about, d.occasion))
            ON CONFLICT DO NOTHING RETURNING 1
        )
        SELECT count(*) FROM raised
    $$;

-- A consent was taken back, or refused: whoever holds something of the person by it is told, before it is taken from them. By
-- name, and at a shelter's desk as long as nobody there was named. Alerts hold the placement's id and a time.
CREATE FUNCTION tell_of_consent(wanted uuid) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH said AS (
            SELECT c.* FROM public.consents c
            WHERE c.id = wanted AND c.state IN ('refused', 'withdrawn') AND public.i_work_with(c.case_id, c.subject_id)
        ), meant AS (
            SELECT p.id, CASE s.section WHEN 'care' THEN p.care_id ELSE p.id END AS key_id, s.recipient_id,
                   s.section = 'placement' AND p.state IN ('requested', 'acknowledged') AS desk,
                   COALESCE(s.ended_at, s.recorded_at) AS occasion
            FROM said s JOIN public.placements p ON p.case_id = s.case_id AND p.subject_id = s.subject_id
            WHERE (s.section = 'placement' AND p.shelter_id = s.recipient_id AND p.ended_at IS NULL)
               OR (s.section = 'care' AND p.squad_id = s.recipient_id)
        ), told AS (
            INSERT INTO public.alerts (what, level, about, occasion, organisation_id, desk, account_id, raised_at)
            SELECT 'consent_ended', 'ended', m.id, m.occasion, m.recipient_id, false, a.id, pg_catalog.now()
            FROM meant m JOIN public.wraps w ON w.key_id = m.key_id
                 JOIN public.accounts a ON a.id = w.recipient_account AND a.organisation_id = m.recipient_id
            UNION
            SELECT 'consent_ended', 'ended', m.id, m.occasion, m.recipient_id, true, NULL, pg_catalog.now()
            FROM meant m WHERE m.desk
            ON CONFLICT DO NOTHING RETURNING 1
        )
        SELECT count(*) FROM told
    $$;

-- What the coordinator sees of tasks, as of the rest (0014): only of an organisation with at least ten open cases; the others
-- are listed all the same.
CREATE FUNCTION status_tasks() RETURNS TABLE (organisation_id uuid, open bigint, overdue bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT o.id, CASE WHEN size.large THEN t.open END, CASE WHEN size.large THEN t.overdue END
        FROM public.organisations o,
             LATERAL (SELECT count(*) >= 10 AS large FROM public.cases c
                      WHERE c.organisation_id = o.id AND c.state <> 'closed') size,
             LATERAL (SELECT count(*) AS open, count(*) FILTER (WHERE t.due_at <= now()) AS overdue FROM public.tasks t
                      WHERE t.organisation_id = o.id AND t.state = 'open') t
        WHERE o.kind = 'squad' AND public.i_coordinate() ORDER BY o.created_at, o.id
    $$;

DO $$
DECLARE wanted text;
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY['my_relation_to_case(uuid)', 'case_has_lapsed_access(uuid)', 'i_keep_desk(uuid)',
                                  'officers_of(uuid)', 'leave_case(uuid)', 'nobody_does(uuid, uuid)', 'i_stand_in_for(uuid, uuid)',
                                  'status_tasks()', 'tell_of_consent(uuid)',
                                  'raise_alerts(timestamptz, interval, interval)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_resolver', wanted);
        IF wanted NOT LIKE 'raise_alerts%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_app', wanted);
        END IF;
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;
REVOKE ALL ON FUNCTION roster_gaps(uuid, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION roster_gaps(uuid, timestamptz, timestamptz) TO himaya_app, himaya_resolver;
-- The timekeeper asks for that, and sees nothing.
GRANT USAGE ON SCHEMA public TO himaya_timekeeper;
GRANT EXECUTE ON FUNCTION raise_alerts(timestamptz, interval, interval) TO himaya_timekeeper;

-- How each row stands, with the new ones: the rest is as it was.
CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS
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
               -- Access without an end of its own stands as it stood before there were others.
               || CASE WHEN active_until IS NULL AND absence_id IS NULL THEN '[]'::jsonb
                       ELSE jsonb_build_array(active_from AT TIME ZONE 'UTC', active_until AT TIME ZONE 'UTC', absence_id) END
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
        SELECT 'accommodation', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, m.kind, women, men, families, children, opened_at AT TIME ZONE 'UTC')
        FROM accommodations m
        UNION ALL
        SELECT 'certificate', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(accommodation_id, conditions, certified_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC')
        FROM certificates
        UNION ALL
        SELECT 'training', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(account_id, course, passed_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC')
        FROM trainings
        UNION ALL
        SELECT 'placement', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(number, case_id, subject_id, accommodation_id, shelter_id, squad_id, places, intake_key_id, by_consent,
                                 state, decline_code, address_id, care_id, requested_at AT TIME ZONE 'UTC',
                                 acknowledged_at AT TIME ZONE 'UTC', matched_at AT TIME ZONE 'UTC',
                                 admitted_at AT TIME ZONE 'UTC', ended_at AT TIME ZONE 'UTC')
        FROM placements
        UNION ALL
        SELECT 'consent', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, subject_id, placement_id, purpose, recipient_id, section, state,
                                 recorded_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC', ended_at AT TIME ZONE 'UTC')
        FROM consents
        UNION ALL
        SELECT 'attachment', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(call_id, notice_id, section_id, author_id, object, encode(t.digest, 'hex'),
                                 added_at AT TIME ZONE 'UTC')
        FROM attachments t
        UNION ALL
        SELECT 'task', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, maker_id, assignee_id, case_id, call_id, t.kind, state,
                                 due_at AT TIME ZONE 'UTC', made_at AT TIME ZONE 'UTC', done_at AT TIME ZONE 'UTC')
        FROM tasks t
        UNION ALL
        SELECT 'alert_acknowledgement', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(alert_id, account_id, acknowledged_at AT TIME ZONE 'UTC')
        FROM alert_acknowledgements
        UNION ALL
        SELECT 'assignment', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, account_id, note, made_at AT TIME ZONE 'UTC', lapses_at AT TIME ZONE 'UTC',
                                 carried_out_at AT TIME ZONE 'UTC', withdrawn_at AT TIME ZONE 'UTC')
        FROM assignments
        UNION ALL
        SELECT 'direction', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(notice_id, account_id, made_at AT TIME ZONE 'UTC')
        FROM directions
        UNION ALL
        SELECT 'shift', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, account_id, starts_at AT TIME ZONE 'UTC', ends_at AT TIME ZONE 'UTC',
                                 made_at AT TIME ZONE 'UTC', cancelled_at AT TIME ZONE 'UTC')
        FROM shifts
        UNION ALL
        SELECT 'absence', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, account_id, stand_in_id, starts_at AT TIME ZONE 'UTC',
                                 ends_at AT TIME ZONE 'UTC', made_at AT TIME ZONE 'UTC', ended_at AT TIME ZONE 'UTC')
        FROM absences
        UNION ALL
        -- A case's head stands in no register of its own: the case does.
        SELECT 'case_head', case_id, NULL, NULL, number, xmin, jsonb_build_array(note, signer_id)
        FROM case_heads
    ) AS stored;
