//! Somebody else names the person, and opens nothing by it: a small issuer on loopback, which lies as it is told to.

use crate::harness::World;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use ed25519_dalek::{Signer as _, SigningKey};
use himaya::demo::actor::{Actor, Reply};
use himaya::platform::config::{Config, OidcConfig};
use himaya::platform::random;
use himaya::platform::secrets::{Live, Version, Versions};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

const CLIENT: &str = "himaya";
const SECRET: &str = "s3cret-of-the-client";

/// How a token lies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    Nothing,
    Nonce,
    Audience,
    Expired,
    Unsigned,
    /// Signed with the client's secret, as if that were the issuer's key.
    ClientsSecret,
    Issuer,
    Key,
}

struct Code {
    nonce: String,
    challenge: String,
    subject: String,
    lie: Lie,
}

#[derive(Clone)]
struct Issuer {
    address: String,
    key: SigningKey,
    codes: Arc<Mutex<HashMap<String, Code>>>,
    /// What the service's clock says.
    now: himaya::platform::clock::Clock,
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Issuer {
    async fn start(world: &World) -> (Self, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            key: SigningKey::from_bytes(&random::bytes()),
            codes: Arc::default(),
            now: world.clock.clone(),
        };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(about))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .with_state(issuer.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (issuer, serving)
    }

    /// The person signs in at the issuer's page, and is sent back: state and code.
    fn sends_back(&self, begun: &Reply, subject: &str, lie: Lie) -> (String, String) {
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
            "sub": code.subject, "nonce": other(Lie::Nonce, "another", &code.nonce), "iat": now - 600,
            "exp": if lie == Lie::Expired { now - 1 } else { now + 300 },
        });
        let algorithm = match lie {
            Lie::Unsigned => "none",
            Lie::ClientsSecret => "HS256",
            _ => "EdDSA",
        };
        let text = format!("{}.{}", encoded(&json!({ "alg": algorithm, "kid": "one" })), encoded(&claims));
        let signature = match lie {
            Lie::Unsigned => vec![],
            Lie::ClientsSecret => {
                use hmac::{KeyInit as _, Mac as _};
                let mut mac = hmac::Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
                mac.update(text.as_bytes());
                mac.finalize().into_bytes().to_vec()
            }
            Lie::Key => SigningKey::from_bytes(&[7; 32]).sign(text.as_bytes()).to_bytes().to_vec(),
            _ => self.key.sign(text.as_bytes()).to_bytes().to_vec(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn about(State(issuer): State<Issuer>) -> Json<Value> {
    let at = |path: &str| format!("{}/{path}", issuer.address);
    Json(json!({
        "issuer": issuer.address, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"), "jwks_uri": at("jwks"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"]
    }))
}

async fn keys(State(issuer): State<Issuer>) -> Json<Value> {
    let public = URL_SAFE_NO_PAD.encode(issuer.key.verifying_key().as_bytes());
    Json(
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": public, "use": "sig", "kid": "one", "alg": "EdDSA" }] }),
    )
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
fn named_by(world: &World, issuer: &Issuer, required: bool) -> Config {
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

fn words(actor: &Actor) -> Value {
    json!({ "passphrase": actor.passphrase })
}

fn said(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.code())
}

fn returned(begun: &Reply, (state, code): &(String, String)) -> Value {
    json!({ "state": state, "code": code, "handle": begun.text_of("handle") })
}

/// Somebody without a session, at this replica.
fn stranger(world: &World, base: &str) -> Actor {
    world.country.person("officer1").unwrap().elsewhere().at(base)
}

async fn link(actor: &Actor, issuer: &Issuer, subject: &str) -> Reply {
    let begun = actor.post("/api/v1/oidc/links", &words(actor)).await.unwrap();
    assert_eq!(begun.status, 201, "{}", begun.text);
    let back = issuer.sends_back(&begun, subject, Lie::Nothing);
    actor.post("/api/v1/oidc/links/finish", &returned(&begun, &back)).await.unwrap()
}

/// A ticket for whom the issuer names: begun at one replica, finished at another.
async fn ticket(world: &World, issuer: &Issuer, (one, other): (&str, &str), subject: &str) -> Reply {
    let begun = stranger(world, one).post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    let back = issuer.sends_back(&begun, subject, Lie::Nothing);
    stranger(world, other).post("/api/v1/oidc/sign-ins/finish", &returned(&begun, &back)).await.unwrap()
}

async fn comes_in(world: &World, base: &str, ticket: &Reply, words: Value) -> Reply {
    let mut body = words;
    body["named"] = json!(ticket.text_of("ticket"));
    stranger(world, base).post("/api/v1/sessions", &body).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_issuer_names_a_person_over_two_replicas_and_their_own_words_let_them_in() {
    let world = World::new().await;
    let (issuer, _issuing) = Issuer::start(&world).await;
    let config = named_by(&world, &issuer, false);
    let (_one, first, one) = world.replica_of(config.clone()).await;
    let (_other, second, other) = world.replica_of(config).await;
    let officer = world.signed_in("officer1").await.at(&one);
    let linked = link(&officer, &issuer, "subject-of-officer1").await;
    assert_eq!(linked.status, 201, "{}", linked.text);
    let links = officer.get("/api/v1/oidc/links", "").await.unwrap();
    assert_eq!(links.body["items"][0]["issuer"], json!(issuer.address));

    let named = ticket(&world, &issuer, (&one, &other), "subject-of-officer1").await;
    assert_eq!(named.status, 201, "{}", named.text);
    // A ticket opens nothing, and stands for no other name.
    let operator = world.country.person("operator1").unwrap();
    for wrong in [words(operator), json!({ "passphrase": "not the one" })] {
        assert_eq!(said(&comes_in(&world, &one, &named, wrong).await), (401, "wrong_credentials"));
    }
    let beside = json!({ "handle": "operator1", "passphrase": operator.passphrase });
    assert_eq!(comes_in(&world, &one, &named, beside).await.status, 422, "a name and a ticket are two");
    let request = stranger(&world, &one).request(Method::GET, "/api/v1/cases").await;
    let bare = request.header("purpose", "case_work").bearer_auth(named.text_of("ticket"));
    assert_eq!(stranger(&world, &one).send(bare).await.unwrap().status, 401, "there is no session before the words");
    let session = comes_in(&world, &other, &named, words(&officer)).await;
    assert_eq!((session.status, session.id("account")), (201, officer.account), "{}", session.text);
    assert_eq!(said(&comes_in(&world, &one, &named, words(&officer)).await), (401, "wrong_credentials"), "once");

    // Somebody whom nobody knows is answered alike, until the words are wrong in any case.
    let unknown = ticket(&world, &issuer, (&one, &other), "subject-of-nobody").await;
    let shape = |reply: &Reply| {
        (reply.status, reply.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), reply.text.len())
    };
    assert_eq!(shape(&unknown), shape(&named));
    assert_eq!(said(&comes_in(&world, &one, &unknown, words(&officer)).await), (401, "wrong_credentials"));
    let made_up = Reply { body: json!({ "ticket": "made-up" }), ..unknown };
    assert_eq!(said(&comes_in(&world, &one, &made_up, words(&officer)).await), (401, "wrong_credentials"));

    // Too late, and after the link was taken away.
    let late = ticket(&world, &issuer, (&one, &other), "subject-of-officer1").await;
    world.clock.advance(TimeDelta::minutes(6));
    assert_eq!(said(&comes_in(&world, &one, &late, words(&officer)).await), (401, "wrong_credentials"));
    let open = ticket(&world, &issuer, (&one, &other), "subject-of-officer1").await;
    officer.refresh().await.unwrap();
    let alone = officer.post("/api/v1/oidc/links/remove", &json!({})).await.unwrap();
    assert_eq!(alone.status, 422, "a session alone takes nothing away");
    assert_eq!(officer.post("/api/v1/oidc/links/remove", &words(&officer)).await.unwrap().status, 200);
    assert_eq!(said(&comes_in(&world, &one, &open, words(&officer)).await), (401, "wrong_credentials"));
    for serving in [first, second] {
        serving.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_whole_and_true_way_back_names_anybody() {
    let world = World::new().await;
    let (issuer, _issuing) = Issuer::start(&world).await;
    let (_app, serving, base) = world.replica_of(named_by(&world, &issuer, false)).await;
    let officer = world.signed_in("officer1").await.at(&base);
    assert_eq!(link(&officer, &issuer, "subject").await.status, 201);
    let nobody = stranger(&world, &base);
    let sends_out = async || nobody.post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    let finish = async |body: Value| nobody.post("/api/v1/oidc/sign-ins/finish", &body).await.unwrap();
    for lie in [Lie::Nonce, Lie::Audience, Lie::Expired, Lie::Unsigned, Lie::ClientsSecret, Lie::Issuer, Lie::Key] {
        let begun = sends_out().await;
        let back = issuer.sends_back(&begun, "subject", lie);
        assert_eq!(said(&finish(returned(&begun, &back)).await), (401, "not_named"), "{lie:?}");
    }
    // Used once, and by whom it was begun.
    let begun = sends_out().await;
    let back = issuer.sends_back(&begun, "subject", Lie::Nothing);
    assert_eq!(finish(returned(&begun, &back)).await.status, 201);
    let again = issuer.sends_back(&begun, "subject", Lie::Nothing);
    assert_eq!(said(&finish(returned(&begun, &again)).await), (401, "not_named"), "the state, once more");
    let (other, third) = (sends_out().await, sends_out().await);
    let used = (issuer.sends_back(&other, "subject", Lie::Nothing).0, back.1.clone());
    assert_eq!(said(&finish(returned(&other, &used)).await), (401, "not_named"), "the code, once more");
    let foreign = issuer.sends_back(&third, "subject", Lie::Nothing);
    assert_eq!(said(&finish(returned(&sends_out().await, &foreign)).await), (401, "not_named"), "another's way");
    assert_eq!(said(&finish(json!({ "state": foreign.0, "code": foreign.1 })).await), (401, "not_named"), "no handle");
    // A code that was begun for another way has another challenge and nonce.
    let (mine, theirs) = (sends_out().await, sends_out().await);
    let (mixed, _) = issuer.sends_back(&mine, "subject", Lie::Nothing);
    let (_, stolen) = issuer.sends_back(&theirs, "subject", Lie::Nothing);
    assert_eq!(said(&finish(returned(&mine, &(mixed, stolen))).await), (401, "not_named"), "PKCE");
    let late = sends_out().await;
    let back = issuer.sends_back(&late, "subject", Lie::Nothing);
    world.clock.advance(TimeDelta::minutes(11));
    assert_eq!(said(&finish(returned(&late, &back)).await), (401, "not_named"), "too late");
    // The browser's cookie is as good as the handle.
    let begun = sends_out().await;
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-") && ["Secure", "HttpOnly", "Path=/"].iter().all(|part| cookie.contains(part)));
    let (state, code) = issuer.sends_back(&begun, "subject", Lie::Nothing);
    let request = nobody.request(Method::POST, "/api/v1/oidc/sign-ins/finish").await;
    let request =
        request.header("cookie", cookie.split(';').next().unwrap()).json(&json!({ "state": state, "code": code }));
    assert_eq!(nobody.send(request).await.unwrap().status, 201);

    // A way to link is its session's, and one to sign in links nothing.
    officer.refresh().await.unwrap();
    let worker = world.country.person("worker1").unwrap().elsewhere().at(&base);
    worker.sign_in().await.unwrap();
    let unshown = worker.post("/api/v1/oidc/links", &json!({ "passphrase": "not the one" })).await.unwrap();
    assert_eq!(said(&unshown), (403, "wrong_factor"));
    let begun = worker.post("/api/v1/oidc/links", &words(&worker)).await.unwrap();
    let back = issuer.sends_back(&begun, "subject-of-worker", Lie::Nothing);
    let links = "/api/v1/oidc/links/finish";
    assert_eq!(said(&officer.post(links, &returned(&begun, &back)).await.unwrap()), (403, "not_named"));
    assert_eq!(said(&finish(returned(&begun, &back)).await), (401, "not_named"));
    let signing_in = sends_out().await;
    let in_back = issuer.sends_back(&signing_in, "subject-of-worker", Lie::Nothing);
    assert_eq!(said(&worker.post(links, &returned(&signing_in, &in_back)).await.unwrap()), (403, "not_named"));
    // Nobody is linked to somebody else's subject.
    assert_eq!(said(&link(&worker, &issuer, "subject").await), (409, "linked_already"));
    assert_eq!(said(&link(&officer, &issuer, "another-subject").await), (409, "linked_already"));
    serving.stop().await.unwrap();
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn where_naming_is_required_a_linked_person_needs_both_and_a_subject_stands_under_no_clear_name() {
    let world = World::new().await;
    let (issuer, _issuing) = Issuer::start(&world).await;
    let (app, serving, base) = world.replica_of(named_by(&world, &issuer, true)).await;
    // Not linked yet: otherwise nobody could be.
    let officer = world.country.person("officer1").unwrap().elsewhere().at(&base);
    officer.sign_in().await.unwrap();
    assert_eq!(link(&officer, &issuer, "personal-identifier-4711").await.status, 201);
    let typed = officer.elsewhere().try_sign_in(words(&officer)).await.unwrap();
    assert_eq!(said(&typed), (401, "naming_needed"), "{}", typed.text);
    let wrong = officer.elsewhere().try_sign_in(json!({ "passphrase": "not the one" })).await.unwrap();
    assert_eq!(said(&wrong), (401, "wrong_credentials"), "wrong words are not told apart");
    let named = ticket(&world, &issuer, (&base, &base), "personal-identifier-4711").await;
    assert_eq!(comes_in(&world, &base, &named, words(&officer)).await.status, 201);
    // A link to an issuer that is not configured any more keeps nobody out.
    let (next, _also) = Issuer::start(&world).await;
    let (_next, elsewhere, at_next) = world.replica_of(named_by(&world, &next, true)).await;
    assert_eq!(officer.elsewhere().at(&at_next).try_sign_in(words(&officer)).await.unwrap().status, 201);
    elsewhere.stop().await.unwrap();
    assert!(!contains(&world.dump(), b"personal-identifier"), "a personal identifier lies in the database");

    // After a rotation the old name is still found, and written anew.
    let old = app.secrets.pepper.get().oldest().clone();
    let from = Some(world.clock.now() - TimeDelta::seconds(1));
    let new = Version { id: "ab".repeat(8), from, value: Zeroizing::new(random::bytes()) };
    app.secrets.pepper.take(&Live::new(Versions::new(old.clone(), vec![new.clone()])));
    let named = ticket(&world, &issuer, (&base, &base), "personal-identifier-4711").await;
    let under: String =
        sqlx::query_scalar("SELECT pepper FROM oidc_links").fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(under, new.id);
    assert_eq!(comes_in(&world, &base, &named, words(&officer)).await.status, 201);
    let again = ticket(&world, &issuer, (&base, &base), "personal-identifier-4711").await;
    assert_eq!(comes_in(&world, &base, &again, words(&officer)).await.status, 201);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_keeps_nobody_from_signing_in_by_name_and_many_tries_are_throttled() {
    let world = World::new().await;
    let (issuer, issuing) = Issuer::start(&world).await;
    let mut config = named_by(&world, &issuer, false);
    config.limits.address = 3;
    let (_app, serving, base) = world.replica_of(config).await;
    let nobody = stranger(&world, &base);
    let begun = nobody.post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    assert_eq!(begun.status, 201, "{}", begun.text);
    let back = issuer.sends_back(&begun, "subject", Lie::Nothing);
    issuing.abort();
    let _ = issuing.await;
    let away = nobody.post("/api/v1/oidc/sign-ins/finish", &returned(&begun, &back)).await.unwrap();
    assert_eq!(said(&away), (503, "issuer_away"), "{}", away.text);
    assert_eq!(nobody.try_sign_in(words(&nobody)).await.unwrap().status, 201, "by name");
    // Beginning is a row, and has a budget of its own: twenty times as many.
    let mut last = away;
    for _ in 0..60 {
        last = nobody.post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    }
    assert_eq!(said(&last), (429, "too_many_tries"), "{}", last.text);
    // Coming back has one too, which somebody's wrong codes do not take.
    let wrong = json!({ "state": "x", "code": "x", "handle": "x" });
    let tried = async || nobody.post("/api/v1/oidc/sign-ins/finish", &wrong).await.unwrap().status;
    assert_eq!([tried().await, tried().await, tried().await, tried().await], [401, 401, 401, 429]);
    let stray = json!({ "handle": "nobody", "code": "wrong" });
    let enrols = nobody.post("/api/v1/enrolments", &stray).await.unwrap();
    assert_ne!(enrols.status, 429, "{}", enrols.text);
    // Where nobody else names people there is no such way.
    let none = stranger(&world, &world.base).post("/api/v1/oidc/sign-ins", &json!({})).await.unwrap();
    assert_eq!(said(&none), (404, "no_issuer"));
    serving.stop().await.unwrap();
}
