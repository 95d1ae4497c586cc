//! A ledger that cannot do its work closes: no record is opened that nobody could find out about.

use crate::harness::World;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use serde_json::json;
use sqlx::PgConnection;

async fn run(owner: &mut PgConnection, statements: &'static str) {
    sqlx::raw_sql(statements).execute(owner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_kept_from_the_tree_stop_reading_and_not_the_writing_of_calls() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let body = json!({ "content": { "safe_to_talk": "yes", "said": "hello" } });
    let first = operator.post("/api/v1/calls", &body).await.unwrap();
    let path = format!("/api/v1/calls/{}", first.id("id"));
    assert_eq!(operator.get(&path, "intake").await.unwrap().status, 200);
    // Whoever holds the database takes the entries out of the queue, so that nobody waits for them there.
    let mut owner = world.owner().await;
    keep_from_the_tree(&mut owner).await;
    let hidden = operator.post("/api/v1/calls", &body).await.unwrap();
    assert_eq!(hidden.status, 201);
    run(&mut owner, "DELETE FROM ledger_pending").await;
    assert_eq!(operator.get(&path, "intake").await.unwrap().status, 200, "half a minute is allowed");
    run(&mut owner, "DELETE FROM ledger_pending").await;
    // Time passes for the service, a second a step; by the database's own clock the queue stays young.
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
    let mut steps = 0;
    let refused = loop {
        tick.tick().await;
        world.clock.advance(TimeDelta::seconds(1));
        let read = operator.get(&path, "intake").await.unwrap();
        if read.status == 503 {
            break read;
        }
        steps += 1;
        assert!(steps < 120, "entries were kept from the tree for two minutes, and records are still opened");
    };
    assert!(steps > 15, "refused after {steps} seconds");
    assert_eq!(refused.code(), "ledger_behind", "{}", refused.text);
    assert!(!refused.text.contains("hello"));
    let written = operator.post("/api/v1/calls", &body).await.unwrap();
    assert_eq!(written.status, 201, "{}", written.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_of_the_auditors_only_they_get_in_and_make_one() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    run(&mut owner, "UPDATE shared_keys SET closes_at = now() WHERE purpose = 'ledger'").await;
    let open = "SELECT count(*) FROM ledger_detail_keys WHERE key_id IS NULL";
    let before: i64 = sqlx::query_scalar(open).fetch_one(&mut owner).await.unwrap();
    // A process that starts now has no key of this hour.
    let (_app, serving, base) = world.replica().await;
    let (operator, auditor) = (world.country.person("operator1").unwrap(), world.country.person("auditor1").unwrap());
    let sign_in = async |person: &Actor| {
        let body = json!({ "handle": person.handle, "passphrase": person.passphrase });
        let sent = reqwest::Client::new().post(format!("{base}/api/v1/sessions")).json(&body).send().await.unwrap();
        (sent.status().as_u16(), sent.json::<serde_json::Value>().await.unwrap()["code"].clone())
    };
    assert_eq!(sign_in(operator).await, (503, json!("ledger_has_no_auditor")));
    let now: i64 = sqlx::query_scalar(open).fetch_one(&mut owner).await.unwrap();
    assert_eq!(now, before, "nothing of the operator lies open");
    assert_eq!(sign_in(auditor).await.0, 201);
    assert_eq!(sign_in(operator).await.0, 201, "the auditor's sign-in made the key");
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn once_there_was_an_auditors_office_no_process_enters_anything_openly_whatever_was_deleted() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    let kept = world.folder.join("checkpoints").join("auditors-founded");
    let office = world.country.organisations["auditor_office"];
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), format!("{office}\n"));
    run(
        &mut owner,
        "DELETE FROM foundings f USING organisations o WHERE o.id = f.organisation_id AND o.kind = 'auditor_office'",
    )
    .await;
    let open = "SELECT count(*) FROM ledger_detail_keys WHERE key_id IS NULL";
    let before: i64 = sqlx::query_scalar(open).fetch_one(&mut owner).await.unwrap();
    let operator = world.country.person("operator1").unwrap();
    // Each process starts anew and has nothing but the database and the folder.
    let sign_in = async || {
        let (_app, serving, base) = world.replica().await;
        let shown = json!({ "passphrase": operator.passphrase });
        let reply = operator.elsewhere().at(&base).try_sign_in(shown).await.unwrap();
        serving.stop().await.unwrap();
        (reply.status, reply.code().to_owned())
    };
    let refused = (503, "ledger_has_no_auditor".to_owned());
    assert_eq!(sign_in().await, refused);
    // A file that says nothing is none that was never there.
    std::fs::write(&kept, "nonsense\n").unwrap();
    assert_eq!(sign_in().await, refused);
    let after: i64 = sqlx::query_scalar(open).fetch_one(&mut owner).await.unwrap();
    assert_eq!(after, before, "no key lies open");
    // It is the file that does it: without it the same is the founding's own work again.
    std::fs::remove_file(&kept).unwrap();
    assert_eq!(sign_in().await.0, 201);
    let after: i64 = sqlx::query_scalar(open).fetch_one(&mut owner).await.unwrap();
    assert_eq!(after, before + 1);
}

/// From now on no entry gets its place.
pub async fn keep_from_the_tree(owner: &mut PgConnection) {
    run(
        owner,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON ledger_tree FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .await;
}

/// An officer reads a narrative again and again, while time passes; what they are told when it is refused.
pub async fn refused_in_the_end(world: &World, path: &str) {
    let officer = world.signed_in("officer1").await;
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(200));
    for _ in 0..60 {
        tick.tick().await;
        world.clock.advance(TimeDelta::seconds(2));
        let read = officer.get(path, "case_work").await.unwrap();
        if read.status == 503 {
            assert_eq!(read.code(), "ledger_behind", "{}", read.text);
            return;
        }
        assert_eq!(read.status, 200, "{}", read.text);
    }
    panic!("entries were kept from the tree for two minutes, and records are still opened");
}

/// Until every entry has its place.
pub async fn all_placed(owner: &mut PgConnection) {
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(50));
    for _ in 0..200 {
        tick.tick().await;
        let waits: i64 =
            sqlx::query_scalar("SELECT count(*) FROM ledger_pending").fetch_one(&mut *owner).await.unwrap();
        if waits == 0 {
            return;
        }
    }
    panic!("entries wait for their places");
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_that_are_said_to_be_placed_and_a_queue_from_the_future_do_not_hide_a_stalled_ledger() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let mut owner = world.owner().await;
    all_placed(&mut owner).await;
    run(
        &mut owner,
        "CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN NEW.entered_at := now() + interval ''1 year''; RETURN NEW; END';
         CREATE TRIGGER later BEFORE INSERT ON ledger_pending FOR EACH ROW EXECUTE FUNCTION later();
         CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
         BEGIN
             INSERT INTO ledger_lanes VALUES (NEW.replica, NEW.lane, NEW.n + 1000000, decode(repeat('00', 32), 'hex'))
             ON CONFLICT (replica, lane) DO UPDATE SET n = excluded.n;
             RETURN NULL;
         END $$;
         CREATE TRIGGER stall AFTER INSERT ON ledger_entries FOR EACH ROW EXECUTE FUNCTION stall();",
    )
    .await;
    refused_in_the_end(&world, &path).await;
    // By the queue alone as well: a process that starts now has nothing of its own that waits.
    let (app, serving, _) = world.replica().await;
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
    for _ in 0..100 {
        tick.tick().await;
        if app.places.ledger.is_behind() {
            serving.stop().await.unwrap();
            return;
        }
    }
    panic!("a queue from the future counts as none");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_swallowed_is_waited_for() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let mut owner = world.owner().await;
    all_placed(&mut owner).await;
    run(
        &mut owner,
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
         BEGIN
             DELETE FROM ledger_pending WHERE (replica, lane, n) = (NEW.replica, NEW.lane, NEW.n);
             DELETE FROM ledger_entries WHERE (replica, lane, n) = (NEW.replica, NEW.lane, NEW.n);
             INSERT INTO ledger_lanes VALUES (NEW.replica, NEW.lane, NEW.n, decode(repeat('00', 32), 'hex'))
             ON CONFLICT (replica, lane) DO UPDATE SET n = excluded.n;
             RETURN NULL;
         END $$;
         CREATE CONSTRAINT TRIGGER swallow AFTER INSERT ON ledger_pending DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION swallow();",
    )
    .await;
    assert_eq!(officer.get(&path, "case_work").await.unwrap().status, 200);
    // The lane is closed by one request that fails: whoever comes after writes in another.
    run(
        &mut owner,
        "DROP TRIGGER swallow ON ledger_pending;
         CREATE FUNCTION close_lane() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER close_lane BEFORE INSERT ON ledger_pending FOR EACH ROW EXECUTE FUNCTION close_lane();",
    )
    .await;
    assert!(officer.get(&path, "case_work").await.unwrap().status >= 500);
    run(&mut owner, "DROP TRIGGER close_lane ON ledger_pending").await;
    refused_in_the_end(&world, &path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_tells_what_is_sealed_is_closed_like_a_read() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let investigation = format!("/api/v1/cases/{}/sections/investigation", played.case);
    let stage = async |etag: &str, stage: &str| {
        let body = json!({ "prosecution_stage": stage });
        officer.put(&investigation, etag, &body).await.unwrap()
    };
    let read = officer.get(&investigation, "case_work").await.unwrap();
    let written = stage(read.etag.as_deref().unwrap(), "charged").await;
    assert_eq!(written.status, 200, "{}", written.text);
    let etag = written.etag.clone().unwrap();
    let refused = stage(&etag, "identified").await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(refused.text.contains("charged"), "it tells the stage: {}", refused.text);
    let mut owner = world.owner().await;
    all_placed(&mut owner).await;
    keep_from_the_tree(&mut owner).await;
    refused_in_the_end(&world, &format!("/api/v1/cases/{}/sections/narrative", played.case)).await;
    let refused = stage(&etag, "identified").await;
    assert_eq!((refused.status, refused.code()), (503, "ledger_behind"), "{}", refused.text);
    assert!(!refused.text.contains("charged"), "{}", refused.text);
}
