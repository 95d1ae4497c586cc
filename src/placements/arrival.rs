//! Where the person of one placement is brought: the address, for the officers of that placement as long as it is current.

use super::store;
use crate::accommodation::model::Address;
use crate::guard::action::Purpose;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, PlacementId, RecordKind};
use crate::guard::vault;
use crate::platform::app::App;
use crate::platform::http::{Id, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

/// A copy of the address that dies with the placement.
#[derive(Deserialize, Serialize)]
pub struct ArrivalContent {
    pub schema_version: u16,
    pub placement: PlacementId,
    pub address: Address,
    /// To whom it is sealed.
    pub officers: Vec<AccountId>,
}

pub const SCHEMA_VERSION: u16 = 1;

/// Read where the person is to be brought.
#[utoipa::path(operation_id = "read_arrival", get, path = "/api/v1/placements/{id}/arrival", tag = "placements",
    params(("id" = PlacementId, Path), ("Purpose" = inline(Purpose), Header)),
    responses((status = 200, body = Address), (status = "4XX", body = ProblemDocument)))]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    Stated(purpose): Stated,
) -> Result<Json<Address>, Problem> {
    let target = Target::OnPlacement(RecordKind::Arrival, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Arrival>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let arrival = store::looked_at(&mut look).await?.and_then(|row| row.address);
    let Some(arrival) = arrival else { return Err(look.conclude_absent().await) };
    let Some(sealed) = look.fetch::<ArrivalContent>(&[arrival]).await?.pop() else {
        return Err(look.conclude_absent().await);
    };
    let version = (sealed.record(), sealed.version());
    let receipt = look.conclude(vec![id, arrival], vec![version]).await?;
    let opened = vault::open(receipt, &who, vec![sealed])?.pop().ok_or_else(Problem::absent)?.disclose();
    // Another placement's address, put in this one's place.
    if opened.placement.0 != id || opened.schema_version != SCHEMA_VERSION {
        return Err(vault::VaultError::Tampered.into());
    }
    Ok(Json(opened.address))
}
