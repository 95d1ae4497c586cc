//! Absences: a colleague stands in for a time, on all cases or on none, and not a moment longer.

use crate::harness::World;
use crate::story::whole_ledger;
use crate::tasks::{due, ids, task_on};
use crate::two_persons::take_off;
use crate::walls::injected;
use chrono::TimeDelta;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Hands the cases of somebody to another, from and until so many seconds from now.
pub async fn hand_over(world: &World, officer: &Actor, stand_in: &Actor, from: i64, until: i64) -> Reply {
    let at = |seconds| world.clock.now() + TimeDelta::seconds(seconds);
    let body = json!({ "stand_in": stand_in.account, "from": at(from), "until": at(until) });
    officer.post("/api/v1/absences", &body).await.unwrap()
}

/// How many sealed records of a case injected SQL under somebody's session sees.
async fn sealed_for(world: &World, actor: &Actor, case: Uuid) -> i64 {
    let mut theirs = injected(world, &actor.secrets().await.1).await;
    sqlx::query_scalar("SELECT count(*) FROM sealed WHERE case_id = $1")
        .bind(case)
        .fetch_one(&mut theirs)
        .await
        .unwrap()
}

/// The case's epoch, and how many wraps of its keys somebody has.
pub async fn keys_of(world: &World, case: Uuid, account: Uuid) -> (i32, i64) {
    sqlx::query_as(
        "SELECT c.epoch, (SELECT count(*) FROM wraps w JOIN sealed s ON s.key_id = w.key_id
                          WHERE s.case_id = c.id AND w.recipient_account = $2) FROM cases c WHERE c.id = $1",
    )
    .bind(case)
    .bind(account)
    .fetch_one(&mut world.owner().await)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_works_on_every_case_and_at_the_end_gets_404_and_cannot_unwrap() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stand_in) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");
    let task = task_on(&world, &officer, played.case, officer.account, 3).await;
    let begun = hand_over(&world, &officer, &stand_in, 0, 15).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    assert_eq!(ids_of(&begun.body["cases"]), [played.case.to_string()]);
    let seen = officer.get(&case, "case_work").await.unwrap();
    assert!(seen.body["access"].as_array().unwrap().iter().any(|access| access["until"].is_string()), "{}", seen.text);
    let read = stand_in.get(&narrative, "case_work").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
    assert_eq!(stand_in.post(&format!("{case}/notes"), &json!({ "text": "standing in" })).await.unwrap().status, 201);
    assert_eq!(ids(&due(&stand_in).await["tasks"], "id"), [task.to_string()], "the officer's work, meanwhile");
    assert!(sealed_for(&world, &stand_in, played.case).await > 0);
    // Whoever stands in hands on nothing for longer than they have it.
    let on = hand_over(&world, &stand_in, &officer, 0, 900).await;
    assert_eq!((on.status, on.body["errors"][0]["field"].as_str()), (422, Some("cases")), "{}", on.text);

    let over = async {
        while stand_in.get(&narrative, "case_work").await.unwrap().status == 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), over).await.expect("the absence ends by itself");
    for path in [&narrative, &case, &format!("{case}/notes"), &format!("/api/v1/tasks/{task}")] {
        assert_eq!(stand_in.get(path, "case_work").await.unwrap().status, 404, "{path}");
    }
    assert_eq!(stand_in.post(&format!("{case}/notes"), &json!({ "text": "late" })).await.unwrap().status, 404);
    assert_eq!(due(&stand_in).await["tasks"], json!([]));
    assert_eq!(stand_in.get("/api/v1/cases", "case_work").await.unwrap().body["items"], json!([]));
    assert_eq!(sealed_for(&world, &stand_in, played.case).await, 0, "nor does injected SQL see a ciphertext");
    // The next who works on the case makes its keys anew.
    let (before, wraps) = keys_of(&world, played.case, stand_in.account).await;
    assert!(wraps > 0);
    assert_eq!(ids(&due(&officer).await["pending_epochs"], "case"), [played.case.to_string()]);
    assert_eq!(officer.get(&case, "case_work").await.unwrap().body["epoch_pending"], json!(false));
    assert_eq!(keys_of(&world, played.case, stand_in.account).await, (before + 1, 0));
    assert_eq!(officer.get(&narrative, "case_work").await.unwrap().status, 200);
    world.stop().await;
    whole_ledger(&world).await;
}

fn ids_of(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_over_for_later_opens_nothing_yet_and_covers_what_is_added_meanwhile() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stand_in) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let begun = hand_over(&world, &officer, &stand_in, 12, 900).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    assert_eq!(stand_in.get(&case, "case_work").await.unwrap().status, 404);
    assert_eq!(sealed_for(&world, &stand_in, played.case).await, 0);
    // A person who is added before it begins; a second absence beside it changes nothing.
    let person = officer.post(&format!("{case}/persons"), &json!({ "category": "witness" })).await.unwrap().id("id");
    let again = hand_over(&world, &officer, &stand_in, 20, 60).await;
    assert_eq!((again.status, again.code()), (409, "on_already"), "{}", again.text);
    assert_eq!(stand_in.get(&case, "case_work").await.unwrap().status, 404);
    let begins = async {
        while stand_in.get(&case, "case_work").await.unwrap().status == 404 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), begins).await.expect("the absence begins by itself");
    let read = stand_in.get(&format!("{case}/persons/{person}/sections/identity"), "case_work").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_that_is_ended_early_ends_at_once_by_whom_it_may() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stand_in) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let supervisor = world.signed_in("ssupervisor1").await;
    let case = format!("/api/v1/cases/{}", played.case);
    for ender in [&officer, &supervisor] {
        let begun = hand_over(&world, &officer, &stand_in, 0, 3600).await;
        let path = format!("/api/v1/absences/{}/end", begun.id("id"));
        assert_eq!(stand_in.get(&case, "case_work").await.unwrap().status, 200);
        let listed = supervisor.get("/api/v1/absences", "").await.unwrap();
        assert!(ids(&listed.body["items"], "id").contains(&begun.id("id").to_string()), "{}", listed.text);
        for handle in ["officer2", "duty1", "hsupervisor1", "coordinator1"] {
            assert_eq!(world.signed_in(handle).await.post(&path, &json!({})).await.unwrap().status, 404, "{handle}");
        }
        let (before, _) = keys_of(&world, played.case, stand_in.account).await;
        let ended = ender.post(&path, &json!({})).await.unwrap();
        assert_eq!((ended.status, &ended.body["cases"]), (200, &json!(1)), "{}", ended.text);
        assert_eq!(stand_in.get(&case, "case_work").await.unwrap().status, 404, "{}", ender.handle);
        assert_eq!(keys_of(&world, played.case, stand_in.account).await, (before, 0), "the wraps are gone at once");
        assert_eq!(sealed_for(&world, &stand_in, played.case).await, 0);
        let again = ender.post(&path, &json!({})).await.unwrap();
        assert_eq!((again.status, again.code()), (409, "illegal_transition"));
        assert_eq!(officer.get(&case, "case_work").await.unwrap().status, 200);
        assert_eq!(keys_of(&world, played.case, stand_in.account).await, (before + 1, 0));
    }
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_cases_are_handed_over_or_none_and_to_a_colleague_who_works_on_cases_only() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stand_in) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let until = world.clock.now() + TimeDelta::hours(1);
    let (before, _) = keys_of(&world, played.case, stand_in.account).await;
    // The second is not the officer's: whichever comes first in their order, nothing of the other stays.
    for stranger in [Uuid::nil(), Uuid::max(), himaya::platform::random::uuid()] {
        let some = json!({ "stand_in": stand_in.account, "until": until, "cases": [played.case, stranger] });
        let refused = officer.post("/api/v1/absences", &some).await.unwrap();
        assert_eq!(
            (refused.status, refused.body["errors"][0]["field"].as_str()),
            (422, Some("cases")),
            "{}",
            refused.text
        );
        assert_eq!(keys_of(&world, played.case, stand_in.account).await, (before, 0));
    }
    let absences: i64 =
        sqlx::query_scalar("SELECT count(*) FROM absences").fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(absences, 0);
    for handle in ["officer1", "operator1", "ssupervisor1", "worker1"] {
        let other = world.country.person(handle).unwrap().account;
        let body = json!({ "stand_in": other, "until": until });
        let refused = officer.post("/api/v1/absences", &body).await.unwrap();
        assert_eq!((refused.status, refused.body["errors"][0]["field"].as_str()), (422, Some("stand_in")), "{handle}");
    }
    for (from, until) in [(0, -5), (10, 5), (0, 93 * 86_400)] {
        let refused = hand_over(&world, &officer, &stand_in, from, until).await;
        assert_eq!(
            (refused.status, refused.body["errors"][0]["field"].as_str()),
            (422, Some("until")),
            "{from} {until}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_the_owner_of_the_database_moves_stays_where_it_was_signed() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stand_in) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    assert_eq!(hand_over(&world, &officer, &stand_in, 0, 3600).await.status, 201);
    let notes = format!("/api/v1/cases/{}/notes", played.case);
    assert_eq!(stand_in.post(&notes, &json!({ "text": "standing in" })).await.unwrap().status, 201);
    for change in ["active_until = active_until + interval '1 year'", "active_until = NULL, active_from = NULL"] {
        let moved = format!("UPDATE case_access SET {change} WHERE absence_id IS NOT NULL AND ended_at IS NULL");
        sqlx::query(sqlx::AssertSqlSafe(moved)).execute(&mut world.owner().await).await.unwrap();
        let write = stand_in.post(&notes, &json!({ "text": "for longer" })).await.unwrap();
        assert_eq!((write.status, write.code()), (500, "fault"), "{change}");
    }
    // And reading ends when it was to end: the head says so, and no row.
    world.clock.advance(TimeDelta::hours(2));
    for actor in [&officer, &stand_in] {
        actor.sign_in().await.unwrap();
    }
    sqlx::query("UPDATE wraps SET active_until = 'infinity'").execute(&mut world.owner().await).await.unwrap();
    for path in [format!("/api/v1/cases/{}/sections/narrative", played.case), notes] {
        let read = stand_in.get(&path, "case_work").await.unwrap();
        assert_eq!((read.status, read.code()), (500, "fault"), "{path}");
        assert_eq!(officer.get(&path, "case_work").await.unwrap().status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_in_for_somebody_leaves_a_case_with_them() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stand_in) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let (duty, supervisor) = (world.signed_in("duty1").await, world.signed_in("ssupervisor1").await);
    let case = format!("/api/v1/cases/{}", played.case);
    assert_eq!(hand_over(&world, &officer, &stand_in, 0, 3600).await.status, 201);
    // A stand-in is nobody who remains.
    assert_eq!(duty.delete(&format!("{case}/access/{}", duty.account)).await.unwrap().status, 200);
    let last = officer.delete(&format!("{case}/access/{}", officer.account)).await.unwrap();
    assert_eq!((last.status, last.code()), (409, "nobody_would_remain"), "{}", last.text);
    let given = json!({ "account": duty.account, "relation": "assigned", "reason": "workload" });
    assert_eq!(officer.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
    take_off(&supervisor, &duty, &case, officer.account).await;
    for gone in [&officer, &stand_in] {
        assert_eq!(gone.get(&case, "case_work").await.unwrap().status, 404, "{}", gone.handle);
    }
    assert_eq!(duty.get(&case, "case_work").await.unwrap().status, 200);
    assert_eq!(keys_of(&world, played.case, stand_in.account).await.1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn absences_come_in_pages_and_none_is_left_out_or_shown_twice() {
    let world = World::new().await;
    let (officer, other) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    // Two at each moment, so that a page ends between two that begin at once.
    sqlx::query(
        "INSERT INTO absences (id, organisation_id, account_id, stand_in_id, starts_at, ends_at, made_at)
         SELECT gen_random_uuid(), a.organisation_id, $1, $2, now() + (n / 2) * interval '1 hour', now() + interval '2 days', now()
         FROM generate_series(0, 6) n, accounts a WHERE a.id = $1",
    )
    .bind(officer.account)
    .bind(other.account)
    .execute(&mut world.owner().await)
    .await
    .unwrap();
    let whole = other.get("/api/v1/absences", "").await.unwrap();
    let all = ids(&whole.body["items"], "id");
    assert_eq!((all.len(), whole.body.get("next")), (7, None), "{}", whole.text);
    for limit in [1, 3, 7] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = other.get(&format!("/api/v1/absences?limit={limit}&cursor={cursor}"), "").await.unwrap();
            assert_eq!(page.status, 200, "{}", page.text);
            seen.extend(ids(&page.body["items"], "id"));
            assert!(seen.len() <= all.len(), "by {limit} it goes round: {seen:?}");
            let Some(next) = page.body["next"].as_str() else { break };
            cursor = next.to_owned();
        }
        assert_eq!(seen, all, "by {limit}");
    }
    for wrong in ["cursor=7", "limit=0", "limit=101", "from=1"] {
        assert_eq!(other.get(&format!("/api/v1/absences?{wrong}"), "").await.unwrap().status, 422, "{wrong}");
    }
    let stranger = world.signed_in("admin1").await.get("/api/v1/absences?limit=0", "").await.unwrap();
    assert_eq!(stranger.status, 403, "whose work it is not learns nothing of its fields: {}", stranger.text);
}
