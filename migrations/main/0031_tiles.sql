-- The ledger's tree as others fetch it: the hashes above its leaves, at every eighth level. A hash stands here once all that is
-- below it is in the tree, so none ever changes. The leaves' own hashes stand in ledger_tree.
CREATE TABLE ledger_nodes (
    level smallint NOT NULL CHECK (level BETWEEN 1 AND 7), -- a hash of this level covers 256 to its power of leaves
    n     bigint NOT NULL CHECK (n >= 0),                  -- the hash's index within its level, from the left
    hash  bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, n)
);

GRANT SELECT, INSERT ON ledger_nodes TO himaya_sequencer;
GRANT SELECT ON ledger_nodes TO himaya_auditor;
