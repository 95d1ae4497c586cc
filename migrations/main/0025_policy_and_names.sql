-- Which policy decides, as two responsible persons agreed: each change is proposed by one and countersigned by the other. Nothing
-- here is secret, and nothing here is believed: the two signatures decide, checked back to the pinned founding.
CREATE TABLE policy_changes (
    id              uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisations, -- whose two responsible persons agree
    number          integer NOT NULL CHECK (number >= 1),   -- the agreements follow one another
    note            text NOT NULL CHECK (octet_length(note) <= 16384), -- number, digest, difference, times: signed by one, then by both
    difference      text NOT NULL CHECK (octet_length(difference) <= 4194304), -- the rules that differ from the policy before, to be read
    made_at         timestamptz NOT NULL,
    agreed_at       timestamptz,                   -- null until the second has signed
    registered_by   uuid DEFAULT me(),
    register_no     bigint DEFAULT register_next(),
    standing        bigint NOT NULL DEFAULT 1,
    CHECK ((registered_by IS NULL) = (register_no IS NULL))
);
-- Not unique: one that is planted must not keep the true one out.
CREATE INDEX policy_changes_agreed ON policy_changes (organisation_id, number) WHERE agreed_at IS NOT NULL;
CREATE UNIQUE INDEX policy_changes_register ON policy_changes (registered_by, register_no);

GRANT SELECT, INSERT (id, organisation_id, number, note, difference, made_at) ON policy_changes TO himaya_app;
GRANT UPDATE (note, agreed_at, standing) ON policy_changes TO himaya_app;
GRANT SELECT ON policy_changes TO himaya_resolver;
ALTER TABLE policy_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE policy_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY policy_changes_standing ON policy_changes FOR SELECT TO himaya_resolver USING (true);
-- A process reads them before anybody is there.
CREATE POLICY policy_changes_read ON policy_changes FOR SELECT TO himaya_app USING (true);
-- Only the two: a colleague's session with injected SQL must not fill what each look reads.
CREATE POLICY policy_changes_add ON policy_changes FOR INSERT TO himaya_app
    WITH CHECK (organisation_id = public.my_organisation() AND public.i_am_responsible(organisation_id));
CREATE POLICY policy_changes_sign ON policy_changes FOR UPDATE TO himaya_app
    USING (organisation_id = public.my_organisation() AND public.i_am_responsible(organisation_id) AND agreed_at IS NULL)
    WITH CHECK (organisation_id = public.my_organisation() AND public.i_am_responsible(organisation_id));

-- How each row stands, with the new ones: the rest is as it was.
DO $$
BEGIN
    EXECUTE 'CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS ' || rtrim(pg_get_viewdef('standings'), ';') || $view$
    UNION ALL
    SELECT 'policy_change', id, registered_by, register_no, standing, xmin,
           sha256(convert_to(jsonb_build_array('policy_change', id, registered_by, register_no, standing, jsonb_build_array(
               organisation_id, number, note, difference, made_at AT TIME ZONE 'UTC', agreed_at AT TIME ZONE 'UTC'))::text, 'UTF8'))
    FROM policy_changes $view$;
END $$;

-- Somebody else names the person, by OpenID Connect; it opens nothing. Only the door's own role touches any of this.

-- Who is whom: the issuer and its subject, as a hash under a secret of the service. The table names nobody to who reads it.
CREATE TABLE oidc_links (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL UNIQUE REFERENCES accounts,
    subject      bytea NOT NULL UNIQUE CHECK (octet_length(subject) = 32),
    issuer       bytea NOT NULL CHECK (octet_length(issuer) = 32), -- likewise: with another issuer the link counts no more
    pepper       text NOT NULL CHECK (pepper ~ '^[0-9a-f]{16}$'), -- the secret's name; made anew when it names somebody
    made_at      timestamptz NOT NULL,
    last_used_at timestamptz
);
-- A way to the issuer that has begun: what it is bound to is derived from a secret in the client's hands, so any replica can
-- finish it, once, and nothing here helps who reads it.
CREATE TABLE oidc_attempts (
    state        bytea PRIMARY KEY CHECK (octet_length(state) = 32),
    session_id   uuid REFERENCES sessions,         -- of the person who links; null for who signs in
    tries_bucket bytea CHECK (octet_length(tries_bucket) = 32), -- the try that is given back when it ends well
    tries_window timestamptz,
    expires_at   timestamptz NOT NULL,
    CHECK ((tries_bucket IS NULL) = (tries_window IS NULL))
);
CREATE INDEX oidc_attempts_over ON oidc_attempts (expires_at);
-- Somebody was named: it stands for the name at one sign-in. Null where the issuer named somebody who is linked to nobody.
CREATE TABLE oidc_tickets (
    ticket     bytea PRIMARY KEY CHECK (octet_length(ticket) = 32),
    link_id    uuid REFERENCES oidc_links ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_tickets_over ON oidc_tickets (expires_at);
CREATE INDEX oidc_tickets_of_link ON oidc_tickets (link_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON oidc_links, oidc_attempts, oidc_tickets TO himaya_door;
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['oidc_links', 'oidc_attempts', 'oidc_tickets'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', wanted);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', wanted);
        EXECUTE format('CREATE POLICY %I ON %I TO himaya_door USING (true) WITH CHECK (true)', wanted || '_door', wanted);
    END LOOP;
END $$;
