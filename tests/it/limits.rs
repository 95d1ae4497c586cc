//! Tries at the door: how many there may be, and that nobody is kept out by the tries of others.

use crate::harness::World;
use crate::running::{certificate, sent_over_tls};
use himaya::demo::actor::Actor;
use himaya::platform::app::App;
use himaya::platform::config::{Config, LimitsConfig};
use himaya::platform::listen::Listening;
use himaya::platform::serve::Serving;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener, UnixStream};

const WRONG: &str = "these are not the right words at all";

/// A stranger at the door: the status, the headers and the body without the id of the request.
async fn asks(base: &str, path: &str, body: &Value, forwarded: &str) -> (u16, HeaderMap, Value) {
    let mut request = reqwest::Client::new().post(format!("{base}/api/v1/{path}")).json(body);
    if !forwarded.is_empty() {
        request = request.header("x-forwarded-for", forwarded);
    }
    let sent = request.send().await.unwrap();
    let (status, headers) = (sent.status().as_u16(), sent.headers().clone());
    let mut body: Value = sent.json().await.unwrap();
    body["request_id"] = json!("");
    (status, headers, body)
}

async fn guesses(base: &str, handle: &str) -> u16 {
    asks(base, "sessions", &json!({ "handle": handle, "passphrase": WRONG }), "").await.0
}

/// The status of signing in with the right words.
async fn signs_in(actor: &Actor) -> u16 {
    actor.try_sign_in(json!({ "passphrase": actor.passphrase })).await.unwrap().status
}

/// A service beside the first with other limits.
async fn limited(world: &World, limits: LimitsConfig) -> (Serving, String) {
    let (_app, serving, base) = world.replica_of(Config { limits, ..world.app.config.clone() }).await;
    (serving, base)
}

async fn sql(world: &World, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&mut world.owner().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_at_once_and_at_every_replica_exceed_no_budget() {
    let world = World::new().await;
    let (_app, other, base) = world.replica().await;
    let tries = (0..40).map(|i| {
        let base = if i % 2 == 0 { world.base.clone() } else { base.clone() };
        tokio::spawn(async move { guesses(&base, "duty1").await })
    });
    let mut answers = Vec::new();
    for one in tries.collect::<Vec<_>>() {
        answers.push(one.await.unwrap());
    }
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(401), count(429)), (10, 30), "{answers:?}");
    // Refusals are not entries: a flood does not fill the ledger.
    let before = entries(&world).await;
    assert_eq!(guesses(&world.base, "duty1").await, 429);
    assert_eq!(entries(&world).await, before);
    other.stop().await.unwrap();
}

async fn entries(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM ledger_entries").fetch_one(&mut world.owner().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_device_lets_its_person_in_whatever_others_try() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let limits = LimitsConfig { account: 3, address: 5, device: 3, ..LimitsConfig::default() };
    let (other, base) = limited(&world, limits).await;
    // Somebody at the same address uses up its budget, and the one of the name.
    for expected in [401, 401, 401, 429, 429, 429] {
        assert_eq!(guesses(&base, "duty1").await, expected);
    }
    for expected in [401, 401, 429] {
        assert_eq!(guesses(&base, "operator1").await, expected, "what was refused for the name is not the address's");
    }
    let duty = duty.at(&base);
    assert_eq!(signs_in(&duty.elsewhere()).await, 429, "a device on which they never were");
    for _ in 0..5 {
        assert_eq!(signs_in(&duty).await, 201, "their own device, as often as they like");
    }
    // On the device itself wrong words count, and only there.
    let colleague = world.signed_in("duty2").await.at(&base);
    for expected in [401, 401, 401, 429] {
        assert_eq!(duty.try_sign_in(json!({ "passphrase": WRONG })).await.unwrap().status, expected);
    }
    assert_eq!(signs_in(&duty).await, 429);
    assert_eq!(signs_in(&colleague).await, 201);
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_wrong_tries_end_with_their_window() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    guesses(&world.base, "duty1").await;
    sql(&world, "UPDATE sign_in_tries SET taken = 10000 WHERE taken > 0").await;
    assert_eq!((signs_in(&duty.elsewhere()).await, signs_in(&duty).await), (429, 201));
    sql(&world, "UPDATE sign_in_tries SET window_ends_at = now()").await;
    assert_eq!(signs_in(&duty.elsewhere()).await, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn right_words_use_nothing_up() {
    let world = World::new().await;
    let limits = LimitsConfig { account: 3, address: 3, device: 3, ..LimitsConfig::default() };
    let (other, base) = limited(&world, limits).await;
    let duty = world.country.person("duty1").unwrap().at(&base);
    for _ in 0..5 {
        assert_eq!(signs_in(&duty.elsewhere()).await, 201);
    }
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_has_is_answered_like_one_that_somebody_has() {
    let world = World::new().await;
    let mut told = Vec::new();
    for handle in ["duty1", "nobody.of.this.name"] {
        let mut answers = Vec::new();
        for _ in 0..12 {
            let body = json!({ "handle": handle, "passphrase": WRONG, "device": "A".repeat(43) });
            let (status, headers, body) = asks(&world.base, "sessions", &body, "").await;
            let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
            names.sort();
            if status == 429 {
                let seconds: u32 = headers["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=15 * 60).contains(&seconds), "{seconds}");
                assert_eq!(body["code"], "too_many_tries");
            }
            answers.push((status, names, body));
        }
        assert_eq!(answers.iter().filter(|(status, ..)| *status == 401).count(), 10);
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_known_for_its_own_person_only_and_is_forgotten_when_they_say_so() {
    let world = World::new().await;
    let (one, two) = (world.signed_in("duty1").await, world.signed_in("duty2").await);
    let token = |reply: &himaya::demo::actor::Reply| reply.text_of("device").to_owned();
    let (first, again) = (one.sign_in().await.unwrap(), one.sign_in().await.unwrap());
    assert_eq!(token(&first), token(&again), "the same device");
    let limits = LimitsConfig { account: 3, ..LimitsConfig::default() };
    let (other, base) = limited(&world, limits).await;
    for handle in ["duty1", "duty2"] {
        for expected in [401, 401, 401, 429] {
            assert_eq!(guesses(&base, handle).await, expected);
        }
    }
    let lent = json!({ "handle": "duty2", "passphrase": two.passphrase, "device": token(&first) });
    assert_eq!(asks(&base, "sessions", &lent, "").await.0, 429, "somebody else's device");
    assert_eq!(signs_in(&two.at(&base)).await, 201, "their own");

    let mine = one.get("/api/v1/devices", "").await.unwrap();
    assert_eq!(mine.status, 200, "{}", mine.text);
    assert!(!mine.text.contains(&token(&first)), "{}", mine.text);
    let devices = mine.body["items"].as_array().unwrap().clone();
    let path = |device: &Value| format!("/api/v1/devices/{}", device["id"].as_str().unwrap());
    for device in &devices {
        assert_eq!(two.delete(&path(device)).await.unwrap().status, 404, "not theirs to forget");
        assert_eq!(one.delete(&path(device)).await.unwrap().status, 200);
        assert_eq!(one.delete(&path(device)).await.unwrap().status, 404);
    }
    assert_eq!(signs_in(&one.at(&base)).await, 429, "it is forgotten");
    // A dismissed person's device is none.
    let admin = world.signed_in("admin1").await;
    let dismissed = admin.post(&format!("/api/v1/accounts/{}/disable", two.account), &json!({})).await.unwrap();
    assert_eq!(dismissed.status, 200);
    assert_eq!(signs_in(&two.at(&base)).await, 429);
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_about_a_name_is_looked_up_before_a_budget_and_a_made_up_device_is_no_row() {
    let world = World::new().await;
    let (one, two) = (world.signed_in("duty1").await, world.signed_in("duty2").await);
    let token = one.sign_in().await.unwrap().text_of("device").to_owned();
    let limits = LimitsConfig { account: 3, device: 3, ..LimitsConfig::default() };
    let (other, base) = limited(&world, limits).await;
    let tries = async |handle: &str, device: &str| {
        let body = json!({ "handle": handle, "passphrase": WRONG, "device": device });
        asks(&base, "sessions", &body, "").await.0
    };
    let rows = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM sign_in_tries").fetch_one(&mut world.owner().await).await.unwrap()
    };
    // Who cannot look at devices fails as soon as it looks.
    sql(&world, "REVOKE SELECT ON known_devices FROM himaya_door").await;
    assert!(tries("duty1", &token).await >= 500, "it is looked up, behind its own budget");
    let (made_up, cut) = ("A".repeat(43), token[..42].to_owned());
    for device in [made_up.as_str(), &cut, "x"] {
        assert_eq!(tries("duty2", device).await, 401, "no look-up");
    }
    let before = rows().await;
    for n in 0..5 {
        assert_eq!(
            tries("duty2", &format!("{}{n}", "B".repeat(42))).await,
            429,
            "no look-up, and the name's budget is used up"
        );
        assert_eq!(tries("duty2", &token).await, 429, "somebody else's token is as made up as any");
    }
    assert_eq!(rows().await, before, "a flood of made-up tokens fills no table");
    // The device's budget is used up by those tries that were looked at; then the others', and nothing is looked at any more.
    sql(&world, "UPDATE sign_in_tries SET taken = 100").await;
    assert_eq!(tries("duty1", &token).await, 429);
    sql(&world, "GRANT SELECT ON known_devices TO himaya_door; UPDATE sign_in_tries SET window_ends_at = now()").await;
    assert_eq!(signs_in(&one.at(&base)).await, 201);
    assert_eq!(signs_in(&two.at(&base)).await, 201);
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_twenty_devices_and_one_unused_for_half_a_year_is_none() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let add = "INSERT INTO known_devices SELECT gen_random_uuid(), id, sha256(convert_to(n::text, 'UTF8')), now(),
               now() - make_interval(days => n) FROM accounts, generate_series(1, 30) n WHERE handle = 'duty1'";
    sql(&world, add).await;
    duty.elsewhere().sign_in().await.unwrap();
    let mine = async || duty.get("/api/v1/devices", "").await.unwrap().body["items"].as_array().unwrap().len();
    assert_eq!(mine().await, 20);
    let limits = LimitsConfig { account: 3, ..LimitsConfig::default() };
    let (other, base) = limited(&world, limits).await;
    for _ in 0..3 {
        guesses(&base, "duty1").await;
    }
    assert_eq!(signs_in(&duty.at(&base)).await, 201);
    sql(&world, "UPDATE known_devices SET last_used_at = now() - interval '181 days'").await;
    assert_eq!(mine().await, 0);
    assert_eq!(signs_in(&duty.at(&base)).await, 429);
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_and_wrong_handles_count_apart_for_the_address_and_right_ones_pass() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    let admin = world.signed_in("admin1").await;
    let squad = world.country.organisations["squad"];
    let made = admin.post("/api/v1/accounts", &json!({ "organisation": squad, "handle": "recruit" })).await.unwrap();
    let (other, base) = limited(&world, LimitsConfig { address: 3, ..LimitsConfig::default() }).await;
    let code = json!({ "handle": "recruit", "code": "x".repeat(24) });
    let handle = json!({ "refresh_handle": "x".repeat(43) });
    assert_eq!(asks(&base, "enrolments", &code, "").await.0, 401);
    assert_eq!(asks(&base, "sessions/refresh", &handle, "").await.0, 401);
    assert_eq!(asks(&base, "enrolments", &code, "").await.0, 401);
    let before = entries(&world).await;
    for path in ["enrolments", "sessions/refresh"] {
        let body = if path == "enrolments" { &code } else { &handle };
        let (status, headers, body) = asks(&base, path, body, "").await;
        assert_eq!((status, &body["code"]), (429, &json!("too_many_tries")));
        assert!(headers.contains_key("retry-after"));
    }
    assert_eq!(entries(&world).await, before);
    assert_eq!(guesses(&base, "nobody").await, 401, "who signs in there is not kept out by it");
    duty.at(&base).refresh().await.unwrap();
    Actor::enrol(&base, "recruit", made.text_of("enrolment_code")).await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_the_address_is_the_one_that_the_proxy_wrote() {
    let world = World::new().await;
    let limits = LimitsConfig { address: 3, ..LimitsConfig::default() };
    let behind = Config { behind_proxy: true, limits: limits.clone(), ..world.app.config.clone() };
    let (_app, proxied, base) = world.replica_of(behind).await;
    let guess = async |base: &str, number: usize, forwarded: &str| {
        let body = json!({ "handle": format!("nobody{number}"), "passphrase": WRONG });
        asks(base, "sessions", &body, forwarded).await.0
    };
    for (number, first) in ["198.51.100.1", "198.51.100.2", "somebody"].into_iter().enumerate() {
        assert_eq!(guess(&base, number, &format!("{first}, 203.0.113.9")).await, 401);
    }
    assert_eq!(guess(&base, 3, "198.51.100.4, 203.0.113.9").await, 429, "what the client wrote is not believed");
    assert_eq!(guess(&base, 4, "203.0.113.9, 203.0.113.10").await, 401);
    for number in 5..8 {
        assert_eq!(guess(&base, number, &format!("2001:db8:1:2::{number}")).await, 401);
    }
    assert_eq!(guess(&base, 8, "2001:db8:1:2:ffff::1").await, 429, "one network");
    proxied.stop().await.unwrap();
    // Without one, the header is anybody's.
    let (open, base) = limited(&world, limits).await;
    for (number, expected) in [401, 401, 401, 429].into_iter().enumerate() {
        assert_eq!(guess(&base, 20 + number, &format!("198.51.100.{number}")).await, expected);
    }
    open.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_counted_over_tls_and_a_unix_socket_counts_as_one() {
    let world = World::new().await;
    let buckets = async || -> i64 {
        sqlx::query_scalar("SELECT sum(taken)::bigint FROM sign_in_tries WHERE taken > 1")
            .fetch_one(&mut world.owner().await)
            .await
            .unwrap_or_default()
    };
    let body = |handle: &str| json!({ "handle": handle, "passphrase": WRONG }).to_string();
    let request = |body: &str| {
        format!(
            "POST /api/v1/sessions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    guesses(&world.base, "nobody1").await;
    let (files, trusted) = certificate(&world.folder, 90);
    let config = Config { tls: Some(files), ..world.app.config.clone() };
    let app = App::start(config, world.clock.clone()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = Serving::start_configured(&app, listener).unwrap();
    let answer = sent_over_tls(port, &trusted, rustls::ALL_VERSIONS, &request(&body("nobody2"))).await.unwrap();
    assert!(answer.contains("401"), "{answer}");
    assert_eq!(buckets().await, 2, "the same address, with TLS and without");
    serving.stop().await.unwrap();

    // A socket's path is short.
    let folder = std::env::temp_dir().join(format!("himaya-{}", himaya::platform::random::uuid().simple()));
    std::fs::create_dir(&folder).unwrap();
    let socket = folder.join("socket");
    let serving = Serving::start(&world.app, Listening::Unix(UnixListener::bind(&socket).unwrap()));
    for handle in ["nobody3", "nobody4"] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(request(&body(handle)).as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("401"), "{answer}");
    }
    assert_eq!(buckets().await, 4, "two from the address, two from the socket");
    serving.stop().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_names_nobody_is_swept_and_only_the_door_sees_it() {
    let world = World::new().await;
    let old = "INSERT INTO sign_in_tries SELECT sha256(convert_to(n::text, 'UTF8')), now() - interval '1 day', 1
               FROM generate_series(1, 150) n";
    sql(&world, old).await;
    guesses(&world.base, "duty1").await;
    let mut owner = world.owner().await;
    let over = "SELECT count(*) FROM sign_in_tries WHERE window_ends_at < now()";
    let left: i64 = sqlx::query_scalar(over).fetch_one(&mut owner).await.unwrap();
    assert_eq!(left, 0, "two windows began, and each takes a hundred away");
    let plain: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sign_in_tries WHERE bucket IN (sha256('duty1'), sha256('127.0.0.1'), sha256('\\x7f000001'))",
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    assert_eq!(plain, 0);
    for table in ["sign_in_tries", "known_devices", "totp_secrets", "credential_slots"] {
        for pool in [&world.app.databases.app, &world.app.databases.auditor, &world.app.databases.sequencer] {
            let asked = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(pool).await;
            assert!(asked.is_err_and(|error| error.to_string().contains("permission denied")), "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_count_lets_nobody_in() {
    let world = World::new().await;
    let duty = world.signed_in("duty1").await;
    sql(&world, "REVOKE ALL ON sign_in_tries FROM himaya_door").await;
    for actor in [duty.clone(), duty.elsewhere()] {
        let refused = actor.try_sign_in(json!({ "passphrase": actor.passphrase })).await.unwrap();
        assert_eq!(refused.status, 503, "{}", refused.text);
        assert!(refused.headers.contains_key("retry-after"));
    }
    assert_eq!(duty.get("/api/v1/notices", "intake").await.unwrap().status, 200, "who is in works on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_service_says_when_to_come_back_and_counts_nothing() {
    let world = World::new().await;
    let limits = LimitsConfig { address: 100, account: 100, ..LimitsConfig::default() };
    let config = Config { sign_ins_at_once: 1, limits, ..world.app.config.clone() };
    let (_app, other, base) = world.replica_of(config).await;
    let duty = world.country.person("duty1").unwrap();
    let body = json!({ "handle": "duty1", "passphrase": duty.passphrase });
    let tries = (0..36).map(|_| {
        let (base, body) = (base.clone(), body.clone());
        tokio::spawn(async move { asks(&base, "sessions", &body, "").await })
    });
    let mut refused = 0;
    for one in tries.collect::<Vec<_>>() {
        let (status, headers, body) = one.await.unwrap();
        if status == 503 {
            assert_eq!(body["code"], "signing_in_busy");
            assert!(headers.contains_key("retry-after"));
            refused += 1;
        } else {
            assert_eq!(status, 201, "{body}");
        }
    }
    assert!(refused > 0);
    let left: Option<i64> = sqlx::query_scalar("SELECT sum(taken)::bigint FROM sign_in_tries")
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    assert_eq!(left, Some(0));
    other.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_takes_no_place_from_somebody_who_is_known() {
    let world = World::new().await;
    let limits = LimitsConfig { address: 1000, ..LimitsConfig::default() };
    let config = Config { sign_ins_at_once: 1, limits, ..world.app.config.clone() };
    let (_app, other, base) = world.replica_of(config).await;
    let duty = world.signed_in("duty1").await.at(&base);
    let token = duty.sign_in().await.unwrap().text_of("device").to_owned();
    let known = json!({ "handle": "duty1", "passphrase": duty.passphrase, "device": token });
    let flood: Vec<_> = (0..60)
        .map(|i| {
            let (base, body) = (base.clone(), json!({ "handle": format!("nobody{i}"), "passphrase": "any words" }));
            tokio::spawn(async move { asks(&base, "sessions", &body, "").await })
        })
        .collect();
    // While the flood lasts, whoever is known comes in each time.
    let mut let_in = 0;
    while flood.iter().any(|one| !one.is_finished()) && let_in < 5 {
        let (status, _, body) = asks(&base, "sessions", &known, "").await;
        assert_eq!(status, 201, "{body}");
        let_in += 1;
    }
    let mut refused = 0;
    for one in flood {
        refused += usize::from(one.await.unwrap().0 == 503);
    }
    assert!(let_in > 0 && refused > 20, "{let_in} let in, {refused} sent back");
    other.stop().await.unwrap();
}
