//! The words by which a year counts: frozen when it begins, so that no figure can move because a word came or went.
//!
//! The base and the extent are frozen with them. The method asks for base 5 "while the last twelve months hold fewer than 100
//! people"; a base that changed inside a year would break every sum of it, so the twelve months are those before the year.

use super::catalogue::Extent;
use super::citizenship::{OTHER, UNKNOWN, UnRegion, un_region};
use super::coded::{AgeBand, Attribute, Coded, CodedRecord, Deadline, Form, Month, Pseudonym, Recruiter, Stage};
use crate::cases::terms::Sex;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A citizenship stands by its name from so many people in 24 months.
pub const NAMED_FROM: usize = 10;
/// The finer base and the full catalogue are for a country that had so many people in twelve months.
pub const MANY_FROM: usize = 100;

/// Where a person stands: for each attribute, in the order of [`Attribute::ALL`], the place of her word in the domain.
pub type Key = [u16; Attribute::ALL.len()];

/// A region's word that cannot stand in a table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a region's word is empty or has control characters")]
pub struct NotAWord;

/// A code that no year's tables have a place for, and what is in its stead. The code itself is not repeated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutsideDomains {
    #[error("region is one of {}", .0.join(", "))]
    Region(Vec<String>),
    #[error("citizenship is a country code of ISO 3166: two capital letters")]
    Citizenship,
}

/// The words of a stage's year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domains {
    stage: Stage,
    year: u16,
    base: i64,
    extent: Extent,
    words: [Vec<String>; Attribute::ALL.len()],
}

impl Domains {
    /// Freezes the words of a stage's year by who reached the stage in the 24 months before it. `regions` are the country's own, in any
    /// order; of `before` each person counts once, at the latest version.
    ///
    /// # Errors
    /// When a region's word is empty or has control characters: words are parted by them in what is hashed.
    pub fn freeze(stage: Stage, year: u16, regions: &[String], before: &[CodedRecord]) -> Result<Self, NotAWord> {
        if regions.iter().any(|region| region.is_empty() || region.chars().any(char::is_control)) {
            return Err(NotAWord);
        }
        let mut people: BTreeMap<Pseudonym, &CodedRecord> = BTreeMap::new();
        for record in before.iter().filter(|record| record.stage == stage) {
            let latest = people.entry(record.person).or_insert(record);
            if record.version > latest.version {
                *latest = record;
            }
        }
        let since = |years: u16| {
            let range = year.saturating_sub(years)..year;
            people.values().filter(move |record| range.contains(&record.reached.year()) && record.coded.is_some())
        };
        let many = since(1).count() >= MANY_FROM;
        let mut by_country: BTreeMap<&str, usize> = BTreeMap::new();
        for country in since(2).filter_map(|record| record.coded.as_ref()?.citizenship.as_deref()) {
            *by_country.entry(country).or_default() += 1;
        }
        let named = by_country.iter().filter(|(_, people)| **people >= NAMED_FROM);
        let mut citizenships: Vec<String> = named.map(|(country, _)| (*country).to_owned()).collect();
        for region in UnRegion::ALL {
            let unnamed = by_country
                .iter()
                .filter(|(country, people)| **people < NAMED_FROM && un_region(country) == Some(*region));
            if unnamed.map(|(_, people)| people).sum::<usize>() >= NAMED_FROM {
                citizenships.push(region.as_str().to_owned());
            }
        }
        citizenships.extend([OTHER.to_owned(), UNKNOWN.to_owned()]);
        let regions: BTreeSet<&String> = regions.iter().filter(|region| *region != UNKNOWN).collect();
        let regions = regions.into_iter().cloned().chain([UNKNOWN.to_owned()]).collect();
        let (base, extent) = if many { (3, Extent::Full) } else { (5, Extent::Short) };
        Ok(Self {
            stage,
            year,
            base,
            extent,
            words: [
                spelt(Form::ALL, Form::as_str),
                spelt(Sex::ALL, Sex::as_str),
                spelt(AgeBand::ALL, AgeBand::as_str),
                regions,
                citizenships,
                spelt(Recruiter::ALL, Recruiter::as_str),
                spelt(Deadline::ALL, Deadline::as_str),
            ],
        })
    }

    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    #[must_use]
    pub const fn year(&self) -> u16 {
        self.year
    }

    /// 3 or 5: every figure is a multiple of it.
    #[must_use]
    pub const fn base(&self) -> i64 {
        self.base
    }

    #[must_use]
    pub const fn extent(&self) -> Extent {
        self.extent
    }

    #[must_use]
    pub const fn holds(&self, month: Month) -> bool {
        month.year() == self.year
    }

    /// The words of an attribute, as tables list them.
    #[must_use]
    pub fn words(&self, attribute: Attribute) -> &[String] {
        let place = Attribute::ALL.iter().position(|one| *one == attribute);
        place.and_then(|place| self.words.get(place)).map_or(&[], Vec::as_slice)
    }

    /// Where a person stands. Whoever enters codes asks this first, so that nothing is sealed that no release could count.
    ///
    /// # Errors
    /// When her region is not one of the country's, or her citizenship no country's.
    pub fn key(&self, coded: &Coded) -> Result<Key, OutsideDomains> {
        let region = coded.region.as_deref().unwrap_or(UNKNOWN);
        let regions = self.words(Attribute::Region);
        if !regions.iter().any(|word| word == region) {
            return Err(OutsideDomains::Region(regions.to_vec()));
        }
        let citizenships = self.words(Attribute::Citizenship);
        let citizenship = match coded.citizenship.as_deref() {
            None => UNKNOWN,
            Some(country) if country.len() == 2 && citizenships.iter().any(|word| word == country) => country,
            Some(country) => {
                crate::cases::iso::country(country, &()).map_err(|_| OutsideDomains::Citizenship)?;
                let region = un_region(country).map(UnRegion::as_str);
                region.filter(|region| citizenships.iter().any(|word| word == region)).unwrap_or(OTHER)
            }
        };
        let spelt = [
            coded.form.as_str(),
            coded.sex.as_str(),
            coded.age.as_str(),
            region,
            citizenship,
            coded.recruiter.as_str(),
            coded.deadline.as_str(),
        ];
        let mut key = Key::default();
        for ((place, words), word) in key.iter_mut().zip(&self.words).zip(spelt) {
            // Every word was looked at above, or is one of a closed list that stands here whole.
            *place = words.iter().position(|one| one == word).and_then(|at| u16::try_from(at).ok()).unwrap_or(0);
        }
        Ok(key)
    }

    /// SHA-256 over stage, year, base, extent and all words in their order.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut text =
            format!("himaya statistics domains\n{} {} {} {}\n", self.stage, self.year, self.base, self.extent);
        for (attribute, words) in Attribute::ALL.iter().zip(&self.words) {
            // Writing into a string does not fail.
            let _ = writeln!(text, "{attribute}\t{}", words.join("\t"));
        }
        Sha256::digest(text.as_bytes()).into()
    }

    /// Those of a test, without history.
    #[cfg(test)]
    pub(super) fn with(mut self, base: i64, extent: Extent) -> Self {
        (self.base, self.extent) = (base, extent);
        self
    }
}

fn spelt<T: Copy>(all: &[T], spell: impl Fn(T) -> &'static str) -> Vec<String> {
    all.iter().map(|word| spell(*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(number: u8, year: u16, citizenship: &str) -> CodedRecord {
        CodedRecord {
            person: Pseudonym([number; 16]),
            version: 1,
            stage: Stage::Identification,
            reached: Month::new(year, 5).unwrap(),
            coded: Some(Coded {
                form: Form::ForcedLabour,
                sex: Sex::Female,
                age: AgeBand::Adult,
                region: Some("AZ-BA".to_owned()),
                citizenship: Some(citizenship.to_owned()),
                recruiter: Recruiter::Unknown,
                deadline: Deadline::Met,
            }),
        }
    }

    fn word(domains: &Domains, citizenship: &str) -> String {
        let key = domains.key(person(0, 2025, citizenship).coded.as_ref().unwrap()).unwrap();
        domains.words(Attribute::Citizenship)[usize::from(key[4])].clone()
    }

    #[test]
    fn a_citizenship_has_its_name_from_ten_people_in_24_months() {
        let mut before: Vec<CodedRecord> = (0..10).map(|n| person(n, 2024 + u16::from(n % 2), "UZ")).collect();
        before.extend((10..19).map(|n| person(n, 2025, "UA")));
        before.extend((20..29).map(|n| person(n, 2025, "KZ")));
        before.push(person(30, 2025, "TR"));
        before.extend((40..60).map(|n| person(n, 2023, "NG")));
        // Nine Nigerians and one Antarctican are in no region that has ten.
        before.extend((60..69).map(|n| person(n, 2024, "NG")));
        let domains = Domains::freeze(Stage::Identification, 2026, &["AZ-BA".to_owned()], &before).unwrap();
        assert_eq!(domains.words(Attribute::Citizenship), ["UZ", "ASIA", "OTHER", "UNKNOWN"]);
        assert_eq!(
            ["UZ", "KZ", "TR", "UA", "NG", "AQ"].map(|code| word(&domains, code)),
            ["UZ", "ASIA", "ASIA", "OTHER", "OTHER", "OTHER"]
        );
    }

    #[test]
    fn who_has_two_versions_counts_once_by_the_latest() {
        let mut before: Vec<CodedRecord> = (0..9).map(|n| person(n, 2025, "UZ")).collect();
        before.push(CodedRecord { version: 2, ..person(8, 2025, "UZ") });
        assert_eq!(
            Domains::freeze(Stage::Identification, 2026, &[], &before).unwrap().words(Attribute::Citizenship),
            ["OTHER", "UNKNOWN"]
        );
        before.push(person(9, 2025, "UZ"));
        assert_eq!(
            Domains::freeze(Stage::Identification, 2026, &[], &before).unwrap().words(Attribute::Citizenship),
            ["UZ", "OTHER", "UNKNOWN"]
        );
        before.push(CodedRecord { version: 2, coded: None, ..person(9, 2025, "UZ") });
        assert_eq!(
            Domains::freeze(Stage::Identification, 2026, &[], &before).unwrap().words(Attribute::Citizenship),
            ["OTHER", "UNKNOWN"]
        );
    }

    #[test]
    fn a_stage_is_frozen_by_those_who_reached_it() {
        let mut before: Vec<CodedRecord> = (0..100).map(|n| person(n, 2025, "UZ")).collect();
        // A later version of another stage says nothing of this one.
        before.extend((0..50).map(|n| CodedRecord { stage: Stage::Placement, version: 7, ..person(n, 2024, "UA") }));
        let identified = Domains::freeze(Stage::Identification, 2026, &[], &before).unwrap();
        let placed = Domains::freeze(Stage::Placement, 2026, &[], &before).unwrap();
        assert_eq!((identified.base(), identified.extent()), (3, Extent::Full));
        assert_eq!((placed.base(), placed.extent()), (5, Extent::Short));
        assert_eq!(placed.words(Attribute::Citizenship), ["UA", "OTHER", "UNKNOWN"]);
    }

    #[test]
    fn the_base_follows_the_twelve_months_before_the_year() {
        let before: Vec<CodedRecord> = (0..100).map(|n| person(n, 2025, "UZ")).collect();
        let many = Domains::freeze(Stage::Identification, 2026, &[], &before).unwrap();
        assert_eq!((many.base(), many.extent()), (3, Extent::Full));
        let few = Domains::freeze(Stage::Identification, 2026, &[], &before[1..]).unwrap();
        assert_eq!((few.base(), few.extent()), (5, Extent::Short));
        assert_ne!(many.hash(), few.hash());
        assert_eq!(Domains::freeze(Stage::Identification, 2027, &[], &before).unwrap().base(), 5);
    }

    #[test]
    fn a_word_that_is_not_in_the_domain_has_no_place() {
        let domains = Domains::freeze(Stage::Identification, 2026, &["AZ-BA".to_owned()], &[]).unwrap();
        let mut coded = person(0, 2026, "UZ").coded.unwrap();
        assert!(domains.key(&coded).is_ok());
        coded.region = Some("AZ-GA".to_owned());
        assert_eq!(domains.key(&coded).unwrap_err().to_string(), "region is one of AZ-BA, UNKNOWN");
        coded.region = None;
        assert!(domains.key(&coded).is_ok());
        for wrong in ["OTHER", "ASIA", "XX", ""] {
            coded.citizenship = Some(wrong.to_owned());
            assert_eq!(domains.key(&coded), Err(OutsideDomains::Citizenship), "{wrong}");
        }
        for wrong in ["", "Ba\tku", "Ba\nku"] {
            assert_eq!(Domains::freeze(Stage::Identification, 2026, &[wrong.to_owned()], &[]), Err(NotAWord));
        }
    }
}
