//! What was answered to an idempotency key.

use crate::guard::record::AccountId;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

/// What was answered to an idempotency key before.
pub struct Answered {
    pub body_hash: Vec<u8>,
    pub status: i16,
    pub answer: serde_json::Value,
    pub version: Option<i64>,
}

/// An answer to be remembered, under a key and for a body that say nothing to who reads them there.
pub struct ToRemember<'a> {
    pub key_hash: &'a [u8],
    pub body_hash: &'a [u8],
    pub status: i16,
    pub answer: &'a serde_json::Value,
    pub version: Option<i64>,
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
        "SELECT body_hash, status, answer, version FROM idempotency WHERE account_id = $1 AND key_hash = $2",
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
    new: &ToRemember<'_>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO idempotency (account_id, key_hash, body_hash, status, answer, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        account.0,
        new.key_hash,
        new.body_hash,
        new.status,
        new.answer,
        new.version,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes what was answered more than a day ago, to whomever. How many answers there were. As the sweeper's role.
///
/// # Errors
/// When the database does not answer.
pub async fn forget_answers(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query_scalar!(r#"SELECT forget_answers() AS "forgotten!""#).fetch_one(pool).await?;
    Ok(u64::try_from(forgotten).unwrap_or_default())
}
