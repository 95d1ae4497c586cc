//! What is sent and answered about who answers for an organisation.

use crate::guard::record::{AccountId, SuccessionId};
use crate::guard::words::words;
use crate::staff::model::Fresh;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long it may wait for its signatures and its pin.
pub const TO_SIGN: TimeDelta = TimeDelta::days(14);

words! {
    /// How a founding that follows stands.
    pub enum SuccessionState {
        /// It waits for signatures, or for its pin.
        Proposed = "proposed",
        /// Its two answer for the organisation, or did until the next one.
        InForce = "in_force",
        /// One of the two of that day, or of its own two, did not want it.
        Declined = "declined",
        /// It was not put in force in time, or another one was.
        Lapsed = "lapsed",
    }
}

/// Who is to answer for the organisation.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSuccession {
    /// Two members of it; one of today's may stay.
    #[garde(length(min = 2, max = 2))]
    #[schema(min_items = 2, max_items = 2)]
    pub responsible: Vec<AccountId>,
    /// Who I am, once more.
    #[garde(dive)]
    pub shown: Fresh,
}

/// A signature: names what was read.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuccessionSignature {
    #[garde(length(min = 64, max = 100))]
    #[schema(min_length = 64, max_length = 100)]
    pub fingerprint: String,
    /// Who I am, once more.
    #[garde(dive)]
    pub shown: Fresh,
}

/// A founding that follows.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SuccessionView {
    pub id: SuccessionId,
    /// The first that follows is 1.
    pub number: i32,
    pub state: SuccessionState,
    /// The two who are to answer.
    pub responsible: Vec<AccountId>,
    pub signed_by: Vec<AccountId>,
    /// Which of its own two have not signed.
    pub waits_for: Vec<AccountId>,
    /// Whether those agreed to it who answer today: both of them; or one, and `custodians_instead` custodians.
    pub agreed: bool,
    /// How many custodians sign in the place of one of the two of today.
    pub custodians_instead: usize,
    /// Those among whom they are.
    pub custodians: Vec<AccountId>,
    /// Whether the operator has pinned it.
    pub pinned: bool,
    pub made_at: DateTime<Utc>,
    /// It does not come in force after that.
    pub lapses_at: DateTime<Utc>,
    /// The words: everybody who is a member, with role and keys.
    pub statement: String,
    /// SHA-256 of the words: to be read out, and pinned.
    pub fingerprint: String,
}
