//! What is half-way when the secret that vouches for it is exchanged goes on, and what is forged does not.

use crate::custody::{invoke, step};
use crate::harness::World;
use crate::rotation::rotate;
use crate::story::whole_ledger;
use crate::two_persons::{confirm, propose};
use chrono::TimeDelta;
use himaya::demo::story;
use himaya::platform::secrets::Named;
use serde_json::json;
use uuid::Uuid;

/// How many of these still have an erasure key.
async fn left(world: &World, records: &[Uuid]) -> i64 {
    let count = "SELECT count(*) FROM erasure.keys WHERE key_id = ANY($1)";
    sqlx::query_scalar(count).bind(records).fetch_one(&mut world.erasure_owner().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_people_began_before_an_exchange_they_end_after_it() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");
    let (officer, duty, helper) =
        (world.signed_in("officer1").await, world.signed_in("duty1").await, world.signed_in("duty2").await);
    let (third, barred) = (world.signed_in("officer2").await, world.signed_in("ssupervisor2").await);
    let bar = json!({ "account": barred.account, "reason": "conflict_of_interest" });
    let supervisor = world.signed_in("ssupervisor1").await;
    assert_eq!(supervisor.post(&format!("{case}/bars"), &bar).await.unwrap().status, 201);
    let given = json!({ "account": third.account, "relation": "assigned", "reason": "workload" });
    let given = officer.post(&format!("{case}/access"), &given).await.unwrap();
    assert_eq!(given.status, 201, "{}", given.text);
    let removal = propose(&officer, &case, third.account).await.id("id");
    let opening = invoke(&world, &helper, played.case, &["narrative"], 2).await;
    let agreed = step(&supervisor, opening, "agree").await;
    assert_eq!(agreed.status, 200, "{}", agreed.text);
    let parts: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM opening_parts WHERE opening_id = $1")
        .bind(opening)
        .fetch_all(&mut world.owner().await)
        .await
        .unwrap();
    assert!(left(&world, &parts).await > 0);

    rotate(&world, Named::Vouch, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(62));

    let opened = step(&duty, opening, "open").await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    assert_eq!(left(&world, &parts).await, 0, "what the first custodian left is gone for good");
    assert_eq!(helper.get(&narrative, "emergency").await.unwrap().status, 200);
    let confirmed = confirm(&duty, &case, removal).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    // A bar from before still keeps off, and the next writing finds it in the case's head.
    let kept_off = propose(&barred, &case, officer.account).await;
    assert_eq!(kept_off.status, 404, "{}", kept_off.text);
    assert_eq!(officer.get(&narrative, "case_work").await.unwrap().status, 200);
    world.stop().await;
    whole_ledger(&world).await;
}
