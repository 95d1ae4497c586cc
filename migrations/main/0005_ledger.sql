-- The ledger: insert-only for the app, which cannot even read it back. Leaves tell an outsider nothing.
CREATE TABLE ledger_detail_keys (
    id      uuid PRIMARY KEY,
    hour    bigint NOT NULL,                       -- hours since 1970; a fresh key for each replica and hour
    key_id  uuid REFERENCES shared_keys,           -- the auditors' LEDGER epoch it is wrapped to; null before there is one
    wrap    bytea NOT NULL                         -- HPKE to that epoch; before there is one, the key itself (founding only)
);

CREATE TABLE ledger_entries (
    replica    uuid NOT NULL,                      -- a process's own id, new at each start
    lane       integer NOT NULL,
    n          bigint NOT NULL CHECK (n >= 0),     -- dense within (replica, lane)
    leaf       bytea NOT NULL,                     -- what the tree holds: commitments, digests, counters, the hour
    signature  bytea NOT NULL CHECK (octet_length(signature) = 64), -- the replica's, over the leaf
    detail_key uuid NOT NULL REFERENCES ledger_detail_keys,
    detail     bytea,                              -- salt, event, who and what: sealed to the auditors; erasable
    PRIMARY KEY (replica, lane, n)
);

CREATE TABLE ledger_pending (
    replica    uuid NOT NULL,
    lane       integer NOT NULL,
    n          bigint NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- how long the sequencer keeps entries waiting
    PRIMARY KEY (replica, lane, n),
    FOREIGN KEY (replica, lane, n) REFERENCES ledger_entries -- nothing waits that was not entered
);

CREATE TABLE ledger_lanes (
    replica   uuid NOT NULL,
    lane      integer NOT NULL,
    n         bigint NOT NULL,                     -- the last entry of the lane that stands in the tree
    leaf_hash bytea NOT NULL,                      -- the next one must name it
    PRIMARY KEY (replica, lane)
);

CREATE TABLE ledger_tree (
    position  bigint PRIMARY KEY CHECK (position >= 0), -- dense: the leaf's index in the RFC 6962 tree
    replica   uuid NOT NULL,
    lane      integer NOT NULL,
    n         bigint NOT NULL,
    leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
    UNIQUE (replica, lane, n)
);

CREATE TABLE ledger_checkpoints (
    size       bigint PRIMARY KEY,                 -- how many leaves the signed root covers
    note       text NOT NULL,                      -- C2SP checkpoint, signed
    right_edge bytea[] NOT NULL,                   -- the tree's compact form, from which the sequencer goes on
    made_at    timestamptz NOT NULL
);

GRANT INSERT ON ledger_detail_keys, ledger_entries TO himaya_app;
GRANT INSERT (replica, lane, n) ON ledger_pending TO himaya_app;
GRANT SELECT ON ledger_entries, ledger_tree, ledger_checkpoints TO himaya_sequencer;
GRANT INSERT ON ledger_tree, ledger_checkpoints TO himaya_sequencer;
GRANT SELECT, DELETE ON ledger_pending TO himaya_sequencer;
GRANT SELECT, INSERT, UPDATE ON ledger_lanes TO himaya_sequencer;
GRANT SELECT ON ledger_detail_keys, ledger_entries, ledger_tree, ledger_checkpoints, ledger_pending, sealed, case_heads
    TO himaya_auditor;

ALTER TABLE ledger_detail_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_detail_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger_detail_keys_add ON ledger_detail_keys FOR INSERT TO himaya_app WITH CHECK (true);
CREATE POLICY ledger_detail_keys_read ON ledger_detail_keys FOR SELECT TO himaya_auditor USING (true);
ALTER TABLE ledger_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_entries FORCE ROW LEVEL SECURITY;
CREATE POLICY ledger_entries_add ON ledger_entries FOR INSERT TO himaya_app WITH CHECK (true);
CREATE POLICY ledger_entries_read ON ledger_entries FOR SELECT TO himaya_auditor, himaya_sequencer USING (true);
-- The verifier compares the digests in the ledger with what is stored; it sees ciphertext only.
CREATE POLICY sealed_auditor ON sealed FOR SELECT TO himaya_auditor USING (true);
CREATE POLICY case_heads_auditor ON case_heads FOR SELECT TO himaya_auditor USING (true);
