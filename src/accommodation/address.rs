//! Where a house lies: sealed to its managers and to CUSTODY, and to nobody else. For a placement the manager's acceptance
//! makes a copy of its own (see [`crate::placements`]), which dies with the placement.

use super::model::{Address, AddressWritten};
use super::store;
use crate::audit::unit::Unit;
use crate::guard::action::{Relation, Verb};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::policy::Decision;
use crate::guard::record::{AccommodationId, RecordKind};
use crate::guard::store::WrapWrite;
use crate::guard::vault::{self, Placement, SealingKey, VaultError};
use crate::placements;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IfMatch, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::store::accounts_of;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

/// Read the address of a house that one manages.
#[utoipa::path(operation_id = "read_address", get, path = "/api/v1/accommodations/{id}/address", tag = "accommodation",
    params(("id" = AccommodationId, Path), ("Purpose" = inline(crate::guard::action::Purpose), Header)),
    responses((status = 200, body = Address, headers(("ETag" = String))), (status = "4XX", body = ProblemDocument)))]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    Stated(purpose): Stated,
) -> Result<Response, Problem> {
    let target = Target::Record(RecordKind::Address, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Address>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let Some(sealed) = look.fetch::<Address>(&[id]).await?.pop() else {
        return Err(look.conclude_absent().await);
    };
    let version = sealed.version();
    let receipt = look.conclude(vec![id], vec![(id, version)]).await?;
    let opened = vault::open(receipt, &who, vec![sealed])?.pop().ok_or_else(Problem::absent)?;
    Ok(([(header::ETAG, format!("\"{version}\""))], Json(opened.disclose())).into_response())
}

/// Write the address: the first time with `If-Match: "0"`. The officers of current placements see the new one from here on.
#[utoipa::path(operation_id = "write_address", put, path = "/api/v1/accommodations/{id}/address", tag = "accommodation",
    request_body = Address, params(("id" = AccommodationId, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = AddressWritten, headers(("ETag" = String))), (status = "4XX", body = ProblemDocument)))]
pub async fn write(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    if_match: IfMatch,
    body: Body<Address>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Address, id);
    let leave = app.gate.authorize::<verbs::Write, kinds::Address>(&who, target, None).await?;
    let address = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    placements::hold_copies(&mut unit, AccommodationId(id)).await?;
    let sealed = unit.fetch::<Address>(&[id]).await?.pop();
    if sealed.is_none() && store::has_address(&mut unit).await? {
        return Err(Problem::illegal(
            "address_held_by_others",
            "The address is sealed to others who manage this house. Have one of them write it again: then you hold it as well.",
        ));
    }
    let version = sealed.as_ref().map_or(0, vault::Sealed::version);
    if_match.check(version)?;
    let epoch = sealed.as_ref().map_or(1, |sealed| sealed.epoch() + 1);
    // Always a fresh key, to those who manage the house now: who managed it before opens nothing newer.
    let key = match &sealed {
        Some(sealed) => SealingKey::of(&who.keys, sealed)?.renewed(),
        // Under an id of its own: one that failed to be stored was erased with its key, and is never a key's again.
        None => unit.new_key(crate::platform::random::uuid()).await?,
    };
    let place =
        Placement { record: id, kind: RecordKind::Address, case: None, key_id: key.id, epoch, version: version + 1 };
    let wraps = wraps(&app, &mut unit, &key, epoch).await?;
    unit.put(&place, &key, &address).await?;
    let mut without_address = vec![];
    if let Some(sealed) = sealed {
        unit.replace_all_wraps(key.id, &wraps).await?;
        let before: Address =
            serde_json::from_slice(&vault::decrypt(&who.keys, &sealed)?).map_err(|_| VaultError::Shape)?;
        without_address =
            placements::copy_again(&mut unit, AccommodationId(id), &address, before.address != address.address).await?;
    } else {
        unit.insert_wraps(&wraps).await?;
    }
    let _committed = unit.commit().await?;
    Ok(Answer::ok(&AddressWritten { id: AccommodationId(id), without_address })?.version(version + 1))
}

/// The key of an address, wrapped to all who manage the house, and to CUSTODY.
async fn wraps(
    app: &App,
    unit: &mut Unit<verbs::Write, kinds::Address>,
    key: &SealingKey,
    epoch: i32,
) -> Result<Vec<WrapWrite>, Problem> {
    let organisation = unit.who().organisation;
    let custody = unit.custody(organisation).await?.ok_or_else(Problem::absent)?;
    let mut wraps = vec![key.wrap_to(&custody.recipient(), None, epoch, None)?];
    for account in accounts_of(unit, organisation).await? {
        let manages =
            |role| app.policy.decide(role, Relation::Duty, RecordKind::Address, Verb::Write, None) == Decision::Allow;
        let member = unit.member(account).await?.filter(|m| m.organisation == organisation && manages(m.role));
        if let Some(member) = member {
            wraps.push(key.wrap_to(&member.recipient(), None, epoch, None)?);
        }
    }
    Ok(wraps)
}
