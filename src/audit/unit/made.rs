//! The erasure keys that a unit made. They are durable at once, in the second database, which knows nothing of the unit's
//! transaction: a unit that comes to nothing takes them away again, or requests that fail would fill the erasure store with
//! keys that belong to no record, until the sweeper no longer believes what it sees.

use crate::guard::store::discard_erasure_keys;
use sqlx::PgPool;
use tokio::runtime::Handle;
use uuid::Uuid;

/// Keys that are erased when this is dropped.
pub(super) struct Made {
    erasure: PgPool,
    keys: Vec<Uuid>,
}

impl Made {
    pub(super) fn new(erasure: &PgPool) -> Self {
        Self { erasure: erasure.clone(), keys: Vec::new() }
    }

    /// Keys that were made by this unit and by nobody else: the store took each of them for a new one.
    pub(super) fn add(&mut self, keys: &[Uuid]) {
        self.keys.extend_from_slice(keys);
    }

    /// Lets go of them: they are not erased any more.
    pub(super) fn take(&mut self) -> Vec<Uuid> {
        std::mem::take(&mut self.keys)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let keys = self.take();
        // Without a runtime the process ends: what is left behind is swept.
        let Some(runtime) = Handle::try_current().ok().filter(|_| !keys.is_empty()) else { return };
        let erasure = self.erasure.clone();
        runtime.spawn(async move {
            if let Err(error) = discard_erasure_keys(&erasure, &keys).await {
                tracing::warn!(%error, "keys of a request that came to nothing are swept later");
            }
        });
    }
}
