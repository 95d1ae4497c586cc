//! What was checked once need not be checked again, as long as it is the same bytes: signatures, and heads that were read.
//!
//! A key is a digest of everything that the answer follows from, so a changed byte is another question. Only what came out
//! true is remembered, and none of it says what somebody may do now: memberships, accesses and sessions are asked each time.

use crate::guard::keys::{KeyError, PersonKeys, PublicKeys};
use crate::guard::record::AccountId;
use crate::guard::statement::{self, CaseHead, StatementError};
use crate::platform::remembered::{Digest, Remembered};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// Signatures that are kept apart: 32 bytes each.
const SIGNATURES: usize = 16 * 1024;
const HEADS: usize = 512;
/// Heads that are longer are read each time, or few of them could take all memory.
const LONGEST_HEAD: usize = 16 * 1024;
/// Sessions whose public keys are known.
const SESSIONS: usize = 4 * 1024;

/// Signatures that were verified.
pub struct Signatures(Remembered<()>);

impl Signatures {
    /// Whether this key signed this message.
    #[must_use]
    pub fn verify(&self, key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
        let digest = digest(&[key.as_bytes(), &signature.to_bytes(), message]);
        if self.0.get(&digest).is_some() {
            return true;
        }
        let good = key.verify_strict(message, signature).is_ok();
        if good {
            self.0.insert(digest, ());
        }
        good
    }
}

pub(super) struct Memory {
    pub(super) signatures: Arc<Signatures>,
    heads: Remembered<Arc<CaseHead>>,
    sessions: Remembered<PublicKeys>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            signatures: Arc::new(Signatures(Remembered::new(SIGNATURES))),
            heads: Remembered::new(HEADS),
            sessions: Remembered::new(SESSIONS),
        }
    }
}

impl Memory {
    /// A head that this person signed.
    pub(super) fn head(
        &self,
        note: &str,
        signer: AccountId,
        key: VerifyingKey,
    ) -> Result<Arc<CaseHead>, StatementError> {
        let digest = digest(&[signer.0.as_bytes(), key.as_bytes(), note.as_bytes()]);
        if let Some(head) = self.heads.get(&digest) {
            return Ok(head);
        }
        let head = Arc::new(statement::verified::<CaseHead>(note, &[(signer, key)])?);
        if note.len() <= LONGEST_HEAD {
            self.heads.insert(digest, Arc::clone(&head));
        }
        Ok(head)
    }

    /// The public halves of the keys that came out of a session's sealed bytes. Those commit to their key, so the same bytes
    /// never hold other keys; nothing secret is remembered.
    pub(super) fn public(&self, sealed: &[u8], keys: &PersonKeys) -> Result<PublicKeys, KeyError> {
        let digest = digest(&[sealed]);
        if let Some(public) = self.sessions.get(&digest) {
            keys.kem().know(public.kem);
            return Ok(public);
        }
        let public = keys.public()?;
        self.sessions.insert(digest, public);
        Ok(public)
    }
}

/// Each part with its length in front, so that no two questions are the same bytes.
fn digest(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};

    #[test]
    fn a_signature_that_is_remembered_is_for_its_own_key_and_message() {
        let memory = Memory::default().signatures;
        let (one, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let (signature, forged) = (one.sign(b"message"), other.sign(b"message"));
        for _ in 0..2 {
            assert!(memory.verify(&one.verifying_key(), b"message", &signature));
            assert!(!memory.verify(&one.verifying_key(), b"another", &signature));
            assert!(!memory.verify(&other.verifying_key(), b"message", &signature));
            assert!(!memory.verify(&one.verifying_key(), b"message", &forged));
        }
    }
}
