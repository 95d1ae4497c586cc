//! A person at a client: signs in, keeps the session, speaks HTTP. The demonstration and the tests use the same one, so
//! both go through the public API and through nothing else.

use crate::platform::random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Method, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Mutex;
use uuid::Uuid;

/// What a request came to.
pub struct Reply {
    pub status: u16,
    pub etag: Option<String>,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
    /// The body as it was sent.
    pub text: String,
}

impl Reply {
    async fn of(response: Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let etag = headers.get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Self { status, etag, headers, body, text })
    }

    /// A text field of the body; empty if it is not there.
    #[must_use]
    pub fn text_of(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// An id of the body; nil if it is not there.
    #[must_use]
    pub fn id(&self, field: &str) -> Uuid {
        self.text_of(field).parse().unwrap_or_default()
    }

    /// Any field of the body; null if it is not there.
    #[must_use]
    pub fn field(&self, name: &str) -> Value {
        self.body.get(name).cloned().unwrap_or(Value::Null)
    }

    /// The problem's stable code; empty for an answer that is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.text_of("code")
    }
}

struct Session {
    access: String,
    secret: String,
    refresh: String,
}

/// Somebody with an account.
#[derive(Clone)]
pub struct Actor {
    pub handle: String,
    pub passphrase: String,
    pub account: Uuid,
    pub key_fingerprint: String,
    base: String,
    client: Client,
    session: Arc<Mutex<Option<Session>>>,
    device: Arc<Mutex<Option<String>>>,
    left: Option<Left>,
}

/// A session in which somebody was left: what a client keeps of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Left {
    secret: String,
    refresh: String,
    device: String,
}

/// Why an actor could not do something at all; a refusal is a [`Reply`].
#[derive(Debug, thiserror::Error)]
pub enum ActorError {
    #[error("no answer: {0}")]
    Http(#[from] reqwest::Error),
    #[error("{who} could not {what}: {status} {code}")]
    Unexpected { who: String, what: &'static str, status: u16, code: String },
    #[error("{0}")]
    Other(String),
}

impl Reply {
    /// This reply if it has the expected status.
    ///
    /// # Errors
    /// [`ActorError::Unexpected`] otherwise.
    pub fn expect_status(self, status: u16, who: &str, what: &'static str) -> Result<Self, ActorError> {
        if self.status == status {
            return Ok(self);
        }
        // What went wrong stands before everything else that the answer says.
        let code = format!("{}: {} {}", self.code(), self.text_of("detail"), self.text);
        Err(ActorError::Unexpected { who: who.to_owned(), what, status: self.status, code })
    }
}

impl Actor {
    /// Makes keys with an enrolment code, as a person does at the first sign-in.
    ///
    /// # Errors
    /// [`ActorError`] if the code is not taken.
    pub async fn enrol(base: &str, handle: &str, code: &str) -> Result<Self, ActorError> {
        let client = Client::new();
        let body = json!({ "handle": handle, "code": code });
        let sent = client.post(format!("{base}/api/v1/enrolments")).json(&body).send().await?;
        let reply = Reply::of(sent).await?.expect_status(201, handle, "enrol")?;
        Ok(Self {
            handle: handle.to_owned(),
            passphrase: reply.text_of("passphrase").to_owned(),
            account: reply.id("account"),
            key_fingerprint: reply.text_of("key_fingerprint").to_owned(),
            base: base.to_owned(),
            client,
            session: Arc::default(),
            device: Arc::default(),
            left: None,
        })
    }

    /// Somebody who made keys before, at a client of their own and not signed in.
    #[must_use]
    pub fn known(
        base: &str,
        handle: &str,
        passphrase: &str,
        account: Uuid,
        key_fingerprint: &str,
        left: Option<Left>,
    ) -> Self {
        Self {
            handle: handle.to_owned(),
            passphrase: passphrase.to_owned(),
            account,
            key_fingerprint: key_fingerprint.to_owned(),
            base: base.to_owned(),
            client: Client::new(),
            session: Arc::default(),
            device: Arc::default(),
            left,
        }
    }

    /// Ready for work: in the session that was started at this client, or in the one in which they were left, or in a
    /// new one. To sign in takes far longer than to go on.
    ///
    /// # Errors
    /// [`ActorError`] if signing in is refused.
    pub async fn ready(&self) -> Result<(), ActorError> {
        if self.session.lock().await.is_some() {
            return Ok(());
        }
        if let Some(left) = &self.left
            && self.resume(left).await.is_ok()
        {
            return Ok(());
        }
        self.sign_in().await.map(|_| ())
    }

    /// The same person at a client of another replica, in the same session.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The same person without a session: at another client, on which they have not signed in before.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        Self { session: Arc::default(), device: Arc::default(), ..self.clone() }
    }

    /// Signs in with the passphrase.
    ///
    /// # Errors
    /// [`ActorError`] if that is refused.
    pub async fn sign_in(&self) -> Result<Reply, ActorError> {
        let reply = self.try_sign_in(json!({ "passphrase": self.passphrase })).await?;
        reply.expect_status(201, &self.handle, "sign in")
    }

    /// Tries to sign in with these words, as this person and on this device. If they are right the session is kept.
    ///
    /// # Errors
    /// [`ActorError::Http`] if there is no answer.
    pub async fn try_sign_in(&self, mut shown: Value) -> Result<Reply, ActorError> {
        let mut device = self.device.lock().await;
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("handle".to_owned(), json!(self.handle));
            if let Some(device) = device.as_ref() {
                shown.insert("device".to_owned(), json!(device));
            }
        }
        let sent = self.client.post(format!("{}/api/v1/sessions", self.base)).json(&shown).send().await?;
        let reply = Reply::of(sent).await?;
        if reply.status != 201 {
            return Ok(reply);
        }
        *device = Some(reply.text_of("device").to_owned());
        *self.session.lock().await = Some(Session {
            access: reply.text_of("access_token").to_owned(),
            secret: reply.text_of("session_secret").to_owned(),
            refresh: reply.text_of("refresh_handle").to_owned(),
        });
        Ok(reply)
    }

    /// Gets a new access token with the refresh handle.
    ///
    /// # Errors
    /// [`ActorError`] if that is refused.
    pub async fn refresh(&self) -> Result<(), ActorError> {
        let mut session = self.session.lock().await;
        let Some(session) = session.as_mut() else { return Err(ActorError::Other("no session".to_owned())) };
        let body = json!({ "refresh_handle": session.refresh });
        let sent = self.client.post(format!("{}/api/v1/sessions/refresh", self.base)).json(&body).send().await?;
        let reply = Reply::of(sent).await?.expect_status(200, &self.handle, "refresh")?;
        reply.text_of("access_token").clone_into(&mut session.access);
        reply.text_of("refresh_handle").clone_into(&mut session.refresh);
        Ok(())
    }

    /// What the client keeps: access token, session secret and refresh handle. For attacks in tests.
    pub async fn secrets(&self) -> (String, String, String) {
        let session = self.session.lock().await;
        session.as_ref().map_or_else(Default::default, |session| {
            (session.access.clone(), session.secret.clone(), session.refresh.clone())
        })
    }

    /// Goes on with a session that was begun at another client, on the device that it was on.
    async fn resume(&self, left: &Left) -> Result<(), ActorError> {
        *self.device.lock().await = Some(left.device.clone());
        *self.session.lock().await =
            Some(Session { access: String::new(), secret: left.secret.clone(), refresh: left.refresh.clone() });
        self.refresh().await
    }

    /// The session as it is left now, for a client that goes on with it.
    pub async fn leave(&self) -> Option<Left> {
        let (session, device) = (self.session.lock().await, self.device.lock().await);
        let (session, device) = (session.as_ref()?, device.as_ref()?);
        Some(Left { secret: session.secret.clone(), refresh: session.refresh.clone(), device: device.clone() })
    }

    /// A request as this person, not sent yet.
    pub async fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(session) = self.session.lock().await.as_ref() {
            request = request.bearer_auth(&session.access).header("himaya-session", &session.secret);
        }
        request
    }

    /// Sends a request that [`Self::request`] began.
    ///
    /// # Errors
    /// [`ActorError::Http`] if there is no answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, ActorError> {
        Ok(Reply::of(request.send().await?).await?)
    }

    /// Reads for a purpose.
    ///
    /// # Errors
    /// [`ActorError::Http`] if there is no answer.
    pub async fn get(&self, path: &str, purpose: &str) -> Result<Reply, ActorError> {
        let mut request = self.request(Method::GET, path).await;
        if !purpose.is_empty() {
            request = request.header("purpose", purpose);
        }
        self.send(request).await
    }

    /// Creates, with a key of its own for repeating.
    ///
    /// # Errors
    /// [`ActorError::Http`] if there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Reply, ActorError> {
        let key = URL_SAFE_NO_PAD.encode(random::bytes::<12>());
        let request = self.request(Method::POST, path).await.header("idempotency-key", key).json(body);
        self.send(request).await
    }

    /// Replaces what was read.
    ///
    /// # Errors
    /// [`ActorError::Http`] if there is no answer.
    pub async fn put(&self, path: &str, etag: &str, body: &Value) -> Result<Reply, ActorError> {
        let request = self.request(Method::PUT, path).await.header("if-match", etag).json(body);
        self.send(request).await
    }

    /// Takes what was read from one state to another.
    ///
    /// # Errors
    /// [`ActorError::Http`] if there is no answer.
    pub async fn patch(&self, path: &str, etag: &str, body: &Value) -> Result<Reply, ActorError> {
        let request = self.request(Method::PATCH, path).await.header("if-match", etag).json(body);
        self.send(request).await
    }

    /// Takes away.
    ///
    /// # Errors
    /// [`ActorError::Http`] if there is no answer.
    pub async fn delete(&self, path: &str) -> Result<Reply, ActorError> {
        self.send(self.request(Method::DELETE, path).await).await
    }
}
