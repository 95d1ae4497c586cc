//! The routes of holds.

use super::model::{HoldView, LiftView, NewHold};
use super::{Hold, of_case, store};
use crate::audit::unit::Unit;
use crate::cases::store as cases;
use crate::cases::two_persons::{self, Proposed};
use crate::guard::action::Purpose;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{CaseId, HoldId, ProposalId, RecordKind};
use crate::guard::statement::{self, Act, HoldStatement};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, InPath, Listed, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// Places a case on hold: while the hold is in force the case is not erased. One supervisor does it alone.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/holds", operation_id = "place_hold", tag = "cases",
    params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewHold,
    responses(
        (status = 201, description = "The case is on hold.", body = HoldView),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
        (status = 422, description = "`until`: not a time to come.", body = ProblemDocument),
    ),
)]
pub async fn place(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewHold>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Hold, case, id);
    let leave = app.gate.authorize::<verbs::Create, kinds::Hold>(&who, target, None).await?;
    let raw = body.raw();
    let new = body.check()?;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    if cases::lock(&mut unit, case).await?.is_none() {
        return Err(unit.refuse(id, Problem::absent()).await);
    }
    let (hold, at, by) = (HoldId::random(), unit.now(), who.account);
    let (reason, until) = (new.reason, new.end(at)?);
    let stated = HoldStatement { hold, case, reason, until, at };
    let note = statement::sign(&stated, by, &who.keys).map_err(|_| Problem::fault("a hold cannot be written"))?;
    store::insert(&mut unit, &stated, &note).await?;
    let placed = Hold { id: hold, reason, until, by, made_at: at, lifted: None };
    let answer = Answer::created(&HoldView::of(&placed, at, None))?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// The holds on a case, those that are over included.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/holds", operation_id = "list_holds", tag = "cases",
    params(("id" = CaseId, Path), ("Purpose" = inline(Purpose), Header, description = "`case_work` or `supervision`")),
    responses(
        (status = 200, description = "In the order in which they were placed.", body = Listed<HoldView>),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
) -> Result<Json<Listed<HoldView>>, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Hold, case, id);
    let leave = app.gate.authorize::<verbs::List, kinds::Hold>(&who, target, purpose).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = cases::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let lifts = two_persons::waiting(&mut unit, &app.policy, &row, Act::HoldLift).await?;
    let now = store::now(&mut unit).await?;
    let seen = |hold: &Hold| {
        let lift = lifts.iter().find(|lift| lift.what.about == hold.id.0 && hold.lifted.is_none());
        let lift = lift.map(LiftView::from);
        HoldView::of(hold, now, lift)
    };
    let items: Vec<HoldView> = of_case(&mut unit, &row).await?.iter().map(seen).collect();
    for item in &items {
        unit.touch(item.id.0);
    }
    let _committed = unit.commit().await?;
    Ok(Json(Listed { items, next: None }))
}

/// Proposes that a hold be lifted. It stays in force until a second person confirms it, within seven days.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/holds/{hold}/lifts", operation_id = "propose_lift_of_hold", tag = "cases",
    params(("id" = CaseId, Path), ("hold" = HoldId, Path), ("Idempotency-Key" = String, Header)),
    responses(
        (status = 201, description = "Proposed; it waits for a second person.", body = LiftView),
        (status = 404, description = "There is no such hold for you.", body = ProblemDocument),
        (status = 409, description = "`proposed_already`; `illegal_transition`: it is in force no more.",
            body = ProblemDocument),
    ),
)]
pub async fn propose_lift(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, hold)): InPath<(Uuid, Uuid)>,
    key: IdempotencyKey,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Hold, case, id);
    let leave = app.gate.authorize::<verbs::Propose, kinds::Hold>(&who, target, None).await?;
    let once = key.for_body(&who, hold.as_bytes())?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let Some(row) = cases::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let now = store::now(&mut unit).await?;
    let Some(found) = of_case(&mut unit, &row).await?.into_iter().find(|known| known.id.0 == hold) else {
        return Err(unit.refuse(hold, Problem::absent()).await);
    };
    if !found.is_in_force(now) {
        return Err(over());
    }
    let what = Proposed { act: Act::HoldLift, about: hold, account: None, reason: None };
    let made = two_persons::propose(&mut unit, &app.policy, &row, what).await?;
    let answer = Answer::created(&LiftView::from(&made))?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Confirms that a hold be lifted, as the second person.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/holds/{hold}/lifts/{lift}/confirm", operation_id = "confirm_lift_of_hold", tag = "cases",
    params(("id" = CaseId, Path), ("hold" = HoldId, Path), ("lift" = ProposalId, Path)),
    responses(
        (status = 200, description = "It is in force no more.", body = HoldView),
        (status = 404, description = "There is no such proposal for you.", body = ProblemDocument),
        (status = 409, description = "`same_person`: you proposed it; `lapsed`: it has no effect any more; \
            `illegal_transition`: it was confirmed already, or the hold is over.", body = ProblemDocument),
    ),
)]
pub async fn confirm_lift(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, hold, lift)): InPath<(Uuid, Uuid, Uuid)>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Hold, case, id);
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Hold>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = cases::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let Some(mut found) = of_case(&mut unit, &row).await?.into_iter().find(|known| known.id.0 == hold) else {
        return Err(unit.refuse(hold, Problem::absent()).await);
    };
    let confirmed = two_persons::confirm(&mut unit, &app.policy, &row, Act::HoldLift, ProposalId(lift)).await;
    let made = match confirmed {
        // Of another hold.
        Ok(made) if made.what.about != hold => return Err(unit.refuse(lift, Problem::absent()).await),
        Ok(made) => made,
        Err(problem) if problem.code() == Problem::absent().code() => return Err(unit.refuse(lift, problem).await),
        Err(problem) => return Err(problem),
    };
    if found.lifted.is_some() {
        return Err(over());
    }
    let now = unit.now();
    store::lift(&mut unit, found.id, &made.note).await?;
    let _committed = unit.commit().await?;
    found.lifted = Some((now, [made.by, who.account]));
    Answer::ok(&HoldView::of(&found, now, None))
}

fn over() -> Problem {
    Problem::illegal("illegal_transition", "This hold is in force no more. Nothing was stored.")
}
