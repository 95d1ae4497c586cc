//! Whose key is it? Nobody seals to a key without a statement that says so.
//!
//! The chain: a fingerprint pinned in the configuration → the founding statement of an organisation, signed by its two
//! responsible persons → the statement by which those two admitted a member → the member's keys and role. Everything is
//! read from the database and nothing in it is believed: a swapped key or a ghost officer has no valid chain.

mod check;
mod custody;
mod memory;
mod pins;
mod policy;

pub use check::{check_founding, check_membership};
pub use custody::{Custodian, Custody, MOST_CUSTODIANS};
use memory::Memory;
pub use memory::Signatures;
use pins::Pins;
pub use pins::{PinFault, pinned};
pub use policy::{AgreedPolicy, Agreements, LONGEST_OVERLAP};

use super::action::{Role, Verb};
use super::keys::{KemPublic, KeyError, PersonKeys, PublicKeys};
use super::policy::DecisionTable;
use super::record::{AccountId, OrganisationId, RecordKind, SharedKeyId};
use super::statement::{self, CaseHead, OrganisationKind, SharedKeyStatement, SharedPurpose, StatementError};
use super::store;
use super::vouch::{Voucher, is_vouched};
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The least number of custodians (DESIGN section 4: two of three to seven open CUSTODY).
pub const CUSTODIANS: usize = 3;

/// A member whose chain was checked to the pin.
pub struct Member {
    pub account: AccountId,
    pub organisation: OrganisationId,
    pub organisation_kind: OrganisationKind,
    pub role: Role,
    pub keys: PublicKeys,
    pub responsible: bool,
    pub custodian: bool,
}

/// A founded organisation whose statement is pinned.
pub struct Founding {
    pub organisation: OrganisationId,
    pub kind: OrganisationKind,
    custody: Recipient,
    /// SHA-256 of the note.
    digest: [u8; 32],
    members: HashMap<AccountId, Arc<Member>>,
}

impl Founding {
    fn responsible(&self) -> Vec<(AccountId, ed25519_dalek::VerifyingKey)> {
        self.members.values().filter(|m| m.responsible).map(|m| (m.account, m.keys.sign)).collect()
    }

    /// The custodians, in a fixed order.
    #[must_use]
    pub fn custodians(&self) -> Vec<Arc<Member>> {
        let mut all: Vec<_> = self.members.values().filter(|m| m.custodian).map(Arc::clone).collect();
        all.sort_by_key(|m| m.account);
        all
    }
}

/// To whom something is wrapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecipientId {
    Account(AccountId),
    SharedKey(SharedKeyId),
}

/// A public key with a proven owner. Only this module makes one, so nothing can be sealed to a bare key.
#[derive(Clone, Copy)]
pub struct Recipient {
    id: RecipientId,
    kem: KemPublic,
}

impl Recipient {
    #[must_use]
    pub fn id(&self) -> RecipientId {
        self.id
    }

    pub(crate) fn kem(&self) -> KemPublic {
        self.kem
    }
}

impl Member {
    /// This member as a recipient.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient { id: RecipientId::Account(self.account), kem: self.keys.kem }
    }
}

/// A shared key in force.
pub struct SharedKey {
    pub id: SharedKeyId,
    pub organisation: OrganisationId,
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
    pub recipient: Recipient,
}

/// Why nobody is trusted here.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("no statement admits this person")]
    NotAMember,
    #[error("the organisation is still forming")]
    Forming,
    #[error("there is no such key in force")]
    NoKey,
    #[error("a key or a policy that was in force is gone")]
    WentBack,
    #[error("several organisations could answer for it: name one with policy_keepers")]
    Several,
    #[error("a statement is not believed: {0}")]
    Statement(#[from] StatementError),
    #[error("the statements could not be read")]
    Store(#[from] sqlx::Error),
}

/// Checks chains, and remembers which notes it has checked. What it remembers is a function of the notes' own bytes and
/// of the pins, so a change in the database is a different note and is checked anew.
pub struct Trust {
    pins: Pins,
    policy: Arc<DecisionTable>,
    voucher: Voucher,
    seen: Mutex<Seen>,
    memory: Memory,
}

#[derive(Default)]
struct Seen {
    foundings: HashMap<[u8; 32], ([u8; 32], Arc<Founding>)>,
    /// By founding and membership: what was checked against one organisation's two is not checked against another's.
    members: HashMap<([u8; 32], [u8; 32]), Arc<Member>>,
    /// By the digest of the whole chain.
    custodies: HashMap<[u8; 32], Arc<Custody>>,
    /// The highest number that was in force.
    highest_custody: HashMap<OrganisationId, i32>,
    highest_policy: HashMap<OrganisationId, i32>,
}

fn digest_of(note: &str) -> [u8; 32] {
    Sha256::digest(note.as_bytes()).into()
}

impl Trust {
    /// `pins` is the file of fingerprints: see [`pinned`].
    #[must_use]
    pub fn new(pins: PathBuf, policy: Arc<DecisionTable>, voucher: Voucher) -> Self {
        Self { pins: Pins::new(pins), policy, voucher, seen: Mutex::default(), memory: Memory::default() }
    }

    /// What the service itself vouches for.
    #[must_use]
    pub fn voucher(&self) -> &Voucher {
        &self.voucher
    }

    /// Signatures that were verified before.
    #[must_use]
    pub fn signatures(&self) -> Arc<Signatures> {
        Arc::clone(&self.memory.signatures)
    }

    /// A case's head, read and signed by this member.
    ///
    /// # Errors
    /// [`StatementError`] for anything else.
    pub fn head(&self, note: &str, signer: &Member) -> Result<Arc<CaseHead>, StatementError> {
        self.memory.head(note, signer.account, signer.keys.sign)
    }

    /// The public halves of the keys that a session's row keeps.
    ///
    /// # Errors
    /// [`KeyError`] if a stored key is none.
    pub fn public_of_session(&self, sealed: &[u8], keys: &PersonKeys) -> Result<PublicKeys, KeyError> {
        self.memory.public(sealed, keys)
    }

    /// What it remembers counts only as long as the pin stands.
    fn founding_of_note(&self, note: &str) -> Result<Arc<Founding>, TrustError> {
        let digest = digest_of(note);
        let remembered = self.seen().foundings.get(&digest).map(|(print, founding)| (*print, Arc::clone(founding)));
        let print = match &remembered {
            Some((print, _)) => *print,
            None => statement::fingerprint(note)?,
        };
        if !self.pins.hold(&print) {
            return Err(TrustError::Forming);
        }
        if let Some((_, founding)) = remembered {
            return Ok(founding);
        }
        let founding = Arc::new(check_founding(note)?);
        self.seen().foundings.insert(digest, (print, Arc::clone(&founding)));
        Ok(founding)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The founded organisation.
    ///
    /// # Errors
    /// [`TrustError::Forming`] until two responsible persons have signed and the fingerprint is pinned.
    pub async fn founding(
        &self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
    ) -> Result<Arc<Founding>, TrustError> {
        let note = store::founding_note(connection, organisation).await?.ok_or(TrustError::Forming)?;
        let founding = self.founding_of_note(&note)?;
        if founding.organisation == organisation { Ok(founding) } else { Err(TrustError::Forming) }
    }

    /// The member that a person is now. The statements come from the
    /// store or the session's own query.
    ///
    /// # Errors
    /// [`TrustError::NotAMember`] without a complete chain.
    pub fn member_of_notes(
        &self,
        account: AccountId,
        founding: Option<&str>,
        membership: Option<&str>,
    ) -> Result<Arc<Member>, TrustError> {
        let founding_note = founding.ok_or(TrustError::Forming)?;
        let founding = self.founding_of_note(founding_note)?;
        let Some(note) = membership else {
            return founding.members.get(&account).map(Arc::clone).ok_or(TrustError::NotAMember);
        };
        let digests = (digest_of(founding_note), digest_of(note));
        let remembered = self.seen().members.get(&digests).map(Arc::clone);
        let member = if let Some(member) = remembered {
            member
        } else {
            let member = Arc::new(check_membership(note, &founding)?);
            self.seen().members.insert(digests, Arc::clone(&member));
            member
        };
        let same = member.account == account && member.organisation == founding.organisation;
        if same { Ok(member) } else { Err(TrustError::NotAMember) }
    }

    /// A member in force, to seal to.
    ///
    /// # Errors
    /// [`TrustError::NotAMember`] for a ghost, somebody disabled, or somebody whose membership has ended.
    pub async fn member(&self, connection: &mut PgConnection, account: AccountId) -> Result<Arc<Member>, TrustError> {
        let notes = store::statements_of(connection, account).await?.ok_or(TrustError::NotAMember)?;
        if notes.disabled {
            return Err(TrustError::NotAMember);
        }
        self.member_of_notes(account, notes.founding.as_deref(), notes.membership.as_deref())
    }

    /// Somebody who signed something, now or in the past: also those who have left since.
    ///
    /// # Errors
    /// [`TrustError::NotAMember`] for somebody who was never admitted.
    pub async fn signer(&self, connection: &mut PgConnection, account: AccountId) -> Result<Arc<Member>, TrustError> {
        let notes = store::statements_ever_of(connection, account).await?.ok_or(TrustError::NotAMember)?;
        self.member_of_notes(account, notes.founding.as_deref(), notes.membership.as_deref())
    }

    /// The newest key of this purpose that is in force, made by a member of the organisation whose role renews it.
    ///
    /// # Errors
    /// [`TrustError::NoKey`] when there is none, or its statement is not believed.
    pub async fn shared_key(
        &self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
        purpose: SharedPurpose,
        now: DateTime<Utc>,
    ) -> Result<SharedKey, TrustError> {
        let kind = match purpose {
            SharedPurpose::Intake => RecordKind::Intake,
            SharedPurpose::Review => RecordKind::Review,
            SharedPurpose::Ledger => RecordKind::Ledger,
            SharedPurpose::Custody => return Err(TrustError::NoKey),
        };
        for row in store::shared_keys_in_force(connection, organisation, purpose.as_str(), now).await? {
            // A row that is not believed is passed over: planting one must not stop calls from being handed over.
            let code = self.voucher.shared_key(SharedKeyId(row.id), AccountId(row.maker), &row.note);
            if !is_vouched(row.vouch.as_deref(), &code) {
                continue;
            }
            let Ok(claimed) = statement::unverified::<SharedKeyStatement>(&row.note) else { continue };
            // Made by somebody who is a member now: whoever was dismissed makes no key, and theirs ends with them.
            let Ok(maker) = self.member(connection, AccountId(row.maker)).await else { continue };
            let signed = statement::verified::<SharedKeyStatement>(&row.note, &[(maker.account, maker.keys.sign)]);
            let believed = signed.is_ok()
                && maker.organisation == organisation
                && self.policy.ever_does(maker.role, kind, Verb::Renew)
                && claimed.organisation == organisation
                && claimed.purpose == purpose
                && claimed.key.0 == row.id
                && claimed.opens_at <= now
                && claimed.closes_at > now
                && claimed.closes_at - claimed.opens_at <= purpose.life();
            if believed {
                let kem = KemPublic(statement::unhex(&claimed.public)?);
                return Ok(SharedKey {
                    id: claimed.key,
                    organisation,
                    opens_at: claimed.opens_at,
                    closes_at: claimed.closes_at,
                    recipient: Recipient { id: RecipientId::SharedKey(claimed.key), kem },
                });
            }
        }
        Err(TrustError::NoKey)
    }
}

/// The keys that a proposal names, before anybody has signed: only for making the statement itself.
#[must_use]
pub(crate) fn recipient_in_proposal(account: AccountId, kem: KemPublic) -> Recipient {
    Recipient { id: RecipientId::Account(account), kem }
}

/// A shared key as recipient in the very transaction that makes it.
#[must_use]
pub(crate) fn recipient_being_made(key: SharedKeyId, kem: KemPublic) -> Recipient {
    Recipient { id: RecipientId::SharedKey(key), kem }
}

#[cfg(test)]
mod tests;
