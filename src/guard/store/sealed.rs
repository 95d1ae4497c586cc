//! Sealed records: ciphertext, who sealed it, and the way to its key.

use sqlx::PgConnection;
use uuid::Uuid;

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
    pub vouch: Option<Vec<u8>>,
    pub wrap: Vec<u8>,
    pub grant_id: Option<Uuid>,
    pub shared_key: Option<Uuid>,
    pub shared_wrap: Option<Vec<u8>>,
}

/// The sealed rows of these records that the session's person can unwrap, in no order.
///
/// # Errors
/// When the database does not answer.
pub async fn sealed(connection: &mut PgConnection, records: &[Uuid]) -> Result<Vec<SealedRow>, sqlx::Error> {
    sqlx::query_as!(
        SealedRow,
        r#"SELECT record_id AS "record_id!", kind AS "kind!", case_id, key_id AS "key_id!", epoch AS "epoch!",
                  version AS "version!", blob AS "blob!", author AS "author!", signature AS "signature!", vouch,
                  wrap AS "wrap!", grant_id, shared_key, shared_wrap
           FROM sealed_for_me($1)"#,
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
    pub vouch: &'a [u8],
}

/// Stores the first version of a record.
///
/// # Errors
/// When the database does not answer or refuses.
pub async fn insert_sealed(connection: &mut PgConnection, row: &SealedWrite<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO sealed (record_id, kind, case_id, key_id, epoch, version, blob, author, signature, vouch)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        row.record_id,
        row.kind,
        row.case_id,
        row.key_id,
        row.epoch,
        row.version,
        row.blob,
        row.author,
        row.signature,
        row.vouch
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
        "UPDATE sealed SET epoch = $2, version = $3::bigint, blob = $4, author = $5, signature = $6, case_id = $7, vouch = $8
         WHERE record_id = $1 AND version = $3::bigint - 1",
        row.record_id,
        row.epoch,
        row.version,
        row.blob,
        row.author,
        row.signature,
        row.case_id,
        row.vouch
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
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
