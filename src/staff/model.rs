//! What is sent and answered about organisations, accounts and memberships, and at the door (`door`).

mod door;

pub use door::{
    CredentialChanged, CredentialKind, CredentialView, CurrentSession, DeviceView, Enrolled, Enrolment, Fresh, Refresh,
    Refreshed, SessionView, SessionsEnded, SignIn, SignedInView, TotpBegun, TotpCode,
};

use crate::guard::action::Role;
use crate::guard::keys::PublicKeys;
use crate::guard::record::{AccountId, MembershipId, OrganisationId};
use crate::guard::statement::OrganisationKind;
use crate::platform::http::spoken;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

/// A new organisation: forming until two responsible persons have founded it.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganisation {
    #[garde(skip)]
    pub kind: OrganisationKind,
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct OrganisationView {
    pub id: OrganisationId,
    pub kind: OrganisationKind,
    pub name: String,
    /// Both responsible persons have signed. Whether it is also pinned, only the service's configuration says.
    pub founded: bool,
}

/// An empty account. It can do nothing until its person has made keys and two responsible persons have admitted them.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    #[garde(skip)]
    pub organisation: OrganisationId,
    #[garde(length(min = 3, max = 64), custom(plain_handle))]
    #[schema(min_length = 3, max_length = 64)]
    pub handle: String,
    /// To be one of the two founders who answer for the organisation. Counts only while it is forming.
    #[garde(skip)]
    #[serde(default)]
    pub responsible: bool,
    /// To hold a part of the CUSTODY key. Counts only while it is forming.
    #[garde(skip)]
    #[serde(default)]
    pub custodian: bool,
}

/// The database takes no NUL, and no name has one.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the validator's signature")]
pub(in crate::staff) fn no_controls(text: &str, (): &()) -> garde::Result {
    if text.chars().any(char::is_control) { Err(garde::Error::new("takes no control characters")) } else { Ok(()) }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the validator's signature")]
fn plain_handle(handle: &str, (): &()) -> garde::Result {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let begins = handle.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if begins && handle.chars().all(plain) {
        Ok(())
    } else {
        Err(garde::Error::new("takes a-z, 0-9, dot, dash and underscore, and begins with a letter or digit"))
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct AccountView {
    pub id: AccountId,
    pub organisation: OrganisationId,
    pub handle: String,
    pub enrolled: bool,
    pub disabled: bool,
}

/// Shown once: the administrator hands it to the person, who uses it once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AccountMade {
    pub id: AccountId,
    /// Absent when the same request is answered again: it was shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrolment_code: Option<String>,
    pub enrolment_expires_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Made {
    pub id: uuid::Uuid,
}

/// The role of each founder.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FounderRole {
    #[garde(skip)]
    pub account: AccountId,
    #[garde(skip)]
    pub role: Role,
    /// The person's key fingerprint as they read it out.
    #[garde(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    pub key_fingerprint: String,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFounding {
    /// Every nominated account, with its role.
    #[garde(length(min = 3, max = 9), dive)]
    #[schema(min_items = 3, max_items = 9)]
    pub founders: Vec<FounderRole>,
}

/// A founding statement as it stands.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct FoundingView {
    /// The signed words.
    pub statement: String,
    /// SHA-256 of the words, to be compared out loud and pinned in the configuration.
    pub fingerprint: String,
    pub complete: bool,
}

/// A second signature: names what was read, so that nobody signs something that was changed meanwhile.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Countersignature {
    #[garde(length(min = 64, max = 100))]
    #[schema(min_length = 64, max_length = 100)]
    pub fingerprint: String,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMembership {
    #[garde(skip)]
    pub account: AccountId,
    #[garde(skip)]
    pub role: Role,
    /// The person's key fingerprint as they read it out: a key swapped in the database is noticed here.
    #[garde(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    pub key_fingerprint: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct MembershipMade {
    pub id: MembershipId,
    /// SHA-256 of the statement, to be named by the second responsible person.
    pub fingerprint: String,
}

/// Somebody of one's own organisation.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ColleagueView {
    pub account: AccountId,
    pub handle: String,
    /// As two responsible persons signed it.
    pub role: Role,
}

/// One account as the responsible persons see it.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    pub account: AccountId,
    pub handle: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership: Option<MembershipId>,
    /// The statement to be countersigned, or the one in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub admitted: bool,
    pub disabled: bool,
}

/// Whether two fingerprints are the same one: blanks between the groups, and capitals, make no other.
#[must_use]
pub fn same_fingerprint(stated: &str, known: &str) -> bool {
    let plain = |text: &str| text.split_whitespace().collect::<String>().to_ascii_lowercase();
    plain(stated) == plain(known)
}

/// What two people compare out loud for a person's two public keys.
#[must_use]
pub fn key_fingerprint(keys: &PublicKeys) -> String {
    let digest = Sha256::new().chain_update(keys.kem.0).chain_update(keys.sign.as_bytes()).finalize();
    spoken(digest.get(..16).unwrap_or_default())
}
