//! Requests cancelled at every await lose no entry and leak no setting.

use crate::harness::World;
use crate::story::whole_ledger;
use axum::body::Body;
use axum::http::Request;
use himaya::platform::router::router;
use reqwest::Method;
use serde_json::json;
use sqlx::Row as _;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::ServiceExt as _;

/// Polls a future at most so many times; `None` when it was given up.
struct Impatient<F> {
    future: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for Impatient<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}

/// Sends a request of this person over a connection that goes away: the server drops the request's future after so many
/// polls. The status, if it came to one.
pub async fn given_up(world: &World, sent: reqwest::RequestBuilder, polls: usize) -> Option<u16> {
    let sent = sent.build().unwrap();
    let body = sent.body().and_then(reqwest::Body::as_bytes).unwrap_or_default().to_vec();
    let mut request = Request::builder().method(sent.method()).uri(sent.url().path());
    request.headers_mut().unwrap().extend(sent.headers().clone());
    let future = Box::pin(router(world.app.clone()).oneshot(request.body(Body::from(body)).unwrap()));
    (Impatient { future, polls }).await.map(|answer| answer.unwrap().status().as_u16())
}

/// Asks until it is so: who goes away is not told how a request ends, but it does end.
pub async fn comes_true(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..500 {
        if ask().await {
            return;
        }
        tick.tick().await;
    }
    panic!("{what}: a request that had begun was not done");
}

/// Looks at each connection of the pool, once all of them have come back: none is inside a transaction, and none speaks
/// for somebody.
pub async fn pool_is_sound(world: &World) {
    let pool = &world.app.databases.app;
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..500 {
        tick.tick().await;
        let mut connections = Vec::new();
        while let Some(connection) = pool.try_acquire() {
            connections.push(connection);
        }
        for connection in &mut connections {
            // As one simple query: outside a transaction it begins its own, at the moment of the statement.
            let about = "SELECT COALESCE(current_setting('himaya.lookup', true), ''), now() = statement_timestamp()";
            let row = sqlx::raw_sql(about).fetch_one(&mut **connection).await.unwrap();
            assert_eq!(row.get::<String, _>(0), "", "a setting leaked into the pool");
            assert!(row.get::<bool, _>(1), "a connection came back inside a transaction");
        }
        if connections.len() == usize::try_from(pool.size()).unwrap() {
            return;
        }
    }
    panic!("a connection did not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_cancelled_at_every_await_lose_no_entry_and_leak_no_setting() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let body = json!({ "content": { "safe_to_talk": "yes", "said": "hello" } });
    let (mut owner, mut began, mut finished) = (world.owner().await, 0, 0);
    for polls in 0..40 {
        for round in 0..2 {
            let request = operator.request(Method::POST, "/api/v1/calls").await;
            let request = request.header("idempotency-key", format!("cancelled-{polls}-{round}")).json(&body);
            if let Some(status) = given_up(&world, request, polls).await {
                finished += 1;
                assert_eq!(status, 201);
            }
            began += i64::from(polls > 0);
            // At once: the next request on a connection would end what this one left open.
            pool_is_sound(&world).await;
        }
    }
    assert!((1..began).contains(&finished), "{finished} of {began} finished before they were given up");
    // Every request that began runs to its end.
    comes_true("a call", async || {
        let calls: i64 = sqlx::query_scalar("SELECT count(*) FROM calls").fetch_one(&mut owner).await.unwrap();
        assert!(calls <= began);
        calls == began
    })
    .await;
    world.stop().await;
    // Each stored version has exactly one entry, and each entry is in its lane: the verifier compares them all.
    let report = whole_ledger(&world).await;
    assert!(report.records >= u64::try_from(began).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_database_goes_away_nothing_acknowledged_is_lost_and_the_answer_says_so() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let body = json!({ "content": { "safe_to_talk": "yes", "said": "hello" } });
    let first = operator.post("/api/v1/calls", &body).await.unwrap();
    assert_eq!(first.status, 201);
    let mut owner = world.server_owner().await;
    let away = format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", world.database);
    sqlx::raw_sql(sqlx::AssertSqlSafe(away)).execute(&mut owner).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    sqlx::query(cut).bind(&world.database).execute(&mut owner).await.unwrap();
    let refused = operator.post("/api/v1/calls", &body).await.unwrap();
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.text.contains("Nothing was stored"), "{}", refused.text);
    assert!(refused.headers.contains_key("retry-after"));
    let back = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", world.database);
    sqlx::raw_sql(sqlx::AssertSqlSafe(back)).execute(&mut owner).await.unwrap();
    // The watch over the ledger's queue looks once a second, and lets nothing be opened until it has had an answer.
    let path = format!("/api/v1/calls/{}", first.id("id"));
    let mut kept = operator.get(&path, "intake").await.unwrap();
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..100 {
        if kept.status != 503 {
            break;
        }
        tick.tick().await;
        kept = operator.get(&path, "intake").await.unwrap();
    }
    assert_eq!((kept.status, kept.body["content"]["said"].as_str()), (200, Some("hello")), "{}", kept.text);
    let again = operator.post("/api/v1/calls", &body).await.unwrap();
    assert_eq!(again.status, 201);
}
