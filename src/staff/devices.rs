//! Devices on which a person has signed in: others' wrong tries do not count there. A device's token opens nothing.

use super::issued::{Issued, Kind};
use super::model::{DeviceView, Made};
use super::store;
use crate::audit::entry::Outcome;
use crate::guard::gate::{Target, kinds, ledger_problem, verbs};
use crate::guard::record::{AccountId, DeviceId, RecordKind};
use crate::platform::app::App;
use crate::platform::http::{Answer, Id, Listed, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

/// The device that shows this token, if it is this person's. Any other token is none.
pub(super) async fn recognise(app: &App, handle: &str, token: &str) -> Result<Option<DeviceId>, Problem> {
    Ok(store::device_of(&app.databases.door, handle, &Sha256::digest(token.as_bytes())).await?)
}

/// Remembers the device on which somebody of this name signs in: its token, the same as before or a new one.
pub(super) async fn remember(
    issued: &Issued,
    connection: &mut PgConnection,
    (account, handle): (AccountId, &str),
    known: Option<DeviceId>,
    token: Option<String>,
) -> Result<String, Problem> {
    if let Some((device, token)) = known.zip(token)
        && store::device_used(connection, device).await?
    {
        return Ok(token);
    }
    let token = issued.make(Kind::Device(handle))?;
    store::keep_device(connection, account, &Sha256::digest(token.as_bytes())).await?;
    Ok(token)
}

/// Where I have signed in before, the last used first.
#[utoipa::path(operation_id = "list_devices", get, path = "/api/v1/devices", tag = "door",
    responses((status = 200, body = Listed<DeviceView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Json<Listed<DeviceView>>, Problem> {
    let target = Target::Own(RecordKind::Device, who.session.0);
    let leave = app.gate.authorize::<verbs::List, kinds::Device>(&who, target, None).await?;
    let items = store::devices(&app.databases.door, who.account).await?;
    let entry = leave.entry(&app.places.clock, items.iter().map(|item| item.id.0).collect());
    app.places.ledger.enter(entry).await.map_err(ledger_problem)?;
    Ok(Json(Listed { items, next: None }))
}

/// Forget a device: one that I lost, or do not know.
#[utoipa::path(operation_id = "forget_device", delete, path = "/api/v1/devices/{id}", tag = "door",
    params(("id" = DeviceId, Path)),
    responses((status = 200, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn forget(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = Target::Own(RecordKind::Device, who.session.0);
    let leave = app.gate.authorize::<verbs::Withdraw, kinds::Device>(&who, target, None).await?;
    let mut transaction = app.databases.door.begin().await?;
    let forgotten = store::forget_device(&mut transaction, who.account, DeviceId(id)).await?;
    let mut entry = leave.entry(&app.places.clock, vec![id]);
    entry.outcome = if forgotten { Outcome::Done } else { Outcome::Refused };
    app.places.ledger.enter(entry).await.map_err(ledger_problem)?;
    transaction.commit().await?;
    if forgotten { Answer::ok(&Made { id }) } else { Err(Problem::absent()) }
}
