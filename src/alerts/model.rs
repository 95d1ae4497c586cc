//! What an alert is.

use crate::guard::record::{AccountId, AlertId, OrganisationId};
use crate::guard::words::words;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

words! {
    /// What is told.
    pub enum What {
        /// A notice waits, and its 24 hours run.
        NoticeClock = "notice_clock",
        /// A task was not done in time.
        TaskOverdue = "task_overdue",
        /// Nobody is on the roster of a desk.
        RosterGap = "roster_gap",
        /// A person took a consent back, or refused: what was held by it is not to be used any more.
        ConsentEnded = "consent_ended",
        /// Two custodians let somebody onto a case.
        CustodyOpened = "custody_opened",
        /// Nobody has reviewed an emergency within 72 hours.
        EmergencyUnreviewed = "emergency_unreviewed",
        /// A supervisor keeps somebody off a case, or lets them on it again.
        Barred = "barred",
        /// Others are to answer for the organisation, or do now.
        Succession = "succession",
        /// A person's day is not like other days of the role.
        Snooping = "snooping",
        /// Two persons let readers go on while the ledger lacks something, or somebody ended that.
        Outage = "outage",
    }
}

words! {
    /// How urgent it is. The first three are a clock's, the next two a roster's, then a consent's, then an opening's.
    pub enum Level {
        Half = "half_gone",
        ThreeQuarters = "three_quarters_gone",
        Overdue = "overdue",
        /// Within the next 24 hours.
        Coming = "coming",
        /// Now.
        Uncovered = "uncovered",
        /// It counts no more, from this moment on.
        Ended = "ended",
        /// It counts from this moment on.
        Begun = "begun",
    }
}

/// Somebody said that they have seen to it.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Acknowledged {
    pub account: AccountId,
    pub at: DateTime<Utc>,
}

/// An alert: ids and codes.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AlertView {
    pub id: AlertId,
    pub what: What,
    pub level: Level,
    /// The notice, the task, the placement, the opening, the bar, the outage, or the organisation whose desk nobody keeps.
    pub about: Uuid,
    /// When the clock began, the task was due, the gap begins, or the person said so.
    pub occasion: DateTime<Utc>,
    pub organisation: OrganisationId,
    /// Whose work it is, where it is one person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    pub raised_at: DateTime<Utc>,
    /// What was counted of somebody's day, and with what it was compared: in a sentence, for the auditors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// By whom, the first one first.
    pub acknowledged: Vec<Acknowledged>,
}

/// An alert that the person acknowledged.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AlertAcknowledged {
    pub id: AlertId,
    pub acknowledged_at: DateTime<Utc>,
}
