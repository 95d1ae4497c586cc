//! The ledger as the service writes it: lanes, entries in batches for reads, entries in their transaction for writes.
//!
//! To number entries without a lock that everybody waits for, this process has lanes of its own. A lane's entries are
//! dense and each names the hash of the one before. When the outcome of a commit is unknown the lane is closed for good
//! and a fresh one takes its place, so a lane never has two entries with one number.

use super::entry::{self, Entry, Leaf, Place, Pseudonyms};
use super::receipt::Receipt;
use super::store::{self, Row};
use super::tree::{self, Hash};
use crate::guard::bytes::{self, ContentKey, Context};
use crate::guard::keys::{self, WrapContext, derive};
use crate::guard::record::{AccountId, RecordKind};
use crate::guard::statement::{OrganisationKind, SharedPurpose};
use crate::guard::trust::Trust;
use crate::platform::clock::Clock;
use crate::platform::problem::Problem;
use crate::platform::random;
use ed25519_dalek::{Signer as _, SigningKey};
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Lanes for writing transactions; reads have one of their own.
const LANES: usize = 8;
/// Entries of waiting reads that are committed together at most.
const BATCH: usize = 256;
/// How many reads may wait for their entry before more are refused.
const WAITING: usize = 4096;

/// No entry, no data: the answer when the ledger cannot take one.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("there is no LEDGER key of an auditor's office to seal the entry to")]
    NoAuditor,
    #[error("the entry could not be sealed")]
    Seal,
    #[error("the ledger takes no more entries at the moment")]
    Full,
    #[error("the ledger could not be written")]
    Store(#[from] sqlx::Error),
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(inner) => inner.into(),
            LedgerError::NoAuditor => Self::away(
                "ledger_has_no_auditor",
                "No auditor's office has a key in force, so nothing can be recorded, and so nothing is shown or stored.",
            ),
            LedgerError::Full | LedgerError::Seal => {
                tracing::error!(%error, "the ledger takes no entry");
                Self::away("ledger_away", "The ledger takes no entry now, so nothing is shown or stored. Try again.")
            }
        }
    }
}

struct DetailKey {
    id: Uuid,
    hour: i64,
    founding: bool,
    secret: Zeroizing<[u8; 32]>,
}

struct Lane {
    number: i32,
    next: i64,
    previous: Hash,
    /// Set while a commit is under way: still set when the lane is next taken means that nobody knows how it ended.
    uncertain: bool,
}

/// Writes entries for this process.
pub struct Ledger {
    replica: Uuid,
    signing: SigningKey,
    pseudonyms: Pseudonyms,
    policy: [u8; 32],
    clock: Clock,
    trust: Arc<Trust>,
    pool: PgPool,
    detail_key: Mutex<Option<Arc<DetailKey>>>,
    lanes: [Mutex<Lane>; LANES],
    turn: AtomicUsize,
    next_lane: AtomicI32,
    reads: mpsc::Sender<Waiting>,
    behind: AtomicBool,
}

struct Waiting {
    entry: Entry,
    durable: oneshot::Sender<Result<(), Arc<LedgerError>>>,
}

/// What the ledger needs of the service.
pub struct LedgerParts {
    pub signing: SigningKey,
    pub pseudonyms: Pseudonyms,
    pub policy: [u8; 32],
    pub clock: Clock,
    pub trust: Arc<Trust>,
    pub pool: PgPool,
}

impl Ledger {
    /// Starts the ledger of this process, with the task that commits the entries of waiting reads in batches. It ends
    /// when the last handle is dropped.
    #[must_use]
    pub fn start(parts: LedgerParts) -> Arc<Self> {
        let (reads, waiting) = mpsc::channel(WAITING);
        let replica = random::uuid();
        let first = i32::try_from(LANES).unwrap_or(i32::MAX);
        let ledger = Arc::new(Self {
            replica,
            signing: parts.signing,
            pseudonyms: parts.pseudonyms,
            policy: parts.policy,
            clock: parts.clock,
            trust: parts.trust,
            pool: parts.pool,
            detail_key: Mutex::new(None),
            lanes: std::array::from_fn(|number| {
                Mutex::new(fresh_lane(replica, i32::try_from(number).unwrap_or(i32::MAX)))
            }),
            turn: AtomicUsize::new(0),
            next_lane: AtomicI32::new(first),
            reads,
            behind: AtomicBool::new(false),
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

    /// Told by the watch over the sequencer's queue.
    pub fn set_behind(&self, behind: bool) {
        if self.behind.swap(behind, Ordering::Relaxed) != behind {
            tracing::warn!(behind, "the ledger's queue");
        }
    }

    /// Enters a read, or a refusal, and returns when the entry is durable.
    ///
    /// # Errors
    /// [`LedgerError`]: then nothing may be shown.
    pub async fn enter(&self, entry: Entry) -> Result<(), Arc<LedgerError>> {
        let (durable, told) = oneshot::channel();
        self.reads.try_send(Waiting { entry, durable }).map_err(|_| Arc::new(LedgerError::Full))?;
        told.await.map_err(|_| Arc::new(LedgerError::Full))?
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

    /// Takes a lane for a writing transaction, to be held until its commit.
    pub(super) async fn lane(&self) -> LaneHold<'_> {
        for lane in &self.lanes {
            if let Ok(lane) = lane.try_lock() {
                return self.hold(lane);
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % LANES;
        let [first, ..] = &self.lanes;
        self.hold(self.lanes.get(turn).unwrap_or(first).lock().await)
    }

    fn hold<'a>(&'a self, mut lane: MutexGuard<'a, Lane>) -> LaneHold<'a> {
        if lane.uncertain {
            *lane = fresh_lane(self.replica, self.next_lane.fetch_add(1, Ordering::Relaxed));
        }
        LaneHold { lane }
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
        let key = self.detail_key(entries).await?;
        // From here on the lane's counters run ahead of what is stored; only a commit makes them true.
        hold.lane.uncertain = true;
        let mut rows = Vec::with_capacity(entries.len());
        for entry in entries {
            let place = Place { replica: self.replica, lane: hold.lane.number, n: hold.lane.next };
            let detail = serde_json::to_vec(&entry.detail(&self.pseudonyms)).map_err(|_| LedgerError::Seal)?;
            let leaf =
                Leaf::new(place, hold.lane.previous, self.clock.hour(), self.policy, &detail, entry.mark).to_bytes();
            let signature = self.signing.sign(&entry::signed_message(&leaf)).to_bytes().to_vec();
            let sealed = seal_detail(&key.secret, place, &detail)?;
            hold.lane.previous = tree::leaf_hash(&leaf);
            hold.lane.next += 1;
            rows.push(Row { place, leaf, signature, detail_key: key.id, detail: sealed });
        }
        store::insert(connection, &rows).await?;
        Ok(())
    }

    /// The key of this hour. Before an auditor's office has a key only the founding's own work is entered, and its
    /// details are open: there is no record of a person yet.
    async fn detail_key(&self, entries: &[Entry]) -> Result<Arc<DetailKey>, LedgerError> {
        let hour = self.clock.hour();
        let founding_only = entries.iter().all(|entry| is_founding(entry.kind));
        let mut held = self.detail_key.lock().await;
        if let Some(key) = held.as_ref().filter(|key| key.hour == hour && !key.founding) {
            return Ok(Arc::clone(key));
        }
        let secret = Zeroizing::new(random::bytes::<32>());
        let id = random::uuid();
        let key = match self.auditors_key().await? {
            Some(recipient) => {
                let wrap = keys::wrap(&*secret, &recipient.1, &detail_context(id)).map_err(|_| LedgerError::Seal)?;
                store::insert_detail_key(&self.pool, id, hour, Some(recipient.0), &wrap).await?;
                DetailKey { id, hour, founding: false, secret }
            }
            None if founding_only => {
                if let Some(key) = held.as_ref().filter(|key| key.hour == hour) {
                    return Ok(Arc::clone(key));
                }
                store::insert_detail_key(&self.pool, id, hour, None, &*secret).await?;
                DetailKey { id, hour, founding: true, secret }
            }
            None => return Err(LedgerError::NoAuditor),
        };
        let key = Arc::new(key);
        *held = Some(Arc::clone(&key));
        Ok(key)
    }

    async fn auditors_key(&self) -> Result<Option<(Uuid, crate::guard::trust::Recipient)>, LedgerError> {
        let mut connection = self.pool.acquire().await?;
        let kind = OrganisationKind::Auditor;
        for office in crate::guard::store::organisations_of_kind(&mut connection, kind.as_str()).await? {
            let founded =
                self.trust.founding(&mut connection, office).await.is_ok_and(|founding| founding.kind == kind);
            if !founded {
                continue;
            }
            let key = self.trust.shared_key(&mut connection, office, SharedPurpose::Ledger, self.clock.now()).await;
            if let Ok(key) = key {
                return Ok(Some((key.id.0, key.recipient)));
            }
        }
        Ok(None)
    }
}

/// Work that happens before any person's record exists: the only work that is entered while there is no auditor.
const fn is_founding(kind: RecordKind) -> bool {
    matches!(
        kind,
        RecordKind::Organisation
            | RecordKind::Account
            | RecordKind::Membership
            | RecordKind::Session
            | RecordKind::Ledger
    )
}

fn fresh_lane(replica: Uuid, number: i32) -> Lane {
    Lane { number, next: 0, previous: Place { replica, lane: number, n: 0 }.origin(), uncertain: false }
}

/// A lane held by one transaction.
pub(super) struct LaneHold<'a> {
    lane: MutexGuard<'a, Lane>,
}

impl LaneHold<'_> {
    /// The transaction is committed: the lane goes on from here.
    pub(super) fn committed(mut self) {
        self.lane.uncertain = false;
    }
}

/// How a detail key is wrapped to the auditors.
#[must_use]
pub fn detail_context(id: Uuid) -> WrapContext {
    WrapContext { purpose: "ledger detail", case: None, key_id: id, epoch: 1, grant: None }
}

fn place_key(secret: &Zeroizing<[u8; 32]>, place: Place) -> (ContentKey, Context) {
    let key = ContentKey::from_bytes(*derive(&**secret, place.replica.as_bytes(), "himaya ledger detail v1"));
    let number = u64::try_from(place.n).unwrap_or(u64::MAX);
    let lane = u32::try_from(place.lane).unwrap_or(u32::MAX);
    (key, Context::new("ledger_entries", place.replica.into_bytes(), "detail", lane, number))
}

fn seal_detail(secret: &Zeroizing<[u8; 32]>, place: Place, detail: &[u8]) -> Result<Vec<u8>, LedgerError> {
    let (key, context) = place_key(secret, place);
    bytes::seal(&key, 1, &context, detail).map_err(|_| LedgerError::Seal)
}

/// Opens a detail with its hour's key; `None` if it was changed.
#[must_use]
pub fn open_detail(secret: &Zeroizing<[u8; 32]>, place: Place, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (key, context) = place_key(secret, place);
    bytes::open(&key, 1, &context, sealed).ok()
}

async fn write_reads(ledger: std::sync::Weak<Ledger>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    // While one batch is committed the next one gathers: under load the batches grow by themselves.
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let Some(ledger) = ledger.upgrade() else { return };
        let entries: Vec<Entry> = batch.iter().map(|waiting| waiting.entry.clone()).collect();
        let outcome = commit_batch(&ledger, &entries).await.map_err(Arc::new);
        if let Err(error) = &outcome {
            tracing::error!(%error, "a batch of entries was not written");
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
