//! What is erased stays erased, also in the copies that somebody kept.

use crate::harness::World;
use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_a_draft_that_was_handed_over_does_not_open() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "they sleep in the cellar" } });
    let draft = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let path = format!("/api/v1/calls/{draft}");
    let (mut owner, mut erasure) = (world.owner().await, world.erasure_owner().await);
    let keep = "CREATE TABLE kept_calls AS TABLE calls; CREATE TABLE kept_sealed AS TABLE sealed;
                CREATE TABLE kept_wraps AS TABLE wraps";
    sqlx::raw_sql(keep).execute(&mut owner).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept_keys AS TABLE erasure.keys").execute(&mut erasure).await.unwrap();
    let how = json!({ "basis": "vital_interest" });
    assert_eq!(operator.post(&format!("{path}/hand-over"), &how).await.unwrap().status, 201);
    let left: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM erasure.keys WHERE key_id = $1), (SELECT count(*) FROM erasure.tombstones WHERE key_id = $1)",
    )
    .bind(draft)
    .fetch_one(&mut erasure)
    .await
    .unwrap();
    assert_eq!(left, (0, 1));

    let back = "INSERT INTO calls TABLE kept_calls; INSERT INTO sealed TABLE kept_sealed;
                INSERT INTO wraps TABLE kept_wraps";
    sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    let key_back = "INSERT INTO erasure.keys SELECT * FROM kept_keys ON CONFLICT DO NOTHING";
    // First the rows alone, then with the erasure key of an old copy of the second database: the tombstone outlives it.
    for put_back in ["", key_back] {
        sqlx::raw_sql(put_back).execute(&mut erasure).await.unwrap();
        let read = operator.get(&path, "intake").await.unwrap();
        // A row that has outlived its key is no absent record, but one that somebody put back.
        assert_eq!((read.status, read.code()), (500, "fault"), "{}", read.text);
        assert!(!read.text.contains("cellar"));
        assert_eq!(operator.put(&path, "\"1\"", &crisis).await.unwrap().code(), "fault");
        assert_eq!(operator.post(&format!("{path}/hand-over"), &how).await.unwrap().code(), "fault");
    }
    // Nothing else was missing: without its tombstone the copy would open.
    sqlx::raw_sql("DELETE FROM erasure.tombstones").execute(&mut erasure).await.unwrap();
    let read = operator.get(&path, "intake").await.unwrap();
    assert_eq!(read.body["content"]["said"], "they sleep in the cellar", "{}", read.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_erasure_key_is_gone_is_a_fault_and_not_absent() {
    let world = World::new().await;
    let played = himaya::demo::story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    assert_eq!(officer.get(&path, "case_work").await.unwrap().status, 200);
    sqlx::raw_sql("DELETE FROM erasure.keys").execute(&mut world.erasure_owner().await).await.unwrap();
    let read = officer.get(&path, "case_work").await.unwrap();
    assert_eq!((read.status, read.code()), (500, "fault"), "{}", read.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_key_of_an_intake_epoch_is_erased_although_no_notice_was_ever_sealed_to_it() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let newest =
        "SELECT id FROM shared_keys WHERE purpose = 'intake' AND organisation_id = $1 ORDER BY opens_at DESC LIMIT 1";
    let first: Uuid = sqlx::query_scalar(newest)
        .bind(world.country.organisations["squad"])
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    let held = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM shared_key_wraps WHERE key_id = $1")
            .bind(first)
            .fetch_one(&mut world.owner().await)
            .await
            .unwrap()
    };
    assert_eq!(held().await, 2);
    world.clock.advance(TimeDelta::hours(13));
    duty.elsewhere().sign_in().await.unwrap();
    assert_eq!(held().await, 2, "until it closes a notice may be sealed to it");
    world.clock.advance(TimeDelta::hours(13));
    duty.elsewhere().sign_in().await.unwrap();
    assert_eq!(held().await, 0);
    let notices: i64 =
        sqlx::query_scalar("SELECT count(*) FROM notices").fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(notices, 0);
}
