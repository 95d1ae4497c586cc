//! The way to a witness: HTTP/1.1 over rustls, with a bound on how long it takes and how much it says.

use crate::platform::config::{LogWitnessConfig, token_in};
use crate::platform::tls::trusting;
use crate::witness::submission::decimal;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read: some signature lines.
const ANSWER: usize = 16 * 1024;
/// How much of what a witness says of a refusal goes into our own words.
const QUOTED: usize = 120;

/// What a witness answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Signature lines; nothing of them is believed yet.
    Lines(String),
    /// It is at another size.
    At(u64),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("it does not answer in time")]
    Late,
    #[error("it cannot be reached: {0}")]
    Reach(#[from] hyper_util::client::legacy::Error),
    #[error("its answer is too long, breaks off, or is no text")]
    Broken,
    #[error("it refuses ({0}): {1}")]
    Refused(u16, String),
    #[error("its address makes no request")]
    Address,
}

/// The way to one witness.
pub(super) struct Wire {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    uri: String,
    token: Option<Zeroizing<String>>,
}

impl Wire {
    /// Reads the authority and the token.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn new(told: &LogWitnessConfig) -> Result<Self, String> {
        let builder = HttpsConnectorBuilder::new();
        let builder = match &told.authority {
            None => {
                builder.with_provider_and_webpki_roots(ring::default_provider()).map_err(|error| error.to_string())?
            }
            Some(file) => builder.with_tls_config(trusting(file)?),
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        let builder = if told.is_local() { builder.https_or_http() } else { builder.https_only() };
        let client = Client::builder(TokioExecutor::new()).build(builder.enable_http1().wrap_connector(tcp));
        let token = told.token_file.as_deref().map(token_in).transpose()?;
        Ok(Self { client, uri: format!("{}/add-checkpoint", told.url.trim_end_matches('/')), token })
    }

    /// Submits. Redirects are not followed.
    pub(super) async fn submit(&self, body: String) -> Result<Answer, WireError> {
        tokio::time::timeout(PATIENCE, self.asked(body)).await.map_err(|_| WireError::Late)?
    }

    async fn asked(&self, body: String) -> Result<Answer, WireError> {
        let mut request = Request::post(&self.uri).header(header::CONTENT_TYPE, "text/plain; charset=utf-8");
        if let Some(token) = &self.token {
            let bearer = Zeroizing::new(format!("Bearer {}", &**token));
            request = request.header(header::AUTHORIZATION, bearer.as_str());
        }
        let request = request.body(Body::from(body)).map_err(|_| WireError::Address)?;
        let answer = self.client.request(request).await?;
        let (head, body) = answer.into_parts();
        let body = to_bytes(Body::new(body), ANSWER).await.map_err(|_| WireError::Broken)?;
        let text = String::from_utf8(body.into()).map_err(|_| WireError::Broken)?;
        let sized = head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == b"text/x.tlog.size");
        match head.status {
            StatusCode::OK => Ok(Answer::Lines(text)),
            StatusCode::CONFLICT if sized => {
                text.strip_suffix('\n').and_then(decimal).map(Answer::At).ok_or(WireError::Broken)
            }
            status => {
                // What somebody else's machine says goes into a log: one line of plain characters, and no more than that.
                let plain = text.chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
                Err(WireError::Refused(status.as_u16(), plain))
            }
        }
    }
}
