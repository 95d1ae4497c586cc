use super::super::model::{AccessList, Counted, Deed, Kind};
use super::super::words::{Found, Names, list};
use super::print;
use crate::guard::action::{Purpose, Role};
use crate::guard::record::OrganisationId;
use crate::platform::language::Language;
use chrono::{Days, NaiveDate};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const LAST: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();

/// Every role, purpose and deed there is, and every reason why something is missing.
fn everything(language: Language) -> AccessList {
    let organisation = |number: usize| OrganisationId(Uuid::from_u128(number as u128 % 4));
    let mut lines = BTreeMap::new();
    for (number, role) in Role::ALL.iter().copied().cycle().take(40).enumerate() {
        let purpose = Purpose::ALL.get(number % 9).copied();
        let deed = Deed::ALL.iter().copied().cycle().nth(number).unwrap();
        let day = LAST - Days::new(number as u64 / 2);
        let kind = Kind { day, organisation: Some(organisation(number)), role, purpose, deed };
        lines.insert(kind, [1, 2, 5, 21][number % 4]);
    }
    let counted = Counted {
        from: Some(LAST - Days::new(60)),
        until: LAST,
        below: None,
        lines,
        learnt: BTreeSet::new(),
        altered: 1,
        unreadable: 23,
        old: 0,
        behind: true,
    };
    let names = ["Xüsusi Polis İdarəsi", "152 qaynar xətti", "«Ümid» sığınacağı"];
    let names: Names =
        names.iter().enumerate().map(|(number, name)| (organisation(number), Some((*name).to_owned()))).collect();
    list(language, &counted, &Found { erased: true, lost: true, today: true }, &names, String::new())
}

#[test]
fn the_whole_list_stands_on_the_paper_in_every_language() {
    for language in Language::ALL.iter().copied() {
        let list = everything(language);
        assert_eq!((list.items.len(), list.gaps.len()), (40, 6));
        let pdf = print(&list, LAST).unwrap();
        let document = lopdf::Document::load_mem(&pdf).unwrap();
        let pages: Vec<u32> = document.get_pages().into_keys().collect();
        assert!((3..=6).contains(&pages.len()), "{language}: {} pages", pages.len());
        let text = document.extract_text(&pages).unwrap();
        let words: BTreeSet<&str> = text.split_whitespace().collect();
        let said = list.items.iter().map(|line| &line.words);
        let said = said.flat_map(|line| [&line.day, &line.organisation, &line.role, &line.purpose, &line.deed]);
        for word in said.chain(list.gaps.iter().map(|gap| &gap.words)).flat_map(|text| text.split_whitespace()) {
            assert!(words.contains(word), "{language}: {word}");
        }
        assert!(pdf.len() < 60_000, "{language}: {} bytes", pdf.len());
    }
}

#[test]
fn an_organisation_that_is_not_believed_has_no_name() {
    let list = everything(Language::English);
    let nameless = list.items.iter().filter(|line| line.organisation == Some(OrganisationId(Uuid::from_u128(3))));
    let names: BTreeSet<&str> = nameless.map(|line| line.words.organisation.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["An organisation whose name could not be confirmed"]));
}
