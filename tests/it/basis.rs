//! On what ground a notice names somebody: what the squad reads of a call, and what stays behind and dies.

use crate::harness::World;
use himaya::demo::actor::{Actor, Reply};
use serde_json::{Value, json};

/// Everything by which the person of [`call`] could be found.
const NAMES: [&str; 8] =
    ["Leyla", "Fictional", "2004-05-06", "+994 00 111", "in the kitchen", "after nine", "the bakery", "+994 00 222"];

/// What is told of a call beside who it is about and how to call back.
fn told() -> Value {
    json!({ "safe_to_talk": "yes", "kind": "crisis", "language": "az", "danger": "immediate", "place": "a yellow house",
            "said": "They took her passport.", "caller_is": "friend" })
}

fn call() -> Value {
    let mut call = told();
    call["person"] = json!({ "first_name": "Leyla", "second_name": "Fictional", "birthdate": "2004-05-06",
                             "phone": "+994 00 111", "doing_now": "in the kitchen" });
    call["call_back"] =
        json!({ "wanted": "yes", "when": "after nine", "how": "ask for the bakery", "number": "+994 00 222" });
    call
}

async fn logged(operator: &Actor) -> (String, Reply) {
    let opened = operator.post("/api/v1/calls", &json!({ "content": call() })).await.unwrap();
    assert_eq!(opened.status, 201, "{}", opened.text);
    (format!("/api/v1/calls/{}", opened.id("id")), opened)
}

async fn sent(operator: &Actor, how: &Value) -> String {
    let (path, _) = logged(operator).await;
    let handed = operator.post(&format!("{path}/hand-over"), how).await.unwrap();
    assert_eq!(handed.status, 201, "{}", handed.text);
    format!("/api/v1/notices/{}", handed.id("id"))
}

/// Reads the notice: all of the call, or all but what leads to the person.
async fn reads(who: &Actor, notice: &str, purpose: &str, basis: &str) {
    let read = who.get(notice, purpose).await.unwrap();
    assert_eq!(read.status, 200, "{} {}", who.handle, read.text);
    let named = basis != "pseudonymous";
    let expected = if named { call() } else { told() };
    assert_eq!(read.body["content"], json!({ "basis": basis, "call": expected }), "{}", who.handle);
    for name in NAMES {
        assert_eq!(read.text.contains(name), named, "{basis}: {} and `{name}`", who.handle);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ground_nobody_reads_who_it_is_about_or_how_to_call_back() {
    let world = World::new().await;
    let (operator, supervisor) = (world.signed_in("operator1").await, world.signed_in("hsupervisor1").await);
    let (duty, second) = (world.signed_in("duty1").await, world.signed_in("duty2").await);
    let officer = world.signed_in("officer1").await;

    // Without the word that all this is to be lost, the draft stays as it was, and the squad hears nothing.
    let (path, opened) = logged(&operator).await;
    let refused = operator.post(&format!("{path}/hand-over"), &json!({ "basis": "pseudonymous" })).await.unwrap();
    let field = refused.body["errors"][0]["field"].as_str();
    assert_eq!((refused.status, refused.code(), field), (422, "invalid", Some("leave_behind")), "{}", refused.text);
    let kept = operator.get(&path, "intake").await.unwrap();
    assert_eq!((kept.status, &kept.body["content"], kept.etag), (200, &call(), opened.etag.clone()), "{}", kept.text);
    assert_eq!(duty.get("/api/v1/notices", "intake").await.unwrap().body["items"], json!([]));

    let how = json!({ "basis": "pseudonymous", "leave_behind": true });
    let handed = operator.post(&format!("{path}/hand-over"), &how).await.unwrap();
    assert_eq!(handed.status, 201, "{}", handed.text);
    let notice = format!("/api/v1/notices/{}", handed.id("id"));
    for who in [&duty, &second] {
        reads(who, &notice, "intake", "pseudonymous").await;
    }
    // What stayed behind is gone: with the draft, its keys, and the key that erases.
    assert_eq!(operator.get(&path, "intake").await.unwrap().status, 404);
    let draft = opened.id("id");
    let left =
        "SELECT (SELECT count(*) FROM sealed WHERE key_id = $1) + (SELECT count(*) FROM wraps WHERE key_id = $1)";
    let left: i64 = sqlx::query_scalar(left).bind(draft).fetch_one(&mut world.owner().await).await.unwrap();
    let keys = "SELECT count(*) FROM erasure.keys WHERE key_id = $1";
    let keys: i64 = sqlx::query_scalar(keys).bind(draft).fetch_one(&mut world.erasure_owner().await).await.unwrap();
    assert_eq!((left, keys), (0, 0));

    let team = json!({ "officers": [officer.account] });
    for (step, body, status) in [("acknowledge", &json!({}), 200), ("accept", &team, 201)] {
        assert_eq!(duty.post(&format!("{notice}/{step}"), body).await.unwrap().status, status, "{step}");
    }
    for who in [&duty, &officer] {
        reads(who, &notice, "case_work", "pseudonymous").await;
    }
    let back = sent(&operator, &how).await;
    for (step, body) in [("acknowledge", json!({})), ("return", json!({ "code": "too_little_to_act_on" }))] {
        assert_eq!(duty.post(&format!("{back}/{step}"), &body).await.unwrap().status, 200, "{step}");
    }
    reads(&supervisor, &back, "supervision", "pseudonymous").await;

    // With a ground all of it goes over, whether that word is said or not.
    for basis in ["consent", "child", "vital_interest"] {
        for leave_behind in [false, true] {
            let notice = sent(&operator, &json!({ "basis": basis, "leave_behind": leave_behind })).await;
            reads(&duty, &notice, "intake", basis).await;
        }
    }
}
