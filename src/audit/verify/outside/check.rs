//! What is done to many tiles at once, on all cores: each entry's bytes against its hash.

use crate::audit::entry::{Leaf, Place};
use crate::audit::tiles::model::{BadBytes, Tile, WIDTH};
use crate::audit::tree::{Hash, leaf_hash, tree_root};

/// A tile of leaves' hashes with its bundle, as they were served.
pub(super) struct Fetched {
    pub(super) tile: Tile,
    pub(super) bundle: Tile,
    pub(super) hashes: Result<Option<Vec<u8>>, String>,
    pub(super) entries: Result<Option<Vec<u8>>, String>,
}

/// What an entry is.
pub(super) enum Entry {
    Leaf { place: Place, previous: Hash, policy: [u8; 32], hour: i64 },
    Gone,
    Edited,
    NotALeaf,
}

/// What could not be read at all.
pub(super) enum Unread {
    /// The source says why.
    Refused(Tile, String),
    Missing(Tile),
    Bytes(Tile, BadBytes),
}

/// A tile that was compared with its bundle.
pub(super) struct Checked {
    pub(super) tile: Tile,
    pub(super) hashes: Vec<Hash>,
    /// The root of a full tile.
    pub(super) root: Option<Hash>,
    pub(super) entries: Result<Vec<Entry>, Unread>,
}

/// Checks tiles, in their order, on every core there is.
pub(super) fn check(batch: &[Fetched]) -> Vec<Result<Checked, Unread>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = batch.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = batch
            .chunks(share)
            .map(|part| (part, scope.spawn(move || part.iter().map(one).collect::<Vec<_>>())))
            .collect();
        // A thread that ended early left its part undone: it is done here, and ends as loudly.
        parts
            .into_iter()
            .flat_map(|(part, thread)| thread.join().unwrap_or_else(|_| part.iter().map(one).collect()))
            .collect()
    })
}

fn one(fetched: &Fetched) -> Result<Checked, Unread> {
    let Fetched { tile, bundle, hashes, entries } = fetched;
    let bytes = got(*tile, hashes)?;
    let hashes = tile.hashes(bytes).map_err(|reason| Unread::Bytes(*tile, reason))?;
    let root = (tile.width() == WIDTH).then(|| tree_root(&hashes));
    let entries = match got(*bundle, entries) {
        Err(unread) => Err(unread),
        Ok(bytes) => match bundle.entries(bytes) {
            Err(reason) => Err(Unread::Bytes(*bundle, reason)),
            Ok(entries) => Ok(entries.iter().zip(&hashes).map(|(bytes, hash)| entry(bytes, hash)).collect()),
        },
    };
    Ok(Checked { tile: *tile, hashes, root, entries })
}

fn got(tile: Tile, fetched: &Result<Option<Vec<u8>>, String>) -> Result<&[u8], Unread> {
    match fetched {
        Ok(bytes) => bytes.as_deref().ok_or(Unread::Missing(tile)),
        Err(why) => Err(Unread::Refused(tile, why.clone())),
    }
}

fn entry(bytes: &[u8], hash: &Hash) -> Entry {
    if leaf_hash(bytes) == *hash {
        return Leaf::parse(bytes).map_or(Entry::NotALeaf, |Leaf { place, previous, policy, hour, .. }| Entry::Leaf {
            hour,
            place,
            previous,
            policy,
        });
    }
    if bytes.is_empty() { Entry::Gone } else { Entry::Edited }
}
