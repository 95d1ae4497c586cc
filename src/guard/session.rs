//! A session over stateless replicas: a short access token that says who, and a secret that opens.
//!
//! The token (JWT, `EdDSA`, five minutes) holds ids only. The session secret, 32 random bytes that only the client keeps,
//! splits into a look-up half, which finds the session's row and is what row-level security resolves, and a wrap half,
//! under which that row keeps the person's private keys. The row without the secret, or the secret without the row, is
//! nothing.

use super::action::{Purpose, Role};
use super::bytes::{self, ContentKey, Context};
use super::keys::{PersonKeys, derive};
use super::record::{AccountId, OrganisationId, SessionId};
use super::statement::hex;
use super::store;
use super::token::{Claims, Tokens};
use super::trust::{Member, Trust};
use crate::platform::random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How long a session lives at most.
pub const LONGEST: chrono::TimeDelta = chrono::TimeDelta::hours(8);

/// What the client keeps for the whole session.
pub struct SessionSecret(Zeroizing<[u8; 32]>);

/// The half that finds the session. The database resolves it; it opens nothing.
pub struct Lookup(Zeroizing<[u8; 32]>);

impl Lookup {
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &*self.0
    }

    /// As the database setting holds it.
    #[must_use]
    pub fn hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex(&*self.0))
    }
}

impl SessionSecret {
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// Reads what the client sent; `None` unless it is 32 bytes of unpadded base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let bytes: [u8; 32] = bytes.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }

    /// To be given to the client, once.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    #[must_use]
    pub fn lookup(&self) -> Lookup {
        Lookup(derive(&*self.0, &[], "himaya session look-up v1"))
    }

    fn wrap_key(&self) -> ContentKey {
        ContentKey::from_bytes(*derive(&*self.0, &[], "himaya session wrap v1"))
    }

    /// Seals a person's keys for the session's row.
    ///
    /// # Errors
    /// If the cipher refuses, which it does for no secret of this length.
    pub fn seal_keys(&self, session: SessionId, keys: &PersonKeys) -> Result<Vec<u8>, bytes::SealError> {
        bytes::seal(&self.wrap_key(), 1, &context(session), &*keys.to_secret())
    }

    fn open_keys(&self, session: SessionId, sealed: &[u8]) -> Option<PersonKeys> {
        let secret = bytes::open(&self.wrap_key(), 1, &context(session), sealed).ok()?;
        PersonKeys::from_secret(&secret).ok()
    }
}

fn context(session: SessionId) -> Context {
    Context::new("sessions", session.0.into_bytes(), "keys", 1, 1)
}

/// Who is asking, for the length of one request: the unwrapped keys are zeroised when it ends.
pub struct Who {
    pub account: AccountId,
    pub organisation: OrganisationId,
    pub session: SessionId,
    pub expires_at: DateTime<Utc>,
    /// The proven membership, or nothing for somebody who is not admitted yet.
    pub member: Option<Arc<Member>>,
    pub(crate) keys: PersonKeys,
    pub(crate) lookup: Lookup,
}

impl Who {
    /// The role that the policy is asked about.
    #[must_use]
    pub fn role(&self) -> Role {
        self.member.as_ref().map_or(Role::Unadmitted, |member| member.role)
    }
}

/// Why nobody was let in. All of it looks the same from outside: 401.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    #[error("sign in")]
    SignIn,
    #[error("the session could not be read")]
    Store(#[from] sqlx::Error),
}

/// Resolves a request's token and secret to who is asking.
///
/// # Errors
/// [`EnterError::SignIn`] unless the token is valid, the session alive, and both belong together.
pub async fn enter(
    pool: &PgPool,
    tokens: &Tokens,
    trust: &Trust,
    access_token: &str,
    secret: &str,
    now: DateTime<Utc>,
) -> Result<Who, EnterError> {
    let claims: Claims = tokens.verify(access_token, now).ok_or(EnterError::SignIn)?;
    let secret = SessionSecret::parse(secret).ok_or(EnterError::SignIn)?;
    let lookup = secret.lookup();
    let row = store::session(pool, &lookup).await?.ok_or(EnterError::SignIn)?;
    if row.session != claims.sid || row.account != claims.sub {
        return Err(EnterError::SignIn);
    }
    let keys = secret.open_keys(row.session, &row.sealed_keys).ok_or(EnterError::SignIn)?;
    let member = trust
        .member_of_notes(row.account, row.founding.as_deref(), row.membership.as_deref())
        .ok()
        // The role belongs to the keys that were signed for: a session whose keys are others has no role.
        .filter(|member| keys.public().is_ok_and(|public| public == member.keys));
    Ok(Who {
        account: row.account,
        organisation: row.organisation,
        session: row.session,
        expires_at: row.expires_at,
        member,
        keys,
        lookup,
    })
}

/// The purpose that a client states in the `Purpose` header.
#[must_use]
pub fn stated_purpose(header: Option<&str>) -> Option<Purpose> {
    header.and_then(|text| text.trim().parse().ok())
}
