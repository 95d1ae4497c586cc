-- The second, small database. Each encrypting key is derived from a section key (main database, wrapped to people) and
-- an erasure key (here): deleting the row here makes every copy of the ciphertext unreadable, old backups included.
CREATE SCHEMA erasure;

CREATE TABLE erasure.keys (
    key_id     uuid PRIMARY KEY,                                  -- the record key that this one belongs to
    key        bytea NOT NULL CHECK (octet_length(key) = 32),     -- random; worthless without the wrapped record key
    created_at timestamptz NOT NULL DEFAULT now()                 -- lets the sweeper find keys whose record never came
);

CREATE TABLE erasure.tombstones (
    key_id    uuid PRIMARY KEY,                                   -- erased for good; applied again after any restore
    erased_at timestamptz NOT NULL DEFAULT now()
);

REVOKE ALL ON SCHEMA erasure FROM PUBLIC;
GRANT USAGE ON SCHEMA erasure TO himaya_app;
GRANT SELECT, INSERT, DELETE ON erasure.keys TO himaya_app;
GRANT SELECT, INSERT ON erasure.tombstones TO himaya_app;
