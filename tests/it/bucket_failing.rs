//! A bucket that refuses, or falls silent: nothing waits for it without end, and nothing is left of what it did not take.

use crate::attachments::{attach, attached, content, draft, only, rows};
use crate::bucket::Served;
use crate::harness::World;
use crate::ledger::comes_true;
use himaya::audit::verify::verify;
use himaya::demo::actor::Actor;
use himaya::platform::config::Patience;
use reqwest::Method;
use std::time::{Duration, Instant};

async fn keys(world: &World) -> i64 {
    let count = "SELECT count(*) FROM erasure.keys";
    sqlx::query_scalar(count).fetch_one(&mut world.erasure_owner().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bucket_does_not_take_leaves_no_key() {
    let world = World::new().await;
    let served = Served::beside(&world, Patience::default()).await;
    let (app, service, base) = world.replica_of(served.config.clone()).await;
    let operator = world.signed_in("operator1").await.at(&base);
    let call = draft(&operator).await;
    let before = keys(&world).await;
    let (small, large) = (b"small".to_vec(), vec![7; 6 << 20]);
    for step in ["begin", "part", "complete"] {
        served.now(|bucket| bucket.refuses = step);
        for bytes in [&small, &large] {
            let refused = attach(&operator, &call, "x", "text/plain", bytes).await;
            assert_eq!((refused.status, refused.code()), (503, "objects_away"), "{step}: {}", refused.text);
            assert_eq!((keys(&world).await, rows(&world).await), (before, 0), "{step}");
        }
    }
    served.now(|bucket| {
        bucket.refuses = "";
        assert!(bucket.objects.is_empty() && bucket.parts.is_empty(), "each was given up");
    });
    attached(&operator, &call, "x", b"taken").await;
    assert_eq!(keys(&world).await, before + 1);
    service.stop().await.unwrap();
    app.databases.close().await;
    served.close().await;
}

async fn asked(actor: &Actor, path: &str) -> reqwest::RequestBuilder {
    actor.request(Method::GET, path).await.header("purpose", "intake")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_falls_silent_keeps_nobody_waiting() {
    let world = World::new().await;
    let patience = Patience { store: Duration::from_millis(300), ..Patience::default() };
    let served = Served::beside(&world, patience).await;
    let (app, service, base) = world.replica_of(served.config.clone()).await;
    let operator = world.signed_in("operator1").await.at(&base);
    let call = draft(&operator).await;
    attached(&operator, &call, "x", &vec![7; 100_000]).await;
    let path = only(&operator, &call, "intake").await;
    served.now(|bucket| bucket.stalls = true);
    let begun = Instant::now();
    let (status, said) = content(&operator, &path, "intake").await;
    assert!(status == 503 && String::from_utf8_lossy(&said).contains("objects_away"), "{status}");
    let (databases, objects) = (&app.databases, app.objects.as_ref().unwrap());
    assert!(databases.sweeper.clear_objects().await.is_err());
    let keys = app.log_keys().unwrap();
    let mut report = verify(&databases.auditor, &keys, &[], true).await.unwrap();
    assert!(report.compare_objects(&databases.auditor, &databases.sweeper.erasure, objects).await.is_err());
    assert!(begun.elapsed() < Duration::from_mins(1), "each was given up, with everything that was tried again");
    served.now(|bucket| bucket.stalls = false);
    assert_eq!(content(&operator, &path, "intake").await, (200, vec![7; 100_000]));
    assert_eq!(databases.sweeper.clear_objects().await.unwrap().looked_at, 1);
    service.stop().await.unwrap();
    app.databases.close().await;
    served.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_compared_a_few_at_once_and_for_nobody_who_has_gone() {
    let world = World::new().await;
    let patience = Patience { wait: Duration::from_millis(500), ..Patience::default() };
    let served = Served::beside(&world, patience).await;
    let (app, service, base) = world.replica_of(served.config.clone()).await;
    let (one, other) = (world.signed_in("operator1").await.at(&base), world.signed_in("operator2").await.at(&base));
    let mut paths = Vec::new();
    for actor in [&one, &other] {
        let call = draft(actor).await;
        attached(actor, &call, "x", &vec![7; 100_000]).await;
        paths.push(only(actor, &call, "intake").await);
    }
    let places = &app.objects.as_ref().unwrap().limits.compared;
    let all = places.available_permits();
    // The bucket answers half, and not the rest: they wait for half a minute, if nobody ends them.
    served.now(|bucket| bucket.stalls = true);
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let request = asked(&one, &paths[0]).await;
        waiting.push(tokio::spawn(async move { request.send().await.map(|answer| answer.status().as_u16()) }));
    }
    comes_true("two of one person are compared", async || places.available_permits() == all - 2).await;
    let mut refused = 0;
    comes_true("the others hear that they must wait", async || {
        refused = waiting.iter().filter(|task| task.is_finished()).count();
        refused == 2
    })
    .await;
    assert_eq!(places.available_permits(), all - 2);
    served.now(|bucket| bucket.stalls = false);
    assert_eq!(content(&other, &paths[1], "intake").await.0, 200, "and others have places");
    served.now(|bucket| bucket.stalls = true);
    for task in waiting {
        if task.is_finished() {
            assert_eq!(task.await.unwrap().unwrap(), 503);
        } else {
            task.abort();
        }
    }
    comes_true("what nobody waits for is ended", async || places.available_permits() == all).await;
    served.now(|bucket| bucket.stalls = false);
    assert_eq!(content(&one, &paths[0], "intake").await.0, 200);
    service.stop().await.unwrap();
    app.databases.close().await;
    served.close().await;
}
