//! What the service vouches for with a secret of its own.
//!
//! A person's signature says who wrote something. Whoever has the database and one bribed person's passphrase can sign as
//! that person, and could so put a record, a case's head or a shared key of their own making in the place of another's. So
//! everything that is believed by its author's signature also carries a code (HMAC-SHA256) that only the service makes, and
//! only for what went through the walls. A stolen server secret alone signs nothing either: both are needed.

use super::record::{AccountId, AssignmentId, BarId, CaseId, HoldId, OpeningId, ProposalId, SharedKeyId};
use super::statement;
use crate::platform::clock::Clock;
use crate::platform::random;
use crate::platform::secrets::{Live, Raw};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A code, as it is stored.
type Code = [u8; 32];

/// The codes for one thing: the one to be stored with it, and those that it may carry from before a rotation.
pub struct Codes {
    current: Code,
    others: Vec<Code>,
}

impl std::ops::Deref for Codes {
    type Target = Code;

    fn deref(&self) -> &Code {
        &self.current
    }
}

/// The service's secret for vouching. What was stored keeps its code as long as nobody writes it anew, so every value that
/// ever vouched still counts; the newest makes codes.
pub struct Voucher {
    keys: Live<Raw>,
    clock: Clock,
}

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

/// What the row of a hold carries for the service to know it by.
pub struct HoldCodes<'a> {
    pub note: &'a str,
    pub vouch: &'a [u8],
    /// A hold from before there was this code has none.
    pub placed: Option<&'a [u8]>,
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
    pub fn new(keys: Live<Raw>, clock: Clock) -> Self {
        Self { keys, clock }
    }

    /// For a sealed record.
    #[must_use]
    pub fn sealed(&self, facts: &SealedFacts<'_>) -> Codes {
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
    pub fn head(&self, case: CaseId, number: i64, signer: AccountId, note: &str) -> Codes {
        let note = Sha256::digest(note.as_bytes());
        self.code("case head", &[case.0.as_bytes(), &number.to_be_bytes(), signer.0.as_bytes(), &note])
    }

    /// For a shared key's statement.
    #[must_use]
    pub fn shared_key(&self, key: SharedKeyId, maker: AccountId, note: &str) -> Codes {
        self.code("shared key", &[key.0.as_bytes(), maker.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For what a person said about sharing: everything in its clear row that decides.
    #[must_use]
    pub fn consent(&self, said: &SaidFacts<'_>) -> Codes {
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
    pub fn opening(&self, opening: OpeningId, signer: AccountId, note: &str) -> Codes {
        let note = Sha256::digest(note.as_bytes());
        self.code("opening", &[opening.0.as_bytes(), signer.0.as_bytes(), &note])
    }

    /// A new id for the part of an opening that is for one custodian: half of it drawn, half a code. Nothing else is ever
    /// erased as such a part. Another one each time: what was erased when a try came to nothing stays erased.
    #[must_use]
    pub fn part_of_opening(&self, opening: OpeningId, custodian: AccountId) -> Uuid {
        let drawn = uuid::Builder::from_random_bytes(random::bytes()).into_uuid().into_bytes();
        let codes = self.part(opening, custodian, &drawn);
        with_code(drawn, &codes.current)
    }

    /// Whether an id is one that this service drew for such a part.
    #[must_use]
    pub fn is_part_of_opening(&self, opening: OpeningId, custodian: AccountId, id: Uuid) -> bool {
        let codes = self.part(opening, custodian, id.as_bytes());
        std::iter::once(&codes.current).chain(&codes.others).any(|code| with_code(id.into_bytes(), code) == id)
    }

    fn part(&self, opening: OpeningId, custodian: AccountId, drawn: &[u8; 16]) -> Codes {
        let (drawn, _) = drawn.split_at(8);
        self.code("part of an opening", &[opening.0.as_bytes(), custodian.0.as_bytes(), drawn])
    }

    /// For the statement of a CUSTODY key, with the signatures that it has.
    #[must_use]
    pub fn custody(&self, key: SharedKeyId, note: &str) -> Codes {
        self.code("custody", &[key.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For a supervisor's instruction: what it says, and who gave it.
    #[must_use]
    pub fn assignment(&self, assignment: AssignmentId, signer: AccountId, note: &str) -> Codes {
        let note = Sha256::digest(note.as_bytes());
        self.code("assignment", &[assignment.0.as_bytes(), signer.0.as_bytes(), &note])
    }

    /// For a bar: what it says, and who said it.
    #[must_use]
    pub fn bar(&self, bar: BarId, signer: AccountId, note: &str) -> Codes {
        self.code("bar", &[bar.0.as_bytes(), signer.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For the end of a bar, likewise.
    #[must_use]
    pub fn bar_lift(&self, bar: BarId, signer: AccountId, note: &str) -> Codes {
        self.code("bar lift", &[bar.0.as_bytes(), signer.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For what one person proposes, and another is to confirm.
    #[must_use]
    pub fn proposal(&self, proposal: ProposalId, signer: AccountId, note: &str) -> Codes {
        self.code("proposal", &[proposal.0.as_bytes(), signer.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For the same with the second person's signature, and who that is.
    #[must_use]
    pub fn confirmation(&self, proposal: ProposalId, second: AccountId, note: &str) -> Codes {
        self.code("confirmation", &[proposal.0.as_bytes(), second.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For a hold on a case: what it says, and who said it.
    #[must_use]
    pub fn hold(&self, hold: HoldId, signer: AccountId, note: &str) -> Codes {
        self.code("hold", &[hold.0.as_bytes(), signer.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// That a hold of this id was placed on this case: it outlives what somebody makes of the rest of its row.
    #[must_use]
    pub fn hold_placed(&self, hold: HoldId, case: CaseId) -> Codes {
        self.code("hold placed", &[hold.0.as_bytes(), case.0.as_bytes()])
    }

    /// Whether this service ever placed a hold, as far as its row can tell. One that it placed and somebody changed is not believed
    /// and keeps its case; one that it never placed keeps none.
    #[must_use]
    pub fn placed_hold(&self, hold: HoldId, case: CaseId, told: &HoldCodes<'_>) -> bool {
        let said = statement::claimed_signers(told.note).next();
        is_vouched(told.placed, &self.hold_placed(hold, case))
            || said.is_some_and(|by| is_vouched(Some(told.vouch), &self.hold(hold, by, told.note)))
    }

    /// For its end, with both signatures, and who signed second.
    #[must_use]
    pub fn hold_lift(&self, hold: HoldId, second: AccountId, note: &str) -> Codes {
        self.code("hold lift", &[hold.0.as_bytes(), second.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For what is left of a case that two persons erased.
    #[must_use]
    pub fn erasure(&self, erasure: ProposalId, second: AccountId, note: &str) -> Codes {
        self.code("erasure", &[erasure.0.as_bytes(), second.0.as_bytes(), &Sha256::digest(note.as_bytes())])
    }

    /// For the list of what an erasure takes away: nothing else is ever erased by it.
    #[must_use]
    pub fn erasing(&self, erasure: ProposalId, keys: &[Uuid], objects: &[Uuid]) -> Codes {
        let bytes = |ids: &[Uuid]| -> Vec<u8> { ids.iter().flat_map(|id| *id.as_bytes()).collect() };
        self.code("erasing", &[erasure.0.as_bytes(), &bytes(keys), &bytes(objects)])
    }

    /// For what is stored of entries whose details were erased.
    #[must_use]
    pub fn retention(&self, id: Uuid, statement: &str) -> Codes {
        self.code("retention", &[id.as_bytes(), statement.as_bytes()])
    }

    /// For the length of somebody's register.
    #[must_use]
    pub fn register(&self, account: AccountId, length: i64) -> Codes {
        self.code("register", &[account.0.as_bytes(), &length.to_be_bytes()])
    }

    /// For what was counted so far of a list of who opened a record: for whom it was counted, and what they asked.
    #[must_use]
    pub fn access_list(&self, auditor: AccountId, question: &[u8], counted: &[u8]) -> Codes {
        self.code("access list", &[auditor.0.as_bytes(), question, counted])
    }

    fn code(&self, what: &str, parts: &[&[u8]]) -> Codes {
        let keys = self.keys.get();
        let own = keys.current(self.clock.now());
        let others = keys.iter().filter(|key| key.id != own.id).map(|key| code(&key.value, what, parts)).collect();
        Codes { current: code(&own.value, what, parts), others }
    }
}

/// An id with the first eight bytes of a code as its second half.
fn with_code(mut id: [u8; 16], code: &Code) -> Uuid {
    for (byte, of_code) in id.iter_mut().skip(8).zip(code) {
        *byte = *of_code;
    }
    uuid::Builder::from_random_bytes(id).into_uuid()
}

fn code(key: &Raw, what: &str, parts: &[&[u8]]) -> Code {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&**key) else { return [0; 32] };
    for part in [&[what.as_bytes()], parts].concat() {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether a stored code is one of those that are expected; none at all never is.
#[must_use]
pub fn is_vouched(stored: Option<&[u8]>, expected: &Codes) -> bool {
    let same = |code: &Code, stored: &[u8]| bool::from(subtle::ConstantTimeEq::ct_eq(stored, code.as_slice()));
    stored.is_some_and(|stored| same(expected, stored) || expected.others.iter().any(|code| same(code, stored)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::secrets::{Version, Versions};
    use chrono::TimeDelta;
    use zeroize::Zeroizing;

    fn facts(record: u128) -> SealedFacts<'static> {
        let (record, key, author) = (Uuid::from_u128(record), Uuid::from_u128(2), Uuid::from_u128(3));
        SealedFacts { record, kind: "call", case: None, key, epoch: 1, version: 1, author, digest: [7; 32] }
    }

    #[test]
    fn a_code_is_for_one_thing_and_one_service() {
        let voucher = |seed| Voucher::new(Live::only("one", Zeroizing::new([seed; 32])), Clock::default());
        let (one, other) = (voucher(1), voucher(2));
        let code = one.sealed(&facts(1));
        assert!(is_vouched(Some(&*code), &one.sealed(&facts(1))));
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
            assert_ne!(*one.sealed(&changed), *code);
        }
        assert_ne!(*other.sealed(&facts(1)), *code);
        assert_ne!(*one.register(AccountId(Uuid::nil()), 1), *one.register(AccountId(Uuid::nil()), 2));
    }

    #[test]
    fn the_part_of_an_opening_has_an_id_that_nobody_else_can_draw() {
        let voucher = |seed| Voucher::new(Live::only("one", Zeroizing::new([seed; 32])), Clock::default());
        let (one, opening, custodian) = (voucher(1), OpeningId::random(), AccountId::random());
        let id = one.part_of_opening(opening, custodian);
        assert!(one.is_part_of_opening(opening, custodian, id));
        assert_ne!(one.part_of_opening(opening, custodian), id, "another one each time");
        assert!(!one.is_part_of_opening(opening, AccountId::random(), id));
        assert!(!one.is_part_of_opening(OpeningId::random(), custodian, id));
        assert!(!voucher(2).is_part_of_opening(opening, custodian, id));
        assert!(!one.is_part_of_opening(opening, custodian, random::uuid()));
    }

    #[test]
    fn what_an_older_value_vouched_for_still_counts_and_the_newest_makes_codes() {
        let clock = Clock::default();
        let value = |seed: u8, from| Version { id: seed.to_string(), from, value: Zeroizing::new([seed; 32]) };
        let (first, second) = (value(1, None), value(2, Some(clock.now() + TimeDelta::minutes(1))));
        let before = Voucher::new(Live::new(Versions::new(first.clone(), vec![])), clock.clone()).sealed(&facts(1));
        let rotated = Voucher::new(Live::new(Versions::new(first, vec![second])), clock.clone());
        assert_eq!(*rotated.sealed(&facts(1)), *before, "not yet");
        clock.advance(TimeDelta::minutes(2));
        let after = rotated.sealed(&facts(1));
        assert_ne!(*after, *before);
        assert!(is_vouched(Some(&*before), &after) && is_vouched(Some(&*after), &after));
        assert!(!is_vouched(Some(&*before), &rotated.sealed(&facts(4))));
    }
}
