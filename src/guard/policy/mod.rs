//! Wall 1: the policy. Who may do what, by role, relation, kind of record, verb and purpose; deny by default.
//!
//! The rules are two reviewed files: `policies/model.conf` and `policies/access.csv`. At start they are linted
//! (`lint.rs`), casbin is asked once for each question there can be, its answers are compared with what the rules
//! literally list, and from then on a decision is a look-up in a table that cannot change (`table.rs`). Anything that is
//! wrong with a bundle stops the start: there is no half-loaded policy.
//!
//! The gate computes role and relation and calls [`DecisionTable::decide`]. Reviewers read the same table as
//! `policies/access-matrix.txt`. This wall cannot grant what no key was wrapped for.

mod bundle;
mod lint;
mod table;
#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use lint::{ModelFault, RuleFault};
pub use table::DecisionTable;

use super::action::{Purpose, Relation, Role, Verb};
use super::record::RecordKind;
use std::fmt;
use std::path::{Path, PathBuf};

/// The request, policy, effect and matcher definitions, in the policy's folder.
pub const MODEL_FILE: &str = "model.conf";
/// The rules, in the policy's folder.
pub const RULES_FILE: &str = "access.csv";
/// The reviewed table, in the policy's folder.
pub const MATRIX_FILE: &str = "access-matrix.txt";

/// What the policy, the matrix and casbin are told where work asks for no purpose. Not an empty string: casbin answers
/// those with an allow when its policy is empty.
const NO_PURPOSE: &str = "-";

/// The answer of wall 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum Decision {
    Allow,
    Deny,
}

/// One question to the policy; `purpose` is `None` exactly for work that asks for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    pub role: Role,
    pub relation: Relation,
    pub kind: RecordKind,
    pub verb: Verb,
    pub purpose: Option<Purpose>,
}

impl Question {
    fn purpose_word(self) -> &'static str {
        self.purpose.map_or(NO_PURPOSE, Purpose::as_str)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}, {}, {}", self.role, self.relation, self.kind, self.verb, self.purpose_word())
    }
}

/// Why a bundle is refused. Each is final: a server without a whole policy does not start.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("cannot read {}: {source}", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("{MODEL_FILE}: {0}")]
    Model(#[from] ModelFault),
    #[error("{RULES_FILE} line {line}: {fault}")]
    Rule { line: usize, fault: RuleFault },
    #[error("{RULES_FILE} has no rule; casbin would answer an empty policy with an allow")]
    Empty,
    #[error("casbin gave no answer: {0}")]
    Casbin(#[from] casbin::Error),
    #[error("casbin did not take every rule")]
    NotTaken,
    #[error("casbin's answer differs from the rules: {0}")]
    Disagrees(Question),
    #[error("{MATRIX_FILE} line {line} is not what the policy answers: generate it again and review the difference")]
    MatrixDiffers { line: usize },
}

/// Checks the bundle in `dir` as `policy check` does: it compiles, and the reviewed matrix beside it is the one it
/// answers, policy hash included.
///
/// # Errors
/// Every [`PolicyError`]; a missing matrix is [`PolicyError::Unreadable`].
pub async fn check(dir: &Path) -> Result<DecisionTable, PolicyError> {
    let table = DecisionTable::from_dir(dir).await?;
    let reviewed = read(dir.join(MATRIX_FILE)).await?;
    let answered = table.matrix();
    if reviewed == answered {
        return Ok(table);
    }
    let same = reviewed.split('\n').zip(answered.split('\n')).take_while(|(a, b)| a == b).count();
    Err(PolicyError::MatrixDiffers { line: same + 1 })
}

async fn read(file: PathBuf) -> Result<String, PolicyError> {
    tokio::fs::read_to_string(&file).await.map_err(|source| PolicyError::Unreadable { file, source })
}
