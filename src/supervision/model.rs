//! What a supervisor sees and says.

use crate::cases::model::CaseRelation;
use crate::guard::action::Role;
use crate::guard::record::{AccountId, NoticeId};
use crate::tasks::model::{PendingAssignment, TaskView, WaitingNotice};
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An instruction that nobody carried out within this time has no effect any more.
pub const LAPSES: TimeDelta = TimeDelta::days(7);

/// How much one colleague has to do.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct MemberLoad {
    pub account: AccountId,
    pub handle: String,
    pub role: Role,
    /// Cases that they are on and that are not closed.
    pub open_cases: i64,
    pub open_tasks: i64,
    pub overdue_tasks: i64,
}

/// How much everybody has to do, and what is late. Ids, codes and times.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Workload {
    pub members: Vec<MemberLoad>,
    /// Tasks that were not done in time, the oldest first.
    pub overdue: Vec<TaskView>,
    /// Notices that wait, the most urgent first.
    pub notices: Vec<WaitingNotice>,
    /// Instructions that were not carried out yet.
    pub assignments: Vec<PendingAssignment>,
}

/// Somebody is to be put on a case.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAssignment {
    #[garde(skip)]
    pub account: AccountId,
    /// To work on it, or to read it.
    #[garde(custom(crate::cases::model::by_colleagues))]
    pub relation: CaseRelation,
}

/// A duty officer is to take a notice.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDirection {
    #[garde(skip)]
    pub account: AccountId,
}

/// Who is to take a notice now.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Directed {
    pub notice: NoticeId,
    pub account: AccountId,
    pub at: DateTime<Utc>,
}
