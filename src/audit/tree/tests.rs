//! The tree against the reference roots, against another implementation, and against damage.

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
