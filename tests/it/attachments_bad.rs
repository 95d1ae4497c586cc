//! What is not taken, and what is left of it: nothing. And what is taken, without what a camera wrote beside it.

use crate::attachments::{OPAQUE, attach, attached, content, draft, entries, list, objects, only, rows, sha256};
use crate::harness::World;
use himaya::demo::actor::{Actor, Reply};
use himaya::platform::config::{AttachmentsConfig, Config};
use reqwest::{Body, Method};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

const GPS: &[u8] = b"GPSLatitude 40.4523 Xirdalan";

/// The same service with other limits.
pub fn limited(world: &World, change: impl FnOnce(&mut AttachmentsConfig)) -> Config {
    let mut config = world.app.config.clone();
    change(config.attachments.as_mut().unwrap());
    config
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|part| part == wanted)
}

/// Nothing is left of an upload: no row, no object, no key that opens one.
pub async fn nothing_left(world: &World, call: &str) {
    assert_eq!((rows(world).await, objects(world).len()), (0, 0));
    let call: Uuid = call.rsplit('/').next().unwrap().parse().unwrap();
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM erasure.keys WHERE key_id <> $1")
        .bind(call)
        .fetch_one(&mut world.erasure_owner().await)
        .await
        .unwrap();
    assert_eq!(keys, 0, "a key that opens nothing");
}

fn field(refused: &Reply) -> (u16, &str) {
    (refused.status, refused.body["errors"][0]["field"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_right_is_named_and_nothing_is_stored() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    let long = "x".repeat(201);
    for name in ["", "%20", ".", "..", "a%00b", "a%0Ab", "a/b", "a%2Fb", "..%5Cb", "%FF%FE", "%E2%80%AEfdp.exe", &long]
    {
        let refused = attach(&operator, &call, name, OPAQUE, b"x").await;
        assert_eq!(field(&refused), (422, "Himaya-File-Name"), "{name}: {}", refused.text);
    }
    for turning in ["%D8%9C", "%E2%80%8E", "%E2%80%8F", "%E2%80%A8", "%E2%80%A9", "%E2%81%A6"] {
        let refused = attach(&operator, &call, &format!("a{turning}b"), OPAQUE, b"x").await;
        assert_eq!(field(&refused), (422, "Himaya-File-Name"), "{turning}: {}", refused.text);
    }
    // Of nothing but letters that nobody sees.
    let refused = attach(&operator, &call, "%E2%80%8B%C2%AD%EF%BB%BF", OPAQUE, b"x").await;
    assert_eq!(field(&refused), (422, "Himaya-File-Name"), "{}", refused.text);
    for form in ["multipart/form-data; boundary=x", "Multipart/Mixed", "application/x-www-form-urlencoded"] {
        let refused = attach(&operator, &call, "x", form, &photo()).await;
        assert_eq!(field(&refused), (422, "Content-Type"), "{form}: {}", refused.text);
    }
    for encoding in ["gzip", "br", "identity, gzip", "x"] {
        let request = operator.request(Method::POST, &format!("{call}/attachments")).await.body("x");
        let request = request.header("himaya-file-name", "x").header("idempotency-key", "encoded-encoded");
        let refused = operator.send(request.header("content-encoding", encoding)).await.unwrap();
        assert_eq!(field(&refused), (422, "Content-Encoding"), "{encoding}: {}", refused.text);
    }
    for media_type in ["pdf", "/", "a/", "a/b/c", "te xt/plain", "a/b, c/d"] {
        let refused = attach(&operator, &call, "x", media_type, b"x").await;
        assert_eq!(field(&refused), (422, "Content-Type"), "{media_type}: {}", refused.text);
    }
    let refused = attach(&operator, &call, "x", OPAQUE, b"").await;
    assert_eq!(field(&refused), (422, "body"), "{}", refused.text);
    let at = format!("{call}/attachments");
    let unnamed = operator.request(Method::POST, &at).await.header("idempotency-key", "12345678").body("x");
    assert_eq!(field(&operator.send(unnamed).await.unwrap()), (422, "Himaya-File-Name"));
    let unkeyed = operator.request(Method::POST, &at).await.header("himaya-file-name", "x").body("x");
    assert_eq!(field(&operator.send(unkeyed).await.unwrap()), (422, "Idempotency-Key"));
    nothing_left(&world, &call).await;
    // And what is right, at the edge of it.
    let edge = "%C9%99".repeat(200);
    assert_eq!(attach(&operator, &call, &edge, "Text/Plain; charset=utf-8", b"x").await.status, 201);
    let untyped = operator.request(Method::POST, &at).await.header("idempotency-key", "123456789");
    let untyped =
        untyped.header("himaya-file-name", "y%E2%80%8C%C2%AD%E2%81%A0").header("content-encoding", "identity");
    let untyped = operator.send(untyped.body("x")).await.unwrap();
    assert_eq!(untyped.status, 201, "{}", untyped.text);
    let listed = list(&operator, &call, "intake").await;
    assert_eq!(listed.body["items"][0]["name"], "ə".repeat(200));
    assert_eq!(listed.body["items"][0]["media_type"], "text/plain");
    assert_eq!(listed.body["items"][1]["media_type"], OPAQUE);
    assert_eq!(listed.body["items"][1]["name"], "y", "without the letters that nobody sees");
}

/// A body of which nobody says how long it is.
fn stream(pieces: u64) -> Body {
    let pieces = futures_util::stream::iter((0..pieces).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 64 * 1024])));
    Body::wrap_stream(pieces)
}

async fn send(operator: &Actor, call: &str, body: Body) -> Reply {
    let key = himaya::platform::random::uuid().to_string();
    let request = operator.request(Method::POST, &format!("{call}/attachments")).await.header("idempotency-key", key);
    operator.send(request.header("himaya-file-name", "x").body(body)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_by_the_limit_whatever_was_announced() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    let config = limited(&world, |told| (told.largest_mib, told.largest_image_mib) = (2, 1));
    let (_app, serving, base) = world.replica_of(config).await;
    let operator = operator.at(&base);
    // Announced; not announced; and exactly as much as is taken.
    for (body, status) in [
        (Body::from(vec![7; (2 << 20) + 1]), 413),
        (stream(33), 413),
        (stream(32), 201),
        (Body::from(vec![7; 2 << 20]), 201),
    ] {
        let reply = send(&operator, &call, body).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        if status == 413 {
            assert!(reply.code() == "too_large" && reply.text.contains("larger than 2 MiB"), "{}", reply.text);
            assert_eq!((rows(&world).await, objects(&world).len()), (0, 0));
        }
    }
    let image = [b"\xff\xd8\xff\xe0".to_vec(), vec![7; 1 << 20]].concat();
    let pieces = image.clone().chunks(1000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
    for body in [Body::from(image), Body::wrap_stream(futures_util::stream::iter(pieces))] {
        let reply = send(&operator, &call, body).await;
        assert!(reply.status == 413 && reply.text.contains("image is larger than 1 MiB"), "{}", reply.text);
    }
    assert_eq!(rows(&world).await, 2);
    serving.stop().await.unwrap();
}

/// The head of an upload, as it goes over the wire.
pub async fn head(actor: &Actor, at: &str, length: usize) -> String {
    let (access, secret, _) = actor.secrets().await;
    format!(
        "POST {at}/attachments HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {access}\r\nhimaya-session: {secret}\r\n\
         idempotency-key: killed-killed\r\nhimaya-file-name: x\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_off_leaves_nothing_behind() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    let address = world.base.strip_prefix("http://").unwrap();
    // Away in the middle of a file, of an image, and before the first byte.
    for begun in [vec![7; 300_000], b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x02\0\0\x01".to_vec(), vec![]] {
        let before = entries(&world).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(head(&operator, &call, 2_000_000).await.as_bytes()).await.unwrap();
        client.write_all(&begun).await.unwrap();
        client.flush().await.unwrap();
        if begun.len() > 1000 {
            crate::ledger::comes_true("it is being written", async || !objects(&world).is_empty()).await;
        }
        drop(client);
        crate::ledger::comes_true("it was given up", async || objects(&world).is_empty()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        nothing_left(&world, &call).await;
        assert_eq!(entries(&world).await, before, "nothing was done, and nothing refused");
    }
    // Less than was announced, by a client that still listens.
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(head(&operator, &call, 2000).await.as_bytes()).await.unwrap();
    client.write_all(b"too little").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = client.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || answer.contains("cut_off"), "{answer}");
    nothing_left(&world, &call).await;
    // The same key, and this time to the end.
    assert_eq!(attach(&operator, &call, "x", OPAQUE, b"whole").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_out_as_a_file_and_is_never_shown() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    let page = b"<script>alert(1)</script>";
    let made =
        attach(&operator, &call, "%D0%BF%D0%B8%D1%81%D1%8C%D0%BC%D0%BE%20%22%3B%20%25.html", "text/html", page).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = only(&operator, &call, "intake").await;
    let reply = operator.get(&path, "intake").await.unwrap();
    let header = |name: &str| reply.headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), OPAQUE);
    assert_eq!(
        header("content-disposition"),
        "attachment; filename*=UTF-8''%D0%BF%D0%B8%D1%81%D1%8C%D0%BC%D0%BE%20%22%3B%20%25.html"
    );
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'; frame-ancestors 'none'");
    assert_eq!(header("cross-origin-resource-policy"), "same-origin");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("content-length"), page.len().to_string());
    assert_eq!(reply.text.as_bytes(), page);
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    [&[0xff, marker][..], &u16::try_from(content.len() + 2).unwrap().to_be_bytes(), content].concat()
}

/// A photograph as a telephone makes it: EXIF, XMP, IPTC, a comment, and a film behind its end.
pub fn photo() -> Vec<u8> {
    [
        b"\xff\xd8".to_vec(),
        segment(0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
        segment(0xe1, &[b"Exif\0\0", GPS].concat()),
        segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", GPS].concat()),
        segment(0xed, &[b"Photoshop 3.0\0", GPS].concat()),
        segment(0xfe, GPS),
        segment(0xdb, &[1; 65]),
        segment(0xc0, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]),
        segment(0xda, &[1, 1, 0, 0, 63, 0]),
        b"the picture".to_vec(),
        segment(0xe1, &[b"Exif\0\0", GPS].concat()),
        b"\xff\xd9".to_vec(),
        [b"ftypmp42", GPS].concat(),
    ]
    .concat()
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let crc = crc32(&[&kind[..], data].concat()).to_be_bytes();
    [&u32::try_from(data.len()).unwrap().to_be_bytes()[..], &kind, data, &crc].concat()
}

/// Of which only the first of its pictures would be left.
fn moving_png() -> Vec<u8> {
    let whole = png();
    let (head, rest) = whole.split_at(8 + 12 + 13);
    [head, &chunk(*b"acTL", b"\0\0\0\x02\0\0\0\0"), rest].concat()
}

fn png() -> Vec<u8> {
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(*b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0"),
        chunk(*b"tEXt", &[b"Location\0", GPS].concat()),
        chunk(*b"eXIf", GPS),
        chunk(*b"tIME", b"\x07\xea\x0b\x16\x03\0\0"),
        chunk(*b"IDAT", b"the picture"),
        chunk(*b"iTXt", GPS),
        chunk(*b"IEND", b""),
    ]
    .concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
    !bytes.iter().fold(!0_u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_loses_where_it_was_taken_and_its_hash_before_is_kept() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    for (image, claimed, media_type) in [
        (photo(), "image/jpeg", "image/jpeg"),
        // What it is, its bytes say.
        (photo(), "application/pdf", "image/jpeg"),
        (png(), "image/jpeg", "image/png"),
    ] {
        assert!(holds(&image, GPS));
        let call = draft(&operator).await;
        let made = attach(&operator, &call, "photo", claimed, &image).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let item = list(&operator, &call, "intake").await.body["items"][0].clone();
        let (status, bytes) = content(&operator, &only(&operator, &call, "intake").await, "intake").await;
        assert!(status == 200 && !holds(&bytes, GPS) && holds(&bytes, b"the picture"));
        assert!(!holds(&bytes, b"Exif") && !holds(&bytes, b"tIME"));
        assert_eq!(item["media_type"], media_type);
        assert_eq!(item["sha256"], sha256(&bytes));
        assert_eq!(item["bytes"], bytes.len());
        assert_eq!(item["received"], json!({ "bytes": image.len(), "sha256": sha256(&image) }));
        // What has nothing to lose stays as it came.
        let call = draft(&operator).await;
        assert_eq!(attach(&operator, &call, "photo", claimed, &bytes).await.status, 201);
        let item = list(&operator, &call, "intake").await.body["items"][0].clone();
        assert_eq!((&item["sha256"], &item["received"]), (&json!(sha256(&bytes)), &json!(null)));
    }
    let call = draft(&operator).await;
    let whole = photo();
    for (image, claimed, why) in [
        (&whole[..whole.len() / 2], "image/jpeg", "cannot be read as such: it is cut off"),
        (&b"\xff\xd8\xff\xd9 and nothing more"[..], OPAQUE, "it holds no picture"),
        (&png()[..60], OPAQUE, "it is cut off"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", OPAQUE, "the body is HEIC or AVIF"),
        (&moving_png(), "image/png", "it is an animation"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "video/mp4", "the body is TIFF or a camera's raw format"),
        (b"\0\0\0\x18ftypXXXX\0\0\0\0miafheic", OPAQUE, "the body is HEIC or AVIF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", OPAQUE, "the body is JPEG 2000"),
        (b"MM\0*\0\0\0\x08 a raw photograph", "application/pdf", "the body is TIFF or a camera's raw format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "the body is none of these"),
    ] {
        let refused = attach(&operator, &call, "photo", claimed, image).await;
        assert_eq!(field(&refused), (422, "body"), "{}", refused.text);
        assert!(refused.text.contains(why), "{why}: {}", refused.text);
    }
    nothing_left_on(&world, &operator, &call).await;
    // As evidence, whole, within an archive: what is not an image is not touched.
    let archive = [b"PK\x03\x04".to_vec(), photo()].concat();
    attached(&operator, &call, "evidence.zip", &archive).await;
    assert_eq!(content(&operator, &only(&operator, &call, "intake").await, "intake").await, (200, archive));
}

async fn nothing_left_on(world: &World, operator: &Actor, call: &str) {
    let listed = list(operator, call, "intake").await;
    assert_eq!(listed.body["items"], json!([]), "{}", listed.text);
    assert_eq!(i64::try_from(objects(world).len()).unwrap(), rows(world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_hang_on_one_thing_and_no_more() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    attached(&operator, &call, "first", b"x").await;
    let copies =
        "INSERT INTO attachments (id, call_id, author_id, object, digest, added_at, registered_by, register_no)
                  SELECT gen_random_uuid(), call_id, author_id, gen_random_uuid(), digest, added_at, NULL, NULL
                  FROM attachments, generate_series(1, 98)";
    sqlx::query(copies).execute(&mut world.owner().await).await.unwrap();
    attached(&operator, &call, "hundredth", b"x").await;
    let refused = attach(&operator, &call, "one too many", OPAQUE, b"x").await;
    assert_eq!((refused.status, refused.code()), (409, "too_many"), "{}", refused.text);
    assert_eq!(objects(&world).len(), 2);
}

/// Of this whole process, the client's side of the test included.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_in_and_out_in_little_memory() {
    // Not more: without optimisation a megabyte takes a second, in and out.
    const PIECES: u64 = 512;
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    attached(&operator, &call, "warm", &vec![7; 100_000]).await;
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = most_memory();
    let made = send(&operator, &call, stream(PIECES)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("{call}/attachments/{}", made.id("id"));
    let mut answer = operator.request(Method::GET, &path).await.header("purpose", "intake").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut length = 0;
    while let Some(piece) = answer.chunk().await.unwrap() {
        assert!(piece.iter().all(|byte| *byte == 7));
        length += piece.len() as u64;
    }
    assert_eq!(length, PIECES * 64 * 1024);
    let after = most_memory();
    assert!(after < 150 && after - before < 16, "{before} MiB before, {after} MiB at most, of {} MiB", length >> 20);
}
