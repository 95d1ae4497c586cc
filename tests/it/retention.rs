//! What entries say is erased when its time is over, and not a day before; who lets a clock be wrong, or erases with their own hand, is found.

use crate::erasing::supervisors;
use crate::harness::World;
use crate::witnessed::{Beside, soon, watched};
use chrono::{Months, TimeDelta};
use himaya::audit::retention::label::Labels;
use himaya::audit::retention::{Passed, Period, Retention, RetentionConfig};
use himaya::audit::verify::{Believed, Finding, Report, verify_with};
use himaya::audit::witnesses::Witnesses;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::platform::app::App;
use himaya::platform::config::Config;
use himaya::platform::serve::Serving;
use serde_json::{Value, json};
use tokio::sync::watch;

/// The shortest periods that a configuration may name.
pub fn shortest() -> RetentionConfig {
    RetentionConfig {
        records: Period::Months(36),
        refusals: Period::Months(24),
        lists: Period::Months(24),
        changes: Period::Months(120),
        tiles: Period::ForEver,
    }
}

/// A world with a case, and a service whose ledger somebody outside sees.
pub struct Kept {
    pub world: World,
    pub witness: Beside,
    pub app: App,
    _serving: Serving,
    base: String,
    pub case: String,
}

impl Kept {
    pub async fn new() -> Self {
        Self::with(shortest()).await
    }

    pub async fn with(retention: RetentionConfig) -> Self {
        let world = World::new().await;
        let played = story::play(&world.country).await.unwrap();
        let case = format!("/api/v1/cases/{}", played.case);
        let mut witness = Beside::new(&world, "one.example").await;
        witness.start().await;
        let config = Config { retention, ..watched(&world, vec![witness.told()], 1) };
        let (app, serving, base) = world.replica_of(config).await;
        let kept = Self { world, witness, app, _serving: serving, base, case };
        kept.sees_all().await;
        kept
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.world.owner().await).await.unwrap()
    }

    /// Everything has its place in the tree, and the witness has seen it.
    pub async fn sees_all(&self) {
        soon("the witness sees everything", async || {
            // All in one statement: what moves from the queue into the tree between two of them is in neither.
            let all = "SELECT count(*) FROM (SELECT 1 WHERE NOT EXISTS (SELECT FROM ledger_pending)
                           AND (SELECT count(*) FROM ledger_tree) = (SELECT coalesce(max(size), 0) FROM ledger_cosignatures)) AS seen";
            self.count(all).await == 1
        })
        .await;
    }

    /// Time passes, somebody of the auditors comes to work, and the witness has seen the ledger since.
    pub async fn let_pass(&self, months: u32) {
        let now = self.world.clock.now();
        self.let_go(now + Months::new(months) - now).await;
    }

    pub async fn let_go(&self, time: TimeDelta) {
        self.world.clock.advance(time);
        self.auditor().await;
        self.sees_all().await;
    }

    /// A process with other periods starts, and has announced them.
    pub async fn announces(&self, retention: RetentionConfig) -> (Retention, Serving) {
        let config = Config { retention, ..self.app.config.clone() };
        let (app, serving, _) = self.world.replica_of(config).await;
        self.sees_all().await;
        (app.retention().unwrap(), serving)
    }

    pub async fn auditor(&self) -> Actor {
        let auditor = self.world.country.person("auditor1").unwrap().at(&self.base);
        assert_eq!(auditor.sign_in().await.unwrap().status, 201);
        auditor
    }

    pub fn retention(&self) -> Retention {
        self.app.retention().unwrap()
    }

    pub async fn pass(&self) -> Passed {
        passes(&self.retention()).await
    }

    pub async fn erased(&self) -> u64 {
        self.count("SELECT count(*) FROM ledger_entries WHERE detail IS NULL").await.unsigned_abs()
    }

    pub async fn verified(&self) -> Report {
        let witnesses = Witnesses::of(&self.app.config).unwrap();
        // Nothing waits any more when it is looked at.
        self.sees_all().await;
        let labels = Some(Labels::new(self.app.secrets.pseudonyms.clone()));
        self.verified_by(Believed { witnesses: witnesses.as_ref(), labels, ..Believed::at(self.world.clock.now()) })
            .await
    }

    pub async fn verified_by(&self, believed: Believed<'_>) -> Report {
        let keys = self.app.log_keys().unwrap();
        verify_with(&self.app.databases.auditor, &keys, true, believed, |_, _| ()).await.unwrap()
    }

    pub async fn is_whole(&self) -> Report {
        let report = self.verified().await;
        assert!(report.ok(), "{:?}", report.findings);
        report
    }

    /// Everything that the auditors are shown of the ledger.
    pub async fn shown(&self, auditor: &Actor) -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = auditor.get(&format!("/api/v1/ledger/entries?limit=100{cursor}"), "audit").await.unwrap();
            assert_eq!(page.status, 200, "{}", page.text);
            all.extend(page.body["items"].as_array().unwrap().clone());
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    pub async fn sql(&self, statement: &'static str) -> u64 {
        sqlx::query(statement).execute(&mut self.world.owner().await).await.unwrap().rows_affected()
    }
}

pub async fn passes(retention: &Retention) -> Passed {
    retention.pass(&watch::channel(false).1).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_erased_and_told_and_the_ledger_is_whole() {
    let kept = Kept::new().await;
    // Refused, once about the case and once about nothing.
    let stranger = kept.world.signed_in("officer2").await;
    assert_eq!(stranger.get(&kept.case, "case_work").await.unwrap().status, 404);
    assert_eq!(stranger.get("/api/v1/ledger/entries", "audit").await.unwrap().status, 403);
    // And a list that shows nothing of anybody.
    assert_eq!(stranger.get("/api/v1/cases", "case_work").await.unwrap().status, 200);
    assert_eq!(kept.pass().await, Passed::default(), "everything is of today");
    kept.let_pass(23).await;
    assert_eq!(kept.pass().await, Passed::default(), "nothing is so old");
    // A configuration below the floor is refused at the start; a process that got past that holds to the floor.
    let config = RetentionConfig { refusals: Period::Months(1), ..shortest() };
    assert_eq!(config.faults().len(), 1);
    let short = Retention { config, ..kept.retention() };
    assert_eq!(passes(&short).await, Passed::default());
    kept.let_pass(2).await;
    let passed = kept.pass().await;
    assert!(passed.erased > 3 && passed.kept > 0 && passed.strange == 0, "{passed:?}");
    assert_eq!(passed.erased, kept.erased().await);
    let report = kept.is_whole().await;
    assert_eq!(report.retained.values().sum::<u64>(), passed.erased);
    assert_eq!(report.retained.keys().map(|class| class.as_str()).collect::<Vec<_>>(), ["refusals", "lists"]);

    // The auditors are told what is gone, and that nobody changed it.
    let auditor = kept.auditor().await;
    let shown = kept.shown(&auditor).await;
    let erased: Vec<&Value> = shown.iter().filter(|entry| entry["erased"] == true).collect();
    assert_eq!(erased.len() as u64, passed.erased);
    assert!(erased.iter().all(|entry| entry["detail"].is_null()));
    assert!(shown.iter().all(|entry| entry["altered"] == false), "{shown:?}");
    let told: Vec<&Value> =
        shown.iter().map(|entry| &entry["detail"]["erased"]).filter(|told| !told.is_null()).collect();
    assert_eq!(told.iter().map(|told| told["count"].as_u64().unwrap()).sum::<u64>(), passed.erased);
    assert!(
        told.iter().all(|told| told["months"] == 24 && told["first"].as_i64() <= told["last"].as_i64()),
        "{told:?}"
    );
    // Whoever searches is told how much nobody can answer any more, and finds the rest.
    let found = auditor.search("/api/v1/ledger/searches", &json!({ "outcome": "refused" })).await;
    assert_eq!(found["erased"].as_u64(), Some(passed.erased), "{found}");
    assert!(found["items"].as_array().unwrap().iter().all(|entry| entry["detail"]["outcome"] == "refused"));
    let (overseer, _) = supervisors(&kept.world).await;
    assert_eq!(overseer.sign_in().await.unwrap().status, 201);
    let own = overseer.at(&kept.base).get("/api/v1/oversight/entries?limit=100", "supervision").await.unwrap();
    let own = own.body["items"].as_array().unwrap();
    assert!(own.iter().any(|entry| entry["erased"] == true) && own.iter().all(|entry| entry["altered"] == false));

    let again = kept.pass().await;
    assert_eq!((again.erased, again.kept), (0, passed.kept), "what is erased stays so, and what a case keeps too");
    // Which case each was about is left, for the verifier.
    assert_eq!(kept.count("SELECT count(*) FROM ledger_entries WHERE detail IS NULL AND label IS NULL").await, 0);
}

trait Searches {
    async fn search(&self, path: &str, body: &Value) -> Value;
}

impl Searches for Actor {
    async fn search(&self, path: &str, body: &Value) -> Value {
        let request = self.request(reqwest::Method::POST, path).await.header("purpose", "audit").json(body);
        let reply = self.send(request).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_is_open_or_under_a_hold_keeps_what_was_done_on_it() {
    let kept = Kept::new().await;
    let (world, case) = (&kept.world, &kept.case);
    let (one, other) = supervisors(world).await;
    let held = one.post(&format!("{case}/holds"), &json!({ "reason": "complaint", "until": null })).await.unwrap();
    assert_eq!(held.status, 201, "{}", held.text);
    let officer = world.signed_in("officer1").await;
    let mut etag = officer.get(case, "case_work").await.unwrap().etag.unwrap();
    let reads = "SELECT count(*) FROM ledger_entries WHERE detail IS NOT NULL";
    kept.let_pass(37).await;
    officer.sign_in().await.unwrap();
    let open = kept.pass().await;
    assert!(open.kept > 5 && open.erased > 0, "{open:?}");
    let before = kept.count(reads).await;
    for state in ["follow_up", "closed"] {
        let done = officer.patch(case, &etag, &json!({ "state": state })).await.unwrap();
        assert_eq!(done.status, 200, "{}", done.text);
        etag = done.etag.unwrap();
    }
    kept.sees_all().await;
    let closed = kept.pass().await;
    assert_eq!((closed.erased, closed.kept), (0, open.kept), "closed, and under a hold");
    assert!(kept.count(reads).await >= before);
    for supervisor in [&one, &other] {
        supervisor.sign_in().await.unwrap();
    }
    let id = held.id("id");
    let lift = one.post(&format!("{case}/holds/{id}/lifts"), &Value::Null).await.unwrap();
    let lifted = other.post(&format!("{case}/holds/{id}/lifts/{}/confirm", lift.id("id")), &Value::Null).await.unwrap();
    assert_eq!(lifted.status, 200, "{}", lifted.text);
    kept.sees_all().await;
    let lifted = kept.pass().await;
    assert_eq!((lifted.erased, lifted.kept), (open.kept, 0));
    let report = kept.is_whole().await;
    assert_eq!(report.retained.values().sum::<u64>(), kept.erased().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_forward_erases_nothing() {
    let mut kept = Kept::new().await;
    kept.witness.stop().await;
    kept.world.clock.advance(TimeDelta::days(3650));
    kept.auditor().await;
    assert_eq!(kept.pass().await, Passed::default(), "nobody outside says that ten years are over");
    let alone = Retention { witnesses: None, ..kept.retention() };
    assert_eq!(passes(&alone).await, Passed::default(), "nor is there anybody who could");
    kept.witness.start().await;
    kept.sees_all().await;
    assert!(kept.pass().await.erased > 0, "now somebody does");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_of_the_database_erases_is_found_whatever_they_write_beside_it() {
    let kept = Kept::new().await;
    kept.let_pass(25).await;
    // A label in another place, and one that is none: both entries are kept, and found.
    kept.sql("CREATE TABLE labels AS SELECT replica, lane, n, label FROM ledger_entries").await;
    let exchanged =
        "UPDATE ledger_entries e SET label = (SELECT label FROM ledger_entries o WHERE o.n = 0 AND o.lane = 0 LIMIT 1)
                     WHERE (replica, lane, n) = (SELECT replica, lane, n FROM ledger_tree WHERE position = 20)";
    assert_eq!(kept.sql(exchanged).await, 1);
    assert_eq!(
        kept.sql(
            "UPDATE ledger_entries e SET label = decode(repeat('00', 33), 'hex')
                  WHERE (replica, lane, n) = (SELECT replica, lane, n FROM ledger_tree WHERE position = 21)"
        )
        .await,
        1
    );
    let passed = kept.pass().await;
    assert_eq!(passed.strange, 2, "{passed:?}");
    let found = kept.verified().await.findings;
    assert!(matches!(found[..], [Finding::LabelGone { .. }, Finding::LabelGone { .. }]), "{found:?}");
    let back = "UPDATE ledger_entries e SET label = l.label FROM labels l WHERE (l.replica, l.lane, l.n) = (e.replica, e.lane, e.n)";
    assert!(kept.sql(back).await > 2);
    kept.is_whole().await;

    // Erased by hand, and named by a row that is like the service's.
    let victim = "SELECT max(t.position) FROM ledger_tree t JOIN ledger_entries e USING (replica, lane, n) WHERE e.detail IS NOT NULL";
    let position = kept.count(victim).await;
    assert_eq!(
        kept.sql(
            "UPDATE ledger_entries SET detail = NULL WHERE (replica, lane, n) = (
                      SELECT t.replica, t.lane, t.n FROM ledger_tree t JOIN ledger_entries e USING (replica, lane, n)
                      WHERE e.detail IS NOT NULL ORDER BY t.position DESC LIMIT 1)"
        )
        .await,
        1
    );
    let found = kept.verified().await.findings;
    assert!(matches!(found[..], [Finding::DetailDeleted { .. }]), "{found:?}");
    let mut owner = kept.world.owner().await;
    let text = json!({ "class": "lists", "months": 24, "first": position, "steps": "" }).to_string();
    sqlx::query(
        "INSERT INTO ledger_retentions (id, first, last, statement, vouch)
         SELECT gen_random_uuid(), $1, $1, $2, vouch FROM ledger_retentions LIMIT 1",
    )
    .bind(position)
    .bind(text)
    .execute(&mut owner)
    .await
    .unwrap();
    let found = kept.verified().await.findings;
    assert!(matches!(found[..], [Finding::RetentionNotEntered { .. }]), "{found:?}");
    let auditor = kept.auditor().await;
    let shown = kept.shown(&auditor).await;
    let entry = shown.iter().find(|entry| entry["position"] == position).unwrap();
    assert_eq!((&entry["altered"], &entry["erased"]), (&json!(true), &json!(false)), "the service did not write it");

    // A row of the service's own is taken away: what it named is gone by nobody's rule.
    assert!(kept.sql("DELETE FROM ledger_retentions").await > 1);
    let report = kept.verified().await;
    let deleted = report.findings.iter().filter(|found| matches!(found, Finding::DetailDeleted { .. })).count();
    assert_eq!(deleted as u64 + report.unlisted, passed.erased + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_dies_after_its_entry_is_gone_on_with_and_two_at_once_erase_once() {
    let kept = Kept::new().await;
    kept.let_pass(25).await;
    // What is erased waits for this lock, with its entry made; then the process is gone, as after kill -9.
    let mut owner = kept.world.owner().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE ledger_retentions").execute(&mut owner).await.unwrap();
    let retention = kept.retention();
    let dying = tokio::spawn(async move { retention.pass(&watch::channel(false).1).await });
    let dies = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE usename = 'himaya_sweeper' AND datname = current_database() AND query LIKE '%erase_details%' AND wait_event_type = 'Lock'";
    soon("it is about to erase", async || kept.count(dies).await == 1).await;
    assert!(dying.await.unwrap().is_err());
    sqlx::raw_sql("ROLLBACK").execute(&mut owner).await.unwrap();
    assert_eq!(kept.erased().await, 0);
    kept.is_whole().await;

    let (app, _serving, _) = kept.world.replica_of(kept.app.config.clone()).await;
    let other = app.retention().unwrap();
    let channel = watch::channel(false);
    let (one, other) = tokio::join!(kept.pass(), async { other.pass(&channel.1).await.unwrap() });
    assert_eq!(one.erased + other.erased, kept.erased().await);
    assert!(one.erased + other.erased > 0);
    let report = kept.is_whole().await;
    assert_eq!(report.retained.values().sum::<u64>(), kept.erased().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_old_cosignatures_one_a_day_stays_and_nobody_deletes_them_by_hand() {
    let kept = Kept::new().await;
    let mut owner = kept.world.owner().await;
    // Four days of an older checkpoint, every hour.
    let planted = sqlx::query(
        "INSERT INTO ledger_cosignatures (size, witness, cosigned_at, line)
         SELECT (SELECT min(size) FROM ledger_checkpoints), 'one.example',
                date_trunc('day', now(), 'UTC') - interval '6 days' + make_interval(hours => h), 'a line'
         FROM generate_series(0, 95) AS h",
    );
    assert_eq!(planted.execute(&mut owner).await.unwrap().rows_affected(), 96);
    // And sixteen newer ones that it saw since.
    let newer = sqlx::query(
        "INSERT INTO ledger_cosignatures (size, witness, cosigned_at, line)
         SELECT size, 'one.example', now() - interval '3 days', 'newer' FROM ledger_checkpoints ORDER BY size DESC LIMIT 16",
    );
    assert_eq!(newer.execute(&mut owner).await.unwrap().rows_affected(), 16);
    let before = kept.count("SELECT count(*) FROM ledger_cosignatures").await;
    let seen = kept.count("SELECT max(size) FROM ledger_cosignatures").await;
    let passed = kept.pass().await;
    assert_eq!((passed.thinned, kept.count("SELECT count(*) FROM ledger_cosignatures").await), (92, before - 92));
    let first = "SELECT count(*) FROM ledger_cosignatures WHERE line = 'a line' AND cosigned_at = date_trunc('day', cosigned_at, 'UTC')";
    assert_eq!(kept.count(first).await, 4);
    assert_eq!(kept.count("SELECT max(size) FROM ledger_cosignatures").await, seen);
    assert_eq!(kept.pass().await.thinned, 0);
    for role in
        ["himaya_app", "himaya_door", "himaya_sequencer", "himaya_auditor", "himaya_sweeper", "himaya_timekeeper"]
    {
        for statement in [
            "DELETE FROM ledger_cosignatures",
            "UPDATE ledger_entries SET detail = NULL",
            "UPDATE ledger_entries SET label = NULL",
            "DELETE FROM ledger_retentions",
            "INSERT INTO ledger_retentions (id, first, last, statement, vouch) VALUES (gen_random_uuid(), 1, 1, '', '')",
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("BEGIN; SET LOCAL ROLE {role}")))
                .execute(&mut owner)
                .await
                .unwrap();
            let refused = sqlx::raw_sql(statement).execute(&mut owner).await.unwrap_err();
            assert!(refused.to_string().contains("permission denied"), "{role}: {statement}: {refused}");
            sqlx::raw_sql("ROLLBACK").execute(&mut owner).await.unwrap();
        }
    }
}
