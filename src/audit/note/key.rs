//! The keys of notes: the name a key signs under, its public half with its ID, its private half.

use super::NoteError;
use super::text::{SignatureLine, signature_line};
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

#[cfg(test)]
mod tests;

/// Section "Signature types": Ed25519 as specified by signed-note itself.
const TYPE_ED25519: u8 = 0x01;

/// The name of a signing key, such as `example.com/log42`.
///
/// Promises to be non-empty and free of Unicode spaces, plus signs (section
/// "Format") and ASCII control characters (no note may hold one).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Checks and takes a key name.
    ///
    /// # Errors
    /// [`NoteError::InvalidKeyName`] when the promise of the type does not hold.
    pub fn new(name: impl Into<String>) -> Result<Self, NoteError> {
        let name = name.into();
        if is_key_name(&name) { Ok(Self(name)) } else { Err(NoteError::InvalidKeyName) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = NoteError;

    fn from_str(s: &str) -> Result<Self, NoteError> {
        Self::new(s)
    }
}

pub(super) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c < ' ')
}

/// A public key trusted under a name (section "Verifier keys").
///
/// [`fmt::Display`] prints, and [`FromStr`] parses, the *vkey* text
/// `<name>+<hex ID>+<base64(0x01 ‖ public key)>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    pub(super) name: KeyName,
    pub(super) key_id: u32,
    pub(super) key: VerifyingKey,
}

impl NoteVerifier {
    /// Names a public key and derives its key ID.
    ///
    /// A key of small order is taken but never verifies anything.
    #[must_use]
    pub fn new(name: KeyName, key: &VerifyingKey) -> Self {
        let key_id = key_id(&name, TYPE_ED25519, key);
        Self { name, key_id, key: *key }
    }

    /// The name the key signs under.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key ID, `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[..4]`, big-endian
    /// (section "Signatures"). An identifier, not a cryptographic commitment.
    #[must_use]
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The public key itself.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    pub(super) fn claims(&self, line: &SignatureLine<'_>) -> bool {
        self.name.0 == line.name && self.key_id == line.key_id
    }

    /// Strict verification: refuses small-order keys and commitments, with which
    /// one signature could be made to fit several texts.
    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .and_then(|signature| self.key.verify_strict(text.as_bytes(), &signature))
            .is_ok()
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&vkey(&self.name, self.key_id, TYPE_ED25519, &self.key))
    }
}

impl FromStr for NoteVerifier {
    type Err = NoteError;

    /// Parses a vkey and checks that its ID belongs to its name and key.
    fn from_str(vkey: &str) -> Result<Self, NoteError> {
        let (name, key) = parse_vkey(vkey, TYPE_ED25519)?;
        Ok(Self::new(name, &key))
    }
}

/// The vkey text of a key of this signature type.
pub(super) fn vkey(name: &KeyName, key_id: u32, kind: u8, key: &VerifyingKey) -> String {
    let mut typed = vec![kind];
    typed.extend_from_slice(key.as_bytes());
    format!("{name}+{key_id:08x}+{}", STANDARD.encode(typed))
}

/// Reads the vkey text of an Ed25519 key of this signature type; its ID must belong to its name and key.
pub(super) fn parse_vkey(vkey: &str, kind: u8) -> Result<(KeyName, VerifyingKey), NoteError> {
    // Base64 may itself hold a plus, a name may not: split at the first two.
    let mut parts = vkey.splitn(3, '+');
    let (Some(name), Some(id), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteError::VerifierKeyShape);
    };
    let name = KeyName::new(name)?;
    // `from_str_radix` alone would take capitals, a sign and short forms.
    if id.len() != 8 || !id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(NoteError::VerifierKeyShape);
    }
    let id = u32::from_str_radix(id, 16).map_err(|_| NoteError::VerifierKeyShape)?;
    let typed = STANDARD.decode(typed).map_err(|_| NoteError::VerifierKeyShape)?;
    let (&typed_kind, key) = typed.split_first().ok_or(NoteError::VerifierKeyShape)?;
    if typed_kind != kind {
        return Err(NoteError::VerifierKeyType);
    }
    let key = VerifyingKey::try_from(key).map_err(|_| NoteError::VerifierKeyPoint)?;
    if key.is_weak() {
        return Err(NoteError::VerifierKeyPoint);
    }
    if key_id(&name, kind, &key) != id {
        return Err(NoteError::VerifierKeyId);
    }
    Ok((name, key))
}

/// Section "Signatures": the ID hashes the signature type as well, so that one key has another ID as a cosigner.
pub(super) fn key_id(name: &KeyName, kind: u8, key: &VerifyingKey) -> u32 {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(name.0.as_bytes())
        .chain_update([b'\n', kind])
        .chain_update(key.as_bytes())
        .finalize()
        .into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d])
}

/// A private key that signs notes under a name.
///
/// Holds its own copy of the key, which is wiped when this is dropped. Neither
/// `Debug` nor `Clone`, so that the key is neither printed nor multiplied.
pub struct NoteSigner {
    pub(super) public: NoteVerifier,
    key: SigningKey,
}

impl NoteSigner {
    /// Names a private key.
    #[must_use]
    pub fn new(name: KeyName, key: &SigningKey) -> Self {
        Self { public: NoteVerifier::new(name, &key.verifying_key()), key: key.clone() }
    }

    /// The public half: what others need to verify this signer's notes.
    #[must_use]
    pub fn verifier(&self) -> &NoteVerifier {
        &self.public
    }

    /// The signature line for `text`, its newline included.
    pub(super) fn line(&self, text: &str) -> String {
        signature_line(self.public.name.as_str(), self.public.key_id, &self.key.sign(text.as_bytes()).to_bytes())
    }
}
