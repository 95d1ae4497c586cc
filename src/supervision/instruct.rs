//! A supervisor instructs that somebody be put on a case.

use super::model::{LAPSES, NewAssignment};
use super::store::{self, NewAssignmentRow};
use crate::audit::unit::Unit;
use crate::cases;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{AssignmentId, CaseId, RecordKind};
use crate::guard::statement::{self, AssignmentStatement};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::tasks::model::PendingAssignment;
use axum::extract::State;

/// Instructs that a colleague be put on a case. It is pending until somebody who works on the case signs in or opens it,
/// and lapses after seven days.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/assignments", operation_id = "instruct_assignment", tag = "work",
    params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewAssignment,
    responses(
        (status = 201, description = "Signed, and pending.", body = PendingAssignment),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
        (status = 409, description = "`already_on_case`, or instructed already; `barred`: they are kept off it.", body = ProblemDocument),
        (status = 422, description = "`account`: not a colleague who works on cases.", body = ProblemDocument),
    ),
)]
pub async fn instruct(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewAssignment>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Assignment, case, id);
    let leave = app.gate.authorize::<verbs::Create, kinds::Assignment>(&who, target, None).await?;
    let raw = body.raw();
    let new = body.check()?;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let Some(row) = cases::store::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    unit.member(new.account)
        .await?
        .filter(|member| {
            member.organisation == row.organisation && cases::model::works(&app.policy, member.role, new.relation)
        })
        .ok_or_else(|| Problem::field("account", "is not a colleague of yours who works on cases"))?;
    cases::bars::refuse_barred(&mut unit, &row, new.account).await?;
    if store::is_on_or_instructed(&mut unit, case, new.account).await? {
        return Err(Problem::illegal(
            "already_on_case",
            "This colleague is on the case, or will be. Nothing was stored.",
        ));
    }
    let (assignment, at) = (AssignmentId::random(), unit.now());
    let lapses_at = at + LAPSES;
    let (account, relation) = (new.account, new.relation.into());
    let stated = AssignmentStatement { assignment, case, account, relation, at, lapses_at };
    let note = statement::sign(&stated, who.account, &who.keys)
        .map_err(|_| Problem::fault("an instruction cannot be written"))?;
    let row = NewAssignmentRow { id: assignment, case, account, note: &note, lapses_at };
    store::insert_assignment(&mut unit, &row).await?;
    let answer = Answer::created(&PendingAssignment { id: assignment, case, account, made_at: at, lapses_at })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}
