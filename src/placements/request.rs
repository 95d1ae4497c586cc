//! The squad asks for a place: what is needed to care for the person is sealed to the shelter, and nothing of what happened.

use super::content::{NewPlacement, PlacementContent, SCHEMA_VERSION, Stands};
use super::model::{PlacementBasis, PlacementState};
use super::sealing;
use super::store::{self, New, Officer};
use crate::accommodation::model::CertificateView;
use crate::audit::unit::Unit;
use crate::cases;
use crate::consents;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{CaseId, OrganisationId, PlacementId, RecordKind};
use crate::guard::statement::{OrganisationKind, SharedPurpose};
use crate::guard::vault::Placement;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::extract::State;

/// Ask an accommodation for a place for somebody on a case.
///
/// Refused while one of the seven conditions is not certified, while no place of that type is free, and whenever the person
/// does not want this house to be told of them.
#[utoipa::path(operation_id = "request_placement", post, path = "/api/v1/cases/{id}/placements", tag = "placements",
    request_body = NewPlacement, params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Stands), (status = "4XX", body = ProblemDocument), (status = 503, body = ProblemDocument)))]
pub async fn create(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewPlacement>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Placement, case, id);
    let leave = app.gate.authorize::<verbs::Create, kinds::Placement>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let row = cases::lock_and_check(&mut unit, case).await?;
    if !store::is_on_case(&mut unit, case, new.person).await? {
        return Err(Problem::field("person", "is nobody on this case"));
    }
    let house = house(&mut unit, &new).await?;
    if new.basis == PlacementBasis::Child && !new.needs.age.is_child() {
        return Err(Problem::field("basis", "is `child` for a person under eighteen; in doubt state the younger band"));
    }
    consents::hold(&mut unit, case, new.person).await?;
    super::wanted(&mut unit, case, new.person, house, new.basis).await?;
    let founding = unit.founding(house).await?.filter(|founding| founding.kind == OrganisationKind::Accommodation);
    founding.ok_or_else(no_intake)?;
    let intake = unit.shared_key(house, SharedPurpose::Intake).await?.ok_or_else(no_intake)?;
    if !unit.is_held(intake.id).await? {
        return Err(no_intake());
    }
    let officers = cases::assigned(&mut unit, &row).await?;

    let placement = PlacementId::random();
    let wanted = New {
        id: placement,
        case,
        person: new.person,
        accommodation: new.accommodation,
        shelter: house,
        places: new.places,
        intake: intake.id,
        by_consent: new.basis == PlacementBasis::Consent,
    };
    store::insert(&mut unit, &wanted).await?;
    let sealing = unit.new_key(placement.0).await?;
    let content = PlacementContent {
        schema_version: SCHEMA_VERSION,
        case,
        shelter: house,
        person: new.person,
        needs: new.needs,
        officers: officers.iter().map(|officer| officer.member.account).collect(),
        workers: vec![],
        manager: None,
        basis: new.basis,
        consent: None,
    };
    let place = Placement {
        record: placement.0,
        kind: RecordKind::Placement,
        case: None,
        key_id: placement.0,
        epoch: 1,
        version: 1,
    };
    unit.put(&place, &sealing, &content).await?;
    let theirs = sealing::custody(&mut unit, house).await?;
    let own = sealing::custody(&mut unit, who.organisation).await?;
    let people = [intake.recipient, theirs, own];
    let mut wraps = sealing::wraps(&sealing, &people, 1)?;
    let officers: Vec<Officer> =
        officers.iter().map(|officer| Officer { account: officer.member.account, window: officer.window }).collect();
    wraps.extend(sealing::officer_wraps(&mut unit, who.organisation, &sealing, &officers, 1).await?);
    unit.insert_wraps(&wraps).await?;
    let number = store::number(&mut unit, placement).await?;
    let answer = Answer::created(&Stands { id: placement, number, state: PlacementState::Requested })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

type Requesting = Unit<verbs::Create, kinds::Placement>;

pub(super) fn no_intake() -> Problem {
    Problem::away(
        "shelter_not_reachable",
        "Nobody of this accommodation has opened its intake in the last day. Telephone it; nothing was stored.",
    )
}

/// The organisation whose house may take somebody in now.
async fn house(unit: &mut Requesting, new: &NewPlacement) -> Result<OrganisationId, Problem> {
    let now = unit.now();
    let house = crate::accommodation::store::one(unit, new.accommodation).await?;
    let house = house.ok_or_else(|| Problem::field("accommodation", "is none that is known"))?;
    CertificateView::check(house.certificate.as_ref(), now)
        .map_err(|unfit| Problem::illegal("accommodation_unfit", format!("Nobody is placed there: {unfit}.")))?;
    if house.places.iter().any(|places| places.places == new.places && places.free > 0) {
        Ok(house.organisation)
    } else {
        Err(Problem::illegal("no_free_place", "No place of this type is free there. Nothing was stored."))
    }
}
