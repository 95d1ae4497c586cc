//! One's own sessions: where one is signed in, and the end of those that one does not know.

use super::model::{SessionView, SessionsEnded};
use super::store;
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{RecordKind, SessionId};
use crate::platform::app::App;
use crate::platform::http::{Answer, Id, Listed, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;

/// Where I am signed in, the newest first.
#[utoipa::path(operation_id = "list_sessions", get, path = "/api/v1/sessions", tag = "door",
    responses((status = 200, body = Listed<SessionView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Json<Listed<SessionView>>, Problem> {
    let target = Target::Own(RecordKind::Session, who.session.0);
    let leave = app.gate.authorize::<verbs::List, kinds::Session>(&who, target, None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let items = store::sessions(&mut look, who.session).await?;
    look.conclude(items.iter().map(|item| item.id.0).collect(), vec![]).await?.spend();
    Ok(Json(Listed { items, next: None }))
}

/// End one of my sessions, on every replica at once.
#[utoipa::path(operation_id = "end_session", delete, path = "/api/v1/sessions/{id}", tag = "door",
    params(("id" = SessionId, Path)),
    responses((status = 200, body = SessionsEnded), (status = "4XX", body = ProblemDocument)))]
pub async fn end(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Session, id);
    let leave = app.gate.authorize::<verbs::Close, kinds::Session>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if store::end_sessions(&mut unit, &[SessionId(id)]).await?.is_empty() {
        return Err(unit.refuse(id, Problem::absent()).await);
    }
    let _committed = unit.commit().await?;
    Answer::ok(&SessionsEnded { ended: vec![SessionId(id)] })
}

/// End all my sessions but this one: for somebody who left a screen open, or whose session was copied.
#[utoipa::path(operation_id = "end_other_sessions", delete, path = "/api/v1/sessions", tag = "door",
    responses((status = 200, body = SessionsEnded), (status = "4XX", body = ProblemDocument)))]
pub async fn end_others(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Answer, Problem> {
    let target = Target::Own(RecordKind::Session, who.session.0);
    let leave = app.gate.authorize::<verbs::Close, kinds::Session>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let mut others = store::sessions_of_mine(&mut unit).await?;
    others.retain(|session| *session != who.session);
    let ended = store::end_sessions(&mut unit, &others).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&SessionsEnded { ended })
}
