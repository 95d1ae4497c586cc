//! What is due for one person: their tasks, and the clocks that they answer for.

use super::model::{Due, DueList, PendingAssignment, TODAY, TaskView};
use super::store;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::RecordKind;
use crate::platform::app::App;
use crate::platform::http::SignedIn;
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use serde::Deserialize;
use uuid::Uuid;

/// The most of each kind that a list shows: what is more urgent comes first.
const MOST: i64 = 200;

/// Which tasks are asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// `today` (overdue, or due within 24 hours) if absent, or `any`.
    #[param(inline)]
    pub due: Option<Due>,
}

impl FromRequestParts<App> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let asked = Query::<Self>::from_request_parts(parts, app).await;
        asked.map(|Query(asked)| asked).map_err(|_| Problem::field("due", "is `today` or `any`, and stands alone"))
    }
}

/// What I have to do: my open tasks, and the clocks that I answer for, the most urgent first. Ids, codes and times.
#[utoipa::path(
    get, path = "/api/v1/tasks", operation_id = "list_tasks", tag = "work", params(Asked),
    responses(
        (status = 200, description = "What is due.", body = DueList),
        (status = 403, description = "The role has no tasks.", body = ProblemDocument),
        (status = 422, description = "`due` is `today` or `any`.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    asked: Result<Asked, Problem>,
) -> Result<Json<DueList>, Problem> {
    let target = Target::Kind(RecordKind::Task);
    let leave = app.gate.authorize::<verbs::List, kinds::Task>(&who, target, None).await?;
    let now = app.places.clock.now();
    let before = match asked?.due.unwrap_or(Due::Today) {
        Due::Today => Some(now + TODAY),
        Due::Any => None,
    };
    let mut look = Look::begin(&app.places, leave).await?;
    let tasks = store::mine(&mut look, before, MOST).await?;
    let due = DueList {
        tasks: tasks.iter().map(|task| task.view(now)).collect(),
        notices: store::waiting_notices(&mut look, now, MOST).await?,
        pending_epochs: store::pending_epochs(&mut look, MOST).await?,
        assignments: store::pending_assignments(&mut look, now, MOST).await?,
    };
    look.conclude(named(&due), vec![]).await?.spend();
    Ok(Json(due))
}

/// Every record that the answer names.
fn named(due: &DueList) -> Vec<Uuid> {
    let tasks = due.tasks.iter().flat_map(TaskView::names);
    let notices = due.notices.iter().map(|notice| notice.id.0);
    let cases = due.pending_epochs.iter().map(|epoch| epoch.case.0);
    tasks.chain(notices).chain(cases).chain(due.assignments.iter().flat_map(PendingAssignment::names)).collect()
}
