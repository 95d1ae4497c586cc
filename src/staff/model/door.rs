//! Coming in, and what one comes in with: enrolment, sessions, credentials, devices.

use super::no_controls;
use crate::guard::action::Role;
use crate::guard::keys::PersonKeys;
use crate::guard::record::{AccountId, CredentialId, DeviceId, OrganisationId, SessionId};
use crate::guard::words::words;
use crate::staff::passkeys::model::Assertion;
use crate::staff::store::KeptPasskey;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// First sign-in: the code that the administrator handed over.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    #[garde(length(min = 1, max = 64), custom(no_controls))]
    #[schema(min_length = 1, max_length = 64)]
    pub handle: String,
    #[garde(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    pub code: String,
}

/// Shown once, to the person alone.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    pub account: AccountId,
    /// Seven words. They unlock the person's keys; nobody can look them up again.
    pub passphrase: String,
    /// To be read out to the two responsible persons, who admit exactly these keys.
    pub key_fingerprint: String,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    #[garde(length(max = 64), custom(no_controls))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub handle: String,
    /// In its place: the ticket of somebody whom the issuer has named. It counts for one sign-in.
    #[garde(inner(length(min = 1, max = 64)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub named: Option<String>,
    #[garde(inner(length(min = 1, max = 256)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    pub passphrase: Option<String>,
    /// The printed one. It stands for the passphrase, or beside it for the code, and is used up.
    #[garde(inner(length(min = 1, max = 256)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    pub recovery_code: Option<String>,
    /// As it answered when it was asked for (`POST /api/v1/sessions/passkey`). With what its PRF gave it stands alone; without,
    /// it stands beside the passphrase in the place of the code.
    #[garde(dive)]
    #[serde(default)]
    pub passkey: Option<Assertion>,
    /// As the authenticator shows it, for somebody who has one.
    #[garde(inner(length(min = 1, max = 16)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 16)]
    pub code: Option<String>,
    /// The token that this device was given at an earlier sign-in: others' wrong tries do not count here.
    #[garde(inner(length(min = 1, max = 64)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub device: Option<String>,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    #[garde(length(min = 1, max = 64))]
    #[schema(min_length = 1, max_length = 64)]
    pub refresh_handle: String,
}

/// What the client keeps. `session_secret` stays the same for the session; the other two change with each refresh.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SignedInView {
    pub account: AccountId,
    pub session: SessionId,
    pub role: Role,
    /// Sent as `Authorization: Bearer`; lives five minutes.
    pub access_token: String,
    /// Sent as `Himaya-Session` for the whole session. The service does not keep it: it is told once.
    pub session_secret: String,
    /// Gets the next access token, once.
    pub refresh_handle: String,
    /// To be kept on this device and sent at the next sign-in. It opens nothing.
    pub device: String,
    /// The new one, shown once, when a recovery code stood for the one before: that opens nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    /// The next one, shown once, when one was used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<String>,
    pub access_expires_at: DateTime<Utc>,
    pub session_expires_at: DateTime<Utc>,
}

/// What a refresh gives: the session secret stays what it is.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Refreshed {
    pub account: AccountId,
    pub session: SessionId,
    pub access_token: String,
    /// The one before stays good for 30 seconds, in case this answer is lost; used later, it ends the session.
    pub refresh_handle: String,
    pub access_expires_at: DateTime<Utc>,
    pub session_expires_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct CurrentSession {
    pub session: SessionId,
    pub account: AccountId,
    pub organisation: OrganisationId,
    pub role: Role,
    pub expires_at: DateTime<Utc>,
}

/// One of a person's own sessions.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    pub id: SessionId,
    /// The one in which this is asked.
    pub this: bool,
    pub started_at: DateTime<Utc>,
    /// To the minute.
    pub last_seen_at: DateTime<Utc>,
    /// It ends then at the latest, and after twenty minutes without a request.
    pub expires_at: DateTime<Utc>,
}

words! {
    /// How somebody shows who they are.
    pub enum CredentialKind {
        Passphrase = "passphrase",
        RecoveryCode = "recovery_code",
        Totp = "totp",
        Passkey = "passkey",
    }
}

/// One of a person's ways to show who they are.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CredentialView {
    pub id: CredentialId,
    pub kind: CredentialKind,
    /// What the person calls a passkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether it opens the person's keys, or is a second factor only.
    pub opens_keys: bool,
    pub made_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    /// When a passkey counted backwards: there may be a copy of it. Remove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_at: Option<DateTime<Utc>>,
}

impl CredentialView {
    pub(in crate::staff) fn of_passkey(kept: &KeptPasskey, keys: &PersonKeys) -> Self {
        Self {
            id: kept.id,
            kind: CredentialKind::Passkey,
            label: kept.bound().label(keys, &kept.sealed).filter(|label| !label.is_empty()),
            opens_keys: kept.slot.is_some(),
            made_at: kept.made_at,
            last_used_at: kept.last_used_at,
            copied_at: kept.copied_at,
        }
    }
}

/// A factor shown anew: with an authenticator its code, with a passkey that, with either the recovery code; without them the
/// passphrase.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fresh {
    #[garde(inner(length(min = 1, max = 256)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    pub passphrase: Option<String>,
    #[garde(inner(length(min = 1, max = 256)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256)]
    pub recovery_code: Option<String>,
    #[garde(inner(length(min = 1, max = 16)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 16)]
    pub code: Option<String>,
    /// As it answered when it was asked for (`POST /api/v1/credentials/passkeys/ask`).
    #[garde(dive)]
    #[serde(default)]
    pub passkey: Option<Assertion>,
}

/// The first code of an authenticator.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TotpCode {
    #[garde(length(min = 1, max = 16))]
    #[schema(min_length = 1, max_length = 16)]
    pub code: String,
}

/// Shown once: what the authenticator is to share.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TotpBegun {
    /// To be typed.
    pub secret: String,
    /// To be shown as a picture.
    pub uri: String,
    /// The next one, when one was used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<String>,
}

/// What was changed. New words are shown once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CredentialChanged {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<String>,
    /// The person's other sessions: they ended.
    pub ended: Vec<SessionId>,
}

/// A device on which the person has signed in.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct DeviceView {
    pub id: DeviceId,
    pub made_at: DateTime<Utc>,
    /// After half a year without a sign-in it is forgotten.
    pub last_used_at: DateTime<Utc>,
}

/// Sessions that ended just now.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SessionsEnded {
    pub ended: Vec<SessionId>,
}
