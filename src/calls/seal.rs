//! To whom a call is sealed, and from when.
//!
//! The key of a draft carries the draft's own id. It is wrapped to the operator until the shift ends, and from then to
//! the supervisors' REVIEW key, or to each supervisor while there is none in force, and to CUSTODY: whether somebody finishes the
//! call or not, exactly one side can read it.

use super::store;
use crate::audit::unit::Unit;
use crate::guard::gate::{kinds, verbs};
use crate::guard::policy::DecisionTable;
use crate::guard::record::{CallId, RecordKind};
use crate::guard::store::delete_wraps_of_account;
use crate::guard::trust::Recipient;
use crate::guard::vault::{Placement, SealingKey, active};
use crate::platform::problem::Problem;
use crate::staff::shared_keys;
use chrono::{DateTime, Utc};

/// A call has one epoch: its key is replaced only with the call itself.
const EPOCH: i32 = 1;

/// Everybody to whom a call is ever wrapped.
pub struct Holders {
    operator: Recipient,
    review: Vec<Recipient>,
    custody: Recipient,
}

impl Holders {
    /// Those whose call it is once the operator has finished it, or the shift is over.
    fn afterwards(&self) -> impl Iterator<Item = &Recipient> {
        self.review.iter().chain([&self.custody])
    }
}

/// Finds the keys of those who are to hold a new call.
///
/// # Errors
/// As the database refuses.
pub async fn holders(policy: &DecisionTable, unit: &mut Unit<verbs::Create, kinds::Call>) -> Result<Holders, Problem> {
    let who = unit.who();
    let member = who.member.as_ref().ok_or_else(Problem::not_your_work)?;
    let review = shared_keys::reviewers(policy, unit).await?;
    let custody = unit.custody(member.organisation).await?;
    let custody = custody.ok_or_else(|| Problem::fault("an operator's organisation is not founded"))?;
    Ok(Holders { operator: member.recipient(), review, custody: custody.recipient() })
}

/// Where one version of a call is sealed.
#[must_use]
pub fn placement(id: CallId, version: i64) -> Placement {
    Placement { record: id.0, kind: RecordKind::Call, case: None, key_id: id.0, epoch: EPOCH, version }
}

/// Wraps a draft's key: to the operator for the shift, and from its end to the others. Comes before the draft is sealed:
/// the operator may seal under it because the operator can unwrap it.
///
/// # Errors
/// As the database refuses.
pub async fn hold_for_shift(
    unit: &mut Unit<verbs::Create, kinds::Call>,
    key: &SealingKey,
    holders: &Holders,
    end: DateTime<Utc>,
) -> Result<(), Problem> {
    let wrap = |to: &Recipient| key.wrap_to(to, None, EPOCH, None);
    let mut wraps = vec![active(wrap(&holders.operator)?, None, Some(end))];
    for later in holders.afterwards() {
        wraps.push(active(wrap(later)?, Some(end), None));
    }
    unit.insert_wraps(&wraps).await
}

/// Wraps the key of a call that was finished in one step: never to the operator. Comes after the call is sealed: from
/// here on the operator's session may add nothing under this key.
///
/// # Errors
/// As the database refuses.
pub async fn hold_for_review(
    unit: &mut Unit<verbs::Create, kinds::Call>,
    key: &SealingKey,
    holders: &Holders,
) -> Result<(), Problem> {
    let wrap = |to: &Recipient| key.wrap_to(to, None, EPOCH, None);
    let wraps = holders.afterwards().map(wrap).collect::<Result<Vec<_>, _>>()?;
    unit.insert_wraps(&wraps).await
}

/// Ends the operator's hold and begins the supervisors'.
///
/// # Errors
/// As the database refuses; and when there is nobody to pass the call to, since then nobody could ever read it.
pub async fn pass_to_review(unit: &mut Unit<verbs::Close, kinds::Call>) -> Result<(), Problem> {
    // In this order: only who can unwrap a key may change its wraps.
    if store::wake_sleeping_wraps(unit).await? == 0 {
        return Err(Problem::fault("a draft has no sleeping wraps to wake"));
    }
    let (id, operator) = (unit.id(), unit.account());
    Ok(delete_wraps_of_account(unit.sql(), &[id], operator).await?)
}
