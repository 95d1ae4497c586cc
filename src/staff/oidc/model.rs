//! What is sent and answered about being named by somebody else.

use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How long a way to the issuer stays open.
pub const WAY: TimeDelta = TimeDelta::minutes(10);
/// How long somebody has who was named.
pub const TICKET: TimeDelta = TimeDelta::minutes(5);

/// Where to send the person, and what to keep until they come back.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct OidcBegun {
    /// The issuer's page.
    pub authorization_url: String,
    /// To be sent when the person comes back; a browser has it as a cookie too. Whoever has not got it finishes nothing.
    pub handle: String,
    pub expires_at: DateTime<Utc>,
}

/// What the issuer sent the person back with.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcReturn {
    #[garde(length(min = 1, max = 128))]
    #[schema(min_length = 1, max_length = 128)]
    pub state: String,
    #[garde(length(min = 1, max = 4096))]
    #[schema(min_length = 1, max_length = 4096)]
    pub code: String,
    /// As it was given at the beginning; without it, the cookie's.
    #[garde(inner(length(min = 1, max = 64)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 64)]
    pub handle: Option<String>,
}

/// The issuer named somebody. Whether we know them is not said.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct OidcNamed {
    /// To be sent as `named`, in the place of `handle`, at one sign-in.
    pub ticket: String,
    pub expires_at: DateTime<Utc>,
}

/// By whom I am named.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct OidcLinkView {
    pub id: Uuid,
    pub issuer: String,
    pub made_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}
