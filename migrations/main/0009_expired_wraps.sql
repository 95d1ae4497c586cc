-- What was wrapped until a time is of no use after it, except to who carries the database away: an operator's passphrase
-- would open from a copy what the operator abandoned. The sweeper, which sees no wrap, has such wraps deleted.
CREATE FUNCTION end_expired_wraps() RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH ended AS (DELETE FROM public.wraps w WHERE w.active_until <= pg_catalog.now() RETURNING 1)
        SELECT pg_catalog.count(*) FROM ended
    $$;
GRANT DELETE ON wraps TO himaya_resolver;
CREATE POLICY wraps_resolver_ends ON wraps FOR DELETE TO himaya_resolver USING (active_until <= now());
CREATE INDEX wraps_that_end ON wraps (active_until) WHERE active_until < 'infinity';
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION end_expired_wraps() OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION end_expired_wraps() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION end_expired_wraps() TO himaya_sweeper, himaya_resolver;
