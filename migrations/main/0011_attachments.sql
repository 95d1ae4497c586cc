-- Attachments: files that hang on a draft, on a notice or on a section of a case. What they are called, of what type and
-- how large they are is in `sealed`, under the row's own id; the bytes lie sealed in a store of objects.
CREATE TABLE attachments (
    id         uuid PRIMARY KEY,
    call_id    uuid REFERENCES calls,               -- on a draft, and on the call that becomes of it,
    notice_id  uuid REFERENCES notices,             -- on a notice, also when it has become part of a case,
    section_id uuid REFERENCES sections,            -- or on a section: exactly one of the three
    author_id  uuid NOT NULL REFERENCES accounts,
    object     uuid NOT NULL UNIQUE,                -- the name of the sealed bytes in the store, and of their erasure key
    digest     bytea NOT NULL CHECK (octet_length(digest) = 32), -- SHA-256 of the sealed bytes: whoever changes them is found
    added_at   timestamptz NOT NULL,
    registered_by uuid DEFAULT me(),
    register_no   bigint DEFAULT register_next(),
    standing      bigint NOT NULL DEFAULT 1,
    CHECK (num_nonnulls(call_id, notice_id, section_id) = 1),
    CHECK ((registered_by IS NULL) = (register_no IS NULL))
);
CREATE UNIQUE INDEX attachments_register ON attachments (registered_by, register_no);
CREATE INDEX attachments_of_call ON attachments (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX attachments_of_notice ON attachments (notice_id) WHERE notice_id IS NOT NULL;
CREATE INDEX attachments_of_section ON attachments (section_id) WHERE section_id IS NOT NULL;

-- Nothing of a row is ever changed: what passes to a notice is a new attachment, and the draft's is taken away.
GRANT SELECT, DELETE ON attachments TO himaya_app;
GRANT INSERT (id, call_id, notice_id, section_id, author_id, object, digest, added_at) ON attachments TO himaya_app;
GRANT SELECT ON attachments TO himaya_resolver;
ALTER TABLE attachments ENABLE ROW LEVEL SECURITY;
ALTER TABLE attachments FORCE ROW LEVEL SECURITY;
-- An attachment is seen by who sees what it hangs on: the policies of those tables hold within these queries.
CREATE POLICY attachments_read ON attachments FOR SELECT TO himaya_app USING (
    EXISTS (SELECT FROM calls c WHERE c.id = call_id)
    OR EXISTS (SELECT FROM notices n WHERE n.id = notice_id)
    OR EXISTS (SELECT FROM sections s WHERE s.id = section_id));
-- It is added where its author may write: to their own draft while it is one, to a notice that they sent while nobody has
-- decided on it, and to a section of a case that they are assigned to. Who was only granted a look at a case adds nothing.
CREATE POLICY attachments_add ON attachments FOR INSERT TO himaya_app WITH CHECK (
    author_id = public.me()
    AND (EXISTS (SELECT FROM calls c WHERE c.id = call_id AND c.operator_id = public.me() AND c.closed_at IS NULL
                                       AND c.expires_at > pg_catalog.now())
         OR EXISTS (SELECT FROM notices n WHERE n.id = notice_id AND n.sender_id = public.me()
                                            AND n.state IN ('sent', 'acknowledged'))
         OR EXISTS (SELECT FROM sections s WHERE s.id = section_id AND public.i_place(s.case_id))));
-- Only what hangs on one's own draft is taken away: it passes to a notice, or dies with the draft.
CREATE POLICY attachments_erase ON attachments FOR DELETE TO himaya_app USING (
    EXISTS (SELECT FROM calls c WHERE c.id = call_id AND c.operator_id = public.me() AND c.closed_at IS NULL));
CREATE POLICY attachments_standing ON attachments FOR SELECT TO himaya_resolver USING (true);

-- How each row stands, attachments among them: the rest is as it was.
CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS
    SELECT kind, id, registered_by, register_no, standing, written,
           sha256(convert_to(jsonb_build_array(kind, id, registered_by, register_no, standing, facts)::text, 'UTF8')) AS digest
    FROM (
        SELECT 'organisation' AS kind, id, registered_by, register_no, standing, xmin AS written,
               jsonb_build_array(o.kind, name, created_at AT TIME ZONE 'UTC') AS facts
        FROM organisations o
        UNION ALL
        SELECT 'account', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, handle, nominated_responsible, nominated_custodian, register,
                                 created_at AT TIME ZONE 'UTC', disabled_at AT TIME ZONE 'UTC')
        FROM accounts
        UNION ALL
        SELECT 'membership', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(account_id, organisation_id, note, complete, proposed_at AT TIME ZONE 'UTC',
                                 ended_at AT TIME ZONE 'UTC')
        FROM memberships
        UNION ALL
        SELECT 'call', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, operator_id, state, opened_at AT TIME ZONE 'UTC',
                                 expires_at AT TIME ZONE 'UTC', closed_at AT TIME ZONE 'UTC')
        FROM calls
        UNION ALL
        SELECT 'notice', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(number, sender_id, sender_organisation_id, squad_id, intake_key_id, state,
                                 suspected_at AT TIME ZONE 'UTC', sent_at AT TIME ZONE 'UTC',
                                 acknowledged_at AT TIME ZONE 'UTC', return_code, case_id)
        FROM notices
        UNION ALL
        SELECT 'addendum', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(notice_id, author_id, added_at AT TIME ZONE 'UTC')
        FROM addenda
        UNION ALL
        SELECT 'case', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(number, organisation_id, state, epoch, epoch_pending, opened_at AT TIME ZONE 'UTC')
        FROM cases
        UNION ALL
        SELECT 'case_access', grant_id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, account_id, relation, note, started_at AT TIME ZONE 'UTC',
                                 ended_at AT TIME ZONE 'UTC')
        FROM case_access
        UNION ALL
        SELECT 'person', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, added_at AT TIME ZONE 'UTC')
        FROM subjects
        UNION ALL
        SELECT 'section', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, subject_id, s.kind)
        FROM sections s
        UNION ALL
        SELECT 'case_note', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, position, author_id, written_at AT TIME ZONE 'UTC')
        FROM case_notes
        UNION ALL
        SELECT 'accommodation', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(organisation_id, m.kind, women, men, families, children, opened_at AT TIME ZONE 'UTC')
        FROM accommodations m
        UNION ALL
        SELECT 'certificate', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(accommodation_id, conditions, certified_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC')
        FROM certificates
        UNION ALL
        SELECT 'training', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(account_id, course, passed_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC')
        FROM trainings
        UNION ALL
        SELECT 'placement', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(number, case_id, subject_id, accommodation_id, shelter_id, squad_id, places, intake_key_id, state,
                                 decline_code, address_id, care_id, requested_at AT TIME ZONE 'UTC', acknowledged_at AT TIME ZONE 'UTC',
                                 admitted_at AT TIME ZONE 'UTC', ended_at AT TIME ZONE 'UTC')
        FROM placements
        UNION ALL
        SELECT 'consent', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(case_id, subject_id, placement_id, purpose, recipient_id, section, state,
                                 recorded_at AT TIME ZONE 'UTC', expires_at AT TIME ZONE 'UTC', ended_at AT TIME ZONE 'UTC')
        FROM consents
        UNION ALL
        SELECT 'attachment', id, registered_by, register_no, standing, xmin,
               jsonb_build_array(call_id, notice_id, section_id, author_id, object, encode(t.digest, 'hex'),
                                 added_at AT TIME ZONE 'UTC')
        FROM attachments t
        UNION ALL
        -- A case's head stands in no register of its own: the case does.
        SELECT 'case_head', case_id, NULL, NULL, number, xmin, jsonb_build_array(note, signer_id)
        FROM case_heads
    ) AS stored;

-- An object's erasure key has the object's name, and is in use while an attachment names it.
CREATE OR REPLACE FUNCTION keys_in_use(asked uuid[]) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT a.id FROM pg_catalog.unnest(asked) AS a (id)
        WHERE EXISTS (SELECT FROM public.sealed s WHERE s.key_id = a.id)
           OR EXISTS (SELECT FROM public.wraps w WHERE w.key_id = a.id)
           OR EXISTS (SELECT FROM public.attachments t WHERE t.object = a.id)
    $$;

-- The objects that there must be, and their digests, for whoever compares the store with the ledger: no key, and not whose.
CREATE FUNCTION objects_all() RETURNS TABLE (object uuid, digest bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT t.object, t.digest FROM public.attachments t ORDER BY t.object $$;
GRANT CREATE ON SCHEMA public TO himaya_resolver;
ALTER FUNCTION objects_all() OWNER TO himaya_resolver;
REVOKE CREATE ON SCHEMA public FROM himaya_resolver;
REVOKE ALL ON FUNCTION objects_all() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION objects_all() TO himaya_auditor, himaya_resolver;
