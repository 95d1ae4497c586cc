//! What witnesses say of the time: an entry behind a checkpoint was made after they had signed that, one before it before.
//!
//! Each of them only narrows what the others leave: one whose clock runs ahead makes nothing later, and one whose clock is behind nothing
//! older, than another one saw it.

use chrono::{DateTime, Utc};

/// A checkpoint, and what was signed up to it and from it on.
#[derive(Debug, Clone, Copy)]
struct Signed {
    size: u64,
    /// The latest hour in which a witness first signed this one or one before it: what lies behind it is no older.
    after: i64,
    /// The earliest hour in which a witness first signed this one or one behind it: what lies before it is no younger.
    before: i64,
}

/// Checkpoints by size, rising, each with the times at which witnesses are first known to have signed it.
#[derive(Debug, Default, Clone)]
pub struct Seen(Vec<Signed>);

impl Seen {
    /// Of checkpoints in any order, whose signatures were checked: which witness signed, of which size, and when.
    #[must_use]
    pub fn new(mut signed: Vec<(usize, u64, DateTime<Utc>)>) -> Self {
        // Of one size the first time counts: a witness signs it again and again while nothing happens.
        signed.sort_unstable();
        signed.dedup_by_key(|(witness, size, _)| (*witness, *size));
        let mut latest = (usize::MAX, i64::MIN);
        let hours = signed.into_iter().map(|(witness, size, when)| {
            let hour = when.timestamp().div_euclid(3600);
            // What it signs later is no earlier: its own clock was wrong for a while.
            latest = (witness, if latest.0 == witness { latest.1.max(hour) } else { hour });
            (size, latest.1)
        });
        let mut hours: Vec<(u64, i64)> = hours.collect();
        hours.sort_unstable();
        let mut all: Vec<Signed> = Vec::with_capacity(hours.len());
        for (size, hour) in hours {
            let after = all.last().map_or(hour, |last| last.after.max(hour));
            match all.last_mut().filter(|last| last.size == size) {
                Some(last) => last.after = after,
                None => all.push(Signed { size, after, before: hour }),
            }
        }
        let mut earliest = i64::MAX;
        for signed in all.iter_mut().rev() {
            earliest = earliest.min(signed.before);
            signed.before = earliest;
        }
        Self(all)
    }

    /// The last checkpoint that lies before an entry, and the first that lies behind it.
    fn beside(&self, position: i64) -> (Option<&Signed>, Option<&Signed>) {
        let position = u64::try_from(position).unwrap_or_default();
        let before = self.0.partition_point(|signed| signed.size <= position);
        (before.checked_sub(1).and_then(|last| self.0.get(last)), self.0.get(before))
    }

    /// The hour of an entry: what its leaf says, but not before anybody signed a checkpoint that lies before it.
    #[must_use]
    pub fn hour_of(&self, position: i64, leaf: i64) -> i64 {
        self.beside(position).0.map_or(leaf, |signed| leaf.max(signed.after))
    }

    /// The hour of an entry that says what time it is: what its leaf says, but not after anybody signed a checkpoint that lies behind it.
    #[must_use]
    pub fn latest_of(&self, position: i64, leaf: i64) -> i64 {
        self.beside(position).1.map_or(leaf, |signed| leaf.min(signed.before))
    }

    /// The hour of an entry as well as it is known, and rather too late than too early: what its leaf says, but between the two, each as late
    /// as anybody says.
    #[must_use]
    pub fn between(&self, position: i64, leaf: i64) -> i64 {
        let latest = self.beside(position).1.map_or(leaf, |signed| leaf.min(signed.after));
        self.hour_of(position, latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which witness signed, of which size, and in which hour.
    fn seen(signed: &[(usize, u64, i64)]) -> Seen {
        let at = |(witness, size, hour): &(usize, u64, i64)| {
            (*witness, *size, DateTime::from_timestamp(hour * 3600 + 5, 0).unwrap())
        };
        Seen::new(signed.iter().map(at).collect())
    }

    #[test]
    fn an_entry_is_no_older_than_what_witnesses_saw_before_it() {
        let seen = seen(&[(0, 7, 200), (0, 3, 100), (0, 7, 900)]);
        // Position 2 is in the checkpoint of size 3; position 3 came after it.
        let hours = [2, 3, 6, 7, 50].map(|position| seen.hour_of(position, 1));
        assert_eq!(hours, [1, 100, 100, 200, 200], "whatever the clock said that made them");
        assert_eq!(seen.hour_of(50, 300), 300);
        assert_eq!(Seen::default().hour_of(50, 300), 300);
    }

    #[test]
    fn nor_is_it_later_than_when_they_saw_it() {
        let seen = seen(&[(0, 3, 100), (0, 7, 200)]);
        let hours = [2, 3, 6, 7].map(|position| seen.latest_of(position, 5000));
        assert_eq!(hours, [100, 200, 200, 5000], "what nobody has seen yet is as late as it says");
        let between = [(2, 1), (3, 1), (3, 150), (3, 5000), (7, 5000)].map(|(at, hour)| seen.between(at, hour));
        assert_eq!(between, [1, 100, 150, 200, 5000]);
    }

    #[test]
    fn one_whose_clock_is_wrong_takes_nothing_from_what_another_saw() {
        let both = |size, hour: i64| [(0, size, hour), (1, size, hour)];
        let honest = [both(3, 100), both(7, 200), both(9, 300)].concat();
        for wrong in [0, 5000] {
            let told = honest.iter().map(|(who, size, hour)| (*who, *size, if *who == 1 { wrong } else { *hour }));
            let seen = seen(&told.collect::<Vec<_>>());
            let older = [3, 7, 9].map(|position| seen.hour_of(position, 1));
            let later = [2, 6, 8].map(|position| seen.latest_of(position, 9000));
            assert!(older.iter().zip([100, 200, 300]).all(|(hour, least)| *hour >= least), "{older:?}");
            assert!(later.iter().zip([100, 200, 300]).all(|(hour, most)| *hour <= most), "{later:?}");
            assert!(seen.between(5, 150) >= 150 && seen.between(5, 1) >= 100, "nothing is announced the earlier by it");
        }
        // Its own was for a while, as after a power cut: it says nothing new then.
        let seen = seen(&[(0, 3, 100), (0, 5, 0), (0, 7, 200)]);
        assert_eq!((seen.latest_of(2, 9000), seen.latest_of(4, 9000), seen.hour_of(5, 1)), (100, 100, 100));
    }
}
