//! A disk is full: nothing that was acknowledged is lost, who asks is told that nothing was stored or shown, and when there is room again all goes
//! on by itself.
//!
//! No file system is filled, since that takes rights that who tests may not have. A process whose files may not grow (`RLIMIT_FSIZE`) is refused each
//! write at the same calls, with EFBIG in the place of ENOSPC: so for what the service and a witness write themselves. PostgreSQL ends
//! itself on EFBIG in places where it goes on after ENOSPC, so there a trigger raises the error by which it tells a full disk (53100), in
//! the place of the write: what is shown is what the service makes of that error, and not that PostgreSQL survives it, which its own tests show.
//! Attachments: `attachments_pace.rs`, by the room that there must be.

use crate::harness::World;
use crate::killed::{Service, until};
use crate::rotation_running::written;
use crate::running::{becomes, operators};
use crate::story::whole_ledger;
use crate::witness::{FakeLog, Outside};
use crate::witnessed::soon;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::doctor;
use himaya::platform::config::Config;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::path::Path;
use std::process::{Command, Stdio};

/// Lets a process write no more, or again; reading goes on.
pub fn full(pid: u32, is_full: bool) {
    let most = getrlimit(Resource::Fsize).maximum;
    let limit = Rlimit { current: if is_full { Some(0) } else { most }, maximum: most };
    prlimit(Pid::from_raw(i32::try_from(pid).unwrap()), Resource::Fsize, limit).unwrap();
}

/// Runs the program so that a write that is refused is an error to it, and not its end: as on a disk that is full.
pub fn surviving(arguments: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_himaya")]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn call() -> Value {
    json!({ "content": { "safe_to_talk": "yes", "said": "hello" } })
}

async fn count(world: &World, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&mut world.owner().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_checkpoints_are_kept_is_full_and_the_doctor_says_so() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    world.stop().await;
    let config = written(&world, |config| config);
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let mut command = surviving(&["serve", "--config", config.to_str().unwrap()]);
    let service =
        Service(command.env("HIMAYA_LISTEN", &address).env("HIMAYA_METRICS_LISTEN", "127.0.0.1:0").spawn().unwrap());
    let base = format!("http://{address}");
    until("the service comes up", async || reqwest::get(format!("{base}/health")).await.ok()).await;
    let operator = operator.at(&base);
    let newest = "SELECT max(size) FROM ledger_checkpoints";
    let outside = || -> i64 {
        let text = std::fs::read_to_string(world.app.config.checkpoints.join("checkpoint")).unwrap();
        text.lines().nth(1).unwrap().parse().unwrap()
    };
    let first = operator.post("/api/v1/calls", &call()).await.unwrap();
    assert_eq!(first.status, 201, "{}", first.text);
    soon("the checkpoint is kept", async || outside() == count(&world, newest).await).await;

    full(service.0.id(), true);
    let before = outside();
    for _ in 0..3 {
        assert_eq!(
            operator.post("/api/v1/calls", &call()).await.unwrap().status,
            201,
            "what is acknowledged is in the database"
        );
    }
    soon("the ledger goes on", async || {
        count(&world, "SELECT count(*) FROM ledger_pending").await == 0 && count(&world, newest).await > before
    })
    .await;
    assert_eq!(outside(), before, "nothing is kept by halves");
    let read = Config::read(&config).unwrap();
    let said = async || -> Vec<String> {
        let checks = doctor::examine(&read, &world.clock).await;
        checks.iter().filter(|check| check.about == "checkpoints").map(|check| check.said.clone()).collect()
    };
    let minutes = "UPDATE ledger_checkpoints SET made_at = made_at - interval '5 minutes'";
    sqlx::query(minutes).execute(&mut world.owner().await).await.unwrap();
    let told = said().await;
    assert!(told.iter().any(|said| said.contains("is not kept outside for") && said.contains("room")), "{told:?}");

    full(service.0.id(), false);
    soon("it is kept as soon as there is room", async || outside() == count(&world, newest).await).await;
    let told = said().await;
    assert!(!told.iter().any(|said| said.contains("is not kept outside")), "{told:?}");
    assert_eq!(count(&world, "SELECT count(*) FROM calls").await, 4);
    drop(service);
    whole_ledger(&world).await;
}

/// From now on, inserts into this table fail as on a full disk, until [`room`].
async fn no_room(owner: &mut PgConnection, table: &str) {
    let trigger = format!(
        "CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
         CREATE TRIGGER disk_is_full BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION disk_is_full()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(owner).await.unwrap();
}

async fn room(owner: &mut PgConnection) {
    sqlx::raw_sql("DROP FUNCTION disk_is_full() CASCADE").execute(owner).await.unwrap();
}

struct Reader {
    officer: Actor,
    section: String,
}

impl Reader {
    async fn new(world: &World) -> Self {
        let played = story::play(&world.country).await.unwrap();
        let section = format!("/api/v1/cases/{}/sections/narrative", played.case);
        Self { officer: world.signed_in("officer1").await, section }
    }

    async fn reads(&self) -> (u16, String) {
        let read = self.officer.get(&self.section, "case_work").await.unwrap();
        assert!(read.status == 200 || read.body.get("content").is_none());
        let code = if read.status == 200 { String::new() } else { read.code().to_owned() };
        (read.status, code)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_has_no_room_for_entries_so_nothing_is_stored_or_shown() {
    let mut world = World::new().await;
    let reader = Reader::new(&world).await;
    let operator = world.signed_in("operator1").await;
    let stored = "SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM sealed) * 1000";
    let (before, mut owner) = (count(&world, stored).await, world.owner().await);
    for table in ["ledger_entries", "ledger_pending", "sealed", "calls"] {
        no_room(&mut owner, table).await;
        let refused = operator.post("/api/v1/calls", &call()).await.unwrap();
        assert_eq!((refused.status, refused.code()), (503, "database_away"), "{table}: {}", refused.text);
        assert!(refused.text.contains("Nothing was stored"), "{}", refused.text);
        // Without its entry nothing is shown; where there is room for that, reading goes on.
        let read = reader.reads().await;
        let shown = if table.starts_with("ledger") { (503, "database_away".to_owned()) } else { (200, String::new()) };
        assert_eq!(read, shown, "{table}");
        assert_eq!(count(&world, stored).await, before, "{table}");
        room(&mut owner).await;
        assert_eq!(reader.reads().await.0, 200, "{table}");
    }
    assert_eq!(operator.post("/api/v1/calls", &call()).await.unwrap().status, 201);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_has_no_room_for_the_tree_so_reading_stops_and_says_why_and_calls_are_written() {
    let mut world = World::new().await;
    let reader = Reader::new(&world).await;
    let operator = world.signed_in("operator1").await;
    let (door, address) = operators(&world.app).await;
    becomes(&address, "/ready", |status, _| status == 200).await;
    let mut owner = world.owner().await;
    for table in ["ledger_tree", "ledger_checkpoints"] {
        no_room(&mut owner, table).await;
        assert_eq!(operator.post("/api/v1/calls", &call()).await.unwrap().status, 201);
        world.clock.advance(TimeDelta::seconds(31));
        soon("reading stops", async || reader.reads().await == (503, "ledger_behind".to_owned())).await;
        becomes(&address, "/ready", |status, text| status == 200 && text == "ledger_behind").await;
        assert_eq!(operator.post("/api/v1/calls", &call()).await.unwrap().status, 201, "calls can still be written");
        assert!(count(&world, "SELECT count(*) FROM ledger_pending").await > 0);
        room(&mut owner).await;
        soon("reading goes on", async || reader.reads().await.0 == 200).await;
        becomes(&address, "/ready", |status, text| status == 200 && text == "ready").await;
    }
    door.close().await;
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_cannot_write_down_what_it_signs_signs_nothing() {
    let log = FakeLog::new(1);
    let mut witness = Outside::new("w.example", &[log.vkey()], None).await;
    witness.start_as(surviving(&["witness", "serve", "--config", witness.config().to_str().unwrap()])).await;
    assert_eq!(witness.submit(log.body(0, 3)).await.0, 200);
    let latest = witness.latest().await;
    full(witness.pid(), true);
    for _ in 0..3 {
        let (status, said) = witness.submit(log.body(3, 7)).await;
        assert!(status == 503 && !said.contains("w.example"), "{status}: {said}");
    }
    // Nor does it keep what would convict somebody; it says nothing else of it.
    assert_ne!(witness.submit(log.forked(0).body(3, 3)).await.0, 200);
    assert_eq!(witness.latest().await, latest, "and what it signed last is what it was");
    full(witness.pid(), false);
    let (status, line) = witness.submit(log.body(3, 7)).await;
    assert_eq!(status, 200, "{line}");
    witness.key.verify(&format!("{}{line}", log.checkpoint(7))).unwrap();
    // Ended and begun anew, it knows what it signed.
    witness.kill();
    witness.start().await;
    assert_eq!(witness.submit(log.body(0, 5)).await.0, 409);
    assert!(Path::new(&witness.config()).exists());
}
