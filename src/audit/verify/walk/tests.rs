use super::*;
use crate::audit::entry::signed_message;
use crate::audit::note::KeyName;
use ed25519_dalek::{Signer as _, SigningKey};

/// A waiting entry of this hour, alone in its lane.
fn waiting(key: &SigningKey, lane: i32, hour: i64) -> Unsequenced {
    let place = Place { replica: Uuid::from_u128(1), lane, n: 0 };
    let leaf = Leaf::new(place, place.origin(), hour, [0; 32], b"detail", None).to_bytes();
    let signature = key.sign(&signed_message(&leaf)).to_bytes().to_vec();
    Unsequenced { replica: place.replica, lane, n: 0, leaf, signature, has_detail: true, queued: true }
}

fn found(now: i64, hours: &[i64]) -> Vec<Finding> {
    let key = SigningKey::from_bytes(&[3; 32]);
    let verifier = NoteVerifier::new(KeyName::new("log.example").unwrap(), &key.verifying_key());
    let mut walk = Walk::new(&verifier, false, now);
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
    let verifier = NoteVerifier::new(KeyName::new("log.example").unwrap(), &key.verifying_key());
    let mut walk = Walk::new(&verifier, false, 0);
    let row = Unsequenced { has_detail: false, ..waiting(&key, 0, 0) };
    walk.waiting(&row);
    assert_eq!(walk.report.findings, [Finding::DetailDeleted { place: Place { replica: row.replica, lane: 0, n: 0 } }]);
}
