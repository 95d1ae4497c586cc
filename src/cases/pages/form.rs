//! The fields of each section, in the order in which they are asked for, and what was typed into them.

use crate::calls::pages::form::LANGUAGES;
use crate::cases::codes::{
    DecisionMaker, Education, ExploitationType, Gender, LabourIndustry, MaritalStatus, MethodOfControl,
    MethodOfRecruitment, RelationshipToTrafficker, SexExploitationType, TraffickingStatus, Website,
};
use crate::cases::states::ProsecutionStage;
use crate::cases::terms::{Act, Category, Means, Offer, PreferredSex, Risk, SafeToContact, Sex};
use crate::guard::record::RecordKind;
use crate::platform::page::{Choice, Choices, Fields, Layout, Question, Refused, Text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The words of a list.
type Words = fn() -> Vec<&'static str>;

macro_rules! words {
    ($list:ty) => {
        || <$list>::ALL.iter().map(|word| word.as_str()).collect()
    };
}

/// How a field is asked for.
#[derive(Clone, Copy)]
pub enum Asks {
    Line,
    /// Several lines, so many.
    Text(u8),
    Day,
    Number,
    /// A code of ISO 3166.
    Country,
    /// Several of them.
    Countries,
    /// A code of ISO 639.
    Language,
    YesOrNo,
    /// One of a list; the family under which its words are said.
    One(&'static str, Words),
    /// Any of a list.
    Any(&'static str, Words),
}

/// A field of a section, under the name that the API has for it.
pub struct Field {
    pub name: &'static str,
    pub asks: Asks,
}

const fn field(name: &'static str, asks: Asks) -> Field {
    Field { name, asks }
}

use Asks::{Any, Countries, Country, Day, Line, Number, One, YesOrNo};

const IDENTITY: [Field; 15] = [
    field("category", One("category", words!(Category))),
    field("first_name", Line),
    field("middle_name", Line),
    field("second_name", Line),
    field("birthdate", Day),
    field("age_is_doubtful", YesOrNo),
    field("sex", One("sex", words!(Sex))),
    field("gender", One("gender", words!(Gender))),
    field("citizenship", Countries),
    field("identity_number", Line),
    field("primary_language", Asks::Language),
    field("secondary_language", Asks::Language),
    field("marital_status", One("marital", words!(MaritalStatus))),
    field("number_of_children", Number),
    field("education", One("education", words!(Education))),
];

const CONTACT: [Field; 12] = [
    field("safe_to_contact", One("safe-to-contact", words!(SafeToContact))),
    field("how_to_contact", Asks::Text(3)),
    field("risk", One("risk", words!(Risk))),
    field("risk_notes", Asks::Text(5)),
    field("mobile_phone", Line),
    field("home_phone", Line),
    field("email", Line),
    field("street", Line),
    field("city", Line),
    field("country", Country),
    field("preferred_sex_of_interviewer", One("preferred-sex", words!(PreferredSex))),
    field("preferred_sex_of_interpreter", One("preferred-sex", words!(PreferredSex))),
];

const NARRATIVE: [Field; 12] = [
    field("text", Asks::Text(16)),
    field("recruitment_methods", Any("recruitment", words!(MethodOfRecruitment))),
    field("acts", Any("act", words!(Act))),
    field("means", Any("means", words!(Means))),
    field("methods_of_control", Any("control", words!(MethodOfControl))),
    field("exploitation_types", Any("exploitation", words!(ExploitationType))),
    field("forced_labour_industry", One("industry", words!(LabourIndustry))),
    field("sex_exploitation_types", Any("sex-exploitation", words!(SexExploitationType))),
    field("relationship_to_trafficker", One("trafficker", words!(RelationshipToTrafficker))),
    field("age_when_trafficked", Number),
    field("recruitment_websites", Any("website", words!(Website))),
    field("websites", Any("website", words!(Website))),
];

const LEGAL: [Field; 5] = [
    field("trafficking_status", One("trafficking-status", words!(TraffickingStatus))),
    field("decided_by", One("decision-maker", words!(DecisionMaker))),
    field("rights_notice_given_on", Day),
    field("lawyer", One("offer", words!(Offer))),
    field("notes", Asks::Text(8)),
];

const INVESTIGATION: [Field; 2] =
    [field("prosecution_stage", One("stage", words!(ProsecutionStage))), field("leads", Asks::Text(14))];

/// The fields of a section; none for a kind that officers do not write.
#[must_use]
pub fn fields(kind: RecordKind) -> &'static [Field] {
    match kind {
        RecordKind::Identity => &IDENTITY,
        RecordKind::ContactAndSafety => &CONTACT,
        RecordKind::Narrative => &NARRATIVE,
        RecordKind::Legal => &LEGAL,
        RecordKind::Investigation => &INVESTIGATION,
        _ => &[],
    }
}

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
                let text = sent.text(field.name).to_ascii_uppercase();
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

    fn with(kind: RecordKind, values: impl Fn(&Field) -> Vec<String>) -> Self {
        let said = fields(kind).iter().map(|field| (field.name, values(field)));
        Self { kind, said: said.filter(|(_, values)| !values.is_empty()).collect() }
    }

    fn values(&self, name: &str) -> &[String] {
        self.said.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        self.values(name).join(" ")
    }

    /// As hidden fields, one for each value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.said.iter().flat_map(|(name, values)| values.iter().map(|value| (*name, value.as_str())))
    }

    /// As the API takes it. What is no number is sent as it was typed, so that the API names the field.
    #[must_use]
    pub fn content(&self) -> Value {
        let value = |field: &Field| {
            let text = self.text(field.name);
            match field.asks {
                Any(..) | Countries => json!(self.values(field.name)),
                Number => text.trim().parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
                YesOrNo => json!(text == "true"),
                Country => json!(text.trim().to_ascii_uppercase()),
                Asks::Text(_) => json!(text),
                Line | Day | Asks::Language | One(..) => json!(text.trim()),
            }
        };
        let stated = fields(self.kind).iter().filter(|field| self.said.contains_key(field.name));
        Value::Object(stated.map(|field| (field.name.to_owned(), value(field))).collect::<Map<_, _>>())
    }

    /// The fields in which two differ.
    #[must_use]
    pub fn differs(&self, other: &Self) -> Vec<&'static Field> {
        fields(self.kind).iter().filter(|field| self.values(field.name) != other.values(field.name)).collect()
    }

    /// What was typed here with what was saved there: long texts one after the other, lists together; of everything else what was
    /// typed here, where something was.
    #[must_use]
    pub fn joined(mut self, there: &Self) -> Self {
        for field in fields(self.kind) {
            let (here, other) = (self.values(field.name).to_vec(), there.values(field.name));
            let both = match field.asks {
                Asks::Text(_) if here != other && !here.is_empty() && !other.is_empty() => {
                    vec![format!("{}\n\n{}", other.join(""), here.join(""))]
                }
                Any(..) | Countries => {
                    let more = here.iter().filter(|value| !other.contains(value)).cloned();
                    other.iter().cloned().chain(more).collect()
                }
                _ if here.is_empty() => other.to_vec(),
                _ => here,
            };
            if !both.is_empty() {
                self.said.insert(field.name, both);
            }
        }
        self
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
pub fn form(page: &Layout, typed: &Typed, refused: Option<&Refused>) -> Vec<Shown> {
    fields(typed.kind).iter().map(|field| shown(page, field, typed, refused)).collect()
}

fn shown(page: &Layout, field: &Field, typed: &Typed, refused: Option<&Refused>) -> Shown {
    // Of a list the API names the place as well.
    let named = |wrong: &str| wrong.split('[').next() == Some(field.name);
    let wrong = refused.is_some_and(|refused| refused.fields().any(named));
    let error = wrong.then(|| page.say(field.asks.rule()));
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
    let one = |value: &String| match field.asks {
        One(family, words) | Any(family, words) if words().contains(&value.as_str()) => page.word(family, value),
        YesOrNo => page.word("answer", value),
        Asks::Language if LANGUAGES.contains(&value.as_str()) => page.word("call-language", value),
        _ => value.clone(),
    };
    if values.is_empty() { page.say("field-unstated") } else { values.iter().map(one).collect::<Vec<_>>().join(", ") }
}

/// Every key that the forms of sections are made of.
#[cfg(test)]
pub fn keys() -> impl Iterator<Item = String> {
    let all =
        [IDENTITY.iter(), CONTACT.iter(), NARRATIVE.iter(), LEGAL.iter(), INVESTIGATION.iter()].into_iter().flatten();
    all.flat_map(|field| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::document::{OF_CASE, OF_PERSON};
    use crate::cases::sections::{ContactAndSafety, Identity, Investigation, Legal, Narrative};
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use utoipa::PartialSchema;

    /// What a section may hold, from the API's own description of it.
    fn names<T: PartialSchema>() -> Vec<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    fn every_field_has_its_place<T: PartialSchema + Serialize + DeserializeOwned>(kind: RecordKind) {
        let mut here: Vec<&str> = fields(kind).iter().map(|field| field.name).collect();
        let mut there = names::<T>();
        here.sort_unstable();
        there.sort_unstable();
        assert_eq!(here, there, "{kind}");
        // What is typed into each is what the API takes, and it comes back the same.
        let value = |field: &Field| match field.asks {
            Line | Asks::Text(_) => " Ə\n".to_owned(),
            Day => "2009-02-28".to_owned(),
            Number => "7".to_owned(),
            Country | Asks::Language => "az".to_owned(),
            Countries => "AZ, ge".to_owned(),
            YesOrNo => "false".to_owned(),
            One(_, words) | Any(_, words) => words()[0].to_owned(),
        };
        let sent: Vec<String> = fields(kind)
            .iter()
            .map(|field| {
                format!(
                    "{}={}",
                    field.name,
                    percent_encoding::utf8_percent_encode(&value(field), percent_encoding::NON_ALPHANUMERIC)
                )
            })
            .collect();
        let typed = Typed::of(kind, &Fields::read(sent.join("&").as_bytes()).unwrap());
        let stored = serde_json::to_value(serde_json::from_value::<T>(typed.content()).unwrap()).unwrap();
        let back = Typed::saved(kind, &stored);
        assert_eq!(back.content(), stored, "{kind}");
        assert!(Typed::saved(kind, &typed.content()) == back, "{kind}");
    }

    #[test]
    fn every_field_of_a_section_has_a_place_in_its_form() {
        every_field_has_its_place::<Identity>(RecordKind::Identity);
        every_field_has_its_place::<ContactAndSafety>(RecordKind::ContactAndSafety);
        every_field_has_its_place::<Narrative>(RecordKind::Narrative);
        every_field_has_its_place::<Legal>(RecordKind::Legal);
        every_field_has_its_place::<Investigation>(RecordKind::Investigation);
        for kind in OF_CASE.into_iter().chain(OF_PERSON) {
            assert_eq!(fields(kind).is_empty(), kind == RecordKind::Care, "{kind}");
        }
    }

    #[test]
    fn nothing_of_two_is_lost_where_they_are_joined() {
        let of = |json: Value| Typed::saved(RecordKind::Narrative, &json);
        let here = of(json!({ "text": "here", "acts": ["transfer", "receipt"], "age_when_trafficked": 9 }));
        let there = of(json!({ "text": "there", "acts": ["transfer", "recruitment"], "websites": ["Line"] }));
        let names: Vec<&str> = here.differs(&there).iter().map(|field| field.name).collect();
        assert_eq!(names, ["text", "acts", "age_when_trafficked", "websites"]);
        let both = here.clone().joined(&there).content();
        let joined = json!({ "text": "there\n\nhere", "acts": ["transfer", "recruitment", "receipt"],
            "age_when_trafficked": 9, "websites": ["Line"] });
        assert_eq!(both, joined);
        assert!(here.clone().joined(&here) == here);
    }
}
