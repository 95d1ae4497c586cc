//! All SQL of supervisors. Row-level security shows them the clear rows of their own organisation, and nothing sealed.

use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, AssignmentId, CaseId};
use crate::tasks::model::PendingAssignment;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// How much one account has to do.
pub struct LoadRow {
    pub account: Uuid,
    pub handle: String,
    pub open_cases: i64,
    pub open_tasks: i64,
    pub overdue_tasks: i64,
}

/// How much the people of the supervisor's organisation have to do.
pub async fn loads<V: Does, K: About>(look: &mut Look<V, K>, now: DateTime<Utc>) -> Result<Vec<LoadRow>, sqlx::Error> {
    let organisation = look.authorized().who().organisation;
    sqlx::query_as!(
        LoadRow,
        r#"SELECT a.id AS account, a.handle,
                  (SELECT count(*) FROM case_access g JOIN cases c ON c.id = g.case_id
                   WHERE g.account_id = a.id AND c.state <> 'closed' AND g.ended_at IS NULL
                     AND (g.active_until IS NULL OR (g.active_from <= now() AND g.active_until > now()))) AS "open_cases!",
                  (SELECT count(*) FROM tasks t WHERE t.assignee_id = a.id AND t.state = 'open') AS "open_tasks!",
                  (SELECT count(*) FROM tasks t
                   WHERE t.assignee_id = a.id AND t.state = 'open' AND t.due_at <= $2) AS "overdue_tasks!"
           FROM accounts a WHERE a.organisation_id = $1 AND a.disabled_at IS NULL ORDER BY a.handle LIMIT 500"#,
        organisation.0,
        now
    )
    .fetch_all(look.sql())
    .await
}

/// Instructions of the organisation's supervisors that were not carried out and have not lapsed.
pub async fn pending<V: Does, K: About>(
    look: &mut Look<V, K>,
    now: DateTime<Utc>,
    most: i64,
) -> Result<Vec<PendingAssignment>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, case_id, account_id, made_at, lapses_at FROM assignments
         WHERE carried_out_at IS NULL AND withdrawn_at IS NULL AND lapses_at > $1 ORDER BY made_at, id LIMIT $2",
        now,
        most
    )
    .fetch_all(look.sql())
    .await?;
    let view = |id, case, account, made_at, lapses_at| PendingAssignment {
        id: AssignmentId(id),
        case: CaseId(case),
        account: AccountId(account),
        made_at,
        lapses_at,
    };
    Ok(rows.into_iter().map(|row| view(row.id, row.case_id, row.account_id, row.made_at, row.lapses_at)).collect())
}

/// Whether somebody is on the case for good, or an instruction to put them there waits.
pub async fn is_on_or_instructed<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    account: AccountId,
) -> Result<bool, sqlx::Error> {
    let now = unit.now();
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM case_access WHERE case_id = $1 AND account_id = $2 AND ended_at IS NULL
                          AND active_until IS NULL)
               OR EXISTS (SELECT FROM assignments WHERE case_id = $1 AND account_id = $2 AND carried_out_at IS NULL
                          AND withdrawn_at IS NULL AND lapses_at > $3) AS "it!""#,
        case.0,
        account.0,
        now
    )
    .fetch_one(unit.sql())
    .await
}

/// An instruction to be stored with its signed statement.
pub struct NewAssignmentRow<'a> {
    pub id: AssignmentId,
    pub case: CaseId,
    pub account: AccountId,
    pub note: &'a str,
    pub lapses_at: DateTime<Utc>,
}

pub async fn insert_assignment<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    new: &NewAssignmentRow<'_>,
) -> Result<(), sqlx::Error> {
    let (now, supervisor) = (unit.now(), unit.account());
    let vouch = unit.voucher().assignment(new.id, supervisor, new.note);
    unit.wrote(RowKind::Assignment, new.id.0);
    sqlx::query!(
        "INSERT INTO assignments (id, case_id, account_id, note, vouch, made_at, lapses_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        new.id.0,
        new.case.0,
        new.account.0,
        new.note,
        vouch.as_slice(),
        now,
        new.lapses_at
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// The newest direction of a notice counts.
pub async fn insert_direction<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: Uuid,
    account: AccountId,
) -> Result<DateTime<Utc>, sqlx::Error> {
    let (notice, now) = (unit.id(), unit.now());
    unit.wrote(RowKind::Direction, row);
    sqlx::query!(
        "INSERT INTO directions (id, notice_id, account_id, made_at) VALUES ($1, $2, $3, $4)",
        row,
        notice,
        account.0,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(now)
}
