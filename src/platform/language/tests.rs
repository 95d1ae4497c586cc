use super::{Language, day, say};
use crate::accommodation::model::{AccommodationKind, Condition, Course, Places};
use crate::audit::access_list::model::{Deed, Gap};
use crate::calls::content::{CallBackWanted, CallKind, CallerIs, Danger, InterpreterNeeded, SafeToTalk};
use crate::calls::model::{CallOutcome, CallState};
use crate::calls::pages::form::{FIELDS, LANGUAGES};
use crate::cases::document::{OF_CASE, OF_PERSON};
use crate::cases::model::CaseRelation;
use crate::cases::pages::form as sections;
use crate::cases::states::CaseState;
use crate::consents::model::{ConsentState, Said, Section, Source};
use crate::guard::action::{Purpose, Role};
use crate::guard::statement::{AccessReason, OrganisationKind};
use crate::notices::model::{Basis, Escalation, NoticeState, ReturnCode};
use crate::placements::model::{DeclineCode, PlacementBasis, PlacementState};
use crate::placements::pages as placements;
use crate::platform::page::SAID;
use crate::staff::pages::administration::HEALTH;
use crate::tasks::model::TaskKind;
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Below a folder, with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every key of a language, with what is filled in there.
fn keys(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files(&source().join("platform/language").join(language.as_str()), "ftl") {
        let (text, mut key) = (std::fs::read_to_string(&file).unwrap(), String::new());
        for line in text.lines() {
            if let Some((name, _)) =
                line.split_once(" =").filter(|_| line.starts_with(|c: char| c.is_ascii_lowercase()))
            {
                key = name.to_owned();
                assert!(keys.insert(key.clone(), BTreeSet::new()).is_none(), "{key} stands twice in {language}");
            }
            let filled = line.split('$').skip(1).map(|rest| rest.split([' ', '}']).next().unwrap().to_owned());
            keys.entry(key.clone()).or_default().extend(filled);
        }
    }
    keys.remove("");
    keys
}

/// Families of keys that end with a word of the domain.
fn families() -> BTreeSet<String> {
    fn family(name: &str, words: impl Iterator<Item = &'static str>) -> BTreeSet<String> {
        words.map(|word| format!("{name}-{word}")).collect()
    }
    let purposes = Purpose::ALL.iter().map(|word| word.as_str()).chain(["part", "unsaid"]);
    [
        family("role", Role::ALL.iter().map(|word| word.as_str())),
        family("post", Role::ALL.iter().map(|word| word.as_str())),
        family("purpose", purposes),
        family("deed", Deed::ALL.iter().map(|word| word.as_str())),
        family("access-list-gap", Gap::ALL.iter().map(|word| word.as_str())),
        (1..=12).map(|month| format!("month-{month}")).collect(),
        (1..=7).map(|day| format!("weekday-{day}")).collect(),
        family("problem", SAID.into_iter()),
        FIELDS.iter().map(|name| format!("call-field-{}", name.replace('.', "-"))).collect(),
        FIELDS.iter().map(|name| format!("call-rule-{}", name.replace('.', "-"))).collect(),
        family("call-safe_to_talk", SafeToTalk::ALL.iter().map(|word| word.as_str())),
        family("call-danger", Danger::ALL.iter().map(|word| word.as_str())),
        family("call-interpreter_needed", InterpreterNeeded::ALL.iter().map(|word| word.as_str())),
        family("call-kind", CallKind::ALL.iter().map(|word| word.as_str())),
        family("call-caller_is", CallerIs::ALL.iter().map(|word| word.as_str())),
        family("call-call_back-wanted", CallBackWanted::ALL.iter().map(|word| word.as_str())),
        family("call-outcome", CallOutcome::ALL.iter().map(|word| word.as_str())),
        family("call-state", CallState::ALL.iter().map(|word| word.as_str())),
        family("call-language", LANGUAGES.into_iter()),
        family("basis", Basis::ALL.iter().map(|word| word.as_str())),
        family("notice-state", NoticeState::ALL.iter().map(|word| word.as_str())),
        family("desk-state", NoticeState::ALL.iter().map(|word| word.as_str())),
        family("escalation", Escalation::ALL.iter().map(|word| word.as_str())),
        family("task", TaskKind::ALL.iter().map(|word| word.as_str())),
        family("case-state", CaseState::ALL.iter().map(|word| word.as_str())),
        family("case-become", CaseState::ALL.iter().map(|word| word.as_str())),
        family("section", OF_CASE.iter().chain(&OF_PERSON).map(|kind| kind.as_str())),
        family("case-relation", CaseRelation::ALL.iter().map(|word| word.as_str())),
        family("people-relation", ["assigned", "granted"].into_iter()),
        family("access-reason", crate::cases::pages::REASONS.into_iter().map(AccessReason::as_str)),
        sections::keys().collect(),
        family("organisation", OrganisationKind::ALL.iter().map(|word| word.as_str())),
        family("health", HEALTH.into_iter()),
        family("function", ["responsible", "custodian"].into_iter()),
        family("placement-state", PlacementState::ALL.iter().map(|word| word.as_str())),
        family("placement-basis", PlacementBasis::ALL.iter().map(|word| word.as_str())),
        family("decline-code", DeclineCode::ALL.iter().map(|word| word.as_str())),
        family("placement-do", placements::STEPS.into_iter()),
        family("placement-exit", ["own", "planned"].into_iter()),
        family("needs", placements::NEEDS.into_iter()),
        family("house", AccommodationKind::ALL.iter().map(|word| word.as_str())),
        family("places", Places::ALL.iter().map(|word| word.as_str())),
        family("condition", Condition::ALL.iter().map(|word| word.as_str())),
        family("course", Course::ALL.iter().map(|word| word.as_str())),
        ["address", "directions", "telephone"].map(|line| format!("house-{line}-line")).into(),
        family("consent-section", Section::ALL.iter().map(|word| word.as_str())),
        family("consent-said", Said::ALL.iter().map(|word| word.as_str())),
        family("consent-by", Source::ALL.iter().map(|word| word.as_str())),
        family("consent-state", ConsentState::ALL.iter().map(|word| word.as_str())),
        family("return-code", ReturnCode::ALL.iter().map(|word| word.as_str())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_language_has_every_key_with_the_same_values_filled_in() {
    let english = keys(Language::English);
    assert!(english.len() > 60);
    for language in [Language::Azerbaijani, Language::Russian] {
        assert_eq!(keys(language), english, "{language}");
    }
}

#[test]
fn every_key_is_said_somewhere_and_what_is_said_is_a_key() {
    let all = keys(Language::English);
    let elsewhere = |file: &&PathBuf| !file.starts_with(source().join("platform/language"));
    let files = [files(&source(), "rs"), files(&source(), "html")].concat();
    let code: String = files.iter().filter(elsewhere).map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let families = families();
    for key in all.keys() {
        assert!(families.contains(key) || key == "day" || code.contains(&format!("\"{key}\"")), "nobody says {key}");
    }
    for key in &families {
        assert!(all.contains_key(key), "{key} stands nowhere");
    }
    // Whatever in the code looks like a key of a capability is one, and whatever is said by its key.
    for beginning in ["\"access-list-", "say(\"", "say_with(\"", "count(\"", "layout(\"", "bare(\""] {
        for (at, _) in code.match_indices(beginning) {
            let key = code[at..].split('"').nth(1).unwrap();
            let whole = key.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !key.ends_with('-');
            assert!(!whole || key.is_empty() || all.contains_key(key), "{key} stands nowhere");
        }
    }
}

#[test]
fn every_text_is_said_whole_in_every_language() {
    for language in Language::ALL.iter().copied() {
        for (key, filled) in keys(language) {
            // One, few and many, each with all that is filled in.
            for number in [1, 2, 5, 21] {
                let values: Vec<_> = filled.iter().map(|name| (&*name.clone().leak(), number.into())).collect();
                let text = say(language, &key, &values);
                assert!(
                    text != key && !text.contains(['{', '}', '\u{2068}']) && !text.is_empty(),
                    "{language} {key}: {text}"
                );
            }
        }
    }
}

#[test]
fn a_day_is_said_as_each_language_says_it() {
    let says = |language, text: &str| day(language, text.parse::<NaiveDate>().unwrap()).replace('\u{a0}', " ");
    assert_eq!(says(Language::Azerbaijani, "2026-11-23"), "23 noyabr 2026");
    assert_eq!(says(Language::Russian, "2026-11-23"), "23 ноября 2026 г.");
    assert_eq!(says(Language::English, "2026-11-23"), "23 November 2026");
    assert_eq!(says(Language::Azerbaijani, "2026-02-03"), "3 fevral 2026");
    assert_eq!(says(Language::Russian, "2027-05-01"), "1 мая 2027 г.");
    // The short word at its end does not stand alone on a line.
    assert!(day(Language::Russian, NaiveDate::MIN).ends_with("\u{a0}г."));
}

#[test]
fn russian_counts_as_russians_do() {
    let tries = |times: i64| say(Language::Russian, "deed-refused", &[("times", times.into())]);
    for (times, beginning) in
        [(1, "Попытка"), (2, "2 попытки"), (5, "5 попыток"), (11, "11 попыток"), (21, "21 попытка")]
    {
        assert!(tries(times).starts_with(beginning), "{}", tries(times));
    }
}
