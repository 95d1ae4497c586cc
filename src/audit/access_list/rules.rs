//! From entries to lines. Pure: which of them are hers, what each of them is to her, and what counts once.

use super::hers::Hers;
use super::model::{Counted, Deed, Kind};
use crate::audit::entry::{Detail, Outcome};
use crate::audit::reading::EntryView;
use crate::guard::action::Verb;
use crate::guard::record::RecordKind;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::collections::HashMap;

/// So many lines are a paper that nobody reads; more are several.
pub(super) const MOST_LINES: usize = 800;
/// A unit of work writes an entry for each record that it touches, all in a moment: together they are one deed.
pub(super) const MOMENT: TimeDelta = TimeDelta::seconds(1);

/// The country's day of a time.
pub(super) type DayOf<'a> = &'a dyn Fn(DateTime<Utc>) -> NaiveDate;

/// What an entry is to the person whose record it names.
pub(super) fn deed(detail: &Detail) -> Deed {
    use RecordKind as K;
    if detail.outcome == Outcome::Refused {
        return Deed::Refused;
    }
    match (detail.kind, detail.verb) {
        (K::Ledger | K::AccessList | K::Oversight | K::Resolution, _) => Deed::Audited,
        (K::Opening | K::Emergency | K::Entrusting | K::Custody, _) => Deed::Custody,
        // These lists show content.
        (_, Verb::Read) | (K::CaseNote | K::Attachment | K::Consent, Verb::List) => Deed::Looked,
        (_, Verb::List) => Deed::Listed,
        (K::Assignment | K::Bar | K::Removal | K::Absence, _) | (_, Verb::Assign | Verb::Unassign | Verb::Share) => {
            Deed::Admitted
        }
        _ => Deed::Changed,
    }
}

/// Counts entries, newest first, on top of what was counted before.
pub(super) struct Count<'a> {
    pub counted: Counted,
    hers: Hers,
    day_of: DayOf<'a>,
    /// When somebody was last seen doing something: the entries of one unit lie within a moment.
    last: HashMap<(String, Verb, RecordKind), DateTime<Utc>>,
}

impl<'a> Count<'a> {
    pub(super) fn new(counted: Counted, mut hers: Hers, day_of: DayOf<'a>) -> Self {
        hers.add(counted.learnt.iter().copied());
        Self { counted, hers, day_of, last: HashMap::new() }
    }

    /// Takes in what follows, newest first. Those before `from` were counted already, and stand there for what they say of the others.
    pub(super) fn take(&mut self, entries: &[EntryView], from: i64) {
        // First: the entries that say what is hers may lie behind those that they concern.
        let details: Vec<&Detail> = entries.iter().filter_map(|entry| entry.detail.as_ref()).collect();
        self.counted.learnt.extend(self.hers.learn(&details));
        for entry in entries.iter().filter(|entry| entry.position < from) {
            match &entry.detail {
                Some(detail) => self.one(detail),
                None if entry.altered => self.counted.altered += 1,
                None => self.counted.unreadable += 1,
            }
        }
    }

    fn one(&mut self, detail: &Detail) {
        let day = (self.day_of)(detail.at);
        let within = self.counted.from.is_none_or(|from| day >= from) && day <= self.counted.until;
        if !within || !self.hers.names(detail) {
            return;
        }
        let deed = deed(detail);
        let Detail { organisation, role, purpose, .. } = *detail;
        let times = self.counted.lines.entry(Kind { day, organisation, role, purpose, deed }).or_default();
        let by_unit = matches!(deed, Deed::Changed | Deed::Admitted | Deed::Custody);
        let last = self.last.insert((detail.person.clone(), detail.verb, detail.kind), detail.at);
        let again = by_unit && last.is_some_and(|last| (last - detail.at).abs() <= MOMENT);
        if *times == 0 || !(again || deed == Deed::Audited) {
            *times += 1;
        }
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.counted.lines.len() > MOST_LINES
    }
}

#[cfg(test)]
mod tests;
