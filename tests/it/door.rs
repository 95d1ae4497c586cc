//! Before the door and behind it: what is asked again at each step, what is left of who never came, and who cares from then on.

use crate::shelter::{Placing, etag, status};
use chrono::TimeDelta;
use himaya::demo::actor::Reply;
use himaya::demo::stay::{CONDITIONS, said};
use serde_json::json;
use uuid::Uuid;

async fn certify(placing: &Placing, conditions: &[&str]) {
    let body = json!({ "conditions": conditions, "expires_at": placing.world.clock.now() + TimeDelta::days(100) });
    let path = format!("/api/v1/accommodations/{}/certificates", placing.played.house);
    assert_eq!(placing.manager.post(&path, &body).await.unwrap().status, 201);
}

async fn name(placing: &Placing, placement: &str, workers: &[Uuid]) -> Reply {
    let named = json!({ "workers": workers });
    let etag = etag(&placing.manager, placement).await;
    placing.manager.put(&format!("{placement}/workers"), &etag, &named).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_door_everything_is_asked_again() {
    let placing = Placing::new().await;
    let agreed = json!({ "source": "person", "explained": "You may leave.", "language": "az" });
    let steps =
        [("matched", "consent", agreed), ("consented", "transport", json!({})), ("transported", "admit", json!({}))];
    for (before, step, body) in steps {
        let placement = placing.placed(before).await;
        // The manager goes on in the place of the worker whose training has lapsed.
        let who = if step == "admit" { &placing.manager } else { &placing.officer };
        let refused = async |code: &str| {
            let reply = who.post(&format!("{placement}/{step}"), &body).await.unwrap();
            assert_eq!((reply.status, reply.code()), (409, code), "{step}: {}", reply.text);
        };
        certify(&placing, &CONDITIONS[1..]).await;
        refused("accommodation_unfit").await;
        certify(&placing, &CONDITIONS).await;
        let lapsed = format!("UPDATE trainings SET expires_at = now() WHERE account_id = '{}'", placing.worker.account);
        placing.sql(lapsed).await;
        refused("nobody_trained").await;
        let now = placing.world.clock.now();
        let again = json!({ "account": placing.worker.account, "course": "care_for_victims",
                            "passed_at": now - TimeDelta::days(1), "expires_at": now + TimeDelta::days(9) });
        assert_eq!(placing.manager.post("/api/v1/trainings", &again).await.unwrap().status, 201);
        if step == "consent" {
            // That she agrees is not for the house to say.
            for person in [&placing.worker, &placing.manager] {
                assert_eq!(person.post(&format!("{placement}/{step}"), &body).await.unwrap().status, 404);
            }
        }
        let done = who.post(&format!("{placement}/{step}"), &body).await.unwrap();
        assert_eq!(done.status, 200, "{step}: {}", done.text);
        assert_eq!(placing.officer.post(&format!("{placement}/exit"), &json!({})).await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_ran_out_on_the_way_is_asked_for_again_at_the_door() {
    let placing = Placing::new().await;
    let shelter = placing.world.country.organisations["accommodation"];
    let first: Uuid =
        sqlx::query_scalar("SELECT id FROM consents").fetch_one(&mut placing.world.owner().await).await.unwrap();
    let back = placing.officer.post(&format!("/api/v1/consents/{first}/withdraw"), &json!({})).await.unwrap();
    assert_eq!(back.status, 200, "{}", back.text);
    let mut yes = said(shelter, "care", "placement", "given");
    yes["expires_at"] = json!(placing.world.clock.now() + TimeDelta::minutes(2));
    let consents = format!("{}/persons/{}/consents", placing.case(), placing.played.person);
    assert_eq!(placing.officer.post(&consents, &yes).await.unwrap().status, 201);
    let placement = placing.placed("transported").await;
    placing.world.clock.advance(TimeDelta::minutes(3));
    let refused = placing.worker.post(&format!("{placement}/admit"), &json!({})).await.unwrap();
    assert_eq!((refused.status, refused.code()), (409, "no_consent"), "{}", refused.text);
    assert_eq!(placing.says("accommodation", "care", "placement", "given").await.status, 201);
    assert_eq!(placing.worker.post(&format!("{placement}/admit"), &json!({})).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_before_arriving_leaves_the_shelter_nothing() {
    let placing = Placing::new().await;
    let shelter = placing.world.country.organisations["accommodation"];
    for state in ["matched", "consented", "transported"] {
        let placement = placing.placed(state).await;
        assert_eq!(status(&placing.worker, &placement, "care").await, 200);
        let read = etag(&placing.manager, &placement).await;
        let left = placing.officer.post(&format!("{placement}/exit"), &json!({})).await.unwrap();
        assert_eq!(left.text_of("state"), "exited_by_person", "{}", left.text);
        for who in [&placing.worker, &placing.manager] {
            assert_eq!(status(who, &placement, "care").await, 404, "{state}");
        }
        // Nor names anybody by what was read while the placement was theirs.
        let named = json!({ "workers": [placing.worker.account] });
        let named = placing.manager.put(&format!("{placement}/workers"), &read, &named).await.unwrap();
        assert_eq!(named.status, 404, "{state}");
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM wraps w JOIN placements p ON p.id = w.key_id
             LEFT JOIN accounts a ON a.id = w.recipient_account LEFT JOIN shared_keys k ON k.id = w.recipient_key
             WHERE COALESCE(a.organisation_id, k.organisation_id) = $1",
        )
        .bind(shelter)
        .fetch_one(&mut placing.world.owner().await)
        .await
        .unwrap();
        assert_eq!(left, 0, "{state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_take_a_carer_away_nothing_is_asked_and_to_name_one_everything() {
    let placing = Placing::new().await;
    let (worker, other) = (placing.worker.account, placing.world.signed_in("worker2").await);
    let placement = placing.placed("admitted").await;
    assert_eq!(name(&placing, &placement, &[worker, other.account]).await.status, 200);
    // The certificate has lapsed, the person refuses, and the carer who stays was never asked for a new training.
    certify(&placing, &CONDITIONS[1..]).await;
    let no = placing.says("accommodation", "care", "placement", "refused").await;
    assert_eq!(no.status, 201, "{}", no.text);
    placing.sql(format!("UPDATE trainings SET expires_at = now() WHERE account_id = '{worker}'")).await;
    let removed = name(&placing, &placement, &[worker]).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    assert_eq!(status(&other, &placement, "care").await, 404);
    let anew = name(&placing, &placement, &[worker, other.account]).await;
    assert_eq!((anew.status, anew.code()), (409, "sharing_refused"), "{}", anew.text);
    let back = placing.officer.post(&format!("/api/v1/consents/{}/withdraw", no.id("id")), &json!({})).await.unwrap();
    assert_eq!(back.status, 200, "{}", back.text);
    let anew = name(&placing, &placement, &[worker, other.account]).await;
    assert_eq!((anew.status, anew.code()), (409, "accommodation_unfit"), "{}", anew.text);
    // When the stay is over the house need not be fit, and the person's word still counts.
    assert_eq!(placing.officer.post(&format!("{placement}/exit"), &json!({})).await.unwrap().status, 200);
    assert_eq!(placing.says("accommodation", "care", "placement", "refused").await.status, 201);
    let after = name(&placing, &placement, &[worker, other.account]).await;
    assert_eq!((after.status, after.code()), (409, "sharing_refused"), "{}", after.text);
}
