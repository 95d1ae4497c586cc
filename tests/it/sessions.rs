//! Sessions over stateless replicas, and what ends them.

use crate::harness::World;
use crate::repeated::entries;
use chrono::{DateTime, TimeDelta, Utc};
use himaya::demo::actor::Actor;
use serde_json::json;

/// The status of a request in this session.
async fn asks(actor: &Actor) -> u16 {
    actor.get("/api/v1/notices", "intake").await.unwrap().status
}

/// Moves a time of this person's sessions back: the database goes by its own clock.
async fn set_back(world: &World, actor: &Actor, statement: &'static str) {
    let moved = sqlx::query(statement).bind(actor.account).execute(&mut world.owner().await).await.unwrap();
    assert!(moved.rows_affected() > 0);
}

/// The status of a refresh with this handle, and the handle that replaces it.
async fn refresh_with(world: &World, handle: &str) -> (u16, String) {
    let address = format!("{}/api/v1/sessions/refresh", world.base);
    let sent = reqwest::Client::new().post(address).json(&json!({ "refresh_handle": handle })).send().await.unwrap();
    let status = sent.status().as_u16();
    let body: serde_json::Value = sent.json().await.unwrap();
    (status, body["refresh_handle"].as_str().unwrap_or_default().to_owned())
}

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
    let entries = "SELECT count(*) FROM ledger_entries";
    let before: i64 = sqlx::query_scalar(entries).fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(refresh_with(&world, &first).await.0, 401);
    let after: i64 = sqlx::query_scalar(entries).fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(after, before + 1, "that it ended so is an entry");
    assert_eq!(duty.get("/api/v1/notices", "intake").await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_idle_for_twenty_minutes_ends_and_one_that_is_used_goes_on() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let (_, _, handle) = duty.secrets().await;
    let nineteen = "UPDATE sessions SET last_seen_at = now() - interval '19 minutes' WHERE account_id = $1";
    set_back(&world, &duty, nineteen).await;
    // Seen again: from here on the twenty minutes begin anew.
    assert_eq!(asks(&duty).await, 200);
    let two = "UPDATE sessions SET last_seen_at = last_seen_at - interval '2 minutes' WHERE account_id = $1";
    set_back(&world, &duty, two).await;
    assert_eq!(asks(&duty).await, 200);
    set_back(&world, &duty, nineteen).await;
    duty.refresh().await.unwrap();
    set_back(&world, &duty, two).await;
    assert_eq!(asks(&duty).await, 200);
    let (_, _, next) = duty.secrets().await;
    set_back(&world, &duty, "UPDATE sessions SET last_seen_at = now() - interval '21 minutes' WHERE account_id = $1")
        .await;
    assert_eq!(asks(&duty).await, 401);
    for handle in [handle, next] {
        assert_eq!(refresh_with(&world, &handle).await.0, 401);
    }
    assert_eq!(asks(&duty).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_eight_hours_after_it_began_however_much_it_is_used() {
    let world = World::new().await;
    let duty = world.country.person("duty1").unwrap().clone();
    let before = world.clock.now();
    let signed_in = duty.sign_in().await.unwrap();
    let ends: DateTime<Utc> = signed_in.text_of("session_expires_at").parse().unwrap();
    assert!(ends >= before + TimeDelta::hours(8) && ends <= world.clock.now() + TimeDelta::hours(8));
    duty.refresh().await.unwrap();
    let current = duty.get("/api/v1/sessions/current", "").await.unwrap();
    assert_eq!(current.text_of("expires_at").parse::<DateTime<Utc>>().unwrap(), ends, "{}", current.text);
    let nearly = "UPDATE sessions SET expires_at = now() + interval '1 minute' WHERE account_id = $1";
    set_back(&world, &duty, nearly).await;
    duty.refresh().await.unwrap();
    assert_eq!(asks(&duty).await, 200);
    set_back(&world, &duty, "UPDATE sessions SET expires_at = now() WHERE account_id = $1").await;
    assert_eq!(asks(&duty).await, 401);
    let (_, _, handle) = duty.secrets().await;
    assert_eq!(refresh_with(&world, &handle).await.0, 401);
    assert_eq!(asks(&duty).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handle_before_the_newest_is_good_for_thirty_seconds() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let (_, _, first) = duty.secrets().await;
    let (status, lost) = refresh_with(&world, &first).await;
    assert_eq!(status, 200);
    // The answer did not arrive: the client sends the handle that it has once more.
    world.clock.advance(TimeDelta::seconds(29));
    let (status, second) = refresh_with(&world, &first).await;
    assert_eq!(status, 200);
    assert_eq!(asks(&duty).await, 200);
    // Now it is the handle of the lost answer that comes before the newest, and after thirty seconds it is a copy.
    world.clock.advance(TimeDelta::seconds(31));
    assert_eq!(refresh_with(&world, &lost).await.0, 401);
    assert_eq!(refresh_with(&world, &second).await.0, 401);
    assert_eq!(asks(&duty).await, 401);
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
        let before = entries(&world).await;
        let sent = client.post(format!("{}/api/v1/sessions", world.base)).json(&body).send().await.unwrap();
        let status = sent.status().as_u16();
        let mut body: serde_json::Value = sent.json().await.unwrap();
        body["request_id"] = json!("");
        assert_eq!(entries(&world).await, before + 1, "wrong words are entered, of {handle} as of anybody");
        answers.push((status, body));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_where_they_are_signed_in_and_ends_what_they_do_not_know() {
    let world = World::new().await;
    let (_app, other, base) = world.replica().await;
    let here = world.signed_in("duty1").await;
    let mine = async || {
        let seen = here.get("/api/v1/sessions", "").await.unwrap();
        assert_eq!(seen.status, 200, "{}", seen.text);
        seen.body["items"].as_array().unwrap().clone()
    };
    let this = mine().await;
    assert_eq!(this.iter().filter(|session| session["this"] == json!(true)).count(), 1);
    let before = this.len();
    // A second one, at another replica.
    let there = here.elsewhere().at(&base);
    there.sign_in().await.unwrap();
    assert_eq!(mine().await.len(), before + 1);
    let known = |session: &serde_json::Value| this.iter().any(|one| one["id"] == session["id"]);
    let strange = mine().await.into_iter().find(|session| !known(session)).unwrap();
    let path = format!("/api/v1/sessions/{}", strange["id"].as_str().unwrap());
    for handle in ["duty2", "admin1", "ssupervisor1", "auditor1"] {
        let stranger = world.signed_in(handle).await;
        assert_eq!(stranger.delete(&path).await.unwrap().status, 404, "{handle}");
        let seen = stranger.get("/api/v1/sessions", "").await.unwrap();
        assert!(!seen.text.contains(strange["id"].as_str().unwrap()), "{handle}");
    }
    assert_eq!(asks(&there).await, 200);
    assert_eq!(here.delete(&path).await.unwrap().status, 200);
    assert_eq!((asks(&there).await, asks(&here).await), (401, 200));
    assert_eq!(here.delete(&path).await.unwrap().status, 404, "it is over");
    // All others at once.
    there.sign_in().await.unwrap();
    let ended = here.delete("/api/v1/sessions").await.unwrap();
    assert_eq!(ended.status, 200, "{}", ended.text);
    assert_eq!((asks(&there).await, asks(&here).await), (401, 200));
    assert_eq!(mine().await.len(), 1);
    other.stop().await.unwrap();
}
