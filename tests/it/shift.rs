//! What time does: drafts are abandoned, INTAKE epochs change, closed calls go to the supervisor.

use crate::harness::World;
use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_call_and_an_abandoned_draft_are_the_supervisors_and_no_longer_the_operators() {
    let world = World::new().await;
    let (operator, supervisor) = (world.signed_in("operator1").await, world.signed_in("hsupervisor1").await);
    let content = json!({ "content": { "safe_to_talk": "yes", "kind": "information", "said": "asked about visas" } });
    let closed = operator.post("/api/v1/calls", &content).await.unwrap().id("id");
    let abandoned = operator.post("/api/v1/calls", &content).await.unwrap().id("id");
    let path = |id: Uuid| format!("/api/v1/calls/{id}");
    for id in [closed, abandoned] {
        assert_eq!(supervisor.get(&path(id), "supervision").await.unwrap().status, 404, "a live draft");
    }
    let end = operator.post(&format!("{}/close", path(closed)), &json!({ "outcome": "closed" })).await.unwrap();
    assert_eq!(end.status, 200, "{}", end.text);
    // The shift ends: the database's own clock decides, so the row is moved back instead.
    for statement in [
        "UPDATE calls SET opened_at = opened_at - interval '13 hours', expires_at = expires_at - interval '13 hours' WHERE id = $1",
        "UPDATE wraps SET active_from = active_from - interval '13 hours', active_until = active_until - interval '13 hours'
         WHERE key_id = $1",
    ] {
        sqlx::query(statement).bind(abandoned).execute(&mut world.owner().await).await.unwrap();
    }
    for id in [closed, abandoned] {
        assert_eq!(operator.get(&path(id), "intake").await.unwrap().status, 404);
        let read = supervisor.get(&path(id), "supervision").await.unwrap();
        assert_eq!(
            (read.status, read.body["content"]["said"].as_str()),
            (200, Some("asked about visas")),
            "{}",
            read.text
        );
        assert_eq!(supervisor.get(&path(id), "intake").await.unwrap().status, 404, "the purpose counts");
    }
    let again = operator.put(&path(abandoned), "\"1\"", &content).await.unwrap();
    assert_eq!(again.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intake_epoch_lasts_a_day_open_notices_pass_on_and_its_private_key_is_erased() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "come quickly" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let sent = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &json!({ "basis": "child" })).await.unwrap();
    let notice = sent.id("id");
    operator.post(&format!("/api/v1/slips/{notice}/addenda"), &json!({ "text": "the back door" })).await.unwrap();
    let epoch = async || -> Uuid {
        sqlx::query_scalar("SELECT intake_key_id FROM notices WHERE id = $1")
            .bind(notice)
            .fetch_one(&mut world.owner().await)
            .await
            .unwrap()
    };
    let first = epoch().await;
    for hours in [13, 13] {
        world.clock.advance(TimeDelta::hours(hours));
        duty.refresh().await.unwrap_or(());
        duty.elsewhere().sign_in().await.unwrap();
    }
    let colleague = world.signed_in("duty2").await;
    let read = colleague.get(&format!("/api/v1/notices/{notice}"), "intake").await.unwrap();
    assert_eq!(read.body["content"]["call"]["said"], "come quickly", "{}", read.text);
    assert_eq!(read.body["addenda"][0]["text"], "the back door");
    assert_eq!(read.body["escalation"], "overdue");
    assert_ne!(epoch().await, first);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM shared_key_wraps WHERE key_id = $1")
        .bind(first)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap();
    assert_eq!(left, 0, "the private key of an emptied epoch is erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_responsible_person_alone_admits_nobody() {
    let world = World::new().await;
    let (admin, first) = (world.signed_in("admin1").await, world.signed_in("ssupervisor1").await);
    let squad = world.country.organisations["squad"];
    let made = admin.post("/api/v1/accounts", &json!({ "organisation": squad, "handle": "recruit" })).await.unwrap();
    let recruit =
        himaya::demo::actor::Actor::enrol(&world.base, "recruit", made.text_of("enrolment_code")).await.unwrap();
    let path = format!("/api/v1/organisations/{squad}/members");
    let mut body = json!({ "account": recruit.account, "role": "duty_officer", "key_fingerprint": "0000 0000" });
    let other_key = first.post(&path, &body).await.unwrap();
    assert_eq!((other_key.status, other_key.body["errors"][0]["field"].as_str()), (422, Some("key_fingerprint")));
    body["key_fingerprint"] = json!(recruit.key_fingerprint);
    body["role"] = json!("auditor");
    let other_role = first.post(&path, &body).await.unwrap();
    assert_eq!((other_role.status, other_role.body["errors"][0]["field"].as_str()), (422, Some("role")));
    body["role"] = json!("duty_officer");
    let proposed = first.post(&path, &body).await.unwrap();
    assert_eq!(proposed.status, 201, "{}", proposed.text);
    let sign = json!({ "fingerprint": proposed.text_of("fingerprint") });
    let path = format!("{path}/{}/countersign", proposed.id("id"));
    let alone = first.post(&path, &sign).await.unwrap();
    assert_eq!((alone.status, alone.code()), (409, "signed_already"));
    recruit.sign_in().await.unwrap();
    assert_eq!(recruit.get("/api/v1/notices", "intake").await.unwrap().status, 403);
    // A responsible person of another organisation is a stranger here.
    let stranger = world.signed_in("hsupervisor1").await.post(&path, &sign).await.unwrap();
    assert_eq!(stranger.status, 404);
    let second = world.signed_in("ssupervisor2").await;
    assert_eq!(second.post(&path, &sign).await.unwrap().status, 200);
    recruit.sign_in().await.unwrap();
    assert_eq!(recruit.get("/api/v1/notices", "intake").await.unwrap().status, 200);
}
