//! The state of a case: who works on it takes it from one to the next, and nobody undoes unseen what a colleague did.

use crate::harness::World;
use crate::story::whole_ledger;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use reqwest::Method;
use serde_json::json;

fn to(state: &str) -> serde_json::Value {
    json!({ "state": state })
}

async fn etag(actor: &Actor, case: &str) -> String {
    let read = actor.get(case, "case_work").await.unwrap();
    read.etag.unwrap_or_else(|| panic!("{}", read.text))
}

fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code()), (status, code), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_followed_up_closed_and_taken_up_again_and_no_change_of_a_colleague_is_undone_unseen() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let stranger = world.signed_in("officer2").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let read = etag(&officer, &case).await;

    refused(&stranger.patch(&case, &read, &to("follow_up")).await.unwrap(), 404, "not_found");
    // Who may not know of the case is told nothing by what else was wrong.
    refused(&stranger.patch(&case, "", &to("nowhere")).await.unwrap(), 404, "not_found");
    let supervisor = world.signed_in("ssupervisor1").await;
    refused(&supervisor.patch(&case, &read, &to("follow_up")).await.unwrap(), 404, "not_found");
    let bare = officer.request(Method::PATCH, &case).await.json(&to("follow_up"));
    refused(&officer.send(bare).await.unwrap(), 428, "if_match_needed");
    let unknown = officer.patch(&case, &read, &to("lost")).await.unwrap();
    assert_eq!((unknown.status, unknown.body["errors"][0]["field"].as_str()), (422, Some("state")), "{}", unknown.text);
    let early = officer.patch(&case, &read, &to("closed")).await.unwrap();
    refused(&early, 409, "illegal_transition");
    assert!(early.text.contains("Take it to `follow_up` first"), "{}", early.text);
    assert_eq!(etag(&officer, &case).await, read, "nothing was stored");

    let mut known = read.clone();
    for state in ["follow_up", "closed", "open"] {
        let done = officer.patch(&case, &known, &to(state)).await.unwrap();
        assert_eq!((done.status, done.text_of("state")), (200, state), "{}", done.text);
        let seen = duty.get(&case, "case_work").await.unwrap();
        assert_eq!((seen.text_of("state"), &seen.etag), (state, &done.etag), "{}", seen.text);
        // What the officer knew before counts no more, also where the step itself would be legal.
        refused(&officer.patch(&case, &known, &to("follow_up")).await.unwrap(), 412, "changed_meanwhile");
        known = done.etag.unwrap();
    }
    // A note or a section has a version of its own, and keeps nobody from changing the state.
    let note = duty.post(&format!("{case}/notes"), &json!({ "text": "she called" })).await.unwrap();
    assert_eq!(note.status, 201, "{}", note.text);
    let last = officer.patch(&case, &known, &to("follow_up")).await.unwrap();
    assert_eq!(last.status, 200, "{}", last.text);
    let listed = officer.get("/api/v1/cases", "case_work").await.unwrap();
    assert_eq!(listed.body["items"][0]["state"], "follow_up", "{}", listed.text);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_colleagues_who_change_the_state_at_the_same_moment_do_it_once() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let read = etag(&officer, &case).await;
    let next = to("follow_up");
    let (one, other) = tokio::join!(officer.patch(&case, &read, &next), duty.patch(&case, &read, &next));
    let mut statuses = [one.unwrap().status, other.unwrap().status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_read_the_case_while_its_keys_were_made_anew_may_change_its_state() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, colleague) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let supervisor = world.signed_in("ssupervisor1").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let given = json!({ "account": colleague.account, "relation": "granted", "reason": "expertise" });
    assert_eq!(officer.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
    let before = etag(&officer, &case).await;
    let ended = supervisor.delete(&format!("{case}/access/{}", colleague.account)).await.unwrap();
    assert_eq!((ended.status, &ended.body["epoch_pending"]), (200, &json!(true)), "{}", ended.text);
    // The reading makes the new epoch, and what it answers is the version after that.
    let after = etag(&officer, &case).await;
    assert_ne!(before, after);
    let done = officer.patch(&case, &after, &to("follow_up")).await.unwrap();
    assert_eq!(done.status, 200, "{}", done.text);
    world.stop().await;
    whole_ledger(&world).await;
}
