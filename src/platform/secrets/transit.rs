//! The transit engine of HashiCorp Vault or OpenBao: what lies in the files of secrets is sealed under a key that never leaves
//! it (`POST /v1/<mount>/encrypt/<key>` and `…/decrypt/<key>`, as both document their HTTP API).
//!
//! The name of a secret is its additional authenticated data: one that was copied into the place of another does not open.

use super::{Named, Raw, file};
use crate::platform::causes::causes;
use crate::platform::config::ConfigError;
use crate::platform::tls::trusting;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is tried to connect: a machine that starts may start before its Vault.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);
/// The longest answer that is read.
const ANSWER: usize = 64 * 1024;

/// Where the transit engine is. The token is no setting but a file: an agent may keep renewing it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TransitConfig {
    /// `https://vault.example.gov:8200`
    pub address: String,
    /// Where the engine is mounted.
    #[serde(default = "transit")]
    pub mount: String,
    /// The name of the key in it.
    pub key: String,
    /// File with the token, readable to the service only.
    pub token_file: PathBuf,
    /// File with the authority that is believed, as PEM; without it those that browsers know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

fn transit() -> String {
    "transit".to_owned()
}

/// The way to a transit engine.
pub struct Transit {
    config: TransitConfig,
    token: Zeroizing<String>,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

fn wrong(why: impl Into<String>) -> ConfigError {
    ConfigError::Keeper(why.into())
}

/// Letters, digits and what names are made of: the rest would end a path, or begin a query.
fn is_path(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.split('/').all(|part| !part.is_empty() && part != ".." && part.chars().all(plain))
}

impl Transit {
    /// Reads the token, and the authority.
    ///
    /// # Errors
    /// [`ConfigError`] with the setting that is wrong.
    pub fn new(config: &TransitConfig) -> Result<Self, ConfigError> {
        if !config.address.starts_with("https://") {
            return Err(wrong(
                "address does not begin with https://: what is opened there must not be read on the way",
            ));
        }
        if !is_path(&config.mount) || !is_path(&config.key) || config.key.contains('/') {
            return Err(wrong("mount and key are names like transit and himaya"));
        }
        let token = file::read(&config.token_file, "secrets_keeper.token_file", 0o037)?;
        let token = token.ok_or_else(|| wrong("token_file is not there"))?;
        let token = Zeroizing::new(token.trim().to_owned());
        if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
            return Err(wrong("token_file holds no token"));
        }
        let builder = HttpsConnectorBuilder::new();
        let builder = match &config.authority {
            None => builder.with_provider_and_webpki_roots(ring::default_provider()).map_err(|error| error.to_string()),
            Some(file) => trusting(file).map(|tls| builder.with_tls_config(tls)),
        };
        let builder = builder.map_err(|why| wrong(format!("authority {why}")))?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        let client =
            Client::builder(TokioExecutor::new()).build(builder.https_only().enable_http1().wrap_connector(tcp));
        Ok(Self { config: config.clone(), token, client })
    }

    /// Opens what was sealed for this secret.
    pub(super) async fn open(&self, name: Named, sealed: &str) -> Result<Raw, ConfigError> {
        let answer = self.ask("decrypt", &json!({ "ciphertext": sealed, "associated_data": about(name) })).await?;
        let plain = answer.pointer("/data/plaintext").and_then(Value::as_str).map(|text| STANDARD.decode(text));
        let plain = plain.and_then(Result::ok).map(Zeroizing::new);
        let plain: Option<[u8; 32]> = plain.and_then(|plain| plain.as_slice().try_into().ok());
        plain.map(Zeroizing::new).ok_or_else(|| name.wrong("what the transit engine opened is not 32 bytes"))
    }

    /// Seals a value for this secret.
    pub(super) async fn seal(&self, name: Named, secret: &Raw) -> Result<Zeroizing<String>, ConfigError> {
        let plain = Zeroizing::new(STANDARD.encode(secret.as_slice()));
        let answer = self.ask("encrypt", &json!({ "plaintext": *plain, "associated_data": about(name) })).await?;
        let sealed = answer.pointer("/data/ciphertext").and_then(Value::as_str).unwrap_or_default();
        if !is_sealed(sealed) || sealed.contains(char::is_whitespace) {
            return Err(name.wrong("the transit engine gave no ciphertext"));
        }
        Ok(Zeroizing::new(sealed.to_owned()))
    }

    /// Asks, and asks again only while nobody could be reached.
    async fn ask(&self, what: &str, body: &Value) -> Result<Value, ConfigError> {
        let TransitConfig { address, mount, key, .. } = &self.config;
        let uri = format!("{}/v1/{mount}/{what}/{key}", address.trim_end_matches('/'));
        for left in (0..TRIES).rev() {
            let mut request =
                Request::builder().method(Method::POST).uri(uri.as_str()).header("x-vault-token", &*self.token);
            request = request.header("x-vault-request", "true").header("content-type", "application/json");
            if let Some(namespace) = &self.config.namespace {
                request = request.header("x-vault-namespace", namespace);
            }
            let request = request.body(Body::from(body.to_string())).map_err(|_| wrong("address is none"))?;
            match tokio::time::timeout(PATIENCE, self.client.request(request)).await {
                Err(_) => return Err(wrong(format!("{address} does not answer within five seconds"))),
                Ok(Err(error)) if error.is_connect() && left > 0 => tokio::time::sleep(PAUSE).await,
                Ok(Err(error)) => return Err(wrong(format!("{address} cannot be reached: {}", causes(&error)))),
                Ok(Ok(answer)) => {
                    let status = answer.status();
                    let body = tokio::time::timeout(PATIENCE, to_bytes(Body::new(answer.into_body()), ANSWER)).await;
                    let body = body.ok().and_then(Result::ok).map(|bytes| Zeroizing::new(bytes.to_vec()));
                    return told(what, status, body.as_deref().map_or(&[], Vec::as_slice));
                }
            }
        }
        Err(wrong(format!("{address} cannot be reached")))
    }
}

/// Whether a value in a file was sealed by a transit engine.
pub(super) fn is_sealed(value: &str) -> bool {
    value.starts_with("vault:v")
}

fn about(name: Named) -> String {
    STANDARD.encode(format!("himaya secret {name}"))
}

/// What was answered. Of a refusal the reasons, which speak of permissions and keys, never of what was sent.
fn told(what: &str, status: StatusCode, body: &[u8]) -> Result<Value, ConfigError> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let advice = match status {
        StatusCode::FORBIDDEN => "the token may not do that, or has run out",
        StatusCode::NOT_FOUND => "there is no such mount or key",
        StatusCode::SERVICE_UNAVAILABLE => "it is sealed: somebody has to unseal it",
        StatusCode::BAD_REQUEST => "the key does not open this, or another secret was sealed with it",
        _ => "see its log",
    };
    Err(wrong(format!("the transit engine refuses to {what} ({}): {advice}", status.as_u16())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_path_are_refused() {
        for good in ["transit", "country/transit", "himaya-1"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["", "/transit", "a//b", "../sys", "a?b", "a b", "a%2f"] {
            assert!(!is_path(bad), "{bad}");
        }
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        for (status, word) in [(403, "token"), (404, "mount"), (503, "unseal"), (400, "key"), (500, "log")] {
            let status = StatusCode::from_u16(status).unwrap();
            let said = told("decrypt", status, b"{}").err().unwrap().to_string();
            assert!(said.starts_with("secrets_keeper: ") && said.contains(word), "{said}");
        }
    }
}
