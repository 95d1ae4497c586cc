//! Who looks without work to do is told to the auditors, and to nobody else; and what is kept for it says of nobody what they read.

use crate::harness::World;
use crate::walls::injected;
use chrono::Timelike as _;
use himaya::audit::entry::Pseudonyms;
use himaya::audit::snooping::{Measure, RuleConfig, SnoopingConfig};
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::guard::record::AccountId;
use himaya::platform::app::App;
use himaya::platform::config::Config;
use serde_json::{Value, json};

const TOLD: &str = "/api/v1/ledger/suspicions";

/// As in the service, at a moment of the test's own.
pub async fn hands_on(app: &App) -> Result<u64, sqlx::Error> {
    let pseudonyms = Pseudonyms::new(app.secrets.pseudonyms.clone());
    app.lookout.hand_on(&app.databases.lookout, &pseudonyms, &app.places.clock).await
}

/// A configuration in which three more than this person has by now are enough.
async fn strict(world: &World, handle: &str, measure: Measure) -> (Config, u32) {
    hands_on(&world.app).await.unwrap();
    // Noon, whenever the test runs: no day ends in it.
    let now = world.clock.now();
    let utc_offset_minutes = 12 * 60 - i32::try_from(now.time().num_seconds_from_midnight() / 60).unwrap();
    let noon = SnoopingConfig { utc_offset_minutes, ..SnoopingConfig::default() };
    let account = AccountId(world.country.person(handle).unwrap().account);
    let tag = Pseudonyms::new(world.app.secrets.pseudonyms.clone()).tag(account, now);
    let so_far: Option<i32> =
        sqlx::query_scalar("SELECT counted FROM snooping_days WHERE person = $1 AND measure = $2 AND day = $3")
            .bind(tag)
            .bind(measure.as_str())
            .bind(noon.day(now))
            .fetch_optional(&mut world.owner().await)
            .await
            .unwrap();
    let least = u32::try_from(so_far.unwrap_or_default()).unwrap() + 3;
    let rules = [(measure, RuleConfig { least, factor: 1.5 })].into();
    let snooping = SnoopingConfig { rules, ..noon };
    (Config { snooping, ..world.app.config.clone() }, least)
}

async fn told(auditor: &Actor) -> Vec<Value> {
    let reply = auditor.get(TOLD, "audit").await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["items"].as_array().unwrap().clone()
}

async fn alerts(who: &Actor) -> Vec<Value> {
    let reply = who.get("/api/v1/alerts?limit=100", "").await.unwrap();
    let all = reply.body["items"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|alert| alert["what"] == "snooping").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_what_is_not_theirs_is_told_to_the_auditors_and_to_nobody_else() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (config, most) = strict(&world, "officer2", Measure::Refused).await;
    let (one, first, at_one) = world.replica_of(config.clone()).await;
    let (other, second, at_other) = world.replica_of(config).await;
    let (auditor, snoop) = (world.signed_in("auditor1").await, world.signed_in("officer2").await);
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let asks = async |base: &str| assert_eq!(snoop.at(base).get(&path, "case_work").await.unwrap().status, 404);
    // Three are nothing, wherever they were asked.
    asks(&at_one).await;
    asks(&at_one).await;
    asks(&at_other).await;
    hands_on(&one).await.unwrap();
    hands_on(&other).await.unwrap();
    assert_eq!(told(&auditor).await, Vec::<Value>::new());
    // The fourth is one too many, though each process saw fewer.
    asks(&at_other).await;
    assert_eq!(hands_on(&other).await.unwrap(), 1);
    let items = told(&auditor).await;
    let [suspicion] = items.as_slice() else { panic!("{items:?}") };
    let said = (&suspicion["measure"], &suspicion["counted"], &suspicion["most"], &suspicion["role"]);
    assert_eq!(said, (&json!("refused"), &json!(most + 1), &json!(most), &json!("squad_officer")));
    let words = suspicion["explanation"].as_str().unwrap();
    assert!(
        words.starts_with(&format!("{} times something was asked for", most + 1))
            && words.contains(&format!("more than {most}")),
        "{words}"
    );
    // The alert says so itself.
    let told_by = alerts(&auditor).await;
    let alert = told_by.iter().find(|alert| alert["what"] == "snooping").unwrap();
    assert_eq!((&alert["about"], &alert["explanation"]), (&suspicion["id"], &suspicion["explanation"]), "{alert}");
    // It is the pseudonym under which the ledger shows what they did.
    crate::searching::placed(&world).await;
    let search = json!({ "person": suspicion["person"], "outcome": "refused" });
    let request = auditor.request(reqwest::Method::POST, "/api/v1/ledger/searches").await.header("purpose", "audit");
    let found = auditor.send(request.json(&search)).await.unwrap();
    assert!(found.body["items"].as_array().unwrap().len() >= 4, "{}", found.text);
    assert!(!suspicion.to_string().contains(&snoop.account.to_string()));
    // More of it changes the number and raises nothing anew.
    asks(&at_one).await;
    assert_eq!(hands_on(&one).await.unwrap(), 0);
    assert_eq!(told(&auditor).await[0]["counted"], most + 2);
    for (handle, sees) in [("auditor1", 1), ("auditor2", 1), ("ssupervisor1", 0), ("officer2", 0), ("duty1", 0)] {
        let who = world.signed_in(handle).await;
        assert_eq!(alerts(&who).await.len(), sees, "{handle}");
        assert_eq!(who.get(TOLD, "audit").await.unwrap().status, if sees == 1 { 200 } else { 403 }, "{handle}");
    }
    // The next day is another day.
    world.clock.advance(chrono::TimeDelta::days(1));
    snoop.sign_in().await.unwrap();
    auditor.sign_in().await.unwrap();
    for _ in 0..=most {
        asks(&at_one).await;
    }
    assert_eq!(hands_on(&one).await.unwrap(), 1);
    assert_eq!(told(&auditor).await.len(), 2);
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_are_numbers_and_what_is_not_handed_on_comes_again() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (app, serving, base) = world.replica_of(strict(&world, "officer1", Measure::Records).await.0).await;
    let officer = world.signed_in("officer1").await.at(&base);
    let case = format!("/api/v1/cases/{}", played.case);
    let mut owner = world.owner().await;
    let away = "ALTER FUNCTION count_looks(uuid[], text[], date[], text[], integer[]) RENAME TO away";
    let back = "ALTER FUNCTION away(uuid[], text[], date[], text[], integer[]) RENAME TO count_looks";
    sqlx::raw_sql(away).execute(&mut owner).await.unwrap();
    for path in ["", "/sections/narrative", "/sections/identity", "/sections/legal", "/notes"] {
        let reply = officer.get(&format!("{case}{path}"), "case_work").await.unwrap();
        assert!([200, 404].contains(&reply.status), "{path}: {}", reply.text);
    }
    assert!(hands_on(&app).await.is_err());
    sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    assert_eq!(hands_on(&app).await.unwrap(), 1, "nothing was lost");
    // No record and no case stands in what is kept.
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT s::text FROM snooping_days s UNION ALL SELECT s::text FROM suspicions s")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    let records: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT record_id FROM sealed UNION SELECT id FROM cases")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert!(kept.len() > 3 && records.len() > 3);
    for record in records {
        assert!(!kept.iter().any(|row| row.contains(&record.to_string())), "{kept:?}");
    }
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_is_injected_counts_nothing_and_takes_nothing_back() {
    let world = World::new().await;
    for handle in ["officer1", "auditor1", "admin1"] {
        let who = world.signed_in(handle).await;
        for attack in [
            "SELECT * FROM snooping_days",
            "DELETE FROM snooping_days",
            "UPDATE suspicions SET counted = 0",
            "DELETE FROM suspicions",
            "SELECT * FROM habit_of('squad_officer', 'records', '2020-01-01')",
            "SELECT forget_looks('2100-01-01')",
            "SELECT count_looks('{}', '{}', '{}', '{}', '{}')",
        ] {
            let mut theirs = injected(&world, &who.secrets().await.1).await;
            let done = sqlx::raw_sql(attack).execute(&mut theirs).await;
            let code = done.err().and_then(|error| error.as_database_error()?.code().map(|code| code.to_string()));
            assert_eq!(code.as_deref(), Some("42501"), "{handle}: {attack}");
        }
    }
}

#[test]
fn a_rule_that_is_none_is_refused_by_its_name() {
    let config = SnoopingConfig {
        utc_offset_minutes: 9999,
        hours: [(himaya::guard::action::Role::Auditor, [9, 9])].into(),
        rules: [(Measure::Refused, RuleConfig { least: 1, factor: 0.0 })].into(),
    };
    let fields: Vec<String> = config.faults().into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["utc_offset_minutes", "hours.auditor", "rules.refused"]);
}
