//! Injected SQL tries to reach beyond what its session may do, and the owner of the database to lead registers astray.

use crate::harness::World;
use crate::walls::injected;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use serde_json::json;
use sqlx::PgConnection;

async fn count(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
}

async fn log_call(operator: &Actor) -> (u16, String) {
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "they are at the gate" } });
    let reply = operator.post("/api/v1/calls", &crisis).await.unwrap();
    (reply.status, reply.code().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_themselves_a_holder_of_custody_or_of_another_key() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    for handle in ["officer2", "ssupervisor1", "operator2", "duty2"] {
        let mut theirs = injected(&world, &world.signed_in(handle).await.secrets().await.1).await;
        for purpose in ["custody", "intake", "review"] {
            let add = "INSERT INTO shared_key_wraps (key_id, account_id, wrap) SELECT id, me(), '' FROM shared_keys k
                       WHERE purpose = $1 AND organisation_id = my_organisation() ON CONFLICT DO NOTHING";
            let added = sqlx::query(add).bind(purpose).execute(&mut theirs).await;
            assert!(added.is_err() || added.unwrap().rows_affected() == 0, "{handle}: {purpose}");
        }
        assert_eq!(count(&mut theirs, "SELECT count(*) FROM sealed WHERE case_id IS NOT NULL").await, 0, "{handle}");
        // An emptied epoch is nobody's any more.
        let emptied =
            "DELETE FROM shared_key_wraps WHERE key_id IN (SELECT id FROM shared_keys WHERE purpose = 'review')";
        sqlx::raw_sql(emptied).execute(&mut world.owner().await).await.unwrap();
        let again = "INSERT INTO shared_key_wraps (key_id, account_id, wrap) SELECT id, me(), '' FROM shared_keys
                     WHERE purpose = 'review' AND organisation_id = my_organisation() LIMIT 1";
        let again = sqlx::query(again).execute(&mut theirs).await;
        assert!(again.is_err() || again.unwrap().rows_affected() == 0, "{handle}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_another_organisation_makes_nobody_a_stranger() {
    let world = World::new().await;
    let (duty, worker) = (world.signed_in("duty1").await, world.signed_in("worker1").await);
    let mut theirs = injected(&world, &worker.secrets().await.1).await;
    for columns in ["", ", complete", ", ended_at", ", registered_by, register_no"] {
        let values = match columns {
            "" => "",
            ", complete" => ", true",
            ", ended_at" => ", now()",
            _ => ", NULL, NULL",
        };
        let plant = format!(
            "INSERT INTO memberships (id, account_id, organisation_id, note, proposed_at{columns})
             VALUES (gen_random_uuid(), $1, my_organisation(), 'x', now(){values})"
        );
        let planted = sqlx::query(sqlx::AssertSqlSafe(plant)).bind(duty.account).execute(&mut theirs).await;
        assert!(planted.is_err(), "{columns}");
    }
    assert_eq!(duty.get("/api/v1/notices", "intake").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_was_led_astray_takes_nothing_in() {
    let world = World::new().await;
    let (first, second) = (world.signed_in("operator1").await, world.signed_in("operator2").await);
    assert_eq!(log_call(&first).await.0, 201);
    assert_eq!(log_call(&second).await.0, 201);
    let stored = count(&mut world.owner().await, "SELECT count(*) FROM calls").await;
    // A number left out: by the session itself, and by the owner of the database.
    let mut mine = injected(&world, &first.secrets().await.1).await;
    sqlx::query("SELECT register_next()").execute(&mut mine).await.unwrap();
    assert_eq!(log_call(&first).await, (500, "fault".to_owned()));
    let skip = "UPDATE registers SET length = length + 1 WHERE account_id = $1";
    sqlx::query(skip).bind(second.account).execute(&mut world.owner().await).await.unwrap();
    assert_eq!(log_call(&second).await, (500, "fault".to_owned()));
    let back = "UPDATE registers SET length = length - 1";
    sqlx::query(back).execute(&mut world.owner().await).await.unwrap();
    assert_eq!(log_call(&second).await.0, 201);
    // No number at all: a default that the owner took away.
    for (away, put_back) in [
        (
            "ALTER TABLE calls ALTER registered_by SET DEFAULT NULL, ALTER register_no SET DEFAULT NULL",
            "ALTER TABLE calls ALTER registered_by SET DEFAULT me(), ALTER register_no SET DEFAULT register_next()",
        ),
        (
            "ALTER TABLE calls ALTER registered_by SET DEFAULT '00000000-0000-0000-0000-000000000000'",
            "ALTER TABLE calls ALTER registered_by SET DEFAULT me()",
        ),
    ] {
        let mut owner = world.owner().await;
        sqlx::raw_sql(away).execute(&mut owner).await.unwrap();
        assert_eq!(log_call(&second).await, (500, "fault".to_owned()), "{away}");
        sqlx::raw_sql(put_back).execute(&mut owner).await.unwrap();
        assert_eq!(log_call(&second).await.0, 201);
    }
    assert_eq!(count(&mut world.owner().await, "SELECT count(*) FROM calls").await, stored + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_is_inserted_beside_its_register() {
    let world = World::new().await;
    let admin = world.signed_in("admin1").await;
    let mut theirs = injected(&world, &admin.secrets().await.1).await;
    let planted = sqlx::query(
        "INSERT INTO accounts (id, organisation_id, handle, nominated_responsible, nominated_custodian, created_at,
                               registered_by, register_no)
         VALUES (gen_random_uuid(), $1, 'ghost', false, false, now(), NULL, NULL)",
    );
    let planted = planted.bind(world.country.organisations["squad"]).execute(&mut theirs).await;
    assert!(planted.is_err());
    let tables = "SELECT count(*) FROM information_schema.column_privileges WHERE grantee = 'himaya_app'
                  AND privilege_type = 'INSERT' AND column_name IN ('registered_by', 'register_no', 'standing')";
    assert_eq!(count(&mut world.owner().await, tables).await, 0);
}
