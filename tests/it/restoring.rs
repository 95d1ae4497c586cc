//! The restore drill: what comes back from a backup is whole, and what was erased since does not.

use crate::harness::World;
use himaya::backup::{Restore, RestoreError, Restored, Superusers, Which, restore, take};
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::platform::config::{AttachmentsConfig, Config};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _};
use std::path::{Path, PathBuf};

pub fn superusers(world: &World) -> Superusers {
    Superusers { main: world.superuser.clone(), erasure: world.superuser.clone() }
}

/// The same service over other databases, with checkpoints of its own: a new machine with the old secrets and pins.
pub fn moved(world: &World, to: &str) -> Config {
    let text = serde_json::to_string(&world.app.config).unwrap();
    let mut config: Config =
        serde_json::from_str(&text.replace(&format!("/{}", world.database), &format!("/{to}"))).unwrap();
    let own = &world.app.config;
    (config.pins, config.secrets) = (own.pins.clone(), own.secrets.clone());
    config.checkpoints.clone_from(&own.checkpoints);
    config.attachments = Some(AttachmentsConfig::in_folder(world.folder.join(format!("attachments-of-{to}"))));
    config
}

pub async fn bring_back(world: &World, config: &Config, from: &Path, lose: bool) -> Result<Restored, RestoreError> {
    let superusers = superusers(world);
    let told = Restore {
        from,
        superusers: &superusers,
        which: Which::Both,
        lose_newer_entries: lose,
        without_tombstones: false,
    };
    restore(config, &told, &world.clock).await
}

pub async fn drop_databases(world: &World, name: &str) {
    let mut owner = world.server_owner().await;
    for database in [name.to_owned(), format!("{name}_erasure")] {
        let gone = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
        sqlx::raw_sql(AssertSqlSafe(gone)).execute(&mut owner).await.unwrap();
    }
}

/// Somebody's draft of a crisis.
async fn draft(operator: &Actor, said: &str) -> String {
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": said } });
    format!("/api/v1/calls/{}", operator.post("/api/v1/calls", &crisis).await.unwrap().id("id"))
}

async fn backed_up(world: &World, name: &str) -> PathBuf {
    let folder = world.folder.join(name);
    let manifest = take(&world.app.config, &superusers(world), &folder, &world.clock).await.unwrap();
    assert_eq!(manifest.files.keys().collect::<Vec<_>>(), ["checkpoint", "erasure.dump", "main.dump"]);
    // In this order: what is erased while it is made has no key in it, and what is written meanwhile is left out whole.
    let written = |file| std::fs::metadata(folder.join(file)).unwrap().modified().unwrap();
    assert!(written("checkpoint") <= written("main.dump") && written("main.dump") <= written("erasure.dump"));
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_comes_back_whole_and_what_was_erased_since_stays_erased() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let operator = world.signed_in("operator1").await;
    let (erased, kept) = (draft(&operator, "erased after the backup").await, draft(&operator, "still a draft").await);
    crate::attachments::attached(&operator, &kept, "kept.txt", b"still attached").await;
    crate::attachments::attached(&operator, &erased, "erased.txt", b"erased").await;
    crate::ledger::comes_true("everything has its place, and a checkpoint says so", async || {
        let pending = "SELECT count(*) FROM ledger_pending";
        sqlx::query_scalar::<_, i64>(pending).fetch_one(&mut world.owner().await).await.unwrap() == 0
    })
    .await;
    let backup = backed_up(&world, "backup").await;

    assert_eq!(std::fs::read_dir(backup.join("objects")).unwrap().count(), 2);

    // Life goes on: a call is handed over, so its draft is erased, and what hung on it.
    let how = json!({ "basis": "pseudonymous", "leave_behind": true });
    assert_eq!(operator.post(&format!("{erased}/hand-over"), &how).await.unwrap().status, 201);
    world.stop().await;
    world.app.databases.close().await;
    let before = format!("{}_r", world.database);
    let config = moved(&world, &before);

    // The checkpoints kept outside know that something is lost: that is said before anything is made.
    let refused = bring_back(&world, &config, &backup, false).await.err().unwrap();
    assert!(matches!(refused, RestoreError::NewerKept { .. }), "{refused}");
    let restored = bring_back(&world, &config, &backup, true).await.unwrap();
    let findings: Vec<String> = restored.ledger.findings.iter().map(ToString::to_string).collect();
    assert!(restored.ledger.ok(), "{findings:#?}");
    assert!(restored.ledger.records > 5 && restored.ledger.checkpoints > 1 && restored.sessions_ended > 0);
    assert!(restored.tombstones >= 2 && restored.swept.is_ok());
    assert_eq!(restored.ledger.objects, 2, "both files were there");
    let folder = config.attachments.as_ref().unwrap().folder.as_ref().unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "and what was erased since is gone again");
    assert!(restored.set_aside.unwrap().join("checkpoint").exists());

    let (app, serving, base) = world.replica_of(config.clone()).await;
    let old = operator.at(&base).get(&kept, "intake").await.unwrap();
    assert_eq!(old.status, 401, "no session outlives a restore: {}", old.text);
    let officer = world.country.person("officer1").unwrap().at(&base);
    officer.sign_in().await.unwrap();
    let case = format!("/api/v1/cases/{}", played.case);
    let read = officer.get(&format!("{case}/sections/narrative"), "case_work").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
    assert!(read.body["content"].is_object(), "{}", read.text);
    let operator = operator.at(&base);
    operator.sign_in().await.unwrap();
    let read = operator.get(&kept, "intake").await.unwrap();
    assert_eq!(read.body["content"]["said"], "still a draft", "{}", read.text);
    let path = crate::attachments::only(&operator, &kept, "intake").await;
    assert_eq!(crate::attachments::content(&operator, &path, "intake").await, (200, b"still attached".to_vec()));
    // Its row, its ciphertext and its wrap are there again. Its erasure key is not.
    let rows = "SELECT count(*) FROM calls c JOIN sealed s ON s.key_id = c.id JOIN wraps w ON w.key_id = c.id WHERE c.id::text = $1";
    let mut owner =
        sqlx::PgConnection::connect(&world.superuser.replace("/postgres?", &format!("/{before}?"))).await.unwrap();
    let id = erased.rsplit('/').next().unwrap();
    assert!(sqlx::query_scalar::<_, i64>(rows).bind(id).fetch_one(&mut owner).await.unwrap() >= 1);
    let read = operator.get(&erased, "intake").await.unwrap();
    // A row whose erasure key is gone is an anomaly, and said so.
    assert_eq!(read.status, 500, "{}", read.text);
    assert!(!read.text.contains("erased after"));
    // The ledger goes on where the backup ended.
    crate::ledger::comes_true("a new checkpoint is kept outside", async || {
        std::fs::read_to_string(config.checkpoints.join("checkpoint")).unwrap()
            != std::fs::read_to_string(backup.join("checkpoint")).unwrap()
    })
    .await;
    serving.stop().await.unwrap();
    let saved = [std::fs::read_to_string(backup.join("checkpoint")).unwrap()];
    let keys = app.log_keys().unwrap();
    let report = himaya::audit::verify::verify(&app.databases.auditor, &keys, &saved, true).await.unwrap();
    assert!(report.ok());
    // The rows of what was erased are there again, their files are not: that is told apart from files that were removed.
    let (mut report, databases, objects) = (report, &app.databases, app.objects.as_ref().unwrap());
    report.compare_objects(&databases.auditor, &databases.sweeper.erasure, objects).await.unwrap();
    assert_eq!((report.objects, report.erased, report.ok()), (2, 1, true), "{:?}", report.findings);
    let left = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    std::fs::remove_file(left.path()).unwrap();
    report.compare_objects(&databases.auditor, &databases.sweeper.erasure, objects).await.unwrap();
    assert_eq!(report.findings.len(), 1, "and one that was removed is found");
    app.databases.close().await;
    owner.close().await.unwrap();
    drop_databases(&world, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_refuses_what_is_not_empty_not_whole_or_not_this_logs() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator, "x").await;
    crate::attachments::attached(&operator, &call, "x", b"x").await;
    world.stop().await;
    let backup = backed_up(&world, "backup").await;
    let object = crate::attachments::objects(&world).pop().unwrap().file_name().unwrap().to_owned();
    let object = format!("objects/{}", object.to_str().unwrap());
    let again = take(&world.app.config, &superusers(&world), &backup, &world.clock).await;
    assert!(again.is_err(), "a backup is not written over");
    // Over itself, and over an erasure store in which there is something.
    let refused = bring_back(&world, &world.app.config, &backup, false).await.err().unwrap();
    assert!(matches!(&refused, RestoreError::NotEmpty(name) if *name == world.database), "{refused}");
    let name = format!("{}_r", world.database);
    let mut config = moved(&world, &name);
    config.database.erasure = world.app.config.database.erasure.clone();
    let refused = bring_back(&world, &config, &backup, false).await.err().unwrap();
    assert!(matches!(&refused, RestoreError::NotEmpty(name) if name.ends_with("_erasure")), "{refused}");

    let config = moved(&world, &name);
    let other = Config { log_origin: "other.example/log".to_owned(), ..config.clone() };
    let refused = bring_back(&world, &other, &backup, false).await.err().unwrap();
    assert!(matches!(refused, RestoreError::OtherLog { .. }), "{refused}");
    for file in ["main.dump", "erasure.dump", "checkpoint", &object] {
        let good = std::fs::read(backup.join(file)).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(backup.join(file), &bad).unwrap();
        let refused = bring_back(&world, &config, &backup, false).await.err().unwrap().to_string();
        assert!(refused.contains(file) && refused.contains("sum differs"), "{refused}");
        std::fs::write(backup.join(file), good).unwrap();
    }
    let manifest = std::fs::read(backup.join("manifest.json")).unwrap();
    std::fs::remove_file(backup.join("manifest.json")).unwrap();
    assert!(bring_back(&world, &config, &backup, false).await.is_err(), "without its list it was not finished");
    std::fs::write(backup.join("manifest.json"), manifest).unwrap();
    // Other bytes under the same name are not written over.
    let folder = config.attachments.as_ref().unwrap().folder.clone().unwrap();
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&folder).unwrap();
    std::fs::write(folder.join(object.strip_prefix("objects/").unwrap()), b"other").unwrap();
    let refused = bring_back(&world, &config, &backup, false).await.err().unwrap();
    assert!(matches!(refused, RestoreError::OtherObject(_)), "{refused}");
    std::fs::remove_dir_all(&folder).unwrap();
    let nowhere = Config { attachments: None, ..config.clone() };
    let refused = bring_back(&world, &nowhere, &backup, false).await.err().unwrap();
    assert!(matches!(refused, RestoreError::NoFolder), "{refused}");
    // Nothing was made on the way.
    let made = "SELECT count(*) FROM pg_database WHERE datname LIKE $1 || '%'";
    let count: i64 = sqlx::query_scalar(made).bind(&name).fetch_one(&mut world.server_owner().await).await.unwrap();
    assert_eq!(count, 0);
    // Without the file of what was erased since, only who says so brings both back.
    std::fs::remove_file(config.checkpoints.join("tombstones")).unwrap();
    let refused = bring_back(&world, &config, &backup, false).await.err().unwrap();
    assert!(matches!(refused, RestoreError::NoTombstones), "{refused}");
    let count: i64 = sqlx::query_scalar(made).bind(&name).fetch_one(&mut world.server_owner().await).await.unwrap();
    assert_eq!(count, 0);
    let superusers = superusers(&world);
    let told = Restore {
        from: &backup,
        superusers: &superusers,
        which: Which::Both,
        lose_newer_entries: false,
        without_tombstones: true,
    };
    assert!(restore(&config, &told, &world.clock).await.unwrap().ledger.ok(), "and whole, it comes back");
    assert!(config.checkpoints.join("tombstones").exists(), "from here on there is one");
    drop_databases(&world, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_database_comes_back_beside_an_erasure_store_that_still_stands() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let (erased, kept) = (draft(&operator, "erased after the backup").await, draft(&operator, "still a draft").await);
    let backup = backed_up(&world, "backup").await;
    let newer = draft(&operator, "written after the backup").await;
    // The erasure store's dump was deleted when its time had come.
    std::fs::remove_file(backup.join("erasure.dump")).unwrap();
    let how = json!({ "basis": "vital_interest" });
    assert_eq!(operator.post(&format!("{erased}/hand-over"), &how).await.unwrap().status, 201);
    world.stop().await;
    std::fs::remove_file(world.app.config.checkpoints.join("tombstones")).unwrap();
    let name = format!("{}_r", world.database);
    let mut config = moved(&world, &name);
    let own = &world.app.config.database;
    (config.database.erasure, config.database.erasure_sweeper) = (own.erasure.clone(), own.erasure_sweeper.clone());
    config.database.erasure_migrator = own.erasure_migrator.clone();
    let superusers = superusers(&world);
    let told = Restore {
        from: &backup,
        superusers: &superusers,
        which: Which::Both,
        lose_newer_entries: true,
        without_tombstones: true,
    };
    assert!(restore(&config, &told, &world.clock).await.is_err(), "there is no dump of the erasure store");
    let told = Restore { which: Which::MainOnly, ..told };
    let older = "UPDATE erasure.keys SET created_at = now() - interval '2 hours'";
    sqlx::raw_sql(older).execute(&mut world.erasure_owner().await).await.unwrap();
    assert!(restore(&config, &told, &world.clock).await.unwrap().ledger.ok());
    // The key of what is lost for now is still there, should a newer backup be found.
    let key = "SELECT count(*) FROM erasure.keys WHERE key_id::text = $1";
    let id = newer.rsplit('/').next().unwrap();
    let kept_keys: i64 = sqlx::query_scalar(key).bind(id).fetch_one(&mut world.erasure_owner().await).await.unwrap();
    assert_eq!(kept_keys, 1);
    let (app, serving, base) = world.replica_of(config).await;
    let operator = operator.at(&base);
    operator.sign_in().await.unwrap();
    assert_eq!(operator.get(&erased, "intake").await.unwrap().status, 500);
    let read = operator.get(&kept, "intake").await.unwrap();
    assert_eq!(read.body["content"]["said"], "still a draft", "{}", read.text);
    serving.stop().await.unwrap();
    app.databases.close().await;
    drop_databases(&world, &name).await;
}
