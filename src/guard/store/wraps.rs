//! Wraps: the keys of records, and of shared keys, as they are sealed for those who may open them.

use crate::guard::record::AccountId;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

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

/// Whether anybody holds a shared key.
///
/// # Errors
/// When the database does not answer.
pub async fn is_held(connection: &mut PgConnection, key: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT key_is_held($1) AS "it!""#, key).fetch_one(connection).await
}

/// Deletes every wrap whose time is over, of whatever record. How many there were. As the sweeper's role.
///
/// # Errors
/// When the database does not answer.
pub async fn end_expired_wraps(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let ended = sqlx::query_scalar!(r#"SELECT end_expired_wraps() AS "ended!""#).fetch_one(pool).await?;
    Ok(u64::try_from(ended).unwrap_or_default())
}
