//! Files go with what they hang on: from a call to the notice, into the case, and to nobody else.

use crate::harness::World;
use crate::story::whole_ledger;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use std::path::PathBuf;
use uuid::Uuid;

pub const OPAQUE: &str = "application/octet-stream";

pub fn sha256(bytes: &[u8]) -> String {
    himaya::guard::statement::hex(&Sha256::digest(bytes))
}

/// Sends a file, with a new key for repeating.
pub async fn attach(actor: &Actor, at: &str, name: &str, media_type: &str, bytes: &[u8]) -> Reply {
    let key = himaya::platform::random::uuid().to_string();
    attach_with(actor, at, name, media_type, bytes, &key).await
}

pub async fn attach_with(actor: &Actor, at: &str, name: &str, media_type: &str, bytes: &[u8], key: &str) -> Reply {
    let request = actor.request(Method::POST, &format!("{at}/attachments")).await;
    let request = request.header("himaya-file-name", name).header("content-type", media_type);
    actor.send(request.header("idempotency-key", key).body(bytes.to_vec())).await.unwrap()
}

/// One that must be taken; its id.
pub async fn attached(actor: &Actor, at: &str, name: &str, bytes: &[u8]) -> Uuid {
    let made = attach(actor, at, name, OPAQUE, bytes).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.id("id")
}

pub async fn list(actor: &Actor, at: &str, purpose: &str) -> Reply {
    actor.get(&format!("{at}/attachments"), purpose).await.unwrap()
}

/// The names that somebody sees there.
pub async fn names(actor: &Actor, at: &str, purpose: &str) -> Vec<String> {
    let listed = list(actor, at, purpose).await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    listed.body["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// The only one there.
pub async fn only(actor: &Actor, at: &str, purpose: &str) -> String {
    let listed = list(actor, at, purpose).await;
    let items = listed.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{}", listed.text);
    format!("{at}/attachments/{}", items[0]["id"].as_str().unwrap())
}

/// Status and bytes.
pub async fn content(actor: &Actor, path: &str, purpose: &str) -> (u16, Vec<u8>) {
    let request = actor.request(Method::GET, path).await.header("purpose", purpose);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

pub async fn draft(operator: &Actor) -> String {
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    format!("/api/v1/calls/{}", operator.post("/api/v1/calls", &crisis).await.unwrap().id("id"))
}

/// Hands a draft over; the id of the notice.
pub async fn handed_over(operator: &Actor, draft: &str) -> Uuid {
    let sent = operator.post(&format!("{draft}/hand-over"), &json!({ "basis": "vital_interest" })).await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text);
    sent.id("id")
}

/// Every file in the folder of objects.
pub fn objects(world: &World) -> Vec<PathBuf> {
    let folder = world.app.config.attachments.as_ref().unwrap().folder.clone().unwrap();
    std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect()
}

pub async fn entries(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM ledger_entries").fetch_one(&mut world.owner().await).await.unwrap()
}

pub async fn rows(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM attachments").fetch_one(&mut world.owner().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_with_the_call_to_the_squad_and_into_the_case_and_to_nobody_else() {
    let mut world = World::new().await;
    world.country.everybody_signs_in().await.unwrap();
    let (operator, duty, officer) =
        (world.signed_in("operator1").await, world.signed_in("duty1").await, world.signed_in("officer1").await);
    let draft = draft(&operator).await;
    let (photo, voice) = (b"a yellow house".repeat(3000), b"she speaks quietly".to_vec());
    attached(&operator, &draft, "ev%20%C9%99.txt", &photo).await;
    let on_draft = attached(&operator, &draft, "voice.ogg", &voice).await;
    assert_eq!(names(&operator, &draft, "intake").await, ["ev ə.txt", "voice.ogg"]);
    let kept_at = format!("{draft}/attachments/{on_draft}");
    assert_eq!(content(&operator, &kept_at, "intake").await, (200, voice.clone()));
    for (handle, purpose) in [("operator2", "intake"), ("hsupervisor1", "supervision"), ("duty1", "intake")] {
        let other = world.signed_in(handle).await;
        assert_eq!(list(&other, &draft, purpose).await.status, 404, "{handle}");
        assert_eq!(content(&other, &kept_at, purpose).await.0, 404, "{handle}");
        assert_eq!(attach(&other, &draft, "x", OPAQUE, b"x").await.status, 404, "{handle}");
    }

    let number = handed_over(&operator, &draft).await;
    let (notice, slip) = (format!("/api/v1/notices/{number}"), format!("/api/v1/slips/{number}"));
    assert_eq!(list(&operator, &draft, "intake").await.status, 404);
    assert_eq!(content(&operator, &kept_at, "intake").await.0, 404);
    assert_eq!(attach(&operator, &draft, "x", OPAQUE, b"x").await.status, 404);
    assert_eq!(list(&operator, &notice, "intake").await.status, 404);
    attached(&operator, &slip, "later.txt", b"a white van").await;
    assert_eq!(names(&duty, &notice, "intake").await, ["ev ə.txt", "voice.ogg", "later.txt"]);
    assert_eq!(operator.get(&slip, "intake").await.unwrap().body["attachments"], 3);
    assert_eq!(duty.get(&notice, "intake").await.unwrap().body["attachments"], 3);
    let listed = list(&duty, &notice, "intake").await;
    assert!(!listed.text.contains(&operator.account.to_string()), "who took the call is not told: {}", listed.text);
    let item = &listed.body["items"][0];
    assert_eq!(item["bytes"], photo.len());
    assert_eq!(item["sha256"], sha256(&photo));
    assert_ne!(listed.body["items"][1]["id"], json!(on_draft), "another attachment, under another key");
    let of_notice = format!("{notice}/attachments/{}", item["id"].as_str().unwrap());
    assert_eq!(content(&duty, &of_notice, "intake").await, (200, photo.clone()));
    for handle in ["officer1", "operator1", "operator2", "hsupervisor1", "ssupervisor1", "admin1"] {
        assert_eq!(content(&world.signed_in(handle).await, &of_notice, "intake").await.0, 404, "{handle}");
    }

    assert_eq!(duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let accepted = duty.post(&format!("{notice}/accept"), &json!({ "officers": [officer.account] })).await.unwrap();
    assert_eq!(accepted.status, 201, "{}", accepted.text);
    assert_eq!(content(&officer, &of_notice, "case_work").await, (200, photo));
    assert_eq!(names(&officer, &notice, "case_work").await.len(), 3);
    for (handle, purpose) in
        [("officer2", "case_work"), ("duty2", "intake"), ("duty2", "case_work"), ("ssupervisor1", "supervision")]
    {
        assert_eq!(content(&world.signed_in(handle).await, &of_notice, purpose).await.0, 404, "{handle}");
    }
    let late = attach(&operator, &slip, "too-late.txt", OPAQUE, b"x").await;
    assert_eq!((late.status, late.code()), (409, "illegal_transition"));

    let case = format!("/api/v1/cases/{}", accepted.id("case"));
    let person = officer.post(&format!("{case}/persons"), &json!({ "category": "witness" })).await.unwrap().id("id");
    let (narrative, identity) =
        (format!("{case}/sections/narrative"), format!("{case}/persons/{person}/sections/identity"));
    attached(&officer, &narrative, "statement.pdf", b"what happened").await;
    attached(&officer, &identity, "passport.pdf", b"who she is").await;
    // What hangs on one section hangs on no other, and nothing hangs on one that is none.
    assert_eq!(names(&officer, &narrative, "case_work").await, ["statement.pdf"]);
    assert_eq!(names(&officer, &format!("{case}/sections/legal"), "case_work").await, [""; 0]);
    let of_identity = only(&duty, &identity, "case_work").await;
    assert_eq!(content(&duty, &of_identity, "case_work").await, (200, b"who she is".to_vec()));
    assert_eq!(content(&duty, &of_identity.replace("identity", "contact_and_safety"), "case_work").await.0, 404);
    for none in
        [format!("{case}/sections/identity"), format!("{case}/sections/gossip"), case.clone() + "/sections/care"]
    {
        assert_eq!(list(&officer, &none, "case_work").await.status, 404, "{none}");
        assert_eq!(attach(&officer, &none, "x", OPAQUE, b"x").await.status, 404, "{none}");
    }
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reviews_a_call_or_a_returned_notice_reads_what_hangs_on_it() {
    let world = World::new().await;
    world.country.everybody_signs_in().await.unwrap();
    let (operator, duty, supervisor) =
        (world.signed_in("operator1").await, world.signed_in("duty1").await, world.signed_in("hsupervisor1").await);
    let closed = draft(&operator).await;
    attached(&operator, &closed, "closed.txt", b"closed").await;
    let of_closed = only(&operator, &closed, "intake").await;
    let done = operator.post(&format!("{closed}/close"), &json!({ "outcome": "referred" })).await.unwrap();
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(content(&operator, &of_closed, "intake").await.0, 404);
    assert_eq!(attach(&operator, &closed, "x", OPAQUE, b"x").await.status, 404);
    assert_eq!(content(&supervisor, &of_closed, "supervision").await, (200, b"closed".to_vec()));

    let sent = draft(&operator).await;
    attached(&operator, &sent, "returned.txt", b"returned").await;
    let notice = format!("/api/v1/notices/{}", handed_over(&operator, &sent).await);
    assert_eq!(duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let back = duty.post(&format!("{notice}/return"), &json!({ "code": "not_trafficking" })).await.unwrap();
    assert_eq!(back.status, 200, "{}", back.text);
    let of_notice = only(&supervisor, &notice, "supervision").await;
    assert_eq!(content(&supervisor, &of_notice, "supervision").await, (200, b"returned".to_vec()));
    assert_eq!(content(&duty, &of_notice, "intake").await.0, 404);
    assert_eq!(content(&operator, &of_notice, "intake").await.0, 404);

    // Abandoned: the supervisor's when the shift is over.
    let abandoned = draft(&operator).await;
    attached(&operator, &abandoned, "abandoned.txt", b"abandoned").await;
    let id: Uuid = abandoned.rsplit('/').next().unwrap().parse().unwrap();
    for abandon in [
        "UPDATE calls SET opened_at = opened_at - interval '1 day', expires_at = expires_at - interval '1 day' WHERE id = $1",
        "UPDATE wraps SET active_from = active_from - interval '1 day', active_until = active_until - interval '1 day'
         WHERE key_id = $1",
    ] {
        sqlx::query(abandon).bind(id).execute(&mut world.owner().await).await.unwrap();
    }
    assert_eq!(list(&operator, &abandoned, "intake").await.status, 404);
    let of_abandoned = only(&supervisor, &abandoned, "supervision").await;
    assert_eq!(content(&supervisor, &of_abandoned, "supervision").await, (200, b"abandoned".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn open_notices_pass_to_the_next_epoch_with_what_hangs_on_them() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let call = draft(&operator).await;
    attached(&operator, &call, "kept.txt", b"kept").await;
    let notice = format!("/api/v1/notices/{}", handed_over(&operator, &call).await);
    world.clock.advance(chrono::TimeDelta::hours(13));
    let again = duty.elsewhere();
    again.sign_in().await.unwrap();
    let newest: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT w.recipient_key) FROM wraps w JOIN sealed s USING (key_id) JOIN shared_keys k ON k.id = w.recipient_key
         WHERE s.kind = 'attachment' AND k.purpose = 'intake' AND k.opens_at = (SELECT max(opens_at) FROM shared_keys WHERE purpose = 'intake')",
    )
    .fetch_one(&mut world.owner().await)
    .await
    .unwrap();
    assert_eq!(newest, 1);
    let path = only(&again, &notice, "intake").await;
    assert_eq!(content(&again, &path, "intake").await, (200, b"kept".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_attachment_answers_exactly_like_one_that_is_not_there() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, outsider) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let there = attached(&officer, &narrative, "x.txt", b"x").await;
    let missing = himaya::platform::random::uuid();
    let elsewhere = narrative.replace(&played.case.to_string(), &missing.to_string());
    let mut answers = Vec::new();
    for (actor, path) in [
        (&outsider, format!("{narrative}/attachments/{there}")),
        (&outsider, format!("{narrative}/attachments/{missing}")),
        (&outsider, format!("{elsewhere}/attachments/{there}")),
        (&outsider, format!("{narrative}/attachments")),
        (&outsider, format!("{elsewhere}/attachments")),
        (&officer, format!("{narrative}/attachments/{missing}")),
        (&officer, format!("{}/attachments/{there}", narrative.replace("narrative", "legal"))),
    ] {
        let before = entries(&world).await;
        let reply = actor.get(&path, "case_work").await.unwrap();
        assert_eq!(entries(&world).await, before + 1, "an entry either way: {path}");
        let mut body = reply.body.clone();
        body["request_id"] = json!("");
        let mut headers: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
        headers.sort();
        answers.push((reply.status, body, headers, reply.text.len()));
    }
    assert!(answers.iter().all(|answer| answer.0 == 404 && *answer == answers[0]), "{answers:#?}");
    // Adding likewise, before anything is said of what was sent.
    for (at, name) in [(&narrative, "x"), (&elsewhere, "x"), (&narrative, "%00"), (&elsewhere, "%00")] {
        let before = entries(&world).await;
        let refused = attach(&outsider, at, name, "no type", b"").await;
        assert_eq!((refused.status, refused.code()), (404, "not_found"));
        assert_eq!(entries(&world).await, before + 1);
    }
    // A purpose that is none of it.
    assert_eq!(list(&officer, &narrative, "intake").await.status, 404);
    assert_eq!(officer.get(&format!("{narrative}/attachments"), "").await.unwrap().status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_who_was_granted_a_case_reads_what_hangs_on_it_and_adds_nothing() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, colleague) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");
    attached(&officer, &narrative, "x.txt", b"what happened").await;
    let path = only(&officer, &narrative, "case_work").await;
    let granted = json!({ "account": colleague.account, "relation": "granted", "reason": "expertise" });
    assert_eq!(officer.post(&format!("{case}/access"), &granted).await.unwrap().status, 201);
    assert_eq!(content(&colleague, &path, "case_work").await, (200, b"what happened".to_vec()));
    assert_eq!(attach(&colleague, &narrative, "x", OPAQUE, b"x").await.status, 404);

    // And leaves again: everything is sealed anew, for those who stay.
    let sealed = async || {
        let row = sqlx::query("SELECT epoch, version, blob FROM sealed WHERE kind = 'attachment'");
        let row = row.fetch_one(&mut world.owner().await).await.unwrap();
        (row.get::<i32, _>(0), row.get::<i64, _>(1), row.get::<Vec<u8>, _>(2))
    };
    let before = sealed().await;
    crate::two_persons::take_off(&officer, &world.signed_in("duty1").await, &case, colleague.account).await;
    let after = sealed().await;
    assert!(after.0 == before.0 + 1 && after.1 == before.1 + 1 && after.2 != before.2);
    assert_eq!(content(&colleague, &path, "case_work").await.0, 404);
    assert_eq!(content(&officer, &path, "case_work").await, (200, b"what happened".to_vec()));
    attached(&officer, &narrative, "y.txt", b"y").await;
    assert_eq!(names(&officer, &narrative, "case_work").await, ["x.txt", "y.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_is_stored_once() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    let first = attach_with(&operator, &call, "a.txt", OPAQUE, b"one", "a-key-of-its-own").await;
    let again = attach_with(&operator, &call, "a.txt", OPAQUE, b"one", "a-key-of-its-own").await;
    assert_eq!((first.status, again.status), (201, 201), "{}", again.text);
    assert_eq!(first.text, again.text);
    assert_eq!((rows(&world).await, objects(&world).len()), (1, 1));
    for (name, bytes) in [("b.txt", &b"one"[..]), ("a.txt", b"two")] {
        let other = attach_with(&operator, &call, name, OPAQUE, bytes, "a-key-of-its-own").await;
        assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    }
    assert_eq!((rows(&world).await, objects(&world).len()), (1, 1));
    // A key for nothing does not stay.
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM erasure.keys WHERE key_id <> $1")
        .bind(call.rsplit('/').next().unwrap().parse::<Uuid>().unwrap())
        .fetch_one(&mut world.erasure_owner().await)
        .await
        .unwrap();
    assert_eq!(keys, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ground_to_name_the_person_a_file_stays_behind_and_dies_with_the_draft() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    world.signed_in("duty1").await;
    let call = draft(&operator).await;
    attached(&operator, &call, "face.txt", b"her face").await;
    let object = objects(&world).pop().unwrap();
    let copy = std::fs::read(&object).unwrap();
    let (mut owner, mut erasure) = (world.owner().await, world.erasure_owner().await);
    let keep = "CREATE TABLE k1 AS TABLE calls; CREATE TABLE k2 AS TABLE sealed; CREATE TABLE k3 AS TABLE wraps;
                CREATE TABLE k4 AS TABLE attachments";
    sqlx::raw_sql(keep).execute(&mut owner).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept_keys AS TABLE erasure.keys").execute(&mut erasure).await.unwrap();
    let pseudonymous = json!({ "basis": "pseudonymous" });
    let refused = operator.post(&format!("{call}/hand-over"), &pseudonymous).await.unwrap();
    assert_eq!((refused.status, refused.body["errors"][0]["field"].as_str()), (422, Some("leave_behind")));
    assert!(object.exists());
    let sent = json!({ "basis": "pseudonymous", "leave_behind": true });
    let sent = operator.post(&format!("{call}/hand-over"), &sent).await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text);
    assert_eq!((rows(&world).await, objects(&world).len()), (0, 0));
    let id: Uuid = object.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let left: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM erasure.keys WHERE key_id = $1), (SELECT count(*) FROM erasure.tombstones WHERE key_id = $1)",
    )
    .bind(id)
    .fetch_one(&mut erasure)
    .await
    .unwrap();
    assert_eq!(left, (0, 1));

    // Everything is put back from copies: rows, ciphertext, wraps, the object, the erasure keys.
    let back = "INSERT INTO calls TABLE k1; INSERT INTO sealed TABLE k2 ON CONFLICT DO NOTHING;
                INSERT INTO wraps TABLE k3 ON CONFLICT DO NOTHING; INSERT INTO attachments TABLE k4";
    sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    std::fs::write(&object, &copy).unwrap();
    let key_back = "INSERT INTO erasure.keys SELECT * FROM kept_keys ON CONFLICT DO NOTHING";
    sqlx::raw_sql(key_back).execute(&mut erasure).await.unwrap();
    assert_eq!(list(&operator, &call, "intake").await.status, 500);
    // With the draft's own key besides: the name, and not the bytes.
    let own = call.rsplit('/').next().unwrap().parse::<Uuid>().unwrap();
    let kept_at = "DELETE FROM erasure.tombstones WHERE key_id = $1";
    sqlx::query(kept_at).bind(own).execute(&mut erasure).await.unwrap();
    let path = only(&operator, &call, "intake").await;
    let (status, bytes) = content(&operator, &path, "intake").await;
    assert!(status == 500 && !bytes.windows(8).any(|part| part == b"her face"));
    // Nothing else was missing: without its tombstone the copy would open.
    sqlx::query(kept_at).bind(id).execute(&mut erasure).await.unwrap();
    assert_eq!(content(&operator, &path, "intake").await, (200, b"her face".to_vec()));
}
