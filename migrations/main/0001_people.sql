-- Organisations, accounts, their keys and their sessions. Clear columns hold what the service needs without a person.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO himaya_app, himaya_door, himaya_sequencer, himaya_auditor, himaya_resolver;

CREATE TABLE organisations (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL,                      -- one of the ten kinds of participant (plan, section 3b)
    name       text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL
);

CREATE TABLE accounts (
    id                    uuid PRIMARY KEY,
    organisation_id       uuid NOT NULL REFERENCES organisations,
    handle                text NOT NULL UNIQUE CHECK (handle ~ '^[a-z0-9][a-z0-9._-]{2,63}$'),
    nominated_responsible boolean NOT NULL,        -- counts only while forming; afterwards the pinned statement decides
    nominated_custodian   boolean NOT NULL,        -- likewise
    enrolment_hash        bytea,                   -- SHA-256 of the one-time code; null once keys were made
    enrolment_expires_at  timestamptz,
    created_at            timestamptz NOT NULL,
    disabled_at           timestamptz              -- from here on every request is refused
);

CREATE TABLE account_keys (
    account_id  uuid PRIMARY KEY REFERENCES accounts,
    kem_public  bytea NOT NULL CHECK (octet_length(kem_public) = 32),   -- X25519; trusted only through a statement
    sign_public bytea NOT NULL CHECK (octet_length(sign_public) = 32),  -- Ed25519; likewise
    created_at  timestamptz NOT NULL
);

CREATE TABLE credential_slots (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts,
    kind       text NOT NULL CHECK (kind IN ('passphrase')),
    salt       bytea NOT NULL CHECK (octet_length(salt) = 16),
    memory_kib integer NOT NULL,                   -- Argon2id cost, kept so that it can be raised later
    passes     integer NOT NULL,
    lanes      integer NOT NULL,
    sealed     bytea NOT NULL,                     -- the private keys under the credential
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX credential_slots_one_passphrase ON credential_slots (account_id, kind);

CREATE TABLE sessions (
    id                    uuid PRIMARY KEY,
    account_id            uuid NOT NULL REFERENCES accounts,
    lookup_hash           bytea NOT NULL UNIQUE,   -- SHA-256 of the look-up half of the session secret
    sealed_keys           bytea NOT NULL,          -- the private keys under the wrap half of the session secret
    started_at            timestamptz NOT NULL,
    last_seen_at          timestamptz NOT NULL,    -- idle sessions end after 20 minutes
    expires_at            timestamptz NOT NULL,    -- and all of them after 8 hours
    refresh_hash          bytea NOT NULL,          -- SHA-256 of the refresh handle in force
    previous_refresh_hash bytea,                   -- its predecessor, good for 30 seconds after the change
    refreshed_at          timestamptz NOT NULL,
    ended_at              timestamptz
);
CREATE INDEX sessions_of_account ON sessions (account_id) WHERE ended_at IS NULL;

-- Who asks. The app passes the session's look-up secret, never an id; injected SQL has nothing to pass but its own.
CREATE FUNCTION me() RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT s.account_id
        FROM public.sessions s JOIN public.accounts a ON a.id = s.account_id
        WHERE s.lookup_hash = pg_catalog.sha256(pg_catalog.decode(
                  COALESCE(pg_catalog.current_setting('himaya.lookup', true), ''), 'hex'))
          AND s.ended_at IS NULL AND s.expires_at > pg_catalog.now()
          AND s.last_seen_at > pg_catalog.now() - interval '20 minutes' AND a.disabled_at IS NULL
    $$;

CREATE FUNCTION my_organisation() RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT a.organisation_id FROM public.accounts a WHERE a.id = public.me() $$;

-- The technical administrator's people; what they may do there is the policy's to say.
CREATE FUNCTION i_administer() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.organisations o
                       WHERE o.id = public.my_organisation() AND o.kind = 'technical_administrator')
    $$;

-- The one way in for the app: the row of the session whose look-up secret it holds.
CREATE FUNCTION session_enter(lookup bytea) RETURNS TABLE (
        session_id uuid, account_id uuid, organisation_id uuid, sealed_keys bytea, expires_at timestamptz)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH found AS (
            SELECT s.id FROM public.sessions s JOIN public.accounts a ON a.id = s.account_id
            WHERE s.lookup_hash = pg_catalog.sha256(lookup)
              AND s.ended_at IS NULL AND s.expires_at > pg_catalog.now()
              AND s.last_seen_at > pg_catalog.now() - interval '20 minutes' AND a.disabled_at IS NULL
        ), seen AS (
            -- Once a minute is exact enough for a limit of twenty, and spares a write on most requests.
            UPDATE public.sessions s SET last_seen_at = pg_catalog.now()
            FROM found WHERE s.id = found.id AND s.last_seen_at < pg_catalog.now() - interval '1 minute'
        )
        SELECT s.id, s.account_id, a.organisation_id, s.sealed_keys, s.expires_at
        FROM found JOIN public.sessions s ON s.id = found.id JOIN public.accounts a ON a.id = s.account_id
    $$;

CREATE FUNCTION session_leave(lookup bytea) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        UPDATE public.sessions SET ended_at = pg_catalog.now()
        WHERE lookup_hash = pg_catalog.sha256(lookup) AND ended_at IS NULL RETURNING true
    $$;

GRANT SELECT ON sessions, accounts, organisations TO himaya_resolver;
GRANT UPDATE (last_seen_at, ended_at) ON sessions TO himaya_resolver;

-- Accounts and organisations are not secret among those who work here; sessions and credentials are.
GRANT SELECT, INSERT ON organisations TO himaya_app;
GRANT SELECT (id, organisation_id, handle, nominated_responsible, nominated_custodian, created_at, disabled_at)
    ON accounts TO himaya_app;
GRANT INSERT ON accounts TO himaya_app;
GRANT UPDATE (disabled_at) ON accounts TO himaya_app;
GRANT SELECT ON account_keys TO himaya_app;

GRANT SELECT, INSERT, UPDATE ON accounts TO himaya_door;
GRANT SELECT, INSERT ON organisations TO himaya_door; -- the first administrator, by `himaya init`
GRANT SELECT, INSERT ON account_keys, credential_slots TO himaya_door;
GRANT SELECT, INSERT, UPDATE ON sessions TO himaya_door;

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
-- Who works where is not secret here, and the ledger looks up the auditors without a session.
CREATE POLICY accounts_read ON accounts FOR SELECT TO himaya_app USING (true);
CREATE POLICY accounts_add ON accounts FOR INSERT TO himaya_app WITH CHECK (public.i_administer());
-- An account is disabled, and never enabled again.
CREATE POLICY accounts_change ON accounts FOR UPDATE TO himaya_app
    USING (public.i_administer() AND disabled_at IS NULL) WITH CHECK (disabled_at IS NOT NULL);
ALTER TABLE organisations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organisations FORCE ROW LEVEL SECURITY;
CREATE POLICY organisations_read ON organisations FOR SELECT USING (true);
CREATE POLICY organisations_add ON organisations FOR INSERT TO himaya_app WITH CHECK (public.i_administer());
CREATE POLICY organisations_door ON organisations FOR INSERT TO himaya_door WITH CHECK (true);
CREATE POLICY accounts_door ON accounts TO himaya_door USING (true) WITH CHECK (true);
CREATE POLICY accounts_resolver ON accounts TO himaya_resolver USING (true);
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY sessions_door ON sessions TO himaya_door USING (true) WITH CHECK (true);
CREATE POLICY sessions_resolver ON sessions TO himaya_resolver USING (true);
ALTER TABLE credential_slots ENABLE ROW LEVEL SECURITY;
ALTER TABLE credential_slots FORCE ROW LEVEL SECURITY;
CREATE POLICY credential_slots_door ON credential_slots TO himaya_door USING (true) WITH CHECK (true);
ALTER TABLE account_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY account_keys_app ON account_keys FOR SELECT TO himaya_app USING (public.me() IS NOT NULL);
CREATE POLICY account_keys_door ON account_keys TO himaya_door USING (true) WITH CHECK (true);

GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION me() OWNER TO himaya_resolver;
ALTER FUNCTION my_organisation() OWNER TO himaya_resolver;
ALTER FUNCTION i_administer() OWNER TO himaya_resolver;
ALTER FUNCTION session_enter(bytea) OWNER TO himaya_resolver;
ALTER FUNCTION session_leave(bytea) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION me(), my_organisation(), i_administer(), session_enter(bytea), session_leave(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION me(), my_organisation(), i_administer(), session_enter(bytea), session_leave(bytea) TO himaya_app, himaya_resolver;
