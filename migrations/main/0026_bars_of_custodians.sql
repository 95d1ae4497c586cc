-- A custodian may be of another organisation, and have a conflict of interest all the same: the squad's supervisors keep them off a
-- case like a colleague.
CREATE FUNCTION keeps_our_custody(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        DECLARE mine uuid := public.my_organisation();
        BEGIN
            RETURN EXISTS (SELECT FROM public.shared_keys k JOIN public.custody_shares s ON s.key_id = k.id
                           WHERE k.organisation_id = mine AND k.purpose = 'custody' AND wanted IN (s.first_account, s.second_account));
        END
    $$;
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION keeps_our_custody(uuid) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION keeps_our_custody(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keeps_our_custody(uuid) TO himaya_app, himaya_resolver;

ALTER POLICY bars_add ON bars WITH CHECK (
    (public.i_supervise_case(case_id) AND (public.works_with_me(account_id) OR public.keeps_our_custody(account_id)))
    OR (account_id = public.me() AND public.i_left_case(case_id)));
