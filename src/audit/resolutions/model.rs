//! What is sent and answered about pseudonyms.

use crate::guard::record::{AccountId, OrganisationId, ResolutionId};
use crate::guard::statement::ResolutionReason;
use crate::guard::words::words;
use crate::staff::model::Fresh;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long the other auditor has to sign, and both to read the name: from the asking on.
pub const LASTS: TimeDelta = TimeDelta::days(7);

words! {
    /// How a resolution stands.
    pub enum ResolutionState {
        /// It waits for another auditor.
        Proposed = "proposed",
        /// Both have signed: they may read who it is.
        Agreed = "agreed",
        /// Its week is over, or somebody who signed it is no auditor any more.
        Lapsed = "lapsed",
    }
}

/// Who is this?
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewResolution {
    /// A pseudonym, as entries show it.
    #[schema(min_length = 1, max_length = 100)]
    #[garde(length(chars, min = 1, max = 100))]
    pub person: String,
    #[garde(skip)]
    pub reason: ResolutionReason,
    /// Who I am, once more.
    #[garde(dive)]
    pub shown: Fresh,
}

/// The second signature: names what was read.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolutionAgreement {
    #[garde(length(min = 64, max = 100))]
    #[schema(min_length = 64, max_length = 100)]
    pub fingerprint: String,
    /// Who I am, once more.
    #[garde(dive)]
    pub shown: Fresh,
}

/// That a pseudonym be resolved, as it stands. It does not say who it is.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ResolutionView {
    pub id: ResolutionId,
    /// The pseudonym.
    pub person: String,
    pub reason: ResolutionReason,
    pub state: ResolutionState,
    pub signed_by: Vec<AccountId>,
    pub made_at: DateTime<Utc>,
    /// Afterwards nobody countersigns it, and nobody reads the name.
    pub lapses_at: DateTime<Utc>,
    /// The signed words.
    pub statement: String,
    /// SHA-256 of the words.
    pub fingerprint: String,
}

/// Who it is.
#[derive(Serialize, ToSchema)]
pub struct Resolved {
    /// The pseudonym.
    pub person: String,
    pub account: AccountId,
    /// The name with which the person signs in.
    pub handle: String,
    pub organisation: OrganisationId,
    /// Not told any more after this.
    pub lapses_at: DateTime<Utc>,
}
