//! To whom what is sealed on a placement is wrapped: to the people whom its own content names, as far as they are members
//! in force, and to both organisations' CUSTODY. A name that was added to the database opens nothing.

use super::arrival::ArrivalContent;
use super::content::PlacementContent;
use super::store::{self, Officer, Row};
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccountId, CaseId, OrganisationId, RecordKind};
use crate::guard::statement::SharedPurpose;
use crate::guard::store::WrapWrite;
use crate::guard::trust::Recipient;
use crate::guard::vault::{self, Placement, Sealed, SealingKey, VaultError};
use crate::platform::problem::Problem;
use serde::de::DeserializeOwned;

const INCOMPLETE: &str = "something on a placement is not sealed to somebody who works on it";

/// What a sealed record holds, to work out to whom it goes on. It does not leave the unit.
pub(super) fn held<T: DeserializeOwned, U, V: Does, K: About>(
    unit: &Unit<V, K>,
    sealed: &Sealed<U>,
) -> Result<T, Problem> {
    let plain = vault::decrypt(&unit.who().keys, sealed)?;
    Ok(serde_json::from_slice(&plain).map_err(|_| VaultError::Shape)?)
}

/// The content of a placement that this unit is about.
pub(super) async fn content<V: Does, K: About>(unit: &mut Unit<V, K>, row: &Row) -> Result<PlacementContent, Problem> {
    Ok(versioned(unit, row).await?.0)
}

/// [`content`], with the version in which it lies there.
pub(super) async fn versioned<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
) -> Result<(PlacementContent, i64), Problem> {
    let id = row.shown.id.0;
    let sealed = unit.fetch::<PlacementContent>(&[id]).await?.pop().ok_or_else(Problem::absent)?;
    Ok((fitting(held(unit, &sealed)?, row)?, sealed.version()))
}

/// The content belongs to this row: it is not sealed on under one that was changed in the database.
fn fitting(content: PlacementContent, row: &Row) -> Result<PlacementContent, Problem> {
    if content.person == row.person && content.case == row.case && content.shelter == row.shelter {
        Ok(content)
    } else {
        Err(Problem::fault("a placement's content belongs to another row"))
    }
}

/// Those of these accounts that are members in force of an organisation.
pub(super) async fn members_of<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
    accounts: &[AccountId],
) -> Result<Vec<Recipient>, Problem> {
    let mut people = Vec::new();
    for account in accounts {
        let member = unit.member(*account).await?.filter(|member| member.organisation == organisation);
        people.extend(member.map(|member| member.recipient()));
    }
    Ok(people)
}

/// An organisation's CUSTODY.
pub(super) async fn custody<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
) -> Result<Recipient, Problem> {
    let custody = unit.custody(organisation).await?;
    Ok(custody.ok_or_else(|| Problem::fault("a placement of an organisation that is not founded"))?.recipient())
}

/// Wraps of a key to each of these.
pub(super) fn wraps(key: &SealingKey, people: &[Recipient], epoch: i32) -> Result<Vec<WrapWrite>, Problem> {
    people.iter().map(|person| key.wrap_to(person, None, epoch, None).map_err(Problem::from)).collect()
}

/// Wraps of a key to officers who are members in force of the squad: to a stand-in for their time.
pub(super) async fn officer_wraps<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    squad: OrganisationId,
    key: &SealingKey,
    officers: &[Officer],
    epoch: i32,
) -> Result<Vec<WrapWrite>, Problem> {
    let mut wraps = Vec::with_capacity(officers.len());
    for officer in officers {
        let member = unit.member(officer.account).await?.filter(|member| member.organisation == squad);
        let Some(member) = member else { continue };
        let wrap = key.wrap_to(&member.recipient(), None, epoch, None)?;
        let (from, until) = officer.window.map(|window| (window.from, window.until)).unzip();
        wraps.push(vault::active(wrap, from, until));
    }
    Ok(wraps)
}

/// The officers whom the content names, who still hold the key, and are assigned to the case, now or for a time to come.
pub(super) async fn officers<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    named: &[AccountId],
    joining: Option<AccountId>,
) -> Result<Vec<Officer>, Problem> {
    let holding = store::holders(unit, row.shown.id.0).await?;
    let mut officers = store::officers(unit, row.shown.id).await?;
    officers.retain(|Officer { account, .. }| {
        named.contains(account) && (holding.contains(account) || joining == Some(*account))
    });
    officers.sort_unstable_by_key(|officer| officer.account);
    Ok(officers)
}

/// Seals everything under a placement's key again, with a fresh one, to the people whom the changed content names: it lies
/// there in the next version afterwards.
///
/// # Errors
/// A fault when something there cannot be opened; as the database refuses.
pub(super) async fn reseal<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    joining: Option<AccountId>,
    change: impl FnOnce(PlacementContent) -> PlacementContent,
) -> Result<(), Problem> {
    let id = row.shown.id.0;
    let ids = store::under_key(unit, id).await?;
    let all = unit.fetch::<serde_json::Value>(&ids).await?;
    let placement = all.iter().find(|sealed| sealed.record() == id).filter(|_| all.len() == ids.len());
    let placement = placement.ok_or_else(|| Problem::fault(INCOMPLETE))?;
    let mut content = change(fitting(held(unit, placement)?, row)?);
    let officers = officers(unit, row, &content.officers, joining).await?;
    content.officers = officers.iter().map(|officer| officer.account).collect();
    let key = SealingKey::of(&unit.who().keys, placement)?;
    let intake = match content.manager {
        Some(_) => None,
        None => match unit.shared_key(row.shelter, SharedPurpose::Intake).await? {
            Some(intake) => Some(intake),
            // The desk sleeps, and its key with it. That keeps nobody on a case or off it: the key stays as it is until
            // somebody opens the desk, and who joins gets it.
            None => return widen(unit, row, placement, &key, &content, &officers).await,
        },
    };
    let key = key.renewed();
    let epoch = placement.epoch() + 1;
    for sealed in &all {
        let kind = if sealed.record() == id { RecordKind::Placement } else { RecordKind::Consent };
        let (record, version) = (sealed.record(), sealed.version() + 1);
        let place = Placement { record, kind, case: None, key_id: id, epoch, version };
        if sealed.record() == id {
            unit.put(&place, &key, &content).await?;
        } else {
            unit.put_again(&place, &key, sealed).await?;
        }
    }
    let mut people = Vec::new();
    let carers: Vec<AccountId> = content.workers.iter().copied().chain(content.manager).collect();
    let mut once: Vec<AccountId> = carers;
    once.sort_unstable();
    once.dedup();
    people.extend(members_of(unit, row.shelter, &once).await?);
    people.push(custody(unit, row.squad).await?);
    people.push(custody(unit, row.shelter).await?);
    let mut all_wraps = wraps(&key, &people, epoch)?;
    all_wraps.extend(officer_wraps(unit, row.squad, &key, &officers, epoch).await?);
    unit.replace_all_wraps(id, &all_wraps).await?;
    // Until the shelter has decided, its desk holds the request.
    let Some(intake) = intake else { return Ok(()) };
    unit.insert_wraps(&wraps(&key, &[intake.recipient], epoch)?).await?;
    store::pass_on(unit, id, intake.id).await
}

/// Seals a changed content under the key that it has, and wraps that to the officers who do not hold it yet.
async fn widen<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    sealed: &Sealed<serde_json::Value>,
    key: &SealingKey,
    content: &PlacementContent,
    officers: &[Officer],
) -> Result<(), Problem> {
    let (id, epoch, version) = (row.shown.id.0, sealed.epoch(), sealed.version() + 1);
    let place = Placement { record: id, kind: RecordKind::Placement, case: None, key_id: id, epoch, version };
    unit.put(&place, key, content).await?;
    let holding = store::holders(unit, id).await?;
    let new: Vec<Officer> = officers.iter().copied().filter(|officer| !holding.contains(&officer.account)).collect();
    let wraps = officer_wraps(unit, row.squad, key, &new, epoch).await?;
    unit.insert_wraps(&wraps).await
}

/// A colleague who comes to a case comes to its placements too: by the session of the one who brings them.
///
/// # Errors
/// As [`reseal`].
pub(crate) async fn share_with<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    colleague: AccountId,
) -> Result<(), Problem> {
    for row in held_of_case(unit, case).await? {
        reseal(unit, &row, Some(colleague), |mut content| {
            content.officers.push(colleague);
            content
        })
        .await?;
        reseal_arrival(unit, &row, Some(colleague)).await?;
    }
    Ok(())
}

/// A colleague has left a case: its placements are sealed anew without them, by whoever of the rest does the writing.
///
/// # Errors
/// As [`reseal`].
pub(crate) async fn strike<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    leaver: AccountId,
) -> Result<(), Problem> {
    if unit.account() == leaver {
        // Their wraps are gone; the next writing takes a fresh key.
        return Ok(());
    }
    for row in held_of_case(unit, case).await? {
        reseal(unit, &row, None, |mut content| {
            content.officers.retain(|officer| *officer != leaver);
            content
        })
        .await?;
        reseal_arrival(unit, &row, None).await?;
    }
    Ok(())
}

/// The placements of a case that are not over and that this person can open, each held.
async fn held_of_case<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Vec<Row>, Problem> {
    let mut rows = Vec::new();
    for id in store::ids_of_case(unit, case).await? {
        unit.serialise(id).await?;
    }
    for row in store::current_of_case(unit, case).await? {
        if store::holders(unit, row.shown.id.0).await?.contains(&unit.account()) {
            unit.touch(row.shown.id.0);
            rows.push(row);
        }
    }
    Ok(rows)
}

async fn reseal_arrival<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &Row,
    joining: Option<AccountId>,
) -> Result<(), Problem> {
    let Some(address) = row.address else { return Ok(()) };
    let Some(sealed) = unit.fetch::<ArrivalContent>(&[address]).await?.pop() else { return Ok(()) };
    let mut content: ArrivalContent = held(unit, &sealed)?;
    if content.placement != row.shown.id {
        return Err(Problem::fault("an address belongs to another placement"));
    }
    content.officers.extend(joining);
    let officers = officers(unit, row, &content.officers, joining).await?;
    content.officers = officers.iter().map(|officer| officer.account).collect();
    let key = SealingKey::of(&unit.who().keys, &sealed)?.renewed();
    let (epoch, version) = (sealed.epoch() + 1, sealed.version() + 1);
    let place = Placement { record: address, kind: RecordKind::Arrival, case: None, key_id: address, epoch, version };
    unit.put(&place, &key, &content).await?;
    let wraps = officer_wraps(unit, row.squad, &key, &officers, epoch).await?;
    unit.replace_all_wraps(address, &wraps).await
}
