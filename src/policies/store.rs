//! SQL of the changes of the policy.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{OrganisationId, PolicyId};
use crate::guard::statement::PolicyStatement;
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A change as it is stored, not believed yet.
pub struct ChangeRow {
    pub id: Uuid,
    pub note: String,
    pub difference: String,
}

/// How many notes are read at once.
const RUN: i64 = 500;

/// A change without what differs, which is long.
pub struct NoteRow {
    pub id: Uuid,
    pub note: String,
    pub made_at: DateTime<Utc>,
}

/// The next changes of an organisation, newest first: those before this moment and id. Whoever reads drops what neither of the two has
/// signed before anything is counted.
pub async fn notes<V: Does, K: About>(
    look: &mut Look<V, K>,
    organisation: OrganisationId,
    before: Option<(DateTime<Utc>, Uuid)>,
) -> Result<Vec<NoteRow>, sqlx::Error> {
    let (made_at, id) = before.unzip();
    sqlx::query_as!(
        NoteRow,
        "SELECT id, note, made_at FROM policy_changes
         WHERE organisation_id = $1 AND ($2::timestamptz IS NULL OR (made_at, id) < ($2, $3)) ORDER BY made_at DESC, id DESC LIMIT $4",
        organisation.0,
        made_at,
        id,
        RUN
    )
    .fetch_all(look.sql())
    .await
}

/// What differs by a change.
pub async fn difference<V: Does, K: About>(look: &mut Look<V, K>, policy: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT difference FROM policy_changes WHERE id = $1", policy).fetch_optional(look.sql()).await
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
