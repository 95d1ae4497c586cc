//! A case that two supervisors erase is gone for everybody, with everything that hung on it, from whatever copy it is tried.

use crate::attachments::{attached, objects};
use crate::bars::{Hanging, answer, findings};
use crate::custody::invoke;
use crate::faults::let_in;
use crate::harness::World;
use crate::shelter::Placing;
use crate::story::whole_ledger;
use crate::tasks::task_on;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use himaya::doctor::{Verdict, examine};
use himaya::guard::sweep::Finished;
use himaya::platform::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::{BTreeMap, BTreeSet};
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

pub async fn count(world: &World, query: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(&mut world.owner().await).await.unwrap()
}

/// What hangs on a case by the catalogue's own account: in each table that refers to one, however far, the rows of this case, and
/// every id in them that is no reference to something else. A column that is called `case_id` refers to a case without saying so.
pub async fn hanging(world: &World, case: Uuid) -> (BTreeMap<String, usize>, BTreeSet<Uuid>) {
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
pub async fn keys_of(world: &World, ids: &BTreeSet<Uuid>) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
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
pub async fn second_notice(placing: &Placing) -> Uuid {
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
pub async fn full(placing: &Placing) -> Hanging {
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
