//! A colleague is given access to a case and loses it again: at once, and with a new epoch.

use crate::harness::World;
use crate::story::whole_ledger;
use himaya::demo::story;
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

/// Epoch of the case, the epochs of its wraps, and how many of them are one person's.
async fn epochs(world: &World, case: Uuid, account: Uuid) -> (i32, Vec<i32>, i64) {
    let row = sqlx::query(
        "SELECT (SELECT epoch FROM cases WHERE id = $1),
                (SELECT array_agg(DISTINCT w.epoch) FROM wraps w JOIN sealed s ON s.key_id = w.key_id WHERE s.case_id = $1),
                (SELECT count(*) FROM wraps w JOIN sealed s ON s.key_id = w.key_id
                 WHERE s.case_id = $1 AND w.recipient_account = $2)",
    )
    .bind(case)
    .bind(account)
    .fetch_one(&mut world.owner().await)
    .await
    .unwrap();
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_loses_access_holds_no_key_of_the_new_epoch() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, colleague) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");
    let (before, ..) = epochs(&world, played.case, colleague.account).await;
    let given = json!({ "account": colleague.account, "relation": "granted", "reason": "expertise" });
    assert_eq!(officer.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
    let twice = officer.post(&format!("{case}/access"), &given).await.unwrap();
    assert_eq!((twice.status, twice.code()), (409, "already_on_case"));
    let read = colleague.get(&narrative, "case_work").await.unwrap();
    assert_eq!(read.status, 200);
    // Somebody who was granted access reads, and neither writes nor gives access on.
    let write = colleague.put(&narrative, read.etag.as_deref().unwrap(), &read.body["content"]).await.unwrap();
    assert_eq!(write.status, 404);
    let on = json!({ "account": world.country.person("duty2").unwrap().account, "relation": "granted", "reason": "workload" });
    assert_eq!(colleague.post(&format!("{case}/access"), &on).await.unwrap().status, 404);

    crate::two_persons::take_off(&officer, &world.signed_in("duty1").await, &case, colleague.account).await;
    assert_eq!(colleague.get(&narrative, "case_work").await.unwrap().status, 404);
    let (after, wraps, theirs) = epochs(&world, played.case, colleague.account).await;
    assert_eq!((after, wraps, theirs), (before + 1, vec![before + 1], 0));
    assert_eq!(officer.get(&narrative, "case_work").await.unwrap().status, 200);
    assert_eq!(officer.get(&format!("{case}/notes"), "case_work").await.unwrap().status, 200);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn supervisors_end_access_without_a_key_and_the_next_reader_makes_the_epoch() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let supervisor = world.signed_in("ssupervisor1").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let (before, ..) = epochs(&world, played.case, officer.account).await;
    let alone = supervisor.delete(&format!("{case}/access/{}", officer.account)).await.unwrap();
    assert_eq!((alone.status, alone.code()), (409, "two_persons"), "{}", alone.text);
    assert_eq!(officer.get(&case, "case_work").await.unwrap().status, 200);
    crate::two_persons::take_off(&supervisor, &world.signed_in("ssupervisor2").await, &case, officer.account).await;
    assert_eq!(officer.get(&format!("{case}/sections/narrative"), "case_work").await.unwrap().status, 404);
    assert_eq!(officer.get(&case, "case_work").await.unwrap().status, 404);
    // The remaining reader opens the case: by then, or at the latest by the next look, there is a new epoch.
    assert_eq!(duty.get(&case, "case_work").await.unwrap().status, 200);
    let (after, wraps, theirs) = epochs(&world, played.case, officer.account).await;
    assert_eq!((after, wraps, theirs), (before + 1, vec![before + 1], 0));
    let last = duty.delete(&format!("{case}/access/{}", duty.account)).await.unwrap();
    assert_eq!((last.status, last.code()), (409, "nobody_would_remain"));
    assert_eq!(duty.get(&format!("{case}/sections/narrative"), "case_work").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn therapy_notes_are_a_kind_that_officers_never_open() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let case = officer.get(&format!("/api/v1/cases/{}", played.case), "case_work").await.unwrap();
    assert!(case.text.contains("\"care\""), "every kind is listed: {}", case.text);
    let path = format!("/api/v1/cases/{}/persons/{}/sections/care", played.case, played.person);
    for purpose in ["case_work", "care", "emergency"] {
        assert_eq!(officer.get(&path, purpose).await.unwrap().status, 404);
    }
    let unknown = path.replace("/care", "/gossip");
    assert_eq!(officer.get(&unknown, "case_work").await.unwrap().status, 404);
}
