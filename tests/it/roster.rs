//! Rosters: who is at which desk, and when nobody is.

use crate::harness::World;
use crate::story::whole_ledger;
use chrono::{DateTime, TimeDelta, Utc};
use himaya::demo::actor::{Actor, Reply};
use serde_json::{Value, json};
use uuid::Uuid;

/// Enters a turn, in hours from now.
async fn enter(world: &World, supervisor: &Actor, account: Uuid, from: i64, until: i64) -> Reply {
    let at = |hours| world.clock.now() + TimeDelta::hours(hours);
    let turn = json!({ "account": account, "starts_at": at(from), "ends_at": at(until) });
    supervisor.post("/api/v1/roster/shifts", &turn).await.unwrap()
}

/// A turn that is on the roster, in hours from now.
pub async fn shift(world: &World, supervisor: &Actor, handle: &str, from: i64, until: i64) -> Uuid {
    let entered = enter(world, supervisor, world.country.person(handle).unwrap().account, from, until).await;
    assert_eq!(entered.status, 201, "{}", entered.text);
    entered.id("id")
}

fn hours(span: &Value) -> i64 {
    let at = |field: &str| span[field].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    (at("ends_at") - at("starts_at")).num_minutes()
}

async fn gaps(actor: &Actor) -> Vec<i64> {
    let roster = actor.get("/api/v1/roster", "").await.unwrap();
    assert_eq!(roster.status, 200, "{}", roster.text);
    roster.body["gaps"].as_array().unwrap().iter().map(hours).collect()
}

/// The levels at which gaps of an organisation's desk were told, in order.
async fn told(actor: &Actor, organisation: Uuid) -> Vec<String> {
    let seen = actor.get("/api/v1/alerts?limit=100", "").await.unwrap();
    let items = seen.body["items"].as_array().unwrap().iter().rev();
    let items = items.filter(|item| item["what"] == "roster_gap" && item["about"] == json!(organisation));
    items.map(|item| item["level"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_shown_to_the_desk_and_told_to_its_supervisor_once_each() {
    let mut world = World::new().await;
    let supervisor = world.signed_in("hsupervisor1").await;
    let (operator, helpline) = (world.signed_in("operator1").await, world.country.organisations["helpline"]);
    let keeper = world.app.databases.timekeeper.clone();
    assert_eq!(gaps(&supervisor).await, [7 * 24 * 60], "a helpline answers around the clock, and nobody is there");
    // Covered for thirty hours, but for one of them; what follows is more than a day away.
    shift(&world, &supervisor, "operator1", 0, 12).await;
    shift(&world, &supervisor, "operator2", 13, 30).await;
    let seen = gaps(&operator).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(seen[0], 60);
    for _ in 0..2 {
        keeper.look(&world.clock).await.unwrap();
    }
    // The time before the first turn, which nobody was entered for, is over, and told no more.
    assert_eq!(told(&supervisor, helpline).await, ["coming"]);
    world.clock.advance(TimeDelta::minutes(12 * 60 + 30));
    for _ in 0..2 {
        keeper.look(&world.clock).await.unwrap();
    }
    supervisor.sign_in().await.unwrap();
    assert_eq!(told(&supervisor, helpline).await.iter().filter(|level| *level == "uncovered").count(), 1);
    let squads = world.signed_in("ssupervisor1").await;
    assert_eq!(told(&squads, helpline).await, Vec::<String>::new(), "another organisation's");
    operator.sign_in().await.unwrap();
    assert_eq!(told(&operator, helpline).await, Vec::<String>::new(), "the supervisors are told");
    // A squad's desk is told of as soon as it has a roster.
    let squad = world.country.organisations["squad"];
    assert_eq!(told(&squads, squad).await, Vec::<String>::new());
    shift(&world, &squads, "duty1", 1, 9).await;
    keeper.look(&world.clock).await.unwrap();
    assert_eq!(told(&squads, squad).await, ["uncovered", "coming"]);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_makes_the_roster_of_their_own_desk() {
    let world = World::new().await;
    let (supervisor, operator) = (world.signed_in("hsupervisor1").await, world.signed_in("operator1").await);
    let refused = |reply: Reply, field: &str| {
        assert_eq!((reply.status, reply.body["errors"][0]["field"].as_str()), (422, Some(field)), "{}", reply.text);
    };
    // Who is of another organisation, or at no desk; a turn that is none.
    for handle in ["duty1", "hsupervisor2"] {
        let account = world.country.person(handle).unwrap().account;
        refused(enter(&world, &supervisor, account, 0, 8).await, "account");
    }
    refused(enter(&world, &supervisor, operator.account, 8, 7).await, "ends_at");
    refused(enter(&world, &supervisor, operator.account, -9, -1).await, "starts_at");
    assert_eq!(enter(&world, &operator, operator.account, 0, 8).await.status, 403);
    let turn = shift(&world, &supervisor, "operator1", 0, 8).await;
    let twice = enter(&world, &supervisor, operator.account, 7, 15).await;
    assert_eq!((twice.status, twice.code()), (409, "already_on_shift"));
    let path = format!("/api/v1/roster/shifts/{turn}");
    for handle in ["operator1", "ssupervisor1", "duty1", "coordinator1"] {
        assert_eq!(world.signed_in(handle).await.delete(&path).await.unwrap().status, 404, "{handle}");
    }
    assert_eq!(supervisor.delete(&path).await.unwrap().status, 200);
    let again = supervisor.delete(&path).await.unwrap();
    assert_eq!((again.status, again.code()), (409, "illegal_transition"));
    assert_eq!(gaps(&operator).await, [7 * 24 * 60]);
    let roster = world.signed_in("duty1").await.get("/api/v1/roster", "").await.unwrap();
    assert_eq!(roster.body["shifts"], json!([]), "another desk's");
    for query in ["from=yesterday", "until=2000-01-01T00:00:00Z", "who=me"] {
        assert_eq!(operator.get(&format!("/api/v1/roster?{query}"), "").await.unwrap().status, 422, "{query}");
    }
}
