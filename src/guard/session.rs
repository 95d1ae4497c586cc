//! A session over stateless replicas: a short access token that says who, and a secret that opens.
//!
//! The token (JWT, `EdDSA`, five minutes) holds ids only. The session secret, 32 random bytes that only the client keeps,
//! splits into a look-up half, which finds the session's row and is what row-level security resolves, and a wrap half,
//! under which that row keeps the person's private keys. The row without the secret, or the secret without the row, is
//! nothing.

use super::action::{Purpose, Role};
use super::bytes::{self, ContentKey, Context};
use super::keys::{PersonKeys, derive};
use super::record::{AccountId, CaseId, OrganisationId, RecordKind, SessionId};
use super::statement::hex;
use super::store::{self, Entered, Found, Visited, VisitedSection};
use super::token::Tokens;
use super::trust::{Member, Trust};
use crate::platform::random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use std::sync::Arc;
use uuid::Uuid;
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

/// What a request shows before anybody has looked into the database: a token that is good, and a secret.
pub struct Presented {
    session: SessionId,
    account: AccountId,
    secret: SessionSecret,
    pub(crate) lookup: Lookup,
}

impl Presented {
    /// Reads both.
    ///
    /// # Errors
    /// [`EnterError::SignIn`] unless the token is valid and the secret has its shape.
    pub fn read(tokens: &Tokens, access_token: &str, secret: &str, now: DateTime<Utc>) -> Result<Self, EnterError> {
        let claims = tokens.verify(access_token, now).ok_or(EnterError::SignIn)?;
        let secret = SessionSecret::parse(secret).ok_or(EnterError::SignIn)?;
        Ok(Self { session: claims.sid, account: claims.sub, lookup: secret.lookup(), secret })
    }

    /// The same session once more, later in a long request: by then the token may be over, but it was good when the request
    /// began. Whether the session is alive, and whose it is, is asked anew.
    ///
    /// # Errors
    /// [`EnterError::SignIn`] unless the secret has its shape.
    pub fn again(who: &Who, secret: &str) -> Result<Self, EnterError> {
        let secret = SessionSecret::parse(secret).ok_or(EnterError::SignIn)?;
        Ok(Self { session: who.session, account: who.account, lookup: secret.lookup(), secret })
    }

    /// Resolves a session's row to who is asking.
    ///
    /// # Errors
    /// [`EnterError::SignIn`] unless token, secret and row belong together.
    pub(crate) fn resolve(self, trust: &Trust, row: &Entered) -> Result<Who, EnterError> {
        if row.session != self.session || row.account != self.account {
            return Err(EnterError::SignIn);
        }
        let keys = self.secret.open_keys(row.session, &row.sealed_keys).ok_or(EnterError::SignIn)?;
        let public = trust.public_of_session(&row.sealed_keys, &keys);
        let member = trust
            .member_of_notes(row.account, row.founding.as_deref(), row.membership.as_deref())
            .ok()
            // The role belongs to the keys that were signed for: a session whose keys are others has no role.
            .filter(|member| public.is_ok_and(|public| public == member.keys));
        Ok(Who {
            account: row.account,
            organisation: row.organisation,
            session: row.session,
            expires_at: row.expires_at,
            member,
            keys,
            lookup: self.lookup,
        })
    }
}

/// Resolves what a request shows to who is asking.
///
/// # Errors
/// [`EnterError::SignIn`] unless the session is alive, and token and secret belong to it.
pub async fn enter(pool: &PgPool, trust: &Trust, presented: Presented) -> Result<Who, EnterError> {
    let row = store::session(pool, &presented.lookup).await?.ok_or(EnterError::SignIn)?;
    trust.learn(pool, row.founding.as_deref()).await?;
    presented.resolve(trust, &row)
}

/// Who asks, and what they find at one place of a case.
pub(crate) struct Visit {
    pub(crate) who: Who,
    pub(crate) found: Found,
    pub(crate) section: Option<VisitedSection>,
}

/// [`enter`], with everything that reading one section asks of the main database, in one round trip. What is fetched is
/// ciphertext: the gate decides afterwards, and opening waits for a receipt as always.
///
/// # Errors
/// As [`enter`].
pub(crate) async fn visit(
    pool: &PgPool,
    trust: &Trust,
    presented: Presented,
    case: CaseId,
    person: Option<Uuid>,
    kind: RecordKind,
) -> Result<Visit, EnterError> {
    let visited = store::visit_section(pool, &presented.lookup, case, person, kind.as_str()).await?;
    let Visited { entered, found, section } = visited.ok_or(EnterError::SignIn)?;
    trust.learn(pool, entered.founding.as_deref()).await?;
    Ok(Visit { who: presented.resolve(trust, &entered)?, found, section })
}

/// The purpose that a client states in the `Purpose` header.
#[must_use]
pub fn stated_purpose(header: Option<&str>) -> Option<Purpose> {
    header.and_then(|text| text.trim().parse().ok())
}
