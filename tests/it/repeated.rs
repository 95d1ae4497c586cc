//! A request that is sent again: the same answer, whatever became of the record meanwhile, and nobody else learns of it.

use crate::harness::World;
use crate::ledger::comes_true;
use crate::story::whole_ledger;
use himaya::demo::actor::{Actor, Reply};
use reqwest::Method;
use serde_json::{Value, json};

async fn send(actor: &Actor, path: &str, key: &str, body: &Value) -> Reply {
    let request = actor.request(Method::POST, path).await.header("idempotency-key", key);
    actor.send(request.json(body)).await.unwrap()
}

fn crisis() -> Value {
    json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "come quickly" } })
}

async fn draft(operator: &Actor) -> String {
    format!("/api/v1/calls/{}", operator.post("/api/v1/calls", &crisis()).await.unwrap().id("id"))
}

/// A notice that the squad has acknowledged.
async fn acknowledged(operator: &Actor, duty: &Actor) -> String {
    let path = format!("{}/hand-over", draft(operator).await);
    let sent = operator.post(&path, &json!({ "basis": "child" })).await.unwrap();
    let notice = format!("/api/v1/notices/{}", sent.id("id"));
    assert_eq!(duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    notice
}

/// How many requests of this service wait for a lock.
async fn waiting(world: &World) -> i64 {
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    sqlx::query_scalar(waits).fetch_one(&mut world.owner().await).await.unwrap()
}

/// How often the auditor finds that something was answered again about a record.
async fn repeated(auditor: &Actor, record: uuid::Uuid) -> usize {
    let request = auditor.request(Method::POST, "/api/v1/ledger/searches").await.header("purpose", "audit");
    let sought = json!({ "record": record, "outcome": "repeated" });
    let found = auditor.send(request.json(&sought)).await.unwrap();
    assert_eq!(found.status, 200, "{}", found.text);
    found.field("items").as_array().unwrap().len()
}

/// How many entries there are.
pub async fn entries(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM ledger_entries").fetch_one(&mut world.owner().await).await.unwrap()
}

fn is_absent(reply: &Reply) {
    assert_eq!((reply.status, reply.code()), (404, "not_found"), "{}", reply.text);
}

fn is_reused(reply: &Reply) {
    assert_eq!((reply.status, reply.code()), (422, "idempotency_key_reused"), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_that_is_sent_again_is_answered_again_and_is_no_refusal() {
    let mut world = World::new().await;
    let (operator, colleague) = (world.signed_in("operator1").await, world.signed_in("operator2").await);
    let (path, how) = (format!("{}/hand-over", draft(&operator).await), json!({ "basis": "child" }));
    let first = send(&operator, &path, "one-hand-over", &how).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let before = entries(&world).await;
    let again = send(&operator, &path, "one-hand-over", &how).await;
    assert_eq!((again.status, &again.body), (201, &first.body), "{}", again.text);
    assert_eq!(entries(&world).await, before + 1);
    let auditor = world.signed_in("auditor1").await;
    let call = path.split('/').nth(4).unwrap().parse().unwrap();
    comes_true("who lost an answer is entered, and not like one who tries doors", async || {
        repeated(&auditor, call).await == 1
    })
    .await;
    // Another key, another body, another call, another person: a record that is not theirs, and entered as that.
    let elsewhere = path.replace(path.split('/').nth(4).unwrap(), &uuid::Uuid::from_u128(7).to_string());
    for (who, path, key, body) in [
        (&operator, &path, "another-key", &how),
        (&operator, &path, "one-hand-over", &json!({ "basis": "consent" })),
        (&operator, &elsewhere, "one-hand-over", &how),
        (&colleague, &path, "one-hand-over", &how),
        (&operator, &path, "short", &how),
    ] {
        let before = entries(&world).await;
        is_absent(&send(who, path, key, body).await);
        assert_eq!(entries(&world).await, before + 1);
    }
    // The content stays away from the sender: what is answered again is the slip as it was.
    assert!(!again.text.contains("come quickly"));
    // The key serves no other call.
    let other = format!("{}/hand-over", draft(&operator).await);
    is_reused(&send(&operator, &other, "one-hand-over", &how).await);
    let handed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM notices").fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(handed, 1);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_that_is_sent_again_is_answered_again_to_who_accepted_and_to_nobody_else() {
    let mut world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let colleague = world.signed_in("duty2").await;
    let notice = acknowledged(&operator, &duty).await;
    let accept = format!("{notice}/accept");
    let first = send(&duty, &accept, "one-acceptance", &json!({})).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let before = entries(&world).await;
    let again = send(&duty, &accept, "one-acceptance", &json!({})).await;
    assert_eq!((again.status, &again.body), (201, &first.body), "{}", again.text);
    assert_eq!(entries(&world).await, before + 1);
    for (who, key) in [(&duty, "another-key"), (&colleague, "one-acceptance"), (&operator, "one-acceptance")] {
        is_absent(&send(who, &accept, key, &json!({})).await);
    }
    is_absent(&send(&duty, &accept, "one-acceptance", &json!({ "case": first.id("case") })).await);
    // At another notice the key is refused by name, and nothing is accepted.
    let other = acknowledged(&operator, &duty).await;
    is_reused(&send(&duty, &format!("{other}/accept"), "one-acceptance", &json!({})).await);
    assert_eq!(duty.get(&other, "intake").await.unwrap().text_of("state"), "acknowledged");
    let cases: i64 =
        sqlx::query_scalar("SELECT count(*) FROM cases").fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(cases, 1);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_at_the_same_moment_is_carried_out_once_and_answered_twice() {
    let mut world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let hand_over = format!("{}/hand-over", draft(&operator).await);
    let accept = format!("{}/accept", acknowledged(&operator, &duty).await);
    for (who, path, held, how) in [
        (&operator, &hand_over, "SELECT id FROM calls FOR UPDATE", json!({ "basis": "child" })),
        (&duty, &accept, "SELECT id FROM notices FOR UPDATE", json!({})),
    ] {
        // Both are let through by the gate before either is carried out.
        let mut owner = world.owner().await;
        sqlx::raw_sql("BEGIN").execute(&mut owner).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(held)).execute(&mut owner).await.unwrap();
        let release = async {
            comes_true("both wait", async || waiting(&world).await >= 2).await;
            sqlx::raw_sql("COMMIT").execute(&mut owner).await.unwrap();
        };
        let (one, other, ()) =
            tokio::join!(send(who, path, "at-once-twice", &how), send(who, path, "at-once-twice", &how), release);
        assert_eq!((one.status, other.status), (201, 201), "{} {}", one.text, other.text);
        assert_eq!(one.body, other.body, "{path}");
    }
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_request_is_being_carried_out_says_so_and_then_gives_the_answer() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut owner = world.owner().await;
    // Both have looked for an answer and found none before either may store one.
    sqlx::raw_sql("BEGIN; LOCK TABLE idempotency IN SHARE MODE").execute(&mut owner).await.unwrap();
    let release = async {
        comes_true("both wait", async || waiting(&world).await >= 2).await;
        sqlx::raw_sql("COMMIT").execute(&mut owner).await.unwrap();
    };
    let (path, body) = ("/api/v1/calls", crisis());
    let (one, other, ()) = tokio::join!(
        send(&operator, path, "the-one-call", &body),
        send(&operator, path, "the-one-call", &body),
        release
    );
    let (stored, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    assert_eq!(stored.status, 201, "{}", stored.text);
    assert_eq!((refused.status, refused.code()), (409, "in_progress"), "{}", refused.text);
    let before = entries(&world).await;
    let again = send(&operator, path, "the-one-call", &body).await;
    assert_eq!((again.status, &again.body, &again.etag), (201, &stored.body, &stored.etag), "{}", again.text);
    assert_eq!(entries(&world).await, before + 1);
    // With the version, so that who lost the answer can go on writing.
    let saved = operator.put(&format!("{path}/{}", again.id("id")), &again.etag.unwrap(), &body).await.unwrap();
    assert_eq!(saved.status, 200, "{}", saved.text);
    world.stop().await;
    whole_ledger(&world).await;
}
