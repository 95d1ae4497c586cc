//! A log that is given from a minimum index on: what lies before is denied and not deleted, and everything behind is provable.

use crate::harness::World;
use crate::outside::{key, verify};
use crate::story::whole_ledger;
use crate::tiles::{Outside, grow};
use chrono::TimeDelta;
use himaya::audit::retention::{Period, RetentionConfig};
use himaya::audit::tiles::export;
use himaya::audit::verify::outside::{self as verifier, Fault, Source, Told};
use himaya::platform::config::Config;
use reqwest::StatusCode;
use serde_json::Value;
use std::path::Path;
use tlog_tiles::TileHashReader;
use zeroize::Zeroizing;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_period_is_denied_and_everything_behind_it_is_proved() {
    let world = World::new().await;
    let pruning = |config: Config| {
        let retention = RetentionConfig { tiles: Period::Months(24), ..RetentionConfig::default() };
        Config { retention, ..config }
    };
    let outside = Outside::with(&world, 700, pruning(world.app.config.clone())).await;
    let old = outside.checkpoint().await;
    let (early, kept) = (world.folder.join("early"), world.folder.join("kept"));
    let note = outside.get("checkpoint").await.text().await.unwrap();
    std::fs::write(&kept, &note).unwrap();
    let hashes = outside.get("tile/0/000").await.bytes().await.unwrap();
    let minimum = async || outside.get("keys").await.json::<Value>().await.unwrap()["minimum_index"].as_u64().unwrap();
    assert_eq!(minimum().await, 0);
    let keys = outside.app.log_keys().unwrap();
    let export = async |folder: &Path, minimum| {
        let (pool, checkpoints) = (&outside.app.databases.auditor, &outside.app.config.checkpoints);
        export::export(pool, &keys, vec![], minimum, checkpoints, folder, |_, _| {}).await.unwrap();
    };
    export(&early, 0).await;

    // Two years and more pass; the clock alone prunes nothing.
    world.clock.advance(TimeDelta::days(800));
    assert_eq!(minimum().await, 0, "the newest entry is of long ago");
    for handle in ["auditor1", "operator1"] {
        assert_eq!(world.country.person(handle).unwrap().sign_in().await.unwrap().status, 201);
    }
    let size = i64::try_from(old.size()).unwrap();
    grow(&world, size + 300).await;
    // It is looked up once an hour.
    world.clock.advance(TimeDelta::hours(2));
    assert_eq!(minimum().await, 256, "all of the bundle that is given first is older than two years");
    for (path, status) in [
        ("tile/entries/000", 410),
        ("tile/0/000", 410),
        ("tile/0/000.p/9", 410),
        ("tile/entries/000.p/255", 410),
        ("proof/0", 410),
        ("proof/255", 410),
        ("tile/entries/001", 200),
        ("tile/0/001", 200),
        ("tile/1/000.p/1", 200),
        ("proof/256", 200),
        ("tile/entries/009", 404),
    ] {
        let answer = outside.get(path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        if status == 410 {
            assert_eq!(answer.headers()["cache-control"], "no-store");
            let told: Value = answer.json().await.unwrap();
            assert!(
                told["code"] == "pruned" && told["detail"].as_str().unwrap().contains("from entry 256 on"),
                "{told}"
            );
        }
    }
    // Whoever has no token is told nothing of it.
    let stranger = reqwest::get(format!("{}/tile/entries/000", outside.prefix)).await.unwrap();
    assert_eq!(stranger.status(), StatusCode::NOT_FOUND);

    // Somebody else's library proves what the specification promises: entries, roots and consistency from the minimum on.
    let new = outside.checkpoint().await;
    let reader = TileHashReader::new(new.size(), *new.hash(), &outside);
    for index in [256, 300, new.size() - 1] {
        tlog_tiles::prove_record(new.size(), index, &reader).unwrap();
    }
    let proof = tlog_tiles::prove_tree(new.size(), old.size(), &reader).unwrap();
    tlog_tiles::check_tree(&proof, new.size(), *new.hash(), old.size(), *old.hash()).unwrap();

    // So does the verifier, by a clock that says that the time is over; what was saved of before the minimum cannot be compared.
    let token = world.folder.join("token");
    std::fs::write(&token, &outside.token).unwrap();
    let (token, key) = (token.to_str().unwrap().to_owned(), key(&outside));
    let checked = async |place: &str, saved: &[&Path]| {
        let saved = saved.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        let (key, now) = (key.parse().unwrap(), world.clock.now());
        let source = Source::open(place, Some(Zeroizing::new(outside.token.clone())), None).unwrap();
        let told = Told { key, saved, witnesses: vec![], needed: 0, now };
        verifier::verify(&source, &told, |_, _| ()).await.unwrap()
    };
    let report = checked(&outside.prefix, &[&kept]).await;
    assert!(report.ok() && report.saved == 1 && report.minimum == 256, "{:?}", report.faults);
    // The program goes by the machine's, and no log tells it that two years are over which are not.
    let (whole, text) = verify(&[
        "--tiles",
        &outside.prefix,
        "--token-file",
        &token,
        "--key",
        &key,
        "--checkpoint",
        kept.to_str().unwrap(),
    ]);
    assert!(text.contains("1 saved checkpoints") && text.contains("Checked from entry 256 on"), "{text}");
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with("FOUND")).collect();
    assert!(!whole && found.len() == 1 && found[0].contains("younger ones are kept back"), "{text}");
    let stored = "SELECT note FROM ledger_checkpoints WHERE size BETWEEN 1 AND 255 ORDER BY size DESC LIMIT 1";
    let before: String = sqlx::query_scalar(stored).fetch_one(&mut world.owner().await).await.unwrap();
    let saved = world.folder.join("before");
    std::fs::write(&saved, before).unwrap();
    let faults = checked(&outside.prefix, &[&saved]).await.faults;
    assert!(matches!(faults[..], [Fault::SavedBefore { minimum: 256, .. }]), "{faults:?}");

    // An export that was begun before goes on whole; a new one begins at the minimum. Neither has holes.
    let fresh = world.folder.join("fresh");
    for (folder, from) in [(&early, 0), (&fresh, 256)] {
        export(folder, 256).await;
        let report = checked(folder.to_str().unwrap(), &[]).await;
        assert!(report.ok() && report.minimum == from, "{:?}", report.faults);
        assert_eq!(folder.join("tile/entries/000").exists(), from == 0);
    }
    // A hole behind the minimum is no pruning.
    let mut owner = world.owner().await;
    sqlx::raw_sql("CREATE TABLE gone AS SELECT * FROM ledger_tree WHERE position = 300; DELETE FROM ledger_tree WHERE position = 300")
        .execute(&mut owner)
        .await
        .unwrap();
    let faults = checked(&outside.prefix, &[]).await.faults;
    assert!(faults.contains(&Fault::Gone(300)), "{faults:?}");
    sqlx::raw_sql("INSERT INTO ledger_tree TABLE gone; DROP TABLE gone").execute(&mut owner).await.unwrap();
    assert!(checked(&outside.prefix, &[]).await.ok());
    outside.stop().await;

    // Nothing was deleted: another setting gives everything again.
    let outside = Outside::of(&world, 0).await;
    assert_eq!(outside.get("tile/0/000").await.bytes().await.unwrap(), hashes);
    assert_eq!(outside.get("proof/0").await.status(), StatusCode::OK);
    outside.stop().await;
    whole_ledger(&world).await;
}
