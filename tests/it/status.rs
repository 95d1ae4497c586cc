//! The coordinator: counters in bands, and no record of any kind, by any route.

use crate::harness::World;
use crate::tasks::task_on;
use crate::walls::injected;
use crate::workload::CONTENT;
use himaya::demo::actor::Actor;
use himaya::demo::stay::open_house;
use himaya::demo::{stay, story};
use himaya::guard::session::SessionSecret;
use himaya::platform::router::BESIDE;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_sees_bands_and_the_whole_countrys_places() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    let (coordinator, operator) = (world.signed_in("coordinator1").await, world.signed_in("operator1").await);
    let status = async || coordinator.get("/api/v1/status", "supervision").await.unwrap();
    let nothing = status().await;
    assert_eq!(nothing.status, 200, "{}", nothing.text);
    assert_eq!(nothing.body["notices"], json!({ "waiting": "0", "overdue": "0" }));
    assert_eq!(nothing.body["places"], json!([]), "no house is open");
    for (sent, band) in [(1, "1-2"), (2, "1-2"), (3, "3-9"), (9, "3-9"), (10, "10"), (11, "11")] {
        let mut waiting = 0;
        while waiting < 1 || status().await.body["notices"]["waiting"] != band {
            let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
            let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
            let path = format!("/api/v1/calls/{call}/hand-over");
            assert_eq!(operator.post(&path, &json!({ "basis": "child" })).await.unwrap().status, 201);
            waiting += 1;
            assert!(waiting < 12, "{sent} {band}");
        }
    }
    let mut owner = world.owner().await;
    for statement in [
        "UPDATE notices SET suspected_at = suspected_at - interval '25 hours' WHERE id IN (SELECT id FROM notices WHERE state = 'sent' LIMIT 4)",
        // Twelve in a month that is over, of which nine were in time; and nine calls beside them.
        "INSERT INTO notices (id, sender_id, sender_organisation_id, squad_id, intake_key_id, state, suspected_at, sent_at, acknowledged_at)
         SELECT gen_random_uuid(), n.sender_id, n.sender_organisation_id, n.squad_id, n.intake_key_id, 'acknowledged', m, m,
                m + CASE WHEN i <= 9 THEN interval '1 hour' ELSE interval '30 hours' END
         FROM (SELECT * FROM notices LIMIT 1) n, generate_series(1, 12) i,
              (SELECT date_trunc('month', now(), 'UTC') - interval '10 days' AS m) t",
        "INSERT INTO calls (id, organisation_id, operator_id, state, opened_at, expires_at)
         SELECT gen_random_uuid(), c.organisation_id, c.operator_id, 'closed', m, m FROM (SELECT * FROM calls LIMIT 1) c,
              generate_series(1, 9), (SELECT date_trunc('month', now(), 'UTC') - interval '50 days' AS m) t",
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
    }
    world.signed_in("manager1").await;
    world.signed_in("worker1").await;
    open_house(&world.country).await.unwrap();
    assert_eq!(status().await.body["places"], json!([]), "places are those of the day's beginning");
    let before = "UPDATE accommodations SET opened_at = opened_at - interval '2 days';
                  UPDATE certificates SET certified_at = certified_at - interval '2 days'";
    sqlx::raw_sql(before).execute(&mut owner).await.unwrap();
    let now = status().await;
    assert_eq!(
        now.body["notices"],
        json!({ "waiting": "11", "overdue": "3-9", "in_time_percent": 75 }),
        "{}",
        now.text
    );
    let shown: Vec<_> =
        now.body["calls"].as_array().unwrap().iter().filter(|month| month.get("calls").is_some()).collect();
    assert_eq!(shown.len(), 1, "nine calls of a month are not shown: {}", now.text);
    assert_eq!(shown[0]["calls"], 12);
    let places = async || status().await.body["places"].clone();
    let one_house = json!([{ "places": "families", "free": "1-2" }, { "places": "women", "free": "1-2" }]);
    assert_eq!(places().await, one_house, "of one house there is a band and nothing else");
    // What happens today changes nothing today: neither a certificate that is taken back, nor a place that is taken.
    let today = "INSERT INTO certificates (id, accommodation_id, conditions, certified_at, expires_at, registered_by, register_no)
                 SELECT gen_random_uuid(), id, '{}', now(), now() + interval '1 year', NULL, NULL FROM accommodations";
    sqlx::raw_sql(today).execute(&mut owner).await.unwrap();
    assert_eq!(places().await, one_house);
    let two_more = "WITH more AS (
            INSERT INTO accommodations (id, organisation_id, kind, women, men, families, children, opened_at, registered_by, register_no)
            SELECT gen_random_uuid(), organisation_id, kind, women, men, 0, children, opened_at, NULL, NULL
            FROM accommodations, generate_series(1, 2) RETURNING id)
        INSERT INTO certificates (id, accommodation_id, conditions, certified_at, expires_at, registered_by, register_no)
        SELECT gen_random_uuid(), m.id, c.conditions, c.certified_at, c.expires_at, NULL, NULL FROM more m, certificates c
        WHERE cardinality(c.conditions) = 7";
    sqlx::raw_sql(two_more).execute(&mut owner).await.unwrap();
    let three = json!([{ "places": "families", "free": "1-2" }, { "places": "women", "capacity": 6, "free": "3+" }]);
    assert_eq!(places().await, three);
    assert_eq!(now.body["trained"], 3);
    // One notice fewer than twelve: no share.
    sqlx::raw_sql("DELETE FROM notices WHERE id = (SELECT id FROM notices WHERE sent_at < date_trunc('month', now(), 'UTC') LIMIT 1)")
        .execute(&mut owner)
        .await
        .unwrap();
    assert!(status().await.body["notices"].get("in_time_percent").is_none());
    for handle in
        ["operator1", "hsupervisor1", "duty1", "officer1", "ssupervisor1", "worker1", "manager1", "admin1", "auditor1"]
    {
        let person = world.signed_in(handle).await;
        assert_eq!(person.get("/api/v1/status", "supervision").await.unwrap().status, 403, "{handle}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_under_a_coordinators_session_sees_bands_and_no_row() {
    let world = World::new().await;
    story::play(&world.country).await.unwrap();
    let mut connection = world.app.databases.app.acquire().await.unwrap();
    for (handle, rows) in [("coordinator1", 1_i64), ("officer1", 0), ("ssupervisor1", 0)] {
        let person = world.signed_in(handle).await;
        let (_, secret, _) = person.secrets().await;
        let lookup = SessionSecret::parse(&secret).unwrap().lookup().hex();
        let mut transaction = connection.begin().await.unwrap();
        let set = "SELECT set_config('himaya.lookup', $1, true)";
        sqlx::query(set).bind(lookup.as_str()).execute(&mut *transaction).await.unwrap();
        for function in ["status_notices", "status_staff"] {
            let query = format!("SELECT count(*) FROM {function}()");
            let seen: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut *transaction).await.unwrap();
            assert_eq!(seen, rows, "{handle} {function}");
        }
        if handle == "coordinator1" {
            for table in [
                "calls",
                "notices",
                "cases",
                "sealed",
                "wraps",
                "case_access",
                "placements",
                "consents",
                "accommodations",
            ] {
                let query = format!("SELECT count(*) FROM {table}");
                let seen: i64 = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut *transaction).await.unwrap();
                assert_eq!(seen, 0, "{table}");
            }
        }
        transaction.rollback().await.unwrap();
    }
}

async fn status(coordinator: &Actor) -> Value {
    let seen = coordinator.get("/api/v1/status", "").await.unwrap();
    assert_eq!(seen.status, 200, "{}", seen.text);
    seen.body
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_counted_only_for_a_squad_with_ten_open_cases() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (coordinator, officer) = (world.signed_in("coordinator1").await, world.signed_in("officer1").await);
    task_on(&world, &officer, played.case, officer.account, -1).await;
    task_on(&world, &officer, played.case, officer.account, 5).await;
    let squad = world.country.organisations["squad"];
    let shown = async || status(&coordinator).await["tasks"].clone();
    assert_eq!(shown().await, json!([{ "organisation": squad }]));
    let more = "INSERT INTO cases (id, organisation_id, state, epoch, opened_at, registered_by, register_no)
                SELECT gen_random_uuid(), $1, 'open', 1, now(), NULL, NULL FROM generate_series(1, $2)";
    for (cases, tasks) in
        [(8, json!({ "organisation": squad })), (1, json!({ "organisation": squad, "open": 2, "overdue": 1 }))]
    {
        sqlx::query(more).bind(squad).bind(cases).execute(&mut world.owner().await).await.unwrap();
        assert_eq!(shown().await, json!([tasks]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_under_a_coordinator_sees_bands_only_and_under_others_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let played = stay::play(&world.country, played).await.unwrap();
    let officer = world.signed_in("officer1").await;
    task_on(&world, &officer, played.case, officer.account, -1).await;
    crate::roster::shift(&world, &world.signed_in("ssupervisor1").await, "duty1", 1, 9).await;
    crate::alerts::waiting_notice(&world).await;
    world.app.databases.timekeeper.look(&world.clock).await.unwrap();
    let mut theirs = injected(&world, &world.signed_in("coordinator1").await.secrets().await.1).await;
    for table in [
        "calls",
        "notices",
        "addenda",
        "cases",
        "case_access",
        "sections",
        "subjects",
        "case_notes",
        "case_heads",
        "sealed",
        "wraps",
        "tasks",
        "alerts",
        "alert_acknowledgements",
        "assignments",
        "directions",
        "shifts",
        "absences",
        "placements",
        "consents",
        "accommodations",
        "certificates",
        "attachments",
    ] {
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut theirs)
            .await
            .unwrap();
        assert_eq!(count, 0, "{table}");
    }
    let taken: i64 = sqlx::query_scalar("SELECT count(*) FROM places_taken($1, 'women') AS t (taken) WHERE taken > 0")
        .bind(played.house)
        .fetch_one(&mut theirs)
        .await
        .unwrap();
    assert_eq!(taken, 0);
    let bands = sqlx::query("SELECT waiting, overdue FROM status_notices()").fetch_one(&mut theirs).await.unwrap();
    assert_eq!((bands.get::<&str, _>(0), bands.get::<&str, _>(1)), ("1-2", "0"));
    for hidden in [
        "SELECT * FROM standings",
        "SELECT * FROM standings_all()",
        "SELECT * FROM person_says(me(), me(), me(), 'care', 'placement', now())",
        "SELECT raise_alerts(now(), interval '1 hour', interval '1 hour')",
        "CREATE FUNCTION pg_temp.count(integer) RETURNS text LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION band(text) RETURNS text LANGUAGE sql AS 'SELECT 1'",
    ] {
        assert!(sqlx::query(hidden).execute(&mut theirs).await.is_err(), "{hidden}");
    }
    for handle in ["officer1", "ssupervisor1", "auditor1", "admin1", "worker1", "hsupervisor1"] {
        let mut other = injected(&world, &world.signed_in(handle).await.secrets().await.1).await;
        for function in ["status_notices()", "status_calls()", "status_tasks()", "status_places()", "status_staff()"] {
            let query = format!("SELECT * FROM {function}");
            let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut other).await.unwrap();
            assert!(rows.is_empty(), "{handle}: {function}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coordinator_gets_no_record_of_any_kind_by_any_route() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let played = stay::play(&world.country, played).await.unwrap();
    let (coordinator, officer) = (world.signed_in("coordinator1").await, world.signed_in("officer1").await);
    let task = task_on(&world, &officer, played.case, officer.account, -1).await;
    let consents = format!("/api/v1/cases/{}/persons/{}/consents", played.case, played.person);
    let consent =
        officer.get(&consents, "case_work").await.unwrap().body["items"][0]["id"].as_str().unwrap().to_owned();
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let attachment = crate::attachments::attached(&officer, &narrative, "photo.bin", b"what she brought").await;
    let shift = crate::roster::shift(&world, &world.signed_in("ssupervisor1").await, "duty1", 1, 9).await;
    world.app.databases.timekeeper.look(&world.clock).await.unwrap();
    let alert = officer.get("/api/v1/alerts", "").await.unwrap().body["items"][0]["id"].as_str().unwrap().to_owned();
    let records = [
        played.case,
        played.notice,
        played.person,
        task,
        shift,
        alert.parse().unwrap(),
        played.placement,
        played.house,
        consent.parse().unwrap(),
        attachment,
    ];
    // What is everybody's: their own session and ways in, their colleagues' names, the founding of their own organisation, the status.
    let own = [
        "/api/v1/status",
        "/api/v1/colleagues",
        "/api/v1/trainings",
        "/api/v1/openings",
        "/api/v1/sessions",
        "/api/v1/sessions/current",
        "/api/v1/sessions/refresh",
        "/api/v1/enrolments",
        "/api/v1/devices",
        "/api/v1/credentials",
        "/api/v1/credentials/passphrase",
        "/api/v1/credentials/recovery-code",
        "/api/v1/credentials/recovery-code/remove",
        "/api/v1/credentials/totp",
        "/api/v1/credentials/totp/confirm",
        "/api/v1/credentials/totp/remove",
        "/api/v1/credentials/passkeys",
        "/api/v1/credentials/passkeys/ask",
        "/api/v1/credentials/passkeys/confirm",
        "/api/v1/credentials/passkeys/unlock",
        "/api/v1/credentials/passkeys/{id}/remove",
        "/api/v1/oidc/links",
        "/api/v1/oidc/links/finish",
        "/api/v1/oidc/links/remove",
        "/api/v1/oidc/sign-ins",
        "/api/v1/oidc/sign-ins/finish",
        "/api/v1/policies",
        "/api/v1/policies/{id}/countersign",
        "/api/v1/sessions/passkey",
    ];
    let routes = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/routes.txt")).unwrap();
    let mut asked = 0;
    for line in routes.lines().filter(|line| !line.starts_with(' ')) {
        let (method, path) = line.split_once(' ').unwrap();
        if path == "/api/v1/sessions/current" && method == "DELETE" {
            continue;
        }
        for record in records {
            let concrete = fill(path, record, &played);
            for purpose in
                ["intake", "case_work", "care", "supervision", "emergency", "recovery", "access_request", "audit"]
            {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let mut request = coordinator.request(method.clone(), &concrete).await.header("purpose", purpose);
                if method != Method::GET && method != Method::DELETE {
                    request = request.header("idempotency-key", "coordinator-any").json(&json!({ "no_such_field": 1 }));
                }
                let reply = coordinator.send(request).await.unwrap();
                asked += 1;
                let refused = matches!(reply.status, 401 | 403 | 404);
                assert!(
                    refused || own.contains(&path) || BESIDE.contains(&path),
                    "{line} for {purpose}: {} {}",
                    reply.status,
                    reply.text
                );
                for word in CONTENT {
                    assert!(!reply.text.contains(word), "{line}: {word}");
                }
                for record in records {
                    assert!(!reply.text.contains(&record.to_string()), "{line}: {}", reply.text);
                }
                if method != Method::GET {
                    break;
                }
            }
            if !path.contains('{') {
                break;
            }
        }
    }
    assert!(asked > 300, "{asked} questions");
}

/// A route's address with a record's id in every place of one.
fn fill(path: &str, record: Uuid, played: &story::Played) -> String {
    let id = record.to_string();
    let path = path.replace("{person}", &played.person.to_string()).replace("{kind}", "narrative");
    ["{id}", "{account}", "{membership}", "{attachment}"].iter().fold(path, |path, place| path.replace(place, &id))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_the_coordinators_and_each_look_stands_in_the_ledger() {
    let world = World::new().await;
    for handle in ["statistician1", "ssupervisor1", "hsupervisor1", "auditor1", "admin1", "officer1", "worker1"] {
        let other = world.signed_in(handle).await;
        assert_eq!(other.get("/api/v1/status", "supervision").await.unwrap().status, 403, "{handle}");
    }
    let coordinator = world.signed_in("coordinator1").await;
    let entries = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM ledger_entries").fetch_one(&mut world.owner().await).await.unwrap()
    };
    let before = entries().await;
    status(&coordinator).await;
    assert_eq!(entries().await, before + 1);
}
