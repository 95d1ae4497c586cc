//! Instructions of supervisors that wait for somebody who holds a case's keys.

use super::one;
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, AssignmentId, CaseId};
use chrono::{DateTime, Utc};

/// An instruction as it lies there, not believed yet.
pub struct AssignmentRow {
    pub id: AssignmentId,
    pub account: AccountId,
    pub note: String,
    pub vouch: Option<Vec<u8>>,
    pub lapses_at: DateTime<Utc>,
}

/// Instructions on a case that were not carried out, the oldest first.
pub async fn assignments<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
) -> Result<Vec<AssignmentRow>, sqlx::Error> {
    let now = unit.now();
    let rows = sqlx::query!(
        "SELECT id, account_id, note, vouch, lapses_at FROM assignments
         WHERE case_id = $1 AND carried_out_at IS NULL AND withdrawn_at IS NULL AND lapses_at > $2 ORDER BY made_at, id LIMIT 100",
        case.0,
        now
    )
    .fetch_all(unit.sql())
    .await?;
    let row = |id, account, note, vouch, lapses_at| AssignmentRow {
        id: AssignmentId(id),
        account: AccountId(account),
        note,
        vouch,
        lapses_at,
    };
    Ok(rows.into_iter().map(|r| row(r.id, r.account_id, r.note, r.vouch, r.lapses_at)).collect())
}

/// Whether instructions wait on the case.
pub async fn has_assignments<V: Does, K: About>(
    look: &mut Look<V, K>,
    case: CaseId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM assignments WHERE case_id = $1 AND carried_out_at IS NULL
                          AND withdrawn_at IS NULL AND lapses_at > $2) AS "it!""#,
        case.0,
        now
    )
    .fetch_one(look.sql())
    .await
}

/// The cases that the person works on and on which instructions wait.
pub async fn instructed_cases<V: Does, K: About>(
    look: &mut Look<V, K>,
    now: DateTime<Utc>,
    most: i64,
) -> Result<Vec<CaseId>, sqlx::Error> {
    let cases = sqlx::query_scalar!(
        "SELECT DISTINCT case_id FROM assignments
         WHERE carried_out_at IS NULL AND withdrawn_at IS NULL AND lapses_at > $1 AND my_relation_to_case(case_id) = 'assigned'
         ORDER BY case_id LIMIT $2",
        now,
        most
    )
    .fetch_all(look.sql())
    .await?;
    Ok(cases.into_iter().map(CaseId).collect())
}

/// A supervisor takes back what waits for somebody on a case. How many instructions.
pub async fn withdraw_assignments<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    account: AccountId,
) -> Result<usize, sqlx::Error> {
    let now = unit.now();
    let withdrawn = sqlx::query_scalar!(
        "UPDATE assignments SET withdrawn_at = $3, standing = standing + 1
         WHERE case_id = $1 AND account_id = $2 AND carried_out_at IS NULL AND withdrawn_at IS NULL AND lapses_at > $3
         RETURNING id",
        case.0,
        account.0,
        now
    )
    .fetch_all(unit.sql())
    .await?;
    for assignment in &withdrawn {
        unit.wrote(RowKind::Assignment, *assignment);
        unit.touch(*assignment);
    }
    Ok(withdrawn.len())
}

/// It was carried out.
pub async fn carried_out<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    assignment: AssignmentId,
) -> Result<(), crate::platform::problem::Problem> {
    let now = unit.now();
    unit.wrote(RowKind::Assignment, assignment.0);
    let done = sqlx::query!(
        "UPDATE assignments SET carried_out_at = $2, standing = standing + 1 WHERE id = $1 AND carried_out_at IS NULL
           AND withdrawn_at IS NULL",
        assignment.0,
        now
    )
    .execute(unit.sql())
    .await?;
    one(done.rows_affected())
}
