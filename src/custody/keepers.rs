//! Other custodians: one responsible person proposes them, the other countersigns. A new CUSTODY key comes in force with it, so
//! nothing is sealed to the former custodians any more; two who were custodians before and still are then renew CUSTODY, so that
//! nothing rests on the old key.

use super::agree::prepare;
use super::http::shown;
use super::model::{CustodyProposed, NewKeepers};
use super::store;
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{OrganisationId, RecordKind, SharedKeyId};
use crate::guard::statement::{self, StatementError, hex};
use crate::guard::trust::Custodian;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, InPath, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::model::{Countersignature, same_fingerprint};
use axum::extract::State;
use uuid::Uuid;

/// Propose who keeps CUSTODY, as one of the two responsible persons.
#[utoipa::path(
    post, path = "/api/v1/organisations/{id}/custody", operation_id = "propose_custodians", tag = "custody",
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header)), request_body = NewKeepers,
    responses(
        (status = 201, description = "It waits for the other responsible person.", body = CustodyProposed),
        (status = 404, description = "You are not responsible for such an organisation.", body = ProblemDocument),
        (status = 422, description = "`custodians`.", body = ProblemDocument),
    ),
)]
pub async fn propose(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewKeepers>,
) -> Result<Answer, Problem> {
    let target = Target::OfOrganisation(RecordKind::Custody, id, id);
    let leave = app.gate.authorize::<verbs::Propose, kinds::Custody>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let Some(before) = unit.custody(OrganisationId(id)).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let mut accounts = new.custodians.clone();
    accounts.sort_unstable();
    accounts.dedup();
    if accounts.len() != new.custodians.len() {
        return Err(Problem::field("custodians", "names each person once"));
    }
    let mut custodians = Vec::with_capacity(accounts.len());
    for account in accounts {
        let member = unit.member(account).await?;
        let member =
            member.ok_or_else(|| Problem::field("custodians", "names an account that is no admitted member"))?;
        custodians.push(Custodian { account, organisation: member.organisation, keys: member.keys });
    }
    // Who opens signs the head of a case, and that is a colleague's to do.
    if custodians.iter().filter(|custodian| custodian.organisation.0 == id).count() < 2 {
        return Err(Problem::field("custodians", "names at least two people of the organisation itself"));
    }
    let mut present = Vec::new();
    for custodian in &before.custodians {
        present.extend(unit.member(custodian.account).await?.map(|member| member.account));
    }
    let stay =
        present.iter().filter(|account| custodians.iter().any(|custodian| custodian.account == **account)).count();
    // Two who can open the present key pass on what rests on it. Where fewer than two are left, there is nothing to lose.
    if stay < present.len().min(2) {
        return Err(Problem::field(
            "custodians",
            "keeps two of the present ones, who pass on what rests on the present key",
        ));
    }
    let (key, note) = prepare(&mut unit, &before, &custodians, None).await?;
    let answer = Answer::created(&shown(key, note)?)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Countersign who keeps CUSTODY, as the other responsible person.
#[utoipa::path(
    post, path = "/api/v1/organisations/{id}/custody/{key}/countersign", operation_id = "countersign_custodians", tag = "custody",
    params(("id" = Uuid, Path), ("key" = SharedKeyId, Path)), request_body = Countersignature,
    responses(
        (status = 200, description = "They keep it from now on.", body = CustodyProposed),
        (status = 404, description = "There is no such proposal for you.", body = ProblemDocument),
        (status = 409, description = "`signed_already`: the other one signs. `custody_moved_on`: propose anew.",
            body = ProblemDocument),
    ),
)]
pub async fn countersign(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, key)): InPath<(Uuid, Uuid)>,
    body: Body<Countersignature>,
) -> Result<Answer, Problem> {
    let target = Target::OfOrganisation(RecordKind::Custody, id, key);
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Custody>(&who, target, None).await?;
    let read = body.check()?;
    let (organisation, key) = (OrganisationId(id), SharedKeyId(key));
    let mut unit = Unit::begin(&app.places, leave).await?;
    let before = unit.custody_to_replace(organisation).await?;
    let founding = unit.founding(organisation).await?;
    let (Some(before), Some(founding)) = (before, founding) else {
        return Err(unit.refuse(key.0, Problem::absent()).await);
    };
    let Some(note) = store::proposed(&mut unit, organisation, key).await? else {
        return Err(unit.refuse(key.0, Problem::absent()).await);
    };
    let fault = |_| Problem::fault("a CUSTODY statement is not as it was stored");
    if !same_fingerprint(&read.fingerprint, &hex(&statement::fingerprint(&note).map_err(fault)?)) {
        return Err(Problem::field("fingerprint", "is not that of the statement as it stands: read it again"));
    }
    let signed = statement::countersign(&note, who.account, &who.keys).map_err(|error| match error {
        StatementError::SignedAlready => {
            Problem::illegal("signed_already", "You have signed this already; the other responsible person signs it.")
        }
        error => fault(error),
    })?;
    let anew = || Problem::illegal("custody_moved_on", "CUSTODY or its people have changed since. Propose it anew.");
    let next = before.followed_by(&signed, &founding).map_err(|_| anew())?;
    for custodian in &next.custodians {
        let member = unit.member(custodian.account).await?;
        member.filter(|member| member.keys == custodian.keys).ok_or_else(anew)?;
    }
    if next.key != key || !store::is_shared(&mut unit, key, next.custodians.len()).await? {
        return Err(Problem::fault("a CUSTODY key was proposed that its custodians could not open"));
    }
    store::put_in_force(&mut unit, key, &signed).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&shown(key, signed)?)
}
