//! A task on a case, for a colleague who is on it.

use super::model::{NewTask, SCHEMA_VERSION, TaskKind, TaskStands, TaskState, Words, plausible};
use super::store::{self, TaskRow};
use crate::audit::unit::Unit;
use crate::cases;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{AccountId, CaseId, RecordKind, TaskId};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::extract::State;

/// The most tasks that are open on a case at once: its signed head lists each, and has a largest size.
const MOST_OPEN: i64 = 200;

/// Makes a task on a case. Its words are sealed to the people of the case.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/tasks", operation_id = "make_task", tag = "work", request_body = NewTask,
    params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 201, description = "The task.", body = TaskStands),
        (status = 404, description = "There is no such case for the writer.", body = ProblemDocument),
        (status = 409, description = "`too_many_tasks`: two hundred are open.", body = ProblemDocument),
        (status = 422, description = "A field is not right; `assignee`: not a colleague on the case.",
            body = ProblemDocument),
    ),
)]
pub async fn make(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewTask>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Task, case, id);
    let leave = app.gate.authorize::<verbs::Create, kinds::Task>(&who, target, None).await?;
    let raw = body.raw();
    let new = body.check()?;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    plausible(new.due_at, unit.now(), "due_at")?;
    if new.kind == TaskKind::CallBack {
        return Err(Problem::field("kind", "is not `call_back`: that is made by finishing a call so"));
    }
    cases::lock_and_check(&mut unit, case).await?;
    if store::open_on(&mut unit, case).await? >= MOST_OPEN {
        return Err(Problem::illegal(
            "too_many_tasks",
            "Two hundred tasks are open on this case: do some of them first. Nothing was stored.",
        ));
    }
    on_the_case(&mut unit, case, new.assignee).await?;
    let (id, kind) = (TaskId::random(), new.kind);
    let task = TaskRow {
        id,
        kind,
        state: TaskState::Open,
        assignee: new.assignee,
        case: Some(case),
        call: None,
        due_at: new.due_at,
    };
    store::insert(&mut unit, &task).await?;
    let words = Words {
        schema_version: SCHEMA_VERSION,
        case: Some(case),
        call: None,
        kind,
        text: Some(new.text),
        call_back: None,
    };
    cases::seal_beside_notes(&mut unit, case, id.0, RecordKind::Task, &words).await?;
    let answer = Answer::created(&TaskStands { id, state: TaskState::Open, assignee: new.assignee })?;
    once.remember(&mut unit, &answer).await?;
    let _ = unit.commit().await?;
    Ok(answer)
}

/// Only somebody on the case can read what they are to do. Call after the case is locked.
pub(super) async fn on_the_case<V, K>(unit: &mut Unit<V, K>, case: CaseId, assignee: AccountId) -> Result<(), Problem>
where
    V: crate::guard::gate::Does,
    K: crate::guard::gate::About,
{
    let team = cases::team(unit, case).await?;
    let colleague = team.iter().any(|mate| {
        mate.member.account == assignee && mate.member.organisation == unit.who().organisation && mate.is_there()
    });
    if colleague { Ok(()) } else { Err(Problem::field("assignee", "is not a colleague of yours on this case")) }
}
