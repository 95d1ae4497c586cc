//! The service and those who watch its ledger from outside: while too few of them see it, no record is opened.

use crate::harness::World;
use crate::running::{becomes, operators};
use crate::witness::{ORIGIN, Outside};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use chrono::TimeDelta;
use ed25519_dalek::SigningKey;
use himaya::audit::note::cosignature::{CosignatureKey, CosignatureVerifier};
use himaya::audit::note::{KeyName, NoteVerifier, unverified_text};
use himaya::demo::actor::Actor;
use himaya::doctor::{self, Verdict};
use himaya::platform::clock::Clock;
use himaya::platform::config::{Config, LogWitnessConfig};
use himaya::platform::listen::Listening;
use himaya::platform::serve::Serving;
use himaya::witness::Witness;
use himaya::witness::config::{LogConfig, WitnessConfig};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The key that the world's ledger is signed with.
fn log_key(world: &World) -> NoteVerifier {
    world.app.log_keys().unwrap().all()[0].clone()
}

pub fn witnessed(url: &str, key: &CosignatureVerifier) -> LogWitnessConfig {
    LogWitnessConfig { url: url.to_owned(), vkey: key.to_string(), token_file: None, authority: None }
}

/// A witness in this process, by the world's own clock.
pub struct Beside {
    config: WitnessConfig,
    clock: Clock,
    pub key: CosignatureVerifier,
    listen: std::net::SocketAddr,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl Beside {
    pub async fn new(world: &World, name: &str) -> Self {
        let folder = world.folder.join(name);
        let key = himaya::witness::init(&folder, name).unwrap();
        let listen = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let log = LogConfig { origin: ORIGIN.to_owned(), vkeys: vec![log_key(world).to_string()], token_sha256: None };
        let listens = listen.to_string().parse().unwrap();
        let config = WitnessConfig { listen: listens, behind_proxy: false, tls: None, folder, logs: vec![log] };
        Self { config, clock: world.clock.clone(), key, listen, running: None }
    }

    pub async fn start(&mut self) {
        let witness = Arc::new(Witness::open(&self.config, self.clock.clone()).unwrap());
        let (stop, stopped) = watch::channel(false);
        let (listening, config) = (Listening::at(&self.config.listen).await.unwrap(), self.config.clone());
        let serving = tokio::spawn(async move { witness.serve(&config, listening, stopped).await.unwrap() });
        self.running = Some((stop, serving));
    }

    pub async fn stop(&mut self) {
        let (stop, serving) = self.running.take().unwrap();
        stop.send_replace(true);
        serving.await.unwrap();
    }

    fn own(&self) -> PathBuf {
        let mut logs = self.config.folder.join("logs").read_dir().unwrap();
        logs.next().unwrap().unwrap().path()
    }

    /// Up to where it has seen the ledger.
    pub fn seen(&self) -> i64 {
        let latest = std::fs::read_to_string(self.own().join("checkpoint")).unwrap_or_default();
        latest.lines().nth(1).map_or(0, |size| size.parse().unwrap())
    }

    fn has_evidence(&self) -> bool {
        self.own().join("evidence").read_dir().is_ok_and(|files| files.count() > 1)
    }

    pub fn told(&self) -> LogWitnessConfig {
        witnessed(&format!("http://{}", self.listen), &self.key)
    }
}

/// The world's configuration with witnesses.
pub fn watched(world: &World, witnesses: Vec<LogWitnessConfig>, needed: usize) -> Config {
    Config { witnesses, witnesses_needed: Some(needed), ..world.app.config.clone() }
}

fn call() -> serde_json::Value {
    json!({ "content": { "safe_to_talk": "yes", "said": "hello" } })
}

/// Becomes true within a minute: witnesses that failed are left alone for some time.
pub async fn soon(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..600 {
        tick.tick().await;
        if ask().await {
            return;
        }
    }
    panic!("{what}: not within a minute");
}

/// A call to read, and who reads it.
struct Reader {
    operator: Actor,
    path: String,
}

impl Reader {
    async fn new(world: &World) -> Self {
        let operator = world.signed_in("operator1").await;
        let first = operator.post("/api/v1/calls", &call()).await.unwrap();
        Self { path: format!("/api/v1/calls/{}", first.id("id")), operator }
    }

    /// What reading it at this replica is answered.
    async fn reads(&self, base: &str) -> (u16, String) {
        let read = self.operator.at(base).get(&self.path, "intake").await.unwrap();
        assert!(read.status == 200 || !read.text.contains("hello"));
        let code = if read.status == 200 { String::new() } else { read.code().to_owned() };
        (read.status, code)
    }

    async fn opens(&self, base: &str) {
        soon("records are opened", async || self.reads(base).await.0 == 200).await;
    }

    async fn closes(&self, base: &str) {
        soon("records are closed", async || self.reads(base).await == closed()).await;
    }

    /// Time passes, for longer than an access token lasts.
    async fn let_pass(&self, world: &World, base: &str, minutes: i64) {
        world.clock.advance(TimeDelta::minutes(minutes));
        self.operator.at(base).refresh().await.unwrap();
    }

    /// For so many tenths of a second it stays like this.
    async fn stays(&self, base: &str, wanted: (u16, String), tenths: u32) {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..tenths {
            tick.tick().await;
            assert_eq!(self.reads(base).await, wanted);
        }
    }

    async fn writes(&self, base: &str) {
        let written = self.operator.at(base).post("/api/v1/calls", &call()).await.unwrap();
        assert_eq!(written.status, 201, "calls can always be written: {}", written.text);
    }
}

fn closed() -> (u16, String) {
    (503, "ledger_not_witnessed".to_owned())
}

async fn end(serving: Serving) {
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_witnesses_see_every_checkpoint_and_everybody_is_told() {
    let world = World::new().await;
    let vkeys = [log_key(&world).to_string()];
    let (one, two) = (Outside::started("one.example", &vkeys).await, Outside::started("two.example", &vkeys).await);
    let told = [&one, &two].map(|outside| witnessed(&format!("http://{}", outside.address), &outside.key));
    let config = watched(&world, told.to_vec(), 2);
    let (app, serving, base) = world.replica_of(config.clone()).await;
    let (door, address) = operators(&app).await;
    let reader = Reader::new(&world).await;
    reader.opens(&base).await;
    becomes(&address, "/ready", |status, _| status == 200).await;
    let metrics = becomes(&address, "/metrics", |_, text| text.contains("himaya_ledger_unwitnessed 0")).await;
    assert!(metrics.contains("himaya_witness_cosigned_timestamp_seconds{witness=\"one.example\"} 1"), "{metrics}");

    // What is written goes on being seen, and what is kept outside carries both their words.
    let before = std::fs::read_to_string(app.config.checkpoints.join("cosigned")).unwrap();
    reader.writes(&base).await;
    let file = app.config.checkpoints.join("cosigned");
    soon("a later checkpoint is cosigned", async || std::fs::read_to_string(&file).unwrap() != before).await;
    let cosigned = std::fs::read_to_string(&file).unwrap();
    let keys = app.log_keys().unwrap();
    assert!(keys.read(&cosigned).unwrap().checkpoint.size() > keys.read(&before).unwrap().checkpoint.size());
    for outside in [&one, &two] {
        outside.key.verify(&cosigned).unwrap();
        assert_eq!(unverified_text(&outside.latest().await.unwrap()), unverified_text(&cosigned));
        assert!(outside.evidence("fork").is_empty() && outside.evidence("unproved").is_empty());
    }
    // Whoever fetches the ledger is given no newer checkpoint than they have both seen, with their words.
    let auditor = world.signed_in("auditor1").await.at(&base);
    let given = auditor.get("/ledger/checkpoint", "audit").await.unwrap();
    assert_eq!(given.status, 200, "{}", given.text);
    for outside in [&one, &two] {
        outside.key.verify(&given.text).unwrap();
    }
    let said = async |config: &Config| -> Vec<String> {
        let all = doctor::examine(config, &world.clock).await;
        all.iter().filter(|check| check.about.starts_with("witness")).map(ToString::to_string).collect()
    };
    let well = said(&config).await;
    assert!(well.len() == 3 && well.iter().all(|said| !said.contains("call whoever")), "{well:#?}");
    assert!(well.iter().any(|said| said.contains("2 of 2 see the ledger")), "{well:#?}");
    assert!(
        said(&Config { witnesses: vec![], witnesses_needed: None, ..config.clone() }).await[0].contains("none are set")
    );
    world.clock.advance(TimeDelta::minutes(16));
    assert!(said(&config).await.iter().any(|said| said.contains("no record is opened")), "{:#?}", said(&config).await);
    door.close().await;
    end(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_enough_witnesses_nothing_is_opened_and_calls_are_written() {
    let world = World::new().await;
    let mut all = Vec::new();
    for name in ["one.example", "two.example", "three.example"] {
        all.push(Beside::new(&world, name).await);
    }
    let config = watched(&world, all.iter().map(Beside::told).collect(), 2);
    all[0].start().await;
    let reader = Reader::new(&world).await;
    let (app, serving, base) = world.replica_of(config.clone()).await;
    let (door, address) = operators(&app).await;
    // One of three is not enough, from the start.
    soon("one has cosigned", async || all[0].seen() > 0).await;
    becomes(&address, "/ready", |status, text| status == 200 && text == "ledger_not_witnessed").await;
    assert_eq!(reader.reads(&base).await, closed());
    reader.writes(&base).await;
    let coordinator = world.signed_in("coordinator1").await.at(&base);
    let status = coordinator.get("/api/v1/status", "").await.unwrap();
    assert!(status.text.contains("\"ledger_not_witnessed\":true"), "{}", status.text);
    all[2].start().await;
    reader.opens(&base).await;

    // They see it no more: a quarter of an hour it may stay so.
    all[0].stop().await;
    all[2].stop().await;
    reader.let_pass(&world, &base, 13).await;
    reader.stays(&base, (200, String::new()), 25).await;
    reader.let_pass(&world, &base, 3).await;
    reader.closes(&base).await;
    reader.writes(&base).await;
    // Another replica finds it out by itself, and one that nobody watches goes on.
    let (_, other, beside) = world.replica_of(config).await;
    assert_eq!(reader.reads(&beside).await, closed());
    assert_eq!(reader.reads(&world.base).await.0, 200);
    // Another two of the three are as good.
    all[0].start().await;
    all[1].start().await;
    reader.opens(&base).await;
    reader.opens(&beside).await;
    door.close().await;
    end(other).await;
    end(serving).await;
}

/// A witness that answers with what it is told to, to everybody.
async fn liar(answer: impl Fn(String) -> (StatusCode, &'static str, String) + Clone + Send + Sync + 'static) -> String {
    let answers = async move |body: String| {
        let (status, kind, text) = answer(body);
        (status, [("content-type", kind)], text)
    };
    let router = Router::new().route("/add-checkpoint", post(answers));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

pub fn liars_key(number: u8) -> CosignatureKey {
    CosignatureKey::new(
        KeyName::new(format!("liar{number}.example")).unwrap(),
        &SigningKey::from_bytes(&[100 + number; 32]),
    )
}

/// The checkpoint in a submission.
fn submitted(body: &str) -> &str {
    body.split_once("\n\n").unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_is_slow_or_lies_counts_for_nothing_and_holds_up_nobody() {
    let world = World::new().await;
    let text = "text/plain";
    let now = world.clock.now().timestamp().unsigned_abs();
    let sized = "text/x.tlog.size";
    let cosigns = |by: u8, at: u64| {
        move |body: String| (StatusCode::OK, text, liars_key(by).cosign(unverified_text(submitted(&body)).unwrap(), at))
    };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let urls = [
        // Takes the connection and says nothing, talks without end, or nonsense.
        format!("http://{}", silent.local_addr().unwrap()),
        liar(move |_| (StatusCode::OK, text, "— x ".repeat(100_000))).await,
        liar(move |_| (StatusCode::OK, text, "\u{7}no signature".to_owned())).await,
        liar(move |_| (StatusCode::OK, text, String::new())).await,
        liar(move |_| (StatusCode::INTERNAL_SERVER_ERROR, text, "no".to_owned())).await,
        // Signs with another key, another text, at another time.
        liar(cosigns(99, now)).await,
        liar(move |_| (StatusCode::OK, text, liars_key(6).cosign("something else\n", now))).await,
        liar(cosigns(7, now + 3600)).await,
        liar(cosigns(8, now - 3600)).await,
        // Is always at another size: none that was ever signed, a larger one, one after the other, and no number.
        liar(move |_| (StatusCode::CONFLICT, sized, "1\n".to_owned())).await,
        liar(move |_| (StatusCode::CONFLICT, sized, "99999999\n".to_owned())).await,
        liar(move |body: String| {
            (StatusCode::CONFLICT, sized, if body.starts_with("old 0\n") { "1\n".to_owned() } else { "0\n".to_owned() })
        })
        .await,
        liar(move |_| (StatusCode::CONFLICT, sized, "-1\n".to_owned())).await,
        liar(move |_| (StatusCode::CONFLICT, text, "0\n".to_owned())).await,
        "http://127.0.0.1:1".to_owned(),
    ];
    let lying: Vec<_> = urls
        .iter()
        .enumerate()
        .map(|(number, url)| witnessed(url, liars_key(u8::try_from(number).unwrap()).verifier()))
        .collect();
    let reader = Reader::new(&world).await;
    let config = watched(&world, lying.clone(), 1);
    let (app, serving, base) = world.replica_of(config.clone()).await;
    let (door, address) = operators(&app).await;
    becomes(&address, "/ready", |status, text| status == 200 && text == "ledger_not_witnessed").await;
    // Two rounds and more.
    reader.stays(&base, closed(), 120).await;
    let mut owner = world.owner().await;
    let stored: i64 =
        sqlx::query_scalar("SELECT count(*) FROM ledger_cosignatures").fetch_one(&mut owner).await.unwrap();
    assert_eq!(stored, 0, "nothing of it is kept");
    // Whoever asks what is wrong is told of each by name.
    let liars: BTreeSet<String> = (0..lying.len()).map(|number| format!("witness liar{number}.example")).collect();
    assert_eq!(called_wrong(&config, &world).await, liars);
    door.close().await;
    end(serving).await;

    // Beside all of them one that is honest is heard, and nobody waits for the slow one.
    let mut honest = Beside::new(&world, "honest.example").await;
    honest.start().await;
    let (begun, config) = (Instant::now(), watched(&world, [lying, vec![honest.told()]].concat(), 1));
    let (_app, serving, base) = world.replica_of(config.clone()).await;
    reader.opens(&base).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(called_wrong(&config, &world).await, liars, "and it is not among them");
    end(serving).await;
}

/// Of which witnesses the doctor says that they have never cosigned.
async fn called_wrong(config: &Config, world: &World) -> BTreeSet<String> {
    let all = doctor::examine(config, &world.clock).await.into_iter();
    let wrong = all.filter(|check| check.verdict == Verdict::Wrong && check.said.starts_with("has never cosigned"));
    wrong.map(|check| check.about).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_somebody_plants_open_nothing_and_rows_that_are_taken_away_close() {
    let world = World::new().await;
    let mut honest = Beside::new(&world, "honest.example").await;
    let absent = liars_key(1);
    let both = vec![honest.told(), witnessed("http://127.0.0.1:1", absent.verifier())];
    honest.start().await;
    let reader = Reader::new(&world).await;
    let (_app, serving, base) = world.replica_of(watched(&world, both, 2)).await;
    let mut owner = world.owner().await;
    let real = "SELECT count(*) FROM ledger_cosignatures WHERE witness = 'honest.example'";
    soon("the honest one has cosigned", async || {
        sqlx::query_scalar::<_, i64>(real).fetch_one(&mut owner).await.unwrap() > 0
    })
    .await;
    // Whoever owns the database says that the other one did, too: in words of their own, and in those of the first.
    let (size, note): (i64, String) =
        sqlx::query_as("SELECT size, note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    let forged = CosignatureKey::new(absent.verifier().name().clone(), &SigningKey::from_bytes(&[7; 32]));
    let line = forged.cosign(unverified_text(&note).unwrap(), world.clock.now().timestamp().unsigned_abs());
    let plant = "INSERT INTO ledger_cosignatures VALUES ($1, 'liar1.example', now(), $2)";
    sqlx::query(plant).bind(size).bind(line).execute(&mut owner).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO ledger_cosignatures SELECT size, 'liar1.example', cosigned_at, line FROM ledger_cosignatures
         WHERE witness = 'honest.example'",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    reader.stays(&base, closed(), 30).await;
    // Their own word it is that opens; and without it nothing is remembered.
    let line = absent.cosign(unverified_text(&note).unwrap(), world.clock.now().timestamp().unsigned_abs());
    let plant = "INSERT INTO ledger_cosignatures VALUES ($1, 'liar1.example', now() + interval '1 second', $2)";
    sqlx::query(plant).bind(size).bind(line).execute(&mut owner).await.unwrap();
    let all = "INSERT INTO ledger_cosignatures SELECT $1, witness, cosigned_at, line FROM ledger_cosignatures ON CONFLICT DO NOTHING";
    sqlx::query(all).bind(size).execute(&mut owner).await.unwrap();
    reader.opens(&base).await;
    sqlx::raw_sql("DELETE FROM ledger_cosignatures WHERE witness = 'liar1.example'").execute(&mut owner).await.unwrap();
    reader.closes(&base).await;
    end(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_is_away_for_ten_minutes_closes_nothing_however_busy_it_is() {
    let world = World::new().await;
    let (mut one, mut two) = (Beside::new(&world, "one.example").await, Beside::new(&world, "two.example").await);
    one.start().await;
    two.start().await;
    let reader = Reader::new(&world).await;
    let (_app, serving, base) = world.replica_of(watched(&world, vec![one.told(), two.told()], 2)).await;
    reader.opens(&base).await;
    two.stop().await;
    for _ in 0..20 {
        let before = one.seen();
        reader.writes(&base).await;
        world.clock.advance(TimeDelta::seconds(6));
        soon("the other one sees what is new", async || one.seen() > before).await;
    }
    reader.let_pass(&world, &base, 8).await;
    reader.stays(&base, (200, String::new()), 25).await;
    reader.let_pass(&world, &base, 6).await;
    reader.closes(&base).await;
    end(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_somebody_holds_up_does_not_keep_records_open() {
    let world = World::new().await;
    let mut honest = Beside::new(&world, "one.example").await;
    honest.start().await;
    let reader = Reader::new(&world).await;
    let (_app, serving, base) = world.replica_of(watched(&world, vec![honest.told()], 1)).await;
    reader.opens(&base).await;
    let mut owner = world.owner().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE ledger_cosignatures").execute(&mut owner).await.unwrap();
    reader.let_pass(&world, &base, 16).await;
    reader.closes(&base).await;
    reader.writes(&base).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut owner).await.unwrap();
    reader.opens(&base).await;
    end(serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_holds_keeps_the_ledger_from_no_witness() {
    let world = World::new().await;
    let mut honest = Beside::new(&world, "one.example").await;
    honest.start().await;
    let reader = Reader::new(&world).await;
    let mut owner = world.owner().await;
    let locks = "SELECT pg_advisory_lock(4850172), pg_advisory_lock(4850174)";
    sqlx::raw_sql(locks).execute(&mut owner).await.unwrap();
    let (_app, serving, base) = world.replica_of(watched(&world, vec![honest.told()], 1)).await;
    reader.stays(&base, closed(), 30).await;
    reader.let_pass(&world, &base, 4).await;
    reader.opens(&base).await;
    end(serving).await;
}

/// Puts the ledger back to where it was, as whoever holds the database and the folder outside can.
async fn rolled_back(world: &World, size: i64) {
    let mut owner = world.owner().await;
    for statement in [
        "DELETE FROM ledger_cosignatures WHERE size > $1",
        "DELETE FROM ledger_checkpoints WHERE size > $1",
        "WITH gone AS (DELETE FROM ledger_tree WHERE position >= $1 RETURNING replica, lane)
         DELETE FROM ledger_lanes l USING gone WHERE l.replica = gone.replica AND l.lane = gone.lane
             AND NOT EXISTS (SELECT FROM ledger_tree t WHERE t.replica = l.replica AND t.lane = l.lane AND t.position < $1)",
        "DELETE FROM ledger_pending WHERE $1 > 0",
    ] {
        sqlx::query(statement).bind(size).execute(&mut owner).await.unwrap();
    }
    let note: String = sqlx::query_scalar("SELECT note FROM ledger_checkpoints WHERE size = $1")
        .bind(size)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let folder: &Path = &world.app.config.checkpoints;
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let of = file.file_stem().and_then(|stem| stem.to_str()?.parse::<i64>().ok());
        if of.is_some_and(|of| of > size) {
            std::fs::remove_file(file).unwrap();
        }
    }
    std::fs::write(folder.join("checkpoint"), note).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_database_that_is_put_back_is_refused_by_who_saw_the_newer_one() {
    let mut world = World::new().await;
    let mut outside = Beside::new(&world, "one.example").await;
    outside.start().await;
    let config = watched(&world, vec![outside.told()], 1);
    let reader = Reader::new(&world).await;
    let (_app, serving, base) = world.replica_of(config.clone()).await;
    reader.opens(&base).await;
    let mut owner = world.owner().await;
    let newest = "SELECT max(size) FROM ledger_checkpoints";
    let early: i64 = sqlx::query_scalar(newest).fetch_one(&mut owner).await.unwrap();
    for _ in 0..4 {
        reader.writes(&base).await;
    }
    soon("the witness sees what came after", async || outside.seen() > early + 3).await;
    // While all is well, time alone closes nothing for long.
    reader.let_pass(&world, &base, 16).await;
    reader.opens(&base).await;
    end(serving).await;
    world.stop().await;
    rolled_back(&world, early).await;
    let seen = outside.seen();

    let (_app, serving, base) = world.replica_of(config).await;
    // Something else happens, until the ledger is as long as it was, and longer.
    soon("the ledger has grown again", async || {
        reader.writes(&base).await;
        sqlx::query_scalar::<_, i64>(newest).fetch_one(&mut owner).await.unwrap() > seen + 2
    })
    .await;
    soon("the witness is shown the other face", async || outside.has_evidence()).await;
    assert_eq!(outside.seen(), seen, "and cosigns nothing of it");
    reader.let_pass(&world, &base, 16).await;
    reader.closes(&base).await;
    reader.stays(&base, closed(), 80).await;
    reader.writes(&base).await;
    assert_eq!(outside.seen(), seen);
    end(serving).await;
}
