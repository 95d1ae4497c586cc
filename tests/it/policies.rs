//! The policy of a service in production is changed by two persons, and by no owner of the database or of a file.

use crate::doctor::{as_in_production, production};
use crate::harness::World;
use crate::thief::stolen_keys;
use chrono::TimeDelta;
use himaya::audit::keys::LogKeys;
use himaya::audit::verify::{Finding, verify};
use himaya::demo::actor::{Actor, Reply};
use himaya::doctor::{Verdict, examine};
use himaya::guard::keys::PersonKeys;
use himaya::guard::policy::Bundle;
use himaya::guard::record::{AccountId, OrganisationId, RecordKind};
use himaya::guard::statement::{self, hex};
use himaya::platform::app::App;
use himaya::platform::config::Config;
use serde_json::{Value, json};
use std::path::PathBuf;
use uuid::Uuid;

pub const POLICIES: &str = "/api/v1/policies";

pub fn shown(actor: &Actor) -> Value {
    json!({ "passphrase": actor.passphrase })
}

/// The policy of the repository, without one of its rules.
pub async fn another(world: &World, without: &str) -> (PathBuf, Bundle) {
    let mut bundle = Bundle::of(&world.app.config.policies).await.unwrap();
    let rules: Vec<&str> = bundle.rules.lines().filter(|line| *line != without).collect();
    assert_ne!(rules.len(), bundle.rules.lines().count(), "{without}");
    bundle.rules = format!("{}\n", rules.join("\n"));
    let folder = world.folder.join(hex(&bundle.digest()[..4]));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("model.conf"), &bundle.model).unwrap();
    std::fs::write(folder.join("access.csv"), &bundle.rules).unwrap();
    (folder, bundle)
}

pub async fn propose(by: &Actor, bundle: &Bundle, overlap_hours: u8) -> Reply {
    let new =
        json!({ "model": bundle.model, "rules": bundle.rules, "overlap_hours": overlap_hours, "shown": shown(by) });
    by.post(POLICIES, &new).await.unwrap()
}

pub async fn countersign(by: &Actor, proposed: &Reply) -> Reply {
    let body = json!({ "fingerprint": proposed.text_of("fingerprint"), "shown": shown(by) });
    by.post(&format!("{POLICIES}/{}/countersign", proposed.id("id")), &body).await.unwrap()
}

pub async fn the_two(world: &World) -> (Actor, Actor) {
    (world.signed_in("coordinator1").await, world.signed_in("statistician1").await)
}

/// What a service says that starts closed.
async fn closed(world: &World, config: Config) -> String {
    let app = App::start(config, world.clock.clone()).await.unwrap();
    assert!(app.council.is_closed() && app.council.open(RecordKind::Call).is_err());
    app.council.told().await.unwrap()
}

/// Why a service does not start.
async fn refused(world: &World, config: Config) -> String {
    App::start(config, world.clock.clone()).await.err().expect("it does not start").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_production_nothing_is_opened_before_two_different_persons_have_agreed() {
    let world = World::new().await;
    let (_app, serving, base) = world.replica_of(as_in_production(&world).await).await;
    let (one, other) = the_two(&world).await;
    let (one, other) = (one.at(&base), other.at(&base));
    let operator = world.signed_in("operator1").await.at(&base);
    let call = json!({ "content": { "safe_to_talk": "yes" } });
    let closed = async || {
        let (written, read) = (
            operator.post("/api/v1/calls", &call).await.unwrap(),
            operator.get("/api/v1/calls", "intake").await.unwrap(),
        );
        assert_eq!((written.status, written.code()), (503, "policy_not_agreed"), "{}", written.text);
        assert_eq!((read.status, read.code()), (503, "policy_not_agreed"), "{}", read.text);
    };
    closed().await;
    // What leads to an agreement goes on: signing in, organisations and their people, and the policy itself.
    let admin = world.signed_in("admin1").await.at(&base);
    assert_eq!(admin.get("/api/v1/organisations", "").await.unwrap().status, 200);
    let seen = admin.get(POLICIES, "").await.unwrap();
    let two = json!({ "organisation": world.country.organisations["coordinator_office"], "agreed": false });
    assert_eq!((&seen.body["organisation"], &seen.body["agreed"]), (&two["organisation"], &two["agreed"]));

    // Nobody else: not the administrators, not those who answer for another organisation, not a colleague of the two.
    let body = |actor: &Actor| json!({ "shown": shown(actor) });
    for stranger in ["admin1", "admin2", "ssupervisor1", "auditor1", "statistician2", "officer1"] {
        let stranger = world.signed_in(stranger).await.at(&base);
        let tried = stranger.post(POLICIES, &body(&stranger)).await.unwrap();
        assert_eq!((tried.status, tried.code()), (404, "not_found"), "{}", stranger.handle);
    }
    // A session alone is not enough.
    let wrong = one.post(POLICIES, &json!({ "shown": { "passphrase": "not the one" } })).await.unwrap();
    assert_eq!((wrong.status, wrong.code()), (403, "wrong_factor"), "{}", wrong.text);
    let proposed = one.post(POLICIES, &body(&one)).await.unwrap();
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    assert_eq!(proposed.text_of("digest"), hex(&world.app.policy.hash()));
    closed().await;
    let again = countersign(&one, &proposed).await;
    assert_eq!((again.status, again.code()), (409, "signed_already"), "{}", again.text);
    for stranger in ["admin1", "statistician2", "hsupervisor1"] {
        assert_eq!(countersign(&world.signed_in(stranger).await.at(&base), &proposed).await.status, 404, "{stranger}");
    }
    let unread = json!({ "fingerprint": "0".repeat(64), "shown": shown(&other) });
    let unread = other.post(&format!("{POLICIES}/{}/countersign", proposed.id("id")), &unread).await.unwrap();
    assert_eq!((unread.status, unread.body["errors"][0]["field"].as_str()), (422, Some("fingerprint")));
    closed().await;

    let agreed = countersign(&other, &proposed).await;
    assert_eq!((agreed.status, agreed.text_of("state")), (200, "agreed"), "{}", agreed.text);
    let written = operator.post("/api/v1/calls", &call).await.unwrap();
    assert_eq!(written.status, 201, "without a restart: {}", written.text);
    let seen = world.signed_in("auditor1").await.get(POLICIES, "").await.unwrap();
    assert_eq!(
        (&seen.body["agreed"], seen.body["items"][0]["signed_by"].as_array().map(Vec::len)),
        (&json!(true), Some(2))
    );
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_starts_with_a_policy_that_was_agreed_to_and_an_older_one_comes_back_by_a_new_agreement_only() {
    let world = World::new().await;
    let config = production(&world).await;
    let (one, other) = the_two(&world).await;
    let rule = "p, helpline_operator, own_draft, call, close, -, allow";
    let (folder, next) = another(&world, rule).await;
    let (old, new) = (hex(&world.app.policy.hash()), hex(&next.digest()));
    let next_version = Config { policies: folder, policy_sha256: Some(new.clone()), ..config.clone() };
    let told = closed(&world, next_version.clone()).await;
    for part in [old.as_str(), &new, "agreement 1", "coordinator1", "statistician1", "countersign"] {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
    // Neither does a line of the configuration undo it, that says that it is a trial.
    let trial = Config { production: false, policy_sha256: None, ..next_version.clone() };
    assert!(closed(&world, trial).await.contains("have not agreed"));

    let proposed = propose(&one, &next, 1).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    assert_eq!(proposed.text_of("digest"), new);
    assert_eq!(proposed.body["returns_to"], Value::Null);
    let differs: Vec<&str> = proposed.text_of("difference").lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(differs, [format!("- {rule}")]);
    assert!(closed(&world, next_version.clone()).await.contains("have not agreed"), "one alone");
    // Two proposals at once: one of them is agreed to.
    let overtaken = propose(&other, &next, 0).await;
    let agreed = countersign(&other, &proposed).await;
    assert_eq!(agreed.status, 200, "{}", agreed.text);
    let late = countersign(&one, &overtaken).await;
    assert_eq!((late.status, late.code()), (409, "policy_moved_on"), "{}", late.text);

    // For the hour that was agreed both versions serve; then the old one closes, and does not start again.
    let (_next, serving, base) = world.replica_of(next_version.clone()).await;
    let operator = world.signed_in("operator1").await;
    let call = json!({ "content": { "safe_to_talk": "yes" } });
    for base in [&world.base, &base] {
        assert_eq!(operator.at(base).post("/api/v1/calls", &call).await.unwrap().status, 201);
    }
    // A difference is made by a service that has the policy in force.
    let elsewhere = propose(&one, &Bundle::of(&config.policies).await.unwrap(), 0).await;
    assert_eq!((elsewhere.status, elsewhere.code()), (409, "not_in_force"), "{}", elsewhere.text);
    let (_old, still, _) = world.replica_of(config.clone()).await;
    world.clock.advance(TimeDelta::minutes(61));
    crate::ledger::comes_true("the old version closes", async || {
        operator.refresh().await.unwrap();
        operator.post("/api/v1/calls", &call).await.unwrap().code() == "policy_not_agreed"
    })
    .await;
    assert_eq!(operator.at(&base).post("/api/v1/calls", &call).await.unwrap().status, 201);
    let told = closed(&world, config.clone()).await;
    assert!(told.contains("agreement 2, by ") && told.contains(&format!("is to policy {new}")), "{told}");
    let said = examine(&config, &world.clock).await;
    let said = said.iter().find(|check| check.about == "policy agreed").unwrap();
    assert!(said.verdict == Verdict::Wrong && said.said.contains(&new), "{said}");
    let said = examine(&next_version, &world.clock).await;
    let said = said.iter().find(|check| check.about == "policy agreed").unwrap();
    assert!(said.verdict == Verdict::Well && said.said.contains("agreement 2"), "{said}");

    // The old one, by a new agreement, which says so.
    let (one, other) = (one.elsewhere(), other.elsewhere());
    one.sign_in().await.unwrap();
    other.sign_in().await.unwrap();
    let before = Bundle::of(&config.policies).await.unwrap();
    let back = propose(&one.at(&base), &before, 0).await;
    assert_eq!((back.status, &back.body["number"]), (201, &json!(3)), "{}", back.text);
    assert_eq!(back.body["returns_to"], json!(1), "{}", back.text);
    assert!(back.text_of("difference").contains(&format!("+ {rule}")), "{}", back.text);
    assert_eq!(countersign(&other, &back).await.status, 200);
    let (_old, again, _) = world.replica_of(config).await;
    assert!(closed(&world, next_version).await.contains("agreement 3"));
    for serving in [serving, still, again] {
        serving.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_of_the_database_agrees_to_nothing_and_takes_no_agreement_away() {
    let world = World::new().await;
    let config = production(&world).await;
    let (one, other) = the_two(&world).await;
    let (folder, next) = another(&world, "p, helpline_operator, own_draft, call, close, -, allow").await;
    let next_version = Config { policies: folder, policy_sha256: Some(hex(&next.digest())), ..config.clone() };
    let proposed = propose(&one, &next, 0).await;
    let (id, note) = (proposed.id("id"), proposed.text_of("statement").to_owned());
    let mut owner = world.owner().await;
    // One signature, or a second one by a key of the owner's, or the same person's twice.
    let bribed = stolen_keys(&world, "coordinator1").await;
    let forged = statement::countersign(&note, AccountId(other.account), &PersonKeys::generate()).unwrap();
    let unsigned = note.split_once("\n\n").unwrap().0.to_owned();
    let body = unsigned.split_once('\n').unwrap().1;
    let stated: himaya::guard::statement::PolicyStatement = serde_json::from_str(body).unwrap();
    let alone = statement::sign(&stated, AccountId(other.account), &bribed).unwrap();
    let alone = statement::countersign(&alone, AccountId(one.account), &bribed).unwrap();
    for planted in [&note, &forged, &alone] {
        let plant = "UPDATE policy_changes SET note = $2, agreed_at = now() WHERE id = $1";
        sqlx::query(plant).bind(id).bind(planted).execute(&mut owner).await.unwrap();
        assert!(closed(&world, next_version.clone()).await.contains("have not agreed"));
        let app = App::start(config.clone(), world.clock.clone()).await.unwrap();
        assert!(!app.council.is_closed(), "and nothing else is kept from opening");
    }
    let back = "UPDATE policy_changes SET note = $2, agreed_at = NULL WHERE id = $1";
    sqlx::query(back).bind(id).bind(&note).execute(&mut owner).await.unwrap();

    // The first agreement, filed anew under the next number, is the same agreement.
    assert_eq!(countersign(&other, &proposed).await.status, 200);
    let again = "INSERT INTO policy_changes (id, organisation_id, number, note, difference, made_at, agreed_at, registered_by, register_no)
                 SELECT $1, organisation_id, 3, note, difference, made_at, now(), NULL, NULL FROM policy_changes WHERE number = 1";
    sqlx::query(again).bind(Uuid::from_u128(7)).execute(&mut owner).await.unwrap();
    assert!(closed(&world, config.clone()).await.contains("agreement 2"));
    sqlx::query("DELETE FROM policy_changes WHERE id = $1").bind(Uuid::from_u128(7)).execute(&mut owner).await.unwrap();

    // Taken away, the one before does not come back: the file beside the checkpoints knows, and so does who has seen it.
    let (app, serving, base) = world.replica_of(next_version.clone()).await;
    sqlx::query("DELETE FROM policy_changes WHERE id = $1").bind(id).execute(&mut owner).await.unwrap();
    assert!(app.council.look().await.is_err());
    let operator = world.signed_in("operator1").await.at(&base);
    let closed = operator.post("/api/v1/calls", &json!({ "content": { "safe_to_talk": "yes" } })).await.unwrap();
    assert_eq!((closed.status, closed.code()), (503, "policy_not_agreed"), "{}", closed.text);
    for version in [&config, &next_version] {
        let told = refused(&world, version.clone()).await;
        assert!(told.contains("rolled back"), "{told}");
    }
    serving.stop().await.unwrap();
    let keys = LogKeys::of(&world.app.config.log_origin, &world.app.secrets.ledger.get()).unwrap();
    let report = verify(&world.app.databases.auditor, &keys, &[], true).await.unwrap();
    let gone = |finding: &Finding| matches!(finding, Finding::RowGone { account, .. } if *account == one.account);
    assert!(report.findings.iter().any(gone), "{:?}", report.findings);

    // Without the pin of those who agree, nobody did; and that is no first time.
    let pins = std::fs::read_to_string(&config.pins).unwrap();
    let without: Vec<&str> = pins.lines().filter(|line| !line.contains("coordinator_office")).collect();
    std::fs::write(&config.pins, without.join("\n")).unwrap();
    assert!(refused(&world, config.clone()).await.contains("rolled back"));
    std::fs::write(&config.pins, pins).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_say_what_was_agreed_lets_nothing_start() {
    let world = World::new().await;
    let config = production(&world).await;
    let mut owner = world.owner().await;
    sqlx::raw_sql("REVOKE SELECT ON policy_changes FROM himaya_app").execute(&mut owner).await.unwrap();
    let told = refused(&world, Config { schema_pin: None, production: false, ..config.clone() }).await;
    assert!(told.contains("could not be read"), "{told}");
    sqlx::raw_sql("GRANT SELECT ON policy_changes TO himaya_app").execute(&mut owner).await.unwrap();
    std::fs::write(config.checkpoints.join("policy-agreed"), "nonsense\n").unwrap();
    let told = refused(&world, config.clone()).await;
    assert!(told.contains("policy-agreed"), "{told}");
    std::fs::remove_file(config.checkpoints.join("policy-agreed")).unwrap();
    assert!(App::start(config, world.clock.clone()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_line_of_the_configuration_does_not_put_another_two_in_the_place_of_those_who_agreed() {
    let world = World::new().await;
    let config = production(&world).await;
    let kept = std::fs::read_to_string(config.checkpoints.join("policy-agreed")).unwrap();
    let squad = OrganisationId(world.country.organisations["squad"]);
    for production in [true, false] {
        let named = Config { policy_keepers: Some(squad), production, ..config.clone() };
        let told = refused(&world, named).await;
        assert!(told.contains("one line of the configuration"), "{told}");
        assert_eq!(std::fs::read_to_string(config.checkpoints.join("policy-agreed")).unwrap(), kept);
    }
    assert!(App::start(config, world.clock.clone()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_agrees_to_a_policy_with_which_nothing_starts_or_nobody_changes_it_again() {
    let world = World::new().await;
    production(&world).await;
    let (one, _) = the_two(&world).await;
    let whole = Bundle::of(&world.app.config.policies).await.unwrap();
    let without = |word: &str| {
        let rules: Vec<&str> = whole.rules.lines().filter(|line| !line.contains(word)).collect();
        Bundle { model: whole.model.clone(), rules: rules.join("\n") }
    };
    let misspelt = Bundle { model: whole.model.clone(), rules: whole.rules.replace("helpline_operator", "operator") };
    let bad_model = Bundle { model: "[nothing]\n".to_owned(), rules: whole.rules.clone() };
    for (bundle, field) in [
        (misspelt, "rules"),
        (bad_model, "model"),
        (without("statistician, responsible_of, policy, countersign"), "rules"),
        (without("coordinator, responsible_of, policy, propose"), "rules"),
    ] {
        let tried = propose(&one, &bundle, 0).await;
        assert_eq!((tried.status, tried.body["errors"][0]["field"].as_str()), (422, Some(field)), "{}", tried.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_on_the_agreements_closes_and_does_not_blind() {
    let world = World::new().await;
    let config = production(&world).await;
    let (_app, serving, base) = world.replica_of(config).await;
    let operator = world.signed_in("operator1").await.at(&base);
    let call = json!({ "content": { "safe_to_talk": "yes" } });
    assert_eq!(operator.post("/api/v1/calls", &call).await.unwrap().status, 201);
    let mut owner = world.owner().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE policy_changes IN ACCESS EXCLUSIVE MODE").execute(&mut owner).await.unwrap();
    let second = std::time::Duration::from_secs(1);
    let code = async || {
        let asked = tokio::time::timeout(second, operator.get("/api/v1/calls", "intake")).await;
        asked.map_or_else(|_| "waits".to_owned(), |reply| reply.unwrap().code().to_owned())
    };
    let begun = std::time::Instant::now();
    let mut tick = tokio::time::interval(second);
    while code().await != "policy_unknown" {
        assert!(begun.elapsed().as_secs() < 40, "a lock keeps what was agreed from being seen");
        tick.tick().await;
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut owner).await.unwrap();
    crate::ledger::comes_true("it opens again", async || code().await.is_empty()).await;
    serving.stop().await.unwrap();
}
