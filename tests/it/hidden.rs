//! The owner of the database hides something: deletes a row, changes how it stands, puts an earlier one back. Nothing is
//! opened by it, but a call for help could be lost. The verifier finds each.

use crate::harness::World;
use crate::story::whole_ledger;
use crate::two_persons::take_off;
use himaya::audit::verify::verify;
use himaya::demo::story;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

/// Every table with rows that the ledger vouches for, and what is sealed for them.
const TABLES: [&str; 13] = [
    "organisations",
    "accounts",
    "memberships",
    "calls",
    "notices",
    "addenda",
    "cases",
    "case_access",
    "subjects",
    "sections",
    "case_notes",
    "case_heads",
    "sealed",
];

async fn run(owner: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(owner).await.unwrap();
}

/// Copies every table under a name.
async fn keep(owner: &mut PgConnection, name: &str) {
    run(owner, &format!("CREATE SCHEMA {name}")).await;
    for table in TABLES {
        run(owner, &format!("CREATE TABLE {name}.{table} AS TABLE public.{table}")).await;
    }
}

async fn put_back(owner: &mut PgConnection, name: &str) {
    for table in TABLES {
        let again = format!(
            "DELETE FROM public.{table}; INSERT INTO public.{table} OVERRIDING SYSTEM VALUE SELECT * FROM {name}.{table}"
        );
        run(owner, &again).await;
    }
}

/// What the owner tampers with after the story.
struct Left {
    /// Handed over, not yet acknowledged, with an addendum.
    notice: Uuid,
    addendum: Uuid,
    closed: Uuid,
    /// A draft that was handed over: kept in the schema `before`.
    draft: Uuid,
    case: Uuid,
}

async fn leave_something(world: &World) -> Left {
    let played = story::play(&world.country).await.unwrap();
    let operator = world.signed_in("operator1").await;
    let content = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "she is at the station" } });
    let draft = operator.post("/api/v1/calls", &content).await.unwrap().id("id");
    keep(&mut world.owner().await, "before").await;
    let handed =
        operator.post(&format!("/api/v1/calls/{draft}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
    let notice = handed.id("id");
    let text = json!({ "text": "platform two" });
    let addendum = operator.post(&format!("/api/v1/slips/{notice}/addenda"), &text).await.unwrap().id("id");
    let closed = operator.post("/api/v1/calls", &content).await.unwrap().id("id");
    let done = operator.post(&format!("/api/v1/calls/{closed}/close"), &json!({ "outcome": "closed" })).await.unwrap();
    assert_eq!(done.status, 200, "{}", done.text);
    // An access that two supervisors ended, which leaves the epoch pending; and somebody who was dismissed.
    let (duty, colleague) = (world.signed_in("duty1").await, world.country.person("officer2").unwrap().account);
    let access = format!("/api/v1/cases/{}/access", played.case);
    let given = json!({ "account": colleague, "relation": "assigned", "reason": "workload" });
    assert_eq!(duty.post(&access, &given).await.unwrap().status, 201);
    let (one, other) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    take_off(&one, &other, &format!("/api/v1/cases/{}", played.case), colleague).await;
    let dismissed = format!("/api/v1/accounts/{colleague}/disable");
    assert_eq!(world.signed_in("admin1").await.post(&dismissed, &json!({})).await.unwrap().status, 200);
    Left { notice, addendum, closed, draft, case: played.case }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_owner_of_the_database_hides_is_found() {
    let mut world = World::new().await;
    let Left { notice, addendum, closed, draft, case } = leave_something(&world).await;
    world.stop().await;
    let report = whole_ledger(&world).await;
    assert!(report.rows > 50, "{} rows", report.rows);
    let mut owner = world.owner().await;
    // The owner of the machine is not held by foreign keys either.
    run(&mut owner, "SET session_replication_role = replica").await;
    keep(&mut owner, "kept").await;
    let (gone, changed, back, content) =
        ("A row was deleted", "was changed", "was put back", "sealed for it was deleted");
    let ended = format!(
        "grant_id = (SELECT grant_id FROM case_access WHERE ended_at IS NOT NULL AND case_id = '{case}' LIMIT 1)"
    );
    let tampering = [
        (format!("DELETE FROM sealed WHERE record_id IN ('{notice}', '{addendum}'); DELETE FROM addenda WHERE id = '{addendum}';
                  DELETE FROM notices WHERE id = '{notice}'"), gone),
        (format!("DELETE FROM addenda WHERE id = '{addendum}'; DELETE FROM sealed WHERE record_id = '{addendum}'"), gone),
        (format!("UPDATE notices SET state = 'acknowledged', acknowledged_at = now() WHERE id = '{notice}'"), changed),
        (format!("UPDATE notices SET state = 'returned', standing = 2 WHERE id = '{notice}'"), "no entry says"),
        (format!("UPDATE notices SET suspected_at = now() WHERE id = '{notice}'"), changed),
        (format!("UPDATE notices SET squad_id = sender_organisation_id WHERE id = '{notice}'"), changed),
        (format!("UPDATE notices SET intake_key_id = (SELECT id FROM shared_keys WHERE purpose = 'review' LIMIT 1)
                  WHERE id = '{notice}'"), changed),
        ("UPDATE notices SET state = 'sent', acknowledged_at = NULL, case_id = NULL, standing = 1 WHERE state = 'accepted'".to_owned(), back),
        (format!("UPDATE notices SET registered_by = NULL, register_no = NULL WHERE id = '{notice}'"), gone),
        // One of the middle is gone, and the numbers after it are still there.
        ("DELETE FROM calls WHERE register_no = (SELECT min(register_no) FROM calls)".to_owned(), gone),
        (format!("DELETE FROM calls WHERE id = '{closed}'; DELETE FROM sealed WHERE record_id = '{closed}'"), gone),
        (format!("DELETE FROM sealed WHERE record_id = '{closed}'"), content),
        (format!("INSERT INTO calls SELECT * FROM before.calls WHERE id = '{draft}';
                  INSERT INTO sealed SELECT * FROM before.sealed WHERE record_id = '{draft}'"), back),
        ("UPDATE accounts SET disabled_at = NULL WHERE disabled_at IS NOT NULL".to_owned(), changed),
        ("UPDATE accounts SET disabled_at = NULL, standing = 1 WHERE disabled_at IS NOT NULL".to_owned(), back),
        (format!("UPDATE case_access SET ended_at = NULL WHERE {ended}"), changed),
        (format!("UPDATE case_access SET ended_at = NULL, standing = 1 WHERE {ended}"), back),
        (format!("UPDATE cases SET epoch_pending = false WHERE id = '{case}'"), changed),
        (format!("UPDATE cases c SET state = 'closed' WHERE id = '{case}'"), changed),
        (format!("DELETE FROM sealed WHERE record_id IN (SELECT id FROM case_notes WHERE case_id = '{case}');
                  DELETE FROM case_notes WHERE case_id = '{case}'"), gone),
        (format!("DELETE FROM sections WHERE case_id = '{case}' AND kind = 'narrative'"), gone),
        (format!("UPDATE sections SET kind = 'other' WHERE case_id = '{case}' AND kind = 'narrative'"), changed),
        (format!("DELETE FROM subjects WHERE case_id = '{case}'"), gone),
        (format!("UPDATE case_heads h SET number = number - 1 WHERE case_id = '{case}'"), back),
        ("DELETE FROM accounts WHERE handle = 'officer2'".to_owned(), gone),
        ("UPDATE memberships SET ended_at = now() WHERE id = (SELECT id FROM memberships LIMIT 1)".to_owned(), changed),
        // A whole register emptied, and a register under another name.
        ("DELETE FROM calls; DELETE FROM notices; DELETE FROM addenda; DELETE FROM sealed WHERE case_id IS NULL".to_owned(), gone),
        ("UPDATE accounts SET register = gen_random_uuid() WHERE handle = 'operator1'".to_owned(), "no entry says"),
        // Something planted, in a register and beside them.
        (format!("INSERT INTO addenda SELECT gen_random_uuid(), notice_id, author_id, added_at, registered_by, 999999, 1
                  FROM addenda WHERE id = '{addendum}'"), "no entry says"),
    ];
    let keys = world.app.log_keys().unwrap();
    for (tamper, expected) in tampering {
        run(&mut owner, &tamper).await;
        let report = verify(&world.app.databases.auditor, &keys, &[], true).await.unwrap();
        let found: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|finding| finding.contains(expected)), "{tamper}\n{found:#?}");
        put_back(&mut owner, "kept").await;
    }
    whole_ledger(&world).await;
}
