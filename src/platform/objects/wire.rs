//! The way to S3: HTTP/1.1 over rustls with `ring`, like everything else here. `object_store`'s own would bring a client
//! that looks for a cryptographic library of its choice.

use super::body::Bounded;
use crate::platform::config::Refusals;
use crate::platform::tls::trusting;
use async_trait::async_trait;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::TokioExecutor;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use rustls::crypto::ring;
use std::path::Path;
use std::time::Duration;

/// How long the store may take until it begins to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// After so much silence a connection is asked whether anybody is still there.
const KEEPALIVE: Duration = Duration::from_mins(1);
/// How much is read of what the store says of a failure.
const FAILURE: usize = 64 * 1024;

/// Connections to one store.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    client: Client<HttpsConnector<Tcp>, HttpRequestBody>,
    /// How long the store may be silent in the middle of an answer.
    silence: Duration,
}

impl Wire {
    /// Believes the authority that is named, or else those that browsers know.
    ///
    /// # Errors
    /// [`Refusals`] when the file holds none.
    pub(super) fn new(authority: Option<&Path>, silence: Duration) -> Result<Self, Refusals> {
        let builder = HttpsConnectorBuilder::new();
        let builder = match authority {
            None => builder.with_provider_and_webpki_roots(ring::default_provider()).map_err(|error| error.to_string()),
            Some(file) => trusting(file).map(|config| builder.with_tls_config(config)),
        };
        let builder = builder.map_err(|why| Refusals::of("attachments.s3.authority", why))?;
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(Duration::from_secs(10)));
        tcp.set_keepalive(Some(KEEPALIVE));
        let connector = builder.https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), silence })
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asked = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        let answer = asked.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
        let answer = answer.map_err(|error| {
            let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Request };
            HttpError::new(kind, error)
        })?;
        let most = (!answer.status().is_success()).then_some(FAILURE);
        Ok(answer.map(|body| HttpResponseBody::new(Bounded::new(body, self.silence, most))))
    }
}
