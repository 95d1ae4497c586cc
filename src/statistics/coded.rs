//! The coded record: what the statistics know of a person, and nothing else. It is case data, so nothing here has a `Debug`.
//!
//! A person is a pseudonym that is derived from her case's own random key, so whoever codes for her writes to the same one. Versions
//! are only added; the latest is what counts.

use crate::cases::terms::Sex;
use crate::guard::words::words;
use serde::{Deserialize, Serialize};
use std::fmt;

words! {
    /// What a person is counted by. The order is that of every key, table and cell: what most tables share stands first.
    pub enum Attribute {
        Form = "form",
        Sex = "sex",
        Age = "age",
        Region = "region",
        Citizenship = "citizenship",
        Recruiter = "recruiter",
        /// Of the stage: whether its deadline was met.
        Deadline = "deadline",
    }
}

words! {
    /// Age when the person entered the statistics, in years.
    pub enum AgeBand {
        Child = "0-17",
        Young = "18-29",
        Adult = "30+",
        Unknown = "unknown",
    }
}

words! {
    /// What the person was exploited for: the words of HTCDS `vic_TypeOfExploitation`, and two that make each person count once.
    pub enum Form {
        ForcedLabour = "ForcedLabour",
        SexualExploitation = "SexualExploitation",
        ChildLabour = "ChildLabour",
        ForcedMarriage = "ForcedMarriage",
        Servitude = "Servitude",
        ForcedMilitaryByNonStateActors = "ForcedMilitaryByNonStateActors",
        OrganRemoval = "OrganRemoval",
        ForcedBegging = "ForcedBegging",
        ForcedAdoption = "ForcedAdoption",
        Surrogacy = "Surrogacy",
        Other = "Other",
        /// More than one of them. A person in two rows would make sums that do not add.
        Several = "several",
        Unknown = "unknown",
    }
}

words! {
    /// How the person knew who recruited her: HTCDS `vic_RelationshipToTrafficker`, spelt as there, and that it is not known.
    pub enum Recruiter {
        Familial = "Familial",
        Acquainted = "Acquainted",
        Unacquainted = "Unaquainted",
        Unknown = "unknown",
    }
}

words! {
    /// Whether the person reached the stage within the time that the law gives for it.
    pub enum Deadline {
        Met = "met",
        Missed = "missed",
        /// The law gives none, or it is not known when it began.
        Without = "without",
    }
}

words! {
    /// A stage of the way through the system. Each has a cube of its own, in which a person is counted once. Who enters the statistics of
    /// persons is who was identified: that stage has the full catalogue.
    pub enum Stage {
        Call = "call",
        Notice = "notice",
        Identification = "identification",
        Placement = "placement",
        Assistance = "assistance",
        Repatriation = "repatriation",
        Reintegration = "reintegration",
    }
}

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Month {
    year: u16,
    /// 1 to 12.
    month: u8,
}

impl Month {
    /// `None` unless the year has four digits and the month is 1 to 12.
    #[must_use]
    pub const fn new(year: u16, month: u8) -> Option<Self> {
        if year >= 1000 && year <= 9999 && month >= 1 && month <= 12 { Some(Self { year, month }) } else { None }
    }

    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The month after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { year: self.year, month: self.month + 1 }
        }
    }

    #[must_use]
    pub const fn ends_quarter(self) -> bool {
        self.month.is_multiple_of(3)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// Who a record is about, as the statistics know it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pseudonym(pub [u8; 16]);

impl From<Pseudonym> for String {
    fn from(person: Pseudonym) -> Self {
        format!("{:032x}", u128::from_be_bytes(person.0))
    }
}

impl TryFrom<String> for Pseudonym {
    type Error = NotAPseudonym;

    fn try_from(text: String) -> Result<Self, NotAPseudonym> {
        let number = u128::from_str_radix(&text, 16).map_err(|_| NotAPseudonym)?;
        let person = Self(number.to_be_bytes());
        if String::from(person) == text { Ok(person) } else { Err(NotAPseudonym) }
    }
}

/// It is not 32 hexadecimal digits in small letters.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pseudonym is 32 hexadecimal digits")]
pub struct NotAPseudonym;

/// A person's codes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coded {
    pub form: Form,
    pub sex: Sex,
    pub age: AgeBand,
    /// Of this country, by the word of the frozen domains: the code of ISO 3166-2, say. `None` if it is not known.
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2: one, the one that the case names first. `None` if it is not known, or if there is none.
    pub citizenship: Option<String>,
    pub recruiter: Recruiter,
    pub deadline: Deadline,
}

/// One version of what is known of a person at a stage.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodedRecord {
    pub person: Pseudonym,
    /// Counts up for each person and stage; the highest is believed.
    pub version: u32,
    pub stage: Stage,
    /// In which month she reached the stage.
    pub reached: Month,
    /// `None` if she is not to be counted after all.
    pub coded: Option<Coded>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::codes::{ExploitationType, RelationshipToTrafficker};

    #[test]
    fn forms_and_recruiters_are_the_standards_and_what_makes_each_person_count_once() {
        let spelt: Vec<&str> = Form::ALL.iter().map(|form| form.as_str()).collect();
        let standard = ExploitationType::ALL.iter().map(|form| form.as_str());
        assert_eq!(spelt, standard.chain(["several", "unknown"]).collect::<Vec<_>>());
        let spelt: Vec<&str> = Recruiter::ALL.iter().map(|recruiter| recruiter.as_str()).collect();
        let standard = RelationshipToTrafficker::ALL.iter().map(|recruiter| recruiter.as_str());
        assert_eq!(spelt, standard.chain(["unknown"]).collect::<Vec<_>>());
    }

    #[test]
    fn a_pseudonym_is_read_as_it_is_written_and_no_other_way() {
        let person = Pseudonym([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        let text = String::from(person);
        assert_eq!(text, "000102030405060708090a0b0c0d0eff");
        assert!(Pseudonym::try_from(text.clone()).is_ok_and(|read| read == person));
        for wrong in ["", "ff", &text.to_uppercase(), &format!("0{text}"), "+00102030405060708090a0b0c0d0eff"] {
            assert!(Pseudonym::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn december_is_followed_by_january() {
        let december = Month::new(2026, 12).unwrap();
        assert_eq!(december.next().to_string(), "2027-01");
        assert_eq!(Month::new(2026, 11).unwrap().next(), december);
        assert!(Month::new(2026, 0).is_none() && Month::new(2026, 13).is_none() && Month::new(999, 1).is_none());
    }
}
