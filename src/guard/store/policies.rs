//! Agreements about the policy, none of them believed yet.

use crate::guard::record::OrganisationId;
use sqlx::PgConnection;
use uuid::Uuid;

/// What claims to be an agreement.
pub struct AgreedRow {
    pub id: Uuid,
    pub number: i32,
    pub note: String,
}

/// How many rows are read at once.
pub const RUN: i64 = 500;

/// What claims to be an agreement of an organisation, in their order: the next ones after this number and id. Rows are planted easily, so
/// there is no end to them but the last one; whoever reads drops what is not signed before anything is counted.
///
/// # Errors
/// When the database does not answer.
pub async fn agreed_policies(
    connection: &mut PgConnection,
    organisation: OrganisationId,
    (number, id): (i32, Uuid),
) -> Result<Vec<AgreedRow>, sqlx::Error> {
    sqlx::query_as!(
        AgreedRow,
        "SELECT id, number, note FROM policy_changes
         WHERE organisation_id = $1 AND agreed_at IS NOT NULL AND (number, id) > ($2, $3)
         ORDER BY number, id LIMIT $4",
        organisation.0,
        number,
        id,
        RUN
    )
    .fetch_all(connection)
    .await
}
