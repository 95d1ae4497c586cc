//! Who is asking: the session that a transaction speaks for, and its own row.

use crate::guard::record::{AccountId, OrganisationId, SessionId};
use crate::guard::session::Lookup;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

/// Lets this transaction speak for a session: row-level security resolves the secret, and an id is never passed.
///
/// # Errors
/// When the database does not answer.
pub async fn enter(connection: &mut PgConnection, lookup: &Lookup) -> Result<(), sqlx::Error> {
    let lookup = lookup.hex();
    sqlx::query_scalar!("SELECT set_config('himaya.lookup', $1, true)", lookup.as_str()).fetch_one(connection).await?;
    Ok(())
}

/// A session's own row, with the statements that vouch for the person.
pub struct Entered {
    pub session: SessionId,
    pub account: AccountId,
    pub organisation: OrganisationId,
    pub sealed_keys: Vec<u8>,
    pub expires_at: DateTime<Utc>,
    pub founding: Option<String>,
    pub membership: Option<String>,
}

/// The session whose look-up secret this is, if it is alive.
///
/// # Errors
/// When the database does not answer.
pub async fn session(pool: &PgPool, lookup: &Lookup) -> Result<Option<Entered>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT e.session_id AS "session!", e.account_id AS "account!", e.organisation_id AS "organisation!",
                  e.sealed_keys AS "sealed_keys!", e.expires_at AS "expires_at!",
                  f.note AS "founding?", m.note AS "membership?"
           FROM session_enter($1) e
           LEFT JOIN foundings f ON f.organisation_id = e.organisation_id
           LEFT JOIN memberships m ON m.account_id = e.account_id AND m.organisation_id = e.organisation_id
               AND m.ended_at IS NULL AND m.complete"#,
        lookup.bytes()
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Entered {
        session: SessionId(row.session),
        account: AccountId(row.account),
        organisation: OrganisationId(row.organisation),
        sealed_keys: row.sealed_keys,
        expires_at: row.expires_at,
        founding: row.founding,
        membership: row.membership,
    }))
}
