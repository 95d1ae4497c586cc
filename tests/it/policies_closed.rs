//! A process whose policy nobody agreed to is closed, takes a repair, and is found in the ledger; planted rows keep nobody from agreeing.

use crate::doctor::production;
use crate::harness::World;
use crate::policies::{POLICIES, another, countersign, propose, shown, the_two};
use crate::rotation_running::written;
use crate::running::{becomes, operators};
use crate::walls::injected;
use crate::{succession, succession_attacked};
use himaya::audit::keys::LogKeys;
use himaya::audit::verify::{Agreed, Believed, Finding, Report, verify_with};
use himaya::demo::actor::Actor;
use himaya::doctor::{NoCouncil, agreements_of};
use himaya::guard::policy::Bundle;
use himaya::guard::statement::hex;
use himaya::platform::app::App;
use himaya::platform::config::Config;
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;

const RULE: &str = "p, helpline_operator, own_draft, call, close, -, allow";

fn version(config: &Config, (folder, bundle): (PathBuf, &Bundle)) -> Config {
    Config { policies: folder, policy_sha256: Some(hex(&bundle.digest())), ..config.clone() }
}

async fn calls(operator: &Actor) -> (u16, String) {
    let call = json!({ "content": { "safe_to_talk": "yes" } });
    let reply = operator.post("/api/v1/calls", &call).await.unwrap();
    (reply.status, reply.code().to_owned())
}

fn closed() -> (u16, String) {
    (503, "policy_not_agreed".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_policy_nobody_agreed_to_starts_closed_and_takes_the_repair() {
    let world = World::new().await;
    let config = production(&world).await;
    let (folder, next) = another(&world, RULE).await;
    let (app, serving, base) = world.replica_of(version(&config, (folder, &next))).await;
    let (door, ready) = operators(&app).await;
    let (_old, old, old_base) = world.replica_of(config).await;
    let operator = world.signed_in("operator1").await;
    assert_eq!(calls(&operator.at(&base)).await, closed());
    assert_eq!(calls(&operator.at(&old_base)).await.0, 201);
    becomes(&ready, "/ready", |status, text| status == 503 && text.contains("policy_not_agreed")).await;
    // Not even what leads to a first agreement: that policy could let anybody do it.
    let admin = world.signed_in("admin1").await.at(&base);
    let people = admin.get("/api/v1/organisations", "").await.unwrap();
    let ends = admin.post(&format!("/api/v1/accounts/{}/disable", operator.account), &json!({})).await.unwrap();
    let made = admin.post("/api/v1/organisations", &json!({ "kind": "squad", "name": "another" })).await.unwrap();
    for reply in [people, ends, made] {
        assert_eq!((reply.status, reply.code().to_owned()), closed(), "{}", reply.text);
    }
    // Signing in, and the policy.
    let one = world.country.person("coordinator1").unwrap().elsewhere().at(&base);
    one.sign_in().await.unwrap();
    let other = world.country.person("statistician1").unwrap().elsewhere().at(&base);
    other.sign_in().await.unwrap();
    assert_eq!(one.get(POLICIES, "").await.unwrap().body["agreed"], json!(false));
    let stranger = world.signed_in("statistician2").await.at(&base);
    let body = json!({ "shown": shown(&stranger) });
    assert_eq!(stranger.post(POLICIES, &body).await.unwrap().status, 404);
    let proposed = one.post(POLICIES, &json!({ "shown": shown(&one) })).await.unwrap();
    assert_eq!((proposed.status, proposed.text_of("digest")), (201, hex(&next.digest()).as_str()), "{}", proposed.text);
    // There is nothing to compare with here, so no rule is left out.
    let read = proposed.text_of("difference");
    let rules = next.rules.lines().filter(|line| line.starts_with("p, "));
    assert!(rules.clone().count() > 300 && rules.clone().all(|rule| read.contains(&format!("+ {rule}\n"))), "{read}");
    assert!(read.contains("ALL of the second") && read.contains(&hex(&world.app.policy.hash())), "{read}");
    assert_eq!(calls(&operator.at(&base)).await, closed(), "one alone");
    assert_eq!(countersign(&one, &proposed).await.code(), "signed_already");
    assert_eq!(countersign(&other, &proposed).await.status, 200);
    assert_eq!(calls(&operator.at(&base)).await.0, 201, "without a new start");
    becomes(&ready, "/ready", |status, text| status == 200 && text == "ready").await;
    crate::ledger::comes_true("the process of the policy before closes", async || {
        calls(&operator.at(&old_base)).await == closed()
    })
    .await;
    door.close().await;
    for serving in [serving, old] {
        serving.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_process_takes_no_proposal_after_which_nobody_could_change_the_policy() {
    let world = World::new().await;
    let config = production(&world).await;
    let (folder, next) = another(&world, "p, statistician, responsible_of, policy, countersign, -, allow").await;
    let (_app, serving, base) = world.replica_of(version(&config, (folder, &next))).await;
    let (one, _) = the_two(&world).await;
    let tried = one.at(&base).post(POLICIES, &json!({ "shown": shown(&one) })).await.unwrap();
    assert_eq!((tried.status, tried.body["errors"][0]["field"].as_str()), (422, Some("rules")), "{}", tried.text);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_rows_keep_nobody_from_agreeing_and_hide_no_proposal() {
    let world = World::new().await;
    let config = production(&world).await;
    let (one, other) = the_two(&world).await;
    let mut owner = world.owner().await;
    // As many as were once read, before and behind the true ones, as agreed and as waiting; the notes are copies, or nothing.
    let plant = "INSERT INTO policy_changes (id, organisation_id, number, note, difference, made_at, agreed_at, registered_by, register_no)
                 SELECT gen_random_uuid(), organisation_id, 1 + n % 2, CASE WHEN n % 3 = 0 THEN note ELSE 'x' END, '',
                        made_at + make_interval(hours => n % 5), CASE WHEN n % 10 > 0 THEN now() END, NULL, NULL
                 FROM policy_changes, generate_series(1, 11200) n WHERE number = 1 AND agreed_at IS NOT NULL";
    sqlx::query(plant).execute(&mut owner).await.unwrap();
    let app = App::start(config.clone(), world.clock.clone()).await.unwrap();
    assert!(!app.council.is_closed());
    assert_eq!(app.council.agreements().await.unwrap().unwrap().all().len(), 1);
    let (_, next) = another(&world, RULE).await;
    let proposed = propose(&one, &next, 1).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    let listed = other.get(POLICIES, "").await.unwrap();
    let items = listed.body["items"].as_array().unwrap();
    assert!(items.iter().any(|item| item["id"] == proposed.body["id"]), "{}", listed.text);
    assert_eq!(items.len(), 2, "and nothing that neither of the two has signed");
    assert_eq!(countersign(&other, &proposed).await.status, 200);
    assert_eq!(world.app.council.agreements().await.unwrap().unwrap().all().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_of_who_proposed_marks_nothing_of_theirs_as_agreed_to() {
    let world = World::new().await;
    production(&world).await;
    let (one, other) = the_two(&world).await;
    let (_, next) = another(&world, RULE).await;
    let proposed = propose(&one, &next, 0).await;
    let mark = "UPDATE policy_changes SET agreed_at = now() WHERE agreed_at IS NULL";
    let mut theirs = injected(&world, &one.secrets().await.1).await;
    assert_eq!(sqlx::query(mark).execute(&mut theirs).await.unwrap().rows_affected(), 0);
    assert_eq!(countersign(&other, &proposed).await.status, 200);
}

async fn report(world: &World) -> Report {
    let keys = LogKeys::of(&world.app.config.log_origin, &world.app.secrets.ledger.get()).unwrap();
    crate::ledger::comes_true("all entries have their place", async || {
        let waits = sqlx::query_scalar("SELECT count(*) FROM ledger_pending").fetch_one(&mut world.owner().await).await;
        matches!(waits, Ok(0_i64))
    })
    .await;
    let agreed = world.app.council.agreements().await.unwrap().as_ref().and_then(Agreed::of);
    let believed = Believed { agreed, ..Believed::at(world.clock.now()) };
    verify_with(&world.app.databases.auditor, &keys, true, believed, |_, _| ()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verifier_tells_what_was_entered_under_a_policy_to_which_nobody_agreed() {
    let world = World::new().await;
    // Before anybody has agreed to anything there is nothing to be held to.
    let (early, _) = another(&world, "p, helpline_operator, responsible_of, policy, propose, -, allow").await;
    let (_early, trial, at_trial) = world.replica_with(&early).await;
    assert_eq!(calls(&world.signed_in("operator1").await.at(&at_trial)).await.0, 201);
    trial.stop().await.unwrap();
    assert_eq!(report(&world).await.findings, []);
    let config = production(&world).await;
    assert_eq!(report(&world).await.findings, [], "nor afterwards, for what was before");

    let (folder, next) = another(&world, RULE).await;
    let next_version = version(&config, (folder, &next));
    let (_app, serving, base) = world.replica_of(next_version.clone()).await;
    let duty = world.country.person("duty1").unwrap().elsewhere().at(&base);
    for _ in 0..2 {
        duty.sign_in().await.unwrap();
    }
    let found = report(&world).await.findings;
    let [Finding::PolicyNotAgreed { change }] = found.as_slice() else { panic!("{found:?}") };
    // That the process began, and two who signed in.
    assert_eq!((change.policy, change.entries), (next.digest(), 3));
    let told = found[0].to_string();
    assert!(
        told.contains(&hex(&next.digest())) && told.contains("never agreed") && told.contains("3 entries"),
        "{told}"
    );
    serving.stop().await.unwrap();

    // The operator's command says it as well.
    let told = written(&world, |config| config);
    let run =
        Command::new(env!("CARGO_BIN_EXE_himaya")).args(["audit", "verify", "--config"]).arg(&told).output().unwrap();
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(!run.status.success() && text.contains("FOUND: 3 entries"), "{text}");
    assert!(text.contains(&format!("Policy {}, never agreed to: entries", hex(&next.digest()))), "{text}");
    assert!(text.contains(&format!("Policy {}, agreed to by two: entries", hex(&world.app.policy.hash()))), "{text}");

    // Once the two have agreed to it, it is one to which they did.
    let (one, other) = the_two(&world).await;
    let proposed = propose(&one, &next, 1).await;
    assert_eq!(countersign(&other, &proposed).await.status, 200);
    assert_eq!(report(&world).await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verifier_believes_no_founding_that_nobody_agreed_to_and_misses_agreements_that_are_gone() {
    let world = World::new().await;
    let mut config = production(&world).await;
    // An auditor's own machine: beside the pins nothing says that anybody ever agreed.
    (config.policy_keepers, config.checkpoints) = (None, world.folder.join("elsewhere"));
    std::fs::create_dir(&config.checkpoints).unwrap();
    let looked = async || agreements_of(&config, &world.clock).await;
    assert!(looked().await.unwrap().is_some());
    let office = world.country.organisations["coordinator_office"];
    let mut owner = world.owner().await;
    let (first, _) = succession::founding_of(&world, office).await;
    sqlx::raw_sql("CREATE TABLE kept (LIKE policy_changes)").execute(&mut owner).await.unwrap();
    for (takes_away, puts_back) in [
        (
            "UPDATE foundings SET complete = false WHERE organisation_id = $1",
            "UPDATE foundings SET complete = true WHERE organisation_id = $1",
        ),
        (
            "WITH gone AS (DELETE FROM policy_changes WHERE organisation_id = $1 RETURNING *) INSERT INTO kept SELECT * FROM gone",
            "INSERT INTO policy_changes SELECT * FROM kept WHERE organisation_id = $1",
        ),
    ] {
        assert_eq!(sqlx::query(takes_away).bind(office).execute(&mut owner).await.unwrap().rows_affected(), 1);
        let gone = looked().await;
        assert!(matches!(gone, Err(NoCouncil::Nobody)), "{takes_away}: {:?}", gone.err());
        sqlx::query(puts_back).bind(office).execute(&mut owner).await.unwrap();
    }
    assert!(looked().await.unwrap().is_some());
    // One of the two, somebody who would be the other, and the owner of the database.
    let bribed = world.signed_in("coordinator1").await;
    let proposed = succession::propose(&world, &bribed, office, ["coordinator1", "statistician2"]).await;
    succession::pin(&world, &proposed);
    let note = succession_attacked::forged(&world, office, ["coordinator1", "statistician2"]).await;
    let keep = "INSERT INTO former_foundings (organisation_id, number, note, succession_id, first_id, second_id, followed_at)
                SELECT organisation_id, 0, $2, id, first_id, second_id, now() FROM successions WHERE organisation_id = $1";
    sqlx::query(keep).bind(office).bind(&first).execute(&mut owner).await.unwrap();
    let put = "UPDATE foundings SET note = $2 WHERE organisation_id = $1";
    sqlx::query(put).bind(office).bind(&note).execute(&mut owner).await.unwrap();
    assert!(looked().await.is_err());
}
