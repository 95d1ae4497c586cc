//! From the person's consent to the end of the stay. Nobody approves that somebody leaves: it is written down (R29).

use super::content::{Acceptance, ConsentGiven, Exit, PlacementContent, Stands};
use super::desk::{certified, illegal, stands, trained};
use super::model::{IllegalTransition, PlacementState};
use super::sealing;
use super::sharing::end;
use super::store::{self, Change, Row};
use crate::audit::unit::Unit;
use crate::guard::gate::{Does, Target, kinds, verbs};
use crate::guard::record::{PlacementId, RecordKind};
use crate::guard::session::Who;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IfMatch, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::extract::State;
use std::sync::Arc;
use uuid::Uuid;

type Working<V> = Unit<V, kinds::Placement>;

async fn begin<V: Does>(app: &App, who: &Arc<Who>, id: Uuid) -> Result<(Working<V>, Row), Problem> {
    let target = Target::OnPlacement(RecordKind::Placement, id);
    let leave = app.gate.authorize::<V, kinds::Placement>(who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let row = super::held_with_all(&mut unit).await?;
    Ok((unit, row))
}

/// Goes on to another state, or to the end.
async fn go_on<V: Does>(
    mut unit: Working<V>,
    row: &Row,
    step: Result<PlacementState, IllegalTransition>,
) -> Result<Answer, Problem> {
    let state = step.map_err(|error| illegal(&error))?;
    if state.is_over() {
        end(&mut unit, row, state).await?;
    } else {
        store::set_state(&mut unit, row.shown.id, state, Change::of(row)).await?;
    }
    let _committed = unit.commit().await?;
    stands(row, state)
}

/// Before the person is brought nearer, and at the door: the house is still fit, the person still wants it to know of them,
/// and one at least of those who are to care for them is still trained (R13, R28).
async fn still<V: Does>(unit: &mut Working<V>, row: &Row) -> Result<(), Problem> {
    certified(unit, row).await?;
    let content = sealing::content(unit, row).await?;
    super::wanted(unit, row.case, row.person, row.shelter, content.basis).await?;
    let mut carers = Vec::new();
    for worker in content.workers {
        let member = unit.member(worker).await?.filter(|member| member.organisation == row.shelter);
        carers.extend(member.map(|member| member.account));
    }
    if store::somebody_is_trained(unit, row.shown.id, &carers).await? {
        Ok(())
    } else {
        Err(Problem::illegal(
            "nobody_trained",
            "None of the workers who are named has a current training in care for victims. Have the manager name one who has.",
        ))
    }
}

/// Record that the person consents to this placement, in which words it was explained, and who said yes.
#[utoipa::path(operation_id = "consent_to_placement", post, path = "/api/v1/placements/{id}/consent", tag = "placements",
    request_body = ConsentGiven, params(("id" = PlacementId, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn consent(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<ConsentGiven>,
) -> Result<Answer, Problem> {
    let (mut unit, row) = begin::<verbs::Consent>(&app, &who, id).await?;
    let given = body.check()?;
    let state = row.shown.state.consent().map_err(|error| illegal(&error))?;
    still(&mut unit, &row).await?;
    sealing::reseal(&mut unit, &row, None, |content| PlacementContent { consent: Some(given), ..content }).await?;
    go_on(unit, &row, Ok(state)).await
}

/// The person is on the way.
#[utoipa::path(operation_id = "transport_to_placement", post, path = "/api/v1/placements/{id}/transport", tag = "placements",
    params(("id" = PlacementId, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn transport(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let (mut unit, row) = begin::<verbs::Transport>(&app, &who, id).await?;
    let state = row.shown.state.transport().map_err(|error| illegal(&error))?;
    still(&mut unit, &row).await?;
    go_on(unit, &row, Ok(state)).await
}

/// The person has arrived. Refused like every step before it while the house is not fit, the person does not want it, or
/// nobody there is trained.
#[utoipa::path(operation_id = "admit_to_placement", post, path = "/api/v1/placements/{id}/admit", tag = "placements",
    params(("id" = PlacementId, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn admit(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let (mut unit, row) = begin::<verbs::Admit>(&app, &who, id).await?;
    let state = row.shown.state.admit().map_err(|error| illegal(&error))?;
    still(&mut unit, &row).await?;
    go_on(unit, &row, Ok(state)).await
}

/// The person moves to another house: this stay is over, and another placement goes on.
#[utoipa::path(operation_id = "transfer_placement", post, path = "/api/v1/placements/{id}/transfer", tag = "placements",
    params(("id" = PlacementId, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn transfer(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let (unit, row) = begin::<verbs::Transfer>(&app, &who, id).await?;
    let step = row.shown.state.transfer();
    go_on(unit, &row, step).await
}

/// The squad takes its request back, or the person did not consent.
#[utoipa::path(operation_id = "withdraw_placement", post, path = "/api/v1/placements/{id}/withdraw", tag = "placements",
    params(("id" = PlacementId, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn withdraw(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let (unit, row) = begin::<verbs::Withdraw>(&app, &who, id).await?;
    let step = row.shown.state.withdraw();
    go_on(unit, &row, step).await
}

/// The person leaves, from whatever state. Whoever is told of it writes it down; assistance goes on.
#[utoipa::path(operation_id = "exit_placement", post, path = "/api/v1/placements/{id}/exit", tag = "placements",
    request_body = Exit, params(("id" = PlacementId, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn exit(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Exit>,
) -> Result<Answer, Problem> {
    let (unit, row) = begin::<verbs::Exit>(&app, &who, id).await?;
    let how = body.check()?;
    let step = row.shown.state.exit(how.planned);
    go_on(unit, &row, step).await
}

/// Name others who care for the person from here on. Who is not named any more opens nothing more. `If-Match` is the `ETag` with
/// which the placement was read, since the whole list is replaced.
#[utoipa::path(operation_id = "assign_workers", put, path = "/api/v1/placements/{id}/workers", tag = "placements",
    request_body = Acceptance, params(("id" = PlacementId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Stands, headers(("ETag" = String))), (status = "4XX", body = ProblemDocument)))]
pub async fn assign_workers(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    if_match: IfMatch,
    body: Body<Acceptance>,
) -> Result<Answer, Problem> {
    let (mut unit, row) = begin::<verbs::Assign>(&app, &who, id).await?;
    let how = body.check()?;
    let (content, version) = sealing::versioned(&mut unit, &row).await?;
    if_match.check(version)?;
    // Who is named anew is told of the person: for that the conditions must hold, as at the acceptance. To take somebody away
    // nothing is asked.
    if how.workers.iter().any(|worker| !content.workers.contains(worker)) {
        trained(&mut unit, &row, &how.workers, &content.workers).await?;
        super::wanted(&mut unit, row.case, row.person, row.shelter, content.basis).await?;
        if !row.shown.state.is_over() {
            certified(&mut unit, &row).await?;
        }
    }
    if !store::keep_care_with(&mut unit, &how.workers).await? {
        return Err(Problem::illegal(
            "care_would_be_lost",
            "None of these workers holds the care record. Name somebody who does as well; when they have shared it, change again.",
        ));
    }
    let (workers, me) = (how.workers, who.account);
    sealing::reseal(&mut unit, &row, None, |content| PlacementContent { workers, manager: Some(me), ..content })
        .await?;
    let _committed = unit.commit().await?;
    Ok(stands(&row, row.shown.state)?.version(version + 1))
}
