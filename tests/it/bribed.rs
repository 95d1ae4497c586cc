//! The owner of the database, together with one bribed person whose passphrase he has: he signs as that person, and writes
//! whatever he likes. He gets nothing that the person could not open before.

use crate::harness::World;
use crate::thief::{ciphertexts, erasure_key, opens, stolen_keys, unwrapped};
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::guard::action::Relation;
use himaya::guard::bytes::{self, Context};
use himaya::guard::keys::{PersonKeys, RecordKey};
use himaya::guard::record::{AccountId, CaseId, GrantId};
use himaya::guard::statement::{self, AccessReason, CaseHead, GrantStatement, TeamLine};
use serde_json::{Value, json};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

/// The key of the owner's own making, which he would like others to seal under.
const HIS: [u8; 32] = [7; 32];

async fn run(owner: &mut PgConnection, statement: &'static str, case: Uuid) {
    sqlx::query(statement).bind(case).execute(owner).await.unwrap();
}

/// Everything on the case that these keys open.
async fn opened(world: &World, keys: &PersonKeys) -> usize {
    let mut opened = 0;
    for record in ciphertexts(world).await {
        if let Some(key) = unwrapped(world, keys, &record).await {
            let erasure = RecordKey::from_stolen(erasure_key(world, record.key).await);
            opened += usize::from(opens(&record, &key.content_key(&erasure)));
        }
    }
    opened
}

/// Every permission signed anew by the bribed colleague, one of their own among them, and a head that lists it.
async fn forge(world: &World, case: Uuid, bribed: AccountId, keys: &PersonKeys) {
    let mut owner = world.owner().await;
    let rows = sqlx::query("SELECT grant_id, note FROM case_access WHERE case_id = $1").bind(case);
    let mut team = Vec::new();
    for row in rows.fetch_all(&mut owner).await.unwrap() {
        let (id, note): (Uuid, String) = (row.get(0), row.get(1));
        let stated: GrantStatement = statement::unverified(&note).unwrap();
        let note = statement::sign(&stated, bribed, keys).unwrap();
        team.push(TeamLine::of(GrantId(id), &note, None));
        let again = sqlx::query("UPDATE case_access SET note = $1 WHERE grant_id = $2").bind(note).bind(id);
        again.execute(&mut owner).await.unwrap();
    }
    let own = GrantStatement {
        grant: GrantId::random(),
        case: CaseId(case),
        account: bribed,
        relation: Relation::Assigned,
        reason: AccessReason::NoticeAccepted,
        at: world.clock.now(),
        window: None,
        absence: None,
        opening: None,
        sections: None,
    };
    let note = statement::sign(&own, bribed, keys).unwrap();
    team.push(TeamLine::of(own.grant, &note, None));
    let planted = "INSERT INTO case_access (grant_id, case_id, account_id, relation, note, started_at)
                   VALUES ($1, $2, $3, 'assigned', $4, now())";
    let planted = sqlx::query(planted).bind(own.grant.0).bind(case).bind(bribed.0).bind(note);
    planted.execute(&mut owner).await.unwrap();
    let head: String = sqlx::query_scalar("SELECT note FROM case_heads WHERE case_id = $1")
        .bind(case)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let mut head: CaseHead = statement::unverified(&head).unwrap();
    head.team = team;
    let note = statement::sign(&head, bribed, keys).unwrap();
    let forged = sqlx::query("UPDATE case_heads SET note = $1, signer_id = $2 WHERE case_id = $3");
    forged.bind(note).bind(bribed.0).bind(case).execute(&mut owner).await.unwrap();
    run(&mut owner, "UPDATE cases SET epoch_pending = true WHERE id = $1", case).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bribed_colleague_is_not_put_on_a_case_by_a_head_of_their_own_signing() {
    for handle in ["ssupervisor1", "duty2"] {
        let world = World::new().await;
        let played = story::play(&world.country).await.unwrap();
        let officer = world.signed_in("officer1").await;
        let keys = stolen_keys(&world, handle).await;
        let bribed = AccountId(world.country.person(handle).unwrap().account);
        assert_eq!(opened(&world, &keys).await, 0);
        forge(&world, played.case, bribed, &keys).await;
        // An honest officer looks at the case, and would make the pending epoch.
        let read = officer.get(&format!("/api/v1/cases/{}", played.case), "case_work").await.unwrap();
        assert_eq!((read.status, read.code()), (500, "fault"), "{handle}: {}", read.text);
        assert_eq!(opened(&world, &keys).await, 0, "{handle}");
    }
}

/// A blob of the owner's own in the place of a record's, under his key, which is wrapped to everybody who had the other.
async fn plant(world: &World, record: Uuid, kind: &str, says: &Value, author: Uuid, keys: &PersonKeys) {
    let mut owner = world.owner().await;
    let erasure = RecordKey::from_stolen(erasure_key(world, record).await);
    let under = RecordKey::from_stolen(HIS).content_key(&erasure);
    let context = Context::new("sealed", record.into_bytes(), kind, 1, 1);
    let blob = bytes::seal(&under, 1, &context, &serde_json::to_vec(says).unwrap()).unwrap();
    let signature = keys.stolen_signature(&context, &blob);
    let planted = sqlx::query("UPDATE sealed SET blob = $1, author = $2, signature = $3 WHERE record_id = $4");
    planted.bind(blob).bind(author).bind(signature).bind(record).execute(&mut owner).await.unwrap();
    let wraps = "SELECT recipient_account, recipient_key,
                        COALESCE((SELECT kem_public FROM account_keys WHERE account_id = recipient_account),
                                 (SELECT public_key FROM shared_keys WHERE id = recipient_key))
                 FROM wraps WHERE key_id = $1";
    let wraps = sqlx::query(wraps).bind(record).fetch_all(&mut owner).await.unwrap();
    assert!(wraps.len() > 1);
    for row in wraps {
        let (account, shared, public): (Option<Uuid>, Option<Uuid>, Vec<u8>) = (row.get(0), row.get(1), row.get(2));
        let wrap = himaya::guard::theft::wrap_to_anybody(&public, HIS, record, 1);
        let again = "UPDATE wraps SET wrap = $1 WHERE key_id = $2 AND recipient_account IS NOT DISTINCT FROM $3
                     AND recipient_key IS NOT DISTINCT FROM $4";
        sqlx::query(again).bind(wrap).bind(record).bind(account).bind(shared).execute(&mut owner).await.unwrap();
    }
}

async fn worker(world: &World) -> (Uuid, PersonKeys) {
    (world.country.person("worker1").unwrap().account, stolen_keys(world, "worker1").await)
}

async fn cry_for_help(operator: &Actor) -> Uuid {
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "they are at the gate" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let sent = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text);
    sent.id("id")
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_types_on_under_a_key_that_was_planted() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let body = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "hello" } });
    let call = operator.post("/api/v1/calls", &body).await.unwrap();
    let (author, keys) = worker(&world).await;
    let content = json!({ "safe_to_talk": "yes", "kind": "crisis" });
    plant(&world, call.id("id"), "call", &content, author, &keys).await;
    let more = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "her name is Leyla" } });
    let path = format!("/api/v1/calls/{}", call.id("id"));
    let saved = operator.put(&path, call.etag.as_deref().unwrap(), &more).await.unwrap();
    assert_eq!((saved.status, saved.code()), (500, "fault"), "{}", saved.text);
    assert_eq!(operator.get(&path, "intake").await.unwrap().status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_was_written_anew_is_neither_read_nor_accepted() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let notice = cry_for_help(&operator).await;
    let (author, keys) = worker(&world).await;
    let call = json!({ "safe_to_talk": "yes", "kind": "crisis", "said": "go to the wrong house" });
    plant(&world, notice, "notice", &json!({ "basis": "child", "call": call }), author, &keys).await;
    let path = format!("/api/v1/notices/{notice}");
    let read = duty.get(&path, "intake").await.unwrap();
    assert_eq!((read.status, read.code()), (500, "fault"), "{}", read.text);
    assert_eq!(duty.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap().status, 200);
    assert_eq!(duty.post(&format!("{path}/accept"), &json!({})).await.unwrap().status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_notice_goes_to_the_supervisors_of_who_sealed_it_whatever_the_row_says() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    world.signed_in("ssupervisor1").await;
    let notice = cry_for_help(&operator).await;
    let path = format!("/api/v1/notices/{notice}");
    assert_eq!(duty.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let turned = "UPDATE notices SET sender_organisation_id = squad_id WHERE id = $1";
    run(&mut world.owner().await, turned, notice).await;
    let back = duty.post(&format!("{path}/return"), &json!({ "code": "known_already" })).await.unwrap();
    assert_eq!((back.status, back.code()), (500, "fault"), "{}", back.text);
    assert_eq!(opened(&world, &stolen_keys(&world, "ssupervisor1").await).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_to_nobody_is_a_fault_and_not_an_empty_list() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let notice = cry_for_help(&operator).await;
    let text = json!({ "text": "they moved her to platform two" });
    let addendum = operator.post(&format!("/api/v1/slips/{notice}/addenda"), &text).await.unwrap().id("id");
    run(&mut world.owner().await, "DELETE FROM wraps WHERE key_id = $1", addendum).await;
    let path = format!("/api/v1/notices/{notice}");
    assert_eq!(duty.get(&path, "intake").await.unwrap().status, 500);
    assert_eq!(duty.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap().status, 200);
    assert_eq!(duty.post(&format!("{path}/accept"), &json!({})).await.unwrap().status, 500);
    // The desk's key in nobody's hand: what would be sealed to it is refused, until somebody makes the next one.
    let gone = "DELETE FROM shared_key_wraps w USING shared_keys k WHERE k.id = w.key_id AND k.purpose = 'intake' AND $1 <> k.id";
    run(&mut world.owner().await, gone, notice).await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let hand_over = format!("/api/v1/calls/{call}/hand-over");
    let refused = operator.post(&hand_over, &json!({ "basis": "child" })).await.unwrap();
    assert_eq!((refused.status, refused.code()), (503, "squad_not_reachable"), "{}", refused.text);
    duty.sign_in().await.unwrap();
    let sent = operator.post(&hand_over, &json!({ "basis": "child" })).await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text);
    let read = duty.get(&format!("/api/v1/notices/{}", sent.id("id")), "intake").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
}
