//! The store of objects beside the ledger. An attachment's row holds the digest of its sealed bytes, and the ledger vouches
//! for the row: so bytes that were removed, or exchanged, are found without any key.

use super::finding::Finding;
use super::{Report, VerifyError, store};
use crate::guard::record::ObjectId;
use crate::guard::store::erased;
use crate::platform::objects::Objects;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

impl Report {
    /// Reads every object that there must be, as the auditor's role, and compares it with its row. To be asked after the
    /// rows were found to be whole. `erasure` is the erasure store by the sweeper's role, which sees what was erased.
    ///
    /// # Errors
    /// [`VerifyError`] when it could not be read to the end.
    pub async fn compare_objects(
        &mut self,
        pool: &PgPool,
        erasure: &PgPool,
        objects: &Objects,
    ) -> Result<(), VerifyError> {
        for (object, digest) in store::objects(pool).await? {
            self.objects += 1;
            match sealed_digest(objects, object).await {
                Ok(found) if found[..] == digest => {}
                Ok(_) => self.find(Finding::ObjectChanged { object }),
                Err(object_store::Error::NotFound { .. }) => {
                    // A restored row of what was erased: its key is gone for good, and the bytes went after it.
                    if !erased(erasure, &[object]).await?.is_empty() {
                        self.erased += 1;
                    // Handed over or erased while this was read: then its row is gone as well.
                    } else if store::is_object(pool, object).await? {
                        self.find(Finding::ObjectGone { object });
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

async fn sealed_digest(objects: &Objects, object: Uuid) -> Result<[u8; 32], object_store::Error> {
    let (mut bytes, mut digest) = (objects.read(ObjectId(object)).await?, Sha256::new());
    while let Some(piece) = bytes.try_next().await? {
        digest.update(&piece);
    }
    Ok(digest.finalize().into())
}
