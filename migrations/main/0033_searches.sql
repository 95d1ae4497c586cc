-- The auditors search the ledger by time.
CREATE INDEX ledger_checkpoints_made ON ledger_checkpoints (made_at);
