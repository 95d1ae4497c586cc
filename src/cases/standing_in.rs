//! A colleague stands in for an officer on a case: access with an end of its own.
//!
//! The permission states from when until when, and so do the wraps. Outside that time the gate, row-level security and the
//! vault give nothing, whoever has been at work since; the next who writes to the case makes its keys anew
//! ([`super::renewal`]).

use super::model::CaseRelation;
use super::{access, head, store, team};
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AbsenceId, CaseId, GrantId};
use crate::guard::statement::{AccessReason, Window};
use crate::guard::store::delete_wraps_of_grant;
use crate::guard::trust::Member;
use crate::platform::problem::Problem;

/// Hands a case to a stand-in for a time. False when they are on it already, and nothing was written for it.
///
/// # Errors
/// Absent unless the person works on the case without an end of their own: nobody hands on for longer than they have it.
pub(crate) async fn hand_over<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    stand_in: &Member,
    window: Window,
    absence: AbsenceId,
) -> Result<bool, Problem> {
    let row = head::lock_and_check(unit, case).await?;
    let account = unit.account();
    let own = store::grants(unit, case).await?.into_iter().find(|grant| grant.begun && grant.account == account);
    let relation = CaseRelation::Assigned;
    own.filter(|own| own.relation == relation && own.window.is_none()).ok_or_else(Problem::absent)?;
    if access::in_force(unit, case, stand_in.account).await?.is_some() {
        return Ok(false);
    }
    let (id, reason) = (GrantId::random(), AccessReason::Absence);
    let grant = team::grant_as(unit, case, id, stand_in.account, relation, reason, Some((window, absence)))?;
    access::share_keys(unit, &row, stand_in, &grant).await?;
    head::sign_new_head(unit, case).await?;
    Ok(true)
}

/// Ends what is left of an absence: access at once, on every case, and the wraps where the person holds the keys. The next
/// who works on each case makes its new epoch. On how many cases.
///
/// # Errors
/// As the database refuses.
pub(crate) async fn end<V: Does, K: About>(unit: &mut Unit<V, K>, absence: AbsenceId) -> Result<usize, Problem> {
    let grants = store::grants_of_absence(unit, absence).await?;
    for (case, grant) in &grants {
        store::lock(unit, *case).await?.ok_or_else(Problem::absent)?;
        store::set_epoch_pending(unit, *case).await?;
        delete_wraps_of_grant(unit.sql(), *grant).await?;
        unit.touch(grant.0);
        store::end_access(unit, *grant).await?;
    }
    Ok(grants.len())
}
