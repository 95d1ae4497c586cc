//! The first custodian: agrees, takes their layer off their shares, prepares the key that follows, and signs what the second is to
//! carry out. Or declines.

use super::asked::{self, Held};
use super::model::{Agreed, LAPSES, OpeningEnded, OpeningState, Why};
use super::store::{self, NewCustody};
use crate::audit::unit::Unit;
use crate::cases::by_custody;
use crate::guard::custody;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::keys::KemPrivate;
use crate::guard::record::{AccountId, OpeningId, RecordKind, SharedKeyId};
use crate::guard::statement::{self, CustodyStatement, SharedPurpose, hex};
use crate::guard::trust::{Custodian, Custody, TrustError};
use crate::guard::vault::{Placement, active};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::model::Countersignature;
use crate::staff::store::{NewSharedKey, insert_shared_key};
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the first custodian leaves for one of the others: what they took off, for each CUSTODY key that something rests on.
#[derive(Serialize, Deserialize)]
pub(super) struct PartContent {
    pub schema_version: u16,
    pub opening: OpeningId,
    /// Base 64; each opens only with the private key of who reads this.
    pub left: BTreeMap<SharedKeyId, String>,
}

pub(super) const SCHEMA_VERSION: u16 = 1;

/// Agree, as the first of two custodians.
#[utoipa::path(
    post, path = "/api/v1/openings/{id}/agree", operation_id = "agree_to_opening", tag = "custody",
    params(("id" = OpeningId, Path)), request_body = Countersignature,
    responses(
        (status = 200, description = "It waits for the second custodian.", body = Agreed),
        (status = 404, description = "There is no such opening for you to decide.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`, `lapsed`, `your_own`.", body = ProblemDocument),
    ),
)]
pub async fn agree(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Countersignature>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Opening, id);
    let leave = app.gate.authorize::<verbs::Agree, kinds::Opening>(&who, target, None).await?;
    let read = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(held) = asked::hold(&mut unit).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let Some(custody) = keeper(&mut unit, &held).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    check(&unit, &held, OpeningState::Agreed)?;
    held.confirmed(&read)?;
    let lapses_at = match held.why {
        Why::Emergency => unit.now() + TimeDelta::hours(held.hours.into()),
        Why::NobodyLeft | Why::Renewal => unit.now() + LAPSES,
    };
    store::agreed(&mut unit, held.id, lapses_at).await?;
    let held = held.until(lapses_at);
    leave_parts(&mut unit, &held, &custody).await?;
    sign_permissions(&mut unit, &held).await?;
    prepare(&mut unit, &custody, &custody.custodians, Some(held.id)).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&Agreed { id: held.id, lapses_at })
}

/// The CUSTODY that this person keeps a part of: proven by the signatures, whatever lies in the database. Not held: cases are
/// locked before it.
pub(super) async fn keeper<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    held: &Held,
) -> Result<Option<Arc<Custody>>, Problem> {
    let account = unit.account();
    let (connection, trust) = unit.with_trust();
    match trust.custody(connection, held.organisation).await {
        Ok(custody) => Ok(Some(custody).filter(|custody| custody.custodian(account).is_some())),
        Err(TrustError::Store(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Whether it can take this step now, by this custodian.
pub(super) fn check<V: Does, K: About>(unit: &Unit<V, K>, held: &Held, to: OpeningState) -> Result<(), Problem> {
    held.state.step(to)?;
    if held.lapses_at <= unit.now() {
        return Err(Problem::illegal(
            "lapsed",
            "It is too late for this. Whoever needs it asks anew. Nothing was stored.",
        ));
    }
    if held.person == Some(unit.account()) {
        return Err(Problem::illegal("your_own", "This is for yourself: two others decide. Nothing was stored."));
    }
    Ok(())
}

/// Seals for each of the other custodians what this one takes off the shares of their pair.
async fn leave_parts<V: Does, K: About>(unit: &mut Unit<V, K>, held: &Held, custody: &Custody) -> Result<(), Problem> {
    let who = unit.who();
    let mut left: BTreeMap<AccountId, BTreeMap<SharedKeyId, String>> = BTreeMap::new();
    for (key, second, share) in store::shares_to_take_off(unit, held.organisation, custody.key).await? {
        if let Ok(taken) = custody::take_off(&share, &who.keys, key) {
            left.entry(second).or_default().insert(key, STANDARD.encode(&*taken));
        } else {
            // A share that was planted, of whatever key, keeps nobody from the one in force.
            tracing::error!("ALARM: a custodian's share does not open");
        }
    }
    // Who opens a case signs its head, and that is a colleague's to do.
    let opens = |custodian: &Custodian| held.cases.is_empty() || custodian.organisation == held.organisation;
    let others = |custodian: &&Custodian| {
        custodian.account != who.account && Some(custodian.account) != held.person && opens(custodian)
    };
    let mut parts = 0;
    for second in custody.custodians.iter().filter(others) {
        let Some(left) = left.remove(&second.account).filter(|left| left.contains_key(&custody.key)) else { continue };
        let record = unit.voucher().part_of_opening(held.id, second.account);
        let key = unit.new_key(record).await?;
        let place = Placement { record, kind: RecordKind::Opening, case: None, key_id: record, epoch: 1, version: 1 };
        let content = PartContent { schema_version: SCHEMA_VERSION, opening: held.id, left };
        unit.put(&place, &key, &content).await?;
        store::insert_part(unit, record, held.id, second.account).await?;
        let wrap = key.wrap_to(&second.recipient(), None, 1, None)?;
        unit.insert_wraps(&[active(wrap, None, Some(held.lapses_at))]).await?;
        parts += 1;
    }
    if parts == 0 {
        return Err(Problem::illegal(
            "other_custodian_first",
            "Your shares go second in every pair: let another custodian agree first. Nothing was stored.",
        ));
    }
    Ok(())
}

/// Signs for each case what the second custodian is to carry out.
async fn sign_permissions<V: Does, K: About>(unit: &mut Unit<V, K>, held: &Held) -> Result<(), Problem> {
    let Some(person) = held.person else { return Ok(()) };
    let what = held.lets_in();
    for case in &held.cases {
        let note = by_custody::permission(unit, held.id, *case, person, &what)?;
        store::sign_case(unit, held.id, *case, &note).await?;
    }
    Ok(())
}

/// Makes the CUSTODY key that follows, with its shares, signed by this person. It counts once another has signed too. Its
/// fingerprint's statement.
pub(super) async fn prepare<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    before: &Custody,
    custodians: &[Custodian],
    opening: Option<OpeningId>,
) -> Result<(SharedKeyId, String), Problem> {
    let fault = |_| Problem::fault("a CUSTODY key could not be made");
    let (who, now, key, private) = (unit.who(), unit.now(), SharedKeyId::random(), KemPrivate::generate());
    let public = private.public().map_err(fault)?;
    let stated = CustodyStatement {
        key,
        organisation: before.organisation,
        number: before.number + 1,
        follows: before.key,
        public: hex(&public.0),
        custodians: custodians.iter().map(Custodian::stated).collect(),
        opening,
        made_at: now,
    };
    let note = statement::sign(&stated, who.account, &who.keys)
        .map_err(|_| Problem::fault("a CUSTODY statement cannot be written"))?;
    let row = NewSharedKey {
        id: key,
        organisation: before.organisation,
        purpose: SharedPurpose::Custody.as_str(),
        public,
        note: &note,
        opens_at: now,
        closes_at: now + SharedPurpose::Custody.life(),
    };
    insert_shared_key(unit, &row).await?;
    let shares = custody::split(&private, key, &custody::recipients(custodians)).map_err(fault)?;
    store::insert_shares(unit, key, &shares).await?;
    let organisation = before.organisation;
    let new = NewCustody { key, organisation, number: stated.number, note: &note, opening };
    store::insert_custody(unit, &new).await?;
    Ok((key, note))
}

/// Take back what was asked for, as who asked, or what was agreed to, as the first custodian: what they left is erased. A
/// custodian who does not agree does nothing: nobody else's agreement is theirs to take away.
#[utoipa::path(
    post, path = "/api/v1/openings/{id}/decline", operation_id = "decline_opening", tag = "custody",
    params(("id" = OpeningId, Path)),
    responses(
        (status = 200, description = "It will not be opened.", body = OpeningEnded),
        (status = 404, description = "There is no such opening for you.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`; `not_yours`: you neither asked nor agreed.", body = ProblemDocument),
    ),
)]
pub async fn decline(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Opening, id);
    let leave = app.gate.authorize::<verbs::Decline, kinds::Opening>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(held) = asked::hold(&mut unit).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let own = held.invoked_by == who.account || held.first == Some(who.account);
    if !own && keeper(&mut unit, &held).await?.is_none() {
        return Err(unit.refuse(id, Problem::absent()).await);
    }
    let state = held.state.step(OpeningState::Declined)?;
    if !own {
        let whose = "Who asked for this, or agreed to it first, takes it back. If you do not agree, do nothing.";
        return Err(Problem::illegal("not_yours", whose));
    }
    store::declined(&mut unit, held.id).await?;
    store::drop_parts(&mut unit, held.id).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&OpeningEnded { id: held.id, state })
}
