//! Secrets that lie sealed in their files: by a transit engine over HTTPS, which answers as Vault documents it.

use crate::harness::World;
use crate::ledger::comes_true;
use crate::running::certificate;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use axum::extract::{Path as At, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use himaya::platform::app::App;
use himaya::platform::config::Config;
use himaya::platform::secrets::{self, KeeperConfig, NOTICE, Named, Secrets, TransitConfig};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A transit engine for one key: checks what Vault checks, and seals as it does (AES-256-GCM, `vault:v1:` before base64).
struct Engine {
    token: String,
    namespace: Option<String>,
    asked: AtomicU64,
    /// Answered instead of anything else, unless nothing.
    refuses: AtomicU16,
    /// What was asked last, for whoever wants to see that no secret is in a header or a path.
    last: Mutex<String>,
}

async fn asked(
    State(engine): State<Arc<Engine>>,
    At((what, key)): At<(String, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    engine.asked.fetch_add(1, Ordering::SeqCst);
    *engine.last.lock().unwrap() = format!("{what} {key} {headers:?}");
    let refused = |status: u16, why: &str| (StatusCode::from_u16(status).unwrap(), Json(json!({ "errors": [why] })));
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    match engine.refuses.load(Ordering::SeqCst) {
        0 => {}
        status => return refused(status, "refused"),
    }
    if header("x-vault-token").as_deref() != Some(&engine.token) || header("x-vault-namespace") != engine.namespace {
        return refused(403, "permission denied");
    }
    if header("x-vault-request").as_deref() != Some("true") {
        return refused(412, "x-vault-request is missing");
    }
    if key != "himaya" {
        return refused(400, "encryption key not found");
    }
    let cipher = Aes256Gcm::new_from_slice(&[42; 32]).unwrap();
    let field = |name: &str| body[name].as_str().map(str::to_owned);
    let bytes = |name: &str| field(name).and_then(|text| STANDARD.decode(text).ok());
    let Some(aad) = bytes("associated_data") else { return refused(400, "associated_data is not base64") };
    match what.as_str() {
        "encrypt" => {
            let Some(plain) = bytes("plaintext") else { return refused(400, "failed to base64-decode plaintext") };
            let nonce: [u8; 12] = himaya::platform::random::bytes();
            let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: &plain, aad: &aad }).unwrap();
            let sealed = format!("vault:v1:{}", STANDARD.encode([nonce.as_slice(), &sealed].concat()));
            (StatusCode::OK, Json(json!({ "data": { "ciphertext": sealed, "key_version": 1 } })))
        }
        "decrypt" => {
            let sealed = field("ciphertext").and_then(|text| text.strip_prefix("vault:v1:").map(str::to_owned));
            let sealed = sealed.and_then(|text| STANDARD.decode(text).ok());
            let Some((nonce, sealed)) = sealed.as_deref().and_then(<[u8]>::split_first_chunk::<12>) else {
                return refused(400, "invalid ciphertext: no prefix");
            };
            match cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: &aad }) {
                Ok(plain) => (StatusCode::OK, Json(json!({ "data": { "plaintext": STANDARD.encode(plain) } }))),
                Err(_) => refused(400, "cipher: message authentication failed"),
            }
        }
        _ => refused(404, "no handler for route"),
    }
}

/// The engine behind TLS, with the configuration that reaches it.
fn engine(folder: &Path) -> (Arc<Engine>, TransitConfig) {
    let (files, _) = certificate(folder, 90);
    let engine = Arc::new(Engine {
        token: "hvs.CAESIJ-a-token".to_owned(),
        namespace: Some("country".to_owned()),
        asked: AtomicU64::new(0),
        refuses: AtomicU16::new(0),
        last: Mutex::default(),
    });
    let router = Router::new().route("/v1/keys/transit/{what}/{key}", post(asked)).with_state(Arc::clone(&engine));
    let tls = RustlsConfig::from_config(Arc::new(himaya::platform::tls::load(&files).unwrap()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = axum_server::from_tcp_rustls(listener, tls).unwrap().serve(router.into_make_service());
    tokio::spawn(server);
    let token_file = folder.join("vault-token");
    std::fs::write(&token_file, format!("{}\n", engine.token)).unwrap();
    std::fs::set_permissions(&token_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = TransitConfig {
        address: format!("https://localhost:{port}"),
        mount: "keys/transit".to_owned(),
        key: "himaya".to_owned(),
        token_file,
        authority: Some(files.certificate),
        namespace: engine.namespace.clone(),
    };
    (engine, config)
}

fn with(world: &World, transit: &TransitConfig) -> Config {
    Config { secrets_keeper: KeeperConfig::Vault(transit.clone()), ..world.app.config.clone() }
}

async fn refused(config: &Config) -> String {
    Secrets::read(config).await.err().map(|error| error.to_string()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_by_a_transit_engine_the_secrets_open_at_the_start_and_are_exchanged() {
    let mut world = World::new().await;
    world.stop().await;
    let folder = world.app.config.secrets.clone();
    let open: Vec<String> =
        Named::ALL.iter().map(|name| std::fs::read_to_string(folder.join(name.as_str())).unwrap()).collect();
    let (engine, transit) = engine(&world.folder);
    let config = with(&world, &transit);
    let said = refused(&config).await;
    assert!(said.contains("secret pepper: lies open in its file") && said.contains("himaya keys seal"), "{said}");
    assert_eq!(secrets::seal(&config).await.unwrap(), Named::ALL);
    assert_eq!(secrets::seal(&config).await.unwrap(), [], "a second time there is nothing to do");
    for (name, open) in Named::ALL.iter().zip(&open) {
        let sealed = std::fs::read_to_string(folder.join(name.as_str())).unwrap();
        assert!(sealed.starts_with("vault:v1:") && !sealed.contains(open.trim()), "{name}");
        assert!(!engine.last.lock().unwrap().contains(open.trim()));
    }
    // Without the engine nothing opens, and the reason is told by the setting's name.
    let said = refused(&world.app.config).await;
    assert!(said.contains("secret pepper: is sealed"), "{said}");

    // The service starts, works, and takes a new value that was sealed before it was ever stored.
    let (app, serving, base) = world.replica_of(config.clone()).await;
    let operator = world.country.person("operator1").unwrap().at(&base);
    operator.sign_in().await.unwrap();
    let rotated = secrets::rotate(&config, Named::Token, NOTICE, &world.clock).await.unwrap();
    let text = std::fs::read_to_string(folder.join("token")).unwrap();
    assert!(text.lines().count() == 2 && text.lines().all(|line| line.starts_with("vault:v1:")), "{text}");
    comes_true("the process has the new value opened", async || app.secrets.token.get().newest().id == rotated.id)
        .await;
    world.clock.advance(chrono::TimeDelta::seconds(62));
    operator.refresh().await.unwrap();
    let token = operator.secrets().await.0;
    assert_eq!(jsonwebtoken::decode_header(token).unwrap().kid, Some(rotated.id));
    // What runs needs the engine no more, until something changes.
    let before = engine.asked.load(Ordering::SeqCst);
    operator.sign_in().await.unwrap();
    assert_eq!(engine.asked.load(Ordering::SeqCst), before);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_engine_refuses_or_another_opens_stops_the_start_with_its_reason() {
    let mut world = World::new().await;
    world.stop().await;
    let folder = world.app.config.secrets.clone();
    let (engine, transit) = engine(&world.folder);
    let good = with(&world, &transit);
    secrets::seal(&good).await.unwrap();
    assert_eq!(refused(&good).await, "");
    for (status, why) in [(403, "token"), (404, "mount"), (503, "unseal"), (500, "log")] {
        engine.refuses.store(status, Ordering::SeqCst);
        let said = refused(&good).await;
        assert!(said.starts_with("secrets_keeper: ") && said.contains(why), "{said}");
    }
    engine.refuses.store(0, Ordering::SeqCst);
    for (change, why) in [
        (TransitConfig { key: "other".to_owned(), ..transit.clone() }, "400"),
        (TransitConfig { namespace: None, ..transit.clone() }, "403"),
        (TransitConfig { address: transit.address.replace("https", "http"), ..transit.clone() }, "https://"),
        (TransitConfig { authority: None, ..transit.clone() }, "cannot be reached"),
        (TransitConfig { mount: "keys/../sys".to_owned(), ..transit.clone() }, "names"),
        (TransitConfig { token_file: folder.join("nowhere"), ..transit.clone() }, "token_file"),
    ] {
        let said = refused(&with(&world, &change)).await;
        assert!(said.starts_with("secrets_keeper: ") && said.contains(why), "{why}: {said}");
    }
    // Nobody listens there: asked again some times, and then told.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone = TransitConfig { address: format!("https://localhost:{nobody}"), ..transit.clone() };
    assert!(refused(&with(&world, &gone)).await.contains("cannot be reached"));
    // A token that others read.
    std::fs::set_permissions(&transit.token_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(&good).await.contains("token_file: the file can be read by others"), "{}", refused(&good).await);
    std::fs::set_permissions(&transit.token_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    // One secret in the place of another does not open.
    std::fs::copy(folder.join("pepper"), folder.join("pseudonyms")).unwrap();
    assert!(refused(&good).await.contains("another secret was sealed with it"));
    assert!(App::start(good, world.clock.clone()).await.is_err());
}
