//! All SQL of the guard: who is asking, who vouches for whom, and what is sealed for whom.
//!
//! Every function that touches a record takes a connection that has entered a session (see [`super::look`] and
//! [`crate::audit::unit`]), so row-level security sees the same person as the gate.

use super::action::Relation;
use super::record::{AccountId, OrganisationId, SessionId};
use super::session::Lookup;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Lets this transaction speak for a session: row-level security resolves the secret, and an id is never passed.
///
/// # Errors
/// When the database does not answer.
pub async fn enter(connection: &mut PgConnection, lookup: &Lookup) -> Result<(), sqlx::Error> {
    let lookup = lookup.hex();
    sqlx::query_scalar!("SELECT set_config('himaya.lookup', $1, true)", lookup.as_str()).fetch_one(connection).await?;
    Ok(())
}

/// A session's own row, with the statements that vouch for the person.
pub struct Entered {
    pub session: SessionId,
    pub account: AccountId,
    pub organisation: OrganisationId,
    pub sealed_keys: Vec<u8>,
    pub expires_at: DateTime<Utc>,
    pub founding: Option<String>,
    pub membership: Option<String>,
}

/// The session whose look-up secret this is, if it is alive.
///
/// # Errors
/// When the database does not answer.
pub async fn session(pool: &PgPool, lookup: &Lookup) -> Result<Option<Entered>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT e.session_id AS "session!", e.account_id AS "account!", e.organisation_id AS "organisation!",
                  e.sealed_keys AS "sealed_keys!", e.expires_at AS "expires_at!",
                  f.note AS "founding?", m.note AS "membership?"
           FROM session_enter($1) e
           LEFT JOIN foundings f ON f.organisation_id = e.organisation_id
           LEFT JOIN memberships m ON m.account_id = e.account_id AND m.ended_at IS NULL AND m.complete"#,
        lookup.bytes()
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Entered {
        session: SessionId(row.session),
        account: AccountId(row.account),
        organisation: OrganisationId(row.organisation),
        sealed_keys: row.sealed_keys,
        expires_at: row.expires_at,
        founding: row.founding,
        membership: row.membership,
    }))
}

/// The founding statement of an organisation.
///
/// # Errors
/// When the database does not answer.
pub async fn founding_note(
    connection: &mut PgConnection,
    organisation: OrganisationId,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT note FROM foundings WHERE organisation_id = $1", organisation.0)
        .fetch_optional(connection)
        .await
}

/// The statements that vouch for somebody.
pub struct Statements {
    pub founding: Option<String>,
    pub membership: Option<String>,
    pub disabled: bool,
}

/// The statements in force for a person.
///
/// # Errors
/// When the database does not answer.
pub async fn statements_of(
    connection: &mut PgConnection,
    account: AccountId,
) -> Result<Option<Statements>, sqlx::Error> {
    sqlx::query_as!(
        Statements,
        r#"SELECT f.note AS "founding?", m.note AS "membership?",
                  (a.disabled_at IS NOT NULL) AS "disabled!"
           FROM accounts a
           LEFT JOIN foundings f ON f.organisation_id = a.organisation_id
           LEFT JOIN memberships m ON m.account_id = a.id AND m.ended_at IS NULL AND m.complete
           WHERE a.id = $1"#,
        account.0
    )
    .fetch_optional(connection)
    .await
}

/// The newest statements that ever vouched for a person: to check what they signed while they were here.
///
/// # Errors
/// When the database does not answer.
pub async fn statements_ever_of(
    connection: &mut PgConnection,
    account: AccountId,
) -> Result<Option<Statements>, sqlx::Error> {
    sqlx::query_as!(
        Statements,
        r#"SELECT f.note AS "founding?", m.note AS "membership?",
                  (a.disabled_at IS NOT NULL) AS "disabled!"
           FROM accounts a
           LEFT JOIN foundings f ON f.organisation_id = a.organisation_id
           LEFT JOIN memberships m ON m.account_id = a.id AND m.complete
           WHERE a.id = $1
           ORDER BY m.proposed_at DESC NULLS LAST LIMIT 1"#,
        account.0
    )
    .fetch_optional(connection)
    .await
}

/// A shared key's row, not believed yet.
pub struct SharedKeyRow {
    pub id: Uuid,
    pub maker: Uuid,
    pub note: String,
}

/// Keys of one purpose that claim to be in force, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn shared_keys_in_force(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    purpose: &str,
    now: DateTime<Utc>,
) -> Result<Vec<SharedKeyRow>, sqlx::Error> {
    sqlx::query_as!(
        SharedKeyRow,
        r#"SELECT id, maker_id AS maker, note FROM shared_keys
           WHERE organisation_id = $1 AND purpose = $2 AND opens_at <= $3 AND closes_at > $3
           ORDER BY opens_at DESC, id LIMIT 16"#,
        organisation.0,
        purpose,
        now
    )
    .fetch_all(connection)
    .await
}

/// Organisations of a kind, in the order in which they came.
///
/// # Errors
/// When the database does not answer.
pub async fn organisations_of_kind(
    connection: &mut PgConnection,
    kind: &str,
) -> Result<Vec<OrganisationId>, sqlx::Error> {
    let ids =
        sqlx::query_scalar!("SELECT id FROM organisations WHERE kind = $1 ORDER BY created_at, id LIMIT 100", kind)
            .fetch_all(connection)
            .await?;
    Ok(ids.into_iter().map(OrganisationId).collect())
}

/// How a person stands to a call.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_call(
    connection: &mut PgConnection,
    account: AccountId,
    call: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (operator_id = $2 AND expires_at > now()
                   AND state IN ('opened', 'safety_checked', 'triaged')) AS "own!",
                  (i_supervise(organisation_id) AND (expires_at <= now()
                   OR state IN ('referred', 'callback_scheduled', 'closed'))) AS "supervises!"
           FROM calls WHERE id = $1"#,
        call,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        relations([(row.own, Relation::OwnDraft), (row.supervises, Relation::SupervisorOf)])
    }))
}

/// How a person stands to a notice: the squad's duty by the INTAKE key they hold, until it is accepted or returned.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_notice(
    connection: &mut PgConnection,
    account: AccountId,
    notice: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (sender_id = $2) AS "sender!",
                  (i_hold(intake_key_id) AND state IN ('sent', 'acknowledged')) AS "duty!",
                  (case_id IS NOT NULL AND i_am_on_case(case_id)) AS "assigned!",
                  (state = 'returned' AND i_supervise(sender_organisation_id)) AS "supervises!"
           FROM notices WHERE id = $1"#,
        notice,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        relations([
            (row.duty, Relation::Duty),
            (row.assigned, Relation::Assigned),
            (row.sender, Relation::Sender),
            (row.supervises, Relation::SupervisorOf),
        ])
    }))
}

/// How a person stands to a case.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_case(
    connection: &mut PgConnection,
    account: AccountId,
    case: Uuid,
) -> Result<Vec<Relation>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT a.relation AS "relation?", i_supervise(c.organisation_id) AS "supervises!"
           FROM cases c
           LEFT JOIN case_access a ON a.case_id = c.id AND a.account_id = $2 AND a.ended_at IS NULL
           WHERE c.id = $1"#,
        case,
        account.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or_else(Vec::new, |row| {
        let own = row.relation.as_deref().unwrap_or_default();
        relations([
            (own == Relation::Assigned.as_str(), Relation::Assigned),
            (own == Relation::Granted.as_str(), Relation::Granted),
            (row.supervises, Relation::SupervisorOf),
        ])
    }))
}

fn relations<const N: usize>(found: [(bool, Relation); N]) -> Vec<Relation> {
    found.into_iter().filter_map(|(holds, relation)| holds.then_some(relation)).collect()
}

/// Whether somebody is one of the two nominated to found an organisation that has no complete statement yet.
///
/// # Errors
/// When the database does not answer.
pub async fn is_founder(
    connection: &mut PgConnection,
    account: AccountId,
    organisation: OrganisationId,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT a.nominated_responsible AND NOT EXISTS (
                      SELECT FROM foundings f WHERE f.organisation_id = a.organisation_id AND f.complete)
           FROM accounts a WHERE a.id = $1 AND a.organisation_id = $2"#,
        account.0,
        organisation.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.flatten().unwrap_or(false))
}

/// One sealed record as it lies in the database, with the wrap that leads this person to its key.
pub struct SealedRow {
    pub record_id: Uuid,
    pub kind: String,
    pub case_id: Option<Uuid>,
    pub key_id: Uuid,
    pub epoch: i32,
    pub version: i64,
    pub blob: Vec<u8>,
    pub author: Uuid,
    pub signature: Vec<u8>,
    pub wrap: Vec<u8>,
    pub grant_id: Option<Uuid>,
    pub shared_key: Option<Uuid>,
    pub shared_wrap: Option<Vec<u8>>,
}

/// The sealed rows of these records that this person can unwrap, in no order.
///
/// # Errors
/// When the database does not answer.
pub async fn sealed(
    connection: &mut PgConnection,
    account: AccountId,
    records: &[Uuid],
) -> Result<Vec<SealedRow>, sqlx::Error> {
    sqlx::query_as!(
        SealedRow,
        r#"SELECT DISTINCT ON (s.record_id) s.record_id, s.kind, s.case_id, s.key_id, s.epoch, s.version, s.blob,
                  s.author, s.signature, w.wrap, w.grant_id, k.key_id AS "shared_key?", k.wrap AS "shared_wrap?"
           FROM sealed s
           JOIN wraps w ON w.key_id = s.key_id AND w.epoch = s.epoch
           LEFT JOIN shared_key_wraps k ON k.key_id = w.recipient_key AND k.account_id = $1
           WHERE s.record_id = ANY($2) AND (w.recipient_account = $1 OR k.key_id IS NOT NULL)
             AND w.active_from <= now() AND w.active_until > now()
           ORDER BY s.record_id, w.recipient_account NULLS LAST"#,
        account.0,
        records
    )
    .fetch_all(connection)
    .await
}

/// What is written when a record is sealed.
pub struct SealedWrite<'a> {
    pub record_id: Uuid,
    pub kind: &'static str,
    pub case_id: Option<Uuid>,
    pub key_id: Uuid,
    pub epoch: i32,
    pub version: i64,
    pub blob: &'a [u8],
    pub author: Uuid,
    pub signature: &'a [u8],
}

/// Stores the first version of a record.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn insert_sealed(connection: &mut PgConnection, row: &SealedWrite<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO sealed (record_id, kind, case_id, key_id, epoch, version, blob, author, signature)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        row.record_id,
        row.kind,
        row.case_id,
        row.key_id,
        row.epoch,
        row.version,
        row.blob,
        row.author,
        row.signature
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores the next version of a record over the one before; false if that one is not there any more.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn replace_sealed(connection: &mut PgConnection, row: &SealedWrite<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE sealed SET epoch = $2, version = $3::bigint, blob = $4, author = $5, signature = $6, case_id = $7
         WHERE record_id = $1 AND version = $3::bigint - 1",
        row.record_id,
        row.epoch,
        row.version,
        row.blob,
        row.author,
        row.signature,
        row.case_id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A wrap to be stored.
pub struct WrapWrite {
    pub key_id: Uuid,
    pub epoch: i32,
    pub account: Option<Uuid>,
    pub shared_key: Option<Uuid>,
    pub grant_id: Option<Uuid>,
    pub wrap: Vec<u8>,
    pub active_from: Option<DateTime<Utc>>,
    pub active_until: Option<DateTime<Utc>>,
}

/// Stores wraps, in one statement: row-level security admits the first wraps of a new key only all together.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn insert_wraps(connection: &mut PgConnection, wraps: &[WrapWrite]) -> Result<(), sqlx::Error> {
    let mut columns = (vec![], vec![], vec![], vec![], vec![], vec![], vec![], vec![]);
    for wrap in wraps {
        columns.0.push(wrap.key_id);
        columns.1.push(wrap.epoch);
        columns.2.push(wrap.account);
        columns.3.push(wrap.shared_key);
        columns.4.push(wrap.grant_id);
        columns.5.push(wrap.wrap.clone());
        columns.6.push(wrap.active_from);
        columns.7.push(wrap.active_until);
    }
    sqlx::query!(
        r#"INSERT INTO wraps (key_id, epoch, recipient_account, recipient_key, grant_id, wrap, active_from, active_until)
           SELECT k, e, a, s, g, w, COALESCE(f, '-infinity'), COALESCE(u, 'infinity')
           FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bytea[], $7::timestamptz[],
                       $8::timestamptz[]) AS t(k, e, a, s, g, w, f, u)"#,
        &columns.0,
        &columns.1,
        &columns.2 as &[Option<Uuid>],
        &columns.3 as &[Option<Uuid>],
        &columns.4 as &[Option<Uuid>],
        &columns.5,
        &columns.6 as &[Option<DateTime<Utc>>],
        &columns.7 as &[Option<DateTime<Utc>>]
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a record's ciphertext and, when nothing else is sealed under it, every wrap of its key.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn delete_sealed(connection: &mut PgConnection, record: Uuid, key: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM sealed WHERE record_id = $1", record).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM wraps WHERE key_id = $1 AND NOT EXISTS (SELECT FROM sealed WHERE key_id = $1)", key)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes every wrap of a key but those to one recipient: what an acceptance or a return leaves behind.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn delete_wraps_to_shared(connection: &mut PgConnection, key: Uuid, shared: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM wraps WHERE key_id = $1 AND recipient_key = $2", key, shared).execute(connection).await?;
    Ok(())
}

/// Removes the wraps of epochs before this one.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn delete_old_wraps(connection: &mut PgConnection, key: Uuid, epoch: i32) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM wraps WHERE key_id = $1 AND epoch < $2", key, epoch).execute(connection).await?;
    Ok(())
}

/// Removes one person's wraps of these keys.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn delete_wraps_of_account(
    connection: &mut PgConnection,
    keys: &[Uuid],
    account: AccountId,
) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM wraps WHERE key_id = ANY($1) AND recipient_account = $2", keys, account.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// A shared key's wrap to this person, if there is one.
///
/// # Errors
/// When the database does not answer.
pub async fn shared_wrap(
    connection: &mut PgConnection,
    key: Uuid,
    account: AccountId,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!("SELECT wrap FROM shared_key_wraps WHERE key_id = $1 AND account_id = $2", key, account.0)
        .fetch_optional(connection)
        .await
}

/// What was answered to an idempotency key before.
pub struct Answered {
    pub body_hash: Vec<u8>,
    pub status: i16,
    pub answer: serde_json::Value,
}

/// The stored answer to a key of this person.
///
/// # Errors
/// When the database does not answer.
pub async fn answered(
    connection: &mut PgConnection,
    account: AccountId,
    key_hash: &[u8],
) -> Result<Option<Answered>, sqlx::Error> {
    sqlx::query_as!(
        Answered,
        "SELECT body_hash, status, answer FROM idempotency WHERE account_id = $1 AND key_hash = $2",
        account.0,
        key_hash
    )
    .fetch_optional(connection)
    .await
}

/// Remembers an answer; false if another request with the same key was first.
///
/// # Errors
/// When the database does not answer.
pub async fn remember_answer(
    connection: &mut PgConnection,
    account: AccountId,
    key_hash: &[u8],
    body_hash: &[u8],
    status: i16,
    answer: &serde_json::Value,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO idempotency (account_id, key_hash, body_hash, status, answer, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        account.0,
        key_hash,
        body_hash,
        status,
        answer,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The erasure keys of these record keys, from the second database.
///
/// # Errors
/// When that database does not answer.
pub async fn erasure_keys(pool: &PgPool, keys: &[Uuid]) -> Result<Vec<(Uuid, Vec<u8>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT k.key_id, k.key FROM erasure.keys k
         WHERE k.key_id = ANY($1) AND NOT EXISTS (SELECT FROM erasure.tombstones t WHERE t.key_id = k.key_id)",
        keys
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key_id, row.key)).collect())
}

/// Makes erasure keys durable, before anything is sealed under them.
///
/// # Errors
/// When that database does not answer.
pub async fn insert_erasure_keys(pool: &PgPool, ids: &[Uuid], keys: &[Vec<u8>]) -> Result<(), sqlx::Error> {
    sqlx::query!("INSERT INTO erasure.keys (key_id, key) SELECT * FROM unnest($1::uuid[], $2::bytea[])", ids, keys)
        .execute(pool)
        .await?;
    Ok(())
}

/// Erases: from here on every copy of what was sealed under this key is unreadable.
///
/// # Errors
/// When that database does not answer.
pub async fn delete_erasure_key(pool: &PgPool, key: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH dead AS (DELETE FROM erasure.keys WHERE key_id = $1)
         INSERT INTO erasure.tombstones (key_id) VALUES ($1) ON CONFLICT DO NOTHING",
        key
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Holds everybody else who names the same thing until the transaction ends.
///
/// # Errors
/// When the database does not answer.
pub async fn serialise(connection: &mut PgConnection, thing: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0))", thing)
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// The INTAKE epochs that a record key is wrapped to.
///
/// # Errors
/// When the database does not answer.
pub async fn intake_recipients(connection: &mut PgConnection, key: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT DISTINCT w.recipient_key AS "key!" FROM wraps w JOIN shared_keys k ON k.id = w.recipient_key
           WHERE w.key_id = $1 AND k.purpose = 'intake'"#,
        key
    );
    found.fetch_all(connection).await
}

/// Removes the wraps of a key to CUSTODY keys, so that new ones can take their place.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn delete_custody_wraps(connection: &mut PgConnection, key: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM wraps w USING shared_keys k WHERE k.id = w.recipient_key AND k.purpose = 'custody' AND w.key_id = $1",
        key
    )
    .execute(connection)
    .await?;
    Ok(())
}
