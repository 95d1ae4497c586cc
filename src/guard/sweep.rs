//! The sweeper: erases erasure keys that belong to nothing, and has wraps deleted whose time is over.
//!
//! A key is durable before its record is (DESIGN section 4), so a request that ends in between leaves one behind; a
//! process that dies after a hand-over leaves the draft's; a restored backup of the erasure store brings keys back that
//! were erased. In a database of its own role the sweeper sees ids and no keys. One replica sweeps at a time.
//!
//! Erasing is for ever, and whoever writes to the main database can hide records from a sweep. So a key without a record is
//! only noted, and erased when it has had none at every sweep for more than a day: by then the people who work on that
//! record have missed it. And when many keys seem to belong to nothing, it is rather the main database that is the wrong
//! one, or was rolled back: the sweeper then erases nothing and says so.

mod erasures;
mod objects;

pub use erasures::{EraseError, Eraser, Finished};
pub use objects::{ClearError, Cleared};

use crate::guard::store;
use crate::platform::metrics;
use crate::platform::objects::Objects;
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// How often it sweeps.
const EVERY: Duration = Duration::from_hours(1);
/// How long objects are looked at, each time.
const CLEARING: Duration = Duration::from_mins(30);
/// Keys that are looked at together.
const BATCH: i64 = 1000;
/// So many may always belong to nothing; beyond that, one in a hundred.
const FEW: u64 = 100;

/// What the sweeper works on, each under its own role.
#[derive(Clone)]
pub struct Sweeper {
    pub main: PgPool,
    pub erasure: PgPool,
    /// Where attachments lie, where there are any.
    pub objects: Option<Objects>,
}

/// What one sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Keys that are older than an hour.
    pub looked_at: u64,
    /// Keys that had been erased before, and had come back.
    pub again: u64,
    /// Keys without a record.
    pub orphans: u64,
    /// Those of them that have had none for more than a day, and were erased.
    pub erased: u64,
    /// Wraps whose time was over: an operator's of a draft that they abandoned.
    pub ended: u64,
    /// Answers to requests with an `Idempotency-Key` that are older than a day.
    pub forgotten: u64,
}

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("a database does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error(
        "{orphans} of {looked_at} erasure keys belong to no record: is the main database the right one, and the newest? \
         Nothing was erased"
    )]
    TooMany { orphans: u64, looked_at: u64 },
}

impl Sweeper {
    /// Sweeps once; `None` when another replica is at it. `however_many` is for an operator who has looked: then every key
    /// without a record is erased at once.
    ///
    /// # Errors
    /// [`SweepError`]; then no key without a record was erased.
    pub async fn sweep(&self, however_many: bool) -> Result<Option<Swept>, SweepError> {
        let mut transaction = self.erasure.begin().await?;
        if !store::sweeping_alone(&mut transaction).await? {
            return Ok(None);
        }
        // First, and whatever comes of the keys: a copy of the database and the operator's passphrase would open the draft.
        let ended = store::end_expired_wraps(&self.main).await?;
        let forgotten = store::forget_answers(&self.main).await?;
        let again = store::erase_again(&mut transaction).await?;
        let mut swept = Swept { again, ended, forgotten, ..Swept::default() };
        let mut orphans = Vec::new();
        let mut after = Uuid::nil();
        loop {
            let keys = store::keys_to_sweep(&mut transaction, after, BATCH).await?;
            let Some(last) = keys.last() else { break };
            after = *last;
            swept.looked_at += keys.len() as u64;
            let used = store::keys_in_use(&self.main, &keys).await?;
            orphans.extend(keys.into_iter().filter(|key| !used.contains(key)));
        }
        swept.orphans = orphans.len() as u64;
        // Whatever comes then: a key that has its record again starts anew when it loses it.
        store::clear_suspects(&mut transaction, &orphans).await?;
        if swept.orphans > FEW.max(swept.looked_at / 100) && !however_many {
            transaction.commit().await?;
            metrics::sweep_alarm();
            return Err(SweepError::TooMany { orphans: swept.orphans, looked_at: swept.looked_at });
        }
        let for_a_day = store::note_suspects(&mut transaction, &orphans).await?;
        let dead = if however_many { orphans } else { for_a_day };
        swept.erased = dead.len() as u64;
        store::erase_keys(&mut transaction, &dead).await?;
        transaction.commit().await?;
        metrics::swept(swept.again + swept.erased);
        Ok(Some(swept))
    }

    /// Sweeps now and once an hour, until `stop` says so.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut hour = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = hour.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            match self.sweep(false).await {
                Ok(Some(swept)) if swept != (Swept { looked_at: swept.looked_at, ..Swept::default() }) => {
                    let Swept { again, orphans, erased, ended, forgotten, .. } = swept;
                    tracing::info!(
                        again,
                        orphans,
                        erased,
                        ended,
                        forgotten,
                        "erasure keys that belong to nothing, ended wraps, and old answers"
                    );
                }
                Ok(_) => {}
                Err(error @ SweepError::TooMany { .. }) => tracing::error!(%error, "ALARM: the sweeper stops"),
                Err(SweepError::Store(_)) => tracing::warn!("the sweeper found a database away; it comes again"),
            }
            // A store that answers and never ends must not keep the next sweep of keys from coming.
            if tokio::time::timeout(CLEARING, self.clear_or_warn()).await.is_err() {
                tracing::warn!("objects were not swept to the end in time; the next time goes on");
            }
        }
    }
}
