//! A service as its operator sees it: ready or not, over TLS, and to its end.

use crate::harness::World;
use himaya::platform::app::App;
use himaya::platform::config::{Config, TlsConfig};
use himaya::platform::serve::{OperatorsDoor, Serving};
use rustls::pki_types::ServerName;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the operators' listener answers at this path.
async fn asked(address: &str, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{address}{path}")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Asks until the answer is so.
pub async fn becomes(address: &str, path: &str, wanted: impl Fn(u16, &str) -> bool) -> String {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let mut last = (0, String::new());
    for _ in 0..300 {
        last = asked(address, path).await;
        if wanted(last.0, &last.1) {
            return last.1;
        }
        tick.tick().await;
    }
    panic!("{path} stays {last:?}");
}

/// The operators' listener of a service.
pub async fn operators(app: &App) -> (OperatorsDoor, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (OperatorsDoor::open(app, listener), address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_ready_while_it_has_everything_and_says_what_is_missing() {
    let mut world = World::new().await;
    let (door, address) = operators(&world.app).await;
    becomes(&address, "/ready", |status, text| status == 200 && text == "ready").await;
    assert_eq!(asked(&world.base, "/ready").await, (200, "ready".to_owned()));
    assert_eq!(asked(&address, "/api/v1/notices").await.0, 404, "nothing else is answered there");
    assert_eq!(asked(&world.base, "/metrics").await.0, 404, "and nobody else is told the metrics");
    let metrics = asked(&address, "/metrics").await.1;
    for up in ["main_database_up 1", "erasure_store_up 1", "sequencer_up 1", "ledger_behind 0"] {
        assert!(metrics.contains(&format!("himaya_{up}")), "{up}: {metrics}");
    }

    let mut owner = world.server_owner().await;
    for (database, code) in
        [(format!("{}_erasure", world.database), "erasure_store_away"), (world.database.clone(), "main_database_away")]
    {
        for statement in [
            format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false"),
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"),
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
        }
        becomes(&address, "/ready", |status, text| status == 503 && text.contains(code)).await;
        assert_eq!(asked(&address, "/health").await.0, 200, "alive it is");
        let back = format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true");
        sqlx::raw_sql(sqlx::AssertSqlSafe(back)).execute(&mut owner).await.unwrap();
        becomes(&address, "/ready", |status, _| status == 200).await;
    }
    world.stop().await;
    assert!(asked(&address, "/ready").await.1.contains("ending"));
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sequencer_the_service_says_so() {
    let world = World::new().await;
    // Somebody puts the sequencer's place under another log's checkpoint: it stops for good.
    let kept = world.app.config.checkpoints.join("checkpoint");
    let (app, serving, _) = world.replica().await;
    let (door, address) = operators(&app).await;
    becomes(&address, "/ready", |status, _| status == 200).await;
    serving.stop().await.unwrap();
    door.close().await;
    drop(app);
    let mut world = world;
    world.stop().await;
    std::fs::write(&kept, "not a checkpoint\n").unwrap();
    let (app, serving, _) = world.replica().await;
    let (door, address) = operators(&app).await;
    becomes(&address, "/ready", |status, text| status == 200 && text == "no_sequencer").await;
    serving.stop().await.unwrap();
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_a_request_under_way_is_answered_and_its_entry_gets_its_place() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let (mut lock, mut watch) = (world.owner().await, world.owner().await);
    let locked = "BEGIN; LOCK TABLE calls IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(locked).execute(&mut lock).await.unwrap();
    let body = json!({ "content": { "safe_to_talk": "yes", "said": "the last one" } });
    let sent = tokio::spawn({
        let operator = operator.clone();
        async move { operator.post("/api/v1/calls", &body).await.unwrap() }
    });
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                 WHERE c.relname = 'calls' AND NOT l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    crate::ledger::comes_true("the request waits in the database", async || {
        sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watch).await.unwrap() > 0
    })
    .await;
    let base = world.base.clone();
    let stopping = tokio::spawn(async move {
        world.stop().await;
        world
    });
    // No more connections are taken, and the one that has a request waits for its answer.
    crate::ledger::comes_true("the listener closes", async || {
        TcpStream::connect(base.trim_start_matches("http://")).await.is_err()
    })
    .await;
    assert!(!stopping.is_finished());
    sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    assert_eq!(sent.await.unwrap().status, 201);
    let world = stopping.await.unwrap();
    let pending: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger_pending").fetch_one(&mut watch).await.unwrap();
    assert_eq!(pending, 0, "the last entries have their places");
    drop(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_end_holds_the_end_up_no_longer_than_the_bound() {
    let world = World::new().await;
    let config = Config { stop_within_seconds: 1, ..world.app.config.clone() };
    let (_app, serving, base) = world.replica_of(config).await;
    let operator = world.signed_in("operator1").await.at(&base);
    let mut lock = world.owner().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE calls IN ACCESS EXCLUSIVE MODE").execute(&mut lock).await.unwrap();
    let body = json!({ "content": { "safe_to_talk": "yes" } });
    let sent = tokio::spawn(async move { operator.post("/api/v1/calls", &body).await });
    let mut watch = world.owner().await;
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'calls'::regclass";
    crate::ledger::comes_true("the request waits in the database", async || {
        sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watch).await.unwrap() > 0
    })
    .await;
    tokio::time::timeout(Duration::from_secs(8), serving.stop()).await.expect("it ends").unwrap();
    assert!(sent.await.unwrap().is_err(), "nobody was told that it was done");
    sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
}

/// Writes a certificate for `localhost` and its key; gives the certificate's bytes.
pub fn certificate(folder: &Path, days: i64) -> (TlsConfig, Vec<u8>) {
    use std::os::unix::fs::PermissionsExt as _;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut about = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let until = chrono::DateTime::from_timestamp(i64::try_from(now).unwrap() + days * 86400, 0).unwrap();
    let (year, month, day) = {
        use chrono::Datelike as _;
        (until.year(), u8::try_from(until.month()).unwrap(), u8::try_from(until.day()).unwrap())
    };
    about.not_after = rcgen::date_time_ymd(year, month, day);
    let made = about.self_signed(&key).unwrap();
    let files = TlsConfig { certificate: folder.join("tls.pem"), key: folder.join("tls.key") };
    std::fs::write(&files.certificate, made.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o600)).unwrap();
    (files, made.der().to_vec())
}

/// Asks over TLS for `/health`, trusting this certificate only: the answer's first line and the protocol.
async fn over_tls(port: u16, trusted: &[u8], versions: &[&'static rustls::SupportedProtocolVersion]) -> Option<String> {
    sent_over_tls(port, trusted, versions, "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await
}

/// The same for any request.
pub async fn sent_over_tls(
    port: u16,
    trusted: &[u8],
    versions: &[&'static rustls::SupportedProtocolVersion],
    request: &str,
) -> Option<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.to_vec().into()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    tls.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await.ok()?;
    let version = tls.get_ref().1.protocol_version().unwrap();
    Some(format!("{version:?} {}", answer.lines().next().unwrap_or_default()))
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_by_the_binary_and_a_new_certificate_is_taken_at_a_hangup() {
    let world = World::new().await;
    let (files, first) = certificate(&world.folder, 90);
    let config = Config { tls: Some(files.clone()), ..world.app.config.clone() };
    let app = App::start(config, world.clock.clone()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = Serving::start_configured(&app, listener).unwrap();
    let any = rustls::ALL_VERSIONS;
    assert_eq!(over_tls(port, &first, any).await.unwrap(), "TLSv1_3 HTTP/1.1 200 OK");
    assert_eq!(over_tls(port, &first, &[&rustls::version::TLS12]).await.unwrap(), "TLSv1_2 HTTP/1.1 200 OK");
    // Nobody is answered in the clear.
    let mut clear = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    clear.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer).await;
    assert!(!answer.windows(4).any(|part| part == b"HTTP"), "{answer:?}");

    let (_, second) = certificate(&world.folder, 90);
    assert_eq!(over_tls(port, &second, any).await, None, "not yet");
    let hangup = std::process::Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status();
    assert!(hangup.unwrap().success());
    crate::ledger::comes_true("the new certificate is served", async || over_tls(port, &second, any).await.is_some())
        .await;
    // A key that does not fit changes nothing.
    std::fs::write(&files.key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let refused = himaya::platform::tls::load(&files).err().unwrap().to_string();
    assert!(refused.contains("tls.key"), "{refused}");
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_served_and_a_stale_one_replaced() {
    use himaya::platform::listen::Listening;
    let world = World::new().await;
    let folder = std::env::temp_dir().join(format!("himaya-{}", himaya::platform::random::uuid().simple()));
    std::fs::create_dir(&folder).unwrap();
    let listen = format!("unix:{}/socket", folder.display()).parse().unwrap();
    for _ in 0..2 {
        let listening = Listening::at(&listen).await.unwrap();
        let serving = Serving::start(&world.app, listening);
        let mut stream = tokio::net::UnixStream::connect(folder.join("socket")).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive"), "{answer}");
        serving.stop().await.unwrap();
    }
    std::fs::remove_dir_all(folder).unwrap();
}
