//! The headers that make repeating safe: `If-Match` and `Idempotency-Key`.

use super::Answer;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does, Passed, Target};
use crate::guard::session::Who;
use crate::guard::store::{self, Answered, ToRemember};
use crate::platform::app::App;
use crate::platform::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::sync::Arc;

/// Leave, or what was answered to the same request before.
pub type Passage<V, K> = Passed<V, K, Answer>;

/// `If-Match`: the version that the client read. Needed wherever a record is replaced.
pub struct IfMatch(Option<i64>);

/// No version is negative.
const UNREADABLE: i64 = -1;

impl IfMatch {
    /// # Errors
    /// 428 without the header, 412 when it names another version.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        match self.0 {
            Some(UNREADABLE) => {
                Err(Problem::field("If-Match", "is one ETag as it was read: a number in quotation marks"))
            }
            Some(read) if read == version => Ok(()),
            Some(_) => Err(Problem::lost_update()),
            None => Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "if_match_needed",
                "Send If-Match with the ETag that you read, so that nobody's change is lost. Nothing was stored.",
            )),
        }
    }
}

impl FromRequestParts<App> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        let version = parts
            .headers
            .get(header::IF_MATCH)
            .and_then(|value| value.to_str().ok())
            .map(|text| text.trim().trim_matches('"').parse().unwrap_or(UNREADABLE));
        Ok(Self(version))
    }
}

fn as_given(before: Answered) -> Answer {
    let status = u16::try_from(before.status).ok().and_then(|code| StatusCode::from_u16(code).ok());
    Answer { status: status.unwrap_or(StatusCode::OK), body: before.answer, version: before.version }
}

/// `Idempotency-Key`: needed on every POST that creates, so that sending again after a lost answer stores once.
pub struct IdempotencyKey {
    key: Option<String>,
    route: String,
}

impl FromRequestParts<App> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        let key = parts.headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { key, route: format!("{} {}", parts.method, parts.uri.path()) })
    }
}

/// A creating request that is stored once.
pub struct Once {
    key_hash: Vec<u8>,
    body_hash: Vec<u8>,
}

impl IdempotencyKey {
    /// Binds the key to this person and this body. Both are hashed under a secret of the person, since a plain hash of a
    /// body would let a thief confirm a guess.
    ///
    /// # Errors
    /// 422 when the header is missing or is not 8 to 128 visible ASCII characters.
    pub fn for_body(&self, who: &Who, raw: &[u8]) -> Result<Once, Problem> {
        let key = self.key.as_deref().filter(|key| (8..=128).contains(&key.len())).ok_or_else(|| {
            Problem::field("Idempotency-Key", "send this header with 8 to 128 characters, new for each new thing")
        })?;
        let secret = who.keys.derive("himaya idempotency v1");
        let tag = |parts: [&[u8]; 2]| -> Result<Vec<u8>, Problem> {
            let mut mac = Hmac::<Sha256>::new_from_slice(&*secret).map_err(|_| Problem::fault("a hash has no key"))?;
            for part in parts {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part);
            }
            Ok(mac.finalize().into_bytes().to_vec())
        };
        Ok(Once { key_hash: tag([b"key", key.as_bytes()])?, body_hash: tag([self.route.as_bytes(), raw])? })
    }
}

impl Once {
    /// The answer that was given before, if this request was carried out already; then that is an entry.
    ///
    /// # Errors
    /// 422 when the key was used for something else; 503 when the ledger does not take the entry.
    pub async fn replay<V: Does, K: About>(&self, unit: &mut Unit<V, K>) -> Result<Option<Answer>, Problem> {
        let account = unit.account();
        let Some(before) = store::answered(unit.sql(), account, &self.key_hash).await? else { return Ok(None) };
        if before.body_hash != self.body_hash {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request. Nothing was stored.",
            ));
        }
        unit.repeated().await?;
        Ok(Some(as_given(before)))
    }

    /// [`Self::replay`] outside of any unit: the answer to exactly this request, which the person was given before. Nothing for any
    /// other.
    ///
    /// # Errors
    /// When the database does not answer.
    async fn given_before(&self, app: &App, who: &Who) -> Result<Option<Answer>, Problem> {
        let mut transaction = app.databases.app.begin().await?;
        store::enter(&mut transaction, &who.lookup).await?;
        let before = store::answered(&mut transaction, who.account, &self.key_hash).await?;
        // Given up, not awaited: it is rolled back on the way back into the pool.
        drop(transaction);
        Ok(before.filter(|before| before.body_hash == self.body_hash).map(as_given))
    }

    /// The gate for work by which the person's own hold on the record ends: who sends it again has no leave any more, and gets
    /// the answer that they were given, which holds ids, states and versions. Whoever lost an answer would otherwise be told that
    /// there is no such record, and look in the ledger like somebody who tries doors.
    ///
    /// `once` is `None` for a request that cannot have been answered before.
    ///
    /// # Errors
    /// As [`Gate::authorize`](crate::guard::gate::Gate::authorize).
    pub async fn leave_or_answer<V: Does, K: About>(
        once: Option<&Self>,
        app: &App,
        who: &Arc<Who>,
        target: Target,
    ) -> Result<Passage<V, K>, Problem> {
        let before = async {
            match once {
                Some(once) => once.given_before(app, who).await,
                None => Ok(None),
            }
        };
        app.gate.authorize_or(who, target, None, before).await
    }

    /// Remembers the answer in the unit's own transaction.
    ///
    /// # Errors
    /// 409 when the same request is being carried out at this moment.
    pub async fn remember<V: Does, K: About>(&self, unit: &mut Unit<V, K>, answer: &Answer) -> Result<(), Problem> {
        let (account, now) = (unit.account(), unit.now());
        let status = i16::try_from(answer.status.as_u16()).unwrap_or(200);
        let new = ToRemember {
            key_hash: &self.key_hash,
            body_hash: &self.body_hash,
            status,
            answer: &answer.body,
            version: answer.version,
        };
        let first = store::remember_answer(unit.sql(), account, &new, now).await?;
        if first {
            return Ok(());
        }
        Err(Problem::illegal("in_progress", "The same request is being carried out. Send it again to get its answer."))
    }
}
