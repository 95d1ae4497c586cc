//! The way to S3: HTTP/1.1 over rustls with `ring`, like everything else here. `object_store`'s own would bring a client
//! that looks for a cryptographic library of its choice.

use super::body::Bounded;
use crate::platform::config::Refusals;
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
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
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
            Some(file) => own_authority(file).map(|config| builder.with_tls_config(config)),
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

fn own_authority(file: &Path) -> Result<ClientConfig, String> {
    let wrong = |why: String| format!("is {}, and {why}", file.display());
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for certificate in found.map_err(|_| wrong("cannot be read as PEM".to_owned()))? {
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let config = config.map_err(|error| wrong(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
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
