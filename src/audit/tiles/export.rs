//! The tree in a folder, under the same names as over HTTP: `checkpoint`, `keys`, `tile/…`; and each checkpoint that was ever exported, under
//! `checkpoints/`. Whoever has the folder checks it without this service, its database or its configuration.
//!
//! A file is whole or not there. What stands in the folder is left as it is, so a run that was interrupted is gone on with, and an export of
//! an earlier day cannot be made to fit what the database says today: the verifier finds the difference. Nothing is ever deleted.

use super::hashes::Proof;
use super::http::KeysView;
use super::model::{BadBytes, Holds, Tile, WIDTH, bundle};
use super::newest::{Newest, NoneGiven, newest};
use super::pruning::is_pruned;
use super::store;
use crate::audit::keys::{LogKeys, Signed};
use crate::audit::tree::{Hash, TreeHead, verify_consistency};
use crate::audit::verify::BadCheckpoint;
use sqlx::{PgConnection, PgPool};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Why nothing, or not all, was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("the database does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error("the folder cannot be written: {0}")]
    Folder(#[from] io::Error),
    #[error("{0}")]
    NoneGiven(#[from] NoneGiven),
    #[error("the checkpoint {place} is not this log's: {why}")]
    Forged { place: &'static str, why: BadCheckpoint },
    #[error(
        "the folder has a checkpoint of {kept} entries, the database one of {stored}: the database was rolled back"
    )]
    RolledBack { kept: u64, stored: u64 },
    #[error(
        "the folder's checkpoint of {0} entries is of another tree than the database's: there are two logs. Keep the folder as it is: \
         with the database's checkpoint it is the evidence"
    )]
    Forked(u64),
    #[error(
        "a row of the tree is gone, between entries {first} and {last}: nothing of it can be exported from there on"
    )]
    Gone { first: u64, last: u64 },
    #[error("an entry is too long for a bundle, between entries {first} and {last}")]
    TooLong { first: u64, last: u64 },
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Entries that the exported checkpoint covers.
    pub size: u64,
    /// Tiles and bundles written now.
    pub written: u64,
    /// Those that stood in the folder already.
    pub kept: u64,
}

struct Export<'a> {
    folder: &'a Path,
    done: Exported,
}

/// Writes everything that the newest checkpoint covers, from the minimum index on; a folder that was begun before keeps to its own, so that it has
/// no holes. The checkpoint itself comes last: a folder with one is whole.
///
/// # Errors
/// [`ExportError`]; what was written until then is gone on with the next time.
pub async fn export(
    pool: &PgPool,
    keys: &LogKeys,
    introductions: Vec<String>,
    minimum: u64,
    checkpoints: &Path,
    folder: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    let Newest { signed: Signed { checkpoint, .. }, note } = newest(pool, keys, checkpoints).await?;
    let read = |place, note: &[u8]| {
        keys.read(&String::from_utf8_lossy(note)).map_err(|why| ExportError::Forged { place, why })
    };
    let mut connection = pool.acquire().await?;
    let size = checkpoint.size();
    std::fs::create_dir_all(folder)?;
    let mut minimum = minimum;
    if let Some(kept) = there(&folder.join("checkpoint"))? {
        let kept = read("in the folder", &kept)?.checkpoint.head();
        if kept.size > size {
            return Err(ExportError::RolledBack { kept: kept.size, stored: size });
        }
        grown(&mut connection, kept, checkpoint.head()).await?;
        let keys = there(&folder.join("keys"))?;
        let keys = keys.and_then(|bytes| serde_json::from_slice::<KeysView>(&bytes).ok());
        minimum = minimum.min(keys.map_or(0, |keys| keys.minimum_index));
    }
    // What was exported once is never written over.
    let history = folder.join("checkpoints").join(format!("{size:020}"));
    let history_is_there = match there(&history)?.filter(|kept| !kept.is_empty()) {
        None => false,
        Some(kept) if read("in the folder's history", &kept)?.checkpoint.head() == checkpoint.head() => true,
        Some(_) => return Err(ExportError::Forked(size)),
    };
    let mut export = Export { folder, done: Exported { size, written: 0, kept: 0 } };
    for n in minimum / WIDTH..size.div_ceil(WIDTH) {
        for holds in [Holds::Hashes(0), Holds::Entries] {
            if let Some(tile) = Tile::of(holds, n, size) {
                export.tile(&mut connection, tile).await?;
            }
        }
        progress(n.saturating_mul(WIDTH).min(size), size);
    }
    for tile in Tile::above_leaves(size).filter(|tile| !is_pruned(*tile, minimum)) {
        export.tile(&mut connection, tile).await?;
    }
    let keys = serde_json::to_vec(&KeysView { introductions, minimum_index: minimum }).map_err(io::Error::other)?;
    place(&folder.join("keys"), &keys)?;
    if !history_is_there {
        place(&history, note.as_bytes())?;
    }
    // All of it is on the disk before the checkpoint says that it is there.
    rustix::fs::syncfs(std::fs::File::open(folder)?).map_err(io::Error::from)?;
    place(&folder.join("checkpoint"), note.as_bytes())?;
    rustix::fs::syncfs(std::fs::File::open(folder)?).map_err(io::Error::from)?;
    progress(size, size);
    Ok(export.done)
}

/// Refuses unless the tree of `kept` is the beginning of the one that the database has now.
async fn grown(connection: &mut PgConnection, kept: TreeHead, stored: TreeHead) -> Result<(), ExportError> {
    let gone = ExportError::Gone { first: 0, last: stored.size.saturating_sub(1) };
    let proof = Proof::consistency(kept.size, stored.size).map_err(|_| ExportError::Forked(kept.size))?;
    let hashes = store::runs(connection, &proof.needed()).await?;
    let hashes = proof.from(&hashes).ok_or(gone)?;
    verify_consistency(&kept, &stored, &hashes).map_err(|_| ExportError::Forked(kept.size))
}

impl Export<'_> {
    async fn tile(&mut self, connection: &mut PgConnection, tile: Tile) -> Result<(), ExportError> {
        let file = self.folder.join(tile.to_string());
        // After a power failure a file may be there and empty.
        if there(&file)?.is_some_and(|bytes| is_whole(tile, &bytes)) {
            self.done.kept += 1;
            return Ok(());
        }
        let range = tile.range();
        let (first, last) = (range.start, range.end.saturating_sub(1));
        let bytes = match tile.holds() {
            Holds::Hashes(_) => {
                let hashes = store::hashes(connection, tile).await?;
                hashes.iter().flatten().flat_map(Hash::as_bytes).copied().collect()
            }
            Holds::Entries => {
                let kept = store::entries(connection, tile).await?;
                bundle(kept.iter().map(store::Kept::bytes)).map_err(|_| ExportError::TooLong { first, last })?
            }
        };
        // An entry that is gone stands as one without bytes, for the verifier to find; a row of the tree cannot.
        if !is_whole(tile, &bytes) {
            return Err(ExportError::Gone { first, last });
        }
        place(&file, &bytes)?;
        self.done.written += 1;
        Ok(())
    }
}

fn is_whole(tile: Tile, bytes: &[u8]) -> bool {
    let read: Result<(), BadBytes> = match tile.holds() {
        Holds::Hashes(_) => tile.hashes(bytes).map(|_| ()),
        Holds::Entries => tile.entries(bytes).map(|_| ()),
    };
    read.is_ok()
}

fn there(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts a file in its place as a whole: it is written beside it and renamed.
///
/// # Errors
/// When the folder cannot be written.
pub fn place(file: &Path, bytes: &[u8]) -> io::Result<()> {
    put(file, bytes, false)
}

/// The same, and it is there after a power failure.
///
/// # Errors
/// When the folder cannot be written.
pub fn place_durably(file: &Path, bytes: &[u8]) -> io::Result<()> {
    put(file, bytes, true)?;
    // The name itself is durable only with the folder.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

fn put(file: &Path, bytes: &[u8], durably: bool) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // The name that an interrupted run left behind: taken again, never a second one.
    let mut beside: PathBuf = file.to_owned();
    beside.as_mut_os_string().push(".tmp");
    let mut written = std::fs::File::create(&beside)?;
    written.write_all(bytes)?;
    if durably {
        written.sync_all()?;
    }
    drop(written);
    std::fs::rename(&beside, file)
}
