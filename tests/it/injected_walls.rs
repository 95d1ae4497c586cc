//! Wall 3 alone: SQL that is injected goes past the policy and the ledger, and whoever sends it has an officer's keys in hand. What is
//! left is row-level security.

use crate::harness::World;
use crate::shelter::Placing;
use crate::walls::injected;
use himaya::demo::story;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Strangers to the case: of its squad, of every other organisation, and who is nobody at all.
const STRANGERS: [&str; 9] =
    ["officer2", "duty2", "operator2", "coordinator1", "statistician1", "admin1", "auditor1", "worker2", "nobody"];

const ALL: &[&str] = &STRANGERS;

/// Where strangers to the case see a row, and why. No other row of any table that the app may read is theirs.
const SEEN: [(&str, &[&str], &str); 21] = [
    ("accounts", ALL, "the door looks for a name before anybody is somebody; what signs somebody in is not granted"),
    ("foundings", ALL, "whose signatures count is checked before anybody is somebody"),
    ("memberships", ALL, "likewise"),
    ("organisations", ALL, "likewise"),
    ("custodies", ALL, "and which CUSTODY key is believed after which"),
    ("shared_keys", ALL, "public keys: what is sealed to a desk is sealed by others"),
    ("policy_changes", ALL, "which policy decides is known to every process"),
    (
        "account_keys",
        &["officer2", "duty2", "operator2", "coordinator1", "statistician1", "admin1", "auditor1", "worker2"],
        "public keys",
    ),
    ("accommodations", &["officer2", "duty2", "worker2"], "who asks for a place sees where there are any"),
    ("certificates", &["officer2", "duty2", "worker2"], "and whether the house may take somebody"),
    ("absences", &["officer2", "duty2"], "their own squad's"),
    ("shifts", &["officer2", "duty2"], "likewise"),
    ("notices", &["duty2"], "numbers and clocks of what came to the own desk"),
    ("addenda", &["duty2"], "likewise; what they say is sealed"),
    ("attachments", &["duty2"], "likewise: of a notice that came to the desk"),
    ("directions", &["duty2"], "likewise: whom a notice was directed to"),
    ("openings", &["duty2", "auditor1"], "who asked for it, and who reviews it"),
    ("opening_cases", &["duty2", "auditor1"], "likewise"),
    (
        "custody_shares",
        &["coordinator1", "statistician1", "admin1", "auditor1", "worker2"],
        "their own organisation's, of which they are custodians",
    ),
    ("shared_key_wraps", &["duty2", "auditor1", "worker2"], "their own, of their own desk's key"),
    ("trainings", &["worker2"], "their own organisation's"),
];

/// Tables that hold whose each row is beside the case: who sees rows of these sees their own, by the condition.
const OWN: [(&str, &str); 3] = [
    ("idempotency", "account_id = me()"),
    ("alerts", "about NOT IN (SELECT id FROM cases)"),
    (
        "suspicions",
        "EXISTS (SELECT FROM accounts a JOIN organisations o ON o.id = a.organisation_id WHERE a.id = me() AND o.kind = 'auditor_office')",
    ),
];

/// Tables of which this world holds no row: what is said below says nothing of them, and what holds them is named.
const EMPTY: [(&str, &str); 6] = [
    ("erasures", "erasing_attacked.rs"),
    ("outages", "outages_attacked.rs"),
    ("resolutions", "resolving.rs"),
    ("former_foundings", "succession_attacked.rs"),
    ("successions", "succession_attacked.rs"),
    ("suspicions", "snooping.rs"),
];

async fn count(connection: &mut PgConnection, query: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned())).fetch_one(connection).await.unwrap()
}

/// A case with everything that can hang on one, and what people keep beside it.
async fn full() -> Placing {
    let placing = Placing::new().await;
    crate::erasing::full(&placing).await;
    let world = &placing.world;
    let supervisor = world.signed_in("ssupervisor1").await;
    let opening = "SELECT id FROM openings";
    let opening: Uuid = sqlx::query_scalar(opening).fetch_one(&mut world.owner().await).await.unwrap();
    assert_eq!(crate::custody::step(&supervisor, opening, "agree").await.status, 200);
    crate::roster::shift(world, &supervisor, "duty1", 0, 12).await;
    let away = crate::absence::hand_over(world, &placing.officer, &world.signed_in("duty2").await, 3000, 6000).await;
    assert_eq!(away.status, 201, "{}", away.text);
    world.country.agree_to_policy().await.unwrap();
    let call = serde_json::json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    assert_eq!(world.signed_in("operator1").await.post("/api/v1/calls", &call).await.unwrap().status, 201);
    placing
}

/// The tables of which the app may read some column, by the catalogue.
async fn readable(world: &World) -> Vec<String> {
    let tables =
        "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
                  AND has_any_column_privilege('himaya_app', oid, 'SELECT') ORDER BY relname";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut world.owner().await).await.unwrap();
    assert!(tables.len() > 35, "{tables:?}");
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_3_alone_injected_sql_sees_what_its_session_may_see() {
    let placing = full().await;
    let (world, played) = (&placing.world, &placing.played);
    let tables = readable(world).await;
    for table in &tables {
        let rows = count(&mut world.owner().await, &format!("SELECT count(*) FROM {table}")).await;
        let elsewhere = EMPTY.iter().any(|(empty, _)| empty == table);
        assert!(rows > 0 || elsewhere, "nothing can be said of {table}: it has no row here");
    }
    let mut mine = injected(world, &placing.officer.secrets().await.1).await;
    assert!(count(&mut mine, "SELECT count(*) FROM sealed").await >= 10);
    assert_eq!(count(&mut mine, "SELECT count(*) FROM cases").await, 1);
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for handle in STRANGERS {
        let secret = if handle == "nobody" { String::new() } else { world.signed_in(handle).await.secrets().await.1 };
        let mut theirs = injected(world, &secret).await;
        for table in &tables {
            let own = OWN.iter().find(|(name, _)| name == table).map_or("false", |(_, condition)| condition);
            let query = format!("SELECT count(*) FROM {table} WHERE ({own}) IS NOT TRUE");
            if count(&mut theirs, &query).await > 0 {
                seen.insert((table, handle));
            }
        }
        for change in [
            "UPDATE sealed SET version = version + 1",
            "DELETE FROM sealed",
            "DELETE FROM wraps",
            "UPDATE cases SET state = 'closed'",
            "UPDATE case_access SET ended_at = now()",
        ] {
            let done = sqlx::query(change).execute(&mut theirs).await.unwrap();
            assert_eq!(done.rows_affected(), 0, "{handle}: {change}");
        }
        // Making oneself a reader: of a case, of a key, of a shared key; making oneself a session.
        let account = if handle == "nobody" { Uuid::nil() } else { world.country.person(handle).unwrap().account };
        for forge in [
            "INSERT INTO case_access (grant_id, case_id, account_id, relation, note, started_at)
             VALUES (gen_random_uuid(), $1, $2, 'assigned', '', now())",
            "INSERT INTO wraps (key_id, epoch, recipient_account, wrap) VALUES ((SELECT $1::uuid), 1, $2, '')",
        ] {
            let target = if forge.contains("case_access") { played.case } else { sealed_key(world, played.case).await };
            let refused = sqlx::query(forge).bind(target).bind(account).execute(&mut theirs).await;
            assert!(refused.is_err(), "{handle}: {forge}");
        }
        for forbidden in [
            "SELECT count(*) FROM sessions",
            "SELECT count(*) FROM credential_slots",
            "SELECT count(*) FROM ledger_entries",
            "DELETE FROM ledger_entries",
            "TRUNCATE sealed",
            "ALTER TABLE sealed DISABLE ROW LEVEL SECURITY",
            "SELECT enrolment_hash FROM accounts",
            "SET ROLE himaya_owner",
            "INSERT INTO sessions SELECT * FROM sessions",
            "INSERT INTO ledger_pending (replica, lane, n) VALUES (gen_random_uuid(), 0, 0)",
            "INSERT INTO organisations (id, kind, name, created_at) VALUES (gen_random_uuid(), 'squad', 'x', now())",
            "INSERT INTO shared_keys SELECT gen_random_uuid(), organisation_id, purpose, public_key, maker_id, note, now(),
             closes_at FROM shared_keys LIMIT 1",
            "UPDATE notices SET sender_id = me()",
            "UPDATE notices SET squad_id = my_organisation()",
            "UPDATE calls SET operator_id = me()",
            "UPDATE case_access SET account_id = me()",
            "UPDATE wraps SET recipient_account = me()",
        ] {
            // Making organisations is what the administrator's session may do; and the first key is the CUSTODY of their own office,
            // of which they are responsible: another such row counts for nobody (`custody_stolen`).
            let own = ["INTO organisations", "INTO shared_keys"];
            let theirs_to_do = handle == "admin1" && own.iter().any(|work| forbidden.contains(work));
            let refused = sqlx::query(forbidden).execute(&mut theirs).await.is_err();
            assert!(refused || theirs_to_do, "{handle}: {forbidden}");
        }
        // Making oneself a supervisor by a REVIEW key of one's own, or a colleague by an account of one's own.
        if matches!(handle, "officer2" | "duty2") {
            let key = "INSERT INTO shared_keys (id, organisation_id, purpose, public_key, maker_id, note, opens_at, closes_at)
                       VALUES (gen_random_uuid(), my_organisation(), 'review', decode(repeat('07', 32), 'hex'), me(), '',
                               now(), now() + interval '1 day')";
            assert!(sqlx::query(key).execute(&mut theirs).await.is_err(), "{handle} makes a REVIEW key");
        }
        if handle != "admin1" {
            let account = "INSERT INTO accounts (id, organisation_id, handle, nominated_responsible, nominated_custodian, created_at)
                           VALUES (gen_random_uuid(), $1, 'planted', true, true, now())";
            let planted = sqlx::query(account).bind(world.country.organisations["squad"]).execute(&mut theirs).await;
            assert!(planted.is_err(), "{handle} makes an account");
            let disabled = sqlx::query("UPDATE accounts SET disabled_at = now()").execute(&mut theirs).await.unwrap();
            assert_eq!(disabled.rows_affected(), 0, "{handle}");
        }
    }
    let reviewed: BTreeSet<(&str, &str)> =
        SEEN.iter().flat_map(|(table, who, _)| who.iter().map(|handle| (*table, *handle))).collect();
    let unreviewed: Vec<_> = seen.difference(&reviewed).collect();
    assert!(unreviewed.is_empty(), "{unreviewed:?}");
    let gone: Vec<_> = reviewed.difference(&seen).collect();
    assert!(gone.is_empty(), "the list says more than is seen: {gone:?}");
}

async fn sealed_key(world: &World, case: Uuid) -> Uuid {
    sqlx::query_scalar("SELECT key_id FROM sealed WHERE case_id = $1 LIMIT 1")
        .bind(case)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_learns_nothing_of_a_case_from_the_visit_of_a_section() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    for (handle, told) in [("officer1", true), ("officer2", false), ("coordinator1", false)] {
        let secret = world.signed_in(handle).await.secrets().await.1;
        let lookup = himaya::guard::session::SessionSecret::parse(&secret).unwrap().lookup().hex().as_str().to_owned();
        let organisation: Option<Uuid> =
            sqlx::query_scalar("SELECT case_organisation FROM visit_section(decode($1, 'hex'), $2, NULL, 'narrative')")
                .bind(lookup)
                .bind(played.case)
                .fetch_one(&world.app.databases.visits)
                .await
                .unwrap();
        assert_eq!(organisation.is_some(), told, "{handle}");
    }
}
