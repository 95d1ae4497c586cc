-- A person's own sessions, seen and ended. An id tells nobody how to go on in one.
CREATE FUNCTION my_sessions() RETURNS TABLE (
        id uuid, started_at timestamptz, last_seen_at timestamptz, expires_at timestamptz)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN QUERY
            SELECT s.id, s.started_at, s.last_seen_at, s.expires_at FROM public.sessions s
            WHERE s.account_id = mine AND s.ended_at IS NULL AND s.expires_at > pg_catalog.now()
              AND s.last_seen_at > pg_catalog.now() - interval '20 minutes'
            ORDER BY s.started_at DESC, s.id;
        END
    $$;
-- One of them ends, or all others: with the commit, on every replica.
CREATE FUNCTION end_my_sessions(wanted uuid[]) RETURNS SETOF uuid
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.me();
        BEGIN
            RETURN QUERY
            UPDATE public.sessions s SET ended_at = pg_catalog.now()
            WHERE s.id = ANY (wanted) AND s.account_id = mine AND s.ended_at IS NULL RETURNING s.id;
        END
    $$;
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION my_sessions() OWNER TO himaya_resolver;
ALTER FUNCTION end_my_sessions(uuid[]) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION my_sessions(), end_my_sessions(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION my_sessions(), end_my_sessions(uuid[]) TO himaya_app, himaya_resolver;
