//! Outages: two persons let some readers go on while the ledger lacks something (DESIGN section 5).
//!
//! What two signed decides (`signed`), and not the row in which it lies: every process reads the notes every two seconds, with the keys
//! and the standing of those who signed as they are now, and compares the time in the note with its own clock at each read. What was seen
//! to be over stays over, also when its row is put back, and after a restart (`kept`): ended by somebody, past its time, gone from the
//! database, or left by one of those who signed.
//!
//! It opens what the ledger closed and nothing besides: the gate, the keys and the row-level security ask as before, and the read's entry is
//! durable before anything is shown. A ledger that takes no entry stays closed.

mod kept;
mod signed;

pub use kept::FILE;
pub use signed::{LONGEST, Outage, Proposed, Reader, Signers, relation};

use super::action::{Relation, Verb};
use super::policy::DecisionTable;
use super::record::{OutageId, RecordKind};
use super::statement::{self, Lack, OutageStatement};
use super::store;
use super::trust::{Member, Trust};
use crate::audit::entry::{Entry, Outcome};
use crate::audit::ledger::{Ledger, LedgerError};
use crate::platform::clock::Clock;
use crate::platform::metrics;
use sqlx::PgPool;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Every how many seconds it is looked what two have agreed to.
const AGAIN: Duration = Duration::from_secs(2);

/// What was seen so long ago opens nothing: somebody may have ended it since.
const STALE: Duration = Duration::from_secs(15);

/// Who goes on reading: whoever works on the case or keeps the desk, for whom somebody waits. All others stay closed, and that is the point
/// of closing: a supervisor, a colleague with a permission to read, who was let in by two custodians, and a reviewer look at others' work,
/// which can wait for a ledger that is whole; a carer is of another organisation, and stands beside the person whom the record is about.
const GO_ON: [Relation; 2] = [Relation::Assigned, Relation::Duty];

/// Why it is not known what two have agreed to.
#[derive(Debug, thiserror::Error)]
pub enum OutageError {
    #[error("the outages could not be read: {0}")]
    Store(#[from] sqlx::Error),
    #[error("the file `{FILE}` in the folder of checkpoints cannot be read or written: {0}")]
    File(#[from] std::io::Error),
    #[error("that an outage is over could not be entered: {0}")]
    Ledger(#[from] Arc<LedgerError>),
}

/// Looks at what two have agreed to, and remembers what counts.
pub struct Outages {
    pool: PgPool,
    trust: Arc<Trust>,
    policy: Arc<DecisionTable>,
    ledger: Arc<Ledger>,
    clock: Clock,
    folder: PathBuf,
    /// One look at a time: two that overlap could open again what one of them has seen end.
    looking: tokio::sync::Mutex<()>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    open: Vec<Outage>,
    over: HashSet<OutageId>,
    looked: Option<Instant>,
    planted: usize,
}

/// What lies in the database, read with today's keys.
struct Found {
    /// Two have signed it; and whether somebody ended it.
    agreed: Vec<(Outage, bool)>,
    planted: usize,
}

impl Outages {
    #[must_use]
    pub fn new(
        pool: PgPool,
        trust: Arc<Trust>,
        policy: Arc<DecisionTable>,
        ledger: Arc<Ledger>,
        clock: Clock,
        folder: PathBuf,
    ) -> Arc<Self> {
        let (looking, seen) = (tokio::sync::Mutex::default(), Mutex::default());
        Arc::new(Self { pool, trust, policy, ledger, clock, folder, looking, seen })
    }

    /// Reads notes with the keys of those who are members now.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        Reader { trust: &self.trust, policy: &self.policy, signers: Signers::InForce }
    }

    /// The outage by which this member goes on reading what they stand to like this in spite of something that the ledger lacks.
    #[must_use]
    pub fn opens(&self, member: Option<&Member>, relation: Relation, lack: Lack) -> Option<OutageId> {
        let member = member.filter(|_| GO_ON.contains(&relation))?;
        self.counting(|outage| outage.organisation == member.organisation && outage.lacks.contains(&lack))
            .first()
            .map(|outage| outage.id)
    }

    /// Whether anybody goes on reading in spite of all that the ledger lacks; never where it lacks nothing.
    #[must_use]
    pub fn opens_for_somebody(&self, lacks: &[Lack]) -> bool {
        let open = self.counting(|_| true);
        let covers = |organisation, lack| {
            open.iter().any(|outage| outage.organisation == organisation && outage.lacks.contains(lack))
        };
        !lacks.is_empty() && open.iter().any(|one| lacks.iter().all(|lack| covers(one.organisation, lack)))
    }

    /// Whether somebody reads by it in this process now, if the ledger lacks what it names.
    #[must_use]
    pub fn is_open(&self, outage: OutageId) -> bool {
        !self.counting(|open| open.id == outage).is_empty()
    }

    /// Whether this process has seen its end.
    #[must_use]
    pub fn is_over(&self, outage: OutageId) -> bool {
        self.seen().over.contains(&outage)
    }

    /// Those that count at this moment.
    fn counting(&self, wanted: impl Fn(&Outage) -> bool) -> Vec<Outage> {
        let now = self.clock.now();
        let seen = self.seen();
        let fresh = seen.looked.is_some_and(|looked| looked.elapsed() <= STALE);
        let counts = |outage: &&Outage| fresh && outage.from <= now && now < outage.until && wanted(outage);
        seen.open.iter().filter(counts).cloned().collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody ends it: it opens nothing on this machine from here on, whatever becomes of the row that says so.
    pub async fn end(&self, outage: OutageId) {
        let _alone = self.looking.lock().await;
        {
            let mut seen = self.seen();
            seen.over.insert(outage);
            seen.open.retain(|open| open.id != outage);
        }
        if let Err(error) = kept::over(&self.folder, outage) {
            tracing::error!(%error, "ALARM: that an outage was ended could not be kept beside the checkpoints");
        }
    }

    /// Looks again and again, until the end. Meanwhile what was seen before grows old.
    pub async fn watch(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(AGAIN);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let looked = tokio::select! {
                looked = self.look() => looked,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            if let Err(error) = looked {
                tracing::warn!(%error, "outages were not looked at to the end");
            }
        }
    }

    /// Looks what two have agreed to. What ends, ends before anything else can fail.
    ///
    /// # Errors
    /// [`OutageError`]: then nothing new is opened.
    pub async fn look(&self) -> Result<(), OutageError> {
        let _alone = self.looking.lock().await;
        // Before the database: what another process of this machine opened has its row there.
        let kept = kept::read(&self.folder)?;
        let found = self.found(&kept).await?;
        let now = self.clock.now();
        let (mut open, mut over) = (Vec::new(), Vec::new());
        {
            let mut seen = self.seen();
            if found.planted > seen.planted {
                tracing::error!(
                    planted = found.planted,
                    "ALARM: outages lie in the database that two who may did not sign; they do not count"
                );
            }
            seen.planted = found.planted;
            // Once this machine opened it, only what was seen each time since goes on: what went away does not come back.
            let mut gone: HashSet<OutageId> = kept.begun.difference(&kept.over).copied().collect();
            gone.extend(seen.open.iter().map(|outage| outage.id));
            for (outage, ended) in found.agreed {
                gone.remove(&outage.id);
                if ended || outage.until <= now || seen.over.contains(&outage.id) || kept.over.contains(&outage.id) {
                    seen.over.insert(outage.id);
                    over.push((outage, ended));
                } else if outage.from <= now {
                    open.push(outage);
                }
            }
            over.extend(
                seen.open.iter().filter(|outage| gone.contains(&outage.id)).map(|outage| (outage.clone(), false)),
            );
            for id in gone.iter().filter(|id| !kept.over.contains(id)) {
                tracing::error!(outage = %id, "ALARM: an outage is gone, or who signed it may not any more: it is over");
            }
            seen.over.extend(&gone);
            seen.open.retain(|outage| open.contains(outage));
        }
        self.remember(&kept, &over).await?;
        for outage in open.iter().filter(|outage| !kept.begun.contains(&outage.id)) {
            kept::begun(&self.folder, outage.id)?;
            tracing::error!(outage = %outage.id, organisation = %outage.organisation, until = %outage.until,
                "ALARM: two persons let readers go on in spite of the ledger");
        }
        metrics::outages(open.len());
        let mut seen = self.seen();
        (seen.open, seen.looked) = (open, Some(Instant::now()));
        drop(seen);
        Ok(())
    }

    /// Makes durable what is over, and enters what lapsed.
    async fn remember(&self, kept: &kept::Kept, over: &[(Outage, bool)]) -> Result<(), OutageError> {
        let gone: Vec<OutageId> = self.seen().over.iter().filter(|id| !kept.over.contains(id)).copied().collect();
        for id in gone {
            let lapsed = over.iter().find(|(outage, ended)| outage.id == id && !ended);
            if let Some((outage, _)) = lapsed.filter(|_| kept.begun.contains(&id)) {
                self.ledger.enter(self.lapsed(outage)).await?;
                tracing::warn!(outage = %id, "an outage lapsed");
            }
            kept::over(&self.folder, id)?;
        }
        Ok(())
    }

    /// The entry that says so: in the name of who let it begin, and set its end.
    fn lapsed(&self, outage: &Outage) -> Entry {
        Entry {
            at: self.clock.now(),
            account: outage.agreed_by,
            organisation: Some(outage.organisation),
            role: outage.agreed_as,
            relation: Relation::None,
            verb: Verb::Lapse,
            kind: RecordKind::Outage,
            purpose: None,
            outcome: Outcome::Done,
            records: vec![outage.id.0],
            asked: None,
            about: None,
            mark: None,
            erased: None,
            turn: None,
        }
    }

    /// Those that could count, or of which it is to be entered that they do no more.
    async fn found(&self, kept: &kept::Kept) -> Result<Found, sqlx::Error> {
        let (mut connection, now) = (self.pool.acquire().await?, self.clock.now());
        let mut found = Found { agreed: Vec::new(), planted: 0 };
        for row in store::agreed_outages(&mut connection).await? {
            let is_past = statement::unverified::<OutageStatement>(&row.note).is_ok_and(|claimed| claimed.until <= now);
            let awaited = kept.begun.contains(&row.id) && !kept.over.contains(&row.id);
            if is_past && !awaited {
                continue;
            }
            match self.reader().agreed(&mut connection, &row.note).await? {
                // One that is copied under another id is none.
                Some(outage) if outage.id == row.id => found.agreed.push((outage, row.ended_at.is_some())),
                _ => found.planted += 1,
            }
        }
        Ok(found)
    }
}
