//! All SQL of retention: what is read of the ledger as the auditor's role, and what is erased as the sweeper's.

use super::statement::Statement;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use std::collections::HashSet;
use uuid::Uuid;

/// An entry whose detail is there, with its label.
pub(super) struct Labelled {
    pub position: i64,
    pub replica: Uuid,
    pub lane: i32,
    pub n: i64,
    pub leaf_hash: Vec<u8>,
    pub leaf: Vec<u8>,
    pub signature: Vec<u8>,
    pub label: Vec<u8>,
}

/// Entries with a label at positions from one up to another, in order. One from before there were labels has none, and is kept.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn labelled(pool: &PgPool, from: i64, upto: i64) -> Result<Vec<Labelled>, sqlx::Error> {
    sqlx::query_as!(
        Labelled,
        r#"SELECT t.position, t.replica, t.lane, t.n, t.leaf_hash, e.leaf, e.signature, e.label AS "label!"
           FROM ledger_tree t JOIN ledger_entries e ON e.replica = t.replica AND e.lane = t.lane AND e.n = t.n
           WHERE t.position >= $1 AND t.position < $2 AND e.label IS NOT NULL AND e.detail IS NOT NULL ORDER BY t.position"#,
        from,
        upto
    )
    .fetch_all(pool)
    .await
}

/// An entry that announces periods, or says so.
pub(super) struct Announcing {
    pub position: i64,
    pub leaf_hash: Vec<u8>,
    pub leaf: Vec<u8>,
    pub signature: Vec<u8>,
}

/// The entries whose mark announces periods (`announced`), in order.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn announcing(pool: &PgPool) -> Result<Vec<Announcing>, sqlx::Error> {
    // Where a leaf has its mark and its digest (`Leaf::to_bytes`). There is an index of just these.
    sqlx::query_as!(
        Announcing,
        "SELECT t.position, t.leaf_hash, e.leaf, e.signature
         FROM ledger_entries e JOIN ledger_tree t ON t.replica = e.replica AND t.lane = e.lane AND t.n = e.n
         WHERE substring(e.leaf FROM 137 FOR 32) = sha256('himaya retention periods v1'::bytea || substring(e.leaf FROM 169 FOR 32))
         ORDER BY t.position"
    )
    .fetch_all(pool)
    .await
}

/// How many positions the tree has.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn tree_size(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT coalesce(max(position) + 1, 0) AS "size!" FROM ledger_tree"#).fetch_one(pool).await
}

/// Whether this transaction is the only one that erases details or thins cosignatures.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn alone(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // An arbitrary number, the same in every replica, and nobody else's.
    let alone = sqlx::query_scalar!("SELECT pg_try_advisory_xact_lock(4850175)").fetch_one(connection).await?;
    Ok(alone.unwrap_or(false))
}

/// Which of these are, or hang on, a case that keeps what entries say of it.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn kept_for_cases(
    connection: &mut PgConnection,
    about: &[Uuid],
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>, sqlx::Error> {
    let kept = sqlx::query_scalar!(r#"SELECT kept_for_cases AS "kept!" FROM kept_for_cases($1, $2)"#, about, now)
        .fetch_all(connection)
        .await?;
    Ok(kept.into_iter().collect())
}

/// Erases what the entries of this statement say, and stores it.
///
/// # Errors
/// When the database does not answer, or one of them has nothing to erase: then nothing is.
pub(super) async fn erase(
    connection: &mut PgConnection,
    id: Uuid,
    statement: &Statement,
    text: &str,
    vouch: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT erase_details($1, $2, $3, $4)", id, &statement.positions, text, vouch)
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// Deletes cosignatures that nobody needs any more; how many.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn thin_cosignatures(
    connection: &mut PgConnection,
    witnesses: &[String],
    needed: i64,
    most: i32,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT thin_cosignatures($1, $2, $3) AS "gone!""#, witnesses, needed, most)
        .fetch_one(connection)
        .await
}

/// What is stored of details that were erased. Nothing of it is believed.
pub struct Stored {
    pub id: Uuid,
    pub statement: String,
    pub vouch: Vec<u8>,
}

/// What was erased between two positions, both included.
///
/// # Errors
/// When the database does not answer.
pub async fn over(pool: &PgPool, first: i64, last: i64) -> Result<Vec<Stored>, sqlx::Error> {
    sqlx::query_as!(
        Stored,
        "SELECT id, statement, vouch FROM ledger_retentions WHERE first <= $2 AND last >= $1 ORDER BY number",
        first,
        last
    )
    .fetch_all(pool)
    .await
}

/// All of it, in the order in which it was erased.
///
/// # Errors
/// When the database does not answer.
pub async fn all(connection: &mut PgConnection) -> Result<Vec<Stored>, sqlx::Error> {
    sqlx::query_as!(Stored, "SELECT id, statement, vouch FROM ledger_retentions ORDER BY number")
        .fetch_all(connection)
        .await
}
