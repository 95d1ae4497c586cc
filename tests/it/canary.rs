//! A unique string is planted in every sealed field and searched for everywhere it must not be.

use crate::harness::World;
use himaya::demo::stay::{open_house, said};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const CANARY: &str = "Qanarya7391";

/// Puts the canary into every text of a JSON document whose rules leave room for it.
fn plant(content: &mut Value, planted: &mut usize, plain: &[&str]) {
    if let Value::Object(fields) = content {
        for (name, value) in fields {
            if plain.contains(&name.as_str()) {
                *value = json!(format!("{CANARY} {name}"));
                *planted += 1;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_string_appears_in_no_dump_log_metric_error_or_url() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(move || writer.clone()).init();
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let mut errors = String::new();

    let content = json!({
        "safe_to_talk": "yes", "kind": "crisis", "place": CANARY, "said": CANARY,
        "call_back": { "wanted": "yes", "when": CANARY, "how": CANARY, "number": CANARY },
        "person": { "first_name": CANARY, "second_name": CANARY, "phone": CANARY, "doing_now": CANARY }
    });
    let opened = operator.post("/api/v1/calls", &json!({ "content": content })).await.unwrap();
    assert_eq!(opened.status, 201, "{}", opened.text);
    let call = format!("/api/v1/calls/{}", opened.id("id"));
    for bad in [
        json!({ "content": { "safe_to_talk": CANARY } }),
        json!({ "content": { "place": 7, "said": CANARY } }),
        json!({ "content": { "person": { "birthdate": CANARY } } }),
        json!({ "content": { "language": CANARY } }),
        json!({ "content": CANARY }),
        json!({ "content": { "said": CANARY.repeat(3000) } }),
    ] {
        let refused = operator.put(&call, opened.etag.as_deref().unwrap(), &bad).await.unwrap();
        assert!((400..500).contains(&refused.status), "{} {}", refused.status, refused.text);
        errors.push_str(&refused.text);
    }
    let named = format!("{CANARY}.pdf");
    let bytes = format!("{CANARY} is what stands in the file");
    for (name, media_type, sent) in [
        (named.as_str(), format!("text/{CANARY}"), bytes.as_str()),
        (&CANARY.repeat(30), "text/plain".to_owned(), CANARY),
        (CANARY, format!("{CANARY}//{CANARY}"), CANARY),
        (CANARY, "text/plain".to_owned(), &format!("\u{7f}ELF {CANARY}")),
    ] {
        let reply = crate::attachments::attach(&operator, &call, name, &media_type, sent.as_bytes()).await;
        errors.push_str(&reply.text);
    }
    let hanging = crate::attachments::list(&operator, &call, "intake").await;
    assert!(hanging.text.to_lowercase().matches(&CANARY.to_lowercase()).count() >= 3, "{}", hanging.text);
    let handed = operator.post(&format!("{call}/hand-over"), &json!({ "basis": "consent" })).await.unwrap();
    assert_eq!(handed.status, 201, "{}", handed.text);
    let notice = format!("/api/v1/notices/{}", handed.id("id"));
    let slip = format!("/api/v1/slips/{}", handed.id("id"));
    assert_eq!(operator.post(&format!("{slip}/addenda"), &json!({ "text": CANARY })).await.unwrap().status, 201);
    errors.push_str(&handed.text);
    errors.push_str(&operator.get(&slip, "intake").await.unwrap().text);
    errors.push_str(&operator.get("/api/v1/slips", "intake").await.unwrap().text);
    errors.push_str(&duty.get("/api/v1/notices", "intake").await.unwrap().text);
    duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap();
    // The control: where it belongs, it is.
    let read = duty.get(&notice, "intake").await.unwrap();
    assert!(read.text.matches(CANARY).count() >= 9, "{}", read.text);
    let accepted = duty.post(&format!("{notice}/accept"), &json!({})).await.unwrap();
    assert_eq!(accepted.status, 201, "{}", accepted.text);
    let case = format!("/api/v1/cases/{}", accepted.id("case"));
    let given = json!({ "category": "witness" });
    let person = duty.post(&format!("{case}/persons"), &given).await.unwrap().id("id");
    let mut planted = 0;
    for (path, fields) in [
        (
            format!("{case}/persons/{person}/sections/identity"),
            ["first_name", "middle_name", "second_name", "identity_number"].as_slice(),
        ),
        (
            format!("{case}/persons/{person}/sections/contact_and_safety"),
            ["street", "city", "how_to_contact", "risk_notes"].as_slice(),
        ),
        (format!("{case}/sections/narrative"), ["text"].as_slice()),
        (format!("{case}/sections/legal"), ["notes"].as_slice()),
        (format!("{case}/sections/investigation"), ["leads"].as_slice()),
    ] {
        let read = duty.get(&path, "case_work").await.unwrap();
        assert_eq!(read.status, 200, "{path} {}", read.text);
        let mut content = read.body["content"].clone();
        for field in fields {
            if content.get(field).is_none() {
                content[field] = json!("");
            }
        }
        plant(&mut content, &mut planted, fields);
        let saved = duty.put(&path, read.etag.as_deref().unwrap(), &content).await.unwrap();
        assert_eq!(saved.status, 200, "{path} {}", saved.text);
        errors.push_str(&saved.text);
    }
    assert_eq!(planted, 11);
    assert_eq!(duty.post(&format!("{case}/notes"), &json!({ "text": CANARY })).await.unwrap().status, 201);
    for path in [case.clone(), "/api/v1/cases".to_owned()] {
        errors.push_str(&duty.get(&path, "case_work").await.unwrap().text);
    }
    errors.push_str(&shelter(&world, &case, person).await);
    errors.push_str(&world.signed_in("auditor1").await.get("/api/v1/ledger/entries", "audit").await.unwrap().text);

    // In small letters as well: a media type is kept so.
    let found = |place: &[u8]| place.windows(CANARY.len()).any(|part| part.eq_ignore_ascii_case(CANARY.as_bytes()));
    assert!(!found(errors.as_bytes()), "an answer says it");
    assert!(!found(&world.dump()), "the dump says it");
    let lying = crate::attachments::objects(&world);
    assert_eq!(lying.len(), 2);
    for object in lying {
        assert!(!found(&std::fs::read(&object).unwrap()), "an object says it");
        assert!(!found(object.to_string_lossy().as_bytes()), "an object's name says it");
    }
    let log = log.0.lock().unwrap().clone();
    assert!(log.len() > 10_000, "the log was written: {} bytes", log.len());
    assert!(!found(&log), "the log says it");
    // No id of a record stands in the log either: routes are logged by their pattern.
    let id = person.to_string();
    assert!(!log.windows(id.len()).any(|part| part == id.as_bytes()), "the log names a person on a case");

    // What a client makes up becomes no label.
    let client = reqwest::Client::new();
    let method = reqwest::Method::from_bytes(CANARY.as_bytes()).unwrap();
    client.request(method, format!("{}/{CANARY}/{id}?q={CANARY}", world.base)).send().await.unwrap();
    // A sweep and a refusal count as well.
    world.app.databases.sweeper.sweep(false).await.unwrap();
    assert_eq!(world.signed_in("officer2").await.get(&case, "case_work").await.unwrap().status, 404);
    let (door, address) = crate::running::operators(&world.app).await;
    let metrics = reqwest::get(format!("{address}/metrics")).await.unwrap().text().await.unwrap();
    door.close().await;
    for counted in
        ["himaya_requests_total", "himaya_ledger_entries_total", "himaya_refusals_total", "himaya_sweeps_total"]
    {
        assert!(metrics.contains(&format!("\n{counted}")), "{counted}: {metrics}");
    }
    assert!(metrics.contains(r#"route="/api/v1/cases/{id}/sections/{kind}""#) || metrics.contains("/sections/"));
    assert!(!metrics.contains(CANARY), "a metric says it: {metrics}");
    let uuid = |text: &str| text.split(|c: char| !c.is_ascii_hexdigit() && c != '-').any(|word| word.len() == 36);
    assert!(uuid(&format!("x{{{id}}}")) && !uuid(&metrics), "a metric names an id: {metrics}");
    for (actor, _) in world.country.everybody() {
        assert!(!metrics.contains(&actor.handle), "a metric names {}", actor.handle);
    }
    let labels = ["route", "method", "status", "le"];
    for label in metrics.split(['{', ',']).filter_map(|part| part.split_once("=\"")).map(|(label, _)| label) {
        assert!(labels.contains(&label), "a label that nobody reviewed: {label}");
    }
}

/// The canary in everything that is sealed at a shelter. What must not tell of it.
async fn shelter(world: &World, case: &str, person: uuid::Uuid) -> String {
    let (duty, manager, worker) =
        (world.signed_in("duty1").await, world.signed_in("manager1").await, world.signed_in("worker1").await);
    let house = open_house(&world.country).await.unwrap();
    let (shelter, squad) = (world.country.organisations["accommodation"], world.country.organisations["squad"]);
    let mut told = String::new();
    let address = json!({ "address": CANARY, "directions": CANARY, "telephone": CANARY });
    let path = format!("/api/v1/accommodations/{house}/address");
    told.push_str(&manager.put(&path, "\"1\"", &address).await.unwrap().text);
    let mut consent = said(shelter, "care", "placement", "given");
    consent["explained"] = json!(CANARY);
    let given = duty.post(&format!("{case}/persons/{person}/consents"), &consent).await.unwrap();
    assert_eq!(given.status, 201, "{}", given.text);
    let wanted = json!({ "person": person, "accommodation": house, "places": "women", "basis": "consent",
        "needs": { "called": CANARY, "age": "18-20", "health": CANARY, "diet_and_faith": CANARY, "safety": CANARY,
                   "wishes": CANARY } });
    let asked = duty.post(&format!("{case}/placements"), &wanted).await.unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text);
    let placement = format!("/api/v1/placements/{}", asked.id("id"));
    let agreed = json!({ "source": "person", "explained": CANARY, "language": "az" });
    let mut about_care = said(squad, "case_work", "care", "given");
    about_care["explained"] = json!(CANARY);
    let kept = json!({ "medical": CANARY, "psychological": CANARY, "plan": CANARY,
        "assistance": [{ "service": "legal", "state": "offered", "notes": CANARY }] });
    for (who, step, body) in [
        (&worker, "acknowledge", json!({})),
        (&manager, "accept", json!({ "workers": [worker.account] })),
        (&duty, "consent", agreed),
        (&worker, "admit", json!({})),
        (&worker, "consents", about_care),
    ] {
        let done = who.post(&format!("{placement}/{step}"), &body).await.unwrap();
        assert!(done.status < 300, "{step} {}", done.text);
        told.push_str(&done.text);
    }
    let stored = worker.put(&format!("{placement}/care"), "\"0\"", &kept).await.unwrap();
    assert_eq!(stored.status, 200, "{}", stored.text);
    told.push_str(&stored.text);
    // The control: where it belongs, it is.
    for (who, what, purpose, times) in [
        (&worker, "", "care", 6),
        (&worker, "/care", "care", 4),
        (&worker, "/consents", "care", 1),
        (&duty, "/arrival", "case_work", 3),
    ] {
        let read = who.get(&format!("{placement}{what}"), purpose).await.unwrap();
        assert_eq!(read.text.matches(CANARY).count(), times, "{what} {}", read.text);
    }
    for path in ["/api/v1/placements", "/api/v1/accommodations", "/api/v1/trainings"] {
        told.push_str(&worker.get(path, "care").await.unwrap().text);
    }
    told
}
