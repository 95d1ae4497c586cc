//! Where the person of one placement is brought: the address, for the officers of that placement as long as it is current. When
//! the house's address is written anew, so are its copies.

use super::sealing;
use super::store;
use crate::accommodation::model::Address;
use crate::audit::unit::Unit;
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccommodationId, AccountId, PlacementId, RecordKind};
use crate::guard::vault::{self, Placement};
use crate::platform::app::App;
use crate::platform::http::{Id, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

/// The house and the placements that have a copy of its address, held against who would end or accept one meanwhile. In the
/// order in which an acceptance holds them, the house last; what was accepted until then is held after it.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn hold_copies<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    house: AccommodationId,
) -> Result<(), Problem> {
    let before = store::copies_of_address(unit, house).await?;
    for placement in &before {
        unit.serialise(*placement).await?;
    }
    unit.serialise(house.0).await?;
    for placement in store::copies_of_address(unit, house).await? {
        if !before.contains(&placement) {
            unit.serialise(placement).await?;
        }
    }
    Ok(())
}

/// The address, sealed once more for the officers of this placement alone; nothing when no officer is left. The record's id.
///
/// # Errors
/// A fault when the placement is not as it was stored; as the database refuses.
pub(super) async fn copy<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &store::Row,
    address: Address,
) -> Result<Option<Uuid>, Problem> {
    let named = sealing::content(unit, row).await?.officers;
    let officers = sealing::officers(unit, row, &named, None).await?;
    if officers.is_empty() {
        return Ok(None);
    }
    let record = crate::platform::random::uuid();
    let key = unit.new_key(record).await?;
    let place = Placement { record, kind: RecordKind::Arrival, case: None, key_id: record, epoch: 1, version: 1 };
    let content = ArrivalContent {
        schema_version: SCHEMA_VERSION,
        placement: row.shown.id,
        address,
        officers: officers.iter().map(|officer| officer.account).collect(),
    };
    unit.put(&place, &key, &content).await?;
    let wraps = sealing::officer_wraps(unit, row.squad, &key, &officers, 1).await?;
    unit.insert_wraps(&wraps).await?;
    Ok(Some(record))
}

/// Makes the copies of a house's address anew, for the placements that this person can open. Those that another manager
/// accepted have none any more if the house has `moved`: their ids.
///
/// # Errors
/// A fault when a placement is not as it was stored; as the database refuses.
pub(crate) async fn copy_again<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    house: AccommodationId,
    address: &Address,
    moved: bool,
) -> Result<Vec<PlacementId>, Problem> {
    let mut without = Vec::new();
    for dropped in store::drop_copies_of_address(unit, house, moved).await? {
        if let Some(arrival) = dropped.arrival {
            unit.erase_with_commit(arrival);
        }
        if !dropped.mine {
            without.push(PlacementId(dropped.placement));
            continue;
        }
        let row = store::one(unit, dropped.placement).await?.ok_or_else(Problem::absent)?;
        let Some(record) = copy(unit, &row, address.clone()).await? else {
            without.push(row.shown.id);
            continue;
        };
        store::set_address(unit, row.shown.id, record).await?;
    }
    Ok(without)
}
