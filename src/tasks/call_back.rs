//! A call-back: made in the unit that finishes a call. The call itself passes to the supervisors; how to call back is
//! taken out of it and sealed to the operator for as long as they are to do it.

use super::model::{CALL_BACK, SCHEMA_VERSION, TaskKind, TaskState, Words, plausible};
use super::store::{self, TaskRow};
use crate::audit::unit::Unit;
use crate::calls::content::CallContent;
use crate::guard::gate::{kinds, verbs};
use crate::guard::policy::DecisionTable;
use crate::guard::record::{CallId, RecordKind, TaskId};
use crate::guard::vault::{Placement, Sealed};
use crate::platform::problem::Problem;
use crate::staff::shared_keys;
use chrono::{DateTime, Utc};

/// A call-back is sealed once, under a key of its own.
pub(super) const EPOCH: i32 = 1;

/// Makes the call-back of a call that this operator finishes.
///
/// # Errors
/// 422 for a time that is none; as the databases refuse.
pub(crate) async fn make(
    policy: &DecisionTable,
    unit: &mut Unit<verbs::Close, kinds::Call>,
    call: &Sealed<CallContent>,
    due_at: Option<DateTime<Utc>>,
) -> Result<TaskId, Problem> {
    let (who, now) = (unit.who(), unit.now());
    let due_at = due_at.unwrap_or(now + CALL_BACK);
    plausible(due_at, now, "call_back_at")?;
    let operator = who.member.as_ref().ok_or_else(Problem::not_your_work)?.recipient();
    let review = shared_keys::reviewers(policy, unit).await?;
    let custody = unit.custody(who.organisation).await?;
    let custody = custody.ok_or_else(|| Problem::fault("an operator's organisation is not founded"))?.recipient();
    let (id, call_id) = (TaskId::random(), CallId(call.record()));
    let (kind, state) = (TaskKind::CallBack, TaskState::Open);
    let row = TaskRow { id, kind, state, assignee: who.account, case: None, call: Some(call_id), due_at };
    store::insert(unit, &row).await?;
    let key = unit.new_key(id.0).await?;
    let mut wraps = Vec::with_capacity(review.len() + 2);
    for recipient in review.iter().chain([&operator, &custody]) {
        wraps.push(key.wrap_to(recipient, None, EPOCH, None)?);
    }
    unit.insert_wraps(&wraps).await?;
    let place = Placement { record: id.0, kind: RecordKind::Task, case: None, key_id: id.0, epoch: EPOCH, version: 1 };
    let take = |content: CallContent| {
        Ok(Words {
            schema_version: SCHEMA_VERSION,
            case: None,
            call: Some(call_id),
            kind,
            text: None,
            call_back: content.call_back,
        })
    };
    unit.put_from(&place, &key, call, take).await?;
    Ok(id)
}
