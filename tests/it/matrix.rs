//! Every route × every actor, from the router's own list, against a reviewed file. A new route without a row fails.
//!
//! The gate comes before everything that looks at a body or a record, so an actor whom it lets through is told what is
//! wrong with an empty body; one whom it refuses is told 403 or 404, whatever was sent. `through` stands for every answer
//! that only somebody who was let through gets.

use crate::harness::World;
use himaya::demo::actor::Actor;
use himaya::demo::{stay, story};
use himaya::guard::action::Role;
use himaya::platform::router::{BESIDE, document};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use uuid::Uuid;

/// One actor for each role (two of them officers: one on the case, one not; the second duty officer was granted it), then somebody who is not admitted, then somebody who is not signed in.
const ACTORS: [&str; 14] = [
    "operator1",
    "hsupervisor1",
    "duty1",
    "duty2",
    "officer1",
    "officer2",
    "ssupervisor1",
    "worker1",
    "manager1",
    "coordinator1",
    "statistician1",
    "auditor1",
    "liaison1",
    "admin1",
];

/// The routes, in the order of the document; those that end something come last.
pub fn routes() -> Vec<(Method, String)> {
    let document = serde_json::to_value(document()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            if item.get(method).is_some() {
                routes.push((Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), path.clone()));
            }
        }
    }
    routes.extend(BESIDE.map(|path| (Method::GET, path.to_owned())));
    routes.sort_by_key(|(method, path)| {
        let ends = match (method.as_str(), path.as_str()) {
            ("DELETE", "/api/v1/sessions/current") => 4,
            ("DELETE", path) if path.starts_with("/api/v1/sessions") => 3,
            (_, path) if path.ends_with("/disable") => 2,
            ("DELETE", _) => 1,
            (_, path) if path.ends_with("{succession}/decline") => 1,
            (_, path) if ["/done", "/end"].iter().any(|end| path.ends_with(end)) => 1,
            _ => 0,
        };
        (ends, path.clone(), method.to_string())
    });
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_through_exactly_whom_the_reviewed_matrix_names() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let played = stay::play(&world.country, played).await.unwrap();
    let (house, placement) = (played.house.to_string(), played.placement.to_string());
    let yes = stay::said(world.country.organisations["squad"], "case_work", "care", "given");
    let path = format!("/api/v1/cases/{}/placements", played.case);
    let asked = world.signed_in("officer1").await.post(&path, &stay::asked(&played)).await.unwrap();
    let requested = asked.id("id").to_string();
    let consents = format!("/api/v1/placements/{placement}/consents");
    let consent = world.signed_in("worker1").await.post(&consents, &yes).await.unwrap().id("id").to_string();
    let operator = world.signed_in("operator1").await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let sent = operator.post("/api/v1/calls", &crisis).await.unwrap();
    let sent =
        operator.post(&format!("/api/v1/calls/{}/hand-over", sent.id("id")), &json!({ "basis": "pseudonymous" })).await;
    let notice = sent.unwrap().id("id").to_string();
    let draft = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id").to_string();
    let officer = world.signed_in("officer1").await;
    let task = crate::tasks::task_on(&world, &officer, played.case, officer.account, -1).await.to_string();
    world.app.databases.timekeeper.look(&world.clock).await.unwrap();
    let alerts = officer.get("/api/v1/alerts", "").await.unwrap();
    let alert = alerts.body["items"][0]["id"].as_str().unwrap().to_owned();
    let (squads, stand_in) = (world.signed_in("ssupervisor1").await, world.country.person("officer2").unwrap().account);
    let shift = crate::roster::shift(&world, &squads, "duty2", 1, 9).await.to_string();
    let away = json!({ "stand_in": stand_in, "from": world.clock.now() + chrono::TimeDelta::days(1),
                       "until": world.clock.now() + chrono::TimeDelta::days(2) });
    let absence = officer.post("/api/v1/absences", &away).await.unwrap();
    assert_eq!(absence.status, 201, "{}", absence.text);
    let absence = absence.id("id").to_string();
    let (one, other) = (world.signed_in("auditor1").await, world.signed_in("auditor2").await);
    let (_, person) = crate::resolving::pseudonym_of_operator(&world, &one).await;
    let asked = crate::resolving::ask(&one, &person).await;
    assert_eq!(crate::resolving::agree(&other, &asked).await.status, 200);
    let resolution = asked.id("id").to_string();
    let kept_off = json!({ "account": world.country.person("ssupervisor2").unwrap().account, "reason": "kinship" });
    let bar = squads.post(&format!("/api/v1/cases/{}/bars", played.case), &kept_off).await.unwrap();
    let bar = bar.id("id").to_string();
    let taken_off = json!({ "account": stand_in });
    let removal = squads.post(&format!("/api/v1/cases/{}/removals", played.case), &taken_off).await.unwrap();
    assert_eq!(removal.status, 201, "{}", removal.text);
    let removal = removal.id("id").to_string();
    // Proposed, and never to be done: on hold.
    let erasure =
        crate::erasing::propose(&squads, &format!("/api/v1/cases/{}", played.case)).await.id("id").to_string();
    let holds = format!("/api/v1/cases/{}/holds", played.case);
    let hold = squads.post(&holds, &json!({ "reason": "complaint" })).await.unwrap().id("id").to_string();
    let lift = squads.post(&format!("{holds}/{hold}/lifts"), &json!(null)).await.unwrap().id("id").to_string();
    let (stays, follows) = (world.signed_in("ssupervisor1").await, ["ssupervisor1", "officer1"]);
    let keepers = ["ssupervisor1", "ssupervisor2", "officer1"];
    let keepers = keepers.map(|handle| world.country.person(handle).unwrap().account);
    let custody = format!("/api/v1/organisations/{}/custody", world.country.organisations["squad"]);
    let custody = stays.post(&custody, &json!({ "custodians": keepers })).await.unwrap().id("key").to_string();
    let (squad, case) = (world.country.organisations["squad"].to_string(), played.case.to_string());
    let duty = world.country.person("duty1").unwrap().account.to_string();
    let officer = world.signed_in("officer1").await;
    let mut hanging = Vec::new();
    for (actor, on, at) in [
        (&operator, "/calls/", format!("/api/v1/calls/{draft}")),
        (&operator, "/notices/", format!("/api/v1/slips/{notice}")),
        (&officer, "/persons/", format!("/api/v1/cases/{case}/persons/{}/sections/identity", played.person)),
        (&officer, "/cases/", format!("/api/v1/cases/{case}/sections/narrative")),
    ] {
        hanging.push((on, crate::attachments::attached(actor, &at, "x", b"x").await.to_string()));
    }
    let concrete = |path: &str| {
        let record = match path {
            path if path.starts_with("/api/v1/calls/") => &draft,
            path if path.starts_with("/api/v1/notices/") || path.starts_with("/api/v1/slips/") => &notice,
            path if path.starts_with("/api/v1/cases/") => &case,
            path if path.starts_with("/api/v1/tasks/") => &task,
            path if path.starts_with("/api/v1/alerts/") => &alert,
            path if path.starts_with("/api/v1/ledger/resolutions/") => &resolution,
            path if path.starts_with("/api/v1/roster/shifts/") => &shift,
            path if path.starts_with("/api/v1/absences/") => &absence,
            path if path.starts_with("/api/v1/organisations/") => &squad,
            path if path.starts_with("/api/v1/accommodations/") => &house,
            path if ["/acknowledge", "/accept", "/decline"].iter().any(|step| path.ends_with(step))
                && path.starts_with("/api/v1/placements/") =>
            {
                &requested
            }
            path if path.starts_with("/api/v1/placements/") => &placement,
            path if path.starts_with("/api/v1/consents/") => &consent,
            _ => &duty,
        };
        let attachment = hanging.iter().find(|(on, _)| path.contains(on)).map_or("", |(_, id)| id);
        path.replace("{id}", record)
            .replace("{tile}", "entries/000.p/1")
            .replace("{index}", "0")
            .replace("{attachment}", attachment)
            .replace("{membership}", &squad)
            .replace("{person}", &played.person.to_string())
            .replace("{account}", &duty)
            .replace("{bar}", &bar)
            .replace("{removal}", &removal)
            .replace("{erasure}", &erasure)
            .replace("{hold}", &hold)
            .replace("{lift}", &lift)
            .replace("{key}", &custody)
            .replace("{kind}", if path.contains("{person}") { "identity" } else { "narrative" })
    };
    let granted = json!({
        "account": world.country.person("duty2").unwrap().account, "relation": "granted", "reason": "expertise"
    });
    let path = format!("/api/v1/cases/{case}/access");
    assert_eq!(world.signed_in("officer1").await.post(&path, &granted).await.unwrap().status, 201);
    let admin = world.signed_in("admin1").await;
    let helpline = world.country.organisations["helpline"];
    let made =
        admin.post("/api/v1/accounts", &json!({ "organisation": helpline, "handle": "newcomer" })).await.unwrap();
    let newcomer = Actor::enrol(&world.base, "newcomer", made.text_of("enrolment_code")).await.unwrap();
    newcomer.sign_in().await.unwrap();
    let mut actors = Vec::new();
    let roles: BTreeSet<&str> = world
        .country
        .everybody()
        .filter(|(actor, _)| ACTORS.contains(&actor.handle.as_str()))
        .map(|(_, role)| role)
        .collect();
    // Who was admitted to nothing yet is the newcomer.
    let wanted = Role::ALL.iter().filter(|role| **role != Role::Unadmitted).map(|role| role.as_str()).collect();
    assert_eq!(roles, wanted, "somebody of each role tries everything");
    for handle in ACTORS {
        actors.push((handle, world.signed_in(handle).await));
    }
    actors.push(("newcomer", newcomer.clone()));
    actors.push(("nobody", newcomer.elsewhere()));

    let (mut matrix, mut silent, mut succession) = (String::new(), Vec::new(), String::new());
    let mut given: BTreeMap<String, Vec<(&Actor, &str, String, Value)>> = BTreeMap::new();
    let (mut owner, mut judge) = (world.owner().await, Judge::new());
    for (method, path) in routes() {
        let concrete = concrete(&path);
        let before = count(&mut owner).await;
        let _ = writeln!(matrix, "{method} {path}");
        for (handle, actor) in &actors {
            // Whoever declines one ends it: each gets one of their own.
            if concrete.contains("{succession}") && (path.ends_with("/decline") || succession.is_empty()) {
                let squad = world.country.organisations["squad"];
                let proposed = crate::succession::propose(&world, &stays, squad, follows).await;
                succession = proposed.id("id").to_string();
            }
            let concrete = concrete.replace("{succession}", &succession);
            assert!(!concrete.contains('{'), "{concrete}");
            let purposes = ["intake", "case_work", "care", "supervision", "audit", "access_request"];
            let mut best = 0;
            // A search reads, whatever its method is: it asks for everything.
            let reads = is_read(&method, &path);
            let body = match reads {
                true if path.ends_with("/access-lists") => json!({ "case": played.case, "language": "en" }),
                true => json!({}),
                false => json!({ "no_such_field": 1 }),
            };
            for purpose in if reads { &purposes[..] } else { &purposes[..1] } {
                let mut request = actor.request(method.clone(), &concrete).await.header("purpose", *purpose);
                if method != Method::GET && method != Method::DELETE {
                    request = request.header("idempotency-key", "matrix-matrix").json(&body);
                }
                let already = count(&mut owner).await;
                let got = actor.send(request).await.unwrap().status;
                assert!(got < 500, "{handle} {method} {path}: {got}");
                let made = count(&mut owner).await - already;
                if reads && (200..300).contains(&got) {
                    let ask = (actor, *purpose, concrete.clone(), body.clone());
                    given.entry(format!("{method} {path}")).or_default().push(ask);
                }
                judge.look(&format!("{method} {path}"), &format!("{handle} for {purpose}"), reads, got, made);
                best = if matches!(best, 0 | 401 | 403 | 404) { got } else { best };
            }
            let answer = match best {
                401 | 403 | 404 => best.to_string(),
                _ => "through".to_owned(),
            };
            let _ = writeln!(matrix, "  {handle:<14} {answer}");
        }
        if count(&mut owner).await == before {
            silent.push(format!("{method} {path}"));
        }
    }
    every_route_is_an_entry_but_these(&silent);
    judge.finds_nothing_wrong();
    judge.everything_was_read();
    // The ledger lacks something: whoever was given something before is told so, or the reviewed file says why not.
    // Some of what was tried ended sessions, and the duty officer's account.
    for (_, actor) in &actors {
        actor.try_sign_in(json!({ "passphrase": actor.passphrase })).await.unwrap();
    }
    crate::fail_closed::keep_from_the_tree(&mut owner).await;
    crate::fail_closed::refused_in_the_end(&world, &format!("/api/v1/cases/{case}/sections/narrative")).await;
    let mut open = Vec::new();
    for (route, asks) in &given {
        let method = if route.starts_with("GET ") { Method::GET } else { Method::POST };
        let mut told = None;
        for (actor, purpose, concrete, body) in asks {
            let mut request = actor.request(method.clone(), concrete).await.header("purpose", *purpose);
            if method != Method::GET {
                request = request.json(body);
            }
            told = Some(actor.send(request).await.unwrap()).filter(|again| again.status != 401);
            if told.is_some() {
                break;
            }
        }
        let told = told.unwrap_or_else(|| panic!("nobody is left who may ask for {route}"));
        if told.status == 503 {
            assert_eq!(told.code(), "ledger_behind", "{route}: {}", told.text);
        } else {
            open.push(route.as_str());
        }
    }
    let reasons = listed("policies/open-meanwhile.txt", 1);
    let reviewed: Vec<&str> = reasons.keys().map(String::as_str).collect();
    assert_eq!(open, reviewed, "policies/open-meanwhile.txt: a line for each, with the reason");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/routes.txt");
    if std::env::var_os("HIMAYA_WRITE_MATRIX").is_some() {
        std::fs::write(&file, &matrix).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    let difference = reviewed.lines().zip(matrix.lines()).position(|(a, b)| a != b);
    assert!(reviewed == matrix, "differs at line {difference:?}; write it anew with HIMAYA_WRITE_MATRIX=1 and review");
}

/// Whether a route reads: then it asks for a purpose, and is entered exactly once.
pub fn is_read(method: &Method, path: &str) -> bool {
    *method == Method::GET || path.ends_with("/searches") || path.ends_with("/access-lists")
}

/// Looks at each single answer: a list that forgets its entry is not hidden by the refusals of those who may not see it.
pub struct Judge {
    /// The routes that write none when nothing fits.
    silent: BTreeMap<String, String>,
    found: Vec<String>,
    /// Routes that read, and whether anybody was given anything by them.
    read: BTreeMap<String, bool>,
    pub looked_at: usize,
}

impl Judge {
    pub fn new() -> Self {
        Self { silent: reviewed(1), found: Vec::new(), read: BTreeMap::new(), looked_at: 0 }
    }

    /// `made` entries came of a request that was answered `status`.
    pub fn look(&mut self, route: &str, by: &str, reads: bool, status: u16, made: i64) {
        let silent = self.silent.get(route);
        // What is entered when it is done is, on the routes too that write none when nothing fits.
        let when_done = ["when it is done", "when it is begun"];
        let done = silent.is_none_or(|why| !reads && when_done.iter().any(|when| why.contains(when)));
        let well = match status {
            200..=299 if !done => true,
            200..=299 if reads => made == 1,
            200..=299 => made >= 1,
            401 => silent.is_some() || made == 0,
            403 | 404 => silent.is_some() || by.starts_with("nobody ") || made >= 1,
            _ => true,
        };
        if !well {
            self.found.push(format!("{route}, {by}: {status}, and {made} entries"));
        }
        if reads && silent.is_none() {
            *self.read.entry(route.to_owned()).or_default() |= (200..300).contains(&status);
        }
        self.looked_at += 1;
    }

    pub fn finds_nothing_wrong(&self) {
        assert!(self.found.is_empty(), "{:#?}", self.found);
    }

    fn everything_was_read(&self) {
        let never: Vec<&str> = self.read.iter().filter(|(_, read)| !**read).map(|(route, _)| route.as_str()).collect();
        assert_eq!(never, NEVER_READ, "nobody reads these, so nobody knows whether a read is entered");
    }
}

/// Routes that read, and that give nobody anything here: this placement's person has arrived. The story reads it before (`entered.rs`).
const NEVER_READ: [&str; 1] = ["GET /api/v1/placements/{id}/arrival"];

/// What the reviewed file says of routes (part 1), of answers (2) and of commands (3): each with its reason.
pub fn reviewed(part: usize) -> BTreeMap<String, String> {
    listed("policies/no-entry.txt", part)
}

fn listed(file: &str, part: usize) -> BTreeMap<String, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    let part = reviewed.split("\n## ").nth(part - 1).unwrap_or_default().to_owned();
    let lines = part.lines().filter(|line| !line.starts_with('#') && !line.starts_with("Part "));
    let reasons: BTreeMap<String, String> =
        lines.filter_map(|line| line.split_once(": ")).map(|(what, why)| (what.to_owned(), why.to_owned())).collect();
    assert!(reasons.values().all(|reason| reason.len() > 20), "{reasons:?}");
    reasons
}

/// Whoever asked for it, let through or refused: nothing was entered. Each of these routes says why in the reviewed file.
fn every_route_is_an_entry_but_these(silent: &[String]) {
    let reasons = reviewed(1);
    let routes: Vec<&str> = reasons.keys().map(String::as_str).collect();
    let mut now: Vec<&str> = silent.iter().map(String::as_str).collect();
    now.sort_unstable();
    assert_eq!(now, routes, "policies/no-entry.txt: a line for each, with the reason behind a colon");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_answers_exactly_like_one_that_is_not_there() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let played = stay::play(&world.country, played).await.unwrap();
    let outsider = world.signed_in("officer2").await;
    let missing = himaya::platform::random::uuid();
    for path in [
        format!("/api/v1/notices/{}", played.notice),
        format!("/api/v1/slips/{}", played.notice),
        format!("/api/v1/cases/{}", played.case),
        format!("/api/v1/cases/{}/sections/narrative", played.case),
        format!("/api/v1/cases/{}/notes", played.case),
        format!("/api/v1/cases/{}/bars", played.case),
        format!("/api/v1/cases/{}/removals", played.case),
        format!("/api/v1/cases/{}/erasures", played.case),
        format!("/api/v1/cases/{}/holds", played.case),
        format!("/api/v1/cases/{}/persons/{}/consents", played.case, played.person),
        format!("/api/v1/accommodations/{}/address", played.house),
        format!("/api/v1/placements/{}", played.placement),
        format!("/api/v1/placements/{}/arrival", played.placement),
        format!("/api/v1/placements/{}/care", played.placement),
        format!("/api/v1/placements/{}/consents", played.placement),
    ] {
        let other = path
            .replace(&played.notice.to_string(), &missing.to_string())
            .replace(&played.case.to_string(), &missing.to_string())
            .replace(&played.house.to_string(), &missing.to_string())
            .replace(&played.placement.to_string(), &missing.to_string());
        assert_ne!(path, other);
        let mut answers = Vec::new();
        for path in [&path, &other] {
            let before = entries(&world).await;
            let reply = outsider.get(path, "case_work").await.unwrap();
            assert_eq!(entries(&world).await, before + 1, "an entry either way: {path}");
            let mut body = reply.body.clone();
            body["request_id"] = json!("");
            let mut headers: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
            headers.sort();
            answers.push((reply.status, body, headers, reply.text.len()));
        }
        assert_eq!(answers[0], answers[1], "{path}");
        assert_eq!(answers[0].0, 404);
    }
}

async fn entries(world: &World) -> i64 {
    count(&mut world.owner().await).await
}

/// How many entries there are.
pub async fn count(owner: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM ledger_entries").fetch_one(owner).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_named_in_an_acceptance_that_is_not_ones_own_is_like_one_that_is_not_there() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (operator, outsider) = (world.signed_in("operator1").await, world.signed_in("duty2").await);
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let sent = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
    let notice = format!("/api/v1/notices/{}", sent.id("id"));
    assert_eq!(outsider.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let mut answers = Vec::new();
    for case in [played.case, himaya::platform::random::uuid()] {
        let before = entries(&world).await;
        let refused = outsider.post(&format!("{notice}/accept"), &json!({ "case": case })).await.unwrap();
        assert_eq!(entries(&world).await, before + 1, "an entry either way");
        let mut body = refused.body.clone();
        body["request_id"] = json!("");
        answers.push((refused.status, body));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!((answers[0].0, &answers[0].1["errors"][0]["field"]), (422, &json!("case")));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_on_what_is_not_there_leaves_an_entry() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let (responsible, admin) = (world.signed_in("hsupervisor1").await, world.signed_in("admin1").await);
    let (squad, helpline) = (world.country.organisations["squad"], world.country.organisations["helpline"]);
    // Of another organisation, and complete: not there for who would countersign it.
    let foreign: Uuid = sqlx::query_scalar("SELECT id FROM memberships WHERE organisation_id = $1 LIMIT 1")
        .bind(squad)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    let (missing, print) = (himaya::platform::random::uuid(), json!({ "fingerprint": "0".repeat(64) }));
    let members = format!("/api/v1/organisations/{helpline}/members");
    let nobody = format!("/api/v1/cases/{}/access/{}", played.case, admin.account);
    let before = entries(&world).await;
    for (sent, expected) in [
        (responsible.post(&format!("{members}/{foreign}/countersign"), &print).await, 404),
        (responsible.post(&format!("{members}/{missing}/countersign"), &print).await, 404),
        (responsible.post(&format!("/api/v1/organisations/{helpline}/founding/countersign"), &print).await, 409),
        (admin.post(&format!("/api/v1/accounts/{missing}/disable"), &json!({})).await, 404),
        (officer.delete(&nobody).await, 404),
        (supervisor.delete(&nobody).await, 404),
    ] {
        let refused = sent.unwrap();
        assert_eq!(refused.status, expected, "{}", refused.text);
    }
    assert_eq!(entries(&world).await, before + 6);
}
