//! What a form asks for: texts and questions, each with its label, its hint, and what is wrong with it.

use super::Layout;

/// A line, or several, to be typed.
pub struct Text {
    pub name: String,
    pub label: String,
    pub hint: String,
    pub error: String,
    pub value: String,
    /// One is a line.
    pub rows: u8,
    /// As browsers call it: `text`, `password`, `tel`, `datetime-local`.
    pub kind: &'static str,
    /// What a browser may fill in by itself; nothing of a person is `off`.
    pub fill: &'static str,
}

impl Text {
    #[must_use]
    pub fn line(name: &str, label: String) -> Self {
        Self {
            name: name.to_owned(),
            label,
            hint: String::new(),
            error: String::new(),
            value: String::new(),
            rows: 1,
            kind: "text",
            fill: "off",
        }
    }

    #[must_use]
    pub fn hint(self, hint: String) -> Self {
        Self { hint, ..self }
    }

    #[must_use]
    pub fn value(self, value: &str) -> Self {
        Self { value: value.to_owned(), ..self }
    }

    #[must_use]
    pub fn error(self, error: Option<String>) -> Self {
        Self { error: error.unwrap_or_default(), ..self }
    }

    #[must_use]
    pub fn rows(self, rows: u8) -> Self {
        Self { rows, ..self }
    }

    #[must_use]
    pub fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    #[must_use]
    pub fn fill(self, fill: &'static str) -> Self {
        Self { fill, ..self }
    }
}

/// One of several answers.
pub struct Choice {
    pub value: String,
    pub label: String,
    pub chosen: bool,
}

/// Several of several answers.
pub struct Choices {
    pub name: String,
    pub label: String,
    pub hint: String,
    pub error: String,
    pub choices: Vec<Choice>,
}

impl Choices {
    #[must_use]
    pub fn new(name: &str, label: String, choices: Vec<Choice>) -> Self {
        Self { name: name.to_owned(), label, hint: String::new(), error: String::new(), choices }
    }

    #[must_use]
    pub fn hint(self, hint: String) -> Self {
        Self { hint, ..self }
    }

    #[must_use]
    pub fn error(self, error: Option<String>) -> Self {
        Self { error: error.unwrap_or_default(), ..self }
    }
}

/// A question with its answers.
pub struct Question {
    pub name: String,
    pub label: String,
    pub hint: String,
    pub error: String,
    pub choices: Vec<Choice>,
    /// Shown as a list that opens, since there are many.
    pub folded: bool,
}

impl Question {
    /// Whose answers are words of the domain, said as `family-word`; without an answer where `unasked` says how that is called.
    #[must_use]
    pub fn of_words(
        page: &Layout,
        (name, label, family): (&str, &str, &str),
        words: impl Iterator<Item = &'static str>,
        unasked: Option<&str>,
        chosen: &str,
    ) -> Self {
        let choice = |value: &str, label: String| Choice { value: value.to_owned(), label, chosen: chosen == value };
        let none = unasked.map(|key| choice("", page.say(key)));
        let choices = none.into_iter().chain(words.map(|word| choice(word, page.word(family, word)))).collect();
        Self::of_choices(name, page.say(label), choices)
    }

    /// Whose answers are people or records.
    #[must_use]
    pub fn of_choices(name: &str, label: String, choices: Vec<Choice>) -> Self {
        let (hint, error) = (String::new(), String::new());
        Self { name: name.to_owned(), label, hint, error, choices, folded: false }
    }

    #[must_use]
    pub fn hint(self, hint: String) -> Self {
        Self { hint, ..self }
    }

    #[must_use]
    pub fn error(self, error: Option<String>) -> Self {
        Self { error: error.unwrap_or_default(), ..self }
    }

    #[must_use]
    pub fn folded(self) -> Self {
        Self { folded: true, ..self }
    }
}
