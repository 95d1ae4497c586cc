//! Erasure keys, in the second database: without one, nothing that was sealed under its record key opens.

use sqlx::PgPool;
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
