//! Any part of the tree, and proofs, from the hashes that tiles hold.

use super::model::{HEIGHT, WIDTH};
use crate::audit::tree::{Hash, TreeError, consistency_ranges, inclusion_ranges, node_hash, tree_root};
use std::collections::HashMap;
use std::ops::Range;

/// Hashes of one level that stand beside one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub level: u8,
    pub first: u64,
    pub count: u64,
}

/// Hashes by level and index.
#[derive(Debug, Default)]
pub struct Hashes(HashMap<(u8, u64), Hash>);

impl Hashes {
    /// Takes one in.
    pub fn insert(&mut self, level: u8, n: u64, hash: Hash) {
        self.0.insert((level, n), hash);
    }

    /// The root of the leaves of this range, which is one that a proof names: `None` if a hash is missing.
    #[must_use]
    pub fn root(&self, range: &Range<u64>) -> Option<Hash> {
        if let Some(run) = run(range) {
            let end = run.first.checked_add(run.count)?;
            let hashes: Option<Vec<Hash>> = (run.first..end).map(|n| self.0.get(&(run.level, n)).copied()).collect();
            return hashes.map(|hashes| tree_root(&hashes));
        }
        let [left, right] = halves(range)?;
        Some(node_hash(&self.root(&left)?, &self.root(&right)?))
    }

    fn roots(&self, ranges: &[Range<u64>]) -> Option<Vec<Hash>> {
        ranges.iter().map(|range| self.root(range)).collect()
    }
}

/// Which hashes the roots of these ranges are made of: at most 128 for each full subtree among them.
#[must_use]
pub fn needed(ranges: &[Range<u64>]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut left: Vec<Range<u64>> = ranges.to_vec();
    while let Some(range) = left.pop() {
        match run(&range) {
            Some(run) => runs.push(run),
            None => left.extend(halves(&range).into_iter().flatten()),
        }
    }
    runs
}

/// What a proof is made of, before its hashes are there.
pub struct Proof(Vec<Range<u64>>);

impl Proof {
    /// That a leaf stands at this index of a tree of so many.
    ///
    /// # Errors
    /// [`TreeError::IndexOutOfRange`] when there is no such leaf.
    pub fn inclusion(index: u64, size: u64) -> Result<Self, TreeError> {
        inclusion_ranges(index, size).map(Self)
    }

    /// That a tree of `new` leaves begins with those of one of `old`.
    ///
    /// # Errors
    /// [`TreeError::Shrunk`] when it is smaller.
    pub fn consistency(old: u64, new: u64) -> Result<Self, TreeError> {
        consistency_ranges(old, new).map(Self)
    }

    /// Which hashes have to be fetched.
    #[must_use]
    pub fn needed(&self) -> Vec<Run> {
        needed(&self.0)
    }

    /// The proof, lowest first; `None` if a hash is missing.
    #[must_use]
    pub fn from(&self, hashes: &Hashes) -> Option<Vec<Hash>> {
        hashes.roots(&self.0)
    }
}

/// The hashes of one tile from which the root of a full subtree follows; `None` for a range that is none.
fn run(range: &Range<u64>) -> Option<Run> {
    let length = range.end.checked_sub(range.start).filter(|length| length.is_power_of_two())?;
    if !range.start.is_multiple_of(length) {
        return None;
    }
    let height = length.trailing_zeros();
    let level = height / HEIGHT;
    let count = 1_u64 << (height % HEIGHT);
    debug_assert!(count < WIDTH, "a full tile is one hash of the level above");
    Some(Run { level: u8::try_from(level).ok()?, first: range.start.checked_shr(level * HEIGHT)?, count })
}

/// Where RFC 6962 divides so many leaves.
fn halves(range: &Range<u64>) -> Option<[Range<u64>; 2]> {
    let length = range.end.checked_sub(range.start)?;
    let middle = range.start.checked_add(1 << length.checked_sub(1)?.checked_ilog2()?)?;
    Some([range.start..middle, middle..range.end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tiles::model::hashes_at;
    use crate::audit::tree::{
        TreeHead, consistency_proof, inclusion_proof, leaf_hash, verify_consistency, verify_inclusion,
    };

    fn leaves(size: u64) -> Vec<Hash> {
        (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    /// What a log stores of a tree: its leaves, and above them the hashes of full tiles.
    fn stored(leaves: &[Hash]) -> Hashes {
        let mut hashes = Hashes::default();
        let mut below = leaves.to_vec();
        for level in 0_u8..8 {
            assert_eq!(below.len() as u64, hashes_at(level, leaves.len() as u64));
            for (n, hash) in (0..).zip(&below) {
                hashes.insert(level, n, *hash);
            }
            below = below.chunks_exact(256).map(tree_root).collect();
        }
        hashes
    }

    /// Only what was asked for.
    fn fetched(all: &Hashes, proof: &Proof) -> Hashes {
        let mut some = Hashes::default();
        for run in proof.needed() {
            assert!(run.count <= 128);
            for n in run.first..run.first + run.count {
                some.insert(run.level, n, all.0[&(run.level, n)]);
            }
        }
        some
    }

    #[test]
    fn proofs_from_tiles_are_those_from_all_leaves() {
        for size in [1_u64, 2, 3, 255, 256, 257, 511, 512, 700, 65_536, 66_000] {
            let leaves = leaves(size);
            let (all, head) = (stored(&leaves), TreeHead { size, root: tree_root(&leaves) });
            assert_eq!(all.root(&(0..size)), Some(head.root), "{size}");
            for index in [0, 1, 2, 254, 255, 256, 300, size / 2, size - 1].into_iter().filter(|index| *index < size) {
                let proof = Proof::inclusion(index, size).unwrap();
                let hashes = proof.from(&fetched(&all, &proof)).unwrap();
                assert_eq!(hashes, inclusion_proof(&leaves, index).unwrap(), "{index} of {size}");
                let at = usize::try_from(index).unwrap();
                verify_inclusion(&leaves[at], index, &head, &hashes).unwrap();
            }
            for old in [0, 1, 3, 255, 256, 257, 512, size / 2, size - 1, size].into_iter().filter(|old| *old <= size) {
                let proof = Proof::consistency(old, size).unwrap();
                let hashes = proof.from(&fetched(&all, &proof)).unwrap();
                assert_eq!(hashes, consistency_proof(&leaves, old).unwrap(), "{old} of {size}");
                let before = TreeHead { size: old, root: tree_root(&leaves[..usize::try_from(old).unwrap()]) };
                verify_consistency(&before, &head, &hashes).unwrap();
            }
        }
    }

    #[test]
    fn without_a_hash_there_is_no_proof() {
        let proof = Proof::inclusion(3, 300).unwrap();
        let all = stored(&leaves(300));
        let mut some = fetched(&all, &proof);
        assert!(proof.from(&some).is_some());
        some.0.remove(&(0, 2));
        assert_eq!(proof.from(&some), None);
        assert!(Proof::inclusion(300, 300).is_err() && Proof::consistency(301, 300).is_err());
    }

    #[test]
    fn the_largest_trees_ask_for_few() {
        let proof = Proof::inclusion(u64::MAX / 3, u64::MAX).unwrap();
        let asked: u64 = proof.needed().iter().map(|run| run.count).sum();
        assert!(asked < 64 * 128, "{asked}");
    }

    /// A hundred thousand proofs with one thing changed: each is refused.
    #[test]
    fn mutated_proofs_are_refused() {
        let size = 1000_u64;
        let leaves = leaves(size);
        let head = TreeHead { size, root: tree_root(&leaves) };
        let all = stored(&leaves);
        // SplitMix64: the same sequence in each run.
        let mut state = 0x4869_6d61_7961_u64;
        let mut random = move |below: u64| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % below
        };
        let inclusion: Vec<Vec<Hash>> = (0..size).map(|index| inclusion_proof(&leaves, index).unwrap()).collect();
        let heads: Vec<TreeHead> = (0..=size)
            .map(|old| TreeHead { size: old, root: tree_root(&leaves[..usize::try_from(old).unwrap()]) })
            .collect();
        let consistency: Vec<Vec<Hash>> =
            (0..=size).map(|old| Proof::consistency(old, size).unwrap().from(&all).unwrap()).collect();
        // A flipped bit, one hash less, one more, two that change places: never the proof that it was.
        let mutated = |proof: &[Hash], random: &mut dyn FnMut(u64) -> u64| -> Vec<Hash> {
            let mut changed = proof.to_vec();
            let at = usize::try_from(random(proof.len().max(1) as u64)).unwrap();
            match random(4) {
                0 if !changed.is_empty() => {
                    let mut bytes = *changed[at].as_bytes();
                    let bit = random(256);
                    bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
                    changed[at] = Hash::from_bytes(bytes);
                }
                1 if !changed.is_empty() => {
                    changed.remove(at);
                }
                2 if changed.len() > 1 => changed.swap(at, (at + 1) % proof.len()),
                _ => changed.insert(at, leaf_hash(b"one more")),
            }
            changed
        };
        let (mut refused, mut round) = (0_u32, 0_u64);
        while refused < 100_000 {
            round += 1;
            if round.is_multiple_of(2) {
                let index = random(size);
                let at = usize::try_from(index).unwrap();
                let (mut leaf, mut claimed, mut proof) = (leaves[at], index, inclusion[at].clone());
                match random(4) {
                    0 => claimed = (index + 1 + random(size - 1)) % size,
                    1 => leaf = leaves[usize::try_from((index + 1 + random(size - 1)) % size).unwrap()],
                    _ => proof = mutated(&proof, &mut random),
                }
                if (leaf, claimed) == (leaves[at], index) && proof == inclusion[at] {
                    continue;
                }
                assert!(verify_inclusion(&leaf, claimed, &head, &proof).is_err(), "round {round}, leaf {index}");
            } else {
                // Between an empty tree or the same one there is nothing to show; those have their own tests.
                let old = 1 + random(size - 1);
                let at = usize::try_from(old).unwrap();
                let (mut before, mut proof) = (heads[at], consistency[at].clone());
                match random(4) {
                    0 => before.root = heads[usize::try_from(1 + (old + random(size - 2)) % (size - 1)).unwrap()].root,
                    1 => before.size = 1 + (old + random(size - 2)) % (size - 1),
                    _ => proof = mutated(&proof, &mut random),
                }
                if before == heads[at] && proof == consistency[at] {
                    continue;
                }
                assert!(verify_consistency(&before, &head, &proof).is_err(), "round {round}, from {old}");
            }
            // What was not changed after all does not count.
            refused += 1;
        }
        assert!(round < 110_000, "{round}: nearly every mutation is one");
    }
}
