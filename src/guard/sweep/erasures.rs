//! Erasures that two persons confirmed: their keys, and the objects of their attachments, are erased, as often as it takes.
//!
//! The confirming commit has taken the case away and left a list of what is to be erased outside the main database. It is worked
//! off here, whenever the erasure store and the store of objects answer; each step may be done twice, and a process that dies
//! between two of them leaves the rest to the next. Erasing is for ever, so a list is believed only as the service itself
//! vouched for it: whoever writes to the main database alone has nothing erased by a list of their own.

use super::Sweeper;
use crate::guard::record::{AccountId, CaseId, ObjectId, ProposalId};
use crate::guard::store::{self, Due};
use crate::guard::tombstones;
use crate::guard::trust::Trust;
use crate::guard::vouch::{HoldCodes, is_vouched};
use crate::platform::objects;
use chrono::TimeDelta;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(5);

/// How often what is written down outside is compared: somebody may restore a database beneath a service that runs.
const AGAIN: Duration = Duration::from_mins(10);

/// Carries out what two persons confirmed, as the sweeper's role.
#[derive(Clone)]
pub struct Eraser {
    pub sweeper: Sweeper,
    /// Knows which lists the service made.
    pub trust: Arc<Trust>,
    /// For how long backups of the erasure store are kept.
    pub backups_kept: TimeDelta,
    /// Where what is erased is written down outside the database.
    pub checkpoints: PathBuf,
}

/// What one round did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Erasures whose last key and object are gone.
    pub online: u64,
    /// Lists that this service never made, of which nothing was erased.
    pub forged: u64,
}

/// Why an erasure still waits.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error("a database does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error("the file of tombstones cannot be written: {0}")]
    File(#[from] std::io::Error),
    #[error("the store of objects does not answer: {}", objects::kind(.0))]
    Objects(#[from] object_store::Error),
}

impl Eraser {
    /// Carries out everything that waits. Any number of replicas may do so at once.
    ///
    /// # Errors
    /// [`EraseError`]; the next time goes on.
    pub async fn finish(&self) -> Result<Finished, EraseError> {
        let mut finished = Finished::default();
        for due in store::erasures_due(&self.sweeper.main).await? {
            let code = self.trust.voucher().erasing(ProposalId(due.erasure), &due.keys, &due.objects);
            if is_vouched(Some(&due.vouch), &code) {
                finished.online += u64::from(self.carry_out(&due).await?);
            } else {
                finished.forged += 1;
            }
        }
        Ok(finished)
    }

    /// Has holds disregarded that this service never placed: they would keep a case whose erasure is proposed. How many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn disregard_planted(&self, case: CaseId) -> Result<u64, sqlx::Error> {
        let mut planted = 0;
        for hold in store::holds_in_the_way(&self.sweeper.main, case).await? {
            let codes = HoldCodes { note: &hold.note, vouch: &hold.vouch, placed: hold.placed_vouch.as_deref() };
            if !self.trust.voucher().placed_hold(hold.id, case, &codes) {
                tracing::error!(hold = %hold.id, "ALARM: somebody wrote a hold that was never placed; it is disregarded");
                store::disregard_hold(&self.sweeper.main, hold.id).await?;
                planted += 1;
            }
        }
        Ok(planted)
    }

    /// Says that this service carries out an erasure that two persons signed, in this session and this transaction and no other. Call
    /// when signatures and holds were looked at.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn order(&self, erasure: ProposalId, second: AccountId, transaction: &str) -> Result<(), sqlx::Error> {
        store::order_erasure(&self.sweeper.main, erasure, second, transaction).await
    }

    async fn carry_out(&self, due: &Due) -> Result<bool, EraseError> {
        // An object's key has the object's name.
        let dead = [due.keys.as_slice(), &due.objects].concat();
        store::erase_keys(&mut *self.sweeper.erasure.acquire().await?, &dead).await?;
        if let Some(objects) = &self.sweeper.objects {
            for object in &due.objects {
                objects.remove(ObjectId(*object)).await?;
            }
        }
        // A backup that is restored brings back what does not stand there.
        tombstones::write_down(&self.checkpoints, &dead)?;
        Ok(store::erasure_is_online(&self.sweeper.main, due.erasure, self.backups_kept).await?)
    }

    /// Looks now and every few seconds, until `stop` says so; and now and every few minutes whether an older database was put in place.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let (mut tick, mut troubled) = (tokio::time::interval(EVERY), false);
        let mut again = tokio::time::interval(AGAIN);
        loop {
            let compares = tokio::select! {
                _ = tick.tick() => false,
                _ = again.tick() => true,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            if compares && let Err(error) = tombstones::apply(&self.sweeper, &self.checkpoints).await {
                tracing::error!(%error, "what is erased was not compared with the databases");
            }
            match self.finish().await {
                Ok(Finished { online, forged }) => {
                    if online > 0 {
                        tracing::info!(online, "cases that two persons erased open from this installation no more");
                    }
                    if forged > 0 && !troubled {
                        tracing::error!(
                            forged,
                            "ALARM: somebody wrote a list of what is to be erased; nothing of it was"
                        );
                    }
                    troubled = forged > 0;
                }
                Err(error) if !troubled => {
                    tracing::warn!(%error, "erasures wait for a store that is away");
                    troubled = true;
                }
                Err(_) => {}
            }
        }
    }
}
