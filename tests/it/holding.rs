//! Who erases a case, and what keeps it: two supervisors, never one, and no hold.

use crate::attachments::entries;
use crate::bars::findings;
use crate::erasing::{confirm, erase, propose, supervisors};
use crate::harness::World;
use crate::story::whole_ledger;
use chrono::{DateTime, TimeDelta, Utc};
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use serde_json::{Value, json};
use uuid::Uuid;

async fn hold(supervisor: &Actor, case: &str, reason: &str, until: Option<DateTime<Utc>>) -> Reply {
    supervisor.post(&format!("{case}/holds"), &json!({ "reason": reason, "until": until })).await.unwrap()
}

async fn lift(one: &Actor, case: &str, hold: Uuid) -> Reply {
    one.post(&format!("{case}/holds/{hold}/lifts"), &Value::Null).await.unwrap()
}

async fn agree(other: &Actor, case: &str, hold: Uuid, lift: Uuid) -> Reply {
    other.post(&format!("{case}/holds/{hold}/lifts/{lift}/confirm"), &Value::Null).await.unwrap()
}

async fn reads(actor: &Actor, case: &str) -> u16 {
    actor.get(&format!("{case}/sections/narrative"), "case_work").await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_erases_a_case_alone_and_nobody_but_supervisors_at_all() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let (officer, case) = (world.signed_in("officer1").await, format!("/api/v1/cases/{}", played.case));
    for handle in
        ["officer1", "duty1", "officer2", "operator1", "hsupervisor1", "manager1", "coordinator1", "auditor1", "admin1"]
    {
        let actor = world.signed_in(handle).await;
        let before = entries(&world).await;
        assert_eq!(propose(&actor, &case).await.status, 404, "{handle}");
        assert_eq!(hold(&actor, &case, "complaint", None).await.status, 404, "{handle}");
        assert_eq!(entries(&world).await, before + 2, "each is written down");
    }
    let wrong = one.post(&format!("{case}/erasures"), &json!({ "reason": "bored" })).await.unwrap();
    assert_eq!((wrong.status, wrong.body["errors"][0]["field"].as_str()), (422, Some("reason")), "{}", wrong.text);
    let proposed = propose(&one, &case).await;
    assert_eq!((proposed.status, proposed.text_of("state")), (201, "proposed"), "{}", proposed.text);
    let erasure = proposed.id("id");
    assert_eq!(propose(&other, &case).await.code(), "proposed_already");
    for handle in ["officer1", "duty1", "operator1", "hsupervisor1", "manager1", "auditor1", "admin1"] {
        assert_eq!(confirm(&world.signed_in(handle).await, &case, erasure).await.status, 404, "{handle}");
    }
    // Who works on the case sees it coming.
    for (actor, purpose, status) in
        [(&officer, "case_work", 200), (&other, "supervision", 200), (&world.signed_in("auditor1").await, "audit", 404)]
    {
        let seen = actor.get(&format!("{case}/erasures"), purpose).await.unwrap();
        assert_eq!(seen.status, status, "{}", seen.text);
        assert!(status != 200 || seen.body["items"][0]["reason"] == "retention_ended", "{}", seen.text);
    }
    let same = confirm(&one, &case, erasure).await;
    assert_eq!((same.status, same.code()), (409, "same_person"), "{}", same.text);
    assert_eq!(confirm(&other, &case, himaya::platform::random::uuid()).await.status, 404);
    // A removal that is proposed is no erasure.
    let removal = json!({ "account": world.country.person("duty1").unwrap().account });
    let removal = one.post(&format!("{case}/removals"), &removal).await.unwrap().id("id");
    assert_eq!(confirm(&other, &case, removal).await.status, 404);
    assert_eq!(reads(&officer, &case).await, 200, "nothing has happened");
    world.clock.advance(TimeDelta::days(7));
    for actor in [&one, &other, &officer] {
        actor.sign_in().await.unwrap();
    }
    assert_eq!(confirm(&other, &case, erasure).await.code(), "lapsed");
    // Who is kept off the case since neither erases it, nor has it erased.
    let erasure = propose(&one, &case).await.id("id");
    assert_eq!(one.post(&format!("{case}/recuse"), &json!({ "reason": "kinship" })).await.unwrap().status, 200);
    assert_eq!(confirm(&other, &case, erasure).await.code(), "lapsed");
    assert_eq!(propose(&one, &case).await.status, 404);
    assert_eq!(reads(&officer, &case).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_on_hold_is_neither_proposed_nor_erased_and_two_lift_it() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let (officer, case) = (world.signed_in("officer1").await, format!("/api/v1/cases/{}", played.case));
    let erasure = propose(&one, &case).await.id("id");
    let held = hold(&other, &case, "court_proceedings", None).await;
    assert_eq!((held.status, &held.body["in_force"]), (201, &json!(true)), "{}", held.text);
    let id = held.id("id");
    for refused in
        [propose(&one, &case).await, confirm(&other, &case, erasure).await, confirm(&one, &case, erasure).await]
    {
        assert_eq!((refused.status, refused.code()), (409, "on_hold"), "{}", refused.text);
        assert!(refused.text.contains("court_proceedings"), "{}", refused.text);
    }
    // The gate comes first.
    assert_eq!(propose(&officer, &case).await.status, 404);
    let seen = officer.get(&format!("{case}/holds"), "case_work").await.unwrap();
    assert_eq!(
        (&seen.body["items"][0]["reason"], &seen.body["items"][0]["by"]),
        (&json!("court_proceedings"), &json!(other.account))
    );
    // Lifting takes two, none of whom is on the case.
    assert_eq!(lift(&officer, &case, id).await.status, 404);
    assert_eq!(lift(&one, &case, himaya::platform::random::uuid()).await.status, 404);
    let proposed = lift(&one, &case, id).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    let first = proposed.id("id");
    assert_eq!(lift(&other, &case, id).await.code(), "proposed_already");
    assert_eq!(agree(&one, &case, id, first).await.code(), "same_person");
    assert_eq!(agree(&officer, &case, id, first).await.status, 404);
    assert_eq!(confirm(&other, &case, erasure).await.code(), "on_hold");
    // A second hold is not lifted with the first.
    let second = hold(&one, &case, "complaint", None).await.id("id");
    assert_eq!(agree(&other, &case, second, first).await.status, 404);
    let lifted = agree(&other, &case, id, first).await;
    assert_eq!((lifted.status, &lifted.body["in_force"]), (200, &json!(false)), "{}", lifted.text);
    assert_eq!(lifted.body["lifted_by"], json!([one.account, other.account]));
    assert_eq!(agree(&other, &case, id, first).await.code(), "illegal_transition");
    assert_eq!(lift(&one, &case, id).await.code(), "illegal_transition");
    let still = confirm(&other, &case, erasure).await;
    assert!(still.code() == "on_hold" && still.text.contains("complaint"), "{}", still.text);
    let again = lift(&other, &case, second).await.id("id");
    assert_eq!(agree(&one, &case, second, again).await.status, 200);
    assert_eq!(confirm(&other, &case, erasure).await.status, 200);
    assert_eq!(reads(&officer, &case).await, 404);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_with_an_end_holds_until_then() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let case = format!("/api/v1/cases/{}", played.case);
    for past in [-60, 0] {
        let wrong = hold(&one, &case, "investigation_open", Some(world.clock.now() + TimeDelta::seconds(past))).await;
        assert_eq!((wrong.status, wrong.body["errors"][0]["field"].as_str()), (422, Some("until")), "{}", wrong.text);
    }
    let until = world.clock.now() + TimeDelta::days(2);
    let long = hold(&one, &case, "investigation_open", Some(until)).await;
    assert_eq!(long.status, 201, "{}", long.text);
    assert!(propose(&one, &case).await.text.contains("investigation_open"));
    // A replica's clock that is ahead passes nothing by: it is over when the database's says so as well.
    world.clock.advance(TimeDelta::days(2));
    for actor in [&one, &other] {
        actor.sign_in().await.unwrap();
    }
    let in_force = async || {
        let listed = one.get(&format!("{case}/holds"), "supervision").await.unwrap();
        let items = listed.body["items"].as_array().unwrap().clone();
        items.iter().any(|item| item["in_force"] == true)
    };
    assert!(in_force().await);
    assert_eq!(propose(&one, &case).await.code(), "on_hold");
    world.clock.advance(TimeDelta::days(-2));
    for actor in [&one, &other] {
        actor.sign_in().await.unwrap();
    }
    let lifts = lift(&one, &case, long.id("id")).await.id("id");
    assert_eq!(agree(&other, &case, long.id("id"), lifts).await.status, 200);
    let erasure = propose(&one, &case).await.id("id");
    let short = Some(world.clock.now() + TimeDelta::seconds(3));
    assert_eq!(hold(&one, &case, "complaint", short).await.status, 201);
    assert_eq!(confirm(&other, &case, erasure).await.code(), "on_hold");
    crate::ledger::comes_true("it is over", async || !in_force().await).await;
    assert_eq!(confirm(&other, &case, erasure).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_nobody_placed_keeps_no_case_and_hides_none_that_does() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let case = format!("/api/v1/cases/{}", played.case);
    let mut owner = world.owner().await;
    let plant = format!(
        "INSERT INTO holds (id, case_id, note, vouch, placed_vouch, made_at, registered_by, register_no) VALUES
         (gen_random_uuid(), '{case}', 'x', sha256('x'), NULL, now(), NULL, NULL),
         (gen_random_uuid(), '{case}', 'x', sha256('x'), sha256('x'), now(), '{}', 1000000)",
        one.account,
        case = played.case
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(plant)).execute(&mut owner).await.unwrap();
    let listed = one.get(&format!("{case}/holds"), "supervision").await.unwrap();
    assert_eq!((listed.status, listed.body["items"].as_array().unwrap().len()), (200, 0), "{}", listed.text);
    let erasure = propose(&one, &case).await;
    assert_eq!(erasure.status, 201, "{}", erasure.text);
    // A true one beside them holds, also when somebody has it disregarded in the database.
    let held = hold(&one, &case, "complaint", None).await.id("id");
    // The codes of a true hold are for that one.
    let copies = "INSERT INTO holds (id, case_id, note, vouch, placed_vouch, made_at, registered_by, register_no)
                  SELECT gen_random_uuid(), case_id, note, vouch, placed_vouch, made_at, NULL, NULL FROM holds WHERE id = $1";
    sqlx::query(copies).bind(held).execute(&mut owner).await.unwrap();
    assert_eq!(confirm(&other, &case, erasure.id("id")).await.code(), "on_hold");
    let disregarded: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM holds WHERE disregarded_at IS NULL").fetch_all(&mut owner).await.unwrap();
    assert_eq!(disregarded, [held]);
    sqlx::raw_sql("UPDATE holds SET disregarded_at = now()").execute(&mut owner).await.unwrap();
    assert_eq!(confirm(&other, &case, erasure.id("id")).await.code(), "on_hold");
    sqlx::query("UPDATE holds SET disregarded_at = NULL WHERE id = $1").bind(held).execute(&mut owner).await.unwrap();
    let lifts = lift(&one, &case, held).await.id("id");
    assert_eq!(agree(&other, &case, held, lifts).await.status, 200);
    let done = confirm(&other, &case, erasure.id("id")).await;
    assert_eq!(done.status, 200, "{}", done.text);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_the_owner_of_the_database_touches_still_holds_or_is_missed() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let case = format!("/api/v1/cases/{}", played.case);
    let until = world.clock.now() + TimeDelta::days(9);
    hold(&one, &case, "court_proceedings", Some(until)).await;
    let mut owner = world.owner().await;
    sqlx::raw_sql("CREATE TABLE kept AS TABLE holds").execute(&mut owner).await.unwrap();
    for change in [
        "UPDATE holds SET until = now()",
        "UPDATE holds SET until = NULL",
        "UPDATE holds SET vouch = sha256(vouch)",
        "UPDATE holds SET placed_vouch = NULL, until = now()",
        "UPDATE holds SET note = 'x', vouch = sha256(vouch), until = now(), registered_by = NULL, register_no = NULL",
        "UPDATE holds SET note = replace(note, 'court_proceedings', 'complaint')",
    ] {
        sqlx::raw_sql(change).execute(&mut owner).await.unwrap();
        let refused = propose(&one, &case).await;
        assert_eq!((refused.status, refused.code()), (500, "fault"), "{change}: {}", refused.text);
        sqlx::raw_sql("DELETE FROM holds; INSERT INTO holds SELECT * FROM kept").execute(&mut owner).await.unwrap();
    }
    assert_eq!(propose(&one, &case).await.code(), "on_hold");
    // An end that somebody writes is none.
    let lifts = "UPDATE holds SET lifted_at = now(), lift_note = note, lift_vouch = vouch";
    sqlx::raw_sql(lifts).execute(&mut owner).await.unwrap();
    assert_eq!(propose(&one, &case).await.code(), "on_hold");
    sqlx::raw_sql("DELETE FROM holds; INSERT INTO holds SELECT * FROM kept").execute(&mut owner).await.unwrap();
    // One that is taken away as a whole is missed by the verifier: before the case is erased, and after.
    sqlx::raw_sql("DELETE FROM holds").execute(&mut owner).await.unwrap();
    let missed = findings(&world).await;
    assert!(missed.iter().any(|finding| finding.contains("A row was deleted")), "{missed:#?}");
    erase(&one, &other, &case).await;
    let missed = findings(&world).await;
    assert!(missed.iter().any(|finding| finding.contains("A row was deleted")), "{missed:#?}");
    world.stop().await;
}
