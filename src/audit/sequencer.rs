//! The sequencer: gives stored entries their places in the tree, and signs what the tree then is.
//!
//! One works in any number of replicas, by a lock of its own database session; everything it writes goes through that
//! same session, so who has lost the lock can commit nothing. A lane that was tampered with is left where it is while
//! the others go on. What is signed is also kept outside the database (`sink`), and a database that is behind what is
//! kept there is not continued.

mod lanes;
mod sink;
mod switch;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::keys::{LogKeys, Signed};
use super::note::{self, NoteError};
use super::store::{self, Stored};
use super::tiles;
use super::tiles::store::NotCompleted;
use super::tree::{Frontier, TreeError};
use super::verify::BadCheckpoint;
use crate::platform::clock::Clock;
use crate::platform::secrets::{Live, LogKey};
use lanes::Signers;
use sink::Sink;
pub(super) use sink::{KEPT_COSIGNED, keep_outside, kept_size};
use sqlx::{Connection as _, PgConnection, PgPool};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;
pub(in crate::audit) use switch::LONGEST;
use switch::{Office, Signing};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

/// Entries that are sequenced together at most.
const BATCH: usize = 256;
/// How often the queue is looked at.
const ROUND: Duration = Duration::from_millis(250);
/// Rounds at the end at most.
const LAST_ROUNDS: u32 = 40;
/// Rounds between two looks at a refused lane, and between two reports of one lasting fault: a minute.
const REMIND: u32 = 240;
/// How long a lane for which the office was given up is not a reason to do so again.
const FORGET: Duration = Duration::from_mins(10);
/// How long to wait before asking again for the lock, or for the database.
const PAUSE: Duration = Duration::from_secs(2);

/// What the sequencer needs of the service.
pub struct SequencerParts {
    /// As the sequencer's role.
    pub pool: PgPool,
    /// Sign the checkpoints, and signed the entries.
    pub keys: Live<LogKey>,
    /// The log's own name: first line of each checkpoint and name of the key.
    pub origin: String,
    /// Folder outside the database for the checkpoints; it must be there.
    pub folder: PathBuf,
    pub clock: Clock,
}

/// Why the sequencer does not go on.
#[derive(Debug, thiserror::Error)]
pub enum SequencerError {
    #[error("the database does not answer")]
    Store(#[from] sqlx::Error),
    #[error("the folder of checkpoints cannot be read: {0}")]
    Folder(#[from] std::io::Error),
    #[error("a checkpoint cannot be signed under the log's origin: {0}")]
    Sign(#[from] NoteError),
    #[error("the log's origin cannot stand in a checkpoint: {0}")]
    Origin(#[from] CheckpointError),
    #[error("no private half of a key that may sign now is among the secrets")]
    NoKey,
    #[error(
        "ALARM: the secrets of this process are older than the ledger: give it the new ones. Until then another replica sequences"
    )]
    Outdated,
    #[error("entries wait that no key known here signed: another replica may know it")]
    Yielded,
    #[error("the newest checkpoint in the database is not this log's: {0}")]
    StoredForged(BadCheckpoint),
    #[error("the newest checkpoint in the database is filed under size {filed}, and says {says}")]
    Misfiled { filed: i64, says: u64 },
    #[error("the tree cannot be continued: {0}")]
    Tree(#[from] TreeError),
    #[error("the tree has {leaves} leaves, and its newest checkpoint speaks of {size}")]
    TreeSize { leaves: i64, size: u64 },
    #[error("the checkpoint kept outside the database is not this log's: {0}")]
    KeptForged(BadCheckpoint),
    #[error(
        "the checkpoint kept outside speaks of {kept} entries, the database of {stored}: the database was rolled back"
    )]
    RolledBack { kept: u64, stored: u64 },
    #[error(
        "the newest checkpoint in the database is signed by an older key than the one kept outside: that key was replaced, and \
         whoever put it back stole it"
    )]
    OldKey,
    #[error("the database and the checkpoint kept outside have two different trees of {size} entries")]
    Forked { size: u64 },
    #[error("the hashes above the leaves cannot be made: {0}")]
    Nodes(NotCompleted),
}

impl From<NotCompleted> for SequencerError {
    fn from(error: NotCompleted) -> Self {
        match error {
            NotCompleted::Store(error) => Self::Store(error),
            error => Self::Nodes(error),
        }
    }
}

impl SequencerError {
    /// Whether it may pass by itself. Everything else needs a person, and nothing is sequenced until one has looked.
    const fn passes(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Folder(_) | Self::Outdated | Self::Yielded)
    }
}

/// Sequences until `stop` says so, or is dropped. While another replica sequences, this one waits for its turn; when the
/// database goes away, it starts over.
///
/// # Errors
/// When what is stored or kept outside is not what this log signed: see [`SequencerError`]. Entries then stay in the
/// queue, and nothing is lost.
pub async fn run(parts: SequencerParts, mut stop: watch::Receiver<bool>) -> Result<(), SequencerError> {
    let mut told: Option<Instant> = None;
    let mut strange = Strange::default();
    loop {
        let held = hold_office(&parts, &mut strange, &mut stop).await;
        let pauses = if matches!(held, Err(SequencerError::Yielded | SequencerError::Outdated)) { 2 } else { 1 };
        match held {
            Ok(()) => return Ok(()),
            Err(error) if error.passes() => {
                if told.is_none_or(|told| told.elapsed() >= ROUND * REMIND) {
                    tracing::error!(%error, reason = reason(&error), "the sequencer starts over");
                    told = Some(Instant::now());
                }
            }
            Err(error) => {
                tracing::error!(%error, "the sequencer stops: somebody has to look at the ledger");
                return Err(error);
            }
        }
        // Whoever gives the office up lets everybody who waits for it ask first.
        for _ in 0..pauses {
            if pause(&mut stop).await {
                return Ok(());
            }
        }
    }
}

/// Lanes with entries that no key known here signed, and when the office was given up for each. What is forged is not signed
/// by a key that others know either: nobody gives up the office for it again and again.
#[derive(Default)]
struct Strange(HashMap<(Uuid, i32), Instant>);

impl Strange {
    /// Whether there is one for which the office is to be given up.
    fn gives_way(&mut self, lanes: &[(Uuid, i32)], now: Instant) -> bool {
        self.0.retain(|_, since| now.saturating_duration_since(*since) < FORGET);
        let known = self.0.len();
        for lane in lanes {
            self.0.entry(*lane).or_insert(now);
        }
        self.0.len() > known
    }
}

/// The database's own code for what went wrong; its messages may quote a row.
fn reason(error: &SequencerError) -> Option<String> {
    let SequencerError::Store(error) = error else { return None };
    Some(error.as_database_error()?.code()?.into_owned())
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to say so.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn pause(stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = stopped(stop) => true,
        () = tokio::time::sleep(PAUSE) => false,
    }
}

async fn hold_office(
    parts: &SequencerParts,
    strange: &mut Strange,
    stop: &mut watch::Receiver<bool>,
) -> Result<(), SequencerError> {
    // Taken out of the pool: given back to it, the session would live on and keep the lock.
    let mut connection = parts.pool.acquire().await?.detach();
    while !store::try_sequencer_lock(&mut connection).await? {
        if pause(stop).await {
            return Ok(());
        }
    }
    let mut sequencer = Sequencer::resume(parts, &mut connection).await?;
    tracing::info!(size = sequencer.tree.size(), "this replica sequences the ledger");
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 1_u32.. {
        tokio::select! {
            biased;
            () = stopped(stop) => break,
            _ = rounds.tick() => {}
        }
        if round.is_multiple_of(REMIND) {
            sequencer.refused.clear();
        }
        // A full batch means that more may wait.
        while sequencer.round(&mut connection).await? && !*stop.borrow() {}
        // A process that missed the new key must not keep the office from one that has it.
        if strange.gives_way(&std::mem::take(&mut sequencer.unknown), parts.clock.instant()) {
            connection.close().await?;
            return Err(SequencerError::Yielded);
        }
    }
    // What the last requests entered gets its place before the process ends, as far as that is soon done.
    for _ in 0..LAST_ROUNDS {
        if !sequencer.round(&mut connection).await? {
            break;
        }
    }
    connection.close().await?;
    Ok(())
}

struct Sequencer<'a> {
    parts: &'a SequencerParts,
    office: Office,
    tree: Frontier,
    sink: Sink,
    refused: HashSet<(Uuid, i32)>,
    /// Of those, lanes that were refused for an unknown signer since somebody last looked.
    unknown: Vec<(Uuid, i32)>,
}

impl<'a> Sequencer<'a> {
    /// Goes on from the newest checkpoint, if it is this log's and nothing kept outside contradicts it.
    async fn resume(parts: &'a SequencerParts, connection: &mut PgConnection) -> Result<Self, SequencerError> {
        let newest = store::newest_checkpoint(connection).await?;
        let (versions, now) = (parts.keys.get(), parts.clock.now());
        let keys = LogKeys::of(&parts.origin, &versions)?;
        let mut sink = Sink::new(parts.folder.clone());
        let kept = sink.read().await?;
        // What is older than the log must not sign, nor call forged what it does not know: it waits for the new key.
        let notes = newest.iter().map(|stored| stored.note.as_str()).chain(kept.as_deref());
        if notes.into_iter().any(|note| !keys.are_current(note)) {
            return Err(SequencerError::Outdated);
        }
        let current = || versions.iter().position(|version| version.id == versions.current(now).id).unwrap_or(0);
        let (tree, signs) = match &newest {
            None => (Frontier::new(), current()),
            Some(stored) => resume_tree(stored, &keys)?,
        };
        let leaves = store::tree_size(connection).await?;
        if u64::try_from(leaves) != Ok(tree.size()) {
            return Err(SequencerError::TreeSize { leaves, size: tree.size() });
        }
        if let Some(kept) = &kept {
            let Signed { checkpoint: kept, key } = keys.read(kept).map_err(SequencerError::KeptForged)?;
            if kept.size() > tree.size() {
                return Err(SequencerError::RolledBack { kept: kept.size(), stored: tree.size() });
            }
            if kept.size() == tree.size() && *kept.root() != tree.root() {
                return Err(SequencerError::Forked { size: kept.size() });
            }
            // Checkpoints in the database can be written by its owner, with a key that was stolen before it was replaced.
            if signs < key {
                return Err(SequencerError::OldKey);
            }
        }
        // Of a tree that was begun before tiles were kept, or where somebody deleted some; else there is nothing to do. Nothing is
        // made of a tree that what is kept outside contradicts.
        let mut filling = connection.begin().await?;
        tiles::store::complete(&mut filling, &Frontier::new(), &tree).await?;
        filling.commit().await?;
        if let Some(stored) = newest
            && kept.as_ref() != Some(&stored.note)
        {
            sink.keep(tree.size(), stored.note);
        }
        let office = Office::new(signs, parts.clock.instant());
        Ok(Self { parts, office, tree, sink, refused: HashSet::new(), unknown: Vec::new() })
    }

    /// Sequences one batch, and writes the newest checkpoint outside. Says whether the batch was full.
    async fn round(&mut self, connection: &mut PgConnection) -> Result<bool, SequencerError> {
        let mut transaction = connection.begin().await?;
        let refused: Vec<_> = self.refused.iter().copied().collect();
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let pending = store::pending(&mut transaction, most, &refused).await?;
        let (mut tree, versions) = (self.tree.clone(), self.parts.keys.get());
        let keys = LogKeys::of(&self.parts.origin, &versions)?;
        self.office.introduce(&self.parts.origin, &versions, &mut self.sink).await?;
        let signers = Signers { keys: &keys, from: self.office.signs() };
        let (placed, oldest) = lanes::place(&pending, &mut tree, signers, &mut self.refused, &mut self.unknown)?;
        let clock = &self.parts.clock;
        // While more may wait, so may entries of the key before.
        let all = pending.len() < BATCH;
        let signing = match self.office.saw(oldest, &versions, clock.now(), clock.instant()) {
            Signing::Next(next) if !all && !self.office.is_overdue() => Signing::WithNext(next),
            signing => signing,
        };
        if placed.is_empty() {
            transaction.rollback().await?;
        } else {
            store::sequence(&mut transaction, &placed).await?;
            let text = Checkpoint::new(self.parts.origin.as_str(), tree.head())?.to_text();
            let signers = self.office.signers(&self.parts.origin, &versions, signing)?;
            let note = note::sign(&text, &signers.iter().collect::<Vec<_>>())?;
            let size = i64::try_from(tree.size()).map_err(|_| TreeError::Full)?;
            let right_edge = tree.hashes().iter().map(|hash| hash.as_bytes().to_vec()).collect();
            let stored = Stored { size, note, right_edge };
            tiles::store::complete(&mut transaction, &self.tree, &tree).await?;
            store::insert_checkpoint(&mut transaction, &stored, self.parts.clock.now()).await?;
            transaction.commit().await?;
            // Only now: what is kept outside must never speak of more than what is durable.
            self.sink.keep(tree.size(), stored.note);
            self.tree = tree;
            self.office.signed(signing, clock.instant());
        }
        self.sink.write().await;
        Ok(pending.len() == BATCH)
    }
}

/// The tree, and which key signs it.
fn resume_tree(stored: &Stored, keys: &LogKeys) -> Result<(Frontier, usize), SequencerError> {
    let signed = keys.read(&stored.note).map_err(SequencerError::StoredForged)?;
    let checkpoint = signed.checkpoint;
    if u64::try_from(stored.size) != Ok(checkpoint.size()) {
        return Err(SequencerError::Misfiled { filed: stored.size, says: checkpoint.size() });
    }
    let edge = stored.right_edge.iter().map(|bytes| lanes::hash(bytes).ok_or(TreeError::InvalidHash));
    Ok((Frontier::resume(checkpoint.head(), edge.collect::<Result<_, _>>()?)?, signed.key))
}
