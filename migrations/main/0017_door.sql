-- The door under attack, and more than one way in. Nobody but the door's own role touches any of this.

-- Tries at the door, counted for all replicas by this database's clock. What a bucket stands for (a name, an address, a device)
-- is hashed under a secret of the service: the table names nobody.
CREATE TABLE sign_in_tries (
    bucket         bytea PRIMARY KEY CHECK (octet_length(bucket) = 32),
    window_ends_at timestamptz NOT NULL,           -- the count begins anew then
    taken          integer NOT NULL CHECK (taken >= 0)
);
CREATE INDEX sign_in_tries_over ON sign_in_tries (window_ends_at);

-- Where somebody has signed in before. The token in the client's hands opens nothing: it keeps tries of others from counting.
CREATE TABLE known_devices (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES accounts,
    token_hash   bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    made_at      timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL
);
CREATE INDEX known_devices_of_account ON known_devices (account_id, last_used_at);

-- A second kind of slot: the printed recovery code. The kind is bound into what is sealed.
ALTER TABLE credential_slots DROP CONSTRAINT credential_slots_kind_check;
ALTER TABLE credential_slots ADD CONSTRAINT credential_slots_kind_check CHECK (kind IN ('passphrase', 'recovery_code'));
ALTER TABLE credential_slots ADD COLUMN last_used_at timestamptz;

-- Codes from an authenticator. The secret is sealed under the person's own keys.
CREATE TABLE totp_secrets (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES accounts,
    sealed       bytea NOT NULL,
    made_at      timestamptz NOT NULL,
    active_at    timestamptz,                      -- null until the person has shown that their authenticator has it
    last_step    bigint NOT NULL DEFAULT -1,       -- no code of this step or an earlier one counts again
    last_used_at timestamptz
);
CREATE UNIQUE INDEX totp_secrets_one_active ON totp_secrets (account_id) WHERE active_at IS NOT NULL;
CREATE UNIQUE INDEX totp_secrets_one_begun ON totp_secrets (account_id) WHERE active_at IS NULL;

ALTER TABLE sessions ADD COLUMN second_factor_at timestamptz;  -- when a second factor was last shown in it
-- A refresh is looked up by either handle.
CREATE INDEX sessions_by_refresh ON sessions (refresh_hash) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_previous_refresh ON sessions (previous_refresh_hash) WHERE ended_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_tries, known_devices, totp_secrets TO himaya_door;
GRANT UPDATE (last_used_at), DELETE ON credential_slots TO himaya_door;

ALTER TABLE sign_in_tries ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_tries FORCE ROW LEVEL SECURITY;
CREATE POLICY sign_in_tries_door ON sign_in_tries TO himaya_door USING (true) WITH CHECK (true);
ALTER TABLE known_devices ENABLE ROW LEVEL SECURITY;
ALTER TABLE known_devices FORCE ROW LEVEL SECURITY;
CREATE POLICY known_devices_door ON known_devices TO himaya_door USING (true) WITH CHECK (true);
ALTER TABLE totp_secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE totp_secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY totp_secrets_door ON totp_secrets TO himaya_door USING (true) WITH CHECK (true);
