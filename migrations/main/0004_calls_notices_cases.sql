-- The story's records: what is clear here are ids, states and times; everything said is in `sealed`.
CREATE TABLE calls (
    id              uuid PRIMARY KEY,
    organisation_id uuid NOT NULL REFERENCES organisations,
    operator_id     uuid NOT NULL REFERENCES accounts,
    state           text NOT NULL CHECK (state IN ('opened', 'safety_checked', 'triaged', 'referred', 'callback_scheduled', 'closed')),
    opened_at       timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,          -- the shift's end: afterwards the draft is abandoned, for REVIEW only
    closed_at       timestamptz
);
CREATE INDEX calls_of_operator ON calls (operator_id, opened_at DESC);

CREATE TABLE notices (
    id              uuid PRIMARY KEY,
    number          bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- said on the telephone; tells how many, not what
    sender_id       uuid NOT NULL REFERENCES accounts,
    sender_organisation_id uuid NOT NULL REFERENCES organisations,
    squad_id        uuid NOT NULL REFERENCES organisations,
    intake_key_id   uuid NOT NULL REFERENCES shared_keys,      -- the epoch that it is sealed to now
    state           text NOT NULL CHECK (state IN ('sent', 'acknowledged', 'accepted', 'returned')),
    suspected_at    timestamptz NOT NULL,          -- the 24 hours run from here; no statement can change it
    sent_at         timestamptz NOT NULL,
    acknowledged_at timestamptz,
    return_code     text,
    case_id         uuid                           -- set when accepted; the sender's slip does not show it
);
CREATE INDEX notices_of_squad ON notices (squad_id, suspected_at) WHERE state IN ('sent', 'acknowledged');
CREATE INDEX notices_of_sender ON notices (sender_id, sent_at DESC);

CREATE TABLE addenda (
    id        uuid PRIMARY KEY,
    notice_id uuid NOT NULL REFERENCES notices,
    author_id uuid NOT NULL REFERENCES accounts,
    added_at  timestamptz NOT NULL
);
CREATE INDEX addenda_of_notice ON addenda (notice_id, added_at);

CREATE TABLE cases (
    id              uuid PRIMARY KEY,
    number          bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    organisation_id uuid NOT NULL REFERENCES organisations,
    state           text NOT NULL CHECK (state IN ('open', 'follow_up', 'closed')),
    epoch           integer NOT NULL,              -- of all its keys; one higher after each revocation
    epoch_pending   boolean NOT NULL DEFAULT false, -- access ended, and the next reader makes the new epoch
    opened_at       timestamptz NOT NULL
);

CREATE TABLE case_access (
    grant_id   uuid PRIMARY KEY,
    case_id    uuid NOT NULL REFERENCES cases,
    account_id uuid NOT NULL REFERENCES accounts,
    relation   text NOT NULL CHECK (relation IN ('assigned', 'granted')),
    note       text NOT NULL,                      -- who gave it, to whom, why: signed by the giver
    started_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE UNIQUE INDEX case_access_one_in_force ON case_access (case_id, account_id) WHERE ended_at IS NULL;
CREATE INDEX case_access_of_account ON case_access (account_id) WHERE ended_at IS NULL;

CREATE TABLE subjects (
    id       uuid PRIMARY KEY,
    case_id  uuid NOT NULL REFERENCES cases,       -- who they are, and as what they came, is sealed in `identity`
    added_at timestamptz NOT NULL
);

CREATE TABLE sections (
    id         uuid PRIMARY KEY,
    case_id    uuid NOT NULL REFERENCES cases,
    subject_id uuid REFERENCES subjects,           -- null for the sections of the case as a whole
    kind       text NOT NULL
);
CREATE UNIQUE INDEX sections_one_of_kind ON sections (case_id, subject_id, kind) NULLS NOT DISTINCT;

CREATE TABLE case_notes (
    id         uuid PRIMARY KEY,
    case_id    uuid NOT NULL REFERENCES cases,
    position   bigint NOT NULL,                    -- dense within the case; the signed head says how many there are
    author_id  uuid NOT NULL REFERENCES accounts,
    written_at timestamptz NOT NULL,
    UNIQUE (case_id, position)
);

CREATE TABLE case_heads (
    case_id   uuid PRIMARY KEY REFERENCES cases,
    number    bigint NOT NULL,                     -- grows by one with each write to the case
    note      text NOT NULL,                       -- epoch, version and digest of everything sealed; signed by the writer
    signer_id uuid NOT NULL REFERENCES accounts
);

CREATE TABLE idempotency (
    account_id uuid NOT NULL REFERENCES accounts,
    key_hash   bytea NOT NULL,                     -- keyed by a secret of the person: a dump confirms nothing
    body_hash  bytea NOT NULL,                     -- likewise
    status     smallint NOT NULL,
    answer     jsonb NOT NULL,                     -- ids, states and versions only; never content
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, key_hash)
);

CREATE FUNCTION i_am_on_case(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT FROM public.case_access c
                       WHERE c.case_id = wanted AND c.account_id = public.me() AND c.ended_at IS NULL)
    $$;
-- A case that nobody was ever on is being made in this very transaction.
CREATE FUNCTION case_is_new_or_mine(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT public.i_am_on_case(wanted)
            OR (NOT EXISTS (SELECT FROM public.case_access c WHERE c.case_id = wanted)
                AND EXISTS (SELECT FROM public.cases c
                            WHERE c.id = wanted AND c.organisation_id = public.my_organisation()))
    $$;
CREATE FUNCTION i_supervise_case(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT FROM public.cases c WHERE c.id = wanted AND public.i_supervise(c.organisation_id)) $$;
CREATE FUNCTION i_sent(wanted uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT EXISTS (SELECT FROM public.notices n WHERE n.id = wanted AND n.sender_id = public.me()) $$;

GRANT SELECT ON case_access, cases, notices TO himaya_resolver;
-- Only what changes can be changed: a row cannot be pointed at another person, organisation or moment.
GRANT SELECT, INSERT, DELETE ON calls TO himaya_app;
GRANT UPDATE (state, closed_at) ON calls TO himaya_app;
GRANT SELECT, INSERT ON notices, cases, case_access, case_heads TO himaya_app;
GRANT UPDATE (state, acknowledged_at, return_code, case_id, intake_key_id) ON notices TO himaya_app;
GRANT UPDATE (state, epoch, epoch_pending) ON cases TO himaya_app;
GRANT UPDATE (ended_at) ON case_access TO himaya_app;
GRANT UPDATE (number, note, signer_id) ON case_heads TO himaya_app;
GRANT SELECT, INSERT ON addenda, subjects, sections, case_notes, idempotency TO himaya_app;

ALTER TABLE calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE calls FORCE ROW LEVEL SECURITY;
-- A supervisor sees a call when it is theirs to review: closed, or abandoned.
CREATE POLICY calls_mine ON calls FOR SELECT TO himaya_app USING (
    operator_id = public.me()
    OR (public.i_supervise(organisation_id)
        AND (state IN ('referred', 'callback_scheduled', 'closed') OR expires_at <= now())));
CREATE POLICY calls_add ON calls FOR INSERT TO himaya_app WITH CHECK (operator_id = public.me());
CREATE POLICY calls_change ON calls FOR UPDATE TO himaya_app USING (operator_id = public.me());
CREATE POLICY calls_erase ON calls FOR DELETE TO himaya_app USING (operator_id = public.me());

ALTER TABLE notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE notices FORCE ROW LEVEL SECURITY;
CREATE POLICY notices_mine ON notices FOR SELECT TO himaya_app USING (
    sender_id = public.me() OR public.i_hold(intake_key_id) OR public.i_supervise(squad_id) OR public.i_am_on_case(case_id)
    OR (state = 'returned' AND public.i_supervise(sender_organisation_id)));
CREATE POLICY notices_add ON notices FOR INSERT TO himaya_app WITH CHECK (sender_id = public.me());
CREATE POLICY notices_change ON notices FOR UPDATE TO himaya_app USING (public.i_hold(intake_key_id));

ALTER TABLE addenda ENABLE ROW LEVEL SECURITY;
ALTER TABLE addenda FORCE ROW LEVEL SECURITY;
CREATE POLICY addenda_read ON addenda FOR SELECT TO himaya_app
    USING (author_id = public.me() OR EXISTS (SELECT FROM notices n WHERE n.id = notice_id));
CREATE POLICY addenda_add ON addenda FOR INSERT TO himaya_app
    WITH CHECK (author_id = public.me() AND public.i_sent(notice_id));

ALTER TABLE cases ENABLE ROW LEVEL SECURITY;
ALTER TABLE cases FORCE ROW LEVEL SECURITY;
CREATE POLICY cases_mine ON cases FOR SELECT TO himaya_app
    USING (public.i_am_on_case(id) OR public.i_supervise(organisation_id));
CREATE POLICY cases_add ON cases FOR INSERT TO himaya_app WITH CHECK (organisation_id = public.my_organisation());
CREATE POLICY cases_change ON cases FOR UPDATE TO himaya_app
    USING (public.i_am_on_case(id) OR public.i_supervise(organisation_id));

ALTER TABLE case_access ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_access FORCE ROW LEVEL SECURITY;
CREATE POLICY case_access_mine ON case_access FOR SELECT TO himaya_app
    USING (public.i_am_on_case(case_id) OR public.i_supervise_case(case_id));
CREATE POLICY case_access_add ON case_access FOR INSERT TO himaya_app WITH CHECK (public.case_is_new_or_mine(case_id));
CREATE POLICY case_access_end ON case_access FOR UPDATE TO himaya_app
    USING (public.i_am_on_case(case_id) OR public.i_supervise_case(case_id));

ALTER TABLE subjects ENABLE ROW LEVEL SECURITY;
ALTER TABLE subjects FORCE ROW LEVEL SECURITY;
CREATE POLICY subjects_mine ON subjects TO himaya_app USING (public.i_am_on_case(case_id));
ALTER TABLE sections ENABLE ROW LEVEL SECURITY;
ALTER TABLE sections FORCE ROW LEVEL SECURITY;
CREATE POLICY sections_mine ON sections TO himaya_app USING (public.i_am_on_case(case_id));
ALTER TABLE case_notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_notes FORCE ROW LEVEL SECURITY;
CREATE POLICY case_notes_mine ON case_notes TO himaya_app USING (public.i_am_on_case(case_id));
ALTER TABLE case_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_heads FORCE ROW LEVEL SECURITY;
CREATE POLICY case_heads_mine ON case_heads TO himaya_app USING (public.i_am_on_case(case_id));
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY idempotency_mine ON idempotency TO himaya_app USING (account_id = public.me());

CREATE POLICY case_access_resolver ON case_access FOR SELECT TO himaya_resolver USING (true);
CREATE POLICY cases_resolver ON cases FOR SELECT TO himaya_resolver USING (true);
CREATE POLICY notices_resolver ON notices FOR SELECT TO himaya_resolver USING (true);

GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION i_am_on_case(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION case_is_new_or_mine(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION i_supervise_case(uuid) OWNER TO himaya_resolver;
ALTER FUNCTION i_sent(uuid) OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION i_am_on_case(uuid), case_is_new_or_mine(uuid), i_supervise_case(uuid), i_sent(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION i_am_on_case(uuid), case_is_new_or_mine(uuid), i_supervise_case(uuid), i_sent(uuid)
    TO himaya_app, himaya_resolver;
