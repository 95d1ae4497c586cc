//! What an organisation stands on: its founding, the foundings that follow, and the members whom its two responsible persons admit.

use super::{OrganisationKind, StatedCustodian, StatedKeys};
use crate::guard::action::Role;
use crate::guard::record::{AccountId, MembershipId, OrganisationId, PolicyId, SharedKeyId, SuccessionId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One of those who found an organisation.
#[derive(Serialize, Deserialize)]
pub struct FoundingMember {
    pub account: AccountId,
    pub handle: String,
    pub role: Role,
    pub responsible: bool,
    pub custodian: bool,
    pub keys: StatedKeys,
}

/// An organisation begins: its two responsible persons, its custodians and its CUSTODY key. Signed by both responsible
/// persons; its fingerprint is pinned in the configuration of every replica.
#[derive(Serialize, Deserialize)]
pub struct FoundingStatement {
    pub organisation: OrganisationId,
    pub kind: OrganisationKind,
    pub name: String,
    pub custody_key: SharedKeyId,
    pub custody_public: String,
    pub members: Vec<FoundingMember>,
    pub made_at: DateTime<Utc>,
    /// It takes the place of another, with other responsible persons: then `members` are all of that day, and CUSTODY is as it stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succession: Option<StatedSuccession>,
}

/// What a founding follows, and what it finds there. Beside the two of its own, those sign it who may replace the two before.
#[derive(Serialize, Deserialize)]
pub struct StatedSuccession {
    pub succession: SuccessionId,
    /// The first that follows is 1.
    pub number: i32,
    /// Fingerprint of the founding before.
    pub follows: String,
    /// Of CUSTODY's key: the founding's is 0.
    pub custody_number: i32,
    pub custodians: Vec<StatedCustodian>,
    /// The latest agreement about the policy, where these two answered for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<StatedAgreement>,
    /// Afterwards it does not come in force any more.
    pub lapses_at: DateTime<Utc>,
}

/// One agreement about the policy, as it was signed.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
pub struct StatedAgreement {
    pub policy: PolicyId,
    /// Of its statement: the same two could sign other words under the same id.
    pub fingerprint: String,
}

/// A person is admitted with a role; signed by both responsible persons of the organisation.
#[derive(Serialize, Deserialize)]
pub struct MembershipStatement {
    pub membership: MembershipId,
    pub organisation: OrganisationId,
    pub account: AccountId,
    pub role: Role,
    pub keys: StatedKeys,
    pub made_at: DateTime<Utc>,
}
