//! At three in the morning: a call is written down whoever has signed in this month, what is typed is kept, and nobody reads it who
//! should not.

use crate::harness::World;
use crate::story::whole_ledger;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use serde_json::{Value, json};
use uuid::Uuid;

fn call(said: &str) -> Value {
    json!({ "content": { "safe_to_talk": "yes", "kind": "request_for_help", "said": said,
                         "call_back": { "wanted": "yes", "number": "+994 12 000 00 00" } } })
}

async fn open(operator: &Actor, said: &str) -> String {
    let opened = operator.post("/api/v1/calls", &call(said)).await.unwrap();
    assert_eq!(opened.status, 201, "{}", opened.text);
    format!("/api/v1/calls/{}", opened.id("id"))
}

fn id(path: &str) -> Uuid {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// Time passes until no REVIEW key is in force, and everybody who works then signs in anew; no supervisor of the helpline does.
async fn a_month_later(world: &World, people: [&str; 2]) -> [Actor; 2] {
    world.clock.advance(TimeDelta::days(40));
    let mut there = Vec::new();
    for handle in people {
        let actor = world.country.person(handle).unwrap().elsewhere();
        actor.sign_in().await.unwrap();
        there.push(actor);
    }
    let in_force: i64 =
        sqlx::query_scalar("SELECT count(*) FROM shared_keys WHERE purpose = 'review' AND closes_at > $1")
            .bind(world.clock.now())
            .fetch_one(&mut world.owner().await)
            .await
            .unwrap();
    assert_eq!(in_force, 0);
    there.try_into().unwrap_or_else(|_| panic!("two people"))
}

/// To whom a key is wrapped: how many persons, and how many shared keys.
async fn holders(world: &World, key: Uuid) -> (Vec<Uuid>, i64) {
    let people = "SELECT recipient_account FROM wraps WHERE key_id = $1 AND recipient_account IS NOT NULL";
    let shared = "SELECT count(*) FROM wraps WHERE key_id = $1 AND recipient_key IS NOT NULL";
    let mut owner = world.owner().await;
    let mut people: Vec<Uuid> = sqlx::query_scalar(people).bind(key).fetch_all(&mut owner).await.unwrap();
    people.sort_unstable();
    (people, sqlx::query_scalar(shared).bind(key).fetch_one(&mut owner).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_written_while_no_review_key_is_in_force_and_the_supervisors_review_it_later() {
    let world = World::new().await;
    let [operator, duty] = a_month_later(&world, ["operator1", "duty1"]).await;
    let (closed, left) = (open(&operator, "asked about visas").await, open(&operator, "the line broke").await);
    let crisis = open(&operator, "come quickly").await;
    let silent = operator.post("/api/v1/calls", &json!({ "content": { "kind": "silent" } })).await.unwrap();
    assert_eq!((silent.status, silent.text_of("state")), (201, "closed"), "{}", silent.text);
    let saved = operator.put(&left, "\"1\"", &call("the line broke, twice")).await.unwrap();
    assert_eq!(saved.status, 200, "{}", saved.text);
    let sent = operator.post(&format!("{crisis}/hand-over"), &json!({ "basis": "vital_interest" })).await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text);
    let read = duty.get(&format!("/api/v1/notices/{}", sent.id("id")), "intake").await.unwrap();
    assert_eq!(read.body["content"]["call"]["said"], "come quickly", "{}", read.text);
    let end = json!({ "outcome": "callback_scheduled" });
    let end = operator.post(&format!("{closed}/close"), &end).await.unwrap();
    assert_eq!(end.status, 200, "{}", end.text);

    // While it is the operator's, it is nobody else's: the others' keys to it sleep.
    let awake = "SELECT array_agg(recipient_account) FROM wraps WHERE key_id = $1 AND active_from <= $2";
    let awake: Vec<Option<Uuid>> = sqlx::query_scalar(awake)
        .bind(id(&left))
        .bind(world.clock.now())
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    assert_eq!(awake, [Some(operator.account)]);
    let supervisor = world.country.person("hsupervisor1").unwrap().elsewhere();
    supervisor.sign_in().await.unwrap();
    assert_eq!(supervisor.get(&left, "supervision").await.unwrap().status, 404);
    assert_eq!(operator.get(&left, "intake").await.unwrap().status, 200);
    // The shift ends: by the database's clock, so the row is moved back.
    for statement in [
        "UPDATE calls SET opened_at = opened_at - interval '41 days', expires_at = expires_at - interval '41 days' WHERE id = $1",
        "UPDATE wraps SET active_from = active_from - interval '41 days', active_until = active_until - interval '41 days'
         WHERE key_id = $1",
    ] {
        sqlx::query(statement).bind(id(&left)).execute(&mut world.owner().await).await.unwrap();
    }
    let silent = format!("/api/v1/calls/{}", silent.id("id"));
    for handle in ["hsupervisor1", "hsupervisor2"] {
        let supervisor = world.country.person(handle).unwrap().elsewhere();
        supervisor.sign_in().await.unwrap();
        for (path, said) in
            [(&closed, json!("asked about visas")), (&left, json!("the line broke, twice")), (&silent, Value::Null)]
        {
            let read = supervisor.get(path, "supervision").await.unwrap();
            assert_eq!((read.status, &read.body["content"]["said"]), (200, &said), "{handle}: {}", read.text);
        }
    }
    for path in [&closed, &left, &silent] {
        assert_eq!(operator.get(path, "intake").await.unwrap().status, 404, "{path}");
    }
    // From now on REVIEW is in force, and holds what is written.
    let next = open(&operator, "later").await;
    assert_eq!(holders(&world, id(&next)).await, (vec![operator.account], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_review_key_a_call_is_sealed_to_the_supervisors_of_the_house_as_they_are_now() {
    let mut world = World::new().await;
    let [operator, admin] = a_month_later(&world, ["operator1", "admin1"]).await;
    let account = |handle: &str| world.country.person(handle).unwrap().account;
    let sorted = |mut people: Vec<Uuid>| {
        people.sort_unstable();
        people
    };
    let (one, other) = (account("hsupervisor1"), account("hsupervisor2"));
    let both = open(&operator, "one").await;
    assert_eq!(holders(&world, id(&both)).await, (sorted(vec![operator.account, one, other]), 1), "and CUSTODY");
    let dismissed = async |account: Uuid| {
        let gone = admin.post(&format!("/api/v1/accounts/{account}/disable"), &json!({})).await.unwrap();
        assert_eq!(gone.status, 200, "{}", gone.text);
    };
    dismissed(one).await;
    let rest = open(&operator, "two").await;
    assert_eq!(holders(&world, id(&rest)).await, (sorted(vec![operator.account, other]), 1));
    // With nobody to review it CUSTODY holds it: who calls in danger waits for no appointment.
    dismissed(other).await;
    let none = open(&operator, "three").await;
    assert_eq!(holders(&world, id(&none)).await, (vec![operator.account], 1));
    let closed = operator.post(&format!("{none}/close"), &json!({ "outcome": "closed" })).await.unwrap();
    assert_eq!(closed.status, 200, "{}", closed.text);
    assert_eq!(holders(&world, id(&none)).await, (vec![], 1));
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_key_that_nobody_holds_any_more_takes_no_call() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let before = open(&operator, "one").await;
    assert_eq!(holders(&world, id(&before)).await, (vec![operator.account], 2));
    let wiped = "DELETE FROM shared_key_wraps WHERE key_id IN (SELECT id FROM shared_keys WHERE purpose = 'review')";
    sqlx::raw_sql(wiped).execute(&mut world.owner().await).await.unwrap();
    let call = open(&operator, "two").await;
    let mut people =
        ["operator1", "hsupervisor1", "hsupervisor2"].map(|handle| world.country.person(handle).unwrap().account);
    people.sort_unstable();
    assert_eq!(holders(&world, id(&call)).await, (people.to_vec(), 1), "to each supervisor, and CUSTODY");
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_kept_before_anybody_could_ask_whether_it_is_safe_and_the_kind_waits_for_the_answer() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let words = json!({ "content": { "said": "third floor, he is coming back", "place": "Gəncə",
                                     "person": { "first_name": "Ü" }, "call_back": { "when": "nights" } } });
    let opened = operator.post("/api/v1/calls", &words).await.unwrap();
    assert_eq!((opened.status, opened.text_of("state")), (201, "opened"), "{}", opened.text);
    let path = format!("/api/v1/calls/{}", opened.id("id"));
    let early = operator.post(&format!("{path}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
    assert_eq!((early.status, early.code()), (409, "triage_first"), "{}", early.text);
    let mut with_kind = words.clone();
    with_kind["content"]["kind"] = json!("crisis");
    let unasked = operator.put(&path, "\"1\"", &with_kind).await.unwrap();
    assert_eq!(
        (unasked.status, &unasked.body["errors"][0]["field"]),
        (422, &json!("content.safe_to_talk")),
        "{}",
        unasked.text
    );
    // The line breaks, the machine does too: another device, a session of its own, the same words.
    let elsewhere = operator.elsewhere();
    elsewhere.sign_in().await.unwrap();
    let read = elsewhere.get(&path, "intake").await.unwrap();
    assert_eq!((read.status, &read.body["content"]), (200, &words["content"]), "{}", read.text);
    with_kind["content"]["safe_to_talk"] = json!("yes");
    let saved = elsewhere.put(&path, &read.etag.unwrap(), &with_kind).await.unwrap();
    assert_eq!((saved.status, saved.text_of("state")), (200, "triaged"), "{}", saved.text);
    // A colleague who signs in does not read it, and the first session does not write over it unseen.
    assert_eq!(world.signed_in("operator2").await.get(&path, "intake").await.unwrap().status, 404);
    assert_eq!(operator.put(&path, "\"1\"", &words).await.unwrap().status, 412);
    let sent = elsewhere.post(&format!("{path}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text);
    world.stop().await;
    whole_ledger(&world).await;
}
