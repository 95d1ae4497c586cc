//! The owner of the database changes rows behind the service: each change is refused or found.

use crate::harness::World;
use crate::story::whole_ledger;
use himaya::audit::mark::RowKind;
use himaya::audit::verify::{Finding, Kept, verify};
use himaya::demo::story;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

async fn change(connection: &mut PgConnection, statement: &str, id: Uuid) -> u64 {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    sqlx::query(statement).bind(id).execute(connection).await.unwrap().rows_affected()
}

async fn section_id(world: &World, case: Uuid, kind: &str) -> Uuid {
    sqlx::query_scalar("SELECT id FROM sections WHERE case_id = $1 AND kind = $2 ORDER BY id LIMIT 1")
        .bind(case)
        .bind(kind)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_blob_does_not_open() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let (narrative, legal) =
        (section_id(&world, played.case, "narrative").await, section_id(&world, played.case, "legal").await);
    let path = format!("/api/v1/cases/{}/sections/legal", played.case);
    assert_eq!(officer.get(&path, "case_work").await.unwrap().status, 200);
    let moved = "UPDATE sealed t SET blob = s.blob, signature = s.signature, author = s.author FROM sealed s
                 WHERE s.record_id = $1 AND t.record_id = $2";
    sqlx::query(moved).bind(narrative).bind(legal).execute(&mut world.owner().await).await.unwrap();
    let read = officer.get(&path, "case_work").await.unwrap();
    assert_eq!((read.status, read.code()), (500, "fault"));
    assert!(!read.text.contains("waitress"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_moved_with_its_key_does_not_open_in_another_place() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut drafts = Vec::new();
    for said in ["the first caller", "the second caller"] {
        let body = json!({ "content": { "safe_to_talk": "yes", "said": said } });
        drafts.push(operator.post("/api/v1/calls", &body).await.unwrap().id("id"));
    }
    // The same person's, of the same kind, signed by its author, with the wraps of its own key: only the place is another.
    let moved = "UPDATE sealed t SET blob = s.blob, signature = s.signature, author = s.author, key_id = s.key_id
                 FROM sealed s WHERE s.record_id = $1 AND t.record_id = $2";
    sqlx::query(moved).bind(drafts[0]).bind(drafts[1]).execute(&mut world.owner().await).await.unwrap();
    let read = operator.get(&format!("/api/v1/calls/{}", drafts[1]), "intake").await.unwrap();
    assert_eq!((read.status, read.code()), (500, "fault"), "{}", read.text);
    assert_eq!(operator.get(&format!("/api/v1/calls/{}", drafts[0]), "intake").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_put_back_is_refused_and_with_its_old_head_it_is_found() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let id = section_id(&world, played.case, "narrative").await;
    let path = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let mut owner = world.owner().await;
    sqlx::raw_sql("CREATE TABLE kept AS SELECT * FROM sealed; CREATE TABLE kept_heads AS SELECT * FROM case_heads;")
        .execute(&mut owner)
        .await
        .unwrap();
    let read = officer.get(&path, "case_work").await.unwrap();
    let mut content = read.body["content"].clone();
    content["text"] = json!("She withdrew the first account.");
    assert_eq!(officer.put(&path, read.etag.as_deref().unwrap(), &content).await.unwrap().status, 200);

    let back = "UPDATE sealed t SET version = k.version, blob = k.blob, signature = k.signature, author = k.author, vouch = k.vouch
                FROM kept k WHERE k.record_id = t.record_id AND t.record_id = $1";
    assert_eq!(change(&mut owner, back, id).await, 1);
    assert_eq!(officer.get(&path, "case_work").await.unwrap().status, 500);

    let head = "UPDATE case_heads t SET number = k.number, note = k.note, signer_id = k.signer_id, vouch = k.vouch
                FROM kept_heads k WHERE k.case_id = t.case_id AND t.case_id = $1";
    assert_eq!(change(&mut owner, head, played.case).await, 1);
    // With its own head it opens again: what finds it is the ledger.
    assert_eq!(officer.get(&path, "case_work").await.unwrap().status, 200);
    world.stop().await;
    let keys = world.app.log_keys().unwrap();
    let report = verify(&world.app.databases.auditor, &keys, &[], true).await.unwrap();
    let found = |wanted: fn(&Finding) -> Option<Uuid>| report.findings.iter().filter_map(wanted).collect::<Vec<_>>();
    let sections = found(|finding| match finding {
        Finding::OldVersionPutBack { record, .. } => Some(*record),
        _ => None,
    });
    let heads = found(|finding| match finding {
        Finding::RowPutBack { kind: RowKind::CaseHead, row } => Some(*row),
        _ => None,
    });
    assert_eq!((sections, heads), (vec![id], vec![played.case]), "{:?}", report.findings);
    assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_public_key_is_nobodys() {
    let world = World::new().await;
    let (duty, officer2) = (world.signed_in("duty1").await, world.country.person("officer2").unwrap().clone());
    let played = story::play(&world.country).await.unwrap();
    // The thief's own key in the place of the colleague's, in the table and in the statement.
    let mut owner = world.owner().await;
    let swap = "UPDATE account_keys SET kem_public = decode(repeat('09', 32), 'hex') WHERE account_id = $1";
    assert_eq!(change(&mut owner, swap, officer2.account).await, 1);
    let given = json!({ "account": officer2.account, "relation": "assigned", "reason": "shift_change" });
    let path = format!("/api/v1/cases/{}/access", played.case);
    // The table alone is never asked: what counts is the statement.
    let reply = duty.post(&path, &given).await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text);
    let (case, officer) = (format!("/api/v1/cases/{}", played.case), world.signed_in("officer1").await);
    crate::two_persons::take_off(&duty, &officer, &case, officer2.account).await;
    let swap = r#"UPDATE memberships SET note = regexp_replace(note, '"kem":"[0-9a-f]{64}"', '"kem":"' || repeat('09', 32) || '"')
                  WHERE account_id = $1"#;
    assert_eq!(change(&mut owner, swap, officer2.account).await, 1);
    let refused = duty.post(&path, &given).await.unwrap();
    assert_eq!((refused.status, refused.code()), (422, "invalid"), "{}", refused.text);
    // The person whose statement was changed has no role any more.
    officer2.sign_in().await.unwrap();
    assert_eq!(officer2.get("/api/v1/cases", "case_work").await.unwrap().status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_officer_is_nobody() {
    let world = World::new().await;
    let (admin, duty) = (world.signed_in("admin1").await, world.signed_in("duty1").await);
    let squad = world.country.organisations["squad"];
    // An administrator's account, enrolled by the bribed administrator, with a membership row of the owner's making.
    let made = admin.post("/api/v1/accounts", &json!({ "organisation": squad, "handle": "ghost" })).await.unwrap();
    let ghost = himaya::demo::actor::Actor::enrol(&world.base, "ghost", made.text_of("enrolment_code")).await.unwrap();
    // It names the ghost and the ghost's own keys; only the two signatures under it are another's.
    let forge = r#"INSERT INTO memberships (id, account_id, organisation_id, note, complete, proposed_at)
                   SELECT gen_random_uuid(), $1, organisation_id,
                          regexp_replace(regexp_replace(replace(note, m.account_id::text, $1::text),
                              '"kem":"[0-9a-f]{64}"', '"kem":"' || encode(k.kem_public, 'hex') || '"'),
                              '"sign":"[0-9a-f]{64}"', '"sign":"' || encode(k.sign_public, 'hex') || '"'), true, now()
                   FROM memberships m, account_keys k
                   WHERE complete AND m.organisation_id = (SELECT organisation_id FROM accounts WHERE id = $1)
                     AND k.account_id = $1 LIMIT 1"#;
    assert_eq!(change(&mut world.owner().await, forge, ghost.account).await, 1);
    ghost.sign_in().await.unwrap();
    for (path, purpose) in [("/api/v1/notices", "intake"), ("/api/v1/cases", "case_work")] {
        assert_eq!(ghost.get(path, purpose).await.unwrap().status, 403);
    }
    let played = story::play(&world.country).await.unwrap();
    let given = json!({ "account": ghost.account, "relation": "assigned", "reason": "workload" });
    let refused = duty.post(&format!("/api/v1/cases/{}/access", played.case), &given).await.unwrap();
    assert_eq!(refused.status, 422, "{}", refused.text);
    // No shared key was wrapped to the ghost either.
    let wraps: i64 = sqlx::query_scalar("SELECT count(*) FROM shared_key_wraps WHERE account_id = $1")
        .bind(ghost.account)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    assert_eq!(wraps, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_that_is_not_pinned_receives_nothing() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let pins = std::fs::read_to_string(&world.app.config.pins).unwrap();
    let without: Vec<&str> = pins.lines().filter(|line| !line.contains("# squad")).collect();
    std::fs::write(&world.app.config.pins, without.join("\n")).unwrap();
    // A replica that starts with these pins knows no squad.
    let (_app, serving, base) = world.replica().await;
    let operator = operator.at(&base);
    let opened = operator
        .post("/api/v1/calls", &json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } }))
        .await
        .unwrap();
    assert_eq!(opened.status, 201, "{}", opened.text);
    let path = format!("/api/v1/calls/{}/hand-over", opened.id("id"));
    let refused = operator.post(&path, &json!({ "basis": "pseudonymous" })).await.unwrap();
    assert_eq!((refused.status, refused.code()), (503, "squad_not_reachable"));
    let kept = operator.get(&format!("/api/v1/calls/{}", opened.id("id")), "intake").await.unwrap();
    assert_eq!(kept.status, 200);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_or_edited_entry_is_found_by_name() {
    let mut world = World::new().await;
    story::play(&world.country).await.unwrap();
    world.stop().await;
    whole_ledger(&world).await;
    let saved = std::fs::read_to_string(world.app.config.checkpoints.join("checkpoint")).unwrap();
    let keys = world.app.log_keys().unwrap();
    for (tamper, undo, is_it) in [
        (
            "UPDATE ledger_entries e SET leaf = set_byte(leaf, 100, get_byte(leaf, 100) # 1) FROM ledger_tree t
             WHERE t.position = 5 AND t.replica = e.replica AND t.lane = e.lane AND t.n = e.n",
            "UPDATE ledger_entries e SET leaf = set_byte(leaf, 100, get_byte(leaf, 100) # 1) FROM ledger_tree t
             WHERE t.position = 5 AND t.replica = e.replica AND t.lane = e.lane AND t.n = e.n",
            (|finding| matches!(finding, Finding::EntryEdited { position: 5, .. })) as fn(&Finding) -> bool,
        ),
        (
            "CREATE TABLE gone AS SELECT e.* FROM ledger_entries e JOIN ledger_tree t USING (replica, lane, n)
             WHERE t.position = 7; DELETE FROM ledger_entries e USING gone g
             WHERE g.replica = e.replica AND g.lane = e.lane AND g.n = e.n",
            "INSERT INTO ledger_entries SELECT * FROM gone",
            |finding| matches!(finding, Finding::EntryDeleted { position: 7, .. }),
        ),
        (
            "CREATE TABLE tail AS SELECT * FROM ledger_tree WHERE position > 20;
             CREATE TABLE points AS SELECT * FROM ledger_checkpoints WHERE size > 20;
             DELETE FROM ledger_tree WHERE position > 20; DELETE FROM ledger_checkpoints WHERE size > 20",
            "INSERT INTO ledger_tree SELECT * FROM tail; INSERT INTO ledger_checkpoints SELECT * FROM points",
            |finding| matches!(finding, Finding::EntriesGone { kept: Kept::Outside, leaves: 21, .. }),
        ),
    ] {
        let mut owner = world.owner().await;
        sqlx::raw_sql(tamper).execute(&mut owner).await.unwrap();
        let saved = std::slice::from_ref(&saved);
        let report = verify(&world.app.databases.auditor, &keys, saved, false).await.unwrap();
        assert!(report.findings.iter().any(is_it), "not found: {tamper} {:?}", report.findings);
        sqlx::raw_sql(undo).execute(&mut owner).await.unwrap();
        let report = verify(&world.app.databases.auditor, &keys, saved, false).await.unwrap();
        assert!(report.ok(), "found after it was undone: {tamper}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_had_ended_and_is_put_back_is_refused_and_no_key_is_wrapped_to_it() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, colleague) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    // The story gave the colleague access and took it away: the owner of the database gives it back, signature and all.
    let back = "UPDATE case_access SET ended_at = NULL WHERE account_id = $1";
    assert_eq!(change(&mut world.owner().await, back, colleague.account).await, 1);
    let case = format!("/api/v1/cases/{}", played.case);
    assert_ne!(colleague.get(&format!("{case}/sections/narrative"), "case_work").await.unwrap().status, 200);
    let write = officer.post(&format!("{case}/notes"), &json!({ "text": "a note" })).await.unwrap();
    assert_eq!((write.status, write.code()), (500, "fault"));
    let person = officer.post(&format!("{case}/persons"), &json!({ "category": "witness" })).await.unwrap();
    assert_eq!((person.status, person.code()), (500, "fault"));
    let wraps: i64 = sqlx::query_scalar("SELECT count(*) FROM wraps WHERE recipient_account = $1")
        .bind(colleague.account)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    assert_eq!(wraps, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_notice_put_back_as_it_came_in_is_refused() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "they are at the gate" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let sent = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
    let notice = format!("/api/v1/notices/{}", sent.id("id"));
    let mut owner = world.owner().await;
    sqlx::raw_sql("CREATE TABLE kept AS SELECT * FROM sealed; CREATE TABLE kept_wraps AS SELECT * FROM wraps;")
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    assert_eq!(duty.post(&format!("{notice}/accept"), &json!({})).await.unwrap().status, 201);
    assert_eq!(duty.get(&notice, "case_work").await.unwrap().status, 200);
    // With the wraps of that time: who accepted it still holds the desk's key, and it would open.
    for back in [
        "DELETE FROM sealed WHERE record_id = $1",
        "INSERT INTO sealed SELECT * FROM kept WHERE record_id = $1",
        "DELETE FROM wraps WHERE key_id = $1",
        "INSERT INTO wraps SELECT * FROM kept_wraps WHERE key_id = $1",
    ] {
        assert!(change(&mut owner, back, sent.id("id")).await > 0);
    }
    let read = duty.get(&notice, "case_work").await.unwrap();
    assert_eq!((read.status, read.code()), (500, "fault"), "{}", read.text);
}
