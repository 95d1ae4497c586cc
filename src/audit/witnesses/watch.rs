//! Whether enough witnesses still see the ledger, as each process finds out for itself.
//!
//! Two things must hold. The newest checkpoint that enough of them cosigned was cosigned less than a quarter of an hour ago, by
//! the times in their own signatures: while nothing happens they are shown the same one again. And it reaches what this
//! process saw as the newest one a quarter of an hour ago, by its own memory: whoever holds the database could else go on
//! showing the witnesses an old part of it. A process that has just started remembers nothing, and believes the signatures
//! alone; where there are none, it opens nothing.

use super::{Cosigned, Witnesses};
use crate::audit::keys::LogKeys;
use crate::audit::store::Stored;
use crate::platform::metrics;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// How long the ledger may go unseen before no record is opened any more.
pub const UNSEEN: Duration = Duration::from_mins(15);
const UNSEEN_BY_CLOCK: TimeDelta = TimeDelta::minutes(15);

/// Sizes are remembered no closer together than this.
const APART: Duration = Duration::from_secs(10);

/// A look that takes so long is given up: somebody holds a lock on what it reads.
pub const WAITS: Duration = Duration::from_secs(10);

/// What a look found.
#[derive(Debug, Clone, Copy)]
pub struct Looked {
    /// Too few of those outside see the ledger.
    pub unseen: bool,
    /// The look was not given up.
    pub complete: bool,
}

/// The size of a checkpoint that the log signed and that lies where it belongs: a row that somebody planted is not a size that
/// anybody ever has to see.
#[must_use]
pub fn size_of(newest: &Stored, keys: &LogKeys) -> Option<u64> {
    let size = keys.read(&newest.note).ok()?.checkpoint.size();
    (u64::try_from(newest.size) == Ok(size)).then_some(size)
}

/// What one process saw.
pub struct Watch {
    witnesses: Witnesses,
    /// Sizes of the newest checkpoint, and when each was first seen; without those that enough witnesses have cosigned.
    seen: VecDeque<(Instant, u64)>,
    cosigned: Option<(u64, DateTime<Utc>)>,
}

impl Watch {
    #[must_use]
    pub const fn new(witnesses: Witnesses) -> Self {
        Self { witnesses, seen: VecDeque::new(), cosigned: None }
    }

    /// Looks, and says whether the ledger is unseen. A database that does not answer changes nothing but the time; nor does
    /// one that lets the look wait.
    pub async fn look(
        &mut self,
        pool: &PgPool,
        keys: &LogKeys,
        newest: Option<u64>,
        now: DateTime<Utc>,
        instant: Instant,
    ) -> Looked {
        let read = async {
            let served = self.witnesses.served(pool, keys, now).await?;
            Ok::<_, sqlx::Error>((served, self.witnesses.last(pool, keys, now).await?))
        };
        let read = tokio::time::timeout(WAITS, read).await;
        let complete = read.is_ok();
        match read {
            Ok(Ok((served, last))) => {
                self.saw(newest, served.as_ref(), instant);
                for (witness, last) in self.witnesses.all().iter().zip(last) {
                    metrics::cosigned(witness.name().as_str(), last.map_or(0, |last| last.timestamp()));
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "cosignatures cannot be read"),
            Err(_) => tracing::error!("ALARM: cosignatures cannot be read: something is locked"),
        }
        let unseen = self.is_unseen(now, instant);
        metrics::unwitnessed(unseen);
        Looked { unseen, complete }
    }

    fn saw(&mut self, newest: Option<u64>, cosigned: Option<&Cosigned>, instant: Instant) {
        if let Some(newest) = newest {
            let apart = |last: &(Instant, u64)| instant.saturating_duration_since(last.0) >= APART && newest > last.1;
            if self.seen.back().is_none_or(apart) {
                self.seen.push_back((instant, newest));
            }
        }
        if let Some(cosigned) = cosigned {
            self.seen.retain(|(_, size)| *size > cosigned.size);
        }
        self.cosigned = cosigned.map(|cosigned| (cosigned.size, cosigned.seen));
        // However long it lasts, it is the oldest that counts.
        self.seen.truncate(256);
    }

    fn is_unseen(&self, now: DateTime<Utc>, instant: Instant) -> bool {
        let old = |(since, _): &(Instant, u64)| instant.saturating_duration_since(*since) >= UNSEEN;
        self.seen.front().is_some_and(old) || self.cosigned.is_none_or(|(_, seen)| now - seen >= UNSEEN_BY_CLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::checkpoint::Checkpoint;
    use crate::audit::note::{self, KeyName, NoteSigner};
    use crate::audit::tree::{TreeHead, leaf_hash};
    use ed25519_dalek::SigningKey;

    const MINUTE: Duration = Duration::from_mins(1);

    fn watch() -> Watch {
        Watch::new(Witnesses { all: vec![], needed: 1 })
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn cosigned(size: u64, minute: i64) -> Cosigned {
        Cosigned { size, note: String::new(), seen: at(minute) }
    }

    #[tokio::test]
    async fn what_enough_witnesses_saw_lasts_for_a_quarter_of_an_hour() {
        let (mut watch, start) = (watch(), Instant::now());
        assert!(watch.is_unseen(at(0), start), "nothing was ever cosigned");
        watch.saw(Some(7), Some(&cosigned(7, 0)), start);
        assert!(!watch.is_unseen(at(0), start) && !watch.is_unseen(at(14), start + 14 * MINUTE));
        assert!(watch.is_unseen(at(15), start + 15 * MINUTE));
        watch.saw(Some(7), Some(&cosigned(7, 14)), start + 15 * MINUTE);
        assert!(!watch.is_unseen(at(15), start + 15 * MINUTE), "the same one, seen again");
        // The row is gone: nothing is remembered in its place.
        watch.saw(Some(7), None, start + 15 * MINUTE);
        assert!(watch.is_unseen(at(15), start + 15 * MINUTE));
    }

    #[test]
    fn a_checkpoint_that_somebody_planted_is_none_that_has_to_be_seen() {
        let signer =
            |seed: u8| NoteSigner::new(KeyName::new("log.example").unwrap(), &SigningKey::from_bytes(&[seed; 32]));
        let stored = |size: i64, seed: u8| {
            let text = Checkpoint::new("log.example", TreeHead { size: 7, root: leaf_hash(b"") }).unwrap().to_text();
            Stored { size, note: note::sign(&text, &[&signer(seed)]).unwrap(), right_edge: vec![] }
        };
        let keys = LogKeys::in_order(vec![signer(1).verifier().clone()]);
        let junk = Stored { note: "junk".to_owned(), ..stored(7, 1) };
        let sizes = [stored(7, 1), stored(8, 1), stored(7, 2), junk].map(|stored| size_of(&stored, &keys));
        assert_eq!(sizes, [Some(7), None, None, None]);
    }

    #[tokio::test]
    async fn an_old_part_that_is_seen_again_and_again_is_not_the_ledger() {
        let (mut watch, start) = (watch(), Instant::now());
        watch.saw(Some(7), Some(&cosigned(7, 0)), start);
        for minute in 1..=30_i64 {
            let instant = start + u32::try_from(minute).unwrap() * MINUTE;
            watch.saw(Some(7 + minute.unsigned_abs()), Some(&cosigned(7, minute)), instant);
            assert_eq!(watch.is_unseen(at(minute), instant), minute >= 16, "{minute}");
        }
        // Those who saw it up to where it was a quarter of an hour ago have seen enough; a database that goes back has not.
        let end = start + 30 * MINUTE;
        watch.saw(Some(37), Some(&cosigned(21, 30)), end);
        assert!(watch.is_unseen(at(30), end));
        watch.saw(Some(37), Some(&cosigned(22, 30)), end);
        assert!(!watch.is_unseen(at(30), end));
        watch.saw(Some(22), Some(&cosigned(22, 31)), end + MINUTE);
        assert!(watch.is_unseen(at(31), end + MINUTE));
    }
}
