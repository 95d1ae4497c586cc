//! A case that two supervisors erase is gone for everybody, with everything that hung on it, from whatever copy it is tried.

use crate::attachments::{attached, objects};
use crate::bars::{Hanging, answer, findings};
use crate::custody::invoke;
use crate::faults::let_in;
use crate::harness::World;
use crate::restoring::{bring_back, drop_databases, moved};
use crate::shelter::Placing;
use crate::story::whole_ledger;
use crate::tasks::task_on;
use crate::walls::injected;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use himaya::doctor::{Verdict, examine};
use himaya::guard::record::{AccountId, ProposalId};
use himaya::guard::sweep::Finished;
use himaya::platform::app::App;
use himaya::platform::clock::Clock;
use himaya::platform::cluster::Cluster;
use himaya::platform::config::Config;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use uuid::Uuid;

pub async fn propose(actor: &Actor, case: &str) -> Reply {
    actor.post(&format!("{case}/erasures"), &json!({ "reason": "retention_ended" })).await.unwrap()
}

pub async fn confirm(actor: &Actor, case: &str, erasure: Uuid) -> Reply {
    actor.post(&format!("{case}/erasures/{erasure}/confirm"), &Value::Null).await.unwrap()
}

/// Erases a case as it is done: one proposes it, another confirms. The second answer.
pub async fn erase(one: &Actor, other: &Actor, case: &str) -> Reply {
    let proposed = propose(one, case).await;
    assert_eq!((proposed.status, proposed.text_of("state")), (201, "proposed"), "{}", proposed.text);
    let confirmed = confirm(other, case, proposed.id("id")).await;
    assert_eq!((confirmed.status, confirmed.text_of("state")), (200, "erasing"), "{}", confirmed.text);
    confirmed
}

pub async fn supervisors(world: &World) -> (Actor, Actor) {
    (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await)
}

/// What is listed of erased cases.
pub async fn listed(actor: &Actor, purpose: &str) -> Vec<Value> {
    let seen = actor.get("/api/v1/erasures", purpose).await.unwrap();
    assert_eq!(seen.status, 200, "{}", seen.text);
    seen.body["items"].as_array().unwrap().clone()
}

async fn count(world: &World, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut world.owner().await).await.unwrap()
}

/// What hangs on a case by the catalogue's own account: in each table that refers to one, however far, the rows of this case, and
/// every id in them that is no reference to something else. A column that is called `case_id` refers to a case without saying so.
async fn hanging(world: &World, case: Uuid) -> (BTreeMap<String, usize>, BTreeSet<Uuid>) {
    let mut owner = world.owner().await;
    let references = sqlx::query(
        "SELECT k.conrelid::regclass::text, a.attname::text, k.confrelid::regclass::text FROM pg_constraint k
         JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
         WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
         UNION
         SELECT table_name::text, column_name::text, 'cases' FROM information_schema.columns
         WHERE table_schema = 'public' AND column_name = 'case_id' AND table_name <> 'standings'",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let references: Vec<(String, String, String)> =
        references.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let mut reached: BTreeMap<String, BTreeSet<Uuid>> = BTreeMap::from([("cases".to_owned(), BTreeSet::from([case]))]);
    let (mut tables, mut ids) = (BTreeMap::new(), BTreeSet::from([case]));
    loop {
        let before = ids.len();
        for (table, column, parent) in &references {
            let Some(parents) = reached.get(parent).cloned() else { continue };
            let parents: Vec<Uuid> = parents.into_iter().collect();
            let rows = format!("SELECT to_jsonb(t) FROM {table} t WHERE t.{column} = ANY($1)");
            let rows: Vec<Value> =
                sqlx::query_scalar(AssertSqlSafe(rows)).bind(&parents).fetch_all(&mut owner).await.unwrap();
            let most = tables.entry(table.clone()).or_insert(0);
            *most = rows.len().max(*most);
            for row in rows {
                for (name, value) in row.as_object().unwrap() {
                    let refers = references.iter().any(|(t, c, _)| t == table && c == name);
                    if let Some(id) = value.as_str().and_then(|text| text.parse::<Uuid>().ok()).filter(|_| !refers) {
                        ids.insert(id);
                        reached.entry(table.clone()).or_default().insert(id);
                    }
                }
            }
        }
        if ids.len() == before {
            let all: Vec<Uuid> = ids.iter().copied().collect();
            let keys: Vec<Uuid> =
                sqlx::query_scalar("SELECT key_id FROM sealed WHERE record_id = ANY($1) OR case_id = $2")
                    .bind(&all)
                    .bind(case)
                    .fetch_all(&mut owner)
                    .await
                    .unwrap();
            ids.extend(keys);
            return (tables, ids);
        }
    }
}

/// Which of these have an erasure key, and which were erased.
async fn keys_of(world: &World, ids: &BTreeSet<Uuid>) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
    let (mut erasure, ids) = (world.erasure_owner().await, ids.iter().copied().collect::<Vec<_>>());
    let there: Vec<Uuid> = sqlx::query_scalar("SELECT key_id FROM erasure.keys WHERE key_id = ANY($1)")
        .bind(&ids)
        .fetch_all(&mut erasure)
        .await
        .unwrap();
    let erased: Vec<Uuid> = sqlx::query_scalar("SELECT key_id FROM erasure.tombstones WHERE key_id = ANY($1)")
        .bind(&ids)
        .fetch_all(&mut erasure)
        .await
        .unwrap();
    (there.into_iter().collect(), erased.into_iter().collect())
}

/// A second notice, with an addendum and a file, directed to somebody and accepted into the case.
async fn second_notice(placing: &Placing) -> Uuid {
    let (world, case) = (&placing.world, placing.played.case);
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let draft = crate::attachments::draft(&operator).await;
    attached(&operator, &draft, "draft.txt", b"from the draft").await;
    let notice = crate::attachments::handed_over(&operator, &draft).await;
    let added = operator.post(&format!("/api/v1/slips/{notice}/addenda"), &json!({ "text": "she called again" })).await;
    assert_eq!(added.unwrap().status, 201);
    let directed = json!({ "account": duty.account });
    let supervisor = world.signed_in("ssupervisor1").await;
    let path = format!("/api/v1/notices/{notice}");
    assert_eq!(supervisor.post(&format!("{path}/direct"), &directed).await.unwrap().status, 200);
    assert_eq!(duty.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let accepted = duty.post(&format!("{path}/accept"), &json!({ "case": case })).await.unwrap();
    assert_eq!(accepted.status, 201, "{}", accepted.text);
    notice
}

/// Everything that can hang on a case.
async fn full(placing: &Placing) -> Hanging {
    let (world, case, officer) = (&placing.world, placing.case(), &placing.officer);
    let (one, other) = supervisors(world).await;
    second_notice(placing).await;
    let task = task_on(world, officer, placing.played.case, officer.account, -1).await;
    world.app.databases.timekeeper.look(&world.clock).await.unwrap();
    let alerts = officer.get("/api/v1/alerts", "").await.unwrap();
    let alert = alerts.body["items"][0]["id"].as_str().unwrap().to_owned();
    let seen_to = officer.post(&format!("/api/v1/alerts/{alert}/acknowledge"), &json!({})).await.unwrap();
    assert_eq!(seen_to.status, 200, "{}", seen_to.text);
    let third = world.country.person("officer2").unwrap().account;
    let instructed = json!({ "account": third, "relation": "assigned" });
    assert_eq!(one.post(&format!("{case}/assignments"), &instructed).await.unwrap().status, 201);
    let barred = one.post(&format!("{case}/bars"), &json!({ "account": third, "reason": "kinship" })).await.unwrap();
    assert_eq!(barred.status, 201, "{}", barred.text);
    let removal = json!({ "account": world.country.person("duty1").unwrap().account });
    assert_eq!(one.post(&format!("{case}/removals"), &removal).await.unwrap().status, 201);
    let hold = one.post(&format!("{case}/holds"), &json!({ "reason": "complaint" })).await.unwrap();
    assert_eq!(hold.status, 201, "{}", hold.text);
    let lifts = format!("{case}/holds/{}/lifts", hold.id("id"));
    let lift = one.post(&lifts, &Value::Null).await.unwrap();
    assert_eq!(lift.status, 201, "{}", lift.text);
    let lifted = other.post(&format!("{lifts}/{}/confirm", lift.id("id")), &Value::Null).await.unwrap();
    assert_eq!(lifted.status, 200, "{}", lifted.text);
    assert_eq!(officer.post(&format!("{case}/notes"), &json!({ "text": "a note" })).await.unwrap().status, 201);
    invoke(world, &world.signed_in("duty2").await, placing.played.case, &["narrative"], 1).await;
    Hanging::on(placing, task, alert).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_hangs_on_a_case_dies_with_it_and_nothing_else_does() {
    let mut placing = Placing::new().await;
    let all = full(&placing).await;
    let (world, case, officer) = (&placing.world, placing.case(), &placing.officer);
    let (one, other) = supervisors(world).await;
    let stranger = world.signed_in("officer2").await;
    let (tables, ids) = hanging(world, placing.played.case).await;
    let empty: Vec<_> = tables.iter().filter(|(_, rows)| **rows == 0).map(|(table, _)| table.as_str()).collect();
    // What an erasure itself writes. A new table is filled by `full`, so that what is said below is said of it as well.
    assert_eq!(empty, ["erased_before", "erasures"], "nothing of this case is in some table that refers to one");
    let (before, _) = keys_of(world, &ids).await;
    assert!(before.len() > 8, "{} keys", before.len());
    let others = async || {
        let mut erasure = world.erasure_owner().await;
        let keys: Vec<Uuid> =
            sqlx::query_scalar("SELECT key_id FROM erasure.keys").fetch_all(&mut erasure).await.unwrap();
        keys.into_iter().filter(|key| !before.contains(key)).collect::<BTreeSet<_>>()
    };
    let (kept, files) = (others().await, objects(world).len());
    assert_eq!(files, 2);
    let told_of_bars = "SELECT count(*) FROM alerts WHERE what = 'barred'";
    assert!(count(world, told_of_bars).await > 0);
    let number = crate::custody::number_of(world, placing.played.case).await;

    let done = erase(&one, &other, &case).await;
    assert_eq!((&done.body["number"], &done.body["reason"]), (&json!(number), &json!("retention_ended")));
    assert_eq!(world.app.eraser().finish().await.unwrap(), Finished { online: 1, forged: 0 });
    assert_eq!(world.app.eraser().finish().await.unwrap(), Finished::default());

    // By the catalogue: no row is left but what says so, and no key.
    let (tables, _) = hanging(world, placing.played.case).await;
    let left: Vec<_> = tables.iter().filter(|(_, rows)| **rows > 0).map(|(table, _)| table.as_str()).collect();
    assert_eq!(left, ["erasures", "opening_cases"]);
    assert_eq!(count(world, told_of_bars).await, 0);
    let barred: Vec<Uuid> =
        sqlx::query_scalar("SELECT barred FROM erasures").fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(barred, [stranger.account], "who was kept off it, and is not told now");
    let (there, erased) = keys_of(world, &ids).await;
    assert!(there.is_empty(), "{} keys are still there", there.len());
    assert!(before.is_subset(&erased), "each has its tombstone");
    assert_eq!(others().await, kept, "and no other key is gone");
    assert_eq!((objects(world).len(), count(world, "SELECT count(*) FROM erasing").await), (0, 0));
    let records: Vec<Uuid> = ids.iter().copied().collect();
    let sealed: i64 = sqlx::query_scalar("SELECT count(*) FROM sealed WHERE record_id = ANY($1) OR key_id = ANY($1)")
        .bind(&records)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    assert_eq!(sealed, 0);

    // On every route: like what was never there, for everybody who had to do with it.
    let nobody = himaya::platform::random::uuid();
    for actor in
        [officer, &world.signed_in("duty1").await, &world.signed_in("operator1").await, &placing.worker, &one, &other]
    {
        for (method, path) in all.routes(officer.account) {
            let lists = !path.chars().any(|c| c.is_ascii_digit() && path.len() > 30);
            if method == Method::GET || !lists {
                let purpose = if actor.handle.contains("super") { "supervision" } else { "case_work" };
                let seen = answer(actor, &method, &path, purpose).await;
                assert!(!seen.1.to_string().contains(&placing.played.case.to_string()), "{} {path}", actor.handle);
                if path.contains(&all.of[0].1) {
                    let missing = path.replace(&all.of[0].1, &nobody.to_string());
                    assert_eq!(
                        seen,
                        answer(actor, &method, &missing, purpose).await,
                        "{} {method} {path}",
                        actor.handle
                    );
                    assert_eq!(seen.0, 404, "{} {method} {path}", actor.handle);
                }
            }
        }
    }
    for (beginning, id) in &all.of {
        let step = if beginning.contains("alerts") || beginning.contains("consents") || beginning.contains("tasks") {
            continue;
        } else {
            ""
        };
        for purpose in ["case_work", "care", "supervision", "intake"] {
            for actor in [officer, &one, &placing.worker, &placing.manager, &stranger] {
                let seen = actor.get(&format!("{beginning}{id}{step}"), purpose).await.unwrap();
                assert_eq!(seen.status, 404, "{} {beginning}: {}", actor.handle, seen.text);
            }
        }
    }
    // The emergency that was asked for is listed still, and comes to nothing.
    assert_eq!(one.get("/api/v1/openings", "").await.unwrap().status, 200);

    // What is left: for the squad's supervisors and for auditors.
    for (actor, purpose) in [(&one, "supervision"), (&world.signed_in("auditor1").await, "audit")] {
        let [left] = &listed(actor, purpose).await[..] else { panic!("one case was erased") };
        assert_eq!((&left["number"], &left["state"]), (&json!(number), &json!("erased_online")));
        assert_eq!((&left["proposed_by"], &left["confirmed_by"]), (&json!(one.account), &json!(other.account)));
    }
    for handle in ["officer1", "duty1", "operator1", "manager1", "coordinator1", "admin1", "hsupervisor1"] {
        let seen = world.signed_in(handle).await.get("/api/v1/erasures", "supervision").await.unwrap();
        assert_eq!(seen.status, 403, "{handle}");
    }
    placing.world.stop().await;
    whole_ledger(&placing.world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rightly_taken_away_is_struck_off_and_what_was_not_is_found() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let case = format!("/api/v1/cases/{}", played.case);
    let mut owner = world.owner().await;
    sqlx::raw_sql(
        "CREATE SCHEMA kept; CREATE TABLE kept.cases AS TABLE cases; CREATE TABLE kept.notices AS TABLE notices",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    erase(&one, &other, &case).await;
    // A second case, which only the owner of the database takes away.
    crate::alerts::waiting_notice(&world).await;
    world.stop().await;
    whole_ledger(&world).await;
    let found = async || findings(&world).await.join("\n");
    for (tamper, mend, expected) in [
        (
            "INSERT INTO notices OVERRIDING SYSTEM VALUE SELECT * FROM kept.notices",
            "DELETE FROM notices WHERE id IN (SELECT id FROM kept.notices)",
            "was put back",
        ),
        (
            "CREATE TABLE kept.erasures AS TABLE erasures; DELETE FROM erasing; DELETE FROM erasures",
            "INSERT INTO erasures SELECT * FROM kept.erasures",
            "A row was deleted",
        ),
        ("UPDATE erasures SET reason = 'court_order'", "UPDATE erasures SET reason = 'retention_ended'", "was changed"),
        ("UPDATE erasures SET barred = ARRAY[proposed_by]", "UPDATE erasures SET barred = '{}'", "was changed"),
        (
            "UPDATE erasures SET confirmed_by = (SELECT id FROM accounts WHERE handle = 'officer1')",
            "UPDATE erasures SET confirmed_by = (SELECT id FROM accounts WHERE handle = 'ssupervisor2')",
            "was changed",
        ),
        (
            "CREATE TABLE kept.waiting AS TABLE notices; DELETE FROM notices",
            "INSERT INTO notices OVERRIDING SYSTEM VALUE SELECT * FROM kept.waiting",
            "A row was deleted",
        ),
    ] {
        sqlx::raw_sql(tamper).execute(&mut owner).await.unwrap();
        let findings = found().await;
        assert!(findings.contains(expected), "{tamper}: {findings}");
        sqlx::raw_sql(mend).execute(&mut owner).await.unwrap();
    }
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_planted_under_anothers_number_or_changed_strikes_nothing_off() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let case = format!("/api/v1/cases/{}", played.case);
    let gone = crate::alerts::waiting_notice(&world).await;
    let mut owner = world.owner().await;
    let plant = format!(
        "CREATE TEMPORARY TABLE gone AS SELECT * FROM notices WHERE id = '{gone}';
         DELETE FROM notices WHERE id = '{gone}';
         INSERT INTO directions (id, notice_id, account_id, made_at, registered_by, register_no)
         SELECT gen_random_uuid(), '{}', registered_by, now(), registered_by, register_no FROM gone;
         UPDATE subjects SET added_at = added_at - interval '1 year' WHERE case_id = '{}'",
        played.notice, played.case
    );
    sqlx::raw_sql(AssertSqlSafe(plant)).execute(&mut owner).await.unwrap();
    erase(&one, &other, &case).await;
    assert_eq!(world.app.eraser().finish().await.unwrap().online, 1);
    world.stop().await;
    // One number is that of the notice, which nobody erased; the other that of the row that was changed before.
    let missing = async |many: usize| {
        let found = findings(&world).await;
        let deleted = found.iter().filter(|finding| finding.contains("A row was deleted")).count();
        assert_eq!((deleted, found.len()), (many, many), "{found:#?}");
    };
    missing(2).await;
    let back = "INSERT INTO notices OVERRIDING SYSTEM VALUE SELECT * FROM gone";
    sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    missing(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_erasure_store_is_away_the_case_is_gone_and_its_keys_follow_when_it_is_back() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let (officer, case) = (world.signed_in("officer1").await, format!("/api/v1/cases/{}", played.case));
    let ids = hanging(&world, played.case).await.1;
    let narrative = format!("{case}/sections/narrative");
    let_in(&world, false).await;
    assert_eq!(officer.get(&narrative, "case_work").await.unwrap().status, 503, "as before");
    erase(&one, &other, &case).await;
    for path in [&case, &narrative, &format!("{case}/notes")] {
        assert_eq!(officer.get(path, "case_work").await.unwrap().status, 404);
    }
    assert!(world.app.eraser().finish().await.is_err());
    let state = async || listed(&one, "supervision").await[0].clone();
    assert_eq!(state().await["state"], "erasing");
    let_in(&world, true).await;
    assert!(!keys_of(&world, &ids).await.0.is_empty(), "they wait");
    // The doctor says so, once it takes too long.
    let waits = async || {
        let checks = examine(&world.app.config, &Clock::default()).await;
        checks.into_iter().find(|check| check.about == "erasures").unwrap()
    };
    assert_eq!(waits().await.verdict, Verdict::Well);
    let mut owner = world.owner().await;
    let back = |minutes: i64| format!("UPDATE erasures SET erased_at = erased_at - interval '{minutes} minutes'");
    sqlx::raw_sql(AssertSqlSafe(back(20))).execute(&mut owner).await.unwrap();
    let told = waits().await;
    assert!(told.verdict == Verdict::Wrong && told.said.contains("20 minutes"), "{told}");
    sqlx::raw_sql(AssertSqlSafe(back(-20))).execute(&mut owner).await.unwrap();

    assert_eq!(world.app.eraser().finish().await.unwrap(), Finished { online: 1, forged: 0 });
    let (there, erased) = keys_of(&world, &ids).await;
    assert!(there.is_empty() && erased.len() > 5);
    assert_eq!(waits().await.verdict, Verdict::Well);
    // The last backup of the erasure store has a month: by the database's own clock, which nobody's session sets.
    let online = state().await;
    let at = |field: &str| online[field].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(
        (&online["state"], at("final_at") - at("online_at")),
        (&json!("erased_online"), chrono::TimeDelta::days(30))
    );
    world.clock.advance(chrono::TimeDelta::days(31));
    one.sign_in().await.unwrap();
    assert_eq!(state().await["state"], "erased_online", "a replica's clock says nothing");
    let later =
        "UPDATE erasures SET online_at = online_at - interval '30 days', final_at = final_at - interval '30 days'";
    sqlx::raw_sql(later).execute(&mut owner).await.unwrap();
    assert_eq!(state().await["state"], "erased_finally");
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_erased_by_a_list_that_the_service_did_not_make() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let second = crate::alerts::waiting_notice(&world).await;
    let_in(&world, false).await;
    erase(&one, &other, &format!("/api/v1/cases/{}", played.case)).await;
    let_in(&world, true).await;
    let key = "SELECT count(*) FROM erasure.keys WHERE key_id = $1";
    let there = async || -> i64 {
        sqlx::query_scalar(key).bind(second).fetch_one(&mut world.erasure_owner().await).await.unwrap()
    };
    // The owner of the database adds another record's key to a true list.
    let mut owner = world.owner().await;
    // A connection that was cut is found to be once.
    while world.app.databases.sweeper.erasure.acquire().await.unwrap().ping().await.is_err() {}
    let longer = "UPDATE erasing SET keys = keys || $1::uuid";
    sqlx::query(longer).bind(second).execute(&mut owner).await.unwrap();
    assert_eq!(world.app.eraser().finish().await.unwrap(), Finished { online: 0, forged: 1 });
    assert_eq!(there().await, 1);
    // What cannot be written down outside is not said to be erased: a restored backup would bring it back.
    let file = world.app.config.checkpoints.join(himaya::guard::tombstones::FILE);
    let aside = file.with_extension("aside");
    if file.exists() {
        std::fs::rename(&file, &aside).unwrap();
    }
    std::fs::create_dir(&file).unwrap();
    let shorter = "UPDATE erasing SET keys = array_remove(keys, $1::uuid)";
    sqlx::query(shorter).bind(second).execute(&mut owner).await.unwrap();
    assert!(world.app.eraser().finish().await.is_err());
    assert_eq!(listed(&one, "supervision").await[0]["state"], "erasing");
    std::fs::remove_dir(&file).unwrap();
    if aside.exists() {
        std::fs::rename(&aside, &file).unwrap();
    }
    assert_eq!(world.app.eraser().finish().await.unwrap(), Finished { online: 1, forged: 0 });
    assert_eq!(there().await, 1);
    let written = himaya::guard::tombstones::read(&world.app.config.checkpoints).unwrap();
    assert!(written.contains(&played.case), "at once");
    // Who was kept off the case hears nothing of it.
    assert_eq!(listed(&one, "supervision").await.len(), 1);
    sqlx::raw_sql("UPDATE erasures SET barred = ARRAY[proposed_by]").execute(&mut owner).await.unwrap();
    assert_eq!((listed(&one, "supervision").await.len(), listed(&other, "supervision").await.len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_puts_under_a_case_is_not_erased_with_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let (officer, case) = (world.signed_in("officer1").await, format!("/api/v1/cases/{}", played.case));
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let sent = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
    let notice = sent.id("id");
    let path = format!("/api/v1/notices/{notice}");
    assert_eq!(duty.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let accepted = duty.post(&format!("{path}/accept"), &json!({ "officers": [officer.account] })).await.unwrap();
    assert_eq!(accepted.status, 201, "{}", accepted.text);
    let theirs = accepted.id("case");
    let notes = format!("/api/v1/cases/{theirs}/notes");
    assert_eq!(officer.post(&notes, &json!({ "text": "the white van" })).await.unwrap().status, 201);

    let proposed = propose(&one, &case).await.id("id");
    let mut owner = world.owner().await;
    sqlx::raw_sql("CREATE TABLE kept AS SELECT record_id, case_id, kind FROM sealed")
        .execute(&mut owner)
        .await
        .unwrap();
    let keys = async || -> i64 {
        let all = "SELECT count(*) FROM erasure.keys";
        sqlx::query_scalar(all).fetch_one(&mut world.erasure_owner().await).await.unwrap()
    };
    let before = keys().await;
    let mine = played.case;
    for change in [
        format!(
            "UPDATE sealed SET case_id = '{mine}' WHERE record_id IN (SELECT id FROM case_notes WHERE case_id = '{theirs}')"
        ),
        format!("UPDATE sealed SET case_id = '{mine}' WHERE kind = 'identity' OR case_id = '{theirs}'"),
        format!("UPDATE notices SET case_id = '{mine}' WHERE id = '{notice}'"),
        format!(
            "UPDATE notices SET case_id = '{mine}' WHERE id = '{notice}';
             UPDATE sealed SET case_id = '{mine}' WHERE record_id = '{notice}'"
        ),
        format!("UPDATE sealed SET vouch = sha256(vouch) WHERE case_id = '{mine}'"),
    ] {
        sqlx::raw_sql("CREATE TABLE vouched AS SELECT record_id, vouch FROM sealed").execute(&mut owner).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(change.clone())).execute(&mut owner).await.unwrap();
        let refused = confirm(&other, &case, proposed).await;
        assert_eq!((refused.status, refused.code()), (500, "fault"), "{change}: {}", refused.text);
        let back = format!(
            "UPDATE notices SET case_id = '{theirs}' WHERE id = '{notice}';
             UPDATE sealed s SET case_id = k.case_id FROM kept k WHERE k.record_id = s.record_id;
             UPDATE sealed s SET vouch = v.vouch FROM vouched v WHERE v.record_id = s.record_id; DROP TABLE vouched"
        );
        sqlx::raw_sql(AssertSqlSafe(back)).execute(&mut owner).await.unwrap();
        let read = officer.get(&notes, "case_work").await.unwrap();
        assert!(read.status == 200 && read.text.contains("the white van"), "{change}: {}", read.text);
        assert_eq!(officer.get(&format!("{case}/sections/narrative"), "case_work").await.unwrap().status, 200);
        assert_eq!(keys().await, before, "{change}");
    }
    assert_eq!(confirm(&other, &case, proposed).await.status, 200);
    assert_eq!(world.app.eraser().finish().await.unwrap().online, 1);
    assert_eq!(officer.get(&notes, "case_work").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_is_injected_into_one_of_the_two_erases_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let case = format!("/api/v1/cases/{}", played.case);
    let proposed = propose(&one, &case).await.id("id");
    let proposal = ProposalId(proposed);
    let rows = async || count(&world, "SELECT (SELECT count(*) FROM sealed) + (SELECT count(*) FROM cases)").await;
    let before = rows().await;
    for actor in [&one, &other] {
        let mut theirs = injected(&world, &actor.secrets().await.1).await;
        let calls: Vec<String> = sqlx::query_scalar("SELECT what FROM erase_case($1)")
            .bind(played.case)
            .fetch_all(&mut theirs)
            .await
            .unwrap();
        assert!(calls.is_empty());
        let plants = sqlx::query(
            "INSERT INTO erasures (id, case_id, number, organisation_id, reason, proposed_by, proposed_at, confirmed_by, erased_at,
                                   note, barred, vouch)
             SELECT $1, c.id, c.number, c.organisation_id, 'court_order', $2, now(), me(), now(), 'x', '{}', sha256('x') FROM cases c",
        );
        let planted = plants.bind(proposed).bind(one.account).execute(&mut theirs).await.unwrap_err().to_string();
        assert!(planted.contains("row-level security") || planted.contains("check constraint"), "{planted}");
        for forbidden in [
            "DELETE FROM cases",
            "DELETE FROM notices",
            "DELETE FROM holds",
            "SELECT * FROM erasing",
            "DELETE FROM erasing",
            "UPDATE erasures SET final_at = now()",
            "SELECT erasure_is_online(gen_random_uuid(), interval '0')",
            "SELECT * FROM erased_before",
            "INSERT INTO erased_before SELECT id FROM cases",
            "SELECT hide_erased(ARRAY(SELECT id FROM cases))",
            "SELECT unwrap_hidden(ARRAY(SELECT key_id FROM wraps))",
            "UPDATE holds SET disregarded_at = now()",
            "SELECT disregard_hold(gen_random_uuid())",
            "SELECT * FROM holds_in_the_way(gen_random_uuid())",
            "SELECT * FROM erasure_orders",
            "INSERT INTO erasure_orders VALUES (gen_random_uuid(), me(), pg_current_xact_id(), now())",
            "SELECT order_erasure(gen_random_uuid(), me(), pg_current_xact_id()::text)",
        ] {
            let refused = sqlx::raw_sql(forbidden).execute(&mut theirs).await.unwrap_err().to_string();
            assert!(refused.contains("permission denied"), "{forbidden}: {refused}");
        }
    }
    // What two sign and the service carries out, as SQL that is injected would say it: by itself, and beside an order of the service.
    let confirmed =
        "UPDATE proposals SET confirmed_at = now(), confirm_note = note, confirm_vouch = vouch, standing = 2";
    let planting = format!(
        "INSERT INTO erasures (id, case_id, number, organisation_id, reason, proposed_by, proposed_at, confirmed_by, erased_at, note,
                               barred, vouch)
         SELECT '{proposed}', c.id, c.number, c.organisation_id, 'court_order', '{}', now(), me(), now(), 'x', '{{}}', sha256('x')
         FROM cases c",
        one.account
    );
    let planted = format!("{confirmed}; {planting}");
    let lifted = "UPDATE holds SET lifted_at = now(), lift_note = note, lift_vouch = vouch, standing = 2";
    let agreed = format!("{confirmed}; {lifted}");
    let tries = async |actor: &Actor, sql: &str, ordered: bool| {
        let mut theirs = injected(&world, &actor.secrets().await.1).await;
        sqlx::raw_sql("BEGIN").execute(&mut theirs).await.unwrap();
        if ordered {
            let own = sqlx::query_scalar("SELECT pg_current_xact_id()::text").fetch_one(&mut theirs).await;
            let own: String = own.unwrap();
            world.app.eraser().order(proposal, AccountId(actor.account), &own).await.unwrap();
        }
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut theirs).await;
        done.map(|_| ()).map_err(|error| error.to_string())
    };
    let refuses = async |actor: &Actor, sql: &str| {
        for ordered in [false, true] {
            let refused = tries(actor, sql, ordered).await.expect_err(sql);
            assert!(refused.contains("row-level security"), "{sql}: {refused}");
        }
    };
    // Beside an order nothing else is missing; without one nothing is enough.
    assert_eq!(tries(&other, &planted, true).await, Ok(()));
    let alone = tries(&other, &planted, false).await.unwrap_err();
    assert!(alone.contains("row-level security"), "{alone}");
    refuses(&one, &planted).await;
    // What was confirmed before, in another transaction, counts no more.
    sqlx::raw_sql(confirmed).execute(&mut world.owner().await).await.unwrap();
    refuses(&other, &planting).await;
    let unsaid = "UPDATE proposals SET confirmed_at = NULL, confirm_note = NULL, confirm_vouch = NULL, standing = 1";
    sqlx::raw_sql(unsaid).execute(&mut world.owner().await).await.unwrap();
    // Nor does a proposal count that has lapsed, whatever time is told.
    let lapses = "UPDATE proposals SET lapses_at = now() - interval '1 hour'";
    let lasts = "UPDATE proposals SET lapses_at = now() + interval '7 days'";
    let earlier = planted.replace("me(), now(), 'x'", "me(), now() - interval '2 hours', 'x'");
    sqlx::raw_sql(lapses).execute(&mut world.owner().await).await.unwrap();
    for sql in [&planted, &earlier] {
        refuses(&other, sql).await;
    }
    sqlx::raw_sql(lasts).execute(&mut world.owner().await).await.unwrap();
    assert_eq!(tries(&other, &planted, true).await, Ok(()));
    // A hold with an end is in force by the database's own clock, whatever time is told.
    let until = world.clock.now() + chrono::TimeDelta::days(1);
    let ends = json!({ "reason": "complaint", "until": until });
    assert_eq!(one.post(&format!("{case}/holds"), &ends).await.unwrap().status, 201);
    let later = planted.replace("me(), now(), 'x'", "me(), now() + interval '2 days', 'x'");
    assert_ne!(later, planted);
    for sql in [&planted, &later] {
        refuses(&other, sql).await;
    }
    // While there is a hold, nobody's session alone lifts it; nor does the one who proposed that it be lifted.
    let held = one.post(&format!("{case}/holds"), &json!({ "reason": "complaint" })).await.unwrap();
    assert_eq!(held.status, 201, "{}", held.text);
    for actor in [&one, &other] {
        refuses(actor, &planted).await;
        refuses(actor, lifted).await;
        refuses(actor, &agreed).await;
    }
    let lifts = one.post(&format!("{case}/holds/{}/lifts", held.id("id")), &Value::Null).await.unwrap();
    assert_eq!(lifts.status, 201, "{}", lifts.text);
    let lift_one = format!("{confirmed}; {lifted} WHERE id = '{}'", held.id("id"));
    refuses(&one, &lift_one).await;
    // Who is the second may write it; nobody believes it, and two lift the hold as they would have.
    assert_eq!(tries(&other, &format!("{lift_one}; COMMIT"), false).await, Ok(()));
    let in_force = async || {
        let seen = other.get(&format!("{case}/holds"), "supervision").await.unwrap();
        assert_eq!(seen.status, 200, "{}", seen.text);
        let of = seen.body["items"].as_array().unwrap().clone();
        of.iter().find(|item| item["id"] == held.body["id"]).unwrap()["in_force"] == true
    };
    assert!(in_force().await);
    assert_eq!(propose(&one, &case).await.code(), "on_hold");
    let lifts = format!("{case}/holds/{}/lifts", held.id("id"));
    let again = one.post(&lifts, &Value::Null).await.unwrap();
    assert_eq!(again.status, 201, "{}", again.text);
    let agreed = other.post(&format!("{lifts}/{}/confirm", again.id("id")), &Value::Null).await.unwrap();
    assert_eq!(agreed.status, 200, "{}", agreed.text);
    assert!(!in_force().await);
    assert_eq!(rows().await, before);
}

/// A country whose case was erased after a backup was taken.
struct Backed {
    placing: Placing,
    all: Hanging,
    keys: Vec<Uuid>,
    folder: PathBuf,
}

impl Backed {
    async fn up() -> Self {
        let mut placing = Placing::new().await;
        let all = full(&placing).await;
        let case = placing.case();
        let (one, other) = supervisors(&placing.world).await;
        crate::ledger::comes_true("everything has its place, and a checkpoint says so", async || {
            count(&placing.world, "SELECT count(*) FROM ledger_pending").await == 0
        })
        .await;
        let folder = placing.world.folder.join("backup");
        let (config, servers) = (&placing.world.app.config, crate::restoring::superusers(&placing.world));
        himaya::backup::take(config, &servers, &folder, &placing.world.clock).await.unwrap();
        let ids = hanging(&placing.world, placing.played.case).await.1;
        let keys = keys_of(&placing.world, &ids).await.0.into_iter().collect();
        erase(&one, &other, &case).await;
        assert_eq!(placing.world.app.eraser().finish().await.unwrap().online, 1);
        placing.world.stop().await;
        placing.world.app.databases.close().await;
        Self { placing, all, keys, folder }
    }

    /// Starts a service over databases that came back, and asks it for everything that hung on the case.
    async fn shows_nothing(&self, config: Config, name: &str) {
        let (world, id) = (&self.placing.world, self.placing.played.case.to_string());
        let (app, serving, base) = world.replica_of(config).await;
        // The erasure store is as old as the rest, and erased again all the same.
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM erasure.keys WHERE key_id = ANY($1)")
            .bind(&self.keys)
            .fetch_one(&app.databases.erasure)
            .await
            .unwrap();
        assert_eq!(left, 0);
        for handle in ["officer1", "duty1", "operator1", "worker1", "manager1", "ssupervisor1"] {
            let actor = world.country.person(handle).unwrap().at(&base);
            actor.sign_in().await.unwrap();
            let routes = self.all.routes(self.placing.officer.account);
            for (method, path) in routes.into_iter().filter(|(method, _)| *method == Method::GET) {
                for purpose in ["case_work", "care", "supervision", "intake"] {
                    let (status, body) = answer(&actor, &method, &path, purpose).await;
                    assert!(!body.to_string().contains(&id), "{} {path}: {body}", actor.handle);
                    let is_list = ["/cases", "/tasks", "/alerts", "/placements", "/notices"]
                        .iter()
                        .any(|end| path.ends_with(end));
                    let hidden = matches!(status, 403 | 404 | 422) || (is_list && status == 200);
                    assert!(hidden, "{} {path} as {purpose}: {status} {body}", actor.handle);
                }
            }
        }
        // Somebody brings a database back beneath a service that runs: whichever sweeps finds it.
        let inside = world.superuser.replace("/postgres?", &format!("/{name}?"));
        let mut inside = sqlx::PgConnection::connect(&inside).await.unwrap();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        sqlx::raw_sql("DELETE FROM erased_before").execute(&mut inside).await.unwrap();
        let sweeping = tokio::spawn(app.eraser().run(stopped));
        crate::ledger::comes_true("the case is hidden again", async || {
            let hidden: i64 =
                sqlx::query_scalar("SELECT count(*) FROM erased_before").fetch_one(&mut inside).await.unwrap();
            hidden == 1
        })
        .await;
        stop.send_replace(true);
        sweeping.await.unwrap();
        inside.close().await.unwrap();
        serving.stop().await.unwrap();
        app.databases.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_of_before_shows_nothing_of_the_case() {
    let backed = Backed::up().await;
    let world = &backed.placing.world;
    let name = format!("{}_r", world.database);
    let config = moved(world, &name);
    let restored = bring_back(world, &config, &backed.folder, true).await.unwrap();
    let findings: Vec<String> = restored.ledger.findings.iter().map(ToString::to_string).collect();
    assert!(restored.ledger.ok(), "{findings:#?}");
    assert_eq!(restored.cases_hidden, 1);
    backed.shows_nothing(config, &name).await;
    drop_databases(world, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_somebody_brings_back_by_hand_shows_nothing_of_the_case_either() {
    let backed = Backed::up().await;
    let world = &backed.placing.world;
    let name = format!("{}_h", world.database);
    let config = moved(world, &name);
    let restore = Cluster::find_client("pg_restore").unwrap();
    let mut owner = world.server_owner().await;
    for (database, dump) in [(name.clone(), "main.dump"), (format!("{name}_erasure"), "erasure.dump")] {
        let made = format!("CREATE DATABASE {database} OWNER himaya_owner");
        sqlx::raw_sql(AssertSqlSafe(made)).execute(&mut owner).await.unwrap();
        himaya::setup::make_database(&mut owner, &database).await.unwrap();
        let address = world.superuser.replace("/postgres?", &format!("/{database}?"));
        let done = std::process::Command::new(&restore)
            .args(["--exit-on-error", "--single-transaction", "--dbname", &address])
            .arg(backed.folder.join(dump))
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    // It is all there again: rows, keys and wraps.
    let mut inside =
        sqlx::PgConnection::connect(&world.superuser.replace("/postgres?", &format!("/{name}?"))).await.unwrap();
    let wraps = "SELECT count(*) FROM wraps WHERE key_id = ANY($1)";
    let wraps = async || -> i64 { sqlx::query_scalar(wraps).bind(&backed.keys).fetch_one(&mut inside).await.unwrap() };
    let mut wraps = wraps;
    assert!(wraps().await > 8);
    // What was written down outside cannot be read: then nobody is answered at all.
    let file = config.checkpoints.join(himaya::guard::tombstones::FILE);
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir(&file).unwrap();
    let refused = App::start(config.clone(), world.clock.clone()).await.err().expect("it does not start");
    assert!(refused.to_string().contains("tombstones"), "{refused}");
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    backed.shows_nothing(config, &name).await;
    assert_eq!(wraps().await, 0, "of the case");
    inside.close().await.unwrap();
    drop_databases(world, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_the_erasure_store_is_erased_again() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (one, other) = supervisors(&world).await;
    let ids = hanging(&world, played.case).await.1;
    let keys = keys_of(&world, &ids).await.0;
    let mut erasure = world.erasure_owner().await;
    sqlx::raw_sql("CREATE TABLE kept AS TABLE erasure.keys").execute(&mut erasure).await.unwrap();
    // By a wrong clock: what is erased after it is written down all the same.
    let late = himaya::platform::random::uuid();
    let wrong = "INSERT INTO erasure.tombstones (key_id, erased_at) VALUES ($1, now() + interval '1 year')";
    sqlx::query(wrong).bind(late).execute(&mut erasure).await.unwrap();
    crate::ledger::comes_true("the one from the future is written down", async || {
        himaya::guard::tombstones::read(&world.app.config.checkpoints).unwrap().contains(&late)
    })
    .await;
    erase(&one, &other, &format!("/api/v1/cases/{}", played.case)).await;
    // Everything that was erased is written down outside the database as well, the case's own id among it.
    crate::ledger::comes_true("what was erased stands beside the checkpoints", async || {
        let written = himaya::guard::tombstones::read(&world.app.config.checkpoints).unwrap();
        keys.iter().chain([&played.case]).all(|key| written.contains(key))
    })
    .await;
    sqlx::raw_sql("INSERT INTO erasure.keys SELECT * FROM kept ON CONFLICT DO NOTHING")
        .execute(&mut erasure)
        .await
        .unwrap();
    assert_eq!(keys_of(&world, &ids).await.0, keys);
    assert_eq!(world.app.databases.sweeper.sweep(false).await.unwrap().unwrap().again, keys.len() as u64);
    assert!(keys_of(&world, &ids).await.0.is_empty());
}
