-- Whoever proposed a policy does not mark it as agreed to: the other one of the two does. So injected SQL in the session of one of them
-- plants no row that each look at the agreements has to read, but by spoiling a proposal of the other.
DROP POLICY policy_changes_sign ON policy_changes;
CREATE POLICY policy_changes_sign ON policy_changes FOR UPDATE TO himaya_app
    USING (organisation_id = public.my_organisation() AND public.i_am_responsible(organisation_id) AND agreed_at IS NULL
           AND registered_by IS DISTINCT FROM public.me())
    WITH CHECK (organisation_id = public.my_organisation() AND public.i_am_responsible(organisation_id));
