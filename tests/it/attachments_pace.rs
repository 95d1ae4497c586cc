//! Who sends slowly, much, or at the wrong moment: nobody takes the places of others, and what is stored is theirs to store.

use crate::attachments::{OPAQUE, attach, attached, content, draft, entries, objects, only, rows};
use crate::attachments_bad::{head, limited, nothing_left, photo};
use crate::harness::World;
use crate::ledger::comes_true;
use chrono::TimeDelta;
use himaya::demo::actor::{Actor, Reply};
use himaya::platform::config::Patience;
use reqwest::{Body, Method};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An upload that has begun, and does not go on by itself.
async fn begun(base: &str, actor: &Actor, call: &str, bytes: &[u8], length: usize) -> TcpStream {
    let mut client = TcpStream::connect(base.strip_prefix("http://").unwrap()).await.unwrap();
    let head = head(actor, call, length).await.replace("killed-killed", &himaya::platform::random::uuid().to_string());
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(bytes).await.unwrap();
    client.flush().await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_takes_no_more_than_two_places_and_others_get_through() {
    let world = World::new().await;
    let (one, other) = (world.signed_in("operator1").await, world.signed_in("operator2").await);
    let (call, others) = (draft(&one).await, draft(&other).await);
    let wait = Duration::from_millis(500);
    let config = limited(&world, |told| {
        (told.at_once, told.patience) = (4, Patience { wait, ..Patience::default() });
    });
    let (app, serving, base) = world.replica_of(config).await;
    // As many images as there are places for files, and for images.
    let mut trickling = Vec::new();
    for _ in 0..4 {
        trickling.push(begun(&base, &one, &call, &photo()[..200], 100_000).await);
    }
    let files = &app.objects.as_ref().unwrap().limits.files;
    comes_true("two are being received", async || files.available_permits() == 2).await;
    let refused = attach(&one.at(&base), &call, "x", OPAQUE, b"x").await;
    assert_eq!((refused.status, refused.code()), (503, "busy"), "{}", refused.text);
    for bytes in [b"a file".to_vec(), photo()] {
        let taken = attach(&other.at(&base), &others, "x", OPAQUE, &bytes).await;
        assert_eq!(taken.status, 201, "{}", taken.text);
    }
    assert_eq!(files.available_permits(), 2);
    drop(trickling);
    comes_true("their places are free again", async || files.available_permits() == 4).await;
    assert_eq!(attach(&one.at(&base), &call, "x", OPAQUE, b"x").await.status, 201);
    serving.stop().await.unwrap();
}

/// Sends pieces of this size, one each time.
async fn paced(actor: &Actor, call: &str, size: usize, many: usize, every: Duration) -> Reply {
    let ticks = futures_util::stream::unfold((0, tokio::time::interval(every)), move |(sent, mut tick)| async move {
        tick.tick().await;
        (sent < many).then(|| (Ok::<_, std::io::Error>(vec![7_u8; size]), (sent + 1, tick)))
    });
    let key = himaya::platform::random::uuid().to_string();
    let request = actor.request(Method::POST, &format!("{call}/attachments")).await.header("idempotency-key", key);
    actor.send(request.header("himaya-file-name", "x").body(Body::wrap_stream(ticks))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_trickles_is_ended_and_who_is_only_slow_is_not() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    let patience = Patience { window: Duration::from_secs(2), least: 1000, ..Patience::default() };
    let config = limited(&world, |told| told.patience = patience.clone());
    let (_app, serving, base) = world.replica_of(config).await;
    let operator = operator.at(&base);
    // Never silent, and longer than a window.
    let ended = paced(&operator, &call, 10, 100, Duration::from_millis(100)).await;
    assert_eq!((ended.status, ended.code()), (408, "too_slow"), "{}", ended.text);
    nothing_left(&world, &call).await;
    let taken = paced(&operator, &call, 600, 16, Duration::from_millis(200)).await;
    assert_eq!(taken.status, 201, "{}", taken.text);
    // And in all an upload takes no longer than it may, however much it brings.
    let patience = Patience { upload: Duration::from_secs(1), ..patience };
    let (_app, whole, base) = world.replica_of(limited(&world, |told| told.patience = patience)).await;
    let ended = paced(&operator.at(&base), &call, 2000, 100, Duration::from_millis(50)).await;
    assert_eq!((ended.status, ended.code()), (408, "too_slow"), "{}", ended.text);
    assert_eq!((rows(&world).await, objects(&world).len()), (1, 1));
    serving.stop().await.unwrap();
    whole.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_dismissed_while_they_send_stores_nothing() {
    let world = World::new().await;
    let (operator, admin) = (world.signed_in("operator1").await, world.signed_in("admin1").await);
    let call = draft(&operator).await;
    let mut client = begun(&world.base, &operator, &call, &vec![7; 300_000], 600_000).await;
    comes_true("it is being written", async || !objects(&world).is_empty()).await;
    let path = format!("/api/v1/accounts/{}/disable", operator.account);
    let disabled = admin.post(&path, &json!({})).await.unwrap();
    assert_eq!(disabled.status, 200, "{}", disabled.text);
    let before = entries(&world).await;
    client.write_all(&vec![7; 300_000]).await.unwrap();
    let mut answer = vec![0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 401", "who they are is asked anew");
    nothing_left(&world, &call).await;
    assert_eq!(entries(&world).await, before, "nobody was refused a record: nobody asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_is_taken_when_the_disk_is_nearly_full() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    let (_app, serving, base) = world.replica_of(limited(&world, |told| told.keep_free_mib = u64::MAX)).await;
    let refused = attach(&operator.at(&base), &call, "x", OPAQUE, b"x").await;
    assert_eq!((refused.status, refused.code()), (503, "no_room"), "{}", refused.text);
    nothing_left(&world, &call).await;
    serving.stop().await.unwrap();
    // Where there is room, and what is there is given out all the same.
    attached(&operator, &call, "x", b"x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_ends_with_the_session() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    // More than what lies between the service and a client that does not read.
    let bytes = vec![7; 20 << 20];
    attached(&operator, &call, "x", &bytes).await;
    let path = only(&operator, &call, "intake").await;
    let request = operator.request(Method::GET, &path).await.header("purpose", "intake");
    let mut answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.content_length()), (200, Some(bytes.len() as u64)));
    answer.chunk().await.unwrap().unwrap();
    world.clock.advance(TimeDelta::hours(9));
    let mut read = 0;
    let ended = loop {
        match answer.chunk().await {
            Ok(Some(piece)) => read += piece.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(ended && read < bytes.len(), "{read} bytes came");
    world.clock.advance(TimeDelta::hours(-9));
    assert_eq!(content(&operator, &path, "intake").await, (200, bytes));
}
