//! Bad input: each a problem with a stable code that names the field, and nothing stored.

use crate::harness::World;
use himaya::demo::actor::{Actor, Reply};
use reqwest::Method;
use serde_json::{Value, json};

async fn stored(world: &World) -> i64 {
    sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM sealed) + (SELECT count(*) FROM calls) + (SELECT count(*) FROM notices)",
    )
    .fetch_one(&mut world.owner().await)
    .await
    .unwrap()
}

async fn raw(actor: &Actor, body: &'static [u8], kind: &str) -> Reply {
    let request = actor.request(Method::POST, "/api/v1/calls").await;
    let request = request.header("idempotency-key", "a-key-of-its-own").header("content-type", kind).body(body);
    actor.send(request).await.unwrap()
}

fn problem(reply: &Reply, status: u16, code: &str, field: &str) {
    assert_eq!((reply.status, reply.code()), (status, code), "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert!(!reply.text_of("request_id").is_empty());
    if !field.is_empty() {
        assert_eq!(reply.body["errors"][0]["field"], field, "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_no_body() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let refused = operator.post("/api/v1/calls", &json!([{ "kind": "silent" }])).await.unwrap();
    assert_eq!((refused.status, refused.code()), (422, "invalid"), "{}", refused.text);
    assert!(refused.text.contains("body"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_named_and_nothing_is_stored() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let before = stored(&world).await;
    problem(&raw(&operator, b"{", "application/json").await, 400, "malformed_json", "");
    problem(&raw(&operator, b"{} {}", "application/json").await, 400, "malformed_json", "");
    problem(&raw(&operator, b"{\"content\": \"\xff\"}", "application/json").await, 400, "malformed_json", "");
    problem(&raw(&operator, b"{}", "text/plain").await, 415, "not_json", "");
    for (body, field) in [
        (json!({ "content": {}, "colour": 1 }), "colour"),
        (json!({ "content": { "colour": 1 } }), "content.colour"),
        (json!({ "content": { "said": 7 } }), "content.said"),
        (json!({ "content": { "safe_to_talk": "perhaps" } }), "content.safe_to_talk"),
        (json!({ "content": { "safe_to_talk": "yes", "said": "x".repeat(20_001) } }), "content.said"),
        (json!({ "content": { "safe_to_talk": "yes", "language": "Azerbaijani" } }), "content.language"),
        (json!({ "content": { "kind": "crisis" } }), "content.safe_to_talk"),
        (
            json!({ "content": { "safe_to_talk": "yes", "person": { "age_estimate": 121 } } }),
            "content.person.age_estimate",
        ),
        (json!({ "content": { "kind": "silent", "said": "x" } }), "content.said"),
    ] {
        let reply = operator.post("/api/v1/calls", &body).await.unwrap();
        problem(&reply, 422, "invalid", field);
    }
    let large = operator.post("/api/v1/calls", &json!({ "content": { "said": "x".repeat(300_000) } })).await.unwrap();
    problem(&large, 413, "too_large", "");
    let without_key = operator.request(Method::POST, "/api/v1/calls").await.json(&json!({ "content": {} }));
    problem(&operator.send(without_key).await.unwrap(), 422, "invalid", "Idempotency-Key");
    problem(&operator.get("/api/v1/calls", "").await.unwrap(), 422, "invalid", "Purpose");
    problem(&operator.get("/api/v1/calls?limit=1000", "intake").await.unwrap(), 422, "invalid", "limit");
    problem(&operator.get("/api/v1/slips?cursor=x", "intake").await.unwrap(), 422, "invalid", "cursor");
    problem(&operator.get("/api/v1/calls/not-an-id", "intake").await.unwrap(), 404, "not_found", "");
    problem(&operator.get("/api/v1/nothing", "intake").await.unwrap(), 404, "no_such_route", "");
    let patch = operator.request(Method::PATCH, "/api/v1/calls").await;
    problem(&operator.send(patch).await.unwrap(), 405, "no_such_method", "");
    assert_eq!(stored(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_stored_once_and_its_key_serves_nothing_else() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let post = async |path: &str, body: Value| {
        let request = operator.request(Method::POST, path).await.header("idempotency-key", "once-and-only-once");
        operator.send(request.json(&body)).await.unwrap()
    };
    let body = json!({ "content": { "safe_to_talk": "yes" } });
    let first = post("/api/v1/calls", body.clone()).await;
    let again = post("/api/v1/calls", body.clone()).await;
    assert_eq!((first.status, &first.body, &first.etag), (201, &again.body, &again.etag));
    assert!(again.etag.is_some(), "{}", again.text);
    let before = stored(&world).await;
    let other = post("/api/v1/calls", json!({ "content": { "safe_to_talk": "no" } })).await;
    problem(&other, 422, "idempotency_key_reused", "");
    assert_eq!(stored(&world).await, before);
    // Another person's key of the same name is another key.
    let colleague = world.signed_in("operator2").await;
    let request =
        colleague.request(Method::POST, "/api/v1/calls").await.header("idempotency-key", "once-and-only-once");
    let theirs = colleague.send(request.json(&body)).await.unwrap();
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.id("id"), first.id("id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_update_and_an_illegal_step_are_refused_by_name() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let opened = operator.post("/api/v1/calls", &json!({ "content": { "safe_to_talk": "yes" } })).await.unwrap();
    let path = format!("/api/v1/calls/{}", opened.id("id"));
    let etag = opened.etag.clone().unwrap();
    let early = operator.post(&format!("{path}/hand-over"), &json!({ "basis": "consent" })).await.unwrap();
    assert_eq!(early.status, 409, "{}", early.text);
    let triaged = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    assert_eq!(operator.put(&path, &etag, &triaged).await.unwrap().status, 200);
    problem(&operator.put(&path, &etag, &triaged).await.unwrap(), 412, "changed_meanwhile", "");
    let request = operator.request(Method::PUT, &path).await.json(&triaged);
    problem(&operator.send(request).await.unwrap(), 428, "if_match_needed", "");
    let handed = operator.post(&format!("{path}/hand-over"), &json!({ "basis": "consent" })).await.unwrap();
    assert_eq!(handed.status, 201, "{}", handed.text);
    let notice = format!("/api/v1/notices/{}", handed.id("id"));
    let early = duty.post(&format!("{notice}/accept"), &json!({})).await.unwrap();
    problem(&early, 409, "illegal_transition", "");
    assert!(early.text.contains("A notice that is sent cannot be accepted."));
    let late = json!({ "basis": "consent", "suspected_at": "2999-01-01T00:00:00Z" });
    let again = operator.post(&format!("{path}/hand-over"), &late).await.unwrap();
    problem(&again, 404, "not_found", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_cannot_reset_the_clock_and_a_return_reaches_them_as_a_code() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let content = json!({ "content": { "safe_to_talk": "yes", "kind": "report", "said": "a rumour" } });
    let opened = operator.post("/api/v1/calls", &content).await.unwrap();
    let path = format!("/api/v1/calls/{}/hand-over", opened.id("id"));
    let late = json!({ "basis": "pseudonymous", "suspected_at": "2999-01-01T00:00:00Z" });
    problem(&operator.post(&path, &late).await.unwrap(), 422, "invalid", "suspected_at");
    let handed = operator.post(&path, &json!({ "basis": "pseudonymous" })).await.unwrap();
    assert_eq!(handed.body["suspected_at"], opened.body["opened_at"]);
    world.clock.advance(chrono::TimeDelta::hours(13));
    operator.refresh().await.unwrap();
    duty.refresh().await.unwrap();
    let queue = duty.get("/api/v1/notices", "intake").await.unwrap();
    assert_eq!(queue.body["items"][0]["escalation"], "half_gone", "{}", queue.text);
    let notice = format!("/api/v1/notices/{}", handed.id("id"));
    assert_eq!(duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let returned = duty.post(&format!("{notice}/return"), &json!({ "code": "too_little_to_act_on" })).await.unwrap();
    assert_eq!(returned.status, 200, "{}", returned.text);
    let slip = operator.get(&format!("/api/v1/slips/{}", handed.id("id")), "intake").await.unwrap();
    assert_eq!((slip.text_of("state"), slip.text_of("return_code")), ("returned", "too_little_to_act_on"));
    assert_eq!(duty.get(&notice, "intake").await.unwrap().status, 404);
    let supervisor = world.signed_in("hsupervisor1").await;
    let read = supervisor.get(&notice, "supervision").await.unwrap();
    assert_eq!((read.status, read.body["content"]["call"]["said"].as_str()), (200, Some("a rumour")), "{}", read.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_character_that_no_database_takes_is_refused_at_the_door() {
    let world = World::new().await;
    let nobody = world.country.person("operator1").unwrap().elsewhere();
    for (path, body) in [
        ("/api/v1/sessions/passkey", json!({ "handle": "a\0b" })),
        ("/api/v1/sessions", json!({ "handle": "a\0b", "passphrase": "x" })),
        ("/api/v1/enrolments", json!({ "handle": "a\0b", "code": "x" })),
    ] {
        problem(&nobody.post(path, &body).await.unwrap(), 422, "invalid", "handle");
    }
}
