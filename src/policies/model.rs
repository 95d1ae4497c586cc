//! What is sent and answered about the policy.

use crate::guard::record::{AccountId, OrganisationId, PolicyId};
use crate::guard::words::words;
use crate::staff::model::Fresh;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long the other responsible person has.
pub const TO_COUNTERSIGN: TimeDelta = TimeDelta::days(7);

words! {
    /// How a change of the policy stands.
    pub enum ChangeState {
        /// It waits for the other responsible person.
        Proposed = "proposed",
        /// Both have signed.
        Agreed = "agreed",
        /// Nobody countersigned it in time, or another was agreed to meanwhile.
        Lapsed = "lapsed",
    }
}

/// Another policy, as it is written; without files, the one of the service that is asked.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    /// All of `model.conf`.
    #[garde(inner(length(min = 1, max = 20_000)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 20_000)]
    pub model: Option<String>,
    /// All of `access.csv`.
    #[garde(inner(length(min = 1, max = 200_000)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200_000)]
    pub rules: Option<String>,
    /// So many hours the policy before counts beside it, once both have signed: replicas are exchanged one by one.
    #[garde(range(max = 168))]
    #[serde(default)]
    #[schema(maximum = 168)]
    pub overlap_hours: u8,
    /// Who I am, once more.
    #[garde(dive)]
    pub shown: Fresh,
}

/// The second signature: names what was read.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    #[garde(length(min = 64, max = 100))]
    #[schema(min_length = 64, max_length = 100)]
    pub fingerprint: String,
    /// Who I am, once more.
    #[garde(dive)]
    pub shown: Fresh,
}

/// A change of the policy.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    pub id: PolicyId,
    /// The first agreement is 1.
    pub number: i32,
    pub state: ChangeState,
    /// As `himaya policy digest` prints it.
    pub digest: String,
    /// It is the policy of this earlier agreement: it undoes all that was agreed to since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns_to: Option<i32>,
    pub signed_by: Vec<AccountId>,
    pub made_at: DateTime<Utc>,
    /// So long the policy before counts beside it.
    pub before_until: DateTime<Utc>,
    /// It is not countersigned after that.
    pub lapses_at: DateTime<Utc>,
    /// The rules that go and come, against the policy of the service at which it was proposed.
    pub difference: String,
    /// The signed words.
    pub statement: String,
    /// SHA-256 of the words.
    pub fingerprint: String,
}

/// Which policy decides, and what was proposed.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Policies {
    /// Whose two responsible persons agree; absent while nobody can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<OrganisationId>,
    /// Those two.
    pub responsible: Vec<AccountId>,
    /// The policy of the service that was asked.
    pub own_digest: String,
    /// Whether that one was agreed to.
    pub agreed: bool,
    /// Newest first.
    pub items: Vec<PolicyView>,
}
