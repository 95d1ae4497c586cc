//! People who do not exist, for trials and tests: the same seed makes the same people.
//!
//! Sex, age and form hang together as in what the government's first responders of the United Kingdom reported in 2023 (Home Office,
//! National Referral Mechanism statistics, open data), in rounded shares; words that they do not have stand under `Other` and
//! `several`. The split of adults at 30, regions, citizenships, recruiters and seasons are made up: a large capital, a long
//! tail of small regions and countries, summers with more.

use super::super::coded::{AgeBand, Coded, CodedRecord, Deadline, Form, Month, Pseudonym, Recruiter, Stage};
use crate::cases::terms::Sex;
use sha2::{Digest as _, Sha256};

/// Numbers from a seed: SHA-256 over seed and count. Nothing secret is ever drawn here.
pub struct Draw {
    seed: [u8; 32],
    count: u64,
}

impl Draw {
    #[must_use]
    pub fn new(name: &str, seed: u64) -> Self {
        let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(name.as_bytes());
        Self { seed: digest.finalize().into(), count: 0 }
    }

    /// 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.count += 1;
        Sha256::new().chain_update(self.seed).chain_update(self.count.to_be_bytes()).finalize().into()
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        let [a, b, c, d, ..] = self.bytes();
        (u64::from(u32::from_be_bytes([a, b, c, d])) * end) >> 32
    }

    /// Between 0 and 1, neither of them.
    pub fn share(&mut self) -> f64 {
        let [a, b, c, d, ..] = self.bytes();
        (f64::from(u32::from_be_bytes([a, b, c, d])) + 0.5) / 4_294_967_296.0
    }

    /// One of them, by their weights.
    pub fn pick<'a, T>(&mut self, among: &'a [(T, u64)]) -> Option<&'a T> {
        let mut left = self.below(among.iter().map(|(_, weight)| weight).sum());
        among.iter().find_map(|(one, weight)| {
            let found = left < *weight;
            left = left.saturating_sub(*weight);
            found.then_some(one)
        })
    }
}

/// Sex, adult or child or unknown, and what for: people of a thousand.
const WHO: &[((Sex, AgeBand, Form), u64)] = {
    use AgeBand::{Adult, Child, Unknown};
    use Form::{
        ForcedBegging, ForcedLabour, ForcedMarriage, OrganRemoval, Other, Servitude, Several, SexualExploitation,
    };
    use Sex::{Female, Male, NotKnown};
    &[
        ((Male, Adult, ForcedLabour), 240),
        ((Male, Adult, Several), 110),
        ((Male, Adult, Other), 43),
        ((Male, Adult, Form::Unknown), 44),
        ((Male, Adult, SexualExploitation), 9),
        ((Male, Adult, Servitude), 5),
        ((Male, Adult, OrganRemoval), 1),
        ((Male, Child, ForcedLabour), 110),
        ((Male, Child, Several), 50),
        ((Male, Child, Form::Unknown), 29),
        ((Male, Child, Other), 10),
        ((Male, Child, SexualExploitation), 10),
        ((Male, Child, ForcedBegging), 12),
        ((Male, Child, Servitude), 4),
        ((Male, Unknown, ForcedLabour), 30),
        ((Male, Unknown, Several), 15),
        ((Male, Unknown, Form::Unknown), 6),
        ((Female, Adult, SexualExploitation), 90),
        ((Female, Adult, Several), 46),
        ((Female, Adult, ForcedLabour), 27),
        ((Female, Adult, Form::Unknown), 11),
        ((Female, Adult, Servitude), 9),
        ((Female, Adult, ForcedMarriage), 6),
        ((Female, Child, Form::Unknown), 12),
        ((Female, Child, Several), 12),
        ((Female, Child, SexualExploitation), 12),
        ((Female, Child, ForcedMarriage), 5),
        ((Female, Child, ForcedLabour), 5),
        ((Female, Child, ForcedBegging), 4),
        ((Female, Unknown, SexualExploitation), 8),
        ((Female, Unknown, Several), 8),
        ((NotKnown, Unknown, Form::Unknown), 3),
    ]
};

const REGIONS: &[(&str, u64)] = &[
    ("R01", 38),
    ("R02", 12),
    ("R03", 9),
    ("R04", 8),
    ("R05", 6),
    ("R06", 5),
    ("R07", 5),
    ("R08", 4),
    ("R09", 3),
    ("R10", 3),
    ("R11", 2),
    ("R12", 2),
    ("R13", 1),
    ("", 2),
];

const CITIZENSHIPS: &[(&str, u64)] = &[
    ("AZ", 45),
    ("UZ", 11),
    ("PK", 7),
    ("NG", 6),
    ("UA", 5),
    ("KG", 5),
    ("GE", 4),
    ("IR", 3),
    ("TR", 3),
    ("BD", 2),
    ("IN", 2),
    ("PH", 2),
    ("KZ", 1),
    ("TM", 1),
    ("RU", 1),
    ("MD", 1),
    ("VN", 1),
    ("ET", 1),
    ("KE", 1),
    ("BR", 1),
    ("", 2),
];

const RECRUITERS: &[(Recruiter, u64)] =
    &[(Recruiter::Acquainted, 42), (Recruiter::Unacquainted, 30), (Recruiter::Familial, 13), (Recruiter::Unknown, 15)];

const DEADLINES: &[(Deadline, u64)] = &[(Deadline::Met, 71), (Deadline::Missed, 21), (Deadline::Without, 8)];

const MONTHS: &[(u8, u64)] =
    &[(1, 7), (2, 7), (3, 8), (4, 8), (5, 9), (6, 10), (7, 10), (8, 9), (9, 9), (10, 8), (11, 8), (12, 7)];

/// The regions of a country that does not exist.
#[must_use]
pub fn regions() -> Vec<String> {
    REGIONS.iter().filter(|(word, _)| !word.is_empty()).map(|(word, _)| (*word).to_owned()).collect()
}

/// So many people in each of the years, all identified.
#[must_use]
pub fn people(seed: u64, per_year: usize, years: std::ops::Range<u16>) -> Vec<CodedRecord> {
    let mut draw = Draw::new("people", seed);
    let mut records = Vec::with_capacity(per_year * years.len());
    for year in years {
        records.extend((0..per_year).filter_map(|_| person(&mut draw, year)));
    }
    records
}

fn person(draw: &mut Draw, year: u16) -> Option<CodedRecord> {
    let word = |word: &&str| (!word.is_empty()).then(|| (*word).to_owned());
    let id = draw.bytes().first_chunk().copied()?;
    let (sex, age, form) = *draw.pick(WHO)?;
    let age = if age == AgeBand::Adult && draw.below(100) < 55 { AgeBand::Young } else { age };
    Some(CodedRecord {
        person: Pseudonym(id),
        version: 1,
        stage: Stage::Identification,
        reached: Month::new(year, *draw.pick(MONTHS)?)?,
        coded: Some(Coded {
            form,
            sex,
            age,
            region: draw.pick(REGIONS).and_then(word),
            citizenship: draw.pick(CITIZENSHIPS).and_then(word),
            recruiter: *draw.pick(RECRUITERS)?,
            deadline: *draw.pick(DEADLINES)?,
        }),
    })
}
