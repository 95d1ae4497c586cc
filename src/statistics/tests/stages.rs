//! One cube for each stage, stocks between them, and ratios.

use super::super::catalogue::Extent;
use super::super::coded::{AgeBand, Coded, CodedRecord, Form, Pseudonym, Stage};
use super::super::domains::{Domains, Key};
use super::super::flow;
use super::super::key::StatisticsKey;
use super::super::release::{Release, ratio};
use super::super::trial::fixture::regions;
use super::method::coded;
use super::{Country, month};
use crate::cases::terms::Sex;
use std::collections::BTreeSet;

#[test]
fn whom_no_table_of_a_stage_tells_apart_is_one_group() {
    let mut records = Vec::new();
    for (place, age) in [AgeBand::Child, AgeBand::Young, AgeBand::Adult].into_iter().enumerate() {
        records.push(CodedRecord {
            person: Pseudonym([u8::try_from(place).unwrap(); 16]),
            version: 1,
            stage: Stage::Placement,
            reached: month(1),
            coded: Some(Coded { age, ..coded(Form::Servitude, Sex::Female) }),
        });
    }
    let domains = Domains::freeze(Stage::Placement, 2026, &regions(), &[]).unwrap().with(3, Extent::Full);
    for key in (0..5).map(|key| StatisticsKey::new([key; 32])) {
        let country = Country { domains: domains.clone(), key, records: records.clone() };
        let published = country.publish(month(1), None).unwrap();
        let keys: BTreeSet<Option<Key>> = published.carry.counted.values().map(|one| one.key).collect();
        assert_eq!(keys.len(), 1);
        let january = published.release;
        assert_eq!(january.stage, Stage::Placement);
        let cross = january.table("form×sex×region").unwrap();
        assert_eq!(cross.people(&["Servitude", "female", "UNKNOWN"]), Some(3));
        assert!(january.table("age").is_none());
    }
}

#[test]
fn a_stage_counts_its_own_records_and_a_stock_is_the_difference_of_two_stages() {
    let mut identified = Country::of(3, 250);
    let placed = identified.records.iter().filter(|record| record.reached.month() % 2 == 0);
    let placed: Vec<_> = placed.map(|record| CodedRecord { stage: Stage::Placement, ..record.clone() }).collect();
    let many = placed.len();
    identified.records.extend(placed);
    let domains = Domains::freeze(Stage::Placement, 2026, &regions(), &[]).unwrap();
    let placed = Country { domains, key: StatisticsKey::new([3; 32]), records: identified.records.clone() };
    let (identified, placed) = (identified.until(12), placed.until(12));
    let (first, second) = (&identified[11].release, &placed[11].release);
    let total = |release: &Release| release.table("total").unwrap().people(&[]).unwrap();
    assert!((total(first) - 250).abs() <= 6 && (total(second) - i64::try_from(many).unwrap()).abs() <= 10);
    let waiting = flow::stock(&[first], &[second], "total").unwrap();
    assert_eq!(waiting[0].people, total(first) - total(second));
    let by_form = flow::stock(&[first], &[second], "form").unwrap();
    assert_eq!(by_form.iter().map(|cell| cell.people).sum::<i64>(), waiting[0].people);
    let deadlines = second.table("deadline").unwrap();
    assert_eq!(deadlines.cells.iter().map(|cell| cell.people).sum::<i64>(), total(second));
    assert!(flow::stock(&[first], &[second], "citizenship").is_none(), "only one of the stages has it");
    assert!(flow::stock(&[first], &[second], "form by month").is_none(), "a stock is of the whole time");
    let shorter = Release { tables: Vec::new(), ..first.clone() };
    assert!(flow::stock(&[first, &shorter], &[second], "form").is_none());
}

#[test]
fn a_ratio_is_of_published_figures_in_steps_of_five() {
    assert_eq!((ratio(3, 11, 3), ratio(0, 12, 3), ratio(3, 12, 3)), (None, Some(0), Some(25)));
    assert_eq!((ratio(6, 18, 3), ratio(15, 12, 3), ratio(10, 20, 5)), (Some(35), Some(100), Some(50)));
    assert_eq!((ratio(-3, 12, 3), ratio(5, 15, 5)), (None, None));
}
