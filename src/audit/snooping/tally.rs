//! Counts entries as they are made, in memory: the only place that knows which records a person's day was made of.

use super::config::SnoopingConfig;
use super::model::{MEASURES, Measure};
use crate::audit::asked::Asked;
use crate::audit::entry::{Entry, Outcome};
use crate::guard::action::{Relation, Role, Verb};
use crate::guard::gate::asks_purpose;
use crate::guard::record::{AccountId, OrganisationId, RecordKind};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How long after the end of a day work still counts for it.
const WORK_FOLLOWS: TimeDelta = TimeDelta::hours(4);
/// How long a case that was opened for an emergency counts as one.
const FOUR_WEEKS: TimeDelta = TimeDelta::weeks(4);
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
    /// Whether it was counted on what nothing was done.
    judged: bool,
}

/// A case, or what takes its place (a call, a placement), on one person's day.
struct Case {
    read: bool,
    worked: bool,
    fresh: bool,
}

/// Everything that is counted.
#[derive(Default)]
pub struct Tally {
    days: HashMap<(AccountId, NaiveDate), Day>,
    /// When it was changed who is on a case, and by whom: the newest for each who did.
    changes: HashMap<Uuid, Vec<(DateTime<Utc>, AccountId)>>,
    /// When somebody first read a case by an emergency: a case counts once in four weeks, however often it is read.
    emergencies: HashMap<(AccountId, Uuid), DateTime<Utc>>,
}

impl Tally {
    /// Takes an entry in. By what is one's own, the door included, nobody snoops: and whoever tries another's passphrase
    /// must not make that person a suspect.
    pub fn count(&mut self, entry: &Entry, config: &SnoopingConfig) {
        let Some(organisation) = entry.organisation.filter(|_| entry.relation != Relation::Oneself) else { return };
        let done = entry.outcome == Outcome::Done;
        let today = config.day(entry.at);
        for about in changed(entry).filter(|_| done) {
            let changes = self.changes.entry(about).or_default();
            changes.retain(|(at, by)| *by != entry.account && entry.at - *at < FRESH);
            changes.push((entry.at, entry.account));
        }
        let reads = matches!(entry.verb, Verb::Read | Verb::List) && asks_purpose(entry.kind, entry.verb);
        let is_emergency = reads && done && entry.relation == Relation::Emergency;
        let emergency = entry.about.filter(|_| is_emergency).is_some_and(|case| {
            let key = (entry.account, case);
            let known = self.emergencies.get(&key).is_some_and(|first| entry.at - *first < FOUR_WEEKS);
            if !known {
                self.emergencies.insert(key, entry.at);
            }
            !known
        });
        if done
            && !reads
            && let (Some(about), Some(yesterday)) = (entry.about, today.pred_opt())
            && let Some(case) = self.days.get_mut(&(entry.account, yesterday)).and_then(|day| day.cases.get_mut(&about))
        {
            // Read before midnight, and worked on after it.
            case.worked = true;
        }
        let changes = entry.about.and_then(|about| self.changes.get(&about));
        let fresh = changes
            .is_some_and(|changes| changes.iter().any(|(at, by)| *by != entry.account && entry.at - *at < FRESH));
        let day = self.days.entry((entry.account, today)).or_insert_with(|| Day::new(organisation, entry.role));
        if entry.outcome == Outcome::Refused {
            day.add(Measure::Refused);
        } else if !done {
            // It was done before, and counted then.
        } else if reads {
            day.reads(entry, config, fresh);
            if emergency {
                day.add(Measure::Emergencies);
            }
        } else if let Some(about) = entry.about
            && day.cases.len() < MOST
        {
            let new = Case { read: false, worked: true, fresh: false };
            day.cases.entry(about).or_insert(new).worked = true;
        }
    }

    /// Counts, for days that were over four hours ago, by how many more cases were read without any work than with. Only
    /// then: in the morning nobody has worked on what they read.
    pub fn judge(&mut self, now: DateTime<Utc>, config: &SnoopingConfig) {
        let over = config.day(now - WORK_FOLLOWS);
        for ((_, date), day) in &mut self.days {
            if *date >= over || std::mem::replace(&mut day.judged, true) {
                continue;
            }
            let idle = day.cases.values().filter(|case| case.read && !case.worked).count();
            let worked = day.cases.values().filter(|case| case.worked).count();
            for _ in worked..idle {
                day.add(Measure::Fruitless);
            }
        }
        self.changes.retain(|_, changes| changes.iter().any(|(at, _)| now - *at < FRESH));
        self.emergencies.retain(|_, first| now - *first < FOUR_WEEKS);
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
            let key = (back.account, back.day);
            let day = self.days.entry(key).or_insert_with(|| Day::new(back.organisation, back.role));
            day.changed = true;
            for (count, more) in day.counts.iter_mut().zip(back.counts) {
                *count = count.saturating_add(more);
            }
        }
    }
}

/// On what it is changed who works: on one case, or on each that an absence hands over.
fn changed(entry: &Entry) -> impl Iterator<Item = Uuid> {
    let one = entry.about.filter(|_| matches!(entry.verb, Verb::Assign | Verb::Unassign | Verb::Lift));
    let handed: &[Uuid] = match (entry.kind, entry.verb) {
        (RecordKind::Absence, Verb::Create) => &entry.records,
        _ => &[],
    };
    one.into_iter().chain(handed.iter().copied())
}

/// A question to the ledger, told apart from others by what was asked.
fn question(entry: &Entry, asked: &Asked) -> Option<Uuid> {
    let words = serde_json::to_vec(&(asked, &entry.records)).ok()?;
    Sha256::digest(words).first_chunk().copied().map(Uuid::from_bytes)
}

impl Day {
    fn new(organisation: OrganisationId, role: Role) -> Self {
        Self {
            organisation,
            role,
            counts: [0; MEASURES],
            changed: true,
            records: HashSet::new(),
            cases: HashMap::new(),
            reads: HashMap::new(),
            judged: false,
        }
    }

    fn add(&mut self, measure: Measure) {
        self.changed = true;
        if let Some((_, count)) = Measure::ALL.iter().zip(&mut self.counts).find(|(own, _)| **own == measure) {
            *count = count.saturating_add(1);
        }
    }

    fn reads(&mut self, entry: &Entry, config: &SnoopingConfig, fresh: bool) {
        for record in &entry.records {
            if self.records.len() < MOST && self.records.insert(*record) {
                self.add(Measure::Records);
            }
        }
        if config.is_off(entry.role, entry.at) {
            self.add(Measure::OffHours);
        }
        // Lists of what waits are asked for again and again by a screen; a question to the ledger is not. Who turns its pages asks none.
        let asked = entry.asked.as_ref().filter(|asked| !asked.further);
        let Some(about) = entry.about.or_else(|| question(entry, asked?)) else { return };
        let named = if entry.verb == Verb::Read && entry.about.is_some() {
            entry.records.first().copied().unwrap_or(about)
        } else {
            about
        };
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
        if entry.about.is_none() || self.cases.len() >= MOST {
            return;
        }
        let case = self.cases.entry(about).or_insert(Case { read: true, worked: false, fresh: false });
        case.read = true;
        if fresh && !std::mem::replace(&mut case.fresh, true) {
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
            asked: None,
            about: Some(Uuid::from_u128(5)),
            mark: None,
            erased: None,
            turn: None,
        }
    }

    fn counted(entries: &[Entry], measure: M) -> Vec<(u128, u32)> {
        let (mut tally, config) = (Tally::default(), SnoopingConfig::default());
        for entry in entries {
            tally.count(entry, &config);
        }
        tally.judge(entries[0].at + TimeDelta::hours(24), &config);
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
    fn wrong_words_at_the_door_make_nobody_a_suspect() {
        let door = Entry { relation: Relation::Oneself, ..entry(2, 0, Verb::Read, Outcome::Refused) };
        let asked = entry(3, 0, Verb::Read, Outcome::Refused);
        assert_eq!(counted(&[door, asked], M::Refused), [(3, 1)]);
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
    fn the_same_question_to_the_ledger_again_counts_and_another_one_or_a_further_page_does_not() {
        let ask = |minute, person: &str, further| Entry {
            kind: RecordKind::Ledger,
            about: None,
            records: vec![],
            asked: Some(Asked { person: Some(person.to_owned()), further, ..Asked::default() }),
            ..entry(2, minute, Verb::List, Outcome::Done)
        };
        let same: Vec<_> = (0..6).map(|n| ask(n, "p-1", false)).collect();
        assert_eq!(counted(&same, M::Repeats), [(2, 3)]);
        let others: Vec<_> = (0..6).map(|n| ask(n, &format!("p-{n}"), false)).collect();
        assert_eq!(counted(&others, M::Repeats), [(2, 0)]);
        let pages: Vec<_> = (0..6).map(|n| ask(n, "p-1", n > 0)).collect();
        assert_eq!(counted(&pages, M::Repeats), [(2, 0)]);
        let listed: Vec<_> = (0..6).map(|n| Entry { asked: None, ..ask(n, "", false) }).collect();
        assert_eq!(counted(&listed, M::Repeats), [(2, 0)], "nothing was asked");
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
