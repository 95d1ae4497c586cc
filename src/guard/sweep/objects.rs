//! Objects whose erasure key was erased: nothing ever opens them again, so they go.
//!
//! An object's erasure key bears the object's name, is durable before the object, and is swept like any other: an upload
//! that came to nothing leaves a key without an attachment, which is erased after a day of being one at every sweep, and
//! not when there are too many of them. Only then, by its tombstone, does the object go. One that has neither key nor
//! tombstone is left alone: the erasure store may be an old one.

use super::Sweeper;
use crate::guard::record::ObjectId;
use crate::guard::store;
use crate::platform::objects::{self, Objects};
use futures_util::TryStreamExt as _;
use uuid::Uuid;

/// Objects that are looked at together.
const BATCH: usize = 1000;

/// What was done to the store of objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    pub looked_at: u64,
    /// Those whose key was erased.
    pub removed: u64,
    /// What a process that died left half written.
    pub unfinished: u64,
}

/// Why it was not done, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    #[error("the erasure store does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error("the store of objects does not answer: {}", objects::kind(.0))]
    Objects(#[from] object_store::Error),
    #[error("the folder of objects cannot be read: {0}")]
    Folder(#[from] std::io::Error),
}

impl Sweeper {
    /// Removes every object whose key was erased. Any number of replicas may do so at once.
    ///
    /// # Errors
    /// [`ClearError`]; the next time goes on.
    pub async fn clear_objects(&self) -> Result<Cleared, ClearError> {
        let Some(objects) = &self.objects else { return Ok(Cleared::default()) };
        let mut cleared = Cleared { unfinished: objects.remove_unfinished()?, ..Cleared::default() };
        let mut listed = objects.list();
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(object) = listed.try_next().await? {
            batch.push(object.id.0);
            if batch.len() == BATCH {
                self.clear(objects, &mut batch, &mut cleared).await?;
            }
        }
        self.clear(objects, &mut batch, &mut cleared).await?;
        Ok(cleared)
    }

    async fn clear(&self, objects: &Objects, batch: &mut Vec<Uuid>, cleared: &mut Cleared) -> Result<(), ClearError> {
        cleared.looked_at += batch.len() as u64;
        for erased in store::erased(&self.erasure, batch).await? {
            objects.remove(ObjectId(erased)).await?;
            cleared.removed += 1;
        }
        batch.clear();
        Ok(())
    }

    /// [`Self::clear_objects`], where nobody waits for it.
    pub(crate) async fn clear_or_warn(&self) {
        match self.clear_objects().await {
            Ok(cleared) if cleared.removed + cleared.unfinished > 0 => {
                tracing::info!(cleared.removed, cleared.unfinished, "objects that nothing opens any more");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "objects were not swept; the next time goes on"),
        }
    }
}
