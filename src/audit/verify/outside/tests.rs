//! Logs of a test's own making, whole and changed, in folders.

use super::*;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::entry::{Leaf, Place};
use crate::audit::keys::{FollowError, introduction};
use crate::audit::note::cosignature::CosignatureKey;
use crate::audit::note::{self, KeyName, NoteSigner};
use crate::audit::tiles::export::place;
use crate::audit::tiles::model::{BadBytes, bundle, hashes_at};
use crate::audit::tiles::pruning::is_pruned;
use crate::audit::tree::{Frontier, Hash, leaf_hash, tree_root};
use crate::audit::verify::{BadCheckpoint, Finding};
use crate::platform::random;
use crate::platform::secrets::Version;
use chrono::DateTime;
use ed25519_dalek::SigningKey;
use std::fs;
use std::path::PathBuf;
use uuid::Uuid;

const ORIGIN: &str = "log.example/ledger";
/// The hour in which the verifier comes: three years after that of most leaves.
const NOW: i64 = 5 + 3 * 365 * 24;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn signer(seed: u8) -> NoteSigner {
    NoteSigner::new(KeyName::new(ORIGIN).unwrap(), &key(seed))
}

fn witness(seed: u8) -> CosignatureKey {
    CosignatureKey::new(KeyName::new(format!("witness.example/{seed}")).unwrap(), &key(100 + seed))
}

/// Leaves of three lanes, which take turns.
fn leaves(count: u64) -> Vec<Vec<u8>> {
    leaves_at(count, |_| 5)
}

/// The same, each with its hour.
fn leaves_at(count: u64, hour: impl Fn(u64) -> i64) -> Vec<Vec<u8>> {
    let mut lanes: Vec<(Place, Hash)> = (0..3)
        .map(|lane| Place { replica: Uuid::from_u128(7), lane, n: 0 })
        .map(|place| (place, place.origin()))
        .collect();
    let mut leaves = Vec::new();
    for number in 0..count {
        let (next, previous) = &mut lanes[usize::try_from(number % 3).unwrap()];
        let policy = if number < count / 2 { [1; 32] } else { [2; 32] };
        let leaf = Leaf::new(*next, *previous, hour(number), policy, b"detail", None).to_bytes();
        (next.n, *previous) = (next.n + 1, leaf_hash(&leaf));
        leaves.push(leaf);
    }
    leaves
}

fn signed(leaves: &[Vec<u8>], by: u8) -> String {
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let mut tree = Frontier::new();
    for hash in hashes {
        tree.append(hash).unwrap();
    }
    note::sign(&Checkpoint::new(ORIGIN, tree.head()).unwrap().to_text(), &[&signer(by)]).unwrap()
}

/// A folder with the tiles of these leaves; it goes with the test.
struct Log(PathBuf);

impl Drop for Log {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Log {
    fn of(leaves: &[Vec<u8>]) -> Self {
        let log = Self(std::env::temp_dir().join(format!("himaya-outside-{}", random::uuid())));
        let mut level: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
        for (n, part) in (0..).zip(leaves.chunks(256)) {
            let tile = Tile::of(Holds::Entries, n, leaves.len() as u64).unwrap();
            log.put(&tile.to_string(), &bundle(part.iter().map(|leaf| Some(leaf.as_slice()))).unwrap());
        }
        for number in 0..3 {
            assert_eq!(level.len() as u64, hashes_at(number, leaves.len() as u64));
            for (n, part) in (0..).zip(level.chunks(256)) {
                let tile = Tile::of(Holds::Hashes(number), n, leaves.len() as u64).unwrap();
                log.put(&tile.to_string(), &part.iter().flat_map(Hash::as_bytes).copied().collect::<Vec<_>>());
            }
            level = level.chunks_exact(256).map(tree_root).collect();
        }
        log.put("checkpoint", signed(leaves, 1).as_bytes());
        log
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        place(&self.0.join(name), bytes).unwrap();
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    async fn verify(&self, change: impl FnOnce(&mut Told)) -> Report {
        self.verify_and_tell(change, |_, _| ()).await
    }

    /// [`Self::verify`], told how far it is.
    async fn verify_and_tell(&self, change: impl FnOnce(&mut Told), progress: impl FnMut(u64, u64)) -> Report {
        let now = DateTime::from_timestamp(NOW * 3600, 0).unwrap();
        let mut told = Told { key: signer(1).verifier().clone(), saved: vec![], witnesses: vec![], needed: 0, now };
        change(&mut told);
        let source = Source::open(self.0.to_str().unwrap(), None, None).unwrap();
        verify(&source, &told, progress).await.unwrap()
    }

    async fn faults(&self) -> Vec<Fault> {
        self.verify(|_| ()).await.faults
    }
}

/// As somebody changes a stored leaf.
fn edit(leaf: &mut [u8]) {
    leaf[100] ^= 1;
}

#[tokio::test]
async fn whoever_waits_is_told_how_far_it_is() {
    let log = Log::of(&leaves(70_000));
    let mut told = Vec::new();
    let report = log.verify_and_tell(|_| (), |done, of| told.push((done, of))).await;
    assert_eq!(report.faults, []);
    assert!(told.len() > 3 && told.iter().all(|(_, of)| *of == 70_000), "{told:?}");
    assert!(told.windows(2).all(|two| two[0].0 <= two[1].0), "{told:?}");
    assert_eq!(told.last(), Some(&(70_000, 70_000)));
}

#[tokio::test]
async fn a_whole_log_is_whole_at_every_size() {
    let all = leaves(70_000);
    for size in [0, 1, 255, 256, 257, 700, 65_536, 70_000] {
        let log = Log::of(&all[..size]);
        let saved = [0, size / 3, size.min(256), size].map(|size| signed(&all[..size], 1)).to_vec();
        let report = log.verify(|told| told.saved = saved).await;
        assert_eq!(report.faults, [], "{size}");
        assert_eq!((report.entries, report.size, report.saved), (size as u64, size as u64, 4));
        assert_eq!(report.lanes, size.min(3) as u64);
        assert_eq!(report.first_wrong(), None);
    }
    let report = Log::of(&all[..700]).verify(|_| ()).await;
    assert_eq!(report.policy_changes.len(), 1, "the other begins later");
}

#[tokio::test]
async fn policies_are_listed_with_their_entries() {
    let report = Log::of(&leaves(1000)).verify(|_| ()).await;
    let told: Vec<_> =
        report.policy_changes.iter().map(|change| (change.policy[0], change.first, change.last)).collect();
    assert_eq!(told, [(1, 0, 499), (2, 500, 999)]);
}

#[tokio::test]
async fn a_policy_for_each_entry_is_told_and_keeps_nobody_busy() {
    let (mut place, mut previous) = (Place { replica: Uuid::from_u128(7), lane: 0, n: 0 }, None);
    let mut all = Vec::new();
    for number in 0..1200_u64 {
        let mut policy = [0; 32];
        policy[..8].copy_from_slice(&number.to_be_bytes());
        let before = previous.unwrap_or_else(|| place.origin());
        let leaf = Leaf::new(place, before, 5, policy, b"detail", None).to_bytes();
        (place.n, previous) = (place.n + 1, Some(leaf_hash(&leaf)));
        all.push(leaf);
    }
    let report = Log::of(&all).verify(|_| ()).await;
    assert_eq!((report.faults.as_slice(), report.policy_changes.len()), (&[Fault::TooManyPolicies(1000)][..], 1000));
    assert!(!report.ok());
    assert_eq!(Log::of(&all[..1000]).verify(|_| ()).await.faults, []);
}

#[tokio::test]
async fn an_entry_that_is_edited_or_gone_is_named() {
    let (all, entry) = (leaves(1000), 300_usize);
    let log = Log::of(&all);
    let mut part: Vec<Vec<u8>> = all[256..512].to_vec();
    edit(&mut part[entry - 256]);
    log.put("tile/entries/001", &bundle(part.iter().map(|leaf| Some(leaf.as_slice()))).unwrap());
    let report = log.verify(|_| ()).await;
    assert_eq!((report.first_wrong(), &report.faults[..]), (Some(300), &[Fault::Edited(300)][..]));
    let gone = (256..512).map(|at| (at != entry).then(|| all[at].as_slice()));
    log.put("tile/entries/001", &bundle(gone).unwrap());
    let report = log.verify(|_| ()).await;
    assert_eq!((report.first_wrong(), &report.faults[..]), (Some(300), &[Fault::Gone(300)][..]));
    // Something that has the right hash and is none of our entries.
    let mut other = all.clone();
    other[5] = b"hello".to_vec();
    let report = Log::of(&other).verify(|_| ()).await;
    assert_eq!(report.faults, [Fault::NotALeaf(5)]);
}

#[tokio::test]
async fn an_edit_that_was_carried_through_all_tiles_is_found_by_the_lane_the_root_and_what_was_saved() {
    let all = leaves(1000);
    let mut changed = all.clone();
    edit(&mut changed[300]);
    let log = Log::of(&changed);
    log.put("checkpoint", signed(&all, 1).as_bytes());
    let saved = vec![signed(&all[..256], 1), signed(&all[..310], 1), signed(&all[..900], 1)];
    let report = log.verify(|told| told.saved = saved).await;
    assert_eq!(report.first_wrong(), Some(300));
    let place = Place { replica: Uuid::from_u128(7), lane: 0, n: 101 };
    let changed = Finding::TreeChanged { kept: Kept::Outside, fits: 256, first: 310, last: 900, count: 2 };
    assert_eq!(
        report.faults,
        [Fault::OtherRoot, Fault::Saved(changed), Fault::ChainBroken { entry: 303, place, before: Some(300) }]
    );
}

#[tokio::test]
async fn entries_that_changed_places_are_found() {
    let all = leaves(1000);
    // Two of one lane, and, in another log, two of different lanes.
    let mut one = all.clone();
    one.swap(300, 303);
    let log = Log::of(&one);
    log.put("checkpoint", signed(&all, 1).as_bytes());
    let report = log.verify(|_| ()).await;
    assert!(matches!(report.faults[1], Fault::LaneBroken { entry: 300, expected: 100, .. }), "{:?}", report.faults);
    assert_eq!((report.first_wrong(), report.faults.first()), (Some(300), Some(&Fault::OtherRoot)));
    let mut two = all.clone();
    two.swap(300, 301);
    let log = Log::of(&two);
    log.put("checkpoint", signed(&all, 1).as_bytes());
    let report = log.verify(|told| told.saved = vec![signed(&all[..300], 1), signed(&all[..301], 1)]).await;
    let saved = Finding::TreeChanged { kept: Kept::Outside, fits: 300, first: 301, last: 301, count: 1 };
    assert_eq!(report.faults, [Fault::OtherRoot, Fault::Saved(saved)]);
    // The tile above the leaves says in which two hundred and fifty-six.
    let right = Log::of(&all);
    log.put("tile/1/000.p/3", &right.bytes("tile/1/000.p/3"));
    let above = Fault::Above { tile: "tile/1/000.p/3".to_owned(), first: 256, last: 511 };
    assert_eq!(log.faults().await, [Fault::OtherRoot, above]);
}

#[tokio::test]
async fn a_bundle_that_does_not_fit_its_tile_and_tiles_that_are_cut_or_gone_are_named() {
    let all = leaves(1000);
    let log = Log::of(&all);
    // The neighbour's bundle: each entry of it is wrong, a hundred are listed.
    log.put("tile/entries/001", &log.bytes("tile/entries/000"));
    let report = log.verify(|_| ()).await;
    assert_eq!((report.first_wrong(), report.faults.len(), report.unlisted), (Some(256), 100, 156));

    let log = Log::of(&all);
    let whole = log.bytes("tile/entries/002");
    log.put("tile/entries/002", &whole[..1000]);
    let cut = Fault::Bytes { what: "tile/entries/002".to_owned(), reason: BadBytes::CutOff(4), first: Some(512) };
    assert_eq!(log.faults().await, std::slice::from_ref(&cut));
    assert!(cut.to_string().contains("ends within its entry 4") && cut.to_string().contains("entry 512"), "{cut}");
    fs::remove_file(log.0.join("tile/entries/002")).unwrap();
    assert_eq!(log.faults().await, [Fault::Missing { what: "tile/entries/002".to_owned(), first: Some(512) }]);

    let log = Log::of(&all);
    let tile = log.bytes("tile/0/002");
    log.put("tile/0/002", &tile[..tile.len() - 1]);
    let reason = BadBytes::Length { expected: 8192, given: 8191 };
    assert_eq!(log.faults().await, [Fault::Bytes { what: "tile/0/002".to_owned(), reason, first: Some(512) }]);
    fs::remove_file(log.0.join("tile/0/002")).unwrap();
    let report = log.verify(|_| ()).await;
    assert_eq!((report.entries, report.first_wrong()), (512, Some(512)));

    let log = Log::of(&all);
    fs::remove_file(log.0.join("tile/1/000.p/3")).unwrap();
    assert_eq!(log.faults().await, [Fault::Missing { what: "tile/1/000.p/3".to_owned(), first: None }]);
    fs::remove_file(log.0.join("checkpoint")).unwrap();
    assert_eq!(log.faults().await, [Fault::Missing { what: "checkpoint".to_owned(), first: None }]);
}

#[tokio::test]
async fn a_log_that_has_grown_meanwhile_is_read_from_its_full_tiles() {
    let all = leaves(1000);
    let log = Log::of(&all);
    // Partial tiles may be deleted once the full one is there.
    log.put("checkpoint", signed(&all[..300], 1).as_bytes());
    let report = log.verify(|_| ()).await;
    assert_eq!(
        (report.faults, report.size),
        (vec![Fault::Missing { what: "tile/1/000.p/1".to_owned(), first: None }], 300)
    );
    let full = log.bytes("tile/1/000.p/3");
    log.put("tile/1/000.p/1", &full[..32]);
    assert_eq!(log.faults().await, []);
}

#[tokio::test]
async fn a_forked_log_and_one_that_lost_entries_are_held_to_what_was_saved() {
    let (all, mut other) = (leaves(600), leaves(600));
    other[599] = b"".to_vec();
    let place = Place { replica: Uuid::from_u128(8), lane: 0, n: 0 };
    other[599] = Leaf::new(place, place.origin(), 5, [2; 32], b"another", None).to_bytes();
    let log = Log::of(&other);
    assert_eq!(log.faults().await, [], "by itself it is whole");
    let report = log.verify(|told| told.saved = vec![signed(&all, 1)]).await;
    let forked = Finding::TreeChanged { kept: Kept::Outside, fits: 0, first: 600, last: 600, count: 1 };
    assert_eq!(report.faults, [Fault::Saved(forked)]);
    let report = Log::of(&all[..500]).verify(|told| told.saved = vec![signed(&all, 1)]).await;
    let gone = Finding::EntriesGone { kept: Kept::Outside, says: 600, leaves: 500 };
    assert_eq!(report.faults, [Fault::Saved(gone)]);
}

#[tokio::test]
async fn only_the_logs_own_keys_count_and_each_as_long_as_it_is_in_office() {
    let all = leaves(300);
    let log = Log::of(&all);
    log.put("checkpoint", signed(&all, 9).as_bytes());
    let report = log.verify(|_| ()).await;
    assert!(matches!(report.faults[..], [Fault::CheckpointForged { saved: None, reason: BadCheckpoint::Note(_) }]));
    let version = |seed: u8, from: i64| Version {
        id: seed.to_string(),
        from: Some(DateTime::from_timestamp(from, 0).unwrap()),
        value: key(seed).into(),
    };
    let introduced = |old, new| introduction(ORIGIN, &version(old, 0), &version(new, 1)).unwrap().unwrap().1;
    let introduce = |notes: &[String]| {
        let view = KeysView { introductions: notes.to_vec(), minimum_index: 0 };
        log.put("keys", &serde_json::to_vec(&view).unwrap());
    };
    introduce(&[introduced(1, 9)]);
    let report = log.verify(|_| ()).await;
    assert_eq!((report.faults, report.keys), (vec![], 2));
    // Whoever stole the old key goes on with it.
    log.put("checkpoint", signed(&all, 1).as_bytes());
    let report = log.verify(|told| told.saved = vec![signed(&all[..200], 1), signed(&all[..250], 9)]).await;
    let retired = Fault::RetiredKey { since: DateTime::from_timestamp(1, 0).unwrap() };
    assert_eq!(report.faults, [Fault::OldKey { saved: 2 }, retired.clone()]);
    // Whoever comes for the first time is told as well: the newest entry is hours younger than the key that replaced this one.
    assert_eq!(log.faults().await, [retired]);
    // While both sign, the old one is in office.
    let text = note::unverified_text(&signed(&all, 1)).unwrap().to_owned();
    log.put("checkpoint", note::sign(&text, &[&signer(1), &signer(9)]).unwrap().as_bytes());
    assert_eq!(log.faults().await, []);
    log.put("checkpoint", signed(&all, 1).as_bytes());
    introduce(&[introduced(1, 9), introduced(1, 8)]);
    assert_eq!(log.faults().await, [Fault::Keys(FollowError::Forked(signer(1).verifier().key_id()))]);
    introduce(&[]);
    let forged = log.verify(|told| told.saved = vec![signed(&all[..200], 7)]).await.faults;
    assert!(matches!(forged[..], [Fault::CheckpointForged { saved: Some(1), .. }]), "{forged:?}");
}

#[tokio::test]
async fn as_many_witnesses_as_are_asked_for_must_have_cosigned() {
    let all = leaves(300);
    let log = Log::of(&all);
    let note = signed(&all, 1);
    let text = note::unverified_text(&note).unwrap();
    let (one, two, three) = (witness(1), witness(2), witness(3));
    let cosigned = format!("{note}{}{}", one.cosign(text, 1_800_000_000), two.cosign(text, 1_800_000_009));
    log.put("checkpoint", cosigned.as_bytes());
    let all_three = || [&one, &two, &three].map(|witness| witness.verifier().clone()).to_vec();
    let report = log.verify(|told| (told.witnesses, told.needed) = (all_three(), 2)).await;
    let named = |name: &str, time| (format!("witness.example/{name}"), time);
    assert_eq!((report.faults, report.witnesses), (vec![], vec![named("1", 1_800_000_000), named("2", 1_800_000_009)]));
    let report = log.verify(|told| (told.witnesses, told.needed) = (all_three(), 3)).await;
    assert_eq!(report.faults, [Fault::TooFewWitnesses { given: 2, needed: 3 }]);
    // Of another checkpoint: whoever put it here has no word of the witness about this one.
    let other = three.cosign(note::unverified_text(&signed(&all[..200], 1)).unwrap(), 1_800_000_000);
    log.put("checkpoint", format!("{cosigned}{other}").as_bytes());
    let report = log.verify(|told| (told.witnesses, told.needed) = (all_three(), 2)).await;
    assert!(matches!(&report.faults[..], [Fault::CosignatureForged { witness, .. }] if witness == "witness.example/3"));
}

#[tokio::test]
async fn what_cannot_be_read_is_a_fault_and_hides_neither_a_fork_nor_what_comes_after() {
    let all = leaves(1000);
    let log = Log::of(&all);
    // Longer than a bundle ever is: the others are read.
    log.put("tile/entries/001", &vec![0; 100_000]);
    let report = log.verify(|_| ()).await;
    assert!(
        matches!(&report.faults[..], [Fault::Unreadable { what, first: Some(256), .. }] if what == "tile/entries/001"),
        "{:?}",
        report.faults
    );
    assert_eq!((report.entries, report.ok()), (744, false));
    // A folder in the place of a tile of hashes: the tree does not go on, and what was saved is told first.
    fs::remove_file(log.0.join("tile/0/002")).unwrap();
    fs::create_dir(log.0.join("tile/0/002")).unwrap();
    let mut other = all.clone();
    edit(&mut other[999]);
    let report = log.verify(|told| told.saved = vec![signed(&other, 1), signed(&leaves(1100), 1)]).await;
    let forked = Finding::TreeChanged { kept: Kept::Outside, fits: 0, first: 1000, last: 1000, count: 1 };
    let gone = Finding::EntriesGone { kept: Kept::Outside, says: 1100, leaves: 1000 };
    assert_eq!(report.faults[..2], [Fault::Saved(forked), Fault::Saved(gone)]);
    assert!(matches!(&report.faults[3..], [Fault::Unreadable { first: Some(512), .. }]), "{:?}", report.faults);
    assert!(!Report::default().ok(), "what was not read is not whole");
}

#[tokio::test]
async fn an_export_is_held_to_every_checkpoint_that_it_kept_and_a_fork_is_told_before_a_hundred_others() {
    let all = leaves(1000);
    let log = Log::of(&all);
    log.put("checkpoints/00000000000000000300", signed(&all[..300], 1).as_bytes());
    let report = log.verify(|_| ()).await;
    assert_eq!((report.faults.len(), report.saved), (0, 1));
    let mut other = all[..400].to_vec();
    edit(&mut other[200]);
    log.put("checkpoints/00000000000000000400", signed(&other, 1).as_bytes());
    log.put("tile/entries/001", &log.bytes("tile/entries/000"));
    let report = log.verify(|_| ()).await;
    let forked = Finding::TreeChanged { kept: Kept::Outside, fits: 300, first: 400, last: 400, count: 1 };
    assert_eq!((&report.faults[0], report.faults.len()), (&Fault::Saved(forked), 101));
}

#[test]
fn nothing_is_fetched_where_others_could_read_it() {
    for refused in [
        "http://ledger.example/ledger",
        "ftp://ledger.example",
        "http://127.0.0.1.example/ledger",
        "http://127.0.0.1:x@evil.example/",
        "https://a:b@evil.example/",
    ] {
        assert!(matches!(Source::open(refused, None, None), Err(SourceError::Address(_))), "{refused}");
    }
    for taken in ["https://ledger.example/ledger", "http://127.0.0.1:8080/ledger", "/media/usb/ledger", "ledger"] {
        assert!(Source::open(taken, None, None).is_ok(), "{taken}");
    }
}

/// Leaves of which the newest are three years younger than those of the bundle at `minimum`.
fn aged(size: u64, minimum: u64) -> Vec<Vec<u8>> {
    leaves_at(size, |number| if number < minimum + 256 { 5 } else { NOW })
}

/// A log of which nothing is given that ends before `minimum`.
fn pruned(leaves: &[Vec<u8>], minimum: u64) -> Log {
    let (log, size) = (Log::of(leaves), leaves.len() as u64);
    log.says(minimum);
    let below = (0..3).flat_map(|level| (0..hashes_at(level, minimum)).map(move |n| (Holds::Hashes(level), n)));
    for (holds, n) in below.chain((0..minimum).map(|n| (Holds::Entries, n))) {
        if let Some(tile) = Tile::of(holds, n, size).filter(|tile| is_pruned(*tile, minimum)) {
            fs::remove_file(log.0.join(tile.to_string())).unwrap();
        }
    }
    log
}

impl Log {
    fn says(&self, minimum_index: u64) {
        self.put("keys", &serde_json::to_vec(&KeysView { introductions: vec![], minimum_index }).unwrap());
    }
}

#[tokio::test]
async fn a_pruned_log_is_checked_from_its_minimum_on_and_no_more_is_said() {
    for (size, minimum) in [(700, 256), (70_000, 65_280), (70_000, 65_536), (140_000, 131_328)] {
        let all = aged(size, minimum);
        let log = pruned(&all, minimum);
        let at = |size: u64| signed(&all[..usize::try_from(size).unwrap()], 1);
        let saved = vec![at(minimum), at(minimum + 3), at(size)];
        let report = log.verify(|told| told.saved = saved).await;
        assert_eq!(report.faults, [], "{size} from {minimum}");
        assert!(report.ok());
        assert_eq!((report.minimum, report.entries, report.saved), (minimum, size - minimum, 3));
        // What was saved before cannot be compared, and that is said.
        let report = log.verify(|told| told.saved = vec![at(minimum - 1)]).await;
        assert_eq!(report.faults, [Fault::SavedBefore { saved: 1, size: minimum - 1, minimum }]);
        // Of an older export nothing is promised to anybody.
        log.put(&format!("checkpoints/{:020}", minimum - 1), at(minimum - 1).as_bytes());
        assert_eq!(log.faults().await, []);
        let other = signed(&leaves_at(minimum + 3, |_| 6), 1);
        assert!(matches!(log.verify(|told| told.saved = vec![other]).await.faults[..], [Fault::Saved(_)]));
    }
}

#[tokio::test]
async fn nothing_else_passes_for_pruning() {
    let log = pruned(&aged(70_000, 65_536), 65_536);
    // A hole behind the minimum, in the entries or in the hashes.
    for name in ["tile/entries/257", "tile/0/257", "tile/1/001.p/17", "tile/2/000.p/1"] {
        let bytes = log.bytes(name);
        fs::remove_file(log.0.join(name)).unwrap();
        let report = log.verify(|_| ()).await;
        assert!(!report.ok() && matches!(report.faults[0], Fault::Missing { .. }), "{name}: {:?}", report.faults);
        log.put(name, &bytes);
    }
    // The hashes on which it all stands are those of the root, or it is not that root's log.
    let mut bytes = log.bytes("tile/2/000.p/1");
    bytes[0] ^= 1;
    log.put("tile/2/000.p/1", &bytes);
    assert!(log.faults().await.contains(&Fault::OtherRoot));
    bytes[0] ^= 1;
    log.put("tile/2/000.p/1", &bytes);
    assert_eq!(log.faults().await, []);
    // What is said of the minimum: in the midst of a bundle, behind the end, and at entries that are younger than two years.
    for minimum in [65_537, 70_144, u64::MAX] {
        log.says(minimum);
        assert_eq!(log.faults().await, [Fault::Minimum(minimum)]);
    }
    for minimum in [65_792, 69_888] {
        log.says(minimum);
        let report = log.verify(|_| ()).await;
        assert_eq!(report.faults, [Fault::PrunedEarly(minimum)]);
    }
    // The newest say that they are of three years later, and the verifier's own clock does not.
    log.says(65_536);
    for (hour, early) in [(NOW, false), (NOW - 400 * 24, true)] {
        let report = log.verify(|told| told.now = DateTime::from_timestamp(hour * 3600, 0).unwrap()).await;
        assert_eq!(report.faults, if early { vec![Fault::PrunedEarly(65_536)] } else { vec![] });
    }
    // Nothing is said of it: then all of it is asked for.
    log.says(0);
    assert!(matches!(log.faults().await[..], [Fault::Missing { first: Some(0), .. }, ..]));
}
