//! What was typed into the fields of a section, and the form that asks for it.

use super::fields::Asks::{self, Any, Countries, Country, Day, Line, Number, One, YesOrNo};
use super::fields::{Field, Words, fields};
use super::join::{Marks, Open};
use crate::calls::pages::form::LANGUAGES;
use crate::guard::record::RecordKind;
use crate::platform::page::{Choice, Choices, Fields, Layout, Question, Text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Lists of more words than this open, instead of standing there.
const MANY: usize = 6;

impl Asks {
    /// What it must be, as a key.
    const fn rule(self) -> &'static str {
        match self {
            Self::Line | Self::Text(_) => "rule-text",
            Self::Day => "rule-day",
            Self::Number => "rule-number",
            Self::Country => "rule-country",
            Self::Countries => "rule-countries",
            Self::Language | Self::YesOrNo | Self::One(..) | Self::Any(..) => "rule-words",
        }
    }

    fn hint(self, page: &Layout) -> String {
        match self {
            Self::Country => page.say("hint-country"),
            Self::Countries => page.say("hint-countries"),
            _ => String::new(),
        }
    }
}

/// What stands in the form, field by field; a field of which nothing is said is not there.
#[derive(Clone, PartialEq)]
pub struct Typed {
    kind: RecordKind,
    said: BTreeMap<&'static str, Vec<String>>,
}

impl Typed {
    /// What was sent.
    #[must_use]
    pub fn of(kind: RecordKind, sent: &Fields) -> Self {
        let values = |field: &Field| match field.asks {
            Any(..) => sent.all(field.name).filter(|value| !value.is_empty()).map(str::to_owned).collect(),
            Countries => {
                let text = sent.text(field.name);
                text.split([' ', ',', ';', '\n']).filter(|code| !code.is_empty()).map(str::to_owned).collect()
            }
            _ => sent.get(field.name).map(str::to_owned).into_iter().collect::<Vec<_>>(),
        };
        Self::with(kind, values)
    }

    /// What was saved.
    #[must_use]
    pub fn saved(kind: RecordKind, content: &Value) -> Self {
        let one = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let values = |field: &Field| match content.get(field.name) {
            Some(Value::Array(values)) => values.iter().filter_map(one).collect(),
            Some(value) => one(value).into_iter().collect(),
            None => Vec::new(),
        };
        Self::with(kind, values)
    }

    /// From the values of each field. All but long texts as an answer of one line gives them back, so that what nobody changed is the same.
    pub(super) fn with(kind: RecordKind, mut values: impl FnMut(&Field) -> Vec<String>) -> Self {
        let mut plain = |field: &Field| {
            let values = values(field).into_iter();
            let values: Vec<String> = match field.asks {
                Asks::Text(_) => values.collect(),
                Country | Countries => values.map(|value| value.trim().to_ascii_uppercase()).collect(),
                _ => values.map(|value| value.replace(['\r', '\n'], "").trim().to_owned()).collect(),
            };
            values.into_iter().filter(|value| !value.is_empty()).collect::<Vec<_>>()
        };
        let said = fields(kind).iter().map(|field| (field.name, plain(field)));
        Self { kind, said: said.filter(|(_, values)| !values.is_empty()).collect() }
    }

    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        self.kind
    }

    #[must_use]
    pub fn values(&self, name: &str) -> &[String] {
        self.said.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        self.values(name).join(" ")
    }

    /// As the API takes it. What is no number is sent as it was typed, so that the API names the field.
    #[must_use]
    pub fn content(&self) -> Value {
        let value = |field: &Field| {
            let text = self.text(field.name);
            match field.asks {
                Any(..) | Countries => json!(self.values(field.name)),
                Number => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
                YesOrNo => json!(text == "true"),
                Asks::Text(_) | Country | Line | Day | Asks::Language | One(..) => json!(text),
            }
        };
        let stated = fields(self.kind).iter().filter(|field| self.said.contains_key(field.name));
        Value::Object(stated.map(|field| (field.name.to_owned(), value(field))).collect::<Map<_, _>>())
    }
}

/// A field of the form.
pub enum Shown {
    Text(Text),
    Question(Question),
    Choices(Choices),
}

/// The form of a section, with what is wrong with it.
#[must_use]
pub fn form(page: &Layout, typed: &Typed, marks: &Marks, wrong: &[&str]) -> Vec<Shown> {
    let shown = |field: &'static Field| match marks.open.iter().find(|open| open.field == field.name) {
        Some(open) => Shown::Question(to_be_chosen(page, field, open, typed)),
        None => shown(page, field, typed, wrong).hint(if marks.there.contains(&field.name) {
            page.say("join-there")
        } else if marks.both.contains(&field.name) {
            page.say("join-both")
        } else {
            String::new()
        }),
    };
    fields(typed.kind).iter().map(shown).collect()
}

impl Shown {
    /// With this hint, where it is one.
    fn hint(self, hint: String) -> Self {
        match self {
            shown if hint.is_empty() => shown,
            Self::Text(text) => Self::Text(text.hint(hint)),
            Self::Question(question) => Self::Question(question.hint(hint)),
            Self::Choices(choices) => Self::Choices(choices.hint(hint)),
        }
    }
}

/// What a colleague saved, and what was typed here: one of the two.
fn to_be_chosen(page: &Layout, field: &Field, open: &Open, typed: &Typed) -> Question {
    let choice = |key: &str, value: &str| Choice {
        value: value.to_owned(),
        label: page.say_with(key, "answer", in_words(page, field, value)),
        chosen: open.chosen && typed.text(field.name) == value,
    };
    let choices = vec![choice("join-choice-there", &open.there), choice("join-choice-here", &open.here)];
    let question = Question::of_choices(field.name, name(page, field), choices).hint(page.say("join-choose"));
    question.error((!open.chosen && open.asked_again).then(|| page.say("join-choose-rule")))
}

fn shown(page: &Layout, field: &Field, typed: &Typed, wrong: &[&str]) -> Shown {
    // Of a list the API names the place as well.
    let named = |wrong: &&str| wrong.split('[').next() == Some(field.name);
    let error = wrong.iter().any(named).then(|| page.say(field.asks.rule()));
    let (label, value) = (name(page, field), typed.text(field.name));
    let text = |label: String| Text::line(field.name, label).value(&value).hint(field.asks.hint(page));
    let question =
        |choices| Shown::Question(Question::of_choices(field.name, label.clone(), choices).error(error.clone()));
    let choice = |value: &str, label: String| Choice {
        chosen: typed.values(field.name).iter().any(|chosen| chosen == value),
        value: value.to_owned(),
        label,
    };
    let unstated = || Choice { value: String::new(), label: page.say("field-unstated"), chosen: value.is_empty() };
    let listed =
        |family: &str, words: Words| words().into_iter().map(|word| choice(word, page.word(family, word))).collect();
    match field.asks {
        Line | Country | Countries => Shown::Text(text(label).error(error)),
        Asks::Text(rows) => Shown::Text(text(label).rows(rows).error(error)),
        Day => Shown::Text(text(label).kind("date").error(error)),
        Number => Shown::Text(text(label).kind("number").error(error)),
        YesOrNo => {
            let yes_or_no = ["true", "false"].map(|word| choice(word, page.word("answer", word)));
            question(std::iter::once(unstated()).chain(yes_or_no).collect())
        }
        Asks::Language => {
            let mut choices = vec![unstated()];
            choices.extend(LANGUAGES.iter().map(|code| choice(code, page.word("call-language", code))));
            if !value.is_empty() && !LANGUAGES.contains(&value.as_str()) {
                choices.push(choice(&value, value.clone()));
            }
            let question = Question::of_choices(field.name, label, choices).error(error);
            Shown::Question(question.folded())
        }
        One(family, words) => {
            let choices: Vec<Choice> = std::iter::once(unstated()).chain::<Vec<_>>(listed(family, words)).collect();
            let folded = choices.len() > MANY;
            let question = Question::of_choices(field.name, label, choices).error(error);
            Shown::Question(if folded { question.folded() } else { question })
        }
        Any(family, words) => Shown::Choices(Choices::new(field.name, label, listed(family, words)).error(error)),
    }
}

/// The name of a field.
#[must_use]
pub fn name(page: &Layout, field: &Field) -> String {
    page.say(&format!("field-{}", field.name))
}

/// What a field says, as people say it.
#[must_use]
pub fn said(page: &Layout, field: &Field, typed: &Typed) -> String {
    let values = typed.values(field.name);
    if values.is_empty() {
        return page.say("field-unstated");
    }
    values.iter().map(|value| in_words(page, field, value)).collect::<Vec<_>>().join(", ")
}

/// One of its values, as people say it.
fn in_words(page: &Layout, field: &Field, value: &str) -> String {
    match field.asks {
        _ if value.is_empty() => page.say("field-unstated"),
        One(family, words) | Any(family, words) if words().contains(&value) => page.word(family, value),
        YesOrNo => page.word("answer", value),
        Asks::Language if LANGUAGES.contains(&value) => page.word("call-language", value),
        _ => value.to_owned(),
    }
}

/// Every key that the forms of sections are made of.
#[cfg(test)]
pub fn keys() -> impl Iterator<Item = String> {
    RecordKind::ALL.iter().flat_map(|kind| fields(*kind)).flat_map(|field| {
        let words = match field.asks {
            One(family, words) | Any(family, words) => {
                words().into_iter().map(|word| format!("{family}-{word}")).collect()
            }
            YesOrNo => ["true", "false"].map(|word| format!("answer-{word}")).to_vec(),
            _ => Vec::new(),
        };
        std::iter::once(format!("field-{}", field.name)).chain(words)
    })
}

/// Every field that is filled in, with its name: for who reads and does not write.
#[must_use]
pub fn read(page: &Layout, typed: &Typed) -> Vec<(String, String)> {
    let stated = fields(typed.kind).iter().filter(|field| typed.said.contains_key(field.name));
    stated.map(|field| (name(page, field), said(page, field, typed))).collect()
}
