//! What may stand in the tree: each entry signed, and the next one of its lane.

use crate::audit::entry::{Leaf, Place};
use crate::audit::keys::LogKeys;
use crate::audit::store::{Pending, Sequenced};
use crate::audit::tree::{self, Frontier, Hash, TreeError};
use std::collections::HashSet;
use uuid::Uuid;

pub(super) fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok().map(Hash::from_bytes)
}

/// Why a lane is not continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("an entry of the lane is missing in the queue, or is in it again")]
    NotDense,
    #[error("the entry is in the queue and was deleted")]
    Deleted,
    #[error("the entry's leaf is none")]
    NoLeaf,
    #[error("the entry's leaf speaks of another place")]
    OtherPlace,
    #[error("the entry does not name the entry before it")]
    OtherPrevious,
    #[error("the entry's signature is not this service's")]
    Signature,
    #[error("the entry was signed by a key that has been replaced")]
    OldKey,
    #[error("the record of the lane's last entry is none")]
    LaneRecord,
}

/// Who may have signed what is placed now.
#[derive(Clone, Copy)]
pub(super) struct Signers<'a> {
    pub(super) keys: &'a LogKeys,
    /// The key that signs the checkpoints, and those after it: no entry of an older one is placed any more.
    pub(super) from: usize,
}

/// Appends to the tree what may stand in it, and notes the lanes that may not go on, and which of them no known key signed. Gives the oldest of the keys that
/// signed what was placed as well.
pub(super) fn place(
    pending: &[Pending],
    tree: &mut Frontier,
    signers: Signers<'_>,
    refused: &mut HashSet<(Uuid, i32)>,
    unknown: &mut Vec<(Uuid, i32)>,
) -> Result<(Vec<Sequenced>, Option<usize>), TreeError> {
    let mut oldest: Option<usize> = None;
    let mut placed: Vec<Sequenced> = Vec::with_capacity(pending.len());
    for row in pending {
        if refused.contains(&(row.replica, row.lane)) {
            continue;
        }
        let last = placed.last().filter(|last| (last.place.replica, last.place.lane) == (row.replica, row.lane));
        match follow(row, last, signers) {
            Ok((leaf_hash, key)) => {
                oldest = Some(oldest.map_or(key, |oldest| oldest.min(key)));
                let position = i64::try_from(tree.append(leaf_hash)?).map_err(|_| TreeError::Full)?;
                let place = Place { replica: row.replica, lane: row.lane, n: row.n };
                placed.push(Sequenced { position, place, leaf_hash });
            }
            Err(reason) => {
                tracing::error!(replica = %row.replica, lane = row.lane, n = row.n, %reason, "a lane is refused");
                refused.insert((row.replica, row.lane));
                if reason == Refusal::Signature {
                    unknown.push((row.replica, row.lane));
                }
            }
        }
    }
    Ok((placed, oldest))
}

/// The leaf hash and key of an entry that is the next one of its lane, after `last` of this batch or what the row says.
fn follow(row: &Pending, last: Option<&Sequenced>, signers: Signers<'_>) -> Result<(Hash, usize), Refusal> {
    let place = Place { replica: row.replica, lane: row.lane, n: row.n };
    let (expected, previous) = match (last, row.last_n, &row.last_hash) {
        (Some(last), _, _) => (last.place.n.checked_add(1), last.leaf_hash),
        (None, Some(n), Some(bytes)) => (n.checked_add(1), hash(bytes).ok_or(Refusal::LaneRecord)?),
        (None, ..) => (Some(0), place.origin()),
    };
    if expected != Some(row.n) {
        return Err(Refusal::NotDense);
    }
    let bytes = row.leaf.as_deref().ok_or(Refusal::Deleted)?;
    let leaf = Leaf::parse(bytes).ok_or(Refusal::NoLeaf)?;
    if leaf.place != place {
        return Err(Refusal::OtherPlace);
    }
    if leaf.previous != previous {
        return Err(Refusal::OtherPrevious);
    }
    // Signed now, a forged entry would stand in the tree for ever.
    let signature = row.signature.as_deref().ok_or(Refusal::Signature)?;
    let key = signers.keys.signer(bytes, signature).ok_or(Refusal::Signature)?;
    if key < signers.from {
        return Err(Refusal::OldKey);
    }
    Ok((tree::leaf_hash(bytes), key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::entry::signed_message;
    use crate::audit::note::{KeyName, NoteVerifier};
    use ed25519_dalek::{Signer as _, SigningKey};

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[3; 32])
    }

    /// The first of two keys is the service's own in these tests.
    fn keys() -> LogKeys {
        let name = KeyName::new("log.example").unwrap();
        let of = |key: SigningKey| NoteVerifier::new(name.clone(), &key.verifying_key());
        LogKeys::in_order(vec![of(key()), of(SigningKey::from_bytes(&[4; 32]))])
    }

    /// The first entries of a lane as they wait in the queue.
    fn lane(replica: u128, count: i64) -> Vec<Pending> {
        let mut previous = Place { replica: Uuid::from_u128(replica), lane: 1, n: 0 }.origin();
        let mut rows = Vec::new();
        for n in 0..count {
            let place = Place { replica: Uuid::from_u128(replica), lane: 1, n };
            let leaf = Leaf::new(place, previous, 0, [0; 32], b"detail", None).to_bytes();
            previous = tree::leaf_hash(&leaf);
            let signature = Some(key().sign(&signed_message(&leaf)).to_bytes().to_vec());
            let leaf = Some(leaf);
            rows.push(Pending { replica: place.replica, lane: 1, n, leaf, signature, last_n: None, last_hash: None });
        }
        rows
    }

    fn placed(rows: &[Pending]) -> (Vec<(u128, i64)>, usize) {
        let (mut tree, mut refused) = (Frontier::new(), HashSet::new());
        let signers = Signers { keys: &keys(), from: 0 };
        let (placed, oldest) = place(rows, &mut tree, signers, &mut refused, &mut Vec::new()).unwrap();
        assert_eq!(oldest, (!placed.is_empty()).then_some(0));
        let positions: Vec<i64> = placed.iter().map(|entry| entry.position).collect();
        assert_eq!(positions, (0..i64::try_from(placed.len()).unwrap()).collect::<Vec<_>>());
        assert_eq!(tree.size(), placed.len() as u64);
        (placed.iter().map(|entry| (entry.place.replica.as_u128(), entry.place.n)).collect(), refused.len())
    }

    fn refusal(row: &Pending) -> Refusal {
        follow(row, None, Signers { keys: &keys(), from: 0 }).unwrap_err()
    }

    #[test]
    fn lanes_are_placed_one_after_the_other() {
        let rows: Vec<_> = lane(1, 2).into_iter().chain(lane(2, 2)).collect();
        assert_eq!(placed(&rows), (vec![(1, 0), (1, 1), (2, 0), (2, 1)], 0));
    }

    #[test]
    fn a_lane_with_a_gap_stops_there_and_the_others_go_on() {
        let mut rows = lane(1, 3);
        rows.remove(1);
        rows.extend(lane(2, 2));
        assert_eq!(placed(&rows), (vec![(1, 0), (2, 0), (2, 1)], 1));
    }

    #[test]
    fn a_lane_goes_on_after_its_last_entry() {
        let mut rows = lane(1, 2);
        let next = rows.pop().unwrap();
        let last_hash = tree::leaf_hash(rows[0].leaf.as_ref().unwrap()).as_bytes().to_vec();
        let keys = keys();
        let signers = Signers { keys: &keys, from: 0 };
        let next = Pending { last_n: Some(0), last_hash: Some(last_hash), ..next };
        assert!(follow(&next, None, signers).is_ok());
        // The same entry, once the next key has taken over.
        assert_eq!(follow(&next, None, Signers { from: 1, ..signers }).unwrap_err(), Refusal::OldKey);
        let again = Pending { last_n: Some(1), ..next };
        assert_eq!(refusal(&again), Refusal::NotDense);
        let other = Pending { last_n: Some(0), last_hash: Some(vec![9; 32]), ..again };
        assert_eq!(refusal(&other), Refusal::OtherPrevious);
        let none = Pending { last_hash: Some(vec![9; 31]), ..other };
        assert_eq!(refusal(&none), Refusal::LaneRecord);
    }

    #[test]
    fn each_tampering_has_its_name() {
        let row = || lane(1, 1).remove(0);
        assert_eq!(refusal(&Pending { n: 1, ..row() }), Refusal::NotDense);
        assert_eq!(refusal(&Pending { leaf: None, signature: None, ..row() }), Refusal::Deleted);
        assert_eq!(refusal(&Pending { leaf: Some(vec![0; 222]), ..row() }), Refusal::NoLeaf);
        assert_eq!(refusal(&Pending { lane: 2, ..row() }), Refusal::OtherPlace);
        assert_eq!(refusal(&Pending { signature: Some(vec![0; 64]), ..row() }), Refusal::Signature);
        let mut edited = row();
        if let Some(byte) = edited.leaf.as_mut().and_then(|leaf| leaf.get_mut(70)) {
            *byte ^= 1;
        }
        assert_eq!(refusal(&edited), Refusal::Signature);
    }
}
