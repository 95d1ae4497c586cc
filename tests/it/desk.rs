//! What people need to do their work together: names to hand it to, and what came back.

use crate::harness::World;
use himaya::demo::story;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn handles(items: &Value) -> BTreeSet<String> {
    items.as_array().unwrap().iter().map(|item| item["handle"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_the_names_of_their_own_organisation_and_of_no_other() {
    let world = World::new().await;
    let squad = ["duty1", "duty2", "officer1", "officer2", "ssupervisor1", "ssupervisor2"];
    for handle in ["duty1", "officer2"] {
        let seen = world.signed_in(handle).await.get("/api/v1/colleagues", "").await.unwrap();
        assert_eq!(seen.status, 200, "{}", seen.text);
        assert!(squad.iter().all(|name| handles(&seen.body["items"]).contains(*name)), "{}", seen.text);
        let item = &seen.body["items"].as_array().unwrap()[0];
        assert!(item["account"].is_string() && item["role"].is_string(), "{item}");
    }
    let theirs = world.signed_in("operator1").await.get("/api/v1/colleagues", "").await.unwrap();
    assert!(squad.iter().all(|name| !handles(&theirs.body["items"]).contains(*name)), "{}", theirs.text);
    // A dismissed colleague is none any more, and neither is a ghost.
    let gone = world.country.person("officer2").unwrap().account;
    let path = format!("/api/v1/accounts/{gone}/disable");
    assert_eq!(world.signed_in("admin1").await.post(&path, &json!({})).await.unwrap().status, 200);
    let squad = world.country.organisations["squad"];
    let ghost = json!({ "organisation": squad, "handle": "ghost" });
    assert_eq!(world.signed_in("admin1").await.post("/api/v1/accounts", &ghost).await.unwrap().status, 201);
    let seen = world.signed_in("duty1").await.get("/api/v1/colleagues", "").await.unwrap();
    assert!(!handles(&seen.body["items"]).contains("officer2") && !handles(&seen.body["items"]).contains("ghost"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_notice_stands_in_the_list_of_the_senders_supervisor() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let supervisor = world.signed_in("hsupervisor1").await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "a strange noise" } });
    let mut notices = Vec::new();
    for _ in 0..2 {
        let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
        let path = format!("/api/v1/calls/{call}/hand-over");
        notices.push(operator.post(&path, &json!({ "basis": "vital_interest" })).await.unwrap().id("id"));
    }
    let path = format!("/api/v1/notices/{}", notices[0]);
    assert_eq!(duty.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let returned = duty.post(&format!("{path}/return"), &json!({ "code": "not_trafficking" })).await.unwrap();
    assert_eq!(returned.status, 200, "{}", returned.text);
    let seen = supervisor.get("/api/v1/notices", "supervision").await.unwrap();
    let items = seen.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{}", seen.text);
    assert_eq!(
        (items[0]["id"].clone(), items[0]["return_code"].clone()),
        (json!(notices[0]), json!("not_trafficking"))
    );
    let read = supervisor.get(&path, "supervision").await.unwrap();
    assert_eq!(read.body["content"]["call"]["said"], "a strange noise", "{}", read.text);
    // The desk's own queue holds the other one, and the operator lists no notices at all.
    let queue = duty.get("/api/v1/notices", "intake").await.unwrap();
    assert_eq!(queue.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(operator.get("/api/v1/notices", "supervision").await.unwrap().status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_squads_supervisor_sees_who_is_on_a_case_and_nothing_in_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let supervisor = world.signed_in("ssupervisor1").await;
    let path = format!("/api/v1/cases/{}", played.case);
    let read = supervisor.get(&path, "supervision").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
    let on: BTreeSet<&str> =
        read.body["access"].as_array().unwrap().iter().map(|access| access["account"].as_str().unwrap()).collect();
    let officer = world.country.person("officer1").unwrap().account.to_string();
    assert!(on.contains(officer.as_str()), "{}", read.text);
    let nothing = |section: &Value| section["readable"] == json!(false) && section["id"].is_null();
    assert!(read.body["sections"].as_array().unwrap().iter().all(nothing), "{}", read.text);
    assert_eq!(read.body["persons"], json!([]), "{}", read.text);
    assert_eq!(supervisor.get(&format!("{path}/sections/narrative"), "supervision").await.unwrap().status, 404);
}
