-- What two custodians do together: they open CUSTODY for one reason, and whatever they open it for, it ends in a new key.
-- Everything is clear that a reviewer needs, and nothing of a person: ids, codes, states and times.
CREATE TABLE openings (
    id              uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisations, -- whose CUSTODY
    why             text NOT NULL CHECK (why IN ('emergency', 'nobody_left', 'renewal')),
    reason          text NOT NULL CHECK (reason IN ('danger_to_life', 'person_missing', 'nobody_reachable', 'court_order',
                                                    'nobody_left', 'custodians_changed')),
    person_id       uuid REFERENCES accounts,      -- for whom: who looks in an emergency, or takes the cases over
    sections        text[] NOT NULL,               -- which kinds, in an emergency
    hours           smallint NOT NULL CHECK (hours BETWEEN 0 AND 4), -- for how long, in an emergency
    invoked_by      uuid NOT NULL REFERENCES accounts,
    invoked_at      timestamptz NOT NULL,
    note            text NOT NULL,                 -- all of the above and the cases, signed by who asked: what counts
    vouch           bytea NOT NULL CHECK (octet_length(vouch) = 32),
    lapses_at       timestamptz NOT NULL,          -- afterwards nobody can open by it
    state           text NOT NULL CHECK (state IN ('invoked', 'agreed', 'opened', 'declined', 'reviewed')),
    first_id        uuid REFERENCES accounts,      -- the custodian who agreed,
    second_id       uuid REFERENCES accounts,      -- and the other, who opened
    opened_at       timestamptz,
    reviewed_by     uuid REFERENCES accounts,
    reviewed_at     timestamptz,
    verdict         text CHECK (verdict IN ('justified', 'not_justified')),
    CHECK ((why = 'renewal') = (person_id IS NULL)),
    CHECK ((why = 'emergency') = (hours > 0)),
    CHECK (first_id <> second_id),
    CHECK (first_id <> person_id AND second_id <> person_id),
    CHECK ((state IN ('agreed', 'opened', 'reviewed')) <= (first_id IS NOT NULL)),
    CHECK ((state IN ('opened', 'reviewed')) = (second_id IS NOT NULL)),
    CHECK ((opened_at IS NULL) = (second_id IS NULL)),
    CHECK ((state = 'reviewed') = (reviewed_by IS NOT NULL)),
    CHECK ((reviewed_at IS NULL) = (reviewed_by IS NULL)),
    CHECK ((verdict IS NULL) = (reviewed_by IS NULL)),
    CHECK (reviewed_by NOT IN (invoked_by, person_id, first_id, second_id))
);
CREATE INDEX openings_of_organisation ON openings (organisation_id, invoked_at DESC);

-- The cases that it is for, each with the permission that the first custodian signed and the second countersigns.
CREATE TABLE opening_cases (
    opening_id uuid NOT NULL REFERENCES openings,
    case_id    uuid NOT NULL REFERENCES cases,
    note       text,
    PRIMARY KEY (opening_id, case_id)
);
CREATE INDEX opening_cases_of_case ON opening_cases (case_id);

-- What the first custodian took off their shares, sealed for each of the others: it can be opened by one of them, once, and
-- is erased with its erasure key when it was used or has lapsed.
CREATE TABLE opening_parts (
    id         uuid PRIMARY KEY,                   -- the record under which it is sealed
    opening_id uuid NOT NULL REFERENCES openings,
    account_id uuid NOT NULL REFERENCES accounts,
    UNIQUE (opening_id, account_id)
);

-- The CUSTODY keys after the founding's, each signed by those who may follow the one before. The highest that is believed counts.
CREATE TABLE custodies (
    key_id          uuid PRIMARY KEY REFERENCES shared_keys,
    organisation_id uuid NOT NULL REFERENCES organisations,
    number          integer NOT NULL CHECK (number >= 1),
    note            text NOT NULL,                 -- key, custodians, the key before: signed by two
    vouch           bytea NOT NULL CHECK (octet_length(vouch) = 32),
    opening_id      uuid UNIQUE REFERENCES openings, -- the use that it ends; null when the responsible persons changed the custodians
    in_force_at     timestamptz                    -- null until the second has signed
);
-- Not unique: one that is planted must not keep the true one out.
CREATE INDEX custodies_in_force ON custodies (organisation_id, number) WHERE in_force_at IS NOT NULL;

ALTER TABLE case_access ADD COLUMN opening_id uuid REFERENCES openings; -- by which custodians gave it
ALTER TABLE case_access DROP CONSTRAINT case_access_relation_check;
ALTER TABLE case_access ADD CONSTRAINT case_access_relation_check CHECK (relation IN ('assigned', 'granted', 'emergency')),
    ADD CHECK ((relation = 'emergency') <= (opening_id IS NOT NULL AND active_until IS NOT NULL));
GRANT INSERT (opening_id) ON case_access TO himaya_app;

DO $$
DECLARE wanted text; columns text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['openings', 'custodies'] LOOP
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
        WHERE attrelid = wanted::regclass AND attnum > 0 AND NOT attisdropped
          AND attname NOT IN ('second_id', 'opened_at', 'reviewed_by', 'reviewed_at', 'verdict');
        EXECUTE format('GRANT SELECT, INSERT (%s) ON %I TO himaya_app', columns, wanted);
        EXECUTE format('ALTER TABLE %I ADD COLUMN registered_by uuid DEFAULT me(), ADD COLUMN register_no bigint
                        DEFAULT register_next(), ADD COLUMN standing bigint NOT NULL DEFAULT 1,
                        ADD CHECK ((registered_by IS NULL) = (register_no IS NULL))', wanted);
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (registered_by, register_no)', wanted || '_register', wanted);
    END LOOP;
    FOREACH wanted IN ARRAY ARRAY['openings', 'custodies', 'opening_cases', 'opening_parts'] LOOP
        EXECUTE format('GRANT SELECT ON %I TO himaya_app, himaya_resolver', wanted);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', wanted);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', wanted);
        EXECUTE format('CREATE POLICY %I ON %I FOR SELECT TO himaya_resolver USING (true)', wanted || '_standing', wanted);
    END LOOP;
END $$;
GRANT UPDATE (state, lapses_at, first_id, second_id, opened_at, reviewed_by, reviewed_at, verdict, standing) ON openings
    TO himaya_app;
GRANT UPDATE (note, vouch, in_force_at, standing) ON custodies TO himaya_app;
GRANT INSERT ON opening_cases, opening_parts TO himaya_app;
GRANT UPDATE (note) ON opening_cases TO himaya_app;
GRANT SELECT ON custody_shares TO himaya_resolver;
CREATE POLICY custody_shares_resolver ON custody_shares TO himaya_resolver USING (true);
GRANT DELETE ON custody_shares, opening_parts TO himaya_resolver;
CREATE POLICY opening_parts_resolver ON opening_parts FOR DELETE TO himaya_resolver USING (true);

-- Whether the person has a share in an organisation's CUSTODY that is or was in force; what is only proposed gives nobody
-- anything. Whether they are a custodian now, the signatures say.
CREATE FUNCTION i_keep_custody(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (SELECT FROM public.shared_keys k JOIN public.custody_shares s ON s.key_id = k.id
                           WHERE k.organisation_id = wanted AND k.purpose = 'custody' AND mine IN (s.first_account, s.second_account)
                             AND NOT EXISTS (SELECT FROM public.custodies c WHERE c.key_id = k.id AND c.in_force_at IS NULL));
        END
    $$;
-- The independent auditor's people.
CREATE FUNCTION i_audit() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.organisations o
                       WHERE o.id = public.my_organisation() AND o.kind = 'auditor_office')
    $$;
-- The opening that this very transaction carries out, in the session of the custodian who opens. Nothing of it lasts longer
-- than the transaction, and none of it opens anything without CUSTODY's private half.
CREATE FUNCTION opening_here() RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN (SELECT o.id FROM public.openings o
                    WHERE o.second_id = mine AND o.state = 'opened' AND o.opened_at = pg_catalog.now()
                      AND public.i_keep_custody(o.organisation_id) AND o.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid LIMIT 1);
        END
    $$;
CREATE INDEX openings_by_second ON openings (second_id) WHERE state = 'opened';
CREATE FUNCTION case_is_opened_here(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE here uuid := public.opening_here();
        BEGIN
            RETURN here IS NOT NULL
               AND EXISTS (SELECT FROM public.opening_cases c WHERE c.opening_id = here AND c.case_id = wanted);
        END
    $$;
-- When a case's keys were made anew. Whoever kept CUSTODY before others were named may have a copy that leads to keys of before:
-- the next who works on the case makes new ones.
ALTER TABLE cases ADD COLUMN keys_made_at timestamptz;
GRANT UPDATE (keys_made_at) ON cases TO himaya_app;
CREATE FUNCTION custodians_changed(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (
                SELECT FROM public.cases c JOIN public.custodies u ON u.organisation_id = c.organisation_id
                WHERE c.id = wanted AND u.opening_id IS NULL AND u.in_force_at <= pg_catalog.now()
                  AND u.in_force_at > COALESCE(c.keys_made_at, c.opened_at));
        END
    $$;
CREATE OR REPLACE FUNCTION case_has_lapsed_access(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN (public.custodians_changed(wanted)
                    OR EXISTS (SELECT FROM public.case_access c
                               WHERE c.case_id = wanted AND c.ended_at IS NULL AND c.active_until <= pg_catalog.now()))
               AND (public.i_am_on_case(wanted) OR public.i_supervise_case(wanted));
        END
    $$;
-- As it was (0015), and nobody who is kept off the case: what a shelter seals to its officers is not sealed to them.
CREATE OR REPLACE FUNCTION officers_of(wanted uuid) RETURNS TABLE (
        account_id uuid, active_from timestamptz, active_until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT a.account_id, a.active_from, a.active_until
        FROM public.placements p JOIN public.case_access a ON a.case_id = p.case_id
        WHERE p.id = wanted AND a.relation = 'assigned' AND a.ended_at IS NULL
          AND (a.active_until IS NULL OR a.active_until > pg_catalog.now())
          AND NOT public.is_barred(a.case_id, a.account_id)
          AND (public.i_can_unwrap(p.id) OR public.i_am_on_case(p.case_id))
    $$;
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
                  AND NOT EXISTS (SELECT FROM public.bars b
                                  WHERE b.case_id = a.case_id AND b.account_id = a.account_id AND b.lifted_at IS NULL)
                  AND (a.active_until IS NULL
                       OR (a.active_from <= pg_catalog.now() AND a.active_until > pg_catalog.now())))
            SELECT c.id, c.number, c.organisation_id, c.state, c.epoch,
                   c.epoch_pending OR public.custodians_changed(c.id) OR EXISTS (
                       SELECT FROM public.case_access l
                       WHERE l.case_id = c.id AND l.ended_at IS NULL AND l.active_until <= pg_catalog.now()),
                   c.opened_at, o.relation
            -- One look-up for each: a plan that reads all cases first is right only for whoever works on most of them.
            FROM own o, LATERAL (SELECT * FROM public.cases k WHERE k.id = o.case_id OFFSET 0) c
            WHERE c.number < before
            ORDER BY c.number DESC LIMIT most;
        END
    $$;
-- As it was (0018), and for the custodian who opens a case, as long as the transaction lasts.
CREATE OR REPLACE FUNCTION i_am_on_case(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            IF EXISTS (SELECT FROM public.case_access c
                       WHERE c.case_id = wanted AND c.account_id = mine AND c.ended_at IS NULL
                         AND (c.active_until IS NULL
                              OR (c.active_from <= pg_catalog.now() AND c.active_until > pg_catalog.now()))) THEN
                RETURN NOT public.i_am_barred(wanted);
            END IF;
            RETURN public.case_is_opened_here(wanted);
        END
    $$;
CREATE FUNCTION key_is_opened_here(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN public.opening_here() IS NOT NULL
               AND EXISTS (SELECT FROM public.sealed s WHERE s.key_id = wanted AND public.case_is_opened_here(s.case_id));
        END
    $$;
-- To see, and to wrap to somebody else; to change or delete nothing.
DROP POLICY sealed_mine ON sealed;
CREATE POLICY sealed_mine ON sealed FOR SELECT TO himaya_app
    USING (public.i_can_unwrap(key_id) OR public.key_is_opened_here(key_id));
DROP POLICY wraps_mine ON wraps;
CREATE POLICY wraps_mine ON wraps FOR SELECT TO himaya_app
    USING (public.i_can_unwrap(key_id) OR public.key_is_opened_here(key_id));
DROP POLICY wraps_add ON wraps;
CREATE POLICY wraps_add ON wraps FOR INSERT TO himaya_app
    WITH CHECK (public.key_is_free_or_mine(key_id) OR public.key_is_opened_here(key_id));
-- What is sealed on a case of the opening that is carried out, each with its wrap to CUSTODY.
CREATE FUNCTION sealed_in_custody(wanted uuid) RETURNS TABLE (
        record_id uuid, kind text, case_id uuid, key_id uuid, epoch integer, version bigint, blob bytea, author uuid,
        signature bytea, vouch bytea, wrap bytea, custody uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE here uuid := public.opening_here();
        BEGIN
            RETURN QUERY
            SELECT s.record_id, s.kind, s.case_id, s.key_id, s.epoch, s.version, s.blob, s.author, s.signature, s.vouch,
                   w.wrap, w.recipient_key
            FROM public.opening_cases c
            JOIN public.sealed s ON s.case_id = c.case_id
            JOIN public.wraps w ON w.key_id = s.key_id AND w.epoch = s.epoch
            JOIN public.shared_keys k ON k.id = w.recipient_key AND k.purpose = 'custody'
            WHERE c.opening_id = here AND c.case_id = wanted;
        END
    $$;

-- After the act: every wrap to an older CUSTODY key of the organisation is made anew for the one in force, by the custodian who
-- opened, within the hour. Bound by number, so that it goes in steps that each commit.
CREATE FUNCTION custody_to_move(opening uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN (SELECT o.organisation_id FROM public.openings o
                    WHERE o.id = opening AND o.second_id = public.me() AND o.state IN ('opened', 'reviewed')
                      AND o.opened_at > pg_catalog.now() - interval '1 hour');
        END
    $$;
CREATE FUNCTION custody_wraps(opening uuid, old uuid, after uuid, after_epoch integer, most bigint)
    RETURNS TABLE (key_id uuid, epoch integer, case_id uuid, wrap bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN QUERY
            SELECT w.key_id, w.epoch, (SELECT s.case_id FROM public.sealed s WHERE s.key_id = w.key_id LIMIT 1), w.wrap
            FROM public.wraps w JOIN public.shared_keys k ON k.id = w.recipient_key AND k.purpose = 'custody'
            WHERE w.recipient_key = old AND (w.key_id, w.epoch) > (after, after_epoch) AND k.organisation_id = public.custody_to_move(opening)
            ORDER BY w.key_id, w.epoch LIMIT most;
        END
    $$;
CREATE FUNCTION move_custody_wraps(opening uuid, old uuid, new uuid, keys uuid[], epochs integer[], wraps bytea[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE organisation uuid := public.custody_to_move(opening); moved bigint;
        BEGIN
            IF organisation IS NULL OR NOT EXISTS (
                SELECT FROM public.custodies c WHERE c.key_id = new AND c.organisation_id = organisation
                   AND c.opening_id = opening AND c.in_force_at IS NOT NULL
                   -- Another has followed since: what is moved here could be left behind there.
                   AND NOT EXISTS (SELECT FROM public.custodies n WHERE n.organisation_id = organisation
                                      AND n.in_force_at IS NOT NULL AND n.number > c.number)) THEN
                RETURN -1;
            END IF;
            WITH made AS (SELECT * FROM unnest(keys, epochs, wraps) AS t(k, e, w)),
            gone AS (
                DELETE FROM public.wraps x USING made m, public.shared_keys s
                WHERE x.key_id = m.k AND x.epoch = m.e AND x.recipient_key = old AND s.id = old
                  AND s.purpose = 'custody' AND s.organisation_id = organisation
                RETURNING x.key_id, x.epoch, x.active_from, x.active_until)
            INSERT INTO public.wraps (key_id, epoch, recipient_key, wrap, active_from, active_until)
            SELECT m.k, m.e, new, m.w, g.active_from, g.active_until
            FROM made m JOIN gone g ON g.key_id = m.k AND g.epoch = m.e
            ON CONFLICT DO NOTHING;
            GET DIAGNOSTICS moved = ROW_COUNT;
            RETURN moved;
        END
    $$;
GRANT INSERT ON wraps TO himaya_resolver;
CREATE POLICY wraps_resolver_moves ON wraps FOR INSERT TO himaya_resolver
    WITH CHECK (EXISTS (SELECT FROM shared_keys k WHERE k.id = recipient_key AND k.purpose = 'custody'));
CREATE POLICY wraps_resolver_moved ON wraps FOR DELETE TO himaya_resolver
    USING (EXISTS (SELECT FROM shared_keys k WHERE k.id = recipient_key AND k.purpose = 'custody'));
-- Once nothing rests on a key that came before this opening's, its shares are of use to nobody but a former custodian. What is
-- only proposed, or prepared by another opening, stays.
CREATE FUNCTION drop_empty_custody_shares(opening uuid) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE organisation uuid := public.custody_to_move(opening); mine integer; dropped bigint;
        BEGIN
            SELECT c.number INTO mine FROM public.custodies c
            WHERE c.opening_id = opening AND c.organisation_id = organisation AND c.in_force_at IS NOT NULL;
            DELETE FROM public.custody_shares s USING public.shared_keys k LEFT JOIN public.custodies c ON c.key_id = k.id
            WHERE k.id = s.key_id AND k.organisation_id = organisation AND k.purpose = 'custody'
              AND (c.key_id IS NULL OR (c.in_force_at IS NOT NULL AND c.number < mine)) AND mine IS NOT NULL
              AND NOT EXISTS (SELECT FROM public.wraps w WHERE w.recipient_key = k.id);
            GET DIAGNOSTICS dropped = ROW_COUNT;
            RETURN dropped;
        END
    $$;
-- Whether a key has a share for each ordered pair of so many custodians: one that lacks them would be opened by nobody.
CREATE FUNCTION custody_is_shared(wanted uuid, custodians bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN (SELECT count(*) FROM public.custody_shares s WHERE s.key_id = wanted) = custodians * (custodians - 1);
        END
    $$;
-- On how many keys each CUSTODY key of an organisation still rests, for its custodians.
CREATE FUNCTION custody_rests(wanted uuid) RETURNS TABLE (key_id uuid, keys bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN QUERY
            SELECT k.id, (SELECT count(*) FROM public.wraps w WHERE w.recipient_key = k.id)
            FROM public.shared_keys k
            WHERE k.organisation_id = wanted AND k.purpose = 'custody'
              AND (public.i_keep_custody(wanted) OR public.my_organisation() = wanted);
        END
    $$;
-- The parts of an opening, with what is sealed in them: when it was used, taken back or has lapsed.
CREATE FUNCTION drop_parts(opening uuid) RETURNS TABLE (id uuid, account_id uuid)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM public.openings o
                           WHERE o.id = opening AND public.me() IN (o.invoked_by, o.first_id, o.second_id)
                              AND (o.state <> 'agreed' OR o.lapses_at <= pg_catalog.now())) THEN
                RETURN;
            END IF;
            RETURN QUERY
            WITH parts AS (
                SELECT p.id, p.account_id FROM public.opening_parts p
                JOIN public.sealed s ON s.record_id = p.id AND s.kind = 'opening' WHERE p.opening_id = opening),
            wraps AS (DELETE FROM public.wraps w USING parts g WHERE w.key_id = g.id),
            sealed AS (DELETE FROM public.sealed s USING parts g WHERE s.record_id = g.id AND s.kind = 'opening'),
            gone AS (DELETE FROM public.opening_parts p WHERE p.opening_id = opening)
            SELECT g.id, g.account_id FROM parts g;
        END
    $$;
GRANT DELETE ON sealed TO himaya_resolver;
CREATE POLICY sealed_resolver_parts ON sealed FOR DELETE TO himaya_resolver USING (kind = 'opening');
CREATE POLICY wraps_resolver_parts ON wraps FOR DELETE TO himaya_resolver
    USING (EXISTS (SELECT FROM sealed s WHERE s.record_id = wraps.key_id AND s.kind = 'opening'));
-- With the wraps whose time is over goes what they led to, where it was the part of an opening that nobody used.
CREATE OR REPLACE FUNCTION end_expired_wraps() RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE ended bigint;
        BEGIN
            DELETE FROM public.wraps w WHERE w.active_until <= pg_catalog.now();
            GET DIAGNOSTICS ended = ROW_COUNT;
            WITH lapsed AS (
                DELETE FROM public.opening_parts p USING public.openings o
                WHERE o.id = p.opening_id AND (o.state <> 'agreed' OR o.lapses_at <= pg_catalog.now()) RETURNING p.id)
            DELETE FROM public.sealed s USING lapsed l WHERE s.record_id = l.id AND s.kind = 'opening';
            RETURN ended;
        END
    $$;
CREATE FUNCTION i_am_responsible(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.accounts a
                       WHERE a.id = public.me() AND a.organisation_id = wanted AND a.nominated_responsible)
    $$;
CREATE FUNCTION case_is_of(wanted uuid, organisation uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ BEGIN RETURN EXISTS (SELECT FROM public.cases c WHERE c.id = wanted AND c.organisation_id = organisation); END $$;
-- The id of a case by its number, to somebody of the squad that works it: numbers are dense, so it tells them nothing.
CREATE FUNCTION case_of_ours(wanted bigint) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT c.id FROM public.cases c
        WHERE c.number = wanted AND c.organisation_id = public.my_organisation() AND NOT public.i_am_barred(c.id)
    $$;
-- A new CUSTODY key is made by a custodian, or by a responsible person of the organisation; which of them, the signatures say.
CREATE OR REPLACE FUNCTION i_may_make_key(organisation uuid, wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT (organisation = public.my_organisation()
           AND (NOT EXISTS (SELECT FROM public.shared_keys k
                            WHERE k.organisation_id = organisation AND k.purpose = wanted
                              AND (wanted = 'custody'
                                   OR EXISTS (SELECT FROM public.shared_key_wraps w WHERE w.key_id = k.id)))
                OR EXISTS (SELECT FROM public.shared_keys k JOIN public.shared_key_wraps w ON w.key_id = k.id
                           WHERE k.organisation_id = organisation AND k.purpose = wanted AND w.account_id = public.me())
                OR (wanted = 'custody' AND public.i_am_responsible(organisation))))
            OR (wanted = 'custody' AND public.i_keep_custody(organisation))
    $$;
-- Shares are added to a key by who makes it.
DROP POLICY custody_shares_add ON custody_shares;
CREATE POLICY custody_shares_add ON custody_shares FOR INSERT TO himaya_app WITH CHECK (EXISTS (
    SELECT FROM shared_keys k WHERE k.id = key_id AND k.maker_id = public.me() AND k.purpose = 'custody'));

CREATE POLICY openings_read ON openings FOR SELECT TO himaya_app USING (NOT public.i_am_barred_from(id) AND (
    invoked_by = public.me() OR person_id = public.me() OR public.i_supervise(organisation_id)
    OR public.i_keep_custody(organisation_id) OR public.i_audit()));
CREATE POLICY openings_add ON openings FOR INSERT TO himaya_app WITH CHECK (
    invoked_by = public.me() AND state = 'invoked' AND first_id IS NULL
    AND (organisation_id = public.my_organisation() OR public.i_keep_custody(organisation_id)));
CREATE POLICY openings_change ON openings FOR UPDATE TO himaya_app
    USING (invoked_by = public.me() OR public.i_keep_custody(organisation_id) OR public.i_supervise(organisation_id)
           OR public.i_audit())
    WITH CHECK (true);
-- Each step is one of these, whoever asks for it, and what was said before stays: a row that is touched once more would count
-- as opened once more.
CREATE FUNCTION opening_steps() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me(); same boolean; kept boolean;
        BEGIN
            kept := (NEW.id, NEW.organisation_id, NEW.why, NEW.reason, NEW.person_id, NEW.sections, NEW.hours, NEW.invoked_by,
                     NEW.invoked_at, NEW.note, NEW.vouch) IS NOT DISTINCT FROM
                    (OLD.id, OLD.organisation_id, OLD.why, OLD.reason, OLD.person_id, OLD.sections, OLD.hours, OLD.invoked_by,
                     OLD.invoked_at, OLD.note, OLD.vouch);
            same := (NEW.first_id, NEW.second_id, NEW.opened_at, NEW.lapses_at) IS NOT DISTINCT FROM
                    (OLD.first_id, OLD.second_id, OLD.opened_at, OLD.lapses_at);
            IF (kept AND mine IS NOT NULL AND CASE
                WHEN OLD.state = 'invoked' AND NEW.state = 'agreed' THEN
                    NEW.first_id = mine AND NEW.second_id IS NULL AND NEW.opened_at IS NULL AND public.i_keep_custody(OLD.organisation_id)
                WHEN OLD.state = 'agreed' AND NEW.state = 'opened' THEN
                    NEW.first_id = OLD.first_id AND OLD.first_id <> mine AND NEW.second_id = mine AND NEW.opened_at = now()
                    AND NEW.lapses_at = OLD.lapses_at AND public.i_keep_custody(OLD.organisation_id)
                WHEN OLD.state IN ('invoked', 'agreed') AND NEW.state = 'declined' THEN
                    same AND (mine = OLD.invoked_by OR mine = OLD.first_id)
                WHEN OLD.state = 'opened' AND NEW.state = 'reviewed' THEN
                    same AND NEW.reviewed_by = mine AND (public.i_supervise(OLD.organisation_id) OR public.i_audit())
                ELSE false END) THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'an opening does not take this step' USING ERRCODE = 'insufficient_privilege';
        END
    $$;
CREATE TRIGGER opening_steps BEFORE UPDATE ON openings FOR EACH ROW EXECUTE FUNCTION opening_steps();
CREATE POLICY opening_cases_read ON opening_cases FOR SELECT TO himaya_app
    USING (EXISTS (SELECT FROM openings o WHERE o.id = opening_id));
CREATE POLICY opening_cases_add ON opening_cases FOR INSERT TO himaya_app
    WITH CHECK (note IS NULL AND EXISTS (
        SELECT FROM openings o WHERE o.id = opening_id AND o.invoked_by = public.me() AND o.state = 'invoked'
           AND public.case_is_of(case_id, o.organisation_id)));
CREATE POLICY opening_cases_sign ON opening_cases FOR UPDATE TO himaya_app
    USING (EXISTS (SELECT FROM openings o WHERE o.id = opening_id AND public.me() IN (o.first_id, o.second_id)));
-- A part is a record that is sealed as one, and nothing else is ever erased with it.
CREATE FUNCTION is_sealed_part(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ BEGIN RETURN EXISTS (SELECT FROM public.sealed s WHERE s.record_id = wanted AND s.kind = 'opening'); END $$;
CREATE POLICY opening_parts_mine ON opening_parts FOR SELECT TO himaya_app USING (
    account_id = public.me() OR EXISTS (SELECT FROM openings o WHERE o.id = opening_id AND o.first_id = public.me()));
CREATE POLICY opening_parts_add ON opening_parts FOR INSERT TO himaya_app
    WITH CHECK (public.is_sealed_part(id) AND EXISTS (
        SELECT FROM openings o WHERE o.id = opening_id AND o.first_id = public.me() AND o.state = 'agreed'));
-- Like every statement: read by everybody who seals to the key, and worthless without its signatures.
CREATE POLICY custodies_read ON custodies FOR SELECT TO himaya_app USING (true);
CREATE POLICY custodies_add ON custodies FOR INSERT TO himaya_app WITH CHECK (EXISTS (
    SELECT FROM shared_keys k WHERE k.id = key_id AND k.maker_id = public.me() AND k.organisation_id = custodies.organisation_id
       AND k.purpose = 'custody') AND in_force_at IS NULL);
-- By the other one of two: whoever made it signs it no second time.
CREATE POLICY custodies_sign ON custodies FOR UPDATE TO himaya_app
    USING (in_force_at IS NULL AND (public.i_keep_custody(organisation_id) OR public.i_am_responsible(organisation_id))
           AND NOT EXISTS (SELECT FROM shared_keys k WHERE k.id = key_id AND k.maker_id = public.me()))
    WITH CHECK (in_force_at IS NOT NULL);

-- Emergency access is told at once: to the case's team, the squad's supervisors and the auditors.
ALTER TABLE alerts DROP CONSTRAINT alerts_what_check, DROP CONSTRAINT alerts_level_check;
ALTER TABLE alerts
    ADD CONSTRAINT alerts_what_check CHECK (what IN ('notice_clock', 'task_overdue', 'roster_gap', 'consent_ended',
                                                     'custody_opened', 'emergency_unreviewed')),
    ADD CONSTRAINT alerts_level_check CHECK (level IN ('half_gone', 'three_quarters_gone', 'overdue', 'coming', 'uncovered',
                                                       'ended', 'begun'));
DROP INDEX alerts_once;
CREATE UNIQUE INDEX alerts_once ON alerts (what, level, about, occasion)
    WHERE what NOT IN ('consent_ended', 'custody_opened', 'emergency_unreviewed');
CREATE UNIQUE INDEX alerts_once_for_each ON alerts (what, level, about, occasion, organisation_id, account_id) NULLS NOT DISTINCT
    WHERE what IN ('custody_opened', 'emergency_unreviewed');
DROP POLICY alerts_mine ON alerts;
CREATE POLICY alerts_mine ON alerts FOR SELECT TO himaya_app USING (
    (CASE what WHEN 'task_overdue' THEN EXISTS (
                  SELECT FROM tasks t WHERE t.id = about AND (t.case_id IS NULL OR public.i_am_on_case(t.case_id))
                     AND (t.assignee_id = public.me() OR public.i_stand_in_for(t.assignee_id, t.case_id)
                          OR (public.my_relation_to_case(t.case_id) = 'assigned' AND public.nobody_does(t.assignee_id, t.case_id))))
              ELSE account_id = public.me() END
    OR (desk AND public.i_keep_desk(organisation_id))
    -- A supervisor is told of an opening once, and not for each of the team.
    OR (public.i_supervise(organisation_id) AND (what <> 'custody_opened' OR account_id IS NULL))
    OR (desk AND organisation_id = public.my_organisation() AND public.i_audit()))
    AND NOT public.i_am_barred_from(about));
-- As it was (0018), and by an opening of the case.
CREATE OR REPLACE FUNCTION i_am_barred_from(about uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (
                SELECT FROM public.bars b
                WHERE b.account_id = mine AND b.lifted_at IS NULL
                  AND (EXISTS (SELECT FROM public.tasks t WHERE t.id = about AND t.case_id = b.case_id)
                       OR EXISTS (SELECT FROM public.placements p WHERE p.id = about AND p.case_id = b.case_id)
                       OR EXISTS (SELECT FROM public.notices n WHERE n.id = about AND n.case_id = b.case_id)
                       OR EXISTS (SELECT FROM public.opening_cases o
                                  WHERE o.opening_id = about AND o.case_id = b.case_id)));
        END
    $$;
CREATE FUNCTION tell_of_opening() RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH opened AS (SELECT o.* FROM public.openings o WHERE o.id = public.opening_here()),
        told AS (
            INSERT INTO public.alerts (what, level, about, occasion, organisation_id, desk, account_id, raised_at)
            SELECT DISTINCT 'custody_opened', 'begun', o.id, o.opened_at, o.organisation_id, false, a.account_id, o.opened_at
            FROM opened o JOIN public.opening_cases c ON c.opening_id = o.id JOIN public.case_access a ON a.case_id = c.case_id
            WHERE a.ended_at IS NULL AND a.account_id <> o.person_id AND (a.active_until IS NULL OR a.active_until > o.opened_at)
            UNION
            SELECT 'custody_opened', 'begun', o.id, o.opened_at, o.organisation_id, false, NULL, o.opened_at FROM opened o
            UNION
            SELECT 'custody_opened', 'begun', o.id, o.opened_at, w.id, true, NULL, o.opened_at
            FROM opened o, public.organisations w WHERE w.kind = 'auditor_office'
            ON CONFLICT DO NOTHING RETURNING 1
        )
        SELECT count(*) FROM told
    $$;
CREATE OR REPLACE FUNCTION raise_alerts(at timestamptz, deadline interval, ahead interval) RETURNS bigint
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
            UNION ALL
            -- Whoever looked in an emergency is looked at: by the squad's supervisors, and by the auditors.
            SELECT 'emergency_unreviewed', 'overdue', p.id, p.opened_at, w.id, w.id <> p.organisation_id, NULL::uuid
            FROM public.openings p, public.organisations w
            WHERE p.why = 'emergency' AND p.state = 'opened' AND p.opened_at + interval '72 hours' <= at
              AND (w.id = p.organisation_id OR w.kind = 'auditor_office')
        ), raised AS (
            INSERT INTO public.alerts (what, level, about, occasion, organisation_id, desk, account_id, raised_at)
            SELECT d.what, d.level, d.about, d.occasion, d.organisation_id, d.desk, d.account_id, at FROM due d
            WHERE NOT EXISTS (SELECT FROM public.alerts a
                              WHERE (a.what, a.level, a.about, a.occasion) = (d.what, d.level, d.about, d.occasion))
            ON CONFLICT DO NOTHING RETURNING 1
        )
        SELECT count(*) FROM raised
    $$;

DO $$
DECLARE wanted text;
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY[
            'i_keep_custody(uuid)', 'i_audit()', 'i_am_responsible(uuid)', 'case_is_of(uuid, uuid)', 'is_sealed_part(uuid)', 'custodians_changed(uuid)', 'opening_here()', 'case_is_opened_here(uuid)', 'sealed_in_custody(uuid)', 'key_is_opened_here(uuid)',
            'custody_to_move(uuid)', 'custody_wraps(uuid, uuid, uuid, integer, bigint)',
            'move_custody_wraps(uuid, uuid, uuid, uuid[], integer[], bytea[])', 'drop_empty_custody_shares(uuid)',
            'custody_rests(uuid)', 'custody_is_shared(uuid, bigint)', 'drop_parts(uuid)', 'case_of_ours(bigint)', 'tell_of_opening()'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_app, himaya_resolver', wanted);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;

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
               || CASE WHEN keys_made_at IS NULL THEN '[]'::jsonb ELSE jsonb_build_array(keys_made_at AT TIME ZONE 'UTC') END
        FROM cases
        UNION ALL
        SELECT 'case_access', grant_id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, account_id, relation, note, started_at AT TIME ZONE 'UTC',
                                 ended_at AT TIME ZONE 'UTC')
               -- Access without an end of its own, and without custodians, stands as it stood before there were others.
               || CASE WHEN active_until IS NULL AND absence_id IS NULL THEN '[]'::jsonb
                       ELSE jsonb_build_array(active_from AT TIME ZONE 'UTC', active_until AT TIME ZONE 'UTC', absence_id) END
               || CASE WHEN opening_id IS NULL THEN '[]'::jsonb ELSE jsonb_build_array(opening_id) END
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
        SELECT 'bar', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, account_id, note, made_at AT TIME ZONE 'UTC', lifted_at AT TIME ZONE 'UTC', lift_note)
        FROM bars
        UNION ALL
        SELECT 'proposal', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, act, about, account_id, note, made_at AT TIME ZONE 'UTC', lapses_at AT TIME ZONE 'UTC',
                                 confirmed_at AT TIME ZONE 'UTC', confirm_note)
        FROM proposals
        UNION ALL
        SELECT 'opening', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, why, reason, person_id, sections, hours, invoked_by,
                                 invoked_at AT TIME ZONE 'UTC', note, lapses_at AT TIME ZONE 'UTC', state, first_id, second_id,
                                 opened_at AT TIME ZONE 'UTC', reviewed_by, reviewed_at AT TIME ZONE 'UTC', verdict)
        FROM openings
        UNION ALL
        SELECT 'custody', key_id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, number, note, opening_id, in_force_at AT TIME ZONE 'UTC')
        FROM custodies
        UNION ALL
        -- A case's head stands in no register of its own: the case does.
        SELECT 'case_head', case_id, NULL, NULL, number, xmin, jsonb_build_array(note, signer_id)
        FROM case_heads
    ) AS stored;

-- Every permission that was ever given on a case is read at each write to it.
CREATE INDEX IF NOT EXISTS case_access_of_case ON case_access (case_id);
-- As it was (0006), in a language whose plans are kept: the view has a branch for each kind, and planning them all anew took
-- longer than everything else in a write. Only the ids that are asked for are looked up, however many rows there are.
CREATE OR REPLACE FUNCTION standings_written(wanted uuid[])
    RETURNS TABLE (kind text, id uuid, register uuid, register_no bigint, standing bigint, digest bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
    AS $$
        BEGIN
            RETURN QUERY
            SELECT s.kind, s.id, a.register, s.register_no, s.standing, s.digest
            FROM public.standings s LEFT JOIN public.accounts a ON a.id = s.registered_by
            WHERE s.id = ANY (wanted) AND s.written = pg_catalog.pg_current_xact_id()::pg_catalog.xid;
        END
    $$;
