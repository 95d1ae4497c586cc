//! What a call is: its states and the steps between them, and what is sent and answered.

pub use super::content::{CallContent, CallKind};

use crate::guard::record::{CallId, TaskId};
use crate::guard::words::words;
use crate::platform::http::maybe_moment;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a draft is its operator's: a shift. Afterwards it is abandoned, and the supervisors' to review.
pub const SHIFT: TimeDelta = TimeDelta::hours(12);

words! {
    /// How the operator finishes a call that is not handed over.
    pub enum CallOutcome {
        Referred = "referred",
        CallbackScheduled = "callback_scheduled",
        Closed = "closed",
    }
}

words! {
    /// Where a call stands. The first three are a draft's.
    pub enum CallState {
        Opened = "opened",
        SafetyChecked = "safety_checked",
        Triaged = "triaged",
        Referred = "referred",
        CallbackScheduled = "callback_scheduled",
        Closed = "closed",
        /// Handed over to the squad: nothing of it is left here, and its operator keeps a slip. Never stored.
        HandedOver = "handed_over",
        /// A draft that outlived the shift. Time makes it so. Never stored.
        Abandoned = "abandoned",
    }
}

/// A step that the call's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a call that is `{from}` does not become `{to}`")]
pub struct IllegalTransition {
    pub from: CallState,
    pub to: CallState,
}

impl CallState {
    /// Whether the call is still being written down.
    #[must_use]
    pub const fn is_draft(self) -> bool {
        matches!(self, Self::Opened | Self::SafetyChecked | Self::Triaged)
    }

    /// The draft is saved with nothing new that counts.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless it is a draft.
    pub const fn saved(self) -> Result<Self, IllegalTransition> {
        if self.is_draft() { Ok(self) } else { Err(IllegalTransition { from: self, to: self }) }
    }

    /// It was answered whether it is safe to talk. Saying it again takes nothing back.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless it is a draft.
    pub const fn safety_checked(self) -> Result<Self, IllegalTransition> {
        match self {
            Self::Opened | Self::SafetyChecked => Ok(Self::SafetyChecked),
            Self::Triaged => Ok(Self::Triaged),
            from => Err(IllegalTransition { from, to: Self::SafetyChecked }),
        }
    }

    /// The kind of the call was found, or corrected.
    ///
    /// # Errors
    /// [`IllegalTransition`] before it was asked whether it is safe to talk, but for the quick kinds; and unless it is a
    /// draft.
    pub const fn triaged(self, kind: CallKind) -> Result<Self, IllegalTransition> {
        match self {
            Self::SafetyChecked | Self::Triaged => Ok(Self::Triaged),
            Self::Opened if kind.is_quick() => Ok(Self::Triaged),
            from => Err(IllegalTransition { from, to: Self::Triaged }),
        }
    }

    /// The call goes to the squad, and the draft ends.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless it is triaged.
    pub const fn hand_over(self) -> Result<Self, IllegalTransition> {
        match self {
            Self::Triaged => Ok(Self::HandedOver),
            from => Err(IllegalTransition { from, to: Self::HandedOver }),
        }
    }

    /// The call ends without a hand-over.
    ///
    /// # Errors
    /// [`IllegalTransition`] unless it is triaged.
    pub const fn finished(self, outcome: CallOutcome) -> Result<Self, IllegalTransition> {
        let to = match outcome {
            CallOutcome::Referred => Self::Referred,
            CallOutcome::CallbackScheduled => Self::CallbackScheduled,
            CallOutcome::Closed => Self::Closed,
        };
        match self {
            Self::Triaged => Ok(to),
            from => Err(IllegalTransition { from, to }),
        }
    }
}

/// Why something is not done to a call.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error("the kind was given before it was asked whether it is safe to talk")]
    AskFirst,
    /// Something that the draft's state rests on is missing from a later save.
    #[error("`{0}` was given before and is missing now")]
    TakenBack(&'static str),
    /// A quick call came with more than its kind and language.
    #[error("a call of this kind keeps nothing of {0:?}")]
    TooMuch(Vec<&'static str>),
}

/// A call is opened. Send what is known already, or nothing.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCall {
    #[garde(dive)]
    #[serde(default)]
    pub content: CallContent,
}

/// The whole content as it stands now: what is absent here is gone.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallSave {
    #[garde(dive)]
    pub content: CallContent,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallClosing {
    #[garde(skip)]
    pub outcome: CallOutcome,
    /// With `callback_scheduled`: when to call back; in 24 hours if absent.
    #[garde(skip)]
    #[serde(default, deserialize_with = "maybe_moment")]
    pub call_back_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct CallOpened {
    pub id: CallId,
    pub state: CallState,
    pub version: i64,
    pub opened_at: DateTime<Utc>,
    /// Until then the draft is the operator's. The same as `opened_at` for a call that was finished in one step.
    pub expires_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct CallSaved {
    pub id: CallId,
    pub state: CallState,
    pub version: i64,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct CallClosed {
    pub id: CallId,
    pub state: CallState,
    pub closed_at: DateTime<Utc>,
    /// The call-back, which is its operator's task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
}

/// A call in a list: nothing that was said.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CallSummary {
    pub id: CallId,
    pub state: CallState,
    pub opened_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<DateTime<Utc>>,
}

/// A call with what was said, for the person who asked.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CallView {
    pub id: CallId,
    pub state: CallState,
    pub version: i64,
    pub opened_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub content: CallContent,
}
