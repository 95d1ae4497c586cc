//! What goes wrong beneath the service: the erasure store is away, and a commit whose outcome nobody tells.

use crate::harness::World;
use crate::line::Line;
use crate::story::whole_ledger;
use himaya::demo::actor::{Actor, Reply};
use himaya::demo::story;
use himaya::platform::config::{Config, DatabaseConfig};
use reqwest::Method;
use serde_json::{Value, json};

/// How many of everything there are, in both databases.
async fn stored(world: &World) -> Vec<Value> {
    let main = "SELECT json_build_object(
        'calls', (SELECT count(*) FROM calls), 'notices', (SELECT json_agg(state ORDER BY id) FROM notices),
        'cases', (SELECT count(*) FROM cases), 'access', (SELECT count(*) FROM case_access),
        'heads', (SELECT sum(number) FROM case_heads), 'versions', (SELECT sum(version) FROM sealed),
        'sealed', (SELECT count(*) FROM sealed), 'wraps', (SELECT count(*) FROM wraps),
        'answers', (SELECT count(*) FROM idempotency), 'entries', (SELECT count(*) FROM ledger_entries))";
    let erasure = "SELECT json_build_object(
        'keys', (SELECT count(*) FROM erasure.keys), 'tombstones', (SELECT count(*) FROM erasure.tombstones))";
    let main = sqlx::query_scalar(main).fetch_one(&mut world.owner().await).await.unwrap();
    let erasure = sqlx::query_scalar(erasure).fetch_one(&mut world.erasure_owner().await).await.unwrap();
    vec![main, erasure]
}

/// Opens or closes the erasure store, to those who are connected as well.
pub async fn let_in(world: &World, allowed: bool) {
    let mut owner = world.server_owner().await;
    let database = format!("{}_erasure", world.database);
    let door = format!("ALTER DATABASE {database} ALLOW_CONNECTIONS {allowed}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(door)).execute(&mut owner).await.unwrap();
    if !allowed {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        sqlx::query(cut).bind(&database).execute(&mut owner).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_erasure_store_nothing_is_stored_or_shown_and_when_it_is_back_all_goes_on() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (operator, duty) = (world.signed_in("operator1").await, world.signed_in("duty1").await);
    let officer = world.signed_in("officer1").await;
    let crisis = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "the third floor" } });
    let path = |id| format!("/api/v1/calls/{id}");
    let how = json!({ "basis": "vital_interest" });
    let draft = path(operator.post("/api/v1/calls", &crisis).await.unwrap().id("id"));
    let other = path(operator.post("/api/v1/calls", &crisis).await.unwrap().id("id"));
    let notice = operator.post(&format!("{other}/hand-over"), &how).await.unwrap().id("id");
    let notice = format!("/api/v1/notices/{notice}");
    assert_eq!(duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    let section = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let work = async || -> [Reply; 4] {
        [
            operator.post("/api/v1/calls", &crisis).await.unwrap(),
            operator.post(&format!("{draft}/hand-over"), &how).await.unwrap(),
            officer.get(&section, "case_work").await.unwrap(),
            duty.post(&format!("{notice}/accept"), &json!({})).await.unwrap(),
        ]
    };
    let before = stored(&world).await;
    let_in(&world, false).await;
    for refused in work().await {
        assert_eq!((refused.status, refused.code()), (503, "database_away"), "{}", refused.text);
        assert!(refused.text.contains("Nothing was stored"), "{}", refused.text);
        assert!(refused.headers.contains_key("retry-after"));
    }
    let_in(&world, true).await;
    assert_eq!(stored(&world).await, before);
    // What was acknowledged before is as it was, and all that was refused can be done now.
    let kept = operator.get(&draft, "intake").await.unwrap();
    assert_eq!(kept.body["content"]["said"], "the third floor", "{}", kept.text);
    let done = work().await;
    assert_eq!(done.each_ref().map(|reply| reply.status), [201, 201, 200, 201]);
    assert!(done[2].text.contains("waitress"), "{}", done[2].text);
    let accepted = duty.get(&notice, "case_work").await.unwrap();
    assert_eq!(accepted.body["content"]["call"]["said"], "the third floor", "{}", accepted.text);
    world.stop().await;
    whole_ledger(&world).await;
}

async fn keys_and_tombstones(world: &World) -> (i64, i64) {
    let count = "SELECT (SELECT count(*) FROM erasure.keys), (SELECT count(*) FROM erasure.tombstones)";
    sqlx::query_as(count).fetch_one(&mut world.erasure_owner().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_to_nothing_leaves_no_erasure_key() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    world.signed_in("duty1").await;
    let draft = crate::attachments::draft(&operator).await;
    crate::attachments::attached(&operator, &draft, "x", b"x").await;
    assert_eq!(send(&operator).await.status, 201);
    let before = keys_and_tombstones(&world).await;
    let path = format!("{draft}/hand-over");
    let how = json!({ "basis": "vital_interest" });
    // A key that was used for something else: nothing is made at all.
    for _ in 0..3 {
        let request = operator.request(Method::POST, &path).await.header("idempotency-key", "the one call").json(&how);
        let reused = operator.send(request).await.unwrap();
        assert_eq!((reused.status, reused.code()), (422, "idempotency_key_reused"), "{}", reused.text);
        assert_eq!(keys_and_tombstones(&world).await, before);
    }
    // Refused by the database: in the middle, and at the commit. Then they are erased, the notice's and the attachment's.
    let mut owner = world.owner().await;
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'";
    sqlx::raw_sql(refuse).execute(&mut owner).await.unwrap();
    for (times, (trigger, drop)) in [
        (
            "CREATE TRIGGER refuse BEFORE INSERT ON idempotency FOR EACH ROW EXECUTE FUNCTION refuse()",
            "DROP TRIGGER refuse ON idempotency",
        ),
        (
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON notices DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION refuse()",
            "DROP TRIGGER refuse ON notices",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        sqlx::raw_sql(trigger).execute(&mut owner).await.unwrap();
        let refused = operator.post(&path, &how).await.unwrap();
        assert_eq!(refused.status, 500, "{}", refused.text);
        let made = 2 * i64::try_from(times + 1).unwrap();
        crate::ledger::comes_true("the keys are erased", async || {
            keys_and_tombstones(&world).await == (before.0, before.1 + made)
        })
        .await;
        sqlx::raw_sql(drop).execute(&mut owner).await.unwrap();
    }
    // Nothing of the draft was lost on the way.
    assert_eq!(operator.post(&path, &how).await.unwrap().status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_could_not_be_stored_can_be_written_again_and_read() {
    let world = World::new().await;
    world.country.everybody_signs_in().await.unwrap();
    let house = himaya::demo::stay::open_house(&world.country).await.unwrap();
    let manager = world.signed_in("manager1").await;
    let path = format!("/api/v1/accommodations/{house}/address");
    let read = manager.get(&path, "care").await.unwrap();
    assert_eq!(read.status, 200, "{}", read.text);
    let address = read.body.clone();
    // As it was before it was ever written.
    let mut owner = world.owner().await;
    let gone = "DELETE FROM wraps w USING sealed s WHERE s.kind = 'address' AND w.key_id = s.key_id;
                DELETE FROM sealed WHERE kind = 'address'; REVOKE INSERT ON ledger_entries FROM himaya_app";
    sqlx::raw_sql(gone).execute(&mut owner).await.unwrap();
    let before = keys_and_tombstones(&world).await;
    assert!(manager.put(&path, "\"0\"", &address).await.unwrap().status >= 500);
    crate::ledger::comes_true("its key is erased", async || {
        keys_and_tombstones(&world).await == (before.0, before.1 + 1)
    })
    .await;
    sqlx::raw_sql("GRANT INSERT ON ledger_entries TO himaya_app").execute(&mut owner).await.unwrap();
    assert_eq!(manager.put(&path, "\"0\"", &address).await.unwrap().status, 200);
    assert_eq!(manager.get(&path, "care").await.unwrap().body, address);
}

/// Opens one call, however often it is sent.
async fn send(operator: &Actor) -> Reply {
    let body = json!({ "content": { "safe_to_talk": "yes", "kind": "crisis", "said": "only once" } });
    let request = operator.request(Method::POST, "/api/v1/calls").await.header("idempotency-key", "the one call");
    operator.send(request.json(&body)).await.unwrap()
}

async fn calls(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM calls").fetch_one(&mut world.owner().await).await.unwrap()
}

fn is_unknown(reply: &Reply) {
    assert_eq!((reply.status, reply.code()), (503, "outcome_unknown"), "{}", reply.text);
    assert!(!reply.text.contains("Nothing was stored"), "{}", reply.text);
    assert!(reply.headers.contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_dies_at_the_commit_leaves_nothing_and_the_same_key_stores_once() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let dies = "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql
                    AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
                CREATE CONSTRAINT TRIGGER die AFTER INSERT ON calls DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION die()";
    sqlx::raw_sql(dies).execute(&mut world.owner().await).await.unwrap();
    is_unknown(&send(&operator).await);
    sqlx::raw_sql("DROP TRIGGER die ON calls").execute(&mut world.owner().await).await.unwrap();
    assert_eq!(calls(&world).await, 0);
    let (first, second) = (send(&operator).await, send(&operator).await);
    assert_eq!((first.status, second.status), (201, 201), "{}", first.text);
    assert_eq!(first.body, second.body);
    assert_eq!(calls(&world).await, 1);
    let read = operator.get(&format!("/api/v1/calls/{}", first.id("id")), "intake").await.unwrap();
    assert_eq!(read.body["content"]["said"], "only once", "{}", read.text);
    world.stop().await;
    // The lane whose commit nobody answered for is closed; that is no finding.
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_answer_to_a_commit_is_lost_the_same_key_finds_what_was_stored() {
    let mut world = World::new().await;
    let line = Line::to(&world.app.config.database.app).await;
    let config = world.app.config.clone();
    let database = DatabaseConfig { app: line.address.clone(), ..config.database.clone() };
    let (_app, serving, base) = world.replica_of(Config { database, ..config }).await;
    let operator = world.signed_in("operator1").await.at(&base);
    line.lose_the_next_answer();
    is_unknown(&send(&operator).await);
    assert!(!line.is_losing());
    assert_eq!(calls(&world).await, 1);
    let (again, once_more) = (send(&operator).await, send(&operator).await);
    assert_eq!((again.status, once_more.status), (201, 201), "{}", again.text);
    assert_eq!(again.body, once_more.body);
    assert_eq!(calls(&world).await, 1);
    let path = format!("/api/v1/calls/{}", again.id("id"));
    let read = operator.get(&path, "intake").await.unwrap();
    assert_eq!(read.body["content"]["said"], "only once", "{}", read.text);
    // Likewise where the answer is the last that the sender ever sees of the record: the call is gone, the notice is taken.
    let again = async |who: &Actor, path: &str, key: &str, body: &Value| -> Reply {
        let request = who.request(Method::POST, path).await.header("idempotency-key", key);
        who.send(request.json(body)).await.unwrap()
    };
    let (hand_over, how) = (format!("{path}/hand-over"), json!({ "basis": "vital_interest" }));
    line.lose_the_next_answer();
    is_unknown(&again(&operator, &hand_over, "the hand-over", &how).await);
    assert!(!line.is_losing());
    let slip = again(&operator, &hand_over, "the hand-over", &how).await;
    assert_eq!((slip.status, slip.text_of("state")), (201, "sent"), "{}", slip.text);
    let slips = operator.get("/api/v1/slips", "intake").await.unwrap();
    assert_eq!(slips.body["items"], json!([slip.body]), "{}", slips.text);
    assert_eq!(calls(&world).await, 0);
    let duty = world.signed_in("duty1").await.at(&base);
    let notice = format!("/api/v1/notices/{}", slip.id("id"));
    assert_eq!(duty.post(&format!("{notice}/acknowledge"), &json!({})).await.unwrap().status, 200);
    line.lose_the_next_answer();
    is_unknown(&again(&duty, &format!("{notice}/accept"), "the acceptance", &json!({})).await);
    assert!(!line.is_losing());
    let accepted = again(&duty, &format!("{notice}/accept"), "the acceptance", &json!({})).await;
    assert_eq!((accepted.status, accepted.text_of("state")), (201, "accepted"), "{}", accepted.text);
    let cases = duty.get("/api/v1/cases", "case_work").await.unwrap();
    assert_eq!(cases.body["items"].as_array().map(Vec::len), Some(1), "{}", cases.text);
    assert_eq!(cases.body["items"][0]["id"], accepted.body["case"], "{}", cases.text);
    serving.stop().await.unwrap();
    world.stop().await;
    whole_ledger(&world).await;
}
