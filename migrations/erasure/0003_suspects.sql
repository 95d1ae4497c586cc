-- Keys that the sweeper found without a record, and since when. Only what has been one at every sweep for more than a day
-- is erased: whoever hides a record from one sweep, and puts it back, destroys nothing.
CREATE TABLE erasure.suspects (
    key_id   uuid PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT (key_id), DELETE ON erasure.suspects TO himaya_sweeper;
