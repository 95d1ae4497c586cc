-- What is erased stays out of sight also after a restore that nobody finished; a hold that nobody placed keeps no case; and what
-- is struck off is named as it stood.

-- The service applies the file of tombstones at its start, as the sweeper's role: a case that came back is there for nobody.
GRANT INSERT ON erased_before TO himaya_resolver;
CREATE POLICY erased_before_add ON erased_before FOR INSERT TO himaya_resolver WITH CHECK (true);
CREATE FUNCTION hide_erased(erased uuid[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE hidden bigint;
        BEGIN
            INSERT INTO public.erased_before (case_id) SELECT c.id FROM public.cases c WHERE c.id = ANY (erased)
                ON CONFLICT DO NOTHING;
            GET DIAGNOSTICS hidden = ROW_COUNT;
            RETURN hidden;
        END
    $$;
-- Whether a key is of something that hangs on such a case.
CREATE FUNCTION hangs_on_hidden(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (
                SELECT FROM public.sealed s WHERE s.key_id = wanted AND (
                    public.was_erased(s.case_id)
                    OR EXISTS (SELECT FROM public.placements p
                               WHERE s.record_id IN (p.id, p.address_id, p.care_id) AND public.was_erased(p.case_id))
                    OR EXISTS (SELECT FROM public.notices n WHERE n.id = s.record_id AND public.was_erased(n.case_id))
                    OR EXISTS (SELECT FROM public.addenda a JOIN public.notices n ON n.id = a.notice_id
                               WHERE a.id = s.record_id AND public.was_erased(n.case_id))
                    OR EXISTS (SELECT FROM public.attachments t JOIN public.notices n ON n.id = t.notice_id
                               WHERE t.id = s.record_id AND public.was_erased(n.case_id))
                    OR EXISTS (SELECT FROM public.consents c WHERE c.id = s.record_id AND public.was_erased(c.case_id))
                    OR EXISTS (SELECT FROM public.tasks t WHERE t.id = s.record_id AND public.was_erased(t.case_id))));
        END
    $$;
CREATE POLICY wraps_hidden ON wraps FOR DELETE TO himaya_resolver USING (public.hangs_on_hidden(key_id));
CREATE FUNCTION unwrap_hidden(erased uuid[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE gone bigint;
        BEGIN
            -- As it is nearly always.
            IF NOT EXISTS (SELECT FROM public.erased_before) THEN
                RETURN 0;
            END IF;
            DELETE FROM public.wraps w WHERE w.key_id = ANY (erased) AND public.hangs_on_hidden(w.key_id);
            GET DIAGNOSTICS gone = ROW_COUNT;
            RETURN gone;
        END
    $$;

-- A hold carries a second code, that the service placed one of this id on this case: whatever somebody makes of the rest of the
-- row, it is known for one that was placed. Holds from before have none, and are known by the code of what they say.
ALTER TABLE holds
    ADD COLUMN placed_vouch bytea CHECK (octet_length(placed_vouch) = 32),
    ADD COLUMN disregarded_at timestamptz;         -- when the service found that it never placed this one
GRANT INSERT (placed_vouch) ON holds TO himaya_app;
GRANT UPDATE (disregarded_at) ON holds TO himaya_resolver;
CREATE POLICY holds_disregard ON holds FOR UPDATE TO himaya_resolver
    USING (disregarded_at IS NULL) WITH CHECK (disregarded_at IS NOT NULL);
-- What keeps a case whose erasure is proposed: for the sweeper's role, which has the service's codes compared. No session of a
-- person disregards a hold.
CREATE FUNCTION holds_in_the_way(wanted uuid) RETURNS TABLE (id uuid, note text, vouch bytea, placed_vouch bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT h.id, h.note, h.vouch, h.placed_vouch FROM public.holds h
        WHERE h.case_id = wanted AND h.lifted_at IS NULL AND h.disregarded_at IS NULL
          AND EXISTS (SELECT FROM public.proposals p
                      WHERE p.case_id = wanted AND p.act = 'erasure' AND p.confirmed_at IS NULL)
    $$;
CREATE FUNCTION disregard_hold(wanted uuid) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            UPDATE public.holds h SET disregarded_at = pg_catalog.now() WHERE h.id = wanted AND h.disregarded_at IS NULL;
        END
    $$;

-- That the service itself carries out an erasure, in this very transaction: written down by the sweeper's role when both signatures
-- and the holds were looked at. SQL that is injected into the session of a supervisor writes none, and so erases nothing.
CREATE TABLE erasure_orders (
    proposal_id uuid NOT NULL,                     -- refers to nothing: it goes with its case
    second_id   uuid NOT NULL,                     -- in whose session it is carried out
    transaction xid8 PRIMARY KEY,                  -- and in which transaction: in no other is it worth anything
    ordered_at  timestamptz NOT NULL
);
ALTER TABLE erasure_orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure_orders FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, DELETE ON erasure_orders TO himaya_resolver;
CREATE POLICY erasure_orders_all ON erasure_orders TO himaya_resolver USING (true) WITH CHECK (true);
CREATE FUNCTION order_erasure(proposal uuid, second uuid, carried_out_in text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            DELETE FROM public.erasure_orders o WHERE o.ordered_at < pg_catalog.now() - interval '1 day';
            INSERT INTO public.erasure_orders (proposal_id, second_id, transaction, ordered_at)
                VALUES (proposal, second, carried_out_in::pg_catalog.xid8, pg_catalog.now());
        END
    $$;

-- As it was, and: the service ordered it; a hold that was disregarded does not count, and one with an end counts until both clocks have passed it, the
-- caller's and this database's. A later time in an injected statement passes none by.
CREATE OR REPLACE FUNCTION two_erase(proposal uuid, wanted uuid, wanted_number bigint, organisation uuid, first uuid, at timestamptz)
    RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (
                SELECT FROM public.proposals p JOIN public.cases c ON c.id = p.case_id
                WHERE p.id = proposal AND p.case_id = wanted AND p.act = 'erasure' AND p.confirmed_at IS NOT NULL
                  AND p.xmin = pg_catalog.pg_current_xact_id()::pg_catalog.xid
                  AND p.registered_by = first AND first <> public.me()
                  AND p.lapses_at > at AND p.lapses_at > pg_catalog.now()
                  AND c.number = wanted_number AND c.organisation_id = organisation)
               AND EXISTS (SELECT FROM public.erasure_orders o
                           WHERE o.transaction = pg_catalog.pg_current_xact_id() AND o.proposal_id = proposal
                             AND o.second_id = public.me())
               AND NOT EXISTS (SELECT FROM public.holds h
                               WHERE h.case_id = wanted AND h.lifted_at IS NULL AND h.disregarded_at IS NULL
                                 AND (h.until IS NULL OR h.until > LEAST(at, pg_catalog.clock_timestamp())));
        END
    $$;

-- As it was, and it also says how each row stood that it takes away, which is entered with its number.
DO $$
DECLARE
    was text := pg_get_functiondef('erase_case(uuid)'::regprocedure);
    term text := $term$NULL::bigint,
                   NULL::uuid, NULL::bytea, NULL::bytea
            FROM public.standings s$term$;
BEGIN
    IF array_length(string_to_array(was, term), 1) IS DISTINCT FROM 2 THEN
        RAISE EXCEPTION 'the function erase_case is not as it was';
    END IF;
    EXECUTE replace(was, term, 's.standing, NULL::uuid, s.digest, NULL::bytea FROM public.standings s');
END $$;

DO $$
DECLARE wanted text;
BEGIN
    GRANT CREATE ON SCHEMA public TO himaya_resolver;
    FOREACH wanted IN ARRAY ARRAY['hide_erased(uuid[])', 'unwrap_hidden(uuid[])', 'holds_in_the_way(uuid)', 'disregard_hold(uuid)',
                                  'order_erasure(uuid, uuid, text)'] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO himaya_resolver', wanted);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', wanted);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO himaya_sweeper, himaya_resolver', wanted);
    END LOOP;
    ALTER FUNCTION hangs_on_hidden(uuid) OWNER TO himaya_resolver;
    REVOKE ALL ON FUNCTION hangs_on_hidden(uuid) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION hangs_on_hidden(uuid) TO himaya_resolver;
    REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
END $$;
