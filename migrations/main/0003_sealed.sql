-- Every sealed byte of the main database, and to whom its keys are wrapped. Row-level security follows the keys: a
-- ciphertext is visible exactly to those for whom its key was wrapped, directly or through a shared key that they hold.
CREATE TABLE sealed (
    record_id uuid PRIMARY KEY,
    kind      text NOT NULL,                       -- the record's kind, bound into the ciphertext's context
    case_id   uuid,                                -- the case it hangs on; a new epoch re-encrypts all of these at once
    key_id    uuid NOT NULL,                       -- the record key; also the name of its erasure key
    epoch     integer NOT NULL CHECK (epoch >= 1),
    version   bigint NOT NULL CHECK (version >= 1),
    blob      bytea NOT NULL CHECK (octet_length(blob) <= 2097152),
    author    uuid NOT NULL,                       -- who signed this version
    signature bytea NOT NULL CHECK (octet_length(signature) = 64) -- Ed25519 over context and digest
);
CREATE INDEX sealed_of_case ON sealed (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX sealed_of_key ON sealed (key_id);

CREATE TABLE wraps (
    key_id            uuid NOT NULL,
    epoch             integer NOT NULL,
    recipient_account uuid REFERENCES accounts,    -- a person,
    recipient_key     uuid REFERENCES shared_keys, -- or a key held together: exactly one of the two
    grant_id          uuid,                        -- the signed permission it rests on, where there is one
    wrap              bytea NOT NULL,              -- the record key, HPKE to the recipient
    active_from       timestamptz NOT NULL DEFAULT '-infinity', -- a draft sleeps until it is abandoned
    active_until      timestamptz NOT NULL DEFAULT 'infinity',  -- and its operator's hold ends with the shift
    CHECK ((recipient_account IS NULL) <> (recipient_key IS NULL))
);
CREATE UNIQUE INDEX wraps_one_account ON wraps (key_id, epoch, recipient_account) WHERE recipient_account IS NOT NULL;
CREATE UNIQUE INDEX wraps_one_key ON wraps (key_id, epoch, recipient_key) WHERE recipient_key IS NOT NULL;
CREATE INDEX wraps_of_account ON wraps (recipient_account);
CREATE INDEX wraps_of_shared_key ON wraps (recipient_key);

GRANT SELECT ON wraps TO himaya_resolver;
CREATE FUNCTION i_can_unwrap(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (
            SELECT FROM public.wraps w
            WHERE w.key_id = wanted AND w.active_from <= pg_catalog.now() AND w.active_until > pg_catalog.now()
              AND (w.recipient_account = public.me()
                   OR w.recipient_key IN (SELECT s.key_id FROM public.shared_key_wraps s WHERE s.account_id = public.me())))
    $$;
-- Only who can already unwrap a key, or makes a new one, adds recipients: injected SQL cannot wrap garbage to itself and
-- then see the ciphertext.
CREATE FUNCTION key_is_free_or_mine(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT public.me() IS NOT NULL
           AND (NOT EXISTS (SELECT FROM public.wraps w WHERE w.key_id = wanted) OR public.i_can_unwrap(wanted))
    $$;

GRANT SELECT, INSERT, DELETE ON sealed, wraps TO himaya_app;
GRANT UPDATE (epoch, version, blob, author, signature, case_id) ON sealed TO himaya_app;
GRANT UPDATE (active_from, active_until) ON wraps TO himaya_app;
ALTER TABLE sealed ENABLE ROW LEVEL SECURITY;
ALTER TABLE sealed FORCE ROW LEVEL SECURITY;
CREATE POLICY sealed_mine ON sealed FOR SELECT TO himaya_app USING (public.i_can_unwrap(key_id));
CREATE POLICY sealed_add ON sealed FOR INSERT TO himaya_app WITH CHECK (public.key_is_free_or_mine(key_id));
CREATE POLICY sealed_change ON sealed FOR UPDATE TO himaya_app USING (public.i_can_unwrap(key_id));
CREATE POLICY sealed_erase ON sealed FOR DELETE TO himaya_app USING (public.i_can_unwrap(key_id));
ALTER TABLE wraps ENABLE ROW LEVEL SECURITY;
ALTER TABLE wraps FORCE ROW LEVEL SECURITY;
CREATE POLICY wraps_mine ON wraps FOR SELECT TO himaya_app USING (public.i_can_unwrap(key_id));
CREATE POLICY wraps_add ON wraps FOR INSERT TO himaya_app WITH CHECK (public.key_is_free_or_mine(key_id));
CREATE POLICY wraps_change ON wraps FOR UPDATE TO himaya_app USING (public.i_can_unwrap(key_id));
CREATE POLICY wraps_erase ON wraps FOR DELETE TO himaya_app USING (public.i_can_unwrap(key_id));
CREATE POLICY wraps_resolver ON wraps FOR SELECT TO himaya_resolver USING (true);

GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION i_can_unwrap(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION key_is_free_or_mine(uuid) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION i_can_unwrap(uuid), key_is_free_or_mine(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION i_can_unwrap(uuid), key_is_free_or_mine(uuid) TO himaya_app, himaya_resolver;
