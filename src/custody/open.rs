//! The second custodian opens: what it is for is done in the same transaction, the key that the first prepared comes in force
//! with it, and what the first left is erased.

use super::agree::{self, PartContent, SCHEMA_VERSION};
use super::asked::{self, Held};
use super::model::{Opened, OpeningState};
use super::pass_on;
use super::store;
use crate::audit::unit::Unit;
use crate::cases::by_custody::{self, Signed};
use crate::cases::model::works;
use crate::guard::custody::{self, OpenCustody};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{OpeningId, RecordKind, SharedKeyId};
use crate::guard::statement;
use crate::guard::trust::Custody;
use crate::guard::vault::{self, VaultError};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::model::Countersignature;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use zeroize::Zeroizing;

type Opening = Unit<verbs::Open, kinds::Opening>;

/// Open, as the second of two custodians.
#[utoipa::path(
    post, path = "/api/v1/openings/{id}/open", operation_id = "open_custody", tag = "custody",
    params(("id" = OpeningId, Path)), request_body = Countersignature,
    responses(
        (status = 200, description = "Done. A new CUSTODY key is in force.", body = Opened),
        (status = 404, description = "There is no such opening for you to decide.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`, `lapsed`, `your_own`, `agreed_already`, `custody_moved_on`, \
            `somebody_is_left`, `already_on_case`, `other_custodian_second`.", body = ProblemDocument),
    ),
)]
pub async fn open(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Countersignature>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Opening, id);
    let leave = app.gate.authorize::<verbs::Open, kinds::Opening>(&who, target, None).await?;
    let read = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(held) = asked::hold(&mut unit).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    if agree::keeper(&mut unit, &held).await?.is_none() {
        return Err(unit.refuse(id, Problem::absent()).await);
    }
    if held.first == Some(who.account) {
        let twice = "You agreed to this as the first: another custodian opens. Nothing was stored.";
        return Err(Problem::illegal("agreed_already", twice));
    }
    agree::check(&unit, &held, OpeningState::Opened)?;
    held.confirmed(&read)?;
    if !held.cases.is_empty() && who.organisation != held.organisation {
        return Err(other_second());
    }
    // From here on this transaction sees the opening's cases, and no other does.
    store::opened(&mut unit, held.id).await?;
    let (keys, until, next) = carry_out(&app, &mut unit, &held).await?;
    store::tell(&mut unit).await?;
    store::drop_parts(&mut unit, held.id).await?;
    let _committed = unit.commit().await?;
    // Done is done: what is left of passing on is finished by a renewal.
    let rest_on_older = match pass_on::all(&app, &who, &held, &keys, &next).await {
        Ok(rest) => rest,
        Err(problem) => {
            tracing::error!(code = problem.code(), "keys still rest on an older CUSTODY: have it renewed");
            -1
        }
    };
    Answer::ok(&Opened { id: held.id, until, custody_key: next.key, rest_on_older })
}

/// What the opening is for, under the cases' locks first and CUSTODY's after them, as everybody takes them.
async fn carry_out(
    app: &App,
    unit: &mut Opening,
    held: &Held,
) -> Result<(Vec<OpenCustody>, Option<DateTime<Utc>>, Arc<Custody>), Problem> {
    let cases = store::cases(unit, held.id).await?;
    // Whoever asked, and the first custodian, as they are now: a day may have gone by.
    let first = held.first.ok_or_else(moved_on)?;
    for part in [held.invoked_by, first] {
        unit.member(part).await?.ok_or_else(moved_on)?;
    }
    for (case, _) in &cases {
        crate::cases::lock_and_see(unit, *case, &[held.invoked_by, first]).await?;
    }
    let before = unit.custody_to_replace(held.organisation).await?.ok_or_else(Problem::absent)?;
    let keys = open_keys(unit, held, &before).await?;
    let (what, mut until) = (held.lets_in(), None);
    let first = before.custodian(first).map(|first| (first.account, first.keys.sign)).ok_or_else(moved_on)?;
    for (case, note) in cases {
        let note = note.ok_or_else(|| Problem::fault("an opening that was agreed to has no permission"))?;
        let person = held.person.ok_or_else(|| Problem::fault("cases are opened for nobody"))?;
        let member = unit.member(person).await?;
        let member = member.filter(|member| works(&app.policy, member.role, what.relation()));
        let gone = || Problem::illegal("not_a_colleague", "Whom this is for does not work on cases here any more.");
        let signed = Signed { opening: held.id, what: &what, note: &note, first };
        let window = by_custody::let_in(unit, case, &*member.ok_or_else(gone)?, &signed, &keys).await?;
        until = window.map(|window| window.until).or(until);
    }
    let next = put_in_force(unit, held, &before).await?;
    Ok((keys, until, next))
}

/// Every CUSTODY key of which the first custodian left this one a part. The one in force must be among them.
async fn open_keys(unit: &mut Opening, held: &Held, current: &Custody) -> Result<Vec<OpenCustody>, Problem> {
    let part = store::part(unit, held.id).await?.ok_or_else(other_second)?;
    let sealed = unit.fetch::<PartContent>(&[part]).await?.pop().ok_or_else(other_second)?;
    let who = unit.who();
    let plain = vault::decrypt(&who.keys, &sealed)?;
    let content: PartContent = serde_json::from_slice(&plain).map_err(|_| VaultError::Shape)?;
    let tampered = || Problem::fault("a part of an opening is not as it was left");
    if content.opening != held.id || content.schema_version != SCHEMA_VERSION || Some(sealed.author()) != held.first {
        return Err(tampered());
    }
    let mut keys = Vec::with_capacity(content.left.len());
    for (key, left) in content.left {
        let left = Zeroizing::new(STANDARD.decode(left).map_err(|_| tampered())?);
        let public = (key == current.key).then(|| current.public());
        match custody::open(&left, &who.keys, key, public) {
            Ok(open) => keys.push(open),
            Err(_) if key == current.key => return Err(tampered()),
            // What rests on an older key that does not open is counted, and keeps nobody from the one in force.
            Err(_) => tracing::error!("ALARM: an older CUSTODY key does not open"),
        }
    }
    if keys.iter().any(|open| open.key == current.key) { Ok(keys) } else { Err(moved_on()) }
}

fn other_second() -> Problem {
    Problem::illegal(
        "other_custodian_second",
        "The first custodian left no part for you, or the cases are not your organisation's: another one opens. Nothing was \
         stored.",
    )
}

fn moved_on() -> Problem {
    Problem::illegal(
        "custody_moved_on",
        "CUSTODY has a new key, or somebody who had a part in this has left, since the first custodian agreed. Ask anew. \
         Nothing was stored.",
    )
}

/// Countersigns the key that the first custodian prepared. It must follow the one that was in force until now.
async fn put_in_force(unit: &mut Opening, held: &Held, before: &Custody) -> Result<Arc<Custody>, Problem> {
    let who = unit.who();
    let (key, note): (SharedKeyId, String) =
        store::prepared(unit, held.id).await?.ok_or_else(|| Problem::fault("no CUSTODY key was prepared"))?;
    let note = statement::countersign(&note, who.account, &who.keys)
        .map_err(|_| Problem::fault("a CUSTODY statement cannot be countersigned"))?;
    let founding = unit.founding(held.organisation).await?.ok_or_else(Problem::absent)?;
    let next = before.followed_by(&note, &founding).map_err(|_| moved_on())?;
    if next.key != key || !store::is_shared(unit, key, next.custodians.len()).await? {
        return Err(Problem::fault("a CUSTODY key was prepared that its custodians could not open"));
    }
    store::put_in_force(unit, key, &note).await?;
    // Not read back: what a process has seen in force it never takes as gone, and this may still come to nothing.
    Ok(Arc::new(next))
}
