//! Which records are one person's, as far as somebody signed it or the ledger says so itself.

use super::rules::MOMENT;
use crate::audit::entry::{Detail, Outcome};
use crate::guard::action::Verb;
use crate::guard::record::RecordKind;
use crate::guard::statement::CaseHead;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// Work by which something new becomes hers, the latest first: so what is learnt by one leads on to the one before. Nothing in the
/// database leads from a notice to the draft of the call from which it was made, which is gone; and nothing at all when a row
/// was taken away. But each of these units names, in entries of one moment, what it began from and what it made; and nobody
/// hands over two calls, or accepts two notices, within a moment.
const TOGETHER: [(RecordKind, Verb); 4] = [
    (RecordKind::Placement, Verb::Create),
    (RecordKind::Person, Verb::Create),
    (RecordKind::Notice, Verb::Accept),
    (RecordKind::Call, Verb::HandOver),
];

/// The records about a person.
pub(super) struct Hers {
    /// What was asked for: a case, calls, notices.
    asked: Vec<Uuid>,
    all: HashSet<Uuid>,
}

impl Hers {
    pub(super) fn new(asked: Vec<Uuid>, hanging: impl IntoIterator<Item = Uuid>) -> Self {
        let all = hanging.into_iter().chain(asked.iter().copied()).collect();
        Self { asked, all }
    }

    pub(super) fn add(&mut self, records: impl IntoIterator<Item = Uuid>) {
        self.all.extend(records);
    }

    /// Adds what a case's signed head lists. Whether the database had kept any of it back.
    pub(super) fn add_listed(&mut self, head: &CaseHead) -> bool {
        let permitted = head.team.iter().map(|line| line.grant.0);
        let barred = head.bars.iter().map(|line| line.bar.0);
        let listed: Vec<Uuid> = head.sealed.iter().map(|line| line.record).chain(permitted).chain(barred).collect();
        let lacked = listed.iter().any(|record| !self.all.contains(record));
        self.all.extend(listed);
        lacked
    }

    pub(super) fn names(&self, detail: &Detail) -> bool {
        detail.records.iter().any(|record| self.all.contains(record))
    }

    /// Takes in what entries say to be hers besides, and gives what was not known before: all that a case of hers was shown with, and
    /// all that was made in one unit of work with something of hers. (A case is shown without opening anything, so no outage stands
    /// among what such an entry names.)
    pub(super) fn learn(&mut self, details: &[&Detail]) -> BTreeSet<Uuid> {
        let done = || details.iter().copied().filter(|detail| detail.outcome == Outcome::Done);
        let shown = done().filter(|detail| {
            (detail.kind, detail.verb) == (RecordKind::Case, Verb::Read)
                && detail.records.iter().any(|record| self.asked.contains(record))
        });
        let mut new: BTreeSet<Uuid> = shown.flat_map(|detail| detail.records.iter().copied()).collect();
        new.retain(|record| self.all.insert(*record));
        for work in TOGETHER {
            let units: Vec<&Detail> = done().filter(|detail| (detail.kind, detail.verb) == work).collect();
            for of_hers in units.iter().filter(|detail| self.names(detail)).copied().collect::<Vec<_>>() {
                let same_unit =
                    |other: &&&Detail| other.person == of_hers.person && (other.at - of_hers.at).abs() <= MOMENT;
                let made = units.iter().filter(same_unit).flat_map(|other| other.records.iter().copied());
                new.extend(made.filter(|record| self.all.insert(*record)));
            }
        }
        new
    }
}
