//! SQL of the changes of the policy.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{OrganisationId, PolicyId};
use crate::guard::statement::PolicyStatement;
use crate::platform::problem::Problem;
use uuid::Uuid;

/// A change as it is stored, not believed yet.
pub struct ChangeRow {
    pub id: Uuid,
    pub note: String,
    pub difference: String,
}

/// The changes of an organisation, newest first.
pub async fn changes<V: Does, K: About>(
    look: &mut Look<V, K>,
    organisation: OrganisationId,
    most: i64,
) -> Result<Vec<ChangeRow>, sqlx::Error> {
    sqlx::query_as!(
        ChangeRow,
        "SELECT id, note, difference FROM policy_changes WHERE organisation_id = $1 ORDER BY made_at DESC, id LIMIT $2",
        organisation.0,
        most
    )
    .fetch_all(look.sql())
    .await
}

/// Stores what one of the two has signed.
pub async fn insert<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    stated: &PolicyStatement,
    note: &str,
    difference: &str,
) -> Result<(), sqlx::Error> {
    unit.wrote(RowKind::PolicyChange, stated.policy.0);
    unit.touch(stated.policy.0);
    sqlx::query!(
        "INSERT INTO policy_changes (id, organisation_id, number, note, difference, made_at) VALUES ($1, $2, $3, $4, $5, $6)",
        stated.policy.0,
        stated.organisation.0,
        stated.number,
        note,
        difference,
        stated.made_at
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// What waits for the second signature.
pub async fn waiting<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
    policy: PolicyId,
) -> Result<Option<ChangeRow>, sqlx::Error> {
    sqlx::query_as!(
        ChangeRow,
        "SELECT id, note, difference FROM policy_changes WHERE organisation_id = $1 AND id = $2 AND agreed_at IS NULL",
        organisation.0,
        policy.0
    )
    .fetch_optional(unit.sql())
    .await
}

/// Both have signed.
pub async fn agree<V: Does, K: About>(unit: &mut Unit<V, K>, policy: PolicyId, note: &str) -> Result<(), Problem> {
    let now = unit.now();
    unit.wrote(RowKind::PolicyChange, policy.0);
    let done = sqlx::query!(
        "UPDATE policy_changes SET note = $2, agreed_at = $3, standing = standing + 1 WHERE id = $1 AND agreed_at IS NULL",
        policy.0,
        note,
        now
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Problem::fault("an agreement about the policy was not stored")) }
}
