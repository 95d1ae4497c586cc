//! What a task is, its one step, and what is due for a person.

use crate::calls::content::CallBack;
use crate::guard::record::{AccountId, AssignmentId, CallId, CaseId, NoticeId, TaskId};
use crate::guard::words::words;
use crate::notices::model::Escalation;
use crate::platform::http::moment;
use crate::platform::problem::Problem;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// What kind of work it is: a code that tells nothing of a person.
    pub enum TaskKind {
        /// After a call to the helpline; made by finishing the call so.
        CallBack = "call_back",
        FollowUp = "follow_up",
        Visit = "visit",
        Document = "document",
        Deadline = "deadline",
        Review = "review",
    }
}

words! {
    /// Where a task stands.
    pub enum TaskState {
        Open = "open",
        Done = "done",
    }
}

words! {
    /// Which of one's tasks are listed.
    pub enum Due {
        /// Overdue, or due within the next 24 hours: a day at a desk does not begin at midnight.
        Today = "today",
        /// Every open one.
        Any = "any",
    }
}

/// What is due within this time is due today.
pub const TODAY: TimeDelta = TimeDelta::hours(24);
/// When a call-back is due if nobody said so.
pub const CALL_BACK: TimeDelta = TimeDelta::hours(24);
/// How far ahead a task may be due, and how long ago: a year that was typed wrong is noticed.
const FURTHEST: TimeDelta = TimeDelta::days(3650);
const LATEST: TimeDelta = TimeDelta::days(1);

/// A step that a task's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A task that is `{0}` is not open any more. Nothing was stored.")]
pub struct NotOpen(TaskState);

impl From<NotOpen> for Problem {
    fn from(error: NotOpen) -> Self {
        Self::illegal("illegal_transition", error.to_string())
    }
}

impl TaskState {
    /// It was done.
    ///
    /// # Errors
    /// [`NotOpen`] unless it is open.
    pub const fn done(self) -> Result<Self, NotOpen> {
        match self {
            Self::Open => Ok(Self::Done),
            Self::Done => Err(NotOpen(self)),
        }
    }

    /// Somebody else does it.
    ///
    /// # Errors
    /// [`NotOpen`] unless it is open.
    pub const fn handed_on(self) -> Result<Self, NotOpen> {
        match self {
            Self::Open => Ok(Self::Open),
            Self::Done => Err(NotOpen(self)),
        }
    }
}

/// Whether a due time is one: not long past, not in ten years.
///
/// # Errors
/// 422 that names the field.
pub fn plausible(due_at: DateTime<Utc>, now: DateTime<Utc>, field: &'static str) -> Result<(), Problem> {
    if due_at < now - LATEST || due_at > now + FURTHEST {
        return Err(Problem::field(field, "is not more than a day past, and not more than ten years ahead"));
    }
    Ok(())
}

/// What a task says, sealed. Where it hangs is sealed with it: the clear row may be changed by who holds the database.
#[derive(Serialize, Deserialize)]
pub(crate) struct Words {
    pub schema_version: u16,
    pub case: Option<CaseId>,
    pub call: Option<CallId>,
    pub kind: TaskKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_back: Option<CallBack>,
}

pub(crate) const SCHEMA_VERSION: u16 = 1;

/// A task to be made on a case.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// Who is to do it: a colleague of one's own organisation who is on the case, or oneself.
    #[garde(skip)]
    pub assignee: AccountId,
    #[garde(skip)]
    pub kind: TaskKind,
    #[garde(skip)]
    #[serde(deserialize_with = "moment")]
    pub due_at: DateTime<Utc>,
    #[garde(length(chars, min = 1, max = 5000))]
    #[schema(min_length = 1, max_length = 5000)]
    pub text: String,
}

/// A colleague who is to do it instead.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOn {
    #[garde(skip)]
    pub assignee: AccountId,
}

/// A task as it is listed: nothing of what it says.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TaskView {
    pub id: TaskId,
    pub kind: TaskKind,
    pub state: TaskState,
    pub due_at: DateTime<Utc>,
    pub overdue: bool,
    /// Who is to do it: oneself, or a colleague for whom one stands in.
    pub assignee: AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
}

impl TaskView {
    /// Every record that it names.
    pub(crate) fn names(&self) -> impl Iterator<Item = uuid::Uuid> {
        let hangs_on = self.case.map(|case| case.0).into_iter().chain(self.call.map(|call| call.0));
        std::iter::once(self.id.0).chain(hangs_on)
    }
}

/// A task with what it says.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TaskDetail {
    #[serde(flatten)]
    pub task: TaskView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When, how and under which number the caller wants to be called back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_back: Option<CallBack>,
}

/// Where a task stands after a step.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TaskStands {
    pub id: TaskId,
    pub state: TaskState,
    pub assignee: AccountId,
}

/// A notice that waits at one's desk.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct WaitingNotice {
    pub id: NoticeId,
    /// To be said on the telephone.
    pub number: i64,
    pub due_at: DateTime<Utc>,
    pub escalation: Escalation,
    /// The duty officer whom the supervisor named to take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directed_to: Option<AccountId>,
}

/// A case whose keys are to be renewed: opening it does so.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PendingEpoch {
    pub case: CaseId,
    pub number: i64,
}

/// A supervisor's instruction that waits for somebody who holds the case's keys: opening the case carries it out.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PendingAssignment {
    pub id: AssignmentId,
    pub case: CaseId,
    pub account: AccountId,
    pub made_at: DateTime<Utc>,
    pub lapses_at: DateTime<Utc>,
}

impl PendingAssignment {
    /// Every record that it names.
    pub(crate) fn names(&self) -> [uuid::Uuid; 2] {
        [self.id.0, self.case.0]
    }
}

/// What a person has to do, the most urgent first.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct DueList {
    pub tasks: Vec<TaskView>,
    pub notices: Vec<WaitingNotice>,
    pub pending_epochs: Vec<PendingEpoch>,
    pub assignments: Vec<PendingAssignment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_done_once_and_not_handed_on_after_it() {
        assert_eq!(TaskState::Open.done(), Ok(TaskState::Done));
        assert_eq!(TaskState::Open.handed_on(), Ok(TaskState::Open));
        for step in [TaskState::done, TaskState::handed_on] {
            assert!(step(TaskState::Done).is_err_and(|error| error.to_string().contains("`done`")));
        }
    }

    #[test]
    fn a_due_time_that_was_typed_wrong_is_noticed() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        for (days, right) in [(-2, false), (-1, true), (0, true), (3650, true), (3651, false)] {
            assert_eq!(plausible(now + TimeDelta::days(days), now, "due_at").is_ok(), right, "{days}");
        }
    }
}
