//! The verifier for whoever has nothing but the tiles: no database, no configuration, no secret. It believes the log's first public key,
//! which somebody once wrote down, the checkpoints that were saved, the witnesses that are named, and its own clock.
//!
//! Every entry is read once, in order and in bounded memory: its bytes against its hash in the tile, its place in its lane, the tree's root
//! against the checkpoint's at every size that somebody saved. `source` is where the tiles come from, `check` what is done to many tiles at
//! once, `walk` what has to be done in order, `fault` what is found.
//!
//! What it cannot find, since it is not in the tiles: who signed an entry, its sealed detail, and whether a record in the database is what
//! its entry says. `himaya audit verify` with the service's configuration finds that.

mod check;
mod fault;
mod source;
#[cfg(test)]
mod tests;
mod walk;

pub use fault::Fault;
pub use source::{Source, SourceError};

use super::PolicyChange;
use super::checkpoints::Claims;
use super::finding::Kept;
use crate::audit::keys::{LogKeys, Signed};
use crate::audit::note::cosignature::CosignatureVerifier;
use crate::audit::note::{NoteError, NoteVerifier};
use crate::audit::tiles::http::KeysView;
use crate::audit::tiles::model::{Holds, Tile, WIDTH, hashes_at};
use crate::audit::tree::Hash;
use check::{Fetched, check};
use chrono::{DateTime, Utc};
use futures_util::stream::{self, StreamExt as _};
use walk::Walk;

/// Findings that are listed at most; the others are counted.
const LISTED: usize = 100;
/// Tiles that are read and checked together, each with its bundle: some four megabytes.
const BATCH: u64 = 64;
/// Tiles that are asked for at once.
const ABREAST: usize = 8;

/// What is believed, and asked for.
pub struct Told {
    /// The log's first key.
    pub key: NoteVerifier,
    /// Texts of checkpoints that were saved.
    pub saved: Vec<String>,
    /// Each with a key of its own: what is cosigned does not name the witness, so one key must not count for two.
    pub witnesses: Vec<CosignatureVerifier>,
    /// How many of them must have cosigned.
    pub needed: usize,
    /// What time it is, by the verifier's own clock: no entry is younger, whatever it says.
    pub now: DateTime<Utc>,
}

/// What was read and found.
#[derive(Debug, Default)]
pub struct Report {
    /// The checkpoint that was checked, as it was served: to be saved for the next time.
    pub checkpoint: String,
    /// Entries that it covers.
    pub size: u64,
    /// The first entry that was checked: of those before it the log gives nothing any more.
    pub minimum: u64,
    /// Entries that were read.
    pub entries: u64,
    /// Lanes in which they were written.
    pub lanes: u64,
    /// Saved checkpoints with which the tree was compared.
    pub saved: u64,
    /// The log's keys that were followed, the first included.
    pub keys: u64,
    /// Who cosigned, and when, in seconds since 1970.
    pub witnesses: Vec<(String, u64)>,
    /// Each policy under which entries were made, in the order of its first one.
    pub policy_changes: Vec<PolicyChange>,
    /// At most a hundred in the order of the entries, and before them whatever says that there are two logs or that one was rolled back.
    pub faults: Vec<Fault>,
    /// Those beyond.
    pub unlisted: u64,
}

impl Report {
    /// Whether the ledger is as it promises to be.
    #[must_use]
    pub fn ok(&self) -> bool {
        let read = !self.checkpoint.is_empty() && self.minimum.saturating_add(self.entries) == self.size;
        read && self.faults.is_empty() && self.unlisted == 0
    }

    /// The first entry that is wrong, where one can be named.
    #[must_use]
    pub fn first_wrong(&self) -> Option<u64> {
        self.faults.iter().filter_map(Fault::entry).min()
    }

    fn find(&mut self, fault: Fault) {
        if fault.is_grave() || self.faults.len() < LISTED {
            self.faults.push(fault);
        } else {
            self.unlisted += 1;
        }
    }
}

/// Verifies what a source has. `progress` is told how many entries of how many are done.
///
/// # Errors
/// [`SourceError`] when its checkpoint cannot be read; then nothing is known. What is missing, wrong or unreadable behind it is a [`Fault`].
pub async fn verify(source: &Source, told: &Told, mut progress: impl FnMut(u64, u64)) -> Result<Report, SourceError> {
    let mut report = Report { keys: 1, ..Report::default() };
    let Some(checkpoint) = source.read("checkpoint").await? else {
        report.find(Fault::Missing { what: "checkpoint".to_owned(), first: None });
        return Ok(report);
    };
    report.checkpoint = String::from_utf8_lossy(&checkpoint).into_owned();
    let introductions = source.read("keys").await?;
    let introductions = introductions.and_then(|bytes| serde_json::from_slice::<KeysView>(&bytes).ok());
    let (introductions, minimum) =
        introductions.map(|view| (view.introductions, view.minimum_index)).unwrap_or_default();
    let keys = match LogKeys::follow(told.key.clone(), &introductions) {
        Ok(keys) => keys,
        Err(forked) => {
            report.find(Fault::Keys(forked));
            return Ok(report);
        }
    };
    report.keys = keys.all().len() as u64;
    let Signed { checkpoint, key } = match keys.read(&report.checkpoint) {
        Ok(signed) => signed,
        Err(reason) => {
            report.find(Fault::CheckpointForged { saved: None, reason });
            return Ok(report);
        }
    };
    report.size = checkpoint.size();
    report.minimum = minimum;
    if !minimum.is_multiple_of(WIDTH) || minimum > report.size {
        report.find(Fault::Minimum(minimum));
        return Ok(report);
    }
    let Cosigned { witnesses, faults } = cosigned(&report.checkpoint, &told.witnesses, told.needed);
    report.witnesses = witnesses;
    for fault in faults {
        report.find(fault);
    }
    // One that is to take over signs beside it.
    let newest = keys.announced(&report.checkpoint).unwrap_or(key);
    let retired = keys.replaced_at(newest, &introductions);
    let mut claims = Claims::new(Kept::Outside);
    let history = source.history().await?;
    let own = told.saved.len() as u64;
    for (which, saved) in (1..).zip(told.saved.iter().chain(&history)) {
        match keys.read(saved) {
            Ok(saved) => {
                // A key that has been replaced signs nothing any more.
                if saved.checkpoint.size() <= checkpoint.size() && saved.key > key {
                    report.find(Fault::OldKey { saved: which });
                }
                // What lies before the minimum cannot be met. What an export wrote down on its way is no promise to anybody.
                if saved.checkpoint.size() >= minimum || saved.checkpoint.size() == 0 && minimum == 0 {
                    claims.add(&saved.checkpoint);
                    report.saved += 1;
                } else if which <= own && saved.checkpoint.size() > 0 {
                    report.find(Fault::SavedBefore { saved: which, size: saved.checkpoint.size(), minimum });
                }
            }
            Err(reason) => report.find(Fault::CheckpointForged { saved: Some(which), reason }),
        }
    }
    match begin(source, minimum, checkpoint.size()).await {
        Ok(begun) => {
            let walk = Walk::new(checkpoint.head(), begun, claims, retired, told.now, report);
            entries(source, walk, &mut progress).await
        }
        Err(fault) => {
            report.find(fault);
            Ok(report)
        }
    }
}

/// Where a pruned log begins: the hashes of full tiles before its minimum index, level by level, from the tiles above the leaves that go on behind
/// it. Whether they are those of the log, the root says at the end.
async fn begin(source: &Source, minimum: u64, size: u64) -> Result<Vec<Vec<Hash>>, Fault> {
    let mut begun = Vec::new();
    for level in 1_u8..8 {
        let hashes = hashes_at(level, minimum);
        let wanted = usize::try_from(hashes % WIDTH).unwrap_or_default();
        let tile = Tile::of(Holds::Hashes(level), hashes / WIDTH, size).filter(|_| wanted > 0);
        let Some(tile) = tile else {
            begun.push(Vec::new());
            continue;
        };
        let what = tile.to_string();
        let bytes = source.tile(tile).await;
        let bytes = bytes.map_err(|why| Fault::Unreadable { what: what.clone(), why: why.to_string(), first: None })?;
        let bytes = bytes.ok_or_else(|| Fault::Missing { what: what.clone(), first: None })?;
        let mut hashes = tile.hashes(&bytes).map_err(|reason| Fault::Bytes { what, reason, first: None })?;
        hashes.truncate(wanted);
        begun.push(hashes);
    }
    Ok(begun)
}

/// What witnesses have to say of a checkpoint.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cosigned {
    /// Who cosigned it, and when, in seconds since 1970.
    pub witnesses: Vec<(String, u64)>,
    pub faults: Vec<Fault>,
}

/// Holds a checkpoint to the witnesses, of whom so many must have cosigned it. Each has a key of its own ([`Told::witnesses`]).
#[must_use]
pub fn cosigned(checkpoint: &str, witnesses: &[CosignatureVerifier], needed: usize) -> Cosigned {
    let mut found = Cosigned::default();
    for witness in witnesses {
        match witness.verify(checkpoint) {
            Ok(cosignature) => found.witnesses.push((witness.name().to_string(), cosignature.at)),
            Err(NoteError::NoKnownSignature) => {}
            Err(reason) => {
                let witness = witness.name().to_string();
                found.faults.push(Fault::CosignatureForged { witness, reason });
            }
        }
    }
    let given = found.witnesses.len();
    if given < needed {
        found.faults.push(Fault::TooFewWitnesses { given, needed });
    }
    found
}

/// The same for the newest of several checkpoints. Where more than one is of that size, the one counts that most of them cosigned: whether
/// all are of one tree the walk through it finds. `None` where none of them is this log's.
#[must_use]
pub fn newest_cosigned(
    keys: &LogKeys,
    saved: &[String],
    witnesses: &[CosignatureVerifier],
    needed: usize,
) -> Option<Cosigned> {
    let read = |text: &String| keys.read(text).ok().map(|signed| signed.checkpoint.size());
    let newest = saved.iter().filter_map(read).max()?;
    let of_that_size = saved.iter().filter(|text| read(text) == Some(newest));
    let judged = of_that_size.map(|text| cosigned(text, witnesses, needed));
    judged.max_by_key(|found| (found.witnesses.len(), std::cmp::Reverse(found.faults.len())))
}

/// Reads everything that the tree's leaves are, batch by batch: while one is checked, the next one is fetched.
async fn entries(source: &Source, mut walk: Walk, progress: &mut impl FnMut(u64, u64)) -> Result<Report, SourceError> {
    let size = walk.size();
    let (first, last) = (walk.begins() / WIDTH, size.div_ceil(WIDTH));
    let mut from = first.saturating_add(BATCH).min(last);
    let mut next = fetch(source, size, first..from).await;
    while !next.is_empty() {
        let until = from.saturating_add(BATCH).min(last);
        let batch = std::mem::take(&mut next);
        let checking = tokio::task::spawn_blocking(move || check(&batch));
        let (checked, fetched) = tokio::join!(checking, fetch(source, size, from..until));
        let checked = checked.map_err(|_| SourceError::Ended)?;
        (next, from) = (fetched, until);
        for tile in checked {
            if !walk.tile(tile) {
                return Ok(walk.end());
            }
            for (tile, hashes) in walk.above() {
                compare(source, &mut walk, tile, &hashes).await;
            }
        }
        progress(walk.entries(), size);
    }
    for (tile, hashes) in walk.unfinished() {
        compare(source, &mut walk, tile, &hashes).await;
    }
    Ok(walk.end())
}

async fn fetch(source: &Source, size: u64, tiles: std::ops::Range<u64>) -> Vec<Fetched> {
    let asked = tiles.filter_map(|n| Some((Tile::of(Holds::Hashes(0), n, size)?, Tile::of(Holds::Entries, n, size)?)));
    let fetched = stream::iter(asked.map(|(tile, bundle)| async move {
        let (hashes, entries) = tokio::join!(source.tile(tile), source.tile(bundle));
        let why = |error: SourceError| error.to_string();
        Fetched { tile, bundle, hashes: hashes.map_err(why), entries: entries.map_err(why) }
    }));
    fetched.buffered(ABREAST).collect().await
}

/// A tile above the leaves: what others would make proofs of.
async fn compare(source: &Source, walk: &mut Walk, tile: Tile, hashes: &[Hash]) {
    let bytes = match source.tile(tile).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return walk.find(Fault::Missing { what: tile.to_string(), first: None }),
        Err(error) => {
            return walk.find(Fault::Unreadable { what: tile.to_string(), why: error.to_string(), first: None });
        }
    };
    match tile.hashes(&bytes) {
        Ok(served) if served == hashes => {}
        Ok(served) => {
            let at = served.iter().zip(hashes).position(|(one, other)| one != other).unwrap_or(0);
            walk.find(Fault::above(tile, at as u64));
        }
        Err(reason) => walk.find(Fault::Bytes { what: tile.to_string(), reason, first: None }),
    }
}
