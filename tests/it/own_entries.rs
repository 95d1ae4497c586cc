//! A supervisor sees what the own people did, by name, and nothing that anybody else did.

use crate::custody::{invoke, opened_by};
use crate::harness::World;
use crate::repeated::entries;
use crate::searching::placed;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::country::ORGANISATIONS;
use himaya::demo::story;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const OVERSEEN: [(&str, &str); 3] =
    [("hsupervisor1", "helpline"), ("ssupervisor1", "squad"), ("manager1", "accommodation")];

async fn asks(who: &Actor, path: &str, purpose: &str, sought: &Value) -> Reply {
    let request = who.request(Method::POST, path).await.header("purpose", purpose).json(sought);
    who.send(request).await.unwrap()
}

/// Everything that a supervisor finds, page after page.
pub async fn finds(supervisor: &Actor, mut sought: Value) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let reply = asks(supervisor, "/api/v1/oversight/searches", "supervision", &sought).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        found.extend(reply.body["items"].as_array().unwrap().clone());
        match &reply.body["next"] {
            Value::Null => return found,
            next => sought["cursor"] = next.clone(),
        }
    }
}

/// The whole list of a supervisor.
pub async fn lists(supervisor: &Actor, limit: u32) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/oversight/entries?limit={limit}&cursor={cursor}");
        let reply = supervisor.get(&path, "supervision").await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text);
        found.extend(reply.body["items"].as_array().unwrap().clone());
        match reply.body["next"].as_str() {
            None => return found,
            Some(next) => next.clone_into(&mut cursor),
        }
    }
}

/// What an auditor finds, of all.
pub async fn audits(auditor: &Actor, mut sought: Value) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let reply = asks(auditor, "/api/v1/ledger/searches", "audit", &sought).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        found.extend(reply.body["items"].as_array().unwrap().clone());
        match &reply.body["next"] {
            Value::Null => return found,
            next => sought["below"] = next.clone(),
        }
    }
}

pub fn position(entry: &Value) -> i64 {
    entry["position"].as_i64().unwrap()
}

/// An officer reads what happened on the case.
pub async fn reads(officer: &Actor, case: Uuid) {
    let read = officer.get(&format!("/api/v1/cases/{case}/sections/narrative"), "case_work").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
}

/// The highest position that is taken.
pub async fn newest(world: &World) -> i64 {
    let newest = "SELECT coalesce(max(position), -1) FROM ledger_tree";
    sqlx::query_scalar(newest).fetch_one(&mut world.owner().await).await.unwrap()
}

fn people_of(organisation: &str) -> Vec<&'static str> {
    let (_, _, people) = ORGANISATIONS.iter().find(|(kind, _, _)| *kind == organisation).unwrap();
    people.iter().map(|person| person.handle).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_sees_every_entry_of_the_own_people_by_name_and_none_of_others() {
    let world = World::new().await;
    placed(&world).await;
    let before = newest(&world).await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, auditor) = (world.signed_in("officer1").await, world.signed_in("auditor1").await);
    reads(&officer, played.case).await;
    // Two custodians let somebody look: whoever acts by custody acts under no supervisor.
    let stranger = world.signed_in("officer2").await;
    let opening = invoke(&world, &stranger, played.case, &["narrative"], 1).await;
    opened_by(&world, opening, "ssupervisor2", "duty1").await;
    placed(&world).await;
    let last = newest(&world).await;
    let all: Vec<Value> =
        audits(&auditor, json!({})).await.into_iter().filter(|entry| position(entry) > before).collect();
    let by_custody = all.iter().filter(|entry| entry["detail"]["relation"] == "custodian_of").count();
    assert!(by_custody >= 2, "{by_custody}");
    for (handle, organisation) in OVERSEEN {
        let supervisor = world.signed_in(handle).await;
        let of_theirs = |entry: &&Value| {
            let detail = &entry["detail"];
            detail["organisation"] == json!(world.country.organisations[organisation])
                && detail["relation"] != "custodian_of"
                && (before + 1..=last).contains(&position(entry))
        };
        let expected: BTreeSet<i64> = all.iter().filter(of_theirs).map(position).collect();
        assert!(expected.len() > 3, "{organisation}: {}", expected.len());
        for seen in [lists(&supervisor, 7).await, finds(&supervisor, json!({})).await] {
            let within = seen.iter().map(position).filter(|position| (before + 1..=last).contains(position));
            let positions: Vec<i64> = within.collect();
            assert_eq!(positions.iter().copied().collect::<BTreeSet<_>>(), expected, "{organisation}");
            assert_eq!(positions.len(), expected.len(), "each once");
            for entry in seen {
                let person = &entry["detail"]["person"];
                let known = person["handle"].as_str().unwrap_or_default();
                assert!(people_of(organisation).contains(&known), "{organisation}: {entry}");
                assert_eq!(person["account"], json!(world.country.person(known).unwrap().account), "{entry}");
                assert!(!entry.to_string().contains("\"p-"), "no pseudonym is told: {entry}");
            }
        }
    }
    assert_eq!(crate::bars::findings(&world).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_who_of_the_own_people_looked_at_a_case_and_tells_of_nobody_else() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, stranger) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let (supervisor, helpline) = (world.signed_in("ssupervisor1").await, world.signed_in("hsupervisor1").await);
    reads(&officer, played.case).await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    assert_eq!(stranger.get(&path, "case_work").await.unwrap().status, 404);
    placed(&world).await;
    // The section stands as the case on which it hangs.
    let looked = json!({ "person": "officer1", "kind": "narrative", "verb": "read", "record": played.case });
    let read = finds(&supervisor, looked).await;
    assert!(!read.is_empty());
    for entry in &read {
        let detail = &entry["detail"];
        assert_eq!((&detail["records"], &detail["withheld"]), (&json!([played.case]), &json!(false)), "{entry}");
        assert_eq!((&detail["purpose"], &detail["outcome"]), (&json!("case_work"), &json!("done")), "{entry}");
    }
    let by_account = finds(&supervisor, json!({ "person": officer.account, "outcome": "done" })).await;
    assert!(by_account.len() > read.len() && by_account.iter().all(|e| e["detail"]["person"]["handle"] == "officer1"));
    let refused = finds(&supervisor, json!({ "record": played.case, "outcome": "refused" })).await;
    assert!(refused.iter().any(|entry| entry["detail"]["person"]["handle"] == "officer2"), "{refused:?}");
    // In time.
    let at = read[0]["detail"]["at"].as_str().unwrap().to_owned();
    assert!(finds(&supervisor, json!({ "person": "officer1", "from": at })).await.contains(&read[0]));
    assert!(!finds(&supervisor, json!({ "person": "officer1", "until": at })).await.contains(&read[0]));
    let day = |days| (world.clock.now() + chrono::TimeDelta::days(days)).to_rfc3339();
    assert_eq!(finds(&supervisor, json!({ "from": day(2) })).await, Vec::<Value>::new());
    assert_eq!(finds(&supervisor, json!({ "until": day(-2) })).await, Vec::<Value>::new());
    // The squad's case is nothing of which the helpline knows, and its people are nobody there.
    assert_eq!(finds(&helpline, json!({ "record": played.case })).await, Vec::<Value>::new());
    for (who, sought, field) in [
        (&helpline, json!({ "person": "officer1" }), "person"),
        (&helpline, json!({ "person": officer.account }), "person"),
        (&helpline, json!({ "person": "nobody" }), "person"),
        (&supervisor, json!({ "cursor": "1" }), "cursor"),
        (&supervisor, json!({ "organisation": world.country.organisations["helpline"] }), "organisation"),
        (&supervisor, json!({ "from": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z" }), "until"),
        (&supervisor, json!({ "from": "-262143-01-01T00:00:00Z" }), "from"),
    ] {
        let before = entries(&world).await;
        let reply = asks(who, "/api/v1/oversight/searches", "supervision", &sought).await;
        assert_eq!(reply.status, 422, "{sought}: {}", reply.text);
        // Whether somebody works there is not tried out unseen.
        assert!(field != "person" || entries(&world).await > before, "{sought}");
        assert!(reply.text.contains(&format!("\"{field}\"")), "{sought}: {}", reply.text);
    }
    for handle in ["operator1", "officer1", "duty1", "worker1", "auditor1", "admin1", "coordinator1"] {
        let person = world.signed_in(handle).await;
        let list = person.get("/api/v1/oversight/entries", "supervision").await.unwrap();
        assert_eq!(list.status, 403, "{handle}");
        let search = asks(&person, "/api/v1/oversight/searches", "supervision", &json!({})).await;
        assert_eq!(search.status, 403, "{handle}");
    }
    // Nor do supervisors read what the auditors do.
    for purpose in ["audit", "supervision"] {
        assert_eq!(supervisor.get("/api/v1/ledger/entries", purpose).await.unwrap().status, 403, "{purpose}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_is_an_entry_that_tells_what_was_sought() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    let (supervisor, auditor) = (world.signed_in("ssupervisor1").await, world.signed_in("auditor1").await);
    placed(&world).await;
    let before = newest(&world).await;
    let from = "2026-01-02T00:00:00Z";
    let record = himaya::platform::random::uuid();
    let sought = json!({ "person": "officer2", "kind": "narrative", "from": from, "record": record });
    assert_eq!(finds(&supervisor, sought).await, Vec::<Value>::new());
    placed(&world).await;
    let own = finds(&supervisor, json!({ "kind": "oversight", "verb": "list", "person": "ssupervisor1" })).await;
    let look = own.iter().find(|entry| position(entry) > before).unwrap();
    // Of whom it was asked is not told where the record is not one that supervisors may know of.
    let asked = json!({ "kind": "narrative", "from": from });
    assert_eq!(look["detail"]["asked"], asked, "{look}");
    assert_eq!(look["detail"]["purpose"], "supervision");
    // The auditors read the same under pseudonyms, and theirs tells it as well.
    let entries = audits(&auditor, json!({ "kind": "oversight", "record": record })).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let officers = finds(&supervisor, json!({ "person": "officer2" })).await;
    let of_officer = audits(&auditor, json!({})).await;
    let of_officer = of_officer.iter().find(|entry| position(entry) == position(&officers[0])).unwrap();
    let pseudonym = &of_officer["detail"]["person"];
    assert_eq!(&entries[0]["detail"]["asked"]["person"], pseudonym, "{entries:?}");
    audits(&auditor, json!({ "person": pseudonym, "until": "2027-01-02T00:00:00Z" })).await;
    placed(&world).await;
    let audited = audits(&auditor, json!({ "kind": "ledger", "role": "auditor" })).await;
    let told = json!({ "person": pseudonym, "until": "2027-01-02T00:00:00Z" });
    assert!(audited.iter().any(|entry| entry["detail"]["asked"] == told), "{audited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_kept_off_a_case_reads_nothing_of_it_here() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let officer = world.signed_in("officer1").await;
    reads(&officer, played.case).await;
    placed(&world).await;
    let of_the_case = json!({ "record": played.case });
    assert!(!finds(&other, of_the_case.clone()).await.is_empty(), "until then");
    let bar = json!({ "account": other.account, "reason": "conflict_of_interest" });
    let barred = one.post(&format!("/api/v1/cases/{}/bars", played.case), &bar).await.unwrap();
    assert_eq!(barred.status, 201, "{}", barred.text);
    reads(&officer, played.case).await;
    placed(&world).await;
    assert!(!finds(&one, of_the_case.clone()).await.is_empty());
    assert_eq!(finds(&other, of_the_case).await, Vec::<Value>::new());
    let names = |entry: &Value, id: Uuid| entry["detail"]["records"].as_array().unwrap().contains(&json!(id));
    let seen = lists(&other, 100).await;
    assert!(seen.iter().all(|entry| !names(entry, played.case) && !names(entry, barred.id("id"))));
    // Nor that there is a bar, or who works on a case that they are kept off.
    let of_it = |entry: &&Value| {
        let detail = &entry["detail"];
        (detail["kind"] == "narrative" || detail["kind"] == "bar") && detail["outcome"] == "done"
    };
    assert_eq!(seen.iter().filter(of_it).collect::<Vec<_>>(), Vec::<&Value>::new());
    assert!(lists(&one, 100).await.iter().filter(of_it).count() > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_supervisors_key_entries_go_on_and_with_one_they_are_sealed_to_it_at_once() {
    let world = World::new().await;
    let (operator, supervisor) = (world.signed_in("operator1").await, world.signed_in("hsupervisor1").await);
    placed(&world).await;
    let (before, mut owner) = (newest(&world).await, world.owner().await);
    // As if no supervisor had ever signed in, at a process that has no key of the hour.
    let over = "UPDATE shared_keys SET closes_at = opens_at + interval '1 millisecond' WHERE purpose = 'oversight'";
    assert!(sqlx::raw_sql(over).execute(&mut owner).await.unwrap().rows_affected() >= 3);
    sqlx::raw_sql("CREATE TABLE before AS SELECT id FROM ledger_detail_keys").execute(&mut owner).await.unwrap();
    let (_app, serving, base) = world.replica().await;
    let (operator, supervisor) = (operator.at(&base), supervisor.at(&base));
    let call = json!({ "content": { "safe_to_talk": "yes" } });
    assert_eq!(operator.post("/api/v1/calls", &call).await.unwrap().status, 201);
    let sealed = async || -> Vec<bool> {
        let keys =
            "SELECT k.oversight_id IS NOT NULL FROM ledger_detail_keys k WHERE k.id NOT IN (SELECT id FROM before)
                    AND k.key_id IS NOT NULL ORDER BY 1";
        sqlx::query_scalar(keys).fetch_all(&mut world.owner().await).await.unwrap()
    };
    assert_eq!(sealed().await, [false], "to the auditors alone");
    placed(&world).await;
    // A supervisor looks: that makes the key.
    assert!(lists(&supervisor, 100).await.iter().all(|entry| position(entry) <= before));
    let since = world.clock.now();
    assert_eq!(operator.post("/api/v1/calls", &call).await.unwrap().status, 201);
    placed(&world).await;
    assert_eq!(sealed().await, [false, true]);
    let later = finds(&supervisor, json!({ "person": "operator1", "kind": "call", "verb": "create" })).await;
    let at = |entry: &Value| entry["detail"]["at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(!later.is_empty() && later.iter().all(|entry| at(entry) >= since), "{later:?}");
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_at_another_process_is_seen_here() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    placed(&world).await;
    let before = newest(&world).await;
    let (_app, serving, base) = world.replica().await;
    reads(&officer.at(&base), played.case).await;
    reads(&officer, played.case).await;
    placed(&world).await;
    for supervisor in [supervisor.at(&base), supervisor] {
        let seen = finds(&supervisor, json!({ "person": "officer1", "record": played.case })).await;
        assert_eq!(seen.iter().filter(|entry| position(entry) > before).count(), 2, "{seen:?}");
    }
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_who_left_holds_nothing_of_what_is_done_after_the_next_key() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let (officer, admin) = (world.signed_in("officer1").await, world.signed_in("admin1").await);
    placed(&world).await;
    assert!(lists(&other, 100).await.len() > 10);
    let path = format!("/api/v1/accounts/{}/disable", other.account);
    assert_eq!(admin.post(&path, &json!({})).await.unwrap().status, 200);
    assert_eq!(other.get("/api/v1/oversight/entries", "supervision").await.unwrap().status, 401);
    let mut owner = world.owner().await;
    sqlx::raw_sql("CREATE TABLE before AS SELECT id FROM ledger_detail_keys").execute(&mut owner).await.unwrap();
    // The colleague's next look makes the next key.
    lists(&one, 100).await;
    reads(&officer, played.case).await;
    placed(&world).await;
    let held = "SELECT w.account_id FROM ledger_detail_keys k JOIN shared_keys s ON s.id = k.oversight_id
                JOIN shared_key_wraps w ON w.key_id = s.id
                WHERE s.organisation_id = $1 AND k.id NOT IN (SELECT id FROM before)";
    let holders: Vec<Uuid> =
        sqlx::query_scalar(held).bind(world.country.organisations["squad"]).fetch_all(&mut owner).await.unwrap();
    assert!(holders.contains(&one.account) && !holders.contains(&other.account), "{holders:?}");
    // What the one who left did, the other still sees, by name; and looking again makes no further key.
    assert!(!finds(&one, json!({ "person": "ssupervisor2" })).await.is_empty());
    let epochs: i64 =
        sqlx::query_scalar("SELECT count(*) FROM shared_keys WHERE purpose = 'oversight' AND organisation_id = $1")
            .bind(world.country.organisations["squad"])
            .fetch_one(&mut owner)
            .await
            .unwrap();
    assert_eq!(epochs, 2);
}
