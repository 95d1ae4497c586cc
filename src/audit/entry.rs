//! One entry: what is sealed to the auditors, and the leaf, which tells an outsider nothing.
//!
//! A leaf is 202 bytes: magic `HML1` ‖ replica (16) ‖ lane (4) ‖ n (8) ‖ the lane's previous leaf hash (32) ‖ hour since
//! 1970 (8) ‖ policy hash (32) ‖ commitment to the detail (32) ‖ mark (32) ‖ digest (32) ‖ two zero bytes. A read fills
//! mark and digest with random bytes, so that it looks like a write. Numbers are big-endian. One entry tells everybody what it is: that of a
//! process's settings, whose mark and digest say for how long what entries say is kept (`retention/announced`).

use super::asked::Asked;
use super::mark::Mark;
use super::retention::Erased;
use super::retention::label::Turn;
use super::tree::Hash;
use crate::guard::action::{Purpose, Relation, Role, Verb};
use crate::guard::record::{AccountId, OrganisationId, RecordKind};
use crate::guard::statement::hex;
use crate::guard::words::words;
use crate::platform::random;
use crate::platform::secrets::{Live, Raw, Version};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

words! {
    /// Whether it was done or refused. A refusal is an entry like any other.
    pub enum Outcome {
        Done = "done",
        Refused = "refused",
        /// It had been done before, and was answered again: the same request came with the same `Idempotency-Key`.
        Repeated = "repeated",
    }
}

/// What happened, before it is given a place in a lane.
#[derive(Clone)]
pub struct Entry {
    pub at: DateTime<Utc>,
    pub account: AccountId,
    pub organisation: Option<OrganisationId>,
    pub role: Role,
    pub relation: Relation,
    pub verb: Verb,
    pub kind: RecordKind,
    pub purpose: Option<Purpose>,
    pub outcome: Outcome,
    /// Every record that was named or returned.
    pub records: Vec<Uuid>,
    /// What somebody who looked into the ledger asked for.
    pub asked: Option<Asked>,
    /// The case that it is about, or what takes its place: only to count what follows what, and in no entry.
    pub about: Option<Uuid>,
    /// What was written, if something was; or the outage that allowed a read.
    pub mark: Option<Mark>,
    /// Of which entries it is erased what they say, since the time of their class is over.
    pub erased: Option<Erased>,
    /// Which case is opened or closed with it: in its label, and not in what it says.
    pub turn: Option<(Uuid, Turn)>,
}

/// An entry as the auditors read it: people stand under pseudonyms.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// 32 random bytes, hexadecimal: without them nobody can guess the detail from the leaf's commitment.
    pub salt: String,
    pub at: DateTime<Utc>,
    pub person: String,
    pub organisation: Option<OrganisationId>,
    pub role: Role,
    pub relation: Relation,
    pub verb: Verb,
    pub kind: RecordKind,
    pub purpose: Option<Purpose>,
    pub outcome: Outcome,
    pub records: Vec<Uuid>,
    pub version: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erased>,
}

/// The key under which people stand as pseudonyms in the ledger: a secret of the service.
///
/// After a rotation a person has another pseudonym, which says under which key: `p-<the key's name>-…`. Whoever resolves
/// older ones needs the older keys, so none is ever dropped; nothing links the two pseudonyms of a person without them,
/// or a stolen old key would lead to what is done after it was replaced.
///
/// What somebody signs by name for others to see they do under another pseudonym than their work: the auditors list such acts by
/// account, and an act's id would lead from there to everything that its signer ever read.
pub struct Pseudonyms(Live<Raw>);

/// For what a pseudonym stands. Nothing but the key links the two of a person.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sphere {
    /// What they do day by day.
    Work,
    /// What they sign by name ([`RecordKind::is_signed_by_name`]).
    Signed,
}

impl Sphere {
    const ALL: [Self; 2] = [Self::Work, Self::Signed];

    /// Under which pseudonym it stands that somebody did this to such a record. Who made a shared key, and who acknowledged an alert, others
    /// see by account too.
    #[must_use]
    pub fn of(kind: RecordKind, verb: Verb) -> Self {
        let is_shown = verb == Verb::Renew || (kind, verb) == (RecordKind::Alert, Verb::Acknowledge);
        if is_shown || kind.is_signed_by_name() { Self::Signed } else { Self::Work }
    }

    /// What the pseudonym is computed over, before the account.
    fn context(self) -> &'static [u8] {
        match self {
            Self::Work => b"himaya ledger pseudonym v1",
            Self::Signed => b"himaya ledger pseudonym of signed acts v1",
        }
    }
}

impl Pseudonyms {
    #[must_use]
    pub fn new(keys: Live<Raw>) -> Self {
        Self(keys)
    }

    /// `p-` and 20 hexadecimal digits, from the first rotation on with the key's name before them; under one key the same
    /// person is always the same pseudonym in the same sphere.
    #[must_use]
    pub fn of(&self, account: AccountId, sphere: Sphere, now: DateTime<Utc>) -> String {
        under(self.0.get().current(now), sphere, account)
    }

    /// All that the person ever stands under, in either sphere, by every key there was.
    #[must_use]
    pub fn ever_of(&self, account: AccountId) -> Vec<String> {
        let keys = self.0.get();
        let in_both = |key| Sphere::ALL.map(|sphere| under(key, sphere, account));
        keys.iter().flat_map(in_both).collect()
    }
}

fn under(key: &Version<Raw>, sphere: Sphere, account: AccountId) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*key.value) else { return "p-none".to_owned() };
    mac.update(sphere.context());
    mac.update(account.0.as_bytes());
    let tag = mac.finalize().into_bytes();
    let tag = hex(tag.get(..10).unwrap_or_default());
    if key.from.is_none() { format!("p-{tag}") } else { format!("p-{}-{tag}", key.id) }
}

impl Pseudonyms {
    /// What stands for somebody's days where they are counted: under the same secret, and no pseudonym of the ledger.
    #[must_use]
    pub fn tag(&self, account: AccountId, now: DateTime<Utc>) -> Uuid {
        let keys = self.0.get();
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*keys.current(now).value) else { return Uuid::nil() };
        mac.update(b"himaya snooping day v1");
        mac.update(account.0.as_bytes());
        let tag: [u8; 32] = mac.finalize().into_bytes().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(tag.get(..16).unwrap_or(&[0; 16]));
        Uuid::from_bytes(bytes)
    }
}

impl Entry {
    /// The detail, with a salt of its own.
    #[must_use]
    pub fn detail(&self, pseudonyms: &Pseudonyms, now: DateTime<Utc>) -> Detail {
        Detail {
            salt: hex(&random::bytes::<32>()),
            at: self.at,
            person: pseudonyms.of(self.account, Sphere::of(self.kind, self.verb), now),
            organisation: self.organisation,
            role: self.role,
            relation: self.relation,
            verb: self.verb,
            kind: self.kind,
            purpose: self.purpose,
            outcome: self.outcome,
            records: self.named(),
            version: self.mark.and_then(|mark| mark.version),
            asked: self.asked.clone(),
            erased: self.erased.clone(),
        }
    }

    /// Whose supervisors see it beside the auditors: those of the person's own organisation. What somebody does as a custodian
    /// only the auditors see: a custodian acts for whoever named them, also for another organisation, and under no supervisor.
    #[must_use]
    pub fn overseen_by(&self) -> Option<OrganisationId> {
        self.organisation.filter(|_| self.relation != Relation::CustodianOf)
    }
}

impl Entry {
    /// Every record that was named or returned, and the outage that allowed it: so the auditors find all that was read in it.
    fn named(&self) -> Vec<Uuid> {
        let marked = self.mark.map(|mark| mark.record).filter(|record| !self.records.contains(record));
        self.records.iter().copied().chain(marked).collect()
    }
}

/// What the leaf says of the detail: nothing without the salt inside it.
#[must_use]
pub fn commitment(detail: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(b"himaya ledger detail v1").chain_update(detail).finalize().into()
}

/// The place of an entry: which process, which of its lanes, and the dense number within the lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub struct Place {
    pub replica: Uuid,
    pub lane: i32,
    pub n: i64,
}

impl Place {
    /// What the first entry of a lane names as the one before it.
    #[must_use]
    pub fn origin(self) -> Hash {
        let start = Sha256::new()
            .chain_update(b"himaya ledger lane v1")
            .chain_update(self.replica.as_bytes())
            .chain_update(self.lane.to_be_bytes())
            .finalize();
        Hash::from_bytes(start.into())
    }
}

/// A leaf, read or about to be written.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    pub place: Place,
    pub previous: Hash,
    pub hour: i64,
    pub policy: [u8; 32],
    pub commitment: [u8; 32],
    pub mark: [u8; 32],
    pub digest: [u8; 32],
}

const MAGIC: &[u8; 4] = b"HML1";
/// Bytes in a leaf.
pub const LEAF_BYTES: usize = 4 + 16 + 4 + 8 + 32 + 8 + 32 * 4 + 2;

impl Leaf {
    /// The leaf for an entry in this place.
    #[must_use]
    pub fn new(place: Place, previous: Hash, hour: i64, policy: [u8; 32], detail: &[u8], mark: Option<Mark>) -> Self {
        let (mark, digest) = mark.map_or_else(|| (random::bytes(), random::bytes()), |mark| (mark.name, mark.digest));
        Self { place, previous, hour, policy, commitment: commitment(detail), mark, digest }
    }

    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEAF_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(self.place.replica.as_bytes());
        bytes.extend_from_slice(&self.place.lane.to_be_bytes());
        bytes.extend_from_slice(&self.place.n.to_be_bytes());
        bytes.extend_from_slice(self.previous.as_bytes());
        bytes.extend_from_slice(&self.hour.to_be_bytes());
        for part in [&self.policy, &self.commitment, &self.mark, &self.digest] {
            bytes.extend_from_slice(part);
        }
        bytes.extend_from_slice(&[0, 0]);
        bytes
    }

    /// Reads a leaf; `None` unless it is exactly one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
            let (head, tail) = rest.split_first_chunk::<N>()?;
            *rest = tail;
            Some(*head)
        }
        let mut rest = bytes;
        if &take::<4>(&mut rest)? != MAGIC {
            return None;
        }
        let leaf = Self {
            place: Place {
                replica: Uuid::from_bytes(take(&mut rest)?),
                lane: i32::from_be_bytes(take(&mut rest)?),
                n: i64::from_be_bytes(take(&mut rest)?),
            },
            previous: Hash::from_bytes(take(&mut rest)?),
            hour: i64::from_be_bytes(take(&mut rest)?),
            policy: take(&mut rest)?,
            commitment: take(&mut rest)?,
            mark: take(&mut rest)?,
            digest: take(&mut rest)?,
        };
        (rest == [0, 0]).then_some(leaf)
    }
}

/// What a replica signs: the leaf, under a name of its own.
#[must_use]
pub fn signed_message(leaf: &[u8]) -> Vec<u8> {
    [b"himaya ledger leaf v1\0".as_slice(), leaf].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::secrets::Versions;
    use zeroize::Zeroizing;

    fn leaf(mark: Option<Mark>) -> Leaf {
        let place = Place { replica: Uuid::from_u128(1), lane: 2, n: 3 };
        Leaf::new(place, place.origin(), 4, [5; 32], b"detail", mark)
    }

    #[test]
    fn a_leaf_reads_back_and_nothing_else_does() {
        let bytes = leaf(None).to_bytes();
        assert_eq!(bytes.len(), LEAF_BYTES);
        assert!(Leaf::parse(&bytes).is_some_and(|read| read.to_bytes() == bytes));
        assert!(Leaf::parse(bytes.get(1..).unwrap_or_default()).is_none());
        assert!(Leaf::parse(&[bytes, vec![0]].concat()).is_none());
    }

    #[test]
    fn a_read_looks_like_a_write() {
        let (one, other) = (leaf(None), leaf(None));
        assert_ne!(one.mark, other.mark);
        assert_ne!(one.mark, [0; 32]);
        let mark = Mark::content(Uuid::from_u128(9), 1, [1; 32]);
        assert_eq!(leaf(Some(mark)).mark, mark.name);
    }

    #[test]
    fn a_pseudonym_is_stable_and_needs_the_key() {
        let key = |seed: u8| Zeroizing::new([seed; 32]);
        let (one, other) = (Pseudonyms::new(Live::only("a", key(1))), Pseudonyms::new(Live::only("a", key(2))));
        let (account, now) = (AccountId(Uuid::from_u128(7)), DateTime::UNIX_EPOCH);
        let work = |keys: &Pseudonyms| keys.of(account, Sphere::Work, now);
        assert_eq!(work(&one), work(&one));
        assert_ne!(work(&one), work(&other));
        // After a rotation the pseudonym says under which key it is to be resolved.
        let value = |id: &str, seed, from| Version { id: id.to_owned(), from, value: key(seed) };
        let rotated = Versions::new(value("a", 1, None), vec![value("b", 2, Some(now))]);
        let rotated = Pseudonyms::new(Live::new(rotated));
        let (before, after) = (work(&one), work(&rotated));
        assert_eq!(after, format!("p-b-{}", work(&other).trim_start_matches("p-")));
        assert!(before.starts_with("p-") && before.len() == 22);
        // What is signed by name stands under another, which leads to the same person.
        let signed = [&one, &rotated].map(|keys| keys.of(account, Sphere::of(RecordKind::Outage, Verb::Propose), now));
        assert!(!signed.contains(&before) && !signed.contains(&after));
        for (kind, verb) in [(RecordKind::Intake, Verb::Renew), (RecordKind::Alert, Verb::Acknowledge)] {
            assert!(signed.contains(&rotated.of(account, Sphere::of(kind, verb), now)));
        }
        assert_eq!(rotated.of(account, Sphere::of(RecordKind::Notice, Verb::Acknowledge), now), after);
        let [signed_before, signed_after] = signed;
        assert_eq!(rotated.ever_of(account), [before, signed_before, after, signed_after]);
    }
}
