//! A small issuer on loopback, which names people and lies as it is told to.

use crate::harness::World;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use himaya::demo::actor::{Actor, Reply};
use himaya::platform::config::{Config, OidcConfig, TlsConfig};
use himaya::platform::random;
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const CLIENT: &str = "himaya";
const SECRET: &str = "s3cret-of-the-client";

/// How a token lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lie {
    Nothing,
    Nonce,
    Audience,
    Expired,
    Unsigned,
    /// Signed with the client's secret, as if that were the issuer's key.
    ClientsSecret,
    /// Signed with the issuer's public key, as if that were a secret.
    PublicKey,
    Issuer,
    Key,
}

/// With what the issuer signs.
#[derive(Clone)]
pub enum Signs {
    EdDsa(SigningKey),
    Es256(p256::ecdsa::SigningKey),
    Rs256(Arc<rsa::RsaPrivateKey>),
}

/// What draws an RSA key's primes.
struct Drawn;

impl rsa::rand_core::RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        u32::from_be_bytes(random::bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_be_bytes(random::bytes())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(32) {
            part.copy_from_slice(&random::bytes::<32>()[..part.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for Drawn {}

impl Signs {
    pub fn eddsa() -> Self {
        Self::EdDsa(SigningKey::from_bytes(&random::bytes()))
    }

    pub fn es256() -> Self {
        Self::Es256(p256::ecdsa::SigningKey::from_slice(&random::bytes::<32>()).unwrap())
    }

    /// Shorter than any that an issuer has: a longer one takes its time to be found.
    pub fn rs256() -> Self {
        Self::Rs256(Arc::new(rsa::RsaPrivateKey::new(&mut Drawn, 1024).unwrap()))
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::EdDsa(_) => "EdDSA",
            Self::Es256(_) => "ES256",
            Self::Rs256(_) => "RS256",
        }
    }

    /// Another key of the same kind.
    fn another(&self) -> Self {
        match self {
            Self::EdDsa(_) => Self::eddsa(),
            Self::Es256(_) => Self::es256(),
            Self::Rs256(_) => Self::rs256(),
        }
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        match self {
            Self::EdDsa(key) => key.sign(text.as_bytes()).to_bytes().to_vec(),
            Self::Es256(key) => {
                use p256::ecdsa::signature::Signer as _;
                let signature: p256::ecdsa::Signature = key.sign(text.as_bytes());
                signature.to_bytes().to_vec()
            }
            Self::Rs256(key) => {
                // PKCS#1: what says that it is SHA-256, and the hash.
                let mut digest = hex("3031300d060960864801650304020105000420");
                digest.extend_from_slice(&Sha256::digest(text.as_bytes()));
                key.sign(rsa::Pkcs1v15Sign::new_unprefixed(), &digest).unwrap()
            }
        }
    }

    /// The public half, as it is published.
    fn published(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match self {
            Self::EdDsa(key) => json!({ "kty": "OKP", "crv": "Ed25519", "x": part(key.verifying_key().as_bytes()) }),
            Self::Es256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                json!({ "kty": "EC", "crv": "P-256", "x": part(point.x().unwrap()), "y": part(point.y().unwrap()) })
            }
            Self::Rs256(key) => {
                use rsa::traits::PublicKeyParts as _;
                json!({ "kty": "RSA", "n": part(&key.n().to_bytes_be()), "e": part(&key.e().to_bytes_be()) })
            }
        };
        for (name, value) in [("use", "sig"), ("kid", "one"), ("alg", self.name())] {
            jwk[name] = json!(value);
        }
        jwk
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect()
}

struct Code {
    nonce: String,
    challenge: String,
    subject: String,
    lie: Lie,
}

#[derive(Clone)]
pub struct Issuer {
    pub address: String,
    signs: Signs,
    codes: Arc<Mutex<HashMap<String, Code>>>,
    /// What the service's clock says.
    now: himaya::platform::clock::Clock,
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Issuer {
    fn at(world: &World, address: String, signs: Signs) -> Self {
        Self { address, signs, codes: Arc::default(), now: world.clock.clone() }
    }

    fn routes(&self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(about))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .with_state(self.clone())
    }

    pub async fn start(world: &World) -> (Self, tokio::task::JoinHandle<()>) {
        Self::signing(world, Signs::eddsa()).await
    }

    pub async fn signing(world: &World, signs: Signs) -> (Self, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self::at(world, format!("http://{}", listener.local_addr().unwrap()), signs);
        let routes = issuer.routes();
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (issuer, serving)
    }

    /// Behind TLS, with this certificate for `localhost`.
    pub fn over_tls(world: &World, files: &TlsConfig) -> Self {
        let tls = RustlsConfig::from_config(Arc::new(himaya::platform::tls::load(files).unwrap()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let issuer = Self::at(world, format!("https://localhost:{port}"), Signs::es256());
        let server = axum_server::from_tcp_rustls(listener, tls).unwrap().serve(issuer.routes().into_make_service());
        tokio::spawn(server);
        issuer
    }

    /// The person signs in at the issuer's page, and is sent back: state and code.
    pub fn sends_back(&self, begun: &Reply, subject: &str, lie: Lie) -> (String, String) {
        let url = Url::parse(begun.text_of("authorization_url")).unwrap();
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!((asked["client_id"].as_str(), asked["response_type"].as_str()), (CLIENT, "code"));
        assert_eq!((asked["code_challenge_method"].as_str(), asked["scope"].as_str()), ("S256", "openid"));
        let code = URL_SAFE_NO_PAD.encode(random::bytes::<16>());
        let said = Code {
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            subject: subject.to_owned(),
            lie,
        };
        self.codes.lock().unwrap().insert(code.clone(), said);
        (asked["state"].clone(), code)
    }

    fn token_of(&self, code: &Code) -> String {
        let (now, lie) = (self.now.now().timestamp(), code.lie);
        let other = |is: Lie, lied: &str, truth: &str| if lie == is { lied.to_owned() } else { truth.to_owned() };
        let claims = json!({
            "iss": other(Lie::Issuer, "http://127.0.0.1:1", &self.address), "aud": other(Lie::Audience, "another", CLIENT),
            "sub": code.subject, "email": "officer1@squad.example", "email_verified": true, "preferred_username": "officer1", "nonce": other(Lie::Nonce, "another", &code.nonce), "iat": now - 600,
            "exp": if lie == Lie::Expired { now - 1 } else { now + 300 },
        });
        let algorithm = match lie {
            Lie::Unsigned => "none",
            Lie::ClientsSecret | Lie::PublicKey => "HS256",
            _ => self.signs.name(),
        };
        let text = format!("{}.{}", encoded(&json!({ "alg": algorithm, "kid": "one" })), encoded(&claims));
        let keyed = |secret: &[u8]| {
            use hmac::{KeyInit as _, Mac as _};
            let mut mac = hmac::Hmac::<Sha256>::new_from_slice(secret).unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        };
        let signature = match lie {
            Lie::Unsigned => vec![],
            Lie::ClientsSecret => keyed(SECRET.as_bytes()),
            Lie::PublicKey => keyed(self.signs.published().to_string().as_bytes()),
            Lie::Key => self.signs.another().sign(&text),
            _ => self.signs.sign(&text),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn about(State(issuer): State<Issuer>) -> Json<Value> {
    let at = |path: &str| format!("{}/{path}", issuer.address);
    Json(json!({
        "issuer": issuer.address, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"), "jwks_uri": at("jwks"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "RS256", "ES256", "HS256", "none"]
    }))
}

async fn keys(State(issuer): State<Issuer>) -> Json<Value> {
    Json(json!({ "keys": [issuer.signs.published()] }))
}

async fn token(
    State(issuer): State<Issuer>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let refused = || (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })));
    let client = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    // Each code is good once, for the client that has PKCE's verifier.
    let Some(code) = form.get("code").and_then(|code| issuer.codes.lock().unwrap().remove(code)) else {
        return refused();
    };
    let verifier = form.get("code_verifier").cloned().unwrap_or_default();
    if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) != code.challenge
        || headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&client)
    {
        return refused();
    }
    (StatusCode::OK, Json(json!({ "access_token": "x", "token_type": "Bearer", "id_token": issuer.token_of(&code) })))
}

/// A configuration in which this issuer names people.
pub fn named_by(world: &World, issuer: &Issuer, required: bool) -> Config {
    let secret = world.app.config.secrets.join("oidc.client_secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let oidc = OidcConfig {
        issuer: issuer.address.clone(),
        client_id: CLIENT.to_owned(),
        redirect_url: "http://127.0.0.1:1/back".to_owned(),
        required,
        authority: None,
    };
    Config { oidc: Some(oidc), ..world.app.config.clone() }
}

pub fn words(actor: &Actor) -> Value {
    json!({ "passphrase": actor.passphrase })
}

pub fn said(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.code())
}

pub fn returned(begun: &Reply, (state, code): &(String, String)) -> Value {
    json!({ "state": state, "code": code, "handle": begun.text_of("handle") })
}

/// Somebody without a session, at this replica.
pub fn stranger(world: &World, base: &str) -> Actor {
    world.country.person("officer1").unwrap().elsewhere().at(base)
}

pub async fn link(actor: &Actor, issuer: &Issuer, subject: &str) -> Reply {
    let begun = actor.post("/api/v1/oidc/links", &words(actor)).await.unwrap();
    assert_eq!(begun.status, 201, "{}", begun.text);
    let back = issuer.sends_back(&begun, subject, Lie::Nothing);
    actor.post("/api/v1/oidc/links/finish", &returned(&begun, &back)).await.unwrap()
}

/// A ticket for whom the issuer names: begun at one replica, finished at another.
pub async fn ticket(world: &World, issuer: &Issuer, (one, other): (&str, &str), subject: &str) -> Reply {
    let begun = stranger(world, one).post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    let back = issuer.sends_back(&begun, subject, Lie::Nothing);
    stranger(world, other).post("/api/v1/oidc/sign-ins/finish", &returned(&begun, &back)).await.unwrap()
}

pub async fn comes_in(world: &World, base: &str, ticket: &Reply, words: Value) -> Reply {
    let mut body = words;
    body["named"] = json!(ticket.text_of("ticket"));
    stranger(world, base).post("/api/v1/sessions", &body).await.unwrap()
}
