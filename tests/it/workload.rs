//! Supervisors: clocks and workload and no content; instructions that others carry out, and that nobody forges.

use crate::harness::World;
use crate::story::whole_ledger;
use crate::tasks::{due, ids, task_on};
use crate::thief::stolen_keys;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::guard::action::Relation;
use himaya::guard::record::{AccountId, AssignmentId, CaseId};
use himaya::guard::statement::{self, AssignmentStatement};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Words that only content holds.
pub const CONTENT: [&str; 6] = ["waitress", "Leyla", "safe tonight", "passport", "Sumqayit", "bakery"];

async fn workload(supervisor: &Actor) -> Value {
    let seen = supervisor.get("/api/v1/workload", "supervision").await.unwrap();
    assert_eq!(seen.status, 200, "{}", seen.text);
    seen.body
}

fn load<'a>(workload: &'a Value, handle: &str) -> &'a Value {
    workload["members"].as_array().unwrap().iter().find(|member| member["handle"] == handle).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_sees_how_much_everybody_has_to_do_and_what_is_late() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let late = task_on(&world, &officer, played.case, officer.account, 1).await;
    task_on(&world, &officer, played.case, officer.account, 48).await;
    let notice = crate::alerts::waiting_notice(&world).await;
    world.clock.advance(TimeDelta::hours(2));
    supervisor.sign_in().await.unwrap();
    let seen = workload(&supervisor).await;
    let officers = load(&seen, "officer1");
    assert_eq!(
        (&officers["open_cases"], &officers["open_tasks"], &officers["overdue_tasks"]),
        (&json!(1), &json!(2), &json!(1))
    );
    assert_eq!(load(&seen, "officer2")["open_cases"], 0);
    assert_eq!(ids(&seen["overdue"], "id"), [late.to_string()]);
    assert_eq!(ids(&seen["notices"], "id"), [notice.to_string()]);
    for handle in ["duty1", "officer1", "operator1", "coordinator1", "admin1"] {
        let other = world.country.person(handle).unwrap();
        other.sign_in().await.unwrap();
        assert_eq!(other.get("/api/v1/workload", "supervision").await.unwrap().status, 403, "{handle}");
    }
    let helpline = world.country.person("hsupervisor1").unwrap();
    helpline.sign_in().await.unwrap();
    let theirs = workload(helpline).await;
    assert_eq!((&theirs["notices"], &theirs["overdue"]), (&json!([]), &json!([])), "another organisation's");
    assert!(theirs["members"].as_array().unwrap().iter().all(|member| member["handle"] != "officer1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_gets_no_content_by_any_route() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, supervisor) = (world.signed_in("officer1").await, world.signed_in("ssupervisor1").await);
    let task = task_on(&world, &officer, played.case, officer.account, 1).await;
    let said = every_answer(&supervisor, &[played.case, played.notice, task, played.person], &played).await;
    for word in CONTENT {
        assert!(!said.contains(word), "{word}");
    }
    // The same asked by somebody who may see it, so that this test is known to see it.
    let seen = every_answer(&officer, &[played.case, played.notice, task, played.person], &played).await;
    assert!(["waitress", "Leyla", "safe tonight", "Sumqayit"].iter().all(|word| seen.contains(word)));
    let mut theirs = crate::walls::injected(&world, &supervisor.secrets().await.1).await;
    for query in [
        "SELECT count(*) FROM sealed WHERE case_id IS NOT NULL",
        "SELECT count(*) FROM sections",
        "SELECT count(*) FROM case_notes",
    ] {
        let count: i64 = sqlx::query_scalar(query).fetch_one(&mut theirs).await.unwrap();
        assert_eq!(count, 0, "{query}");
    }
}

/// Everything that is answered to somebody who asks for these records by every route that reads, for every purpose.
pub async fn every_answer(actor: &Actor, records: &[Uuid], played: &story::Played) -> String {
    let mut said = String::new();
    for (method, path) in crate::matrix::routes() {
        if method != Method::GET {
            continue;
        }
        for record in records {
            for kind in ["narrative", "investigation", "legal", "identity", "contact_and_safety"] {
                let concrete = path
                    .replace("{id}", &record.to_string())
                    .replace("{person}", &played.person.to_string())
                    .replace("{kind}", kind);
                for purpose in ["case_work", "supervision", "intake"] {
                    let reply = actor.get(&concrete, purpose).await.unwrap();
                    assert!(reply.status < 500, "{path}: {}", reply.text);
                    said.push_str(&reply.text);
                }
                if !path.contains("{kind}") {
                    break;
                }
            }
            if !path.contains('{') {
                break;
            }
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instruction_is_pending_until_somebody_who_holds_the_keys_carries_it_out() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let (supervisor, named) = (world.signed_in("ssupervisor1").await, world.signed_in("officer2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let path = format!("{case}/assignments");
    let body = json!({ "account": named.account, "relation": "assigned" });
    for handle in ["officer1", "officer2", "hsupervisor1", "coordinator1"] {
        assert_eq!(world.signed_in(handle).await.post(&path, &body).await.unwrap().status, 404, "{handle}");
    }
    let stranger = json!({ "account": world.country.person("operator1").unwrap().account, "relation": "assigned" });
    assert_eq!(supervisor.post(&path, &stranger).await.unwrap().status, 422);
    let made = supervisor.post(&path, &body).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.text);
    let twice = supervisor.post(&path, &body).await.unwrap();
    assert_eq!((twice.status, twice.code()), (409, "already_on_case"));
    let pending = [made.id("id").to_string()];
    assert_eq!(ids(&workload(&supervisor).await["assignments"], "id"), pending);
    assert_eq!(ids(&due(&officer).await["assignments"], "id"), pending, "a task of who holds the keys");
    assert_eq!(ids(&due(&named).await["assignments"], "id"), Vec::<String>::new());
    let narrative = format!("{case}/sections/narrative");
    assert_eq!(named.get(&narrative, "case_work").await.unwrap().status, 404, "pending is not access");
    // Somebody who works on the case opens it.
    assert_eq!(officer.get(&case, "case_work").await.unwrap().status, 200);
    let read = named.get(&narrative, "case_work").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
    assert_eq!(named.post(&format!("{case}/notes"), &json!({ "text": "taken over" })).await.unwrap().status, 201);
    assert_eq!(workload(&supervisor).await["assignments"], json!([]));
    assert_eq!(due(&officer).await["assignments"], json!([]));
    assert_eq!(supervisor.get(&narrative, "supervision").await.unwrap().status, 404, "who instructs gets nothing");
    // Another waits for whoever signs in next.
    let second = json!({ "account": world.country.person("duty2").unwrap().account, "relation": "granted" });
    assert_eq!(supervisor.post(&path, &second).await.unwrap().status, 201);
    duty.sign_in().await.unwrap();
    assert_eq!(workload(&supervisor).await["assignments"], json!([]));
    assert_eq!(world.signed_in("duty2").await.get(&narrative, "case_work").await.unwrap().status, 200);
    world.stop().await;
    whole_ledger(&world).await;
}

/// An instruction in the database, as its owner plants it.
struct Planted {
    account: Uuid,
    note: String,
    vouch: Option<Vec<u8>>,
    lapses_at: chrono::DateTime<chrono::Utc>,
}

async fn plant(world: &World, id: Uuid, case: Uuid, row: &Planted) {
    let insert =
        "INSERT INTO assignments (id, case_id, account_id, note, vouch, made_at, lapses_at, registered_by, register_no)
                  VALUES ($1, $2, $3, $4, $5, now(), $6, NULL, NULL)";
    let insert = sqlx::query(insert).bind(id).bind(case).bind(row.account).bind(&row.note).bind(&row.vouch);
    insert.bind(row.lapses_at).execute(&mut world.owner().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_or_changed_or_old_instruction_brings_nobody_onto_a_case() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let (supervisor, bribed) = (world.signed_in("ssupervisor1").await, world.signed_in("officer2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");
    let (by_supervisor, by_bribed) = (stolen_keys(&world, "ssupervisor1").await, stolen_keys(&world, "officer2").await);
    let helper = world.signed_in("hsupervisor1").await;
    let by_helper = stolen_keys(&world, "hsupervisor1").await;
    let lapses_at = world.clock.now() + TimeDelta::days(3);
    let stated = |id: Uuid, account: Uuid, case: Uuid, lapses_at| AssignmentStatement {
        assignment: AssignmentId(id),
        case: CaseId(case),
        account: AccountId(account),
        relation: Relation::Assigned,
        at: world.clock.now(),
        lapses_at,
    };
    let vouch = |id: Uuid, signer: Uuid, note: &str| {
        world.app.places.trust.voucher().assignment(AssignmentId(id), AccountId(signer), note).to_vec()
    };
    let id = himaya::platform::random::uuid;
    let signed = |statement: &AssignmentStatement, signer: Uuid, keys| {
        statement::sign(statement, AccountId(signer), keys).unwrap()
    };
    let (mine, boss) = (bribed.account, supervisor.account);
    let mut attempts = Vec::new();
    // No statement at all; signed by the bribed officer; by a supervisor of another organisation; each with the service's
    // own code, so that nothing but the signature speaks against it.
    let (one, two, three, four, five, six) = (id(), id(), id(), id(), id(), id());
    attempts.push(("no statement", one, "nothing".to_owned(), Some(vouch(one, boss, "nothing")), lapses_at));
    let note = signed(&stated(two, mine, played.case, lapses_at), mine, &by_bribed);
    attempts.push(("by the bribed officer", two, note.clone(), Some(vouch(two, mine, &note)), lapses_at));
    let note = signed(&stated(three, mine, played.case, lapses_at), helper.account, &by_helper);
    attempts.push((
        "by another's supervisor",
        three,
        note.clone(),
        Some(vouch(three, helper.account, &note)),
        lapses_at,
    ));
    // By the true supervisor, whose passphrase was stolen: this service did not store it.
    let note = signed(&stated(four, mine, played.case, lapses_at), boss, &by_supervisor);
    attempts.push(("not stored by the service", four, note.clone(), None, lapses_at));
    attempts.push(("with another's code", five, note.clone(), Some(vouch(four, boss, &note)), lapses_at));
    // True in everything, but for somebody else, and with a later end than was signed.
    let note = signed(&stated(six, officer.account, played.case, lapses_at), boss, &by_supervisor);
    attempts.push(("for another account", six, note.clone(), Some(vouch(six, boss, &note)), lapses_at));
    let seven = id();
    let over = world.clock.now() - TimeDelta::hours(1);
    let note = signed(&stated(seven, mine, played.case, over), boss, &by_supervisor);
    attempts.push(("lapsed, with a later end", seven, note.clone(), Some(vouch(seven, boss, &note)), lapses_at));
    for (why, id, note, vouch, lapses_at) in attempts {
        plant(&world, id, played.case, &Planted { account: mine, note, vouch, lapses_at }).await;
        assert_eq!(officer.get(&case, "case_work").await.unwrap().status, 200);
        assert_eq!(bribed.get(&narrative, "case_work").await.unwrap().status, 404, "{why}");
    }
    let wraps: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM wraps w JOIN sealed s ON s.key_id = w.key_id WHERE s.case_id = $1 AND w.recipient_account = $2",
    )
    .bind(played.case)
    .bind(mine)
    .fetch_one(&mut world.owner().await)
    .await
    .unwrap();
    assert_eq!(wraps, 0);
    // One that is signed and stored as it must be counts, so nothing else was missing; those that are planted beside it do
    // not stop it.
    let eight = id();
    let note = signed(&stated(eight, mine, played.case, lapses_at), boss, &by_supervisor);
    let row = Planted { account: mine, vouch: Some(vouch(eight, boss, &note)), note, lapses_at };
    plant(&world, eight, played.case, &row).await;
    assert_eq!(officer.get(&case, "case_work").await.unwrap().status, 200);
    assert_eq!(bribed.get(&narrative, "case_work").await.unwrap().status, 200);
    // Taken off again, and the old instruction put back.
    crate::two_persons::take_off(&officer, &world.signed_in("duty1").await, &case, mine).await;
    let back = "UPDATE assignments SET carried_out_at = NULL WHERE id = $1";
    sqlx::query(back).bind(eight).execute(&mut world.owner().await).await.unwrap();
    assert_eq!(officer.get(&case, "case_work").await.unwrap().status, 200);
    assert_eq!(bribed.get(&narrative, "case_work").await.unwrap().status, 404, "carried out once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_notice_is_directed_to_a_duty_officer_by_name() {
    let mut world = World::new().await;
    let notice = crate::alerts::waiting_notice(&world).await;
    let (supervisor, duty) = (world.signed_in("ssupervisor1").await, world.signed_in("duty1").await);
    let second = world.signed_in("duty2").await;
    let path = format!("/api/v1/notices/{notice}/direct");
    let body = json!({ "account": second.account });
    for handle in ["duty1", "hsupervisor1", "operator1", "officer1", "coordinator1"] {
        assert_eq!(world.signed_in(handle).await.post(&path, &body).await.unwrap().status, 404, "{handle}");
    }
    let officer = json!({ "account": world.country.person("officer1").unwrap().account });
    let wrong = supervisor.post(&path, &officer).await.unwrap();
    assert_eq!((wrong.status, wrong.body["errors"][0]["field"].as_str()), (422, Some("account")));
    for named in [&duty, &second] {
        let directed = supervisor.post(&path, &json!({ "account": named.account })).await.unwrap();
        assert_eq!(directed.status, 200, "{}", directed.text);
        for reader in [&duty, &second] {
            assert_eq!(due(reader).await["notices"][0]["directed_to"], json!(named.account));
        }
    }
    assert_eq!(workload(&supervisor).await["notices"][0]["directed_to"], json!(second.account));
    for purpose in ["supervision", "intake"] {
        let content = supervisor.get(&format!("/api/v1/notices/{notice}"), purpose).await.unwrap();
        assert_eq!(content.status, 404, "who directs it reads nothing of it");
    }
    assert_eq!(second.post(&format!("/api/v1/notices/{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let late = supervisor.post(&path, &body).await.unwrap();
    assert_eq!((late.status, late.code()), (409, "illegal_transition"));
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_call_that_a_supervisor_reads_stands_in_the_ledger_with_the_purpose() {
    let world = World::new().await;
    let (operator, supervisor) = (world.signed_in("operator1").await, world.signed_in("hsupervisor1").await);
    let auditor = world.signed_in("auditor1").await;
    let content = json!({ "content": { "safe_to_talk": "yes", "kind": "information", "said": "asked about visas" } });
    let call = operator.post("/api/v1/calls", &content).await.unwrap().id("id");
    let path = format!("/api/v1/calls/{call}");
    assert_eq!(operator.post(&format!("{path}/close"), &json!({ "outcome": "closed" })).await.unwrap().status, 200);
    let without = supervisor.get(&path, "").await.unwrap();
    assert_eq!((without.status, without.body["errors"][0]["field"].as_str()), (422, Some("Purpose")));
    assert_eq!(supervisor.get(&path, "case_work").await.unwrap().status, 404, "for this purpose only");
    assert_eq!(supervisor.get(&path, "supervision").await.unwrap().body["content"]["said"], "asked about visas");
    let recorded = async {
        loop {
            let entries = auditor.get("/api/v1/ledger/entries?limit=100", "audit").await.unwrap();
            let found = entries.body["items"].as_array().unwrap().iter().any(|entry| {
                let detail = &entry["detail"];
                detail["verb"] == "read"
                    && detail["kind"] == "call"
                    && detail["role"] == "helpline_supervisor"
                    && detail["purpose"] == "supervision"
                    && detail["outcome"] == "done"
                    && detail["records"] == json!([call])
            });
            if found {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), recorded).await.expect("the read stands in the ledger");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_is_put_on_no_case_so_that_whoever_is_left_can_work_on_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (supervisor, officer) = (world.signed_in("ssupervisor1").await, world.signed_in("officer1").await);
    for relation in ["assigned", "granted"] {
        let own = json!({ "account": supervisor.account, "relation": relation });
        let own = supervisor.post(&format!("/api/v1/cases/{}/assignments", played.case), &own).await.unwrap();
        assert_eq!((own.status, own.body["errors"][0]["field"].as_str()), (422, Some("account")), "{}", own.text);
        let given = json!({ "account": supervisor.account, "relation": relation, "reason": "workload" });
        let given = officer.post(&format!("/api/v1/cases/{}/access", played.case), &given).await.unwrap();
        assert_eq!((given.status, given.body["errors"][0]["field"].as_str()), (422, Some("account")), "{}", given.text);
    }
    let seen = supervisor.get(&format!("/api/v1/cases/{}", played.case), "supervision").await.unwrap();
    let on_it = seen.body["access"].as_array().unwrap().iter().any(|one| one["account"] == json!(supervisor.account));
    assert!(!on_it, "{}", seen.text);
}
