//! Where a file goes: hashed, sealed, hashed again, written to the store of objects. Its erasure key is durable before its
//! first byte is, and erased when it comes to nothing.

use super::model::Sum;
use super::receive::{Received, away};
use crate::guard::bytes::stream::Sealer;
use crate::guard::bytes::{ContentKey, SealError};
use crate::guard::record::ObjectId;
use crate::guard::statement::hex;
use crate::guard::store::delete_erasure_key;
use crate::guard::vault::ObjectKey;
use crate::guard::vault::objects::object_context;
use crate::platform::objects::{Objects, Writing};
use crate::platform::problem::Problem;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

/// What is sealed at once.
const STEP: usize = 64 * 1024;

/// An object that is being written.
pub(super) struct Sink {
    object: ObjectId,
    key: ObjectKey,
    sealer: Sealer,
    writing: Writing,
    content: Sha256,
    /// How much of what the sealer took is no padding.
    content_length: u64,
    /// Of what was written.
    digest: Sha256,
    out: Vec<u8>,
}

fn refused(_: SealError) -> Problem {
    Problem::fault("a file could not be sealed")
}

/// Erases the key of an object that nobody needs. What is left behind is swept, key and object.
pub(super) async fn forget(erasure: &PgPool, object: ObjectId) {
    if let Err(error) = delete_erasure_key(erasure, object.0).await {
        tracing::warn!(%error, "the key of an object that nobody needs is swept later");
    }
}

impl Sink {
    /// Begins an object, with its key.
    ///
    /// # Errors
    /// When a store does not answer; then no key is left.
    pub(super) async fn begin(erasure: &PgPool, objects: &Objects) -> Result<Self, Problem> {
        let object = ObjectId::random();
        let (key, content_key) = ObjectKey::make(erasure, object).await?;
        let begun = Self::open(objects, object, key, &content_key).await;
        if begun.is_err() {
            forget(erasure, object).await;
        }
        begun
    }

    async fn open(objects: &Objects, object: ObjectId, key: ObjectKey, seal: &ContentKey) -> Result<Self, Problem> {
        let mut out = Vec::new();
        let sealer = Sealer::new(seal, &object_context(object), &mut out).map_err(refused)?;
        let writing = objects.write(object).await.map_err(|error| away(&error))?;
        let (content, digest) = (Sha256::new(), Sha256::new());
        Ok(Self { object, key, sealer, writing, content, content_length: 0, digest, out })
    }

    /// How much it has taken.
    pub(super) fn length(&self) -> u64 {
        self.content_length
    }

    pub(super) async fn take(&mut self, content: &[u8]) -> Result<(), Problem> {
        for step in content.chunks(STEP) {
            self.content.update(step);
            self.sealer.push(step, &mut self.out).map_err(refused)?;
            self.content_length = self.sealer.length();
            self.write().await?;
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), Problem> {
        self.digest.update(&self.out);
        let written = self.writing.put(&self.out).await;
        self.out.clear();
        written.map_err(|error| away(&error))
    }

    /// Finishes what was filled. What was not, or cannot be finished, is given up: its key goes first, so that what the
    /// store may still hold of it opens nothing and is swept.
    ///
    /// # Errors
    /// As it was filled; when the store does not answer.
    pub(super) async fn end(
        mut self,
        erasure: &PgPool,
        filled: Result<(), Problem>,
        media_type: String,
    ) -> Result<Received, Problem> {
        let filled = match filled {
            Ok(()) => self.pad().await,
            Err(problem) => Err(problem),
        };
        let stored = Sum { bytes: self.content_length, sha256: hex(&self.content.clone().finalize()) };
        let Self { object, key, sealer, mut writing, mut digest, .. } = self;
        let ended = match filled {
            Ok(()) => finish(sealer, &mut writing, &mut digest).await,
            Err(problem) => Err(problem),
        };
        if let Err(problem) = ended {
            forget(erasure, object).await;
            writing.abort().await;
            return Err(problem);
        }
        Ok(Received { object, key, media_type, stored, came_in: None, digest: digest.finalize().into() })
    }

    async fn pad(&mut self) -> Result<(), Problem> {
        static ZEROS: [u8; STEP] = [0; STEP];
        let mut padding = self.sealer.padding().map_err(refused)?;
        while padding > 0 {
            let step = usize::try_from(padding).map_or(STEP, |padding| padding.min(STEP));
            self.sealer.push(ZEROS.get(..step).unwrap_or_default(), &mut self.out).map_err(refused)?;
            padding -= step as u64;
            self.write().await?;
        }
        Ok(())
    }
}

async fn finish(sealer: Sealer, writing: &mut Writing, digest: &mut Sha256) -> Result<(), Problem> {
    let mut out = Vec::new();
    sealer.finish(&mut out).map_err(refused)?;
    digest.update(&out);
    writing.put(&out).await.map_err(|error| away(&error))?;
    writing.finish().await.map_err(|error| away(&error))
}
