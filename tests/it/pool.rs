//! What injected SQL leaves behind in a pooled connection does not reach the next person.

use crate::harness::World;
use himaya::demo::story;
use himaya::platform::schema::{Structure, StructureError};
use serde_json::json;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Row as _};
use std::collections::BTreeSet;
use std::time::Duration;

/// Every connection of the pool that serves requests.
async fn all(world: &World) -> Vec<PoolConnection<Postgres>> {
    let pool = &world.app.databases.app;
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..500 {
        tick.tick().await;
        let mut held = Vec::new();
        while let Some(connection) = pool.try_acquire() {
            held.push(connection);
        }
        if held.is_empty() {
            held.push(pool.acquire().await.unwrap());
        }
        if held.len() == usize::try_from(pool.size()).unwrap() {
            return held;
        }
    }
    panic!("a connection did not come back");
}

async fn run(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(connection).await.unwrap();
}

async fn pids(held: &mut [PoolConnection<Postgres>]) -> BTreeSet<i32> {
    let mut pids = BTreeSet::new();
    for connection in held {
        pids.insert(sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(&mut **connection).await.unwrap().get(0));
    }
    pids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_in_which_something_was_left_behind_serves_nobody_more() {
    let world = World::new().await;
    let officer = world.signed_in("officer1").await;
    let grant = format!("GRANT TEMPORARY ON DATABASE {} TO himaya_app", world.database);
    for (statement, kept) in [
        ("SELECT 1", true),
        ("BEGIN; SELECT set_config('himaya.lookup', 'x', true); SELECT pg_advisory_xact_lock(1); COMMIT", true),
        ("PREPARE mine AS SELECT 1", false),
        ("SELECT set_config('himaya.lookup', 'x', false)", false),
        ("SET search_path = pg_catalog", false),
        ("SELECT pg_advisory_lock_shared(1)", false),
        ("DECLARE mine CURSOR WITH HOLD FOR SELECT 1", false),
        // The database lets nobody make one; the connection is closed all the same.
        ("CREATE TEMP TABLE sealed (LIKE public.sealed)", false),
    ] {
        assert_eq!(officer.get("/api/v1/cases", "case_work").await.unwrap().status, 200);
        let mut held = all(&world).await;
        if statement.contains("TEMP") {
            assert!(sqlx::raw_sql(statement).execute(&mut *held[0]).await.is_err(), "{statement}");
            run(&mut world.owner().await, &grant).await;
        }
        for connection in &mut held {
            run(connection, statement).await;
        }
        let before = pids(&mut held).await;
        drop(held);
        let after = pids(&mut all(&world).await).await;
        assert!(if kept { before.is_subset(&after) } else { before.is_disjoint(&after) }, "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_left_in_front_of_a_real_one_takes_nothing_in() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    world.signed_in("hsupervisor1").await;
    let mut owner = world.owner().await;
    run(&mut owner, &format!("GRANT TEMPORARY ON DATABASE {} TO himaya_app", world.database)).await;
    let mut held = all(&world).await;
    for connection in &mut held {
        let tables = "CREATE TEMP TABLE sealed (LIKE public.sealed INCLUDING ALL);
                      CREATE TEMP TABLE wraps (LIKE public.wraps INCLUDING ALL)";
        run(connection, tables).await;
    }
    drop(held);
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "they are at the gate" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap();
    assert_eq!(call.status, 201, "{}", call.text);
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM sealed WHERE record_id = $1")
        .bind(call.id("id"))
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(stored, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_prepared_under_one_of_our_names_is_not_handed_the_next_persons_secret() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let mut held = all(&world).await;
    let mut poisoned = 0;
    for connection in &mut held {
        let ours = "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%himaya.lookup%'";
        for row in sqlx::raw_sql(ours).fetch_all(&mut **connection).await.unwrap() {
            let name: String = row.get(0);
            let poison = format!(
                "DEALLOCATE {name}; PREPARE {name}(text) AS
                 SELECT set_config('himaya.lookup', set_config('x.stolen', $1, false), true)"
            );
            run(connection, &poison).await;
            poisoned += 1;
        }
    }
    assert!(poisoned > 0);
    drop(held);
    let officer = world.signed_in("officer1").await;
    for _ in 0..3 {
        let path = format!("/api/v1/cases/{}/notes", played.case);
        let note = officer.post(&path, &json!({ "text": "x" })).await.unwrap();
        assert_eq!(note.status, 201, "{}", note.text);
    }
    for connection in &mut all(&world).await {
        let stolen = "SELECT COALESCE(current_setting('x.stolen', true), '')";
        let stolen: String = sqlx::raw_sql(stolen).fetch_one(&mut **connection).await.unwrap().get(0);
        assert_eq!(stolen, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connections_settings_are_its_own_and_not_what_a_role_left_in_the_database() {
    let world = World::new().await;
    let kept = world.folder.join("schema");
    Structure::check(&world.app.databases, &kept).await.unwrap();
    let settings = [("synchronous_commit", "off", "on"), ("search_path", "pg_temp", "public")];
    // What injected SQL may do: each role sets what its own next connections begin with.
    let mut held = all(&world).await;
    for (setting, planted, _) in settings {
        let plant = format!("ALTER ROLE himaya_app IN DATABASE {} SET {setting} = {planted}", world.database);
        run(&mut held[0], &plant).await;
    }
    drop(held);
    let (app, serving, _) = world.replica().await;
    for pool in [&app.databases.app, &app.databases.visits, &app.databases.ledger] {
        let mut connection = pool.acquire().await.unwrap();
        for (setting, _, wanted) in settings {
            let now: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            assert_eq!(now, wanted, "{setting}");
        }
    }
    let visits: String =
        sqlx::query_scalar("SELECT current_setting('lock_timeout')").fetch_one(&app.databases.visits).await.unwrap();
    assert_eq!(visits, "1s");
    serving.stop().await.unwrap();
    // And it is noticed, as is a setting of the database for everybody.
    let check = async || matches!(Structure::check(&world.app.databases, &kept).await, Err(StructureError::Changed));
    assert!(check().await, "for a role in this database");
    let mut owner = world.owner().await;
    run(&mut owner, &format!("ALTER ROLE himaya_app IN DATABASE {} RESET ALL", world.database)).await;
    assert!(!check().await);
    run(&mut owner, &format!("ALTER DATABASE {} SET synchronous_commit = off", world.database)).await;
    assert!(check().await, "for this database");
}
