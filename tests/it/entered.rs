//! What is done is entered, request by request; and what enters nothing stands in the reviewed file, with its reason.

use crate::harness::World;
use crate::ledger::comes_true;
use crate::matrix::{Judge, count, is_read, reviewed, routes};
use crate::own_entries::audits;
use crate::rotation_running::written;
use crate::running::{becomes, operators};
use crate::tiles::Outside;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use himaya::demo::actor::Actor;
use himaya::demo::country::Country;
use himaya::demo::{stay, story, ways};
use himaya::platform::config::{Config, LimitsConfig};
use reqwest::Method;
use serde_json::json;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// A request that went by, what it was answered, and how many entries came of it.
struct Seen {
    method: Method,
    path: String,
    status: u16,
    made: i64,
}

/// Somebody between the people and the service, through whom one request goes at a time.
struct Between {
    service: String,
    client: reqwest::Client,
    owner: Mutex<PgConnection>,
    seen: Mutex<Vec<Seen>>,
}

impl Between {
    async fn stand(world: &World) -> (Arc<Self>, String) {
        let between = Arc::new(Self {
            service: world.base.clone(),
            client: reqwest::Client::new(),
            owner: Mutex::new(world.owner().await),
            seen: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let passes = Router::new().fallback(pass).with_state(Arc::clone(&between));
        tokio::spawn(async move { axum::serve(listener, passes).await.unwrap() });
        (between, base)
    }
}

async fn pass(State(between): State<Arc<Between>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = head.uri.path_and_query().unwrap().to_string();
    let mut headers = head.headers;
    headers.remove("host");
    let mut owner = between.owner.lock().await;
    let before = count(&mut owner).await;
    let sent = between.client.request(head.method.clone(), format!("{}{path}", between.service)).headers(headers);
    let answer = sent.body(body).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.unwrap();
    let made = count(&mut owner).await - before;
    drop(owner);
    let path = path.split('?').next().unwrap_or_default().to_owned();
    between.seen.lock().await.push(Seen { method: head.method, path, status: status.as_u16(), made });
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    for (name, value) in headers.iter().filter(|(name, _)| *name != "transfer-encoding") {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response
}

/// How many entries say that something was done, as an auditor finds them; and how many more there are since, of the auditor's asking.
async fn all_done(world: &World, auditor: &Actor) -> (i64, i64) {
    let mut owner = world.owner().await;
    comes_true("everything is in the tree", async || {
        let waits: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_pending").fetch_one(&mut owner).await.unwrap();
        waits == 0
    })
    .await;
    let mut owner = world.owner().await;
    let before = count(&mut owner).await;
    let done = audits(auditor, json!({ "outcome": "done" })).await.len();
    (i64::try_from(done).unwrap(), count(&mut owner).await - before)
}

/// The route that answers this path.
fn route_of(routes: &[(Method, String)], method: &Method, path: &str) -> String {
    let fits = |pattern: &str| {
        let (wanted, there): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
        wanted.len() == there.len()
            && wanted.iter().zip(&there).all(|(one, other)| one.starts_with('{') || one == other)
    };
    // `sessions/current` is a route beside `sessions/{id}`.
    let mut found: Vec<&String> =
        routes.iter().filter(|(own, pattern)| own == method && fits(pattern)).map(|(_, pattern)| pattern).collect();
    found.sort_by_key(|pattern| pattern.matches('{').count());
    format!("{method} {}", found.first().unwrap_or_else(|| panic!("no route answers {method} {path}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_of_the_story_is_entered_and_each_read_exactly_once() {
    let world = World::new().await;
    let auditor = world.signed_in("auditor1").await;
    let (before, asking) = all_done(&world, &auditor).await;
    let (between, base) = Between::stand(&world).await;
    let people = world.country.everybody().map(|(actor, role)| (actor.at(&base), role));
    let country = Country::known(&base, &world.app.config.pins, people, world.country.organisations.clone());
    let played = story::play(&country).await.unwrap();
    let played = stay::play(&country, played).await.unwrap();
    ways::play(&country, played).await.unwrap();
    let (routes, mut judge, mut written, mut done) = (routes(), Judge::new(), BTreeSet::new(), 0);
    for Seen { method, path, status, made } in between.seen.lock().await.iter() {
        let route = route_of(&routes, method, path);
        let reads = is_read(method, path);
        judge.look(&route, "in the story", reads, *status, *made);
        if (200..300).contains(status) {
            done += made;
            if !reads {
                written.insert(route);
            }
        }
    }
    judge.finds_nothing_wrong();
    assert!(judge.looked_at > 100 && written.len() > 25, "{} requests, {written:#?}", judge.looked_at);
    // What was done is entered as done, and nothing else is.
    let (after, _) = all_done(&world, &auditor).await;
    assert_eq!(after, before + asking + done);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_enter_nothing_are_those_of_the_reviewed_file() {
    let world = World::new().await;
    let outside = Outside::of(&world, 0).await;
    let (door, operators) = operators(&world.app).await;
    let limits = LimitsConfig { account: 3, ..LimitsConfig::default() };
    let (_app, serving, limited) = world.replica_of(Config { limits, ..world.app.config.clone() }).await;
    let (auditor, nobody) = (world.signed_in("auditor1").await, world.country.person("duty1").unwrap().elsewhere());
    let wrong = json!({ "passphrase": "these are not the right words at all" });
    let mut owner = world.owner().await;

    // Wrong words are entered, whatever is answered, until nobody looks at them any more.
    let guesses = nobody.at(&limited);
    for expected in [401, 401, 401] {
        let before = count(&mut owner).await;
        assert_eq!(guesses.try_sign_in(wrong.clone()).await.unwrap().status, expected);
        assert_eq!(count(&mut owner).await, before + 1);
    }
    let before = count(&mut owner).await;
    let mut entered_nothing = BTreeMap::new();
    let mut tried = |what: &str, wanted: u16, got: u16| {
        assert_eq!(got, wanted, "{what}");
        *entered_nothing.entry(what.to_owned()).or_insert(0) += 1;
    };
    tried("429", 429, guesses.try_sign_in(wrong).await.unwrap().status);
    tried("401", 401, nobody.get("/api/v1/cases", "case_work").await.unwrap().status);
    let odd = json!({ "no_such_field": 1 });
    let search = auditor.request(Method::POST, "/api/v1/ledger/searches").await.header("purpose", "audit").json(&odd);
    tried("400, 409 or 422", 422, auditor.send(search).await.unwrap().status);
    let address = "404 or 405 of an address that there is not";
    tried(address, 404, auditor.get("/api/v1/no-such-address", "audit").await.unwrap().status);
    tried(address, 405, auditor.delete("/api/v1/cases").await.unwrap().status);
    for path in ["checkpoint", "keys", "proof/0"] {
        tried("GET /ledger/… with a verifier's token", 200, outside.get(path).await.status().as_u16());
    }
    becomes(&operators, "/ready", |status, _| status == 200).await;
    for path in ["/health", "/ready", "/metrics"] {
        let got = reqwest::get(format!("{operators}{path}")).await.unwrap().status().as_u16();
        tried("GET /health, /ready and /metrics of the operators' door", 200, got);
    }
    // Who cannot count lets nobody in.
    sqlx::raw_sql("REVOKE ALL ON sign_in_tries FROM himaya_door").execute(&mut owner).await.unwrap();
    tried("503", 503, nobody.try_sign_in(json!({ "passphrase": nobody.passphrase })).await.unwrap().status);
    assert_eq!(count(&mut owner).await, before, "nothing of all this is an entry");
    let reasons = reviewed(2);
    assert_eq!(entered_nothing.keys().collect::<Vec<_>>(), reasons.keys().collect::<Vec<_>>());
    door.close().await;
    serving.stop().await.unwrap();
    outside.stop().await;
}

/// The commands below these words, as the program itself lists them.
fn commands(words: &[String]) -> Vec<Vec<String>> {
    let output = Command::new(env!("CARGO_BIN_EXE_himaya")).args(words).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let Some((_, listed)) = text.split_once("\nCommands:\n") else { return vec![words.to_vec()] };
    let listed = listed.split("\n\n").next().unwrap().lines();
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let names = names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help");
    names.flat_map(|name| commands(&[words, &[name.to_owned()]].concat())).collect()
}

/// Commands that are the service.
const SERVE: [&str; 2] = ["himaya demo", "himaya serve"];

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_enter_nothing_are_those_of_the_reviewed_file() {
    let listed = commands(&[]).into_iter().map(|words| format!("himaya {}", words.join(" ")));
    let listed: BTreeSet<String> = listed.filter(|command| !SERVE.contains(&command.as_str())).collect();
    assert_eq!(listed, reviewed(3).into_keys().collect());
    // Entries are made by what starts a service, and no command does but these.
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut starts = Vec::new();
    for folder in ["cli", "cli/audit", "."] {
        for file in std::fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path()) {
            if file.is_file() && std::fs::read_to_string(&file).unwrap().contains("App::start(") {
                starts.push(file.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    assert_eq!(starts, ["serve.rs"]);

    // Those that can be run beside a service.
    let world = World::new().await;
    let config = written(&world, |config| config);
    let folder = world.folder.join("exported");
    let mut owner = world.owner().await;
    let before = count(&mut owner).await;
    for arguments in [
        vec!["audit", "verify"],
        vec!["audit", "export", folder.to_str().unwrap()],
        vec!["keys", "sweep"],
        vec!["keys", "rotate", "pseudonyms"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_himaya"));
        let output = command.args(&arguments).arg("--config").arg(&config).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(count(&mut owner).await, before, "{arguments:?}");
    }
}
