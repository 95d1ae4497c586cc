//! PostgreSQL and the service are killed under load: nothing that was acknowledged is lost, and the ledger verifies.
//!
//! A cluster of the test's own that syncs, and the real binary. People write all the time and keep what they were told;
//! what they were not told may or may not be there.

use himaya::demo::actor::Actor;
use himaya::demo::country::{ADMINISTRATORS, Country};
use himaya::demo::story;
use himaya::platform::clock::Clock;
use himaya::platform::cluster::Cluster;
use himaya::platform::secrets::SecretsFor;
use himaya::setup::{self, Founded, Plan};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// Asks until there is something.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let (start, mut tick) = (Instant::now(), tokio::time::interval(Duration::from_millis(10)));
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "{what}");
        tick.tick().await;
    }
}

pub fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

/// The real binary, killed at the end whatever happens.
pub struct Service(pub Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub async fn serve(config: &Path, address: &str) -> Service {
    let log = std::fs::File::options().create(true).append(true).open(config.with_file_name("log")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_himaya"))
        .args(["serve", "--config"])
        .arg(config)
        .env("HIMAYA_LISTEN", address)
        .env("HIMAYA_METRICS_LISTEN", "127.0.0.1:0")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut service = Service(child);
    until("the service comes up", async || {
        assert!(service.0.try_wait().unwrap().is_none(), "the service ended");
        reqwest::get(format!("http://{address}/health")).await.ok().map(drop)
    })
    .await;
    service
}

/// What was acknowledged, in the words that were sent.
#[derive(Default)]
struct Told {
    count: AtomicU64,
    stop: AtomicBool,
}

impl Told {
    fn acknowledged(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    /// Until so many more were acknowledged than now.
    async fn more(&self, wanted: u64) {
        let goal = self.count() + wanted;
        until("people are acknowledged what they write", async || (self.count() >= goal).then_some(())).await;
    }
}

/// Appends texts one after the other; those that were acknowledged. A lost answer leaves its text in doubt.
async fn appends(actor: Actor, path: String, name: &'static str, told: Arc<Told>) -> Vec<String> {
    let (mut kept, mut tick) = (Vec::new(), tokio::time::interval(Duration::from_millis(5)));
    for number in 0_u64.. {
        if !told.goes_on() {
            break;
        }
        let text = format!("{name} {number};");
        match actor.post(&path, &json!({ "text": text })).await {
            Ok(reply) if reply.status == 201 => {
                told.acknowledged();
                kept.push(text);
            }
            Ok(reply) => assert!(reply.status >= 500, "{}", reply.text),
            Err(_) => {}
        }
        tick.tick().await;
    }
    kept
}

/// Saves a draft again and again: the last number that was acknowledged.
async fn saves(actor: Actor, path: String, told: Arc<Told>) -> u64 {
    let (mut last, mut etag) = (0, "\"1\"".to_owned());
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    for number in 1_u64.. {
        if !told.goes_on() {
            break;
        }
        let content = json!({ "content": { "safe_to_talk": "yes", "said": number.to_string() } });
        match actor.put(&path, &etag, &content).await {
            Ok(reply) if reply.status == 200 => {
                told.acknowledged();
                (last, etag) = (number, reply.etag.unwrap());
            }
            // The one before came through after all, or nobody knows: what is there is read.
            Ok(reply) if reply.status == 412 => {
                if let Some(read) = actor.get(&path, "intake").await.ok().filter(|read| read.status == 200) {
                    etag = read.etag.unwrap();
                }
            }
            Ok(reply) => assert!(reply.status >= 500, "{}", reply.text),
            Err(_) => {}
        }
        tick.tick().await;
    }
    last
}

pub fn home() -> PathBuf {
    std::env::temp_dir().join(format!("himaya-killed-{}", himaya::platform::random::uuid().simple()))
}

pub async fn cluster(home: &Path) -> Option<Cluster> {
    let place = home.join("postgres");
    tokio::task::spawn_blocking(move || Cluster::start(&place)).await.unwrap().ok()
}

pub async fn found(cluster: &Cluster, home: &Path) -> Founded {
    let plan = Plan {
        superuser: cluster.superuser_url(),
        erasure_superuser: None,
        log_origin: "himaya.example/ledger".to_owned(),
        secrets: SecretsFor::Service,
        folder: home.to_owned(),
        policies: Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"),
        database: "himaya".to_owned(),
        administrators: ADMINISTRATORS.map(str::to_owned),
    };
    setup::init(&plan, &Clock::default()).await.unwrap()
}

/// How often the service is killed.
const KILLS: u64 = 12;

/// How many entries are numbered after a kill: every number once, from none on, and no fewer than before; and a checkpoint that
/// left the database, while it was killed, tells of no entry that is not there.
async fn numbers(owner: &mut PgConnection, outside: &Path, before: i64) -> i64 {
    // What was sent before the kill may still be under way.
    let under_way =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'himaya' AND datname = current_database()";
    until("the killed service's connections end", async || {
        (sqlx::query_scalar::<_, i64>(under_way).fetch_one(&mut *owner).await.unwrap() == 0).then_some(())
    })
    .await;
    let tree = "SELECT count(*), coalesce(max(position) + 1, 0), coalesce(min(position), 0),
                       (SELECT count(*) FROM (SELECT DISTINCT replica, lane, n FROM ledger_tree) d),
                       (SELECT coalesce(max(size), 0) FROM ledger_checkpoints) FROM ledger_tree";
    let (count, end, first, entries, newest): (i64, i64, i64, i64, i64) =
        sqlx::query_as(tree).fetch_one(owner).await.unwrap();
    assert_eq!((end, first, entries), (count, 0, count), "every number once, every entry once");
    assert!(count >= before && newest <= count, "{before} entries before, {count} now, a checkpoint of {newest}");
    let note = std::fs::read_to_string(outside).unwrap();
    let told: i64 = note.lines().nth(1).unwrap().parse().unwrap();
    assert!(told <= newest, "outside the database there is a checkpoint of {told}, and inside of {newest}");
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_acknowledged_is_lost_when_postgresql_and_the_service_are_killed() {
    let home = home();
    let first = cluster(&home).await.expect("a cluster starts");
    let founded = found(&first, &home).await;
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let base = format!("http://{address}");
    let service = serve(&founded.config_file, &address).await;
    let codes: Vec<_> = founded.codes.iter().map(|(handle, id, code)| (handle.clone(), id.0, code.clone())).collect();
    let country = Country::found(&base, &founded.config.pins, founded.organisation.0, &codes).await.unwrap();
    let played = story::play(&country).await.unwrap();
    let person = |handle: &str| country.person(handle).unwrap().clone();
    let (operator, officer, duty) = (person("operator1"), person("officer1"), person("duty1"));

    let told = Arc::new(Told::default());
    let mut drafts = Vec::new();
    for handle in ["operator1", "operator2", "operator2"] {
        let draft = json!({ "content": { "safe_to_talk": "yes" } });
        let path = format!("/api/v1/calls/{}", person(handle).post("/api/v1/calls", &draft).await.unwrap().id("id"));
        let saving = tokio::spawn(saves(person(handle), path.clone(), Arc::clone(&told)));
        drafts.push((person(handle), path, saving));
    }
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "danger": "immediate" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let handed = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &json!({ "basis": "vital_interest" })).await;
    let notice = handed.unwrap().id("id");
    let slip = format!("/api/v1/slips/{notice}/addenda");
    let addenda = tokio::spawn(appends(operator, slip, "addendum", Arc::clone(&told)));
    let notes_path = format!("/api/v1/cases/{}/notes", played.case);
    let notes = tokio::spawn(appends(officer.clone(), notes_path.clone(), "note", Arc::clone(&told)));

    // PostgreSQL first: the service stays, and finds its way back.
    told.more(20).await;
    let data = first.socket_dir().parent().unwrap().join("data");
    let pid = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
    kill("-9", pid.lines().next().unwrap().parse().unwrap());
    let second = until("PostgreSQL comes back", async || cluster(&home).await).await;
    told.more(20).await;

    // Then the service itself, at other moments of the quarter of a second in which entries are numbered.
    let superuser = second.superuser_url().replace("/postgres?", "/himaya?");
    let mut owner = PgConnection::connect(&superuser).await.unwrap();
    let (mut service, mut numbered) = (service, 0);
    for moment in 0..KILLS {
        told.more(3).await;
        let later = tokio::time::Instant::now() + Duration::from_millis(moment * 250 / KILLS);
        tokio::time::sleep_until(later).await;
        kill("-9", service.0.id());
        drop(service);
        numbered = numbers(&mut owner, &founded.config.checkpoints.join("checkpoint"), numbered).await;
        service = serve(&founded.config_file, &address).await;
    }
    owner.close().await.unwrap();
    told.more(20).await;
    told.stop.store(true, Ordering::SeqCst);

    let (addenda, notes) = (addenda.await.unwrap(), notes.await.unwrap());
    for (actor, path, saving) in drafts {
        let last = saving.await.unwrap();
        let read = actor.get(&path, "intake").await.unwrap();
        let there: u64 = read.body["content"]["said"].as_str().unwrap().parse().unwrap();
        assert!(last > 0 && there >= last, "{there} is there, and {last} was acknowledged");
    }
    let opened = duty.get(&format!("/api/v1/notices/{notice}"), "intake").await.unwrap();
    assert!(!addenda.is_empty() && addenda.iter().all(|text| opened.text.contains(text.as_str())), "{}", opened.text);
    let (mut written, mut cursor) = (String::new(), String::new());
    loop {
        let page = officer.get(&format!("{notes_path}?limit=100{cursor}"), "case_work").await.unwrap();
        assert_eq!(page.status, 200, "{}", page.text);
        written.push_str(&page.text);
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(!notes.is_empty() && notes.iter().all(|text| written.contains(text.as_str())), "a note is gone");

    kill("-TERM", service.0.id());
    let mut service = service;
    assert!(service.0.wait().unwrap().success());
    let verify = Command::new(env!("CARGO_BIN_EXE_himaya"))
        .args(["audit", "verify", "--records", "--config"])
        .arg(&founded.config_file)
        .arg("--checkpoint")
        .arg(founded.config.checkpoints.join("checkpoint"))
        .output()
        .unwrap();
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
    tokio::task::spawn_blocking(move || drop((first, second))).await.unwrap();
    std::fs::remove_dir_all(home).unwrap();
}
