//! Which periods were announced, and since when: a shorter one counts only when it has stood in the ledger for thirty days, a longer one at
//! once.
//!
//! Each process announces the periods of its configuration when it starts: they stand in the mark of the entry of its settings, in the leaf
//! itself, so there is no row that somebody could take away. What counts is the longest of all that were in force within the last thirty
//! days, those of the process that erases among them. Nothing was announced long enough ago: nothing is erased.
//!
//! The first announcement ever waits like every other one. Nobody is kept waiting by it: no class is kept for less than two years, and only
//! entries with a label are erased, which are none from before there were periods.

use super::config::{Period, RetentionConfig};
use super::rules::Class;
use super::told_time::Seen;
use crate::audit::entry::Leaf;
use crate::audit::mark::Mark;
use crate::platform::random;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// For so many hours a shorter period is announced before it counts.
pub const WAITS: i64 = 30 * 24;

/// For how long each class is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods([Period; Class::ALL.len()]);

impl Periods {
    /// Those of a configuration.
    #[must_use]
    pub fn of(config: &RetentionConfig) -> Self {
        Self::each(|class| config.of(class))
    }

    fn each(period: impl Fn(Class) -> Period) -> Self {
        let mut all = [Period::ForEver; Class::ALL.len()];
        for (kept, class) in all.iter_mut().zip(Class::ALL) {
            *kept = period(*class);
        }
        Self(all)
    }

    /// The period of a class.
    #[must_use]
    pub fn period(&self, class: Class) -> Period {
        let of_class = Class::ALL.iter().zip(self.0).find(|(known, _)| **known == class);
        of_class.map_or(Period::ForEver, |(_, period)| period)
    }

    /// The longer one of each class.
    #[must_use]
    fn or_longer(&self, other: &Self) -> Self {
        Self::each(|class| self.period(class).max(other.period(class)))
    }

    /// The shortest period of all; nothing where everything is kept for ever.
    #[must_use]
    pub fn shortest(&self) -> Option<u32> {
        self.0.iter().filter_map(|period| period.months()).min()
    }

    /// What the leaf of an entry says that announces them, and is about this record.
    #[must_use]
    pub fn mark(&self, record: Uuid) -> Mark {
        let mut digest = random::bytes::<32>();
        for (two, period) in digest.chunks_exact_mut(2).zip(self.0) {
            // Frozen: months for each class in the order of the classes, and nothing for ever.
            let months = period.months().map_or(0, |months| u16::try_from(months).unwrap_or(u16::MAX));
            two.copy_from_slice(&months.to_be_bytes());
        }
        Mark { record, version: None, name: name(&digest), digest }
    }

    /// What a leaf announces; nothing for nearly every one.
    #[must_use]
    pub fn announced(leaf: &Leaf) -> Option<Self> {
        if name(&leaf.digest) != leaf.mark {
            return None;
        }
        let mut all = [Period::ForEver; Class::ALL.len()];
        for (two, period) in leaf.digest.chunks_exact(2).zip(&mut all) {
            let months = <[u8; 2]>::try_from(two).map(u16::from_be_bytes).ok()?;
            *period = if months == 0 { Period::ForEver } else { Period::Months(months.into()) };
        }
        Some(Self(all))
    }
}

/// The mark of an entry that announces periods, whose digest they begin. Frozen: migration 0044 finds such entries by it.
fn name(digest: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(b"himaya retention periods v1").chain_update(digest).finalize().into()
}

impl Serialize for Periods {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Class::ALL.iter().map(|class| (class.as_str(), self.period(*class))))
    }
}

struct Announcement {
    position: i64,
    /// The hour from which on it is announced: no earlier than that of any before it.
    from: i64,
    /// The hour at which it was announced at the latest, as far as witnesses say.
    seen: i64,
    periods: Periods,
}

/// Everything that was announced, in the order of the tree.
#[derive(Default)]
pub struct Announced(Vec<Announcement>);

impl Announced {
    /// Takes in the next one.
    pub fn add(&mut self, position: i64, leaf: i64, periods: Periods, seen: &Seen) {
        let from = seen.between(position, leaf);
        let from = self.0.last().map_or(from, |before| before.from.max(from));
        self.0.push(Announcement { position, from, seen: seen.latest_of(position, leaf), periods });
    }

    /// The periods that counted at a position of the tree: of what was announced before it, the last that was by the hour `since`, and
    /// whatever followed before the hour `until`. Nothing where nothing was announced so long ago.
    #[must_use]
    pub fn counting(&self, position: i64, since: i64, until: i64) -> Option<Periods> {
        // They come in order, by position and by hour.
        let before = self.0.partition_point(|announced| announced.position < position && announced.from <= since);
        let first = self.0.get(before.checked_sub(1)?)?;
        let later = self.0.iter().skip(before).filter(|later| later.position < position && later.seen < until);
        Some(later.fold(first.periods, |longest, announced| longest.or_longer(&announced.periods)))
    }

    /// The periods by which may be erased now, with these as configured. Nothing may be where nothing has been announced for long enough.
    #[must_use]
    pub fn now(&self, now: i64, configured: &Periods) -> Option<Periods> {
        // The whole hour in which it was announced is over.
        let counting = self.counting(i64::MAX, now - WAITS - 1, i64::MAX)?;
        Some(counting.or_longer(configured))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::entry::Place;
    use chrono::DateTime;

    fn periods(months: u32) -> Periods {
        Periods::each(|class| if class == Class::Changes { Period::ForEver } else { Period::Months(months) })
    }

    #[test]
    fn a_leaf_announces_what_was_configured_and_no_other_leaf_does() {
        let place = Place { replica: Uuid::from_u128(1), lane: 0, n: 0 };
        let leaf = |mark| Leaf::new(place, place.origin(), 5, [0; 32], b"", mark);
        let told = leaf(Some(periods(36).mark(Uuid::from_u128(7))));
        assert_eq!(Periods::announced(&told), Some(periods(36)));
        assert_eq!(Periods::announced(&leaf(None)), None);
        assert_eq!(Periods::announced(&leaf(Some(Mark::content(Uuid::from_u128(7), 1, told.digest)))), None);
        assert_ne!(told.digest, periods(36).mark(Uuid::from_u128(7)).digest, "two that are alike do not look alike");
        let text = serde_json::to_string(&periods(36)).unwrap();
        assert_eq!(text, r#"{"records":36,"refusals":36,"lists":36,"changes":"for_ever"}"#);
    }

    /// What counts for records, by what was announced at these hours, in order: to who is configured with so many months.
    fn now(announced: &[(i64, u32)], hour: i64, configured: u32) -> Option<Period> {
        let mut all = Announced::default();
        for (position, (hour, months)) in (0..).zip(announced) {
            all.add(position, *hour, periods(*months), &Seen::default());
        }
        Some(all.now(hour, &periods(configured))?.period(Class::Records))
    }

    #[test]
    fn a_shorter_period_waits_for_thirty_days_and_a_longer_one_for_nothing() {
        let kept = |months| Some(Period::Months(months));
        assert_eq!(now(&[], 9000, 36), None, "nobody has announced anything");
        assert_eq!(now(&[(1000, 36)], 1000 + WAITS, 36), None, "the first one waits as well");
        assert_eq!(now(&[(1000, 36)], 1001 + WAITS, 36), kept(36));
        let shorter = [(1000, 48), (5000, 36)];
        assert_eq!(now(&shorter, 5000 + WAITS, 36), kept(48));
        assert_eq!(now(&shorter, 5001 + WAITS, 36), kept(36));
        assert_eq!(now(&[(1000, 36), (5000, 48)], 5000, 36), kept(48), "to a process of before as well");
        assert_eq!(now(&[(1000, 36)], 9000, 48), kept(48), "which is not announced yet");
        // That it was as short once before counts for nothing, nor that it stood there for a day in between.
        let again = [(1000, 36), (3000, 48), (8000, 36), (8024, 48), (9000, 36)];
        assert_eq!(now(&again, 9000 + WAITS, 36), kept(48));
        assert_eq!(now(&again, 9001 + WAITS, 36), kept(36));
    }

    #[test]
    fn a_clock_that_is_set_back_announces_nothing_earlier_than_what_is_before_it() {
        assert_eq!(now(&[(1000, 48), (5000, 48), (1, 36)], 5000 + WAITS, 36), Some(Period::Months(48)));
        assert_eq!(now(&[(5000, 48), (1, 36)], 5000 + WAITS, 36), None, "not even the one before it");
        let seen = Seen::new(vec![(0, 1, DateTime::from_timestamp(5000 * 3600, 0).unwrap())]);
        let mut all = Announced::default();
        all.add(0, 1000, periods(48), &seen);
        all.add(1, 1000, periods(36), &seen);
        let counts = |hour| all.now(hour, &periods(36)).unwrap().period(Class::Records);
        assert_eq!(counts(5000 + WAITS), Period::Months(48), "witnesses saw what lies before it so late");
        assert_eq!(counts(5001 + WAITS), Period::Months(36));
    }
}
