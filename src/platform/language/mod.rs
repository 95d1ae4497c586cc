//! Words for people, in the three languages of the country: Azerbaijani, Russian, English.
//!
//! The texts are Fluent files, one for each capability, under the same name in the folder of each language (`az/access_list.ftl`); they are
//! compiled into the program. A key begins with what it belongs to. `say` is the only way to them. A test finds a key that one
//! language lacks, that takes other values there, or that nobody says.

#[cfg(test)]
mod tests;

use crate::guard::words::words;
use chrono::{Datelike as _, NaiveDate};
use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader as _, static_loader};
use std::borrow::Cow;
use std::collections::HashMap;

static_loader! {
    static TEXTS = {
        locales: "./src/platform/language",
        fallback_language: "en",
        // The marks around what is filled in would be looked for in vain on paper, and found in copied text.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

words! {
    /// A language in which somebody is spoken to.
    pub enum Language {
        Azerbaijani = "az",
        Russian = "ru",
        English = "en",
    }
}

/// What is filled in.
pub type Filled<'a> = (&'static str, FluentValue<'a>);

/// A text in a language, with what is filled in. A key that stands nowhere is said as it is: a test sees to it that there is none.
#[must_use]
pub fn say(language: Language, key: &str, filled: &[Filled<'_>]) -> String {
    let Ok(language) = language.as_str().parse::<LanguageIdentifier>() else { return key.to_owned() };
    let filled: HashMap<Cow<'static, str>, FluentValue<'_>> =
        filled.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect();
    TEXTS.try_lookup_with_args(&language, key, &filled).unwrap_or_else(|| key.to_owned())
}

/// A day in words: `23 noyabr 2026`, `23 ноября 2026 г.`, `23 November 2026`, with spaces at which no line breaks where one would look odd.
#[must_use]
pub fn day(language: Language, day: NaiveDate) -> String {
    let month = say(language, &format!("month-{}", day.month()), &[]);
    // As text: a year is not grouped like a number.
    let (of_month, year) = (day.day().to_string(), day.year().to_string());
    say(language, "day", &[("day", of_month.into()), ("month", month.into()), ("year", year.into())])
}
