//! Taking a colleague off a case takes two: whoever may give access proposes it, and somebody else who works on the case, or
//! the squad's supervisor, confirms it. The last one who works on a case is taken off by two supervisors only.

use super::access::in_force;
use super::leaving::{self, Remains};
use super::model::{AccessEnded, NewRemoval, RemovalView};
use super::store;
use super::two_persons::{self, Proposed};
use crate::audit::unit::Unit;
use crate::guard::action::{Purpose, Relation};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{CaseId, ProposalId, RecordKind};
use crate::guard::statement::Act;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, InPath, Listed, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// Proposes that a colleague be taken off a case. They are not told; nothing changes until a second person confirms it, within
/// seven days.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/removals", operation_id = "propose_removal", tag = "cases",
    params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewRemoval,
    responses(
        (status = 201, description = "Proposed; it waits for a second person.", body = RemovalView),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
        (status = 409, description = "`proposed_already`; `standing_in`: you are on it for a time only.",
            body = ProblemDocument),
        (status = 422, description = "`account`: not on this case, or yourself.", body = ProblemDocument),
    ),
)]
pub async fn propose(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewRemoval>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Removal, case, id);
    let leave = app.gate.authorize::<verbs::Propose, kinds::Removal>(&who, target, None).await?;
    let raw = body.raw();
    let account = body.check()?.account;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let Some(row) = store::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    if account == who.account {
        return Err(Problem::field("account", "is yourself: leave the case instead"));
    }
    let grant = in_force(&mut unit, case, account).await?;
    let grant = grant.ok_or_else(|| Problem::field("account", "is nobody on this case"))?;
    let what = Proposed { act: Act::Removal, about: grant.0, account: Some(account), reason: None };
    let made = two_persons::propose(&mut unit, &app.policy, &row, what).await?;
    let view = RemovalView { id: made.id, account, by: made.by, made_at: made.made_at, lapses_at: made.lapses_at };
    let answer = Answer::created(&view)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Removals that wait for a second person; none about oneself.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/removals", operation_id = "list_removals", tag = "cases",
    params(("id" = CaseId, Path), ("Purpose" = inline(Purpose), Header, description = "`case_work` or `supervision`")),
    responses(
        (status = 200, description = "The oldest first.", body = Listed<RemovalView>),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
) -> Result<Json<Listed<RemovalView>>, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Removal, case, id);
    let leave = app.gate.authorize::<verbs::List, kinds::Removal>(&who, target, purpose).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = store::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let waiting = two_persons::waiting(&mut unit, &app.policy, &row, Act::Removal).await?;
    let view = |made: two_persons::Proposal| {
        let account = made.what.account?;
        Some(RemovalView { id: made.id, account, by: made.by, made_at: made.made_at, lapses_at: made.lapses_at })
    };
    let items: Vec<RemovalView> = waiting.into_iter().filter_map(view).collect();
    for item in &items {
        unit.touch(item.id.0);
    }
    let _committed = unit.commit().await?;
    Ok(Json(Listed { items, next: None }))
}

/// Confirms that a colleague be taken off a case, as the second person: their access ends now.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/removals/{removal}/confirm", operation_id = "confirm_removal", tag = "cases",
    params(("id" = CaseId, Path), ("removal" = ProposalId, Path)),
    responses(
        (status = 200, description = "Access has ended.", body = AccessEnded),
        (status = 404, description = "There is no such proposal for you.", body = ProblemDocument),
        (status = 409, description = "`same_person`: you proposed it; `lapsed`: it has no effect any more; \
            `illegal_transition`: it was confirmed already; `standing_in`: you are on the case for a time only; \
            `nobody_would_remain`: nobody would be left to work on it.", body = ProblemDocument),
    ),
)]
pub async fn confirm(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, removal)): InPath<(Uuid, Uuid)>,
) -> Result<Json<AccessEnded>, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Removal, case, id);
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Removal>(&who, target, None).await?;
    let holds_keys = leave.relation() != Relation::SupervisorOf;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = store::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let confirmed = two_persons::confirm(&mut unit, &app.policy, &row, Act::Removal, ProposalId(removal)).await;
    let proposal = match confirmed {
        Ok(proposal) => proposal,
        Err(problem) if problem.code() == Problem::absent().code() => return Err(unit.refuse(removal, problem).await),
        Err(problem) => return Err(problem),
    };
    let lapsed =
        || Problem::illegal("lapsed", "This colleague's access has ended, or is another by now. Nothing was stored.");
    let leaver = proposal.what.account.ok_or_else(lapsed)?;
    if in_force(&mut unit, case, leaver).await?.map(Uuid::from) != Some(proposal.what.about) {
        return Err(lapsed());
    }
    if holds_keys {
        leaving::take_off(&mut unit, &row, leaver).await?;
    } else {
        store::withdraw_assignments(&mut unit, case, leaver).await?;
        leaving::put_off(&mut unit, &row, leaver, Remains::Anybody).await?;
    }
    let _committed = unit.commit().await?;
    Ok(Json(AccessEnded { account: leaver, epoch_pending: !holds_keys }))
}
