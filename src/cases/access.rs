//! Colleagues come to a case and leave it.
//!
//! Who comes gets every key of the case wrapped to them, on a permission that a colleague signs. Who leaves is out at
//! once: the gate and row-level security refuse from the same commit on, and a new epoch makes the keys that they had
//! worthless.

use super::head;
use super::model::{AccessEnded, AccessView, CaseRelation, CaseRow, NewAccess};
use super::store::NewGrant;
use super::team::{self, Teammate};
use super::{renewal, store};
use crate::audit::unit::Unit;
use crate::guard::action::{Relation, Verb};
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::record::{AccountId, CaseId, GrantId, RecordKind};
use crate::guard::statement::AccessReason;
use crate::guard::trust::Member;
use crate::guard::vault::SealingKey;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, InPath, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Puts a colleague on a case.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/access", operation_id = "give_case_access", tag = "cases",
    params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewAccess,
    responses(
        (status = 201, description = "The colleague is on the case.", body = AccessView),
        (status = 404, description = "There is no such case for the writer.", body = ProblemDocument),
        (status = 409, description = "`already_on_case`.", body = ProblemDocument),
        (status = 422, description = "A field is not right; `account`: not a colleague who works on cases.",
            body = ProblemDocument),
    ),
)]
pub async fn give(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewAccess>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Case, case, id);
    let leave = app.gate.authorize::<verbs::Assign, kinds::Case>(&who, target, None).await?;
    let raw = body.raw();
    let new = body.check()?;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let row = head::lock_and_check(&mut unit, case).await?;
    team::check_for_good(&mut unit, case).await?;
    let works_cases = |role| app.policy.ever_does(role, RecordKind::Case, Verb::Read);
    let member = team::colleague(&mut unit, row.organisation, new.account)
        .await?
        .filter(|member| works_cases(member.role))
        .ok_or_else(|| Problem::field("account", "is not a colleague of yours who works on cases"))?;
    match there(&mut unit, case, new.account).await? {
        // Let in by custodians for some hours: a colleague has come back and puts them on.
        Some((grant, CaseRelation::Emergency)) => replace(&mut unit, grant).await?,
        Some(_) => {
            return Err(Problem::illegal("already_on_case", "This colleague is on the case. Nothing was stored."));
        }
        None => {}
    }
    bring_on(&mut unit, &row, &member, new.relation, GrantId::random(), new.reason).await?;
    head::sign_new_head(&mut unit, case).await?;
    let answer =
        Answer::created(&AccessView { account: new.account, relation: new.relation, since: unit.now(), until: None })?;
    once.remember(&mut unit, &answer).await?;
    let _ = unit.commit().await?;
    Ok(answer)
}

/// Gives a member access to a case that is locked: a signed permission, and every key wrapped to them. The head is signed
/// by the caller.
pub(super) async fn bring_on<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    member: &Member,
    relation: CaseRelation,
    grant: GrantId,
    reason: AccessReason,
) -> Result<(), Problem> {
    let grant = team::grant_as(unit, case.id, grant, member.account, relation, reason, None)?;
    share_keys(unit, case, member, &grant).await?;
    if relation == CaseRelation::Assigned {
        crate::placements::share_with(unit, case.id, member.account).await?;
    }
    Ok(())
}

/// Access ends, to be given anew in the same unit.
pub(super) async fn replace<V: Does, K: About>(unit: &mut Unit<V, K>, grant: GrantId) -> Result<(), Problem> {
    unit.touch(grant.0);
    store::end_access(unit, grant).await
}

/// Wraps every key of a case to a member for as long as a permission counts, and stores both.
pub(super) async fn share_keys<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    member: &Member,
    grant: &NewGrant,
) -> Result<(), Problem> {
    let mut wraps = Vec::new();
    for key in case_keys(unit, case.id).await? {
        let wrap = key.wrap_to(&member.recipient(), Some(case.id), case.epoch, Some(grant.grant))?;
        wraps.push(team::for_the_time(wrap, grant.window));
    }
    unit.insert_wraps(&wraps).await?;
    unit.touch(grant.grant.0);
    Ok(store::insert_grants(unit, case.id, std::slice::from_ref(grant)).await?)
}

/// Every key of the case, unwrapped by the person who shares it.
async fn case_keys<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Vec<SealingKey>, Problem> {
    let one_under_each: BTreeMap<Uuid, Uuid> =
        store::lines(unit, case).await?.into_iter().map(|line| (line.key, line.head.record)).collect();
    let records: Vec<Uuid> = one_under_each.into_values().collect();
    let sealed = unit.fetch::<()>(&records).await?;
    if sealed.len() != records.len() {
        return Err(Problem::fault("a record is not sealed to somebody on its case"));
    }
    let who = unit.who();
    sealed.iter().map(|record| SealingKey::of(&who.keys, record).map_err(Problem::from)).collect()
}

/// Takes somebody off a case: a colleague, or oneself.
#[utoipa::path(
    delete, path = "/api/v1/cases/{id}/access/{account}", operation_id = "end_case_access", tag = "cases",
    params(("id" = CaseId, Path), ("account" = AccountId, Path)),
    responses(
        (status = 200, description = "Access has ended.", body = AccessEnded),
        (status = 404, description = "There is no such access for the writer.", body = ProblemDocument),
        (status = 409, description = "`nobody_would_remain`: nobody would be left to work on it.",
            body = ProblemDocument),
    ),
)]
pub async fn end(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, account)): InPath<(Uuid, Uuid)>,
) -> Result<Json<AccessEnded>, Problem> {
    let (case, leaver) = (CaseId(id), AccountId(account));
    let target = Target::OnCase(RecordKind::Case, case, id);
    let leave = app.gate.authorize::<verbs::Unassign, kinds::Case>(&who, target, None).await?;
    let holds_keys = leave.relation() != Relation::SupervisorOf;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let (row, grant) = match store::lock(&mut unit, case).await? {
        Some(row) => (row, in_force(&mut unit, case, leaver).await?),
        None => return Err(unit.refuse(id, Problem::absent()).await),
    };
    // Whom a supervisor takes off is not put on by what waits for a key, either.
    let withdrawn = if holds_keys { 0 } else { store::withdraw_assignments(&mut unit, case, leaver).await? };
    let Some(grant) = grant else {
        if withdrawn == 0 {
            return Err(unit.refuse(account, Problem::absent()).await);
        }
        let _ = unit.commit().await?;
        return Ok(Json(AccessEnded { account: leaver, epoch_pending: row.epoch_pending }));
    };
    if holds_keys && leaver != who.account {
        team::check_for_good(&mut unit, case).await?;
    }
    // Who stands in for somebody leaves with them.
    let mut leaving = team::stand_ins_for(&mut unit, &row, leaver).await?;
    // And whose time was over, since the keys are made anew.
    leaving.extend(store::grants(&mut unit, case).await?.iter().filter(|grant| grant.lapsed).map(|grant| grant.grant));
    leaving.push(grant);
    if holds_keys {
        let checked = head::lock(&mut unit, case).await?;
        let staying = staying(&mut unit, &checked.case, &leaving).await?;
        renewal::renew(&mut unit, checked, &staying, &leaving).await?;
    } else {
        staying(&mut unit, &row, &leaving).await?;
        store::set_epoch_pending(&mut unit, case).await?;
    }
    // Last, and their own at the very last: from here on a person who leaves sees nothing of the case any more.
    for grant in leaving {
        unit.touch(grant.0);
        store::end_access(&mut unit, grant).await?;
    }
    if holds_keys {
        crate::placements::strike(&mut unit, case, leaver).await?;
    }
    let _ = unit.commit().await?;
    // A supervisor holds no key to renew with.
    Ok(Json(AccessEnded { account: leaver, epoch_pending: !holds_keys }))
}

/// Those who stay on the case. Somebody must remain who works on it.
async fn staying(
    unit: &mut Unit<verbs::Unassign, kinds::Case>,
    case: &CaseRow,
    leaving: &[GrantId],
) -> Result<Vec<Teammate>, Problem> {
    let mut staying = team::members(unit, case).await?;
    staying.retain(|mate| !leaving.contains(&mate.grant));
    // A stand-in leaves again by themselves.
    if staying.iter().any(|mate| mate.relation == CaseRelation::Assigned && mate.window.is_none()) {
        return Ok(staying);
    }
    Err(Problem::illegal(
        "nobody_would_remain",
        "Nobody would be left to work on this case. Assign a colleague first. Nothing was stored.",
    ))
}

/// The permission by which somebody is on the case now, or will be.
pub(super) async fn in_force<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    account: AccountId,
) -> Result<Option<GrantId>, Problem> {
    Ok(there(unit, case, account).await?.map(|(grant, _)| grant))
}

/// [`in_force`], with what it is.
async fn there<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    account: AccountId,
) -> Result<Option<(GrantId, CaseRelation)>, Problem> {
    let mut grants = store::grants(unit, case).await?.into_iter();
    Ok(grants.find(|grant| grant.in_force && grant.account == account).map(|grant| (grant.grant, grant.relation)))
}
