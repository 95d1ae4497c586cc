//! Requests whose client goes away at every await: each is done wholly or not at all.

use crate::harness::World;
use crate::ledger::{comes_true, given_up, pool_is_sound};
use crate::story::whole_ledger;
use chrono::{DateTime, TimeDelta, Utc};
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

/// After how many polls the clients go away: one of them at once, and the last after the end.
const POLLS: std::ops::Range<usize> = 0..8;

/// One row of JSON about a record, in one snapshot.
async fn about(connection: &mut PgConnection, statement: &'static str, id: Uuid) -> Value {
    sqlx::query_scalar(statement).bind(id).fetch_one(connection).await.unwrap()
}

async fn post(actor: &Actor, path: &str, body: &Value) -> reqwest::RequestBuilder {
    let key = himaya::platform::random::uuid().to_string();
    actor.request(Method::POST, path).await.header("idempotency-key", key).json(body)
}

async fn call(operator: &Actor, said: &str) -> Reply {
    let content = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": said } });
    let opened = operator.post("/api/v1/calls", &content).await.unwrap();
    assert_eq!(opened.status, 201, "{}", opened.text);
    opened
}

async fn notice(operator: &Actor, said: &str) -> Uuid {
    let path = format!("/api/v1/calls/{}/hand-over", call(operator, said).await.id("id"));
    let sent = operator.post(&path, &json!({ "basis": "vital_interest" })).await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text);
    sent.id("id")
}

/// Nothing leaked into the pool, and the ledger says of everything stored what it is.
async fn all_is_sound(mut world: World) {
    pool_is_sound(&world).await;
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_hand_over_leaves_the_draft_or_the_notice_never_both_and_never_neither() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let (mut owner, mut erasure) = (world.owner().await, world.erasure_owner().await);
    for polls in POLLS {
        let said = format!("the house with number {polls}");
        let opened = call(&operator, &said).await;
        let draft = opened.id("id");
        // Nothing leads from a notice back to its draft, so each gets a moment of its own to be known by.
        let suspected_at: DateTime<Utc> = opened.text_of("opened_at").parse().unwrap();
        let suspected_at = suspected_at - TimeDelta::seconds(i64::try_from(polls).unwrap());
        let path = format!("/api/v1/calls/{draft}");
        let how = json!({ "basis": "vital_interest", "suspected_at": suspected_at });
        given_up(&world, post(&operator, &format!("{path}/hand-over"), &how).await, polls).await;

        let mut now = async || -> (i64, i64, i64, Option<Uuid>) {
            let there = "SELECT (SELECT count(*) FROM calls WHERE id = $1), (SELECT count(*) FROM sealed WHERE key_id = $1),
                                (SELECT count(*) FROM wraps WHERE key_id = $1), (SELECT id FROM notices WHERE suspected_at = $2)";
            sqlx::query_as(there).bind(draft).bind(suspected_at).fetch_one(&mut owner).await.unwrap()
        };
        let is_draft = (1, 1, 3, None);
        if polls == 0 {
            assert_eq!(now().await, is_draft);
            assert_eq!(operator.get(&path, "intake").await.unwrap().body["content"]["said"], said);
            continue;
        }
        let mut handed_over = None;
        comes_true("a hand-over", async || {
            let (calls, sealed, wraps, notice) = now().await;
            assert!(
                (calls, sealed, wraps, notice) == is_draft
                    || (calls, sealed, wraps, notice.is_some()) == (0, 0, 0, true)
            );
            handed_over = notice;
            notice.is_some()
        })
        .await;
        // The draft's erasure key goes after the commit, and whoever gave up does not keep it.
        comes_true("an erasure", async || {
            let erased = "SELECT EXISTS (SELECT FROM erasure.tombstones WHERE key_id = $1)
                             AND NOT EXISTS (SELECT FROM erasure.keys WHERE key_id = $1)";
            sqlx::query_scalar(erased).bind(draft).fetch_one(&mut erasure).await.unwrap()
        })
        .await;
        assert_eq!(operator.get(&path, "intake").await.unwrap().status, 404);
        let read = duty.get(&format!("/api/v1/notices/{}", handed_over.unwrap()), "intake").await.unwrap();
        assert_eq!(read.body["content"]["call"]["said"], said, "{}", read.text);
    }
    all_is_sound(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_acceptance_makes_the_whole_case_or_leaves_the_notice_to_the_intake() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let officer = world.signed_in("officer1").await;
    let mut owner = world.owner().await;
    for polls in POLLS {
        let said = format!("the house with number {polls}");
        let id = notice(&operator, &said).await;
        let more =
            operator.post(&format!("/api/v1/slips/{id}/addenda"), &json!({ "text": "the back door" })).await.unwrap();
        assert_eq!(more.status, 201, "{}", more.text);
        let path = format!("/api/v1/notices/{id}");
        assert_eq!(duty.post(&format!("{path}/acknowledge"), &json!({})).await.unwrap().status, 200);
        let team = json!({ "officers": [officer.account] });
        given_up(&world, post(&duty, &format!("{path}/accept"), &team).await, polls).await;

        let mut now = async || {
            let there = "WITH hanging AS (SELECT $1 AS id UNION ALL SELECT id FROM addenda WHERE notice_id = $1),
                              w AS (SELECT w.*, k.purpose FROM wraps w JOIN hanging h ON h.id = w.key_id
                                    LEFT JOIN shared_keys k ON k.id = w.recipient_key)
                 SELECT json_build_array(n.state, (SELECT count(*) FROM case_access a WHERE a.case_id = n.case_id),
                     (SELECT count(*) FROM case_heads c WHERE c.case_id = n.case_id), (SELECT count(*) FROM cases),
                     (SELECT count(*) FROM sealed s JOIN hanging h ON h.id = s.record_id WHERE s.case_id = n.case_id),
                     (SELECT count(*) FROM w WHERE purpose = 'intake'), (SELECT count(*) FROM w WHERE purpose = 'custody'),
                     (SELECT count(*) FROM w WHERE recipient_account IS NOT NULL))
                 FROM notices n WHERE n.id = $1";
            about(&mut owner, there, id).await
        };
        let cases = polls.saturating_sub(1);
        let waits = json!(["acknowledged", 0, 0, cases, 0, 2, 2, 0]);
        if polls == 0 {
            assert_eq!(now().await, waits);
            assert_eq!(duty.get(&path, "intake").await.unwrap().body["content"]["call"]["said"], said);
            continue;
        }
        let accepted = json!(["accepted", 2, 1, cases + 1, 2, 0, 2, 4]);
        comes_true("an acceptance", async || {
            let now = now().await;
            assert!(now == waits || now == accepted, "{now}");
            now == accepted
        })
        .await;
        for person in [&duty, &officer] {
            let read = person.get(&path, "case_work").await.unwrap();
            assert_eq!(read.body["content"]["call"]["said"], said, "{}", read.text);
            assert_eq!(read.body["addenda"][0]["text"], "the back door", "{}", read.text);
        }
    }
    all_is_sound(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_write_makes_the_pending_epoch_with_its_version_or_neither() {
    let world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, colleague) = (world.signed_in("officer1").await, world.signed_in("officer2").await);
    let supervisor = world.signed_in("ssupervisor1").await;
    let mut owner = world.owner().await;
    let case = format!("/api/v1/cases/{}", played.case);
    let section = format!("{case}/sections/narrative");
    for polls in POLLS {
        // A supervisor takes access away and holds no key, so the next write makes the new epoch.
        let given = json!({ "account": colleague.account, "relation": "granted", "reason": "workload" });
        assert_eq!(officer.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
        assert_eq!(supervisor.delete(&format!("{case}/access/{}", colleague.account)).await.unwrap().status, 200);
        let read = officer.get(&section, "case_work").await.unwrap();
        let mut content = read.body["content"].clone();
        content["text"] = json!(format!("told for the {polls}th time"));
        let mut now = async || {
            let there = "SELECT json_build_array(c.epoch, c.epoch_pending, h.number,
                     (SELECT json_agg(json_build_array(s.epoch, s.version) ORDER BY s.record_id)
                      FROM sealed s WHERE s.case_id = c.id AND s.kind <> 'narrative'),
                     (SELECT json_build_array(s.epoch, s.version) FROM sealed s WHERE s.case_id = c.id AND s.kind = 'narrative'),
                     (SELECT json_agg(DISTINCT w.epoch) FROM wraps w JOIN sealed s USING (key_id) WHERE s.case_id = c.id))
                 FROM cases c JOIN case_heads h ON h.case_id = c.id WHERE c.id = $1";
            about(&mut owner, there, played.case).await
        };
        let before = now().await;
        assert_eq!(before[1], true);
        let mut after = before.clone();
        let next = |number: &mut Value, by: i64| *number = json!(number.as_i64().unwrap() + by);
        next(&mut after[0], 1);
        after[1] = json!(false);
        // One head for the new epoch, and one for the new version.
        next(&mut after[2], 2);
        for record in after[3].as_array_mut().unwrap() {
            next(&mut record[0], 1);
            next(&mut record[1], 1);
        }
        next(&mut after[4][0], 1);
        next(&mut after[4][1], 2);
        after[5] = json!([after[0]]);

        let request =
            officer.request(Method::PUT, &section).await.header("if-match", read.etag.unwrap()).json(&content);
        given_up(&world, request, polls).await;
        if polls == 0 {
            assert_eq!(now().await, before);
            continue;
        }
        comes_true("a write", async || {
            let now = now().await;
            assert!(now == before || now == after, "{now} is neither {before} nor {after}");
            now == after
        })
        .await;
        let read = officer.get(&section, "case_work").await.unwrap();
        assert_eq!(read.body["content"], content, "{}", read.text);
        assert_eq!(colleague.get(&section, "case_work").await.unwrap().status, 404);
    }
    all_is_sound(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_addendum_is_appended_and_sealed_or_is_not_there() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let mut owner = world.owner().await;
    let id = notice(&operator, "the house at the corner").await;
    for polls in POLLS {
        let addendum = json!({ "text": format!("she called for the {polls}th time") });
        let path = format!("/api/v1/slips/{id}/addenda");
        given_up(&world, post(&operator, &path, &addendum).await, polls).await;
        comes_true("an addendum", async || {
            let there = "SELECT json_build_array(count(DISTINCT a.id), count(DISTINCT s.record_id), count(w.key_id))
                 FROM addenda a LEFT JOIN sealed s ON s.record_id = a.id LEFT JOIN wraps w ON w.key_id = s.key_id
                 WHERE a.notice_id = $1";
            let now = about(&mut owner, there, id).await;
            let whole = |added: usize| json!([added, added, 2 * added]);
            assert!(now == whole(polls) || now == whole(polls.saturating_sub(1)), "{now} after {polls}");
            now == whole(polls)
        })
        .await;
    }
    let read = duty.get(&format!("/api/v1/notices/{id}"), "intake").await.unwrap();
    let added: Vec<&str> =
        read.body["addenda"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect();
    let expected: Vec<String> = POLLS.skip(1).map(|polls| format!("she called for the {polls}th time")).collect();
    assert_eq!(added, expected, "{}", read.text);
    all_is_sound(world).await;
}
