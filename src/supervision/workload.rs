//! How much everybody has to do, and what is late.

use super::model::{MemberLoad, Workload};
use super::store;
use crate::guard::action::Purpose;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, RecordKind};
use crate::guard::trust::TrustError;
use crate::platform::app::App;
use crate::platform::http::{SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::tasks;
use crate::tasks::model::{PendingAssignment, TaskView};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// The most of each kind that is shown: what is more urgent comes first.
const MOST: i64 = 500;

/// Clocks and workload of one's own organisation, for the purpose of supervision.
#[utoipa::path(
    get, path = "/api/v1/workload", operation_id = "read_workload", tag = "work",
    params(("Purpose" = inline(Purpose), Header, description = "`supervision`")),
    responses(
        (status = 200, description = "Ids, codes and times.", body = Workload),
        (status = 403, description = "The role supervises nobody.", body = ProblemDocument),
    ),
)]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
) -> Result<Json<Workload>, Problem> {
    let target = Target::Kind(RecordKind::Workload);
    let leave = app.gate.authorize::<verbs::Read, kinds::Workload>(&who, target, purpose).await?;
    let now = app.places.clock.now();
    let mut look = Look::begin(&app.places, leave).await?;
    let mut members = Vec::new();
    for row in store::loads(&mut look, now).await? {
        let (connection, trust) = look.with_trust();
        let member = match trust.member(connection, AccountId(row.account)).await {
            Ok(member) => member,
            Err(TrustError::Store(error)) => return Err(error.into()),
            // Not admitted, not any more, or not believed: no colleague.
            Err(_) => continue,
        };
        members.push(MemberLoad {
            account: member.account,
            handle: row.handle,
            role: member.role,
            open_cases: row.open_cases,
            open_tasks: row.open_tasks,
            overdue_tasks: row.overdue_tasks,
        });
    }
    let overdue = tasks::store::overdue(&mut look, now, MOST).await?;
    let workload = Workload {
        members,
        overdue: overdue.iter().map(|task| task.view(now)).collect(),
        notices: tasks::store::waiting_notices(&mut look, now, MOST).await?,
        assignments: store::pending(&mut look, now, MOST).await?,
    };
    look.conclude(named(&workload), vec![]).await?.spend();
    Ok(Json(workload))
}

/// Every record that the answer names.
fn named(workload: &Workload) -> Vec<Uuid> {
    let tasks = workload.overdue.iter().flat_map(TaskView::names);
    let notices = workload.notices.iter().map(|notice| notice.id.0);
    tasks.chain(notices).chain(workload.assignments.iter().flat_map(PendingAssignment::names)).collect()
}
