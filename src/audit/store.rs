//! All SQL of the ledger.

use super::entry::Place;
use super::ledger::Written;
use super::tree::Hash;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// An entry ready to be stored.
pub struct Row {
    pub place: Place,
    pub leaf: Vec<u8>,
    pub signature: Vec<u8>,
    pub detail_key: Uuid,
    pub detail: Vec<u8>,
    /// What the service needs to know of it when its time is over.
    pub label: Vec<u8>,
}

/// Stores entries and puts them in the sequencer's queue. Durable when the transaction is.
///
/// # Errors
/// When the database does not answer.
pub async fn insert(connection: &mut PgConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    let (mut replicas, mut lanes, mut numbers) = (vec![], vec![], vec![]);
    let (mut leaves, mut signatures, mut keys, mut details, mut labels) = (vec![], vec![], vec![], vec![], vec![]);
    for row in rows {
        replicas.push(row.place.replica);
        lanes.push(row.place.lane);
        numbers.push(row.place.n);
        leaves.push(row.leaf.clone());
        signatures.push(row.signature.clone());
        keys.push(row.detail_key);
        details.push(row.detail.clone());
        labels.push(row.label.clone());
    }
    let stored = sqlx::query!(
        r#"WITH entered AS (
             INSERT INTO ledger_entries (replica, lane, n, leaf, signature, detail_key, detail, label)
             SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bytea[], $5::bytea[], $6::uuid[], $7::bytea[], $8::bytea[])
             RETURNING 1),
         queued AS (
             INSERT INTO ledger_pending (replica, lane, n) SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[])
             RETURNING 1)
         SELECT (SELECT count(*) FROM entered) AS "entered!", (SELECT count(*) FROM queued) AS "queued!""#,
        &replicas,
        &lanes,
        &numbers,
        &leaves,
        &signatures,
        &keys,
        &details,
        &labels
    )
    .fetch_one(connection)
    .await?;
    // An insert that succeeds and stores nothing (a trigger could see to that) is no entry.
    let wanted = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if (stored.entered, stored.queued) == (wanted, wanted) { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// A key under which details are sealed, as it is stored.
pub struct NewDetailKey {
    pub id: Uuid,
    pub hour: i64,
    /// The auditors' LEDGER epoch that `wrap` is sealed to; without one, `wrap` is the key itself (while a country is being
    /// founded, and nobody's record exists).
    pub key_id: Option<Uuid>,
    pub wrap: Vec<u8>,
    /// The OVERSIGHT epoch of the organisation whose entries are sealed under it, with the wrap to that.
    pub oversight: Option<(Uuid, Vec<u8>)>,
}

/// Stores a key under which details are sealed.
///
/// # Errors
/// When the database does not answer.
pub async fn insert_detail_key(pool: &PgPool, key: &NewDetailKey) -> Result<(), sqlx::Error> {
    let (epoch, wrap) = key.oversight.as_ref().map(|(epoch, wrap)| (*epoch, wrap.as_slice())).unzip();
    sqlx::query!(
        "INSERT INTO ledger_detail_keys (id, hour, key_id, wrap, oversight_id, oversight_wrap) VALUES ($1, $2, $3, $4, $5, $6)",
        key.id,
        key.hour,
        key.key_id,
        key.wrap,
        epoch,
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

/// Whether some session, of whichever replica, holds the sequencer's lock.
///
/// # Errors
/// When the database does not answer.
pub async fn sequencer_is_alive(pool: &PgPool) -> Result<bool, sqlx::Error> {
    // The lock of [`try_sequencer_lock`], as the catalogue splits its number.
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM pg_locks
               WHERE locktype = 'advisory' AND classid = 0 AND objid = 4850171 AND objsubid = 1 AND granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
           ) AS "alive!""#
    )
    .fetch_one(pool)
    .await
}

/// A stored entry, with what the sequencer knows of its lane.
pub struct Pending {
    pub replica: Uuid,
    pub lane: i32,
    pub n: i64,
    pub leaf: Option<Vec<u8>>,
    pub signature: Option<Vec<u8>>,
    pub last_n: Option<i64>,
    pub last_hash: Option<Vec<u8>>,
}

/// The next entries to be sequenced, lane by lane in order, without those of refused lanes: entries that cannot go on
/// must not fill the batch of those that can.
///
/// # Errors
/// When the database does not answer.
pub async fn pending(
    connection: &mut PgConnection,
    most: i64,
    refused: &[(Uuid, i32)],
) -> Result<Vec<Pending>, sqlx::Error> {
    let (replicas, lanes): (Vec<Uuid>, Vec<i32>) = refused.iter().copied().unzip();
    sqlx::query_as!(
        Pending,
        r#"SELECT p.replica, p.lane, p.n, e.leaf AS "leaf?", e.signature AS "signature?",
                  l.n AS "last_n?", l.leaf_hash AS "last_hash?"
           FROM (SELECT q.replica, q.lane, q.n FROM ledger_pending q
                 WHERE NOT EXISTS (SELECT FROM unnest($2::uuid[], $3::int[]) AS refused (replica, lane)
                                   WHERE refused.replica = q.replica AND refused.lane = q.lane)
                 ORDER BY q.replica, q.lane, q.n LIMIT $1) p
           LEFT JOIN ledger_entries e ON e.replica = p.replica AND e.lane = p.lane AND e.n = p.n
           LEFT JOIN ledger_lanes l ON l.replica = p.replica AND l.lane = p.lane
           ORDER BY p.replica, p.lane, p.n"#,
        most,
        &replicas,
        &lanes
    )
    .fetch_all(connection)
    .await
}

/// For how long the oldest entry has waited for its place in the tree; `None` when none waits. By the database's own
/// clock, which also said when the entry came: less than nothing when somebody wrote a time to come. The app's role cannot
/// ask this, the sequencer's can.
///
/// # Errors
/// When the database does not answer.
pub async fn oldest_pending(pool: &PgPool) -> Result<Option<TimeDelta>, sqlx::Error> {
    let age = sqlx::query_scalar!(
        "SELECT (extract(epoch FROM clock_timestamp() - min(entered_at)) * 1000000)::bigint FROM ledger_pending"
    )
    .fetch_one(pool)
    .await?;
    Ok(age.map(TimeDelta::microseconds))
}

/// What stands in the tree in the places of these entries of a process. Whether it is these entries, their hashes say.
///
/// # Errors
/// When the database does not answer.
pub async fn placed(pool: &PgPool, replica: Uuid, asked: &[Written]) -> Result<Vec<Written>, sqlx::Error> {
    let (lanes, numbers): (Vec<i32>, Vec<i64>) = asked.iter().map(|entry| (entry.lane, entry.n)).unzip();
    let rows = sqlx::query!(
        "SELECT t.lane, t.n, t.leaf_hash FROM unnest($2::int[], $3::bigint[]) AS asked (lane, n)
         JOIN ledger_tree t ON t.replica = $1 AND t.lane = asked.lane AND t.n = asked.n",
        replica,
        &lanes,
        &numbers
    )
    .fetch_all(pool)
    .await?;
    let written = |lane, n, hash: Vec<u8>| {
        let leaf_hash = Hash::from_bytes(hash.try_into().ok()?);
        Some(Written { lane, n, leaf_hash })
    };
    Ok(rows.into_iter().filter_map(|row| written(row.lane, row.n, row.leaf_hash)).collect())
}

/// An entry with the place in the tree that it is to have.
#[derive(Clone, Copy)]
pub struct Sequenced {
    pub position: i64,
    pub place: Place,
    pub leaf_hash: Hash,
}

/// Gives entries their places in the tree, takes them out of the queue, and notes the last one of each lane.
///
/// # Errors
/// When the database does not answer, a place is taken, or an entry is no longer in the queue.
pub async fn sequence(connection: &mut PgConnection, entries: &[Sequenced]) -> Result<(), sqlx::Error> {
    let (mut positions, mut replicas, mut lanes) = (vec![], vec![], vec![]);
    let (mut numbers, mut hashes) = (vec![], vec![]);
    for entry in entries {
        positions.push(entry.position);
        replicas.push(entry.place.replica);
        lanes.push(entry.place.lane);
        numbers.push(entry.place.n);
        hashes.push(entry.leaf_hash.as_bytes().to_vec());
    }
    let taken = sqlx::query!(
        "WITH placed AS (
             INSERT INTO ledger_tree (position, replica, lane, n, leaf_hash)
             SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::int[], $4::bigint[], $5::bytea[])),
         lanes AS (
             INSERT INTO ledger_lanes (replica, lane, n, leaf_hash)
             SELECT DISTINCT ON (replica, lane) replica, lane, n, leaf_hash
             FROM unnest($2::uuid[], $3::int[], $4::bigint[], $5::bytea[]) AS entry (replica, lane, n, leaf_hash)
             ORDER BY replica, lane, n DESC
             ON CONFLICT (replica, lane) DO UPDATE SET n = excluded.n, leaf_hash = excluded.leaf_hash)
         DELETE FROM ledger_pending p
         USING unnest($2::uuid[], $3::int[], $4::bigint[]) AS entry (replica, lane, n)
         WHERE p.replica = entry.replica AND p.lane = entry.lane AND p.n = entry.n",
        &positions,
        &replicas,
        &lanes,
        &numbers,
        &hashes
    )
    .execute(connection)
    .await?
    .rows_affected();
    if usize::try_from(taken) == Ok(entries.len()) { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// How many leaves the tree has by its highest position.
///
/// # Errors
/// When the database does not answer.
pub async fn tree_size(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT coalesce(max(position) + 1, 0) AS "size!" FROM ledger_tree"#)
        .fetch_one(connection)
        .await
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

/// A position of the tree as an auditor's page needs it, with what is stored of its entry.
pub struct Page {
    pub position: i64,
    pub replica: Uuid,
    pub lane: i32,
    pub n: i64,
    pub leaf_hash: Vec<u8>,
    pub leaf: Option<Vec<u8>>,
    pub signature: Option<Vec<u8>>,
    pub detail: Option<Vec<u8>>,
    pub detail_key: Option<Uuid>,
    pub key_id: Option<Uuid>,
    pub wrap: Option<Vec<u8>>,
}

/// Positions of the tree before one of them, newest first: also those whose entry is gone.
///
/// # Errors
/// When the database does not answer.
pub async fn page(pool: &PgPool, before: i64, most: i64) -> Result<Vec<Page>, sqlx::Error> {
    sqlx::query_as!(
        Page,
        r#"SELECT t.position, t.replica, t.lane, t.n, t.leaf_hash, e.leaf AS "leaf?", e.signature AS "signature?",
                  e.detail, k.id AS "detail_key?", k.key_id, k.wrap AS "wrap?"
           FROM ledger_tree t
           LEFT JOIN ledger_entries e ON e.replica = t.replica AND e.lane = t.lane AND e.n = t.n
           LEFT JOIN ledger_detail_keys k ON k.id = e.detail_key
           WHERE t.position < $1 ORDER BY t.position DESC LIMIT $2"#,
        before,
        most
    )
    .fetch_all(pool)
    .await
}

/// A checkpoint as it is filed.
pub struct Filed {
    pub size: i64,
    pub note: String,
}

/// The checkpoints from the last one at or before one position up to another position, smallest first.
///
/// # Errors
/// When the database does not answer.
pub async fn checkpoints_over(pool: &PgPool, from: i64, upto: i64) -> Result<Vec<Filed>, sqlx::Error> {
    sqlx::query_as!(
        Filed,
        "SELECT size, note FROM ledger_checkpoints
         WHERE size >= coalesce((SELECT max(size) FROM ledger_checkpoints WHERE size <= $1), 0) AND size <= $2 ORDER BY size",
        from,
        upto
    )
    .fetch_all(pool)
    .await
}

/// For each of these positions the last checkpoint at or before it, smallest first.
///
/// # Errors
/// When the database does not answer.
pub async fn checkpoints_at(pool: &PgPool, positions: &[i64]) -> Result<Vec<Filed>, sqlx::Error> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_as!(
        Filed,
        r#"SELECT DISTINCT c.size AS "size!", c.note AS "note!" FROM unnest($1::bigint[]) AS asked (position)
           CROSS JOIN LATERAL (SELECT size, note FROM ledger_checkpoints WHERE size <= asked.position
                               ORDER BY size DESC LIMIT 1) c
           ORDER BY c.size"#,
        positions
    )
    .fetch_all(pool)
    .await
}
