//! What gives entries their places in the tree: it dies at every step, another one takes over, and it keeps its times.

use crate::harness::World;
use crate::rotation::work;
use crate::story::whole_ledger;
use ed25519_dalek::Signer as _;
use himaya::audit::entry::{Leaf, Place, signed_message};
use himaya::audit::tree;
use himaya::platform::random;
use sqlx::PgConnection;
use std::time::{Duration, Instant};

/// The tables that the sequencer writes, with what it does to them.
const WRITTEN: [(&str, &str); 5] = [
    ("ledger_tree", "INSERT"),
    ("ledger_lanes", "INSERT OR UPDATE"),
    ("ledger_pending", "DELETE"),
    ("ledger_nodes", "INSERT"),
    ("ledger_checkpoints", "INSERT"),
];

/// Puts entries into the queue in one moment, as a process does: signed, each naming the one before it in its lane.
pub async fn queue(world: &World, owner: &mut PgConnection, lanes: i32, each: i64) {
    let key = world.app.secrets.ledger.get().oldest().value.signing.clone().unwrap();
    let (replica, hour) = (random::uuid(), world.clock.hour());
    let (mut in_lanes, mut numbers, mut leaves, mut signatures) = (vec![], vec![], vec![], vec![]);
    for lane in 0..lanes {
        let mut previous = Place { replica, lane, n: 0 }.origin();
        for n in 0..each {
            let leaf = Leaf::new(Place { replica, lane, n }, previous, hour, [0; 32], b"detail", None).to_bytes();
            previous = tree::leaf_hash(&leaf);
            in_lanes.push(lane);
            numbers.push(n);
            signatures.push(key.sign(&signed_message(&leaf)).to_bytes().to_vec());
            leaves.push(leaf);
        }
    }
    sqlx::query(
        "WITH entered AS (
             INSERT INTO ledger_entries (replica, lane, n, leaf, signature, detail_key, detail)
             SELECT $1::uuid, e.lane, e.n, e.leaf, e.signature, k.id, 'detail'
             FROM unnest($2::int[], $3::bigint[], $4::bytea[], $5::bytea[]) AS e (lane, n, leaf, signature)
             CROSS JOIN (SELECT id FROM ledger_detail_keys LIMIT 1) k)
         INSERT INTO ledger_pending (replica, lane, n) SELECT $1::uuid, * FROM unnest($2::int[], $3::bigint[])",
    )
    .bind(replica)
    .bind(in_lanes)
    .bind(numbers)
    .bind(leaves)
    .bind(signatures)
    .execute(owner)
    .await
    .unwrap();
}

/// How the ledger stands at one moment.
#[derive(Debug)]
struct Stands {
    entries: i64,
    waiting: i64,
    leaves: i64,
    /// What the newest checkpoint is signed for.
    covered: i64,
}

async fn stands(owner: &mut PgConnection) -> Stands {
    let (entries, waiting, leaves, covered): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM ledger_entries), (SELECT count(*) FROM ledger_pending),
                (SELECT count(*) FROM ledger_tree), (SELECT coalesce(max(size), 0) FROM ledger_checkpoints)",
    )
    .fetch_one(owner)
    .await
    .unwrap();
    Stands { entries, waiting, leaves, covered }
}

/// What the checkpoint that is kept outside the database is signed for.
fn kept_outside(world: &World) -> i64 {
    let kept = std::fs::read_to_string(world.app.config.checkpoints.join("checkpoint")).unwrap();
    kept.lines().nth(1).unwrap().parse().unwrap()
}

/// Waits until every entry has its place, and looks all the while that nothing is half done.
pub async fn all_placed(world: &World, owner: &mut PgConnection) {
    let (begun, mut tick) = (Instant::now(), tokio::time::interval(Duration::from_millis(20)));
    loop {
        tick.tick().await;
        let kept = kept_outside(world);
        let now = stands(owner).await;
        assert_eq!(now.leaves, now.covered, "no leaf is without its checkpoint: {now:?}");
        assert_eq!(now.leaves + now.waiting, now.entries, "each entry has its place or waits for it: {now:?}");
        assert!(kept <= now.covered, "what is kept outside speaks of no more than what is stored: {kept}, {now:?}");
        if now.waiting == 0 {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(4), "it does not go on: {now:?}");
    }
}

/// The sessions that hold the sequencer's lock.
async fn holders(owner: &mut PgConnection) -> Vec<i32> {
    let held =
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = 4850171 AND objsubid = 1
                AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    sqlx::query_scalar(held).fetch_all(owner).await.unwrap()
}

async fn holder(owner: &mut PgConnection) -> i32 {
    crate::killed::until("somebody holds the lock", async || holders(owner).await.first().copied()).await
}

/// Positions are dense, and each place in a lane stands once: what the constraints of the tables do not say by themselves.
async fn is_dense(owner: &mut PgConnection) {
    let (dense, once): (bool, bool) = sqlx::query_as(
        "SELECT max(position) + 1 = count(*) AND min(position) = 0, count(DISTINCT (replica, lane, n)) = count(*) FROM ledger_tree",
    )
    .fetch_one(owner)
    .await
    .unwrap();
    assert!(dense && once, "dense: {dense}, once: {once}");
}

/// The first session that writes for the ledger dies at its first step, the second one at its second, and so on. Sequences do not
/// go back with a transaction: they count the sessions, and say at which tables some died.
#[expect(clippy::format_push_string, reason = "statements of a test, a handful of them")]
async fn let_die(owner: &mut PgConnection) {
    let mut statements = "CREATE SEQUENCE public.sessions_that_wrote;
        CREATE FUNCTION public.step() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            DECLARE
                own bigint := nullif(current_setting('test.own', true), '')::bigint;
                step bigint := coalesce(nullif(current_setting('test.step', true), '')::bigint, 0) + 1;
            BEGIN
                IF own IS NULL THEN
                    own := nextval('public.sessions_that_wrote');
                    PERFORM set_config('test.own', own::text, false);
                END IF;
                PERFORM set_config('test.step', step::text, false);
                IF step = own THEN
                    PERFORM nextval('public.died_' || TG_TABLE_NAME);
                    PERFORM pg_terminate_backend(pg_backend_pid());
                    PERFORM pg_sleep(1);
                END IF;
                RETURN NULL;
            END $$;
        CREATE CONSTRAINT TRIGGER step_of_the_commit AFTER INSERT ON ledger_checkpoints DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION step();"
        .to_owned();
    for (table, event) in WRITTEN {
        statements += &format!(
            "CREATE SEQUENCE public.died_{table};
             CREATE TRIGGER step_before BEFORE {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION step();
             CREATE TRIGGER step_after AFTER {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION step();"
        );
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(owner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_it_goes_on_and_leaves_nothing_half_done() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    work(&operator).await;
    let mut owner = world.owner().await;
    all_placed(&world, &mut owner).await;
    let_die(&mut owner).await;
    // Three batches: one of them at least fills a tile.
    queue(&world, &mut owner, 3, 200).await;
    work(&operator).await;
    all_placed(&world, &mut owner).await;
    for (table, _) in WRITTEN {
        let died = sqlx::AssertSqlSafe(format!("SELECT last_value, is_called FROM died_{table}"));
        let (times, some): (i64, bool) = sqlx::query_as(died).fetch_one(&mut owner).await.unwrap();
        assert!(some && times >= 2, "before it and behind it some died at {table}: {times}");
    }
    is_dense(&mut owner).await;

    // And wherever it is just then.
    sqlx::raw_sql("DROP FUNCTION step() CASCADE").execute(&mut owner).await.unwrap();
    for _ in 0..3 {
        let held = holder(&mut owner).await;
        queue(&world, &mut owner, 2, 20).await;
        let killed = sqlx::query_scalar::<_, bool>("SELECT pg_terminate_backend($1)").bind(held);
        assert!(killed.fetch_one(&mut owner).await.unwrap());
        all_placed(&world, &mut owner).await;
    }
    work(&operator).await;
    world.stop().await;
    all_placed(&world, &mut owner).await;
    is_dense(&mut owner).await;
    let report = whole_ledger(&world).await;
    assert_eq!((report.unsequenced, report.entries), (0, report.leaves));
    assert_eq!(kept_outside(&world), i64::try_from(report.leaves).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_sequences_and_the_other_goes_on_where_it_ended() {
    let mut world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut owner = world.owner().await;
    let first = holder(&mut owner).await;
    let (_, serving, base) = world.replica().await;
    let at_other = operator.at(&base);
    for _ in 0..5 {
        work(&operator).await;
        work(&at_other).await;
        assert_eq!(holders(&mut owner).await, [first], "one session holds it, and stays");
    }
    all_placed(&world, &mut owner).await;
    world.stop().await;
    let second = holder(&mut owner).await;
    assert_ne!(second, first);

    let before = stands(&mut owner).await.covered;
    queue(&world, &mut owner, 3, 200).await;
    work(&at_other).await;
    all_placed(&world, &mut owner).await;
    assert_eq!(holders(&mut owner).await, [second]);
    let sizes: Vec<i64> = sqlx::query_scalar("SELECT size FROM ledger_checkpoints WHERE size >= $1 ORDER BY size")
        .bind(before)
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert!(sizes[0] == before && sizes.len() > 3, "{sizes:?}");
    assert!(sizes.windows(2).all(|pair| pair[1] - pair[0] <= 256), "{sizes:?}");
    serving.stop().await.unwrap();
    is_dense(&mut owner).await;
    whole_ledger(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_waits_alone_waits_for_no_full_batch() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut owner = world.owner().await;
    let mut waited = Vec::new();
    for _ in 0..5 {
        all_placed(&world, &mut owner).await;
        work(&operator).await;
        let made = Instant::now();
        all_placed(&world, &mut owner).await;
        waited.push(made.elapsed());
    }
    // A round is a quarter of a second; a busy machine may take longer for most of them, and not for the quickest.
    assert!(waited.iter().min().unwrap() < &Duration::from_secs(1), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_covers_each_entry_within_ten_seconds() {
    let world = World::new().await;
    let operator = world.signed_in("operator1").await;
    let mut owner = world.owner().await;
    all_placed(&world, &mut owner).await;
    for _ in 0..5 {
        let (made, before) = (Instant::now(), stands(&mut owner).await.entries);
        work(&operator).await;
        let entered = stands(&mut owner).await.entries;
        assert!(entered > before);
        all_placed(&world, &mut owner).await;
        crate::killed::until("it is kept outside as well", async || (kept_outside(&world) >= entered).then_some(()))
            .await;
        assert!(made.elapsed() < Duration::from_secs(10), "{:?}", made.elapsed());
    }
}
