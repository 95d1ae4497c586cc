//! Accepting a notice: as a new case or into an existing one. The notice is sealed again under new keys to the people of
//! the case; the squad's INTAKE key opens it no more.

use super::desk::{hanging_sealed, state_of};
use super::model::{Acceptance, Accepted};
use super::store;
use crate::audit::unit::Unit;
use crate::cases;
use crate::cases::model::{CaseRelation, works};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{CaseId, NoticeId, RecordKind};
use crate::guard::statement::AccessReason;
use crate::guard::trust::Member;
use crate::guard::vault::{Placement, SealingKey};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, Once, Passage, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::extract::State;
use std::sync::Arc;
use uuid::Uuid;

type Accepting = Unit<verbs::Accept, kinds::Notice>;

/// Accept a notice, as a new case or into an existing one.
///
/// Sent again with the same `Idempotency-Key` it is answered as the first time, although the notice is no longer open.
#[utoipa::path(operation_id = "notice_accept", post, path = "/api/v1/notices/{id}/accept", tag = "notices", request_body = Acceptance,
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Accepted), (status = "4XX", body = ProblemDocument)))]
pub async fn accept(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<Acceptance>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Notice, id);
    let once = key.for_body(&who, &body.raw());
    let leave = match Once::leave_or_answer(once.as_ref().ok(), &app, &who, target).await? {
        Passage::Leave(leave) => leave,
        Passage::Instead(answer) => return Ok(answer),
    };
    let once = once?;
    let how = body.check()?;
    let mut unit: Accepting = Unit::begin(&app.places, leave).await?;
    unit.serialise(id).await?;
    // Behind the lock: the same request may have been carried out while this one waited.
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let Some(row) = store::row(&mut unit, id).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let state = state_of(&row)?.accept().map_err(|error| Problem::illegal("illegal_transition", error.to_string()))?;
    let (case, case_number) = match how.case {
        Some(_) if !how.officers.is_empty() => {
            return Err(Problem::field("officers", "are named for a new case only; give others access to this one"));
        }
        Some(case) => match existing(&mut unit, case).await? {
            Some(number) => (case, number),
            None => return Err(unit.refuse(case.0, Problem::field("case", "there is no such case for you")).await),
        },
        None => {
            let team = team(&app, &mut unit, &how).await?;
            let case = CaseId::random();
            let organisation = who.organisation;
            (case, cases::open_new(&mut unit, case, organisation, &team, AccessReason::NoticeAccepted).await?)
        }
    };
    store::set_accepted(&mut unit, case).await?;
    reseal(&mut unit, id, case).await?;
    cases::sign_new_head(&mut unit, case).await?;
    unit.touch(case.0);
    let answer = Answer::created(&Accepted { id: NoticeId(id), state, case, case_number })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// The acceptor and the officers named, each with a proven membership in this squad and a role that works cases.
async fn team(app: &App, unit: &mut Accepting, how: &Acceptance) -> Result<Vec<Arc<Member>>, Problem> {
    let who = unit.who();
    let mut accounts = vec![who.account];
    accounts.extend(how.officers.iter().copied().filter(|officer| *officer != who.account));
    accounts.dedup();
    let mut team = Vec::with_capacity(accounts.len());
    for account in accounts {
        let member = unit.member(account).await?.filter(|member| {
            member.organisation == who.organisation && works(&app.policy, member.role, CaseRelation::Assigned)
        });
        team.push(
            member.ok_or_else(|| Problem::field("officers", "names an account that is no officer of this squad"))?,
        );
    }
    Ok(team)
}

/// The number of a case that the acceptor is on; nothing for any other.
async fn existing(unit: &mut Accepting, case: CaseId) -> Result<Option<i64>, Problem> {
    let me = unit.account();
    if !cases::is_assigned(unit, case, me).await? {
        return Ok(None);
    }
    Ok(Some(cases::lock_and_check(unit, case).await?.number))
}

async fn reseal(unit: &mut Accepting, notice: Uuid, case: CaseId) -> Result<(), Problem> {
    let who = unit.who();
    let epoch = cases::epoch(unit, case).await?;
    let team = cases::team(unit, case).await?;
    let custody = unit.custody(who.organisation).await?.ok_or_else(Problem::absent)?.recipient();
    for sealed in hanging_sealed(unit, notice).await? {
        let fresh = SealingKey::of(&who.keys, &sealed)?.renewed();
        let place = Placement {
            record: sealed.record(),
            kind: sealed.kind()?,
            case: Some(case),
            key_id: sealed.key_id(),
            epoch,
            version: sealed.version() + 1,
        };
        unit.put_again(&place, &fresh, &sealed).await?;
        let mut wraps = vec![fresh.wrap_to(&custody, Some(case), epoch, None)?];
        for mate in team.iter().filter(|mate| mate.holds(RecordKind::Notice)) {
            wraps.push(mate.wrap(&fresh, case, epoch)?);
        }
        unit.replace_all_wraps(sealed.key_id(), &wraps).await?;
    }
    Ok(())
}
