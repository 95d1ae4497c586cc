//! The one revision of a year.

use super::super::coded::{CodedRecord, Deadline, Month};
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
    let (before, after) = (&january.carry, &revision.carry);
    assert!(before.published == after.published && before.errors == after.errors, "the year that runs is as it was");
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
