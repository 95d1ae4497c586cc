//! Erasure keys, in the second database: without one, nothing that was sealed under its record key opens.

use crate::guard::record::{AccountId, CaseId, HoldId, ProposalId};
use chrono::TimeDelta;
use sqlx::{PgConnection, PgPool};
use std::collections::HashSet;
use uuid::Uuid;

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

/// [`delete_erasure_key`] for several: those of what was deleted, or that nothing was ever sealed under.
///
/// # Errors
/// When that database does not answer.
pub async fn discard_erasure_keys(pool: &PgPool, keys: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH dead AS (DELETE FROM erasure.keys WHERE key_id = ANY($1))
         INSERT INTO erasure.tombstones (key_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING",
        keys
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Whether this transaction is the only sweep that is under way.
///
/// # Errors
/// When that database does not answer.
pub async fn sweeping_alone(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // An arbitrary number, the same in every replica.
    let alone = sqlx::query_scalar!("SELECT pg_try_advisory_xact_lock(4850172)").fetch_one(connection).await?;
    Ok(alone.unwrap_or(false))
}

/// Deletes keys that have a tombstone: a restore brought them back. How many there were.
///
/// # Errors
/// When that database does not answer.
pub async fn erase_again(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("DELETE FROM erasure.keys k USING erasure.tombstones t WHERE t.key_id = k.key_id")
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Keys older than an hour, in order, after one of them: by then every unit that made one has ended.
///
/// # Errors
/// When that database does not answer.
pub async fn keys_to_sweep(connection: &mut PgConnection, after: Uuid, most: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT key_id FROM erasure.keys WHERE key_id > $1 AND created_at < now() - interval '1 hour'
         ORDER BY key_id LIMIT $2",
        after,
        most
    )
    .fetch_all(connection)
    .await
}

/// Which of these record keys something is sealed under, or wrapped for somebody: asked of the main database.
///
/// # Errors
/// When that database does not answer.
pub async fn keys_in_use(pool: &PgPool, keys: &[Uuid]) -> Result<HashSet<Uuid>, sqlx::Error> {
    let used =
        sqlx::query_scalar!(r#"SELECT keys_in_use AS "key!" FROM keys_in_use($1)"#, keys).fetch_all(pool).await?;
    Ok(used.into_iter().collect())
}

/// Takes every key off the list of suspects that is none of these.
///
/// # Errors
/// When that database does not answer.
pub async fn clear_suspects(connection: &mut PgConnection, but: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM erasure.suspects WHERE key_id <> ALL($1)", but).execute(connection).await?;
    Ok(())
}

/// Notes these keys as suspects, unless they are already, and answers with those that have been for more than a day.
///
/// # Errors
/// When that database does not answer.
pub async fn note_suspects(connection: &mut PgConnection, keys: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query!("INSERT INTO erasure.suspects (key_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING", keys)
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar!(
        "SELECT key_id FROM erasure.suspects WHERE key_id = ANY($1) AND noted_at < now() - interval '24 hours'",
        keys
    )
    .fetch_all(connection)
    .await
}

/// Erases these keys.
///
/// # Errors
/// When that database does not answer.
pub async fn erase_keys(connection: &mut PgConnection, keys: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH dead AS (DELETE FROM erasure.keys WHERE key_id = ANY($1)),
         listed AS (DELETE FROM erasure.suspects WHERE key_id = ANY($1))
         INSERT INTO erasure.tombstones (key_id) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING",
        keys
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Which of these keys were erased.
///
/// # Errors
/// When that database does not answer.
pub async fn erased(pool: &PgPool, keys: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("SELECT key_id FROM erasure.tombstones WHERE key_id = ANY($1)", keys).fetch_all(pool).await
}

/// Which keys were erased, and when, from a moment on. A clock that was set back brings all of them, and none counts as erased later
/// than now: a wrong clock must not hide what comes after.
///
/// # Errors
/// When that database does not answer.
pub async fn tombstones_since(
    pool: &PgPool,
    since: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<(Uuid, chrono::DateTime<chrono::Utc>)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT key_id, LEAST(erased_at, now()) AS "erased_at!" FROM erasure.tombstones WHERE $1 > now() OR erased_at >= $1"#,
        since
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key_id, row.erased_at)).collect())
}

/// Hides those of these cases that are there although they were erased. How many were not hidden yet.
///
/// # Errors
/// When the database does not answer.
pub async fn hide_erased(pool: &PgPool, erased: &[Uuid]) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT hide_erased($1) AS "it!""#, erased).fetch_one(pool).await
}

/// Takes away the wraps of these keys that hang on a hidden case.
///
/// # Errors
/// When the database does not answer.
pub async fn unwrap_hidden(pool: &PgPool, erased: &[Uuid]) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT unwrap_hidden($1) AS "it!""#, erased).fetch_one(pool).await
}

/// What keeps a case from being erased, as it lies there.
pub struct InTheWay {
    pub id: HoldId,
    pub note: String,
    pub vouch: Vec<u8>,
    pub placed_vouch: Option<Vec<u8>>,
}

/// Holds on a case whose erasure is proposed: asked of the main database.
///
/// # Errors
/// When the database does not answer.
pub async fn holds_in_the_way(pool: &PgPool, case: CaseId) -> Result<Vec<InTheWay>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", note AS "note!", vouch AS "vouch!", placed_vouch FROM holds_in_the_way($1)"#,
        case.0
    )
    .fetch_all(pool)
    .await?;
    let hold = rows.into_iter().map(|row| InTheWay {
        id: HoldId(row.id),
        note: row.note,
        vouch: row.vouch,
        placed_vouch: row.placed_vouch,
    });
    Ok(hold.collect())
}

/// Writes down that this service never placed a hold.
///
/// # Errors
/// When the database does not answer.
pub async fn disregard_hold(pool: &PgPool, hold: HoldId) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT disregard_hold($1)", hold.0).fetch_one(pool).await?;
    Ok(())
}

/// Writes down that the service carries out an erasure in one transaction.
///
/// # Errors
/// When the database does not answer.
pub async fn order_erasure(
    pool: &PgPool,
    erasure: ProposalId,
    second: AccountId,
    transaction: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT order_erasure($1, $2, $3)", erasure.0, second.0, transaction).fetch_one(pool).await?;
    Ok(())
}

/// What an erasure still has to take away outside the main database.
pub struct Due {
    pub erasure: Uuid,
    pub keys: Vec<Uuid>,
    pub objects: Vec<Uuid>,
    pub vouch: Vec<u8>,
}

/// Erasures that two persons confirmed and whose keys are not all known to be gone: asked of the main database.
///
/// # Errors
/// When that database does not answer.
pub async fn erasures_due(pool: &PgPool) -> Result<Vec<Due>, sqlx::Error> {
    sqlx::query_as!(
        Due,
        r#"SELECT erasure_id AS "erasure!", keys AS "keys!", objects AS "objects!", vouch AS "vouch!" FROM erasures_due()"#
    )
    .fetch_all(pool)
    .await
}

/// Writes into the main database that an erasure's last key is gone, and when its last backup will be. Whether it was the first
/// to.
///
/// # Errors
/// When that database does not answer.
pub async fn erasure_is_online(pool: &PgPool, erasure: Uuid, kept: TimeDelta) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT erasure_is_online($1, $2::interval) AS "it!""#, erasure, kept as TimeDelta)
        .fetch_one(pool)
        .await
}
