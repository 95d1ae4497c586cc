//! Pages: whoever follows `next` sees everything once, in the order of the whole list, and nothing is cut off in silence.

use crate::custody::invoke;
use crate::harness::World;
use crate::shelter::Placing;
use crate::words::other_house;
use himaya::demo::actor::{Actor, Reply};
use serde_json::{Value, json};

async fn page(who: &Actor, path: &str, purpose: &str, limit: usize, cursor: Option<&str>) -> Reply {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let reply = who.get(&format!("{path}?limit={limit}{cursor}"), purpose).await.unwrap();
    assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    reply
}

/// Everything that the pages hold, by following them.
async fn followed(who: &Actor, path: &str, purpose: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let reply = page(who, path, purpose, 1, cursor.as_deref()).await;
        let items = reply.body["items"].as_array().unwrap().clone();
        assert!(items.len() <= 1, "{path}: {}", reply.text);
        all.extend(items);
        assert!(all.len() < 100, "{path} does not end");
        match reply.body["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return all,
        }
    }
}

async fn hand_over(operator: &Actor, hours: i64, world: &World) -> String {
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let suspected = world.clock.now() - chrono::TimeDelta::hours(hours);
    let how = json!({ "basis": "child", "suspected_at": suspected });
    let sent = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &how).await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text);
    sent.text_of("id").to_owned()
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_has_pages_by_its_clock_and_what_came_back_the_newest_first() {
    let world = World::new().await;
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let supervisor = world.signed_in("hsupervisor1").await;
    let queue = "/api/v1/notices";
    let acknowledge = async |notice: &str| {
        let done = duty.post(&format!("{queue}/{notice}/acknowledge"), &json!({})).await.unwrap();
        assert_eq!(done.status, 200, "{}", done.text);
    };
    // In the order of neither their numbers nor their stages.
    let mut notices = Vec::new();
    for hours in [3, 20, 8, 8, 14] {
        notices.push(hand_over(&operator, hours, &world).await);
    }
    let [young, oldest, half, half_again, late] = &notices[..] else { panic!("five notices") };
    for notice in [oldest, young] {
        acknowledge(notice).await;
    }
    let wanted = [late, half, half_again, oldest, young];
    let seen = followed(&duty, queue, "intake").await;
    let mut last = ids(&seen);
    // Two of the same hour differ by their numbers, or by the moment that was typed.
    assert_eq!(last, wanted.map(String::as_str).to_vec());
    let whole = page(&duty, queue, "intake", 100, None).await;
    assert_eq!((whole.body["items"].as_array().unwrap(), &whole.body["next"]), (&seen, &Value::Null));
    // Somebody acknowledges between two pages: the row is seen again further down, and none is passed by.
    let first = page(&duty, queue, "intake", 2, None).await;
    acknowledge(late).await;
    let rest = page(&duty, queue, "intake", 100, first.body["next"].as_str()).await;
    last = ids(rest.body["items"].as_array().unwrap());
    assert_eq!(last, [half_again, oldest, late, young].map(String::as_str));

    for notice in [oldest, late, young] {
        let code = json!({ "code": "known_already" });
        let returned = duty.post(&format!("{queue}/{notice}/return"), &code).await.unwrap();
        assert_eq!(returned.status, 200, "{}", returned.text);
    }
    assert_eq!(ids(&followed(&duty, queue, "intake").await), [half, half_again].map(String::as_str));
    let back = followed(&supervisor, queue, "supervision").await;
    assert_eq!(ids(&back), [late, oldest, young].map(String::as_str), "by their numbers, the newest first");
    for cursor in ["x", "1.2", "1.2.3.4", "1.2.x"] {
        let refused = duty.get(&format!("{queue}?cursor={cursor}"), "intake").await.unwrap();
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("cursor")), "{cursor}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_that_grows_has_pages() {
    let mut placing = Placing::new().await;
    other_house(&mut placing.world).await;
    let (world, case) = (&placing.world, placing.played.case);
    for (purpose, section) in [("care", "narrative"), ("care", "identity")] {
        let said = placing.says("accommodation", purpose, section, "given").await;
        assert_eq!(said.status, 201, "{}", said.text);
    }
    // Two that are over, between two that are not.
    placing.placed("acknowledged").await;
    for _ in 0..2 {
        let over = placing.placed("admitted").await;
        let left = placing.worker.post(&format!("{over}/exit"), &json!({})).await.unwrap();
        assert_eq!(left.status, 200, "{}", left.text);
    }
    placing.placed("requested").await;
    let helper = world.signed_in("officer2").await;
    for _ in 0..3 {
        invoke(world, &helper, case, &["narrative"], 1).await;
    }
    let (admin, founder) = (world.signed_in("admin1").await, world.signed_in("ssupervisor1").await);
    let members = format!("/api/v1/organisations/{}/members", world.country.organisations["squad"]);
    let consents = format!("/api/v1/cases/{case}/persons/{}/consents", placing.played.person);
    for (who, path, purpose, id) in [
        (&placing.officer, "/api/v1/placements", "case_work", "id"),
        (&placing.officer, &consents, "case_work", "id"),
        (&helper, "/api/v1/openings", "", "id"),
        (&placing.manager, "/api/v1/accommodations", "", "id"),
        (&placing.manager, "/api/v1/trainings", "", "id"),
        (&placing.officer, "/api/v1/colleagues", "", "account"),
        (&founder, &members, "", "account"),
        (&admin, "/api/v1/organisations", "", "id"),
        (&admin, "/api/v1/accounts", "", "id"),
    ] {
        let whole = page(who, path, purpose, 100, None).await;
        let items = whole.body["items"].as_array().unwrap();
        assert!(items.len() > 1 && whole.body["next"].is_null(), "{path}: {}", whole.text);
        let seen = followed(who, path, purpose).await;
        let named = |items: &[Value]| items.iter().map(|item| item[id].clone()).collect::<Vec<_>>();
        assert_eq!(named(&seen), named(items), "{path}");
        let refused = who.get(&format!("{path}?cursor=x"), purpose).await.unwrap();
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("cursor")), "{path}");
    }
}
