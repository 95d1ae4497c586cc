//! The contests: reads, lists and writes, in alternating rounds over few and over many records.

use crate::load::{self, Asks, Reads, Writes};
use crate::machine;
use crate::report::{Report, median};
use crate::world::{Served, World, database};
use crate::{CLIENTS, Outcome};
use himaya::platform::cluster::Cluster;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use uuid::Uuid;

/// Everything over one number of records.
pub struct Side {
    pub name: String,
    pub himaya: Served,
    pub plain: Served,
    url: String,
}

impl Side {
    pub async fn start(superuser: &str, folder: &Path, name: &str, records: u32) -> Outcome<Self> {
        let url = database(superuser, &format!("plain_{name}"));
        let himaya = Served::himaya(folder).await?;
        machine::forget_peak(himaya.pid())?;
        let plain = Served::plain(&url, folder).await?;
        Ok(Self { name: format!("{records} records"), himaya, plain, url })
    }
}

/// One contestant's rounds.
#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    /// Microseconds of processor time for each request: the server's, PostgreSQL's, the clients'.
    costs: [Vec<f64>; 3],
}

impl Rounds {
    fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    /// The median of the rounds' own ratios: what disturbs a round disturbs both.
    fn over(&self, other: &Self) -> f64 {
        median(self.rates.iter().zip(&other.rates).map(|(own, other)| own / other).collect())
    }

    fn shown(&self) -> String {
        let [server, database, clients] = self.costs.clone().map(median);
        format!("{:>6.0}/s  (µs each: server {server:.0}, PostgreSQL {database:.0}, clients {clients:.0})", self.rate())
    }
}

pub struct Bench<'a> {
    pub world: &'a World,
    pub sides: &'a [Side; 2],
    pub postmaster: u32,
    pub rounds: usize,
    pub during: Duration,
}

fn plain_reads(path: &str, cases: &[Uuid]) -> Vec<Reads> {
    let requests: Vec<Vec<u8>> = cases
        .iter()
        .map(|case| format!("GET /{path}/{case}/narrative HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes())
        .collect();
    (1..=CLIENTS).map(|n| Reads { requests: requests.clone(), seed: 7919 * n as u64 }).collect()
}

impl Bench<'_> {
    async fn http<A: Asks + Send + 'static>(&self, at: &Served, asks: Vec<A>, into: &mut Rounds) -> Outcome<Vec<A>> {
        let clients = std::process::id();
        let now = || {
            [machine::processor(at.pid()), machine::processor_of_family(self.postmaster), machine::processor(clients)]
        };
        let before = now();
        let (rate, asks) = load::rate(at.address, asks, self.during).await?;
        let after = now();
        // The warming of the connections is in the time, so it is in the number as well.
        let requests = rate * (self.during.as_secs_f64() + 0.2);
        for (costs, (before, after)) in into.costs.iter_mut().zip(before.into_iter().zip(after)) {
            costs.push((after - before) * 1e6 / requests);
        }
        into.rates.push(rate);
        Ok(asks)
    }

    async fn himaya_reads(&self, path: impl Fn(&Uuid) -> String) -> Vec<Reads> {
        let mut clients = Vec::with_capacity(CLIENTS);
        for (number, session) in (1_u64..).zip(&self.world.sessions) {
            let mut requests = Vec::with_capacity(self.world.cases.len());
            for case in &self.world.cases {
                let head = session.head("GET", &path(case)).await;
                requests.push(format!("{head}purpose: case_work\r\n\r\n").into_bytes());
            }
            clients.push(Reads { requests, seed: 7919 * number });
        }
        clients
    }

    /// The same select and insert by one function of SQL.
    fn pgbench(&self, side: &Side, into: &mut Rounds) -> Outcome {
        let mut command = Command::new(Cluster::find_client("pgbench")?);
        command.args(["-n", "-j", "1", "-M", "prepared", "-c"]).arg(CLIENTS.to_string());
        command.arg("-T").arg(self.during.as_secs().to_string());
        for (number, case) in self.world.cases.iter().enumerate() {
            let file = self.world.folder.join(format!("{number}.sql"));
            std::fs::write(&file, format!("SELECT * FROM read_and_log('{case}', 'narrative');\n"))?;
            command.arg("-f").arg(file);
        }
        let output = command.arg(&side.url).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        into.rates.push(rate.ok_or_else(|| format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)))?);
        Ok(())
    }

    /// (a): one section.
    pub async fn reads(&self, report: &mut Report) -> Outcome {
        let mut all: [[Rounds; 4]; 2] = Default::default();
        for _ in 0..self.rounds {
            for (side, [own, selects, logs, bench]) in self.sides.iter().zip(&mut all) {
                self.world.refresh(&self.sides[0].himaya).await?;
                let reads = self.himaya_reads(|case| format!("/api/v1/cases/{case}/sections/narrative")).await;
                self.http(&side.himaya, reads, own).await?;
                self.http(&side.plain, plain_reads("selects", &self.world.cases), selects).await?;
                self.http(&side.plain, plain_reads("logs", &self.world.cases), logs).await?;
                self.pgbench(side, bench)?;
            }
        }
        for (side, [own, selects, logs, bench]) in self.sides.iter().zip(&all) {
            report.say(&format!("(a) a section read, {}", side.name), &own.shown());
            let against = |name: &str| format!("    against {name}");
            for (name, other, least) in [("selects only", selects, 0.5), ("selects and one durable row", logs, 0.9)] {
                report.say(&format!("    {name}"), &other.shown());
                report.at_least(&against(name), format!("× {:.2}", own.over(other)), own.over(other), least);
            }
            report.say("    pgbench, the same by one function", &format!("{:>6.0}/s", bench.rate()));
            report.at_least(&against("pgbench"), format!("× {:.2}", own.over(bench)), own.over(bench), 0.75);
        }
        let [small, large] = &all;
        grown(report, "(a)", &small[0], &large[0]);
        grown(report, "    selects only", &small[1], &large[1]);
        Ok(())
    }

    /// (b): lists of fifty, against (a) in the same rounds.
    pub async fn lists(&self, report: &mut Report) -> Outcome {
        let first = self.world.cases.first().copied().unwrap_or_default();
        let mut all: [[Rounds; 3]; 2] = Default::default();
        for _ in 0..self.rounds {
            for (side, [one, cases, notes]) in self.sides.iter().zip(&mut all) {
                self.world.refresh(&self.sides[0].himaya).await?;
                let reads = self.himaya_reads(|case| format!("/api/v1/cases/{case}/sections/narrative")).await;
                self.http(&side.himaya, reads, one).await?;
                self.http(&side.himaya, self.himaya_reads(|_| "/api/v1/cases?limit=50".to_owned()).await, cases)
                    .await?;
                let reads = self.himaya_reads(|_| format!("/api/v1/cases/{first}/notes?limit=50")).await;
                self.http(&side.himaya, reads, notes).await?;
            }
        }
        for (side, [one, cases, notes]) in self.sides.iter().zip(&all) {
            report.say(&format!("(b) a list of 50 cases, {}", side.name), &cases.shown());
            let times = one.over(cases);
            report.at_most("    costs, by (a)", format!("{times:.2}"), times, 3.0, "≤ 3");
            report.say("    a list of 50 notes, each opened", &notes.shown());
            report.say("    costs, by (a)", &format!("{:.2}", one.over(notes)));
        }
        let [small, large] = &all;
        grown(report, "(b)", &small[1], &large[1]);
        Ok(())
    }

    /// (c): a section replaced, each client its own.
    pub async fn writes(&self, report: &mut Report) -> Outcome {
        let mut all: [[Rounds; 2]; 2] = Default::default();
        let body = json!({ "text": crate::world::text() }).to_string();
        let after = format!("\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let first = || (vec!["\"2\"".to_owned(); CLIENTS], vec!["\"1\"".to_owned(); CLIENTS]);
        let mut etags = [first(), first()];
        for _ in 0..self.rounds {
            for ((side, [own, plain]), (etags, bare_etags)) in self.sides.iter().zip(&mut all).zip(&mut etags) {
                self.world.refresh(&self.sides[0].himaya).await?;
                let (mut writes, mut bare) = (Vec::new(), Vec::new());
                let known = etags.iter().zip(bare_etags.iter());
                for ((session, case), (etag, bare_etag)) in self.world.sessions.iter().zip(&self.world.cases).zip(known)
                {
                    let (after, etag) = (after.clone().into_bytes(), etag.clone());
                    let head = session.head("PUT", &format!("/api/v1/cases/{case}/sections/narrative")).await;
                    writes.push(Writes {
                        before: format!("{head}if-match: ").into_bytes(),
                        after: after.clone(),
                        etag,
                    });
                    let mut head = String::new();
                    write!(head, "PUT /selects/{case}/narrative HTTP/1.1\r\nhost: localhost\r\nif-match: ")?;
                    bare.push(Writes { before: head.into_bytes(), after, etag: bare_etag.clone() });
                }
                let done = self.http(&side.himaya, writes, own).await?;
                *etags = done.into_iter().map(|write| write.etag).collect();
                let done = self.http(&side.plain, bare, plain).await?;
                *bare_etags = done.into_iter().map(|write| write.etag).collect();
            }
        }
        for (side, [own, plain]) in self.sides.iter().zip(&all) {
            report.say(&format!("(c) a section written, {}", side.name), &own.shown());
            report.say("    unprotected", &plain.shown());
            report.at_least("    against it", format!("× {:.2}", own.over(plain)), own.over(plain), 0.5);
        }
        let [small, large] = &all;
        grown(report, "(c)", &small[0], &large[0]);
        Ok(())
    }

    /// The most memory that a service held since it was started, all contests included.
    pub fn memory(&self, report: &mut Report) -> Outcome {
        for side in self.sides {
            let peak = machine::peak(side.himaya.pid())?;
            let what = format!("peak memory of the server, {}", side.name);
            report.at_most(&what, format!("{peak:.0} MB"), peak, 150.0, "under 150 MB");
        }
        Ok(())
    }
}

/// What many records cost beside few.
fn grown(report: &mut Report, what: &str, small: &Rounds, large: &Rounds) {
    let times = small.over(large);
    report.at_most(&format!("{what}: many records cost, by few"), format!("{times:.2}"), times, 1.2, "≤ 1.2");
}
