//! For how long what entries say is kept.

use super::rules::Class;
use crate::audit::tiles::pruning;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest that is said in months: beyond it, `"for_ever"` is meant.
const LONGEST: u32 = 1200;

/// `[retention]`: for how many months what entries say is kept, by class; `"for_ever"` erases nothing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// What was read of a record, and what was done to one.
    pub records: Period,
    /// What was refused, and who signed in.
    pub refusals: Period,
    /// Lists and searches.
    pub lists: Period,
    /// Keys, members, policies, outages, custody, erasures and holds, and who is on a case.
    pub changes: Period,
    /// For how long verifiers are given the tree's entries and hashes; they are denied afterwards, and not erased.
    pub tiles: Period,
}

/// A number of months, or for ever: the longer, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    Months(u32),
    ForEver,
}

impl Period {
    /// How many months; nothing for ever.
    #[must_use]
    pub const fn months(self) -> Option<u32> {
        match self {
            Self::Months(months) => Some(months),
            Self::ForEver => None,
        }
    }
}

const FOR_EVER: &str = "for_ever";

impl Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Months(months) => serializer.serialize_u32(*months),
            Self::ForEver => serializer.serialize_str(FOR_EVER),
        }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl serde::de::Visitor<'_> for Words {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of months, or \"for_ever\"")
            }

            fn visit_u64<E: serde::de::Error>(self, months: u64) -> Result<Period, E> {
                // One that is out of every bound is told with the bounds.
                Ok(Period::Months(u32::try_from(months).unwrap_or(u32::MAX)))
            }

            fn visit_i64<E: serde::de::Error>(self, months: i64) -> Result<Period, E> {
                Ok(Period::Months(u32::try_from(months.max(0)).unwrap_or(u32::MAX)))
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Period, E> {
                match word.parse() {
                    Ok(months) => Ok(Period::Months(months)),
                    Err(_) if word == FOR_EVER => Ok(Period::ForEver),
                    Err(_) => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
                }
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            records: Period::Months(120),
            refusals: Period::Months(36),
            lists: Period::Months(36),
            changes: Period::ForEver,
            tiles: Period::ForEver,
        }
    }
}

impl RetentionConfig {
    /// The period of a class.
    #[must_use]
    pub const fn of(&self, class: Class) -> Period {
        match class {
            Class::Records => self.records,
            Class::Refusals => self.refusals,
            Class::Lists => self.lists,
            Class::Changes => self.changes,
        }
    }

    /// What is out of bounds: the field, and why.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let wrong = |(field, period, floor): (&str, Period, u32)| match period {
            Period::Months(months) if !(floor..=LONGEST).contains(&months) => Some((
                field.to_owned(),
                format!(
                    "is {months} months: set {floor} to {LONGEST}, or \"{FOR_EVER}\". Nothing that happened lately is erased, whoever \
                     configures the service"
                ),
            )),
            _ => None,
        };
        let classes = Class::ALL.iter().map(|class| (class.as_str(), self.of(*class), class.floor()));
        classes.chain([("tiles", self.tiles, pruning::FLOOR)]).filter_map(wrong).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_period_is_shorter_than_its_floor() {
        assert_eq!(RetentionConfig::default().faults(), []);
        for class in Class::ALL {
            for (months, fits) in [(0, false), (class.floor() - 1, false), (class.floor(), true), (LONGEST + 1, false)]
            {
                let text = format!("{{\"{class}\": {months}}}");
                let config: RetentionConfig = serde_json::from_str(&text).unwrap();
                let told: Vec<String> = config.faults().into_iter().map(|(field, _)| field).collect();
                assert_eq!(told, if fits { vec![] } else { vec![class.to_string()] }, "{text}");
            }
        }
        let for_ever: RetentionConfig = serde_json::from_str(r#"{"records": "for_ever"}"#).unwrap();
        assert_eq!((for_ever.records, for_ever.faults()), (Period::ForEver, vec![]));
        assert!(serde_json::from_str::<RetentionConfig>(r#"{"records": "a year"}"#).is_err());
        assert!(serde_json::from_str::<RetentionConfig>(r#"{"everything": 24}"#).is_err());
    }
}
