//! What every handler takes in and gives out: who asks, a checked body, the headers that make repeating safe.
//!
//! Here is who asks, why, and about what; `origin` is from where, `body` checks what is sent, `repeat` makes sending again safe, `time` is what
//! counts as a time, `answer` and `pages` are what goes out.

mod answer;
mod body;
mod client;
mod origin;
mod pages;
mod repeat;
mod time;

pub use answer::{Answer, Lasting};
pub use body::{Body, LARGEST_BODY};
pub use client::{Client, Here};
pub use origin::{Origin, Peer};
pub use pages::{Listed, Page, Paged};
pub use repeat::{IdempotencyKey, IfMatch, Once, Passage};
pub(crate) use time::{maybe_day, maybe_moment, moment};

use crate::guard::action::Purpose;
use crate::guard::session::{self, EnterError, Presented, Who};
use crate::guard::statement::hex;
use crate::platform::app::App;
use crate::platform::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use uuid::Uuid;

/// The header in which the session secret travels, beside `Authorization: Bearer`.
pub const SESSION_HEADER: &str = "himaya-session";

/// Both halves of a session, not looked up yet: for a handler that finds more than the session in one round trip.
pub struct Shown(pub Presented);

impl FromRequestParts<App> for Shown {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let token = text(header::AUTHORIZATION.as_str())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(Problem::sign_in)?;
        let secret = text(SESSION_HEADER).ok_or_else(Problem::sign_in)?;
        Ok(Self(Presented::read(&app.tokens, token, secret, app.places.clock.now())?))
    }
}

/// Who asks: a live session with both halves. Anything else is 401.
pub struct SignedIn(pub Arc<Who>);

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Shown(presented) = Shown::from_request_parts(parts, app).await?;
        Ok(Self(Arc::new(session::enter(&app.places.visits, &app.places.trust, presented).await?)))
    }
}

/// Who asks, at the end of a request that took long: the session may have ended meanwhile, or the person may have another
/// role, or none.
///
/// # Errors
/// 401 unless the session is still alive.
pub async fn still_signed_in(app: &App, who: &Who, headers: &HeaderMap) -> Result<Arc<Who>, Problem> {
    let secret = headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok()).ok_or_else(Problem::sign_in)?;
    let presented = Presented::again(who, secret)?;
    Ok(Arc::new(session::enter(&app.places.visits, &app.places.trust, presented).await?))
}

impl From<EnterError> for Problem {
    fn from(error: EnterError) -> Self {
        match error {
            EnterError::SignIn => Self::sign_in(),
            EnterError::Store(error) => error.into(),
        }
    }
}

/// The purpose stated for a read. Absent or unknown words count as none: the gate decides what that means.
pub struct Stated(pub Option<Purpose>);

impl FromRequestParts<App> for Stated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        let mut stated = parts.headers.get_all("purpose").iter();
        // Two purposes are none: nobody could say which of them the ledger should hold.
        let (first, second) = (stated.next(), stated.next());
        let only = first.filter(|_| second.is_none());
        Ok(Self(session::stated_purpose(only.and_then(|value| value.to_str().ok()))))
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

/// A short name for a key that two people compare out loud: eight groups of four hexadecimal digits.
#[must_use]
pub fn spoken(bytes: &[u8]) -> String {
    let text = hex(bytes);
    let groups: Vec<String> =
        text.as_bytes().chunks(4).take(8).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join(" ")
}
