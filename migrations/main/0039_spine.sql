-- A replayed answer has the version that the first one had: without it the client could not replace what it made.
ALTER TABLE idempotency ADD COLUMN version bigint;
