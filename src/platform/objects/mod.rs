//! The store of objects: sealed bytes under random names, in a folder or in a bucket that speaks S3.
//!
//! It knows nothing of what is in them. An object is written piece by piece, and is there when [`Writing::finish`] returns:
//! whole, under its name, and durable. It is never written again; it is read from its beginning, or removed.

mod body;
mod failure;
mod limits;
mod places;
mod wire;

pub use failure::kind;
pub use limits::Limits;
pub use places::{Places, place};

use crate::guard::record::ObjectId;
use crate::platform::config::{AttachmentsConfig, ConfigError, Refusals, S3Config, S3Keys, open_to_others};
use axum::body::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::{BackoffConfig, Error, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What is written to a folder at once.
const PIECE: usize = 1 << 20;
/// S3 takes no smaller part but the last.
const PART: usize = 5 << 20;
/// Somebody waits for the answer.
const RETRY: RetryConfig = RetryConfig {
    max_retries: 3,
    retry_timeout: Duration::from_secs(20),
    backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(2), base: 2.0 },
};
/// A file that was being written may be this old and still be written: no upload takes longer.
const UNFINISHED: Duration = Duration::from_hours(24);

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0}")]
    Refused(#[from] Refusals),
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("attachments.folder: {0}")]
    Folder(#[from] std::io::Error),
    #[error("attachments: {0}")]
    Store(#[from] Error),
}

/// A handle on the store; cheap to clone.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    folder: Option<PathBuf>,
    piece: usize,
    pub limits: Limits,
}

/// An object as the store lists it.
pub struct Listed {
    pub id: ObjectId,
    pub bytes: u64,
}

impl Objects {
    /// Opens the folder, which is made if it is not there, or the bucket.
    ///
    /// # Errors
    /// [`OpenError`] names the field.
    pub fn open(config: &AttachmentsConfig, secrets: &Path) -> Result<Self, OpenError> {
        let limits = Limits::of(config);
        match (&config.folder, &config.s3) {
            (Some(folder), None) => Self::in_folder(folder, limits),
            (None, Some(s3)) => Self::in_bucket(s3, &S3Keys::read(secrets)?, limits),
            _ => Err(Refusals::of("attachments", "needs a folder or an s3 bucket, and not both").into()),
        }
    }

    fn in_folder(folder: &Path, limits: Limits) -> Result<Self, OpenError> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        if let Some(why) = open_to_others(folder) {
            return Err(Refusals::of("attachments.folder", why).into());
        }
        // With fsync: what is acknowledged outlives a machine that goes down.
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), folder: Some(folder.to_owned()), piece: PIECE, limits })
    }

    fn in_bucket(s3: &S3Config, keys: &S3Keys, limits: Limits) -> Result<Self, OpenError> {
        let store = AmazonS3Builder::new()
            .with_endpoint(&s3.endpoint)
            .with_bucket_name(&s3.bucket)
            .with_region(&s3.region)
            .with_access_key_id(keys.access.as_str())
            .with_secret_access_key(keys.secret.as_str())
            .with_http_connector(wire::Wire::new(s3.authority.as_deref(), limits.patience.store)?)
            // Refused in production for another machine; see the configuration.
            .with_allow_http(true)
            .with_retry(RETRY)
            // Not every store that speaks S3 knows how to delete several at once.
            .with_disable_bulk_delete(true)
            .build()?;
        Ok(Self { store: Arc::new(store), folder: None, piece: PART, limits })
    }

    /// Where the objects lie, if that is a folder.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Whether so many bytes fit, and leave as much of the disk free as there must be. A bucket says nothing of it.
    #[must_use]
    pub fn has_room(&self, bytes: u64) -> bool {
        // A disk that does not say is found out when it is written to.
        let Some(Ok(disk)) = self.folder.as_deref().map(rustix::fs::statvfs) else { return true };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        free >= self.limits.keep_free.saturating_add(bytes)
    }

    /// Begins to write an object.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn write(&self, id: ObjectId) -> Result<Writing, Error> {
        let upload = self.store.put_multipart(&name(id)).await?;
        Ok(Writing { upload, piece: self.piece, waiting: Vec::with_capacity(self.piece) })
    }

    /// The bytes of an object, from its beginning.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none of this name.
    pub async fn read(&self, id: ObjectId) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        Ok(self.store.get(&name(id)).await?.into_stream())
    }

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn remove(&self, id: ObjectId) -> Result<(), Error> {
        match self.store.delete(&name(id)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All objects, in no order. What bears no name of ours is passed over.
    #[must_use]
    pub fn list(&self) -> BoxStream<'static, Result<Listed, Error>> {
        let listed = self.store.list(None).try_filter_map(|about| async move {
            let id = about.location.as_ref().parse::<Uuid>().ok().map(ObjectId);
            Ok(id.map(|id| Listed { id, bytes: about.size }))
        });
        listed.boxed()
    }

    /// Whether an object can be written, read and removed.
    ///
    /// # Errors
    /// What the store says to the first of these that fails.
    pub async fn probe(&self) -> Result<(), Error> {
        let name = Name::from(format!("probe-{}", crate::platform::random::uuid().simple()));
        self.store.put(&name, PutPayload::from_static(b"probe")).await?;
        let read = self.store.get(&name).await?.bytes().await;
        self.store.delete(&name).await?;
        read.map(|_| ())
    }

    /// Removes what a process that died left half written. How many there were. A bucket has rules of its own for that.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn remove_unfinished(&self) -> std::io::Result<u64> {
        let Some(folder) = &self.folder else { return Ok(0) };
        let mut removed = 0;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // As object_store names what is being written: the object's name, and a number behind it.
            if !entry.file_name().to_string_lossy().contains('#') {
                continue;
            }
            // Finished meanwhile, it is there no more under this name.
            let Ok(about) = entry.metadata() else { continue };
            // By the file's own clock; one of the future is young.
            let age = about.modified()?.elapsed().unwrap_or_default();
            if age <= UNFINISHED {
                continue;
            }
            match std::fs::remove_file(entry.path()) {
                Ok(()) => removed += 1,
                // Another replica was faster.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }
}

fn name(id: ObjectId) -> Name {
    Name::from(id.0.to_string())
}

/// An object that is being written. Dropped before its end, it was never there.
pub struct Writing {
    upload: Box<dyn MultipartUpload>,
    piece: usize,
    waiting: Vec<u8>,
}

impl Writing {
    /// Takes sealed bytes. Returns when no more than a piece of them is still held.
    ///
    /// # Errors
    /// When the store does not answer; then there will be no object.
    pub async fn put(&mut self, mut sealed: &[u8]) -> Result<(), Error> {
        while !sealed.is_empty() {
            let (now, later) = sealed.split_at(sealed.len().min(self.piece - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            sealed = later;
            if self.waiting.len() == self.piece {
                let full = std::mem::replace(&mut self.waiting, Vec::with_capacity(self.piece));
                self.upload.put_part(full.into()).await?;
            }
        }
        Ok(())
    }

    /// Ends the object: it is durable when this returns.
    ///
    /// # Errors
    /// When the store does not answer; then there may be an object, which nobody needs.
    pub async fn finish(&mut self) -> Result<(), Error> {
        if !self.waiting.is_empty() {
            self.upload.put_part(std::mem::take(&mut self.waiting).into()).await?;
        }
        self.upload.complete().await.map(|_| ())
    }

    /// Gives it up.
    pub async fn abort(mut self) {
        // What is left behind then is removed by the sweeper, or by the bucket's own rules.
        if let Err(error) = self.upload.abort().await {
            tracing::warn!(why = kind(&error), "an upload was given up, and its beginning is still there");
        }
    }
}
