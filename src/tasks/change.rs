//! A task is done, or handed on to a colleague.

use super::make::on_the_case;
use super::model::{HandOn, TaskStands, Words};
use super::{call_back, store};
use crate::audit::unit::Unit;
use crate::cases;
use crate::guard::action::Verb;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{RecordKind, TaskId};
use crate::guard::store::delete_wraps_of_account;
use crate::guard::vault::SealingKey;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::extract::State;

/// A task is done. Who did a call-back does not read it again.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/done", operation_id = "finish_task", tag = "work",
    params(("id" = TaskId, Path)),
    responses(
        (status = 200, description = "Done.", body = TaskStands),
        (status = 404, description = "There is no such task for you.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`: it is not open any more.", body = ProblemDocument),
    ),
)]
pub async fn done(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Task, id);
    let leave = app.gate.authorize::<verbs::Close, kinds::Task>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(task) = store::lock(&mut unit).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let state = task.state.done()?;
    store::set_done(&mut unit).await?;
    if task.case.is_none() {
        delete_wraps_of_account(unit.sql(), &[id], task.assignee).await?;
    }
    let _committed = unit.commit().await?;
    Answer::ok(&TaskStands { id: task.id, state, assignee: task.assignee })
}

/// Hands an open task on: a case's to a colleague on the case, a call-back to a colleague at the line. A call-back is then
/// sealed to them, and no more to who had it.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/hand-on", operation_id = "hand_task_on", tag = "work", request_body = HandOn,
    params(("id" = TaskId, Path)),
    responses(
        (status = 200, description = "Somebody else does it.", body = TaskStands),
        (status = 404, description = "There is no such task for you.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`: it is not open any more.", body = ProblemDocument),
        (status = 422, description = "`assignee`: not a colleague who could do it.", body = ProblemDocument),
    ),
)]
pub async fn hand_on(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<HandOn>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Task, id);
    let leave = app.gate.authorize::<verbs::HandOver, kinds::Task>(&who, target, None).await?;
    let to = body.check()?.assignee;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(task) = store::lock(&mut unit).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let state = task.state.handed_on()?;
    if let Some(case) = task.case {
        cases::epoch(&mut unit, case).await?;
        on_the_case(&mut unit, case, to).await?;
    } else if to != task.assignee {
        let calls_back = |role| app.policy.ever_does(role, RecordKind::Call, Verb::Close);
        let colleague = unit.member(to).await?;
        let colleague = colleague
            .filter(|member| member.organisation == who.organisation && calls_back(member.role))
            .ok_or_else(|| Problem::field("assignee", "is not a colleague of yours who calls back"))?;
        let sealed = unit.fetch::<Words>(&[id]).await?.pop();
        let sealed = sealed.ok_or_else(|| Problem::fault("a call-back is not sealed to who hands it on"))?;
        let key = SealingKey::of(&who.keys, &sealed)?;
        unit.insert_wraps(&[key.wrap_to(&colleague.recipient(), None, call_back::EPOCH, None)?]).await?;
    }
    store::set_assignee(&mut unit, to).await?;
    if task.case.is_none() && to != task.assignee {
        // Last: from here on who had it sees nothing of it any more.
        delete_wraps_of_account(unit.sql(), &[id], task.assignee).await?;
    }
    let _committed = unit.commit().await?;
    Answer::ok(&TaskStands { id: task.id, state, assignee: to })
}
