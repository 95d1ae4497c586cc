//! The routes of alerts.

use super::model::{AlertAcknowledged, AlertView, What};
use super::store;
use crate::audit::snooping::store::explained;
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AlertId, RecordKind};
use crate::platform::app::App;
use crate::platform::http::{Answer, Id, Listed, Page, Paged, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::platform::random;
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// The alerts about one's own work, one's desk's, and for a supervisor the organisation's; newest first.
#[utoipa::path(
    get, path = "/api/v1/alerts", operation_id = "list_alerts", tag = "work", params(Page),
    responses(
        (status = 200, description = "A page of alerts.", body = Listed<AlertView>),
        (status = 403, description = "Your role gets no alerts.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    paged: Result<Paged, Problem>,
) -> Result<Json<Listed<AlertView>>, Problem> {
    let target = Target::Kind(RecordKind::Alert);
    let leave = app.gate.authorize::<verbs::List, kinds::Alert>(&who, target, None).await?;
    let paged = paged?;
    let before = paged.before()?;
    let mut look = Look::begin(&app.places, leave).await?;
    let alerts = store::alerts(&mut look, before, paged.limit + 1).await?;
    let Listed { items, next } = paged.page(alerts, |(number, _)| *number);
    let mut items: Vec<AlertView> = items.into_iter().map(|(_, alert)| alert).collect();
    let suspicions: Vec<Uuid> =
        items.iter().filter(|alert| alert.what == What::Snooping).map(|alert| alert.about).collect();
    if !suspicions.is_empty() {
        let mut said = explained(&mut look, &suspicions).await?;
        for alert in &mut items {
            alert.explanation = said.remove(&alert.about);
        }
    }
    look.conclude(items.iter().flat_map(|alert| [alert.id.0, alert.about]).collect(), vec![]).await?.spend();
    Ok(Json(Listed { items, next }))
}

/// Acknowledge an alert: the others see that somebody sees to it. Saying it again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/alerts/{id}/acknowledge", operation_id = "acknowledge_alert", tag = "work",
    params(("id" = AlertId, Path)),
    responses(
        (status = 200, description = "Your colleagues see from now on that you take care of it.", body = AlertAcknowledged),
        (status = 404, description = "There is no such alert for you.", body = ProblemDocument),
    ),
)]
pub async fn acknowledge(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let (target, alert) = (Target::Record(RecordKind::Alert, id), AlertId(id));
    let leave = app.gate.authorize::<verbs::Acknowledge, kinds::Alert>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    unit.serialise(id).await?;
    let acknowledged_at = if let Some(before) = store::acknowledged(&mut unit, alert).await? {
        before
    } else {
        store::acknowledge(&mut unit, alert, random::uuid()).await?
    };
    let _committed = unit.commit().await?;
    Answer::ok(&AlertAcknowledged { id: alert, acknowledged_at })
}
