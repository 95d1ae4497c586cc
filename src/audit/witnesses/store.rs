//! All SQL of cosignatures, as the sequencer's role or the auditor's.

use crate::audit::store::Stored;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

/// A stored cosignature with the checkpoint under whose size it is filed. Nothing of it is believed.
#[derive(Debug, Clone)]
pub struct Row {
    pub size: i64,
    pub note: String,
    pub witness: String,
    pub line: String,
}

/// The newest cosignatures of each of these witnesses on each of the newest checkpoints that so many of them cosigned, as far
/// as the rows say: those that fewer did, while one is away, must not push out the last that counts. Several of each, so that
/// one row that is none hides nothing.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn newest(pool: &PgPool, witnesses: &[String], needed: usize) -> Result<Vec<Row>, sqlx::Error> {
    let needed = i64::try_from(needed).unwrap_or(i64::MAX);
    sqlx::query_as!(
        Row,
        r#"SELECT p.size, p.note, c.witness AS "witness!", c.line AS "line!"
           FROM (SELECT size FROM ledger_cosignatures WHERE witness = ANY($1)
                 GROUP BY size HAVING count(DISTINCT witness) >= $2 ORDER BY size DESC LIMIT 16) newest
           JOIN ledger_checkpoints p USING (size)
           CROSS JOIN unnest($1::text[]) AS asked (name)
           CROSS JOIN LATERAL (SELECT witness, line FROM ledger_cosignatures
                               WHERE size = p.size AND witness = asked.name ORDER BY cosigned_at DESC LIMIT 3) c"#,
        witnesses,
        needed
    )
    .fetch_all(pool)
    .await
}

/// The newest cosignature of each of these witnesses.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn last(pool: &PgPool, witnesses: &[String]) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"SELECT p.size, p.note, c.witness AS "witness!", c.line AS "line!" FROM unnest($1::text[]) AS asked (name)
           CROSS JOIN LATERAL (SELECT size, witness, line FROM ledger_cosignatures
                               WHERE witness = asked.name ORDER BY cosigned_at DESC LIMIT 1) c
           JOIN ledger_checkpoints p ON p.size = c.size"#,
        witnesses
    )
    .fetch_all(pool)
    .await
}

/// The first cosignature of each of these witnesses on each day, by Greenwich.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn days(pool: &PgPool, witnesses: &[String]) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"SELECT p.size, p.note, c.witness AS "witness!", c.line AS "line!"
           FROM (SELECT DISTINCT ON (witness, date_trunc('day', cosigned_at, 'UTC')) size, witness, line FROM ledger_cosignatures
                 WHERE witness = ANY($1) ORDER BY witness, date_trunc('day', cosigned_at, 'UTC'), cosigned_at, size) c
           JOIN ledger_checkpoints p ON p.size = c.size"#,
        witnesses
    )
    .fetch_all(pool)
    .await
}

/// Stores what a witness signed. One that is there already stays.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn insert(
    connection: &mut PgConnection,
    size: i64,
    witness: &str,
    at: DateTime<Utc>,
    line: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO ledger_cosignatures (size, witness, cosigned_at, line) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        size,
        witness,
        at,
        line
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the lock of whoever submits, for this connection, if nobody has it.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn try_lock(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // An arbitrary number, the same in every replica, and nobody else's: not the sequencer's, the sweeper's, or the alerts'.
    let taken = sqlx::query_scalar!("SELECT pg_try_advisory_lock(4850174)").fetch_one(connection).await?;
    Ok(taken.unwrap_or(false))
}

/// The checkpoint of this size.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn checkpoint(connection: &mut PgConnection, size: i64) -> Result<Option<Stored>, sqlx::Error> {
    sqlx::query_as!(Stored, "SELECT size, note, right_edge FROM ledger_checkpoints WHERE size = $1", size)
        .fetch_optional(connection)
        .await
}

/// A leaf's hash in its place.
pub(super) struct Leaf {
    pub position: i64,
    pub leaf_hash: Vec<u8>,
}

/// The leaves from one position up to another, in order, `most` at once.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn leaves(
    connection: &mut PgConnection,
    from: i64,
    upto: i64,
    most: i64,
) -> Result<Vec<Leaf>, sqlx::Error> {
    sqlx::query_as!(
        Leaf,
        "SELECT position, leaf_hash FROM ledger_tree WHERE position >= $1 AND position < $2 ORDER BY position LIMIT $3",
        from,
        upto,
        most
    )
    .fetch_all(connection)
    .await
}
