//! Houses: who sees them, and what follows when one moves.

use crate::shelter::{Placing, status};
use crate::walls::injected;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::country::{Person, admit};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn only_who_places_people_or_houses_them_sees_a_house_or_counts_its_places() {
    let placing = Placing::new().await;
    placing.placed("admitted").await;
    for (handle, sees) in [
        ("officer1", true),
        ("worker1", true),
        ("coordinator1", false),
        ("statistician1", false),
        ("operator1", false),
        ("admin1", false),
        ("auditor1", false),
        ("nobody", false),
    ] {
        let secret = match handle {
            "nobody" => String::new(),
            _ => placing.world.signed_in(handle).await.secrets().await.1,
        };
        let mut theirs = injected(&placing.world, &secret).await;
        for query in [
            "SELECT count(*) FROM accommodations",
            "SELECT count(*) FROM certificates",
            "SELECT places_taken($1, 'women')",
        ] {
            let query = if query.contains("$1") { query.to_owned() } else { format!("{query} WHERE $1 IS NOT NULL") };
            let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(query.clone()))
                .bind(placing.played.house)
                .fetch_one(&mut theirs)
                .await
                .unwrap();
            assert_eq!(seen, i64::from(sees), "{handle}: {query}");
        }
    }
}

async fn write(manager: &Actor, address: &str, version: &str, to: &str) -> Reply {
    manager.put(address, version, &json!({ "address": to })).await.unwrap()
}

/// Another manager of the same house.
async fn second_manager(placing: &Placing) -> Actor {
    let (world, admin) = (&placing.world, placing.world.signed_in("admin1").await);
    let shelter = world.country.organisations["accommodation"];
    let person = Person { handle: "manager2", role: "shelter_manager", responsible: false, custodian: false };
    let made = json!({ "organisation": shelter, "handle": person.handle });
    let made = admin.post("/api/v1/accounts", &made).await.unwrap();
    let manager = Actor::enrol(&world.base, person.handle, made.text_of("enrolment_code")).await.unwrap();
    manager.sign_in().await.unwrap();
    admit(shelter, &placing.manager, &placing.worker, &person, &manager).await.unwrap();
    manager.sign_in().await.unwrap();
    let now = world.clock.now();
    let training = json!({ "account": manager.account, "course": "care_for_victims",
        "passed_at": now - chrono::TimeDelta::days(1), "expires_at": now + chrono::TimeDelta::days(9) });
    assert_eq!(placing.manager.post("/api/v1/trainings", &training).await.unwrap().status, 201);
    manager
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_house_moves_nobody_is_brought_to_the_old_address() {
    let placing = Placing::new().await;
    let address = format!("/api/v1/accommodations/{}/address", placing.played.house);
    let colleague = second_manager(&placing).await;
    // Who came after it was written holds no key to it, and is told so.
    let without = write(&colleague, &address, "\"0\"", "5 Mill Road").await;
    assert_eq!((without.status, without.code()), (409, "address_held_by_others"), "{}", without.text);
    let placements = [placing.placed("matched").await, placing.placed("admitted").await];
    let seen = async |placement: &str| placing.officer.get(&format!("{placement}/arrival"), "case_work").await.unwrap();
    let written = write(&placing.manager, &address, "\"1\"", "5 Mill Road").await;
    assert_eq!(written.status, 200, "{}", written.text);
    for placement in &placements {
        let arrival = seen(placement).await;
        assert!(arrival.status == 200 && arrival.text.contains("5 Mill Road"), "{}", arrival.text);
    }
    // The colleague can write it now. Where they cannot open the placement, the old address is gone all the same.
    let written = write(&colleague, &address, "\"2\"", "6 Mill Road").await;
    assert_eq!(written.status, 200, "{}", written.text);
    let mut named: Vec<String> = written.body["without_address"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| format!("/api/v1/placements/{}", id.as_str().unwrap()))
        .collect();
    let mut expected = placements.to_vec();
    named.sort();
    expected.sort();
    assert_eq!(named, expected);
    for placement in &placements {
        assert_eq!(seen(placement).await.status, 404);
        assert_eq!(status(&placing.officer, placement, "case_work").await, 200);
    }
    let copies: i64 = sqlx::query_scalar("SELECT count(*) FROM sealed WHERE kind = 'arrival'")
        .fetch_one(&mut placing.world.owner().await)
        .await
        .unwrap();
    assert_eq!(copies, 0);
    assert_eq!(write(&placing.manager, &address, "\"3\"", "6 Mill Road").await.status, 200);
    for placement in &placements {
        let arrival = seen(placement).await;
        assert!(arrival.status == 200 && arrival.text.contains("6 Mill Road"), "{}", arrival.text);
    }
    // The same once more takes nothing from anybody.
    let again = write(&colleague, &address, "\"4\"", "6 Mill Road").await;
    assert!(again.status == 200 && again.body.get("without_address").is_none(), "{}", again.text);
    assert_eq!(seen(&placements[0]).await.status, 200);
}
