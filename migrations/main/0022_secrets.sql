-- With which pepper a person's keys are sealed, by its name: after a rotation they are sealed anew at the next sign-in, and
-- the old pepper goes when nothing is sealed with it. None stands for the oldest, from before peppers had names.
ALTER TABLE credential_slots ADD COLUMN pepper text CHECK (pepper ~ '^[0-9a-f]{16}$');
GRANT UPDATE (salt, memory_kib, passes, lanes, sealed, pepper) ON credential_slots TO himaya_door;
