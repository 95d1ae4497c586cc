//! The status, for the coordinator.

use super::model::Status;
use super::store;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::RecordKind;
use crate::platform::app::App;
use crate::platform::http::SignedIn;
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use tokio::time::Instant;

/// How the country stands now: operational counters in bands, and no record of any kind.
#[utoipa::path(operation_id = "read_status", get, path = "/api/v1/status", tag = "status",
    responses((status = 200, body = Status), (status = "4XX", body = ProblemDocument)))]
pub async fn read(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Json<Status>, Problem> {
    let leave = app.gate.authorize::<verbs::List, kinds::Status>(&who, Target::Kind(RecordKind::Status), None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let (Some(notices), Some((organisations, staff, trained))) =
        (store::notices(&mut look).await?, store::staff(&mut look).await?)
    else {
        return Err(look.conclude_absent().await);
    };
    let calls = store::calls(&mut look).await?;
    let places = store::places(&mut look).await?;
    let tasks = store::tasks(&mut look).await?;
    look.conclude(vec![], vec![]).await?.spend();
    let ledger_behind = app.places.ledger.is_behind();
    let ledger_not_witnessed = app.places.ledger.is_unwitnessed();
    let ledger_outage = app.places.outages.opens_for_somebody(&app.places.ledger.lacks());
    let system = app.ready.told(Instant::now()).unwrap_or_else(|problem| problem.code()).to_owned();
    let at = app.places.clock.now();
    Ok(Json(Status {
        at,
        notices,
        calls,
        places,
        organisations,
        staff,
        trained,
        tasks,
        system,
        ledger_behind,
        ledger_not_witnessed,
        ledger_outage,
    }))
}
