//! What a bundle must be before casbin sees it. Casbin takes a misspelled word for a word that never matches, an
//! unknown effect or attribute for a broken promise at the first request, and an empty policy for an allow; here each
//! of these is an error that names its line.

use super::{Decision, NO_PURPOSE, PolicyError, Question};
use crate::guard::action::{ALL_WORK, Purpose, Relation, Role, Verb, Work};
use crate::guard::record::RecordKind;
use crate::guard::words::UnknownWord;
use std::collections::HashMap;

/// The only model there is. Casbin is given these lines, never the file's own.
pub(super) const MODEL: &str = "\
[request_definition]
r = role, relation, kind, verb, purpose
[policy_definition]
p = role, relation, kind, verb, purpose, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.role == p.role && r.kind == p.kind && r.verb == p.verb && r.relation == p.relation && r.purpose == p.purpose
";

/// How a model departs from the only one there is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ModelFault {
    #[error("line {line} must be `{expected}`")]
    Line { line: usize, expected: &'static str },
    #[error("line {line}: nothing may follow the matcher")]
    Surplus { line: usize },
    #[error("`{expected}` is missing")]
    Missing { expected: &'static str },
}

/// What is wrong with one rule. A word that is not known is not repeated: what was typed there may be anything.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RuleFault {
    #[error("a rule is `p, role, relation, kind, verb, purpose, allow|deny`; this line has {0} fields")]
    Fields(usize),
    #[error("the {0} is empty")]
    EmptyField(&'static str),
    #[error("a rule begins with `p`")]
    NotARule,
    #[error("{0}")]
    UnknownWord(#[from] UnknownWord),
    #[error("a rule ends with `allow` or `deny`")]
    UnknownEffect,
    #[error("there is no work `{verb}` on a {kind}")]
    NoSuchWork { kind: RecordKind, verb: Verb },
    #[error("nobody stands to this work as `{0}`")]
    NoSuchRelation(Relation),
    #[error("this work is a read: the rule must name one purpose")]
    PurposeMissing,
    #[error("this work asks for no purpose: the rule must say `-`")]
    PurposeUnasked,
    #[error("who is not admitted keeps to their own account and ways in, and to founding their organisation")]
    Unadmitted,
    #[error("the same rule stands on line {first}")]
    Duplicate { first: usize },
}

/// A rule that passed: what it speaks of, and whether it allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    pub question: Question,
    pub effect: Decision,
}

impl Rule {
    /// The rule as casbin takes it, in the order of the policy definition.
    pub(super) fn fields(self) -> Vec<String> {
        let Question { role, relation, kind, verb, .. } = self.question;
        let effect = match self.effect {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
        };
        let purpose = self.question.purpose_word();
        [role.as_str(), relation.as_str(), kind.as_str(), verb.as_str(), purpose, effect].map(str::to_owned).to_vec()
    }
}

/// Promises that `text` is [`MODEL`], save for comment lines, blank lines and the amount of white space.
pub(super) fn model(text: &str) -> Result<(), ModelFault> {
    let mut lines = meaningful(text);
    for expected in MODEL.lines() {
        let (line, found) = lines.next().ok_or(ModelFault::Missing { expected })?;
        if !found.split_whitespace().eq(expected.split_whitespace()) {
            return Err(ModelFault::Line { line, expected });
        }
    }
    lines.next().map_or(Ok(()), |(line, _)| Err(ModelFault::Surplus { line }))
}

/// Reads the rules; promises at least one, each of known words, of work that exists, and no two the same.
pub(super) fn rules(text: &str) -> Result<Vec<Rule>, PolicyError> {
    let mut seen = HashMap::new();
    let mut rules = Vec::new();
    for (line, found) in meaningful(text) {
        let rule = rule(found).map_err(|fault| PolicyError::Rule { line, fault })?;
        if let Some(first) = seen.insert(rule, line) {
            return Err(PolicyError::Rule { line, fault: RuleFault::Duplicate { first } });
        }
        rules.push(rule);
    }
    if rules.is_empty() { Err(PolicyError::Empty) } else { Ok(rules) }
}

/// The lines that say something, numbered from 1. A comment has its line to itself.
fn meaningful(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(above, line)| (above + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn rule(line: &str) -> Result<Rule, RuleFault> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let &[p, role, relation, kind, verb, purpose, effect] = fields.as_slice() else {
        return Err(RuleFault::Fields(fields.len()));
    };
    let named = [
        (p, "rule type"),
        (role, "role"),
        (relation, "relation"),
        (kind, "kind"),
        (verb, "verb"),
        (purpose, "purpose"),
        (effect, "effect"),
    ];
    if let Some((_, name)) = named.into_iter().find(|(field, _)| field.is_empty()) {
        return Err(RuleFault::EmptyField(name));
    }
    if p != "p" {
        return Err(RuleFault::NotARule);
    }
    let question = Question {
        role: role.parse()?,
        relation: relation.parse()?,
        kind: kind.parse()?,
        verb: verb.parse()?,
        purpose: if purpose == NO_PURPOSE { None } else { Some(purpose.parse::<Purpose>()?) },
    };
    let effect = match effect {
        "allow" => Decision::Allow,
        "deny" => Decision::Deny,
        _ => return Err(RuleFault::UnknownEffect),
    };
    possible(question)?;
    Ok(Rule { question, effect })
}

/// A rule for something that cannot happen is a mistake of its author, who meant something else.
fn possible(Question { role, relation, kind, verb, purpose }: Question) -> Result<(), RuleFault> {
    let Some(Work { relations, asks_purpose, .. }) = ALL_WORK.iter().find(|w| w.kind == kind && w.verb == verb) else {
        return Err(RuleFault::NoSuchWork { kind, verb });
    };
    if !relations.contains(&relation) {
        return Err(RuleFault::NoSuchRelation(relation));
    }
    match (*asks_purpose, purpose) {
        (true, None) => return Err(RuleFault::PurposeMissing),
        (false, Some(_)) => return Err(RuleFault::PurposeUnasked),
        _ => {}
    }
    if role == Role::Unadmitted && !open_to_the_unadmitted(relation, kind, verb) {
        return Err(RuleFault::Unadmitted);
    }
    Ok(())
}

/// Nobody has a role before the founding statement is countersigned, so its two signers have to act without one.
fn open_to_the_unadmitted(relation: Relation, kind: RecordKind, verb: Verb) -> bool {
    matches!(
        (relation, kind, verb),
        (Relation::Oneself, RecordKind::Session | RecordKind::Account | RecordKind::Credential | RecordKind::Device, _)
            | (Relation::ResponsibleOf, RecordKind::Organisation, Verb::Found | Verb::Countersign)
    )
}
