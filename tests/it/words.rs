//! What follows from a person's word, in the same commit: everything that it ends, wherever that is, and nothing else.

use crate::harness::World;
use crate::shelter::{Placing, status};
use crate::walls::injected;
use chrono::TimeDelta;
use himaya::audit::verify::verify;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::country::Person;
use himaya::demo::stay::{CONDITIONS, asked, said};
use serde_json::{Value, json};
use sqlx::Row as _;
use uuid::Uuid;

/// A second house, of an organisation of its own.
pub struct Other {
    pub organisation: Uuid,
    pub house: Uuid,
    pub manager: Actor,
    pub worker: Actor,
}

pub async fn other_house(world: &mut World) -> Other {
    const PEOPLE: [Person; 3] = [
        Person { handle: "manager9", role: "shelter_manager", responsible: true, custodian: true },
        Person { handle: "worker8", role: "shelter_worker", responsible: true, custodian: true },
        Person { handle: "worker9", role: "shelter_worker", responsible: false, custodian: true },
    ];
    world.signed_in("admin1").await;
    let first = world.country.organisations["accommodation"];
    let organisation = world.country.organisation("accommodation", "House of the Linden", &PEOPLE).await.unwrap();
    world.country.organisations.insert("accommodation".to_owned(), first);
    let person = |handle: &str| world.country.person(handle).unwrap().clone();
    let (manager, worker, third) = (person("manager9"), person("worker8"), person("worker9"));
    let now = world.clock.now();
    let (passed, until) = (now - TimeDelta::days(9), now + TimeDelta::days(300));
    for (by, of) in [(&manager, &worker), (&worker, &manager), (&manager, &third)] {
        let training =
            json!({ "account": of.account, "course": "care_for_victims", "passed_at": passed, "expires_at": until });
        assert_eq!(by.post("/api/v1/trainings", &training).await.unwrap().status, 201);
    }
    let house = json!({ "kind": "shelter", "capacity": { "women": 5 } });
    let house = manager.post("/api/v1/accommodations", &house).await.unwrap().id("id");
    let path = format!("/api/v1/accommodations/{house}");
    let certificate = json!({ "conditions": CONDITIONS, "expires_at": until });
    assert_eq!(manager.post(&format!("{path}/certificates"), &certificate).await.unwrap().status, 201);
    let address = json!({ "address": "4 Linden Square" });
    assert_eq!(manager.put(&format!("{path}/address"), "\"0\"", &address).await.unwrap().status, 200);
    assert_eq!(worker.get("/api/v1/placements", "care").await.unwrap().status, 200);
    Other { organisation, house, manager, worker }
}

async fn say(who: &Actor, at: &str, what: Value) -> Uuid {
    let reply = who.post(&format!("{at}/consents"), &what).await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.id("id")
}

async fn take_back(who: &Actor, consent: Uuid) {
    let back = who.post(&format!("/api/v1/consents/{consent}/withdraw"), &json!({})).await.unwrap();
    assert_eq!(back.status, 200, "{}", back.text);
}

async fn state(placing: &Placing, placement: &str) -> String {
    placing.officer.get(placement, "case_work").await.unwrap().text_of("state").to_owned()
}

/// Wraps of a placement, and of its address, to anybody of an organisation.
async fn held_by(placing: &Placing, placement: &str, organisation: Uuid) -> i64 {
    let id: Uuid = placement.rsplit('/').next().unwrap().parse().unwrap();
    sqlx::query_scalar(
        "SELECT count(*) FROM wraps w LEFT JOIN accounts a ON a.id = w.recipient_account
         LEFT JOIN shared_keys k ON k.id = w.recipient_key
         WHERE w.key_id = $1 AND COALESCE(a.organisation_id, k.organisation_id) = $2",
    )
    .bind(id)
    .bind(organisation)
    .fetch_one(&mut placing.world.owner().await)
    .await
    .unwrap()
}

async fn ask(placing: &Placing, change: impl FnOnce(&mut Value)) -> Reply {
    let mut wanted = asked(&placing.played);
    change(&mut wanted);
    placing.officer.post(&format!("{}/placements", placing.case()), &wanted).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_carer_writes_down_ends_a_request_to_another_house() {
    let mut placing = Placing::new().await;
    let other = other_house(&mut placing.world).await;
    let stay = placing.placed("admitted").await;
    let on_case = format!("{}/persons/{}", placing.case(), placing.played.person);
    let yes = || said(other.organisation, "care", "placement", "given");
    let request = async |until: &str| {
        let made = ask(&placing, |wanted| wanted["accommodation"] = json!(other.house)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let request = format!("/api/v1/placements/{}", made.id("id"));
        if until == "matched" {
            assert_eq!(other.worker.post(&format!("{request}/acknowledge"), &json!({})).await.unwrap().status, 200);
            let named = json!({ "workers": [other.worker.account] });
            assert_eq!(other.manager.post(&format!("{request}/accept"), &named).await.unwrap().status, 200);
            assert_eq!(status(&placing.officer, &format!("{request}/arrival"), "case_work").await, 200);
        }
        assert_eq!(status(&other.worker, &request, "care").await, 200);
        request
    };
    let ended = async |request: &str| {
        assert_eq!(state(&placing, request).await, "withdrawn");
        for who in [&other.worker, &other.manager] {
            assert_eq!(status(who, request, "care").await, 404);
        }
        assert_eq!(held_by(&placing, request, other.organisation).await, 0);
        assert_eq!(status(&placing.officer, &format!("{request}/arrival"), "case_work").await, 404);
    };
    // A refusal, which the carers of the first house write down and who see nothing of the request.
    let given = say(&placing.officer, &on_case, yes()).await;
    for until in ["requested", "matched"] {
        let request = request(until).await;
        assert_eq!(status(&placing.worker, &request, "care").await, 404);
        let no = say(&placing.worker, &stay, said(other.organisation, "care", "placement", "refused")).await;
        ended(&request).await;
        take_back(&placing.worker, no).await;
    }
    // A consent that they recorded, and that she takes back before them; the officers' own bears the request until then.
    let carers = say(&placing.worker, &stay, yes()).await;
    let request = request("matched").await;
    take_back(&placing.officer, given).await;
    assert_eq!(state(&placing, &request).await, "matched");
    take_back(&placing.worker, carers).await;
    ended(&request).await;
    let arrivals: i64 = sqlx::query_scalar("SELECT count(*) FROM sealed WHERE kind = 'arrival'")
        .fetch_one(&mut placing.world.owner().await)
        .await
        .unwrap();
    assert_eq!(arrivals, 1, "that of the stay");
    assert_eq!(state(&placing, &stay).await, "admitted");
    assert_eq!(status(&placing.worker, &stay, "care").await, 200);
    let app = &placing.world.app;
    let keys = app.log_keys().unwrap();
    let report = verify(&app.databases.auditor, &keys, &[], true).await.unwrap();
    let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(report.ok(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_something_else_bears_goes_on_when_a_consent_is_taken_back() {
    let placing = Placing::new().await;
    let shelter = placing.world.country.organisations["accommodation"];
    let on_case = format!("{}/persons/{}", placing.case(), placing.played.person);
    let first: Uuid =
        sqlx::query_scalar("SELECT id FROM consents").fetch_one(&mut placing.world.owner().await).await.unwrap();
    let placement = placing.placed("matched").await;
    let second = say(&placing.officer, &on_case, said(shelter, "care", "placement", "given")).await;
    let beside = say(&placing.officer, &on_case, said(shelter, "case_work", "placement", "given")).await;
    take_back(&placing.officer, first).await;
    assert_eq!(state(&placing, &placement).await, "matched", "another consent is in force");
    assert_eq!(status(&placing.worker, &placement, "care").await, 200);
    // A child's request rests on no consent: only a refusal ends it.
    let child = ask(&placing, |wanted| {
        wanted["basis"] = json!("child");
        wanted["needs"]["age"] = json!("9-17");
    })
    .await;
    let child = format!("/api/v1/placements/{}", child.id("id"));
    take_back(&placing.officer, second).await;
    assert_eq!(state(&placing, &placement).await, "withdrawn", "a consent for another purpose bears nothing");
    assert_eq!(state(&placing, &child).await, "requested");
    assert_eq!(status(&placing.worker, &child, "care").await, 200);
    take_back(&placing.officer, beside).await;
    assert_eq!(state(&placing, &child).await, "requested");
    say(&placing.officer, &on_case, said(shelter, "care", "placement", "refused")).await;
    assert_eq!(state(&placing, &child).await, "withdrawn");
    assert_eq!(status(&placing.worker, &child, "care").await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_is_over_takes_no_request_to_the_next_desk() {
    let placing = Placing::new().await;
    let shelter = placing.world.country.organisations["accommodation"];
    let first: Uuid =
        sqlx::query_scalar("SELECT id FROM consents").fetch_one(&mut placing.world.owner().await).await.unwrap();
    take_back(&placing.officer, first).await;
    let mut yes = said(shelter, "care", "placement", "given");
    yes["expires_at"] = json!(placing.world.clock.now() + TimeDelta::hours(1));
    say(&placing.officer, &format!("{}/persons/{}", placing.case(), placing.played.person), yes).await;
    let request = placing.placed("requested").await;
    // And another, at the same shelter: that the first ends the second as well stops nobody at the desk.
    let second = placing.placed("requested").await;
    assert!(held_by(&placing, &request, shelter).await > 0);
    placing.world.clock.advance(TimeDelta::hours(13));
    let worker = placing.world.country.person("worker2").unwrap();
    worker.sign_in().await.unwrap();
    assert_eq!(status(worker, "/api/v1/placements", "care").await, 200);
    assert_eq!(held_by(&placing, &request, shelter).await, 0, "neither the old desk nor the new one holds it");
    assert_eq!(status(worker, &request, "care").await, 404);
    assert_eq!(status(worker, &second, "care").await, 404);
    let now: Vec<String> =
        sqlx::query_scalar("SELECT state FROM placements").fetch_all(&mut placing.world.owner().await).await.unwrap();
    assert_eq!(now, ["withdrawn", "withdrawn"]);
    // The desk has its new key: what is asked with another word arrives.
    let yes = said(shelter, "care", "placement", "given");
    placing.officer.sign_in().await.unwrap();
    say(&placing.officer, &format!("{}/persons/{}", placing.case(), placing.played.person), yes).await;
    let again = placing.ask().await;
    assert_eq!(again.status, 201, "{}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn care_that_another_consent_bears_ends_with_that_one_and_by_nobody_elses_hand() {
    let placing = Placing::new().await;
    let squad = placing.world.country.organisations["squad"];
    let placement = placing.placed("admitted").await;
    let care = format!("{placement}/care");
    assert_eq!(placing.worker.put(&care, "\"0\"", &json!({ "plan": "x" })).await.unwrap().status, 200);
    let yes = said(squad, "case_work", "care", "given");
    let for_good = say(&placing.worker, &placement, yes.clone()).await;
    let end = placing.world.clock.now() + TimeDelta::days(1);
    let mut for_a_day = yes;
    for_a_day["expires_at"] = json!(end);
    let for_a_day = say(&placing.worker, &placement, for_a_day).await;
    assert_eq!(placing.worker.post(&format!("{care}/share"), &json!({})).await.unwrap().status, 200);
    let held = async || -> Vec<bool> {
        let query = "SELECT isfinite(w.active_until) AND w.active_until <= $2 FROM wraps w JOIN placements p ON w.key_id = p.care_id
                     JOIN accounts a ON a.id = w.recipient_account WHERE a.organisation_id = $1";
        let rows = sqlx::query(query).bind(squad).bind(end + TimeDelta::seconds(1));
        let rows = rows.fetch_all(&mut placing.world.owner().await).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert!(held().await.iter().all(|ends| !ends) && !held().await.is_empty());
    take_back(&placing.worker, for_good).await;
    assert_eq!(status(&placing.officer, &care, "case_work").await, 200);
    assert!(
        held().await.iter().all(|ends| *ends) && !held().await.is_empty(),
        "the keys end with the consent that is left"
    );
    // Nobody else's session ends what is shared.
    placing.sql(format!("UPDATE consents SET state = 'withdrawn' WHERE id = '{for_a_day}'")).await;
    for (handle, gone) in [("officer2", false), ("worker2", false), ("coordinator1", false), ("worker1", true)] {
        let secret = placing.world.signed_in(handle).await.secrets().await.1;
        let mut theirs = injected(&placing.world, &secret).await;
        sqlx::query("SELECT end_care_sharing($1, $2)")
            .bind(placing.played.case)
            .bind(placing.played.person)
            .execute(&mut theirs)
            .await
            .unwrap();
        assert_eq!(held().await.is_empty(), gone, "{handle}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_was_taken_back_is_not_put_back_with_its_old_code() {
    let placing = Placing::new().await;
    let squad = placing.world.country.organisations["squad"];
    let placement = placing.placed("admitted").await;
    let care = format!("{placement}/care");
    assert_eq!(placing.worker.put(&care, "\"0\"", &json!({ "plan": "x" })).await.unwrap().status, 200);
    let given = say(&placing.worker, &placement, said(squad, "case_work", "care", "given")).await;
    let copied = format!("CREATE TABLE copied AS SELECT id, vouch FROM consents WHERE id = '{given}'");
    placing.sql(copied).await;
    take_back(&placing.worker, given).await;
    let back =
        "UPDATE consents c SET state = 'given', ended_at = NULL, vouch = k.vouch FROM copied k WHERE k.id = c.id";
    placing.sql(back.to_owned()).await;
    let forged = placing.worker.post(&format!("{care}/share"), &json!({})).await.unwrap();
    assert_eq!((forged.status, forged.code()), (500, "fault"), "{}", forged.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carer_is_not_told_with_whom_else_a_person_has_to_do() {
    let placing = Placing::new().await;
    let organisations = &placing.world.country.organisations;
    let (shelter, helpline) = (organisations["accommodation"], organisations["helpline"]);
    placing.placed("admitted").await;
    for (to, section) in [("accommodation", "narrative"), ("helpline", "placement"), ("helpline", "legal")] {
        assert_eq!(placing.says(to, "case_work", section, "given").await.status, 201);
    }
    for (handle, all) in [("officer1", true), ("worker1", false), ("worker2", false), ("coordinator1", false)] {
        let secret = placing.world.signed_in(handle).await.secrets().await.1;
        let mut theirs = injected(&placing.world, &secret).await;
        for (with_whom, section, of_their_work) in [
            (shelter, "placement", true),
            (shelter, "narrative", false),
            (helpline, "placement", false),
            (helpline, "legal", false),
        ] {
            let told: i64 = sqlx::query_scalar("SELECT count(*) FROM consents_about($1, $2, $3, $4)")
                .bind(placing.played.case)
                .bind(placing.played.person)
                .bind(with_whom)
                .bind(section)
                .fetch_one(&mut theirs)
                .await
                .unwrap();
            let expected = all || (handle == "worker1" && of_their_work);
            assert_eq!(told > 0, expected, "{handle}: {section}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_without_a_key_are_like_none() {
    let placing = Placing::new().await;
    let squad = placing.world.country.organisations["squad"];
    let placement = placing.placed("admitted").await;
    say(&placing.worker, &placement, said(squad, "case_work", "care", "asked")).await;
    let listed = format!("{placement}/consents");
    assert_eq!(status(&placing.officer, &listed, "case_work").await, 200);
    let away = format!(
        "DELETE FROM wraps w USING placements p WHERE w.key_id = p.id AND w.recipient_account = '{}'",
        placing.officer.account
    );
    placing.sql(away).await;
    let entries = async || -> i64 {
        let mut owner = placing.world.owner().await;
        sqlx::query_scalar("SELECT count(*) FROM ledger_entries").fetch_one(&mut owner).await.unwrap()
    };
    let before = entries().await;
    let reply = placing.officer.get(&listed, "case_work").await.unwrap();
    assert_eq!((reply.status, reply.code()), (404, "not_found"), "{}", reply.text);
    assert_eq!(entries().await, before + 1);
}
