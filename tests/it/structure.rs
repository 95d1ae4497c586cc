//! The owner of the database changes what its statements do: the service notices, and closes.

use crate::harness::World;
use himaya::platform::app::App;
use himaya::platform::config::Config;
use himaya::platform::db::{self, MigrateError};
use himaya::platform::schema::{Structure, StructureError};
use himaya::platform::secrets::SecretsFor;
use himaya::platform::serve::Serving;
use himaya::setup::{self, Plan, SetupError};
use serde_json::json;
use tokio::net::TcpListener;

/// Each of these hides something, undoes something, or gives somebody a right; and how it is taken back.
const CHANGES: [(&str, &str); 12] = [
    (
        "CREATE POLICY hide ON notices AS RESTRICTIVE FOR SELECT TO himaya_app USING (number <> 7)",
        "DROP POLICY hide ON notices",
    ),
    (
        "CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER undo BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION undo()",
        "DROP TRIGGER undo ON accounts; DROP FUNCTION undo()",
    ),
    (
        "CREATE OR REPLACE FUNCTION my_register() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
         SET search_path = pg_catalog, pg_temp AS 'SELECT NULL::uuid'",
        "CREATE OR REPLACE FUNCTION my_register() RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT a.register FROM public.accounts a WHERE a.id = public.me() $$",
    ),
    ("ALTER TABLE sealed DISABLE ROW LEVEL SECURITY", "ALTER TABLE sealed ENABLE ROW LEVEL SECURITY"),
    ("ALTER TABLE sealed NO FORCE ROW LEVEL SECURITY", "ALTER TABLE sealed FORCE ROW LEVEL SECURITY"),
    ("GRANT SELECT ON sessions TO himaya_app", "REVOKE SELECT ON sessions FROM himaya_app"),
    (
        "GRANT SELECT (enrolment_hash) ON accounts TO himaya_app",
        "REVOKE SELECT (enrolment_hash) ON accounts FROM himaya_app",
    ),
    (
        "ALTER TABLE notices ALTER register_no SET DEFAULT NULL",
        "ALTER TABLE notices ALTER register_no SET DEFAULT register_next()",
    ),
    ("CREATE RULE keep AS ON DELETE TO wraps DO INSTEAD NOTHING", "DROP RULE keep ON wraps"),
    ("ALTER TABLE wraps DISABLE TRIGGER ALL", "ALTER TABLE wraps ENABLE TRIGGER ALL"),
    (
        "ALTER TABLE calls DROP CONSTRAINT calls_state_check",
        "ALTER TABLE calls ADD CONSTRAINT calls_state_check
      CHECK (state IN ('opened', 'safety_checked', 'triaged', 'referred', 'callback_scheduled', 'closed'))",
    ),
    ("CREATE TABLE kept (id uuid)", "DROP TABLE kept"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_what_a_statement_does_is_noticed() {
    let world = World::new().await;
    let kept = world.folder.join("schema");
    let check = async || Structure::check(&world.app.databases, &kept).await;
    check().await.unwrap();
    let mut owner = world.owner().await;
    for (change, back) in CHANGES {
        sqlx::raw_sql(change).execute(&mut owner).await.unwrap();
        assert!(matches!(check().await, Err(StructureError::Changed)), "not noticed: {change}");
        sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
        check().await.unwrap_or_else(|error| panic!("{error} after it was taken back: {change}"));
    }
    sqlx::raw_sql("GRANT SELECT (key) ON erasure.keys TO himaya_sweeper")
        .execute(&mut world.erasure_owner().await)
        .await
        .unwrap();
    assert!(matches!(check().await, Err(StructureError::Changed)), "the erasure store's rights");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_closes_when_the_structure_is_changed_and_does_not_start_with_it() {
    let world = World::new().await;
    let config = Config { schema_pin: Some(world.folder.join("schema")), ..world.app.config.clone() };
    let app = App::start(config.clone(), world.clock.clone()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = Serving::start(&app, listener);
    let operator = world.signed_in("operator1").await.at(&base);
    let call = json!({ "content": { "safe_to_talk": "yes" } });
    assert_eq!(operator.post("/api/v1/calls", &call).await.unwrap().status, 201);
    let mut owner = world.owner().await;
    let hide = "CREATE POLICY hide ON calls AS RESTRICTIVE FOR SELECT TO himaya_app USING (state <> 'opened')";
    sqlx::raw_sql(hide).execute(&mut owner).await.unwrap();
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(200));
    let mut looks = 0;
    let refused = loop {
        tick.tick().await;
        let reply = operator.get("/api/v1/calls", "intake").await.unwrap();
        if reply.status == 503 {
            break reply;
        }
        looks += 1;
        assert!(looks < 100, "nothing was noticed in twenty seconds");
    };
    assert_eq!(refused.code(), "structure_changed");
    assert_eq!(operator.post("/api/v1/calls", &call).await.unwrap().status, 503);
    assert!(App::start(config, world.clock.clone()).await.is_err());
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_setting_up_changes_nothing() {
    let world = World::new().await;
    let folder = world.folder.join("second");
    std::fs::create_dir(&folder).unwrap();
    let plan = Plan {
        superuser: world.superuser.clone(),
        erasure_superuser: None,
        log_origin: "himaya.example/ledger".to_owned(),
        secrets: SecretsFor::Service,
        folder: folder.clone(),
        policies: world.app.config.policies.clone(),
        database: world.database.clone(),
        administrators: ["one", "two", "three"].map(str::to_owned),
    };
    let refused = setup::init(&plan, &world.clock).await;
    assert!(matches!(refused, Err(SetupError::SetUpBefore)));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "neither a configuration nor a secret was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_structure_that_was_changed_is_not_kept_as_if_it_had_been_migrated() {
    let world = World::new().await;
    let database = &world.app.config.database;
    let (main, erasure) = (database.migrator.clone().unwrap(), database.erasure_migrator.clone().unwrap());
    let kept = world.folder.join("schema");
    db::check_structure(&main, &erasure, &kept).await.unwrap();
    let hide = "CREATE POLICY hide ON calls AS RESTRICTIVE FOR SELECT TO himaya_app USING (state <> 'opened')";
    sqlx::raw_sql(hide).execute(&mut world.owner().await).await.unwrap();
    assert!(matches!(db::check_structure(&main, &erasure, &kept).await, Err(MigrateError::Structure(_))));
}
