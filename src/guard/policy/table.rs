//! The decisions, asked of casbin once at start and kept. Casbin costs some microseconds per rule and fails open in
//! several ways; a finished table costs a look-up and has one way to fail: what is not in it is denied.

use super::lint::{self, Rule};
use super::{Bundle, Decision, PolicyError, Question};
use crate::guard::action::{ALL_WORK, Purpose, Relation, Role, Verb, Work};
use crate::guard::record::RecordKind;
use casbin::{CoreApi, DefaultModel, Enforcer, MgmtApi, NullAdapter};
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

/// Every answer of the policy, for as long as the process runs. It is made whole or not at all, and nothing changes it.
#[derive(Debug)]
pub struct DecisionTable {
    allowed: HashSet<Question>,
    ever: HashSet<(Role, RecordKind, Verb)>,
    asked: usize,
    bundle: Bundle,
}

impl DecisionTable {
    /// Reads and compiles the bundle in `dir`.
    ///
    /// # Errors
    /// [`PolicyError::Unreadable`] for a missing file or one that is not UTF-8, and all of [`Self::compile`].
    pub async fn from_dir(dir: &Path) -> Result<Self, PolicyError> {
        let Bundle { model, rules } = Bundle::of(dir).await?;
        Self::compile(&model, &rules).await
    }

    /// Lints the bundle, asks casbin every question there is, and compares the answers with the rules. It computes
    /// without yielding, for a tenth of a second if the dependencies are optimised: call it at start, before anything is
    /// served.
    ///
    /// # Errors
    /// Any fault of the bundle, any error of casbin, and any difference between casbin's allows and the rules' allows
    /// less their denies. Nothing is kept of a bundle that fails.
    pub async fn compile(model: &str, rules: &str) -> Result<Self, PolicyError> {
        lint::model(model)?;
        let linted = lint::rules(rules)?;
        let allowed = confirmed(ask(lint::MODEL, &linted).await?, &linted)?;
        Ok(Self {
            ever: allowed.iter().map(|q| (q.role, q.kind, q.verb)).collect(),
            allowed,
            asked: ALL_WORK.iter().map(|work| questions(work).count()).sum(),
            bundle: Bundle { model: model.to_owned(), rules: rules.to_owned() },
        })
    }

    /// Whether the policy allows this. A read needs its purpose: without one it is denied. Other work asks for none, so
    /// one that is stated anyway changes nothing.
    pub fn decide(
        &self,
        role: Role,
        relation: Relation,
        kind: RecordKind,
        verb: Verb,
        purpose: Option<Purpose>,
    ) -> Decision {
        let question = Question { role, relation, kind, verb, purpose };
        // The table holds no read without a purpose, so the second look-up finds only work that asks for none.
        let allowed =
            self.allowed.contains(&question) || self.allowed.contains(&Question { purpose: None, ..question });
        if allowed { Decision::Allow } else { Decision::Deny }
    }

    /// Whether this role does such work at all, in any relation and for any purpose. If not, a refusal tells nothing
    /// about a record (403); if so, it must answer like a record that is missing (404).
    #[must_use]
    pub fn ever_does(&self, role: Role, kind: RecordKind, verb: Verb) -> bool {
        self.ever.contains(&(role, kind, verb))
    }

    /// SHA-256 over both files, each preceded by its length in bytes (64 bits, big-endian): the ledger's entries name
    /// the policy by it. A changed comment changes it too.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.bundle.digest()
    }

    /// The files that it was made of.
    #[must_use]
    pub const fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// How many questions casbin was asked; each has an answer here.
    #[must_use]
    pub const fn asked(&self) -> usize {
        self.asked
    }

    /// The table as text for review, and for comparing: by kind and verb, who may, standing how, for which purposes.
    /// The same bundle always gives the same bytes.
    #[must_use]
    pub fn matrix(&self) -> String {
        let mut lines = vec![
            "# Who may do what: every answer of the policy. Generated from model.conf and access.csv; not to be edited."
                .to_owned(),
            format!("# policy sha-256 {}", self.hash().map(|byte| format!("{byte:02x}")).concat()),
            format!("# {} questions, {} allowed", self.asked, self.allowed.len()),
        ];
        for &kind in RecordKind::ALL {
            lines.push(format!("\n{kind}"));
            for work in ALL_WORK.iter().filter(|work| work.kind == kind) {
                lines.push(format!("  {}", work.verb));
                lines.extend(self.holders(work));
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn holders(&self, work: &Work) -> Vec<String> {
        let mut holders = Vec::new();
        for &role in Role::ALL {
            for &relation in work.relations {
                let purposes: Vec<&str> = purposes(work.asks_purpose)
                    .map(|purpose| Question { role, relation, kind: work.kind, verb: work.verb, purpose })
                    .filter(|question| self.allowed.contains(question))
                    .map(Question::purpose_word)
                    .collect();
                if !purposes.is_empty() {
                    let (role, relation) = (role.as_str(), relation.as_str());
                    holders.push(format!("    {role:<19}  {relation:<14}  {}", purposes.join(" ")));
                }
            }
        }
        if holders.is_empty() {
            holders.push("    nobody".to_owned());
        }
        holders
    }
}

/// The purposes with which work is asked for: each there is for a read, none for other work.
fn purposes(asked: bool) -> impl Iterator<Item = Option<Purpose>> {
    let stated: &[Purpose] = if asked { Purpose::ALL } else { &[] };
    stated.iter().copied().map(Some).chain((!asked).then_some(None))
}

/// Every question about this work that can be asked with sense. What is not among them has no entry, and so is denied.
fn questions(work: &Work) -> impl Iterator<Item = Question> {
    let &Work { kind, verb, asks_purpose, relations, .. } = work;
    relations.iter().flat_map(move |&relation| {
        purposes(asks_purpose).flat_map(move |purpose| {
            Role::ALL.iter().map(move |&role| Question { role, relation, kind, verb, purpose })
        })
    })
}

/// Casbin's allows. An error on any question is an error of the whole. A rule speaks of one kind of work and the
/// matcher is an equality, so each is asked with its own rules: the cost grows with the kinds of work, not their square.
pub(super) async fn ask(model: &str, rules: &[Rule]) -> Result<HashSet<Question>, PolicyError> {
    let mut enforcer = Enforcer::new(DefaultModel::from_str(model).await?, NullAdapter).await?;
    let mut allowed = HashSet::new();
    for work in ALL_WORK {
        let own = |rule: &&Rule| rule.question.kind == work.kind && rule.question.verb == work.verb;
        let own: Vec<_> = rules.iter().filter(own).map(|rule| rule.fields()).collect();
        enforcer.clear_policy().await?;
        if !own.is_empty() && !enforcer.add_policies(own).await? {
            return Err(PolicyError::NotTaken);
        }
        for question in questions(work) {
            let Question { role, relation, kind, verb, .. } = question;
            let words = (role.as_str(), relation.as_str(), kind.as_str(), verb.as_str(), question.purpose_word());
            if enforcer.enforce(words)? {
                allowed.insert(question);
            }
        }
    }
    Ok(allowed)
}

/// Promises that casbin allows what the rules allow and do not deny: nothing more, nothing less.
pub(super) fn confirmed(answers: HashSet<Question>, rules: &[Rule]) -> Result<HashSet<Question>, PolicyError> {
    let listed = |effect| rules.iter().filter(move |r| r.effect == effect).map(|r| r.question);
    let denied: HashSet<Question> = listed(Decision::Deny).collect();
    let expected: HashSet<Question> = listed(Decision::Allow).filter(|q| !denied.contains(q)).collect();
    // The first in order, so that the same fault is always reported by the same words.
    let first = answers.symmetric_difference(&expected).collect::<BTreeSet<_>>().pop_first().copied();
    first.map_or(Ok(answers), |question| Err(PolicyError::Disagrees(question)))
}
