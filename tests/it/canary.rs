//! A unique string is planted in every sealed field and searched for everywhere it must not be.

use crate::canary_fields::{CANARY, DATE, Fields, times};
use crate::harness::World;
use crate::software_key::SoftwareKey;
use chrono::TimeDelta;
use himaya::audit::tiles::export::export;
use himaya::demo::actor::Reply;
use himaya::demo::stay::{open_house, said};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
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

/// Every file in a folder and below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let there = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    there.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The control: where it belongs, all of it is.
fn shown(reply: &Reply, sent: &Value) {
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(times(&reply.text) >= times(&sent.to_string()), "{sent} is read as {}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_string_appears_in_no_dump_log_metric_error_or_url() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(move || writer.clone()).init();
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let mut errors = String::new();

    let mut fields = Fields::new();
    let coded = json!({ "safe_to_talk": "yes", "kind": "crisis", "language": "az", "call_back": { "wanted": "yes" },
                        "person": { "citizenship": "AZ" } });
    let content = fields.filled("CallContent", &coded);
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
    let addendum = fields.filled("AddendumContent", &json!({}));
    assert_eq!(operator.post(&format!("{slip}/addenda"), &addendum).await.unwrap().status, 201);
    errors.push_str(&handed.text);
    errors.push_str(&operator.get(&slip, "intake").await.unwrap().text);
    errors.push_str(&operator.get("/api/v1/slips", "intake").await.unwrap().text);
    errors.push_str(&duty.get("/api/v1/notices", "intake").await.unwrap().text);
    duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap();
    shown(&duty.get(&notice, "intake").await.unwrap(), &json!([content, addendum]));
    let accepted = duty.post(&format!("{notice}/accept"), &json!({})).await.unwrap();
    assert_eq!(accepted.status, 201, "{}", accepted.text);
    let case = format!("/api/v1/cases/{}", accepted.id("case"));
    let given = json!({ "category": "witness" });
    let person = duty.post(&format!("{case}/persons"), &given).await.unwrap().id("id");
    for (path, schema) in [
        (format!("{case}/persons/{person}/sections/identity"), "Identity"),
        (format!("{case}/persons/{person}/sections/contact_and_safety"), "ContactAndSafety"),
        (format!("{case}/sections/narrative"), "Narrative"),
        (format!("{case}/sections/legal"), "Legal"),
        (format!("{case}/sections/investigation"), "Investigation"),
    ] {
        let read = duty.get(&path, "case_work").await.unwrap();
        assert_eq!(read.status, 200, "{path} {}", read.text);
        let content = fields.filled(schema, &json!({}));
        assert!(times(&content.to_string()) > 0, "{schema}");
        let saved = duty.put(&path, read.etag.as_deref().unwrap(), &content).await.unwrap();
        assert_eq!(saved.status, 200, "{path} {}", saved.text);
        errors.push_str(&saved.text);
        shown(&duty.get(&path, "case_work").await.unwrap(), &content);
    }
    let note = fields.filled("NewNote", &json!({}));
    assert_eq!(duty.post(&format!("{case}/notes"), &note).await.unwrap().status, 201);
    shown(&duty.get(&format!("{case}/notes"), "case_work").await.unwrap(), &note);
    errors.push_str(&work(&world, &mut fields, &case).await);
    errors.push_str(&at_the_door(&world, &mut fields).await);
    for path in [case.clone(), "/api/v1/cases".to_owned()] {
        errors.push_str(&duty.get(&path, "case_work").await.unwrap().text);
    }
    errors.push_str(&shelter(&world, &mut fields, &case, person).await);
    errors.push_str(&world.signed_in("auditor1").await.get("/api/v1/ledger/entries", "audit").await.unwrap().text);

    fields.are_all_planted();
    // In small letters as well: a media type is kept so.
    let found = |place: &[u8]| {
        let of = |canary: &str| place.windows(canary.len()).any(|part| part.eq_ignore_ascii_case(canary.as_bytes()));
        of(CANARY) || of(DATE)
    };
    assert!(!found(errors.as_bytes()), "an answer says it");
    assert!(!found(&world.dump()), "the dump says it");
    assert_eq!(crate::attachments::objects(&world).len(), 2);
    // Everything that the service writes: objects, checkpoints, what was erased, and what others are given of the ledger.
    let exported = world.folder.join("exported");
    let (app, checkpoints) = (&world.app, &world.app.config.checkpoints);
    export(&app.databases.auditor, &app.log_keys().unwrap(), Vec::new(), 0, checkpoints, &exported, |_, _| {})
        .await
        .unwrap();
    let erased = checkpoints.join(himaya::guard::tombstones::FILE);
    crate::ledger::comes_true("what was erased is written down", async || {
        std::fs::metadata(&erased).is_ok_and(|file| file.len() > 30)
    })
    .await;
    let written = files(&world.folder);
    for part in ["attachments", "checkpoints", "exported"] {
        assert!(written.iter().any(|file| file.starts_with(world.folder.join(part))), "nothing of {part}");
    }
    for file in written {
        assert!(!found(&std::fs::read(&file).unwrap()), "{} says it", file.display());
        assert!(!found(file.to_string_lossy().as_bytes()), "a file's name says it");
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
    assert!(!found(metrics.as_bytes()), "a metric says it: {metrics}");
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

/// The canary in what is to be done, and in what people keep for themselves. What must not tell of it.
async fn work(world: &World, fields: &mut Fields, case: &str) -> String {
    let (duty, operator) = (world.signed_in("duty1").await, world.signed_in("operator2").await);
    let due = world.clock.now() + TimeDelta::hours(3);
    let task = fields.filled("NewTask", &json!({ "assignee": duty.account, "kind": "visit", "due_at": due }));
    let made = duty.post(&format!("{case}/tasks"), &task).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
    shown(&duty.get(&format!("/api/v1/tasks/{}", made.id("id")), "case_work").await.unwrap(), &task);
    // What is to be done about a call that is closed: how to call back goes into a task of its own.
    let coded = json!({ "safe_to_talk": "yes", "kind": "request_for_help", "call_back": { "wanted": "yes" } });
    let content = fields.filled("CallContent", &coded);
    let call = operator.post("/api/v1/calls", &json!({ "content": content })).await.unwrap();
    assert_eq!(call.status, 201, "{}", call.text);
    let closing = json!({ "outcome": "callback_scheduled", "call_back_at": due });
    let closed = operator.post(&format!("/api/v1/calls/{}/close", call.id("id")), &closing).await.unwrap();
    assert_eq!(closed.status, 200, "{}", closed.text);
    let list = operator.get("/api/v1/tasks?due=any", "").await.unwrap();
    let path = format!("/api/v1/tasks/{}", list.body["tasks"][0]["id"].as_str().unwrap());
    shown(&operator.get(&path, "intake").await.unwrap(), &content["call_back"]);

    crate::passkeys::prints_a_code(&operator).await;
    let begun = operator.post("/api/v1/credentials/passkeys", &crate::credentials::words(&operator)).await.unwrap();
    let key = fields.filled("NewPasskey", &SoftwareKey::new(true).made(&begun.body, true));
    let added = operator.post("/api/v1/credentials/passkeys/confirm", &key).await.unwrap();
    assert_eq!(added.status, 200, "{}", added.text);
    shown(&operator.get("/api/v1/credentials", "").await.unwrap(), &key);
    let sought = fields.filled("Sought", &json!({}));
    let auditor = world.signed_in("auditor1").await;
    let sought = auditor.post("/api/v1/ledger/searches", &sought).await.unwrap();
    let listed = fields.filled("NewAccessList", &json!({ "records": [call.id("id")], "language": "az" }));
    let listed = crate::access_list::asks(&auditor, "access_request", &listed).await;
    assert_eq!(listed.status, 422, "{}", listed.text);
    let tasks = duty.get("/api/v1/tasks?due=any", "").await.unwrap();
    [made.text, closed.text, list.text, tasks.text, sought.text, listed.text].concat()
}

/// The canary in what is typed by somebody who is let in nowhere.
async fn at_the_door(world: &World, fields: &mut Fields) -> String {
    let (client, mut told) = (reqwest::Client::new(), String::new());
    for (path, schema) in [
        ("sessions", "SignIn"),
        ("sessions/refresh", "Refresh"),
        ("sessions/passkey", "AskedAtTheDoor"),
        ("enrolments", "Enrolment"),
    ] {
        let typed = fields.filled(schema, &json!({}));
        let sent = client.post(format!("{}/api/v1/{path}", world.base)).json(&typed).send().await.unwrap();
        told.push_str(&sent.text().await.unwrap());
    }
    // With nothing that is wrong in its shape.
    let typed = json!({ "handle": CANARY.to_lowercase(), "passphrase": CANARY });
    let sent = client.post(format!("{}/api/v1/sessions", world.base)).json(&typed).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 401);
    told + sent.text().await.unwrap().as_str()
}

/// The canary in everything that is sealed at a shelter. What must not tell of it.
async fn shelter(world: &World, fields: &mut Fields, case: &str, person: uuid::Uuid) -> String {
    let (duty, manager, worker) =
        (world.signed_in("duty1").await, world.signed_in("manager1").await, world.signed_in("worker1").await);
    let house = open_house(&world.country).await.unwrap();
    let (shelter, squad) = (world.country.organisations["accommodation"], world.country.organisations["squad"]);
    let mut told = String::new();
    let address = fields.filled("Address", &json!({}));
    let path = format!("/api/v1/accommodations/{house}/address");
    told.push_str(&manager.put(&path, "\"1\"", &address).await.unwrap().text);
    let unsaid = |mut consent: Value| {
        consent["explained"] = Value::Null;
        consent
    };
    let consent = fields.filled("NewConsent", &unsaid(said(shelter, "care", "placement", "given")));
    let given = duty.post(&format!("{case}/persons/{person}/consents"), &consent).await.unwrap();
    assert_eq!(given.status, 201, "{}", given.text);
    let coded = json!({ "person": person, "accommodation": house, "places": "women", "basis": "consent",
                        "needs": { "age": "18-20" } });
    let wanted = fields.filled("NewPlacement", &coded);
    let asked = duty.post(&format!("{case}/placements"), &wanted).await.unwrap();
    assert_eq!(asked.status, 201, "{}", asked.text);
    let placement = format!("/api/v1/placements/{}", asked.id("id"));
    let agreed = fields.filled("ConsentGiven", &json!({ "source": "person", "language": "az" }));
    let about_care = fields.filled("NewConsent", &unsaid(said(squad, "case_work", "care", "given")));
    let coded = json!({ "assistance": [{ "service": "legal", "state": "offered" }] });
    let kept = fields.filled("Care", &coded);
    for (who, step, body) in [
        (&worker, "acknowledge", json!({})),
        (&manager, "accept", json!({ "workers": [worker.account] })),
        (&duty, "consent", agreed),
        (&worker, "admit", json!({})),
        (&worker, "consents", about_care.clone()),
    ] {
        let done = who.post(&format!("{placement}/{step}"), &body).await.unwrap();
        assert!(done.status < 300, "{step} {}", done.text);
        told.push_str(&done.text);
    }
    let stored = worker.put(&format!("{placement}/care"), "\"0\"", &kept).await.unwrap();
    assert_eq!(stored.status, 200, "{}", stored.text);
    told.push_str(&stored.text);
    for (who, what, purpose, sent) in [
        (&worker, "", "care", &wanted),
        (&worker, "/care", "care", &kept),
        (&worker, "/consents", "care", &about_care),
        (&duty, "/arrival", "case_work", &address),
    ] {
        shown(&who.get(&format!("{placement}{what}"), purpose).await.unwrap(), sent);
    }
    for path in ["/api/v1/placements", "/api/v1/accommodations", "/api/v1/trainings"] {
        told.push_str(&worker.get(path, "care").await.unwrap().text);
    }
    told
}
