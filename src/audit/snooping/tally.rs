//! Counts entries as they are made, in memory: the only place that knows which records a person's day was made of.

use super::config::SnoopingConfig;
use super::model::{MEASURES, Measure};
use crate::audit::entry::{Entry, Outcome};
use crate::guard::action::{Relation, Role, Verb};
use crate::guard::gate::asks_purpose;
use crate::guard::record::{AccountId, OrganisationId, RecordKind};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How long a case that was read may be without any work of who read it.
const WORK_FOLLOWS: TimeDelta = TimeDelta::hours(4);
/// For how long a change of who is on a case is fresh.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// Within this time reading the same again is a repetition, from the fourth time on.
const AGAIN: TimeDelta = TimeDelta::hours(1);
const AGAIN_FREELY: u32 = 3;
/// Different records and reads that are told apart for one person and day; whoever has more is told of long before.
const MOST: usize = 20_000;

/// Counts, one for each measure, in their order.
pub type Counts = [u32; MEASURES];

/// What one person's day has more than when it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    pub account: AccountId,
    pub organisation: OrganisationId,
    pub role: Role,
    pub day: NaiveDate,
    pub counts: Counts,
}

/// What a person did on one day, as far as this process knows.
struct Day {
    organisation: OrganisationId,
    role: Role,
    /// Not handed on yet.
    counts: Counts,
    changed: bool,
    records: HashSet<Uuid>,
    cases: HashMap<Uuid, Case>,
    reads: HashMap<(RecordKind, Uuid), (DateTime<Utc>, u32)>,
    /// How many of these were counted.
    fruitless: usize,
}

/// A case, or what takes its place (a call, a placement), on one person's day.
struct Case {
    read_at: DateTime<Utc>,
    worked: bool,
    emergency: bool,
    fresh: bool,
}

/// Everything that is counted.
#[derive(Default)]
pub struct Tally {
    days: HashMap<(AccountId, NaiveDate), Day>,
    /// When it was last changed who is on a case, and by whom.
    changes: HashMap<Uuid, (DateTime<Utc>, AccountId)>,
}

impl Tally {
    /// Takes an entry in. Work at the door and of people without a role is none that anybody could snoop by.
    pub fn count(&mut self, entry: &Entry, config: &SnoopingConfig) {
        let Some(organisation) = entry.organisation.filter(|_| entry.role != Role::Unadmitted) else { return };
        let done = entry.outcome == Outcome::Done;
        if done
            && matches!(entry.verb, Verb::Assign | Verb::Unassign | Verb::Open | Verb::Lift)
            && let Some(about) = entry.about
        {
            self.changes.insert(about, (entry.at, entry.account));
        }
        let changed = entry.about.and_then(|about| self.changes.get(&about)).copied();
        let key = (entry.account, config.day(entry.at));
        let day = self.days.entry(key).or_insert_with(|| Day {
            organisation,
            role: entry.role,
            counts: [0; MEASURES],
            changed: true,
            records: HashSet::new(),
            cases: HashMap::new(),
            reads: HashMap::new(),
            fruitless: 0,
        });
        if !done {
            day.add(Measure::Refused);
        } else if matches!(entry.verb, Verb::Read | Verb::List) && asks_purpose(entry.kind, entry.verb) {
            day.reads(entry, config, changed);
        } else if let Some(case) = entry.about.and_then(|about| day.cases.get_mut(&about)) {
            case.worked = true;
        }
    }

    /// Counts the cases on which nothing followed by now, as far as they are more than those on which something did.
    pub fn judge(&mut self, now: DateTime<Utc>) {
        for day in self.days.values_mut() {
            let idle = |case: &&Case| !case.worked && now - case.read_at >= WORK_FOLLOWS;
            let idle = day.cases.values().filter(idle).count();
            let worked = day.cases.values().filter(|case| case.worked).count();
            let more = idle.saturating_sub(worked);
            for _ in day.fruitless..more {
                day.add(Measure::Fruitless);
            }
            day.fruitless = day.fruitless.max(more);
        }
        self.changes.retain(|_, (at, _)| now - *at < FRESH);
    }

    /// What came to each day since the last time. Days that are over, on which nothing can come any more, are forgotten.
    pub fn drain(&mut self, today: NaiveDate) -> Vec<Added> {
        let mut added = Vec::new();
        self.days.retain(|(account, date), day| {
            if std::mem::take(&mut day.changed) {
                let counts = std::mem::take(&mut day.counts);
                let (organisation, role) = (day.organisation, day.role);
                added.push(Added { account: *account, organisation, role, day: *date, counts });
            }
            today - *date <= TimeDelta::days(1)
        });
        added
    }

    /// What could not be handed on, for the next time.
    pub fn put_back(&mut self, added: Vec<Added>) {
        for back in added {
            let day = self.days.entry((back.account, back.day)).or_insert_with(|| Day {
                organisation: back.organisation,
                role: back.role,
                counts: [0; MEASURES],
                changed: true,
                records: HashSet::new(),
                cases: HashMap::new(),
                reads: HashMap::new(),
                fruitless: 0,
            });
            day.changed = true;
            for (count, more) in day.counts.iter_mut().zip(back.counts) {
                *count = count.saturating_add(more);
            }
        }
    }
}

impl Day {
    fn add(&mut self, measure: Measure) {
        self.changed = true;
        if let Some((_, count)) = Measure::ALL.iter().zip(&mut self.counts).find(|(own, _)| **own == measure) {
            *count = count.saturating_add(1);
        }
    }

    fn reads(&mut self, entry: &Entry, config: &SnoopingConfig, changed: Option<(DateTime<Utc>, AccountId)>) {
        for record in &entry.records {
            if self.records.len() < MOST && self.records.insert(*record) {
                self.add(Measure::Records);
            }
        }
        if config.is_off(entry.role, entry.at) {
            self.add(Measure::OffHours);
        }
        let Some(about) = entry.about else { return };
        let named = if entry.verb == Verb::Read { entry.records.first().copied().unwrap_or(about) } else { about };
        if self.reads.len() < MOST {
            let (since, times) = self.reads.entry((entry.kind, named)).or_insert((entry.at, 0));
            if entry.at - *since >= AGAIN {
                (*since, *times) = (entry.at, 0);
            }
            *times += 1;
            if *times > AGAIN_FREELY {
                self.add(Measure::Repeats);
            }
        }
        if self.cases.len() >= MOST {
            return;
        }
        let new = Case { read_at: entry.at, worked: false, emergency: false, fresh: false };
        let case = self.cases.entry(about).or_insert(new);
        let emergency = entry.relation == Relation::Emergency && !std::mem::replace(&mut case.emergency, true);
        let is_fresh = changed.is_some_and(|(at, by)| by != entry.account && entry.at - at < FRESH);
        let fresh = is_fresh && !std::mem::replace(&mut case.fresh, true);
        if emergency {
            self.add(Measure::Emergencies);
        }
        if fresh {
            self.add(Measure::AfterChange);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::snooping::model::Measure as M;

    fn entry(account: u128, minute: i64, verb: Verb, outcome: Outcome) -> Entry {
        Entry {
            // At one in the afternoon by the country's clocks.
            at: DateTime::from_timestamp(1_800_000_000 + 3600 + minute * 60, 0).unwrap(),
            account: AccountId(Uuid::from_u128(account)),
            organisation: Some(OrganisationId(Uuid::from_u128(1))),
            role: Role::SquadOfficer,
            relation: Relation::Assigned,
            verb,
            kind: RecordKind::Narrative,
            purpose: None,
            outcome,
            records: vec![Uuid::from_u128(7)],
            about: Some(Uuid::from_u128(5)),
            mark: None,
        }
    }

    fn counted(entries: &[Entry], measure: M) -> Vec<(u128, u32)> {
        let (mut tally, config) = (Tally::default(), SnoopingConfig::default());
        for entry in entries {
            tally.count(entry, &config);
        }
        tally.judge(entries[0].at + TimeDelta::hours(12));
        let added = tally.drain(config.day(entries[0].at)).into_iter();
        let of = |added: Added| M::ALL.iter().zip(added.counts).find(|(own, _)| **own == measure).unwrap().1;
        let mut all: Vec<_> = added.map(|added| (added.account.0.as_u128(), of(added))).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn whoever_is_put_on_a_case_and_reads_it_at_once_counts_and_who_put_them_there_does_not() {
        let reads = |minute| [entry(2, minute, Verb::Read, Outcome::Done), entry(3, minute, Verb::Read, Outcome::Done)];
        let mut entries = vec![entry(2, 0, Verb::Assign, Outcome::Done)];
        entries.extend(reads(5));
        entries.extend(reads(9));
        assert_eq!(counted(&entries, M::AfterChange), [(2, 0), (3, 1)], "once for each case");
        let mut late = vec![entry(2, 0, Verb::Assign, Outcome::Done)];
        late.extend(reads(61));
        assert_eq!(counted(&late, M::AfterChange), [(2, 0), (3, 0)]);
        let mut refused = vec![entry(2, 0, Verb::Assign, Outcome::Refused)];
        refused.extend(reads(5));
        assert_eq!(counted(&refused, M::AfterChange), [(2, 0), (3, 0)]);
    }

    #[test]
    fn the_same_read_again_is_one_record_and_counts_from_the_fourth_time_within_an_hour() {
        let entries: Vec<_> = (0..5).map(|n| entry(2, n, Verb::Read, Outcome::Done)).collect();
        assert_eq!(counted(&entries, M::Records), [(2, 1)]);
        assert_eq!(counted(&entries, M::Repeats), [(2, 2)]);
        let slow: Vec<_> = (0..5).map(|n| entry(2, n * 25, Verb::Read, Outcome::Done)).collect();
        assert_eq!(counted(&slow, M::Repeats), [(2, 0)]);
    }

    #[test]
    fn a_case_that_was_read_is_worked_on_or_it_counts() {
        let read = entry(2, 0, Verb::Read, Outcome::Done);
        assert_eq!(counted(std::slice::from_ref(&read), M::Fruitless), [(2, 1)]);
        assert_eq!(counted(&[read.clone(), entry(2, 30, Verb::Write, Outcome::Done)], M::Fruitless), [(2, 0)]);
        assert_eq!(counted(&[read.clone(), entry(3, 30, Verb::Write, Outcome::Done)], M::Fruitless)[0], (2, 1));
        let night = Entry { at: read.at + TimeDelta::hours(9), ..read.clone() };
        assert_eq!(counted(&[read, night], M::OffHours), [(2, 1)]);
    }
}
