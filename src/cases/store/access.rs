//! Who is on a case, and by whose signature.

use super::{one, word};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::cases::model::{AccessView, CaseRelation};
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId, GrantId};
use crate::guard::statement::TeamLine;
use crate::platform::problem::Problem;
use uuid::Uuid;

/// Who is on the case.
pub async fn access_list<V: Does, K: About>(look: &mut Look<V, K>, case: CaseId) -> Result<Vec<AccessView>, Problem> {
    let rows = sqlx::query!(
        "SELECT account_id, relation, started_at FROM case_access WHERE case_id = $1 AND ended_at IS NULL
         ORDER BY started_at, account_id",
        case.0
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter()
        .map(|row| {
            let relation = word(&row.relation)?;
            Ok(AccessView { account: AccountId(row.account_id), relation, since: row.started_at })
        })
        .collect()
}

/// A signed permission, in force or not.
pub struct GrantRow {
    pub grant: GrantId,
    pub account: AccountId,
    pub relation: CaseRelation,
    pub note: String,
    pub in_force: bool,
}

impl GrantRow {
    /// As it stands in a head.
    pub fn line(&self) -> TeamLine {
        TeamLine::of(self.grant, &self.note)
    }
}

/// Every permission that was ever given on the case.
pub async fn grants<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Vec<GrantRow>, Problem> {
    let rows = sqlx::query!(
        r#"SELECT grant_id, account_id, relation, note, (ended_at IS NULL) AS "in_force!"
           FROM case_access WHERE case_id = $1 ORDER BY started_at, grant_id"#,
        case.0
    )
    .fetch_all(unit.sql())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(GrantRow {
                grant: GrantId(row.grant_id),
                account: AccountId(row.account_id),
                relation: word(&row.relation)?,
                note: row.note,
                in_force: row.in_force,
            })
        })
        .collect()
}

/// A permission to be stored with its signed statement.
pub struct NewGrant {
    pub grant: GrantId,
    pub account: AccountId,
    pub relation: CaseRelation,
    pub note: String,
}

/// Stores permissions in one statement: the first of a case only come in all together.
pub async fn insert_grants<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    new: &[NewGrant],
) -> Result<(), sqlx::Error> {
    for grant in new {
        unit.touch(grant.grant.0);
        unit.wrote(RowKind::CaseAccess, grant.grant.0);
    }
    let now = unit.now();
    let grants: Vec<Uuid> = new.iter().map(|grant| grant.grant.0).collect();
    let accounts: Vec<Uuid> = new.iter().map(|grant| grant.account.0).collect();
    let relations: Vec<String> = new.iter().map(|grant| grant.relation.as_str().to_owned()).collect();
    let notes: Vec<String> = new.iter().map(|grant| grant.note.clone()).collect();
    sqlx::query!(
        "INSERT INTO case_access (grant_id, case_id, account_id, relation, note, started_at)
         SELECT g, $1, a, r, n, $6 FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[]) AS t(g, a, r, n)",
        case.0,
        &grants,
        &accounts,
        &relations,
        &notes,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// Access ends here and now.
pub async fn end_access<V: Does, K: About>(unit: &mut Unit<V, K>, grant: GrantId) -> Result<(), Problem> {
    let now = unit.now();
    // Whoever seals a placement to them at this moment ends first, or begins after.
    let case = sqlx::query_scalar!("SELECT case_id FROM case_access WHERE grant_id = $1", grant.0);
    if let Some(case) = case.fetch_optional(unit.sql()).await? {
        let placements = crate::placements::store::ids_of_case(unit, CaseId(case)).await?;
        for placement in placements {
            unit.serialise(placement).await?;
        }
    }
    unit.wrote(RowKind::CaseAccess, grant.0);
    let done = sqlx::query!(
        "UPDATE case_access SET ended_at = $2, standing = standing + 1 WHERE grant_id = $1 AND ended_at IS NULL",
        grant.0,
        now
    )
    .execute(unit.sql())
    .await?;
    one(done.rows_affected())?;
    // Who is off the case is off its placements.
    sqlx::query!("SELECT leave_placements($1)", grant.0).execute(unit.sql()).await?;
    Ok(())
}
