//! Erasure keys that belong to nothing are erased, and no other.

use crate::harness::World;
use himaya::demo::story;
use himaya::guard::sweep::{SweepError, Swept};
use himaya::platform::config::Config;
use serde_json::json;
use sqlx::PgConnection;
use std::time::Duration;

async fn run(erasure: &mut PgConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(erasure).await.unwrap();
}

async fn count(erasure: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(erasure).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_without_a_record_are_swept_and_what_came_back_is_erased_again() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let body = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "hello" } });
    let kept = operator.post("/api/v1/calls", &body).await.unwrap().id("id");
    let handed = operator.post("/api/v1/calls", &body).await.unwrap().id("id");
    let mut erasure = world.erasure_owner().await;
    run(&mut erasure, "CREATE TABLE backup AS TABLE erasure.keys").await;
    let path = format!("/api/v1/calls/{handed}/hand-over");
    assert_eq!(operator.post(&path, &json!({ "basis": "child" })).await.unwrap().status, 201);
    // A request that ended between its key and its record; and the draft's key, back from a backup.
    run(
        &mut erasure,
        "INSERT INTO erasure.keys (key_id, key, created_at)
         VALUES (gen_random_uuid(), decode(repeat('00', 32), 'hex'), now() - interval '2 hours');
         INSERT INTO erasure.keys SELECT * FROM backup ON CONFLICT DO NOTHING;",
    )
    .await;
    let before = count(&mut erasure, "SELECT count(*) FROM erasure.keys").await;
    let sweeper = &world.app.databases.sweeper;
    let swept = sweeper.sweep(false).await.unwrap();
    let noted = Swept { looked_at: 1, again: 1, orphans: 1, ..Swept::default() };
    assert_eq!(swept, Some(noted), "younger keys may still get their record");
    run(&mut erasure, "UPDATE erasure.keys SET created_at = now() - interval '2 hours'").await;
    let swept = sweeper.sweep(false).await.unwrap().unwrap();
    assert_eq!((swept.again, swept.orphans, swept.erased), (0, 1, 0), "its record may be hidden");
    assert_eq!(count(&mut erasure, "SELECT count(*) FROM erasure.keys").await, before - 1);
    run(&mut erasure, "UPDATE erasure.suspects SET noted_at = noted_at - interval '25 hours'").await;
    let swept = sweeper.sweep(false).await.unwrap().unwrap();
    assert_eq!((swept.orphans, swept.erased), (1, 1));
    let swept = sweeper.sweep(false).await.unwrap().unwrap();
    assert_eq!((swept.again, swept.orphans, swept.erased), (0, 0, 0));
    assert_eq!(count(&mut erasure, "SELECT count(*) FROM erasure.suspects").await, 0);
    assert_eq!(count(&mut erasure, "SELECT count(*) FROM erasure.keys").await, before - 2);
    let read = operator.get(&format!("/api/v1/calls/{kept}"), "intake").await.unwrap();
    assert_eq!(read.body["content"]["said"], "hello", "{}", read.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_many_keys_seem_to_belong_to_nothing_none_is_erased() {
    let world = World::new().await;
    let mut erasure = world.erasure_owner().await;
    run(
        &mut erasure,
        "INSERT INTO erasure.keys (key_id, key, created_at)
         SELECT gen_random_uuid(), decode(repeat('00', 32), 'hex'), now() - interval '2 hours' FROM generate_series(1, 101)",
    )
    .await;
    let sweeper = &world.app.databases.sweeper;
    let refused = sweeper.sweep(false).await;
    assert!(matches!(refused, Err(SweepError::TooMany { orphans: 101, .. })), "{refused:?}");
    assert_eq!(count(&mut erasure, "SELECT count(*) FROM erasure.keys").await, 101);
    assert_eq!(sweeper.sweep(true).await.unwrap().unwrap().erased, 101, "at once, for who has looked");
    assert_eq!(count(&mut erasure, "SELECT count(*) FROM erasure.keys").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_sweeps_by_itself() {
    let world = World::new().await;
    let mut erasure = world.erasure_owner().await;
    run(
        &mut erasure,
        "INSERT INTO erasure.keys (key_id, key, created_at)
         VALUES (gen_random_uuid(), decode(repeat('00', 32), 'hex'), now() - interval '2 hours')",
    )
    .await;
    let sweeping = Config { sweeps: true, ..world.app.config.clone() };
    let (_app, serving, _base) = world.replica_of(sweeping).await;
    let noted = async {
        while count(&mut erasure, "SELECT count(*) FROM erasure.suspects").await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noted).await.expect("the key without a record is noted");
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweepers_role_reads_neither_a_key_nor_a_record() {
    let world = World::new().await;
    for (pool, query) in [
        (&world.app.databases.sweeper.erasure, "SELECT count(key) FROM erasure.keys"),
        (&world.app.databases.sweeper.erasure, "INSERT INTO erasure.keys SELECT * FROM erasure.keys"),
        (&world.app.databases.sweeper.main, "SELECT count(*) FROM sealed"),
        (&world.app.databases.sweeper.main, "SELECT count(*) FROM wraps"),
        (&world.app.databases.sweeper.main, "SELECT count(*) FROM calls"),
        (&world.app.databases.sweeper.main, "SELECT count(*) FROM accounts"),
    ] {
        assert!(sqlx::query(query).execute(pool).await.is_err(), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_is_hidden_during_a_sweep_and_put_back_still_opens() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let (mut owner, mut erasure) = (world.owner().await, world.erasure_owner().await);
    run(&mut erasure, "UPDATE erasure.keys SET created_at = now() - interval '90 days'").await;
    let keep = "CREATE TABLE s AS SELECT * FROM sealed WHERE case_id IS NOT NULL;
                CREATE TABLE w AS SELECT * FROM wraps WHERE key_id IN (SELECT key_id FROM s)";
    run(&mut owner, keep).await;
    let hide = "DELETE FROM wraps WHERE key_id IN (SELECT key_id FROM s); DELETE FROM sealed WHERE case_id IS NOT NULL";
    let put_back = "INSERT INTO sealed SELECT * FROM s; INSERT INTO wraps SELECT * FROM w";
    let a_day = "UPDATE erasure.suspects SET noted_at = noted_at - interval '25 hours'";
    let suspects = "SELECT count(*) FROM erasure.suspects";
    let sweeper = &world.app.databases.sweeper;
    let hidden = async |owner: &mut PgConnection| {
        run(owner, hide).await;
        let swept = sweeper.sweep(false).await.unwrap().unwrap();
        assert!(swept.orphans >= 6 && swept.erased == 0, "{swept:?}");
        run(owner, put_back).await;
    };
    hidden(&mut owner).await;
    run(&mut erasure, a_day).await;
    // Seen in use again: who hides it a day later begins anew.
    let swept = sweeper.sweep(false).await.unwrap().unwrap();
    assert_eq!((swept.orphans, swept.erased, count(&mut erasure, suspects).await), (0, 0, 0));
    hidden(&mut owner).await;
    run(&mut erasure, a_day).await;
    // So it does when the sweeps meanwhile erase nothing because there is too much.
    run(
        &mut erasure,
        "INSERT INTO erasure.keys (key_id, key, created_at)
         SELECT gen_random_uuid(), decode(repeat('00', 32), 'hex'), now() - interval '2 hours' FROM generate_series(1, 101)",
    )
    .await;
    assert!(matches!(sweeper.sweep(false).await, Err(SweepError::TooMany { orphans: 101, .. })));
    assert_eq!(count(&mut erasure, suspects).await, 0);
    run(&mut erasure, "DELETE FROM erasure.keys WHERE key = decode(repeat('00', 32), 'hex')").await;
    hidden(&mut owner).await;
    let read = officer.get(&format!("/api/v1/cases/{}/sections/narrative", played.case), "case_work").await.unwrap();
    assert!(read.status == 200 && read.text.contains("waitress"), "{}", read.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_to_a_key_is_forgotten_after_a_day() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let body = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "hello" } });
    for _ in 0..2 {
        assert_eq!(operator.post("/api/v1/calls", &body).await.unwrap().status, 201);
    }
    let mut owner = world.owner().await;
    let before = count(&mut owner, "SELECT count(*) FROM idempotency").await;
    let sweeper = &world.app.databases.sweeper;
    assert_eq!(sweeper.sweep(false).await.unwrap().unwrap().forgotten, 0);
    let older = "UPDATE idempotency SET created_at = created_at - interval '25 hours'
                 WHERE key_hash = (SELECT key_hash FROM idempotency LIMIT 1)";
    run(&mut owner, older).await;
    assert_eq!(sweeper.sweep(false).await.unwrap().unwrap().forgotten, 1);
    assert_eq!(count(&mut owner, "SELECT count(*) FROM idempotency").await, before - 1);
}
