//! A person is told who opened her record: everybody, in her words, and nobody by name.

use crate::custody::{invoke, opened_by};
use crate::erasing::{full, hanging};
use crate::harness::World;
use crate::own_entries::{audits, reads};
use crate::searching::placed;
use crate::shelter::Placing;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::cast::{DutyOfficer, Operator, SquadOfficer};
use himaya::demo::story;
use reqwest::{Method, header};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub const LISTS: &str = "/api/v1/ledger/access-lists";

pub async fn asks(who: &Actor, purpose: &str, body: &Value) -> Reply {
    let request = who.request(Method::POST, LISTS).await.header("purpose", purpose).json(body);
    who.send(request).await.unwrap()
}

/// The list of a case, whole.
pub async fn list(auditor: &Actor, case: Uuid, language: &str) -> Value {
    let reply = asks(auditor, "access_request", &json!({ "case": case, "language": language })).await;
    assert_eq!((reply.status, &reply.body["more"]), (200, &json!(false)), "{}", reply.text);
    reply.body
}

/// The same on paper.
pub async fn paper(auditor: &Actor, body: &Value) -> (u16, header::HeaderMap, Vec<u8>) {
    let request = auditor.request(Method::POST, LISTS).await.header("purpose", "access_request");
    let reply = request.header("accept", "application/pdf").json(body).send().await.unwrap();
    (reply.status().as_u16(), reply.headers().clone(), reply.bytes().await.unwrap().to_vec())
}

/// How often somebody of this organisation and role did this for this purpose, by a list.
pub type Times = BTreeMap<[String; 4], u64>;

pub fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn times(list: &Value, deeds: &[&str]) -> Times {
    let mut times = Times::new();
    for line in list["items"].as_array().unwrap() {
        let deed = word(&line["deed"]);
        if deeds.contains(&deed.as_str()) {
            let key = [word(&line["organisation"]), word(&line["role"]), word(&line["purpose"]), deed];
            *times.entry(key).or_default() += line["times"].as_u64().unwrap();
        }
    }
    times
}

/// The same by the entries themselves, as another route tells them.
pub fn expected(entries: &[Value], hers: &BTreeSet<Uuid>) -> Times {
    let mut times = Times::new();
    for detail in entries.iter().map(|entry| &entry["detail"]) {
        let names = detail["records"].as_array().unwrap().iter().any(|id| hers.contains(&word(id).parse().unwrap()));
        let (kind, verb) = (word(&detail["kind"]), word(&detail["verb"]));
        let content = ["case_note", "attachment", "consent"].contains(&kind.as_str());
        let deed = match (word(&detail["outcome"]).as_str(), verb.as_str()) {
            _ if !names => continue,
            ("refused", _) => "refused",
            _ if kind == "ledger" || kind == "oversight" || kind == "access_list" => continue,
            _ if ["opening", "emergency", "entrusting", "custody"].contains(&kind.as_str()) => continue,
            (_, "read") => "looked",
            (_, "list") if content => "looked",
            (_, "list") => "listed",
            _ => continue,
        };
        let key = [word(&detail["organisation"]), word(&detail["role"]), word(&detail["purpose"]), deed.to_owned()];
        *times.entry(key).or_default() += 1;
    }
    times
}

/// All that hangs on a case by the catalogue's own account, without who wrote it; and the drafts of its calls, which are gone.
pub async fn hers(world: &World, case: Uuid, entries: &[Value]) -> BTreeSet<Uuid> {
    let (_, mut ids) = hanging(world, case).await;
    let others: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM accounts UNION SELECT id FROM organisations UNION SELECT id FROM shared_keys UNION SELECT id FROM accommodations",
    )
    .fetch_all(&mut world.owner().await)
    .await
    .unwrap();
    ids.retain(|id| !others.contains(id));
    let over = |entry: &&Value| entry["detail"]["kind"] == "call" && entry["detail"]["verb"] == "hand_over";
    let records = |entry: &Value| -> Vec<Uuid> {
        entry["detail"]["records"].as_array().unwrap().iter().map(|id| word(id).parse().unwrap()).collect()
    };
    let notices: Vec<&Value> =
        entries.iter().filter(over).filter(|entry| records(entry).iter().any(|id| ids.contains(id))).collect();
    let people: BTreeSet<String> = notices.iter().map(|entry| word(&entry["detail"]["person"])).collect();
    let drafts = entries.iter().filter(over).filter(|entry| people.contains(&word(&entry["detail"]["person"])));
    let drafts: Vec<Uuid> = drafts.flat_map(records).collect();
    ids.extend(drafts);
    ids
}

/// A case of other people, from another operator to another officer.
pub async fn another_case(world: &World) -> Uuid {
    let country = &world.country;
    for handle in ["operator2", "duty2", "officer2"] {
        world.signed_in(handle).await;
    }
    let operator = Operator::of(country, "operator2").unwrap();
    let (duty, officer) = (DutyOfficer::of(country, "duty2").unwrap(), SquadOfficer::of(country, "officer2").unwrap());
    let draft = operator.opens_call("yes").await.unwrap();
    let content = json!({ "safe_to_talk": "yes", "kind": "crisis", "said": "Another person." });
    let draft = operator.saves(draft, &content).await.unwrap();
    let slip = operator.hands_over(&draft, "vital_interest").await.unwrap();
    duty.acknowledges(slip.notice).await.unwrap();
    duty.accepts(slip.notice, &[&officer]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_did_anything_with_a_case_stands_in_its_list_and_nobody_of_another_case() {
    let placing = Placing::new().await;
    let other = another_case(&placing.world).await;
    let placement = placing.placed("admitted").await;
    assert_eq!(placing.worker.get(&placement, "care").await.unwrap().status, 200);
    full(&placing).await;
    let (world, case) = (&placing.world, placing.played.case);
    // Somebody looks in an emergency; somebody is refused; somebody looks again and again.
    let stranger = world.signed_in("duty2").await;
    let opening = invoke(world, &stranger, case, &["narrative"], 1).await;
    opened_by(world, opening, "ssupervisor2", "duty1").await;
    let narrative = format!("/api/v1/cases/{case}/sections/narrative");
    assert_eq!(stranger.get(&narrative, "emergency").await.unwrap().status, 200);
    assert_eq!(world.signed_in("manager1").await.get(&narrative, "care").await.unwrap().status, 404);
    let second = world.signed_in("officer2").await;
    for _ in 0..3 {
        reads(&second, other).await;
    }
    placed(world).await;
    let auditor = world.signed_in("auditor1").await;
    let entries = audits(&auditor, json!({})).await;
    let counted = ["looked", "listed", "refused"];
    let mut roles = BTreeSet::new();
    for (case, least) in [(case, 20), (other, 1)] {
        let expected = expected(&entries, &hers(world, case, &entries).await);
        let list = list(&auditor, case, "en").await;
        assert_eq!(times(&list, &counted), expected, "{list:#}");
        assert!(expected.len() >= least, "{expected:#?}");
        assert_eq!(list["gaps"].as_array().unwrap().len(), 1, "but that the day is not over: {}", list["gaps"]);
        roles.insert(
            times(&list, &["looked", "changed", "admitted", "custody"])
                .into_keys()
                .map(|[_, role, ..]| role)
                .collect::<BTreeSet<_>>(),
        );
        // Not only who looked: who wrote, who let somebody in, and who was let in by custodians.
        let has = |role: &str, deed: &str| {
            list["items"].as_array().unwrap().iter().any(|line| line["role"] == role && line["deed"] == deed)
        };
        assert!(has("helpline_operator", "changed") && has("duty_officer", "changed"), "{list:#}");
        let first = case == placing.played.case;
        for (role, deed) in [
            ("shelter_worker", "looked"),
            ("shelter_worker", "changed"),
            ("shelter_manager", "refused"),
            ("squad_officer", "admitted"),
            ("squad_supervisor", "admitted"),
            ("squad_supervisor", "custody"),
            ("duty_officer", "custody"),
            ("administrator", "refused"),
        ] {
            assert_eq!(has(role, deed), first, "{role} {deed}: {list:#}");
        }
    }
    assert_eq!(roles.len(), 2, "others work on the other one: {roles:?}");
    let three = times(&list(&auditor, other, "en").await, &["looked"]);
    let squad = world.country.organisations["squad"].to_string();
    let by_officer = [squad, "squad_officer".to_owned(), "case_work".to_owned(), "looked".to_owned()];
    assert_eq!(three[&by_officer], 3);
    assert!(!three.keys().any(|[_, _, purpose, _]| purpose == "emergency"), "{three:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_in_her_language_on_paper_too_and_says_nobodys_name() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    placed(&world).await;
    let auditor = world.signed_in("auditor1").await;
    let entries = audits(&auditor, json!({})).await;
    let hers = hers(&world, played.case, &entries).await;
    let mut never: BTreeSet<String> = entries.iter().map(|entry| word(&entry["detail"]["person"])).collect();
    never.extend(hers.iter().map(ToString::to_string));
    for (person, _) in world.country.everybody() {
        never.extend([person.handle.clone(), person.account.to_string()]);
    }
    never.remove("");
    assert!(never.len() > 50);
    for (language, title, part, page) in [
        ("az", "Sizin haqqınızdakı məlumata kimlər baxıb", "işinizlə məşğul olan polis əməkdaşı", "Səhifə 1 / "),
        ("ru", "Кто смотрел сведения о вас", "сотрудник полиции, который помогает в таких случаях", "Страница 1 из "),
        ("en", "Who looked at information about you", "police officer who works on cases", "Page 1 of "),
    ] {
        let list = list(&auditor, played.case, language).await;
        let lines = list["items"].as_array().unwrap();
        assert!(lines.iter().any(|line| line["words"]["role"] == part), "{list:#}");
        let (status, headers, pdf) = paper(&auditor, &json!({ "case": played.case, "language": language })).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&pdf));
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/pdf");
        assert_eq!(header("content-disposition"), "attachment; filename=\"list.pdf\"");
        assert_eq!(header("cache-control"), "no-store");
        let document = lopdf::Document::load_mem(&pdf).unwrap();
        let pages: Vec<u32> = document.get_pages().into_keys().collect();
        let text = document.extract_text(&pages).unwrap();
        let words: BTreeSet<&str> = text.split_whitespace().collect();
        let whole = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(whole.contains(title) && whole.contains(page), "{whole}");
        // Every word of every line stands on the paper: a cell breaks between words.
        for line in lines {
            for said in
                line["words"].as_object().unwrap().values().flat_map(|said| said.as_str().unwrap().split_whitespace())
            {
                assert!(words.contains(said), "{language} {said}: {whole}");
            }
        }
        let told = list.to_string();
        for secret in &never {
            assert!(!told.contains(secret) && !text.contains(secret), "{language}: {secret}");
            assert!(!pdf.windows(secret.len()).any(|part| part == secret.as_bytes()), "{language}: {secret}");
        }
        // A day, and no hour.
        assert!(lines.iter().all(|line| line["day"].as_str().unwrap().len() == 10), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn making_it_is_an_entry_before_anything_is_shown_and_only_the_auditors_make_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let auditor = world.signed_in("auditor1").await;
    let body = json!({ "case": played.case, "language": "az", "from": "2026-01-01", "until": "2100-01-01" });
    assert_eq!(asks(&auditor, "access_request", &body).await.status, 200);
    // Not for another purpose, not without one, and nobody else.
    assert_eq!(asks(&auditor, "audit", &body).await.status, 403);
    let without = auditor.send(auditor.request(Method::POST, LISTS).await.json(&body)).await.unwrap();
    assert_eq!((without.status, without.text.contains("\"Purpose\"")), (422, true), "{}", without.text);
    for handle in ["admin1", "coordinator1", "statistician1", "ssupervisor1", "hsupervisor1", "officer1", "operator1"] {
        let refused = asks(&world.signed_in(handle).await, "access_request", &body).await;
        assert_eq!(refused.status, 403, "{handle}: {}", refused.text);
        let alike = asks(&world.signed_in(handle).await, "access_request", &json!({ "nonsense": 1 })).await;
        assert_eq!(alike.status, 403, "{handle}: {}", alike.text);
    }
    placed(&world).await;
    let made = audits(&auditor, json!({ "kind": "access_list", "outcome": "done" })).await;
    assert_eq!(made.len(), 1, "{made:?}");
    let detail = &made[0]["detail"];
    assert_eq!((&detail["purpose"], &detail["role"]), (&json!("access_request"), &json!("auditor")));
    assert_eq!(detail["records"], json!([played.case]));
    assert_eq!(detail["asked"]["from"], "2026-01-01T00:00:00Z", "{detail}");
    assert_eq!(audits(&auditor, json!({ "kind": "access_list", "outcome": "refused" })).await.len(), 2 + 14);
    // She is told of that, too.
    let told = times(&list(&auditor, played.case, "en").await, &["audited"]);
    assert_eq!(told.into_values().sum::<u64>(), 1);
    // Without an entry there is no list.
    let mut owner = world.owner().await;
    sqlx::raw_sql("REVOKE INSERT ON ledger_entries FROM himaya_app").execute(&mut owner).await.unwrap();
    let closed = asks(&auditor, "access_request", &body).await;
    assert!(closed.status >= 500 && !closed.text.contains("items"), "{}", closed.text);
    let (status, _, bytes) = paper(&auditor, &body).await;
    assert!(status >= 500 && !bytes.starts_with(b"%PDF"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_became_no_case_has_a_list_too() {
    let world = World::new().await;
    let operator = Operator::of(&world.country, "operator1").unwrap();
    world.signed_in("operator1").await;
    let draft = operator.opens_call("yes").await.unwrap();
    let content = json!({ "safe_to_talk": "yes", "kind": "information", "said": "She only asked." });
    let draft = operator.saves(draft, &content).await.unwrap();
    operator.closes(&draft, "closed").await.unwrap();
    let supervisor = world.signed_in("hsupervisor1").await;
    assert_eq!(supervisor.get(&draft.path(), "supervision").await.unwrap().status, 200);
    placed(&world).await;
    let auditor = world.signed_in("auditor1").await;
    let call = draft.id;
    let reply = asks(&auditor, "access_request", &json!({ "records": [call], "language": "en" })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let looked: Vec<String> = times(&reply.body, &["looked"]).into_keys().map(|[_, role, ..]| role).collect();
    assert_eq!(looked, ["helpline_supervisor"], "{}", reply.text);
    assert!(!times(&reply.body, &["changed"]).is_empty());
}
