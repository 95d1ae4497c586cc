//! Who is on a case, and by whose signature.

use super::{one, word};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::cases::model::{AccessView, CaseRelation};
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AbsenceId, AccountId, CaseId, GrantId, OpeningId};
use crate::guard::statement::{TeamLine, Window};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Who is on the case.
pub async fn access_list<V: Does, K: About>(look: &mut Look<V, K>, case: CaseId) -> Result<Vec<AccessView>, Problem> {
    let rows = sqlx::query!(
        "SELECT account_id, relation, started_at, active_from, active_until FROM case_access
         WHERE case_id = $1 AND ended_at IS NULL AND (active_until IS NULL OR active_until > now())
         ORDER BY started_at, account_id",
        case.0
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter()
        .map(|row| {
            let relation = word(&row.relation)?;
            let since = row.active_from.unwrap_or(row.started_at);
            Ok(AccessView { account: AccountId(row.account_id), relation, since, until: row.active_until })
        })
        .collect()
}

/// A signed permission, in force or not.
pub struct GrantRow {
    pub grant: GrantId,
    pub account: AccountId,
    pub relation: CaseRelation,
    pub note: String,
    pub started_at: DateTime<Utc>,
    pub window: Option<Window>,
    pub absence: Option<AbsenceId>,
    /// By which two custodians gave it.
    pub opening: Option<OpeningId>,
    /// Nobody ended it, and its own end is not over. A stand-in's may not have begun.
    pub in_force: bool,
    /// It counts now.
    pub begun: bool,
    /// Its own end is over, and nobody has renewed the keys since.
    pub lapsed: bool,
}

impl GrantRow {
    /// As it stands in a head.
    pub fn line(&self) -> TeamLine {
        TeamLine::of(self.grant, &self.note, self.window)
    }
}

/// Every permission that was ever given on the case.
pub async fn grants<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Vec<GrantRow>, Problem> {
    let rows = sqlx::query!(
        r#"SELECT grant_id, account_id, relation, note, started_at, active_from, active_until, absence_id, opening_id,
                  (ended_at IS NULL AND (active_until IS NULL OR active_until > now())) AS "in_force!",
                  (ended_at IS NULL AND (active_until IS NULL OR (active_from <= now() AND active_until > now()))) AS "begun!",
                  (ended_at IS NULL AND COALESCE(active_until <= now(), false)) AS "lapsed!"
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
                started_at: row.started_at,
                absence: row.absence_id.map(AbsenceId),
                opening: row.opening_id.map(OpeningId),
                window: row.active_from.zip(row.active_until).map(|(from, until)| Window { from, until }),
                in_force: row.in_force,
                begun: row.begun,
                lapsed: row.lapsed,
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
    pub window: Option<Window>,
    /// A stand-in's belongs to one.
    pub absence: Option<AbsenceId>,
    /// What two custodians gave belongs to one.
    pub opening: Option<OpeningId>,
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
    let froms: Vec<_> = new.iter().map(|grant| grant.window.map(|window| window.from)).collect();
    let untils: Vec<_> = new.iter().map(|grant| grant.window.map(|window| window.until)).collect();
    let absences: Vec<_> = new.iter().map(|grant| grant.absence.map(|absence| absence.0)).collect();
    let openings: Vec<_> = new.iter().map(|grant| grant.opening.map(|opening| opening.0)).collect();
    sqlx::query!(
        "INSERT INTO case_access (grant_id, case_id, account_id, relation, note, started_at, active_from, active_until, absence_id,
                                  opening_id)
         SELECT g, $1, a, r, n, $6, f, u, b, o
         FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $7::timestamptz[], $8::timestamptz[], $9::uuid[],
                     $10::uuid[]) AS t(g, a, r, n, f, u, b, o)",
        case.0,
        &grants,
        &accounts,
        &relations,
        &notes,
        now,
        &froms as &[Option<DateTime<Utc>>],
        &untils as &[Option<DateTime<Utc>>],
        &absences as &[Option<Uuid>],
        &openings as &[Option<Uuid>]
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
    // Who is off the case holds none of its keys, whoever took them off; and is off its placements.
    sqlx::query!("SELECT leave_case($1), leave_placements($1)", grant.0).execute(unit.sql()).await?;
    Ok(())
}

/// Every permission that belongs to an absence and is in force or to come, with its case.
pub async fn grants_of_absence<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    absence: AbsenceId,
) -> Result<Vec<(CaseId, GrantId)>, sqlx::Error> {
    let rows = sqlx::query!(
        // By what is signed, too: a row that was cut off from its absence ends with it all the same.
        "SELECT case_id, grant_id FROM case_access
         WHERE (absence_id = $1 OR position($1::uuid::text IN note) > 0) AND ended_at IS NULL AND active_until > now()
         ORDER BY case_id",
        absence.0
    )
    .fetch_all(unit.sql())
    .await?;
    Ok(rows.into_iter().map(|row| (CaseId(row.case_id), GrantId(row.grant_id))).collect())
}

/// The cases that are open and to which the person is assigned by a permission without an end, in a fixed order.
pub async fn own_open_cases<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Vec<CaseId>, sqlx::Error> {
    let account = unit.account();
    let cases = sqlx::query_scalar!(
        "SELECT c.id FROM cases c JOIN case_access a ON a.case_id = c.id
         WHERE a.account_id = $1 AND a.relation = 'assigned' AND a.ended_at IS NULL AND a.active_until IS NULL
           AND c.state <> 'closed' ORDER BY c.id",
        account.0
    )
    .fetch_all(unit.sql())
    .await?;
    Ok(cases.into_iter().map(CaseId).collect())
}
