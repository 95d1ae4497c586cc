//! The bytes of a file lie sealed outside the database: what is done to them there is found, and what is carried away opens
//! nothing.

use crate::attachments::{attached, content, draft, entries, handed_over, list, objects, only, rows};
use crate::harness::World;
use crate::thief::{ciphertexts, erasure_key, loot, opens, stolen_keys, unwrapped};
use crate::walls::injected;
use himaya::audit::verify::{Finding, verify};
use himaya::demo::story;
use himaya::guard::bytes::stream::{HEAD, Opener};
use himaya::guard::bytes::{self, ContentKey, Context};
use himaya::guard::keys::RecordKey;
use himaya::guard::record::ObjectId;
use himaya::guard::vault::objects::object_context;
use sqlx::Row as _;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

fn id(object: &Path) -> Uuid {
    object.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

/// A case with two files on its narrative: officer, their paths, and their objects in the same order.
async fn two_files(world: &World) -> (himaya::demo::actor::Actor, Vec<String>, Vec<std::path::PathBuf>) {
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let (mut paths, mut files) = (Vec::new(), Vec::new());
    for (name, bytes) in [("one.txt", vec![1; 50_000]), ("two.txt", vec![2; 50_000])] {
        let before = objects(world);
        paths.push(format!("{narrative}/attachments/{}", attached(&officer, &narrative, name, &bytes).await));
        files.extend(objects(world).into_iter().filter(|object| !before.contains(object)));
    }
    assert_eq!(files.len(), 2);
    (officer, paths, files)
}

async fn found(world: &World) -> Vec<Finding> {
    let (keys, app) = (world.app.log_keys().unwrap(), &world.app);
    let mut report = verify(&app.databases.auditor, &keys, &[], true).await.unwrap();
    let databases = &app.databases;
    let objects = app.objects.as_ref().unwrap();
    report.compare_objects(&databases.auditor, &databases.sweeper.erasure, objects).await.unwrap();
    assert_eq!(report.objects, 2);
    report.findings
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_changed_cut_off_swapped_or_removed_never_go_out() {
    let world = World::new().await;
    let (officer, paths, files) = two_files(&world).await;
    let (one, two) = (std::fs::read(&files[0]).unwrap(), std::fs::read(&files[1]).unwrap());
    assert_eq!(found(&world).await, []);
    let refused = async |what: &str| {
        let before = entries(&world).await;
        let (status, bytes) = content(&officer, &paths[0], "case_work").await;
        assert_eq!(status, 500, "{what}");
        assert!(bytes.len() < 1000 && bytes.starts_with(b"{"), "{what}: nothing of it");
        assert_eq!(entries(&world).await, before + 1, "who tried is entered");
    };
    let changed = |at: usize| {
        let mut bytes = one.clone();
        bytes[at] ^= 1;
        bytes
    };
    for at in [0, 7, 40, 100, HEAD + 20_000, one.len() - 1] {
        std::fs::write(&files[0], changed(at)).unwrap();
        refused(&format!("byte {at}")).await;
    }
    assert_eq!(found(&world).await, [Finding::ObjectChanged { object: id(&files[0]) }]);
    for length in [0, 10, HEAD, HEAD + 16_400, one.len() - 16, one.len() - 1] {
        std::fs::write(&files[0], &one[..length]).unwrap();
        refused(&format!("cut off at {length}")).await;
    }
    std::fs::write(&files[0], [&one[..], b"more"].concat()).unwrap();
    refused("longer").await;
    std::fs::write(&files[0], &two).unwrap();
    refused("another object").await;
    std::fs::remove_file(&files[0]).unwrap();
    refused("removed").await;
    assert_eq!(found(&world).await, [Finding::ObjectGone { object: id(&files[0]) }]);
    std::fs::write(&files[0], &one).unwrap();
    assert_eq!(content(&officer, &paths[0], "case_work").await, (200, vec![1; 50_000]));
    assert_eq!(content(&officer, &paths[1], "case_work").await, (200, vec![2; 50_000]));
    assert_eq!(found(&world).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_turned_to_other_bytes_or_hung_elsewhere_are_found() {
    let world = World::new().await;
    let (officer, paths, files) = two_files(&world).await;
    let (narrative, first) = paths[0].split_once("/attachments/").unwrap();
    let first: Uuid = first.parse().unwrap();
    let mut owner = world.owner().await;
    let keep = "CREATE TABLE kept AS TABLE attachments";
    sqlx::raw_sql(keep).execute(&mut owner).await.unwrap();
    let back = "DELETE FROM attachments; INSERT INTO attachments TABLE kept";
    for (change, listed) in [
        // Both rows exchange their objects: each record names its own.
        ("UPDATE attachments SET object = gen_random_uuid() WHERE id = $1", 500),
        ("UPDATE attachments SET digest = sha256('x') WHERE id = $1", 200),
        ("UPDATE attachments SET section_id = (SELECT id FROM sections WHERE kind = 'legal') WHERE id = $1", 404),
    ] {
        sqlx::query(change).bind(first).execute(&mut owner).await.unwrap();
        let (status, bytes) = content(&officer, &paths[0], "case_work").await;
        assert!(status >= 404 && bytes.starts_with(b"{"), "{change}");
        if listed == 404 {
            let moved = narrative.replace("narrative", "legal");
            assert_eq!(list(&officer, &moved, "case_work").await.status, 500, "it hangs where it was not put");
        } else {
            assert_eq!(list(&officer, narrative, "case_work").await.status, listed, "{change}");
        }
        let (keys, app) = (world.app.log_keys().unwrap(), &world.app);
        let report = verify(&app.databases.auditor, &keys, &[], true).await.unwrap();
        assert!(
            report.findings.iter().any(|finding| matches!(finding, Finding::RowChanged { row, .. } if *row == first))
        );
        sqlx::raw_sql(back).execute(&mut owner).await.unwrap();
    }
    assert_eq!(content(&officer, &paths[0], "case_work").await.0, 200);
    // Hidden, with its record.
    sqlx::query("DELETE FROM attachments WHERE id = $1").bind(first).execute(&mut owner).await.unwrap();
    let (keys, app) = (world.app.log_keys().unwrap(), &world.app);
    let report = verify(&app.databases.auditor, &keys, &[], true).await.unwrap();
    assert!(report.findings.iter().any(|finding| matches!(finding, Finding::RowGone { .. })), "{:?}", report.findings);
    assert_eq!(files.len(), 2);
}

fn object_opens(sealed: &[u8], object: Uuid, key: &ContentKey) -> bool {
    let (head, _) = sealed.split_first_chunk().unwrap();
    Opener::new(key, &object_context(ObjectId(object)), 1, head).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_with_both_databases_and_every_secret_of_the_service_opens_nothing() {
    let world = World::new().await;
    let (_, _, files) = two_files(&world).await;
    let dump = world.dump();
    for word in ["one.txt", "two.txt"] {
        assert!(!dump.windows(word.len()).any(|part| part == word.as_bytes()), "the dump says {word}");
    }
    let loot = loot(&world).await;
    for file in &files {
        let (object, sealed) = (id(file), std::fs::read(file).unwrap());
        let erasure = RecordKey::from_stolen(erasure_key(&world, object).await);
        for secret in &loot {
            let (plain, derived) =
                (ContentKey::from_bytes(*secret), RecordKey::from_stolen(*secret).content_key(&erasure));
            assert!(!object_opens(&sealed, object, &plain) && !object_opens(&sealed, object, &derived));
        }
        // Sizes are told in steps only.
        assert_eq!(sealed.len() as u64, bytes::stream::sealed_length(60_000).unwrap());
    }
    // The control: with the passphrase of somebody on the case the record opens, and with what it holds the bytes.
    let keys = stolen_keys(&world, "officer1").await;
    let mut opened = 0;
    for record in ciphertexts(&world).await.iter().filter(|record| record.kind == "attachment") {
        let key = unwrapped(&world, &keys, record).await.unwrap();
        let content = key.content_key(&RecordKey::from_stolen(erasure_key(&world, record.key).await));
        assert!(opens(record, &content));
        let place = Context::new("sealed", record.record.into_bytes(), &record.kind, record.epoch, record.version);
        let plain = bytes::open(&content, record.epoch, &place, &record.blob).unwrap();
        let told: serde_json::Value = serde_json::from_slice(&plain).unwrap();
        let object: Uuid = told["object"].as_str().unwrap().parse().unwrap();
        let own = himaya::guard::statement::unhex(told["key"].as_str().unwrap()).unwrap();
        let sealed = std::fs::read(files.iter().find(|file| id(file) == object).unwrap()).unwrap();
        // Neither alone: the key of the record and the erasure key are both needed.
        assert!(!object_opens(&sealed, object, &ContentKey::from_bytes(own)));
        let erasure = RecordKey::from_stolen(erasure_key(&world, object).await);
        assert!(object_opens(&sealed, object, &RecordKey::from_stolen(own).content_key(&erasure)));
        opened += 1;
    }
    assert_eq!(opened, 2);
    assert!(
        unwrapped(
            &world,
            &stolen_keys(&world, "officer2").await,
            &ciphertexts(&world).await.into_iter().find(|record| record.kind == "attachment").unwrap()
        )
        .await
        .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_sees_the_attachments_of_its_session_and_forges_none() {
    let world = World::new().await;
    let (officer, paths, _) = two_files(&world).await;
    let operator = world.signed_in("operator1").await;
    let call = draft(&operator).await;
    attached(&operator, &call, "x", b"x").await;
    let call: Uuid = call.rsplit('/').next().unwrap().parse().unwrap();
    let section: Uuid = sqlx::query_scalar("SELECT section_id FROM attachments WHERE section_id IS NOT NULL LIMIT 1")
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    for (handle, sees) in [
        ("officer1", 2),
        ("duty1", 2),
        ("operator1", 1),
        ("operator2", 0),
        ("officer2", 0),
        ("duty2", 0),
        ("hsupervisor1", 0),
        ("ssupervisor1", 0),
        ("admin1", 0),
        ("auditor1", 0),
        ("nobody", 0),
    ] {
        let secret = if handle == "nobody" { String::new() } else { world.signed_in(handle).await.secrets().await.1 };
        let mut theirs = injected(&world, &secret).await;
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM attachments").fetch_one(&mut theirs).await.unwrap();
        assert_eq!(seen, sees, "{handle}");
        for (forge, on) in [
            (
                "INSERT INTO attachments (id, call_id, author_id, object, digest, added_at)
              VALUES (gen_random_uuid(), $1, me(), gen_random_uuid(), sha256('x'), now())",
                call,
            ),
            (
                "INSERT INTO attachments (id, section_id, author_id, object, digest, added_at)
              VALUES (gen_random_uuid(), $1, me(), gen_random_uuid(), sha256('x'), now())",
                section,
            ),
        ] {
            let own =
                (on == call && handle == "operator1") || (on == section && ["officer1", "duty1"].contains(&handle));
            sqlx::raw_sql("BEGIN").execute(&mut theirs).await.unwrap();
            assert_eq!(sqlx::query(forge).bind(on).execute(&mut theirs).await.is_ok(), own, "{handle} {forge}");
            sqlx::raw_sql("ROLLBACK").execute(&mut theirs).await.unwrap();
        }
        let gone =
            sqlx::query("DELETE FROM attachments WHERE section_id IS NOT NULL").execute(&mut theirs).await.unwrap();
        assert_eq!(gone.rows_affected(), 0, "{handle}");
        for forbidden in [
            "UPDATE attachments SET object = gen_random_uuid()",
            "UPDATE attachments SET standing = 7",
            "TRUNCATE attachments",
            "SELECT * FROM objects_all()",
        ] {
            assert!(sqlx::query(forbidden).execute(&mut theirs).await.is_err(), "{handle}: {forbidden}");
        }
    }
    assert_eq!(content(&officer, &paths[0], "case_work").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn injected_sql_adds_where_its_session_may_write_and_only_as_long_as_it_may() {
    let world = World::new().await;
    let (officer, paths, _) = two_files(&world).await;
    let (operator, colleague) = (world.signed_in("operator1").await, world.signed_in("officer2").await);
    let (case, _) = paths[0].split_once("/sections/").unwrap();
    let given = serde_json::json!({ "account": colleague.account, "relation": "granted", "reason": "expertise" });
    assert_eq!(officer.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
    let id_of = |path: &str| path.rsplit('/').next().unwrap().parse::<Uuid>().unwrap();
    let (open, expired, closed) = (draft(&operator).await, draft(&operator).await, draft(&operator).await);
    let notice = handed_over(&operator, &draft(&operator).await).await;
    let mut owner = world.owner().await;
    let section = "SELECT section_id FROM attachments WHERE section_id IS NOT NULL LIMIT 1";
    let section: Uuid = sqlx::query_scalar(section).fetch_one(&mut owner).await.unwrap();
    for (change, call) in [
        ("UPDATE calls SET expires_at = now() - interval '1 minute' WHERE id = $1", id_of(&expired)),
        ("UPDATE calls SET state = 'closed', closed_at = now() WHERE id = $1", id_of(&closed)),
    ] {
        sqlx::query(change).bind(call).execute(&mut owner).await.unwrap();
    }
    let forged = async |handle: &str, column: &str, on: Uuid| {
        let mut theirs = injected(&world, &world.signed_in(handle).await.secrets().await.1).await;
        sqlx::raw_sql("BEGIN").execute(&mut theirs).await.unwrap();
        let forge = format!(
            "INSERT INTO attachments (id, {column}, author_id, object, digest, added_at)
             VALUES (gen_random_uuid(), $1, me(), gen_random_uuid(), sha256('x'), now())"
        );
        sqlx::query(sqlx::AssertSqlSafe(forge)).bind(on).execute(&mut theirs).await.is_ok()
    };
    assert!(forged("operator1", "call_id", id_of(&open)).await);
    assert!(!forged("operator1", "call_id", id_of(&expired)).await, "a draft that expired");
    assert!(!forged("operator1", "call_id", id_of(&closed)).await, "a draft no more");
    for (state, takes) in [("sent", true), ("acknowledged", true), ("accepted", false), ("returned", false)] {
        let change = "UPDATE notices SET state = $2 WHERE id = $1";
        sqlx::query(change).bind(notice).bind(state).execute(&mut owner).await.unwrap();
        assert_eq!(forged("operator1", "notice_id", notice).await, takes, "a notice that was {state}");
        assert!(!forged("operator2", "notice_id", notice).await && !forged("duty1", "notice_id", notice).await);
    }
    assert!(forged("officer1", "section_id", section).await);
    assert!(!forged("officer2", "section_id", section).await, "who was only granted a look");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_durable_entry_no_byte_goes_out_and_nothing_is_stored() {
    let world = World::new().await;
    let (officer, paths, files) = two_files(&world).await;
    let mut owner = world.owner().await;
    sqlx::raw_sql("REVOKE INSERT ON ledger_entries FROM himaya_app").execute(&mut owner).await.unwrap();
    let (status, bytes) = content(&officer, &paths[0], "case_work").await;
    assert!(status >= 500 && bytes.starts_with(b"{"));
    let at = paths[0].split_once("/attachments/").unwrap().0;
    let refused = crate::attachments::attach(&officer, at, "x", "text/plain", b"x").await;
    assert!(refused.status >= 500, "{}", refused.text);
    assert_eq!((rows(&world).await, objects(&world).len()), (2, files.len()), "and what was received is gone again");
    sqlx::raw_sql("GRANT INSERT ON ledger_entries TO himaya_app").execute(&mut owner).await.unwrap();
    assert_eq!(content(&officer, &paths[0], "case_work").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_go_when_their_key_was_erased_and_not_before() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    world.signed_in("duty1").await;
    let call = draft(&operator).await;
    attached(&operator, &call, "kept", b"kept").await;
    let kept = objects(&world).pop().unwrap();
    let folder = kept.parent().unwrap().to_owned();
    let uuid = || himaya::platform::random::uuid();
    // What a process that died leaves: an object with its key and no row; one half written; and what is nobody's.
    let (orphan, stranger) = (folder.join(uuid().to_string()), folder.join(uuid().to_string()));
    let (old, young) = (folder.join(format!("{}#1", uuid())), folder.join(format!("{}#1", uuid())));
    for file in [&orphan, &stranger, &old, &young] {
        std::fs::write(file, b"sealed").unwrap();
    }
    let written = std::fs::File::options().write(true).open(&old).unwrap();
    let now = written.metadata().unwrap().modified().unwrap();
    written.set_modified(now - Duration::from_hours(25)).unwrap();
    let mut erasure = world.erasure_owner().await;
    let key = "INSERT INTO erasure.keys (key_id, key, created_at) VALUES ($1, decode(repeat('07', 32), 'hex'), now() - interval '2 days')";
    sqlx::query(key).bind(id(&orphan)).execute(&mut erasure).await.unwrap();
    sqlx::raw_sql("UPDATE erasure.keys SET created_at = now() - interval '2 days'")
        .execute(&mut erasure)
        .await
        .unwrap();
    let sweeper = &world.app.databases.sweeper;
    let there = || [&kept, &orphan, &stranger, &old, &young].map(|file| file.exists());

    let swept = sweeper.sweep(false).await.unwrap().unwrap();
    assert_eq!((swept.orphans, swept.erased), (1, 0), "only the one without a row, and only noted");
    let cleared = sweeper.clear_objects().await.unwrap();
    assert_eq!((cleared.looked_at, cleared.removed, cleared.unfinished), (3, 0, 1));
    assert_eq!(there(), [true, true, true, false, true]);
    let a_day = "UPDATE erasure.suspects SET noted_at = noted_at - interval '25 hours'";
    sqlx::raw_sql(a_day).execute(&mut erasure).await.unwrap();
    assert_eq!(sweeper.sweep(false).await.unwrap().unwrap().erased, 1);
    assert_eq!(sweeper.clear_objects().await.unwrap().removed, 1);
    assert_eq!(there(), [true, false, true, false, true], "what has neither key nor tombstone is left alone");
    let path = only(&operator, &call, "intake").await;
    assert_eq!(content(&operator, &path, "intake").await, (200, b"kept".to_vec()));
    // It passes to a notice under the same name, and is in use all the time.
    handed_over(&operator, &call).await;
    let swept = sweeper.sweep(false).await.unwrap().unwrap();
    assert_eq!((swept.orphans, kept.exists()), (0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_epoch_seals_the_record_anew_and_leaves_the_bytes() {
    let world = World::new().await;
    let (officer, paths, files) = two_files(&world).await;
    let colleague = world.signed_in("officer2").await;
    let (case, _) = paths[0].split_once("/sections/").unwrap();
    let before: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let given = serde_json::json!({ "account": colleague.account, "relation": "assigned", "reason": "absence" });
    assert_eq!(officer.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
    assert_eq!(content(&colleague, &paths[0], "case_work").await.0, 200);
    let thief = stolen_keys(&world, "officer2").await;
    crate::two_persons::take_off(&officer, &world.signed_in("duty1").await, case, colleague.account).await;
    let records = ciphertexts(&world).await;
    let attachments: Vec<_> = records.iter().filter(|record| record.kind == "attachment").collect();
    assert_eq!(attachments.len(), 2);
    for record in attachments {
        assert!(record.version >= 2 && unwrapped(&world, &thief, record).await.is_none());
    }
    let after: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!(before, after);
    for path in &paths {
        assert_eq!(content(&officer, path, "case_work").await.0, 200);
        assert_eq!(content(&colleague, path, "case_work").await.0, 404);
    }
    let heads = sqlx::query("SELECT note FROM case_heads").fetch_one(&mut world.owner().await).await.unwrap();
    assert!(heads.get::<String, _>(0).contains(paths[0].rsplit('/').next().unwrap()), "the head vouches for it");
}
