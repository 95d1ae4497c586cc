-- Every process reads the notes of shared keys again and again, whoever wrote them: none is long.
ALTER TABLE shared_keys ADD CONSTRAINT shared_keys_note_length CHECK (octet_length(note) <= 16384);
