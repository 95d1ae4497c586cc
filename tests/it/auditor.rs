//! What the auditor is shown is what the service wrote, or is told to be something else.

use crate::harness::World;
use himaya::audit::verify::{Finding, verify};
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::guard::bytes::{self, ContentKey, Context};
use himaya::guard::keys::derive;
use serde_json::{Value, json};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;
use zeroize::Zeroizing;

/// The newest entry that has its place in the tree.
struct Newest {
    position: i64,
    replica: Uuid,
    lane: i32,
    n: i64,
}

/// After an officer has read a narrative.
async fn newest(world: &World) -> Newest {
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    assert_eq!(officer.get(&path, "case_work").await.unwrap().status, 200);
    let mut owner = world.owner().await;
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(50));
    for _ in 0..200 {
        tick.tick().await;
        let waits: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_pending").fetch_one(&mut owner).await.unwrap();
        if waits == 0 {
            break;
        }
    }
    let row = sqlx::query("SELECT position, replica, lane, n FROM ledger_tree ORDER BY position DESC LIMIT 1")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    Newest { position: row.get(0), replica: row.get(1), lane: row.get(2), n: row.get(3) }
}

/// One entry as the auditor's page shows it.
async fn shown(auditor: &Actor, position: i64) -> Value {
    let page = auditor.get("/api/v1/ledger/entries?limit=100", "audit").await.unwrap();
    assert_eq!(page.status, 200, "{}", page.text);
    let items = page.body["items"].as_array().unwrap();
    items.iter().find(|item| item["position"] == position).unwrap().clone()
}

async fn change(owner: &mut PgConnection, statement: &'static str, entry: &Newest) {
    let done = sqlx::query(statement).bind(entry.replica).bind(entry.lane).bind(entry.n).execute(owner).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{statement}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detail_that_somebody_else_sealed_is_not_shown() {
    let world = World::new().await;
    let entry = newest(&world).await;
    let auditor = world.signed_in("auditor1").await;
    let before = shown(&auditor, entry.position).await;
    assert_eq!((&before["altered"], &before["detail"]["role"]), (&json!(false), &json!("squad_officer")), "{before}");
    // The owner of the database writes another person's name, under a key that lies open as those of the founding do.
    let mut detail = before["detail"].clone();
    (detail["person"], detail["records"]) = (json!("p-00000000000000000bad"), json!([]));
    let secret = Zeroizing::new([9_u8; 32]);
    let key = ContentKey::from_bytes(*derive(&*secret, entry.replica.as_bytes(), "himaya ledger detail v1"));
    let (lane, n) = (u32::try_from(entry.lane).unwrap(), u64::try_from(entry.n).unwrap());
    let context = Context::new("ledger_entries", entry.replica.into_bytes(), "detail", lane, n);
    let forged = bytes::seal(&key, 1, &context, &serde_json::to_vec(&detail).unwrap()).unwrap();
    let (mut owner, open) = (world.owner().await, himaya::platform::random::uuid());
    sqlx::query("INSERT INTO ledger_detail_keys (id, hour, key_id, wrap) VALUES ($1, 0, NULL, $2)")
        .bind(open)
        .bind(&secret[..])
        .execute(&mut owner)
        .await
        .unwrap();
    sqlx::query("UPDATE ledger_entries SET detail = $1, detail_key = $2 WHERE replica = $3 AND lane = $4 AND n = $5")
        .bind(&forged)
        .bind(open)
        .bind(entry.replica)
        .bind(entry.lane)
        .bind(entry.n)
        .execute(&mut owner)
        .await
        .unwrap();
    let altered = json!({ "position": entry.position, "detail": null, "altered": true, "erased": false });
    assert_eq!(shown(&auditor, entry.position).await, altered);
    // With a leaf that commits to it, and the tree changed to fit: it is not signed by this service.
    let committed = himaya::audit::entry::commitment(&serde_json::to_vec(&detail).unwrap());
    let leaf: Vec<u8> = sqlx::query_scalar(
        "UPDATE ledger_entries SET leaf = overlay(leaf placing $1 from 105 for 32)
         WHERE replica = $2 AND lane = $3 AND n = $4 RETURNING leaf",
    )
    .bind(committed.as_slice())
    .bind(entry.replica)
    .bind(entry.lane)
    .bind(entry.n)
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(himaya::audit::entry::Leaf::parse(&leaf).unwrap().commitment, committed);
    sqlx::query("UPDATE ledger_tree SET leaf_hash = $1 WHERE position = $2")
        .bind(himaya::audit::tree::leaf_hash(&leaf).as_bytes().as_slice())
        .bind(entry.position)
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(shown(&auditor, entry.position).await, altered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detail_that_was_deleted_is_told_and_found_and_one_for_others_is_neither() {
    let mut world = World::new().await;
    let entry = newest(&world).await;
    let auditor = world.signed_in("auditor1").await;
    let mut owner = world.owner().await;
    sqlx::raw_sql("CREATE TABLE kept AS TABLE shared_key_wraps; DELETE FROM shared_key_wraps")
        .execute(&mut owner)
        .await
        .unwrap();
    let withheld = json!({ "position": entry.position, "detail": null, "altered": false, "erased": false });
    assert_eq!(shown(&auditor, entry.position).await, withheld);
    sqlx::raw_sql("INSERT INTO shared_key_wraps TABLE kept").execute(&mut owner).await.unwrap();
    assert_eq!(shown(&auditor, entry.position).await["altered"], false);
    let erase = "UPDATE ledger_entries SET detail = NULL WHERE replica = $1 AND lane = $2 AND n = $3";
    change(&mut owner, erase, &entry).await;
    let altered = json!({ "position": entry.position, "detail": null, "altered": true, "erased": false });
    assert_eq!(shown(&auditor, entry.position).await, altered);
    // So is an entry that is gone as a whole, which was left out of the page before.
    let delete = "DELETE FROM ledger_entries WHERE replica = $1 AND lane = $2 AND n = $3";
    sqlx::raw_sql("CREATE TABLE entry AS TABLE ledger_entries").execute(&mut owner).await.unwrap();
    change(&mut owner, delete, &entry).await;
    assert_eq!(shown(&auditor, entry.position).await, altered);
    sqlx::raw_sql("INSERT INTO ledger_entries TABLE entry ON CONFLICT DO NOTHING").execute(&mut owner).await.unwrap();
    world.stop().await;
    let keys = world.app.log_keys().unwrap();
    let report = verify(&world.app.databases.auditor, &keys, &[], true).await.unwrap();
    assert!(matches!(report.findings[..], [Finding::DetailDeleted { .. }]), "{:?}", report.findings);
}
