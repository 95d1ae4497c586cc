//! The ledger is behind or unseen, and two persons let those go on reading for whom somebody waits.

use crate::fail_closed::all_placed;
use crate::harness::World;
use crate::policies::shown;
use crate::running::{becomes, operators};
use crate::witnessed::{liars_key, soon, watched, witnessed};
use chrono::TimeDelta;
use himaya::audit::keys::LogKeys;
use himaya::audit::verify::{Report, verify};
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::{stay, story};
use himaya::doctor::{Verdict, examine, outages_of};
use himaya::platform::config::Config;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

pub const OUTAGES: &str = "/api/v1/outages";

pub async fn propose(by: &Actor, lacks: &[&str], hours: u8) -> Reply {
    let new = json!({ "lacks": lacks, "reason": "danger_to_life", "hours": hours, "shown": shown(by) });
    by.post(OUTAGES, &new).await.unwrap()
}

pub async fn countersign(by: &Actor, proposed: &Reply) -> Reply {
    let body = json!({ "fingerprint": proposed.text_of("fingerprint"), "shown": shown(by) });
    by.post(&format!("{OUTAGES}/{}/countersign", proposed.id("id")), &body).await.unwrap()
}

pub async fn close(by: &Actor, id: Uuid) -> Reply {
    by.post(&format!("{OUTAGES}/{id}/close"), &json!({})).await.unwrap()
}

/// What somebody is told who reads.
pub async fn told(reader: &Actor, path: &str, purpose: &str) -> (u16, String) {
    let read = reader.get(path, purpose).await.unwrap();
    let code = if read.status == 200 { String::new() } else { read.code().to_owned() };
    (read.status, code)
}

pub fn reads() -> (u16, String) {
    (200, String::new())
}

pub fn closed(code: &str) -> (u16, String) {
    (503, code.to_owned())
}

/// A configuration with a witness that nobody reaches: no record is opened.
pub fn unseen(world: &World) -> Config {
    watched(world, vec![witnessed("http://127.0.0.1:1", liars_key(0).verifier())], 1)
}

/// The ledger with all that was read in each outage.
pub async fn verified(world: &World) -> Report {
    let keys = LogKeys::of(&world.app.config.log_origin, &world.app.secrets.ledger.get()).unwrap();
    let auditor = &world.app.databases.auditor;
    let mut report = verify(auditor, &keys, &[], true).await.unwrap();
    report
        .compare_outages(
            auditor,
            outages_of(&world.app.config, Arc::clone(&world.app.policy), &world.clock).await.unwrap(),
        )
        .await
        .unwrap();
    report
}

/// The verbs of all entries that name a record, as an auditor finds them.
async fn entered(auditor: &Actor, record: Uuid) -> Vec<String> {
    let request = auditor.request(reqwest::Method::POST, "/api/v1/ledger/searches").await.header("purpose", "audit");
    let found = auditor.send(request.json(&json!({ "record": record }))).await.unwrap();
    assert_eq!(found.status, 200, "{}", found.text);
    let items = found.field("items").as_array().unwrap().clone();
    // The search names the record too.
    let verbs = items.iter().map(|item| item["detail"]["verb"].as_str().unwrap().to_owned());
    let mut verbs: Vec<String> = verbs.filter(|verb| verb != "list").collect();
    verbs.sort();
    verbs
}

/// Under which pseudonyms the entries stand that an auditor finds.
async fn persons(auditor: &Actor, sought: Value) -> BTreeSet<String> {
    let request = auditor.request(reqwest::Method::POST, "/api/v1/ledger/searches").await.header("purpose", "audit");
    let found = auditor.send(request.json(&sought)).await.unwrap();
    assert_eq!(found.status, 200, "{}", found.text);
    let items = found.field("items").as_array().unwrap().clone();
    items.iter().map(|item| item["detail"]["person"].as_str().unwrap().to_owned()).collect()
}

/// From now on no entry gets its place in the tree.
pub async fn stall(owner: &mut PgConnection) {
    let trigger = "CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
                   CREATE TRIGGER stall BEFORE INSERT ON ledger_tree FOR EACH ROW EXECUTE FUNCTION stall()";
    sqlx::raw_sql(trigger).execute(owner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_persons_let_assigned_and_duty_readers_go_on_and_nobody_else() {
    let world = World::new().await;
    let played = stay::play(&world.country, story::play(&world.country).await.unwrap()).await.unwrap();
    let (narrative, placement) = (
        format!("/api/v1/cases/{}/sections/narrative", played.case),
        format!("/api/v1/placements/{}", played.placement),
    );
    let [officer, duty1, duty2, operator, worker] = ["officer1", "duty1", "duty2", "operator1", "worker1"]
        .map(|handle| world.country.person(handle).unwrap().clone());
    let [first, second, auditor] =
        ["ssupervisor1", "ssupervisor2", "auditor1"].map(|handle| world.country.person(handle).unwrap().clone());
    let granted = json!({ "account": duty2.account, "relation": "granted", "reason": "expertise" });
    assert_eq!(officer.post(&format!("/api/v1/cases/{}/access", played.case), &granted).await.unwrap().status, 201);
    let body = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "hello" } });
    let call = operator.post("/api/v1/calls", &body).await.unwrap();
    let handed = format!("/api/v1/calls/{}/hand-over", call.id("id"));
    let slip = operator.post(&handed, &json!({ "basis": "vital_interest" })).await.unwrap();
    let notice = format!("/api/v1/notices/{}", slip.id("id"));
    let draft = operator.post("/api/v1/calls", &body).await.unwrap();
    let draft = format!("/api/v1/calls/{}", draft.id("id"));
    let own = [
        (&officer, &narrative, "case_work"),
        (&duty1, &narrative, "case_work"),
        (&duty2, &notice, "intake"),
        (&officer, &placement, "case_work"),
    ];
    let others = [(&duty2, &narrative, "case_work"), (&operator, &draft, "intake"), (&worker, &placement, "care")];
    for (reader, path, purpose) in own.iter().chain(&others) {
        assert_eq!(told(reader, path, purpose).await, reads(), "{} {path}", reader.handle);
    }
    let well = propose(&duty1, &["ledger_behind"], 1).await;
    assert_eq!((well.status, well.code()), (409, "nothing_lacks"), "{}", well.text);

    let mut owner = world.owner().await;
    all_placed(&mut owner).await;
    stall(&mut owner).await;
    assert_eq!(told(&officer, &narrative, "case_work").await, reads(), "half a minute is allowed");
    world.clock.advance(TimeDelta::seconds(40));
    let behind = closed("ledger_behind");
    soon("it is behind", async || told(&officer, &narrative, "case_work").await == behind).await;
    let (door, address) = operators(&world.app).await;
    // Whoever is led here can still write a call, and propose an outage.
    becomes(&address, "/ready", |status, text| status == 200 && text == "ledger_behind").await;

    // One proposes, and that opens nothing; who proposed does not agree.
    let proposed = propose(&duty1, &["ledger_behind"], 1).await;
    assert_eq!((proposed.status, proposed.text_of("state")), (201, "proposed"), "{}", proposed.text);
    for (who, status, code) in [(&duty1, 404, "not_found"), (&officer, 404, "not_found"), (&operator, 404, "not_found")]
    {
        let tried = countersign(who, &proposed).await;
        assert_eq!((tried.status, tried.code()), (status, code), "{}: {}", who.handle, tried.text);
    }
    let twice = propose(&first, &["ledger_behind"], 1).await;
    let alone = countersign(&first, &twice).await;
    assert_eq!((alone.status, alone.code()), (409, "signed_already"), "{}", alone.text);
    world.app.places.outages.look().await.unwrap();
    for (reader, path, purpose) in own.iter().chain(&others) {
        assert_eq!(told(reader, path, purpose).await, behind, "{} {path}", reader.handle);
    }

    let late = propose(&duty2, &["ledger_behind"], 4).await;
    let agreed = countersign(&first, &proposed).await;
    assert_eq!((agreed.status, agreed.text_of("state")), (200, "open"), "{}", agreed.text);
    let (_app, serving, base) = world.replica().await;
    soon("the other replica is behind, and goes on", async || {
        told(&officer.at(&base), &narrative, "case_work").await == reads()
    })
    .await;
    let before = verified(&world).await.outages[0].reads;
    for (reader, path, purpose) in &own {
        assert_eq!(told(reader, path, purpose).await, reads(), "{} {path}", reader.handle);
        assert_eq!(told(&reader.at(&base), path, purpose).await, reads(), "{} {path}", reader.handle);
    }
    for (reader, path, purpose) in &others {
        assert_eq!(told(reader, path, purpose).await, behind, "{} {path}", reader.handle);
        assert_eq!(told(&reader.at(&base), path, purpose).await, behind, "{} {path}", reader.handle);
    }
    // Why one reads is asked as always, and strangers are strangers.
    assert_eq!(told(&officer, &narrative, "").await.0, 422);
    let stranger = world.country.person("officer2").unwrap();
    assert_eq!(told(stranger, &narrative, "case_work").await.0, 404);
    becomes(&address, "/ready", |status, text| status == 200 && text.contains("outage")).await;
    let status = world.country.person("coordinator1").unwrap().get("/api/v1/status", "").await.unwrap();
    assert_eq!(status.body["ledger_outage"], json!(true), "{}", status.text);
    let told_of = |alerts: &Reply| {
        let items = alerts.body["items"].as_array().unwrap().clone();
        items.iter().any(|alert| {
            alert["what"] == "outage" && alert["about"] == proposed.body["id"] && alert["level"] == "begun"
        })
    };
    for watches in [&first, &second, &auditor] {
        assert!(told_of(&watches.get("/api/v1/alerts", "").await.unwrap()), "{}", watches.handle);
    }
    assert!(!told_of(&duty1.get("/api/v1/alerts", "").await.unwrap()));
    let said = examine(&world.app.config, &world.clock).await;
    let said = said.iter().find(|check| check.about == "outages").unwrap();
    assert!(said.verdict == Verdict::Wrong && said.said.contains(&proposed.id("id").to_string()), "{said}");

    // Every read has its entry, which waits for its place and gets it.
    let report = verified(&world).await;
    assert_eq!((report.outages.len(), report.outages[0].reads - before), (1, 8), "{report:#?}");
    assert!(report.unsequenced > 8);
    sqlx::raw_sql("DROP TRIGGER stall ON ledger_tree").execute(&mut owner).await.unwrap();
    all_placed(&mut owner).await;
    soon("it is whole again", async || told(&operator, &draft, "intake").await == reads()).await;
    let report = verified(&world).await;
    assert!(report.ok() && report.outages[0].reads - before == 8, "{report:#?}");
    assert_eq!(report.outages[0].outage.proposed_by.0, duty1.account);
    assert_eq!(report.outages[0].outage.agreed_by.0, first.account);
    assert_eq!(told(&officer, &narrative, "case_work").await, reads());
    let too_late = countersign(&second, &late).await;
    assert_eq!((too_late.status, too_late.code()), (409, "nothing_lacks"), "{}", too_late.text);
    // By what a person signs nobody finds what else they did.
    let signer = persons(&auditor, json!({ "record": proposed.id("id"), "verb": "propose" })).await;
    let squads = persons(&auditor, json!({ "role": "duty_officer", "kind": "narrative" })).await;
    assert!(signer.len() == 1 && !squads.is_empty() && signer.is_disjoint(&squads), "{signer:?} {squads:?}");
    assert_eq!(
        verified(&world).await.outages[0].reads,
        report.outages[0].reads,
        "with nothing lacking it is read as always"
    );

    // It ends by itself, and that is entered.
    world.clock.advance(TimeDelta::minutes(61));
    auditor.sign_in().await.unwrap();
    let outage = proposed.id("id");
    soon("it lapsed", async || entered(&auditor, outage).await.contains(&"lapse".to_owned())).await;
    let verbs = entered(&auditor, outage).await;
    let count = |wanted: &str| verbs.iter().filter(|verb| *verb == wanted).count();
    assert_eq!((count("propose"), count("countersign")), (1, 4), "{verbs:?}");
    assert_eq!(u64::try_from(count("read")).unwrap(), report.outages[0].reads, "{verbs:?}");
    door.close().await;
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_and_nobody_else_has_a_part_in_it() {
    let world = World::new().await;
    let (_app, serving, base) = world.replica_of(unseen(&world)).await;
    let at = async |handle: &str| world.signed_in(handle).await.at(&base);
    let officer = at("officer1").await;
    for (field, body) in [
        ("lacks", json!({ "lacks": [], "reason": "danger_to_life", "hours": 1, "shown": shown(&officer) })),
        ("lacks", json!({ "lacks": ["anything"], "reason": "danger_to_life", "hours": 1, "shown": shown(&officer) })),
        ("reason", json!({ "lacks": ["ledger_behind"], "reason": "because", "hours": 1, "shown": shown(&officer) })),
        (
            "hours",
            json!({ "lacks": ["ledger_behind"], "reason": "danger_to_life", "hours": 5, "shown": shown(&officer) }),
        ),
        (
            "hours",
            json!({ "lacks": ["ledger_behind"], "reason": "danger_to_life", "hours": 0, "shown": shown(&officer) }),
        ),
        ("shown", json!({ "lacks": ["ledger_behind"], "reason": "danger_to_life", "hours": 1 })),
    ] {
        let bad = officer.post(OUTAGES, &body).await.unwrap();
        assert_eq!(bad.status, 422, "{}", bad.text);
        assert!(
            bad.body["errors"][0]["field"].as_str().unwrap().contains(field) || bad.text.contains(field),
            "{}",
            bad.text
        );
    }
    for not_all in [&["ledger_behind"][..], &["ledger_behind", "ledger_not_witnessed"]] {
        let another = propose(&officer, not_all, 1).await;
        assert_eq!(
            (another.status, another.code()),
            (409, "nothing_lacks"),
            "what it lacks is witnesses: {}",
            another.text
        );
    }
    let session = json!({ "lacks": ["ledger_not_witnessed"], "reason": "danger_to_life", "hours": 1, "shown": { "passphrase": "no" } });
    let session = officer.post(OUTAGES, &session).await.unwrap();
    assert_eq!((session.status, session.code()), (403, "wrong_factor"), "{}", session.text);
    for stranger in
        ["operator1", "hsupervisor1", "manager1", "worker1", "coordinator1", "statistician1", "auditor1", "admin1"]
    {
        let tried = propose(&at(stranger).await, &["ledger_not_witnessed"], 1).await;
        assert_eq!((tried.status, tried.code()), (404, "not_found"), "{stranger}: {}", tried.text);
    }
    let proposed = propose(&officer, &["ledger_not_witnessed"], 4).await;
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    let missing =
        at("auditor1").await.post(&format!("{OUTAGES}/{}/countersign", Uuid::from_u128(7)), &json!({})).await.unwrap();
    assert_eq!(missing.status, 422, "the body is looked at after the gate: {}", missing.text);
    for stranger in ["operator1", "hsupervisor1", "manager1", "coordinator1", "admin1", "officer1", "duty1"] {
        let stranger = at(stranger).await;
        let (signs, ends) = (countersign(&stranger, &proposed).await, close(&stranger, proposed.id("id")).await);
        assert_eq!((signs.status, ends.status), (404, 404), "{}", stranger.handle);
        let seen = stranger.get(OUTAGES, "").await.unwrap();
        assert!(
            seen.status == 403 || seen.body["items"].as_array().unwrap().len() == 1,
            "{}: {}",
            stranger.handle,
            seen.text
        );
    }
    let auditor = at("auditor1").await;
    let unread = json!({ "fingerprint": "0".repeat(64), "shown": shown(&auditor) });
    let unread = auditor.post(&format!("{OUTAGES}/{}/countersign", proposed.id("id")), &unread).await.unwrap();
    assert_eq!((unread.status, unread.body["errors"][0]["field"].as_str()), (422, Some("fingerprint")));
    let agreed = countersign(&auditor, &proposed).await;
    assert_eq!((agreed.status, agreed.text_of("state")), (200, "open"), "{}", agreed.text);
    let again = countersign(&at("ssupervisor1").await, &proposed).await;
    assert_eq!((again.status, again.code()), (409, "not_waiting"), "{}", again.text);
    let seen = auditor.get(OUTAGES, "").await.unwrap();
    assert_eq!(
        (&seen.body["lacks"], &seen.body["items"][0]["state"]),
        (&json!(["ledger_not_witnessed"]), &json!("open"))
    );
    assert_eq!(seen.body["items"][0]["agreed_by"], Value::String(auditor.account.to_string()));
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_things_are_lacking_it_takes_both_outages() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let mut owner = world.owner().await;
    all_placed(&mut owner).await;
    let (_app, serving, base) = world.replica_of(unseen(&world)).await;
    let [officer, first] = ["officer1", "ssupervisor1"].map(|handle| world.country.person(handle).unwrap().at(&base));
    let coordinator = world.signed_in("coordinator1").await.at(&base);
    let outage = async || coordinator.get("/api/v1/status", "").await.unwrap().body["ledger_outage"].clone();
    assert_eq!(told(&officer, &narrative, "case_work").await, closed("ledger_not_witnessed"));
    stall(&mut owner).await;
    // This waits for its place from now on.
    let body = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "hello" } });
    let call = world.signed_in("operator1").await.post("/api/v1/calls", &body).await.unwrap();
    assert_eq!(call.status, 201, "{}", call.text);
    world.clock.advance(TimeDelta::seconds(40));
    soon("it is behind", async || told(&officer, &narrative, "case_work").await == closed("ledger_behind")).await;
    let one = propose(&officer, &["ledger_behind"], 1).await;
    assert_eq!(countersign(&first, &one).await.text_of("state"), "open");
    // Told is what is still lacking.
    assert_eq!(told(&officer, &narrative, "case_work").await, closed("ledger_not_witnessed"));
    assert_eq!(outage().await, json!(false));
    let other = propose(&officer, &["ledger_not_witnessed"], 1).await;
    assert_eq!(countersign(&first, &other).await.text_of("state"), "open");
    assert_eq!(told(&officer, &narrative, "case_work").await, reads());
    assert_eq!(outage().await, json!(true));
    assert_eq!(close(&first, other.id("id")).await.status, 200);
    assert_eq!(told(&officer, &narrative, "case_work").await, closed("ledger_not_witnessed"));
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_signed_is_not_called_open_where_it_opens_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let config = unseen(&world);
    let (app, serving, base) = world.replica_of(config.clone()).await;
    let [officer, first] = ["officer1", "ssupervisor1"].map(|handle| world.country.person(handle).unwrap().at(&base));
    // The folder beside the checkpoints takes no line: a folder lies where the file would be.
    let file = config.checkpoints.join(himaya::guard::outage::FILE);
    std::fs::create_dir(&file).unwrap();
    let agreed = countersign(&first, &propose(&officer, &["ledger_not_witnessed"], 1).await).await;
    assert_eq!((agreed.status, agreed.text_of("state")), (200, "signed"), "{}", agreed.text);
    assert_eq!(told(&officer, &narrative, "case_work").await, closed("ledger_not_witnessed"));
    std::fs::remove_dir(&file).unwrap();
    app.places.outages.look().await.unwrap();
    assert_eq!(told(&officer, &narrative, "case_work").await, reads());
    let listed = first.get(OUTAGES, "").await.unwrap();
    assert_eq!(listed.body["items"][0]["state"], "open", "{}", listed.text);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_takes_no_entry_stays_closed() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let (_app, serving, base) = world.replica_of(unseen(&world)).await;
    let [officer, supervisor] =
        ["officer1", "ssupervisor1"].map(|handle| world.country.person(handle).unwrap().at(&base));
    assert_eq!(countersign(&supervisor, &propose(&officer, &["ledger_not_witnessed"], 1).await).await.status, 200);
    assert_eq!(told(&officer, &narrative, "case_work").await, reads());
    let trigger = "CREATE FUNCTION takes_none() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
                   CREATE TRIGGER takes_none BEFORE INSERT ON ledger_entries FOR EACH ROW EXECUTE FUNCTION takes_none()";
    sqlx::raw_sql(trigger).execute(&mut world.owner().await).await.unwrap();
    let read = officer.get(&narrative, "case_work").await.unwrap();
    assert!(read.status >= 500 && !read.text.contains("passport"), "{}", read.text);
    serving.stop().await.unwrap();
}
