//! Who is at a page: the session that their browser keeps, the language that they read, and from where they come.

use super::Console;
use super::cookies::{self, Halves, Kept};
use super::refused::Refused;
use crate::platform::http::{Client, Peer};
use crate::platform::language::Language;
use crate::staff::model::{CurrentSession, Refreshed, SignedInView};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One request to a page.
#[derive(Clone)]
pub struct Visitor(Arc<Inner>);

struct Inner {
    console: Console,
    language: Language,
    path: String,
    /// Whether the address is a page that can be looked at again, and not a form that was sent.
    looks: bool,
    /// A script of ours asks, and not a person by their browser: it is answered in JSON.
    script: bool,
    peer: Option<ConnectInfo<Peer>>,
    client: Option<Client>,
    forwarded: Vec<HeaderValue>,
    kept: Mutex<(Kept, Vec<HeaderValue>)>,
}

impl Visitor {
    /// Who sends this, and in which language they chose to be spoken to just now.
    pub(super) fn of(console: &Console, parts: &Parts, chosen: Option<Language>) -> Self {
        let script = parts.headers.get(header::ACCEPT).is_some_and(|accepts| accepts == "application/json");
        let inner = Self::inner(console, &parts.headers);
        Self(Arc::new(Inner {
            script,
            language: chosen.unwrap_or(inner.language),
            path: parts.uri.path().to_owned(),
            looks: parts.method == Method::GET,
            kept: if from_beside(parts) { Mutex::default() } else { inner.kept },
            peer: parts.extensions.get().copied(),
            client: parts.extensions.get().cloned(),
            ..inner
        }))
    }

    /// Somebody of whom nothing but the headers is known.
    pub(super) fn stranger(console: &Console, headers: &HeaderMap) -> Self {
        Self(Arc::new(Self::inner(console, headers)))
    }

    fn inner(console: &Console, headers: &HeaderMap) -> Inner {
        let kept = Kept::of(headers);
        let chosen = kept.language.as_deref().and_then(|chosen| chosen.parse().ok());
        Inner {
            console: console.clone(),
            language: chosen.unwrap_or_else(|| preferred(headers)),
            path: "/".to_owned(),
            looks: true,
            script: false,
            peer: None,
            client: None,
            forwarded: headers.get_all("x-forwarded-for").iter().cloned().collect(),
            kept: Mutex::new((kept, Vec::new())),
        }
    }

    pub(super) fn console(&self) -> &Console {
        &self.0.console
    }

    pub(super) fn api(&self) -> Router {
        self.0.console.0.api.clone()
    }

    #[must_use]
    pub fn language(&self) -> Language {
        self.0.language
    }

    /// The address that was asked for.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The page to which one comes back: this one, or the first where this is the answer to a form.
    #[must_use]
    pub fn own_page(&self) -> &str {
        if self.0.looks { &self.0.path } else { "/" }
    }

    #[must_use]
    pub fn is_script(&self) -> bool {
        self.0.script
    }

    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.0.console.0.clock.now()
    }

    /// A moment as somebody typed it by the clocks of the country (`2026-11-23T14:05`), for the API. What is none is sent as it
    /// is, so that the API refuses it by its name.
    #[must_use]
    pub fn moment_typed(&self, typed: &str) -> String {
        let moment = NaiveDateTime::parse_from_str(typed.trim(), "%Y-%m-%dT%H:%M").ok();
        let moment = moment.and_then(|moment| moment.and_local_timezone(self.0.console.0.offset).single());
        moment.map_or_else(|| typed.to_owned(), |moment| moment.to_utc().to_rfc3339())
    }

    fn kept(&self) -> MutexGuard<'_, (Kept, Vec<HeaderValue>)> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn session(&self) -> Option<Halves> {
        self.kept().0.session.clone()
    }

    /// What the API knows of a client beside its session goes with the page's own requests.
    pub(super) fn stands_behind(&self, request: &mut Request<Body>) {
        for value in &self.0.forwarded {
            request.headers_mut().append("x-forwarded-for", value.clone());
        }
        if let Some(peer) = self.0.peer {
            request.extensions_mut().insert(peer);
        }
        if let Some(client) = &self.0.client {
            request.extensions_mut().insert(client.clone());
        }
    }

    /// Sends a cookie with the answer.
    pub(super) fn keeps(&self, cookies: Vec<HeaderValue>) {
        self.kept().1.extend(cookies);
    }

    pub(super) fn to_be_set(&self) -> Vec<HeaderValue> {
        std::mem::take(&mut self.kept().1)
    }

    /// The session is over, whatever the browser still keeps of it. Who came without one keeps theirs: a link on another site's page comes
    /// without, and would sign somebody out.
    pub fn forgets_session(&self) {
        if self.kept().0.session.take().is_some() {
            self.keeps(cookies::drop_session());
        }
    }

    /// Signs in; the session is kept from here on.
    ///
    /// # Errors
    /// As the door refuses.
    pub async fn sign_in(&self, mut shown: serde_json::Value) -> Result<SignedInView, Refused> {
        if let (Some(shown), Some(device)) = (shown.as_object_mut(), self.kept().0.device.clone()) {
            shown.insert("device".to_owned(), json!(device));
        }
        let view = self.post("/api/v1/sessions").without_session().json(&shown)?.send::<SignedInView>().await?.body;
        let session = Halves {
            access: view.access_token.clone().into(),
            secret: view.session_secret.clone().into(),
            refresh: view.refresh_handle.clone().into(),
        };
        self.keeps([cookies::keep_session(&session), cookies::keep_device(&view.device)].concat());
        self.kept().0.session = Some(session);
        Ok(view)
    }

    /// Who is signed in.
    ///
    /// # Errors
    /// 401 `sign_in` when nobody is.
    pub async fn current(&self) -> Result<CurrentSession, Refused> {
        if self.session().is_none() {
            return Err(crate::platform::problem::Problem::sign_in().into());
        }
        Ok(self.get("/api/v1/sessions/current").send().await?.body)
    }

    /// Gets a new token by the handle that the browser keeps. False where there is none, or it counts no more.
    pub(super) async fn renew(&self) -> Result<bool, Refused> {
        let Some(session) = self.session() else { return Ok(false) };
        let renewals = &self.0.console.0.renewals;
        let place = renewals.of(&session.refresh, self.now());
        // Whoever comes with the same handle at the same time waits here, and gets the same: two handles at once would have the
        // browser keep the older one, which ends the session when it is used.
        let mut renewed = place.lock().await;
        if renewed.is_none() {
            let handle = json!({ "refresh_handle": session.refresh.as_str() });
            let asked = self.post("/api/v1/sessions/refresh").without_session().json(&handle)?;
            match asked.send_once::<Refreshed>().await {
                Ok(given) => {
                    let Refreshed { access_token, refresh_handle, .. } = given.body;
                    *renewed = Some((access_token.into(), refresh_handle.into()));
                }
                Err(refused) => {
                    // What opens nothing is not kept: whoever sends many handles that are none fills nothing.
                    renewals.forget(&session.refresh);
                    // Whoever is told to wait held no handle that counts: that is asked first. They sign in again.
                    return if matches!(refused.code(), "sign_in" | "too_many_tries") {
                        Ok(false)
                    } else {
                        Err(refused)
                    };
                }
            }
        }
        let Some((access, refresh)) = renewed.clone() else { return Ok(false) };
        let session = Halves { access, refresh, ..session };
        self.keeps(cookies::keep_session(&session));
        self.kept().0.session = Some(session);
        Ok(true)
    }
}

/// A page elsewhere under the same domain asks for one of ours: its cookies would come along, and a read would be entered as hers.
fn from_beside(parts: &Parts) -> bool {
    let site = parts.headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    parts.method == Method::GET && site.is_some_and(|site| matches!(site, "same-site" | "cross-site"))
}

/// A token and the handle after it.
type Renewed = (zeroize::Zeroizing<String>, zeroize::Zeroizing<String>);
/// A handle's digest: the handle itself is kept by its browser alone.
type Handle = [u8; 32];
type Place = Arc<tokio::sync::Mutex<Option<Renewed>>>;

/// For how long what a handle was renewed to is told again: the service takes the handle before for as long.
const AGAIN: TimeDelta = TimeDelta::seconds(25);

/// What handles were renewed to a moment ago: two pages of one browser may come with the same one.
#[derive(Default)]
pub struct Renewals(Mutex<HashMap<Handle, (DateTime<Utc>, Place)>>);

impl Renewals {
    fn of(&self, handle: &str, now: DateTime<Utc>) -> Place {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, (since, _)| now - *since < AGAIN);
        let place = places.entry(Sha256::digest(handle.as_bytes()).into()).or_insert_with(|| (now, Place::default()));
        Arc::clone(&place.1)
    }

    fn forget(&self, handle: &str) {
        let digest: Handle = Sha256::digest(handle.as_bytes()).into();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
    }
}

/// The first language of `Accept-Language` that is spoken here; Azerbaijani where there is none.
fn preferred(headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut spoken: Vec<(u16, Language)> = accepted
        .split(',')
        .filter_map(|part| {
            let mut parts = part.split(';');
            let language = parts.next()?.trim().split('-').next()?.to_ascii_lowercase().parse().ok()?;
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from 0 to 1000")]
            let thousandths = (weight.clamp(0.0, 1.0) * 1000.0) as u16;
            (thousandths > 0).then_some((thousandths, language))
        })
        .collect();
    // The order of those of one weight stays.
    spoken.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    spoken.first().map_or(Language::Azerbaijani, |(_, language)| *language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_first_language_that_is_spoken_here_is_taken() {
        for (accepted, language) in [
            ("ru", Language::Russian),
            ("de,ru;q=0.3,en-GB;q=0.7", Language::English),
            ("AZ-Latn", Language::Azerbaijani),
            ("en;q=0,ru;q=0.1", Language::Russian),
            ("en,ru", Language::English),
            ("ru;q=x", Language::Russian),
            ("fr", Language::Azerbaijani),
            ("", Language::Azerbaijani),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(accepted));
            assert_eq!(preferred(&headers), language, "{accepted}");
        }
    }
}
