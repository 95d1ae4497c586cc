//! What is written down of a call, and the words that it is told in.
//!
//! An absent field was not asked. That is another thing than `unknown` (asked, and the caller does not know) and than
//! `declined` (asked, and the caller does not want to say).

use crate::guard::words::words;
use chrono::{Datelike as _, NaiveDate};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// Whether the caller can speak freely now. It is asked before anything else.
    pub enum SafeToTalk {
        Yes = "yes",
        No = "no",
        Unknown = "unknown",
    }
}

words! {
    /// What kind of call it turned out to be.
    pub enum CallKind {
        Crisis = "crisis",
        Report = "report",
        RequestForHelp = "request_for_help",
        Information = "information",
        Silent = "silent",
        Abusive = "abusive",
        NotTrafficking = "not_trafficking",
    }
}

impl CallKind {
    /// Whether a call of this kind is finished in one step and keeps next to nothing. Nobody can be asked anything on
    /// such a call, so it needs no answer to whether it is safe to talk.
    #[must_use]
    pub const fn is_quick(self) -> bool {
        matches!(self, Self::Silent | Self::Abusive | Self::NotTrafficking)
    }
}

words! {
    pub enum InterpreterNeeded {
        Yes = "yes",
        No = "no",
        Unknown = "unknown",
        Declined = "declined",
    }
}

words! {
    /// How near the danger is.
    pub enum Danger {
        Immediate = "immediate",
        Soon = "soon",
        NotNow = "not_now",
        Unknown = "unknown",
    }
}

words! {
    /// Who the caller is to the person that the call is about.
    pub enum CallerIs {
        Self_ = "self",
        Family = "family",
        Friend = "friend",
        Client = "client",
        Official = "official",
        PasserBy = "passer_by",
        Other = "other",
        Unknown = "unknown",
        Declined = "declined",
    }
}

words! {
    pub enum CallBackWanted {
        Yes = "yes",
        No = "no",
        Declined = "declined",
    }
}

/// Whether, when and how the caller is to be called back: the caller chooses.
#[derive(Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallBack {
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<CallBackWanted>,
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// How it is safe to call: who may answer, what to say first.
    #[garde(length(chars, max = 500))]
    #[schema(max_length = 500)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    #[garde(length(chars, max = 40))]
    #[schema(max_length = 40)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
}

/// The person that the call is about, as far as the caller says.
#[derive(Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonCalledAbout {
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_name: Option<String>,
    /// `YYYY-MM-DD`.
    #[garde(inner(custom(is_date)))]
    #[schema(format = "date")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    /// Years, when the date is not known.
    #[garde(range(max = 120))]
    #[schema(maximum = 120)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_estimate: Option<u8>,
    /// ISO 3166-1 alpha-2.
    #[garde(inner(custom(is_country)))]
    #[schema(pattern = "^[A-Z]{2}$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub citizenship: Option<String>,
    #[garde(length(chars, max = 40))]
    #[schema(max_length = 40)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doing_now: Option<String>,
}

/// All that is written down of a call. Every field is optional: an absent one was not asked.
#[derive(Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallContent {
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe_to_talk: Option<SafeToTalk>,
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<CallKind>,
    /// ISO 639, two or three lower-case letters.
    #[garde(inner(custom(is_language)))]
    #[schema(pattern = "^[a-z]{2,3}$")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter_needed: Option<InterpreterNeeded>,
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub danger: Option<Danger>,
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What the caller said, in the operator's words.
    #[garde(length(chars, max = 20_000))]
    #[schema(max_length = 20000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_is: Option<CallerIs>,
    #[garde(dive)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_back: Option<CallBack>,
    #[garde(dive)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonCalledAbout>,
}

/// No one alive was born before.
const EARLIEST_BIRTH: i32 = 1900;

fn is_date<C>(text: &str, _: &C) -> garde::Result {
    // Ten characters: chrono alone would also take `2001-2-3`.
    let date = (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten();
    match date {
        Some(date) if (EARLIEST_BIRTH..=9999).contains(&date.year()) => Ok(()),
        _ => Err(garde::Error::new("is a date of the calendar, YYYY-MM-DD")),
    }
}

fn is_country<C>(text: &str, _: &C) -> garde::Result {
    let fits = text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_uppercase());
    if fits { Ok(()) } else { Err(garde::Error::new("is a country's code of two capital letters (ISO 3166)")) }
}

fn is_language<C>(text: &str, _: &C) -> garde::Result {
    let fits = (2..=3).contains(&text.len()) && text.bytes().all(|letter| letter.is_ascii_lowercase());
    if fits { Ok(()) } else { Err(garde::Error::new("is a language's code of two or three small letters (ISO 639)")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> Vec<String> {
        let content: CallContent = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let Err(report) = content.validate() else { return Vec::new() };
        report.iter().map(|(path, _)| path.to_string()).collect()
    }

    #[test]
    fn what_fits_is_taken_and_comes_back_the_same() {
        let json = r#"{"safe_to_talk":"no","kind":"request_for_help","language":"aze","interpreter_needed":"declined","danger":"not_now","place":"Gəncə","said":"…","caller_is":"self","call_back":{"wanted":"declined","when":"nights","how":"never the door","number":"+994 12 000 00 00"},"person":{"first_name":"Ü","second_name":"Y","birthdate":"2004-02-29","age_estimate":120,"citizenship":"AZ","phone":"1","doing_now":"-"}}"#;
        assert_eq!(refused(json), Vec::<String>::new());
        let content: CallContent = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&content).unwrap(), json);
        assert_eq!(refused("{}"), Vec::<String>::new());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (json, field) in [
            (format!(r#"{{"place":"{}"}}"#, "ə".repeat(2001)), "place"),
            (format!(r#"{{"said":"{}"}}"#, "ə".repeat(20_001)), "said"),
            (format!(r#"{{"call_back":{{"when":"{}"}}}}"#, "x".repeat(201)), "call_back.when"),
            (format!(r#"{{"call_back":{{"how":"{}"}}}}"#, "x".repeat(501)), "call_back.how"),
            (format!(r#"{{"call_back":{{"number":"{}"}}}}"#, "1".repeat(41)), "call_back.number"),
            (format!(r#"{{"person":{{"first_name":"{}"}}}}"#, "x".repeat(201)), "person.first_name"),
            (format!(r#"{{"person":{{"second_name":"{}"}}}}"#, "x".repeat(201)), "person.second_name"),
            (format!(r#"{{"person":{{"phone":"{}"}}}}"#, "1".repeat(41)), "person.phone"),
            (format!(r#"{{"person":{{"doing_now":"{}"}}}}"#, "x".repeat(2001)), "person.doing_now"),
            (r#"{"person":{"age_estimate":121}}"#.to_owned(), "person.age_estimate"),
        ] {
            assert_eq!(refused(&json), [field], "{}", json.len());
        }
        for word in ["2003-02-29", "2001-2-3", "01-02-2001", "1899-12-31", "", "2001-02-030"] {
            assert_eq!(refused(&format!(r#"{{"person":{{"birthdate":"{word}"}}}}"#)), ["person.birthdate"], "{word}");
        }
        for word in ["az", "AZE", "A", "Aé", ""] {
            assert_eq!(
                refused(&format!(r#"{{"person":{{"citizenship":"{word}"}}}}"#)),
                ["person.citizenship"],
                "{word}"
            );
        }
        for word in ["a", "AZ", "azer", "ə", ""] {
            assert_eq!(refused(&format!(r#"{{"language":"{word}"}}"#)), ["language"], "{word}");
        }
    }

    #[test]
    fn a_bound_itself_fits() {
        let said = "ə".repeat(20_000);
        assert_eq!(refused(&format!(r#"{{"said":"{said}"}}"#)), Vec::<String>::new());
    }

    #[test]
    fn unknown_fields_and_words_are_refused_everywhere() {
        for json in [
            r#"{"sayd":"x"}"#,
            r#"{"call_back":{"whn":"x"}}"#,
            r#"{"person":{"name":"x"}}"#,
            r#"{"safe_to_talk":"declined"}"#,
            r#"{"person":{"age_estimate":-1}}"#,
        ] {
            assert!(serde_json::from_str::<CallContent>(json).is_err(), "{json}");
        }
    }
}
