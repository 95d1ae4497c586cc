//! With which settings a process works stands in the ledger: by a fingerprint that the doctor says too.

use crate::harness::World;
use crate::repeated::entries;
use crate::witnessed::soon;
use himaya::demo::actor::Actor;
use himaya::doctor::examine;
use himaya::platform::config::{Config, address};
use himaya::platform::configured::fingerprint;
use serde_json::json;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Write as _;
use uuid::Uuid;

/// The fingerprints that the auditors find, in the order in which they were entered.
async fn told(auditor: &Actor) -> Vec<Uuid> {
    let request = auditor.request(reqwest::Method::POST, "/api/v1/ledger/searches").await.header("purpose", "audit");
    let sought = json!({ "kind": "configuration", "verb": "begin", "outcome": "done" });
    let found = auditor.send(request.json(&sought)).await.unwrap();
    assert_eq!(found.status, 200, "{}", found.text);
    let items = found.field("items").as_array().unwrap().clone();
    items.iter().rev().map(|item| item["detail"]["records"][0].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_what_a_process_works_with_leaves_a_trace() {
    let world = World::new().await;
    let auditor = world.signed_in("auditor1").await;
    let own = fingerprint(&world.app.config, &world.app.secrets);
    soon("it told", async || told(&auditor).await.last() == Some(&own)).await;
    let before = told(&auditor).await.len();

    // The same settings are the same; each other one is another.
    let same = world.app.config.clone();
    let mut fewer = same.clone();
    fewer.sign_ins_at_once += 1;
    let mut trusting = same.clone();
    trusting.behind_proxy = !trusting.behind_proxy;
    let elsewhere = Config { checkpoints: world.folder.join("elsewhere"), ..same.clone() };
    std::fs::create_dir(&elsewhere.checkpoints).unwrap();
    std::fs::copy(same.checkpoints.join("checkpoint"), elsewhere.checkpoints.join("checkpoint")).unwrap();
    let mut wanted = BTreeSet::new();
    for config in [same, fewer, trusting, elsewhere] {
        let earlier = entries(&world).await;
        let (app, serving, _) = world.replica_of(config.clone()).await;
        assert!(entries(&world).await > earlier, "when it answers, it has told");
        wanted.insert(fingerprint(&config, &app.secrets));
        serving.stop().await.unwrap();
    }
    assert_eq!(wanted.len(), 4);
    soon("each told once", async || told(&auditor).await.len() == before + 4).await;
    assert_eq!(told(&auditor).await[before..].iter().copied().collect::<BTreeSet<_>>(), wanted);

    // The doctor of these settings says the same word.
    let said = examine(&world.app.config, &world.clock).await;
    assert!(said.iter().any(|check| check.about == "settings" && check.said.contains(&own.to_string())), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_it_runs_is_told_too_and_no_password_goes_into_it() {
    let world = World::new().await;
    let auditor = world.signed_in("auditor1").await;
    let own = fingerprint(&world.app.config, &world.app.secrets);
    soon("it told", async || told(&auditor).await.last() == Some(&own)).await;
    // Another founding is pinned by hand.
    let mut pins = std::fs::OpenOptions::new().append(true).open(&world.app.config.pins).unwrap();
    writeln!(pins, "{}", "0".repeat(64)).unwrap();
    let now = fingerprint(&world.app.config, &world.app.secrets);
    assert_ne!(own, now);
    soon("the pin is told", async || told(&auditor).await.last() == Some(&now)).await;

    let other =
        world.app.config.database.change(|_, full| Ok::<_, Infallible>(address::with_password(full, "another")));
    let other = Config { database: other.unwrap(), ..world.app.config.clone() };
    assert_eq!(fingerprint(&other, &world.app.secrets), now);
}
