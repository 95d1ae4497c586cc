-- What witnesses outside said of checkpoints. Insert-only; nobody believes a row: each line is a signature that whoever reads
-- it checks against the witness's key in the configuration.
CREATE TABLE ledger_cosignatures (
    size        bigint NOT NULL REFERENCES ledger_checkpoints, -- the checkpoint that was cosigned
    witness     text NOT NULL CHECK (length(witness) BETWEEN 1 AND 256), -- the witness's name, as in its key
    cosigned_at timestamptz NOT NULL,               -- when the witness signed, by its own clock: it stands in the signature
    line        text NOT NULL CHECK (length(line) <= 1024), -- the signature line of the note
    PRIMARY KEY (size, witness, cosigned_at)
);
CREATE INDEX ledger_cosignatures_witness ON ledger_cosignatures (witness, cosigned_at);

GRANT SELECT, INSERT ON ledger_cosignatures TO himaya_sequencer;
GRANT SELECT ON ledger_cosignatures TO himaya_auditor;
