-- Who a pseudonym of the ledger is: two auditors of one office ask for it together. The name stands nowhere here; the service computes it,
-- for those two, while both signatures hold. Nothing here is believed: the signatures decide.
CREATE TABLE resolutions (
    id              uuid PRIMARY KEY,
    number          bigint GENERATED ALWAYS AS IDENTITY, -- the order of the list
    organisation_id uuid NOT NULL REFERENCES organisations, -- the auditors' office
    person          text NOT NULL CHECK (length(person) BETWEEN 1 AND 100), -- the pseudonym that is asked about
    note            text NOT NULL CHECK (octet_length(note) <= 4096), -- pseudonym, reason, times: signed by one, then by both
    made_at         timestamptz NOT NULL,
    agreed_by       uuid REFERENCES accounts,        -- null until the second has signed
    agreed_at       timestamptz,
    registered_by   uuid DEFAULT me(),
    register_no     bigint DEFAULT register_next(),
    standing        bigint NOT NULL DEFAULT 1,
    CHECK ((agreed_by IS NULL) = (agreed_at IS NULL)),
    CHECK (agreed_by <> registered_by),
    CHECK ((registered_by IS NULL) = (register_no IS NULL))
);
CREATE INDEX resolutions_of_office ON resolutions (organisation_id, number);
CREATE UNIQUE INDEX resolutions_register ON resolutions (registered_by, register_no);

GRANT SELECT, INSERT (id, organisation_id, person, note, made_at) ON resolutions TO himaya_app;
GRANT UPDATE (note, agreed_by, agreed_at, standing) ON resolutions TO himaya_app;
GRANT SELECT ON resolutions TO himaya_resolver;
ALTER TABLE resolutions ENABLE ROW LEVEL SECURITY;
ALTER TABLE resolutions FORCE ROW LEVEL SECURITY;
CREATE POLICY resolutions_standing ON resolutions FOR SELECT TO himaya_resolver USING (true);
CREATE POLICY resolutions_read ON resolutions FOR SELECT TO himaya_app USING (organisation_id = public.my_organisation());
CREATE POLICY resolutions_add ON resolutions FOR INSERT TO himaya_app
    WITH CHECK (organisation_id = public.my_organisation()
        AND EXISTS (SELECT FROM public.organisations o WHERE o.id = organisation_id AND o.kind = 'auditor_office'));
CREATE POLICY resolutions_sign ON resolutions FOR UPDATE TO himaya_app
    USING (organisation_id = public.my_organisation() AND agreed_at IS NULL)
    WITH CHECK (organisation_id = public.my_organisation() AND agreed_by = public.me());

-- How each row stands, with the new ones: the rest is as it was.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS ' || rtrim(pg_get_viewdef('standings'), ';') || $view$
    UNION ALL
    SELECT 'resolution', id, registered_by, register_no, standing, xmin,
           sha256(convert_to(jsonb_build_array('resolution', id, registered_by, register_no, standing, jsonb_build_array(
               organisation_id, person, note, made_at AT TIME ZONE 'UTC', agreed_by, agreed_at AT TIME ZONE 'UTC'))::text, 'UTF8'))
    FROM resolutions $view$;
END $$;
