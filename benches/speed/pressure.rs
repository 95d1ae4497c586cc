//! What happens when entries are made faster than they are numbered: as fast as clients can, and while nothing is numbered at all.

use crate::load::{Answer, exchange};
use crate::machine;
use crate::report::Report;
use crate::world::{Served, World, database};
use crate::{CLIENTS, Outcome};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection, Row as _};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Connections that read with each session.
const READERS: usize = 3;
/// For how long nothing is numbered: longer than the half a minute after which no record is opened.
const HELD: Duration = Duration::from_secs(36);
/// How often it is looked how much waits.
const LOOKS: Duration = Duration::from_millis(200);

/// What clients were answered, by kind of work and answer: how often, and how long it took.
#[derive(Default)]
struct Seen {
    answers: BTreeMap<(&'static str, String), u64>,
    reads: Vec<Duration>,
    first_refused: Option<Duration>,
}

/// How much waits for its number.
#[derive(Clone, Copy, Default)]
struct Queue {
    numbered: i64,
    waiting: i64,
    oldest: f64,
}

async fn queue(owner: &mut PgConnection) -> Outcome<Queue> {
    let asked = "SELECT (SELECT coalesce(max(position) + 1, 0) FROM ledger_tree) AS numbered, count(*) AS waiting,
                        coalesce(extract(epoch FROM clock_timestamp() - min(entered_at)), 0)::float8 AS oldest FROM ledger_pending";
    let row = sqlx::query(asked).fetch_one(owner).await?;
    Ok(Queue { numbered: row.try_get("numbered")?, waiting: row.try_get("waiting")?, oldest: row.try_get("oldest")? })
}

/// Clients that read and write until they are told to stop.
struct Clients {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Outcome>>,
}

impl Clients {
    async fn start(world: &World, at: &Served) -> Outcome<Self> {
        let mut clients = Self { seen: Arc::default(), stop: Arc::default(), tasks: Vec::new() };
        let base = format!("http://{}", at.address);
        for (session, case) in world.sessions.iter().zip(&world.cases) {
            let path = format!("/api/v1/cases/{case}/sections/narrative");
            let read = format!("{}purpose: case_work\r\n\r\n", session.head("GET", &path).await).into_bytes();
            for _ in 0..READERS {
                let read = read.clone();
                clients.spawn(at, "read", move |_| read.clone());
            }
            // Each writes its own section, with the version that the last answer named.
            let first = session.actor.at(&base).get(&path, "case_work").await?;
            let first = first.etag.ok_or("a section has no version")?;
            let body = json!({ "text": crate::world::text() }).to_string();
            let head = session.head("PUT", &path).await;
            let after = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let mut known = first;
            clients.spawn(at, "written", move |etag| {
                if let Some(etag) = etag {
                    etag.clone_into(&mut known);
                }
                format!("{head}if-match: {known}\r\n{after}").into_bytes()
            });
        }
        Ok(clients)
    }

    fn spawn(
        &mut self,
        at: &Served,
        what: &'static str,
        mut next: impl FnMut(Option<&str>) -> Vec<u8> + Send + 'static,
    ) {
        let (seen, stop, address, begin) = (Arc::clone(&self.seen), Arc::clone(&self.stop), at.address, Instant::now());
        self.tasks.push(tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut buffer, mut etag) = (Vec::with_capacity(16 * 1024), None::<String>);
            while !stop.load(Ordering::Relaxed) {
                let (request, sent) = (next(etag.as_deref()), Instant::now());
                let Answer { status, etag: told, body } = exchange(&mut stream, &request, &mut buffer).await?;
                etag = told.filter(|_| status == 200);
                let code = serde_json::from_str::<Value>(&body)
                    .ok()
                    .and_then(|body| Some(body.get("code")?.as_str()?.to_owned()));
                let answer = code.map_or_else(|| status.to_string(), |code| format!("{status} {code}"));
                let took = sent.elapsed();
                {
                    let mut all = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    *all.answers.entry((what, answer)).or_default() += 1;
                    if what == "read" {
                        all.reads.push(took);
                    }
                    if status != 200 {
                        all.first_refused.get_or_insert(begin.elapsed());
                    }
                }
                if status != 200 {
                    // As a client does that is told to try again.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Ok(())
        }));
    }

    async fn stop(self) -> Outcome<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await??;
        }
        Ok(std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Looks for so long how much waits: where it began and ended, and the most of each.
async fn watch(owner: &mut PgConnection, during: Duration) -> Outcome<(Queue, Queue, Queue)> {
    let (began, first) = (Instant::now(), queue(owner).await?);
    let (mut last, mut most) = (first, first);
    while began.elapsed() < during {
        tokio::time::sleep(LOOKS).await;
        last = queue(owner).await?;
        most.waiting = most.waiting.max(last.waiting);
        most.oldest = most.oldest.max(last.oldest);
    }
    Ok((first, last, most))
}

fn say(report: &Report, seen: &mut Seen, during: Duration) {
    for ((what, answer), count) in &seen.answers {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = *count as f64 / during.as_secs_f64();
        report.say(&format!("    {what}, answered {answer}"), &format!("{rate:>6.0}/s"));
    }
    seen.reads.sort_unstable();
    let at =
        |part: usize| seen.reads.get(seen.reads.len().saturating_sub(1) * part / 1000).copied().unwrap_or_default();
    let [half, most, last] = [500, 990, 1000].map(|part| at(part).as_secs_f64() * 1000.0);
    report.say("    a reader waits: median, 99 of 100, longest", &format!("{half:.1}, {most:.1}, {last:.1} ms"));
}

/// (p): the pressure that readers and writers can make, and what becomes of it when nothing is numbered.
pub async fn pressure(report: &mut Report, superuser: &str, world: &World, at: &Served, during: Duration) -> Outcome {
    let mut owner = database(superuser, "small").parse::<PgConnectOptions>()?.connect().await?;
    let mut holder = database(superuser, "small").parse::<PgConnectOptions>()?.connect().await?;
    world.refresh(at).await?;
    let (during, clients) = (during * 5, Clients::start(world, at).await?);
    let (first, last, most) = watch(&mut owner, during).await?;
    let mut seen = clients.stop().await?;
    let rate =
        |count: i64| format!("{:>6.0}/s", f64::from(i32::try_from(count).unwrap_or(i32::MAX)) / during.as_secs_f64());
    let connections = CLIENTS * (READERS + 1);
    report.say(
        &format!("(p) {connections} connections, a quarter of them writes: entries made"),
        &rate(last.numbered + last.waiting - first.numbered - first.waiting),
    );
    report.say("    numbered meanwhile", &rate(last.numbered - first.numbered));
    report.say(
        "    the most that waited for a number, and the longest",
        &format!("{}, {:.1} s", most.waiting, most.oldest),
    );
    say(report, &mut seen, during);

    world.refresh(at).await?;
    machine::forget_peak(at.pid())?;
    let clients = Clients::start(world, at).await?;
    sqlx::raw_sql("BEGIN; LOCK TABLE ledger_tree IN SHARE ROW EXCLUSIVE MODE").execute(&mut holder).await?;
    let (first, last, most) = watch(&mut owner, HELD).await?;
    let refused = clients.seen.lock().unwrap_or_else(PoisonError::into_inner).first_refused;
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await?;
    let released = Instant::now();
    let mut seen = clients.stop().await?;
    report.say(
        "(p) nothing is numbered: entries made in so long",
        &format!("{} in {} s", last.waiting - first.waiting, HELD.as_secs()),
    );
    report.say("    the most that waited, and the longest", &format!("{}, {:.1} s", most.waiting, most.oldest));
    let refused = refused.map_or_else(|| "never".to_owned(), |after| format!("after {:.1} s", after.as_secs_f64()));
    report.say("    the first was refused", &refused);
    say(report, &mut seen, HELD);
    let peak = machine::peak(at.pid())?;
    report.at_most("    peak memory of the server meanwhile", format!("{peak:.0} MB"), peak, 150.0, "under 150 MB");
    while queue(&mut owner).await?.waiting > 0 {
        tokio::time::sleep(LOOKS).await;
    }
    report.say("    all of it had its number after", &format!("{:.1} s", released.elapsed().as_secs_f64()));
    Ok(())
}
