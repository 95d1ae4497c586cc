//! What the service vouches for with a secret of its own.
//!
//! A person's signature says who wrote something. Whoever has the database and one bribed person's passphrase can sign as
//! that person, and could so put a record, a case's head or a shared key of their own making in the place of another's. So
//! everything that is believed by its author's signature also carries a code (HMAC-SHA256) that only the service makes, and
//! only for what went through the walls. A stolen server secret alone signs nothing either: both are needed.

use super::keys::derive;
use super::record::{AccountId, AssignmentId, BarId, CaseId, OpeningId, ProposalId, SharedKeyId};
use chrono::{DateTime, Utc};
use ed25519_dalek::SigningKey;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

/// One code, as it is stored.
pub type Code = [u8; 32];

/// The service's secret for vouching, derived from the one that signs the ledger.
pub struct Voucher(Zeroizing<[u8; 32]>);

/// A sealed record, as far as it is vouched for: everything but the wraps.
pub struct SealedFacts<'a> {
    pub record: Uuid,
    pub kind: &'a str,
    pub case: Option<Uuid>,
    pub key: Uuid,
    pub epoch: i32,
    pub version: i64,
    pub author: Uuid,
    pub digest: [u8; 32],
}

/// What a person said about sharing, as far as it is vouched for.
pub struct SaidFacts<'a> {
    pub consent: Uuid,
    pub case: Uuid,
    pub person: Uuid,
    pub placement: Option<Uuid>,
    pub recipient: Uuid,
    pub recorded_by: Uuid,
    pub purpose: &'a str,
    pub section: &'a str,
    pub state: &'a str,
    pub standing: i64,
    pub expires_at: Option<DateTime<Utc>>,
}

impl Voucher {
    #[must_use]
    pub fn new(ledger: &SigningKey) -> Self {
        Self(derive(ledger.as_bytes(), &[], "himaya vouch v1"))
    }

    /// For a sealed record.
    #[must_use]
    pub fn sealed(&self, facts: &SealedFacts<'_>) -> Code {
        let (epoch, version) = (facts.epoch.to_be_bytes(), facts.version.to_be_bytes());
        self.code(
            "sealed record",
            &[
                facts.record.as_bytes(),
                facts.kind.as_bytes(),
                facts.case.unwrap_or_default().as_bytes(),
                facts.key.as_bytes(),
                &epoch,
                &version,
                facts.author.as_bytes(),
                &facts.digest,
            ],
        )
    }

    /// For a case's head: the signed note, and what is stored beside it.
    #[must_use]
    pub fn head(&self, case: CaseId, number: i64, signer: AccountId, note: &str) -> Code {
        let note = Sha256::digest(note.as_bytes());
        self.code("case head", &[case.0.as_bytes(), &number.to_be_bytes(), signer.0.as_bytes(), &note])
    }

    /// For a shared key's statement.
    #[must_use]
    pub fn shared_key(&self, key: SharedKeyId, maker: AccountId, note: &str) -> Code {
        self.code("shared key", &[key.0.as_bytes(), maker.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For what a person said about sharing: everything in its clear row that decides.
    #[must_use]
    pub fn consent(&self, said: &SaidFacts<'_>) -> Code {
        let expires = said.expires_at.map_or(i64::MAX, |end| end.timestamp_micros());
        self.code(
            "consent",
            &[
                said.consent.as_bytes(),
                said.case.as_bytes(),
                said.person.as_bytes(),
                said.placement.unwrap_or_default().as_bytes(),
                said.recipient.as_bytes(),
                said.recorded_by.as_bytes(),
                said.purpose.as_bytes(),
                said.section.as_bytes(),
                said.state.as_bytes(),
                &said.standing.to_be_bytes(),
                &expires.to_be_bytes(),
            ],
        )
    }

    /// For what custodians are asked to open CUSTODY for.
    #[must_use]
    pub fn opening(&self, opening: OpeningId, signer: AccountId, note: &str) -> Code {
        let note = Sha256::digest(note.as_bytes());
        self.code("opening", &[opening.0.as_bytes(), signer.0.as_bytes(), &note])
    }

    /// Under which id the part of an opening is sealed that is for one custodian: nothing else is ever erased with it.
    #[must_use]
    pub fn part_of_opening(&self, opening: OpeningId, custodian: AccountId) -> Uuid {
        let code = self.code("part of an opening", &[opening.0.as_bytes(), custodian.0.as_bytes()]);
        let mut id = [0; 16];
        id.copy_from_slice(code.split_at(16).0);
        uuid::Builder::from_random_bytes(id).into_uuid()
    }

    /// For the statement of a CUSTODY key, with the signatures that it has.
    #[must_use]
    pub fn custody(&self, key: SharedKeyId, note: &str) -> Code {
        self.code("custody", &[key.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For a supervisor's instruction: what it says, and who gave it.
    #[must_use]
    pub fn assignment(&self, assignment: AssignmentId, signer: AccountId, note: &str) -> Code {
        let note = Sha256::digest(note.as_bytes());
        self.code("assignment", &[assignment.0.as_bytes(), signer.0.as_bytes(), &note])
    }

    /// For a bar: what it says, and who said it.
    #[must_use]
    pub fn bar(&self, bar: BarId, signer: AccountId, note: &str) -> Code {
        self.code("bar", &[bar.0.as_bytes(), signer.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For the end of a bar, likewise.
    #[must_use]
    pub fn bar_lift(&self, bar: BarId, signer: AccountId, note: &str) -> Code {
        self.code("bar lift", &[bar.0.as_bytes(), signer.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For what one person proposes, and another is to confirm.
    #[must_use]
    pub fn proposal(&self, proposal: ProposalId, signer: AccountId, note: &str) -> Code {
        self.code("proposal", &[proposal.0.as_bytes(), signer.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For the same with the second person's signature, and who that is.
    #[must_use]
    pub fn confirmation(&self, proposal: ProposalId, second: AccountId, note: &str) -> Code {
        self.code("confirmation", &[proposal.0.as_bytes(), second.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For the length of somebody's register.
    #[must_use]
    pub fn register(&self, account: AccountId, length: i64) -> Code {
        self.code("register", &[account.0.as_bytes(), &length.to_be_bytes()])
    }

    fn code(&self, what: &str, parts: &[&[u8]]) -> Code {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.0) else { return [0; 32] };
        for part in [&[what.as_bytes()], parts].concat() {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// Whether a stored code is the one that is expected; none at all never is.
#[must_use]
pub fn is_vouched(stored: Option<&[u8]>, expected: &Code) -> bool {
    stored.is_some_and(|stored| bool::from(subtle::ConstantTimeEq::ct_eq(stored, expected.as_slice())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(record: u128) -> SealedFacts<'static> {
        let (record, key, author) = (Uuid::from_u128(record), Uuid::from_u128(2), Uuid::from_u128(3));
        SealedFacts { record, kind: "call", case: None, key, epoch: 1, version: 1, author, digest: [7; 32] }
    }

    #[test]
    fn a_code_is_for_one_thing_and_one_service() {
        let (one, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let (one, other) = (Voucher::new(&one), Voucher::new(&other));
        let code = one.sealed(&facts(1));
        assert!(is_vouched(Some(&code), &one.sealed(&facts(1))));
        assert!(!is_vouched(None, &code) && !is_vouched(Some(&code[1..]), &code));
        for changed in [
            SealedFacts { kind: "notice", ..facts(1) },
            SealedFacts { case: Some(Uuid::from_u128(9)), ..facts(1) },
            SealedFacts { key: Uuid::from_u128(9), ..facts(1) },
            SealedFacts { epoch: 2, ..facts(1) },
            SealedFacts { version: 2, ..facts(1) },
            SealedFacts { author: Uuid::from_u128(9), ..facts(1) },
            SealedFacts { digest: [8; 32], ..facts(1) },
            facts(4),
        ] {
            assert_ne!(one.sealed(&changed), code);
        }
        assert_ne!(other.sealed(&facts(1)), code);
        assert_ne!(one.register(AccountId(Uuid::nil()), 1), one.register(AccountId(Uuid::nil()), 2));
    }
}
