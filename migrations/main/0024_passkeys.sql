-- Passkeys. Nobody but the door's own role touches any of this.

-- What somebody's authenticator showed when it was added. `registered` never changes: its digest is bound into `sealed`, which
-- only the person's own keys make, and into the slot that the passkey opens. So another public key here lets nobody in.
CREATE TABLE passkeys (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES accounts,
    credential   bytea NOT NULL CHECK (octet_length(credential) BETWEEN 1 AND 1023), -- as the authenticator names it
    registered   bytea NOT NULL,                   -- the public key and what else was shown
    sealed       bytea NOT NULL,                   -- that digest and the person's name for it, under their own keys
    counter      bigint NOT NULL CHECK (counter >= 0),
    transports   text[] NOT NULL,                  -- how the browser reaches it
    prf_salt     bytea NOT NULL CHECK (octet_length(prf_salt) = 32),
    made_at      timestamptz NOT NULL,
    last_used_at timestamptz,
    copied_at    timestamptz,                      -- when it last counted backwards: there may be a copy
    -- For one account, not for all: whoever could try would learn which of those that are asked for at the door are decoys.
    UNIQUE (account_id, credential)
);
CREATE INDEX passkeys_of_account ON passkeys (account_id, made_at);

-- A challenge that waits for its answer, on whichever replica. It is taken away by what it leads to, so it counts once.
CREATE TABLE passkey_ceremonies (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('sign_in', 'again', 'register')),
    session_id uuid,                               -- none at the door
    challenge  bytea NOT NULL CHECK (octet_length(challenge) = 32),
    passkey_id uuid,                               -- what a new one will be called, and the salt of its PRF
    prf_salt   bytea CHECK (octet_length(prf_salt) = 32),
    expires_at timestamptz NOT NULL,
    CHECK ((session_id IS NULL) = (kind = 'sign_in')),
    CHECK ((passkey_id IS NULL) = (kind <> 'register') AND (prf_salt IS NULL) = (kind <> 'register'))
);
CREATE INDEX passkey_ceremonies_over ON passkey_ceremonies (expires_at);

-- The slot that a passkey opens by its PRF: one for each of them.
ALTER TABLE credential_slots DROP CONSTRAINT credential_slots_kind_check;
ALTER TABLE credential_slots ADD CONSTRAINT credential_slots_kind_check
    CHECK (kind IN ('passphrase', 'recovery_code', 'passkey'));
ALTER TABLE credential_slots ADD COLUMN passkey_id uuid UNIQUE REFERENCES passkeys;
ALTER TABLE credential_slots ADD CONSTRAINT credential_slots_of_a_passkey CHECK ((passkey_id IS NULL) = (kind <> 'passkey'));
DROP INDEX credential_slots_one_passphrase;
CREATE UNIQUE INDEX credential_slots_one_of_a_kind ON credential_slots (account_id, kind) WHERE kind <> 'passkey';

GRANT SELECT, INSERT, DELETE ON passkeys TO himaya_door;
GRANT UPDATE (counter, last_used_at, copied_at) ON passkeys TO himaya_door;
GRANT SELECT, INSERT, DELETE ON passkey_ceremonies TO himaya_door;

ALTER TABLE passkeys ENABLE ROW LEVEL SECURITY;
ALTER TABLE passkeys FORCE ROW LEVEL SECURITY;
CREATE POLICY passkeys_door ON passkeys TO himaya_door USING (true) WITH CHECK (true);
ALTER TABLE passkey_ceremonies ENABLE ROW LEVEL SECURITY;
ALTER TABLE passkey_ceremonies FORCE ROW LEVEL SECURITY;
CREATE POLICY passkey_ceremonies_door ON passkey_ceremonies TO himaya_door USING (true) WITH CHECK (true);
