//! Those whose chain was checked, and what may be sealed to: nothing outside this folder makes one.

use super::Succession;
use crate::guard::action::Role;
use crate::guard::keys::{KemPublic, PublicKeys};
use crate::guard::record::{AccountId, OrganisationId, SharedKeyId};
use crate::guard::statement::OrganisationKind;
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::Arc;

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
    /// As the two who answer for it signed it.
    pub name: String,
    pub(super) custody: Recipient,
    /// SHA-256 of the note.
    pub(super) digest: [u8; 32],
    /// What is pinned.
    pub(super) fingerprint: [u8; 32],
    /// What it follows, where it is not the first.
    pub(super) succession: Option<Succession>,
    pub(super) members: HashMap<AccountId, Arc<Member>>,
}

impl Founding {
    /// The two who answer for it, with the keys that they sign with.
    pub(super) fn two(&self) -> Vec<(AccountId, ed25519_dalek::VerifyingKey)> {
        self.members.values().filter(|m| m.responsible).map(|m| (m.account, m.keys.sign)).collect()
    }

    /// The two who answer for it, in order.
    #[must_use]
    pub fn responsible(&self) -> Vec<AccountId> {
        let mut two: Vec<_> = self.members.values().filter(|m| m.responsible).map(|m| m.account).collect();
        two.sort_unstable();
        two
    }

    /// Somebody whom it names.
    #[must_use]
    pub fn member(&self, account: AccountId) -> Option<&Arc<Member>> {
        self.members.get(&account)
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
    pub(super) id: RecipientId,
    pub(super) kem: KemPublic,
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
