//! Alerts: each once ever, whatever the number of replicas and whoever is killed in between; shown to whom they concern.

use crate::harness::World;
use crate::shelter::Placing;
use crate::story::whole_ledger;
use crate::tasks::task_on;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use himaya::demo::story;
use himaya::platform::config::Config;
use serde_json::{Value, json};
use sqlx::Connection as _;
use std::time::Duration;
use uuid::Uuid;

/// A notice that waits.
pub async fn waiting_notice(world: &World) -> Uuid {
    let operator = world.signed_in("operator1").await;
    world.signed_in("duty1").await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis" } });
    let call = operator.post("/api/v1/calls", &crisis).await.unwrap().id("id");
    let how = json!({ "basis": "pseudonymous" });
    let sent = operator.post(&format!("/api/v1/calls/{call}/hand-over"), &how).await.unwrap();
    assert_eq!(sent.status, 201, "{}", sent.text);
    sent.id("id")
}

/// The alerts that somebody sees about something: their levels, the newest first.
async fn levels(actor: &Actor, about: Uuid) -> Vec<String> {
    let seen = list(actor).await;
    let items = seen.as_array().unwrap().iter().filter(|item| item["about"] == json!(about));
    items.map(|item| item["level"].as_str().unwrap().to_owned()).collect()
}

async fn list(actor: &Actor) -> Value {
    let seen = actor.get("/api/v1/alerts?limit=100", "").await.unwrap();
    assert_eq!(seen.status, 200, "{}", seen.text);
    seen.body["items"].clone()
}

async fn raised(world: &World, about: Uuid) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM alerts WHERE about = $1")
        .bind(about)
        .fetch_one(&mut world.owner().await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notices_clock_is_told_at_half_three_quarters_and_the_whole_once_each_by_any_number_of_replicas() {
    let world = World::new().await;
    let notice = waiting_notice(&world).await;
    let (other, serving, _) = world.replica().await;
    let look = async || {
        // At the same moment, and then one after the other: also who finds the other at work has missed nothing.
        let both = (&world.app.databases.timekeeper, &other.databases.timekeeper);
        let (one, two) = tokio::join!(both.0.look(&world.clock), both.1.look(&world.clock));
        assert!(one.unwrap().is_some() || two.unwrap().is_some(), "one of them looks");
        for keeper in [both.0, both.1] {
            assert_eq!(keeper.look(&world.clock).await.unwrap(), Some(0), "told before");
        }
    };
    look().await;
    assert_eq!(raised(&world, notice).await, 0, "nothing is half gone");
    for (hours, expected) in [
        (12, vec!["half_gone"]),
        (6, vec!["three_quarters_gone", "half_gone"]),
        (6, vec!["overdue", "three_quarters_gone", "half_gone"]),
    ] {
        world.clock.advance(TimeDelta::hours(hours));
        look().await;
        let (duty, supervisor) =
            (world.country.person("duty1").unwrap(), world.country.person("ssupervisor1").unwrap());
        for actor in [duty, supervisor] {
            actor.sign_in().await.unwrap();
            assert_eq!(levels(actor, notice).await, expected, "{}", actor.handle);
        }
    }
    // To the desk and its supervisors, and to nobody else.
    for handle in ["officer1", "operator1", "hsupervisor1", "worker1", "manager1"] {
        let other = world.country.person(handle).unwrap();
        other.sign_in().await.unwrap();
        assert_eq!(levels(other, notice).await, Vec::<String>::new(), "{handle}");
    }
    // An auditor is told of what custodians opened, and of nothing else.
    assert_eq!(levels(&world.signed_in("auditor1").await, notice).await, Vec::<String>::new());
    for handle in ["coordinator1", "admin1"] {
        let other = world.signed_in(handle).await;
        assert_eq!(other.get("/api/v1/alerts", "").await.unwrap().status, 403, "{handle}");
    }
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timekeeper_that_is_killed_in_between_has_told_nothing_and_the_next_one_tells_it_once() {
    let world = World::new().await;
    let notice = waiting_notice(&world).await;
    world.clock.advance(TimeDelta::hours(13));
    let mut killed = world.app.databases.timekeeper.main.acquire().await.unwrap();
    let mut transaction = killed.begin().await.unwrap();
    let first: i64 = sqlx::query_scalar("SELECT raise_alerts($1, interval '24 hours', interval '24 hours')")
        .bind(world.clock.now())
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    assert!(first > 0);
    let me: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *transaction).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend($1)").bind(me).execute(&mut world.owner().await).await.unwrap();
    drop(transaction);
    drop(killed);
    assert_eq!(raised(&world, notice).await, 0);
    let (other, serving, _) = world.replica().await;
    assert_eq!(other.databases.timekeeper.look(&world.clock).await.unwrap(), Some(u64::try_from(first).unwrap()));
    assert_eq!(raised(&world, notice).await, 1);
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_keeps_time_by_itself() {
    let world = World::new().await;
    let notice = waiting_notice(&world).await;
    world.clock.advance(TimeDelta::hours(12));
    let keeping = Config { keeps_time: true, ..world.app.config.clone() };
    let (_app, serving, _) = world.replica_of(keeping).await;
    let told = async {
        while raised(&world, notice).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("the notice's clock is told");
    serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_task_is_told_to_who_is_to_do_it_and_to_the_supervisor_and_who_saw_to_it_is_kept() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let officer = world.signed_in("officer1").await;
    let task = task_on(&world, &officer, played.case, officer.account, 1).await;
    let keeper = world.app.databases.timekeeper.clone();
    keeper.look(&world.clock).await.unwrap();
    assert_eq!(raised(&world, task).await, 0);
    world.clock.advance(TimeDelta::minutes(61));
    for _ in 0..2 {
        keeper.look(&world.clock).await.unwrap();
    }
    assert_eq!(raised(&world, task).await, 1);
    let (supervisor, outsider) =
        (world.country.person("ssupervisor1").unwrap(), world.country.person("duty1").unwrap());
    for actor in [&officer, supervisor, outsider] {
        actor.sign_in().await.unwrap();
    }
    assert_eq!(levels(&officer, task).await, ["overdue"]);
    assert_eq!(levels(supervisor, task).await, ["overdue"]);
    assert_eq!(levels(outsider, task).await, Vec::<String>::new(), "another's work");
    let alert = list(&officer).await[0].clone();
    let path = format!("/api/v1/alerts/{}/acknowledge", alert["id"].as_str().unwrap());
    assert_eq!(outsider.post(&path, &json!({})).await.unwrap().status, 404);
    let first = officer.post(&path, &json!({})).await.unwrap();
    assert_eq!(first.status, 200, "{}", first.text);
    let again = officer.post(&path, &json!({})).await.unwrap();
    assert_eq!((again.status, again.text_of("acknowledged_at")), (200, first.text_of("acknowledged_at")));
    let seen = list(supervisor).await;
    let seen = seen.as_array().unwrap().iter().find(|item| item["id"] == alert["id"]).unwrap();
    assert_eq!(seen["acknowledged"].as_array().unwrap().len(), 1, "{seen}");
    assert_eq!(seen["acknowledged"][0]["account"], json!(officer.account));
    // Done: no clock runs any more.
    assert_eq!(officer.post(&format!("/api/v1/tasks/{task}/done"), &json!({})).await.unwrap().status, 200);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timekeepers_role_sees_no_row_and_nobody_else_raises_an_alert() {
    let world = World::new().await;
    waiting_notice(&world).await;
    for query in [
        "SELECT count(*) FROM notices",
        "SELECT count(*) FROM alerts",
        "SELECT count(*) FROM tasks",
        "SELECT count(*) FROM accounts",
        "SELECT count(*) FROM sealed",
        "DELETE FROM alerts",
        "SELECT * FROM status_notices()",
    ] {
        let read = sqlx::query(query).execute(&world.app.databases.timekeeper.main).await;
        assert!(read.is_err(), "{query}");
    }
    let mut theirs = crate::walls::injected(&world, &world.signed_in("duty1").await.secrets().await.1).await;
    for query in [
        "SELECT raise_alerts(now(), interval '1 minute', interval '1 minute')",
        "INSERT INTO alerts (what, level, about, occasion, organisation_id, desk, raised_at)
         VALUES ('notice_clock', 'overdue', gen_random_uuid(), now(), my_organisation(), true, now())",
        "DELETE FROM alerts",
        "UPDATE alerts SET level = 'half_gone'",
    ] {
        assert!(sqlx::query(query).execute(&mut theirs).await.is_err(), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_something_by_a_consent_is_told_when_the_person_takes_it_back() {
    let placing = Placing::new().await;
    let world = &placing.world;
    let (other, manager) = (world.signed_in("worker2").await, world.signed_in("manager1").await);
    let ended = async |actor: &Actor, about: &str| {
        let mine = list(actor).await;
        let told = |item: &&Value| item["what"] == "consent_ended" && about.ends_with(item["about"].as_str().unwrap());
        mine.as_array().unwrap().iter().filter(told).count()
    };
    // Care that the officers hold by consent.
    let stays = placing.placed("admitted").await;
    let care = format!("{stays}/care");
    assert_eq!(placing.worker.put(&care, "\"0\"", &json!({ "plan": "school" })).await.unwrap().status, 200);
    let given = placing.says("squad", "case_work", "care", "given").await;
    assert_eq!(given.status, 409, "nobody says yes in their own favour: {}", given.text);
    let yes = himaya::demo::stay::said(world.country.organisations["squad"], "case_work", "care", "given");
    let given = placing.worker.post(&format!("{stays}/consents"), &yes).await.unwrap();
    assert_eq!(given.status, 201, "{}", given.text);
    assert_eq!(placing.worker.post(&format!("{care}/share"), &json!({})).await.unwrap().status, 200);
    let back = placing.worker.post(&format!("/api/v1/consents/{}/withdraw", given.id("id")), &json!({})).await.unwrap();
    assert_eq!(back.status, 200, "{}", back.text);
    assert_eq!((ended(&placing.officer, &stays).await, ended(&placing.worker, &stays).await), (1, 0));
    let stranger = world.signed_in("officer2").await;
    assert_eq!(ended(&stranger, &stays).await, 0);
    // A request that lies at the desk, and the stay that goes on: the desk is told of the one, who is named of both.
    let asked = placing.placed("acknowledged").await;
    assert_eq!(placing.says("accommodation", "care", "placement", "refused").await.status, 201);
    assert_eq!((ended(&other, &asked).await, ended(&other, &stays).await), (1, 0));
    for named in [&placing.worker, &manager] {
        assert_eq!((ended(named, &asked).await, ended(named, &stays).await), (1, 1), "{}", named.handle);
    }
    let mine = list(&other).await;
    let alert = mine[0]["id"].as_str().unwrap();
    let seen = other.post(&format!("/api/v1/alerts/{alert}/acknowledge"), &json!({})).await.unwrap();
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert_eq!(stranger.post(&format!("/api/v1/alerts/{alert}/acknowledge"), &json!({})).await.unwrap().status, 404);
    assert_eq!(placing.officer.get(&asked, "case_work").await.unwrap().body["state"], "withdrawn");
}
