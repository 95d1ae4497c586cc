//! The ledger as the service writes it: entries in batches for reads, entries in their transaction for writes.
//!
//! `lanes` number them without a lock that everybody waits for, `details` seals what they say to the auditors and to the own supervisors,
//! `backlog` watches that what this process wrote gets its place in the tree.

mod backlog;
mod details;
mod lanes;
mod office;

pub use backlog::{BEHIND, Backlog, Written};
pub use details::{detail_context, open_detail};
pub(crate) use office::KEPT as OFFICE_KEPT;

use super::entry::{self, Entry, Leaf, Pseudonyms};
use super::receipt::Receipt;
use super::retention::label::{Label, Labels};
use super::snooping::Lookout;
use super::store::{self, Row};
use crate::guard::record::{AccountId, OrganisationId};
use crate::guard::statement::Lack;
use crate::guard::trust::Trust;
use crate::platform::clock::Clock;
use crate::platform::metrics;
use crate::platform::problem::Problem;
use crate::platform::random;
use crate::platform::secrets::{Live, LogKey, Versions};
use chrono::{DateTime, Utc};
use details::Details;
use ed25519_dalek::{Signer as _, SigningKey};
use lanes::{LaneHold, Lanes};
use office::Office;
use sqlx::{PgConnection, PgPool};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

/// Entries of waiting reads that are committed together at most.
const BATCH: usize = 256;
/// How many reads may wait for their entry before more are refused.
const WAITING: usize = 4096;

/// How long a read waits for its entry before it is refused.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nothing is opened when the last complete look at the witnesses is so old.
const UNLOOKED: Duration = Duration::from_mins(1);

/// No entry, no data: the answer when the ledger cannot take one.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("there is no LEDGER key of an auditor's office to seal the entry to")]
    NoAuditor,
    #[error("the entry could not be sealed")]
    Seal,
    #[error("the key that signs now is not among the secrets of this process: they are older than the ledger")]
    Unsigned,
    #[error("the ledger takes no more entries at the moment")]
    Full,
    #[error("the ledger does not take an entry in time")]
    Late,
    #[error("the ledger could not be written")]
    Store(#[from] sqlx::Error),
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(inner) => inner.into(),
            LedgerError::NoAuditor => {
                tracing::warn!(%error, "somebody wanted to work");
                Self::away(
                    "ledger_has_no_auditor",
                    "No auditor's office has a key in force, so nothing can be recorded, and so nothing is shown or stored.",
                )
            }
            LedgerError::Full | LedgerError::Late | LedgerError::Seal | LedgerError::Unsigned => {
                tracing::error!(%error, "the ledger takes no entry");
                Self::away("ledger_away", "The ledger takes no entry now, so nothing is shown or stored. Try again.")
            }
        }
    }
}

impl From<Lack> for Problem {
    fn from(lack: Lack) -> Self {
        match lack {
            Lack::Behind => Self::away(
                "ledger_behind",
                "The ledger has fallen behind, so no record is opened. Calls can still be written. Tell the administrator.",
            ),
            Lack::NotWitnessed => Self::away(
                "ledger_not_witnessed",
                "Too few witnesses have seen the ledger for a quarter of an hour, so no record is opened. Calls can still be \
                 written. Tell the administrator.",
            ),
        }
    }
}

/// Writes entries for this process.
pub struct Ledger {
    signing: Live<LogKey>,
    pseudonyms: Pseudonyms,
    labels: Labels,
    policy: [u8; 32],
    clock: Clock,
    pool: PgPool,
    details: Details,
    lanes: Lanes,
    lookout: Arc<Lookout>,
    reads: mpsc::Sender<Waiting>,
    behind: AtomicBool,
    /// Too few witnesses have seen the ledger. Where some are configured it is so until they are known to have.
    unwitnessed: AtomicBool,
    /// Whether there are witnesses; when this process started; and how many seconds later the last look was complete.
    witnessed: bool,
    started: Instant,
    looked: AtomicU64,
    closed: AtomicBool,
    outdated: AtomicBool,
    /// The oldest key that may still sign, by its place among all: it only ever grows.
    office: AtomicUsize,
}

struct Waiting {
    entry: Entry,
    durable: oneshot::Sender<Result<(), Arc<LedgerError>>>,
}

/// What the ledger needs of the service.
pub struct LedgerParts {
    pub signing: Live<LogKey>,
    pub pseudonyms: Pseudonyms,
    pub labels: Labels,
    pub policy: [u8; 32],
    pub clock: Clock,
    pub trust: Arc<Trust>,
    pub pool: PgPool,
    pub lookout: Arc<Lookout>,
    /// The folder of checkpoints.
    pub checkpoints: PathBuf,
    /// Whether witnesses are configured, so that nothing is opened before it is known that they see the ledger.
    pub witnessed: bool,
}

impl Ledger {
    /// Starts the ledger of this process, with the task that commits the entries of waiting reads in batches. It ends
    /// when the last handle is dropped.
    #[must_use]
    pub fn start(parts: LedgerParts) -> Arc<Self> {
        let (reads, waiting) = mpsc::channel(WAITING);
        let ledger = Arc::new(Self {
            signing: parts.signing,
            pseudonyms: parts.pseudonyms,
            labels: parts.labels,
            policy: parts.policy,
            details: Details::new(
                parts.pool.clone(),
                parts.trust,
                parts.clock.clone(),
                Office::new(&parts.checkpoints),
            ),
            clock: parts.clock,
            pool: parts.pool,
            lanes: Lanes::new(random::uuid()),
            lookout: parts.lookout,
            reads,
            behind: AtomicBool::new(false),
            unwitnessed: AtomicBool::new(parts.witnessed),
            witnessed: parts.witnessed,
            started: Instant::now(),
            looked: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            outdated: AtomicBool::new(false),
            office: AtomicUsize::new(0),
        });
        tokio::spawn(write_reads(Arc::downgrade(&ledger), waiting));
        ledger
    }

    /// Whether entries have waited too long for their place in the tree: then no record is opened (DESIGN section 5), and
    /// calls can still be written.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// Told by the watch over the backlog.
    pub fn set_behind(&self, behind: bool) {
        if self.behind.swap(behind, Ordering::Relaxed) != behind {
            tracing::warn!(behind, "the ledger's backlog");
        }
    }

    /// Whether too few of those outside have seen the ledger for a quarter of an hour (DESIGN section 5), or nobody has
    /// looked for a while.
    #[must_use]
    pub fn is_unwitnessed(&self) -> bool {
        self.unwitnessed.load(Ordering::Relaxed) || self.is_unlooked(Instant::now())
    }

    /// Told by the watch when a look is complete.
    pub fn looked(&self, now: Instant) {
        let since = now.saturating_duration_since(self.started).as_secs();
        self.looked.fetch_max(since, Ordering::Relaxed);
    }

    /// Whether the watch has stalled or died: what it last said counts for nothing then.
    fn is_unlooked(&self, now: Instant) -> bool {
        let last = self.started + Duration::from_secs(self.looked.load(Ordering::Relaxed));
        self.witnessed && now.saturating_duration_since(last) >= UNLOOKED
    }

    /// Told by the watch over the witnesses.
    pub fn set_unwitnessed(&self, unwitnessed: bool) {
        if self.unwitnessed.swap(unwitnessed, Ordering::Relaxed) != unwitnessed {
            tracing::error!(unwitnessed, "whether too few witnesses have seen the ledger");
        }
    }

    /// Why no record may be opened now: what nobody could find out about must not be read.
    #[must_use]
    pub fn lacks(&self) -> Vec<Lack> {
        let lacks = [(self.is_behind(), Lack::Behind), (self.is_unwitnessed(), Lack::NotWitnessed)];
        lacks.into_iter().filter(|(is, _)| *is).map(|(_, lack)| lack).collect()
    }

    /// Whether the databases are no longer what was migrated: then nothing that they answer counts, and nothing is done.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Told by the watch over the structure.
    pub fn set_closed(&self, closed: bool) {
        if self.closed.swap(closed, Ordering::Relaxed) != closed {
            tracing::error!(closed, "ALARM: the structure of a database is not the one that was migrated");
        }
    }

    /// Told by the watch over the checkpoints: another key than this process knows signs the ledger by now. What it would
    /// sign gets no place any more, and would hold up everybody; so it writes nothing until it has read the new key.
    pub fn set_outdated(&self, outdated: bool) {
        if self.outdated.swap(outdated, Ordering::Relaxed) != outdated {
            tracing::error!(
                outdated,
                "ALARM: the secrets of this process are older than the ledger: give it the new ones"
            );
        }
    }

    /// Told at the start, and by the watch over the checkpoints: this key signs them, or is about to. From then on this
    /// process writes with no older one, whatever its clock says: such an entry would get no place, and hold up everybody.
    pub fn set_office(&self, key: usize) {
        self.office.fetch_max(key, Ordering::Relaxed);
    }

    /// The process's own name in the ledger, and the last entry of each of its lanes that it knows to be durable.
    #[must_use]
    pub fn durable(&self) -> (Uuid, Vec<Written>) {
        self.lanes.durable()
    }

    /// Told when the supervisors of an organisation have a new key: what its people do from now on is sealed to that one.
    pub async fn seal_anew(&self, organisation: OrganisationId) {
        self.details.seal_anew(organisation).await;
    }

    /// Takes a lane for a writing transaction, to be held until its commit.
    pub(super) async fn lane(&self) -> LaneHold<'_> {
        self.lanes.take().await
    }

    /// Enters a read, or a refusal, and returns when the entry is durable.
    ///
    /// # Errors
    /// [`LedgerError`]: then nothing may be shown.
    pub async fn enter(&self, entry: Entry) -> Result<(), Arc<LedgerError>> {
        let (durable, told) = oneshot::channel();
        self.reads.try_send(Waiting { entry, durable }).map_err(|_| Arc::new(LedgerError::Full))?;
        // Whoever waits no longer is shown nothing; the entry may come to stand all the same.
        let told = tokio::time::timeout(PATIENCE, told).await.map_err(|_| Arc::new(LedgerError::Late))?;
        told.map_err(|_| Arc::new(LedgerError::Full))?
    }

    /// [`Self::enter`] for a read that will be opened: the receipt names what the entry names.
    ///
    /// # Errors
    /// [`LedgerError`]: then nothing may be shown.
    pub async fn enter_read(&self, entry: Entry, versions: Vec<(Uuid, i64)>) -> Result<Receipt, Arc<LedgerError>> {
        let account: AccountId = entry.account;
        self.enter(entry).await?;
        Ok(Receipt::new(account, versions))
    }

    /// The key that signs now, with its place among all: the later of the one whose moment has come, and the one in office.
    fn in_use<'a>(&self, keys: &'a Versions<LogKey>, now: DateTime<Utc>) -> Option<(usize, Option<&'a SigningKey>)> {
        let begun = keys.iter().position(|key| key.id == keys.current(now).id)?;
        let at = begun.max(self.office.load(Ordering::Relaxed));
        Some((at, keys.iter().nth(at)?.value.signing.as_ref()))
    }

    /// Writes entries into a transaction, in the held lane. The lane is uncertain until [`LaneHold::committed`].
    ///
    /// # Errors
    /// [`LedgerError`]: then the transaction must not be committed.
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        hold: &mut LaneHold<'_>,
        entries: &[Entry],
    ) -> Result<(), LedgerError> {
        let sealing = self.details.keys(entries).await?;
        let (mut rows, now, keys) = (Vec::with_capacity(entries.len()), self.clock.now(), self.signing.get());
        let known = !self.outdated.load(Ordering::Relaxed);
        let (at, key_in_use) = self.in_use(&keys, now).ok_or(LedgerError::Unsigned)?;
        let signing = key_in_use.filter(|_| known).ok_or(LedgerError::Unsigned)?;
        // A clock that steps back afterwards leads back to no older key.
        self.set_office(at);
        for (entry, key) in entries.iter().zip(sealing) {
            let detail = serde_json::to_vec(&entry.detail(&self.pseudonyms, now)).map_err(|_| LedgerError::Seal)?;
            let (place, previous) = hold.next();
            let leaf = Leaf::new(place, previous, self.clock.hour(), self.policy, &detail, entry.mark).to_bytes();
            let signature = signing.sign(&entry::signed_message(&leaf)).to_bytes().to_vec();
            let sealed = key.seal(place, &detail)?;
            let label = self.labels.seal(place, Label::of(entry), now).ok_or(LedgerError::Seal)?;
            hold.wrote(&leaf);
            rows.push(Row { place, leaf, signature, detail_key: key.id, detail: sealed, label });
        }
        store::insert(connection, &rows).await?;
        metrics::entered(rows.len());
        self.lookout.count(entries);
        Ok(())
    }
}

async fn write_reads(ledger: std::sync::Weak<Ledger>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    // While one batch is committed the next one gathers: under load the batches grow by themselves.
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let Some(ledger) = ledger.upgrade() else { return };
        let entries: Vec<Entry> = batch.iter().map(|waiting| waiting.entry.clone()).collect();
        let outcome = commit_batch(&ledger, &entries).await.map_err(Arc::new);
        metrics::batch(entries.len(), outcome.is_ok());
        if entries.len() > 1 && matches!(outcome.as_ref().map_err(|error| &**error), Err(LedgerError::NoAuditor)) {
            // One that nobody could read yet takes no other with it.
            for (waiting, entry) in batch.drain(..).zip(entries) {
                let _ = waiting.durable.send(commit_batch(&ledger, &[entry]).await.map_err(Arc::new));
            }
            continue;
        }
        match outcome.as_ref().map_err(|error| &**error) {
            // Before the founding that is as it must be; who wanted to look is told, and so is the log.
            Ok(()) | Err(LedgerError::NoAuditor) => {}
            Err(error) => tracing::error!(%error, "a batch of entries was not written"),
        }
        for waiting in batch.drain(..) {
            // Who no longer waits has gone away, and gets nothing.
            let _ = waiting.durable.send(outcome.clone());
        }
    }
}

async fn commit_batch(ledger: &Ledger, entries: &[Entry]) -> Result<(), LedgerError> {
    // One statement is one transaction: it is durable when it returns.
    let mut connection = ledger.pool.acquire().await?;
    let mut hold = ledger.lane().await;
    ledger.write(&mut connection, &mut hold, entries).await?;
    hold.committed();
    Ok(())
}
