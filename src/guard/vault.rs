//! Where sealed bytes become readable, and the only place: with the reader's own keys, against a receipt that their
//! entry in the ledger is durable.

pub mod objects;
mod sealing;

pub use objects::ObjectKey;
pub use sealing::{Placement, SealingKey, new_keys, put};
pub(crate) use sealing::{active, put_bytes};

use super::bytes::{self, Context};
use super::keys::{self, KemPrivate, KeyError, PersonKeys, RecordKey, WrapContext};
use super::record::{AccountId, CaseId, GrantId, RecordKind, SharedKeyId};
use super::session::Who;
use super::store::{self, SealedRow};
use super::trust::{Signatures, Trust, TrustError};
use super::vouch::{SealedFacts, is_vouched};
use crate::audit::receipt::Receipt;
use ed25519_dalek::Signature;
use serde::de::DeserializeOwned;
use sqlx::{PgConnection, PgPool};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::marker::PhantomData;
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A record as it lies in the database. It has no reader but [`open`].
pub struct Sealed<T> {
    row: SealedRow,
    erasure: RecordKey,
    author_key: ed25519_dalek::VerifyingKey,
    signatures: Arc<Signatures>,
    content: PhantomData<fn() -> T>,
}

/// An opened record on its way to the person who asked. Neither `Clone`, `Debug` nor `Serialize`: it is disclosed once,
/// by name.
pub struct Opened<T> {
    content: T,
    version: i64,
}

impl<T> Opened<T> {
    /// Hands the content to the answer for the person who asked.
    #[must_use]
    pub fn disclose(self) -> T {
        self.content
    }

    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }
}

/// Why a record does not open. From outside all of these are one fault, logged here by name.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("the receipt does not name this record, version and person")]
    NoReceipt,
    #[error("no key was wrapped to this person")]
    NoKey,
    #[error("the key of this record has been erased")]
    Erased,
    #[error("the bytes are not this record's")]
    Tampered,
    #[error("this service did not store the record as it lies there")]
    Unvouched,
    #[error("the content does not have the expected shape")]
    Shape,
    #[error("a key does not work: {0}")]
    Key(#[from] KeyError),
    #[error("an author is not believed: {0}")]
    Trust(#[from] TrustError),
    #[error("the database does not answer")]
    Store(#[from] sqlx::Error),
}

impl<T> Sealed<T> {
    #[must_use]
    pub fn record(&self) -> Uuid {
        self.row.record_id
    }

    #[must_use]
    pub fn version(&self) -> i64 {
        self.row.version
    }

    #[must_use]
    pub fn epoch(&self) -> i32 {
        self.row.epoch
    }

    #[must_use]
    pub fn key_id(&self) -> Uuid {
        self.row.key_id
    }

    /// The CUSTODY key that leads to its own, for what was fetched so.
    #[must_use]
    pub fn custody(&self) -> Option<SharedKeyId> {
        self.row.shared_key.map(SharedKeyId)
    }

    /// The case that it hangs on.
    #[must_use]
    pub fn case(&self) -> Option<CaseId> {
        self.row.case_id.map(CaseId)
    }

    /// As what it was sealed; it opens as nothing else.
    ///
    /// # Errors
    /// [`VaultError::Tampered`] for a word that is no kind.
    pub fn kind(&self) -> Result<RecordKind, VaultError> {
        self.row.kind.parse().map_err(|_| VaultError::Tampered)
    }

    /// Who sealed this version, as the service saw it.
    #[must_use]
    pub fn author(&self) -> AccountId {
        AccountId(self.row.author)
    }

    /// The permission on a case on which the reader's wrap of its key rests, and to which that wrap is bound.
    #[must_use]
    pub fn grant(&self) -> Option<GrantId> {
        self.row.grant_id.map(GrantId)
    }

    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        bytes::digest(&self.row.blob)
    }
}

/// Fetches sealed records that this person can unwrap. Opens nothing.
///
/// # Errors
/// [`VaultError::Erased`] when an erasure key is gone, [`VaultError::Trust`] when an author is not believed.
pub async fn fetch<T>(
    connection: &mut PgConnection,
    erasure: &PgPool,
    trust: &Trust,
    records: &[Uuid],
) -> Result<Vec<Sealed<T>>, VaultError> {
    let rows = store::sealed(connection, records).await?;
    believed_authors(connection, erasure, trust, rows).await
}

/// Fetches what is sealed on a case of the opening that this transaction carries out. Opens nothing.
///
/// # Errors
/// As [`fetch`].
pub async fn fetch_in_custody(
    connection: &mut PgConnection,
    erasure: &PgPool,
    trust: &Trust,
    case: CaseId,
) -> Result<Vec<Sealed<()>>, VaultError> {
    let rows = store::sealed_in_custody(connection, case).await?;
    believed_authors(connection, erasure, trust, rows).await
}

async fn believed_authors<T>(
    connection: &mut PgConnection,
    erasure: &PgPool,
    trust: &Trust,
    rows: Vec<SealedRow>,
) -> Result<Vec<Sealed<T>>, VaultError> {
    let mut authors = HashMap::new();
    for row in &rows {
        if let Entry::Vacant(author) = authors.entry(row.author) {
            author.insert(trust.signer(connection, AccountId(row.author)).await?.keys.sign);
        }
    }
    with_erasure_keys(erasure, trust, rows, &authors).await
}

/// Fetched rows with their erasure keys, each vouched for and with the key of its author.
pub(super) async fn with_erasure_keys<T>(
    erasure: &PgPool,
    trust: &Trust,
    rows: Vec<SealedRow>,
    authors: &HashMap<Uuid, ed25519_dalek::VerifyingKey>,
) -> Result<Vec<Sealed<T>>, VaultError> {
    let mut wanted: Vec<Uuid> = rows.iter().map(|row| row.key_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let erasure_keys = erasure_keys(erasure, &wanted).await?;
    let mut sealed = Vec::with_capacity(rows.len());
    for row in rows {
        if !is_vouched(row.vouch.as_deref(), &trust.voucher().sealed(&facts(&row))) {
            return Err(VaultError::Unvouched);
        }
        let author_key = *authors.get(&row.author).ok_or(VaultError::Tampered)?;
        let key = erasure_keys.get(&row.key_id).ok_or(VaultError::Erased)?;
        let erasure = RecordKey::from_bytes(key.clone());
        let signatures = trust.signatures();
        sealed.push(Sealed { row, erasure, author_key, signatures, content: PhantomData });
    }
    Ok(sealed)
}

async fn erasure_keys(pool: &PgPool, wanted: &[Uuid]) -> Result<HashMap<Uuid, Zeroizing<[u8; 32]>>, VaultError> {
    let rows = store::erasure_keys(pool, wanted).await?;
    rows.into_iter()
        .map(|(id, key)| {
            let key = Zeroizing::new(key);
            let key: [u8; 32] = key.as_slice().try_into().map_err(|_| VaultError::Tampered)?;
            Ok((id, Zeroizing::new(key)))
        })
        .collect()
}

/// Opens what the receipt names, and spends the receipt.
///
/// # Errors
/// [`VaultError`] by what is wrong; a single record that is wrong lets none of them out.
pub fn open<T: DeserializeOwned>(
    receipt: Receipt,
    who: &Who,
    sealed: Vec<Sealed<T>>,
) -> Result<Vec<Opened<T>>, VaultError> {
    if receipt.account() != who.account {
        return Err(VaultError::NoReceipt);
    }
    let mut opened = Vec::with_capacity(sealed.len());
    let mut keys = HashMap::new();
    for record in sealed {
        if !receipt.covers(record.row.record_id, record.row.version) {
            return Err(VaultError::NoReceipt);
        }
        // Notes of a case share a key: it is unwrapped once.
        let place = (record.row.key_id, record.row.epoch, record.row.wrap.clone());
        let key = match keys.entry(place) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(record_key(&who.keys, &record)?),
        };
        let plain = open_with(key, &record)?;
        let content = serde_json::from_slice(&plain).map_err(|_| VaultError::Shape)?;
        opened.push(Opened { content, version: record.row.version });
    }
    receipt.spend();
    Ok(opened)
}

/// A record re-sealed by the service on the way from one key to another. It is never turned into content.
pub(crate) fn decrypt<T>(keys: &PersonKeys, sealed: &Sealed<T>) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    open_with(&record_key(keys, sealed)?, sealed)
}

fn open_with<T>(key: &RecordKey, sealed: &Sealed<T>) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (row, context) = (&sealed.row, context_of(&sealed.row)?);
    let signature = Signature::from_slice(&row.signature).map_err(|_| VaultError::Tampered)?;
    let signed = signed_message(&context, &bytes::digest(&row.blob));
    if !sealed.signatures.verify(&sealed.author_key, &signed, &signature) {
        return Err(VaultError::Tampered);
    }
    let epoch = u32::try_from(row.epoch).map_err(|_| VaultError::Tampered)?;
    bytes::open(&key.content_key(&sealed.erasure), epoch, &context, &row.blob).map_err(|_| VaultError::Tampered)
}

/// The record's own key, unwrapped with the person's: directly, or through a shared key that is wrapped to them.
pub(crate) fn record_key<T>(keys: &PersonKeys, sealed: &Sealed<T>) -> Result<RecordKey, VaultError> {
    let row = &sealed.row;
    let epoch = u32::try_from(row.epoch).map_err(|_| VaultError::Tampered)?;
    let context = key_context(row.case_id.map(CaseId), row.key_id, epoch, row.grant_id.map(GrantId));
    let secret = match (&row.shared_key, &row.shared_wrap) {
        (Some(id), Some(wrap)) => {
            let shared = shared_private(keys, *id, wrap)?;
            keys::unwrap_key(&row.wrap, &shared, &context)?
        }
        _ => keys::unwrap_key(&row.wrap, keys.kem(), &context)?,
    };
    Ok(RecordKey::from_bytes(secret))
}

/// The private half of a shared key, from its wrap to this person.
pub(crate) fn shared_private(keys: &PersonKeys, id: Uuid, wrap: &[u8]) -> Result<KemPrivate, KeyError> {
    keys::unwrap_key(wrap, keys.kem(), &shared_context(id)).map(KemPrivate::from_bytes)
}

/// The context under which a shared private key is wrapped to a member.
#[must_use]
pub(crate) fn shared_context(id: Uuid) -> WrapContext {
    WrapContext { purpose: "shared key", case: None, key_id: id, epoch: 1, grant: None }
}

pub(super) fn key_context(case: Option<CaseId>, key_id: Uuid, epoch: u32, grant: Option<GrantId>) -> WrapContext {
    WrapContext { purpose: "record key", case, key_id, epoch, grant }
}

fn context_of(row: &SealedRow) -> Result<Context, VaultError> {
    context(row.record_id, &row.kind, row.epoch, row.version)
}

fn context(record: Uuid, kind: &str, epoch: i32, version: i64) -> Result<Context, VaultError> {
    let epoch = u32::try_from(epoch).map_err(|_| VaultError::Tampered)?;
    let version = u64::try_from(version).map_err(|_| VaultError::Tampered)?;
    Ok(Context::new("sealed", record.into_bytes(), kind, epoch, version))
}

/// What the service vouches for, of a stored row.
fn facts(row: &SealedRow) -> SealedFacts<'_> {
    SealedFacts {
        record: row.record_id,
        kind: &row.kind,
        case: row.case_id,
        key: row.key_id,
        epoch: row.epoch,
        version: row.version,
        author: row.author,
        digest: bytes::digest(&row.blob),
    }
}

pub(crate) fn signed_message(context: &Context, digest: &[u8; 32]) -> Vec<u8> {
    let mut message = b"himaya sealed record v1\0".to_vec();
    message.extend_from_slice(context.as_bytes());
    message.extend_from_slice(digest);
    message
}

impl From<VaultError> for crate::platform::problem::Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(inner) => inner.into(),
            VaultError::NoKey => Self::absent(),
            // What is erased is gone with its row: a row that has outlived its key was put back, or lost it.
            VaultError::Erased => Self::fault("a record's erasure key is gone"),
            VaultError::NoReceipt => Self::fault("a receipt does not cover what is opened"),
            VaultError::Tampered => Self::fault("a sealed record is not as it was written"),
            VaultError::Unvouched => Self::fault("a sealed record was not stored by this service"),
            VaultError::Shape => Self::fault("content has the wrong shape"),
            VaultError::Key(_) => Self::fault("a key does not open its wrap"),
            VaultError::Trust(_) => Self::fault("an author is not believed"),
        }
    }
}
