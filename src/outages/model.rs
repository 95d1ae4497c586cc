//! What is sent and answered about outages.

use crate::guard::record::{AccountId, OrganisationId, OutageId};
use crate::guard::statement::{Lack, OutageReason};
use crate::guard::words::words;
use crate::staff::model::Fresh;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// How an outage stands.
    pub enum OutageState {
        /// It waits for the second signature.
        Proposed = "proposed",
        /// Both have signed. The process that answered lets nobody read by it yet: it has still to look, or cannot, as its log says.
        Signed = "signed",
        /// Readers go on by it, while the ledger lacks what it names.
        Open = "open",
        /// Somebody ended it.
        Ended = "ended",
        /// Its time is over, whether or not anybody agreed to it; or who signed it may not any more.
        Lapsed = "lapsed",
    }
}

/// Let the assigned and duty readers of your organisation go on, from now on.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOutage {
    /// In spite of what: the codes that readers are told. What is not named stays closed.
    #[garde(length(min = 1, max = 2))]
    #[schema(min_items = 1, max_items = 2)]
    pub lacks: Vec<Lack>,
    #[garde(skip)]
    pub reason: OutageReason,
    /// For how long, from now on, whenever the second signs.
    #[garde(range(min = 1, max = 4))]
    #[schema(minimum = 1, maximum = 4)]
    pub hours: u8,
    /// Who I am, once more.
    #[garde(dive)]
    pub shown: Fresh,
}

impl NewOutage {
    /// Each once, in a fixed order.
    #[must_use]
    pub fn lacks(&self) -> Vec<Lack> {
        Lack::ALL.iter().copied().filter(|lack| self.lacks.contains(lack)).collect()
    }
}

/// The second signature: names what was read.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutageAgreement {
    #[garde(length(min = 64, max = 100))]
    #[schema(min_length = 64, max_length = 100)]
    pub fingerprint: String,
    /// Who I am, once more.
    #[garde(dive)]
    pub shown: Fresh,
}

/// An outage.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct OutageView {
    pub id: OutageId,
    /// Whose assigned and duty readers.
    pub organisation: OrganisationId,
    pub state: OutageState,
    pub lacks: Vec<Lack>,
    pub reason: OutageReason,
    pub proposed_by: AccountId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_by: Option<AccountId>,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// The signed words.
    pub statement: String,
    /// SHA-256 of the words: what the two read to each other.
    pub fingerprint: String,
}

/// The newest outages.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct OutageList {
    /// What the ledger lacks now, by the process that was asked.
    pub lacks: Vec<Lack>,
    /// Newest first: those of one's own organisation, and for auditors everybody's.
    pub items: Vec<OutageView>,
}
