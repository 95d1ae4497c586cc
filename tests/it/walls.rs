//! Each wall alone: the other three are opened by hand, and it still holds.

use crate::harness::World;
use himaya::demo::story;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use std::path::PathBuf;
use std::str::FromStr as _;
use uuid::Uuid;

/// The reviewed policy with more rules: wall 1 opened.
fn opened_policy(world: &World, rules: &str) -> PathBuf {
    let folder = world.folder.join("opened");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["model.conf", "access.csv"] {
        std::fs::copy(world.app.config.policies.join(file), folder.join(file)).unwrap();
    }
    let mut csv = std::fs::read_to_string(folder.join("access.csv")).unwrap();
    csv.push_str(rules);
    std::fs::write(folder.join("access.csv"), csv).unwrap();
    folder
}

/// Wall 3 opened: the app sees every row of every table.
async fn open_database(world: &World) {
    let mut owner = world.owner().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relrowsecurity AND relnamespace = 'public'::regnamespace",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert!(tables.len() > 15);
    for table in tables {
        let open = format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY");
        sqlx::raw_sql(sqlx::AssertSqlSafe(open)).execute(&mut owner).await.unwrap();
    }
}

/// Puts somebody on a case behind the service, with every wrap that an assigned officer has.
async fn smuggle(world: &World, case: Uuid, from: Uuid, to: Uuid) {
    let mut owner = world.owner().await;
    for statement in [
        "INSERT INTO case_access (grant_id, case_id, account_id, relation, note, started_at)
         SELECT gen_random_uuid(), case_id, $3, relation, note, started_at FROM case_access
         WHERE case_id = $1 AND account_id = $2 AND ended_at IS NULL",
        "INSERT INTO wraps (key_id, epoch, recipient_account, grant_id, wrap)
         SELECT w.key_id, w.epoch, $3, w.grant_id, w.wrap FROM wraps w
         WHERE w.recipient_account = $2 AND w.key_id IN (SELECT key_id FROM sealed WHERE case_id = $1)",
    ] {
        let done = sqlx::query(statement).bind(case).bind(from).bind(to).execute(&mut owner).await.unwrap();
        assert!(done.rows_affected() > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_1_alone_a_role_without_the_work_is_refused_with_everything_else_open() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    open_database(&world).await;
    for handle in ["coordinator1", "admin1", "auditor1", "operator1", "worker1", "ssupervisor1"] {
        let person = world.signed_in(handle).await;
        smuggle(&world, played.case, officer.account, person.account).await;
        let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
        let refused = person.get(&path, "case_work").await.unwrap();
        assert_eq!((refused.status, refused.code()), (404, "not_found"), "{handle}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_2_alone_no_key_no_content_with_everything_else_open() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, colleague) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    open_database(&world).await;
    let rules = "p, squad_officer, none, narrative, read, case_work, allow\n";
    let (_app, serving, base) = world.replica_with(&opened_policy(&world, rules)).await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let without_wrap = colleague.at(&base).get(&path, "case_work").await.unwrap();
    assert_ne!(without_wrap.status, 200);
    // With a colleague's wrap copied to them in the database, and access to the case besides.
    smuggle(&world, played.case, officer.account, colleague.account).await;
    let with_stolen_wrap = colleague.at(&base).get(&path, "case_work").await.unwrap();
    assert_eq!((with_stolen_wrap.status, with_stolen_wrap.code()), (500, "fault"));
    assert!(!with_stolen_wrap.text.contains("waitress"));
    assert_eq!(officer.at(&base).get(&path, "case_work").await.unwrap().status, 200);
    serving.stop().await.unwrap();
}

/// A connection as the app's role that speaks for somebody's session, as injected SQL would.
pub async fn injected(world: &World, secret: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(&world.app.config.database.app).unwrap();
    let mut connection = options.connect().await.unwrap();
    let lookup = himaya::guard::session::SessionSecret::parse(secret).map(|secret| secret.lookup().hex());
    let lookup = lookup.map(|hex| hex.as_str().to_owned()).unwrap_or_default();
    sqlx::query("SELECT set_config('himaya.lookup', $1, false)").bind(lookup).execute(&mut connection).await.unwrap();
    connection
}

async fn count(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_3_alone_injected_sql_sees_what_its_session_may_see() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let mut mine = injected(&world, &world.signed_in("officer1").await.secrets().await.1).await;
    assert!(count(&mut mine, "SELECT count(*) FROM sealed").await >= 6);
    assert_eq!(count(&mut mine, "SELECT count(*) FROM cases").await, 1);
    for handle in ["officer2", "duty2", "coordinator1", "admin1", "auditor1", "worker1", "nobody"] {
        let secret = if handle == "nobody" { String::new() } else { world.signed_in(handle).await.secrets().await.1 };
        let mut theirs = injected(&world, &secret).await;
        for query in [
            "SELECT count(*) FROM sealed",
            "SELECT count(*) FROM wraps",
            "SELECT count(*) FROM cases",
            "SELECT count(*) FROM case_access",
            "SELECT count(*) FROM sections",
            "SELECT count(*) FROM subjects",
            "SELECT count(*) FROM case_notes",
            "SELECT count(*) FROM case_heads",
            "SELECT count(*) FROM calls",
            "SELECT count(*) FROM attachments",
            "SELECT count(*) FROM idempotency WHERE account_id <> COALESCE(me(), '00000000-0000-0000-0000-000000000000')",
        ] {
            assert_eq!(count(&mut theirs, query).await, 0, "{handle}: {query}");
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
            let target =
                if forge.contains("case_access") { played.case } else { sealed_key(&world, played.case).await };
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
}

async fn sealed_key(world: &World, case: Uuid) -> Uuid {
    sqlx::query_scalar("SELECT key_id FROM sealed WHERE case_id = $1 LIMIT 1")
        .bind(case)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_4_alone_without_a_durable_entry_nothing_is_shown_or_stored() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let read = officer.get(&path, "case_work").await.unwrap();
    assert_eq!(read.status, 200);
    let mut owner = world.owner().await;
    sqlx::raw_sql("REVOKE INSERT ON ledger_entries FROM himaya_app").execute(&mut owner).await.unwrap();
    let refused = officer.get(&path, "case_work").await.unwrap();
    assert!(refused.status >= 500 && !refused.text.contains("waitress"), "{} {}", refused.status, refused.text);
    let mut content = read.body["content"].clone();
    content["text"] = json!("This must not be stored.");
    let write = officer.put(&path, read.etag.as_deref().unwrap(), &content).await.unwrap();
    assert!(write.status >= 500);
    // A refusal that cannot be recorded is not answered either, and tells nothing.
    let stranger = world.signed_in("officer2").await.get(&path, "case_work").await.unwrap();
    assert!(stranger.status >= 500);
    sqlx::raw_sql("GRANT INSERT ON ledger_entries TO himaya_app").execute(&mut owner).await.unwrap();
    let again = officer.get(&path, "case_work").await.unwrap();
    assert_eq!((again.status, again.etag), (200, read.etag));
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
