//! What a thief can do with stolen bytes: the tests' side of wall 2. Every function here works on bytes that the caller
//! already has, so it gives nobody anything that they had not.

use super::bytes;
use super::keys::{self, KemPrivate, KemPublic, PersonKeys, RecordKey, WrapContext};
use super::record::{CaseId, GrantId};
use super::vault;
use uuid::Uuid;
use zeroize::Zeroizing;

impl RecordKey {
    /// Tries any 32 bytes as a record key or an erasure key.
    #[must_use]
    pub fn from_stolen(bytes: [u8; 32]) -> Self {
        Self::from_bytes(Zeroizing::new(bytes))
    }
}

impl KemPrivate {
    /// Tries any 32 bytes as a private key.
    #[must_use]
    pub fn from_stolen(bytes: [u8; 32]) -> Self {
        Self::from_bytes(Zeroizing::new(bytes))
    }

    /// Tries to open a stolen wrap of a record key.
    #[must_use]
    pub fn try_record_key(
        &self,
        wrap: &[u8],
        case: Option<Uuid>,
        key_id: Uuid,
        epoch: u32,
        grant: Option<Uuid>,
    ) -> Option<RecordKey> {
        let context =
            WrapContext { purpose: "record key", case: case.map(CaseId), key_id, epoch, grant: grant.map(GrantId) };
        keys::unwrap_key(wrap, self, &context).ok().map(RecordKey::from_bytes)
    }
}

/// A wrap of the thief's own record key to any public key, as anybody can make it.
#[must_use]
pub fn wrap_to_anybody(public: &[u8], key: [u8; 32], key_id: Uuid, epoch: u32) -> Vec<u8> {
    let context = WrapContext { purpose: "record key", case: None, key_id, epoch, grant: None };
    let Ok(public) = public.try_into() else { return Vec::new() };
    let recipient = super::trust::recipient_in_proposal(super::record::AccountId(Uuid::nil()), KemPublic(public));
    keys::wrap(&key, &recipient, &context).unwrap_or_default()
}

impl PersonKeys {
    /// The private key of somebody whose passphrase was stolen.
    #[must_use]
    pub fn stolen_kem(&self) -> KemPrivate {
        KemPrivate::from_stolen(*self.kem().as_bytes())
    }

    /// A wrap of the thief's own key, as anybody can make who knows the public key and the clear columns.
    #[must_use]
    pub fn planted_wrap(&self, key: [u8; 32], case: Uuid, key_id: Uuid, epoch: u32, grant: Uuid) -> Vec<u8> {
        let context =
            WrapContext { purpose: "record key", case: Some(CaseId(case)), key_id, epoch, grant: Some(GrantId(grant)) };
        let recipient = self
            .public()
            .map(|public| super::trust::recipient_in_proposal(super::record::AccountId(Uuid::nil()), public.kem));
        recipient.and_then(|recipient| keys::wrap(&key, &recipient, &context)).unwrap_or_default()
    }

    /// The signature of somebody whose passphrase was stolen, under a sealed record of the thief's own.
    #[must_use]
    pub fn stolen_signature(&self, context: &bytes::Context, blob: &[u8]) -> Vec<u8> {
        self.sign(&vault::signed_message(context, &bytes::digest(blob))).to_bytes().to_vec()
    }

    /// Tries to open a stolen wrap of a shared key.
    #[must_use]
    pub fn stolen_shared(&self, key: Uuid, wrap: &[u8]) -> Option<KemPrivate> {
        vault::shared_private(self, key, wrap).ok()
    }
}

/// What two thieves of custodians' passphrases get from a share of their pair: CUSTODY's private half, if both keys fit.
#[must_use]
pub fn steal_custody(share: &[u8], first: &PersonKeys, second: &PersonKeys, key: Uuid) -> Option<KemPrivate> {
    let key = super::record::SharedKeyId(key);
    let left = super::custody::take_off(share, first, key).ok()?;
    super::custody::open(&left, second, key, None).ok().map(super::custody::OpenCustody::stolen)
}
