//! A witness is sent what differs from an honest submission by one thing, some thousand times: it cosigns none of it, and goes on where
//! it was.

use crate::witness::{FakeLog, ORIGIN, Outside, body};
use himaya::audit::tree::{Hash, leaf_hash};
use himaya::guard::statement::hex;
use himaya::platform::clock::Clock;
use himaya::witness::config::WitnessConfig;
use himaya::witness::{Refusal, Witness};
use sha2::{Digest as _, Sha256};

/// Up to where it has seen the log, and what it is shown next.
const SEEN: usize = 100;
const NEXT: usize = 237;

struct Shown {
    log: FakeLog,
    witness: Witness,
    /// The latest checkpoint that it cosigned.
    latest: String,
    _outside: Outside,
}

fn latest(witness: &Witness) -> String {
    let hash: [u8; 32] = Sha256::digest(ORIGIN.as_bytes()).into();
    witness.checkpoint(&hex(&hash), None).unwrap()
}

impl Shown {
    async fn new() -> Self {
        let log = FakeLog::new(1);
        let outside = Outside::new("w.example", &[log.vkey()], None).await;
        let witness = Witness::open(&WitnessConfig::read(&outside.config()).unwrap(), Clock::default()).unwrap();
        witness.add_checkpoint(&log.body(0, SEEN), None).unwrap();
        let latest = latest(&witness);
        Self { log, witness, latest, _outside: outside }
    }

    /// What is answered; it stays where it is.
    fn refuses(&self, body: &str) -> Refusal {
        let refusal = self.witness.add_checkpoint(body, None).expect_err(body);
        assert_eq!(latest(&self.witness), self.latest, "{body}");
        refusal
    }

    /// What the log submits when it is honest.
    fn is_cosigned(&self) {
        self.witness.add_checkpoint(&self.log.body(SEEN, NEXT), None).unwrap();
        assert_ne!(latest(&self.witness), self.latest);
    }
}

fn flipped(hash: &Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_with_one_thing_changed_leads_nowhere() {
    let shown = Shown::new().await;
    let (proof, next) = (shown.log.proof(SEEN, NEXT), shown.log.checkpoint(NEXT));
    assert!(proof.len() > 4);
    let mut changed = Vec::new();
    for at in 0..proof.len() {
        for bit in (at..256).step_by(7) {
            let mut one = proof.clone();
            one[at] = flipped(&one[at], bit);
            changed.push(one);
        }
        let mut without = proof.clone();
        without.remove(at);
        changed.push(without);
        for (other, beside) in proof.iter().enumerate() {
            let mut exchanged = proof.clone();
            exchanged.swap(at, other);
            let mut more = proof.clone();
            more.insert(at, *beside);
            changed.extend([exchanged, more]);
        }
        let mut more = proof.clone();
        more.insert(at, leaf_hash(b"one more"));
        changed.push(more);
    }
    changed.push(Vec::new());
    // One that changes places with itself is the proof.
    changed.retain(|changed| *changed != proof);
    assert!(changed.len() > 300, "{}", changed.len());
    for changed in changed {
        let refusal = shown.refuses(&body(SEEN, &changed, &next));
        assert!(matches!(refusal, Refusal::Inconsistent(_)), "{refusal}");
    }
    // The right proofs of other pasts, and of other sizes.
    for from in 0..SEEN {
        let refusal = shown.refuses(&shown.log.forked(from).body(SEEN, NEXT));
        assert!(matches!(refusal, Refusal::Inconsistent(_)), "{from}: {refusal}");
    }
    for other in (1..NEXT).filter(|other| *other != SEEN) {
        assert_eq!(shown.refuses(&shown.log.body(other, NEXT)), Refusal::OtherSize(SEEN as u64), "{other}");
        let refusal = shown.refuses(&body(SEEN, &shown.log.proof(other, NEXT), &next));
        assert!(matches!(refusal, Refusal::Inconsistent(_)), "{other}: {refusal}");
    }
    shown.is_cosigned();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_of_which_one_bit_is_flipped_is_none() {
    let shown = Shown::new().await;
    let whole = shown.log.body(SEEN, NEXT).into_bytes();
    let mut tried = 0;
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut one = whole.clone();
            one[at] ^= 1 << bit;
            // What is no text does not come so far.
            let Ok(text) = String::from_utf8(one) else { continue };
            shown.witness.add_checkpoint(&text, None).expect_err(&text);
            tried += 1;
        }
        assert_eq!(latest(&shown.witness), shown.latest, "a bit of byte {at}");
    }
    assert!(tried > 3000, "{tried}");
    shown.is_cosigned();
}
