use super::*;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::entry::signed_message;
use crate::audit::keys::LogKeys;
use crate::audit::note::{self, KeyName, NoteSigner, NoteVerifier};
use ed25519_dalek::{Signer as _, SigningKey};

fn keys(of: &[&SigningKey]) -> LogKeys {
    let name = KeyName::new("log.example").unwrap();
    LogKeys::in_order(of.iter().map(|key| NoteVerifier::new(name.clone(), &key.verifying_key())).collect())
}

/// A waiting entry of this hour, alone in its lane.
fn waiting(key: &SigningKey, lane: i32, hour: i64) -> Unsequenced {
    let place = Place { replica: Uuid::from_u128(1), lane, n: 0 };
    let leaf = Leaf::new(place, place.origin(), hour, [0; 32], b"detail", None).to_bytes();
    let signature = key.sign(&signed_message(&leaf)).to_bytes().to_vec();
    Unsequenced { replica: place.replica, lane, n: 0, leaf, signature, has_detail: true, queued: true }
}

fn found(now: i64, hours: &[i64]) -> Vec<Finding> {
    let key = SigningKey::from_bytes(&[3; 32]);
    let keys = keys(&[&key]);
    let mut walk = Walk::new(&keys, false, now);
    for (lane, hour) in (0..).zip(hours) {
        walk.waiting(&waiting(&key, lane, *hour));
    }
    walk.stalled();
    walk.report.findings
}

#[test]
fn an_entry_may_wait_into_the_next_hour_and_no_longer() {
    assert_eq!(found(100, &[99, 100]), []);
    let place = |lane| Place { replica: Uuid::from_u128(1), lane, n: 0 };
    assert_eq!(found(100, &[99, 98]), [Finding::Stalled { place: place(1), hours: 2 }]);
    assert_eq!(found(0, &[98, 100, 97]), [Finding::Stalled { place: place(2), hours: 3 }], "beside newer entries");
}

#[test]
fn a_waiting_entry_without_its_detail_is_found() {
    let key = SigningKey::from_bytes(&[3; 32]);
    let keys = keys(&[&key]);
    let mut walk = Walk::new(&keys, false, 0);
    let row = Unsequenced { has_detail: false, ..waiting(&key, 0, 0) };
    walk.waiting(&row);
    assert_eq!(walk.report.findings, [Finding::DetailDeleted { place: Place { replica: row.replica, lane: 0, n: 0 } }]);
}

#[test]
fn an_entry_by_a_key_that_was_replaced_is_found_and_one_by_a_key_that_was_never_introduced() {
    let [first, second, thief] = [1, 2, 9].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let keys = keys(&[&first, &second]);
    let place = Place { replica: Uuid::from_u128(1), lane: 0, n: 0 };
    for (key, switches, finding) in [
        (&first, vec![], None),
        (&second, vec![], None),
        (&second, vec![(5, 1)], None),
        (&first, vec![(5, 1)], Some(Finding::SignedByOldKey { place })),
        (&thief, vec![(5, 1)], Some(Finding::NotSignedByUs { place })),
    ] {
        let mut walk = Walk::new(&keys, false, 0);
        walk.switches = switches;
        walk.waiting(&waiting(key, 0, 0));
        assert_eq!(walk.report.findings, Vec::from_iter(finding));
    }
}

#[test]
fn from_its_own_size_on_a_checkpoints_key_signs() {
    let keys = keys(&[&SigningKey::from_bytes(&[1; 32]), &SigningKey::from_bytes(&[2; 32])]);
    let mut walk = Walk::new(&keys, false, 0);
    walk.switches = vec![(5, 1), (9, 2)];
    assert_eq!([4, 5, 8, 9, 100].map(|size| walk.signs_at(size)), [0, 1, 1, 2, 2]);
}

#[test]
fn a_saved_checkpoint_says_as_well_from_where_on_the_old_key_signs_nothing() {
    let [first, second] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let keys = keys(&[&first, &second]);
    let saved = |size: usize, key: &SigningKey| {
        let mut tree = Frontier::new();
        for _ in 0..size {
            tree.append(tree::leaf_hash(b"leaf")).unwrap();
        }
        let name = KeyName::new("log.example").unwrap();
        let text = Checkpoint::new("log.example", tree.head()).unwrap().to_text();
        note::sign(&text, &[&NoteSigner::new(name, key)]).unwrap()
    };
    let mut walk = Walk::new(&keys, false, 0);
    walk.take_saved(&[saved(7, &second), saved(2, &first), saved(5, &second)]);
    assert_eq!([0, 4, 5, 9].map(|size| walk.signs_at(size)), [0, 0, 1, 1]);
    // Nothing in the database says so: an entry of the old key is found all the same.
    walk.waiting(&waiting(&first, 0, 0));
    let place = Place { replica: Uuid::from_u128(1), lane: 0, n: 0 };
    assert_eq!(walk.report.findings, [Finding::SignedByOldKey { place }]);
}
