//! Colleagues leave a case. Who leaves is out at once: the gate and row-level security refuse from the same commit on, and a
//! new epoch makes the keys that they had worthless.
//!
//! Who holds the case's keys and takes somebody off makes that epoch in the same commit; everybody else leaves it pending, for
//! the next who works on the case.

use super::access::in_force;
use super::head;
use super::model::{AccessEnded, CaseRelation, CaseRow};
use super::team::{self, Teammate};
use super::{renewal, store};
use crate::audit::unit::Unit;
use crate::guard::action::Relation;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::record::{AccountId, CaseId, GrantId, RecordKind};
use crate::platform::app::App;
use crate::platform::http::{InPath, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// Who must be left on a case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Remains {
    /// Somebody who works on it.
    Worker,
    /// Nobody, if two persons say so: the custodians hold its keys.
    Anybody,
}

/// Leaves a case, or takes a colleague off it: as a supervisor, one who only reads or is there for a time. Whoever works on it
/// for good is taken off by two ([`super::removal`]).
#[utoipa::path(
    delete, path = "/api/v1/cases/{id}/access/{account}", operation_id = "end_case_access", tag = "cases",
    params(("id" = CaseId, Path), ("account" = AccountId, Path)),
    responses(
        (status = 200, description = "Access has ended.", body = AccessEnded),
        (status = 404, description = "There is no such access for the writer.", body = ProblemDocument),
        (status = 409, description = "`nobody_would_remain`: nobody would be left to work on it; `two_persons`: propose it, and \
            another confirms.", body = ProblemDocument),
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
    let (row, on_it) = match store::lock(&mut unit, case).await? {
        Some(row) => (row, in_force(&mut unit, case, leaver).await?.is_some()),
        None => return Err(unit.refuse(id, Problem::absent()).await),
    };
    // Whom a supervisor takes off is not put on by what waits for a key, either.
    let withdrawn = if holds_keys { 0 } else { store::withdraw_assignments(&mut unit, case, leaver).await? };
    if !on_it {
        if withdrawn == 0 {
            return Err(unit.refuse(account, Problem::absent()).await);
        }
        let _ = unit.commit().await?;
        return Ok(Json(AccessEnded { account: leaver, epoch_pending: row.epoch_pending }));
    }
    if holds_keys {
        if leaver != who.account {
            team::check_for_good(&mut unit, case).await?;
            return Err(takes_two());
        }
        take_off(&mut unit, &row, leaver).await?;
    } else {
        if works_for_good(&mut unit, case, leaver).await? {
            return Err(takes_two());
        }
        put_off(&mut unit, &row, leaver, Remains::Worker).await?;
    }
    let _ = unit.commit().await?;
    // A supervisor holds no key to renew with.
    Ok(Json(AccessEnded { account: leaver, epoch_pending: !holds_keys }))
}

/// Whether somebody works on a case for as long as they are not taken off it.
pub(super) async fn works_for_good<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    account: AccountId,
) -> Result<bool, Problem> {
    let works = |grant: &store::GrantRow| {
        grant.in_force && grant.account == account && grant.relation == CaseRelation::Assigned && grant.window.is_none()
    };
    Ok(store::grants(unit, case).await?.iter().any(works))
}

/// Whoever may put people on a case takes nobody off it alone.
pub(super) fn takes_two() -> Problem {
    Problem::illegal(
        "two_persons",
        "Nobody takes off a colleague alone who works on the case: propose it, and somebody else confirms it. Nothing was stored.",
    )
}

/// Ends somebody's access in the name of a colleague who works on the case, or in their own: its keys are made anew now.
pub(super) async fn take_off<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &CaseRow,
    leaver: AccountId,
) -> Result<(), Problem> {
    let Some(leaving) = leaving(unit, row, leaver).await? else { return Err(Problem::absent()) };
    let checked = head::lock(unit, row.id).await?;
    let staying = staying(unit, &checked.case, &leaving).await?;
    renewal::renew(unit, checked, &staying, &leaving).await?;
    end_all(unit, leaving).await?;
    crate::placements::strike(unit, row.id, leaver).await
}

/// Ends somebody's access without a key; the next who works on the case makes its keys anew. False when they were not on it.
pub(super) async fn put_off<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &CaseRow,
    leaver: AccountId,
    remains: Remains,
) -> Result<bool, Problem> {
    let Some(leaving) = leaving(unit, row, leaver).await? else { return Ok(false) };
    if remains == Remains::Worker {
        staying(unit, row, &leaving).await?;
    }
    store::set_epoch_pending(unit, row.id).await?;
    end_all(unit, leaving).await?;
    Ok(true)
}

/// Whose access ends with somebody's, theirs last; nothing when they are not on the case.
async fn leaving<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    row: &CaseRow,
    leaver: AccountId,
) -> Result<Option<Vec<GrantId>>, Problem> {
    let Some(grant) = in_force(unit, row.id, leaver).await? else { return Ok(None) };
    // Who stands in for somebody leaves with them.
    let mut leaving = team::stand_ins_for(unit, row, leaver).await?;
    // And whose time was over, since the keys are made anew.
    leaving.extend(store::grants(unit, row.id).await?.iter().filter(|grant| grant.lapsed).map(|grant| grant.grant));
    leaving.push(grant);
    Ok(Some(leaving))
}

/// Last in a unit, and one's own at the very last: from here on a person who leaves sees nothing of the case any more.
async fn end_all<V: Does, K: About>(unit: &mut Unit<V, K>, leaving: Vec<GrantId>) -> Result<(), Problem> {
    for grant in leaving {
        unit.touch(grant.0);
        store::end_access(unit, grant).await?;
    }
    Ok(())
}

/// Those who stay on the case. Somebody must remain who works on it.
async fn staying<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    leaving: &[GrantId],
) -> Result<Vec<Teammate>, Problem> {
    let (staying, going): (Vec<_>, Vec<_>) =
        team::members(unit, case).await?.into_iter().partition(|mate| !leaving.contains(&mate.grant));
    // A stand-in leaves again by themselves, and who only reads is not missed: neither is kept on a case by being the last.
    let works = |mate: &Teammate| mate.relation == CaseRelation::Assigned && mate.window.is_none();
    if staying.iter().any(works) || !going.iter().any(works) {
        return Ok(staying);
    }
    Err(Problem::illegal(
        "nobody_would_remain",
        "Nobody would be left to work on this case. Assign a colleague first, or let two supervisors take the last one off. \
         Nothing was stored.",
    ))
}
