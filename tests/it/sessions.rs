//! Sessions over stateless replicas, and what ends them.

use crate::harness::World;
use chrono::TimeDelta;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_works_on_every_replica_and_ends_on_all_of_them() {
    let world = World::new().await;
    let (_app, other, base) = world.replica().await;
    let duty = world.signed_in("duty1").await;
    let there = duty.at(&base);
    assert_eq!(duty.get("/api/v1/notices", "intake").await.unwrap().status, 200);
    assert_eq!(there.get("/api/v1/notices", "intake").await.unwrap().status, 200);
    there.refresh().await.unwrap();
    assert_eq!(duty.get("/api/v1/notices", "intake").await.unwrap().status, 200);
    assert_eq!(there.delete("/api/v1/sessions/current").await.unwrap().status, 200);
    let ended = duty.get("/api/v1/notices", "intake").await.unwrap();
    assert_eq!((ended.status, ended.code()), (401, "sign_in"));
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lives_five_minutes_and_a_handle_used_twice_ends_the_session() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let (_, _, first) = duty.secrets().await;
    world.clock.advance(TimeDelta::minutes(6));
    assert_eq!(duty.get("/api/v1/notices", "intake").await.unwrap().status, 401);
    duty.refresh().await.unwrap();
    assert_eq!(duty.get("/api/v1/notices", "intake").await.unwrap().status, 200);
    // Long after it was replaced, the first handle comes again: somebody has a copy.
    world.clock.advance(TimeDelta::minutes(1));
    let client = reqwest::Client::new();
    let address = format!("{}/api/v1/sessions/refresh", world.base);
    let again = client.post(address).json(&json!({ "refresh_handle": first })).send().await.unwrap();
    assert_eq!(again.status().as_u16(), 401);
    assert_eq!(duty.get("/api/v1/notices", "intake").await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_session_opens_nothing() {
    let world = World::new().await;
    let (duty, officer) = (world.signed_in("duty1").await, world.signed_in("officer1").await);
    let ((token, secret, _), (_, other_secret, _)) = (duty.secrets().await, officer.secrets().await);
    let client = reqwest::Client::new();
    let get = async |token: Option<&str>, secret: Option<&str>| {
        let mut request = client.get(format!("{}/api/v1/notices", world.base)).header("purpose", "intake");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(secret) = secret {
            request = request.header("himaya-session", secret);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(get(Some(&token), Some(&secret)).await, 200);
    assert_eq!(get(Some(&token), None).await, 401);
    assert_eq!(get(None, Some(&secret)).await, 401);
    assert_eq!(get(Some(&token), Some(&other_secret)).await, 401);
    assert_eq!(get(Some(&token[..token.len() - 2]), Some(&secret)).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_takes_effect_at_the_next_request() {
    let world = World::new().await;
    let (admin, officer) = (world.signed_in("admin1").await, world.signed_in("officer1").await);
    assert_eq!(officer.get("/api/v1/cases", "case_work").await.unwrap().status, 200);
    let path = format!("/api/v1/accounts/{}/disable", officer.account);
    let disabled = admin.post(&path, &json!({})).await.unwrap();
    assert_eq!(disabled.status, 200, "{}", disabled.text);
    assert_eq!(officer.get("/api/v1/cases", "case_work").await.unwrap().status, 401);
    assert!(officer.sign_in().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_name_and_wrong_words_get_one_answer() {
    let world = World::new().await;
    let client = reqwest::Client::new();
    let mut answers = Vec::new();
    for handle in ["duty1", "nobody.of.this.name"] {
        let body = json!({ "handle": handle, "passphrase": "these are not the right words at all" });
        let sent = client.post(format!("{}/api/v1/sessions", world.base)).json(&body).send().await.unwrap();
        let status = sent.status().as_u16();
        let mut body: serde_json::Value = sent.json().await.unwrap();
        body["request_id"] = json!("");
        answers.push((status, body));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 401);
}
