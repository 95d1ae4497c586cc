-- Which record keys are in use: all that the sweeper may ask, by ids that it has from the erasure store.
GRANT USAGE ON SCHEMA public TO himaya_sweeper;
CREATE FUNCTION keys_in_use(asked uuid[]) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT a.id FROM pg_catalog.unnest(asked) AS a (id)
        WHERE EXISTS (SELECT FROM public.sealed s WHERE s.key_id = a.id)
           OR EXISTS (SELECT FROM public.wraps w WHERE w.key_id = a.id)
    $$;
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION keys_in_use(uuid[]) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION keys_in_use(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keys_in_use(uuid[]) TO himaya_sweeper, himaya_resolver;
