//! Keys of objects: what is too large for the database lies sealed in a store of its own, each object under a key that
//! stands in a sealed record. Like a record's it counts only together with an erasure key, so an object dies with that.

use super::{VaultError, erasure_keys};
use crate::guard::bytes::{ContentKey, Context};
use crate::guard::keys::RecordKey;
use crate::guard::record::ObjectId;
use crate::guard::store;
use sqlx::PgPool;
use zeroize::Zeroizing;

/// The key of one object: 32 random bytes, kept in the sealed record that speaks of it and nowhere else.
pub struct ObjectKey(RecordKey);

impl ObjectKey {
    /// A key for a new object, and what encrypts it. Its erasure key is durable when this returns.
    ///
    /// # Errors
    /// When the erasure store does not answer.
    pub async fn make(erasure: &PgPool, object: ObjectId) -> Result<(Self, ContentKey), VaultError> {
        let (key, erase) = (Self(RecordKey::generate()), RecordKey::generate());
        store::insert_erasure_keys(erasure, &[object.0], &[erase.as_bytes().to_vec()]).await?;
        let content = key.0.content_key(&erase);
        Ok((key, content))
    }

    /// What decrypts an object. The caller has the key from a record that was opened against a receipt.
    ///
    /// # Errors
    /// [`VaultError::Erased`] when the object was erased.
    pub async fn content_key(&self, erasure: &PgPool, object: ObjectId) -> Result<ContentKey, VaultError> {
        let erase = erasure_keys(erasure, &[object.0]).await?.remove(&object.0).ok_or(VaultError::Erased)?;
        Ok(self.0.content_key(&RecordKey::from_bytes(erase)))
    }
}

/// The place of an object: its bytes under another object's name do not open.
#[must_use]
pub fn object_context(object: ObjectId) -> Context {
    Context::new("objects", object.0.into_bytes(), "attachment", 1, 1)
}

/// How a key stands in the record that is sealed. A function of its own: the key itself cannot be serialised by mistake.
pub mod sealed_key {
    use super::{ObjectKey, RecordKey, Zeroizing};
    use crate::guard::statement::{hex, unhex};
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// # Errors
    /// As the serializer refuses.
    pub fn serialize<S: Serializer>(key: &ObjectKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex(key.0.as_bytes())))
    }

    /// # Errors
    /// For anything but 64 hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectKey, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = unhex(&text).map_err(|_| D::Error::custom("a key is 64 hexadecimal digits"))?;
        Ok(ObjectKey(RecordKey::from_bytes(Zeroizing::new(bytes))))
    }
}
