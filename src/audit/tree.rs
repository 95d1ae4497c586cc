//! The Merkle tree of RFC 6962 section 2.1, over SHA-256.
//!
//! A log appends leaves through a [`Frontier`] and publishes its [`TreeHead`]. Two
//! kinds of proof make it answerable: an *inclusion* proof shows that a leaf is in
//! the tree of a head, a *consistency* proof that a later tree only appended to an
//! earlier one. A proof shows something about a head, so the head itself has to
//! come from a verified checkpoint; in particular a proof does not prove the size.
//!
//! Leaf indices count from 0, sizes are numbers of leaves. All values here are
//! public, so comparisons need not take constant time.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Why a tree operation was refused or a proof did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeError {
    /// A hash is not the canonical base64 of 32 bytes.
    #[error("not the base64 of a 32-byte hash")]
    InvalidHash,
    /// The tree already has `u64::MAX` leaves.
    #[error("the tree is full")]
    Full,
    /// The right edge has another number of hashes than a tree of that size.
    #[error("a tree of {size} leaves has {expected} right-edge hashes, not {given}")]
    FrontierLength {
        /// Leaves in the tree.
        size: u64,
        /// Hashes its right edge must have.
        expected: usize,
        /// Hashes given.
        given: usize,
    },
    /// A leaf index is not smaller than the tree size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexOutOfRange {
        /// The index asked for.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The earlier tree is larger than the later one.
    #[error("a tree of {old} leaves cannot be an earlier state of one of {new}")]
    Shrunk {
        /// Leaves in the earlier tree.
        old: u64,
        /// Leaves in the later tree.
        new: u64,
    },
    /// The proof has another number of hashes than these sizes need.
    #[error("the proof has {given} hashes where {expected} are needed")]
    ProofLength {
        /// Hashes a proof for these sizes has.
        expected: usize,
        /// Hashes given.
        given: usize,
    },
    /// The hashes do not lead to the root.
    #[error("the hashes do not lead to the root")]
    RootMismatch,
}

/// A SHA-256 hash: of a leaf, of an inner node, or the root of a tree.
///
/// [`fmt::Display`] and [`FromStr`] use base64 (RFC 4648 section 4, as in
/// checkpoints), [`fmt::LowerHex`] and `Debug` lowercase hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Takes the 32 bytes of a hash computed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::LowerHex for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self:x})")
    }
}

impl FromStr for Hash {
    type Err = TreeError;

    /// Parses canonical, padded base64.
    fn from_str(s: &str) -> Result<Self, TreeError> {
        let bytes = STANDARD.decode(s).map_err(|_| TreeError::InvalidHash)?;
        bytes.try_into().map(Self).map_err(|_| TreeError::InvalidHash)
    }
}

/// The hash of a leaf, `SHA-256(0x00 ‖ data)` (RFC 6962 section 2.1).
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0x00]).chain_update(data).finalize().into())
}

/// The hash of an inner node, `SHA-256(0x01 ‖ left ‖ right)` (RFC 6962 section
/// 2.1). The prefix keeps a leaf from passing for a node.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new().chain_update([0x01]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root of the tree without leaves, `SHA-256("")` (RFC 6962 section 2.1).
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The root of the tree over these leaf hashes, `MTH(D[n])` of RFC 6962 section
/// 2.1. Hashes once per leaf; a log that grows keeps a [`Frontier`] instead.
#[must_use]
pub fn tree_root(leaf_hashes: &[Hash]) -> Hash {
    match halves(leaf_hashes) {
        Some((left, right)) => node_hash(&tree_root(left), &tree_root(right)),
        None => leaf_hashes.first().copied().unwrap_or_else(empty_root),
    }
}

/// The state of a tree: how many leaves it has, and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root hash over those leaves.
    pub root: Hash,
}

/// The right edge of a tree: all that is needed to append to it and know its root.
///
/// Holds one hash per set bit of the size, namely the roots of the complete
/// subtrees from left (largest) to right (smallest): at most 64.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    edge: Vec<Hash>,
}

impl Frontier {
    /// The right edge of the tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores a right edge from what [`Frontier::hashes`] and
    /// [`Frontier::size`] gave. Only the number of hashes is checked: where a
    /// signed head of that size exists, use [`Frontier::resume`].
    ///
    /// # Errors
    /// [`TreeError::FrontierLength`] when a tree of `size` has another number.
    pub fn from_hashes(size: u64, hashes: Vec<Hash>) -> Result<Self, TreeError> {
        let expected = size.count_ones() as usize;
        if hashes.len() != expected {
            return Err(TreeError::FrontierLength { size, expected, given: hashes.len() });
        }
        Ok(Self { size, edge: hashes })
    }

    /// Restores a right edge and proves it to be the one of `head`, so that a
    /// table altered behind the log's back cannot fork it.
    ///
    /// # Errors
    /// As [`Frontier::from_hashes`], and [`TreeError::RootMismatch`] when the
    /// hashes do not lead to the head's root.
    pub fn resume(head: TreeHead, hashes: Vec<Hash>) -> Result<Self, TreeError> {
        let frontier = Self::from_hashes(head.size, hashes)?;
        check_root(frontier.root() == head.root)?;
        Ok(frontier)
    }

    /// Appends a leaf by its [`leaf_hash`] and gives the index it has from now on.
    ///
    /// # Errors
    /// [`TreeError::Full`] after `u64::MAX` leaves; the tree is then unchanged.
    pub fn append(&mut self, leaf: Hash) -> Result<u64, TreeError> {
        let index = self.size;
        let size = index.checked_add(1).ok_or(TreeError::Full)?;
        // As in a binary counter: each trailing one of the old size is a complete
        // subtree of just the height that the new one has grown to.
        let mut grown = leaf;
        for _ in 0..index.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                grown = node_hash(&left, &grown);
            }
        }
        self.edge.push(grown);
        self.size = size;
        Ok(index)
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves so far; [`empty_root`] when there are none.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.edge.iter().rev().copied().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }

    /// Size and root together.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root() }
    }

    /// The right edge, largest subtree first: what a table has to keep, with the
    /// size, for [`Frontier::resume`].
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.edge
    }
}

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

/// On which side of the path a sibling stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
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

/// The `k` of RFC 6962 section 2.1: the largest power of two smaller than `n`.
/// `None` below two leaves, where there is nothing to halve.
fn split_point(n: u64) -> Option<u64> {
    n.checked_sub(1)?.checked_ilog2().map(|bit| 1 << bit)
}

fn halves(leaf_hashes: &[Hash]) -> Option<(&[Hash], &[Hash])> {
    let k = split_point(leaf_hashes.len() as u64)?;
    leaf_hashes.split_at_checked(usize::try_from(k).ok()?)
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
fn consistency_steps(old: u64, new: u64) -> Result<(Vec<Side>, bool), TreeError> {
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

fn check_root(matches: bool) -> Result<(), TreeError> {
    if matches { Ok(()) } else { Err(TreeError::RootMismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
    use proptest::prelude::*;

    /// The eight leaves of the Certificate Transparency reference vectors, and the
    /// roots of the trees over the first 0, 1, … 8 of them.
    const LEAVES: [&[u8]; 8] = [
        &[],
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn head(leaves: &[Hash]) -> TreeHead {
        TreeHead { size: leaves.len() as u64, root: tree_root(leaves) }
    }

    /// `n` distinct leaves, and the same tree made by ct-merkle.
    fn both(n: u64) -> (Vec<Hash>, MemoryBackedTree<Sha256, Vec<u8>>) {
        let mut theirs = MemoryBackedTree::new();
        let ours = (0..n).map(|i| {
            theirs.push(i.to_be_bytes().to_vec());
            leaf_hash(&i.to_be_bytes())
        });
        (ours.collect(), theirs)
    }

    fn flat(proof: &[Hash]) -> Vec<u8> {
        proof.iter().flat_map(|hash| hash.0).collect()
    }

    /// Every way to damage a proof: a bit in any hash, one hash fewer or more, two
    /// swapped.
    fn damaged(proof: &[Hash]) -> Vec<Vec<Hash>> {
        let mut all = vec![[proof, &[empty_root()]].concat()];
        for i in 0..proof.len() {
            for bit in [0, 255] {
                let mut flipped = proof.to_vec();
                flipped[i].0[bit / 8] ^= 1 << (bit % 8);
                all.push(flipped);
            }
            let mut fewer = proof.to_vec();
            fewer.remove(i);
            all.push(fewer);
            let mut swapped = proof.to_vec();
            swapped.swap(0, i);
            all.push(swapped);
        }
        all.retain(|changed| changed != proof);
        all
    }

    #[test]
    fn the_reference_roots() {
        let leaves = LEAVES.map(leaf_hash);
        let mut frontier = Frontier::new();
        for (n, root) in ROOTS.iter().enumerate() {
            assert_eq!(format!("{:x}", tree_root(&leaves[..n])), *root);
            assert_eq!(format!("{:x}", frontier.root()), *root);
            assert_eq!(frontier.size(), n as u64);
            if let Some(leaf) = leaves.get(n) {
                assert_eq!(frontier.append(*leaf), Ok(n as u64));
            }
        }
    }

    #[test]
    fn hashes_print_and_parse() {
        let text = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(empty_root().to_string(), text);
        assert_eq!(text.parse(), Ok(empty_root()));
        assert_eq!(format!("{:?}", empty_root()), format!("Hash({})", ROOTS[0]));
        let refused = |s: &str| assert_eq!(s.parse::<Hash>(), Err(TreeError::InvalidHash), "{s}");
        refused("");
        refused(ROOTS[0]);
        refused(text.trim_end_matches('='));
        refused(&text.replace("U=", "V=")); // unused bits not zero
        refused(&format!("{text}\n"));
        refused("AAAA");
    }

    #[test]
    fn a_frontier_restarts_from_its_hashes() {
        let (leaves, _) = both(100);
        let mut whole = Frontier::new();
        for (n, leaf) in leaves.iter().enumerate() {
            let mut restarted = Frontier::resume(whole.head(), whole.hashes().to_vec()).unwrap();
            assert_eq!(whole.append(*leaf), Ok(n as u64));
            assert_eq!(restarted.append(*leaf), Ok(n as u64));
            assert_eq!(restarted, whole);
            assert_eq!(whole.head(), head(&leaves[..=n]));
        }
        for changed in damaged(whole.hashes()) {
            assert!(Frontier::resume(whole.head(), changed).is_err());
        }
        let length = |size, given| Err(TreeError::FrontierLength { size, expected: 3, given });
        assert_eq!(Frontier::from_hashes(7, leaves[..2].to_vec()), length(7, 2));
        assert_eq!(Frontier::from_hashes(7, leaves[..4].to_vec()), length(7, 4));
        let mut full = Frontier::from_hashes(u64::MAX, leaves[..64].to_vec()).unwrap();
        let before = full.clone();
        assert_eq!(full.append(empty_root()), Err(TreeError::Full));
        assert_eq!(full, before);
    }

    #[test]
    fn the_empty_tree() {
        let (leaves, _) = both(3);
        let (empty, new) = (head(&[]), head(&leaves));
        assert_eq!(consistency_proof(&leaves, 0), Ok(vec![]));
        assert_eq!(verify_consistency(&empty, &new, &[]), Ok(()));
        assert_eq!(verify_consistency(&empty, &empty, &[]), Ok(()));
        let wrong = TreeHead { size: 0, ..new };
        let mismatch = Err(TreeError::RootMismatch);
        assert_eq!(verify_consistency(&wrong, &new, &[]), mismatch);
        assert_eq!(verify_consistency(&empty, &wrong, &[]), mismatch);
        assert!(verify_consistency(&empty, &new, &leaves[..1]).is_err());
        let none = TreeError::IndexOutOfRange { index: 0, size: 0 };
        assert_eq!(inclusion_proof(&[], 0), Err(none));
        assert_eq!(verify_inclusion(&leaves[0], 0, &empty, &[]), Err(none));
    }

    #[test]
    fn sizes_and_indices_out_of_range() {
        let (leaves, _) = both(5);
        let outside = TreeError::IndexOutOfRange { index: 5, size: 5 };
        assert_eq!(inclusion_proof(&leaves, 5), Err(outside));
        let proof = inclusion_proof(&leaves, 4).unwrap();
        assert_eq!(verify_inclusion(&leaves[4], 5, &head(&leaves), &proof), Err(outside));
        let shrunk = TreeError::Shrunk { old: 6, new: 5 };
        assert_eq!(consistency_proof(&leaves, 6), Err(shrunk));
        let old = TreeHead { size: 6, ..head(&leaves) };
        assert_eq!(verify_consistency(&old, &head(&leaves), &[]), Err(shrunk));
        // The largest sizes neither overflow nor loop.
        let huge = TreeHead { size: u64::MAX, ..old };
        let needed = |expected| Err(TreeError::ProofLength { expected, given: 0 });
        assert_eq!(verify_inclusion(&leaves[0], 0, &huge, &[]), needed(64));
        assert_eq!(verify_consistency(&old, &huge, &[]), needed(64));
    }

    #[test]
    fn a_leaf_cannot_pass_for_a_node() {
        let (leaves, _) = both(2);
        assert_ne!(leaf_hash(&flat(&leaves)), tree_root(&leaves));
        let forged = [&[1], &flat(&leaves)[..]].concat();
        assert_ne!(leaf_hash(&forged), tree_root(&leaves));
    }

    /// All trees up to 20 leaves, all leaves, all damages and all wrong positions.
    #[test]
    fn damaged_inclusion_proofs_are_refused() {
        for n in 1..=20 {
            let (leaves, _) = both(n);
            let head = head(&leaves);
            for (leaf, i) in leaves.iter().zip(0..) {
                let proof = inclusion_proof(&leaves, i).unwrap();
                assert_eq!(verify_inclusion(leaf, i, &head, &proof), Ok(()));
                for changed in damaged(&proof) {
                    assert!(verify_inclusion(leaf, i, &head, &changed).is_err());
                }
                for other in (0..n).filter(|other| *other != i) {
                    assert!(verify_inclusion(leaf, other, &head, &proof).is_err());
                }
                assert!(verify_inclusion(&empty_root(), i, &head, &proof).is_err());
                let other_root = TreeHead { root: *leaf, ..head };
                assert_eq!(verify_inclusion(leaf, i, &other_root, &proof).is_ok(), n == 1);
            }
        }
    }

    #[test]
    fn damaged_consistency_proofs_are_refused() {
        for n in 1..=20 {
            let (leaves, _) = both(n);
            let new = head(&leaves);
            for m in 1..=leaves.len() {
                let old = head(&leaves[..m]);
                let proof = consistency_proof(&leaves, m as u64).unwrap();
                assert_eq!(verify_consistency(&old, &new, &proof), Ok(()));
                for changed in damaged(&proof) {
                    assert!(verify_consistency(&old, &new, &changed).is_err());
                }
                let lie = leaf_hash(b"lie");
                let old_lie = TreeHead { root: lie, ..old };
                let new_lie = TreeHead { root: lie, ..new };
                assert!(verify_consistency(&old_lie, &new, &proof).is_err());
                assert!(verify_consistency(&old, &new_lie, &proof).is_err());
                // A history rewritten at any leaf has no proof of this kind.
                let mut forked = leaves.clone();
                forked[m - 1] = lie;
                let proof = consistency_proof(&forked, m as u64).unwrap();
                assert!(verify_consistency(&old, &head(&forked), &proof).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_ct_merkle(n in 1u64..200, a: prop::sample::Index, b: prop::sample::Index) {
            let (leaves, theirs) = both(n);
            let new = head(&leaves);
            let root_theirs = theirs.root();
            prop_assert_eq!(&new.root.0[..], &root_theirs.as_bytes()[..]);

            let at = a.index(leaves.len());
            let index = at as u64;
            let proof = inclusion_proof(&leaves, index).unwrap();
            let proof_theirs = theirs.prove_inclusion(at);
            prop_assert_eq!(flat(&proof), proof_theirs.as_bytes());
            prop_assert_eq!(verify_inclusion(&leaves[at], index, &new, &proof), Ok(()));
            let root = RootHash::<Sha256>::new(new.root.0.into(), n);
            let proof = InclusionProof::try_from_bytes(flat(&proof)).unwrap();
            prop_assert!(root.verify_inclusion(&index.to_be_bytes(), index, &proof).is_ok());

            let m = b.index(leaves.len()) + 1;
            let old = head(&leaves[..m]);
            let proof = consistency_proof(&leaves, old.size).unwrap();
            let proof_theirs = theirs.prove_consistency(leaves.len() - m);
            prop_assert_eq!(flat(&proof), proof_theirs.as_bytes());
            prop_assert_eq!(verify_consistency(&old, &new, &proof), Ok(()));
            let old_theirs = RootHash::<Sha256>::new(old.root.0.into(), old.size);
            let proof = ConsistencyProof::try_from_bytes(flat(&proof)).unwrap();
            prop_assert!(root.verify_consistency(&old_theirs, &proof).is_ok());
        }

        /// Both verifiers take or refuse alike, whatever the sizes and hashes.
        #[test]
        fn refuses_what_ct_merkle_refuses(
            n in 1u64..40, i in 0u64..40, claimed in 1u64..40, at: prop::sample::Index,
        ) {
            let (leaves, _) = both(n);
            let proof = inclusion_proof(&leaves, at.index(leaves.len()) as u64).unwrap();
            let claim = TreeHead { size: claimed, ..head(&leaves) };
            let root = RootHash::<Sha256>::new(claim.root.0.into(), claimed);
            let theirs = InclusionProof::<Sha256>::try_from_bytes(flat(&proof)).unwrap();
            prop_assert_eq!(
                verify_inclusion(&leaf_hash(&i.to_be_bytes()), i, &claim, &proof).is_ok(),
                root.verify_inclusion(&i.to_be_bytes(), i, &theirs).is_ok()
            );
            let m = at.index(leaves.len()) + 1;
            let proof = consistency_proof(&leaves, m as u64).unwrap();
            let old = TreeHead { size: i.max(1), ..head(&leaves[..m]) };
            let theirs = ConsistencyProof::<Sha256>::try_from_bytes(flat(&proof)).unwrap();
            let old_theirs = RootHash::new(old.root.0.into(), old.size);
            prop_assert_eq!(
                verify_consistency(&old, &claim, &proof).is_ok(),
                root.verify_consistency(&old_theirs, &theirs).is_ok()
            );
        }
    }
}
