//! SQL of links, ways and tickets; all of it is the door's.

use crate::guard::record::{AccountId, SessionId};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// A subject's name in the database, under one value of the secret.
pub struct Tag {
    pub pepper: String,
    pub subject: [u8; 32],
    /// Whose subject it is, likewise.
    pub issuer: [u8; 32],
}

/// The try that a way to the issuer took.
pub struct TookTry {
    pub bucket: [u8; 32],
    pub window: DateTime<Utc>,
}

/// A way that has begun. Whoever begins one takes some away that are over.
pub async fn begin(
    pool: &PgPool,
    state: &[u8; 32],
    session: Option<SessionId>,
    took: Option<&TookTry>,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "WITH over AS (DELETE FROM oidc_attempts WHERE state IN (
                           SELECT state FROM oidc_attempts WHERE expires_at < $6 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)),
              used AS (DELETE FROM oidc_tickets WHERE ticket IN (
                           SELECT ticket FROM oidc_tickets WHERE expires_at < $6 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED))
         INSERT INTO oidc_attempts (state, session_id, tries_bucket, tries_window, expires_at) VALUES ($1, $2, $3, $4, $5)",
        state.as_slice(),
        session.map(|session| session.0),
        took.map(|took| took.bucket.to_vec()),
        took.map(|took| took.window),
        expires_at,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Uses a way up: whoever comes second finds none. For whom it was begun.
pub async fn end(
    pool: &PgPool,
    state: &[u8; 32],
    session: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<Option<Option<TookTry>>, sqlx::Error> {
    let row = sqlx::query!(
        "DELETE FROM oidc_attempts WHERE state = $1 AND expires_at > $2 AND session_id IS NOT DISTINCT FROM $3
         RETURNING tries_bucket, tries_window",
        state.as_slice(),
        now,
        session.map(|session| session.0)
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| {
        let bucket = row.tries_bucket.and_then(|bucket| bucket.try_into().ok());
        bucket.zip(row.tries_window).map(|(bucket, window)| TookTry { bucket, window })
    }))
}

/// A ticket for whoever has one of these names; for nobody where nobody has. The same statement either way.
pub async fn give_ticket(
    pool: &PgPool,
    ticket: &[u8; 32],
    names: &[Tag],
    current: &Tag,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let subjects: Vec<Vec<u8>> = names.iter().map(|tag| tag.subject.to_vec()).collect();
    sqlx::query!(
        "WITH found AS (UPDATE oidc_links SET subject = $3, pepper = $4, issuer = $6 WHERE subject = ANY ($2) RETURNING id)
         INSERT INTO oidc_tickets (ticket, link_id, expires_at) VALUES ($1, (SELECT id FROM found LIMIT 1), $5)",
        ticket.as_slice(),
        &subjects,
        current.subject.as_slice(),
        current.pepper,
        expires_at,
        current.issuer.as_slice()
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The name of whom a ticket stands for. It is not used up by that.
pub async fn handle_of_ticket(
    pool: &PgPool,
    ticket: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT a.handle FROM oidc_tickets t JOIN oidc_links l ON l.id = t.link_id JOIN accounts a ON a.id = l.account_id
         WHERE t.ticket = $1 AND t.expires_at > $2 AND a.disabled_at IS NULL",
        ticket.as_slice(),
        now
    )
    .fetch_optional(pool)
    .await
}

/// Uses a ticket of this account up. False when it was used, is over, or is another's.
pub async fn use_ticket(
    connection: &mut PgConnection,
    ticket: &[u8; 32],
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let used = sqlx::query!(
        "WITH gone AS (DELETE FROM oidc_tickets t USING oidc_links l
                       WHERE t.ticket = $1 AND t.expires_at > $3 AND l.id = t.link_id AND l.account_id = $2 RETURNING l.id)
         UPDATE oidc_links SET last_used_at = $3 FROM gone WHERE oidc_links.id = gone.id",
        ticket.as_slice(),
        account.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Whether an account is linked to an issuer, which has one of these names.
pub async fn is_linked(
    connection: &mut PgConnection,
    account: AccountId,
    issuers: &[Vec<u8>],
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM oidc_links WHERE account_id = $1 AND issuer = ANY ($2)) AS "it!""#,
        account.0,
        issuers
    )
    .fetch_one(connection)
    .await
}

/// Links an account to a subject. `None` when one of the two is linked already.
pub async fn link(
    connection: &mut PgConnection,
    account: AccountId,
    names: &[Tag],
    current: &Tag,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, sqlx::Error> {
    let (id, subjects) =
        (crate::platform::random::uuid(), names.iter().map(|tag| tag.subject.to_vec()).collect::<Vec<_>>());
    let made = sqlx::query!(
        "INSERT INTO oidc_links (id, account_id, subject, pepper, made_at, issuer)
         SELECT $1, $2, $3, $4, $5, $7 WHERE NOT EXISTS (SELECT FROM oidc_links WHERE subject = ANY ($6))
         ON CONFLICT DO NOTHING",
        id,
        account.0,
        current.subject.as_slice(),
        current.pepper,
        now,
        &subjects,
        current.issuer.as_slice()
    )
    .execute(connection)
    .await?;
    Ok((made.rows_affected() == 1).then_some(id))
}

/// A link as its person sees it.
pub struct LinkRow {
    pub id: Uuid,
    pub made_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

pub async fn links(pool: &PgPool, account: AccountId) -> Result<Vec<LinkRow>, sqlx::Error> {
    sqlx::query_as!(LinkRow, "SELECT id, made_at, last_used_at FROM oidc_links WHERE account_id = $1", account.0)
        .fetch_all(pool)
        .await
}

/// Takes a link away, and every ticket that it gave.
pub async fn unlink(connection: &mut PgConnection, account: AccountId) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("DELETE FROM oidc_links WHERE account_id = $1 RETURNING id", account.0)
        .fetch_optional(connection)
        .await
}
