-- What the National Coordinator sees at any time: operational counters in bands, and nothing that counts persons. The bands
-- are made here, so that whatever runs in a coordinator's session learns no more than they do. By the database's own clock,
-- so that nobody moves the moment to find out when something happened.
CREATE FUNCTION band(counted bigint) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT CASE WHEN counted = 0 THEN '0' WHEN counted <= 2 THEN '1-2' WHEN counted <= 9 THEN '3-9' ELSE counted::text END
    $$;
CREATE FUNCTION i_coordinate() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.organisations o
                       WHERE o.id = public.my_organisation() AND o.kind = 'coordinator_office')
    $$;
-- Notices that nobody has acknowledged, and those of them whose 24 hours are over; in how many of a hundred notices of the
-- last twelve complete months they were kept, to the next five, where the months hold at least twelve (four times the base
-- of three, to which the number is taken down first).
CREATE FUNCTION status_notices() RETURNS TABLE (waiting text, overdue text, in_time_percent integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH year AS (
            SELECT pg_catalog.count(*) AS sent,
                   pg_catalog.count(*) FILTER (WHERE n.acknowledged_at <= n.suspected_at + interval '24 hours') AS in_time
            FROM public.notices n
            WHERE n.suspected_at < pg_catalog.date_trunc('month', pg_catalog.now(), 'UTC')
              AND n.suspected_at >= pg_catalog.date_trunc('month', pg_catalog.now(), 'UTC') - interval '12 months'
        )
        SELECT public.band((SELECT pg_catalog.count(*) FROM public.notices n WHERE n.state = 'sent')),
               public.band((SELECT pg_catalog.count(*) FROM public.notices n
                            WHERE n.state = 'sent' AND n.suspected_at + interval '24 hours' < pg_catalog.now())),
               CASE WHEN y.sent / 3 * 3 >= 12 THEN (5 * pg_catalog.round(20.0 * y.in_time / y.sent))::integer END
        FROM year y WHERE public.i_coordinate()
    $$;
-- Calls in each of the last twelve complete months, where there were ten at least. A call that was handed over lives on as
-- its notice.
CREATE FUNCTION status_calls() RETURNS TABLE (month text, calls bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH begun AS (
            SELECT pg_catalog.date_trunc('month', pg_catalog.now(), 'UTC') - pg_catalog.make_interval(months => m) AS start
            FROM pg_catalog.generate_series(1, 12) AS g (m)
        ), counted AS (
            SELECT b.start,
                   (SELECT pg_catalog.count(*) FROM public.calls c
                    WHERE c.opened_at >= b.start AND c.opened_at < b.start + interval '1 month')
                   + (SELECT pg_catalog.count(*) FROM public.notices n
                      WHERE n.sent_at >= b.start AND n.sent_at < b.start + interval '1 month') AS calls
            FROM begun b
        )
        SELECT pg_catalog.to_char(k.start AT TIME ZONE 'UTC', 'YYYY-MM'), CASE WHEN k.calls >= 10 THEN k.calls END
        FROM counted k WHERE public.i_coordinate() ORDER BY k.start DESC
    $$;
-- Places by type in the whole country, in houses where somebody could be placed; never by house. As they stood when the day
-- began: the same answer to every question of one day, so that nobody watches a house fill, or takes the answer after it closed
-- from the one before. Free places in bands; and how many places there are only where three houses have some.
CREATE FUNCTION band_of_places(counted bigint) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT CASE WHEN counted = 0 THEN '0' WHEN counted <= 2 THEN '1-2' ELSE '3+' END $$;
CREATE FUNCTION status_places() RETURNS TABLE (places text, capacity bigint, free text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH moment AS (
            SELECT pg_catalog.date_trunc('day', pg_catalog.now(), 'UTC') AS at
        ), open AS (
            SELECT a.id, a.women, a.men, a.families, a.children
            FROM public.accommodations a CROSS JOIN moment m
            JOIN LATERAL (SELECT * FROM public.certificates c
                          WHERE c.accommodation_id = a.id AND c.certified_at <= m.at
                          ORDER BY c.certified_at DESC LIMIT 1) c ON true
            WHERE a.opened_at <= m.at AND c.expires_at > m.at AND pg_catalog.cardinality(c.conditions) = 7
        ), typed AS (
            SELECT t.places, t.capacity,
                   (SELECT pg_catalog.count(*) FROM public.placements p CROSS JOIN moment m
                    WHERE p.accommodation_id = o.id AND p.places = t.places AND p.matched_at <= m.at
                      AND (p.ended_at IS NULL OR p.ended_at > m.at)) AS taken
            FROM open o
            CROSS JOIN LATERAL (VALUES ('women', o.women), ('men', o.men), ('families', o.families),
                                       ('children', o.children)) AS t (places, capacity)
            WHERE t.capacity > 0
        )
        SELECT t.places, CASE WHEN pg_catalog.count(*) >= 3 THEN pg_catalog.sum(t.capacity)::bigint END,
               public.band_of_places(pg_catalog.sum(greatest(t.capacity - t.taken, 0))::bigint)
        FROM typed t WHERE public.i_coordinate() GROUP BY t.places
    $$;
-- Who there is to do the work.
CREATE FUNCTION status_staff() RETURNS TABLE (organisations bigint, staff bigint, trained bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT (SELECT pg_catalog.count(*) FROM public.organisations),
               (SELECT pg_catalog.count(*) FROM public.accounts a WHERE a.disabled_at IS NULL),
               (SELECT pg_catalog.count(DISTINCT t.account_id) FROM public.trainings t
                JOIN public.accounts a ON a.id = t.account_id AND a.disabled_at IS NULL
                WHERE t.expires_at > pg_catalog.now())
        WHERE public.i_coordinate()
    $$;

GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION band(bigint) OWNER TO himaya_resolver;
ALTER FUNCTION band_of_places(bigint) OWNER TO himaya_resolver;
ALTER FUNCTION i_coordinate() OWNER TO himaya_resolver;
ALTER FUNCTION status_notices() OWNER TO himaya_resolver;
ALTER FUNCTION status_calls() OWNER TO himaya_resolver;
ALTER FUNCTION status_places() OWNER TO himaya_resolver;
ALTER FUNCTION status_staff() OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION band(bigint), band_of_places(bigint), i_coordinate(), status_notices(), status_calls(), status_places(),
    status_staff() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION status_notices(), status_calls(), status_places(), status_staff() TO himaya_app;
GRANT EXECUTE ON FUNCTION band(bigint), band_of_places(bigint), i_coordinate() TO himaya_resolver;
