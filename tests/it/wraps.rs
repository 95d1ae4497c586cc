//! The owner of the database puts keys, makers and relations of their own in the place of true ones.

use crate::harness::World;
use himaya::demo::story;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_wrap_is_refused_before_anything_is_sealed_under_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let read = officer.get(&path, "case_work").await.unwrap();
    // A wrap of another record's key, which this officer can open, in the place of the narrative's: everything that binds
    // a wrap to its place is clear, so the owner can make one that opens, for a key of their own.
    let keys = crate::thief::stolen_keys(&world, "officer1").await;
    let mut owner = world.owner().await;
    let (key, epoch, grant): (uuid::Uuid, i32, uuid::Uuid) = sqlx::query_as(
        "SELECT w.key_id, w.epoch, w.grant_id FROM wraps w JOIN sections s ON s.id = w.key_id
         WHERE s.case_id = $1 AND s.kind = 'narrative' AND w.recipient_account = $2",
    )
    .bind(played.case)
    .bind(officer.account)
    .fetch_one(&mut owner)
    .await
    .unwrap();
    let planted = keys.planted_wrap([7; 32], played.case, key, u32::try_from(epoch).unwrap(), grant);
    sqlx::query("UPDATE wraps SET wrap = $1 WHERE key_id = $2 AND recipient_account = $3")
        .bind(planted)
        .bind(key)
        .bind(officer.account)
        .execute(&mut owner)
        .await
        .unwrap();
    let mut content = read.body["content"].clone();
    content["text"] = json!("for the owner of the database");
    let write = officer.put(&path, read.etag.as_deref().unwrap(), &content).await.unwrap();
    assert_eq!((write.status, write.code()), (500, "fault"), "{}", write.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_colleague_reads_no_notice_and_does_not_become_assigned_by_a_changed_column() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, colleague) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let given = json!({ "account": colleague.account, "relation": "granted", "reason": "expertise" });
    assert_eq!(officer.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
    let notice = format!("/api/v1/notices/{}", played.notice);
    assert_eq!(colleague.get(&notice, "case_work").await.unwrap().status, 404);
    let narrative = format!("{case}/sections/narrative");
    let read = colleague.get(&narrative, "case_work").await.unwrap();
    assert_eq!(read.status, 200);
    sqlx::query("UPDATE case_access SET relation = 'assigned' WHERE account_id = $1 AND ended_at IS NULL")
        .bind(colleague.account)
        .execute(&mut world.owner().await)
        .await
        .unwrap();
    let write = colleague.put(&narrative, read.etag.as_deref().unwrap(), &read.body["content"]).await.unwrap();
    assert_eq!((write.status, write.code()), (500, "fault"));
    let duty2 = world.country.person("duty2").unwrap().account;
    let on = json!({ "account": duty2, "relation": "granted", "reason": "workload" });
    assert_eq!(colleague.post(&format!("{case}/access"), &on).await.unwrap().status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dismissed_officer_made_is_used_no_more_and_their_wraps_end_with_the_next_write() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (admin, duty) = (world.signed_in("admin1").await, world.signed_in("duty1").await);
    let officer = world.country.person("officer1").unwrap().account;
    // Whoever made the INTAKE key in force is dismissed: nobody seals to it any more, and a colleague makes the next.
    let maker: String = sqlx::query_scalar(
        "SELECT a.handle FROM shared_keys k JOIN accounts a ON a.id = k.maker_id WHERE k.purpose = 'intake' AND k.organisation_id = $1
         ORDER BY k.opens_at DESC LIMIT 1",
    )
    .bind(world.country.organisations["squad"])
    .fetch_one(&mut world.owner().await)
    .await
    .unwrap();
    assert_eq!(maker, "duty1");
    assert_eq!(admin.post(&format!("/api/v1/accounts/{officer}/disable"), &json!({})).await.unwrap().status, 200);
    let note =
        duty.post(&format!("/api/v1/cases/{}/notes", played.case), &json!({ "text": "he is gone" })).await.unwrap();
    assert_eq!(note.status, 201, "{}", note.text);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM wraps WHERE recipient_account = $1")
        .bind(officer)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert_eq!(
        admin.post(&format!("/api/v1/accounts/{}/disable", duty.account), &json!({})).await.unwrap().status,
        200
    );
    let operator = world.signed_in("operator1").await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let path = format!("/api/v1/calls/{call}/hand-over");
    let refused = operator.post(&path, &json!({ "basis": "pseudonymous" })).await.unwrap();
    assert_eq!((refused.status, refused.code()), (503, "squad_not_reachable"));
    let colleague = world.signed_in("duty2").await;
    assert_eq!(colleague.get("/api/v1/notices", "intake").await.unwrap().status, 200);
    assert_eq!(operator.post(&path, &json!({ "basis": "pseudonymous" })).await.unwrap().status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_a_trigger_swallows_is_no_entry() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    for table in ["ledger_entries", "ledger_pending"] {
        let mut owner = world.owner().await;
        let swallow = format!(
            "CREATE OR REPLACE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER swallow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION swallow()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(swallow)).execute(&mut owner).await.unwrap();
        let read = officer.get(&path, "case_work").await.unwrap();
        assert!(read.status >= 500 && !read.text.contains("waitress"), "{table}: {} {}", read.status, read.text);
        let undo = format!("DROP TRIGGER swallow ON {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(undo)).execute(&mut owner).await.unwrap();
        assert_eq!(officer.get(&path, "case_work").await.unwrap().status, 200);
    }
}
