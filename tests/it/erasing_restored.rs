//! An old copy of either database shows nothing of an erased case, whatever brought it back.

use crate::bars::{Hanging, answer};
use crate::erasing::{count, erase, full, hanging, keys_of, supervisors};
use crate::harness::World;
use crate::restoring::{bring_back, drop_databases, moved};
use crate::shelter::Placing;
use himaya::demo::story;
use himaya::platform::app::App;
use himaya::platform::cluster::Cluster;
use himaya::platform::config::Config;
use reqwest::Method;
use sqlx::{AssertSqlSafe, Connection as _};
use std::path::PathBuf;
use uuid::Uuid;

/// A country whose case was erased after a backup was taken.
struct Backed {
    placing: Placing,
    all: Hanging,
    keys: Vec<Uuid>,
    folder: PathBuf,
}

impl Backed {
    async fn up() -> Self {
        let mut placing = Placing::new().await;
        let all = full(&placing).await;
        let case = placing.case();
        let (one, other) = supervisors(&placing.world).await;
        crate::ledger::comes_true("everything has its place, and a checkpoint says so", async || {
            count(&placing.world, "SELECT count(*) FROM ledger_pending").await == 0
        })
        .await;
        let folder = placing.world.folder.join("backup");
        let (config, servers) = (&placing.world.app.config, crate::restoring::superusers(&placing.world));
        himaya::backup::take(config, &servers, &folder, &placing.world.clock).await.unwrap();
        let ids = hanging(&placing.world, placing.played.case).await.1;
        let keys = keys_of(&placing.world, &ids).await.0.into_iter().collect();
        erase(&one, &other, &case).await;
        assert_eq!(placing.world.app.eraser().finish().await.unwrap().online, 1);
        placing.world.stop().await;
        placing.world.app.databases.close().await;
        Self { placing, all, keys, folder }
    }

    /// Starts a service over databases that came back, and asks it for everything that hung on the case.
    async fn shows_nothing(&self, config: Config, name: &str) {
        let (world, id) = (&self.placing.world, self.placing.played.case.to_string());
        let (app, serving, base) = world.replica_of(config).await;
        // The erasure store is as old as the rest, and erased again all the same.
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM erasure.keys WHERE key_id = ANY($1)")
            .bind(&self.keys)
            .fetch_one(&app.databases.erasure)
            .await
            .unwrap();
        assert_eq!(left, 0);
        for handle in ["officer1", "duty1", "operator1", "worker1", "manager1", "ssupervisor1"] {
            let actor = world.country.person(handle).unwrap().at(&base);
            actor.sign_in().await.unwrap();
            let routes = self.all.routes(self.placing.officer.account);
            for (method, path) in routes.into_iter().filter(|(method, _)| *method == Method::GET) {
                for purpose in ["case_work", "care", "supervision", "intake"] {
                    let (status, body) = answer(&actor, &method, &path, purpose).await;
                    assert!(!body.to_string().contains(&id), "{} {path}: {body}", actor.handle);
                    let is_list = ["/cases", "/tasks", "/alerts", "/placements", "/notices"]
                        .iter()
                        .any(|end| path.ends_with(end));
                    let hidden = matches!(status, 403 | 404 | 422) || (is_list && status == 200);
                    assert!(hidden, "{} {path} as {purpose}: {status} {body}", actor.handle);
                }
            }
        }
        // Somebody brings a database back beneath a service that runs: whichever sweeps finds it.
        let inside = world.superuser.replace("/postgres?", &format!("/{name}?"));
        let mut inside = sqlx::PgConnection::connect(&inside).await.unwrap();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        sqlx::raw_sql("DELETE FROM erased_before").execute(&mut inside).await.unwrap();
        let sweeping = tokio::spawn(app.eraser().run(stopped));
        crate::ledger::comes_true("the case is hidden again", async || {
            let hidden: i64 =
                sqlx::query_scalar("SELECT count(*) FROM erased_before").fetch_one(&mut inside).await.unwrap();
            hidden == 1
        })
        .await;
        stop.send_replace(true);
        sweeping.await.unwrap();
        inside.close().await.unwrap();
        serving.stop().await.unwrap();
        app.databases.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_of_before_shows_nothing_of_the_case() {
    let backed = Backed::up().await;
    let world = &backed.placing.world;
    let name = format!("{}_r", world.database);
    let config = moved(world, &name);
    let restored = bring_back(world, &config, &backed.folder, true).await.unwrap();
    let findings: Vec<String> = restored.ledger.findings.iter().map(ToString::to_string).collect();
    assert!(restored.ledger.ok(), "{findings:#?}");
    assert_eq!(restored.cases_hidden, 1);
    backed.shows_nothing(config, &name).await;
    drop_databases(world, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_somebody_brings_back_by_hand_shows_nothing_of_the_case_either() {
    let backed = Backed::up().await;
    let world = &backed.placing.world;
    let name = format!("{}_h", world.database);
    let config = moved(world, &name);
    let restore = Cluster::find_client("pg_restore").unwrap();
    let mut owner = world.server_owner().await;
    for (database, dump) in [(name.clone(), "main.dump"), (format!("{name}_erasure"), "erasure.dump")] {
        let made = format!("CREATE DATABASE {database} OWNER himaya_owner");
        sqlx::raw_sql(AssertSqlSafe(made)).execute(&mut owner).await.unwrap();
        himaya::setup::make_database(&mut owner, &database).await.unwrap();
        let address = world.superuser.replace("/postgres?", &format!("/{database}?"));
        let done = std::process::Command::new(&restore)
            .args(["--exit-on-error", "--single-transaction", "--dbname", &address])
            .arg(backed.folder.join(dump))
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    // It is all there again: rows, keys and wraps.
    let mut inside =
        sqlx::PgConnection::connect(&world.superuser.replace("/postgres?", &format!("/{name}?"))).await.unwrap();
    let wraps = "SELECT count(*) FROM wraps WHERE key_id = ANY($1)";
    let wraps = async || -> i64 { sqlx::query_scalar(wraps).bind(&backed.keys).fetch_one(&mut inside).await.unwrap() };
    let mut wraps = wraps;
    assert!(wraps().await > 8);
    // What was written down outside cannot be read: then nobody is answered at all.
    let file = config.checkpoints.join(himaya::guard::tombstones::FILE);
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir(&file).unwrap();
    let refused = App::start(config.clone(), world.clock.clone()).await.err().expect("it does not start");
    assert!(refused.to_string().contains("tombstones"), "{refused}");
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    backed.shows_nothing(config, &name).await;
    assert_eq!(wraps().await, 0, "of the case");
    inside.close().await.unwrap();
    drop_databases(world, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_the_erasure_store_is_erased_again() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let ids = hanging(&world, played.case).await.1;
    let keys = keys_of(&world, &ids).await.0;
    let mut erasure = world.erasure_owner().await;
    sqlx::raw_sql("CREATE TABLE kept AS TABLE erasure.keys").execute(&mut erasure).await.unwrap();
    // By a wrong clock: what is erased after it is written down all the same.
    let late = himaya::platform::random::uuid();
    let wrong = "INSERT INTO erasure.tombstones (key_id, erased_at) VALUES ($1, now() + interval '1 year')";
    sqlx::query(wrong).bind(late).execute(&mut erasure).await.unwrap();
    crate::ledger::comes_true("the one from the future is written down", async || {
        himaya::guard::tombstones::read(&world.app.config.checkpoints).unwrap().contains(&late)
    })
    .await;
    erase(&one, &other, &format!("/api/v1/cases/{}", played.case)).await;
    // Everything that was erased is written down outside the database as well, the case's own id among it.
    crate::ledger::comes_true("what was erased stands beside the checkpoints", async || {
        let written = himaya::guard::tombstones::read(&world.app.config.checkpoints).unwrap();
        keys.iter().chain([&played.case]).all(|key| written.contains(key))
    })
    .await;
    sqlx::raw_sql("INSERT INTO erasure.keys SELECT * FROM kept ON CONFLICT DO NOTHING")
        .execute(&mut erasure)
        .await
        .unwrap();
    assert_eq!(keys_of(&world, &ids).await.0, keys);
    assert_eq!(world.app.databases.sweeper.sweep(false).await.unwrap().unwrap().again, keys.len() as u64);
    assert!(keys_of(&world, &ids).await.0.is_empty());
}
