//! Tries at the door, counted by one statement each: however many replicas and however many at once, no budget is exceeded.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// One try that was taken: to be given back it must be of the window that still runs.
pub struct TryTaken {
    bucket: [u8; 32],
    window_ends_at: DateTime<Utc>,
    /// The window began with it.
    pub first: bool,
}

impl TryTaken {
    pub fn of(bucket: [u8; 32], window_ends_at: DateTime<Utc>) -> Self {
        Self { bucket, window_ends_at, first: false }
    }

    pub fn kept(&self) -> ([u8; 32], DateTime<Utc>) {
        (self.bucket, self.window_ends_at)
    }
}

/// Takes a try, unless the budget of the window is used up.
pub async fn take_try(
    pool: &PgPool,
    bucket: &[u8; 32],
    most: u32,
    minutes: u32,
) -> Result<Option<TryTaken>, sqlx::Error> {
    let row = sqlx::query!(
        r#"INSERT INTO sign_in_tries AS t (bucket, window_ends_at, taken)
           VALUES ($1, now() + make_interval(mins => $3), 1)
           ON CONFLICT (bucket) DO UPDATE SET
               taken = CASE WHEN t.window_ends_at <= now() THEN 1 ELSE t.taken + 1 END,
               window_ends_at = CASE WHEN t.window_ends_at <= now() THEN excluded.window_ends_at ELSE t.window_ends_at END
           WHERE t.window_ends_at <= now() OR t.taken < $2
           RETURNING window_ends_at, (taken = 1) AS "first!""#,
        bucket.as_slice(),
        i32::try_from(most).unwrap_or(i32::MAX),
        i32::try_from(minutes).unwrap_or(i32::MAX)
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| TryTaken { bucket: *bucket, window_ends_at: row.window_ends_at, first: row.first }))
}

/// How long until the window is over: at least a second.
pub async fn seconds_to_wait(pool: &PgPool, bucket: &[u8; 32]) -> Result<u32, sqlx::Error> {
    let seconds = sqlx::query_scalar!(
        r#"SELECT ceil(extract(epoch FROM window_ends_at - now()))::bigint AS "seconds!" FROM sign_in_tries WHERE bucket = $1"#,
        bucket.as_slice()
    )
    .fetch_optional(pool)
    .await?;
    Ok(seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(1).max(1))
}

/// Gives a try back to its own window. A later window never had it.
pub async fn give_try_back(pool: &PgPool, taken: &TryTaken) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE sign_in_tries SET taken = taken - 1 WHERE bucket = $1 AND window_ends_at = $2 AND taken > 0",
        taken.bucket.as_slice(),
        taken.window_ends_at
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes some away whose window is over.
pub async fn sweep_tries(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM sign_in_tries WHERE bucket IN (
             SELECT bucket FROM sign_in_tries WHERE window_ends_at < now() ORDER BY window_ends_at LIMIT 100
             FOR UPDATE SKIP LOCKED)"
    )
    .execute(pool)
    .await?;
    Ok(())
}
