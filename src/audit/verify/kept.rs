//! What was erased, beside the cases that it was about: one that was open then, or under a hold, should have kept it.
//!
//! Which case that is stands in the label, which stays and which only the service seals. When a case was opened, closed and taken up again its
//! labels say too, in the order of the tree; when it was held, the rows of its holds, each of which the ledger vouches for where rows are
//! compared as well. So a state or a hold that was another one for a minute is found. Of a case from before labels said so, its row says the
//! first. A notice that waited, and was no case yet, is not looked at.

use super::finding::Finding;
use super::retained::{APART, Erasure};
use super::store::{self, CaseBehind};
use super::walk::Walk;
use crate::audit::entry::Leaf;
use crate::audit::retention::Seen;
use crate::audit::retention::label::{Label, Labels, Turn};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Of so many records it is asked at once which case they are about.
const ASKED: usize = 1000;

/// What labels say, as far as the tree was walked.
pub(super) struct Cases {
    labels: Labels,
    seen: Seen,
    /// Whether there was a label.
    any: bool,
    /// Whether the entries of a process have labels: of one from before there were labels, none has.
    has: HashMap<Uuid, bool>,
    /// In the order of the tree: in which hour, and what.
    turns: HashMap<Uuid, Vec<(i64, Turn)>>,
}

impl Cases {
    pub(super) fn new(labels: Labels, seen: Seen) -> Self {
        Self { labels, seen, any: false, has: HashMap::new(), turns: HashMap::new() }
    }

    /// What the entry at this position is about, by its label. An error when the label is gone, or the service did not seal it here: nothing is
    /// erased that never had one.
    pub(super) fn labelled(
        &mut self,
        position: i64,
        leaf: &Leaf,
        stored: Option<&[u8]>,
        is_erased: bool,
    ) -> Result<Option<Uuid>, ()> {
        let (place, hour) = (leaf.place, self.seen.between(position, leaf.hour));
        let has = *self.has.entry(place.replica).or_insert(self.any || stored.is_some());
        let Some(stored) = stored else { return if has || is_erased { Err(()) } else { Ok(None) } };
        self.any = true;
        let Label { about, turn, .. } = self.labels.open(place, stored).filter(|_| has).ok_or(())?;
        if let Some((case, turn)) = about.zip(turn) {
            let turns = self.turns.entry(case).or_default();
            turns.push((turns.last().map_or(hour, |(before, _)| hour.max(*before)), turn));
        }
        Ok(about)
    }

    /// Whether a case was open at every time from one hour to another. One of which no label says anything stood as its row stands now.
    fn was_open(&self, case: &CaseBehind, from: i64, until: i64) -> bool {
        let turns = self.turns.get(&case.case).map(Vec::as_slice).unwrap_or_default();
        let (before, later) = turns.split_at(turns.partition_point(|(hour, _)| *hour < from));
        let first = match (before.last(), later.first()) {
            (Some((_, turn)), _) => *turn == Turn::Opened,
            (None, Some((_, turn))) => *turn == Turn::Closed && hour(case.opened_at) < from,
            (None, None) => !case.closed && hour(case.opened_at) < from,
        };
        let closed = later.iter().any(|(hour, turn)| *hour <= until && *turn == Turn::Closed);
        first && !closed
    }

    /// Whether it should have kept what was erased in this hour.
    fn keeps(&self, case: &CaseBehind, told_at: i64) -> bool {
        let (from, until) = (told_at.saturating_sub(APART), told_at.saturating_add(APART));
        let held = case.held_from.is_some_and(|since| hour(since) < from)
            && case.held_until.is_none_or(|end| hour(end) > until);
        held || self.was_open(case, from, until)
    }
}

fn hour(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(3600)
}

impl Walk<'_> {
    /// Tells which cases should have kept what was erased, each once for one erasure.
    pub(super) async fn kept(
        &mut self,
        connection: &mut PgConnection,
        erasures: Vec<Erasure>,
    ) -> Result<(), sqlx::Error> {
        let Some(cases) = self.cases.take() else { return Ok(()) };
        for Erasure { retention, position, hour, about } in erasures {
            let about: Vec<Uuid> = about.into_iter().collect();
            let mut found = BTreeSet::new();
            for asked in about.chunks(ASKED) {
                let behind = store::cases_behind(connection, asked).await?;
                found.extend(behind.iter().filter(|case| cases.keeps(case, hour)).map(|behind| behind.case));
            }
            for case in found {
                self.report.find(Finding::ErasedOfKeptCase { retention, position, case });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::entry::Place;
    use crate::audit::retention::Class;
    use crate::platform::secrets::Live;
    use zeroize::Zeroizing;

    fn labels() -> Labels {
        Labels::new(Live::only("a", Zeroizing::new([1; 32])))
    }

    fn place(replica: u128, n: i64) -> Place {
        Place { replica: Uuid::from_u128(replica), lane: 0, n }
    }

    fn sealed(place: Place, about: u128, turn: Option<Turn>) -> Vec<u8> {
        let label = Label { class: Class::Records, about: Some(Uuid::from_u128(about)), turn };
        labels().seal(place, label, DateTime::UNIX_EPOCH).unwrap()
    }

    /// The label that is stored with the entry in this place, at this position and of this hour.
    fn labelled(
        cases: &mut Cases,
        place: Place,
        (position, hour): (i64, i64),
        stored: Option<&[u8]>,
    ) -> Result<Option<Uuid>, ()> {
        let leaf = Leaf::new(place, place.origin(), hour, [0; 32], b"", None);
        cases.labelled(position, &leaf, stored, false)
    }

    #[test]
    fn a_label_that_is_gone_or_was_exchanged_is_found_and_those_of_before_have_none() {
        let mut cases = Cases::new(labels(), Seen::default());
        let mut stored = |place, stored: Option<Vec<u8>>| labelled(&mut cases, place, (0, 5), stored.as_deref());
        assert_eq!(stored(place(1, 0), None), Ok(None), "from before there were labels");
        let about = Ok(Some(Uuid::from_u128(7)));
        assert_eq!(stored(place(2, 0), Some(sealed(place(2, 0), 7, None))), about);
        assert_eq!(stored(place(1, 1), None), Ok(None), "that process is still there");
        assert_eq!(stored(place(2, 1), None), Err(()));
        assert_eq!(stored(place(2, 1), Some(sealed(place(2, 0), 7, None))), Err(()));
        assert_eq!(stored(place(3, 0), None), Err(()), "a later one began with none");
        assert_eq!(stored(place(1, 2), Some(sealed(place(1, 2), 7, None))), Err(()), "nor began this with any");
        let leaf = Leaf::new(place(1, 3), place(1, 3).origin(), 5, [0; 32], b"", None);
        assert_eq!(cases.labelled(0, &leaf, None, true), Err(()), "what is erased had one");
    }

    #[test]
    fn a_case_keeps_what_is_erased_while_it_is_open_or_held() {
        let at = |hour: i64| DateTime::from_timestamp(hour * 3600, 0).unwrap();
        let behind = |closed, held: Option<(i64, Option<i64>)>| CaseBehind {
            case: Uuid::from_u128(7),
            closed,
            opened_at: at(10),
            held_from: held.map(|(from, _)| at(from)),
            held_until: held.and_then(|(_, until)| until.map(at)),
        };
        let mut cases = Cases::new(labels(), Seen::default());
        let keeps = |cases: &Cases, case: &CaseBehind| [5, 50, 150, 201, 250, 350].map(|hour| cases.keeps(case, hour));
        assert_eq!(keeps(&cases, &behind(false, None)), [false, true, true, true, true, true], "opened, and open");
        assert_eq!(keeps(&cases, &behind(true, None)), [false; 6]);
        let held = behind(true, Some((100, Some(200))));
        assert_eq!(keeps(&cases, &held), [false, false, true, false, false, false], "at the end nobody knows");
        assert_eq!(keeps(&cases, &behind(true, Some((100, None)))), [false, false, true, true, true, true]);
        for (n, hour, turn) in [(0, 100, Turn::Closed), (1, 200, Turn::Opened), (2, 300, Turn::Closed)] {
            labelled(&mut cases, place(1, n), (n, hour), Some(&sealed(place(1, n), 7, Some(turn)))).unwrap();
        }
        for closed in [false, true] {
            let known = keeps(&cases, &behind(closed, None));
            assert_eq!(known, [false, true, false, false, true, false], "whatever the row says now");
        }
        // One that was opened since labels say so; twice a clock ran behind, and it was not closed before it was.
        let mut cases = Cases::new(labels(), Seen::default());
        for (n, hour, turn) in
            [(0, 100, Turn::Opened), (1, 300, Turn::Closed), (2, 200, Turn::Opened), (3, 210, Turn::Closed)]
        {
            let stored = sealed(place(1, n), 7, Some(turn));
            labelled(&mut cases, place(1, n), (n, hour), Some(&stored)).unwrap();
            if n == 0 {
                let known = keeps(&cases, &behind(true, None));
                assert_eq!(known, [false, false, true, true, true, true], "whatever the row says of when and whether");
            }
        }
        assert_eq!(keeps(&cases, &behind(false, None)), [false, false, true, true, true, false]);
        // Nor does a clock that was set back close it before a witness saw that it was open.
        let seen = Seen::new(vec![(0, 1, at(200))]);
        let mut cases = Cases::new(labels(), seen);
        for (n, hour, turn) in [(0, 100, Turn::Opened), (1, 120, Turn::Closed)] {
            labelled(&mut cases, place(1, n), (n, hour), Some(&sealed(place(1, n), 7, Some(turn)))).unwrap();
        }
        assert_eq!(keeps(&cases, &behind(true, None)), [false, false, true, false, false, false]);
    }
}
