//! The snooping rules on generated months of work: how many of those who look without work to do are found, and how often
//! somebody is told of who does their work. The generated people have good and bad weeks, crises, evenings, re-reading and
//! new cases; the figures say how the rules separate that from this, and nothing about a real squad.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc, Weekday};
use chrono::{Datelike as _, NaiveTime};
use himaya::audit::entry::{self, Entry};
use himaya::audit::snooping::rules::{DayOf, judge};
use himaya::audit::snooping::{Measure, SnoopingConfig, Tally};
use himaya::guard::action::{Relation, Role, Verb};
use himaya::guard::record::{AccountId, OrganisationId, RecordKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// `SplitMix64`: the same months every time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// Once in a hundred, for one.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A count with a long tail around a mean: geometric, in halves.
    fn tailed(&mut self, mean: u64) -> u64 {
        let mut sum = 0;
        for _ in 0..2 {
            while sum < mean * 6 && !self.chance(200 / (mean + 2)) {
                sum += 1;
            }
        }
        sum
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }
}

struct Person {
    account: AccountId,
    role: Role,
    /// What they may see, each with its records.
    cases: Vec<(Uuid, Vec<Uuid>)>,
    /// How much they do, in percent of others.
    pace: u64,
}

/// By role and measure, the days of everybody.
type Kept = HashMap<(Role, Measure), Vec<DayOf>>;

struct Month {
    dice: Dice,
    config: SnoopingConfig,
    tally: Tally,
    organisation: OrganisationId,
    /// Of the day, in no order yet.
    entries: Vec<Entry>,
}

impl Month {
    fn at(day: NaiveDate, hour: u64, minute: u64) -> DateTime<Utc> {
        let time = NaiveTime::from_hms_opt(u32::try_from(hour).unwrap(), u32::try_from(minute).unwrap(), 0).unwrap();
        // The country's clocks are four hours ahead.
        day.and_time(time).and_utc() - TimeDelta::hours(4)
    }

    fn enter(
        &mut self,
        person: &Person,
        at: DateTime<Utc>,
        work: (Verb, Relation, entry::Outcome),
        case: Uuid,
        record: Uuid,
    ) {
        let entry = Entry {
            at,
            account: person.account,
            organisation: Some(self.organisation),
            role: person.role,
            relation: work.1,
            verb: work.0,
            kind: if person.role == Role::ShelterWorker { RecordKind::Care } else { RecordKind::Narrative },
            purpose: None,
            outcome: work.2,
            records: vec![record],
            asked: None,
            about: Some(case),
            mark: None,
            erased: None,
            turn: None,
        };
        self.entries.push(entry);
    }

    fn reads(&mut self, person: &Person, at: DateTime<Utc>, case: usize, records: u64) {
        let (about, all) = &person.cases[case % person.cases.len()];
        for n in 0..records {
            let record = all[usize::try_from(n).unwrap() % all.len()];
            self.enter(
                person,
                at + TimeDelta::seconds(20 * i64::try_from(n).unwrap()),
                (Verb::Read, Relation::Assigned, entry::Outcome::Done),
                *about,
                record,
            );
        }
    }

    /// The day as the service sees it: entry after entry in the order of their time, handed on and compared four times.
    fn goes_by(&mut self, day: NaiveDate, kept: &mut Kept, told_of: &mut BTreeSet<(Uuid, Measure, NaiveDate)>) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_by_key(|entry| entry.at);
        let mut entries = entries.into_iter().peekable();
        for hour in [6, 12, 18, 24] {
            let until = Self::at(day, 0, 0) + TimeDelta::hours(hour);
            while let Some(entry) = entries.next_if(|entry| entry.at < until) {
                self.tally.count(&entry, &self.config);
            }
            self.tally.judge(until, &self.config);
            let mut drained = self.tally.drain(self.config.day(until - TimeDelta::seconds(1)));
            // One after the other as on every other run: each is compared with who came before.
            drained.sort_by_key(|added| (added.day, added.account.0));
            for added in drained {
                if added.role == Role::SquadSupervisor {
                    continue;
                }
                for (measure, count) in Measure::ALL.iter().zip(added.counts) {
                    let habit = kept.entry((added.role, *measure)).or_default();
                    let (person, more) = (added.account.0, i32::try_from(count).unwrap());
                    let known = habit.iter().rposition(|own| own.person == person && own.day == added.day);
                    let own = if let Some(known) = known {
                        habit[known].counted += more;
                        habit[known]
                    } else {
                        habit.push(DayOf { person, day: added.day, counted: more });
                        *habit.last().unwrap()
                    };
                    let rule = self.config.rule(*measure);
                    if more > 0 && judge(rule, *measure, own, habit).is_some() {
                        told_of.insert((person, *measure, added.day));
                    }
                }
            }
        }
    }

    /// A day of ordinary work.
    fn works(&mut self, person: &Person, day: NaiveDate) {
        let crisis = self.dice.chance(3);
        let mean = match person.role {
            Role::SquadOfficer => 7,
            Role::DutyOfficer => 9,
            Role::ShelterWorker => 8,
            _ => 5,
        };
        // A desk is kept day and night.
        let desk = matches!(person.role, Role::DutyOfficer | Role::HelplineOperator | Role::ShelterWorker);
        let (begins, ends) = if desk && self.dice.chance(35) { (0, 7) } else { (8, 18) };
        let mut visits = 1 + self.dice.tailed(mean) * person.pace / 100;
        if crisis {
            visits = visits * 2 + 4;
        }
        for _ in 0..visits {
            let (case, hour) = (self.dice.below(1000), self.dice.between(begins, ends));
            let at = Self::at(day, hour, self.dice.below(60));
            let case = usize::try_from(case).unwrap();
            let records = self.dice.between(1, 4);
            self.reads(person, at, case, records);
            // They go back to it within the hour, now and then many times.
            if self.dice.chance(15) {
                for again in 0..self.dice.between(1, 6) {
                    self.reads(person, at + TimeDelta::minutes(3 + 7 * i64::try_from(again).unwrap()), case, 2);
                }
            }
            if self.dice.chance(78) {
                let about = person.cases[case % person.cases.len()].0;
                let later = at + TimeDelta::minutes(i64::try_from(self.dice.between(5, 150)).unwrap());
                self.enter(person, later, (Verb::Write, Relation::Assigned, entry::Outcome::Done), about, about);
            }
        }
        // An evening at work, more often when there is a crisis.
        if self.dice.chance(if crisis { 60 } else { 5 }) {
            for _ in 0..self.dice.between(1, 4) {
                let case = usize::try_from(self.dice.below(1000)).unwrap();
                let at = Self::at(day, self.dice.between(21, 22), self.dice.below(60));
                self.reads(person, at, case, 2);
            }
        }
        for _ in 0..self.dice.tailed(0) + u64::from(self.dice.chance(20)) {
            let at = Self::at(day, self.dice.between(8, 18), 5);
            self.enter(person, at, (Verb::Read, Relation::None, entry::Outcome::Refused), Uuid::nil(), Uuid::nil());
        }
        // A supervisor puts them on a case, and they read it at once; a day of handing over brings several.
        let new = if self.dice.chance(2) { self.dice.between(3, 5) } else { u64::from(self.dice.chance(25)) };
        for n in 0..new {
            self.put_on(person, Self::at(day, 9, 10 * n));
        }
        if self.dice.chance(1) && self.dice.chance(40) {
            self.emergency(person, Self::at(day, 11, 0));
        }
    }

    fn put_on(&mut self, person: &Person, at: DateTime<Utc>) {
        let boss =
            Person { account: AccountId(Uuid::from_u128(1)), role: Role::SquadSupervisor, cases: vec![], pace: 100 };
        let case = self.dice.below(1000);
        let about = person.cases[usize::try_from(case).unwrap() % person.cases.len()].0;
        self.enter(&boss, at, (Verb::Assign, Relation::SupervisorOf, entry::Outcome::Done), about, about);
        self.reads(person, at + TimeDelta::minutes(6), usize::try_from(case).unwrap(), 3);
        self.enter(
            person,
            at + TimeDelta::minutes(50),
            (Verb::Write, Relation::Assigned, entry::Outcome::Done),
            about,
            about,
        );
    }

    fn emergency(&mut self, person: &Person, at: DateTime<Utc>) {
        let case = self.dice.uuid();
        self.enter(person, at, (Verb::Read, Relation::Emergency, entry::Outcome::Done), case, case);
        self.enter(
            person,
            at + TimeDelta::minutes(30),
            (Verb::Write, Relation::Emergency, entry::Outcome::Done),
            case,
            case,
        );
    }

    /// A day on which somebody looks without work to do, beside their ordinary work.
    fn snoops(&mut self, how: Measure, person: &Person, day: NaiveDate) {
        match how {
            Measure::Records => {
                for case in 0..self.dice.between(25, 60) {
                    let case = usize::try_from(case).unwrap();
                    let at = Self::at(day, self.dice.between(9, 17), self.dice.below(60));
                    self.reads(person, at, case, 5);
                    let about = person.cases[case % person.cases.len()].0;
                    // Somebody who knows of the rules writes a word on each.
                    self.enter(
                        person,
                        Self::at(day, 18, 30),
                        (Verb::Write, Relation::Assigned, entry::Outcome::Done),
                        about,
                        about,
                    );
                }
            }
            Measure::OffHours => {
                for case in 0..self.dice.between(6, 14) {
                    self.reads(person, Self::at(day, 2, case), usize::try_from(case).unwrap(), 3);
                }
            }
            Measure::Fruitless => {
                for case in 0..self.dice.between(9, 25) {
                    let at = Self::at(day, self.dice.between(8, 16), case);
                    self.reads(person, at, usize::try_from(case).unwrap(), 1);
                }
            }
            Measure::Repeats => {
                let times = self.dice.between(18, 45);
                for n in 0..times {
                    self.reads(person, Self::at(day, 12 + n / 50, n % 50), 0, 2);
                }
            }
            Measure::Emergencies => self.emergency(person, Self::at(day, 15, 0)),
            Measure::AfterChange => {
                for n in 0..self.dice.between(6, 10) {
                    self.put_on(person, Self::at(day, 8 + n, 30));
                }
            }
            Measure::Refused => {
                for n in 0..self.dice.between(9, 30) {
                    let at = Self::at(day, 10, n);
                    self.enter(
                        person,
                        at,
                        (Verb::Read, Relation::None, entry::Outcome::Refused),
                        Uuid::nil(),
                        Uuid::nil(),
                    );
                }
            }
        }
    }
}

fn people(dice: &mut Dice) -> Vec<Person> {
    let roles = [
        (Role::SquadOfficer, 24, 40),
        (Role::DutyOfficer, 8, 30),
        (Role::ShelterWorker, 20, 12),
        (Role::HelplineOperator, 16, 10),
    ];
    let mut people = Vec::new();
    for (role, many, most) in roles {
        for _ in 0..many {
            let cases = (0..dice.between(most / 2, most))
                .map(|_| (dice.uuid(), (0..6).map(|_| dice.uuid()).collect()))
                .collect();
            people.push(Person { account: AccountId(dice.uuid()), role, cases, pace: dice.between(60, 150) });
        }
    }
    people
}

/// Who snoops how, and on which days.
type Planted = BTreeMap<usize, (Measure, BTreeSet<NaiveDate>)>;

fn planted(dice: &mut Dice, people: &[Person], first: NaiveDate) -> Planted {
    let mut planted = Planted::new();
    // Those that not everybody can do first: there have to be people left.
    let limited = [Measure::OffHours, Measure::AfterChange, Measure::Emergencies, Measure::Records, Measure::Fruitless];
    let others = Measure::ALL.iter().filter(|measure| !limited.contains(measure));
    for measure in limited.iter().chain(others) {
        let mut left = 6;
        while left > 0 {
            let who = usize::try_from(dice.below(people.len() as u64)).unwrap();
            // Who keeps a desk day and night has no hours to be outside of; who shelters is put on no case.
            let fits = match measure {
                Measure::OffHours | Measure::AfterChange | Measure::Emergencies => {
                    people[who].role == Role::SquadOfficer
                }
                // Of a dozen residents there are no more to look at than one works with.
                Measure::Records | Measure::Fruitless => people[who].cases.len() >= 15,
                Measure::Repeats | Measure::Refused => true,
            };
            if !fits || planted.contains_key(&who) {
                continue;
            }
            let begin = first + TimeDelta::days(i64::try_from(dice.between(40, 160)).unwrap());
            let days = if *measure == Measure::Emergencies { vec![0, 6, 11, 15] } else { vec![0, 1] };
            planted.insert(who, (*measure, days.into_iter().map(|day| begin + TimeDelta::days(day)).collect()));
            left -= 1;
        }
    }
    planted
}

/// What came of half a year.
#[derive(Default)]
struct Outcome {
    planted: usize,
    missed: Vec<(Role, Measure)>,
    user_days: u64,
    wrong: BTreeMap<Measure, u64>,
}

fn half_a_year(seed: u64, all: &mut Outcome) {
    let mut dice = Dice(seed);
    let (people, first) = (people(&mut dice), NaiveDate::from_ymd_opt(2026, 1, 1).unwrap());
    let planted = planted(&mut dice, &people, first);
    let organisation = OrganisationId(dice.uuid());
    let mut month =
        Month { dice, config: SnoopingConfig::default(), tally: Tally::default(), organisation, entries: Vec::new() };
    let (mut kept, mut user_days, mut told_of) = (Kept::new(), 0_u64, BTreeSet::new());
    for day in first.iter_days().take(181) {
        let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        for (who, person) in people.iter().enumerate() {
            let desk = person.role != Role::SquadOfficer;
            let snoops = planted.get(&who).filter(|(_, days)| days.contains(&day));
            let at_work = month.dice.chance(if desk {
                62
            } else if weekend {
                12
            } else {
                85
            });
            if !at_work && snoops.is_none() {
                continue;
            }
            user_days += 1;
            month.works(person, day);
            if let Some((how, _)) = snoops {
                month.snoops(*how, person, day);
            }
        }
        month.goes_by(day, &mut kept, &mut told_of);
    }
    let is_planted = |account: &Uuid, day: &NaiveDate| {
        planted.iter().any(|(who, (_, days))| people[*who].account.0 == *account && days.contains(day))
    };
    let wrong: Vec<_> = told_of.iter().filter(|(account, _, day)| !is_planted(account, day)).collect();
    let missed: Vec<_> = planted
        .iter()
        .filter(|(who, (_, days))| {
            !told_of.iter().any(|(account, _, day)| people[**who].account.0 == *account && days.contains(day))
        })
        .map(|(who, (how, _))| (people[*who].role, *how))
        .collect();
    all.planted += planted.len();
    all.user_days += user_days;
    all.missed.extend(missed);
    for (_, measure, _) in wrong {
        *all.wrong.entry(*measure).or_default() += 1;
    }
}

#[test]
fn of_ten_who_snoop_nine_are_found_and_hardly_anybody_else_is_told_of() {
    let mut all = Outcome::default();
    // The rules were tuned on others.
    for seed in 4..=6 {
        half_a_year(seed, &mut all);
    }
    let Outcome { planted, missed, user_days, wrong } = all;
    let (found, false_alerts) = (planted - missed.len(), wrong.values().sum::<u64>());
    assert!(
        found * 10 >= planted * 9,
        "{found} of {planted}; missed: {missed:?}; {false_alerts} false in {user_days} user-days {wrong:?}"
    );
    assert!(false_alerts * 100 <= user_days, "{false_alerts} false in {user_days} user-days: {wrong:?}");
    // The README's figures.
    assert_eq!(
        (found, planted, false_alerts, user_days),
        (123, 126, 214, 23_183),
        "missed {missed:?}; false {wrong:?}"
    );
}
