-- Who is kept off a case: somebody who recused themselves, or whom a supervisor barred. Who, from which case, why and by whom
-- is a signed statement, and so is the end of it.
CREATE TABLE bars (
    id         uuid PRIMARY KEY,
    case_id    uuid NOT NULL REFERENCES cases,
    account_id uuid NOT NULL REFERENCES accounts,  -- who is kept off it
    note       text NOT NULL,                      -- who bars whom from which case, and why: a code, signed
    vouch      bytea NOT NULL CHECK (octet_length(vouch) = 32), -- that this service stored it
    made_at    timestamptz NOT NULL,
    lifted_at  timestamptz,
    lift_note  text,                               -- signed by the supervisor who lifted it
    lift_vouch bytea CHECK (octet_length(lift_vouch) = 32),
    CHECK ((lifted_at IS NULL) = (lift_note IS NULL)),
    CHECK ((lifted_at IS NULL) = (lift_vouch IS NULL)),
    registered_by uuid DEFAULT me(),
    register_no   bigint DEFAULT register_next(),
    standing      bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL))
);
CREATE UNIQUE INDEX bars_one_in_force ON bars (case_id, account_id) WHERE lifted_at IS NULL;
CREATE INDEX bars_of_account ON bars (account_id) WHERE lifted_at IS NULL;
CREATE INDEX bars_of_case ON bars (case_id);           -- all of them are compared at each write to the case
CREATE UNIQUE INDEX bars_register ON bars (registered_by, register_no);

-- Whether somebody is kept off a case: asked before they are put on it, by whatever way.
CREATE FUNCTION is_barred(wanted uuid, colleague uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (SELECT FROM public.bars b
                           WHERE b.case_id = wanted AND b.account_id = colleague AND b.lifted_at IS NULL);
        END
    $$;
CREATE FUNCTION i_am_barred(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (SELECT FROM public.bars b
                           WHERE b.case_id = wanted AND b.account_id = mine AND b.lifted_at IS NULL);
        END
    $$;
-- Likewise by what hangs on the case: a task, a placement, an accepted notice. Alerts name these.
CREATE FUNCTION i_am_barred_from(about uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (
                SELECT FROM public.bars b
                WHERE b.account_id = mine AND b.lifted_at IS NULL
                  AND (EXISTS (SELECT FROM public.tasks t WHERE t.id = about AND t.case_id = b.case_id)
                       OR EXISTS (SELECT FROM public.placements p WHERE p.id = about AND p.case_id = b.case_id)
                       OR EXISTS (SELECT FROM public.notices n WHERE n.id = about AND n.case_id = b.case_id)));
        END
    $$;
-- Who recuses themselves writes it down when their access has ended already: in the same commit.
CREATE FUNCTION i_left_case(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (SELECT FROM public.case_access c
                           WHERE c.case_id = wanted AND c.account_id = mine AND c.ended_at IS NOT NULL
                             AND c.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid);
        END
    $$;

GRANT SELECT, INSERT (id, case_id, account_id, note, vouch, made_at) ON bars TO himaya_app;
GRANT UPDATE (lifted_at, lift_note, lift_vouch, standing) ON bars TO himaya_app;
GRANT SELECT ON bars TO himaya_resolver;
ALTER TABLE bars ENABLE ROW LEVEL SECURITY;
ALTER TABLE bars FORCE ROW LEVEL SECURITY;
CREATE POLICY bars_resolver ON bars FOR SELECT TO himaya_resolver USING (true);
-- Whoever writes to a case compares its bars with the case's head.
CREATE POLICY bars_read ON bars FOR SELECT TO himaya_app
    USING (public.i_am_on_case(case_id) OR public.i_supervise_case(case_id));
CREATE POLICY bars_add ON bars FOR INSERT TO himaya_app WITH CHECK (
    (public.i_supervise_case(case_id) AND public.works_with_me(account_id))
    OR (account_id = public.me() AND public.i_left_case(case_id)));
CREATE POLICY bars_lift ON bars FOR UPDATE TO himaya_app USING (public.i_supervise_case(case_id));

DO $$
DECLARE wanted text;
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY['is_barred(uuid, uuid)', 'i_am_barred(uuid)', 'i_am_barred_from(uuid)', 'i_left_case(uuid)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_app, himaya_resolver', wanted);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;

-- A permission counts for nobody who is barred, whoever left it there or put it back. These four ask for it (0015), each once,
-- by a name of its own; all else in them stays as it stands.
DO $$
DECLARE place text[]; was text; term text;
BEGIN
    FOREACH place SLICE 1 IN ARRAY ARRAY[['i_am_on_case(uuid)', 'c'], ['my_relation_to_case(uuid)', 'c'],
                                         ['my_cases(bigint, bigint)', 'a'], ['visit_section(bytea, uuid, uuid, text)', 'g']] LOOP
        was := pg_get_functiondef(place[1]::regprocedure);
        term := format(' %s.ended_at IS NULL', place[2]);
        IF array_length(string_to_array(was, term), 1) IS DISTINCT FROM 2 THEN
            RAISE EXCEPTION 'the function % is not as it was', place[1];
        END IF;
        EXECUTE replace(was, term, format('%1$s
                AND NOT EXISTS (SELECT FROM public.bars b
                                WHERE b.case_id = %2$s.case_id AND b.account_id = %2$s.account_id
                                  AND b.lifted_at IS NULL)', term, place[2]));
    END LOOP;
END $$;
-- Nor for a supervisor, who sees the case's clear rows without one.
CREATE OR REPLACE FUNCTION i_supervise_case(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (SELECT FROM public.cases c WHERE c.id = wanted AND public.i_supervise(c.organisation_id))
               AND NOT public.i_am_barred(wanted);
        END
    $$;
ALTER POLICY cases_mine ON cases
    USING (public.i_am_on_case(id) OR (public.i_supervise(organisation_id) AND NOT public.i_am_barred(id)));
ALTER POLICY cases_change ON cases
    USING (public.i_am_on_case(id) OR (public.i_supervise(organisation_id) AND NOT public.i_am_barred(id)));
ALTER POLICY notices_mine ON notices USING (
    sender_id = public.me() OR public.i_hold(intake_key_id) OR public.i_am_on_case(case_id)
    OR (public.i_supervise(squad_id) AND NOT public.i_am_barred(case_id))
    OR (state = 'returned' AND public.i_supervise(sender_organisation_id)));
ALTER POLICY tasks_mine ON tasks USING (
    (case_id IS NULL AND organisation_id = public.my_organisation())
    OR public.i_am_on_case(case_id) OR (public.i_supervise(organisation_id) AND NOT public.i_am_barred(case_id)));
ALTER POLICY alerts_mine ON alerts USING (
    (CASE what WHEN 'task_overdue' THEN EXISTS (
                   SELECT FROM tasks t WHERE t.id = about AND (t.case_id IS NULL OR public.i_am_on_case(t.case_id))
                      AND (t.assignee_id = public.me() OR public.i_stand_in_for(t.assignee_id, t.case_id)
                           OR (public.my_relation_to_case(t.case_id) = 'assigned' AND public.nobody_does(t.assignee_id, t.case_id))))
               ELSE account_id = public.me() END
     OR (desk AND public.i_keep_desk(organisation_id)) OR public.i_supervise(organisation_id))
    AND NOT public.i_am_barred_from(about));
-- What the session may not do, SQL that is injected into it may not do either.
ALTER POLICY case_access_add ON case_access
    WITH CHECK (public.case_is_new_or_mine(case_id) AND NOT public.is_barred(case_id, account_id));
ALTER POLICY assignments_add ON assignments
    WITH CHECK (public.i_supervise_case(case_id) AND public.works_with_me(account_id)
                AND NOT public.is_barred(case_id, account_id));

-- How each row stands, with the new ones: the rest is as it was.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS ' || rtrim(pg_get_viewdef('standings'), ';') || $view$
    UNION ALL
    SELECT 'bar', id, registered_by, register_no, standing, xmin,
           sha256(convert_to(jsonb_build_array('bar', id, registered_by, register_no, standing, jsonb_build_array(
               case_id, account_id, note, made_at AT TIME ZONE 'UTC', lifted_at AT TIME ZONE 'UTC', lift_note))::text, 'UTF8'))
    FROM bars $view$;
END $$;
