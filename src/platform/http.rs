//! What every handler takes in and gives out: who asks, a checked body, the headers that make repeating safe.

use crate::audit::unit::Unit;
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Does};
use crate::guard::session::{self, EnterError, Who};
use crate::guard::{statement::hex, store};
use crate::platform::app::App;
use crate::platform::problem::{FieldProblem, Problem};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// The largest body that a route takes.
pub const LARGEST_BODY: usize = 256 * 1024;
/// The header in which the session secret travels, beside `Authorization: Bearer`.
pub const SESSION_HEADER: &str = "himaya-session";

/// Who asks: a live session with both halves. Anything else is 401.
pub struct SignedIn(pub Arc<Who>);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let token = text(header::AUTHORIZATION.as_str())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(Problem::sign_in)?;
        let secret = text(SESSION_HEADER).ok_or_else(Problem::sign_in)?;
        let trust = &app.places.trust;
        match session::enter(&app.places.main, &app.tokens, trust, token, secret, app.places.clock.now()).await {
            Ok(who) => Ok(Self(Arc::new(who))),
            Err(EnterError::SignIn) => Err(Problem::sign_in()),
            Err(EnterError::Store(error)) => Err(error.into()),
        }
    }
}

/// The purpose stated for a read. Absent or unknown words count as none: the gate decides what that means.
pub struct Stated(pub Option<Purpose>);

impl FromRequestParts<App> for Stated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        Ok(Self(session::stated_purpose(parts.headers.get("purpose").and_then(|value| value.to_str().ok()))))
    }
}

/// One id in the path. A path that holds none is answered like a record that is not there.
pub struct Id(pub Uuid);

impl FromRequestParts<App> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(id) = Path::from_request_parts(parts, app).await.map_err(|_| Problem::absent())?;
        Ok(Self(id))
    }
}

/// Several parts of a path; likewise.
pub struct InPath<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(path) = Path::from_request_parts(parts, app).await.map_err(|_| Problem::absent())?;
        Ok(Self(path))
    }
}

/// A JSON body that fits its type, with the bytes it was sent as. `check` applies the fields' own bounds: handlers call
/// it after the gate, so that nothing about a record can be learnt from a bad body.
pub struct Body<T> {
    value: Result<T, Problem>,
    raw: Bytes,
}

impl<T> Body<T>
where
    T: Validate<Context = ()>,
{
    /// The content, within its bounds.
    ///
    /// # Errors
    /// 400 for what is no JSON, 422 with the field's name for what does not fit.
    pub fn check(self) -> Result<T, Problem> {
        let value = self.value?;
        value.validate().map_err(|report| {
            let errors = report
                .iter()
                .map(|(path, error)| FieldProblem { field: path.to_string(), message: error.to_string() })
                .collect();
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A field is not right. Nothing was stored.")
                .with_fields(errors)
        })?;
        Ok(value)
    }

    /// The bytes, for telling a repeated request from another one under the same key.
    #[must_use]
    pub fn raw(&self) -> Bytes {
        self.raw.clone()
    }
}

impl<T: DeserializeOwned + Send> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.split(';').next().is_some_and(|kind| kind.trim() == "application/json"));
        let raw = Bytes::from_request(request, app).await.map_err(|_| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The body is larger than 256 KiB. Nothing was stored.",
            )
        })?;
        let value = if json {
            parse(&raw)
        } else {
            Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "Send the body as application/json. Nothing was stored.",
            ))
        };
        Ok(Self { value, raw })
    }
}

fn parse<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Problem> {
    let malformed = |detail| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail);
    if std::str::from_utf8(raw).is_err() {
        return Err(malformed("The body is not UTF-8. Nothing was stored."));
    }
    let mut reader = serde_json::Deserializer::from_slice(raw);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                let (field, message) = what_does_not_fit(&path, &inner.to_string());
                Problem::field(field, message)
            }
            _ => malformed("The body is not JSON. Nothing was stored."),
        }
    })?;
    reader.end().map_err(|_| malformed("There is something behind the JSON. Nothing was stored."))?;
    Ok(value)
}

/// Field and rule, from the library's sentence; the value, which that sentence may quote, is left out.
fn what_does_not_fit(path: &str, sentence: &str) -> (String, &'static str) {
    let named = |rest: &str| {
        let name: String = rest.chars().take_while(|c| *c != '`').take(64).collect();
        let prefix = if path == "." { String::new() } else { format!("{path}.") };
        // A field's name is the client's own word: it is repeated only when it looks like a name.
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if plain { format!("{prefix}{name}") } else { path.to_owned() }
    };
    if let Some(rest) = sentence.strip_prefix("unknown field `") {
        (named(rest), "there is no such field")
    } else if let Some(rest) = sentence.strip_prefix("missing field `") {
        (named(rest), "is needed")
    } else if sentence.starts_with("unknown variant") {
        (path.to_owned(), "is not one of the words that stand here")
    } else if sentence.starts_with("duplicate field") {
        (path.to_owned(), "stands twice")
    } else {
        (path.to_owned(), "has the wrong type")
    }
}

/// `If-Match`: the version that the client read. Needed wherever a record is replaced.
pub struct IfMatch(Option<i64>);

impl IfMatch {
    /// # Errors
    /// 428 without the header, 412 when it names another version.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        match self.0 {
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
            .map(|text| text.trim().trim_matches('"').parse().unwrap_or(-1));
        Ok(Self(version))
    }
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
    /// The answer that was given before, if this request was carried out already.
    ///
    /// # Errors
    /// 422 when the key was used for something else.
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
        let status = u16::try_from(before.status).ok().and_then(|code| StatusCode::from_u16(code).ok());
        Ok(Some(Answer { status: status.unwrap_or(StatusCode::OK), body: before.answer, version: None }))
    }

    /// Remembers the answer in the unit's own transaction.
    ///
    /// # Errors
    /// 409 when the same request is being carried out at this moment.
    pub async fn remember<V: Does, K: About>(&self, unit: &mut Unit<V, K>, answer: &Answer) -> Result<(), Problem> {
        let (account, now) = (unit.account(), unit.now());
        let status = i16::try_from(answer.status.as_u16()).unwrap_or(200);
        let first =
            store::remember_answer(unit.sql(), account, &self.key_hash, &self.body_hash, status, &answer.body, now)
                .await?;
        if first {
            return Ok(());
        }
        Err(Problem::illegal("in_progress", "The same request is being carried out. Send it again to get its answer."))
    }
}

/// An answer of ids, states and versions.
pub struct Answer {
    status: StatusCode,
    body: serde_json::Value,
    version: Option<i64>,
}

impl Answer {
    /// # Errors
    /// If the body cannot be written as JSON, which no type here does.
    pub fn created<T: Serialize>(body: &T) -> Result<Self, Problem> {
        Self::with(StatusCode::CREATED, body)
    }

    /// # Errors
    /// As [`Self::created`].
    pub fn ok<T: Serialize>(body: &T) -> Result<Self, Problem> {
        Self::with(StatusCode::OK, body)
    }

    fn with<T: Serialize>(status: StatusCode, body: &T) -> Result<Self, Problem> {
        let body = serde_json::to_value(body).map_err(|_| Problem::fault("an answer cannot be written"))?;
        Ok(Self { status, body, version: None })
    }

    /// The version to send back in `If-Match`.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(version) = self.version
            && let Ok(etag) = HeaderValue::from_str(&format!("\"{version}\""))
        {
            headers.insert(header::ETAG, etag);
        }
        (self.status, headers, Json(self.body)).into_response()
    }
}

/// A page of a list: where to go on, and how much at most.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 100; 50 if absent.
    pub limit: Option<i64>,
}

/// A list's page as it is sent.
#[derive(Serialize, ToSchema)]
pub struct Listed<T> {
    pub items: Vec<T>,
    /// Send as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The page asked for, checked.
pub struct Paged {
    pub limit: i64,
    pub cursor: Option<String>,
}

impl FromRequestParts<App> for Paged {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Query(page) = Query::<Page>::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::field("query", "takes `cursor` and `limit` and nothing else"))?;
        let limit = page.limit.unwrap_or(50);
        if !(1..=100).contains(&limit) {
            return Err(Problem::field("limit", "is a number from 1 to 100"));
        }
        if page.cursor.as_ref().is_some_and(|cursor| cursor.len() > 200) {
            return Err(Problem::field("cursor", "is not one of ours"));
        }
        Ok(Self { limit, cursor: page.cursor })
    }
}

impl Paged {
    /// A cursor that is a number: the list goes down from it.
    ///
    /// # Errors
    /// 422 for a cursor that this list never gave.
    pub fn before(&self) -> Result<i64, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(i64::MAX) };
        cursor.parse().map_err(|_| Problem::field("cursor", "is not one of ours"))
    }

    /// The page that a list of at most `limit + 1` rows makes.
    pub fn page<T>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> i64) -> Listed<T> {
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > most;
        items.truncate(most);
        let next = if more { items.last().map(|last| cursor(last).to_string()) } else { None };
        Listed { items, next }
    }
}

/// A short name for a key that two people compare out loud: eight groups of four hexadecimal digits.
#[must_use]
pub fn spoken(bytes: &[u8]) -> String {
    let text = hex(bytes);
    let groups: Vec<String> =
        text.as_bytes().chunks(4).take(8).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join(" ")
}
