//! What a stand-in may and may not, and whom a supervisor's instruction brings onto a case: nothing outlasts its time, and
//! nobody who was taken off comes back by what was said before.

use crate::absence::{hand_over, keys_of};
use crate::harness::World;
use crate::shelter::Placing;
use crate::tasks::{due, ids, task_on};
use crate::two_persons::take_off;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use serde_json::{Value, json};
use uuid::Uuid;

fn access(account: Uuid) -> Value {
    json!({ "account": account, "relation": "assigned", "reason": "workload" })
}

async fn reads(actor: &Actor, path: &str) -> u16 {
    actor.get(path, "case_work").await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_finer_than_the_database_stores_does_no_harm() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stand_in) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let until = world.clock.now() + TimeDelta::hours(2);
    let until = format!("{}.123456789Z", until.format("%Y-%m-%dT%H:%M:%S"));
    let begun =
        officer.post("/api/v1/absences", &json!({ "stand_in": stand_in.account, "until": until })).await.unwrap();
    assert_eq!(begun.status, 201, "{}", begun.text);
    let case = format!("/api/v1/cases/{}", played.case);
    for who in [&officer, &stand_in] {
        let noted = who.post(&format!("{case}/notes"), &json!({ "text": "on we go" })).await.unwrap();
        assert_eq!(noted.status, 201, "{}", noted.text);
    }
    let supervisor = world.signed_in("ssupervisor1").await;
    let off = supervisor.delete(&format!("{case}/access/{}", stand_in.account)).await.unwrap();
    assert_eq!(off.status, 200, "{}", off.text);
    assert_eq!(reads(&stand_in, &case).await, 404);
    let late = json!({ "stand_in": stand_in.account, "until": "+200000-01-01T00:00:00Z" });
    let late = officer.post("/api/v1/absences", &late).await.unwrap();
    assert_eq!((late.status, late.body["errors"][0]["field"].as_str()), (422, Some("until")), "{}", late.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_in_puts_nobody_on_a_case_and_takes_nobody_off() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stand_in) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let puppet = world.country.person("duty2").unwrap().account;
    let case = format!("/api/v1/cases/{}", played.case);
    assert_eq!(hand_over(&world, &officer, &stand_in, 0, 3600).await.status, 201);
    let given = stand_in.post(&format!("{case}/access"), &access(puppet)).await.unwrap();
    assert_eq!((given.status, given.code()), (409, "standing_in"), "{}", given.text);
    let taken = stand_in.delete(&format!("{case}/access/{}", officer.account)).await.unwrap();
    assert_eq!((taken.status, taken.code()), (409, "standing_in"), "{}", taken.text);
    assert_eq!(reads(&officer, &case).await, 200);
    // But nobody is kept.
    assert_eq!(stand_in.delete(&format!("{case}/access/{}", stand_in.account)).await.unwrap().status, 200);
    assert_eq!(reads(&stand_in, &case).await, 404);
    assert_eq!(reads(&officer, &case).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longer_time_counts_where_somebody_is_away_for_longer_than_they_said() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let stand_in = world.signed_in("officer2").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let first = hand_over(&world, &one, &stand_in, 0, 60).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let second = hand_over(&world, &one, &stand_in, 0, 3600).await;
    assert_eq!(second.status, 201, "{}", second.text);
    let seen = one.get(&case, "case_work").await.unwrap();
    let until = seen.body["access"].as_array().unwrap().iter().find_map(|access| access["until"].as_str());
    assert_eq!(until, second.body["until"].as_str(), "{}", seen.text);
    // The first is nothing any more; the second is what counts.
    for (absence, cases, status) in [(&first, 0, 200), (&second, 1, 404)] {
        let ended = supervisor.post(&format!("/api/v1/absences/{}/end", absence.id("id")), &json!({})).await.unwrap();
        assert_eq!((ended.status, &ended.body["cases"]), (200, &json!(cases)), "{}", ended.text);
        assert_eq!(reads(&stand_in, &case).await, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_cut_off_from_its_absence_is_found_and_ends_with_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stand_in) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let begun = hand_over(&world, &officer, &stand_in, 0, 3600).await;
    let cut = "UPDATE case_access SET absence_id = NULL WHERE absence_id IS NOT NULL";
    sqlx::query(cut).execute(&mut world.owner().await).await.unwrap();
    let write = officer.post(&format!("{case}/notes"), &json!({ "text": "on" })).await.unwrap();
    assert_eq!((write.status, write.code()), (500, "fault"), "{}", write.text);
    let ended = officer.post(&format!("/api/v1/absences/{}/end", begun.id("id")), &json!({})).await.unwrap();
    assert_eq!((ended.status, &ended.body["cases"]), (200, &json!(1)), "{}", ended.text);
    assert_eq!(reads(&stand_in, &case).await, 404);
    assert_eq!(keys_of(&world, played.case, stand_in.account).await.1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_sees_where_the_person_stays_and_not_a_moment_longer() {
    let placing = Placing::new().await;
    let world = &placing.world;
    let placement = placing.placed("consented").await;
    let stand_in = world.signed_in("officer2").await;
    let arrival = format!("{placement}/arrival");
    assert_eq!((reads(&stand_in, &placement).await, reads(&stand_in, &arrival).await), (404, 404));
    let begun = hand_over(world, &placing.officer, &stand_in, 0, 3600).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    assert_eq!((reads(&stand_in, &placement).await, reads(&stand_in, &arrival).await), (200, 200));
    let driven = stand_in.post(&format!("{placement}/transport"), &json!({})).await.unwrap();
    assert_eq!(driven.status, 200, "{}", driven.text);
    // What the stand-in asks for themselves is open to them, and to the officer who is away.
    let again =
        stand_in.post(&format!("{}/placements", placing.case()), &himaya::demo::stay::asked(&placing.played)).await;
    let again = format!("/api/v1/placements/{}", again.unwrap().id("id"));
    assert_eq!((reads(&stand_in, &again).await, reads(&placing.officer, &again).await), (200, 200));
    let wraps = async || -> i64 {
        let held = "SELECT count(*) FROM wraps w JOIN sealed s ON s.key_id = w.key_id
                    WHERE s.kind IN ('placement', 'arrival') AND w.recipient_account = $1 AND w.active_until = 'infinity'";
        sqlx::query_scalar(held).bind(stand_in.account).fetch_one(&mut world.owner().await).await.unwrap()
    };
    assert_eq!(wraps().await, 0, "each of their keys ends by itself");
    let ended = placing.officer.post(&format!("/api/v1/absences/{}/end", begun.id("id")), &json!({})).await.unwrap();
    assert_eq!(ended.status, 200, "{}", ended.text);
    for path in [&placement, &arrival, &again] {
        assert_eq!(reads(&stand_in, path).await, 404, "{path}");
        assert_eq!(
            reads(&placing.officer, path).await,
            if *path == format!("{again}/arrival") { 404 } else { 200 },
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_that_sleeps_keeps_nobody_on_a_case_and_nobody_off_it() {
    let placing = Placing::new().await;
    let world = &placing.world;
    let placement = placing.placed("requested").await;
    let (duty, comes) = (world.signed_in("duty1").await, world.signed_in("officer2").await);
    world.clock.advance(TimeDelta::hours(30));
    for actor in [&placing.officer, &duty, &comes] {
        actor.sign_in().await.unwrap();
    }
    // The supervisor confirms, who sees no placement; the next line is the officer's own.
    let supervisor = world.signed_in("ssupervisor1").await;
    supervisor.sign_in().await.unwrap();
    crate::two_persons::take_off(&placing.officer, &supervisor, &placing.case(), duty.account).await;
    assert_eq!(reads(&duty, &placement).await, 404);
    let on = placing.officer.post(&format!("{}/access", placing.case()), &access(comes.account)).await.unwrap();
    assert_eq!(on.status, 201, "{}", on.text);
    assert_eq!(reads(&comes, &placement).await, 200);
    // The desk wakes, and finds the request.
    let worker = world.signed_in("worker2").await;
    worker.sign_in().await.unwrap();
    assert_eq!(worker.get("/api/v1/placements", "care").await.unwrap().status, 200);
    let read = worker.get(&placement, "care").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_supervisor_takes_off_is_not_put_on_by_what_waited() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let named = world.signed_in("officer2").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let (instructions, of_them) = (format!("{case}/assignments"), format!("{case}/access/{}", named.account));
    let body = json!({ "account": named.account, "relation": "assigned" });
    // Taken back before anybody carried it out.
    assert_eq!(supervisor.delete(&of_them).await.unwrap().status, 404, "nothing waits, and nobody is there");
    assert_eq!(supervisor.post(&instructions, &body).await.unwrap().status, 201);
    assert_eq!(supervisor.delete(&of_them).await.unwrap().status, 200);
    assert_eq!(reads(&officer, &case).await, 200);
    assert_eq!(reads(&named, &case).await, 404);
    // Put on by a colleague while it waits, and taken off by them: that was the instruction.
    assert_eq!(supervisor.post(&instructions, &body).await.unwrap().status, 201);
    assert_eq!(officer.post(&format!("{case}/access"), &access(named.account)).await.unwrap().status, 201);
    crate::two_persons::take_off(&officer, &world.signed_in("duty1").await, &case, named.account).await;
    officer.sign_in().await.unwrap();
    assert_eq!(reads(&officer, &case).await, 200);
    assert_eq!(reads(&named, &case).await, 404);
    let put_back = "UPDATE assignments SET carried_out_at = NULL, withdrawn_at = NULL";
    sqlx::query(put_back).execute(&mut world.owner().await).await.unwrap();
    officer.sign_in().await.unwrap();
    assert_eq!(reads(&named, &case).await, 404, "nor by its being put back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_who_is_assigned_stays_when_the_absence_is_over() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let stand_in = world.signed_in("officer2").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let begun = hand_over(&world, &officer, &stand_in, 0, 3600).await;
    let body = json!({ "account": stand_in.account, "relation": "assigned" });
    let made = supervisor.post(&format!("{case}/assignments"), &body).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
    // The stand-in signs in, and is no worse for it; a colleague carries it out.
    stand_in.sign_in().await.unwrap();
    assert_eq!(reads(&stand_in, &case).await, 200);
    assert_eq!(reads(&officer, &case).await, 200);
    assert_eq!(
        officer.post(&format!("/api/v1/absences/{}/end", begun.id("id")), &json!({})).await.unwrap().status,
        200
    );
    assert_eq!(reads(&stand_in, &case).await, 200);
    assert_eq!(stand_in.post(&format!("{case}/notes"), &json!({ "text": "stays" })).await.unwrap().status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_of_somebody_who_left_is_in_the_list_of_those_who_stay_and_its_alert_follows_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let task = task_on(&world, &officer, played.case, duty.account, -1).await;
    world.app.databases.timekeeper.look(&world.clock).await.unwrap();
    let sees = async |actor: &Actor| {
        let alerts = actor.get("/api/v1/alerts", "").await.unwrap();
        alerts.body["items"].as_array().unwrap().iter().any(|alert| alert["about"] == json!(task))
    };
    assert_eq!((sees(&duty).await, sees(&officer).await), (true, false));
    let on = json!({ "assignee": officer.account });
    assert_eq!(officer.post(&format!("/api/v1/tasks/{task}/hand-on"), &on).await.unwrap().status, 200);
    assert_eq!((sees(&duty).await, sees(&officer).await), (false, true), "it is for who is to do it now");
    let back = json!({ "assignee": duty.account });
    assert_eq!(officer.post(&format!("/api/v1/tasks/{task}/hand-on"), &back).await.unwrap().status, 200);
    assert_eq!(ids(&due(&officer).await["tasks"], "id"), Vec::<String>::new());
    crate::two_persons::take_off(&officer, &world.signed_in("ssupervisor1").await, &case, duty.account).await;
    assert_eq!(ids(&due(&officer).await["tasks"], "id"), [task.to_string()]);
    assert_eq!(ids(&due(&duty).await["tasks"], "id"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_holds_a_case_that_nobody_else_is_left_for_to_the_end_of_their_time() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let (stand_in, supervisor) = (world.signed_in("officer2").await, world.signed_in("ssupervisor1").await);
    let case = format!("/api/v1/cases/{}", played.case);
    assert_eq!(hand_over(&world, &officer, &stand_in, 0, 3600).await.status, 201);
    // Two supervisors take somebody off, so that an epoch is pending, and the officer who is away is dismissed.
    take_off(&supervisor, &world.signed_in("ssupervisor2").await, &case, duty.account).await;
    let admin = world.signed_in("admin1").await;
    let gone = admin.post(&format!("/api/v1/accounts/{}/disable", officer.account), &json!({})).await.unwrap();
    assert_eq!(gone.status, 200, "{}", gone.text);
    assert_eq!(reads(&stand_in, &case).await, 200);
    let noted = stand_in.post(&format!("{case}/notes"), &json!({ "text": "alone" })).await.unwrap();
    assert_eq!(noted.status, 201, "{}", noted.text);
    // And a supervisor can bring somebody on.
    let body = json!({ "account": duty.account, "relation": "assigned" });
    let made = supervisor.post(&format!("{case}/assignments"), &body).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(reads(&stand_in, &case).await, 200);
    assert_eq!(reads(&duty, &case).await, 200);
    assert_eq!(duty.post(&format!("{case}/notes"), &json!({ "text": "on I go" })).await.unwrap().status, 201);
    assert_eq!(keys_of(&world, played.case, officer.account).await.1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_stands_in_for_two_on_one_case_so_that_one_persons_return_leaves_the_other_alone() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let stand_in = world.signed_in("duty2").await;
    let case = format!("/api/v1/cases/{}", played.case);
    // Whoever works on cases stands in, whatever their role.
    let first = hand_over(&world, &officer, &stand_in, 0, 3600).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let second = hand_over(&world, &duty, &stand_in, 0, 900).await;
    assert_eq!((second.status, second.code()), (409, "otherwise_on_case"), "{}", second.text);
    assert_eq!(reads(&stand_in, &case).await, 200, "the first goes on");
    let back = officer.post(&format!("/api/v1/absences/{}/end", first.id("id")), &json!({})).await.unwrap();
    assert_eq!((back.status, &back.body["cases"]), (200, &json!(1)), "{}", back.text);
    assert_eq!(reads(&stand_in, &case).await, 404);
    assert_eq!(hand_over(&world, &duty, &stand_in, 0, 900).await.status, 201);
}
