//! Founding an organisation: one of the two responsible persons writes the statement, the other countersigns it, and its
//! fingerprint is pinned in the configuration. The CUSTODY key is made here and is never in one hand.

use super::model::{Countersignature, FoundingView, NewFounding, key_fingerprint, same_fingerprint};
use super::store::{self, Founder, NewSharedKey};
use crate::audit::unit::Unit;
use crate::guard::custody;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::keys::{KemPrivate, KeyError};
use crate::guard::look::Look;
use crate::guard::record::{OrganisationId, RecordKind, SharedKeyId};
use crate::guard::statement::{
    self, FoundingMember, FoundingStatement, OrganisationKind, SharedPurpose, StatementError, hex,
};
use crate::guard::trust::{CUSTODIANS, MOST_CUSTODIANS, check_founding, recipient_in_proposal};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

fn target(id: Uuid) -> Target {
    Target::OfOrganisation(RecordKind::Organisation, id, id)
}

/// Write and sign the founding statement, as the first of the two responsible persons.
#[utoipa::path(operation_id = "founding_propose", post, path = "/api/v1/organisations/{id}/founding", tag = "staff", request_body = NewFounding,
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = FoundingView), (status = "4XX", body = ProblemDocument)))]
pub async fn propose(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewFounding>,
) -> Result<Answer, Problem> {
    let leave = app.gate.authorize::<verbs::Found, kinds::Organisation>(&who, target(id), None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let Some((kind, name)) = store::organisation(&mut unit).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let kind: OrganisationKind = kind.parse().map_err(|_| Problem::fault("an organisation has no known kind"))?;
    let founders = store::founders(&mut unit).await?;
    let members = stated_members(&new, &founders, kind)?;
    let custody = KemPrivate::generate();
    let custody_key = SharedKeyId::random();
    let public = custody.public().map_err(key_fault)?;
    let now = unit.now();
    let founding = FoundingStatement {
        organisation: OrganisationId(id),
        kind,
        name,
        custody_key,
        custody_public: hex(&public.0),
        members,
        made_at: now,
        succession: None,
    };
    let note = statement::sign(&founding, who.account, &who.keys).map_err(statement_fault)?;
    if !store::insert_founding(&mut unit, &note).await? {
        return Err(Problem::illegal("founding_proposed", "A founding statement is there already: countersign it."));
    }
    let key = NewSharedKey {
        id: custody_key,
        organisation: OrganisationId(id),
        purpose: SharedPurpose::Custody.as_str(),
        public,
        note: &note,
        opens_at: now,
        closes_at: DateTime::<Utc>::MAX_UTC.min(now + TimeDelta::days(36_500)),
    };
    store::insert_shared_key(&mut unit, &key).await?;
    share_custody(&mut unit, &founders, custody_key, &custody).await?;
    let answer = Answer::created(&view(note, false)?)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Each ordered pair of custodians gets HPKE to the first of HPKE to the second: neither opens it without the other.
async fn share_custody(
    unit: &mut Unit<verbs::Found, kinds::Organisation>,
    founders: &[Founder],
    key: SharedKeyId,
    custody: &KemPrivate,
) -> Result<(), Problem> {
    let custodians: Vec<_> = founders
        .iter()
        .filter(|founder| founder.custodian)
        .filter_map(|founder| {
            founder.keys.map(|keys| (founder.account, recipient_in_proposal(founder.account, keys.kem)))
        })
        .collect();
    let shares = custody::split(custody, key, &custodians).map_err(key_fault)?;
    Ok(crate::custody::store::insert_shares(unit, key, &shares).await?)
}

fn stated_members(
    new: &NewFounding,
    founders: &[Founder],
    kind: OrganisationKind,
) -> Result<Vec<FoundingMember>, Problem> {
    let responsible = founders.iter().filter(|f| f.responsible).count();
    let custodians = founders.iter().filter(|f| f.custodian).count();
    if responsible != 2 || !(CUSTODIANS..=MOST_CUSTODIANS).contains(&custodians) {
        return Err(Problem::illegal(
            "founders_missing",
            "The administrator nominates exactly two responsible persons and three to seven custodians first.",
        ));
    }
    founders
        .iter()
        .map(|founder| {
            let keys = founder.keys.ok_or_else(|| {
                Problem::illegal("founder_not_enrolled", "A founder has not made keys yet: each signs in once first.")
            })?;
            let named = new
                .founders
                .iter()
                .find(|named| named.account == founder.account)
                .ok_or_else(|| Problem::field("founders", "names every nominated account, each with its role"))?;
            if !same_fingerprint(&named.key_fingerprint, &key_fingerprint(&keys)) {
                return Err(Problem::field("founders", "a key fingerprint is not the one that the person made"));
            }
            if !kind.roles().contains(&named.role) {
                return Err(Problem::field("founders", "a role does not belong to this kind of organisation"));
            }
            Ok(FoundingMember {
                account: founder.account,
                handle: founder.handle.clone(),
                role: named.role,
                responsible: founder.responsible,
                custodian: founder.custodian,
                keys: keys.into(),
            })
        })
        .collect()
}

fn view(note: String, complete: bool) -> Result<FoundingView, Problem> {
    let fingerprint = hex(&statement::fingerprint(&note).map_err(statement_fault)?);
    Ok(FoundingView { statement: note, fingerprint, complete })
}

/// Read the founding statement before signing it.
#[utoipa::path(operation_id = "founding_read", get, path = "/api/v1/organisations/{id}/founding", tag = "staff", params(("id" = Uuid, Path)),
    responses((status = 200, body = FoundingView), (status = "4XX", body = ProblemDocument)))]
pub async fn read(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Json<FoundingView>, Problem> {
    let leave = app.gate.authorize::<verbs::Found, kinds::Organisation>(&who, target(id), None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let Some((note, complete)) = store::founding(&mut look).await? else {
        return Err(look.conclude_absent().await);
    };
    look.conclude(vec![id], vec![]).await?.spend();
    Ok(Json(view(note, complete)?))
}

/// Countersign the founding statement, as the second responsible person.
#[utoipa::path(operation_id = "founding_countersign", post, path = "/api/v1/organisations/{id}/founding/countersign", tag = "staff",
    request_body = Countersignature, params(("id" = Uuid, Path)),
    responses((status = 200, body = FoundingView), (status = "4XX", body = ProblemDocument)))]
pub async fn countersign(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Countersignature>,
) -> Result<Answer, Problem> {
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Organisation>(&who, target(id), None).await?;
    let read = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(note) = store::founding_to_sign(&mut unit).await? else {
        let none = "There is no founding statement that waits for a second signature.";
        return Err(unit.refuse(id, Problem::illegal("nothing_to_sign", none)).await);
    };
    if !same_fingerprint(&read.fingerprint, &hex(&statement::fingerprint(&note).map_err(statement_fault)?)) {
        return Err(Problem::field("fingerprint", "is not that of the statement as it stands: read it again"));
    }
    let signed = statement::countersign(&note, who.account, &who.keys).map_err(statement_fault)?;
    // Exactly what every reader will check: both signatures, the roles, the number of custodians.
    check_founding(&signed).map_err(statement_fault)?;
    store::complete_founding(&mut unit, &signed).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&view(signed, true)?)
}

pub(super) fn key_fault(_: KeyError) -> Problem {
    Problem::fault("a key could not be made or wrapped")
}

pub(super) fn statement_fault(error: StatementError) -> Problem {
    match error {
        StatementError::SignedAlready => {
            Problem::illegal("signed_already", "You have signed this already; the other responsible person signs it.")
        }
        StatementError::NotSigned => {
            Problem::illegal("not_signed", "A signature on this statement is missing or wrong.")
        }
        StatementError::Malformed => Problem::fault("a statement could not be written or read"),
    }
}
