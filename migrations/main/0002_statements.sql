-- What two people signed: the founding of an organisation, the admission of a member; and the keys held together.
-- Each note is a C2SP signed note: the signed words themselves, so there is nothing to encode again and get wrong.
CREATE TABLE foundings (
    organisation_id uuid PRIMARY KEY REFERENCES organisations,
    note            text NOT NULL,                 -- members, functions, keys; signed by one, then both responsible persons
    complete        boolean NOT NULL DEFAULT false, -- a hint for lists; the signatures and the pin decide
    proposed_at     timestamptz NOT NULL
);

CREATE TABLE memberships (
    id              uuid PRIMARY KEY,
    account_id      uuid NOT NULL REFERENCES accounts,
    organisation_id uuid NOT NULL REFERENCES organisations,
    note            text NOT NULL,                 -- account, role and both public keys; signed like a founding
    complete        boolean NOT NULL DEFAULT false,
    proposed_at     timestamptz NOT NULL,
    ended_at        timestamptz
);
CREATE UNIQUE INDEX memberships_one_in_force ON memberships (account_id) WHERE ended_at IS NULL;

CREATE TABLE shared_keys (
    id              uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisations,
    purpose         text NOT NULL CHECK (purpose IN ('intake', 'review', 'ledger', 'custody')),
    public_key      bytea NOT NULL CHECK (octet_length(public_key) = 32),
    maker_id        uuid NOT NULL REFERENCES accounts,
    note            text NOT NULL,                 -- key, purpose and times, signed by its maker
    opens_at        timestamptz NOT NULL,
    closes_at       timestamptz NOT NULL           -- nothing is sealed to it from here on
);
CREATE INDEX shared_keys_in_force ON shared_keys (organisation_id, purpose, closes_at DESC);

CREATE TABLE shared_key_wraps (
    key_id     uuid NOT NULL REFERENCES shared_keys,
    account_id uuid NOT NULL REFERENCES accounts,
    wrap       bytea NOT NULL,                     -- the shared private key, HPKE to this person
    PRIMARY KEY (key_id, account_id)
);
CREATE INDEX shared_key_wraps_of_account ON shared_key_wraps (account_id);

-- The custody private key in no single hand: for each ordered pair HPKE_first(HPKE_second(key)).
CREATE TABLE custody_shares (
    key_id         uuid NOT NULL REFERENCES shared_keys,
    first_account  uuid NOT NULL REFERENCES accounts,
    second_account uuid NOT NULL REFERENCES accounts,
    share          bytea NOT NULL,
    PRIMARY KEY (key_id, first_account, second_account),
    CHECK (first_account <> second_account)
);

CREATE FUNCTION i_hold(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT FROM public.shared_key_wraps w WHERE w.key_id = wanted AND w.account_id = public.me()) $$;

-- Supervisors are those to whom a REVIEW key of the organisation is wrapped: the database follows the keys.
CREATE FUNCTION i_supervise(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (
            SELECT FROM public.shared_keys k JOIN public.shared_key_wraps w ON w.key_id = k.id
            WHERE k.organisation_id = wanted AND k.purpose = 'review' AND w.account_id = public.me())
    $$;

-- The first key of a purpose, or the next one by somebody who held one: nobody makes themselves a supervisor.
CREATE FUNCTION i_may_make_key(organisation uuid, wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT organisation = public.my_organisation()
           AND (NOT EXISTS (SELECT FROM public.shared_keys k
                            WHERE k.organisation_id = organisation AND k.purpose = wanted)
                OR EXISTS (SELECT FROM public.shared_keys k JOIN public.shared_key_wraps w ON w.key_id = k.id
                           WHERE k.organisation_id = organisation AND k.purpose = wanted AND w.account_id = public.me()))
    $$;

GRANT SELECT ON shared_keys, shared_key_wraps TO himaya_resolver;
GRANT SELECT, INSERT ON foundings, memberships, shared_keys, shared_key_wraps, custody_shares TO himaya_app;
GRANT UPDATE (note, complete) ON foundings TO himaya_app;
GRANT UPDATE (note, complete) ON memberships TO himaya_app;
GRANT DELETE ON shared_key_wraps TO himaya_app;

-- Statements are read by everybody who seals to a key, and are worthless without their signatures.
ALTER TABLE foundings ENABLE ROW LEVEL SECURITY;
ALTER TABLE foundings FORCE ROW LEVEL SECURITY;
CREATE POLICY foundings_read ON foundings FOR SELECT TO himaya_app USING (true);
CREATE POLICY foundings_write ON foundings FOR INSERT TO himaya_app WITH CHECK (organisation_id = public.my_organisation());
CREATE POLICY foundings_sign ON foundings FOR UPDATE TO himaya_app
    USING (organisation_id = public.my_organisation() AND NOT complete)
    WITH CHECK (organisation_id = public.my_organisation());
ALTER TABLE memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE memberships FORCE ROW LEVEL SECURITY;
CREATE POLICY memberships_read ON memberships FOR SELECT TO himaya_app USING (true);
CREATE POLICY memberships_write ON memberships FOR INSERT TO himaya_app WITH CHECK (organisation_id = public.my_organisation());
CREATE POLICY memberships_sign ON memberships FOR UPDATE TO himaya_app
    USING (organisation_id = public.my_organisation() AND NOT complete)
    WITH CHECK (organisation_id = public.my_organisation());
ALTER TABLE shared_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE shared_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY shared_keys_read ON shared_keys FOR SELECT TO himaya_app USING (true);
CREATE POLICY shared_keys_write ON shared_keys FOR INSERT TO himaya_app
    WITH CHECK (maker_id = public.me() AND public.i_may_make_key(organisation_id, purpose));
CREATE POLICY shared_keys_resolver ON shared_keys FOR SELECT TO himaya_resolver USING (true);
ALTER TABLE shared_key_wraps ENABLE ROW LEVEL SECURITY;
ALTER TABLE shared_key_wraps FORCE ROW LEVEL SECURITY;
-- A holder sees to whom else the key is wrapped, and so can erase all of its wraps; theirs open nothing for them.
CREATE POLICY shared_key_wraps_held ON shared_key_wraps FOR SELECT TO himaya_app USING (public.i_hold(key_id));
-- A wrap to oneself that nobody gave would open nothing, but it would count for i_hold: only holders and makers add.
CREATE FUNCTION key_is_new_or_mine(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT public.i_hold(wanted)
            OR (NOT EXISTS (SELECT FROM public.shared_key_wraps w WHERE w.key_id = wanted)
                AND EXISTS (SELECT FROM public.shared_keys k
                            WHERE k.id = wanted AND k.organisation_id = public.my_organisation()))
    $$;
CREATE POLICY shared_key_wraps_add ON shared_key_wraps FOR INSERT TO himaya_app WITH CHECK (public.key_is_new_or_mine(key_id));
CREATE POLICY shared_key_wraps_erase ON shared_key_wraps FOR DELETE TO himaya_app USING (public.i_hold(key_id));
CREATE POLICY shared_key_wraps_resolver ON shared_key_wraps FOR SELECT TO himaya_resolver USING (true);
ALTER TABLE custody_shares ENABLE ROW LEVEL SECURITY;
ALTER TABLE custody_shares FORCE ROW LEVEL SECURITY;
CREATE POLICY custody_shares_mine ON custody_shares FOR SELECT TO himaya_app
    USING (first_account = public.me() OR second_account = public.me());
CREATE POLICY custody_shares_add ON custody_shares FOR INSERT TO himaya_app WITH CHECK (EXISTS (
    SELECT FROM shared_keys k WHERE k.id = key_id AND k.organisation_id = public.my_organisation() AND k.purpose = 'custody'));

GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION i_hold(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION i_supervise(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION key_is_new_or_mine(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION i_may_make_key(uuid, text) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION i_hold(uuid), i_supervise(uuid), key_is_new_or_mine(uuid), i_may_make_key(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION i_hold(uuid), i_supervise(uuid), key_is_new_or_mine(uuid), i_may_make_key(uuid, text)
    TO himaya_app, himaya_resolver;
