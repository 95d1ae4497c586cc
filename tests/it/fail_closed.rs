//! A ledger that cannot do its work closes: no record is opened that nobody could find out about.

use crate::harness::World;
use chrono::TimeDelta;
use himaya::demo::actor::Actor;
use serde_json::json;
use sqlx::PgConnection;

async fn run(owner: &mut PgConnection, statements: &'static str) {
    sqlx::raw_sql(statements).execute(owner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_kept_from_the_tree_stop_reading_and_not_the_writing_of_calls() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let body = json!({ "content": { "safe_to_talk": "yes", "said": "hello" } });
    let first = operator.post("/api/v1/calls", &body).await.unwrap();
    let path = format!("/api/v1/calls/{}", first.id("id"));
    assert_eq!(operator.get(&path, "intake").await.unwrap().status, 200);
    // Whoever holds the database takes the entries out of the queue, so that nobody waits for them there.
    let mut owner = world.owner().await;
    run(
        &mut owner,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON ledger_tree FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .await;
    let hidden = operator.post("/api/v1/calls", &body).await.unwrap();
    assert_eq!(hidden.status, 201);
    run(&mut owner, "DELETE FROM ledger_pending").await;
    assert_eq!(operator.get(&path, "intake").await.unwrap().status, 200, "half a minute is allowed");
    run(&mut owner, "DELETE FROM ledger_pending").await;
    // Time passes for the service, a second a step; by the database's own clock the queue stays young.
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
    let mut steps = 0;
    let refused = loop {
        tick.tick().await;
        world.clock.advance(TimeDelta::seconds(1));
        let read = operator.get(&path, "intake").await.unwrap();
        if read.status == 503 {
            break read;
        }
        steps += 1;
        assert!(steps < 120, "entries were kept from the tree for two minutes, and records are still opened");
    };
    assert!(steps > 15, "refused after {steps} seconds");
    assert_eq!(refused.code(), "ledger_behind", "{}", refused.text);
    assert!(!refused.text.contains("hello"));
    let written = operator.post("/api/v1/calls", &body).await.unwrap();
    assert_eq!(written.status, 201, "{}", written.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_of_the_auditors_only_they_get_in_and_make_one() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    run(&mut owner, "UPDATE shared_keys SET closes_at = now() WHERE purpose = 'ledger'").await;
    let open = "SELECT count(*) FROM ledger_detail_keys WHERE key_id IS NULL";
    let before: i64 = sqlx::query_scalar(open).fetch_one(&mut owner).await.unwrap();
    // A process that starts now has no key of this hour.
    let (_app, serving, base) = world.replica().await;
    let (operator, auditor) = (world.country.person("operator1").unwrap(), world.country.person("auditor1").unwrap());
    let sign_in = async |person: &Actor| {
        let body = json!({ "handle": person.handle, "passphrase": person.passphrase });
        let sent = reqwest::Client::new().post(format!("{base}/api/v1/sessions")).json(&body).send().await.unwrap();
        (sent.status().as_u16(), sent.json::<serde_json::Value>().await.unwrap()["code"].clone())
    };
    assert_eq!(sign_in(operator).await, (503, json!("ledger_has_no_auditor")));
    let now: i64 = sqlx::query_scalar(open).fetch_one(&mut owner).await.unwrap();
    assert_eq!(now, before, "nothing of the operator lies open");
    assert_eq!(sign_in(auditor).await.0, 201);
    assert_eq!(sign_in(operator).await.0, 201, "the auditor's sign-in made the key");
    serving.stop().await.unwrap();
}
