//! SQL of resolutions.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, OrganisationId, ResolutionId};
use crate::guard::statement::ResolutionStatement;
use crate::platform::problem::Problem;
use sqlx::PgConnection;
use uuid::Uuid;

/// A resolution as it is stored, not believed yet.
pub(super) struct ResolutionRow {
    pub id: ResolutionId,
    pub number: i64,
    pub person: String,
    pub note: String,
}

/// Newest first, below a number.
pub(super) async fn page<V: Does, K: About>(
    look: &mut Look<V, K>,
    office: OrganisationId,
    below: i64,
    limit: i64,
) -> Result<Vec<ResolutionRow>, sqlx::Error> {
    sqlx::query_as!(
        ResolutionRow,
        r#"SELECT id AS "id: ResolutionId", number, person, note FROM resolutions
           WHERE organisation_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3"#,
        office.0,
        below,
        limit
    )
    .fetch_all(look.sql())
    .await
}

pub(super) async fn one(
    connection: &mut PgConnection,
    office: OrganisationId,
    id: Uuid,
) -> Result<Option<ResolutionRow>, sqlx::Error> {
    sqlx::query_as!(
        ResolutionRow,
        r#"SELECT id AS "id: ResolutionId", number, person, note FROM resolutions WHERE organisation_id = $1 AND id = $2"#,
        office.0,
        id
    )
    .fetch_optional(connection)
    .await
}

/// Stores what one auditor has signed.
pub(super) async fn insert<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    stated: &ResolutionStatement,
    note: &str,
) -> Result<(), sqlx::Error> {
    unit.wrote(RowKind::Resolution, stated.resolution.0);
    unit.touch(stated.resolution.0);
    sqlx::query!(
        "INSERT INTO resolutions (id, organisation_id, person, note, made_at) VALUES ($1, $2, $3, $4, $5)",
        stated.resolution.0,
        stated.organisation.0,
        stated.person,
        note,
        stated.made_at
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// Both have signed.
pub(super) async fn agree<V: Does, K: About>(unit: &mut Unit<V, K>, note: &str) -> Result<(), Problem> {
    let (id, account, now) = (unit.id(), unit.account(), unit.now());
    unit.wrote(RowKind::Resolution, id);
    let done = sqlx::query!(
        "UPDATE resolutions SET note = $2, agreed_by = $3, agreed_at = $4, standing = standing + 1 WHERE id = $1 AND agreed_at IS NULL",
        id,
        note,
        account.0,
        now
    )
    .execute(unit.sql())
    .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Problem::fault("an agreement about a pseudonym was not stored"))
    }
}

/// Somebody who has an account, or had one.
pub(super) struct Somebody {
    pub account: AccountId,
    /// With this name they sign in.
    pub handle: String,
    pub organisation: OrganisationId,
}

/// Everybody, a thousand at a time, behind this one.
pub(super) async fn everybody(connection: &mut PgConnection, after: Uuid) -> Result<Vec<Somebody>, sqlx::Error> {
    sqlx::query_as!(
        Somebody,
        r#"SELECT id AS "account: AccountId", handle, organisation_id AS "organisation: OrganisationId"
           FROM accounts WHERE id > $1 ORDER BY id LIMIT 1000"#,
        after
    )
    .fetch_all(connection)
    .await
}
