//! Attachments in a bucket: a small thing that speaks S3, over TLS with an authority of its own.

use crate::attachments::{attach, attached, content, draft, only};
use crate::harness::World;
use crate::running::certificate;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum_server::tls_rustls::RustlsConfig;
use futures_util::{StreamExt as _, stream};
use himaya::doctor::{Verdict, examine};
use himaya::platform::clock::Clock;
use himaya::platform::config::{AttachmentsConfig, Config, Patience, S3Config};
use himaya::platform::listen::Listening;
use himaya::platform::tls;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Default)]
pub struct Bucket {
    pub objects: BTreeMap<String, Vec<u8>>,
    pub parts: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    /// Refuses everything.
    pub down: bool,
    /// Refuses one step of an upload: `begin`, `part` or `complete`.
    pub refuses: &'static str,
    /// Begins an answer that is read, and falls silent in the middle of it.
    pub stalls: bool,
}

pub type Shared = Arc<Mutex<Bucket>>;

/// A body, or half of it.
fn told(bytes: Vec<u8>, stalls: bool) -> Body {
    if !stalls {
        return bytes.into();
    }
    let half = Ok::<_, std::io::Error>(bytes[..bytes.len() / 2].to_vec());
    Body::from_stream(stream::iter([half]).chain(stream::pending()))
}

/// Of S3, what is needed: whole and partial uploads, reading, listing, deleting.
async fn answer(
    State(bucket): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
    body: Bytes,
) -> Response {
    let mut bucket = bucket.lock().unwrap();
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if bucket.down || !signed.starts_with("AWS4-HMAC-SHA256 Credential=an-access-key/") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let step = match (method.as_str(), query.contains_key("uploadId")) {
        ("POST", false) => "begin",
        ("PUT", true) => "part",
        ("POST", true) => "complete",
        _ => "another",
    };
    if bucket.refuses == step {
        return StatusCode::FORBIDDEN.into_response();
    }
    let stalls = bucket.stalls;
    let key = uri.path().trim_start_matches("/himaya").trim_start_matches('/').to_owned();
    let xml = |text: String| {
        let length = text.len().to_string();
        ([("content-type", "application/xml"), ("content-length", &length)], told(text.into_bytes(), stalls))
            .into_response()
    };
    match (method.as_str(), query.get("uploadId"), query.get("partNumber")) {
        ("POST", None, _) if query.contains_key("uploads") => {
            bucket.parts.insert(key.clone(), BTreeMap::new());
            xml(format!(
                "<InitiateMultipartUploadResult><Bucket>himaya</Bucket><Key>{key}</Key><UploadId>u-{key}</UploadId></InitiateMultipartUploadResult>"
            ))
        }
        ("PUT", Some(_), Some(number)) => {
            let parts = bucket.parts.entry(key).or_default();
            parts.insert(number.parse().unwrap(), body.to_vec());
            [("etag", "\"part\"")].into_response()
        }
        ("POST", Some(_), None) => {
            let parts = bucket.parts.remove(&key).unwrap();
            bucket.objects.insert(key, parts.into_values().flatten().collect());
            xml("<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>".to_owned())
        }
        ("DELETE", Some(_), None) => {
            bucket.parts.remove(&key);
            StatusCode::NO_CONTENT.into_response()
        }
        ("PUT", None, _) => {
            bucket.objects.insert(key, body.to_vec());
            [("etag", "\"whole\"")].into_response()
        }
        ("GET", None, _) if query.contains_key("list-type") => {
            let mut listed = String::new();
            for (key, bytes) in &bucket.objects {
                let _ = write!(
                    listed,
                    "<Contents><Key>{key}</Key><LastModified>2026-11-22T00:00:00.000Z</LastModified>\
                     <ETag>\"e\"</ETag><Size>{}</Size></Contents>",
                    bytes.len()
                );
            }
            xml(format!("<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"))
        }
        ("GET", None, _) => match bucket.objects.get(&key) {
            Some(bytes) => {
                let (length, when) = (bytes.len().to_string(), "Sun, 22 Nov 2026 00:00:00 GMT");
                let headers = [("etag", "\"e\""), ("last-modified", when), ("content-length", &length)];
                (headers, told(bytes.clone(), stalls)).into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        },
        ("DELETE", None, _) => {
            bucket.objects.remove(&key);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

/// A bucket that is served, and the configuration of a service that keeps its files there.
pub struct Served {
    pub bucket: Shared,
    pub config: Config,
    stop: watch::Sender<bool>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Served {
    pub async fn beside(world: &World, patience: Patience) -> Self {
        let bucket = Shared::default();
        let (files, _) = certificate(&world.folder, 90);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(answer).layer(axum::extract::DefaultBodyLimit::disable());
        let (stop, stopped) = watch::channel(false);
        let served = RustlsConfig::from_config(Arc::new(tls::load(&files).unwrap()));
        let serving = Listening::from(listener).serve(
            router.with_state(bucket.clone()),
            Some(served),
            Duration::from_secs(1),
            stopped,
        );
        let serving = tokio::spawn(serving);
        for (name, key) in [("attachments.access_key", "an-access-key"), ("attachments.secret_key", "a-secret-key")] {
            let mut file = std::fs::OpenOptions::new();
            let file = file.write(true).create_new(true).mode(0o600).open(world.app.config.secrets.join(name));
            std::io::Write::write_all(&mut file.unwrap(), key.as_bytes()).unwrap();
        }
        let s3 = S3Config {
            endpoint: format!("https://localhost:{port}"),
            bucket: "himaya".to_owned(),
            region: "national".to_owned(),
            authority: Some(files.certificate.clone()),
        };
        let folder = AttachmentsConfig::in_folder("unused".into());
        let told = AttachmentsConfig { folder: None, s3: Some(s3), patience, ..folder };
        let config = Config { attachments: Some(told), ..world.app.config.clone() };
        Self { bucket, config, stop, serving }
    }

    pub fn now(&self, change: impl FnOnce(&mut Bucket)) {
        change(&mut self.bucket.lock().unwrap());
    }

    pub async fn close(self) {
        self.stop.send_replace(true);
        self.serving.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_holds_the_bytes_as_a_folder_does() {
    let world = World::new().await;
    let served = Served::beside(&world, Patience::default()).await;
    let (bucket, config) = (served.bucket.clone(), served.config.clone());
    let (app, service, base) = world.replica_of(config.clone()).await;
    let operator = world.signed_in("operator1").await.at(&base);
    world.signed_in("duty1").await;

    // In one part, and in three.
    let large: Vec<u8> = (0..12_000_000_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
    for bytes in [b"small".to_vec(), large] {
        let call = draft(&operator).await;
        attached(&operator, &call, "x", &bytes).await;
        let path = only(&operator, &call, "intake").await;
        assert_eq!(content(&operator, &path, "intake").await, (200, bytes.clone()));
        let stored = bucket.lock().unwrap().objects.clone();
        assert_eq!(stored.len(), 1);
        assert!(stored.values().all(|sealed| !sealed.windows(5).any(|part| part == &bytes[..5])));
        let changed = |change: fn(&mut Vec<u8>)| bucket.lock().unwrap().objects.values_mut().for_each(change);
        changed(|sealed| sealed[90] ^= 1);
        assert_eq!(content(&operator, &path, "intake").await.0, 500);
        changed(|sealed| sealed[90] ^= 1);
        assert_eq!(content(&operator, &path, "intake").await.0, 200);
        let left = json!({ "basis": "pseudonymous", "leave_behind": true });
        assert_eq!(operator.post(&format!("{call}/hand-over"), &left).await.unwrap().status, 201);
        assert!(bucket.lock().unwrap().objects.is_empty(), "erased with the draft");
    }
    let call = draft(&operator).await;
    attached(&operator, &call, "x", b"swept").await;
    assert_eq!(app.databases.sweeper.clear_objects().await.unwrap().looked_at, 1);
    let tombs = "INSERT INTO erasure.tombstones (key_id) SELECT key_id FROM erasure.keys";
    sqlx::raw_sql(tombs).execute(&mut world.erasure_owner().await).await.unwrap();
    assert_eq!(app.databases.sweeper.clear_objects().await.unwrap().removed, 1);
    sqlx::raw_sql("DELETE FROM erasure.tombstones").execute(&mut world.erasure_owner().await).await.unwrap();

    let said = async |verdict| {
        let checks = examine(&config, &Clock::default()).await;
        checks.into_iter().any(|check| check.about == "attachments" && check.verdict == verdict)
    };
    assert!(said(Verdict::Well).await);
    bucket.lock().unwrap().down = true;
    let away = attach(&operator, &call, "y", "text/plain", b"y").await;
    assert_eq!((away.status, away.code()), (503, "objects_away"), "{}", away.text);
    assert!(!away.text.contains("localhost"), "{}", away.text);
    assert!(said(Verdict::Wrong).await);
    service.stop().await.unwrap();
    app.databases.close().await;
    served.close().await;
}
