//! The questions of a call, in the order in which they are asked, and what was typed into them.

use crate::calls::content::{CallBackWanted, CallContent, CallKind, CallerIs, Danger, InterpreterNeeded, SafeToTalk};
use crate::platform::page::{Choice, Fields, Layout, Question, Refused, Text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Every field, under the name that the API has for it.
pub const FIELDS: [&str; 19] = [
    "safe_to_talk",
    "danger",
    "place",
    "language",
    "interpreter_needed",
    "kind",
    "said",
    "caller_is",
    "call_back.wanted",
    "call_back.when",
    "call_back.how",
    "call_back.number",
    "person.first_name",
    "person.second_name",
    "person.birthdate",
    "person.age_estimate",
    "person.citizenship",
    "person.phone",
    "person.doing_now",
];

/// The languages that are offered: those that callers speak here, and `und` for any other.
pub const LANGUAGES: [&str; 22] = [
    "az", "ru", "en", "tr", "ka", "fa", "uk", "uz", "kk", "ky", "tk", "tg", "ar", "ur", "hi", "zh", "vi", "tl", "ro",
    "fr", "es", "und",
];

/// Where words are joined when two were typed in two places.
const LONG: [&str; 3] = ["said", "place", "person.doing_now"];

/// What stands in the form, field by field.
#[derive(Clone, Default, PartialEq)]
pub struct Typed(BTreeMap<&'static str, String>);

impl Typed {
    /// What was sent.
    pub fn of(fields: &Fields) -> Self {
        Self(FIELDS.iter().filter_map(|name| Some((*name, fields.get(name)?.to_owned()))).collect())
    }

    /// What was saved.
    pub fn saved(content: &CallContent) -> Self {
        let value = serde_json::to_value(content).unwrap_or_default();
        let text = |name: &str| match value.pointer(&format!("/{}", name.replace('.', "/")))? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        Self(FIELDS.iter().filter_map(|name| Some((*name, text(name)?))).collect())
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// In the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        FIELDS.into_iter().filter_map(|name| Some((name, self.0.get(name)?.as_str())))
    }

    /// The kind of the call, if it is one.
    pub fn kind(&self) -> Option<CallKind> {
        self.get("kind").parse().ok()
    }

    pub fn with_kind(mut self, kind: CallKind) -> Self {
        self.0.insert("kind", kind.as_str().to_owned());
        self
    }

    /// Whether there is more than a call that is over at once would keep.
    pub fn is_more_than_kind(&self) -> bool {
        self.0.keys().any(|name| !matches!(*name, "kind" | "language"))
    }

    /// As the API takes it. What is no number is sent as it was typed, so that the API names the field.
    pub fn content(&self) -> Value {
        let mut content = Map::new();
        for (name, typed) in self.iter() {
            let value = match name {
                "person.age_estimate" => typed.trim().parse::<u64>().map_or_else(|_| json!(typed), |age| json!(age)),
                "person.citizenship" => json!(typed.trim().to_ascii_uppercase()),
                name if LONG.contains(&name) => json!(typed),
                _ => json!(typed.trim()),
            };
            match name.split_once('.') {
                Some((outer, inner)) => {
                    let within = content.entry(outer).or_insert_with(|| json!({}));
                    if let Some(within) = within.as_object_mut() {
                        within.insert(inner.to_owned(), value);
                    }
                }
                None => {
                    content.insert(name.to_owned(), value);
                }
            }
        }
        Value::Object(content)
    }

    /// The fields that differ.
    pub fn differs(&self, other: &Self) -> Vec<&'static str> {
        FIELDS.into_iter().filter(|name| self.get(name) != other.get(name)).collect()
    }

    /// What was typed here, with the words of the other one before those that differ. Where only one says something, that stays: a
    /// number that is safe to call is not lost because another window did not have it.
    pub fn joined(mut self, saved: &Self) -> Self {
        for name in FIELDS {
            let (here, there) = (self.get(name).to_owned(), saved.get(name));
            if here.is_empty() && !there.is_empty() {
                self.0.insert(name, there.to_owned());
            } else if LONG.contains(&name) && !there.is_empty() && here != there {
                self.0.insert(name, format!("{there}\n\n{here}"));
            }
        }
        self
    }
}

/// What is wrong with a field, in words: what it must be.
pub fn error(page: &Layout, refused: Option<&Refused>, name: &str) -> Option<String> {
    let named = |field: &str| field.strip_prefix("content.").unwrap_or(field) == name;
    let wrong = refused?.fields().any(named);
    wrong.then(|| page.say(&format!("call-rule-{}", name.replace('.', "-"))))
}

/// The form of one call.
pub struct Form {
    pub safe: Question,
    pub danger: Question,
    pub place: Text,
    pub language: Question,
    pub interpreter: Question,
    pub kind: Question,
    pub said: Text,
    pub caller: Question,
    pub call_back: Vec<Text>,
    pub call_back_wanted: Question,
    pub person: Vec<Text>,
    pub call_back_open: bool,
    pub person_open: bool,
}

impl Form {
    pub fn new(page: &Layout, typed: &Typed, refused: Option<&Refused>) -> Self {
        let wrong = |name: &str| error(page, refused, name);
        let text = |name: &'static str| {
            let label = page.say(&format!("call-field-{}", name.replace('.', "-")));
            Text::line(name, label).value(typed.get(name)).error(wrong(name))
        };
        let question = |name: &'static str, words: Vec<&'static str>| {
            let dashed = name.replace('.', "-");
            let (label, family) = (format!("call-field-{dashed}"), format!("call-{dashed}"));
            let told = (name, label.as_str(), family.as_str());
            Question::of_words(page, told, words.into_iter(), Some("call-not-asked"), typed.get(name))
                .error(wrong(name))
        };
        // The kinds that are over at once have keys and buttons of their own, and stand here only when one was chosen.
        let kinds = CallKind::ALL.iter().filter(|kind| !kind.is_quick() || typed.kind() == Some(**kind));
        let begun = |part: &str| FIELDS.iter().any(|name| name.starts_with(part) && !typed.get(name).is_empty());
        let wrong_in = |part: &str| FIELDS.iter().any(|name| name.starts_with(part) && wrong(name).is_some());
        Self {
            safe: question("safe_to_talk", SafeToTalk::ALL.iter().map(|word| word.as_str()).collect()),
            danger: question("danger", Danger::ALL.iter().map(|word| word.as_str()).collect()),
            place: text("place").rows(2),
            language: language(page, typed.get("language")).error(wrong("language")),
            interpreter: question("interpreter_needed", InterpreterNeeded::ALL.iter().map(|w| w.as_str()).collect()),
            kind: question("kind", kinds.map(|kind| kind.as_str()).collect()),
            said: text("said").rows(18).hint(page.say("call-hint-said")),
            caller: question("caller_is", CallerIs::ALL.iter().map(|word| word.as_str()).collect()).folded(),
            call_back_wanted: question("call_back.wanted", CallBackWanted::ALL.iter().map(|w| w.as_str()).collect()),
            call_back: vec![
                text("call_back.when"),
                text("call_back.how").rows(2).hint(page.say("call-hint-how")),
                text("call_back.number").kind("tel"),
            ],
            person: vec![
                text("person.first_name"),
                text("person.second_name"),
                text("person.birthdate").hint(page.say("call-hint-birthdate")),
                text("person.age_estimate").hint(page.say("call-hint-age")),
                text("person.citizenship").hint(page.say("call-hint-citizenship")),
                text("person.phone").kind("tel"),
                text("person.doing_now").rows(2),
            ],
            call_back_open: begun("call_back.") || wrong_in("call_back."),
            person_open: begun("person.") || wrong_in("person."),
        }
    }
}

fn language(page: &Layout, chosen: &str) -> Question {
    let choice = |value: &str, label: String| Choice { value: value.to_owned(), label, chosen: value == chosen };
    let mut choices = vec![choice("", page.say("call-not-asked"))];
    choices.extend(LANGUAGES.iter().map(|code| choice(code, page.word("call-language", code))));
    if !chosen.is_empty() && !LANGUAGES.contains(&chosen) {
        choices.push(choice(chosen, chosen.to_owned()));
    }
    Question::of_choices("language", page.say("call-field-language"), choices).folded()
}

/// What a field says, as people say it: for a last look, and where two differ.
pub fn said(page: &Layout, name: &str, value: &str) -> String {
    let family = match name {
        "safe_to_talk" => "call-safe_to_talk",
        "danger" => "call-danger",
        "interpreter_needed" => "call-interpreter_needed",
        "kind" => "call-kind",
        "caller_is" => "call-caller_is",
        "call_back.wanted" => "call-call_back-wanted",
        "language" if LANGUAGES.contains(&value) => "call-language",
        _ => return value.to_owned(),
    };
    if value.is_empty() { page.say("call-not-asked") } else { page.word(family, value) }
}

/// The name of a field.
pub fn name(page: &Layout, field: &str) -> String {
    page.say(&format!("call-field-{}", field.replace('.', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_what_the_api_takes_and_comes_back_the_same() {
        let json = r#"{"safe_to_talk":"no","kind":"crisis","language":"az","interpreter_needed":"declined","danger":"not_now",
            "place":"Gəncə","said":"two\n lines ","caller_is":"self","call_back":{"wanted":"yes","when":"nights","how":"ask","number":"+994"},
            "person":{"first_name":"Ü","second_name":"Y","birthdate":"2004-02-29","age_estimate":20,"citizenship":"AZ","phone":"1","doing_now":"-"}}"#;
        let content: CallContent = serde_json::from_str(json).unwrap();
        let typed = Typed::saved(&content);
        assert_eq!(typed.iter().count(), FIELDS.len(), "a field of a call has no place in the form");
        assert_eq!(typed.content(), serde_json::to_value(&content).unwrap());
        assert_eq!(Typed::default().content(), json!({}));
    }

    #[test]
    fn both_texts_stay_where_two_were_typed() {
        let of = |said: &str, danger: &str| {
            Typed(BTreeMap::from([("said", said.to_owned()), ("danger", danger.to_owned())]))
        };
        let (here, there) = (of("here", "soon"), of("there", "immediate"));
        assert_eq!(here.differs(&there), ["danger", "said"]);
        let both = here.clone().joined(&there);
        assert_eq!((both.get("said"), both.get("danger")), ("there\n\nhere", "soon"));
        assert!(here.clone().joined(&here) == here);
        // A number that only the other window knew is not lost.
        let mut knows = there;
        knows.0.insert("call_back.number", "+994".to_owned());
        assert_eq!(here.joined(&knows).get("call_back.number"), "+994");
    }
}
