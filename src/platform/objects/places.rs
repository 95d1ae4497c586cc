//! Places: how many may be at something at once. Memory, the disk and the store are bounded by them, and no one person takes
//! all of what everybody shares.

use crate::guard::record::AccountId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// So many places for each account.
pub struct Places {
    each: usize,
    wait: Duration,
    taken: Mutex<HashMap<AccountId, Arc<Semaphore>>>,
}

impl Places {
    pub(crate) fn new(each: usize, wait: Duration) -> Self {
        Self { each, wait, taken: Mutex::default() }
    }

    /// A place of this account; nothing when none becomes free for a while.
    pub async fn of(&self, account: AccountId) -> Option<OwnedSemaphorePermit> {
        timeout(self.wait, self.own(account).acquire_owned()).await.ok()?.ok()
    }

    fn own(&self, account: AccountId) -> Arc<Semaphore> {
        // Nothing that runs under the lock can leave the map half changed.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody holds a place of, or waits for.
        taken.retain(|_, places| Arc::strong_count(places) > 1);
        Arc::clone(taken.entry(account).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

/// A place among those that all share; nothing when none becomes free for a while.
pub async fn place(places: &Arc<Semaphore>, wait: Duration) -> Option<OwnedSemaphorePermit> {
    timeout(wait, Arc::clone(places).acquire_owned()).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_account_has_its_own_places_and_leaves_nothing_behind() {
        let places = Places::new(2, Duration::from_secs(10));
        let (one, other) = (AccountId(crate::platform::random::uuid()), AccountId(crate::platform::random::uuid()));
        let held = (places.of(one).await.unwrap(), places.of(one).await.unwrap());
        assert!(places.of(one).await.is_none());
        assert!(places.of(other).await.is_some());
        drop(held);
        assert!(places.of(one).await.is_some());
        drop(places.own(other));
        assert_eq!(places.taken.lock().unwrap().len(), 1);
    }
}
