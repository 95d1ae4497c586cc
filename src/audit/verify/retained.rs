//! Details that are gone since their time was over. Each must be named by a statement whose digest stands in a leaf of this service, and be as old
//! as its class is kept: by its own leaf, and by what witnesses saw before it and after the statement.

use super::finding::Finding;
use super::store;
use crate::audit::entry::Leaf;
use crate::audit::retention::statement::{Statement, mark};
use crate::audit::retention::{Class, Seen};
use chrono::{DateTime, Months};
use sqlx::PgConnection;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use uuid::Uuid;

/// So many hours the clocks of two processes, and of a witness, may be apart.
const APART: i64 = 2;

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
}

/// What is said to be erased, still to be met while the tree is walked.
#[derive(Default)]
pub(super) struct Retained {
    seen: Seen,
    told: Vec<Told>,
    by_mark: HashMap<[u8; 32], usize>,
    /// The next position of each statement.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    /// Rows that are no statement.
    unreadable: Vec<Uuid>,
}

impl Retained {
    /// Reads what is stored; none of it is believed yet.
    pub(super) async fn read(connection: &mut PgConnection, seen: Seen) -> Result<Self, sqlx::Error> {
        let mut retained = Self { seen, ..Self::default() };
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
        self.told.push(Told { id, class, months, digest, entered: None, left, youngest: None, met: 0 });
    }

    /// Takes in a leaf that this service signed: it may vouch for a statement.
    pub(super) fn entered(&mut self, position: i64, leaf: &Leaf) {
        let told = self.by_mark.get(&leaf.mark).and_then(|at| self.told.get_mut(*at));
        if let Some(told) = told.filter(|told| told.digest == leaf.digest && told.entered.is_none()) {
            told.entered = Some((position, leaf.hour));
        }
    }

    /// Nothing is there of what the entry at this position said, or nothing of the entry: whether somebody says that it was erased. Positions
    /// come in order.
    pub(super) fn names(&mut self, position: i64, hour: Option<i64>) -> bool {
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
                let hour = hour.map(|hour| self.seen.hour_of(position, hour));
                told.youngest = told.youngest.max(hour);
            }
        }
        named
    }

    /// What was erased by which class, and what is wrong with it, when all of the tree was walked.
    pub(super) fn end(self) -> (BTreeMap<Class, u64>, Vec<Finding>) {
        let (mut erased, mut findings) = (BTreeMap::new(), Vec::new());
        findings.extend(self.unreadable.into_iter().map(|retention| Finding::RetentionNotEntered { retention }));
        for told in self.told {
            let Told { id: retention, class, months, met, .. } = told;
            let Some((position, hour)) = told.entered else {
                findings.push(Finding::RetentionNotEntered { retention });
                continue;
            };
            *erased.entry(class).or_default() += met;
            let hour = self.seen.latest_of(position, hour).saturating_add(1 + APART);
            let now = hour.checked_mul(3600).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            let months = months.max(class.floor());
            let limit = now.and_then(|now| now.checked_sub_months(Months::new(months)));
            let limit = limit.map_or(i64::MIN, |limit| limit.timestamp().div_euclid(3600));
            if told.youngest.is_some_and(|youngest| youngest > limit) {
                findings.push(Finding::ErasedEarly { retention, position, class, months });
            }
        }
        (erased, findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::entry::Place;

    const YEAR: i64 = 24 * 365;

    /// Two years and a day of refusals, erased at position 9.
    fn retained(months: u32, positions: &[i64], seen: Seen) -> (Retained, Leaf) {
        let text = Statement { class: Class::Refusals, months, positions: positions.to_vec() }.to_text();
        let (id, mut retained) = (Uuid::from_u128(1), Retained { seen, ..Retained::default() });
        retained.add(id, &text);
        let place = Place { replica: id, lane: 0, n: 0 };
        (retained, Leaf::new(place, place.origin(), 1000 + 2 * YEAR + 48, [0; 32], b"", Some(mark(id, &text))))
    }

    fn found(retained: Retained) -> Vec<Finding> {
        retained.end().1
    }

    #[test]
    fn what_an_old_enough_statement_names_is_no_finding() {
        let (mut retained, leaf) = retained(24, &[2, 5], Seen::default());
        assert!(!retained.names(1, Some(1000)) && retained.names(2, Some(1000)));
        assert!(!retained.names(3, Some(1000)) && retained.names(5, Some(1000)) && !retained.names(6, Some(1000)));
        retained.entered(9, &leaf);
        assert_eq!(retained.end(), (BTreeMap::from([(Class::Refusals, 2)]), vec![]));
    }

    #[test]
    fn a_statement_that_no_entry_vouches_for_is_one_of_somebody_else() {
        let (mut told, leaf) = retained(24, &[2], Seen::default());
        assert!(told.names(2, Some(1000)));
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
            told.names(2, Some(hour));
            told.entered(9, &leaf);
            found(told).len()
        };
        assert_eq!((early(24, 1000), early(24, 1000 + 72), early(36, 1000)), (0, 1, 1));
        assert_eq!(early(1, 1000 + 72), 1, "the floor counts, and not a shorter period that somebody configured");
    }

    #[test]
    fn what_witnesses_saw_counts_beside_what_the_leaves_say() {
        let signed = |size, hour: i64| Seen::new(vec![(size, DateTime::from_timestamp(hour * 3600, 0).unwrap())]);
        let early = |seen| {
            let (mut told, leaf) = retained(24, &[2], seen);
            told.names(2, Some(1000));
            told.entered(9, &leaf);
            found(told).len()
        };
        assert_eq!(early(signed(12, 1000 + YEAR)), 1, "the clock of who erased it ran ahead");
        assert_eq!(early(signed(1, 1000 + YEAR)), 1, "the clock of who entered it was set back");
        assert_eq!(early(signed(12, 1000 + 2 * YEAR + 48)), 0);
    }
}
