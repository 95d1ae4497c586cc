//! The coordinator: counters in bands, and no record of any kind, by any route.

use crate::harness::World;
use himaya::demo::stay::open_house;
use himaya::demo::story;
use himaya::guard::session::SessionSecret;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _};

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_sees_bands_and_the_whole_countrys_places() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    let (coordinator, operator) = (world.signed_in("coordinator1").await, world.signed_in("operator1").await);
    let status = async || coordinator.get("/api/v1/status", "supervision").await.unwrap();
    let nothing = status().await;
    assert_eq!(nothing.status, 200, "{}", nothing.text);
    assert_eq!(nothing.body["notices"], json!({ "waiting": "0", "overdue": "0" }));
    assert_eq!(nothing.body["places"], json!([]), "no house is open");
    for (sent, band) in [(1, "1-2"), (2, "1-2"), (3, "3-9"), (9, "3-9"), (10, "10"), (11, "11")] {
        let mut waiting = 0;
        while waiting < 1 || status().await.body["notices"]["waiting"] != band {
            let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
            let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
            let path = format!("/api/v1/calls/{call}/hand-over");
            assert_eq!(operator.post(&path, &json!({ "basis": "child" })).await.unwrap().status, 201);
            waiting += 1;
            assert!(waiting < 12, "{sent} {band}");
        }
    }
    let mut owner = world.owner().await;
    for statement in [
        "UPDATE notices SET suspected_at = suspected_at - interval '25 hours' WHERE id IN (SELECT id FROM notices WHERE state = 'sent' LIMIT 4)",
        // Twelve in a month that is over, of which nine were in time; and nine calls beside them.
        "INSERT INTO notices (id, sender_id, sender_organisation_id, squad_id, intake_key_id, state, suspected_at, sent_at, acknowledged_at)
         SELECT gen_random_uuid(), n.sender_id, n.sender_organisation_id, n.squad_id, n.intake_key_id, 'acknowledged', m, m,
                m + CASE WHEN i <= 9 THEN interval '1 hour' ELSE interval '30 hours' END
         FROM (SELECT * FROM notices LIMIT 1) n, generate_series(1, 12) i,
              (SELECT date_trunc('month', now(), 'UTC') - interval '10 days' AS m) t",
        "INSERT INTO calls (id, organisation_id, operator_id, state, opened_at, expires_at)
         SELECT gen_random_uuid(), c.organisation_id, c.operator_id, 'closed', m, m FROM (SELECT * FROM calls LIMIT 1) c,
              generate_series(1, 9), (SELECT date_trunc('month', now(), 'UTC') - interval '50 days' AS m) t",
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
    }
    world.signed_in("manager1").await;
    world.signed_in("worker1").await;
    open_house(&world.country).await.unwrap();
    let now = status().await;
    assert_eq!(
        now.body["notices"],
        json!({ "waiting": "11", "overdue": "3-9", "in_time_percent": 75 }),
        "{}",
        now.text
    );
    let shown: Vec<_> =
        now.body["calls"].as_array().unwrap().iter().filter(|month| month.get("calls").is_some()).collect();
    assert_eq!(shown.len(), 1, "nine calls of a month are not shown: {}", now.text);
    assert_eq!(shown[0]["calls"], 12);
    let women = now.body["places"].as_array().unwrap().iter().find(|row| row["places"] == "women").unwrap();
    assert_eq!((&women["capacity"], &women["free"]), (&json!(2), &json!(2)));
    assert_eq!(now.body["trained"], 3);
    // One notice fewer than twelve: no share.
    sqlx::raw_sql("DELETE FROM notices WHERE id = (SELECT id FROM notices WHERE sent_at < date_trunc('month', now(), 'UTC') LIMIT 1)")
        .execute(&mut owner)
        .await
        .unwrap();
    assert!(status().await.body["notices"].get("in_time_percent").is_none());
    for handle in
        ["operator1", "hsupervisor1", "duty1", "officer1", "ssupervisor1", "worker1", "manager1", "admin1", "auditor1"]
    {
        let person = world.signed_in(handle).await;
        assert_eq!(person.get("/api/v1/status", "supervision").await.unwrap().status, 403, "{handle}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_under_a_coordinators_session_sees_bands_and_no_row() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    let mut connection = world.app.databases.app.acquire().await.unwrap();
    for (handle, rows) in [("coordinator1", 1_i64), ("officer1", 0), ("ssupervisor1", 0)] {
        let person = world.signed_in(handle).await;
        let (_, secret, _) = person.secrets().await;
        let lookup = SessionSecret::parse(&secret).unwrap().lookup().hex();
        let mut transaction = connection.begin().await.unwrap();
        let set = "SELECT set_config('himaya.lookup', $1, true)";
        sqlx::query(set).bind(lookup.as_str()).execute(&mut *transaction).await.unwrap();
        for function in ["status_notices", "status_staff"] {
            let query = format!("SELECT count(*) FROM {function}()");
            let seen: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut *transaction).await.unwrap();
            assert_eq!(seen, rows, "{handle} {function}");
        }
        if handle == "coordinator1" {
            for table in
                ["calls", "notices", "cases", "sealed", "wraps", "case_access", "placements", "consents", "addenda"]
            {
                let query = format!("SELECT count(*) FROM {table}");
                let seen: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut *transaction).await.unwrap();
                assert_eq!(seen, 0, "{table}");
            }
        }
        transaction.rollback().await.unwrap();
    }
}
