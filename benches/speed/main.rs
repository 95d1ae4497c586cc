//! What the promise costs: `deploy/bench` starts a PostgreSQL of its own and runs this.
//!
//! One run, in turns, printing ratios: the real binary against the same handlers without authentication, policy,
//! encryption and ledger (`plain`), and against pgbench. Every contestant has the same clients (`load`), the same number of
//! rows (`fill`) and the same PostgreSQL, in which every commit is on the disk before it is answered.

mod fill;
mod load;
mod machine;
mod plain;
mod pressure;
mod report;
mod rounds;
mod small;
mod world;

use report::Report;
use rounds::{Bench, Side};
use sqlx::{ConnectOptions as _, Row as _};
use std::path::Path;
use std::time::{Duration, Instant};
use world::{Served, World};

/// Anything that ends the run.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Clients at once, each with a session and a connection of its own.
pub const CLIENTS: usize = 16;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, url] = arguments.as_slice()
        && role == "plain"
    {
        return tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(plain::serve(url));
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    // One thread for all clients: on two cores they would otherwise take turns with the server more often than they do.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(quick))
}

async fn durable(superuser: &str) -> Outcome {
    let mut server = superuser.parse::<sqlx::postgres::PgConnectOptions>()?.connect().await?;
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let shown = format!("SHOW {setting}");
        let row = sqlx::raw_sql(sqlx::AssertSqlSafe(shown)).fetch_one(&mut server).await?;
        if row.try_get::<String, _>(0)? != "on" {
            return Err(format!("{setting} is off in this PostgreSQL: what is not durable is not measured").into());
        }
    }
    Ok(())
}

async fn run(quick: bool) -> Outcome {
    let superuser = std::env::var("HIMAYA_TEST_PG").map_err(|_| "run deploy/bench: it starts a PostgreSQL")?;
    durable(&superuser).await?;
    let began = Instant::now();
    let (records, rounds, during) = if quick { (10_000, 3, 1) } else { (1_000_000, 3, 2) };
    let mut report = Report::default();
    report.say("two cores shared by clients, server and PostgreSQL", "");
    report.say("fsync, synchronous_commit and full_page_writes", "on");
    report.say("clients, each with its session and its connection", &CLIENTS.to_string());
    report.say("rounds in turns, of so many seconds; medians are shown", &format!("{rounds} × {during} s"));

    let home = std::env::temp_dir().join(format!("himaya-bench-{}", himaya::platform::random::uuid().simple()));
    let outcome = measure(&mut report, &superuser, &home, (records, rounds, Duration::from_secs(during))).await;
    std::fs::remove_dir_all(&home)?;
    outcome?;
    report.say("the whole run", &format!("{:.0} s", began.elapsed().as_secs_f64()));
    report.end();
    Ok(())
}

async fn measure(
    report: &mut Report,
    superuser: &str,
    home: &Path,
    (records, rounds, during): (u32, usize, Duration),
) -> Outcome {
    let began = Instant::now();
    let world = World::found(superuser, &home.join("small")).await?;
    report.say("a country founded, its cases opened", &format!("{:.0} s", began.elapsed().as_secs_f64()));
    let began = Instant::now();
    let folder = world::copy(superuser, &world.folder, "large").await?;
    let first = *world.cases.first().ok_or("no case was opened")?;
    let small = 1000;
    fill::fill(superuser, "small", &world.folder, first, small).await?;
    fill::fill(superuser, "large", &folder, first, records).await?;
    for (name, rows) in [("plain_small", small), ("plain_large", records)] {
        plain::make(superuser, name, &world.cases, &world::text(), rows).await?;
    }
    report.say(&format!("{small} and {records} records"), &format!("{:.0} s", began.elapsed().as_secs_f64()));
    let postmaster = world::postmaster(superuser).await?;
    let sides = [
        Side::start(superuser, &world.folder, "small", small).await?,
        Side::start(superuser, &folder, "large", records).await?,
    ];
    let bench = Bench { world: &world, sides: &sides, postmaster, rounds, during };
    report.say("", "");
    bench.reads(report).await?;
    bench.lists(report).await?;
    bench.writes(report).await?;
    bench.memory(report)?;
    let served: &Served = &sides[0].himaya;
    pressure::pressure(report, superuser, &world, served, during).await?;
    small::sign_in(report, &world, served, rounds).await?;
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    small::policy(report, &himaya::guard::policy::DecisionTable::from_dir(&policies).await?);
    small::bytes(report)?;
    for side in sides {
        side.himaya.stop()?;
    }
    Ok(())
}
