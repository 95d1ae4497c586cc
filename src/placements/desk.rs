//! The shelter's desk: what the squad asks for is acknowledged, opened, accepted for named workers, or declined.

use super::arrival;
use super::content::{Acceptance, Decline, PlacementContent, PlacementRow, PlacementView, SCHEMA_VERSION, Stands};
use super::model::PlacementState;
use super::sealing;
use super::store::{self, Change, Row};
use crate::accommodation::model::{AccommodationView, Address, CertificateView, FOR_CARE};
use crate::audit::unit::Unit;
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, PlacementId, RecordKind};
use crate::guard::vault;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::shared_keys;
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

pub(super) fn illegal(error: &super::model::IllegalTransition) -> Problem {
    Problem::illegal("illegal_transition", error.to_string())
}

pub(super) fn stands(row: &Row, state: PlacementState) -> Result<Answer, Problem> {
    Answer::ok(&Stands { id: row.shown.id, number: row.shown.number, state })
}

/// The placements that one works on, those that are not over first.
#[utoipa::path(operation_id = "list_placements", get, path = "/api/v1/placements", tag = "placements",
    params(Page, ("Purpose" = inline(Purpose), Header)),
    responses((status = 200, body = Listed<PlacementRow>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    paged: Paged,
) -> Result<Json<Listed<PlacementRow>>, Problem> {
    let target = Target::Kind(RecordKind::Placement);
    let leave = app.gate.authorize::<verbs::List, kinds::Placement>(&who, target, purpose).await?;
    let after = paged.after()?;
    shared_keys::renew_or_warn(&app, &who).await;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows: Vec<PlacementRow> =
        store::list(&mut look, after, paged.most()).await?.into_iter().map(|row| row.shown).collect();
    let page = paged.page(rows, |row| format!("{}.{}", i32::from(row.ended_at.is_some()), row.number));
    look.conclude(page.items.iter().map(|row| row.id.0).collect(), vec![]).await?.spend();
    Ok(Json(page))
}

/// Open a placement: what is needed to care for the person.
#[utoipa::path(operation_id = "read_placement", get, path = "/api/v1/placements/{id}", tag = "placements",
    params(("id" = PlacementId, Path), ("Purpose" = inline(Purpose), Header)),
    responses((status = 200, body = PlacementView, headers(("ETag" = String))), (status = "4XX", body = ProblemDocument)))]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    Stated(purpose): Stated,
) -> Result<Answer, Problem> {
    let target = Target::OnPlacement(RecordKind::Placement, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Placement>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let Some(row) = store::looked_at(&mut look).await? else { return Err(look.conclude_absent().await) };
    let Some(sealed) = look.fetch::<PlacementContent>(&[id]).await?.pop() else {
        return Err(look.conclude_absent().await);
    };
    let version = sealed.version();
    let receipt = look.conclude(vec![id], vec![(id, version)]).await?;
    let opened = vault::open(receipt, &who, vec![sealed])?.pop().ok_or_else(Problem::absent)?.disclose();
    if opened.schema_version != SCHEMA_VERSION || opened.person != row.person {
        return Err(vault::VaultError::Tampered.into());
    }
    let PlacementContent { person, needs, officers, workers, manager, basis, consent, .. } = opened;
    // The shelter is not told which case it is.
    let case = (row.squad == who.organisation).then_some(row.case);
    let squad = row.squad;
    let view = PlacementView { row: row.shown, case, squad, person, needs, basis, officers, workers, manager, consent };
    Ok(Answer::ok(&view)?.version(version))
}

/// Acknowledge a request: somebody at the shelter has it.
#[utoipa::path(operation_id = "acknowledge_placement", post, path = "/api/v1/placements/{id}/acknowledge", tag = "placements",
    params(("id" = PlacementId, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn acknowledge(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = Target::OnPlacement(RecordKind::Placement, id);
    let leave = app.gate.authorize::<verbs::Acknowledge, kinds::Placement>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let row = store::held(&mut unit).await?;
    let state = row.shown.state.acknowledge().map_err(|error| illegal(&error))?;
    store::set_state(&mut unit, row.shown.id, state, Change::of(&row)).await?;
    let _committed = unit.commit().await?;
    stands(&row, state)
}

/// Accept a request, for the workers who will care for the person. From here on they hold it, and the desk does not; the
/// squad's officers see the address.
#[utoipa::path(operation_id = "accept_placement", post, path = "/api/v1/placements/{id}/accept", tag = "placements",
    request_body = Acceptance, params(("id" = PlacementId, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn accept(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Acceptance>,
) -> Result<Answer, Problem> {
    let target = Target::OnPlacement(RecordKind::Placement, id);
    let leave = app.gate.authorize::<verbs::Accept, kinds::Placement>(&who, target, None).await?;
    let how = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let row = super::held_with_all(&mut unit).await?;
    let state = row.shown.state.accept().map_err(|error| illegal(&error))?;
    fit(&mut unit, &row).await?;
    let basis = sealing::content(&mut unit, &row).await?.basis;
    super::wanted(&mut unit, row.case, row.person, row.shelter, basis).await?;
    trained(&mut unit, &row, &how.workers, &[]).await?;
    let address = copy_address(&mut unit, &row).await?;
    let change = Change { address: Some(address), ..Change::of(&row) };
    store::set_state(&mut unit, row.shown.id, state, change).await?;
    let (workers, me) = (how.workers, who.account);
    sealing::reseal(&mut unit, &row, None, |content| PlacementContent { workers, manager: Some(me), ..content })
        .await?;
    let _committed = unit.commit().await?;
    stands(&row, state)
}

/// The house still meets all seven conditions, and a place is free.
async fn fit<V: Does, K: About>(unit: &mut Unit<V, K>, row: &Row) -> Result<(), Problem> {
    // Two managers who accept at once do not share the last place.
    unit.serialise(row.shown.accommodation.0).await?;
    let house = certified(unit, row).await?;
    if house.places.iter().any(|places| places.places == row.shown.places && places.free > 0) {
        Ok(())
    } else {
        Err(Problem::illegal("no_free_place", "No place of this type is free here. Nothing was stored."))
    }
}

/// The house, while all seven conditions are certified.
pub(super) async fn certified<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
) -> Result<AccommodationView, Problem> {
    let now = unit.now();
    let house = crate::accommodation::store::one(unit, row.shown.accommodation).await?.ok_or_else(Problem::absent)?;
    CertificateView::check(house.certificate.as_ref(), now)
        .map_err(|unfit| Problem::illegal("accommodation_unfit", format!("Nobody is placed there: {unfit}.")))?;
    Ok(house)
}

/// Named workers are colleagues who work with residents, with a training that counts today (R13, R31); those who were named
/// before are not asked again.
pub(super) async fn trained<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    workers: &[AccountId],
    before: &[AccountId],
) -> Result<(), Problem> {
    for (place, account) in workers.iter().enumerate().filter(|(_, account)| !before.contains(account)) {
        let field = format!("workers[{place}]");
        let member = unit.member(*account).await?.filter(|member| member.organisation == row.shelter);
        if member.is_none() {
            return Err(Problem::field(field, "is no colleague of yours"));
        }
        if !crate::accommodation::store::is_trained(unit, *account, FOR_CARE.as_str()).await? {
            return Err(Problem::field(field, "has no current training in care for victims"));
        }
    }
    Ok(())
}

/// The house's address, for the officers who bring the person there.
async fn copy_address(unit: &mut Unit<verbs::Accept, kinds::Placement>, row: &Row) -> Result<Uuid, Problem> {
    let no_address =
        || Problem::illegal("no_address", "Write the address of this accommodation first: the officers need it.");
    let address = unit.fetch::<Address>(&[row.shown.accommodation.0]).await?.pop().ok_or_else(no_address)?;
    let address = sealing::held(unit, &address)?;
    arrival::copy(unit, row, address)
        .await?
        .ok_or_else(|| Problem::illegal("nobody_to_bring", "No officer of the squad works on this request any more."))
}

/// Decline a request with a code. The shelter holds nothing of it any more.
#[utoipa::path(operation_id = "decline_placement", post, path = "/api/v1/placements/{id}/decline", tag = "placements",
    request_body = Decline, params(("id" = PlacementId, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn decline(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Decline>,
) -> Result<Answer, Problem> {
    let target = Target::OnPlacement(RecordKind::Placement, id);
    let leave = app.gate.authorize::<verbs::Decline, kinds::Placement>(&who, target, None).await?;
    let why = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let row = store::held(&mut unit).await?;
    let state = row.shown.state.decline().map_err(|error| illegal(&error))?;
    let change = Change { decline_code: Some(why.code), ..Change::of(&row) };
    store::set_state(&mut unit, row.shown.id, state, change).await?;
    store::end_shelter_wraps(&mut unit, row.shown.id).await?;
    let _committed = unit.commit().await?;
    stands(&row, state)
}
