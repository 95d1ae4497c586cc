//! Houses and their certificates.

use super::model::{AccommodationView, LONGEST, NewAccommodation, NewCertificate};
use super::store;
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccommodationId, RecordKind};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, Listed, Page, Paged, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::model::Made;
use axum::Json;
use axum::extract::State;

/// Open a house of one's own organisation.
#[utoipa::path(operation_id = "create_accommodation", post, path = "/api/v1/accommodations", tag = "accommodation",
    request_body = NewAccommodation, params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn create(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewAccommodation>,
) -> Result<Answer, Problem> {
    let target = Target::Kind(RecordKind::Accommodation);
    let leave = app.gate.authorize::<verbs::Create, kinds::Accommodation>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let id = AccommodationId::random();
    store::insert(&mut unit, id, &new).await?;
    let answer = Answer::created(&Made { id: id.0 })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// List the houses with their free places. No address stands here.
#[utoipa::path(operation_id = "list_accommodations", get, path = "/api/v1/accommodations", tag = "accommodation", params(Page),
    responses((status = 200, body = Listed<AccommodationView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    paged: Paged,
) -> Result<Json<Listed<AccommodationView>>, Problem> {
    let target = Target::Kind(RecordKind::Accommodation);
    let leave = app.gate.authorize::<verbs::List, kinds::Accommodation>(&who, target, None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let found = store::all(&mut look, paged.after_id()?, paged.most(), app.places.clock.now()).await?;
    let page = paged.page(found, |house| house.id.0);
    look.conclude(page.items.iter().map(|house| house.id.0).collect(), vec![]).await?.spend();
    Ok(Json(page))
}

/// Certify which of the seven conditions a house meets. The newest certificate counts.
#[utoipa::path(operation_id = "certify_accommodation", post, path = "/api/v1/accommodations/{id}/certificates",
    tag = "accommodation", request_body = NewCertificate,
    params(("id" = AccommodationId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn certify(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewCertificate>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Accommodation, id);
    let leave = app.gate.authorize::<verbs::Append, kinds::Accommodation>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let now = unit.now();
    if new.expires_at <= now || new.expires_at > now + LONGEST {
        return Err(Problem::field("expires_at", "lies in the future, and not more than three years from now"));
    }
    let made = store::insert_certificate(&mut unit, &new).await?;
    let answer = Answer::created(&Made { id: made })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}
