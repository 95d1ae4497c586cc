-- Members are admitted by the two who answer for the organisation, and by nobody else's session; and who proposed somebody does not
-- mark them as admitted: the other one of the two does. A row that injected SQL planted could otherwise shut a founder out.
DROP POLICY memberships_write ON memberships;
CREATE POLICY memberships_write ON memberships FOR INSERT TO himaya_app
    WITH CHECK (organisation_id = public.my_organisation() AND public.i_am_responsible(organisation_id)
                AND public.works_with_me(account_id));
DROP POLICY memberships_sign ON memberships;
CREATE POLICY memberships_sign ON memberships FOR UPDATE TO himaya_app
    USING (organisation_id = public.my_organisation() AND public.i_am_responsible(organisation_id) AND NOT complete)
    WITH CHECK (organisation_id = public.my_organisation() AND public.i_am_responsible(organisation_id)
                AND (NOT complete OR registered_by IS DISTINCT FROM public.me()));
-- Whoever puts a founding in force that follows ends with it what the two before had only proposed: it admits nobody.
CREATE POLICY memberships_end ON memberships FOR UPDATE TO himaya_app
    USING (NOT complete AND EXISTS (
        SELECT FROM successions s WHERE s.organisation_id = memberships.organisation_id AND public.me() IN (s.first_id, s.second_id)
                                    AND s.declined_at IS NULL AND s.lapses_at > now()))
    WITH CHECK (NOT complete AND ended_at IS NOT NULL);

-- What was proposed of a member gets the other one's signature, and is not changed.
CREATE FUNCTION memberships_hold() RETURNS trigger
    LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            IF current_user = 'himaya_app' AND NOT (
                CASE WHEN NEW.complete AND NOT OLD.complete
                     THEN starts_with(NEW.note, OLD.note)
                          AND substr(NEW.note, length(OLD.note) + 1)
                              ~ ('^— himaya/' || public.me() || ' [A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=\n$')
                     ELSE NEW.note = OLD.note END) THEN
                RAISE EXCEPTION 'what was proposed of a member gets one signature, of the person who signs'
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END
    $$;
REVOKE ALL ON FUNCTION memberships_hold() FROM PUBLIC;
CREATE TRIGGER memberships_hold BEFORE UPDATE ON memberships FOR EACH ROW EXECUTE FUNCTION memberships_hold();

-- A founding that waits only gets signatures, each person's own; and custodians, who sign it, do not decline it.
CREATE FUNCTION successions_hold() RETURNS trigger
    LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            IF current_user <> 'himaya_app' THEN
                RETURN NEW;
            END IF;
            IF NEW.note <> OLD.note AND NOT (
                starts_with(NEW.note, OLD.note)
                -- A key's id and an Ed25519 signature are 68 bytes.
                AND substr(NEW.note, length(OLD.note) + 1)
                    ~ ('^— himaya/' || public.me() || ' [A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=\n$')
                AND strpos(OLD.note, E'\n— himaya/' || public.me() || ' ') = 0) THEN
                RAISE EXCEPTION 'a founding that waits gets one signature at a time, of the person who signs'
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            IF NEW.declined_at IS DISTINCT FROM OLD.declined_at AND NOT (
                OLD.declined_at IS NULL
                AND (public.me() IN (NEW.first_id, NEW.second_id) OR NEW.registered_by = public.me()
                     OR public.i_am_responsible(NEW.organisation_id))) THEN
                RAISE EXCEPTION 'only those whom it names, and the two of today, decline a founding'
                    USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NEW;
        END
    $$;
REVOKE ALL ON FUNCTION successions_hold() FROM PUBLIC;
CREATE TRIGGER successions_hold BEFORE UPDATE ON successions FOR EACH ROW EXECUTE FUNCTION successions_hold();

-- When others have followed, those who answered before are told: they are not the two of that moment any more.
CREATE OR REPLACE FUNCTION tell_of_succession() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            succession uuid;
            moment timestamptz;
            level text := 'ended';
            before uuid[] := ARRAY(SELECT public.the_two_of(NEW.organisation_id));
        BEGIN
            IF TG_TABLE_NAME = 'former_foundings' THEN
                succession := NEW.succession_id;
                moment := NEW.followed_at;
                before := before || ARRAY(
                    SELECT unnest(ARRAY[f.first_id, f.second_id]) FROM public.former_foundings f
                    WHERE f.organisation_id = NEW.organisation_id AND f.number = NEW.number - 1
                    UNION ALL
                    SELECT a.id FROM public.accounts a
                    WHERE NEW.number = 0 AND a.organisation_id = NEW.organisation_id AND a.nominated_responsible);
            ELSE
                succession := NEW.id;
                moment := coalesce(NEW.declined_at, NEW.made_at);
                IF NEW.declined_at IS NULL THEN level := 'begun'; END IF;
            END IF;
            INSERT INTO public.alerts (what, level, about, occasion, organisation_id, desk, account_id, raised_at)
            SELECT 'succession', level, succession, moment, o.id, true, NULL, moment
            FROM public.organisations o WHERE o.kind = 'auditor_office'
            UNION ALL
            SELECT 'succession', level, succession, moment, NEW.organisation_id, false, one, moment
            FROM (SELECT DISTINCT unnest(before) AS one) told
            ON CONFLICT DO NOTHING;
            RETURN NULL;
        END
    $$;
