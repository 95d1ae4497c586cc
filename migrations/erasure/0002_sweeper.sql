-- The sweeper deletes keys whose record never came, and those that came back with a restore. It reads no key.
GRANT USAGE ON SCHEMA erasure TO himaya_sweeper;
GRANT SELECT (key_id, created_at), DELETE ON erasure.keys TO himaya_sweeper;
GRANT SELECT, INSERT ON erasure.tombstones TO himaya_sweeper;
