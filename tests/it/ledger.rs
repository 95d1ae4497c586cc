//! Requests cancelled at every await lose no entry and leak no setting.

use crate::harness::World;
use crate::story::whole_ledger;
use axum::body::Body;
use axum::http::Request;
use himaya::platform::router::router;
use serde_json::json;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
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

#[tokio::test(flavor = "multi_thread")]
async fn requests_cancelled_at_every_await_lose_no_entry_and_leak_no_setting() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let (token, secret, _) = operator.secrets().await;
    let (mut given_up, mut finished) = (0, 0);
    for polls in 0..40 {
        for round in 0..2 {
            let request = Request::post("/api/v1/calls")
                .header("authorization", format!("Bearer {token}"))
                .header("himaya-session", &secret)
                .header("content-type", "application/json")
                .header("idempotency-key", format!("cancelled-{polls}-{round}"))
                .body(Body::from(json!({ "content": { "safe_to_talk": "yes", "said": "hello" } }).to_string()))
                .unwrap();
            // The connection of a client that goes away: the server drops the request's future after some polls.
            let service = router(world.app.clone());
            let future = Box::pin(service.oneshot(request));
            match (Impatient { future, polls }).await {
                None => given_up += 1,
                Some(answer) => {
                    finished += 1;
                    assert_eq!(answer.unwrap().status().as_u16(), 201);
                }
            }
        }
    }
    assert!(given_up > 1, "{given_up} given up, {finished} finished");
    // Every request that began runs to its end; a fresh one after them all proves that the pool is sound.
    let opened = operator.post("/api/v1/calls", &json!({ "content": { "safe_to_talk": "yes" } })).await.unwrap();
    assert_eq!(opened.status, 201);
    for _ in 0..40 {
        let mut connections = Vec::new();
        while let Some(connection) = world.app.databases.app.try_acquire() {
            connections.push(connection);
        }
        for connection in &mut connections {
            let row: (String, bool) = sqlx::query_as(
                "SELECT COALESCE(current_setting('himaya.lookup', true), ''), now() = statement_timestamp()",
            )
            .fetch_one(&mut **connection)
            .await
            .unwrap();
            assert_eq!(row.0, "", "a setting leaked into the pool");
            let transaction: Option<i64> =
                sqlx::query_scalar("SELECT txid_current_if_assigned()").fetch_one(&mut **connection).await.unwrap();
            assert_eq!(transaction, None, "a connection came back inside a transaction");
        }
        if connections.len() == usize::try_from(world.app.databases.app.size()).unwrap() {
            break;
        }
    }
    let calls: i64 =
        sqlx::query_scalar("SELECT count(*) FROM calls").fetch_one(&mut world.owner().await).await.unwrap();
    assert!(calls >= finished);
    world.stop().await;
    // Each stored version has exactly one entry, and each entry is in its lane: the verifier compares them all.
    let report = whole_ledger(&world).await;
    assert!(report.records >= u64::try_from(finished).unwrap());
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
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
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
