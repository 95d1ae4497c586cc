//! The keys of wall 2: each person's own pair, the key of a record, and how one is wrapped to the other.
//!
//! Wraps are HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The `info` binds what
//! a wrap is for, so that one taken from another place does not open. Sealing takes a [`Recipient`], which only
//! [`super::trust`] makes, from a statement that two responsible persons signed: a key swapped in the database is
//! nobody's recipient.

use super::bytes::ContentKey;
use super::record::{CaseId, GrantId};
use super::trust::Recipient;
use crate::platform::random;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hkdf::Hkdf;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use sha2::Sha256;
use std::sync::OnceLock;
use uuid::Uuid;
use zeroize::Zeroizing;

type Kem = X25519HkdfSha256;

/// Bytes that HPKE adds in front of a wrapped key: the encapsulated X25519 public key.
const ENCAPSULATED: usize = 32;

/// A key operation failed. It never says why: the reasons differ only for somebody who tampers.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("the wrap does not open with this key")]
    NotForThisKey,
    #[error("a stored key has the wrong shape")]
    Malformed,
}

/// An X25519 public key. Not yet anybody's: see [`Recipient`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KemPublic(pub [u8; 32]);

/// The private half of an X25519 key: a person's, or one that an organisation holds together.
pub struct KemPrivate {
    secret: Zeroizing<[u8; 32]>,
    /// The public half once it is known: computing it costs as much as half an exchange.
    public: OnceLock<KemPublic>,
}

impl KemPrivate {
    /// A new pair.
    #[must_use]
    pub fn generate() -> Self {
        let (private, _) = Kem::gen_keypair();
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&private.to_bytes());
        Self::from_bytes(bytes)
    }

    pub(crate) fn from_bytes(secret: Zeroizing<[u8; 32]>) -> Self {
        Self { secret, public: OnceLock::new() }
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Takes the public half from who has computed it before.
    pub(crate) fn know(&self, public: KemPublic) {
        // One that is known already is the same.
        let _ = self.public.set(public);
    }

    /// The public half.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if the stored bytes are no X25519 private key.
    pub fn public(&self) -> Result<KemPublic, KeyError> {
        if let Some(public) = self.public.get() {
            return Ok(*public);
        }
        let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(&*self.secret).map_err(|_| KeyError::Malformed)?;
        Ok(*self.public.get_or_init(|| KemPublic(Kem::sk_to_pk(&private).to_bytes().into())))
    }
}

/// Both public keys of a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKeys {
    pub kem: KemPublic,
    pub sign: VerifyingKey,
}

/// A person's private keys, unwrapped for one request and zeroised when it ends.
pub struct PersonKeys {
    kem: KemPrivate,
    sign: SigningKey,
}

impl PersonKeys {
    /// Made once, at the person's first sign-in.
    #[must_use]
    pub fn generate() -> Self {
        Self { kem: KemPrivate::generate(), sign: SigningKey::from_bytes(&random::bytes()) }
    }

    /// The two private keys as one secret of 64 bytes, for sealing under a credential or a session.
    #[must_use]
    pub fn to_secret(&self) -> Zeroizing<[u8; 64]> {
        let mut secret = Zeroizing::new([0; 64]);
        let (kem, sign) = secret.split_at_mut(32);
        kem.copy_from_slice(self.kem.as_bytes());
        sign.copy_from_slice(self.sign.as_bytes());
        secret
    }

    /// # Errors
    /// [`KeyError::Malformed`] unless the secret is 64 bytes.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        let secret: &[u8; 64] = secret.try_into().map_err(|_| KeyError::Malformed)?;
        let (mut kem, mut sign) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        kem.copy_from_slice(secret.get(..32).ok_or(KeyError::Malformed)?);
        sign.copy_from_slice(secret.get(32..).ok_or(KeyError::Malformed)?);
        Ok(Self { kem: KemPrivate::from_bytes(kem), sign: SigningKey::from_bytes(&sign) })
    }

    /// # Errors
    /// [`KeyError::Malformed`] if the stored private key is none.
    pub fn public(&self) -> Result<PublicKeys, KeyError> {
        Ok(PublicKeys { kem: self.kem.public()?, sign: self.sign.verifying_key() })
    }

    pub(crate) fn kem(&self) -> &KemPrivate {
        &self.kem
    }

    pub(crate) fn signing_key(&self) -> &SigningKey {
        &self.sign
    }

    /// Signs a message that carries its own domain in front.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.sign.sign(message)
    }

    /// A secret of the person's own for one named use, so that a digest in the database confirms nothing to a thief.
    #[must_use]
    pub fn derive(&self, usage: &'static str) -> Zeroizing<[u8; 32]> {
        derive(self.sign.as_bytes(), &[], usage)
    }
}

/// The key of one record (a section, a draft, a notice), or one erasure key: 32 random bytes.
pub struct RecordKey(Zeroizing<[u8; 32]>);

impl RecordKey {
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    pub(crate) fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that encrypts: HKDF(record key ‖ erasure key). Without the second, which lives in another database and is
    /// deleted to erase, the first opens nothing.
    #[must_use]
    pub fn content_key(&self, erasure: &Self) -> ContentKey {
        let mut both = Zeroizing::new([0; 64]);
        let (record, erase) = both.split_at_mut(32);
        record.copy_from_slice(&*self.0);
        erase.copy_from_slice(&*erasure.0);
        ContentKey::from_bytes(*derive(&*both, &[], "himaya content key v1"))
    }
}

/// HKDF-SHA256 to 32 bytes; `usage` separates what the same secret is used for.
#[must_use]
pub fn derive(secret: &[u8], salt: &[u8], usage: &'static str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // 32 bytes are far below HKDF's limit of 255 blocks, the only thing that `expand` can refuse; were it to, the key
    // would stay all zero and open nothing that was ever sealed under a real one, so it is checked all the same.
    if Hkdf::<Sha256>::new(Some(salt), secret).expand(usage.as_bytes(), &mut *out).is_err() {
        return Zeroizing::new(random::bytes());
    }
    out
}

/// What a wrap is for; all of it is bound into the HPKE `info`.
pub struct WrapContext {
    /// The kind of secret: `record key`, `shared key`, `ledger detail`, …
    pub purpose: &'static str,
    pub case: Option<CaseId>,
    pub key_id: Uuid,
    pub epoch: u32,
    pub grant: Option<GrantId>,
}

impl WrapContext {
    fn info(&self, recipient: &KemPublic) -> Vec<u8> {
        let mut info = Vec::with_capacity(160);
        let case = self.case.map(|id| id.0).unwrap_or_default();
        let grant = self.grant.map(|id| id.0).unwrap_or_default();
        let parts: [&[u8]; 7] = [
            b"himaya wrap v1",
            self.purpose.as_bytes(),
            case.as_bytes(),
            self.key_id.as_bytes(),
            &self.epoch.to_be_bytes(),
            &recipient.0,
            grant.as_bytes(),
        ];
        for part in parts {
            // Every part is shorter than 64 KiB; the length in front keeps ("a", "bc") apart from ("ab", "c").
            info.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            info.extend_from_slice(part);
        }
        info
    }
}

/// Wraps a secret to a recipient: encapsulated key (32 bytes) ‖ ciphertext with tag.
///
/// # Errors
/// [`KeyError::Malformed`] if the recipient's key is no X25519 public key.
pub fn wrap(secret: &[u8], recipient: &Recipient, context: &WrapContext) -> Result<Vec<u8>, KeyError> {
    let public = recipient.kem();
    let key = <Kem as hpke::Kem>::PublicKey::from_bytes(&public.0).map_err(|_| KeyError::Malformed)?;
    let (encapsulated, ciphertext) =
        hpke::single_shot_seal::<AesGcm256, HkdfSha256, Kem>(&OpModeS::Base, &key, &context.info(&public), secret, &[])
            .map_err(|_| KeyError::Malformed)?;
    let mut wrap = encapsulated.to_bytes().to_vec();
    wrap.extend_from_slice(&ciphertext);
    Ok(wrap)
}

/// Opens a wrap made by [`wrap`] for the same context and this private key.
///
/// # Errors
/// [`KeyError::NotForThisKey`] for another key, another context, or a changed wrap.
pub fn unwrap(wrap: &[u8], private: &KemPrivate, context: &WrapContext) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (encapsulated, ciphertext) = wrap.split_at_checked(ENCAPSULATED).ok_or(KeyError::Malformed)?;
    let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(private.as_bytes()).map_err(|_| KeyError::Malformed)?;
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| KeyError::Malformed)?;
    let info = context.info(&private.public()?);
    hpke::single_shot_open::<AesGcm256, HkdfSha256, Kem>(&OpModeR::Base, &key, &encapsulated, &info, ciphertext, &[])
        .map(Zeroizing::new)
        .map_err(|_| KeyError::NotForThisKey)
}

/// [`unwrap`] for a secret that must be a key of 32 bytes.
///
/// # Errors
/// As [`unwrap`], and [`KeyError::Malformed`] for another length.
pub fn unwrap_key(wrap: &[u8], private: &KemPrivate, context: &WrapContext) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let secret = unwrap(wrap, private, context)?;
    let bytes: [u8; 32] = secret.as_slice().try_into().map_err(|_| KeyError::Malformed)?;
    Ok(Zeroizing::new(bytes))
}
