//! Two who save at once. What was read, what was typed over it and what a colleague saved meanwhile are put together field by field: what only
//! one of the two changed is taken; where both changed it, a list has what both put in, a long text stands one after the other, and of a short
//! answer whoever typed chooses. Nothing of it is saved before they saw it.

use super::fields::Asks::{self, Any, Countries};
use super::fields::{Field, fields};
use super::form::Typed;
use crate::guard::record::RecordKind;
use crate::guard::statement::hex;
use crate::platform::page::Fields;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What stood in a section when it was read. Of a long text its digest: whether it was changed is all that is asked, and the form stays half
/// as long.
#[derive(Clone, PartialEq)]
pub struct Base(BTreeMap<&'static str, Vec<String>>);

impl Base {
    /// What is shown now, to be sent back with what is typed over it.
    #[must_use]
    pub fn read(typed: &Typed) -> Self {
        let values = |field: &Field| match field.asks {
            Asks::Text(_) => typed.values(field.name).iter().map(|text| digest(text)).collect(),
            _ => typed.values(field.name).to_vec(),
        };
        Self::with(typed.kind(), values)
    }

    /// What came back. A form without it is one of somebody who read nothing: then every difference is asked about.
    #[must_use]
    pub fn of(kind: RecordKind, sent: &Fields) -> Self {
        Self::with(kind, |field| values(sent, "base", field.name))
    }

    fn with(kind: RecordKind, values: impl Fn(&Field) -> Vec<String>) -> Self {
        let said = fields(kind).iter().map(|field| (field.name, values(field)));
        Self(said.filter(|(_, values)| !values.is_empty()).collect())
    }

    fn values(&self, name: &str) -> &[String] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// As hidden fields, one for each value.
    #[must_use]
    pub fn hidden(&self) -> Vec<(String, String)> {
        let of = |(name, values): (&&str, &Vec<String>)| -> Vec<(String, String)> {
            values.iter().map(|value| (format!("base-{name}"), value.clone())).collect()
        };
        self.0.iter().flat_map(of).collect()
    }
}

fn values(sent: &Fields, beginning: &str, name: &str) -> Vec<String> {
    let name = format!("{beginning}-{name}");
    sent.all(&name).filter(|value| !value.trim().is_empty()).map(str::to_owned).collect()
}

/// Line ends as a form sends them back, whoever wrote them.
fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.replace("\r\n", "\n").replace('\r', "\n")))
}

/// A short answer that both changed: whoever typed chooses.
#[derive(PartialEq)]
pub struct Open {
    pub field: &'static str,
    pub there: String,
    pub here: String,
    pub chosen: bool,
    /// They were asked, and sent it without an answer.
    pub asked_again: bool,
}

/// What came of putting two together, as the form marks it.
#[derive(Default, PartialEq)]
pub struct Marks {
    /// The colleague alone changed these.
    pub there: Vec<&'static str>,
    /// Both did, and both stand there.
    pub both: Vec<&'static str>,
    pub open: Vec<Open>,
}

impl Marks {
    /// What came back with a form that was put together.
    #[must_use]
    pub fn of(kind: RecordKind, sent: &Fields) -> Self {
        let named = |mark: &str| -> Vec<&'static str> {
            let names: Vec<&str> = sent.all(mark).collect();
            fields(kind).iter().map(|field| field.name).filter(|name| names.contains(name)).collect()
        };
        let open = |field: &'static str| Open {
            field,
            there: values(sent, "base", field).join(" "),
            here: values(sent, "mine", field).join(" "),
            // Also when nothing is what was chosen.
            chosen: sent.all(field).next().is_some(),
            asked_again: sent.get("speak").is_none(),
        };
        Self { there: named("there"), both: named("both"), open: named("open").into_iter().map(open).collect() }
    }

    /// Whether two were put together at all.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    #[must_use]
    pub fn all_chosen(&self) -> bool {
        self.open.iter().all(|open| open.chosen)
    }

    /// As hidden fields.
    #[must_use]
    pub fn hidden(&self) -> Vec<(String, String)> {
        let named = |mark: &str, name: &str| (mark.to_owned(), name.to_owned());
        let there = self.there.iter().map(|name| named("there", name));
        let both = self.both.iter().map(|name| named("both", name));
        let open = self
            .open
            .iter()
            .flat_map(|open| [named("open", open.field), (format!("mine-{}", open.field), open.here.clone())]);
        there.chain(both).chain(open).collect()
    }
}

/// Whether one save came between two versions, as their `ETag`s say. What was not changed by it was changed by nobody; of several, one
/// may have been this form's own, of which no answer came, and a later one took it back.
#[must_use]
pub fn one_between(read: &str, saved: &str) -> bool {
    let version = |etag: &str| etag.trim_matches('"').parse::<i64>().ok();
    matches!((version(read), version(saved)), (Some(read), Some(saved)) if read.checked_add(1) == Some(saved))
}

/// What was typed over `base`, with what was saved over it meanwhile, by `one` save or by several. Of what is to be chosen nothing
/// stands there yet.
#[must_use]
pub fn joined(base: &Base, here: &Typed, there: &Typed, one: bool) -> (Typed, Marks) {
    let (typed, saved) = (Base::read(here), Base::read(there));
    let mut marks = Marks::default();
    let mut both = |field: &Field| {
        let name = field.name;
        let (was, mine, theirs) = (base.values(name), typed.values(name), saved.values(name));
        let is_short = !matches!(field.asks, Asks::Text(_) | Any(..) | Countries);
        if mine == theirs || theirs == was && (one || !is_short) {
            return here.values(name).to_vec();
        }
        if mine == was {
            marks.there.push(name);
            return there.values(name).to_vec();
        }
        match field.asks {
            Asks::Text(_) => {
                marks.both.push(name);
                one_after_the_other(there.values(name), here.values(name))
            }
            Any(..) | Countries => {
                marks.both.push(name);
                lists(was, theirs, mine)
            }
            _ => {
                let (there, here) = (theirs.join(" "), mine.join(" "));
                marks.open.push(Open { field: name, there, here, chosen: false, asked_again: false });
                Vec::new()
            }
        }
    };
    let said = Typed::with(here.kind(), &mut both);
    (said, marks)
}

/// What both left in, and what either put in.
fn lists(was: &[String], there: &[String], here: &[String]) -> Vec<String> {
    let stays = |value: &&String| !was.contains(value) || here.contains(value);
    let more = here.iter().filter(|value| !was.contains(value) && !there.contains(value));
    there.iter().filter(stays).chain(more).cloned().collect()
}

/// The lines with which both begin stand once; then theirs, then mine. What one took out and the other wrote on stays.
fn one_after_the_other(there: &[String], here: &[String]) -> Vec<String> {
    let ([there, ..], [here, ..]) = (there, here) else { return [there, here].concat() };
    let same = there.split_inclusive('\n').zip(here.split_inclusive('\n')).take_while(|(there, here)| there == here);
    let same: usize = same.map(|(line, _)| line.len()).sum();
    let (begin, there) = there.split_at(same);
    let here = here.get(same..).unwrap_or_default();
    let between = if there.trim().is_empty() || here.trim().is_empty() { "" } else { "\n\n" };
    vec![format!("{begin}{}{between}{here}", if between.is_empty() { there } else { there.trim_end() })]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn narrative(said: &Value) -> Typed {
        Typed::saved(RecordKind::Narrative, said)
    }

    #[test]
    fn what_one_changed_is_taken_and_what_both_changed_is_asked_about() {
        let read = json!({ "text": "Read.", "acts": ["transfer", "receipt"], "age_when_trafficked": 9, "websites": ["Line"],
            "relationship_to_trafficker": "Familial" });
        let base = Base::read(&narrative(&read));
        let here =
            narrative(&json!({ "text": "Read.\nhere", "acts": ["transfer", "harbouring"], "age_when_trafficked": 9,
            "websites": ["Line"], "relationship_to_trafficker": "Acquainted" }));
        let there = narrative(&json!({ "text": "Read.\nthere", "acts": ["receipt", "transfer", "recruitment"],
            "age_when_trafficked": 11, "relationship_to_trafficker": "Unaquainted", "forced_labour_industry":
            "F_Construction" }));
        let (both, marks) = joined(&base, &here, &there, true);
        let wanted = json!({ "text": "Read.\nthere\n\nhere", "acts": ["transfer", "recruitment", "harbouring"],
            "age_when_trafficked": 11, "forced_labour_industry": "F_Construction" });
        assert_eq!(both.content(), wanted);
        assert_eq!(marks.there, ["forced_labour_industry", "age_when_trafficked", "websites"]);
        assert_eq!(marks.both, ["text", "acts"]);
        let open: Vec<_> = marks.open.iter().map(|open| (open.field, &open.there[..], &open.here[..])).collect();
        assert_eq!(open, [("relationship_to_trafficker", "Unaquainted", "Acquainted")]);
        assert!(!marks.all_chosen());
    }

    #[test]
    fn an_old_answer_takes_no_newer_ones_place() {
        let contact = |safe: &str, phone: &str| {
            let said = json!({ "safe_to_contact": safe, "mobile_phone": phone });
            Typed::saved(RecordKind::ContactAndSafety, &said)
        };
        let base = Base::read(&contact("yes", "1"));
        let (both, marks) = joined(&base, &contact("yes", "2"), &contact("no", "1"), true);
        assert_eq!(both.content(), json!({ "safe_to_contact": "no", "mobile_phone": "2" }));
        assert!(marks.open.is_empty() && marks.there == ["safe_to_contact"]);
        // Of a form without what was read, nothing is believed to be unchanged.
        let (both, marks) = joined(&Base(BTreeMap::new()), &contact("yes", "2"), &contact("no", "2"), true);
        assert_eq!(both.content(), json!({ "mobile_phone": "2" }));
        assert_eq!(marks.open.len(), 1);
    }

    #[test]
    fn an_answer_that_was_saved_and_taken_back_since_is_asked_about() {
        let contact = |safe: &str| Typed::saved(RecordKind::ContactAndSafety, &json!({ "safe_to_contact": safe }));
        let base = Base::read(&contact("no"));
        // Saved as yes, of which no answer came, and taken back by a colleague: the form that is sent again must not undo that.
        let (both, marks) = joined(&base, &contact("yes"), &contact("no"), one_between("\"1\"", "\"3\""));
        assert_eq!((both.content(), marks.open.len()), (json!({}), 1));
        let (both, marks) = joined(&base, &contact("yes"), &contact("no"), one_between("\"1\"", "\"2\""));
        assert_eq!((both.content(), marks.open.len()), (json!({ "safe_to_contact": "yes" }), 0));
        for (read, saved) in [("\"2\"", "\"2\""), ("\"3\"", "\"2\""), ("", "\"1\""), ("\"a\"", "\"b\"")] {
            assert!(!one_between(read, saved), "{read} {saved}");
        }
    }

    #[test]
    fn what_was_read_comes_back_by_the_form_whole() {
        let typed = narrative(&json!({ "text": "Ə\r\nb", "acts": ["transfer", "receipt"], "age_when_trafficked": 9 }));
        let base = Base::read(&typed);
        let sent: Vec<String> = base.hidden().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let sent = Fields::read(sent.join("&").as_bytes()).unwrap();
        assert!(Base::of(RecordKind::Narrative, &sent) == base);
        assert!(Base::read(&narrative(&json!({ "text": "Ə\nb" }))).values("text") == base.values("text"));
        let (both, marks) = joined(&base, &typed, &typed, false);
        assert!(both == typed && !marks.any());
    }

    #[test]
    fn two_texts_stand_one_after_the_other_and_their_beginning_once() {
        let of = |there: &str, here: &str| one_after_the_other(&[there.to_owned()], &[here.to_owned()]).concat();
        assert_eq!(of("a\nb\nthere", "a\nb\nhere"), "a\nb\nthere\n\nhere");
        assert_eq!(of("there", "here"), "there\n\nhere");
        assert_eq!(of("a\n", "a\nhere"), "a\nhere");
        assert_eq!(of("a\nthere", "a\n"), "a\nthere");
        assert_eq!(one_after_the_other(&[], &["here".to_owned()]), ["here"]);
        assert_eq!(one_after_the_other(&["there".to_owned()], &[]), ["there"]);
    }
}
