//! What is sent and answered about passkeys. Bytes are base64url without padding, as `PublicKeyCredential.toJSON()` has them.

use crate::guard::passkey::PrfOutput;
use crate::guard::record::{CredentialId, SessionId};
use crate::guard::words::words;
use crate::staff::model::no_controls;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many passkeys one person has at most; so many are asked for at the door, whoever it is.
pub const MOST: usize = 10;

words! {
    /// What a challenge is for.
    pub enum CeremonyKind {
        /// At the door.
        SignIn = "sign_in",
        /// A factor shown anew in a session.
        Again = "again",
        /// A new passkey.
        Register = "register",
    }
}

/// Whose passkey is asked for, at the door.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedAtTheDoor {
    #[garde(length(min = 1, max = 64), custom(no_controls))]
    #[schema(min_length = 1, max_length = 64)]
    pub handle: String,
}

/// A challenge: five minutes long, once, at whichever replica.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PasskeyAsked {
    /// To be sent back with the answer.
    pub ceremony: Uuid,
    /// For `PublicKeyCredential.parseRequestOptionsFromJSON`, with the salts of the PRF extension.
    #[schema(value_type = Object)]
    pub options: serde_json::Value,
}

/// A new passkey is awaited: five minutes long, once, in this session.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PasskeyBegun {
    pub ceremony: Uuid,
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON`, with the salt of the PRF extension.
    #[schema(value_type = Object)]
    pub options: serde_json::Value,
    /// The next one, when one was used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_code: Option<String>,
}

/// What the authenticator showed when it made a passkey.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPasskey {
    #[garde(skip)]
    pub ceremony: Uuid,
    /// What the person calls it, to know it again: sealed.
    #[garde(inner(length(chars, max = 64)))]
    #[serde(default)]
    #[schema(max_length = 64)]
    pub label: Option<String>,
    #[garde(length(min = 1, max = 1364))]
    #[schema(min_length = 1, max_length = 1364)]
    pub credential_id: String,
    #[garde(length(min = 1, max = 65536))]
    #[schema(min_length = 1, max_length = 65536)]
    pub attestation_object: String,
    #[garde(length(min = 1, max = 4096))]
    #[schema(min_length = 1, max_length = 4096)]
    pub client_data_json: String,
    /// As `getTransports()` says.
    #[garde(length(max = 8), inner(length(min = 1, max = 32), custom(no_controls)))]
    #[serde(default)]
    #[schema(max_items = 8)]
    pub transports: Vec<String>,
    /// What the PRF extension gave, if it gave something already: many authenticators do so from the first use on.
    #[garde(skip)]
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 43, max_length = 43)]
    pub prf: Option<PrfOutput>,
}

/// What the authenticator answered to a challenge.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    #[garde(skip)]
    pub ceremony: Uuid,
    #[garde(length(min = 1, max = 1364))]
    #[schema(min_length = 1, max_length = 1364)]
    pub credential_id: String,
    #[garde(length(min = 1, max = 4096))]
    #[schema(min_length = 1, max_length = 4096)]
    pub authenticator_data: String,
    #[garde(length(min = 1, max = 4096))]
    #[schema(min_length = 1, max_length = 4096)]
    pub client_data_json: String,
    #[garde(length(min = 1, max = 4096))]
    #[schema(min_length = 1, max_length = 4096)]
    pub signature: String,
    #[garde(inner(length(max = 128)))]
    #[serde(default)]
    #[schema(max_length = 128)]
    pub user_handle: Option<String>,
    /// What the PRF extension gave: it opens the person's keys.
    #[garde(skip)]
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 43, max_length = 43)]
    pub prf: Option<PrfOutput>,
}

/// A passkey that counts from here on.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PasskeyMade {
    pub id: CredentialId,
    /// It opens the person's keys. If not, ask for it once: what the PRF gives then may (`…/passkeys/unlock`).
    pub opens_keys: bool,
    /// The person's other sessions: they ended.
    pub ended: Vec<SessionId>,
}
