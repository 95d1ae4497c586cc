//! Agreements about the policy, none of them believed yet.

use crate::guard::record::OrganisationId;
use sqlx::PgConnection;
use uuid::Uuid;

/// What claims to be an agreement.
pub struct AgreedRow {
    pub id: Uuid,
    pub note: String,
}

/// The agreements of an organisation, in their order.
///
/// # Errors
/// When the database does not answer.
pub async fn agreed_policies(
    connection: &mut PgConnection,
    organisation: OrganisationId,
) -> Result<Vec<AgreedRow>, sqlx::Error> {
    sqlx::query_as!(
        AgreedRow,
        "SELECT id, note FROM policy_changes WHERE organisation_id = $1 AND agreed_at IS NOT NULL
         ORDER BY number LIMIT 10000",
        organisation.0
    )
    .fetch_all(connection)
    .await
}
