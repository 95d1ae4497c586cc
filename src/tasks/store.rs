//! All SQL about tasks and what else is due. Row-level security shows the tasks of a case to its people, the rows of
//! call-backs to colleagues, and both to the organisation's supervisors.

use super::model::{PendingAssignment, PendingEpoch, TaskKind, TaskState, TaskView, WaitingNotice};
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, AssignmentId, CallId, CaseId, NoticeId, TaskId};
use crate::notices::model::{DEADLINE, escalation};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A word that this service wrote and does not know: somebody else wrote it.
fn word<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::fault("a task holds a word that is none"))
}

/// A task's clear row.
pub struct TaskRow {
    pub id: TaskId,
    pub kind: TaskKind,
    pub state: TaskState,
    pub assignee: AccountId,
    pub case: Option<CaseId>,
    pub call: Option<CallId>,
    pub due_at: DateTime<Utc>,
}

impl TaskRow {
    /// As it is listed at a moment.
    pub fn view(&self, now: DateTime<Utc>) -> TaskView {
        TaskView {
            id: self.id,
            kind: self.kind,
            state: self.state,
            due_at: self.due_at,
            overdue: self.state == TaskState::Open && self.due_at <= now,
            assignee: self.assignee,
            case: self.case,
            call: self.call,
        }
    }
}

struct Row {
    id: Uuid,
    kind: String,
    state: String,
    assignee_id: Uuid,
    case_id: Option<Uuid>,
    call_id: Option<Uuid>,
    due_at: DateTime<Utc>,
}

impl TryFrom<Row> for TaskRow {
    type Error = Problem;

    fn try_from(row: Row) -> Result<Self, Problem> {
        Ok(Self {
            id: TaskId(row.id),
            kind: word(&row.kind)?,
            state: word(&row.state)?,
            assignee: AccountId(row.assignee_id),
            case: row.case_id.map(CaseId),
            call: row.call_id.map(CallId),
            due_at: row.due_at,
        })
    }
}

/// The person's open tasks that are due before a moment; those of a colleague for whom they stand in; and on the cases to
/// which they are assigned those of somebody who is not on the case any more. The most urgent first.
pub async fn mine<V: Does, K: About>(
    look: &mut Look<V, K>,
    before: Option<DateTime<Utc>>,
    most: i64,
) -> Result<Vec<TaskRow>, Problem> {
    let account = look.account();
    let rows = sqlx::query_as!(
        Row,
        "SELECT t.id, t.kind, t.state, t.assignee_id, t.case_id, t.call_id, t.due_at FROM tasks t
         WHERE t.state = 'open' AND t.due_at < COALESCE($2::timestamptz, 'infinity')
           AND (t.case_id IS NULL OR i_am_on_case(t.case_id))
           AND (t.assignee_id = $1
                OR i_stand_in_for(t.assignee_id, t.case_id)
                OR (my_relation_to_case(t.case_id) = 'assigned' AND nobody_does(t.assignee_id, t.case_id)))
         ORDER BY t.due_at, t.id LIMIT $3",
        account.0,
        before as Option<DateTime<Utc>>,
        most
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter().map(TaskRow::try_from).collect()
}

/// The overdue tasks of the person's own organisation, the oldest first: for its supervisors.
pub async fn overdue<V: Does, K: About>(
    look: &mut Look<V, K>,
    now: DateTime<Utc>,
    most: i64,
) -> Result<Vec<TaskRow>, Problem> {
    let organisation = look.authorized().who().organisation;
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, kind, state, assignee_id, case_id, call_id, due_at FROM tasks
         WHERE organisation_id = $1 AND state = 'open' AND due_at <= $2 ORDER BY due_at, id LIMIT $3",
        organisation.0,
        now,
        most
    )
    .fetch_all(look.sql())
    .await?;
    rows.into_iter().map(TaskRow::try_from).collect()
}

/// The notices that wait at the desk of the person's own organisation, the most urgent first, each with whom the supervisor
/// named.
pub async fn waiting_notices<V: Does, K: About>(
    look: &mut Look<V, K>,
    now: DateTime<Utc>,
    most: i64,
) -> Result<Vec<WaitingNotice>, sqlx::Error> {
    let squad = look.authorized().who().organisation;
    let rows = sqlx::query!(
        r#"SELECT n.id, n.number, n.suspected_at,
                  (SELECT d.account_id FROM directions d WHERE d.notice_id = n.id
                   ORDER BY d.made_at DESC, d.id LIMIT 1) AS directed_to
           FROM notices n WHERE n.squad_id = $1 AND n.state = 'sent' ORDER BY n.suspected_at, n.number LIMIT $2"#,
        squad.0,
        most
    )
    .fetch_all(look.sql())
    .await?;
    let view = |id: Uuid, number, suspected_at: DateTime<Utc>, directed: Option<Uuid>| WaitingNotice {
        id: NoticeId(id),
        number,
        due_at: suspected_at + DEADLINE,
        escalation: escalation(suspected_at, None, now),
        directed_to: directed.map(AccountId),
    };
    Ok(rows.into_iter().map(|row| view(row.id, row.number, row.suspected_at, row.directed_to)).collect())
}

/// Cases that the person works on and whose keys are to be renewed.
pub async fn pending_epochs<V: Does, K: About>(
    look: &mut Look<V, K>,
    most: i64,
) -> Result<Vec<PendingEpoch>, sqlx::Error> {
    let account = look.account();
    let rows = sqlx::query!(
        // From the person's own permissions: the other way would pass by everybody's cases.
        "SELECT c.id, c.number FROM case_access a JOIN cases c ON c.id = a.case_id
         WHERE a.account_id = $1 AND a.relation = 'assigned' AND a.ended_at IS NULL
           AND (a.active_until IS NULL OR (a.active_from <= now() AND a.active_until > now()))
           AND (c.epoch_pending OR case_has_lapsed_access(c.id))
         ORDER BY c.number LIMIT $2",
        account.0,
        most
    )
    .fetch_all(look.sql())
    .await?;
    Ok(rows.into_iter().map(|row| PendingEpoch { case: CaseId(row.id), number: row.number }).collect())
}

/// Instructions that wait for the person, who works on the case.
pub async fn pending_assignments<V: Does, K: About>(
    look: &mut Look<V, K>,
    now: DateTime<Utc>,
    most: i64,
) -> Result<Vec<PendingAssignment>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, case_id, account_id, made_at, lapses_at FROM assignments
         WHERE carried_out_at IS NULL AND withdrawn_at IS NULL AND lapses_at > $1 AND my_relation_to_case(case_id) = 'assigned'
         ORDER BY made_at, id LIMIT $2",
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

/// The task that a look is about.
pub async fn looked_at<V: Does, K: About>(look: &mut Look<V, K>) -> Result<Option<TaskRow>, Problem> {
    let id = look.id();
    let row = sqlx::query_as!(
        Row,
        "SELECT id, kind, state, assignee_id, case_id, call_id, due_at FROM tasks WHERE id = $1",
        id
    )
    .fetch_optional(look.sql())
    .await?;
    row.map(TaskRow::try_from).transpose()
}

/// The task that a unit changes, locked until it ends.
pub async fn lock<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<Option<TaskRow>, Problem> {
    let id = unit.id();
    let row = sqlx::query_as!(
        Row,
        "SELECT id, kind, state, assignee_id, case_id, call_id, due_at FROM tasks WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(unit.sql())
    .await?;
    row.map(TaskRow::try_from).transpose()
}

/// How many tasks are open on a case.
pub async fn open_on<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "open!" FROM tasks WHERE case_id = $1 AND state = 'open'"#, case.0)
        .fetch_one(unit.sql())
        .await
}

/// A new task; its words are sealed under its own id.
pub async fn insert<V: Does, K: About>(unit: &mut Unit<V, K>, task: &TaskRow) -> Result<(), sqlx::Error> {
    let (who, now) = (unit.who(), unit.now());
    unit.wrote(RowKind::Task, task.id.0);
    sqlx::query!(
        "INSERT INTO tasks (id, organisation_id, maker_id, assignee_id, case_id, call_id, kind, state, due_at, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        task.id.0,
        who.organisation.0,
        who.account.0,
        task.assignee.0,
        task.case.map(|case| case.0),
        task.call.map(|call| call.0),
        task.kind.as_str(),
        task.state.as_str(),
        task.due_at,
        now
    )
    .execute(unit.sql())
    .await?;
    Ok(())
}

/// A row that was locked a moment ago is still there.
fn one(rows: u64) -> Result<(), Problem> {
    if rows == 1 { Ok(()) } else { Err(Problem::fault("a task is not as it was locked")) }
}

pub async fn set_done<V: Does, K: About>(unit: &mut Unit<V, K>) -> Result<(), Problem> {
    let (id, now) = (unit.id(), unit.now());
    unit.wrote(RowKind::Task, id);
    let done = sqlx::query!(
        "UPDATE tasks SET state = 'done', done_at = $2, standing = standing + 1 WHERE id = $1 AND state = 'open'",
        id,
        now
    )
    .execute(unit.sql())
    .await?;
    one(done.rows_affected())
}

pub async fn set_assignee<V: Does, K: About>(unit: &mut Unit<V, K>, assignee: AccountId) -> Result<(), Problem> {
    let id = unit.id();
    unit.wrote(RowKind::Task, id);
    let done = sqlx::query!(
        "UPDATE tasks SET assignee_id = $2, standing = standing + 1 WHERE id = $1 AND state = 'open'",
        id,
        assignee.0
    )
    .execute(unit.sql())
    .await?;
    one(done.rows_affected())
}
