-- Secure accommodation (plan, section 6): its public facts, the certificates of its seven conditions, the training of its
-- people, and placements. Where it lies and whom it houses is in `sealed`.
CREATE TABLE accommodations (
    id              uuid PRIMARY KEY,              -- also the record under which its address is sealed
    organisation_id uuid NOT NULL REFERENCES organisations,
    kind            text NOT NULL CHECK (kind IN ('shelter', 'transitional', 'emergency')),
    women           integer NOT NULL CHECK (women BETWEEN 0 AND 1000),    -- places by type
    men             integer NOT NULL CHECK (men BETWEEN 0 AND 1000),
    families        integer NOT NULL CHECK (families BETWEEN 0 AND 1000),
    children        integer NOT NULL CHECK (children BETWEEN 0 AND 1000),
    opened_at       timestamptz NOT NULL,
    registered_by   uuid DEFAULT me(),
    register_no     bigint DEFAULT register_next(),
    standing        bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL)),
    UNIQUE (registered_by, register_no)
);

CREATE TABLE certificates (
    id               uuid PRIMARY KEY,
    accommodation_id uuid NOT NULL REFERENCES accommodations,
    conditions       text[] NOT NULL,              -- those of the seven that are met
    certified_at     timestamptz NOT NULL,         -- the newest certificate counts
    expires_at       timestamptz NOT NULL,
    registered_by    uuid DEFAULT me(),
    register_no      bigint DEFAULT register_next(),
    standing         bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL)),
    UNIQUE (registered_by, register_no)
);
CREATE INDEX certificates_newest ON certificates (accommodation_id, certified_at DESC);

CREATE TABLE trainings (
    id            uuid PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES accounts,
    course        text NOT NULL CHECK (course IN ('care_for_victims', 'identification', 'evidence', 'surveillance')),
    passed_at     timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    registered_by uuid DEFAULT me(),
    register_no   bigint DEFAULT register_next(),
    standing      bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL)),
    UNIQUE (registered_by, register_no)
);
CREATE INDEX trainings_of_account ON trainings (account_id, course, expires_at DESC);

CREATE TABLE placements (
    id               uuid PRIMARY KEY,             -- also the record of what is needed to care for the person
    number           bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    case_id          uuid NOT NULL REFERENCES cases,
    subject_id       uuid NOT NULL REFERENCES subjects, -- for whom
    accommodation_id uuid NOT NULL REFERENCES accommodations,
    shelter_id       uuid NOT NULL REFERENCES organisations,
    squad_id         uuid NOT NULL REFERENCES organisations,
    places           text NOT NULL CHECK (places IN ('women', 'men', 'families', 'children')), -- of which type one is taken
    intake_key_id    uuid NOT NULL REFERENCES shared_keys,
    by_consent       boolean NOT NULL,             -- whether the shelter may be told of the person by consent only
    state            text NOT NULL CHECK (state IN ('requested', 'acknowledged', 'matched', 'consented', 'transported',
                         'admitted', 'declined', 'exited_by_person', 'transferred', 'planned_exit', 'withdrawn')),
    decline_code     text,
    address_id       uuid UNIQUE,                  -- the record of the address for this placement, as long as it is current
    care_id          uuid UNIQUE,                  -- the record of the care given; it stays when the placement is over
    requested_at     timestamptz NOT NULL,
    acknowledged_at  timestamptz,
    matched_at       timestamptz,                  -- from here on a place is taken
    admitted_at      timestamptz,
    ended_at         timestamptz,
    registered_by    uuid DEFAULT me(),
    register_no      bigint DEFAULT register_next(),
    standing         bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL)),
    UNIQUE (registered_by, register_no)
);
CREATE INDEX placements_of_case ON placements (case_id);
CREATE INDEX placements_of_shelter ON placements (shelter_id) WHERE ended_at IS NULL;

CREATE TABLE consents (
    id            uuid PRIMARY KEY,                -- also the record of the words, of who spoke, and in which language
    case_id       uuid NOT NULL REFERENCES cases,
    subject_id    uuid NOT NULL REFERENCES subjects,
    placement_id  uuid REFERENCES placements,      -- where carers recorded it; then it is sealed with the placement
    purpose       text NOT NULL,                   -- what for,
    recipient_id  uuid NOT NULL REFERENCES organisations, -- to whom,
    section       text NOT NULL,                   -- and which records, by kind
    state         text NOT NULL CHECK (state IN ('asked', 'given', 'refused', 'withdrawn')),
    recorded_at   timestamptz NOT NULL,
    expires_at    timestamptz,                     -- a given one counts until then
    ended_at      timestamptz,                     -- when it was taken back
    vouch         bytea NOT NULL CHECK (octet_length(vouch) = 32), -- the service's own code over all of this
    registered_by uuid DEFAULT me(),
    register_no   bigint DEFAULT register_next(),
    standing      bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL)),
    UNIQUE (registered_by, register_no)
);
CREATE INDEX consents_of_subject ON consents (case_id, subject_id);
CREATE INDEX consents_of_placement ON consents (placement_id) WHERE placement_id IS NOT NULL;

-- Training that has run out closes what it opened, at the next request (R13).
CREATE FUNCTION i_am_trained(wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.trainings t
                       WHERE t.account_id = public.me() AND t.course = wanted AND t.expires_at > pg_catalog.now())
    $$;
-- Whether somebody's organisation places people or houses them: nobody else sees houses, certificates and free places.
CREATE FUNCTION i_see_houses() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.organisations o
                       WHERE o.id = public.my_organisation() AND o.kind IN ('squad', 'accommodation'))
    $$;
-- How many places of a type are taken: a number, for those who choose an accommodation and see no other's residents.
CREATE FUNCTION places_taken(wanted uuid, of_type text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT pg_catalog.count(*) FROM public.placements p
        WHERE public.i_see_houses() AND p.accommodation_id = wanted AND p.places = of_type AND p.ended_at IS NULL
          AND p.state IN ('matched', 'consented', 'transported', 'admitted')
    $$;
CREATE FUNCTION i_work_at(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT FROM public.accommodations a
                         WHERE a.id = wanted AND a.organisation_id = public.my_organisation()) $$;

-- Whether somebody works with a person: on the case, or on a placement of theirs that they can open.
CREATE FUNCTION i_work_with(of_case uuid, of_subject uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT public.i_am_on_case(of_case)
            OR EXISTS (SELECT FROM public.placements p
                       WHERE p.case_id = of_case AND p.subject_id = of_subject AND public.i_can_unwrap(p.id))
    $$;
-- Whether somebody may ask what the person said of a recipient: who is on the case, all of it; who cares for the person, what
-- decides their own work, which is whether their house is told and whether the squad sees the care. With whom else the
-- person has to do is not theirs to know.
CREATE FUNCTION i_may_ask(of_case uuid, of_subject uuid, with_whom uuid, of_section text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT public.i_am_on_case(of_case)
            OR (of_section IN ('placement', 'care')
                AND EXISTS (SELECT FROM public.placements p
                            WHERE p.case_id = of_case AND p.subject_id = of_subject
                              AND with_whom IN (p.shelter_id, p.squad_id) AND public.i_can_unwrap(p.id)))
    $$;
-- What the person said about sharing a section with a recipient; the service checks its own code on each row before it
-- believes it.
CREATE FUNCTION consents_about(of_case uuid, of_subject uuid, with_whom uuid, of_section text)
    RETURNS TABLE (id uuid, placement_id uuid, purpose text, state text, expires_at timestamptz, registered_by uuid,
                   standing bigint, vouch bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT c.id, c.placement_id, c.purpose, c.state, c.expires_at, c.registered_by, c.standing, c.vouch
        FROM public.consents c
        WHERE c.case_id = of_case AND c.subject_id = of_subject AND c.recipient_id = with_whom AND c.section = of_section
          AND public.i_may_ask(of_case, of_subject, with_whom, of_section)
    $$;
-- The same in one row, for the functions here alone: whether anything is refused, and until when a consent is in force that
-- nobody of the recipient's recorded.
CREATE FUNCTION person_says(of_case uuid, of_subject uuid, with_whom uuid, what_for text, of_section text, at timestamptz)
    RETURNS TABLE (refused boolean, given_until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT COALESCE(pg_catalog.bool_or(c.state = 'refused'), false),
               pg_catalog.max(COALESCE(c.expires_at, 'infinity')) FILTER (
                   WHERE c.state = 'given' AND c.purpose = what_for AND a.organisation_id <> with_whom
                     AND (c.expires_at IS NULL OR c.expires_at > at))
        FROM public.consents c LEFT JOIN public.accounts a ON a.id = c.registered_by
        WHERE c.case_id = of_case AND c.subject_id = of_subject AND c.recipient_id = with_whom AND c.section = of_section
    $$;
-- For the gate and for row-level security, without the codes. "Do not share with X" wins.
CREATE FUNCTION sharing_allowed(of_case uuid, of_subject uuid, with_whom uuid, what_for text, of_section text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT public.i_may_ask(of_case, of_subject, with_whom, of_section) AND NOT s.refused AND s.given_until IS NOT NULL
        FROM public.person_says(of_case, of_subject, with_whom, what_for, of_section, pg_catalog.now()) s
    $$;
-- The placements of a person, so that whoever shares and whoever takes back wait for each other. Ids only.
CREATE FUNCTION placements_of(of_case uuid, of_subject uuid) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT p.id FROM public.placements p
        WHERE p.case_id = of_case AND p.subject_id = of_subject AND public.i_work_with(of_case, of_subject)
        ORDER BY p.id
    $$;
-- The officers who are assigned now to the case of a placement, for who can open it.
CREATE FUNCTION officers_of(wanted uuid) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT a.account_id FROM public.placements p JOIN public.case_access a ON a.case_id = p.case_id
        WHERE p.id = wanted AND a.relation = 'assigned' AND a.ended_at IS NULL
          AND (public.i_can_unwrap(p.id) OR public.i_am_on_case(p.case_id))
    $$;
-- Whether somebody is assigned to the case on which a placement rests.
CREATE FUNCTION i_place(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.case_access c
                       WHERE c.case_id = wanted AND c.account_id = public.me() AND c.relation = 'assigned'
                         AND c.ended_at IS NULL)
    $$;
-- Whether a key is that of a placement, or of what hangs on it: the functions below delete wraps of no other.
CREATE FUNCTION is_key_of_placement(key uuid, wanted uuid, of_kind text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.sealed s JOIN public.placements p ON p.id = wanted
                       WHERE s.record_id = key AND s.key_id = key AND s.kind = of_kind AND s.case_id IS NULL
                         AND key = CASE of_kind WHEN 'placement' THEN p.id WHEN 'arrival' THEN p.address_id
                                                WHEN 'care' THEN p.care_id END)
    $$;
-- A colleague has left the case: their wraps of its placements, and of what hangs on them, go. It does so for nobody who
-- is on the case.
CREATE FUNCTION leave_placements(ended uuid) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DELETE FROM public.wraps w USING public.case_access a, public.placements p
        WHERE a.grant_id = ended AND a.ended_at IS NOT NULL AND p.case_id = a.case_id
          AND w.recipient_account = a.account_id
          AND (public.is_key_of_placement(w.key_id, p.id, 'placement')
               OR public.is_key_of_placement(w.key_id, p.id, 'arrival')
               OR public.is_key_of_placement(w.key_id, p.id, 'care'))
          AND NOT EXISTS (SELECT FROM public.case_access o
                          WHERE o.case_id = a.case_id AND o.account_id = a.account_id AND o.ended_at IS NULL)
    $$;
-- The address of a placement is for the people of a current one: with its end its wraps and its copy are gone, whoever
-- writes down that the person left.
CREATE FUNCTION end_arrival(wanted uuid) RETURNS uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE arrival uuid;
        BEGIN
            SELECT p.address_id INTO arrival FROM public.placements p
            WHERE p.id = wanted AND p.ended_at IS NOT NULL AND public.is_key_of_placement(p.address_id, p.id, 'arrival');
            DELETE FROM public.wraps WHERE key_id = arrival;
            DELETE FROM public.sealed WHERE record_id = arrival AND kind = 'arrival';
            RETURN arrival;
        END
    $$;
-- A request that came to nothing leaves the shelter nothing: neither its people's wraps, nor the desk's, nor CUSTODY's. It
-- came to nothing when nobody was ever admitted, however it ended.
CREATE FUNCTION end_shelter_wraps(wanted uuid) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DELETE FROM public.wraps w USING public.placements p
        WHERE p.id = wanted AND p.ended_at IS NOT NULL AND p.admitted_at IS NULL
          AND public.is_key_of_placement(w.key_id, p.id, 'placement')
          AND (EXISTS (SELECT FROM public.accounts a WHERE a.id = w.recipient_account AND a.organisation_id = p.shelter_id)
               OR EXISTS (SELECT FROM public.shared_keys k WHERE k.id = w.recipient_key AND k.organisation_id = p.shelter_id))
    $$;
-- The person's word about a house has changed: what that house has not fulfilled, and may not be told of any more, is
-- withdrawn, and leaves it nothing. A refusal ends every request, a consent that is over those that rest on one. Whoever works
-- with the person writes their word down, also who cannot see the request: a carer at another house.
CREATE FUNCTION end_requests(of_case uuid, of_subject uuid, with_whom uuid, at timestamptz)
    RETURNS TABLE (placement uuid, arrival uuid)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            said record;
            ending uuid[];
        BEGIN
            SELECT s.refused, s.given_until INTO said
            FROM public.person_says(of_case, of_subject, with_whom, 'care', 'placement', at) s;
            IF NOT public.i_work_with(of_case, of_subject) OR (NOT said.refused AND said.given_until IS NOT NULL) THEN
                RETURN;
            END IF;
            -- All at once: an end takes the wraps by which a carer works with the person.
            SELECT pg_catalog.array_agg(w.id) INTO ending FROM (
                SELECT p.id FROM public.placements p
                WHERE p.case_id = of_case AND p.subject_id = of_subject AND p.shelter_id = with_whom
                  AND (said.refused OR p.by_consent)
                  AND p.state IN ('requested', 'acknowledged', 'matched', 'consented', 'transported')
                ORDER BY p.id FOR UPDATE) w;
            UPDATE public.placements p SET state = 'withdrawn', ended_at = at, standing = p.standing + 1
            WHERE p.id = ANY (ending);
            FOREACH placement IN ARRAY COALESCE(ending, '{}') LOOP
                arrival := public.end_arrival(placement);
                PERFORM public.end_shelter_wraps(placement);
                RETURN NEXT;
            END LOOP;
        END
    $$;
-- Wraps of a person's care that officers hold, once the person does not consent to it any more; where another consent is
-- left, they end with that one.
CREATE FUNCTION end_care_sharing(of_case uuid, of_subject uuid) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE shared record;
        BEGIN
            IF NOT public.i_work_with(of_case, of_subject) THEN
                RETURN;
            END IF;
            FOR shared IN
                SELECT p.care_id, p.shelter_id, p.squad_id, s.refused, s.given_until
                FROM public.placements p
                CROSS JOIN LATERAL public.person_says(of_case, of_subject, p.squad_id, 'case_work', 'care', pg_catalog.now()) s
                WHERE p.case_id = of_case AND p.subject_id = of_subject
                  AND public.is_key_of_placement(p.care_id, p.id, 'care')
            LOOP
                DELETE FROM public.wraps w USING public.accounts a
                WHERE w.key_id = shared.care_id AND a.id = w.recipient_account AND a.organisation_id <> shared.shelter_id
                  AND (shared.refused OR shared.given_until IS NULL OR a.organisation_id <> shared.squad_id);
                UPDATE public.wraps w SET active_until = shared.given_until FROM public.accounts a
                WHERE w.key_id = shared.care_id AND a.id = w.recipient_account AND a.organisation_id = shared.squad_id
                  AND w.active_until > shared.given_until;
            END LOOP;
        END
    $$;
-- Whether one of these people of a placement's house has a training that counts today. Officers ask it too, who see no
-- house's training.
CREATE FUNCTION somebody_is_trained(wanted uuid, workers uuid[]) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (
            SELECT FROM public.placements p JOIN public.accounts a ON a.organisation_id = p.shelter_id
            JOIN public.trainings t ON t.account_id = a.id
            WHERE p.id = wanted AND (public.i_can_unwrap(p.id) OR public.i_place(p.case_id))
              AND a.id = ANY (workers) AND t.course = 'care_for_victims' AND t.expires_at > pg_catalog.now())
    $$;
-- Whether an address is written for a house of one's own, also for who cannot open it.
CREATE FUNCTION house_has_address(house uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT public.i_work_at(house) AND EXISTS (SELECT FROM public.sealed s WHERE s.record_id = house AND s.kind = 'address')
    $$;
-- The placements whose officers see a copy of a house's address, for who can open it: also those of another manager.
CREATE FUNCTION copies_of_address(house uuid) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT p.id FROM public.placements p
        WHERE p.accommodation_id = house AND p.state IN ('matched', 'consented', 'transported', 'admitted')
          AND public.i_work_at(house)
          AND EXISTS (SELECT FROM public.sealed s
                      WHERE s.record_id = house AND s.kind = 'address' AND public.i_can_unwrap(s.key_id))
        ORDER BY p.id
    $$;
-- The address is another one: the copies are gone, before an officer brings somebody to the old one. Of those placements that
-- the caller can open they are made anew; of the others they are gone only where the house has moved, and stay away until
-- somebody who can open these writes the address as well.
CREATE FUNCTION drop_copies_of_address(house uuid, moved boolean)
    RETURNS TABLE (placement uuid, arrival uuid, mine boolean)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            FOR placement, arrival, mine IN
                SELECT p.id, p.address_id, public.i_can_unwrap(p.id) FROM public.placements p
                WHERE p.id IN (SELECT public.copies_of_address(house))
                  AND (p.address_id IS NULL OR public.is_key_of_placement(p.address_id, p.id, 'arrival'))
                ORDER BY p.id FOR UPDATE
            LOOP
                CONTINUE WHEN NOT moved AND NOT mine;
                IF arrival IS NULL THEN
                    RETURN NEXT;
                    CONTINUE;
                END IF;
                DELETE FROM public.wraps w WHERE w.key_id = arrival;
                DELETE FROM public.sealed s WHERE s.record_id = arrival AND s.kind = 'arrival';
                UPDATE public.placements p SET address_id = NULL, standing = p.standing + 1 WHERE p.id = placement;
                RETURN NEXT;
            END LOOP;
        END
    $$;
-- Wraps of a placement's care that workers hold who do not care for the person any more. Somebody who does must stay.
CREATE FUNCTION keep_care_with(wanted uuid, workers uuid[]) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE care uuid;
        BEGIN
            SELECT p.care_id INTO care FROM public.placements p
            WHERE p.id = wanted AND public.i_can_unwrap(p.id) AND p.shelter_id = public.my_organisation()
              AND public.is_key_of_placement(p.care_id, p.id, 'care');
            IF care IS NULL THEN
                RETURN true;
            END IF;
            IF NOT EXISTS (SELECT FROM public.wraps w WHERE w.key_id = care AND w.recipient_account = ANY(workers)) THEN
                RETURN false;
            END IF;
            DELETE FROM public.wraps w USING public.accounts a
            WHERE w.key_id = care AND a.id = w.recipient_account AND a.organisation_id = public.my_organisation()
              AND a.id <> ALL(workers);
            RETURN true;
        END
    $$;

GRANT SELECT ON accommodations, certificates, trainings, placements, consents TO himaya_resolver;
GRANT DELETE ON sealed TO himaya_resolver;
GRANT UPDATE (active_until) ON wraps TO himaya_resolver;
GRANT UPDATE (state, address_id, ended_at, standing) ON placements TO himaya_resolver;
CREATE POLICY sealed_resolver_arrival ON sealed FOR DELETE TO himaya_resolver USING (kind = 'arrival');
CREATE POLICY wraps_resolver_placement ON wraps FOR DELETE TO himaya_resolver USING (EXISTS (
    SELECT FROM sealed s WHERE s.key_id = wraps.key_id AND s.kind IN ('placement', 'arrival', 'care') AND s.case_id IS NULL));
CREATE POLICY wraps_resolver_care ON wraps FOR UPDATE TO himaya_resolver USING (EXISTS (
    SELECT FROM sealed s WHERE s.key_id = wraps.key_id AND s.kind = 'care' AND s.case_id IS NULL));
GRANT SELECT ON accommodations, certificates, trainings, placements, consents TO himaya_app;
GRANT UPDATE (women, men, families, children, standing) ON accommodations TO himaya_app;
GRANT UPDATE (state, decline_code, address_id, care_id, intake_key_id, acknowledged_at, matched_at, admitted_at, ended_at,
              standing)
    ON placements TO himaya_app;
GRANT UPDATE (state, ended_at, vouch, standing) ON consents TO himaya_app;
-- Columns that the database fills in, or that only a later step sets, are not for an INSERT by the app.
DO $$
DECLARE wanted text; columns text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['accommodations', 'certificates', 'trainings', 'placements', 'consents'] LOOP
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
        WHERE attrelid = wanted::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''
          AND attname NOT IN ('registered_by', 'register_no', 'standing', 'ended_at', 'acknowledged_at', 'matched_at',
                              'admitted_at', 'decline_code', 'address_id', 'care_id');
        EXECUTE format('GRANT INSERT (%s) ON %I TO himaya_app', columns, wanted);
    END LOOP;
END $$;

ALTER TABLE accommodations ENABLE ROW LEVEL SECURITY;
ALTER TABLE accommodations FORCE ROW LEVEL SECURITY;
-- Kind and places, for those who place people and those who house them. The address is not among them.
CREATE POLICY accommodations_read ON accommodations FOR SELECT TO himaya_app USING (public.i_see_houses());
CREATE POLICY accommodations_add ON accommodations FOR INSERT TO himaya_app
    WITH CHECK (organisation_id = public.my_organisation());
CREATE POLICY accommodations_change ON accommodations FOR UPDATE TO himaya_app
    USING (organisation_id = public.my_organisation());
CREATE POLICY accommodations_resolver ON accommodations FOR SELECT TO himaya_resolver USING (true);
ALTER TABLE certificates ENABLE ROW LEVEL SECURITY;
ALTER TABLE certificates FORCE ROW LEVEL SECURITY;
CREATE POLICY certificates_read ON certificates FOR SELECT TO himaya_app USING (public.i_see_houses());
-- None from the future: it would stay the newest.
CREATE POLICY certificates_add ON certificates FOR INSERT TO himaya_app
    WITH CHECK (public.i_work_at(accommodation_id) AND certified_at < now() + interval '1 day');
CREATE POLICY certificates_resolver ON certificates FOR SELECT TO himaya_resolver USING (true);
ALTER TABLE trainings ENABLE ROW LEVEL SECURITY;
ALTER TABLE trainings FORCE ROW LEVEL SECURITY;
CREATE POLICY trainings_read ON trainings FOR SELECT TO himaya_app USING (account_id = public.me()
    OR EXISTS (SELECT FROM accounts a WHERE a.id = account_id AND a.organisation_id = public.my_organisation()));
CREATE POLICY trainings_add ON trainings FOR INSERT TO himaya_app WITH CHECK (account_id <> public.me()
    AND EXISTS (SELECT FROM accounts a WHERE a.id = account_id AND a.organisation_id = public.my_organisation()));
CREATE POLICY trainings_resolver ON trainings FOR SELECT TO himaya_resolver USING (true);
ALTER TABLE placements ENABLE ROW LEVEL SECURITY;
ALTER TABLE placements FORCE ROW LEVEL SECURITY;
-- Who can unwrap what was asked for, and who is assigned to the case.
CREATE POLICY placements_mine ON placements FOR SELECT TO himaya_app
    USING (public.i_can_unwrap(id) OR public.i_place(case_id));
CREATE POLICY placements_add ON placements FOR INSERT TO himaya_app
    WITH CHECK (public.i_place(case_id) AND squad_id = public.my_organisation());
CREATE POLICY placements_change ON placements FOR UPDATE TO himaya_app
    USING (public.i_can_unwrap(id) OR public.i_place(case_id));
CREATE POLICY placements_resolver ON placements FOR SELECT TO himaya_resolver USING (true);
CREATE POLICY placements_resolver_address ON placements FOR UPDATE TO himaya_resolver
    USING (ended_at IS NULL) WITH CHECK (ended_at IS NULL AND address_id IS NULL);
CREATE POLICY placements_resolver_end ON placements FOR UPDATE TO himaya_resolver
    USING (ended_at IS NULL) WITH CHECK (state = 'withdrawn' AND ended_at IS NOT NULL);
ALTER TABLE consents ENABLE ROW LEVEL SECURITY;
ALTER TABLE consents FORCE ROW LEVEL SECURITY;
CREATE POLICY consents_mine ON consents FOR SELECT TO himaya_app
    USING (public.i_place(case_id) OR public.i_can_unwrap(placement_id));
-- Nobody says yes in favour of their own organisation, and nobody takes back there a refusal that others recorded.
CREATE POLICY consents_add ON consents FOR INSERT TO himaya_app WITH CHECK (
    (recipient_id <> public.my_organisation() OR state IN ('asked', 'refused'))
    AND CASE WHEN placement_id IS NULL THEN public.i_place(case_id)
             ELSE EXISTS (SELECT FROM placements p
                          WHERE p.id = placement_id AND p.case_id = consents.case_id AND p.subject_id = consents.subject_id)
        END);
CREATE POLICY consents_change ON consents FOR UPDATE TO himaya_app
    USING ((public.i_place(case_id) OR public.i_can_unwrap(placement_id))
           AND (recipient_id <> public.my_organisation() OR state IN ('asked', 'given') OR placement_id IS NULL))
    WITH CHECK (recipient_id <> public.my_organisation() OR state IN ('refused', 'withdrawn'));
CREATE POLICY consents_resolver ON consents FOR SELECT TO himaya_resolver USING (true);

GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION i_am_trained(text) OWNER TO himaya_resolver;
ALTER FUNCTION places_taken(uuid, text) OWNER TO himaya_resolver;
ALTER FUNCTION i_see_houses() OWNER TO himaya_resolver;
ALTER FUNCTION i_work_at(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION i_work_with(uuid, uuid) OWNER TO himaya_resolver;
ALTER FUNCTION i_may_ask(uuid, uuid, uuid, text) OWNER TO himaya_resolver;
ALTER FUNCTION person_says(uuid, uuid, uuid, text, text, timestamptz) OWNER TO himaya_resolver;
ALTER FUNCTION end_requests(uuid, uuid, uuid, timestamptz) OWNER TO himaya_resolver;
ALTER FUNCTION somebody_is_trained(uuid, uuid[]) OWNER TO himaya_resolver;
ALTER FUNCTION house_has_address(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION copies_of_address(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION drop_copies_of_address(uuid, boolean) OWNER TO himaya_resolver;
ALTER FUNCTION consents_about(uuid, uuid, uuid, text) OWNER TO himaya_resolver;
ALTER FUNCTION sharing_allowed(uuid, uuid, uuid, text, text) OWNER TO himaya_resolver;
ALTER FUNCTION placements_of(uuid, uuid) OWNER TO himaya_resolver;
ALTER FUNCTION officers_of(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION i_place(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION is_key_of_placement(uuid, uuid, text) OWNER TO himaya_resolver;
ALTER FUNCTION leave_placements(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION end_arrival(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION end_shelter_wraps(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION end_care_sharing(uuid, uuid) OWNER TO himaya_resolver;
ALTER FUNCTION keep_care_with(uuid, uuid[]) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION
    i_am_trained(text), places_taken(uuid, text), i_work_at(uuid), consents_about(uuid, uuid, uuid, text),
    sharing_allowed(uuid, uuid, uuid, text, text), placements_of(uuid, uuid), officers_of(uuid), i_place(uuid),
    is_key_of_placement(uuid, uuid, text), leave_placements(uuid), end_arrival(uuid), end_shelter_wraps(uuid),
    end_care_sharing(uuid, uuid), keep_care_with(uuid, uuid[]), i_see_houses(), i_work_with(uuid, uuid),
    i_may_ask(uuid, uuid, uuid, text), person_says(uuid, uuid, uuid, text, text, timestamptz),
    end_requests(uuid, uuid, uuid, timestamptz), somebody_is_trained(uuid, uuid[]), house_has_address(uuid),
    copies_of_address(uuid), drop_copies_of_address(uuid, boolean)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    i_am_trained(text), places_taken(uuid, text), i_work_at(uuid), consents_about(uuid, uuid, uuid, text),
    sharing_allowed(uuid, uuid, uuid, text, text), placements_of(uuid, uuid), officers_of(uuid), i_place(uuid),
    leave_placements(uuid), end_arrival(uuid), end_shelter_wraps(uuid), end_care_sharing(uuid, uuid),
    keep_care_with(uuid, uuid[]), i_see_houses(), i_work_with(uuid, uuid), i_may_ask(uuid, uuid, uuid, text),
    end_requests(uuid, uuid, uuid, timestamptz), somebody_is_trained(uuid, uuid[]), house_has_address(uuid),
    copies_of_address(uuid), drop_copies_of_address(uuid, boolean)
    TO himaya_app, himaya_resolver;
GRANT EXECUTE ON FUNCTION is_key_of_placement(uuid, uuid, text), person_says(uuid, uuid, uuid, text, text, timestamptz)
    TO himaya_resolver;

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
        -- A case's head stands in no register of its own: the case does.
        SELECT 'case_head', case_id, NULL, NULL, number, xmin, jsonb_build_array(note, signer_id)
        FROM case_heads
    ) AS stored;
