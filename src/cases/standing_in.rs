//! A colleague stands in for an officer on a case: access with an end of its own.
//!
//! The permission states from when until when, and so do the wraps. Outside that time the gate, row-level security and the
//! vault give nothing, whoever has been at work since; the next who writes to the case makes its keys anew
//! ([`super::renewal`]).

use super::model::CaseRelation;
use super::{access, bars, head, store, team};
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AbsenceId, CaseId, GrantId};
use crate::guard::statement::{AccessReason, Window, claimed_signers};
use crate::guard::trust::Member;
use crate::platform::problem::Problem;

/// Hands a case to a stand-in for a time. False when they are on it already, and nothing was written for it.
///
/// # Errors
/// Absent unless the person works on the case without an end of their own: nobody hands on for longer than they have it.
/// 409 when the colleague is kept off the case, has access of another kind, or for another time that does not meet this one.
pub(crate) async fn hand_over<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    stand_in: &Member,
    mut window: Window,
    absence: AbsenceId,
) -> Result<bool, Problem> {
    let row = head::lock_and_check(unit, case).await?;
    let account = unit.account();
    let own = store::grants(unit, case).await?.into_iter().find(|grant| grant.begun && grant.account == account);
    let relation = CaseRelation::Assigned;
    own.filter(|own| own.relation == relation && own.window.is_none()).ok_or_else(Problem::absent)?;
    if bars::barred(unit, &row).await?.contains(&stand_in.account) {
        return Err(Problem::illegal(
            "barred",
            "The colleague cannot stand in on one of these cases: name those on which they can. Nothing was stored.",
        ));
    }
    let there =
        store::grants(unit, case).await?.into_iter().find(|grant| grant.in_force && grant.account == stand_in.account);
    if let Some(there) = there {
        let own = claimed_signers(&there.note).next() == Some(account);
        match there.window {
            // Let in by custodians for some hours: from now on by a colleague.
            _ if there.relation == CaseRelation::Emergency => access::replace(unit, there.grant).await?,
            None if there.relation == CaseRelation::Assigned => return Ok(false),
            None => return Err(elsewise()),
            Some(held) if own && held.from <= window.from && window.until <= held.until => return Ok(false),
            // For another colleague their return would take the stand-in off while this one is still away.
            Some(held) if !own || held.from > window.until || held.until < window.from => return Err(elsewise()),
            Some(held) => {
                window = Window { from: held.from.min(window.from), until: held.until.max(window.until) };
                access::replace(unit, there.grant).await?;
            }
        }
    }
    let (id, reason) = (GrantId::random(), AccessReason::Absence);
    let grant = team::grant_as(unit, case, id, stand_in.account, relation, reason, Some((window, absence)))?;
    access::share_keys(unit, &row, stand_in, &grant).await?;
    crate::placements::share_with(unit, case, stand_in.account).await?;
    head::sign_new_head(unit, case).await?;
    Ok(true)
}

fn elsewise() -> Problem {
    Problem::illegal(
        "otherwise_on_case",
        "The colleague may read one of these cases, or stands in on it for somebody else or at another time: assign them, or \
         leave that case out. \
         Nothing was stored.",
    )
}

/// Ends what is left of an absence: access and its wraps at once, on every case, whoever ends it. The next who works on each
/// case makes its new epoch. On how many cases.
///
/// # Errors
/// As the database refuses.
pub(crate) async fn end<V: Does, K: About>(unit: &mut Unit<V, K>, absence: AbsenceId) -> Result<usize, Problem> {
    let grants = store::grants_of_absence(unit, absence).await?;
    for (case, grant) in &grants {
        store::lock(unit, *case).await?.ok_or_else(Problem::absent)?;
        store::set_epoch_pending(unit, *case).await?;
        unit.touch(grant.0);
        store::end_access(unit, *grant).await?;
    }
    Ok(grants.len())
}
