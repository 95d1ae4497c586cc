//! Whether enough witnesses still see the ledger, as each process finds out for itself.
//!
//! Two things must hold. The newest checkpoint that enough of them cosigned was cosigned less than a quarter of an hour ago, by
//! the times in their own signatures: while nothing happens they are shown the same one again. And it reaches what this
//! process saw as the newest one a quarter of an hour ago, by its own memory: whoever holds the database could else go on
//! showing the witnesses an old part of it. A process that has just started remembers nothing, and believes the signatures
//! alone; where there are none, it opens nothing.

use super::{Cosigned, Witnesses};
use crate::audit::keys::LogKeys;
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

    /// Looks, and says whether the ledger is unseen. A database that does not answer changes nothing but the time.
    pub async fn look(
        &mut self,
        pool: &PgPool,
        keys: &LogKeys,
        newest: Option<u64>,
        now: DateTime<Utc>,
        instant: Instant,
    ) -> bool {
        match self.witnesses.served(pool, keys, now).await {
            Ok(served) => self.saw(newest, served.as_ref(), instant),
            Err(error) => tracing::warn!(%error, "cosignatures cannot be read"),
        }
        if let Ok(last) = self.witnesses.last(pool, keys, now).await {
            for (witness, last) in self.witnesses.all().iter().zip(last) {
                metrics::cosigned(witness.name().as_str(), last.map_or(0, |last| last.timestamp()));
            }
        }
        let unseen = self.is_unseen(now, instant);
        metrics::unwitnessed(unseen);
        unseen
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
