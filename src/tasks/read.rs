//! What a task says.

use super::model::{SCHEMA_VERSION, TaskDetail, Words};
use super::store;
use crate::cases;
use crate::guard::action::Purpose;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{RecordKind, TaskId};
use crate::guard::vault::{self, Sealed, VaultError};
use crate::platform::app::App;
use crate::platform::http::{Id, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;

/// Opens a task: `case_work` for a case's, `intake` for a call-back of one's own, `supervision` for the helpline's
/// supervisors.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", operation_id = "read_task", tag = "work",
    params(("id" = TaskId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "The task.", body = TaskDetail),
        (status = 404, description = "There is no such task for you.", body = ProblemDocument),
    ),
)]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    Stated(purpose): Stated,
) -> Result<Json<TaskDetail>, Problem> {
    let target = Target::Record(RecordKind::Task, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Task>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let Some(task) = store::looked_at(&mut look).await? else { return Err(look.conclude_absent().await) };
    let sealed: Vec<Sealed<Words>> = match task.case {
        Some(case) => cases::vouched(&mut look, case, &[id]).await?.map(|(_, sealed)| sealed).unwrap_or_default(),
        None => look.fetch(&[id]).await?,
    };
    let Some(version) = sealed.first().map(Sealed::version) else { return Err(look.conclude_absent().await) };
    let receipt = look.conclude(vec![id], vec![(id, version)]).await?;
    let words = vault::open(receipt, &who, sealed)?.pop().ok_or_else(Problem::absent)?.disclose();
    if words.schema_version != SCHEMA_VERSION {
        return Err(VaultError::Shape.into());
    }
    if words.case != task.case || words.call != task.call || words.kind != task.kind {
        return Err(VaultError::Tampered.into());
    }
    let task = task.view(app.places.clock.now());
    Ok(Json(TaskDetail { task, text: words.text, call_back: words.call_back }))
}
