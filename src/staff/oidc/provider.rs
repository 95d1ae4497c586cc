//! Asks the issuer: what it publishes about itself, and whom a code names. The crate `openidconnect` checks the ID token's signature, issuer,
//! audience, nonce and times; here is how the issuer is reached, which algorithms count, and what becomes of the subject.

use super::outage;
use super::store::Tag;
use super::way::Way;
use crate::platform::causes::causes;
use crate::platform::clock::Clock;
use crate::platform::config::{Config, ConfigError, OidcConfig};
use crate::platform::secrets::{Live, Raw};
use axum::body::{Body, to_bytes};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm as Algorithm,
    CoreProviderMetadata,
};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, TokenResponse as _,
};
use rustls::crypto::ring;
use sha2::Sha256;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const ANSWER: usize = 256 * 1024;
/// How long what the issuer publishes about itself is believed without asking again.
const FRESH: Duration = Duration::from_mins(5);
/// Keys that were fetched so recently are not fetched again for a token that does not fit them.
const JUST: Duration = Duration::from_secs(10);
/// So long nobody asks again after no answer.
const AWAY: Duration = Duration::from_secs(3);
/// What signs an ID token: keys of which we know the public half, and never the client's own secret.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// Why nobody was named.
#[derive(Debug)]
pub enum AskError {
    Away(String),
    Refused(String),
}

/// Why an answer of the issuer is none.
#[derive(Debug, thiserror::Error)]
enum WireError {
    #[error("it does not answer in time")]
    Late,
    #[error("it cannot be reached: {0}")]
    Reach(#[from] hyper_util::client::legacy::Error),
    #[error("its answer is too long, or broke off")]
    Broken,
    #[error("it answers {0}")]
    Fault(u16),
}

/// A subject, under every value of the secret that may name it, and under the one that is used now.
pub struct Names {
    pub known: Vec<Tag>,
    pub current: Tag,
}

/// The way to the issuer: HTTP/1.1 over rustls, as everywhere here.
#[derive(Clone)]
struct Wire(Client<HttpsConnector<HttpConnector>, Body>);

impl Wire {
    fn of(told: &OidcConfig) -> Result<Self, String> {
        let builder = HttpsConnectorBuilder::new();
        let builder = match &told.authority {
            None => {
                builder.with_provider_and_webpki_roots(ring::default_provider()).map_err(|error| error.to_string())?
            }
            Some(file) => builder.with_tls_config(crate::platform::tls::trusting(file)?),
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        // Whatever the issuer publishes: its keys come over TLS, but from this machine itself (see `OidcConfig::faults`).
        let builder = if told.is_local() { builder.https_or_http() } else { builder.https_only() };
        Ok(Self(Client::builder(TokioExecutor::new()).build(builder.enable_http1().wrap_connector(tcp))))
    }

    /// Redirects are not followed: the issuer is asked, and nobody to whom it sends us.
    async fn sent(self, request: HttpRequest) -> Result<HttpResponse, WireError> {
        let asked = self.0.request(request.map(Body::from));
        let answer = tokio::time::timeout(PATIENCE, asked).await.map_err(|_| WireError::Late)??;
        if answer.status().is_server_error() {
            return Err(WireError::Fault(answer.status().as_u16()));
        }
        let (head, body) = answer.into_parts();
        let body =
            tokio::time::timeout(PATIENCE, to_bytes(Body::new(body), ANSWER)).await.map_err(|_| WireError::Late)?;
        Ok(HttpResponse::from_parts(head, body.map_err(|_| WireError::Broken)?.to_vec()))
    }
}

impl<'c> AsyncHttpClient<'c> for Wire {
    type Error = WireError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, WireError>> + Send + Sync + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        // A task of its own, so that it may be waited for from anywhere.
        let sent = tokio::spawn(self.clone().sent(request));
        Box::pin(async move { sent.await.unwrap_or(Err(WireError::Broken)) })
    }
}

/// What is known of what the issuer publishes.
#[derive(Default)]
struct Known {
    published: Option<(Instant, Arc<CoreProviderMetadata>)>,
    /// It did not answer then.
    away: Option<Instant>,
}

/// The issuer, as the configuration names it.
pub struct Provider {
    told: OidcConfig,
    secret: Option<Zeroizing<String>>,
    wire: Wire,
    published: Mutex<Known>,
    peppers: Live<Raw>,
    clock: Clock,
    /// Where the operator says that it is lost.
    folder: PathBuf,
}

impl Provider {
    /// Nothing where nobody else names people.
    ///
    /// # Errors
    /// [`ConfigError`] with the setting that is wrong.
    pub fn open(config: &Config, peppers: Live<Raw>, clock: Clock) -> Result<Option<Self>, ConfigError> {
        let Some(told) = config.oidc.clone() else { return Ok(None) };
        let secret = OidcConfig::client_secret(&config.secrets)?;
        let wire = Wire::of(&told).map_err(|why| crate::platform::config::Refusals::of("oidc.authority", why))?;
        let folder = config.checkpoints.clone();
        Ok(Some(Self { told, secret, wire, published: Mutex::default(), peppers, clock, folder }))
    }

    pub fn issuer(&self) -> &str {
        &self.told.issuer
    }

    pub const fn is_required(&self) -> bool {
        self.told.required
    }

    /// Until when nobody has to be named, if the operator says so.
    pub fn outage(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        outage::until(&self.folder, now).unwrap_or_else(|error| {
            tracing::error!(%error, "ALARM: what says that nobody has to be named is not believed");
            None
        })
    }

    /// What the issuer publishes about itself, with its keys; not older than `most`.
    async fn published(&self, most: Duration) -> Result<Arc<CoreProviderMetadata>, AskError> {
        let mut kept = self.published.lock().await;
        if let Some((when, published)) = &kept.published
            && when.elapsed() < most
        {
            return Ok(Arc::clone(published));
        }
        // Whoever waited behind one who was not answered is told so at once.
        if kept.away.is_some_and(|when| when.elapsed() < AWAY) {
            return Err(AskError::Away(format!("{}: it did not answer just now", self.told.issuer)));
        }
        let published = self.discovered().await;
        kept.away = published.is_err().then(Instant::now);
        let published = Arc::new(published?);
        kept.published = Some((Instant::now(), Arc::clone(&published)));
        Ok(published)
    }

    async fn discovered(&self) -> Result<CoreProviderMetadata, AskError> {
        let away = |why: String| AskError::Away(format!("{}: {why}", self.told.issuer));
        let issuer = IssuerUrl::new(self.told.issuer.clone()).map_err(|error| away(error.to_string()))?;
        let published = CoreProviderMetadata::discover_async(issuer, &self.wire).await;
        let published = published.map_err(|error| away(causes(&error)))?;
        let token = published.token_endpoint().map(openidconnect::TokenUrl::url);
        let endpoints = [Some(published.authorization_endpoint().url()), token, Some(published.jwks_uri().url())];
        let in_clear = endpoints.into_iter().flatten().find(|endpoint| !self.told.may_ask(endpoint.as_str()));
        if let Some(endpoint) = in_clear {
            return Err(away(format!("it names {endpoint}, which is not https")));
        }
        Ok(published)
    }

    fn client_secret(&self) -> Option<ClientSecret> {
        self.secret.as_ref().map(|secret| ClientSecret::new(secret.as_str().to_owned()))
    }

    fn redirect(&self) -> Result<RedirectUrl, AskError> {
        RedirectUrl::new(self.told.redirect_url.clone()).map_err(|error| AskError::Away(error.to_string()))
    }

    /// The issuer's page, for one way.
    pub async fn where_to(&self, way: &Way) -> Result<String, AskError> {
        let published = self.published(FRESH).await?;
        let id = ClientId::new(self.told.client_id.clone());
        let client = CoreClient::from_provider_metadata((*published).clone(), id, self.client_secret())
            .set_redirect_uri(self.redirect()?);
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(way.verifier()));
        let (state, nonce) = (way.state(), way.nonce());
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .set_pkce_challenge(challenge)
            .url();
        Ok(url.to_string())
    }

    /// Whom this code names, if everything fits.
    pub async fn names(&self, code: &str, way: &Way) -> Result<Names, AskError> {
        let published = self.published(FRESH).await?;
        let id = ClientId::new(self.told.client_id.clone());
        let client = CoreClient::from_provider_metadata((*published).clone(), id, self.client_secret())
            .set_redirect_uri(self.redirect()?);
        let asked = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let asked = asked.map_err(|error| AskError::Away(error.to_string()))?;
        let answer = asked.set_pkce_verifier(PkceCodeVerifier::new(way.verifier())).request_async(&self.wire).await;
        let answer = answer.map_err(|error| match error {
            RequestTokenError::Request(error) => AskError::Away(error.to_string()),
            error => AskError::Refused(causes(&error)),
        })?;
        let token = answer.id_token().ok_or_else(|| AskError::Refused("there is no ID token".to_owned()))?;
        let subject = match self.subject(token, &published, way) {
            Ok(subject) => subject,
            // It may have other keys since.
            Err(AskError::Refused(_)) => self.subject(token, &*self.published(JUST).await?, way)?,
            Err(error) => return Err(error),
        };
        self.tags(&subject)
    }

    fn subject(&self, token: &CoreIdToken, published: &CoreProviderMetadata, way: &Way) -> Result<String, AskError> {
        let (id, issuer, keys) =
            (ClientId::new(self.told.client_id.clone()), published.issuer().clone(), published.jwks().clone());
        let verifier = CoreIdTokenVerifier::new_public_client(id, issuer, keys)
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(|| self.clock.now());
        let claims =
            token.claims(&verifier, &Nonce::new(way.nonce())).map_err(|error| AskError::Refused(causes(&error)))?;
        Ok(claims.subject().as_str().to_owned())
    }

    fn issuer_under(&self, pepper: &Raw) -> Result<[u8; 32], AskError> {
        hashed(pepper, "himaya oidc issuer v1", &[&self.told.issuer])
    }

    /// This issuer's names in the database.
    pub fn issuer_names(&self) -> Result<Vec<Vec<u8>>, AskError> {
        self.peppers.get().iter().map(|version| Ok(self.issuer_under(&version.value)?.to_vec())).collect()
    }

    /// A subject is somebody's personal identifier: it is stored as a hash under a secret.
    fn tags(&self, subject: &str) -> Result<Names, AskError> {
        let peppers = self.peppers.get();
        let tag = |id: &str, pepper: &Raw| {
            let subject = hashed(pepper, "himaya oidc subject v1", &[&self.told.issuer, subject])?;
            Ok::<_, AskError>(Tag { pepper: id.to_owned(), subject, issuer: self.issuer_under(pepper)? })
        };
        let known = peppers.iter().map(|version| tag(&version.id, &version.value)).collect::<Result<_, _>>()?;
        let current = peppers.current(self.clock.now());
        Ok(Names { known, current: tag(&current.id, &current.value)? })
    }
}

fn hashed(pepper: &Raw, usage: &'static str, parts: &[&str]) -> Result<[u8; 32], AskError> {
    let key = crate::guard::keys::derive(&**pepper, &[], usage);
    let mut mac = Hmac::<Sha256>::new_from_slice(&*key).map_err(|_| AskError::Away("a hash has no key".to_owned()))?;
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn told(issuer: &str) -> OidcConfig {
        OidcConfig {
            issuer: issuer.to_owned(),
            client_id: "himaya".to_owned(),
            redirect_url: "https://here.example/back".to_owned(),
            required: false,
            authority: None,
        }
    }

    #[tokio::test]
    async fn without_tls_only_an_issuer_on_this_machine_is_asked() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/jwks", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut asked, _)) = listener.accept().await {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                assert!(asked.read(&mut [0; 1024]).await.unwrap() > 0);
                asked.write_all(answer).await.unwrap();
            }
        });
        let request = || HttpRequest::new(vec![]);
        for (issuer, answers) in [("http://127.0.0.1:1", true), ("https://login.example.gov", false)] {
            let mut asked = request();
            *asked.uri_mut() = address.parse().unwrap();
            let sent = Wire::of(&told(issuer)).unwrap().sent(asked).await;
            assert_eq!(sent.is_ok(), answers, "{issuer}");
            assert_eq!(told(issuer).may_ask(&address), answers);
            assert!(told(issuer).may_ask("https://login.example.gov/jwks"));
            assert!(!told(issuer).may_ask("http://login.example.gov/jwks"));
        }
    }
}
