//! The two files of a policy: what they are called by, and in which rules two of them differ.

use super::{MODEL_FILE, PolicyError, RULES_FILE, read};
use crate::guard::statement::hex;
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::path::Path;

/// A policy as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub model: String,
    pub rules: String,
}

impl Bundle {
    /// Reads both files, and looks at nothing in them.
    ///
    /// # Errors
    /// [`PolicyError::Unreadable`].
    pub async fn of(dir: &Path) -> Result<Self, PolicyError> {
        Ok(Self { model: read(dir.join(MODEL_FILE)).await?, rules: read(dir.join(RULES_FILE)).await? })
    }

    /// SHA-256 over both files, each preceded by its length in bytes (64 bits, big-endian): the lengths keep two files apart
    /// from any other two that read the same one after the other. A changed comment changes it too.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for file in [&self.model, &self.rules] {
            hasher.update((file.len() as u64).to_be_bytes());
            hasher.update(file.as_bytes());
        }
        hasher.finalize().into()
    }

    /// What changes when `next` takes this one's place, for people who agree to it: each rule that goes and each that comes.
    /// A rule is one line and stands for itself, so their order and their comments decide nothing.
    #[must_use]
    pub fn difference(&self, next: &Self) -> String {
        let mut lines = vec![
            format!("# from policy sha-256 {}", hex(&self.digest())),
            format!("# to policy sha-256 {}", hex(&next.digest())),
        ];
        let before = lines.len();
        for (old, new) in [(&self.model, &next.model), (&self.rules, &next.rules)] {
            let (had, has): (HashSet<String>, HashSet<String>) = (said(old).collect(), said(new).collect());
            lines.extend(said(old).filter(|line| !has.contains(line)).map(|line| format!("- {line}")));
            lines.extend(said(new).filter(|line| !had.contains(line)).map(|line| format!("+ {line}")));
        }
        if lines.len() == before {
            lines.push("# no rule differs".to_owned());
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// All of it, for people who agree to it where the policy in force, of this digest, does not lie: no line is left out for being in
    /// both.
    #[must_use]
    pub fn whole(&self, in_force: &[u8; 32]) -> String {
        let mut lines = vec![
            format!("# from policy sha-256 {}", hex(in_force)),
            format!("# to policy sha-256 {}", hex(&self.digest())),
            "# the service at which this was proposed does not have the first of the two: this is ALL of the second. Compare them by".to_owned(),
            "# `himaya policy diff` on a machine of your own".to_owned(),
        ];
        lines.extend(said(&self.model).chain(said(&self.rules)).map(|line| format!("+ {line}")));
        lines.push(String::new());
        lines.join("\n")
    }
}

/// The lines that say something, each with single blanks.
fn said(file: &str) -> impl Iterator<Item = String> {
    let plain = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    file.lines().map(plain).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(rules: &str) -> Bundle {
        Bundle { model: "m\n".to_owned(), rules: rules.to_owned() }
    }

    #[test]
    fn what_differs_is_every_rule_that_comes_or_goes_and_no_comment() {
        let old = bundle("# one\np, a, b\np, c, d\n");
        let text = old.difference(&bundle("p, c,  d\np, e, f # for now\n# two\n"));
        let rules: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(rules, ["- p, a, b", "+ p, e, f # for now"]);
        let text = old.difference(&bundle("# another\np, c, d\np, a, b\n"));
        assert!(text.ends_with("# no rule differs\n"), "{text}");
        assert_ne!(old.digest(), bundle("# another\np, c, d\np, a, b\n").digest());
    }
}
