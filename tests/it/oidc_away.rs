//! The issuer is lost where naming is required: the operator says so for some hours, and nothing else is taken off.

use crate::harness::World;
use crate::issuer::{Issuer, comes_in, link, named_by, said, ticket, words};
use crate::rotation_running::written;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use himaya::doctor::{Verdict, examine};
use himaya::platform::config::Config;
use himaya::staff::oidc::outage;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

fn lasting(from: DateTime<Utc>, until: DateTime<Utc>) -> String {
    let moment = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("{} {}\n", moment(from), moment(until))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_issuer_is_lost_the_operator_lets_people_in_by_name_for_some_hours_and_no_longer() {
    let world = World::new().await;
    let (issuer, issuing) = Issuer::start(&world).await;
    let config = named_by(&world, &issuer, true);
    let (_one, first, one) = world.replica_of(config.clone()).await;
    let (_two, second, two) = world.replica_of(config.clone()).await;
    let officer = world.country.person("officer1").unwrap().elsewhere().at(&one);
    officer.sign_in().await.unwrap();
    assert_eq!(link(&officer, &issuer, "subject").await.status, 201);
    let early = ticket(&world, &issuer, (&one, &one), "subject").await;
    issuing.abort();
    let _ = issuing.await;
    let by_name = async |base: &str, shown: Value| officer.elsewhere().at(base).try_sign_in(shown).await.unwrap();
    let file = config.checkpoints.join(outage::FILE);
    let locked_out = async |why: &str| {
        for base in [&one, &two] {
            assert_eq!(said(&by_name(base, words(&officer)).await), (401, "naming_needed"), "{why}");
        }
    };
    let verdict = async || {
        let said = examine(&config, &world.clock).await;
        said.into_iter().find(|check| check.about == "oidc.required").unwrap().verdict
    };
    locked_out("nobody has said anything").await;
    assert!(verdict().await == Verdict::Well);
    // Too long, not yet, over, no moments, or written by anybody: it says nothing.
    let now = world.clock.now();
    let (hour, day) = (TimeDelta::hours(1), TimeDelta::hours(24));
    assert!(outage::begin(&config.checkpoints, now, day + hour).is_err() && !file.exists());
    for text in [
        lasting(now - hour, now + day),
        lasting(now + hour, now + hour * 2),
        lasting(now - hour * 2, now - hour),
        format!("{}\n", now.to_rfc3339()),
        String::new(),
    ] {
        std::fs::write(&file, &text).unwrap();
        locked_out(&text).await;
    }
    std::fs::write(&file, lasting(now - hour, now + hour)).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    locked_out("anybody may have written it").await;
    assert!(verdict().await == Verdict::Wrong);
    std::fs::remove_file(&file).unwrap();

    // By the operator, at every process of the machine and at once; the words and whatever else are asked for as before.
    let until = outage::begin(&config.checkpoints, now, hour * 3).unwrap();
    assert_eq!(until, now + hour * 3);
    assert_eq!(said(&by_name(&two, json!({ "passphrase": "not the one" })).await), (401, "wrong_credentials"));
    for base in [&one, &two] {
        let came = by_name(base, words(&officer)).await;
        assert_eq!(came.status, 201, "{}", came.text);
    }
    assert_eq!(comes_in(&world, &one, &early, words(&officer)).await.status, 201, "who was named comes in as named");
    assert!(verdict().await == Verdict::Wrong);
    assert_eq!(emergencies(&world).await, 2, "the entry of each sign-in without a name says so");
    world.clock.advance(hour * 3);
    locked_out("it has ended by itself").await;
    // And when the issuer is back.
    outage::begin(&config.checkpoints, world.clock.now(), hour).unwrap();
    assert_eq!(by_name(&one, words(&officer)).await.status, 201);
    outage::end(&config.checkpoints).unwrap();
    locked_out("the operator has ended it").await;
    outage::end(&config.checkpoints).unwrap();
    for serving in [first, second] {
        serving.stop().await.unwrap();
    }
}

/// How many sign-ins the auditor is told to have been in an emergency.
async fn emergencies(world: &World) -> usize {
    let auditor = world.signed_in("auditor1").await;
    crate::ledger::comes_true("the sign-ins have their place", async || {
        let waits = sqlx::query_scalar("SELECT count(*) FROM ledger_pending").fetch_one(&mut world.owner().await).await;
        matches!(waits, Ok(0_i64))
    })
    .await;
    let page = auditor.get("/api/v1/ledger/entries?limit=100", "audit").await.unwrap();
    let items = page.body["items"].as_array().unwrap();
    let is_one = |item: &&Value| {
        let detail = &item["detail"];
        (&detail["kind"], &detail["verb"], &detail["purpose"])
            == (&json!("session"), &json!("create"), &json!("emergency"))
    };
    items.iter().filter(is_one).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_command_says_so_and_takes_it_back() {
    let world = World::new().await;
    let (issuer, _issuing) = Issuer::start(&world).await;
    let run = |told: &Path, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_himaya"));
        let run = command.args(["oidc", "outage", "--config"]).arg(told).args(more).output().unwrap();
        (
            run.status.success(),
            format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr)),
        )
    };
    let config = named_by(&world, &issuer, false);
    let told = written(&world, |own| Config { oidc: config.oidc, ..own });
    let (well, text) = run(&told, &[]);
    assert!(!well && text.contains("oidc.required"), "{text}");
    let config = named_by(&world, &issuer, true);
    let told = written(&world, |own| Config { oidc: config.oidc.clone(), ..own });
    for wrong in ["0", "25"] {
        assert!(!run(&told, &["--hours", wrong]).0, "{wrong}");
    }
    let now = world.clock.now();
    assert_eq!(outage::until(&config.checkpoints, now).unwrap(), None);
    let (well, text) = run(&told, &["--hours", "2"]);
    assert!(well, "{text}");
    let until = outage::until(&config.checkpoints, world.clock.now()).unwrap().unwrap();
    assert!((until - now - TimeDelta::hours(2)).abs() < TimeDelta::minutes(2), "{until}");
    assert!(run(&told, &["--end"]).0);
    assert_eq!(outage::until(&config.checkpoints, world.clock.now()).unwrap(), None);
}
