//! Details that are gone since their time was over. Each must be named by a statement whose digest stands in a leaf of this service, and be as old
//! as its class is kept: by its own leaf, by what witnesses saw before it and after the statement, and by the verifier's own clock, which no
//! statement is later than. By which period, an entry must have announced thirty days before.

use super::finding::Finding;
use super::store;
use crate::audit::entry::Leaf;
use crate::audit::retention::announced::WAITS;
use crate::audit::retention::statement::{Statement, mark};
use crate::audit::retention::{Announced, Class, Period, Periods, Seen};
use chrono::{DateTime, Months};
use sqlx::PgConnection;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use uuid::Uuid;

/// So many hours the clocks of two processes, and of a witness, may be apart.
pub(super) const APART: i64 = 2;

struct Told {
    id: Uuid,
    class: Class,
    months: u32,
    digest: [u8; 32],
    /// The position of the leaf that vouches for it, and its hour.
    entered: Option<(i64, i64)>,
    /// Not met yet, the last one first.
    left: Vec<i64>,
    /// Of those that were met, the youngest: its hour.
    youngest: Option<i64>,
    met: u64,
    /// What they were about, as far as it is known.
    about: HashSet<Uuid>,
}

/// What was erased at once, as an entry tells.
pub(super) struct Erasure {
    pub(super) retention: Uuid,
    /// Where the entry stands, and in which hour it was made, by witnesses and by the verifier's clock.
    pub(super) position: i64,
    pub(super) hour: i64,
    pub(super) about: HashSet<Uuid>,
}

/// What all of it comes to.
pub(super) struct Ended {
    pub(super) erased: BTreeMap<Class, u64>,
    pub(super) findings: Vec<Finding>,
    pub(super) erasures: Vec<Erasure>,
}

/// What is said to be erased, still to be met while the tree is walked.
#[derive(Default)]
pub(super) struct Retained {
    seen: Seen,
    /// Which hour it is.
    now: i64,
    /// The periods that were announced, as far as the tree was walked.
    announced: Announced,
    told: Vec<Told>,
    by_mark: HashMap<[u8; 32], usize>,
    /// The next position of each statement.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    /// Rows that are no statement.
    unreadable: Vec<Uuid>,
}

impl Retained {
    /// Reads what is stored; none of it is believed yet.
    pub(super) async fn read(connection: &mut PgConnection, seen: Seen, now: i64) -> Result<Self, sqlx::Error> {
        let mut retained = Self { seen, now, ..Self::default() };
        for row in store::retentions(connection).await? {
            retained.add(row.id, &row.statement);
        }
        Ok(retained)
    }

    fn add(&mut self, id: Uuid, text: &str) {
        let Some(Statement { class, months, mut positions }) = Statement::parse(text) else {
            return self.unreadable.push(id);
        };
        let mark = mark(id, text);
        positions.reverse();
        let at = self.told.len();
        if let Some(first) = positions.last() {
            self.next.push(Reverse((*first, at)));
        }
        self.by_mark.insert(mark.name, at);
        let (digest, left) = (mark.digest, positions);
        let about = HashSet::new();
        self.told.push(Told { id, class, months, digest, entered: None, left, youngest: None, met: 0, about });
    }

    /// Takes in a leaf that this service signed: it may vouch for a statement, or announce periods.
    pub(super) fn entered(&mut self, position: i64, leaf: &Leaf) {
        if let Some(periods) = Periods::announced(leaf) {
            self.announced.add(position, leaf.hour, periods, &self.seen);
        }
        let told = self.by_mark.get(&leaf.mark).and_then(|at| self.told.get_mut(*at));
        if let Some(told) = told.filter(|told| told.digest == leaf.digest && told.entered.is_none()) {
            told.entered = Some((position, leaf.hour));
        }
    }

    /// Nothing is there of what the entry at this position said, or nothing of the entry: whether somebody says that it was erased. Positions
    /// come in order.
    pub(super) fn names(&mut self, position: i64, hour: Option<i64>, about: Option<Uuid>) -> bool {
        let mut named = false;
        while let Some(Reverse((next, at))) = self.next.peek().copied().filter(|Reverse((next, _))| *next <= position) {
            self.next.pop();
            let Some(told) = self.told.get_mut(at) else { continue };
            told.left.pop();
            if let Some(following) = told.left.last() {
                self.next.push(Reverse((*following, at)));
            }
            if next == position {
                named = true;
                told.met += 1;
                told.about.extend(about);
                let hour = hour.map(|hour| self.seen.hour_of(position, hour));
                told.youngest = told.youngest.max(hour);
            }
        }
        named
    }

    /// What was erased by which class, and what is wrong with it, when all of the tree was walked.
    pub(super) fn end(self) -> Ended {
        let (mut erased, mut findings, mut erasures) = (BTreeMap::new(), Vec::new(), Vec::new());
        findings.extend(self.unreadable.into_iter().map(|retention| Finding::RetentionNotEntered { retention }));
        for told in self.told {
            let Told { id: retention, class, months, met, about, .. } = told;
            let Some((position, hour)) = told.entered else {
                findings.push(Finding::RetentionNotEntered { retention });
                continue;
            };
            *erased.entry(class).or_default() += met;
            // Nothing was erased later than now: whoever set every clock forward, that of a witness of their own too, set not this one.
            let told_at = self.seen.latest_of(position, hour).min(self.now);
            erasures.push(Erasure { retention, position, hour: told_at, about });
            let hour = told_at.saturating_add(1 + APART);
            let counting = self.announced.counting(position, hour.saturating_sub(WAITS), told_at.saturating_sub(APART));
            if counting.is_none_or(|periods| Period::Months(months) < periods.period(class)) {
                findings.push(Finding::ErasedUnannounced { retention, position, class, months });
            }
            let now = hour.checked_mul(3600).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            let months = months.max(class.floor());
            let limit = now.and_then(|now| now.checked_sub_months(Months::new(months)));
            let limit = limit.map_or(i64::MIN, |limit| limit.timestamp().div_euclid(3600));
            if told.youngest.is_some_and(|youngest| youngest > limit) {
                findings.push(Finding::ErasedEarly { retention, position, class, months });
            }
        }
        Ended { erased, findings, erasures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::entry::Place;
    use crate::audit::retention::RetentionConfig;

    const YEAR: i64 = 24 * 365;
    /// The verifier comes three years after what is erased was entered.
    const NOW: i64 = 1000 + 3 * YEAR;

    /// An entry announces in this hour for how many months refusals are kept.
    fn announce(retained: &mut Retained, position: i64, hour: i64, months: u32) {
        let config = RetentionConfig { refusals: Period::Months(months), ..RetentionConfig::default() };
        let place = Place { replica: Uuid::from_u128(2), lane: 0, n: position };
        let mark = Periods::of(&config).mark(Uuid::from_u128(3));
        retained.entered(position, &Leaf::new(place, place.origin(), hour, [0; 32], b"", Some(mark)));
    }

    /// Two years and a day of refusals, erased at position 9.
    fn retained(months: u32, positions: &[i64], seen: Seen) -> (Retained, Leaf) {
        let text = Statement { class: Class::Refusals, months, positions: positions.to_vec() }.to_text();
        let id = Uuid::from_u128(1);
        let mut retained = Retained { seen, now: NOW, ..Retained::default() };
        retained.add(id, &text);
        announce(&mut retained, 0, 900, 24);
        let place = Place { replica: id, lane: 0, n: 0 };
        (retained, Leaf::new(place, place.origin(), 1000 + 2 * YEAR + 48, [0; 32], b"", Some(mark(id, &text))))
    }

    fn found(retained: Retained) -> Vec<Finding> {
        retained.end().findings
    }

    #[test]
    fn what_an_old_enough_statement_names_is_no_finding() {
        let (mut retained, leaf) = retained(24, &[2, 5], Seen::default());
        assert!(!retained.names(1, Some(1000), None) && retained.names(2, Some(1000), None));
        assert!(
            !retained.names(3, Some(1000), None)
                && retained.names(5, Some(1000), None)
                && !retained.names(6, Some(1000), None)
        );
        retained.entered(9, &leaf);
        let Ended { erased, findings, erasures } = retained.end();
        assert_eq!((erased, findings), (BTreeMap::from([(Class::Refusals, 2)]), vec![]));
        assert_eq!(erasures.len(), 1);
    }

    #[test]
    fn a_statement_that_no_entry_vouches_for_is_one_of_somebody_else() {
        let (mut told, leaf) = retained(24, &[2], Seen::default());
        assert!(told.names(2, Some(1000), None));
        told.entered(9, &Leaf { digest: [7; 32], ..leaf });
        assert_eq!(found(told), [Finding::RetentionNotEntered { retention: Uuid::from_u128(1) }]);
        let mut told = Retained::default();
        told.add(Uuid::from_u128(2), "{}");
        assert_eq!(found(told), [Finding::RetentionNotEntered { retention: Uuid::from_u128(2) }]);
    }

    #[test]
    fn what_was_erased_within_its_time_is_found_whatever_the_statement_says() {
        let early = |months, hour: i64| {
            let (mut told, leaf) = retained(months, &[2], Seen::default());
            told.names(2, Some(hour), None);
            told.entered(9, &leaf);
            found(told).iter().filter(|found| matches!(found, Finding::ErasedEarly { .. })).count()
        };
        assert_eq!((early(24, 1000), early(24, 1000 + 72), early(36, 1000)), (0, 1, 1));
        assert_eq!(early(1, 1000 + 72), 1, "the floor counts, and not a shorter period that somebody configured");
    }

    #[test]
    fn what_witnesses_saw_counts_beside_what_the_leaves_say() {
        let signed = |size, hour: i64| Seen::new(vec![(0, size, DateTime::from_timestamp(hour * 3600, 0).unwrap())]);
        let early = |seen| {
            let (mut told, leaf) = retained(24, &[2], seen);
            told.names(2, Some(1000), None);
            told.entered(9, &leaf);
            found(told).len()
        };
        assert_eq!(early(signed(12, 1000 + YEAR)), 1, "the clock of who erased it ran ahead");
        assert_eq!(early(signed(1, 1000 + YEAR)), 1, "the clock of who entered it was set back");
        assert_eq!(early(signed(12, 1000 + 2 * YEAR + 48)), 0);
    }

    #[test]
    fn nothing_was_erased_later_than_the_verifier_says_that_it_is() {
        let early = |now| {
            let (mut told, leaf) = retained(24, &[2], Seen::default());
            told.now = now;
            told.names(2, Some(1000), None);
            told.entered(9, &leaf);
            found(told)
        };
        assert_eq!(early(1000 + 2 * YEAR + 48), []);
        let found = early(1000 + YEAR);
        assert!(matches!(found[..], [Finding::ErasedEarly { position: 9, months: 24, .. }]), "{found:?}");
    }

    #[test]
    fn a_period_counts_when_it_was_announced_for_thirty_days_and_a_longer_one_did_not_follow() {
        // The statement is of two years and two days behind what it erases.
        let told_at = 1000 + 2 * YEAR + 48;
        let unannounced = |announced: &[(i64, i64, u32)], months| {
            let (mut told, leaf) = retained(months, &[2], Seen::default());
            told.announced = Announced::default();
            told.names(2, Some(1000 - 2 * YEAR), None);
            for (position, hour, months) in announced {
                announce(&mut told, *position, *hour, *months);
            }
            told.entered(9, &leaf);
            let found = found(told);
            assert!(found.iter().all(|found| matches!(found, Finding::ErasedUnannounced { .. })), "{found:?}");
            found.len()
        };
        assert_eq!(unannounced(&[(0, 900, 24)], 24), 0);
        assert_eq!(unannounced(&[], 24), 1, "nobody announced anything");
        assert_eq!(unannounced(&[(10, 900, 24)], 24), 1, "it was entered afterwards, whatever its hour is");
        let day = |days: i64| told_at - 24 * days;
        assert_eq!(unannounced(&[(0, 900, 36), (5, day(31), 24)], 24), 0);
        assert_eq!(unannounced(&[(0, 900, 36), (5, day(29), 24)], 24), 1);
        assert_eq!(unannounced(&[(0, 900, 36), (5, day(29), 24)], 36), 0, "by the one of before it may be erased");
        assert_eq!(unannounced(&[(0, 900, 24), (5, day(29), 36)], 24), 1, "a longer one counts at once");
        assert_eq!(
            unannounced(&[(0, 900, 24), (5, day(0), 36)], 24),
            0,
            "but what two do within an hour is no offence"
        );
        assert_eq!(unannounced(&[(0, 900, 36), (5, day(31), 24), (6, day(10), 36), (7, day(1), 24)], 24), 1);
    }
}
