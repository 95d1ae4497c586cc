//! All SQL of the ledger.

use super::entry::Place;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// An entry ready to be stored.
pub struct Row {
    pub place: Place,
    pub leaf: Vec<u8>,
    pub signature: Vec<u8>,
    pub detail_key: Uuid,
    pub detail: Vec<u8>,
}

/// Stores entries and puts them in the sequencer's queue. Durable when the transaction is.
///
/// # Errors
/// When the database does not answer.
pub async fn insert(connection: &mut PgConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    let (mut replicas, mut lanes, mut numbers) = (vec![], vec![], vec![]);
    let (mut leaves, mut signatures, mut keys, mut details) = (vec![], vec![], vec![], vec![]);
    for row in rows {
        replicas.push(row.place.replica);
        lanes.push(row.place.lane);
        numbers.push(row.place.n);
        leaves.push(row.leaf.clone());
        signatures.push(row.signature.clone());
        keys.push(row.detail_key);
        details.push(row.detail.clone());
    }
    sqlx::query!(
        "WITH entered AS (
             INSERT INTO ledger_entries (replica, lane, n, leaf, signature, detail_key, detail)
             SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bytea[], $5::bytea[], $6::uuid[], $7::bytea[]))
         INSERT INTO ledger_pending (replica, lane, n) SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[])",
        &replicas,
        &lanes,
        &numbers,
        &leaves,
        &signatures,
        &keys,
        &details
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores a key under which details are sealed. `key_id` is the auditors' LEDGER epoch that `wrap` is sealed to; without
/// one, `wrap` is the key itself (while a country is being founded, and nobody's record exists).
///
/// # Errors
/// When the database does not answer.
pub async fn insert_detail_key(
    pool: &PgPool,
    id: Uuid,
    hour: i64,
    key_id: Option<Uuid>,
    wrap: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO ledger_detail_keys (id, hour, key_id, wrap) VALUES ($1, $2, $3, $4)",
        id,
        hour,
        key_id,
        wrap
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes the sequencer's lock for this connection, if nobody has it.
///
/// # Errors
/// When the database does not answer.
pub async fn try_sequencer_lock(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // An arbitrary number, the same in every replica.
    let taken = sqlx::query_scalar!("SELECT pg_try_advisory_lock(4850171)").fetch_one(connection).await?;
    Ok(taken.unwrap_or(false))
}

/// A stored entry, with what the sequencer knows of its lane.
pub struct Pending {
    pub replica: Uuid,
    pub lane: i32,
    pub n: i64,
    pub leaf: Option<Vec<u8>>,
    pub last_n: Option<i64>,
    pub last_hash: Option<Vec<u8>>,
}

/// The next entries to be sequenced, lane by lane in order.
///
/// # Errors
/// When the database does not answer.
pub async fn pending(connection: &mut PgConnection, most: i64) -> Result<Vec<Pending>, sqlx::Error> {
    sqlx::query_as!(
        Pending,
        r#"SELECT p.replica, p.lane, p.n, e.leaf AS "leaf?", l.n AS "last_n?", l.leaf_hash AS "last_hash?"
           FROM ledger_pending p
           LEFT JOIN ledger_entries e ON e.replica = p.replica AND e.lane = p.lane AND e.n = p.n
           LEFT JOIN ledger_lanes l ON l.replica = p.replica AND l.lane = p.lane
           ORDER BY p.replica, p.lane, p.n LIMIT $1"#,
        most
    )
    .fetch_all(connection)
    .await
}

/// Gives an entry its place in the tree.
///
/// # Errors
/// When the database does not answer or the place is taken.
pub async fn sequence(
    connection: &mut PgConnection,
    position: i64,
    place: Place,
    leaf_hash: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH out AS (DELETE FROM ledger_pending WHERE replica = $2 AND lane = $3 AND n = $4),
              lane AS (INSERT INTO ledger_lanes (replica, lane, n, leaf_hash) VALUES ($2, $3, $4, $5)
                       ON CONFLICT (replica, lane) DO UPDATE SET n = $4, leaf_hash = $5)
         INSERT INTO ledger_tree (position, replica, lane, n, leaf_hash) VALUES ($1, $2, $3, $4, $5)",
        position,
        place.replica,
        place.lane,
        place.n,
        leaf_hash
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A stored checkpoint.
pub struct Stored {
    pub size: i64,
    pub note: String,
    pub right_edge: Vec<Vec<u8>>,
}

/// The newest checkpoint.
///
/// # Errors
/// When the database does not answer.
pub async fn newest_checkpoint(connection: &mut PgConnection) -> Result<Option<Stored>, sqlx::Error> {
    sqlx::query_as!(Stored, "SELECT size, note, right_edge FROM ledger_checkpoints ORDER BY size DESC LIMIT 1")
        .fetch_optional(connection)
        .await
}

/// Stores a checkpoint.
///
/// # Errors
/// When the database does not answer.
pub async fn insert_checkpoint(
    connection: &mut PgConnection,
    checkpoint: &Stored,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO ledger_checkpoints (size, note, right_edge, made_at) VALUES ($1, $2, $3, $4)",
        checkpoint.size,
        checkpoint.note,
        &checkpoint.right_edge,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
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
}

/// A run of leaves for the verifier.
///
/// # Errors
/// When the database does not answer.
pub async fn leaves(pool: &PgPool, from: i64, most: i64) -> Result<Vec<TreeRow>, sqlx::Error> {
    sqlx::query_as!(
        TreeRow,
        r#"SELECT t.position, t.replica, t.lane, t.n, t.leaf_hash, e.leaf AS "leaf?", e.signature AS "signature?"
           FROM ledger_tree t
           LEFT JOIN ledger_entries e ON e.replica = t.replica AND e.lane = t.lane AND e.n = t.n
           WHERE t.position >= $1 ORDER BY t.position LIMIT $2"#,
        from,
        most
    )
    .fetch_all(pool)
    .await
}

/// How many entries are stored, and how many of them stand in the tree.
///
/// # Errors
/// When the database does not answer.
pub async fn counts(pool: &PgPool) -> Result<(i64, i64), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM ledger_entries) AS "entries!", (SELECT count(*) FROM ledger_tree) AS "leaves!""#
    )
    .fetch_one(pool)
    .await?;
    Ok((row.entries, row.leaves))
}

/// Every stored checkpoint's note, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn checkpoints(pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT note FROM ledger_checkpoints ORDER BY size").fetch_all(pool).await
}

/// What is stored of one sealed record, for the verifier: never a key.
pub struct StoredRecord {
    pub record_id: Uuid,
    pub version: i64,
    pub blob: Vec<u8>,
}

/// A run of sealed records.
///
/// # Errors
/// When the database does not answer.
pub async fn records(pool: &PgPool, after: Uuid, most: i64) -> Result<Vec<StoredRecord>, sqlx::Error> {
    sqlx::query_as!(
        StoredRecord,
        "SELECT record_id, version, blob FROM sealed WHERE record_id > $1 ORDER BY record_id LIMIT $2",
        after,
        most
    )
    .fetch_all(pool)
    .await
}

/// An entry as an auditor's page needs it.
pub struct Page {
    pub position: i64,
    pub replica: Uuid,
    pub lane: i32,
    pub n: i64,
    pub detail: Option<Vec<u8>>,
    pub detail_key: Uuid,
    pub key_id: Option<Uuid>,
    pub wrap: Vec<u8>,
}

/// Entries of the tree before a position, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn page(pool: &PgPool, before: i64, most: i64) -> Result<Vec<Page>, sqlx::Error> {
    sqlx::query_as!(
        Page,
        r#"SELECT t.position, t.replica, t.lane, t.n, e.detail, e.detail_key, k.key_id, k.wrap
           FROM ledger_tree t
           JOIN ledger_entries e ON e.replica = t.replica AND e.lane = t.lane AND e.n = t.n
           JOIN ledger_detail_keys k ON k.id = e.detail_key
           WHERE t.position < $1 ORDER BY t.position DESC LIMIT $2"#,
        before,
        most
    )
    .fetch_all(pool)
    .await
}
