//! Where content becomes sealed bytes, under a key that is wrapped to proven people only.

use super::{Sealed, VaultError, context, key_context, open_with, record_key, signed_message};
use crate::audit::mark::Mark;
use crate::guard::bytes;
use crate::guard::custody::OpenCustody;
use crate::guard::keys::{self, PersonKeys, RecordKey};
use crate::guard::record::{CaseId, GrantId, RecordKind};
use crate::guard::session::Who;
use crate::guard::store::{self, SealedWrite, WrapWrite};
use crate::guard::trust::{Recipient, RecipientId};
use crate::guard::vouch::{SealedFacts, Voucher};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use zeroize::Zeroizing;

/// One record to be sealed: its identity, and the key that it is sealed under.
pub struct Placement {
    pub record: Uuid,
    pub kind: RecordKind,
    pub case: Option<CaseId>,
    pub key_id: Uuid,
    pub epoch: i32,
    pub version: i64,
}

/// A key to seal under, with its erasure key.
pub struct SealingKey {
    pub id: Uuid,
    record: RecordKey,
    erasure: RecordKey,
}

impl SealingKey {
    /// The key under which an existing record is sealed. It must open that record: a wrap says nothing of who made it, so
    /// somebody with the database could put a key of their own in its place, and the next version would be sealed to them.
    ///
    /// # Errors
    /// [`VaultError::Tampered`] or the like unless it does.
    pub fn of<T>(keys: &PersonKeys, sealed: &Sealed<T>) -> Result<Self, VaultError> {
        let erasure = RecordKey::from_bytes(Zeroizing::new(*sealed.erasure.as_bytes()));
        let record = record_key(keys, sealed)?;
        drop(open_with(&record, sealed)?);
        Ok(Self { id: sealed.row.key_id, record, erasure })
    }

    /// [`Self::of`] through a CUSTODY key that two custodians have opened.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn of_custody(custody: &OpenCustody, sealed: &Sealed<()>) -> Result<Self, VaultError> {
        let erasure = RecordKey::from_bytes(Zeroizing::new(*sealed.erasure.as_bytes()));
        let epoch = u32::try_from(sealed.row.epoch).map_err(|_| VaultError::Tampered)?;
        let secret = custody.record_key(&sealed.row.wrap, sealed.case(), sealed.row.key_id, epoch)?;
        let record = RecordKey::from_bytes(secret);
        drop(open_with(&record, sealed)?);
        Ok(Self { id: sealed.row.key_id, record, erasure })
    }

    /// The same erasure key with a fresh record key: what a new epoch is made of.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let erasure = RecordKey::from_bytes(Zeroizing::new(*self.erasure.as_bytes()));
        Self { id: self.id, record: RecordKey::generate(), erasure }
    }

    /// The wrap of this key to one recipient.
    ///
    /// # Errors
    /// [`VaultError::Key`] if the recipient's key is none.
    pub fn wrap_to(
        &self,
        recipient: &Recipient,
        case: Option<CaseId>,
        epoch: i32,
        grant: Option<GrantId>,
    ) -> Result<WrapWrite, VaultError> {
        let number = u32::try_from(epoch).map_err(|_| VaultError::Tampered)?;
        let wrap = keys::wrap(self.record.as_bytes(), recipient, &key_context(case, self.id, number, grant))?;
        let (account, shared_key) = match recipient.id() {
            RecipientId::Account(id) => (Some(id.0), None),
            RecipientId::SharedKey(id) => (None, Some(id.0)),
        };
        Ok(WrapWrite {
            key_id: self.id,
            epoch,
            account,
            shared_key,
            grant_id: grant.map(|id| id.0),
            wrap,
            active_from: None,
            active_until: None,
        })
    }
}

/// Makes keys to seal under; their erasure keys are durable when this returns, before anything uses them.
///
/// # Errors
/// When the erasure store does not answer.
pub async fn new_keys(erasure: &PgPool, ids: &[Uuid]) -> Result<Vec<SealingKey>, VaultError> {
    let made: Vec<SealingKey> = ids
        .iter()
        .map(|id| SealingKey { id: *id, record: RecordKey::generate(), erasure: RecordKey::generate() })
        .collect();
    let secrets: Vec<Vec<u8>> = made.iter().map(|key| key.erasure.as_bytes().to_vec()).collect();
    store::insert_erasure_keys(erasure, ids, &secrets).await?;
    Ok(made)
}

/// Seals and stores one version of a record, and returns its mark for the ledger. A first version is inserted, a later
/// one replaces exactly the version before it.
///
/// # Errors
/// [`VaultError::Tampered`] if the version before is not there, and as the database refuses.
pub async fn put<T: Serialize>(
    connection: &mut PgConnection,
    voucher: &Voucher,
    who: &Who,
    place: &Placement,
    key: &SealingKey,
    content: &T,
) -> Result<Mark, VaultError> {
    let plain = Zeroizing::new(serde_json::to_vec(content).map_err(|_| VaultError::Shape)?);
    put_bytes(connection, voucher, who, place, key, &plain).await
}

/// [`put`] for content that stays bytes: what is re-sealed without being read.
pub(crate) async fn put_bytes(
    connection: &mut PgConnection,
    voucher: &Voucher,
    who: &Who,
    place: &Placement,
    key: &SealingKey,
    plain: &[u8],
) -> Result<Mark, VaultError> {
    let context = context(place.record, place.kind.as_str(), place.epoch, place.version)?;
    let epoch = u32::try_from(place.epoch).map_err(|_| VaultError::Tampered)?;
    let blob =
        bytes::seal(&key.record.content_key(&key.erasure), epoch, &context, plain).map_err(|_| VaultError::Shape)?;
    let digest = bytes::digest(&blob);
    let signature = who.keys.sign(&signed_message(&context, &digest)).to_bytes();
    let vouch = voucher.sealed(&SealedFacts {
        record: place.record,
        kind: place.kind.as_str(),
        case: place.case.map(|id| id.0),
        key: place.key_id,
        epoch: place.epoch,
        version: place.version,
        author: who.account.0,
        digest,
    });
    let row = SealedWrite {
        record_id: place.record,
        kind: place.kind.as_str(),
        case_id: place.case.map(|id| id.0),
        key_id: place.key_id,
        epoch: place.epoch,
        version: place.version,
        blob: &blob,
        author: who.account.0,
        signature: &signature,
        vouch: &*vouch,
    };
    if place.version == 1 {
        store::insert_sealed(connection, &row).await?;
    } else if !store::replace_sealed(connection, &row).await? {
        return Err(VaultError::Tampered);
    }
    Ok(Mark::content(place.record, place.version, digest))
}

/// Times during which a wrap counts; see the draft's life in [`crate::calls`].
pub(crate) fn active(mut wrap: WrapWrite, from: Option<DateTime<Utc>>, until: Option<DateTime<Utc>>) -> WrapWrite {
    (wrap.active_from, wrap.active_until) = (from, until);
    wrap
}
