//! The doctor finds nothing at a healthy service, and each thing that is broken by its name.

use crate::harness::World;
use crate::running::certificate;
use chrono::TimeDelta;
use himaya::doctor::{Check, Verdict, examine};
use himaya::guard::policy::DecisionTable;
use himaya::guard::statement::hex;
use himaya::platform::clock::Clock;
use himaya::platform::config::{AttachmentsConfig, Config, PasskeysConfig};
use sqlx::AssertSqlSafe;
use std::os::unix::fs::PermissionsExt as _;

/// The test cluster's roles are shared, and so is what is wrong with them.
pub async fn production(world: &World) -> Config {
    // In production nothing is opened without it.
    for handle in ["coordinator1", "statistician1"] {
        world.signed_in(handle).await;
    }
    world.country.agree_to_policy().await.unwrap();
    as_in_production(world).await
}

/// A configuration of production, whatever anybody has agreed to.
pub async fn as_in_production(world: &World) -> Config {
    let policy = DecisionTable::from_dir(&world.app.config.policies).await.unwrap();
    let schema_pin = Some(world.folder.join("schema"));
    let passkeys = PasskeysConfig {
        relying_party: "himaya.example".to_owned(),
        origins: vec!["https://himaya.example".to_owned()],
    };
    let policy_sha256 = Some(hex(&policy.hash()));
    Config { production: true, policy_sha256, schema_pin, passkeys: Some(passkeys), ..world.app.config.clone() }
}

async fn wrong(config: &Config, clock: &Clock) -> Vec<Check> {
    let checks = examine(config, clock).await;
    checks.into_iter().filter(|check| check.verdict == Verdict::Wrong).collect()
}

/// Exactly one thing is wrong: this one, and for this reason.
async fn finds(config: &Config, clock: &Clock, about: &str, why: &str) {
    let found = wrong(config, clock).await;
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.len() == 1 && found[0].about == about && found[0].said.contains(why), "{about}, {why}: {told:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_service_is_well_and_each_fault_is_found_by_name() {
    let mut world = World::new().await;
    let (tls, _) = certificate(&world.folder, 90);
    let good = Config { tls: Some(tls), ..production(&world).await };
    world.stop().await;
    let clock = Clock::default();
    let all = examine(&good, &clock).await;
    assert!(all.iter().all(|check| check.verdict != Verdict::Wrong), "{:#?}", wrong(&good, &clock).await);
    assert!(all.len() >= 24, "{}", all.len());

    // The database, changed by its owner.
    let mut owner = world.owner().await;
    for (breaks, mends, about, why) in [
        (
            "ALTER TABLE sealed NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE sealed FORCE ROW LEVEL SECURITY",
            "row-level security",
            "sealed is open",
        ),
        (
            "ALTER TABLE calls DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE calls ENABLE ROW LEVEL SECURITY",
            "row-level security",
            "calls is open",
        ),
        (
            "GRANT SELECT (id) ON sessions TO himaya_app",
            "REVOKE SELECT (id) ON sessions FROM himaya_app",
            "database.app",
            "reads public.sessions",
        ),
        (
            "GRANT CREATE ON SCHEMA public TO himaya_app",
            "REVOKE CREATE ON SCHEMA public FROM himaya_app",
            "database.app",
            "makes tables",
        ),
        (
            "GRANT TRUNCATE ON sealed TO himaya_door",
            "REVOKE TRUNCATE ON sealed FROM himaya_door",
            "database.door",
            "TRUNCATE sealed",
        ),
        (
            "GRANT SELECT ON wraps TO himaya_sequencer",
            "REVOKE SELECT ON wraps FROM himaya_sequencer",
            "database.sequencer",
            "reads public.wraps",
        ),
        (
            "GRANT UPDATE (note) ON case_heads TO himaya_auditor",
            "REVOKE UPDATE (note) ON case_heads FROM himaya_auditor",
            "database.auditor",
            "changes case_heads",
        ),
        (
            "ALTER TABLE calls ADD COLUMN caller text",
            "ALTER TABLE calls DROP COLUMN caller",
            "main schema",
            "calls.caller",
        ),
        ("DELETE FROM _sqlx_migrations WHERE version = 7", "", "database.migrator: migrations", "7 was not run"),
    ] {
        sqlx::raw_sql(breaks).execute(&mut owner).await.unwrap();
        finds(&good, &clock, about, why).await;
        sqlx::raw_sql(mends).execute(&mut owner).await.unwrap();
    }
    let good = Config {
        database: himaya::platform::config::DatabaseConfig { migrator: None, ..good.database.clone() },
        ..good
    };
    let mut erasure = world.erasure_owner().await;
    sqlx::raw_sql("GRANT SELECT (key) ON erasure.keys TO himaya_sweeper").execute(&mut erasure).await.unwrap();
    finds(&good, &clock, "database.erasure_sweeper", "reads erasure.keys.key").await;
    sqlx::raw_sql("REVOKE SELECT (key) ON erasure.keys FROM himaya_sweeper").execute(&mut erasure).await.unwrap();

    // A founding that nobody read out, pinned or put in place of a pinned one.
    let pins = std::fs::read_to_string(&good.pins).unwrap();
    std::fs::write(&good.pins, format!("{pins}{}\n", "ab".repeat(32))).unwrap();
    finds(&good, &clock, "pins", "abab").await;
    std::fs::write(&good.pins, &pins).unwrap();

    // The machine.
    let behind = Clock::default();
    behind.advance(TimeDelta::seconds(5));
    let found = wrong(&good, &behind).await;
    assert!(found.len() == 2 && found.iter().all(|check| check.about.ends_with(": clock")), "{found:#?}");
    let (_, _) = certificate(&world.folder, 10);
    finds(&good, &clock, "tls.certificate: the service's own", "renew it").await;
    certificate(&world.folder, 90);
    let pepper = good.secrets.join("pepper");
    std::fs::set_permissions(&pepper, std::fs::Permissions::from_mode(0o644)).unwrap();
    finds(&good, &clock, "secrets", "0600").await;
    std::fs::set_permissions(&pepper, std::fs::Permissions::from_mode(0o600)).unwrap();
    finds(&Config { policy_sha256: None, ..good.clone() }, &clock, "policy_sha256", "pin it with").await;
    let elsewhere = AttachmentsConfig::in_folder("/proc/self/attachments".into());
    let elsewhere = Config { attachments: Some(elsewhere), ..good.clone() };
    finds(&elsewhere, &clock, "attachments.folder", "nothing can be written there").await;
    finds(&Config { attachments: None, ..good.clone() }, &clock, "attachments", "is not set").await;

    // Another log's key signs nothing that is there.
    let key = good.secrets.join("ledger");
    let own = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, "5b".repeat(32)).unwrap();
    finds(&good, &clock, "ledger", "does not fit the secret").await;
    std::fs::write(&key, own).unwrap();
    // The database, rolled back behind what is kept outside.
    let back = "DELETE FROM ledger_checkpoints WHERE size = (SELECT max(size) FROM ledger_checkpoints)";
    sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    finds(&good, &clock, "checkpoints", "rolled back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_rights_above_its_own_is_found() {
    let mut world = World::new().await;
    let mut config = production(&world).await;
    world.stop().await;
    // A role of its own: the cluster's are shared by every test.
    let role = format!("r{}", himaya::platform::random::uuid().simple());
    let mut owner = world.owner().await;
    let made = format!(
        "CREATE ROLE {role} LOGIN BYPASSRLS CREATEDB IN ROLE himaya_owner PASSWORD 'x'; GRANT CONNECT ON DATABASE {} TO {role}",
        world.database
    );
    sqlx::raw_sql(AssertSqlSafe(made)).execute(&mut owner).await.unwrap();
    config.database.app = config.database.app.replace("himaya_app:", &format!("{role}:"));
    let (_, after) = config.database.app.split_once('@').unwrap();
    config.database.app = format!("postgres://{role}:x@{after}");
    let found = wrong(&config, &Clock::default()).await;
    let app = found.iter().find(|check| check.about == "database.app").unwrap();
    for fault in ["BYPASSRLS", "CREATEDB", "may act as himaya_owner", "not as himaya_app"] {
        assert!(app.said.contains(fault), "{fault}: {app}");
    }
    config.database.door = "postgres://himaya_door:x@127.0.0.1:1/himaya".to_owned();
    let found = wrong(&config, &Clock::default()).await;
    assert!(found.iter().any(|check| check.about == "database.door" && check.said.contains("nobody can log in")));
    let gone = format!("REVOKE CONNECT ON DATABASE {} FROM {role}; DROP ROLE {role}", world.database);
    sqlx::raw_sql(AssertSqlSafe(gone)).execute(&mut owner).await.unwrap();
}
