//! What a passkey opens, and what keeps another one from being put in its place.
//!
//! An authenticator with the PRF extension gives 32 bytes for a salt, the same ones each time and to nobody else. Together
//! with the service's pepper they lock the person's keys in a slot, as stretched words do; no Argon2id is needed, since there
//! is nothing to guess. Whose passkey it is, and the public key by which it signs, go into the slot's key: with another public
//! key in the row the slot does not open.
//!
//! One without PRF opens nothing, and is a second factor. Its row holds what only the person's own keys can seal about it:
//! it counts when that opens, once the passphrase was right, as with the secret of an authenticator (`guard/totp.rs`).

use super::bytes::{self, ContentKey, Context, SealError};
use super::keys::{PersonKeys, derive};
use super::record::{AccountId, CredentialId};
use crate::platform::random;
use crate::platform::secrets::{Live, Raw};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What an authenticator's PRF gave. Like a passphrase it is never logged, stored or shown again.
pub struct PrfOutput(Zeroizing<[u8; 32]>);

impl PrfOutput {
    /// Reads what the client sent; `None` unless it is 32 bytes of unpadded base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let bytes: [u8; 32] = bytes.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }
}

impl<'de> Deserialize<'de> for PrfOutput {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(reader)?);
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a string of 32 bytes in base64url"))
    }
}

/// A passkey as everything about it is bound together: whose, which row, and what was shown when it was added.
pub struct Bound<'a> {
    pub account: AccountId,
    pub id: CredentialId,
    pub registered: &'a [u8],
}

impl Bound<'_> {
    fn digest(&self) -> [u8; 32] {
        // Ids have one length, and what was registered stands last.
        let mut digest = Sha256::new_with_prefix(b"himaya passkey v1");
        digest.update(self.account.0.as_bytes());
        digest.update(self.id.0.as_bytes());
        digest.update(self.registered);
        digest.finalize().into()
    }

    fn context(&self) -> Context {
        Context::new("passkeys", self.id.0.into_bytes(), "binding", 1, 1)
    }

    /// Seals, under the person's own keys, that this passkey is theirs, and what they call it.
    ///
    /// # Errors
    /// If the cipher refuses, which it does for no text of this length.
    pub fn seal(&self, keys: &PersonKeys, label: &str) -> Result<Vec<u8>, SealError> {
        bytes::seal(&own_key(keys), 1, &self.context(), &[&self.digest()[..], label.as_bytes()].concat())
    }

    /// What the person calls it. `None` for a passkey that they did not add, or one in which something was exchanged.
    #[must_use]
    pub fn label(&self, keys: &PersonKeys, sealed: &[u8]) -> Option<String> {
        let told = bytes::open(&own_key(keys), 1, &self.context(), sealed).ok()?;
        let (digest, label) = told.split_first_chunk::<32>()?;
        (*digest == self.digest()).then(|| String::from_utf8(label.to_vec()).ok())?
    }

    /// Locks a person's keys under what the PRF gave, with the pepper in use.
    ///
    /// # Errors
    /// If the cipher refuses, which it does for no secret of this length.
    pub fn lock(
        &self,
        peppers: &Live<Raw>,
        prf: &PrfOutput,
        keys: &PersonKeys,
        now: DateTime<Utc>,
    ) -> Result<PrfSlot, SealError> {
        let (salt, peppers) = (random::bytes(), peppers.get());
        let pepper = peppers.current(now);
        let sealed =
            bytes::seal(&self.slot_key(prf, &pepper.value, &salt), 1, &self.slot_context(), &*keys.to_secret())?;
        Ok(PrfSlot { salt, pepper: Some(pepper.id.clone()), sealed })
    }

    /// Opens them. `None` when this is not what the PRF gave, or something was exchanged.
    #[must_use]
    pub fn unlock(&self, peppers: &Live<Raw>, prf: &PrfOutput, slot: &PrfSlot) -> Option<PersonKeys> {
        let peppers = peppers.get();
        let pepper = match &slot.pepper {
            Some(named) => peppers.find(named),
            None => Some(peppers.oldest()),
        };
        let Some(pepper) = pepper else {
            tracing::error!("a person's keys are sealed with a pepper that is not there: it was removed too soon");
            return None;
        };
        let key = self.slot_key(prf, &pepper.value, &slot.salt);
        PersonKeys::from_secret(&bytes::open(&key, 1, &self.slot_context(), &slot.sealed).ok()?).ok()
    }

    fn slot_key(&self, prf: &PrfOutput, pepper: &Raw, salt: &[u8; 16]) -> ContentKey {
        let mut both = Zeroizing::new([0; 64]);
        let (first, second) = both.split_at_mut(32);
        first.copy_from_slice(&*prf.0);
        second.copy_from_slice(&**pepper);
        ContentKey::from_bytes(*derive(&*both, &[&salt[..], &self.digest()].concat(), "himaya passkey slot v1"))
    }

    fn slot_context(&self) -> Context {
        Context::new("credential_slots", self.account.0.into_bytes(), "passkey", 1, 1)
    }
}

fn own_key(keys: &PersonKeys) -> ContentKey {
    ContentKey::from_bytes(*keys.derive("himaya passkey v1"))
}

/// A slot that a passkey opens, as it is stored.
pub struct PrfSlot {
    pub salt: [u8; 16],
    /// The pepper's name; every slot of a passkey has one.
    pub pepper: Option<String>,
    pub sealed: Vec<u8>,
}

impl PrfSlot {
    /// Whether it is to be sealed anew at the next chance: another pepper is in use by now.
    #[must_use]
    pub fn is_outdated(&self, peppers: &Live<Raw>, now: DateTime<Utc>) -> bool {
        let peppers = peppers.get();
        self.pepper.as_ref() != Some(&peppers.current(now).id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prf(seed: u8) -> PrfOutput {
        PrfOutput(Zeroizing::new([seed; 32]))
    }

    #[test]
    fn a_slot_opens_for_its_own_passkey_person_and_pepper_only() {
        let peppers = Live::only("first", Zeroizing::new([7; 32]));
        let (keys, now) = (PersonKeys::generate(), DateTime::UNIX_EPOCH);
        let own = Bound { account: AccountId::random(), id: CredentialId::random(), registered: b"the public key" };
        let slot = own.lock(&peppers, &prf(1), &keys, now).unwrap();
        assert!(own.unlock(&peppers, &prf(1), &slot).is_some_and(|opened| opened.to_secret() == keys.to_secret()));
        assert!(own.unlock(&peppers, &prf(2), &slot).is_none());
        assert!(own.unlock(&Live::only("first", Zeroizing::new([8; 32])), &prf(1), &slot).is_none());
        assert!(own.unlock(&Live::only("second", Zeroizing::new([7; 32])), &prf(1), &slot).is_none());
        for other in [
            Bound { account: AccountId::random(), ..own },
            Bound { id: CredentialId::random(), ..own },
            Bound { registered: b"another public key", ..own },
        ] {
            assert!(other.unlock(&peppers, &prf(1), &slot).is_none());
        }
        assert!(!slot.is_outdated(&peppers, now));
        assert!(slot.is_outdated(&Live::only("second", Zeroizing::new([7; 32])), now));
    }

    #[test]
    fn only_what_the_person_added_is_theirs() {
        let keys = PersonKeys::generate();
        let own = Bound { account: AccountId::random(), id: CredentialId::random(), registered: b"the public key" };
        let sealed = own.seal(&keys, "telefon").unwrap();
        assert_eq!(own.label(&keys, &sealed).as_deref(), Some("telefon"));
        assert!(own.label(&PersonKeys::generate(), &sealed).is_none());
        for other in [
            Bound { account: AccountId::random(), ..own },
            Bound { id: CredentialId::random(), ..own },
            Bound { registered: b"another public key", ..own },
        ] {
            assert!(other.label(&keys, &sealed).is_none());
        }
    }
}
