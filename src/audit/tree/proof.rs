//! Proofs of inclusion and of consistency (RFC 6962 sections 2.1.1 and 2.1.2).

use std::ops::Range;

use super::{Hash, TreeError, TreeHead, check_root, empty_root, halves, node_hash, split_point, tree_root};

/// The audit path `PATH(index, D[n])` for a leaf, lowest sibling first (RFC 6962
/// section 2.1.1). Reads every leaf hash once.
///
/// # Errors
/// [`TreeError::IndexOutOfRange`] when there is no such leaf.
pub fn inclusion_proof(leaf_hashes: &[Hash], index: u64) -> Result<Vec<Hash>, TreeError> {
    let steps = inclusion_steps(index, leaf_hashes.len() as u64)?;
    let (mut proof, _) = siblings(leaf_hashes, &steps);
    proof.reverse();
    Ok(proof)
}

/// Checks that the leaf with this hash is leaf number `index` of the tree with
/// this head (RFC 6962 section 2.1.1).
///
/// # Errors
/// [`TreeError::IndexOutOfRange`], [`TreeError::ProofLength`] or
/// [`TreeError::RootMismatch`]: in each case nothing is proved.
pub fn verify_inclusion(leaf: &Hash, index: u64, head: &TreeHead, proof: &[Hash]) -> Result<(), TreeError> {
    let steps = inclusion_steps(index, head.size)?;
    check_length(steps.len(), proof.len())?;
    let root = steps.iter().rev().zip(proof).fold(*leaf, |below, (side, sibling)| side.join(&below, sibling));
    check_root(root == head.root)
}

/// The proof `PROOF(old_size, D[n])` that the tree over these leaf hashes extends
/// the one over the first `old_size` of them (RFC 6962 section 2.1.2). Empty when
/// the sizes are equal or `old_size` is 0. Reads every leaf hash at most once.
///
/// # Errors
/// [`TreeError::Shrunk`] when there are fewer than `old_size` leaves.
pub fn consistency_proof(leaf_hashes: &[Hash], old_size: u64) -> Result<Vec<Hash>, TreeError> {
    let (steps, known) = consistency_steps(old_size, leaf_hashes.len() as u64)?;
    let (mut proof, rest) = siblings(leaf_hashes, &steps);
    if !known {
        proof.push(tree_root(rest));
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that the tree with head `new` has the leaves of the tree with head
/// `old`, unchanged and in place, as its first ones (RFC 6962 section 2.1.2).
///
/// Beyond the RFC, which leaves it open, `old.size` may be 0: then `old.root` must
/// be [`empty_root`], the proof empty, and nothing is shown about `new.root`.
///
/// # Errors
/// [`TreeError::Shrunk`], [`TreeError::ProofLength`] or
/// [`TreeError::RootMismatch`]: in each case nothing is proved.
pub fn verify_consistency(old: &TreeHead, new: &TreeHead, proof: &[Hash]) -> Result<(), TreeError> {
    let (steps, known) = consistency_steps(old.size, new.size)?;
    check_length(steps.len() + usize::from(!known), proof.len())?;
    if old.size == 0 {
        // There is one empty tree only, and the new one may be it.
        return check_root(old.root == empty_root() && (new.size > 0 || new.root == old.root));
    }
    // The subtree that both trees end the descent with: the whole old tree where
    // its root is thus known, else the proof's first hash.
    let (seed, siblings) = match proof.split_first() {
        Some((first, rest)) if !known => (*first, rest),
        _ => (old.root, proof),
    };
    let (mut old_root, mut new_root) = (seed, seed);
    for (side, sibling) in steps.iter().rev().zip(siblings) {
        new_root = side.join(&new_root, sibling);
        // What stands to the right was appended later: the old tree lacks it.
        if *side == Side::Left {
            old_root = side.join(&old_root, sibling);
        }
    }
    check_root(old_root == old.root && new_root == new.root)
}

/// Which leaves each hash of [`inclusion_proof`] covers, for whoever keeps roots of subtrees instead of all leaves.
///
/// # Errors
/// As [`inclusion_proof`].
pub fn inclusion_ranges(index: u64, size: u64) -> Result<Vec<Range<u64>>, TreeError> {
    let (mut ranges, _) = passed(&inclusion_steps(index, size)?, size);
    ranges.reverse();
    Ok(ranges)
}

/// Which leaves each hash of [`consistency_proof`] covers; likewise.
///
/// # Errors
/// As [`consistency_proof`].
pub fn consistency_ranges(old_size: u64, new_size: u64) -> Result<Vec<Range<u64>>, TreeError> {
    let (steps, known) = consistency_steps(old_size, new_size)?;
    let (mut ranges, rest) = passed(&steps, new_size);
    if !known {
        ranges.push(rest);
    }
    ranges.reverse();
    Ok(ranges)
}

/// On which side of the path a sibling stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

impl Side {
    fn join(self, path: &Hash, sibling: &Hash) -> Hash {
        match self {
            Self::Left => node_hash(sibling, path),
            Self::Right => node_hash(path, sibling),
        }
    }
}

/// Follows steps from the root down: the roots of the siblings passed, and the
/// leaves under the node arrived at.
fn siblings<'l>(leaf_hashes: &'l [Hash], steps: &[Side]) -> (Vec<Hash>, &'l [Hash]) {
    let mut rest = leaf_hashes;
    let mut passed = Vec::with_capacity(steps.len());
    for side in steps {
        // Steps made for this size never outnumber the halvings.
        let Some((left, right)) = halves(rest) else {
            break;
        };
        let (sibling, path) = match side {
            Side::Left => (left, right),
            Side::Right => (right, left),
        };
        passed.push(tree_root(sibling));
        rest = path;
    }
    (passed, rest)
}

/// The same as [`siblings`], for the places of leaves in place of their hashes.
fn passed(steps: &[Side], size: u64) -> (Vec<Range<u64>>, Range<u64>) {
    let mut rest = 0..size;
    let mut passed = Vec::with_capacity(steps.len());
    for side in steps {
        let Some(k) = split_point(rest.end - rest.start) else {
            break;
        };
        let middle = rest.start + k;
        let (left, right) = (rest.start..middle, middle..rest.end);
        let (sibling, path) = match side {
            Side::Left => (left, right),
            Side::Right => (right, left),
        };
        passed.push(sibling);
        rest = path;
    }
    (passed, rest)
}

/// The sides of a leaf's siblings, from the root down.
fn inclusion_steps(index: u64, size: u64) -> Result<Vec<Side>, TreeError> {
    if index >= size {
        return Err(TreeError::IndexOutOfRange { index, size });
    }
    let (mut m, mut n) = (index, size);
    let mut steps = Vec::new();
    while let Some(k) = split_point(n) {
        if m < k {
            steps.push(Side::Right);
            n = k;
        } else {
            steps.push(Side::Left);
            m -= k;
            n -= k;
        }
    }
    Ok(steps)
}

/// The recursion of `SUBPROOF` (RFC 6962 section 2.1.2) from the root down: the
/// sides of the siblings, and whether the subtree it ends with is the whole old
/// tree (the RFC's `b`), whose root the verifier already knows.
pub(super) fn consistency_steps(old: u64, new: u64) -> Result<(Vec<Side>, bool), TreeError> {
    if old > new {
        return Err(TreeError::Shrunk { old, new });
    }
    let (mut m, mut n, mut known) = (old, new, true);
    let mut steps = Vec::new();
    while let Some(k) = split_point(n).filter(|_| 0 < m && m < n) {
        if m <= k {
            steps.push(Side::Right);
            n = k;
        } else {
            steps.push(Side::Left);
            m -= k;
            n -= k;
            known = false;
        }
    }
    Ok((steps, known))
}

fn check_length(expected: usize, given: usize) -> Result<(), TreeError> {
    if given == expected { Ok(()) } else { Err(TreeError::ProofLength { expected, given }) }
}
