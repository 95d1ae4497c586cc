//! Outages, none of them believed yet but in that they were ended.

use crate::guard::record::{OrganisationId, OutageId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// What claims to be an outage to which two have agreed.
pub struct OutageRow {
    pub id: OutageId,
    pub note: String,
    /// When somebody ended it. Whoever plants that closes, which they can do anyway.
    pub ended_at: Option<DateTime<Utc>>,
}

/// So many are looked at. One lasts four hours at most, so that those who sign make a dozen in a bad week; who owns the database and
/// plants more closes what the hidden ones opened.
const NEWEST: i64 = 200;

/// The newest outages to which two claim to have agreed.
///
/// # Errors
/// When the database does not answer.
pub async fn agreed_outages(connection: &mut PgConnection) -> Result<Vec<OutageRow>, sqlx::Error> {
    outages(connection, NEWEST).await
}

/// All of them.
///
/// # Errors
/// When the database does not answer.
pub async fn all_outages(connection: &mut PgConnection) -> Result<Vec<OutageRow>, sqlx::Error> {
    outages(connection, i64::MAX).await
}

async fn outages(connection: &mut PgConnection, most: i64) -> Result<Vec<OutageRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, note, ended_at FROM outages WHERE agreed_at IS NOT NULL ORDER BY made_at DESC, id LIMIT $1",
        most
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| OutageRow { id: OutageId(row.id), note: row.note, ended_at: row.ended_at }).collect())
}

/// Whose readers an outage is for: to find out how somebody stands to it.
///
/// # Errors
/// When the database does not answer.
pub async fn organisation_of_outage(
    connection: &mut PgConnection,
    outage: Uuid,
) -> Result<Option<OrganisationId>, sqlx::Error> {
    let found = sqlx::query_scalar!("SELECT organisation_id FROM outages WHERE id = $1", outage)
        .fetch_optional(connection)
        .await?;
    Ok(found.map(OrganisationId))
}
