//! Checkpoints beside the tree: each signed, and each signed root the tree's own at that size.

use super::finding::{Finding, Kept};
use crate::audit::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::note::NoteError;
use crate::audit::tree::{Hash, TreeHead};
use std::collections::BTreeMap;

/// Why a text is no checkpoint of this log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    #[error("{0}")]
    Note(#[from] NoteError),
    #[error("{0}")]
    Text(#[from] CheckpointError),
    #[error("it belongs to another log")]
    OtherLog,
}

/// The signed roots of one source that are still to be met while the tree is walked.
pub(super) struct Claims {
    kept: Kept,
    /// By size. Two checkpoints of one size and different roots cannot both fit.
    roots: BTreeMap<u64, Vec<Hash>>,
    /// First and last size and number of neighbouring ones that do not fit.
    differing: Option<(u64, u64, u64)>,
    /// The largest size so far that fits: the entries before it are those that were signed for.
    fitted: u64,
    newest: u64,
}

impl Claims {
    pub(super) fn new(kept: Kept) -> Self {
        Self { kept, roots: BTreeMap::new(), differing: None, fitted: 0, newest: 0 }
    }

    pub(super) fn add(&mut self, checkpoint: &Checkpoint) {
        self.newest = self.newest.max(checkpoint.size());
        self.roots.entry(checkpoint.size()).or_default().push(*checkpoint.root());
    }

    /// The largest size of all that were added.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// The next size at which the tree is to be compared.
    pub(super) fn next(&self) -> Option<u64> {
        self.roots.first_key_value().map(|(size, _)| *size)
    }

    /// The tree has grown to `size`; `head` is known as long as no position was empty. Tells of neighbours that did not
    /// fit once one fits again.
    pub(super) fn meet(&mut self, size: u64, head: impl FnOnce() -> Option<TreeHead>) -> Option<Finding> {
        // Sizes that the tree jumped over were never met.
        while let Some(skipped) = self.roots.first_entry().filter(|first| *first.key() < size) {
            let (skipped, _) = skipped.remove_entry();
            self.differs(skipped);
        }
        let roots = self.roots.remove(&size)?;
        let head = head();
        if head.is_some_and(|head| head.size == size && roots.iter().all(|root| *root == head.root)) {
            let told = self.told();
            self.fitted = size;
            return told;
        }
        self.differs(size);
        None
    }

    fn differs(&mut self, size: u64) {
        let (first, _, count) = self.differing.unwrap_or((size, size, 0));
        self.differing = Some((first, size, count + 1));
    }

    fn told(&mut self) -> Option<Finding> {
        let (first, last, count) = self.differing.take()?;
        Some(Finding::TreeChanged { kept: self.kept, fits: self.fitted, first, last, count })
    }

    /// The walk could not go on to the end of a tree that has this head: what it claims itself is all that is known.
    pub(super) fn cut_off(&mut self, head: &TreeHead) -> Vec<Finding> {
        let roots = std::mem::take(&mut self.roots);
        if roots.get(&head.size).is_some_and(|roots| roots.iter().any(|root| *root != head.root)) {
            self.differs(head.size);
        }
        let says = roots.last_key_value().map(|(says, _)| *says).filter(|says| *says > head.size);
        let gone = says.map(|says| Finding::EntriesGone { kept: self.kept, says, leaves: head.size });
        self.told().into_iter().chain(gone).collect()
    }

    /// The walk is over with so many leaves.
    pub(super) fn end(&mut self, leaves: u64) -> Vec<Finding> {
        let gone = self.roots.last_key_value().map(|(says, _)| *says);
        let gone = gone.map(|says| Finding::EntriesGone { kept: self.kept, says, leaves });
        self.told().into_iter().chain(gone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::keys::LogKeys;
    use crate::audit::note::{self, KeyName, NoteSigner};
    use crate::audit::tree::{Frontier, leaf_hash};
    use ed25519_dalek::SigningKey;

    fn head(size: u64) -> TreeHead {
        let mut tree = Frontier::new();
        for number in 0..size {
            tree.append(leaf_hash(&number.to_be_bytes())).unwrap();
        }
        tree.head()
    }

    fn other(size: u64) -> TreeHead {
        TreeHead { size, root: leaf_hash(b"other") }
    }

    fn walk(claimed: &[TreeHead], leaves: u64) -> Vec<Finding> {
        let mut claims = Claims::new(Kept::Outside);
        for head in claimed {
            claims.add(&Checkpoint::new("log.example", *head).unwrap());
        }
        let mut findings: Vec<_> = (0..=leaves).filter_map(|size| claims.meet(size, || Some(head(size)))).collect();
        findings.extend(claims.end(leaves));
        findings
    }

    #[test]
    fn what_fits_says_nothing() {
        assert_eq!(walk(&[head(0), head(1), head(3), head(3), head(7)], 7), []);
    }

    #[test]
    fn neighbours_that_do_not_fit_are_told_together() {
        let kept = Kept::Outside;
        let told = walk(&[head(1), other(2), other(3), head(4), head(5), other(5)], 6);
        let first = Finding::TreeChanged { kept, fits: 1, first: 2, last: 3, count: 2 };
        assert_eq!(told, [first, Finding::TreeChanged { kept, fits: 4, first: 5, last: 5, count: 1 }]);
    }

    #[test]
    fn a_checkpoint_beyond_the_tree_says_that_entries_are_gone() {
        let gone = Finding::EntriesGone { kept: Kept::Outside, says: 9, leaves: 5 };
        assert_eq!(walk(&[head(5), head(8), head(9)], 5), [gone]);
    }

    #[test]
    fn a_size_that_the_tree_jumps_over_does_not_fit() {
        let mut claims = Claims::new(Kept::Database);
        claims.add(&Checkpoint::new("log.example", head(2)).unwrap());
        assert_eq!(claims.meet(3, || None), None);
        assert_eq!(
            claims.end(3),
            [Finding::TreeChanged { kept: Kept::Database, fits: 0, first: 2, last: 2, count: 1 }]
        );
    }

    #[test]
    fn only_this_logs_own_checkpoints_are_read() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let signer = |name: &str, key: &SigningKey| NoteSigner::new(KeyName::new(name).unwrap(), key);
        let own = signer("log.example", &key);
        let text = |origin: &str| Checkpoint::new(origin, head(2)).unwrap().to_text();
        let good = note::sign(&text("log.example"), &[&own]).unwrap();
        let keys = LogKeys::in_order(vec![own.verifier().clone()]);
        let read = |text: &str| keys.read(text).map(|signed| signed.checkpoint);
        assert!(read(&good).is_ok());
        let other = note::sign(&text("other.example"), &[&own]).unwrap();
        assert_eq!(read(&other), Err(BadCheckpoint::OtherLog));
        let forged = signer("log.example", &SigningKey::from_bytes(&[2; 32]));
        let forged = note::sign(&text("log.example"), &[&forged]).unwrap();
        assert_eq!(read(&forged), Err(BadCheckpoint::Note(NoteError::NoKnownSignature)));
        assert!(read("").is_err());
    }
}
