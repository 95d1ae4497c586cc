//! The one revision of a year.

use super::super::coded::{Coded, CodedRecord, Deadline, Form, Month};
use super::super::domains::Domains;
use super::super::key::StatisticsKey;
use super::super::publish::{Published, Refused};
use super::super::release::{Kind, whole};
use super::super::revision::{CHANGED_FROM, revise};
use super::super::trial::fixture::regions;
use super::{Country, month};

fn revised(country: &Country, last: &Published) -> Result<Published, Refused> {
    revise(&country.opening(Month::new(2027, 3).unwrap()), &last.release, &last.carry)
}

/// Corrects so many people who were counted.
fn correct(country: &mut Country, people: usize) {
    for record in country.records.iter_mut().take(people) {
        record.version += 1;
        let coded = record.coded.as_mut().unwrap();
        coded.deadline = if coded.deadline == Deadline::Met { Deadline::Missed } else { Deadline::Met };
    }
}

fn next_year(country: &Country) -> Domains {
    Domains::freeze(country.domains.stage(), 2027, &regions(), &country.records).unwrap()
}

#[test]
fn nine_changes_make_no_revision_and_ten_make_one() {
    let mut country = Country::of(3, 250);
    let all = country.until(12);
    let december = all.last().unwrap();
    assert_eq!(revised(&country, december).err(), Some(Refused::TooFewChanged(CHANGED_FROM)));
    correct(&mut country, 9);
    assert_eq!(revised(&country, december).err(), Some(Refused::TooFewChanged(10)));
    country.records.last_mut().unwrap().coded = None;
    let revision = revised(&country, december).unwrap();
    assert_eq!((revision.release.kind, revision.release.period), (Kind::Revision, month(12)));
    assert!(revision.release.tables.iter().all(|table| !table.name.ends_with("by month")));
    let total = revision.release.table("total").unwrap().people(&[]).unwrap();
    assert!((total - 249).abs() <= 6, "{total}");
    assert_eq!(revised(&country, &revision).err(), Some(Refused::Revised));
}

#[test]
fn the_chain_goes_on_after_a_revision() {
    let mut country = Country::of(3, 250);
    let all = country.until(12);
    correct(&mut country, 12);
    let revision = revised(&country, all.last().unwrap()).unwrap();
    let january = Month::new(2027, 1).unwrap();
    country.domains = next_year(&country);
    let first = country.publish(january, Some(&revision)).unwrap();
    let mut chain: Vec<_> = all.into_iter().map(|published| published.release).collect();
    chain.extend([revision.release, first.release]);
    assert_eq!(whole(&chain), Ok(()));
}

#[test]
fn a_year_is_revised_after_its_december_with_its_own_words_and_key() {
    let mut country = Country::of(3, 250);
    let all = country.until(12);
    let own = next_year(&country);
    let own = std::mem::replace(&mut country.domains, own);
    let january = country.publish(Month::new(2027, 1).unwrap(), all.last()).unwrap();
    country.domains = own;
    correct(&mut country, 12);
    assert_eq!(revised(&country, &all[10]).err(), Some(Refused::OutOfOrder(month(12))));
    // In the next year the words and the key of the year before still have to be those that it had.
    let own = std::mem::replace(&mut country.key, StatisticsKey::new([1; 32]));
    assert_eq!(revised(&country, &january).err(), Some(Refused::OtherKey));
    country.key = own;
    let other = Domains::freeze(country.domains.stage(), 2026, &["R01".to_owned()], &[]).unwrap();
    let own = std::mem::replace(&mut country.domains, other);
    assert_eq!(revised(&country, &january).err(), Some(Refused::OtherDomains));
    country.domains = own;
    let revision = revised(&country, &january).unwrap();
    assert!(january.carry.years[&2027] == revision.carry.years[&2027], "the year that runs is as it was");
    let wrong = revise(&country.opening(month(12)), &all[10].release, &january.carry);
    assert_eq!(wrong.err(), Some(Refused::CarryDoesNotFit));
    country.domains = next_year(&country);
    let not_yet = Refused::OutOfOrder(Month::new(2027, 1).unwrap());
    assert_eq!(revised(&country, &all[11]).err(), Some(not_yet));
}

#[test]
fn whose_record_is_gone_stays_counted_and_who_is_withdrawn_does_not() {
    let mut country = Country::of(3, 250);
    let all = country.until(12);
    let december = all.last().unwrap();
    for record in country.records.iter_mut().take(40) {
        record.version += 1;
        record.coded = None;
    }
    country.records.truncate(100);
    let revision = revised(&country, december).unwrap();
    let total = revision.release.table("total").unwrap().people(&[]).unwrap();
    assert!((total - 210).abs() <= 6, "{total}");
}

#[test]
fn codes_outside_the_words_stop_a_revision_too() {
    let mut country = Country::of(3, 250);
    let all = country.until(12);
    correct(&mut country, 12);
    let wrong = &mut country.records[5];
    *wrong = CodedRecord { version: 3, ..wrong.clone() };
    wrong.coded.as_mut().unwrap().region = Some("Atlantis".to_owned());
    assert_eq!(revised(&country, all.last().unwrap()).err(), Some(Refused::OutsideDomains(1)));
}

/// Nothing is drawn anew: a table in which nobody stands elsewhere says what it said.
#[test]
fn a_revision_moves_only_what_was_corrected() {
    for people in [60, 250] {
        let mut country = Country::of(3, people);
        let all = country.until(12);
        let december = &all.last().unwrap().release;
        // Only whether the deadline was met is corrected, in a dozen records.
        correct(&mut country, 12);
        let revision = revised(&country, all.last().unwrap()).unwrap().release;
        let (mut told, mut moved) = (0, 0);
        for table in &revision.tables {
            let before = december.table(&table.name).unwrap();
            told += table.cells.len();
            moved += table.cells.iter().zip(&before.cells).filter(|(now, before)| now != before).count();
        }
        assert!(moved > 0 && moved * 10 < told, "{moved} of {told}");
    }
}

#[test]
fn a_small_year_is_revised_whoever_is_withdrawn() {
    for seed in 1..=20 {
        let mut country = Country::of(seed, 60);
        let all = country.until(12);
        for (place, record) in country.records.iter_mut().take(20).enumerate() {
            record.version += 1;
            record.coded =
                record.coded.take().filter(|_| place % 2 == 0).map(|coded| Coded { form: Form::Other, ..coded });
        }
        let revision = revised(&country, all.last().unwrap());
        assert!(revision.is_ok(), "{seed}: {:?}", revision.err());
    }
}

/// What cannot be said without a figure below zero is not said, and the year stays as it was published.
#[test]
fn a_year_that_nearly_nobody_stays_in_is_not_revised() {
    let mut country = Country::of(3, 60);
    let all = country.until(12);
    for record in &mut country.records {
        record.version += 1;
        record.coded = None;
    }
    assert!(matches!(revised(&country, all.last().unwrap()), Err(Refused::Gates(_))));
}
