//! Who vouches for whom: the statements of organisations, people and shared keys, none of them believed yet.

use crate::guard::action::Relation;
use crate::guard::record::{AccountId, OrganisationId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// The founding statement of an organisation.
///
/// # Errors
/// When the database does not answer.
pub async fn founding_note(
    connection: &mut PgConnection,
    organisation: OrganisationId,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT note FROM foundings WHERE organisation_id = $1", organisation.0)
        .fetch_optional(connection)
        .await
}

/// The foundings of an organisation that others have followed, in their order; none of them believed yet.
///
/// # Errors
/// When the database does not answer.
pub async fn former_foundings(
    connection: &mut PgConnection,
    organisation: OrganisationId,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT note FROM former_foundings WHERE organisation_id = $1 ORDER BY number LIMIT 1000",
        organisation.0
    )
    .fetch_all(connection)
    .await
}

/// How somebody stands to a founding that waits for signatures, or to any of the organisation's: it names them.
///
/// # Errors
/// When the database does not answer.
pub async fn relations_to_succession(
    connection: &mut PgConnection,
    account: AccountId,
    organisation: Uuid,
    succession: Option<Uuid>,
) -> Result<Vec<Relation>, sqlx::Error> {
    let named = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM successions WHERE organisation_id = $1 AND $2 IN (first_id, second_id)
                          AND ($3::uuid IS NULL OR id = $3)
                          AND declined_at IS NULL AND lapses_at > now()
                          AND NOT EXISTS (SELECT FROM former_foundings f WHERE f.succession_id = successions.id)) AS "it!""#,
        organisation,
        account.0,
        succession
    )
    .fetch_one(connection)
    .await?;
    Ok(super::relations::relations([(named, Relation::Oneself)]))
}

/// The statements that vouch for somebody.
pub struct Statements {
    pub founding: Option<String>,
    pub membership: Option<String>,
    pub disabled: bool,
}

/// The statements in force for a person.
///
/// # Errors
/// When the database does not answer.
pub async fn statements_of(
    connection: &mut PgConnection,
    account: AccountId,
) -> Result<Option<Statements>, sqlx::Error> {
    sqlx::query_as!(
        Statements,
        r#"SELECT f.note AS "founding?", m.note AS "membership?",
                  (a.disabled_at IS NOT NULL) AS "disabled!"
           FROM accounts a
           LEFT JOIN foundings f ON f.organisation_id = a.organisation_id
           LEFT JOIN memberships m ON m.account_id = a.id AND m.organisation_id = a.organisation_id
                AND m.ended_at IS NULL AND m.complete
           WHERE a.id = $1"#,
        account.0
    )
    .fetch_optional(connection)
    .await
}

/// The newest statements that ever vouched for a person: to check what they signed while they were here.
///
/// # Errors
/// When the database does not answer.
pub async fn statements_ever_of(
    connection: &mut PgConnection,
    account: AccountId,
) -> Result<Option<Statements>, sqlx::Error> {
    sqlx::query_as!(
        Statements,
        r#"SELECT f.note AS "founding?", m.note AS "membership?",
                  (a.disabled_at IS NOT NULL) AS "disabled!"
           FROM accounts a
           LEFT JOIN foundings f ON f.organisation_id = a.organisation_id
           LEFT JOIN memberships m ON m.account_id = a.id AND m.organisation_id = a.organisation_id AND m.complete
           WHERE a.id = $1
           ORDER BY m.proposed_at DESC NULLS LAST LIMIT 1"#,
        account.0
    )
    .fetch_optional(connection)
    .await
}

/// A shared key's row, not believed yet.
pub struct SharedKeyRow {
    pub id: Uuid,
    pub maker: Uuid,
    pub note: String,
    pub vouch: Option<Vec<u8>>,
}

/// Keys of one purpose that claim to be in force, newest first. Rows that are not believed are passed over, so there must be
/// room for many: whoever plants as many as are looked at hides the true key, and no call could be handed over. A thousand
/// take a moment to check; without an end, planted rows would take all memory.
///
/// # Errors
/// When the database does not answer.
pub async fn shared_keys_in_force(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    purpose: &str,
    now: DateTime<Utc>,
) -> Result<Vec<SharedKeyRow>, sqlx::Error> {
    sqlx::query_as!(
        SharedKeyRow,
        r#"SELECT id, maker_id AS maker, note, vouch FROM shared_keys
           WHERE organisation_id = $1 AND purpose = $2 AND opens_at <= $3 AND closes_at > $3
           ORDER BY opens_at DESC, id LIMIT 1000"#,
        organisation.0,
        purpose,
        now
    )
    .fetch_all(connection)
    .await
}

/// Organisations of a kind, in the order in which they came.
///
/// # Errors
/// When the database does not answer.
pub async fn organisations_of_kind(
    connection: &mut PgConnection,
    kind: &str,
) -> Result<Vec<OrganisationId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "SELECT o.id FROM organisations o JOIN foundings f ON f.organisation_id = o.id
         WHERE o.kind = $1 AND f.complete ORDER BY o.created_at, o.id LIMIT 100",
        kind
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(OrganisationId).collect())
}
