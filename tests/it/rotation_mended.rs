//! What goes wrong while secrets are exchanged: clocks that step back, processes that missed a value, files that are lost, and
//! an owner of the database who has the old key.

use crate::harness::World;
use crate::ledger::comes_true;
use crate::restoring::{bring_back, moved, superusers};
use crate::rotation::{checkpoint, needed, newest, retire, rotate, signatures, switch, verified, work};
use chrono::TimeDelta;
use himaya::audit::note::{self, KeyName, NoteSigner};
use himaya::audit::sequencer::{self, SequencerError, SequencerParts};
use himaya::audit::verify::{Finding, Kept};
use himaya::platform::config::Config;
use himaya::platform::secrets::{self, NOTICE, Named, Secrets, keep_fresh};
use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A folder of secrets of its own, as on a machine that nobody brings up to date.
fn copied(world: &World, name: &str) -> PathBuf {
    let folder = world.folder.join(name);
    std::fs::create_dir(&folder).unwrap();
    for name in Named::ALL {
        std::fs::copy(world.app.config.secrets.join(name.as_str()), folder.join(name.as_str())).unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_back_behind_the_switch_leads_back_to_no_older_key() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    rotate(&world, Named::Ledger, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(62));
    work(&operator).await;
    switch(&world, &operator).await;
    // Before the new key's moment, for those that run and for one that starts now.
    world.clock.advance(TimeDelta::seconds(-150));
    work(&operator).await;
    checkpoint(&world).await;
    let (_, serving, base) = world.replica().await;
    work(&operator.at(&base)).await;
    checkpoint(&world).await;
    serving.stop().await.unwrap();
    world.stop().await;
    let report = verified(&world, &world.app.log_keys().unwrap(), &[]).await;
    assert!(report.ok(), "{:#?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_that_was_put_back_in_the_database_is_found_and_not_continued() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let first = newest(&world.app, Named::Ledger);
    let stolen = world.app.secrets.ledger.get().find(&first).unwrap().value.signing.clone().unwrap();
    rotate(&world, Named::Ledger, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(62));
    switch(&world, &operator).await;
    let saved = checkpoint(&world).await;
    world.stop().await;
    let keys = world.app.log_keys().unwrap();
    assert!(verified(&world, &keys, std::slice::from_ref(&saved)).await.ok());

    // The owner of the database signs every checkpoint anew.
    let mut owner = world.owner().await;
    let notes: Vec<(i64, String)> =
        sqlx::query_as("SELECT size, note FROM ledger_checkpoints").fetch_all(&mut owner).await.unwrap();
    let signer = NoteSigner::new(KeyName::new(world.app.config.log_origin.as_str()).unwrap(), &stolen);
    for (size, old) in notes {
        let anew = note::sign(note::unverified_text(&old).unwrap(), &[&signer]).unwrap();
        sqlx::query("UPDATE ledger_checkpoints SET note = $2 WHERE size = $1")
            .bind(size)
            .bind(anew)
            .execute(&mut owner)
            .await
            .unwrap();
    }
    let found = verified(&world, &keys, &[saved]).await.findings;
    let by_old = |finding: &Finding| matches!(finding, Finding::CheckpointByOldKey { kept: Kept::Database, .. });
    assert!(found.iter().any(by_old), "{found:#?}");
    let parts = SequencerParts {
        pool: world.app.databases.sequencer.clone(),
        keys: world.app.secrets.ledger.clone(),
        origin: world.app.config.log_origin.clone(),
        folder: world.app.config.checkpoints.clone(),
        clock: world.clock.clone(),
    };
    let (_stop, stopped) = watch::channel(false);
    let ended = tokio::time::timeout(Duration::from_secs(20), sequencer::run(parts, stopped)).await;
    assert!(matches!(ended, Ok(Err(SequencerError::OldKey))), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_missed_the_new_key_and_sequences_gives_the_office_to_one_that_has_it() {
    let mut world = World::new().await;
    let stale = copied(&world, "stale");
    let config = Config { secrets: stale.clone(), ..world.app.config.clone() };
    world.stop().await;
    let (missed, missing, missing_base) = world.replica_of(config).await;
    let operator = world.country.person("operator1").unwrap().at(&missing_base);
    operator.sign_in().await.unwrap();
    work(&operator).await;
    checkpoint(&world).await;
    // It holds the office when the other one comes.
    let (fresh, serving, base) = world.replica().await;
    rotate(&world, Named::Ledger, &[&fresh]).await;
    world.clock.advance(TimeDelta::seconds(62));
    let at_fresh = operator.at(&base);
    work(&at_fresh).await;
    checkpoint(&world).await;
    world.clock.advance(TimeDelta::seconds(125));
    work(&at_fresh).await;
    assert_eq!(signatures(&checkpoint(&world).await), 2);
    world.clock.advance(TimeDelta::seconds(12));
    work(&at_fresh).await;
    assert_eq!(signatures(&checkpoint(&world).await), 1);
    // Alone again, and brought up to date at last, it sequences: it did not end in between.
    serving.stop().await.unwrap();
    let parts = SequencerParts {
        pool: missed.databases.sequencer.clone(),
        keys: missed.secrets.ledger.clone(),
        origin: world.app.config.log_origin.clone(),
        folder: world.app.config.checkpoints.clone(),
        clock: world.clock.clone(),
    };
    let (stop, stopped) = watch::channel(false);
    let ended = tokio::time::timeout(Duration::from_secs(3), sequencer::run(parts, stopped)).await;
    assert!(ended.is_err(), "what it does not know is not forged: {ended:?}");
    drop(stop);
    std::fs::copy(world.app.config.secrets.join("ledger"), stale.join("ledger")).unwrap();
    comes_true("it reads the new key", async || missed.secrets.ledger.get().iter().count() == 2).await;
    let call = serde_json::json!({ "content": { "safe_to_talk": "yes" } });
    comes_true("it writes again", async || operator.post("/api/v1/calls", &call).await.unwrap().status == 201).await;
    checkpoint(&world).await;
    missing.stop().await.unwrap();
    let report = verified(&world, &fresh.log_keys().unwrap(), &[]).await;
    assert!(report.ok(), "{:#?}", report.findings);
}

/// What a process that knows `known` makes of the files as they are now.
async fn read_again(world: &World, known: &Arc<Secrets>, folder: &Path) {
    let config = Config { secrets: folder.to_owned(), ..world.app.config.clone() };
    let (stop, stopped) = watch::channel(false);
    let reading = keep_fresh(Arc::clone(known), config, world.clock.clone(), stopped);
    // The files are read at once; then it waits for them to change.
    assert!(tokio::time::timeout(Duration::from_secs(1), reading).await.is_err());
    drop(stop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_vouch_makes_a_running_service_forget_nothing() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let before = work(&operator).await;
    rotate(&world, Named::Vouch, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(62));
    let after = work(&operator).await;
    let folder = copied(&world, "lost");
    let config = Config { secrets: folder.clone(), ..world.app.config.clone() };
    let known = Arc::new(Secrets::read(&config).await.unwrap());
    let file = folder.join("vouch");
    let both = std::fs::read_to_string(&file).unwrap();
    let older = format!("{}\n", both.lines().next().unwrap());
    let newer = format!("{}\n", both.lines().nth(1).unwrap().split(' ').next().unwrap());
    for left in [None, Some(older), Some(newer)] {
        match &left {
            None => std::fs::remove_file(&file).unwrap(),
            Some(text) => std::fs::write(&file, text).unwrap(),
        }
        read_again(&world, &known, &folder).await;
        assert_eq!(known.vouch.get().iter().count(), 2, "{}", left.is_some());
    }
    std::fs::write(&file, both).unwrap();
    read_again(&world, &known, &folder).await;
    // The service itself, with its own file gone.
    std::fs::remove_file(world.app.config.secrets.join("vouch")).unwrap();
    read_again(&world, &world.app.secrets, &world.app.config.secrets).await;
    for path in [before, after] {
        assert_eq!(operator.get(&path, "intake").await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_keeps_no_pepper_and_a_lost_pepper_is_no_wrong_try() {
    let world = World::new().await;
    let first = newest(&world.app, Named::Pepper);
    let (operator, left) = (world.country.person("operator1").unwrap(), world.country.person("operator2").unwrap());
    let mut owner = world.owner().await;
    sqlx::query("DELETE FROM credential_slots WHERE account_id NOT IN ($1, $2)")
        .bind(operator.account)
        .bind(left.account)
        .execute(&mut owner)
        .await
        .unwrap();
    operator.sign_in().await.unwrap();
    rotate(&world, Named::Pepper, &[&world.app]).await;
    world.clock.advance(TimeDelta::seconds(130));
    operator.sign_in().await.unwrap();
    assert!(needed(&world, Named::Pepper).await.contains("of 1 people"));

    // Tries while the pepper is away count for nothing, however many.
    let pepper = "UPDATE credential_slots SET pepper = $1 WHERE account_id = $2";
    let set = async |to: &str| {
        sqlx::query(pepper).bind(to).bind(left.account).execute(&mut world.owner().await).await.unwrap();
    };
    set("00000000000000aa").await;
    for _ in 0..12 {
        let refused = left.sign_in().await.err().unwrap().to_string();
        assert!(refused.contains("500"), "{refused}");
    }
    set(&first).await;
    left.sign_in().await.unwrap();
    set(&first).await;

    sqlx::query("UPDATE accounts SET disabled_at = now() WHERE id = $1")
        .bind(left.account)
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(retire(&world, Named::Pepper).await.unwrap(), [first]);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_another_command_takes_nothing_from_the_notice() {
    let world = World::new().await;
    let file = OpenOptions::new().create(true).append(true).open(world.app.config.secrets.join(".rotating")).unwrap();
    file.lock().unwrap();
    let (config, clock) = (world.app.config.clone(), world.clock.clone());
    let rotating = tokio::spawn(async move { secrets::rotate(&config, Named::Token, NOTICE, &clock).await });
    let inode = format!(":{} ", file.metadata().unwrap().ino());
    comes_true("it waits for the other one", async || {
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| line.contains("-> FLOCK") && line.contains(&inode))
    })
    .await;
    world.clock.advance(TimeDelta::seconds(120));
    let now = world.clock.now();
    file.unlock().unwrap();
    let from = rotating.await.unwrap().unwrap().from;
    assert!(from >= now + NOTICE, "{from} is not {NOTICE} after {now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_what_introduces_the_ledgers_keys() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    rotate(&world, Named::Ledger, &[&world.app]).await;
    work(&operator).await;
    checkpoint(&world).await;
    let folder = world.app.config.checkpoints.clone();
    let introductions = || {
        let names = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.split_once('.').is_some_and(|(_, kind)| kind == "key")).collect::<Vec<_>>()
    };
    comes_true("the new key is introduced", async || introductions().len() == 1).await;
    // What somebody else put there is not taken along.
    std::fs::write(folder.join("junk.key"), "junk").unwrap();
    let to = world.folder.join("backup");
    let manifest = himaya::backup::take(&world.app.config, &superusers(&world), &to, &world.clock).await.unwrap();
    std::fs::remove_file(folder.join("junk.key")).unwrap();
    let [name] = &introductions()[..] else { panic!("one introduction") };
    assert!(manifest.files.contains_key(name) && !manifest.files.contains_key("junk.key"));
    let note = std::fs::read(folder.join(name)).unwrap();
    world.stop().await;
    world.app.databases.close().await;
    std::fs::remove_file(folder.join(name)).unwrap();
    let config = moved(&world, &format!("{}_r", world.database));
    let restored = bring_back(&world, &config, &to, true).await.unwrap();
    assert!(restored.ledger.ok());
    assert_eq!(std::fs::read(folder.join(name)).unwrap(), note);
}
