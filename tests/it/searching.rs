//! The auditor's search finds what was done by whom, in any time, and says what it could not read.

use crate::harness::World;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;
use uuid::Uuid;

const SEARCHES: &str = "/api/v1/ledger/searches";

/// Until every entry has its place: nobody finds what has none.
pub async fn placed(world: &World) {
    let mut owner = world.owner().await;
    crate::killed::until("every entry to have its place", async || {
        let waits: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_pending").fetch_one(&mut owner).await.unwrap();
        (waits == 0).then_some(())
    })
    .await;
}

async fn asks(auditor: &Actor, sought: &Value) -> Reply {
    let request = auditor.request(Method::POST, SEARCHES).await.header("purpose", "audit").json(sought);
    auditor.send(request).await.unwrap()
}

/// Every entry that fits, page after page.
async fn finds(auditor: &Actor, mut sought: Value) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let reply = asks(auditor, &sought).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        found.extend(reply.body["items"].as_array().unwrap().clone());
        match &reply.body["next"] {
            Value::Null => return found,
            next => sought["below"] = next.clone(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_auditor_finds_who_looked_at_a_record_and_all_that_the_person_did() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, auditor) = (world.signed_in("officer1").await, world.signed_in("auditor1").await);
    let stranger = world.signed_in("officer2").await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    assert_eq!(officer.get(&path, "case_work").await.unwrap().status, 200);
    assert_eq!(stranger.get(&path, "case_work").await.unwrap().status, 404);
    placed(&world).await;
    let narrative: Uuid = sqlx::query_scalar("SELECT record_id FROM sealed WHERE case_id = $1 AND kind = 'narrative'")
        .bind(played.case)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    let looked = finds(&auditor, json!({ "record": narrative, "verb": "read" })).await;
    let person = &looked[0]["detail"]["person"];
    assert!(looked.iter().all(|entry| entry["detail"]["outcome"] == "done"), "{looked:?}");
    // Whoever asked for it in vain names the case: they are told of no record on it.
    let refused = finds(&auditor, json!({ "record": played.case, "kind": "narrative", "outcome": "refused" })).await;
    assert!(!refused.is_empty() && refused.iter().all(|entry| &entry["detail"]["person"] != person), "{refused:?}");
    // All that this person did, and nothing of anybody else.
    let all = finds(&auditor, json!({ "person": person })).await;
    assert!(all.len() > 3 && all.iter().all(|entry| &entry["detail"]["person"] == person), "{all:?}");
    let every = finds(&auditor, json!({})).await;
    let own = every.iter().filter(|entry| &entry["detail"]["person"] == person).count();
    assert_eq!(all.len(), own);
    for (field, value) in [
        ("organisation", json!(world.country.organisations["squad"])),
        ("role", json!("duty_officer")),
        ("kind", json!("notice")),
        ("verb", json!("hand_over")),
        ("purpose", json!("intake")),
        ("outcome", json!("refused")),
    ] {
        let fits = every.iter().filter(|entry| entry["detail"][field] == value).count();
        let found = finds(&auditor, json!({ field: value })).await;
        assert!(fits > 0 && fits < every.len(), "{field}");
        assert_eq!(found.len(), fits, "{field}");
        assert!(found.iter().all(|entry| entry["detail"][field] == value), "{field}");
    }
    // Searching is an entry, with what was sought.
    placed(&world).await;
    let own = finds(&auditor, json!({ "role": "auditor", "kind": "ledger", "record": narrative })).await;
    assert_eq!(own.len(), 1, "{own:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_goes_through_the_time_that_is_asked_for_and_no_other() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    let auditor = world.signed_in("auditor1").await;
    placed(&world).await;
    let mut owner = world.owner().await;
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_tree").fetch_one(&mut owner).await.unwrap();
    let now = world.clock.now();
    let day = |days: i64| (now + chrono::TimeDelta::days(days)).to_rfc3339();
    let reply = asks(&auditor, &json!({ "from": day(-1), "until": day(1) })).await;
    assert!(reply.body["looked_through"].as_i64().unwrap() >= 100 && reply.body["next"].is_i64(), "{}", reply.text);
    let today = finds(&auditor, json!({ "from": day(-1), "until": day(1) })).await;
    assert!(i64::try_from(today.len()).unwrap() >= all);
    let positions: Vec<i64> = today.iter().map(|entry| entry["position"].as_i64().unwrap()).collect();
    assert!(positions.windows(2).all(|two| two[0] > two[1]), "each once, newest first");
    // Nothing stands before or after; and a time that somebody wrote beside a checkpoint hides nothing.
    sqlx::raw_sql(
        "UPDATE ledger_checkpoints SET made_at = '1970-01-01' WHERE size = (SELECT max(size) FROM ledger_checkpoints)",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    sqlx::raw_sql(
        "UPDATE ledger_checkpoints SET made_at = '9999-01-01' WHERE size = (SELECT min(size) FROM ledger_checkpoints)",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    assert!(finds(&auditor, json!({ "from": day(-1), "until": day(1) })).await.len() >= today.len());
    assert_eq!(finds(&auditor, json!({ "from": day(3) })).await, Vec::<Value>::new());
    let reply = asks(&auditor, &json!({ "until": day(-3) })).await;
    assert_eq!(
        (reply.status, reply.body["looked_through"].as_i64()),
        (200, Some(0)),
        "by the leaves' own hours: {}",
        reply.text
    );
    // An entry says itself when it was made.
    let half = today[today.len() / 2]["detail"]["at"].as_str().unwrap().to_owned();
    let (early, late) = (finds(&auditor, json!({ "until": half })).await, today.len());
    assert!(!early.is_empty() && early.len() < late);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_fits_every_question_and_what_is_for_others_is_counted() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    let auditor = world.signed_in("auditor1").await;
    placed(&world).await;
    let mut owner = world.owner().await;
    let nothing = json!({ "person": "p-nobody" });
    assert_eq!(finds(&auditor, nothing.clone()).await, Vec::<Value>::new());
    let row = sqlx::query("SELECT position, replica, lane, n FROM ledger_tree ORDER BY position DESC OFFSET 9 LIMIT 1")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    sqlx::query("UPDATE ledger_entries SET detail = NULL WHERE replica = $1 AND lane = $2 AND n = $3")
        .bind(row.get::<Uuid, _>(1))
        .bind(row.get::<i32, _>(2))
        .bind(row.get::<i64, _>(3))
        .execute(&mut owner)
        .await
        .unwrap();
    let altered = json!({ "position": row.get::<i64, _>(0), "detail": null, "altered": true, "erased": false });
    assert_eq!(finds(&auditor, nothing.clone()).await, std::slice::from_ref(&altered));
    // One that was taken out of the tree leaves its place empty.
    sqlx::query("DELETE FROM ledger_tree WHERE position = $1")
        .bind(row.get::<i64, _>(0))
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(finds(&auditor, nothing.clone()).await, [altered]);
    // Where the hour's key is not what it says, all of the hour is altered, and not somebody else's.
    let (count, wrap) = (
        "SELECT count(*) FROM ledger_detail_keys WHERE key_id IS NOT NULL",
        "UPDATE ledger_detail_keys SET wrap = '\\x00' WHERE key_id IS NOT NULL",
    );
    let sealed: i64 = sqlx::query_scalar(count).fetch_one(&mut owner).await.unwrap();
    assert!(sealed > 0);
    sqlx::raw_sql("CREATE TABLE kept AS TABLE ledger_detail_keys").execute(&mut owner).await.unwrap();
    sqlx::raw_sql(wrap).execute(&mut owner).await.unwrap();
    let reply = asks(&auditor, &nothing).await;
    assert_eq!(reply.body["not_readable"], 0, "{}", reply.text);
    assert!(reply.body["items"].as_array().unwrap().len() > 50, "{}", reply.text);
    sqlx::raw_sql("UPDATE ledger_detail_keys d SET wrap = kept.wrap FROM kept WHERE kept.id = d.id")
        .execute(&mut owner)
        .await
        .unwrap();
    sqlx::raw_sql("DELETE FROM shared_key_wraps").execute(&mut owner).await.unwrap();
    let reply = asks(&auditor, &nothing).await;
    assert!(reply.body["not_readable"].as_i64().unwrap() > 50, "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_none_names_the_field() {
    let world = World::new().await;
    let auditor = world.signed_in("auditor1").await;
    let long = "p".repeat(101);
    for (sought, field) in [
        (json!({ "person": long }), "person"),
        (json!({ "person": "" }), "person"),
        (json!({ "kind": "secret" }), "kind"),
        (json!({ "record": "everything" }), "record"),
        (json!({ "below": -1 }), "below"),
        (json!({ "from": "-262143-01-01T00:00:00Z" }), "from"),
        (json!({ "until": "2201-01-02T00:00:00Z" }), "until"),
        (json!({ "from": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z" }), "until"),
        (json!({ "name": "Leyla" }), "name"),
    ] {
        let reply = asks(&auditor, &sought).await;
        assert_eq!(reply.status, 422, "{sought}: {}", reply.text);
        assert!(reply.text.contains(&format!("\"{field}\"")), "{sought}: {}", reply.text);
    }
    assert_eq!(auditor.post(SEARCHES, &json!({})).await.unwrap().status, 422, "without a purpose");
}
