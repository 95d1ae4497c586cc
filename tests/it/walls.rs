//! Each wall alone: the other three are opened by hand, and it still holds.
//!
//! | the test of wall | 1, the policy | 2, the keys | 3, the database | 4, the ledger |
//! |---|---|---|---|---|
//! | 1 | stands | [`hand_keys`] | [`open_database`] | [`open_ledger`] |
//! | 2 | [`opened_policy`] | stands | [`open_database`] | [`open_ledger`] |
//! | 3 (`injected_walls.rs`) | injected SQL passes it by | an officer's keys are stolen | stands | injected SQL passes it by |
//! | 4 | [`opened_policy`] | [`hand_keys`] | [`open_database`] | stands |
//!
//! That the other three are open is shown each time: with the fourth opened as well, everything is read.

use crate::harness::World;
use crate::thief::{ciphertexts, stolen_keys};
use himaya::demo::actor::Actor;
use himaya::demo::story::{self, Played};
use himaya::guard::keys::{self, PersonKeys, WrapContext};
use himaya::guard::record::{CaseId, GrantId};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection, Row as _};
use std::path::PathBuf;
use std::str::FromStr as _;
use uuid::Uuid;

/// What stands on the case of the story, in words.
const CONTENT: [&str; 5] = ["Leyla", "waitress", "safe tonight", "yellow house", "white van"];

/// The way to everything that is sealed on the case, and the kind that the policy is asked about.
fn routes(played: &Played) -> [(String, &'static str, &'static str); 7] {
    let (case, person) = (format!("/api/v1/cases/{}", played.case), played.person);
    [
        (format!("{case}/sections/narrative"), "narrative", "read"),
        (format!("{case}/sections/legal"), "legal", "read"),
        (format!("{case}/sections/investigation"), "investigation", "read"),
        (format!("{case}/persons/{person}/sections/identity"), "identity", "read"),
        (format!("{case}/persons/{person}/sections/contact_and_safety"), "contact_and_safety", "read"),
        (format!("{case}/notes"), "case_note", "list"),
        (format!("/api/v1/notices/{}", played.notice), "notice", "read"),
    ]
}

/// Rules by which people of this role, in this relation to a case, would read all of it.
fn rules(role: &str, relation: &str, played: &Played) -> String {
    let line =
        |(_, kind, verb): &(String, &str, &str)| format!("p, {role}, {relation}, {kind}, {verb}, case_work, allow\n");
    routes(played).iter().map(line).collect()
}

/// Wall 1 opened: the reviewed policy with more rules.
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

/// Wall 2 opened: somebody is put on a case behind the service, and every record's key is wrapped to their own key, as whoever has an
/// officer's passphrase can do.
async fn hand_keys(world: &World, case: Uuid, officer: (Uuid, &PersonKeys), to: (Uuid, &PersonKeys)) {
    let mut owner = world.owner().await;
    put_on(world, case, officer.0, to.0).await;
    let (private, mut handed) = (officer.1.stolen_kem(), 0);
    for record in ciphertexts(world).await {
        let wrap = sqlx::query(
            "SELECT w.wrap, w.grant_id FROM wraps w JOIN sealed s ON s.key_id = w.key_id AND s.case_id = $3
             WHERE w.key_id = $1 AND w.recipient_account = $2",
        );
        let wrap = wrap.bind(record.key).bind(officer.0).bind(case).fetch_optional(&mut owner).await.unwrap();
        let Some(wrap) = wrap else { continue };
        let grant: Uuid = wrap.get(1);
        let context = WrapContext {
            purpose: "record key",
            case: Some(CaseId(case)),
            key_id: record.key,
            epoch: record.epoch,
            grant: Some(GrantId(grant)),
        };
        let key = keys::unwrap_key(wrap.get(0), &private, &context).unwrap();
        let handed_on = to.1.planted_wrap(*key, case, record.key, record.epoch, grant);
        // One key may be that of several records.
        let insert = "INSERT INTO wraps (key_id, epoch, recipient_account, grant_id, wrap) VALUES ($1, $2, $3, $4, $5)
                      ON CONFLICT DO NOTHING";
        let insert = sqlx::query(insert).bind(record.key).bind(i32::try_from(record.epoch).unwrap());
        insert.bind(to.0).bind(grant).bind(handed_on).execute(&mut owner).await.unwrap();
        handed += 1;
    }
    assert!(handed >= 8, "{handed}");
}

/// Somebody is on a case as a colleague is: one row, behind the service.
async fn put_on(world: &World, case: Uuid, from: Uuid, to: Uuid) {
    let row = "INSERT INTO case_access (grant_id, case_id, account_id, relation, note, started_at)
               SELECT gen_random_uuid(), case_id, $3, relation, note, started_at FROM case_access
               WHERE case_id = $1 AND account_id = $2 AND ended_at IS NULL";
    let done = sqlx::query(row).bind(case).bind(from).bind(to).execute(&mut world.owner().await).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
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

/// Wall 4 opened: what is entered is thrown away in the same moment, and the service hears that it was stored. How many entries there
/// are then, and stay.
async fn open_ledger(world: &World) -> i64 {
    let throw_away =
        "CREATE FUNCTION throw_away() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
         BEGIN
             DELETE FROM ledger_pending WHERE (replica, lane, n) = (NEW.replica, NEW.lane, NEW.n);
             DELETE FROM ledger_entries WHERE (replica, lane, n) = (NEW.replica, NEW.lane, NEW.n);
             RETURN NULL;
         END $$;
         CREATE TRIGGER throw_away AFTER INSERT ON ledger_pending FOR EACH ROW EXECUTE FUNCTION throw_away()";
    sqlx::raw_sql(throw_away).execute(&mut world.owner().await).await.unwrap();
    entries(world).await
}

async fn entries(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM ledger_entries").fetch_one(&mut world.owner().await).await.unwrap()
}

/// Everything on the case is read: all walls are open for this person.
async fn reads_all(who: &Actor, played: &Played) {
    let mut read = String::new();
    for (path, _, _) in routes(played) {
        let reply = who.get(&path, "case_work").await.unwrap();
        assert_eq!(reply.status, 200, "{} {path} {}", who.handle, reply.text);
        read.push_str(&reply.text);
    }
    for word in CONTENT {
        assert!(read.contains(word), "{} does not read `{word}`", who.handle);
    }
}

/// Nothing on the case is read, and no answer holds a word of it.
async fn reads_nothing(who: &Actor, played: &Played, refused: impl Fn(u16, &str) -> bool) {
    for (path, _, _) in routes(played) {
        let reply = who.get(&path, "case_work").await.unwrap();
        assert!(refused(reply.status, reply.code()), "{} {path} {} {}", who.handle, reply.status, reply.text);
        for word in CONTENT {
            assert!(!reply.text.contains(word), "{} reads `{word}` at {path}", who.handle);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_1_alone_a_role_without_the_work_is_refused_with_everything_else_open() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = (world.signed_in("officer1").await.account, stolen_keys(&world, "officer1").await);
    open_database(&world).await;
    let before = open_ledger(&world).await;
    let mut all = String::new();
    let mut people = Vec::new();
    for (handle, role) in [
        ("coordinator1", "coordinator"),
        ("admin1", "administrator"),
        ("auditor1", "auditor"),
        ("operator1", "helpline_operator"),
        ("hsupervisor1", "helpline_supervisor"),
        ("ssupervisor1", "squad_supervisor"),
        ("worker1", "shelter_worker"),
        ("manager1", "shelter_manager"),
        ("statistician1", "statistician"),
    ] {
        let (person, keys) = (world.signed_in(handle).await, stolen_keys(&world, handle).await);
        hand_keys(&world, played.case, (officer.0, &officer.1), (person.account, &keys)).await;
        all.push_str(&rules(role, "assigned", &played));
        people.push(person);
    }
    for person in &people {
        reads_nothing(person, &played, |status, code| (status, code) == (404, "not_found")).await;
    }
    let (_app, serving, base) = world.replica_with(&opened_policy(&world, &all)).await;
    for person in &people {
        reads_all(&person.at(&base), &played).await;
    }
    assert_eq!(entries(&world).await, before, "the ledger is off");
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_2_alone_no_key_no_content_with_everything_else_open() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = (world.signed_in("officer1").await.account, stolen_keys(&world, "officer1").await);
    open_database(&world).await;
    let before = open_ledger(&world).await;
    let everybody = ["none", "assigned"].map(|relation| rules("coordinator", relation, &played)).concat();
    let (_app, serving, base) = world.replica_with(&opened_policy(&world, &everybody)).await;
    let stranger = world.signed_in("coordinator1").await.at(&base);
    let in_vain = |status: u16, code: &str| (status, code) == (404, "not_found") || (status, code) == (500, "fault");
    reads_nothing(&stranger, &played, in_vain).await;
    // On the case as a colleague is, with no key.
    put_on(&world, played.case, officer.0, stranger.account).await;
    reads_nothing(&stranger, &played, in_vain).await;
    // With an officer's wraps copied to them in the database.
    let copied = "INSERT INTO wraps (key_id, epoch, recipient_account, grant_id, wrap)
                  SELECT w.key_id, w.epoch, $3, w.grant_id, w.wrap FROM wraps w
                  WHERE w.recipient_account = $2 AND w.key_id IN (SELECT key_id FROM sealed WHERE case_id = $1)";
    let copied = sqlx::query(copied).bind(played.case).bind(officer.0).bind(stranger.account);
    assert!(copied.execute(&mut world.owner().await).await.unwrap().rows_affected() > 0);
    reads_nothing(&stranger, &played, |status, code| (status, code) == (500, "fault")).await;
    // With the keys themselves: what was missing was nothing else.
    for taken in ["DELETE FROM wraps WHERE recipient_account = $1", "DELETE FROM case_access WHERE account_id = $1"] {
        sqlx::query(taken).bind(stranger.account).execute(&mut world.owner().await).await.unwrap();
    }
    let keys = stolen_keys(&world, "coordinator1").await;
    hand_keys(&world, played.case, (officer.0, &officer.1), (stranger.account, &keys)).await;
    reads_all(&stranger, &played).await;
    assert_eq!(entries(&world).await, before, "the ledger is off");
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wall_4_alone_without_a_durable_entry_nothing_is_shown_or_stored() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let (keys, other) = (stolen_keys(&world, "officer1").await, world.signed_in("coordinator1").await);
    let others = stolen_keys(&world, "coordinator1").await;
    hand_keys(&world, played.case, (officer.account, &keys), (other.account, &others)).await;
    open_database(&world).await;
    let assigned = opened_policy(&world, &rules("coordinator", "assigned", &played));
    let (_app, serving, base) = world.replica_with(&assigned).await;
    let (officer, other) = (officer.at(&base), other.at(&base));
    let stranger = world.signed_in("officer2").await.at(&base);
    for reader in [&officer, &other] {
        reads_all(reader, &played).await;
    }
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let read = officer.get(&path, "case_work").await.unwrap();
    let mut content = read.body["content"].clone();
    content["text"] = json!("This must not be stored.");
    let mut owner = world.owner().await;
    let sealed = "SELECT md5(string_agg(s::text, '' ORDER BY record_id)) FROM sealed s";
    let stored: String = sqlx::query_scalar(sealed).fetch_one(&mut owner).await.unwrap();
    sqlx::raw_sql("REVOKE INSERT ON ledger_entries FROM himaya_app").execute(&mut owner).await.unwrap();
    // A refusal that cannot be recorded is not answered either, and tells nothing.
    for reader in [&officer, &other, &stranger] {
        reads_nothing(reader, &played, |status, _| status >= 500).await;
    }
    let write = officer.put(&path, read.etag.as_deref().unwrap(), &content).await.unwrap();
    assert!(write.status >= 500);
    let note =
        officer.post(&format!("/api/v1/cases/{}/notes", played.case), &json!({ "text": "a note" })).await.unwrap();
    assert!(note.status >= 500);
    sqlx::raw_sql("GRANT INSERT ON ledger_entries TO himaya_app").execute(&mut owner).await.unwrap();
    let still: String = sqlx::query_scalar(sealed).fetch_one(&mut owner).await.unwrap();
    assert_eq!(still, stored);
    for reader in [&officer, &other] {
        reads_all(reader, &played).await;
    }
    let again = officer.get(&path, "case_work").await.unwrap();
    assert_eq!((again.status, again.etag), (200, read.etag));
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
