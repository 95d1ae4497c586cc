use super::super::hers::Hers;
use super::super::model::{Counted, Deed};
use super::{Count, MOST_LINES, deed};
use crate::audit::entry::{Detail, Outcome};
use crate::audit::reading::EntryView;
use crate::guard::action::{Purpose, Relation, Role, Verb};
use crate::guard::record::{OrganisationId, RecordKind};
use crate::platform::clock::Clock;
use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const CASE: u128 = 1;
const SECTION: u128 = 2;
const OF_ANOTHER: u128 = 9;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A squad officer reads a narrative.
fn read(time: &str, records: &[u128]) -> Detail {
    Detail {
        salt: String::new(),
        at: at(time),
        person: "p-one".to_owned(),
        organisation: Some(OrganisationId(id(100))),
        role: Role::SquadOfficer,
        relation: Relation::Assigned,
        verb: Verb::Read,
        kind: RecordKind::Narrative,
        purpose: Some(Purpose::CaseWork),
        outcome: Outcome::Done,
        records: records.iter().copied().map(id).collect(),
        version: None,
        asked: None,
        erased: None,
    }
}

fn nothing_counted() -> Counted {
    Counted {
        from: None,
        until: NaiveDate::MAX,
        below: None,
        lines: BTreeMap::new(),
        learnt: BTreeSet::new(),
        altered: 0,
        unreadable: 0,
        old: 0,
        behind: false,
    }
}

fn baku(time: DateTime<Utc>) -> NaiveDate {
    time.with_timezone(&FixedOffset::east_opt(4 * 3600).unwrap()).date_naive()
}

/// Entries, the newest first, at positions from the number of them down.
fn entries(details: Vec<Detail>) -> Vec<EntryView> {
    let positions = (0..i64::try_from(details.len()).unwrap()).rev();
    positions
        .zip(details)
        .map(|(position, detail)| EntryView {
            position,
            detail: Some(detail),
            altered: false,
            erased: false,
            periods: None,
        })
        .collect()
}

fn hers() -> Hers {
    Hers::new(vec![id(CASE)], [id(SECTION)])
}

fn counted_from(counted: Counted, details: Vec<Detail>) -> Counted {
    let mut count = Count::new(counted, hers(), &baku);
    count.take(&entries(details), i64::MAX);
    count.counted
}

fn counted(details: Vec<Detail>) -> Vec<(String, Deed, u32)> {
    let lines = counted_from(nothing_counted(), details).lines;
    lines.into_iter().map(|(kind, times)| (kind.day.to_string(), kind.deed, times)).collect()
}

#[test]
fn looks_of_a_day_are_one_line_by_the_countrys_clocks() {
    let day = |day: &str, times| (day.to_owned(), Deed::Looked, times);
    // Nine in the evening in Greenwich is the next day in Baku.
    let looks = vec![
        read("2026-03-02T05:00:00Z", &[SECTION]),
        read("2026-03-01T21:00:00Z", &[SECTION]),
        read("2026-03-01T19:00:00Z", &[SECTION]),
    ];
    assert_eq!(counted(looks), [day("2026-03-01", 1), day("2026-03-02", 2)]);
}

#[test]
fn who_why_and_where_are_lines_of_their_own_and_other_peoples_records_none() {
    let other = |change: fn(&mut Detail)| {
        let mut detail = read("2026-03-01T10:00:00Z", &[SECTION]);
        change(&mut detail);
        detail
    };
    let all = vec![
        other(|_| {}),
        other(|detail| detail.person = "p-two".to_owned()),
        other(|detail| detail.role = Role::DutyOfficer),
        other(|detail| detail.organisation = Some(OrganisationId(id(101)))),
        other(|detail| detail.purpose = Some(Purpose::Emergency)),
        other(|detail| detail.outcome = Outcome::Refused),
        read("2026-03-01T10:00:00Z", &[OF_ANOTHER]),
        read("2026-03-01T10:00:00Z", &[]),
    ];
    // Two people of one organisation, role and purpose are one line.
    let mut times: Vec<u32> = counted(all).into_iter().map(|(_, _, times)| times).collect();
    times.sort_unstable();
    assert_eq!(times, [1, 1, 1, 1, 2]);
}

#[test]
fn a_list_of_many_cases_counts_for_each_of_them() {
    let mut list = read("2026-03-01T10:00:00Z", &[OF_ANOTHER, CASE, 77]);
    (list.kind, list.verb) = (RecordKind::Case, Verb::List);
    assert_eq!(counted(vec![list]), [("2026-03-01".to_owned(), Deed::Listed, 1)]);
}

#[test]
fn what_a_unit_writes_in_a_moment_is_one_deed_and_reads_are_not() {
    let change = |time: &str| Detail { verb: Verb::Write, purpose: None, ..read(time, &[SECTION]) };
    let written =
        vec![change("2026-03-01T10:00:30.9Z"), change("2026-03-01T10:00:00.1Z"), change("2026-03-01T10:00:00Z")];
    assert_eq!(counted(written), [("2026-03-01".to_owned(), Deed::Changed, 2)]);
    let looked = vec![read("2026-03-01T10:00:00.1Z", &[SECTION]), read("2026-03-01T10:00:00Z", &[SECTION])];
    assert_eq!(counted(looked), [("2026-03-01".to_owned(), Deed::Looked, 2)]);
}

#[test]
fn what_was_answered_again_is_no_other_deed() {
    let again = Detail { outcome: Outcome::Repeated, ..read("2026-03-01T10:00:09Z", &[SECTION]) };
    let once = vec![again, read("2026-03-01T10:00:00Z", &[SECTION])];
    assert_eq!(counted(once), [("2026-03-01".to_owned(), Deed::Looked, 1)]);
}

#[test]
fn an_auditors_looks_of_a_day_count_once() {
    let look = |time: &str| Detail { kind: RecordKind::AccessList, verb: Verb::List, ..read(time, &[CASE]) };
    let looks = vec![look("2026-03-01T10:00:09Z"), look("2026-03-01T10:00:00Z")];
    assert_eq!(counted(looks), [("2026-03-01".to_owned(), Deed::Audited, 1)]);
}

#[test]
fn the_first_and_the_last_day_belong_to_the_time_and_no_other() {
    let days = ["2026-03-04", "2026-03-03", "2026-03-02", "2026-03-01"];
    let looks = days.map(|day| read(&format!("{day}T10:00:00Z"), &[SECTION])).into();
    let from = Some("2026-03-02".parse().unwrap());
    let span = Counted { from, until: "2026-03-03".parse().unwrap(), ..nothing_counted() };
    let found: Vec<String> = counted_from(span, looks).lines.keys().map(|kind| kind.day.to_string()).collect();
    assert_eq!(found, ["2026-03-02", "2026-03-03"]);
}

#[test]
fn a_case_that_was_shown_says_what_is_hers() {
    let shown = || Detail { kind: RecordKind::Case, ..read("2026-03-02T10:00:00Z", &[CASE, 3]) };
    // The database does not name 3 any more. Its reader stands in the list, on either side of the showing.
    let look = |time| read(time, &[3]);
    let found = counted(vec![look("2026-03-03T10:00:00Z"), shown(), look("2026-03-01T10:00:00Z")]);
    assert_eq!(found.iter().map(|(_, _, times)| times).sum::<u32>(), 3);
    // Whoever was refused was shown nothing; and what another case was shown with is not hers.
    let refused = Detail { outcome: Outcome::Refused, ..shown() };
    let of_another =
        Detail { records: vec![id(OF_ANOTHER), id(3)], kind: RecordKind::Case, ..look("2026-03-02T10:00:00Z") };
    let found = counted(vec![look("2026-03-03T10:00:00Z"), refused, of_another]);
    assert_eq!(found, [("2026-03-02".to_owned(), Deed::Refused, 1)]);
}

#[test]
fn the_draft_of_a_call_that_was_handed_over_is_hers_and_no_other() {
    let over = |person: &str, time: &str, record| Detail {
        person: person.to_owned(),
        kind: RecordKind::Call,
        verb: Verb::HandOver,
        purpose: None,
        ..read(time, &[record])
    };
    // SECTION stands for the notice; 5 is its draft, 6 that of another operator, 7 another call of the same.
    let drafts = |record| Detail { kind: RecordKind::Call, ..read("2026-03-01T09:00:00Z", &[record]) };
    let found = counted_from(
        nothing_counted(),
        vec![
            over("p-two", "2026-03-02T10:00:00.2Z", 6),
            over("p-one", "2026-03-02T10:00:00.1Z", 5),
            over("p-one", "2026-03-02T10:00:00Z", SECTION),
            over("p-one", "2026-03-02T09:59:00Z", 7),
            drafts(5),
            drafts(6),
            drafts(7),
        ],
    );
    assert_eq!(found.learnt, BTreeSet::from([id(5)]));
    let looks: u32 = found.lines.iter().filter(|(kind, _)| kind.deed == Deed::Looked).map(|(_, times)| times).sum();
    assert_eq!(looks, 1);
    // Sent back, what was learnt is known from the start.
    assert_eq!(counted_from(Counted { lines: BTreeMap::new(), ..found }, vec![drafts(5)]).lines.len(), 1);
}

#[test]
fn what_cannot_be_read_is_counted_and_what_was_counted_before_is_not() {
    let view = |position, altered| EntryView { position, detail: None, altered, erased: false, periods: None };
    let mut count = Count::new(nothing_counted(), hers(), &baku);
    let over = EntryView { erased: true, ..view(6, false) };
    count.take(&[view(12, true), view(9, true), view(8, true), view(7, false), over], 10);
    assert_eq!((count.counted.altered, count.counted.unreadable, count.counted.old), (2, 1, 1));
}

#[test]
fn what_was_counted_comes_back_as_it_was() {
    let counted = counted_from(nothing_counted(), vec![read("2026-03-01T10:00:00Z", &[SECTION])]);
    let counted = Counted { until: "2026-03-01".parse().unwrap(), ..counted };
    let sent = serde_json::to_vec(&counted).unwrap();
    assert_eq!(serde_json::from_slice::<Counted>(&sent).unwrap(), counted);
}

#[test]
fn a_list_that_nobody_reads_is_too_long() {
    let start = Clock::default().now();
    let days = (0..=i64::try_from(MOST_LINES).unwrap()).map(|day| start - TimeDelta::days(day));
    let details = days.map(|at| Detail { at, ..read("2026-03-01T10:00:00Z", &[SECTION]) });
    let mut count = Count::new(nothing_counted(), hers(), &baku);
    count.take(&entries(details.collect()), i64::MAX);
    assert!(count.is_too_long());
}

#[test]
fn every_kind_of_work_is_one_of_the_deeds() {
    let of = |kind, verb| deed(&Detail { verb, kind, ..read("2026-03-01T10:00:00Z", &[]) });
    for (kind, verb, expected) in [
        (RecordKind::Identity, Verb::Read, Deed::Looked),
        (RecordKind::CaseNote, Verb::List, Deed::Looked),
        (RecordKind::Attachment, Verb::List, Deed::Looked),
        (RecordKind::Consent, Verb::List, Deed::Looked),
        (RecordKind::Placement, Verb::List, Deed::Listed),
        (RecordKind::Alert, Verb::List, Deed::Listed),
        (RecordKind::Narrative, Verb::Write, Deed::Changed),
        (RecordKind::Call, Verb::HandOver, Deed::Changed),
        (RecordKind::Erasure, Verb::Countersign, Deed::Changed),
        (RecordKind::Case, Verb::Assign, Deed::Admitted),
        (RecordKind::Bar, Verb::Create, Deed::Admitted),
        (RecordKind::Care, Verb::Share, Deed::Admitted),
        (RecordKind::Opening, Verb::Open, Deed::Custody),
        (RecordKind::Emergency, Verb::Create, Deed::Custody),
        (RecordKind::Ledger, Verb::List, Deed::Audited),
        (RecordKind::Oversight, Verb::List, Deed::Audited),
    ] {
        assert_eq!(of(kind, verb), expected, "{kind} {verb}");
    }
}
