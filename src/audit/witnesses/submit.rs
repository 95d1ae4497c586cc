//! Shows the newest checkpoint to every witness, and keeps what they cosign.
//!
//! One process does, by a lock of its own: several would only push one another from size to size. It is not the sequencer's
//! office, because entries must never wait for somebody outside; and whoever reaches no quorum gives the lock up, so that
//! another process, with another way out, may try.

use super::store;
use super::wire::{Answer, Wire, WireError};
use super::{AHEAD, Witnesses};
use crate::audit::keys::LogKeys;
use crate::audit::note::cosignature::{Cosignature, CosignatureVerifier};
use crate::audit::note::{NoteError, only_by};
use crate::audit::sequencer::{KEPT_COSIGNED, keep_outside};
use crate::audit::store::{Stored, newest_checkpoint};
use crate::audit::tree::{Extension, Frontier, Hash, TreeError};
use crate::audit::verify::BadCheckpoint;
use crate::platform::clock::Clock;
use crate::platform::config::{Config, Refusals};
use crate::platform::secrets::{Live, LogKey};
use crate::witness::submission::Submission;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use sqlx::{Connection as _, PgConnection, PgPool};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// How often is looked whether there is something to show.
const ROUND: Duration = Duration::from_secs(1);
/// Rounds between two that show something, while the ledger grows.
const APART: Duration = Duration::from_secs(5);
/// While nothing happens, the same checkpoint is shown again after so long.
const AGAIN: Duration = Duration::from_mins(2);
/// How long a witness is left alone that failed: longer each time.
const LEAST: Duration = Duration::from_secs(5);
const MOST: Duration = Duration::from_mins(1);
/// Whoever reaches no quorum for so long lets another process try.
const GIVES_WAY: Duration = Duration::from_mins(3);
const PAUSE: Duration = Duration::from_secs(2);
/// How often a witness may name another size within one round.
const TURNS: u32 = 3;
/// How long one witness may take in one round, the proof included.
const ASKED: Duration = Duration::from_secs(20);
/// Leaves that are fetched at once.
const LEAVES: i64 = 8192;

/// What is needed of the service.
pub struct SubmitParts {
    pool: PgPool,
    keys: Live<LogKey>,
    origin: String,
    folder: PathBuf,
    clock: Clock,
    witnesses: Witnesses,
    asked: Vec<(CosignatureVerifier, Wire)>,
}

impl SubmitParts {
    /// `None` where nobody watches.
    ///
    /// # Errors
    /// [`Refusals`] when a witness cannot be asked as it is configured.
    pub fn of(config: &Config, pool: PgPool, keys: Live<LogKey>, clock: Clock) -> Result<Option<Self>, Refusals> {
        let Some(witnesses) = Witnesses::of(config)? else { return Ok(None) };
        let mut asked = Vec::new();
        for (number, (told, witness)) in config.witnesses.iter().zip(witnesses.all()).enumerate() {
            let wire = Wire::new(told).map_err(|why| Refusals::of(format!("witnesses[{number}]"), why))?;
            asked.push((witness.clone(), wire));
        }
        let (origin, folder) = (config.log_origin.clone(), config.checkpoints.clone());
        Ok(Some(Self { pool, keys, origin, folder, clock, witnesses, asked }))
    }
}

impl SubmitParts {
    /// Whether somebody, here or elsewhere, reached a quorum lately.
    async fn is_fresh(&self) -> Result<bool, sqlx::Error> {
        let Ok(keys) = LogKeys::of(&self.origin, &self.keys.get()) else { return Ok(false) };
        let now = self.clock.now();
        let served = self.witnesses.served(&self.pool, &keys, now).await?;
        Ok(served.is_some_and(|cosigned| (now - cosigned.seen).to_std().is_ok_and(|since| since < GIVES_WAY)))
    }
}

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
enum SubmitError {
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("it took too long")]
    Late,
    #[error("it names one size after the other")]
    Wanders,
    #[error("what it answers is not its cosignature of this checkpoint: {0}")]
    Foreign(#[from] NoteError),
    #[error("its clock stands at {0}")]
    Clock(DateTime<Utc>),
    #[error(
        "ALARM: it has seen {witness} entries of this ledger, and the database has {ours}: the database was rolled back"
    )]
    RolledBack { witness: u64, ours: u64 },
    #[error(
        "ALARM: it cosigned a checkpoint of {0} entries that is not in the database: the ledger is forked, or was rolled back"
    )]
    Strange(u64),
    #[error("ALARM: the tree in the database is not the one that was signed: {0}")]
    Tree(#[from] TreeError),
    #[error("ALARM: a checkpoint in the database is not this log's: {0}")]
    Forged(#[from] BadCheckpoint),
    #[error("the database does not answer: {0}")]
    Store(#[from] sqlx::Error),
}

/// What is remembered of a witness between rounds.
struct Memory {
    /// The size at which it is, as far as is known.
    size: u64,
    failures: u32,
    not_before: Option<Instant>,
}

/// Submits until `stop` says so. While another process does, this one waits for its turn.
pub async fn run(parts: SubmitParts, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = hold(&parts, &mut stop).await {
            tracing::error!(%error, "showing the ledger to its witnesses starts over");
        }
        if *stop.borrow() || pause(&mut stop, PAUSE).await {
            return;
        }
    }
}

async fn pause(stop: &mut watch::Receiver<bool>, long: Duration) -> bool {
    tokio::select! {
        // An error means that nobody is left to say so.
        _ = stop.wait_for(|stop| *stop) => true,
        () = tokio::time::sleep(long) => false,
    }
}

async fn hold(parts: &SubmitParts, stop: &mut watch::Receiver<bool>) -> Result<(), sqlx::Error> {
    // Taken out of the pool: given back to it, the session would live on and keep the lock.
    let mut connection = parts.pool.acquire().await?.detach();
    let mut waits = parts.clock.instant();
    let mut alone = store::try_lock(&mut connection).await?;
    while !alone {
        if pause(stop, PAUSE).await {
            return Ok(());
        }
        alone = store::try_lock(&mut connection).await?;
        let now = parts.clock.instant();
        if !alone && now.saturating_duration_since(waits) >= GIVES_WAY {
            if !parts.is_fresh().await? {
                // Anybody who reaches the database can hold a lock: it must not keep the ledger from those outside.
                tracing::error!("ALARM: whoever holds the lock of submitting reaches no quorum: submitting without it");
                break;
            }
            waits = now;
        }
    }
    let mut memories: Vec<Memory> =
        parts.asked.iter().map(|_| Memory { size: 0, failures: 0, not_before: None }).collect();
    let (mut shown, mut quorum): (Option<(i64, Instant)>, _) = (None, parts.clock.instant());
    while !pause(stop, ROUND).await {
        let Some(newest) = newest_checkpoint(&mut connection).await? else { continue };
        let now = parts.clock.instant();
        let due = |(size, when): (i64, Instant)| {
            let since = now.saturating_duration_since(when);
            since >= AGAIN
                || (since >= APART && (newest.size > size || memories.iter().any(|memory| memory.failures > 0)))
        };
        if !shown.is_none_or(due) {
            continue;
        }
        shown = Some((newest.size, now));
        let cosigned = tokio::select! {
            cosigned = show(parts, &mut connection, &newest, &mut memories, now) => cosigned?,
            // Nobody outside holds up the end. The session goes with its connection, and the lock with it.
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        if cosigned >= parts.witnesses.needed() {
            quorum = now;
            keep(parts).await?;
            if !alone {
                break;
            }
        } else if alone && now.saturating_duration_since(quorum) >= GIVES_WAY {
            tracing::error!(
                cosigned,
                needed = parts.witnesses.needed(),
                "too few witnesses are reached from here: another process may try"
            );
            break;
        }
    }
    connection.close().await
}

/// Shows a checkpoint to those whose turn it is, all at once; says how many cosigned it, now or before.
async fn show(
    parts: &SubmitParts,
    connection: &mut PgConnection,
    newest: &Stored,
    memories: &mut [Memory],
    now: Instant,
) -> Result<usize, sqlx::Error> {
    let keys = LogKeys::of(&parts.origin, &parts.keys.get());
    let shared = Mutex::new(connection);
    let turns =
        parts.asked.iter().zip(memories.iter_mut()).filter(|(_, memory)| memory.not_before.is_none_or(|at| at <= now));
    let answers = join_all(turns.map(async |((witness, wire), memory)| {
        let answer = match &keys {
            Ok(keys) => {
                let asked = ask(parts, &shared, newest, keys, (witness, wire), &mut memory.size);
                tokio::time::timeout(ASKED, asked).await.unwrap_or(Err(SubmitError::Late))
            }
            Err(error) => Err(SubmitError::Foreign(error.clone())),
        };
        match answer {
            Ok((signed, at)) => {
                (memory.failures, memory.not_before) = (0, None);
                // At once: whoever is slower, or ends this process, takes nothing away from it.
                let (name, mut connection) = (witness.name().as_str(), shared.lock().await);
                store::insert(&mut connection, newest.size, name, at, &signed.line).await.map(|()| 1)
            }
            Err(error) => {
                let wait = LEAST.saturating_mul(1 << memory.failures.min(4)).min(MOST);
                (memory.failures, memory.not_before) = (memory.failures.saturating_add(1), Some(now + wait));
                tracing::error!(witness = %witness.name(), %error, failures = memory.failures, "a witness does not cosign");
                Ok(0)
            }
        }
    }))
    .await;
    answers.into_iter().sum()
}

/// Asks one witness, beginning with the size at which it was.
async fn ask(
    parts: &SubmitParts,
    connection: &Mutex<&mut PgConnection>,
    newest: &Stored,
    keys: &LogKeys,
    (witness, wire): (&CosignatureVerifier, &Wire),
    size: &mut u64,
) -> Result<(Cosignature, DateTime<Utc>), SubmitError> {
    let note = only_by(&newest.note, keys.all())?;
    let ours = keys.read(&note)?.checkpoint.size();
    for _ in 0..TURNS {
        // What cannot be proved is shown all the same: the witness keeps it, and somebody outside has the evidence.
        let (proof, unproved) = match proof(*connection.lock().await, keys, *size, newest).await {
            Ok(proof) => (proof, None),
            Err(why @ (SubmitError::Strange(_) | SubmitError::Tree(_))) => (Vec::new(), Some(why)),
            Err(error) => return Err(error),
        };
        let answer = wire.submit(Submission::body(*size, &proof, &note)).await;
        if let Some(why) = unproved.filter(|_| !matches!(&answer, Ok(Answer::At(at)) if at != size)) {
            return Err(why);
        }
        match answer? {
            Answer::At(at) if at > ours => return Err(SubmitError::RolledBack { witness: at, ours }),
            Answer::At(at) => *size = at,
            Answer::Lines(lines) => {
                let signed = witness.verify(&format!("{note}{lines}"))?;
                *size = ours;
                let at =
                    i64::try_from(signed.at).ok().and_then(|at| DateTime::from_timestamp(at, 0)).unwrap_or_default();
                let now = parts.clock.now();
                // Kept it would count for nothing; said it helps whoever sets clocks.
                if at > now + AHEAD || at < now - AHEAD {
                    return Err(SubmitError::Clock(at));
                }
                return Ok((signed, at));
            }
        }
    }
    Err(SubmitError::Wanders)
}

/// The proof from the checkpoint of this size to the newest one, from what was appended alone.
async fn proof(
    connection: &mut PgConnection,
    keys: &LogKeys,
    size: u64,
    newest: &Stored,
) -> Result<Vec<Hash>, SubmitError> {
    let head = keys.read(&newest.note)?.checkpoint.head();
    if size == 0 || size == head.size {
        return Ok(Vec::new());
    }
    let strange = || SubmitError::Strange(size);
    let old = i64::try_from(size).map_err(|_| strange())?;
    let stored = store::checkpoint(connection, old).await?.ok_or_else(strange)?;
    let known = keys.read(&stored.note)?.checkpoint.head();
    let edge = stored.right_edge.iter().map(|bytes| hash(bytes)).collect::<Result<Vec<_>, _>>()?;
    let mut tree = Extension::new(Frontier::resume(known, edge)?, head.size)?;
    let mut from = old;
    while from < newest.size {
        let leaves = store::leaves(connection, from, newest.size, LEAVES).await?;
        for leaf in &leaves {
            if leaf.position != from {
                return Err(TreeError::IndexOutOfRange { index: from.unsigned_abs(), size: head.size }.into());
            }
            tree.append(hash(&leaf.leaf_hash)?)?;
            from += 1;
        }
        if leaves.is_empty() {
            break;
        }
    }
    if tree.head() != head {
        return Err(TreeError::RootMismatch.into());
    }
    Ok(tree.proof()?)
}

fn hash(bytes: &[u8]) -> Result<Hash, TreeError> {
    bytes.try_into().map(Hash::from_bytes).map_err(|_| TreeError::InvalidHash)
}

/// Keeps the newest checkpoint that enough witnesses cosigned beside those that were signed, outside the database.
async fn keep(parts: &SubmitParts) -> Result<(), sqlx::Error> {
    let Ok(keys) = LogKeys::of(&parts.origin, &parts.keys.get()) else { return Ok(()) };
    if let Some(cosigned) = parts.witnesses.served(&parts.pool, &keys, parts.clock.now()).await?
        && let Err(error) = keep_outside(&parts.folder, KEPT_COSIGNED, &cosigned.note).await
    {
        tracing::error!(%error, "the cosigned checkpoint is not kept outside the database");
    }
    Ok(())
}
