//! What witnesses say of the time: an entry behind a checkpoint was made after they had signed that, one before it before.

use chrono::{DateTime, Utc};

/// Checkpoints by size, each with the time at which one of the witnesses is first known to have signed it.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Rising by size, and by time: the latest up to there.
    hours: Vec<(u64, i64)>,
}

impl Seen {
    /// Of checkpoints in any order, whose signatures were checked.
    #[must_use]
    pub fn new(mut signed: Vec<(u64, DateTime<Utc>)>) -> Self {
        // Of one size the first time counts: a witness signs it again and again while nothing happens.
        signed.sort_unstable();
        signed.dedup_by_key(|(size, _)| *size);
        let mut latest = i64::MIN;
        let hours = signed.into_iter().map(|(size, when)| {
            latest = latest.max(when.timestamp().div_euclid(3600));
            (size, latest)
        });
        Self { hours: hours.collect() }
    }

    /// The hour of an entry: what its leaf says, but not before the last checkpoint that lies before it was signed.
    #[must_use]
    pub fn hour_of(&self, position: i64, leaf: i64) -> i64 {
        let position = u64::try_from(position).unwrap_or_default();
        let before = self.hours.partition_point(|(size, _)| *size <= position);
        let after = before.checked_sub(1).and_then(|last| self.hours.get(last)).map_or(i64::MIN, |(_, hour)| *hour);
        leaf.max(after)
    }

    /// The hour of an entry that says what time it is: what its leaf says, but not after the first checkpoint that lies behind it was signed.
    #[must_use]
    pub fn latest_of(&self, position: i64, leaf: i64) -> i64 {
        let position = u64::try_from(position).unwrap_or_default();
        let before = self.hours.partition_point(|(size, _)| *size <= position);
        self.hours.get(before).map_or(leaf, |(_, hour)| leaf.min(*hour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(signed: &[(u64, i64)]) -> Seen {
        let at = |(size, hour): &(u64, i64)| (*size, DateTime::from_timestamp(hour * 3600 + 5, 0).unwrap());
        Seen::new(signed.iter().map(at).collect())
    }

    #[test]
    fn an_entry_is_no_older_than_what_witnesses_saw_before_it() {
        let seen = seen(&[(7, 200), (3, 100), (7, 900)]);
        // Position 2 is in the checkpoint of size 3; position 3 came after it.
        let hours = [2, 3, 6, 7, 50].map(|position| seen.hour_of(position, 1));
        assert_eq!(hours, [1, 100, 100, 200, 200], "whatever the clock said that made them");
        assert_eq!(seen.hour_of(50, 300), 300);
        assert_eq!(Seen::default().hour_of(50, 300), 300);
    }

    #[test]
    fn nor_is_it_later_than_when_they_saw_it() {
        let seen = seen(&[(3, 100), (7, 200)]);
        let hours = [2, 3, 6, 7].map(|position| seen.latest_of(position, 5000));
        assert_eq!(hours, [100, 200, 200, 5000], "what nobody has seen yet is as late as it says");
    }
}
