//! What was erased, also written down outside the database.
//!
//! A restored backup of the erasure store brings erased keys back, and the tombstones that it has are as old as it is. So
//! the ids of erased keys also stand in a file beside the checkpoints. They are erased again, and cases among them hidden, by
//! `himaya restore`, by every service at its start before it listens, and every few minutes: whatever way an older database came back.
//! An id says nothing: it is random, and belongs to a record that does not open any more.

use crate::guard::store;
use crate::guard::sweep::Sweeper;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// The file's name, in the folder of checkpoints.
pub const FILE: &str = "tombstones";
/// How often it is written.
const EVERY: Duration = Duration::from_secs(5);
/// A tombstone is seen when it is committed, which may be later than it says.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// Why something erased is not written down yet.
#[derive(Debug, thiserror::Error)]
pub enum TombstoneError {
    #[error("a database does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error("the file `tombstones` in the folder of checkpoints cannot be read or written: {0}")]
    File(#[from] io::Error),
    #[error("the databases took too long")]
    Late,
}

/// What was found in the databases although it was erased.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Ids in the file.
    pub known: u64,
    /// Those of them that the erasure store did not know as erased.
    pub again: u64,
    /// Cases that had come back, and are there for nobody now.
    pub hidden: u64,
}

/// Ids that are asked about together.
const BATCH: usize = 10_000;
/// Longer than this a service does not wait with its start.
const WITHIN: Duration = Duration::from_mins(5);

/// Whether there is a file: a service that ran with this folder left one.
#[must_use]
pub fn is_there(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// Erases again what stands in the file and is not known as erased. How many.
///
/// # Errors
/// [`TombstoneError`].
async fn erase_again(sweeper: &Sweeper, known: &[Uuid]) -> Result<u64, TombstoneError> {
    let mut again = 0;
    for ids in known.chunks(BATCH) {
        let erased: HashSet<Uuid> = store::erased(&sweeper.erasure, ids).await?.into_iter().collect();
        let missing: Vec<Uuid> = ids.iter().copied().filter(|id| !erased.contains(id)).collect();
        if !missing.is_empty() {
            store::erase_keys(&mut *sweeper.erasure.acquire().await?, &missing).await?;
            again += missing.len() as u64;
        }
    }
    Ok(again)
}

/// Erases again what stands in the folder's file, and hides cases that were erased and are there all the same. Nothing is changed
/// where no older database was put in place.
///
/// # Errors
/// [`TombstoneError`]; then something erased may be readable, and a service does not start.
pub async fn apply(sweeper: &Sweeper, folder: &Path) -> Result<Applied, TombstoneError> {
    let applied =
        tokio::time::timeout(WITHIN, apply_all(sweeper, folder)).await.map_err(|_| TombstoneError::Late)??;
    let Applied { again, hidden, .. } = applied;
    if again > 0 || hidden > 0 {
        tracing::warn!(again, hidden, "a database came back with what had been erased: it was erased again");
    }
    Ok(applied)
}

async fn apply_all(sweeper: &Sweeper, folder: &Path) -> Result<Applied, TombstoneError> {
    let known: Vec<Uuid> = read(folder)?.into_iter().collect();
    if !is_there(folder) {
        // From here on its absence says that somebody took it away, or that this is another folder.
        append(folder, &[])?;
    }
    let mut applied = Applied { known: known.len() as u64, again: erase_again(sweeper, &known).await?, hidden: 0 };
    // Whatever the file says: an erasure store that was kept knows more.
    let erased = store::tombstones_since(&sweeper.erasure, DateTime::UNIX_EPOCH).await?;
    let erased: Vec<Uuid> = erased.into_iter().map(|(id, _)| id).collect();
    for ids in erased.chunks(BATCH) {
        applied.hidden += u64::try_from(store::hide_erased(&sweeper.main, ids).await?).unwrap_or_default();
    }
    // When every case is hidden: a key and its case may stand in two batches.
    for ids in erased.chunks(BATCH) {
        store::unwrap_hidden(&sweeper.main, ids).await?;
    }
    Ok(applied)
}

/// Every id in the folder's file of tombstones; none when there is no file. A line that was cut off is left out.
///
/// # Errors
/// When the file cannot be read.
pub fn read(folder: &Path) -> io::Result<HashSet<Uuid>> {
    match std::fs::read_to_string(folder.join(FILE)) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(HashSet::new()),
        Err(error) => Err(error),
    }
}

/// Adds ids, on lines of their own: what was being written when a machine went down may have no end.
fn append(folder: &Path, ids: &[Uuid]) -> io::Result<()> {
    let mut lines = String::with_capacity(ids.len() * 37 + 1);
    lines.push('\n');
    for id in ids {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{id}");
    }
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(folder.join(FILE))?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()
}

/// Makes these ids durable in the file, if they are not.
///
/// # Errors
/// When the file cannot be read or written.
pub fn write_down(folder: &Path, ids: &[Uuid]) -> io::Result<()> {
    let known = read(folder)?;
    let fresh: Vec<Uuid> = ids.iter().copied().filter(|id| !known.contains(id)).collect();
    if fresh.is_empty() { Ok(()) } else { append(folder, &fresh) }
}

/// Writes down what is erased.
pub struct Tombstones {
    pool: PgPool,
    folder: PathBuf,
    known: Option<HashSet<Uuid>>,
    since: DateTime<Utc>,
}

impl Tombstones {
    /// `pool` is the erasure store by the sweeper's role.
    #[must_use]
    pub fn new(pool: PgPool, folder: PathBuf) -> Self {
        Self { pool, folder, known: None, since: DateTime::UNIX_EPOCH }
    }

    /// Writes down what was erased since the last time.
    ///
    /// # Errors
    /// [`TombstoneError`]; the next time tries again.
    pub async fn write(&mut self) -> Result<(), TombstoneError> {
        let known = match &mut self.known {
            Some(known) => known,
            None => self.known.insert(read(&self.folder)?),
        };
        let erased = store::tombstones_since(&self.pool, self.since).await?;
        let newest = erased.iter().map(|(_, at)| *at).max();
        let fresh: Vec<Uuid> = erased.into_iter().map(|(id, _)| id).filter(|id| !known.contains(id)).collect();
        if !fresh.is_empty() {
            append(&self.folder, &fresh)?;
            known.extend(fresh);
        }
        if let Some(newest) = newest {
            self.since = self.since.max(newest - OVERLAP);
        }
        Ok(())
    }

    /// Writes every few seconds until `stop` says so, and then once more.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(EVERY);
        let mut failing = false;
        loop {
            let ending = tokio::select! {
                _ = tick.tick() => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            match self.write().await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    tracing::error!(%error, "what is erased is not written down outside the database");
                    failing = true;
                }
                Err(_) => {}
            }
            if ending {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_cut_off_is_left_out_and_takes_no_other_with_it() {
        let folder = std::env::temp_dir().join(format!("himaya-tombstones-{}", crate::platform::random::uuid()));
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(read(&folder).unwrap().len(), 0, "nothing was ever erased");
        let ids: [Uuid; 3] = std::array::from_fn(|_| crate::platform::random::uuid());
        let [one, other, last] = ids;
        append(&folder, &[one]).unwrap();
        let whole = std::fs::read_to_string(folder.join(FILE)).unwrap();
        std::fs::write(folder.join(FILE), format!("{whole}{}", &other.to_string()[..20])).unwrap();
        assert_eq!(read(&folder).unwrap(), HashSet::from([one]));
        append(&folder, &[other, last]).unwrap();
        assert_eq!(read(&folder).unwrap(), HashSet::from(ids));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
