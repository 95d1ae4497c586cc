//! A connection that dies at the first, the second, the third … statement of what changes keys: each time all is as it was,
//! and at last all is new. What a dying process would leave is the same, since it holds nothing that is not in the database.

use crate::absence::keys_of;
use crate::custody::{invoke, step};
use crate::harness::World;
use crate::story::whole_ledger;
use crate::succession;
use crate::two_persons::{confirm, propose, take_off};
use himaya::demo::actor::Reply;
use himaya::demo::story;
use serde_json::json;
use sqlx::PgConnection;

/// What the cases, their keys and what decides about them consist of. Not the ledger, which says of each try what it was, and
/// not the door.
const TABLES: [&str; 22] = [
    "assignments",
    "bars",
    "case_access",
    "case_heads",
    "cases",
    "custodies",
    "custody_shares",
    "former_foundings",
    "foundings",
    "idempotency",
    "memberships",
    "notices",
    "opening_cases",
    "opening_parts",
    "openings",
    "placements",
    "proposals",
    "sealed",
    "shared_key_wraps",
    "shared_keys",
    "successions",
    "wraps",
];

/// Lets connections die at a step.
struct Steps {
    owner: PgConnection,
}

impl Steps {
    async fn new(world: &World) -> Self {
        let mut owner = world.owner().await;
        // A sequence does not go back with its transaction: it counts the statements of one try.
        let counting = "CREATE SEQUENCE public.steps;
            CREATE TABLE public.dies_at (step bigint);
            INSERT INTO public.dies_at VALUES (0);
            CREATE FUNCTION public.step() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                BEGIN
                    IF nextval('public.steps') = (SELECT step FROM public.dies_at) THEN
                        PERFORM pg_terminate_backend(pg_backend_pid());
                        PERFORM pg_sleep(1);
                    END IF;
                    RETURN NULL;
                END $$;";
        sqlx::raw_sql(counting).execute(&mut owner).await.unwrap();
        for table in TABLES {
            let trigger = format!(
                "CREATE TRIGGER step BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION step()"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&mut owner).await.unwrap();
        }
        Self { owner }
    }

    /// Everything in these tables.
    async fn state(&mut self) -> Vec<String> {
        let mut state = Vec::new();
        for table in TABLES {
            let all = format!("SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t");
            state.push(sqlx::query_scalar(sqlx::AssertSqlSafe(all)).fetch_one(&mut self.owner).await.unwrap());
        }
        state
    }

    /// Tries something with a connection that dies at each step in turn, until none is left to die at. How many there were.
    async fn each(&mut self, what: &str, mut done: impl AsyncFnMut() -> Result<(), String>) -> i64 {
        let (before, mut last) = (self.state().await, String::new());
        for dies_at in 1..200 {
            sqlx::query("UPDATE dies_at SET step = $1").bind(dies_at).execute(&mut self.owner).await.unwrap();
            sqlx::query("SELECT setval('steps', 1, false)").execute(&mut self.owner).await.unwrap();
            let Err(said) = done().await else {
                sqlx::query("UPDATE dies_at SET step = 0").execute(&mut self.owner).await.unwrap();
                return dies_at - 1;
            };
            last = said;
            let after = self.state().await;
            let changed = TABLES.iter().zip(before.iter().zip(&after)).filter(|(_, (old, new))| old != new);
            let changed: Vec<&str> = changed.map(|(table, _)| *table).collect();
            assert!(changed.is_empty(), "{what}: the connection died at step {dies_at}, and {changed:?} changed");
        }
        panic!("{what} never comes to an end: {last}");
    }
}

/// Whether it was answered so; otherwise what was said.
fn is(reply: &Reply, status: u16) -> Result<(), String> {
    if reply.status == status { Ok(()) } else { Err(reply.text.clone()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_epoch_is_made_wholly_or_not_at_all_wherever_it_is_interrupted() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (officer, duty) = (world.signed_in("officer1").await, world.signed_in("duty1").await);
    let supervisor = world.signed_in("ssupervisor1").await;
    let leaver = world.signed_in("officer2").await;
    let case = format!("/api/v1/cases/{}", played.case);
    let narrative = format!("{case}/sections/narrative");
    let given = json!({ "account": leaver.account, "relation": "assigned", "reason": "workload" });
    assert_eq!(officer.post(&format!("{case}/access"), &given).await.unwrap().status, 201);
    let removal = propose(&officer, &case, leaver.account).await.id("id");
    let (first, _) = keys_of(&world, played.case, leaver.account).await;
    let mut steps = Steps::new(&world).await;
    // By somebody who holds the keys: with their confirmation.
    let count = steps.each("a removal", async || is(&confirm(&duty, &case, removal).await, 200)).await;
    assert!(count > 10, "{count}");
    assert_eq!(keys_of(&world, played.case, leaver.account).await, (first + 1, 0));
    for reader in [&officer, &duty] {
        assert_eq!(reader.get(&narrative, "case_work").await.unwrap().status, 200);
    }
    // By the next reader, after two supervisors took somebody off: whatever fails, the reader is shown the case.
    take_off(&supervisor, &world.signed_in("ssupervisor2").await, &case, duty.account).await;
    let renewed = async || {
        let seen = officer.get(&case, "case_work").await.unwrap();
        assert!([200, 503].contains(&seen.status), "{}", seen.text);
        let made = keys_of(&world, played.case, duty.account).await == (first + 2, 0);
        made.then_some(()).ok_or(seen.text)
    };
    let count = steps.each("a pending epoch", renewed).await;
    assert!(count > 5, "{count}");
    assert_eq!(officer.get(&narrative, "case_work").await.unwrap().status, 200);
    assert_eq!(duty.get(&narrative, "case_work").await.unwrap().status, 404);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custodians_open_wholly_or_not_at_all_wherever_they_are_interrupted() {
    let mut world = World::new().await;
    let played = story::play(&world.country).await.unwrap();
    let (helper, first, second) =
        (world.signed_in("duty2").await, world.signed_in("ssupervisor1").await, world.signed_in("duty1").await);
    let narrative = format!("/api/v1/cases/{}/sections/narrative", played.case);
    let opening = invoke(&world, &helper, played.case, &["narrative"], 2).await;
    let mut steps = Steps::new(&world).await;
    let count = steps.each("agreeing", async || is(&step(&first, opening, "agree").await, 200)).await;
    assert!(count > 1, "{count}");
    let count = steps
        .each("opening", async || {
            assert_eq!(helper.get(&narrative, "emergency").await.unwrap().status, 404);
            is(&step(&second, opening, "open").await, 200)
        })
        .await;
    assert!(count > 5, "{count}");
    assert_eq!(helper.get(&narrative, "emergency").await.unwrap().status, 200);
    // What was left to pass on is passed on by the next opening, and CUSTODY opens as before.
    let next = invoke(&world, &helper, played.case, &["legal"], 1).await;
    let one = step(&second, next, "agree").await;
    assert_eq!(one.status, 200, "{}", one.text);
    let other = step(&first, next, "open").await;
    assert_eq!((other.status, &other.body["rest_on_older"]), (200, &json!(0)), "{}", other.text);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custodians_are_exchanged_wholly_or_not_at_all_wherever_it_is_interrupted() {
    let mut world = World::new().await;
    story::play(&world.country).await.unwrap();
    let custody = format!("/api/v1/organisations/{}/custody", world.country.organisations["squad"]);
    let accounts = ["ssupervisor1", "duty1", "duty2"].map(|handle| world.country.person(handle).unwrap().account);
    let (one, other) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let mut steps = Steps::new(&world).await;
    let mut proposed = None;
    steps
        .each("naming", async || {
            let reply = one.post(&custody, &json!({ "custodians": accounts })).await.unwrap();
            let made = is(&reply, 201);
            proposed = Some(reply);
            made
        })
        .await;
    let proposed = proposed.unwrap();
    let sign = format!("{custody}/{}/countersign", proposed.id("key"));
    let print = json!({ "fingerprint": proposed.text_of("fingerprint") });
    steps.each("countersigning", async || is(&other.post(&sign, &print).await.unwrap(), 200)).await;
    let after = one.get(&custody, "").await.unwrap();
    assert_eq!(after.id("key"), proposed.id("key"), "{}", after.text);
    world.stop().await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_answer_wholly_or_not_at_all_wherever_it_is_interrupted() {
    let mut world = World::new().await;
    let squad = succession::squad(&world);
    let (stays, leaves) = (world.signed_in("ssupervisor1").await, world.signed_in("ssupervisor2").await);
    let comes = world.signed_in("officer1").await;
    let waits = succession::newcomer(&world, squad, "officer9").await;
    let members = format!("/api/v1/organisations/{squad}/members");
    let admission =
        json!({ "account": waits.account, "role": "squad_officer", "key_fingerprint": waits.key_fingerprint });
    assert_eq!(leaves.post(&members, &admission).await.unwrap().status, 201);
    let mut steps = Steps::new(&world).await;
    let mut proposed = None;
    steps
        .each("proposing", async || {
            let reply = succession::propose(&world, &stays, squad, ["ssupervisor1", "officer1"]).await;
            let made = is(&reply, 201);
            proposed = Some(reply);
            made
        })
        .await;
    let proposed = proposed.unwrap();
    for other in [&leaves, &comes] {
        let count = steps.each("signing", async || is(&succession::sign(other, squad, &proposed).await, 200)).await;
        assert!(count > 0, "{count}");
    }
    succession::pin(&world, &proposed);
    let count = steps.each("following", async || is(&succession::found(&comes, squad, &proposed).await, 200)).await;
    assert!(count > 2, "the former founding, the one that follows, and who was only proposed: {count}");
    assert_eq!(comes.post(&members, &admission).await.unwrap().status, 201);
    world.stop().await;
    whole_ledger(&world).await;
}
