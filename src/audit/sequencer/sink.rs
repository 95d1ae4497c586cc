//! Where checkpoints are kept outside the database: `checkpoint` is the newest one, `<size>.checkpoint` each of them, and
//! `<key>.key` the note that introduces a key. `cosigned` is the newest that enough witnesses cosigned.
//!
//! A file is whole or not there: it is written beside, made durable, and renamed. A history file is never changed.

use crate::audit::checkpoint::Checkpoint;
use crate::audit::keys::LogKeys;
use crate::audit::note;
use crate::platform::random;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;

/// Why a checkpoint was not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum SinkError {
    #[error("the folder of checkpoints cannot be written: {0}")]
    Folder(#[from] io::Error),
    #[error("another checkpoint of {0} entries is kept already")]
    Forked(u64),
    #[error("a checkpoint of {0} entries is kept already: another replica sequences")]
    Behind(u64),
    #[error("{0} is another key's introduction")]
    OtherKey(String),
}

/// The newest checkpoint that enough witnesses cosigned, with what they signed.
pub(in crate::audit) const KEPT_COSIGNED: &str = "cosigned";

/// Keeps a note under this name, in place of the one before.
pub(in crate::audit) async fn keep_outside(folder: &Path, name: &str, note: &str) -> io::Result<()> {
    Sink::new(folder.to_owned()).place_and_sync(&folder.join(name), note).await
}

/// How many entries the newest checkpoint covers that is kept in this folder; nothing where there is none that this log signed.
pub(in crate::audit) async fn kept_size(folder: &Path, keys: &LogKeys) -> Option<u64> {
    let kept = read(&folder.join("checkpoint")).await.ok().flatten()?;
    keys.read(&kept).ok().map(|signed| signed.checkpoint.size())
}

/// The folder, and the newest checkpoint as long as it is not in it.
pub(super) struct Sink {
    folder: PathBuf,
    /// A name of this sink's own: two replicas may share the folder.
    temporary: PathBuf,
    unwritten: Option<(u64, String)>,
    faults: u32,
}

impl Sink {
    pub(super) fn new(folder: PathBuf) -> Self {
        let temporary = folder.join(format!(".{}.tmp", random::uuid()));
        Self { folder, temporary, unwritten: None, faults: 0 }
    }

    /// The newest checkpoint that is kept here; nothing of it is believed yet.
    pub(super) async fn read(&self) -> io::Result<Option<String>> {
        read(&self.folder.join("checkpoint")).await
    }

    /// Keeps the note that introduces a key, under its own name. Says whether it is kept.
    pub(super) async fn introduce(&mut self, name: &str, note: &str) -> bool {
        let file = self.folder.join(name);
        let kept = match read(&file).await {
            Ok(Some(kept)) if kept == note => return true,
            Ok(Some(_)) => Err(SinkError::OtherKey(name.to_owned())),
            Ok(None) => self.place_and_sync(&file, note).await.map_err(SinkError::Folder),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &kept {
            tracing::error!(%error, "the introduction of a key is not kept outside the database");
        }
        kept.is_ok()
    }

    /// The next [`Sink::write`] writes this one. One that is still unwritten gives way: the newer one says more.
    pub(super) fn keep(&mut self, size: u64, note: String) {
        self.unwritten = Some((size, note));
    }

    /// Writes what is unwritten. What fails is tried again the next time, and reported at once and then now and again.
    pub(super) async fn write(&mut self) {
        let Some((size, note)) = &self.unwritten else { return };
        match self.save(*size, note).await {
            Ok(()) => {
                if self.faults > 0 {
                    tracing::info!(size, "checkpoints are kept outside the database again");
                }
                (self.unwritten, self.faults) = (None, 0);
            }
            Err(error) => {
                if self.faults.is_multiple_of(super::REMIND) {
                    tracing::error!(%error, "a checkpoint is not kept outside the database");
                }
                self.faults = self.faults.saturating_add(1);
            }
        }
    }

    async fn save(&self, size: u64, note: &str) -> Result<(), SinkError> {
        // A replica that lost the lock while it was writing must not hide its successor's checkpoint.
        let newer = self.read().await?.and_then(|kept| claimed_size(&kept)).filter(|kept| *kept > size);
        if let Some(kept) = newer {
            return Err(SinkError::Behind(kept));
        }
        let history = self.folder.join(format!("{size:020}.checkpoint"));
        match read(&history).await? {
            Some(kept) if kept != note => return Err(SinkError::Forked(size)),
            Some(_) => {}
            None => self.place(&history, note).await?,
        }
        Ok(self.place_and_sync(&self.folder.join("checkpoint"), note).await?)
    }

    async fn place_and_sync(&self, file: &Path, note: &str) -> io::Result<()> {
        self.place(file, note).await?;
        // The names themselves are durable only with the folder.
        File::open(&self.folder).await?.sync_all().await
    }

    async fn place(&self, file: &Path, note: &str) -> io::Result<()> {
        let mut written = File::create(&self.temporary).await?;
        written.write_all(note.as_bytes()).await?;
        // Only this says whether it was written: on a full disk an empty file would take the place of a whole one.
        written.flush().await?;
        written.sync_all().await?;
        drop(written);
        fs::rename(&self.temporary, file).await
    }
}

async fn read(file: &Path) -> io::Result<Option<String>> {
    match fs::read(file).await {
        // What is not text is no checkpoint, and found to be none by who reads it.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn claimed_size(note: &str) -> Option<u64> {
    Checkpoint::parse(note::unverified_text(note).ok()?).ok().map(|checkpoint| checkpoint.size())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::note::{KeyName, NoteSigner, sign};
    use crate::audit::tree::{Frontier, leaf_hash};
    use ed25519_dalek::SigningKey;

    fn note_of(size: u64, first: &[u8]) -> String {
        let mut tree = Frontier::new();
        for number in 0..size {
            tree.append(leaf_hash(if number == 0 { first } else { b"leaf" })).unwrap();
        }
        let text = Checkpoint::new("log.example", tree.head()).unwrap().to_text();
        sign(&text, &[&NoteSigner::new(KeyName::new("log.example").unwrap(), &SigningKey::from_bytes(&[1; 32]))])
            .unwrap()
    }

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("himaya-sink-{}", random::uuid()));
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn the_newest_is_kept_beside_all_of_them() {
        let folder = folder();
        let mut sink = Sink::new(folder.clone());
        assert_eq!(sink.read().await.unwrap(), None);
        for size in [3, 5] {
            sink.keep(size, note_of(size, b"first"));
            sink.write().await;
        }
        assert_eq!(sink.read().await.unwrap(), Some(note_of(5, b"first")));
        let mut names: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["00000000000000000003.checkpoint", "00000000000000000005.checkpoint", "checkpoint"]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_written_later() {
        let folder = folder();
        let away = folder.with_extension("away");
        std::fs::rename(&folder, &away).unwrap();
        let mut sink = Sink::new(folder.clone());
        sink.keep(2, note_of(2, b"first"));
        sink.write().await;
        assert_eq!(sink.faults, 1);
        std::fs::rename(&away, &folder).unwrap();
        sink.write().await;
        assert_eq!((sink.faults, sink.read().await.unwrap()), (0, Some(note_of(2, b"first"))));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn history_is_never_changed_and_never_goes_back() {
        let folder = folder();
        let sink = Sink::new(folder.clone());
        sink.save(4, &note_of(4, b"first")).await.unwrap();
        assert!(matches!(sink.save(4, &note_of(4, b"other")).await, Err(SinkError::Forked(4))));
        assert!(matches!(sink.save(3, &note_of(3, b"first")).await, Err(SinkError::Behind(4))));
        sink.save(4, &note_of(4, b"first")).await.unwrap();
        assert_eq!(sink.read().await.unwrap(), Some(note_of(4, b"first")));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
