//! What the verifier reads, as the auditor's role: all of it in one snapshot.

use crate::audit::entry::Place;
pub(super) use crate::audit::retention::store::all as retentions;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

/// A look at the whole database at one moment, so that what is compared belongs together while the service goes on.
///
/// # Errors
/// When the database does not answer.
pub async fn snapshot(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

/// One leaf in the tree's order, with the entry it stands for.
pub struct TreeRow {
    pub position: i64,
    pub replica: Uuid,
    pub lane: i32,
    pub n: i64,
    pub leaf_hash: Vec<u8>,
    pub leaf: Option<Vec<u8>>,
    pub signature: Option<Vec<u8>>,
    pub has_detail: bool,
    pub label: Option<Vec<u8>>,
}

/// How many entries have a number, as the newest one says.
///
/// # Errors
/// When the database does not answer.
pub async fn size(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let newest = sqlx::query_scalar!("SELECT position FROM ledger_tree ORDER BY position DESC LIMIT 1")
        .fetch_optional(connection);
    Ok(newest.await?.and_then(|position| u64::try_from(position).ok()).map_or(0, |newest| newest.saturating_add(1)))
}

/// A run of leaves for the verifier.
///
/// # Errors
/// When the database does not answer.
pub async fn leaves(connection: &mut PgConnection, from: i64, most: i64) -> Result<Vec<TreeRow>, sqlx::Error> {
    sqlx::query_as!(
        TreeRow,
        r#"SELECT t.position, t.replica, t.lane, t.n, t.leaf_hash, e.leaf AS "leaf?", e.signature AS "signature?",
                  e.detail IS NOT NULL AS "has_detail!", e.label AS "label?"
           FROM (SELECT * FROM ledger_tree WHERE position >= $1 ORDER BY position LIMIT $2) t
           LEFT JOIN ledger_entries e ON e.replica = t.replica AND e.lane = t.lane AND e.n = t.n
           ORDER BY t.position"#,
        from,
        most
    )
    .fetch_all(connection)
    .await
}

/// A stored entry that has no place in the tree, and whether it waits for one.
pub struct Unsequenced {
    pub replica: Uuid,
    pub lane: i32,
    pub n: i64,
    pub leaf: Vec<u8>,
    pub signature: Vec<u8>,
    pub has_detail: bool,
    pub queued: bool,
}

/// A run of entries outside the tree, lane by lane in order, after one of them.
///
/// # Errors
/// When the database does not answer.
pub async fn unsequenced(
    connection: &mut PgConnection,
    after: Option<Place>,
    most: i64,
) -> Result<Vec<Unsequenced>, sqlx::Error> {
    sqlx::query_as!(
        Unsequenced,
        r#"SELECT e.replica, e.lane, e.n, e.leaf, e.signature, e.detail IS NOT NULL AS "has_detail!",
                  p.n IS NOT NULL AS "queued!"
           FROM ledger_entries e
           LEFT JOIN ledger_pending p ON p.replica = e.replica AND p.lane = e.lane AND p.n = e.n
           WHERE NOT EXISTS (SELECT FROM ledger_tree t WHERE t.replica = e.replica AND t.lane = e.lane AND t.n = e.n)
             AND ($1::uuid IS NULL OR (e.replica, e.lane, e.n) > ($1, $2::int, $3::bigint))
           ORDER BY e.replica, e.lane, e.n LIMIT $4"#,
        after.map(|place| place.replica),
        after.map(|place| place.lane),
        after.map(|place| place.n),
        most
    )
    .fetch_all(connection)
    .await
}

/// A row of the queue that stands for no waiting entry.
pub struct Misqueued {
    pub replica: Uuid,
    pub lane: i32,
    pub n: i64,
    /// The entry has its place in the tree; otherwise there is no such entry.
    pub sequenced: bool,
}

/// Rows of the queue that stand for no waiting entry.
///
/// # Errors
/// When the database does not answer.
pub async fn misqueued(connection: &mut PgConnection, most: i64) -> Result<Vec<Misqueued>, sqlx::Error> {
    sqlx::query_as!(
        Misqueued,
        r#"SELECT p.replica, p.lane, p.n, t.n IS NOT NULL AS "sequenced!"
           FROM ledger_pending p
           LEFT JOIN ledger_entries e ON e.replica = p.replica AND e.lane = p.lane AND e.n = p.n
           LEFT JOIN ledger_tree t ON t.replica = p.replica AND t.lane = p.lane AND t.n = p.n
           WHERE e.n IS NULL OR t.n IS NOT NULL ORDER BY p.replica, p.lane, p.n LIMIT $1"#,
        most
    )
    .fetch_all(connection)
    .await
}

/// A stored checkpoint's note, and the size under which it is filed.
pub struct Filed {
    pub size: i64,
    pub note: String,
}

/// The checkpoints filed under sizes above `after`, up to `upto` if that is given; smallest first.
///
/// # Errors
/// When the database does not answer.
pub async fn checkpoints(
    connection: &mut PgConnection,
    after: Option<i64>,
    upto: Option<i64>,
) -> Result<Vec<Filed>, sqlx::Error> {
    sqlx::query_as!(
        Filed,
        "SELECT size, note FROM ledger_checkpoints
         WHERE ($1::bigint IS NULL OR size > $1) AND ($2::bigint IS NULL OR size <= $2) ORDER BY size",
        after,
        upto
    )
    .fetch_all(connection)
    .await
}

/// What is stored of one sealed record, for the verifier: never a key.
pub struct StoredRecord {
    pub record_id: Uuid,
    pub version: i64,
    pub blob: Vec<u8>,
}

/// A run of sealed records, after one of them.
///
/// # Errors
/// When the database does not answer.
pub async fn records(
    connection: &mut PgConnection,
    after: Option<Uuid>,
    most: i64,
) -> Result<Vec<StoredRecord>, sqlx::Error> {
    sqlx::query_as!(
        StoredRecord,
        "SELECT record_id, version, blob FROM sealed
         WHERE $1::uuid IS NULL OR record_id > $1 ORDER BY record_id LIMIT $2",
        after,
        most
    )
    .fetch_all(connection)
    .await
}

/// Every account with the secret name of its register.
///
/// # Errors
/// When the database does not answer.
pub async fn registers(connection: &mut PgConnection) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(r#"SELECT account_id AS "account!", register AS "register!" FROM registers_all()"#)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.account, row.register)).collect())
}

/// How a clear row stands: ids and a digest, nothing of what it says.
pub struct StoredRow {
    pub kind: String,
    pub id: Uuid,
    pub account: Option<Uuid>,
    pub register_no: Option<i64>,
    pub standing: i64,
    pub digest: Vec<u8>,
    /// Whether something is sealed under the row's id.
    pub sealed: bool,
}

/// Every clear row that the ledger vouches for, register by register in order.
pub fn rows(connection: &mut PgConnection) -> BoxStream<'_, Result<StoredRow, sqlx::Error>> {
    sqlx::query_as!(
        StoredRow,
        r#"SELECT kind AS "kind!", id AS "id!", account_id AS account, register_no, standing AS "standing!",
                  digest AS "digest!", sealed AS "sealed!" FROM standings_all()"#
    )
    .fetch(connection)
}

/// A case, with one of its holds where there are any.
pub struct CaseBehind {
    pub case: Uuid,
    pub closed: bool,
    pub opened_at: DateTime<Utc>,
    pub held_from: Option<DateTime<Utc>>,
    /// When the hold ended, or will; none that ends by itself ends without a lift.
    pub held_until: Option<DateTime<Utc>>,
}

/// The cases that these are, or hang on.
///
/// # Errors
/// When the database does not answer.
pub async fn cases_behind(connection: &mut PgConnection, about: &[Uuid]) -> Result<Vec<CaseBehind>, sqlx::Error> {
    sqlx::query_as!(
        CaseBehind,
        r#"SELECT case_id AS "case!", closed AS "closed!", opened_at AS "opened_at!", held_from, held_until FROM cases_behind($1)"#,
        about
    )
    .fetch_all(connection)
    .await
}

/// The objects that there must be, each with the digest of its bytes.
///
/// # Errors
/// When the database does not answer.
pub async fn objects(pool: &PgPool) -> Result<Vec<(Uuid, Vec<u8>)>, sqlx::Error> {
    let rows =
        sqlx::query!(r#"SELECT object AS "object!", digest AS "digest!" FROM objects_all()"#).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.object, row.digest)).collect())
}

/// Whether there must still be this object.
///
/// # Errors
/// When the database does not answer.
pub async fn is_object(pool: &PgPool, object: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM objects_all() WHERE object = $1) AS "it!""#, object)
        .fetch_one(pool)
        .await
}

/// The leaves that say that they were made from the first of these hours to the last, in no order.
pub fn leaves_of_hours(
    connection: &mut PgConnection,
    first: i64,
    last: i64,
) -> BoxStream<'_, Result<Vec<u8>, sqlx::Error>> {
    // Where a leaf says the hour (`Leaf::to_bytes`): big-endian, so that bytes compare as the numbers do.
    sqlx::query_scalar!(
        "SELECT leaf FROM ledger_entries WHERE substring(leaf FROM 65 FOR 8) BETWEEN int8send($1) AND int8send($2)",
        first,
        last
    )
    .fetch(connection)
}
