//! A page asks the API, within the process and by its own router: the same handlers, walls, entries and limits as for every client.

use super::refused::Refused;
use super::visitor::Visitor;
use crate::guard::action::Purpose;
use crate::platform::http::SESSION_HEADER;
use crate::platform::problem::Problem;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt as _;

/// The largest answer that a page is made of.
const LARGEST: usize = 16 * 1024 * 1024;

/// What the API answered.
pub struct Given<T> {
    pub body: T,
    /// To be sent back when it is replaced.
    pub etag: String,
}

/// A request to the API, being put together.
pub struct Asking<'a> {
    visitor: &'a Visitor,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    with_session: bool,
}

/// An answer as it came.
struct Answered {
    status: StatusCode,
    etag: String,
    body: Bytes,
}

impl Visitor {
    /// Reads.
    #[must_use]
    pub fn get(&self, path: impl Into<String>) -> Asking<'_> {
        self.asking(Method::GET, path.into())
    }

    /// Creates, or takes a step.
    #[must_use]
    pub fn post(&self, path: impl Into<String>) -> Asking<'_> {
        self.asking(Method::POST, path.into())
    }

    /// Replaces.
    #[must_use]
    pub fn put(&self, path: impl Into<String>) -> Asking<'_> {
        self.asking(Method::PUT, path.into())
    }

    /// Changes a part.
    #[must_use]
    pub fn patch(&self, path: impl Into<String>) -> Asking<'_> {
        self.asking(Method::PATCH, path.into())
    }

    /// Takes away.
    #[must_use]
    pub fn delete(&self, path: impl Into<String>) -> Asking<'_> {
        self.asking(Method::DELETE, path.into())
    }

    fn asking(&self, method: Method, path: String) -> Asking<'_> {
        Asking { visitor: self, method, path, headers: Vec::new(), body: Bytes::new(), with_session: true }
    }
}

impl Asking<'_> {
    #[must_use]
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.headers.push(("purpose", purpose.as_str().to_owned()));
        self
    }

    /// The key under which sending again stores once.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.header("idempotency-key", key);
        self
    }

    /// What a form holds may be anything. What cannot stand in a header is not sent: the API says then what is missing.
    fn header(&mut self, name: &'static str, value: &str) {
        if value.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.headers.push((name, value.to_owned()));
        }
    }

    /// The version that was read.
    #[must_use]
    pub fn etag(mut self, etag: &str) -> Self {
        self.header("if-match", etag);
        self
    }

    /// At the door, where nobody is signed in yet.
    #[must_use]
    pub fn without_session(mut self) -> Self {
        self.with_session = false;
        self
    }

    /// # Errors
    /// A fault for what cannot be written as JSON, which nothing here is.
    pub fn json<T: Serialize>(mut self, body: &T) -> Result<Self, Refused> {
        self.headers.push((header::CONTENT_TYPE.as_str(), "application/json".to_owned()));
        self.body = serde_json::to_vec(body).map_err(|_| fault())?.into();
        Ok(self)
    }

    /// Asks. A token that has run out is renewed once.
    ///
    /// # Errors
    /// What the API refuses, as it says it.
    pub async fn send<T: DeserializeOwned>(self) -> Result<Given<T>, Refused> {
        let mut answered = self.once().await?;
        if self.with_session && answered.status == StatusCode::UNAUTHORIZED && self.visitor.renew().await? {
            answered = self.once().await?;
        }
        answered.read()
    }

    /// Asks for a file, which goes on to the browser as it comes.
    ///
    /// # Errors
    /// What the API refuses, as it says it.
    pub async fn through(self) -> Result<Response, Refused> {
        let mut response = self.asked().await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.visitor.renew().await? {
            response = self.asked().await?;
        }
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Answered::of(response).await?.refused())
    }

    /// The same, with no renewal: for what is asked without a session.
    pub(super) async fn send_once<T: DeserializeOwned>(self) -> Result<Given<T>, Refused> {
        self.once().await?.read()
    }

    async fn once(&self) -> Result<Answered, Refused> {
        Answered::of(self.asked().await?).await
    }

    async fn asked(&self) -> Result<Response, Refused> {
        let mut request = Request::builder().method(&self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if self.with_session
            && let Some(session) = self.visitor.session()
        {
            request = request
                .header(header::AUTHORIZATION, format!("Bearer {}", *session.access))
                .header(SESSION_HEADER, session.secret.as_str());
        }
        let mut request = request.body(Body::from(self.body.clone())).map_err(|_| fault())?;
        self.visitor.stands_behind(&mut request);
        let Ok(response) = self.visitor.api().oneshot(request).await;
        Ok(response)
    }
}

impl Answered {
    async fn of(response: Response) -> Result<Self, Refused> {
        let etag = response.headers().get(header::ETAG).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (status, etag) = (response.status(), etag.to_owned());
        let body = to_bytes(response.into_body(), LARGEST).await.map_err(|_| fault())?;
        Ok(Self { status, etag, body })
    }

    fn refused(&self) -> Refused {
        serde_json::from_slice(&self.body).map_or_else(|_| fault(), Refused::of)
    }

    fn read<T: DeserializeOwned>(self) -> Result<Given<T>, Refused> {
        if !self.status.is_success() {
            return Err(self.refused());
        }
        let body = serde_json::from_slice(&self.body).map_err(|_| fault())?;
        Ok(Given { body, etag: self.etag })
    }
}

fn fault() -> Refused {
    Refused::from(Problem::fault("a page does not understand the API"))
}
