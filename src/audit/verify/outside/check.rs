//! What is done to many tiles at once, on all cores: each entry's bytes against its hash.

use crate::audit::entry::{Leaf, Place};
use crate::audit::tiles::model::{BadBytes, Tile, WIDTH};
use crate::audit::tree::{Hash, leaf_hash, tree_root};

/// A tile of leaves' hashes with its bundle, as they were served.
pub(super) struct Fetched {
    pub(super) tile: Tile,
    pub(super) bundle: Tile,
    pub(super) hashes: Option<Vec<u8>>,
    pub(super) entries: Option<Vec<u8>>,
}

/// What an entry is.
pub(super) enum Entry {
    Leaf { place: Place, previous: Hash, policy: [u8; 32] },
    Gone,
    Edited,
    NotALeaf,
}

/// What could not be read at all.
#[derive(Clone, Copy)]
pub(super) enum Unread {
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
    let bytes = hashes.as_deref().ok_or(Unread::Missing(*tile))?;
    let hashes = tile.hashes(bytes).map_err(|reason| Unread::Bytes(*tile, reason))?;
    let root = (tile.width() == WIDTH).then(|| tree_root(&hashes));
    let entries = match entries.as_deref() {
        None => Err(Unread::Missing(*bundle)),
        Some(bytes) => match bundle.entries(bytes) {
            Err(reason) => Err(Unread::Bytes(*bundle, reason)),
            Ok(entries) => Ok(entries.iter().zip(&hashes).map(|(bytes, hash)| entry(bytes, hash)).collect()),
        },
    };
    Ok(Checked { tile: *tile, hashes, root, entries })
}

fn entry(bytes: &[u8], hash: &Hash) -> Entry {
    if leaf_hash(bytes) == *hash {
        return Leaf::parse(bytes).map_or(Entry::NotALeaf, |Leaf { place, previous, policy, .. }| Entry::Leaf {
            place,
            previous,
            policy,
        });
    }
    if bytes.is_empty() { Entry::Gone } else { Entry::Edited }
}
