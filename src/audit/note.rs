//! Signed notes: text that carries the signatures of one or more Ed25519 keys.
//!
//! Implements C2SP `signed-note` (<https://c2sp.org/signed-note>) for one
//! signature type only, `0x01` (Ed25519 over the note text). Section names, here
//! and in the files below, are those of that document. Nothing here reads a clock,
//! a file or a global.
//!
//! `key` names and holds the keys, `text` takes a note apart, `cosignature` is what a
//! witness adds; signing, countersigning and verifying are here.

pub mod cosignature;
mod key;
mod text;

#[cfg(test)]
mod tests;

pub use key::{KeyName, NoteSigner, NoteVerifier};

use text::{check_characters, check_size, signature_line, split};
use thiserror::Error;

/// The longest note accepted or produced, in bytes, signatures included.
///
/// Room for sixteen signatures of any kind, and for a case head that lists some
/// seven thousand sealed records. A longer note is refused, never cut.
pub const MAX_NOTE_BYTES: usize = 1024 * 1024;

/// The most signature lines accepted or produced in one note.
///
/// Section "Format": verifiers must accept at least 16 and should have a limit.
pub const MAX_SIGNATURES: usize = 16;

/// Why a note, a key name or a verifier key was refused. Carries key names (which
/// are public), never note text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// A key name is empty or holds a Unicode space, a plus or a control character.
    #[error("key name is empty or holds a space, a plus or a control character")]
    InvalidKeyName,
    /// A verifier key is not `<name>+<8 lowercase hex digits>+<base64>`.
    #[error("verifier key is not of the form name+id+base64")]
    VerifierKeyShape,
    /// A verifier key is of another signature type than Ed25519.
    #[error("verifier key is not an Ed25519 key")]
    VerifierKeyType,
    /// A verifier key's bytes are no usable Ed25519 public key (wrong length, not
    /// on the curve, or of small order).
    #[error("verifier key is not a usable Ed25519 public key")]
    VerifierKeyPoint,
    /// A verifier key's ID is not the one its name and bytes hash to.
    #[error("verifier key ID does not match its name and key")]
    VerifierKeyId,
    /// The trusted list maps one name and ID to two keys, or one key to two names.
    #[error("the trusted keys are ambiguous about {0}")]
    AmbiguousVerifiers(KeyName),
    /// The note is, or would become, longer than [`MAX_NOTE_BYTES`].
    #[error("note is longer than {MAX_NOTE_BYTES} bytes")]
    TooLarge,
    /// The note has, or would get, more than [`MAX_SIGNATURES`] signature lines.
    #[error("note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// The note holds an ASCII control character other than newline.
    #[error("note holds a control character")]
    ControlCharacter,
    /// The text or the note does not end in a newline.
    #[error("note does not end in a newline")]
    MissingNewline,
    /// There is no blank line followed by at least one signature line.
    #[error("note has no signatures")]
    MissingSignatures,
    /// A signature line (counted from 1) is not `— <name> <base64>`.
    #[error("signature line {0} is garbled")]
    GarbledSignature(usize),
    /// A note was to be signed by nobody.
    #[error("no signer given")]
    NoSigner,
    /// One key was to sign the same note twice.
    #[error("{0} has already signed this note")]
    AlreadySigned(KeyName),
    /// A signature that claims to be by a trusted key does not verify.
    #[error("signature claiming to be by {0} does not verify")]
    BadSignature(KeyName),
    /// No trusted key signed the note.
    #[error("note is not signed by any trusted key")]
    NoKnownSignature,
}

/// A note of which at least one trusted key's signature was verified. Only
/// [`open`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNote {
    text: String,
    signed_by: Vec<KeyName>,
    ids: Vec<u32>,
}

impl VerifiedNote {
    /// The signed text, its final newline included.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The trusted names whose signatures verified, in order of first signature.
    ///
    /// Never empty, and each name stands for another key: a key that signed twice
    /// is listed once, as is a name that signed with two of its keys. So a caller
    /// that demands two parties may demand two entries.
    #[must_use]
    pub fn signed_by(&self) -> &[KeyName] {
        &self.signed_by
    }

    /// The IDs of the trusted keys whose signatures verified: where one name stands for several, as after a rotation.
    #[must_use]
    pub fn signed_by_ids(&self) -> &[u32] {
        &self.ids
    }
}

/// Signs `text` with every signer, in the given order (section "Format").
///
/// Promises that [`open`] with the signers' verifiers gives back exactly `text`.
///
/// # Errors
/// [`NoteError::NoSigner`], [`NoteError::TooManySignatures`] or
/// [`NoteError::AlreadySigned`] for the list of signers;
/// [`NoteError::MissingNewline`] when `text` does not end in one,
/// [`NoteError::ControlCharacter`] or [`NoteError::TooLarge`] for the text.
pub fn sign(text: &str, signers: &[&NoteSigner]) -> Result<String, NoteError> {
    if signers.is_empty() {
        return Err(NoteError::NoSigner);
    }
    if signers.len() > MAX_SIGNATURES {
        return Err(NoteError::TooManySignatures);
    }
    check_characters(text)?;
    let mut note = format!("{text}\n");
    let mut seen: Vec<&NoteVerifier> = Vec::new();
    for signer in signers {
        if seen.contains(&&signer.public) {
            return Err(NoteError::AlreadySigned(signer.public.name.clone()));
        }
        seen.push(&signer.public);
        note.push_str(&signer.line(text));
    }
    check_size(&note)?;
    Ok(note)
}

/// Countersigns: appends one signature line to a note and changes nothing else.
///
/// The signatures already there are **not** verified: a countersigner first calls
/// [`open`], and judges the text, before it calls this.
///
/// # Errors
/// [`NoteError::AlreadySigned`] when a line already claims this signer's name and
/// key ID; [`NoteError::TooManySignatures`] or [`NoteError::TooLarge`] when there
/// is no room; otherwise as [`unverified_text`].
pub fn add_signature(note: &str, signer: &NoteSigner) -> Result<String, NoteError> {
    let (text, lines) = split(note)?;
    if lines.iter().any(|line| signer.public.claims(line)) {
        return Err(NoteError::AlreadySigned(signer.public.name.clone()));
    }
    if lines.len() >= MAX_SIGNATURES {
        return Err(NoteError::TooManySignatures);
    }
    let note = format!("{note}{}", signer.line(text));
    check_size(&note)?;
    Ok(note)
}

/// Verifies a note against the trusted keys (section "Signatures").
///
/// Signatures by unknown keys are ignored, also when they share a name or an ID
/// (but not both) with a trusted one. Every signature that claims to be by a
/// trusted key must verify, repetitions included.
///
/// # Errors
/// [`NoteError::BadSignature`] when one does not; [`NoteError::NoKnownSignature`]
/// when there is none; [`NoteError::AmbiguousVerifiers`] when `verifiers` lists
/// two keys under one name and ID, or one key under two names (it could then pass
/// for two parties); otherwise as [`unverified_text`].
pub fn open(note: &str, verifiers: &[NoteVerifier]) -> Result<VerifiedNote, NoteError> {
    for (i, a) in verifiers.iter().enumerate() {
        for b in verifiers.iter().skip(i + 1) {
            let same_claim = a.name == b.name && a.key_id == b.key_id;
            if same_claim != (a.key == b.key) {
                return Err(NoteError::AmbiguousVerifiers(b.name.clone()));
            }
        }
    }
    let (text, lines) = split(note)?;
    let (mut signed_by, mut ids): (Vec<KeyName>, Vec<u32>) = (Vec::new(), Vec::new());
    for line in &lines {
        let Some(verifier) = verifiers.iter().find(|v| v.claims(line)) else {
            continue;
        };
        if !verifier.verifies(text, &line.signature) {
            return Err(NoteError::BadSignature(verifier.name.clone()));
        }
        if !signed_by.contains(&verifier.name) {
            signed_by.push(verifier.name.clone());
        }
        ids.push(verifier.key_id);
    }
    if signed_by.is_empty() {
        return Err(NoteError::NoKnownSignature);
    }
    Ok(VerifiedNote { text: text.to_owned(), signed_by, ids })
}

/// The same note with the signatures of these keys alone, each of them verified.
///
/// # Errors
/// As [`open`].
pub fn only_by(note: &str, verifiers: &[NoteVerifier]) -> Result<String, NoteError> {
    open(note, verifiers)?;
    let (text, lines) = split(note)?;
    let known = lines.iter().filter(|line| verifiers.iter().any(|verifier| verifier.claims(line)));
    let signatures: String = known.map(|line| signature_line(line.name, line.key_id, &line.signature)).collect();
    Ok(format!("{text}\n{signatures}"))
}

/// The IDs of the keys that claim to have signed under this name, known or not; nothing is verified.
///
/// # Errors
/// As [`unverified_text`].
pub fn claimed_ids(note: &str, name: &KeyName) -> Result<Vec<u32>, NoteError> {
    let (_, lines) = split(note)?;
    Ok(lines.iter().filter(|line| line.name == name.as_str()).map(|line| line.key_id).collect())
}

/// The text of a note, final newline included, with **no** signature verified: for
/// showing or routing only. Whoever acts upon the text calls [`open`].
///
/// # Errors
/// When it is not a note by section "Format": [`NoteError::TooLarge`],
/// [`NoteError::ControlCharacter`], [`NoteError::MissingNewline`],
/// [`NoteError::MissingSignatures`], [`NoteError::TooManySignatures`],
/// [`NoteError::GarbledSignature`].
pub fn unverified_text(note: &str) -> Result<&str, NoteError> {
    split(note).map(|(text, _)| text)
}
