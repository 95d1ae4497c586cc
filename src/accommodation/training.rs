//! Who passed which course, and until when that counts.

use super::model::{LONGEST, NewTraining, TrainingView};
use super::store;
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::RecordKind;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, IdempotencyKey, Listed, Page, Paged, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::model::Made;
use axum::Json;
use axum::extract::State;

/// Enter that a colleague passed a course. Nobody does so for themselves.
#[utoipa::path(operation_id = "create_training", post, path = "/api/v1/trainings", tag = "training",
    request_body = NewTraining, params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn create(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewTraining>,
) -> Result<Answer, Problem> {
    let own = who.organisation.0;
    let target = Target::OfOrganisation(RecordKind::Training, own, own);
    let leave = app.gate.authorize::<verbs::Create, kinds::Training>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    if new.passed_at > unit.now() {
        return Err(Problem::field("passed_at", "does not lie in the future"));
    }
    if new.expires_at <= new.passed_at || new.expires_at > new.passed_at + LONGEST {
        return Err(Problem::field("expires_at", "lies after passed_at, by not more than three years"));
    }
    let organisation = who.organisation;
    let colleague = unit.member(new.account).await?.is_some_and(|member| member.organisation == organisation);
    if !colleague || new.account == who.account {
        return Err(Problem::field("account", "is not a colleague of yours"));
    }
    let made = store::insert_training(&mut unit, &new).await?;
    let answer = Answer::created(&Made { id: made })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// List the training of one's own organisation.
#[utoipa::path(operation_id = "list_trainings", get, path = "/api/v1/trainings", tag = "training", params(Page),
    responses((status = 200, body = Listed<TrainingView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    paged: Paged,
) -> Result<Json<Listed<TrainingView>>, Problem> {
    let target = Target::Kind(RecordKind::Training);
    let leave = app.gate.authorize::<verbs::List, kinds::Training>(&who, target, None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let found = store::trainings(&mut look, app.places.clock.now(), paged.after_id()?, paged.most()).await?;
    let page = paged.page(found, |training| training.id);
    look.conclude(page.items.iter().map(|training| training.id).collect(), vec![]).await?.spend();
    Ok(Json(page))
}
