//! A proof of consistency from the earlier tree's right edge and the leaves that were appended since: the millions before
//! them are not read again.

use super::proof::{Side, consistency_steps};
use super::{Frontier, Hash, TreeError, TreeHead, split_point};

/// A tree that grows from an earlier one, with what a proof of their consistency needs.
///
/// Every hash of such a proof is either the root of a complete part of the earlier tree, which is a hash of its right edge,
/// or the root over some of the leaves appended since. The latter follow one another, so each leaf is seen once and none is
/// kept.
pub struct Extension {
    tree: Frontier,
    new_size: u64,
    /// The right edge of the earlier tree, the largest part first.
    edge: Vec<Hash>,
    steps: Vec<Side>,
    /// Whether the proof leaves out the part with which it begins: the whole earlier tree.
    known: bool,
    /// Where each part of the appended leaves ends, the first one last.
    ends: Vec<u64>,
    part: Frontier,
    parts: Vec<Hash>,
}

impl Extension {
    /// Begins with the earlier tree.
    ///
    /// # Errors
    /// [`TreeError::Shrunk`] when the new one is smaller.
    pub fn new(old: Frontier, new_size: u64) -> Result<Self, TreeError> {
        let (steps, known) = consistency_steps(old.size(), new_size)?;
        let (mut start, mut length, mut ends) = (0, new_size, Vec::new());
        for step in &steps {
            // Steps made for this size never outnumber the halvings.
            let Some(k) = split_point(length) else { break };
            match step {
                Side::Right => {
                    ends.push(start + length);
                    length = k;
                }
                Side::Left => (start, length) = (start + k, length - k),
            }
        }
        let edge = old.hashes().to_vec();
        Ok(Self { tree: old, new_size, edge, steps, known, ends, part: Frontier::new(), parts: Vec::new() })
    }

    /// The next leaf that was appended, by its hash.
    ///
    /// # Errors
    /// [`TreeError::Full`] when there are more than the new tree has.
    pub fn append(&mut self, leaf: Hash) -> Result<(), TreeError> {
        if self.tree.size() >= self.new_size {
            return Err(TreeError::Full);
        }
        self.tree.append(leaf)?;
        self.part.append(leaf)?;
        if self.ends.last() == Some(&self.tree.size()) {
            self.ends.pop();
            self.parts.push(std::mem::take(&mut self.part).root());
        }
        Ok(())
    }

    /// The tree so far.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        self.tree.head()
    }

    /// The proof, once every leaf was appended: as [`consistency_proof`](super::consistency_proof) makes it of all of them.
    ///
    /// # Errors
    /// [`TreeError::ProofLength`] when leaves are missing.
    pub fn proof(self) -> Result<Vec<Hash>, TreeError> {
        let expected = self.steps.len() + usize::from(!self.known);
        let missing = TreeError::ProofLength { expected, given: self.parts.len() };
        if self.tree.size() != self.new_size {
            return Err(missing);
        }
        // From the root down: the appended parts were met the deepest first.
        let (mut parts, mut edge) = (self.parts.into_iter().rev(), self.edge.into_iter());
        let mut proof = Vec::with_capacity(expected);
        for step in &self.steps {
            let next = if *step == Side::Right { parts.next() } else { edge.next() };
            proof.push(next.ok_or(missing)?);
        }
        if !self.known {
            proof.push(edge.next().ok_or(missing)?);
        }
        proof.reverse();
        Ok(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::{consistency_proof, leaf_hash, verify_consistency};

    #[test]
    fn it_is_the_proof_that_all_leaves_make() {
        let leaves: Vec<Hash> = (0..131_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for new in 0..leaves.len() {
            for old in 0..=new {
                let mut tree = Frontier::new();
                for leaf in &leaves[..old] {
                    tree.append(*leaf).unwrap();
                }
                let (before, mut grown) = (tree.head(), Extension::new(tree, new as u64).unwrap());
                for leaf in &leaves[old..new] {
                    grown.append(*leaf).unwrap();
                }
                let (head, proof) = (grown.head(), grown.proof().unwrap());
                assert_eq!(proof, consistency_proof(&leaves[..new], old as u64).unwrap(), "{old} {new}");
                verify_consistency(&before, &head, &proof).unwrap();
            }
        }
    }

    #[test]
    fn too_few_and_too_many_leaves_make_none() {
        let grown = |leaves: u64| {
            let mut grown = Extension::new(Frontier::new(), 3)?;
            (0..leaves).try_for_each(|n| grown.append(leaf_hash(&n.to_be_bytes())))?;
            grown.proof()
        };
        assert!(grown(2).is_err() && grown(3).is_ok() && grown(4).is_err());
        let mut tree = Frontier::new();
        tree.append(leaf_hash(b"one")).unwrap();
        assert!(Extension::new(tree, 0).is_err());
    }
}
