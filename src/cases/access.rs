//! Colleagues come to a case: who comes gets every key of the case wrapped to them, on a permission that a colleague signs.
//! How they leave it is [`super::leaving`].

use super::head;
use super::model::{AccessView, CaseRelation, CaseRow, NewAccess, works};
use super::store::NewGrant;
use super::{bars, store, team};
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::record::{AccountId, CaseId, GrantId, RecordKind};
use crate::guard::statement::AccessReason;
use crate::guard::trust::Member;
use crate::guard::vault::SealingKey;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
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
        (status = 409, description = "`already_on_case`; `barred`: they are kept off it.", body = ProblemDocument),
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
    let member = team::colleague(&mut unit, row.organisation, new.account)
        .await?
        .filter(|member| works(&app.policy, member.role, new.relation))
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

/// Wraps every key of a case to a member for as long as a permission counts, and stores both: the one way onto a case that
/// is there. Nobody comes who is kept off it.
///
/// # Errors
/// 409 `barred`.
pub(super) async fn share_keys<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    member: &Member,
    grant: &NewGrant,
) -> Result<(), Problem> {
    bars::refuse_barred(unit, case, member.account).await?;
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
