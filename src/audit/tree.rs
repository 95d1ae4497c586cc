//! The Merkle tree of RFC 6962 section 2.1, over SHA-256.
//!
//! A log appends leaves through a [`Frontier`] and publishes its [`TreeHead`]. Two
//! kinds of proof make it answerable: an *inclusion* proof shows that a leaf is in
//! the tree of a head, a *consistency* proof that a later tree only appended to an
//! earlier one. A proof shows something about a head, so the head itself has to
//! come from a verified checkpoint; in particular a proof does not prove the size.
//!
//! Here are the hashes and the roots; `frontier` appends, `proof` makes and checks proofs,
//! `extension` makes one of what was appended alone.
//!
//! Leaf indices count from 0, sizes are numbers of leaves. All values here are
//! public, so comparisons need not take constant time.

mod extension;
mod frontier;
mod proof;

#[cfg(test)]
mod tests;

pub use extension::Extension;
pub use frontier::Frontier;
pub use proof::{
    consistency_proof, consistency_ranges, inclusion_proof, inclusion_ranges, verify_consistency, verify_inclusion,
};

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
    /// A subtree was to be appended where none of that height can begin.
    #[error("no subtree of height {height} can begin behind {size} leaves")]
    NotAligned {
        /// Leaves in the tree.
        size: u64,
        /// Height of the subtree.
        height: u32,
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

/// The `k` of RFC 6962 section 2.1: the largest power of two smaller than `n`.
/// `None` below two leaves, where there is nothing to halve.
fn split_point(n: u64) -> Option<u64> {
    n.checked_sub(1)?.checked_ilog2().map(|bit| 1 << bit)
}

fn halves(leaf_hashes: &[Hash]) -> Option<(&[Hash], &[Hash])> {
    let k = split_point(leaf_hashes.len() as u64)?;
    leaf_hashes.split_at_checked(usize::try_from(k).ok()?)
}

fn check_root(matches: bool) -> Result<(), TreeError> {
    if matches { Ok(()) } else { Err(TreeError::RootMismatch) }
}
