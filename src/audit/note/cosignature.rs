//! Cosignatures: a witness says when it saw that a checkpoint is consistent with all that it saw of the log before.
//!
//! Implements the Ed25519 type, `cosignature/v1`, of C2SP `tlog-cosignature` (<https://c2sp.org/tlog-cosignature>). It stands
//! in a signature line like any other; what is signed is the time and the whole text of the note.

use super::key::{key_id, parse_vkey, vkey};
use super::text::{SignatureLine, signature_line, split};
use super::{KeyName, NoteError};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use std::fmt;
use std::str::FromStr;

/// Signature type of a timestamped Ed25519 cosignature.
const TYPE_COSIGNATURE: u8 = 0x04;

/// A witness's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignatureVerifier {
    name: KeyName,
    key_id: u32,
    key: VerifyingKey,
}

/// A cosignature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// When the witness signed, in seconds since 1970, by its own clock. Never 0.
    pub at: u64,
    /// The signature line, with its newline.
    pub line: String,
}

impl CosignatureVerifier {
    /// Names a public key. A key of small order is taken but never verifies anything.
    #[must_use]
    pub fn new(name: KeyName, key: &VerifyingKey) -> Self {
        let key_id = key_id(&name, TYPE_COSIGNATURE, key);
        Self { name, key_id, key: *key }
    }

    /// The witness's name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The public key itself: what is signed does not name the witness, so one key must not be two witnesses.
    #[must_use]
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The newest cosignature of this witness in a note; other signatures are not looked at.
    ///
    /// # Errors
    /// [`NoteError::NoKnownSignature`] when there is none, [`NoteError::BadSignature`] when a line that claims to be this
    /// witness's is not, and what [`super::unverified_text`] says of what is no note.
    pub fn verify(&self, note: &str) -> Result<Cosignature, NoteError> {
        let (text, lines) = split(note)?;
        let mut newest: Option<Cosignature> = None;
        for line in lines.iter().filter(|line| line.name == self.name.as_str() && line.key_id == self.key_id) {
            let at = self.verified(text, line).ok_or_else(|| NoteError::BadSignature(self.name.clone()))?;
            if newest.as_ref().is_none_or(|newest| newest.at < at) {
                newest = Some(Cosignature { at, line: written(&self.name, self.key_id, &line.signature) });
            }
        }
        newest.ok_or(NoteError::NoKnownSignature)
    }

    fn verified(&self, text: &str, line: &SignatureLine<'_>) -> Option<u64> {
        let (at, signature) = line.signature.split_first_chunk::<8>()?;
        let at = u64::from_be_bytes(*at);
        // A cosigner of whole checkpoints always says when, and never later than a signed number can count.
        if at == 0 || i64::try_from(at).is_err() {
            return None;
        }
        let signature = Signature::from_slice(signature).ok()?;
        self.key.verify_strict(message(at, text).as_bytes(), &signature).ok().map(|()| at)
    }
}

impl fmt::Display for CosignatureVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&vkey(&self.name, self.key_id, TYPE_COSIGNATURE, &self.key))
    }
}

impl FromStr for CosignatureVerifier {
    type Err = NoteError;

    /// Parses a vkey of a cosigner; its ID must belong to its name and key.
    fn from_str(vkey: &str) -> Result<Self, NoteError> {
        let (name, key) = parse_vkey(vkey, TYPE_COSIGNATURE)?;
        Ok(Self::new(name, &key))
    }
}

/// A witness's private key. Neither `Debug` nor `Clone`; wiped when it is dropped.
pub struct CosignatureKey {
    public: CosignatureVerifier,
    key: SigningKey,
}

impl CosignatureKey {
    /// Names a private key.
    #[must_use]
    pub fn new(name: KeyName, key: &SigningKey) -> Self {
        Self { public: CosignatureVerifier::new(name, &key.verifying_key()), key: key.clone() }
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &CosignatureVerifier {
        &self.public
    }

    /// Cosigns the text of a note at this time, in seconds since 1970: the signature line, its newline included. Whoever
    /// calls this has seen that the text is consistent with all that was cosigned before.
    #[must_use]
    pub fn cosign(&self, text: &str, at: u64) -> String {
        let mut signature = at.to_be_bytes().to_vec();
        signature.extend_from_slice(&self.key.sign(message(at, text).as_bytes()).to_bytes());
        written(&self.public.name, self.public.key_id, &signature)
    }
}

fn message(at: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {at}\n{text}")
}

fn written(name: &KeyName, key_id: u32, signature: &[u8]) -> String {
    signature_line(name.as_str(), key_id, signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    const LOG: &str = "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    /// The specification's own line; it publishes no key to it.
    const SPEC: &str = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
    /// The specification's checkpoint, name and time under the key of 32 bytes 42, made with another library (OpenSSL).
    const VKEY: &str = "witness.example.com/w1+b2b3731c+BBl/ayPhbIUyxqvIOPrNXqeJvgx2spIDNAOb+os9No1h";
    const OTHERS: &str = "— witness.example.com/w1 srNzHAAAAABkGFDLO3QHuVkoSLXBTFXEZirSXMcqft7KH9IJ/9dNoJmEuYKyHYdwR8Hl82lSBc3HRuL0pix1dLkwMzmSzwYLULbTBA==\n";
    const TIME: u64 = 1_679_315_147;

    fn key(seed: u8) -> CosignatureKey {
        CosignatureKey::new(KeyName::new("witness.example.com/w1").unwrap(), &SigningKey::from_bytes(&[seed; 32]))
    }

    #[test]
    fn another_implementations_cosignature_is_verified_and_made_alike() {
        let witness: CosignatureVerifier = VKEY.parse().unwrap();
        assert_eq!((witness.to_string().as_str(), &witness), (VKEY, key(42).verifier()));
        let note = format!("{TEXT}\n{LOG}{SPEC}{OTHERS}");
        assert_eq!(witness.verify(&note).unwrap(), Cosignature { at: TIME, line: OTHERS.to_owned() });
        assert_eq!(key(42).cosign(TEXT, TIME), OTHERS);
    }

    #[test]
    fn the_specs_line_has_the_specs_time() {
        let note = format!("{TEXT}\n{LOG}{SPEC}");
        let (_, lines) = split(&note).unwrap();
        assert_eq!(lines[1].signature.len(), 8 + 64);
        assert_eq!(lines[1].signature[..8], TIME.to_be_bytes());
        assert_eq!(written(&KeyName::new(lines[1].name).unwrap(), lines[1].key_id, &lines[1].signature), SPEC);
        assert!(message(TIME, TEXT).starts_with("cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n2085"));
    }

    #[test]
    fn what_is_not_this_witness_own_word_is_none() {
        let (witness, other) = (key(42), key(43));
        let verify = |note: &str| witness.verifier().verify(note);
        let name = || witness.verifier().name().clone();
        assert_eq!(verify(&format!("{TEXT}\n{LOG}{}", other.cosign(TEXT, TIME))), Err(NoteError::NoKnownSignature));
        let cosigned = |line: &str| format!("{TEXT}\n{LOG}{line}");
        let bad = Err(NoteError::BadSignature(name()));
        // Of another text, of no time, of a time beyond all times; one bad line spoils the rest.
        assert_eq!(verify(&cosigned(&witness.cosign("other\n", TIME))), bad);
        assert_eq!(verify(&cosigned(&witness.cosign(TEXT, 0))), bad);
        assert_eq!(verify(&cosigned(&witness.cosign(TEXT, 1 << 63))), bad);
        assert!(verify(&cosigned(&witness.cosign(TEXT, (1 << 63) - 1))).is_ok());
        assert_eq!(verify(&cosigned(&format!("{OTHERS}{}", witness.cosign("other\n", TIME)))), bad);
        // The time is signed as well: it cannot be moved.
        let mut moved = TIME.to_be_bytes().to_vec();
        moved[7] += 1;
        let (note, id) = (cosigned(OTHERS), witness.verifier().key_id);
        let (_, lines) = split(&note).unwrap();
        moved.extend_from_slice(&lines[1].signature[8..]);
        assert_eq!(verify(&cosigned(&written(&name(), id, &moved))), bad);
        assert_eq!(verify(&cosigned(&written(&name(), id, &moved[..40]))), bad);
        // A log's key is none of a witness, nor the other way round.
        let log = super::super::NoteVerifier::new(name(), witness.verifier().key());
        assert_eq!(log.to_string().parse::<CosignatureVerifier>(), Err(NoteError::VerifierKeyType));
        assert!(VKEY.parse::<super::super::NoteVerifier>().is_err());
    }

    #[test]
    fn of_several_the_newest_counts() {
        let lines = [5, 9, 7].map(|at| key(42).cosign(TEXT, at)).concat();
        assert_eq!(key(42).verifier().verify(&format!("{TEXT}\n{lines}")).unwrap().at, 9);
    }
}
