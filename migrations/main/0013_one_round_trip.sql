-- What is asked at each request, in fewer words. The answers are the same as before: only how they are found changes.
--
-- A function in SQL is planned again in every statement that calls it; in PL/pgSQL once for a connection. Who asks is found
-- out once for each call, not once for each row, and the secret is hashed once, not once for each session that is compared.
-- The two unique indexes are each about one sort of recipient: without this one, who asks for every wrap of a key reads the
-- whole table, and row-level security asks that for every sealed row.
CREATE INDEX wraps_of_key ON wraps (key_id, epoch);

CREATE OR REPLACE FUNCTION me() RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE wanted bytea := pg_catalog.sha256(
            pg_catalog.decode(COALESCE(pg_catalog.current_setting('himaya.lookup', true), ''), 'hex'));
        BEGIN
            RETURN (
                SELECT s.account_id
                FROM public.sessions s JOIN public.accounts a ON a.id = s.account_id
                WHERE s.lookup_hash = wanted
                  AND s.ended_at IS NULL AND s.expires_at > pg_catalog.now()
                  AND s.last_seen_at > pg_catalog.now() - interval '20 minutes' AND a.disabled_at IS NULL);
        END
    $$;
CREATE OR REPLACE FUNCTION i_hold(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (SELECT FROM public.shared_key_wraps w WHERE w.key_id = wanted AND w.account_id = mine);
        END
    $$;
CREATE OR REPLACE FUNCTION i_supervise(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (
                SELECT FROM public.shared_key_wraps w JOIN public.shared_keys k ON k.id = w.key_id
                WHERE k.organisation_id = wanted AND k.purpose = 'review' AND w.account_id = mine);
        END
    $$;
CREATE OR REPLACE FUNCTION i_am_on_case(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (SELECT FROM public.case_access c
                           WHERE c.case_id = wanted AND c.account_id = mine AND c.ended_at IS NULL);
        END
    $$;
CREATE OR REPLACE FUNCTION i_can_unwrap(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN EXISTS (
                SELECT FROM public.wraps w
                WHERE w.key_id = wanted AND w.active_from <= pg_catalog.now() AND w.active_until > pg_catalog.now()
                  AND (w.recipient_account = mine
                       OR EXISTS (SELECT FROM public.shared_key_wraps s
                                  JOIN public.shared_keys k ON k.id = s.key_id AND k.purpose <> 'custody'
                                  WHERE s.key_id = w.recipient_key AND s.account_id = mine)));
        END
    $$;
CREATE OR REPLACE FUNCTION key_is_free_or_mine(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN public.me() IS NOT NULL
               AND (NOT EXISTS (SELECT FROM public.wraps w WHERE w.key_id = wanted) OR public.i_can_unwrap(wanted));
        END
    $$;
CREATE OR REPLACE FUNCTION i_supervise_case(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN EXISTS (SELECT FROM public.cases c WHERE c.id = wanted AND public.i_supervise(c.organisation_id));
        END
    $$;
CREATE OR REPLACE FUNCTION session_enter(lookup bytea) RETURNS TABLE (
        session_id uuid, account_id uuid, organisation_id uuid, sealed_keys bytea, expires_at timestamptz)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE
            wanted bytea := pg_catalog.sha256(lookup);
            last_seen timestamptz;
        BEGIN
            SELECT s.id, s.account_id, a.organisation_id, s.sealed_keys, s.expires_at, s.last_seen_at
            INTO session_id, account_id, organisation_id, sealed_keys, expires_at, last_seen
            FROM public.sessions s JOIN public.accounts a ON a.id = s.account_id
            WHERE s.lookup_hash = wanted
              AND s.ended_at IS NULL AND s.expires_at > pg_catalog.now()
              AND s.last_seen_at > pg_catalog.now() - interval '20 minutes' AND a.disabled_at IS NULL;
            IF session_id IS NULL THEN
                RETURN;
            END IF;
            -- Once a minute is exact enough for a limit of twenty, and spares a write on most requests.
            IF last_seen < pg_catalog.now() - interval '1 minute' THEN
                UPDATE public.sessions s SET last_seen_at = pg_catalog.now() WHERE s.id = session_id;
            END IF;
            RETURN NEXT;
        END
    $$;

-- What is sealed of these records for the session that the transaction speaks for, each with one wrap that leads to its
-- key, those to the person first. No other wrap is looked at, however many there are: joined under row-level security,
-- every wrap of the table was asked whether it is the session's.
CREATE FUNCTION sealed_for_me(wanted uuid[]) RETURNS TABLE (
        record_id uuid, kind text, case_id uuid, key_id uuid, epoch integer, version bigint, blob bytea, author uuid,
        signature bytea, vouch bytea, wrap bytea, grant_id uuid, shared_key uuid, shared_wrap bytea)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            IF mine IS NULL THEN
                RETURN;
            END IF;
            RETURN QUERY
            SELECT s.record_id, s.kind, s.case_id, s.key_id, s.epoch, s.version, s.blob, s.author, s.signature, s.vouch,
                   h.wrap, h.grant_id, h.shared_key, h.shared_wrap
            FROM public.sealed s
            CROSS JOIN LATERAL (
                SELECT w.wrap, w.grant_id, k.key_id AS shared_key, k.wrap AS shared_wrap
                FROM public.wraps w
                LEFT JOIN public.shared_key_wraps k ON k.key_id = w.recipient_key AND k.account_id = mine
                    AND EXISTS (SELECT FROM public.shared_keys p WHERE p.id = k.key_id AND p.purpose <> 'custody')
                WHERE w.key_id = s.key_id AND w.epoch = s.epoch
                  AND (w.recipient_account = mine OR k.key_id IS NOT NULL)
                  AND w.active_from <= pg_catalog.now() AND w.active_until > pg_catalog.now()
                ORDER BY w.recipient_account NULLS LAST LIMIT 1) h
            WHERE s.record_id = ANY (wanted);
        END
    $$;

-- The cases that the session's person is on, below a number, newest first.
CREATE FUNCTION my_cases(before bigint, most bigint) RETURNS TABLE (
        id uuid, number bigint, organisation_id uuid, state text, epoch integer, epoch_pending boolean,
        opened_at timestamptz, relation text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            -- The person's own cases first: going down all numbers until fifty are found would pass by everybody's.
            RETURN QUERY
            WITH own AS MATERIALIZED (
                SELECT a.case_id, a.relation FROM public.case_access a WHERE a.account_id = mine AND a.ended_at IS NULL)
            SELECT c.id, c.number, c.organisation_id, c.state, c.epoch, c.epoch_pending, c.opened_at, o.relation
            FROM own o JOIN public.cases c ON c.id = o.case_id
            WHERE c.number < before
            ORDER BY c.number DESC LIMIT most;
        END
    $$;

-- The newest statements that ever vouched for somebody: to check what they signed while they were here.
CREATE FUNCTION statements_ever(wanted uuid) RETURNS TABLE (founding text, membership text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        BEGIN
            RETURN QUERY
            SELECT f.note, m.note FROM public.accounts a
            LEFT JOIN public.foundings f ON f.organisation_id = a.organisation_id
            LEFT JOIN public.memberships m
                ON m.account_id = a.id AND m.organisation_id = a.organisation_id AND m.complete
            WHERE a.id = wanted ORDER BY m.proposed_at DESC NULLS LAST LIMIT 1;
        END
    $$;

-- One section in one round trip: the session whose look-up secret this is, as `session_enter` gives it; the statements that
-- vouch for its person; how the person stands to the case; and, only to somebody on the case, the section at this place
-- with the case's head, what is sealed for them, and the statements of those who signed the two. Whoever injects this call
-- has no secret to pass but their own session's, and gets what row-level security would show.
CREATE FUNCTION visit_section(lookup bytea, wanted_case uuid, wanted_person uuid, wanted_kind text) RETURNS TABLE (
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

-- Whether injected SQL left something behind in this connection, but for settings, which the caller compares. As the one
-- who asks, without a search path of its own: every name is qualified, since theirs may have been changed.
CREATE FUNCTION nothing_is_left() RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    AS $$
        BEGIN
            RETURN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) 0::pg_catalog.oid
               AND CURRENT_USER OPERATOR(pg_catalog.=) SESSION_USER
               AND COALESCE(pg_catalog.current_setting('himaya.lookup', true), '') OPERATOR(pg_catalog.=) ''
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() p WHERE p.from_sql)
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_cursor())
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_lock_status() l
                               WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory'
                                 AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid());
        END
    $$;

GRANT SELECT ON foundings TO himaya_resolver;
CREATE POLICY foundings_resolver ON foundings FOR SELECT TO himaya_resolver USING (true);
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION sealed_for_me(uuid[]) OWNER TO himaya_resolver;
ALTER FUNCTION my_cases(bigint, bigint) OWNER TO himaya_resolver;
ALTER FUNCTION statements_ever(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION visit_section(bytea, uuid, uuid, text) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION sealed_for_me(uuid[]), my_cases(bigint, bigint), statements_ever(uuid), visit_section(bytea, uuid, uuid, text),
    nothing_is_left() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sealed_for_me(uuid[]), my_cases(bigint, bigint), visit_section(bytea, uuid, uuid, text)
    TO himaya_app, himaya_resolver;
GRANT EXECUTE ON FUNCTION statements_ever(uuid) TO himaya_resolver;
GRANT EXECUTE ON FUNCTION nothing_is_left() TO himaya_app, himaya_door;
