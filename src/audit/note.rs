//! Signed notes: text that carries the signatures of one or more Ed25519 keys.
//!
//! Implements C2SP `signed-note` (<https://c2sp.org/signed-note>) for one
//! signature type only, `0x01` (Ed25519 over the note text). Section names below
//! are those of that document. Nothing here reads a clock, a file or a global.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The longest note accepted or produced, in bytes, signatures included.
///
/// Sixteen signatures of every type assigned today (`0x01` to `0x06`) fit, with
/// more than ten kilobytes left for text. Sixteen of the very largest
/// post-quantum kind (ML-DSA-87) would not; such a note is refused, never cut.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

/// The most signature lines accepted or produced in one note.
///
/// Section "Format": verifiers must accept at least 16 and should have a limit.
pub const MAX_SIGNATURES: usize = 16;

/// Section "Signature types": Ed25519 as specified by signed-note itself.
const TYPE_ED25519: u8 = 0x01;

/// What opens each signature line: em dash, space (section "Format").
const LINE_PREFIX: &str = "\u{2014} ";

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

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c < ' ')
}

/// A public key trusted under a name (section "Verifier keys").
///
/// [`fmt::Display`] prints, and [`FromStr`] parses, the *vkey* text
/// `<name>+<hex ID>+<base64(0x01 ‖ public key)>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: KeyName,
    key_id: u32,
    key: VerifyingKey,
}

impl NoteVerifier {
    /// Names a public key and derives its key ID.
    ///
    /// A key of small order is taken but never verifies anything.
    #[must_use]
    pub fn new(name: KeyName, key: &VerifyingKey) -> Self {
        let key_id = key_id(&name, key);
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

    fn claims(&self, line: &SignatureLine<'_>) -> bool {
        self.name.0 == line.name && self.key_id == line.key_id
    }

    /// Strict verification: refuses small-order keys and commitments, with which
    /// one signature could be made to fit several texts.
    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .and_then(|signature| self.key.verify_strict(text.as_bytes(), &signature))
            .is_ok()
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![TYPE_ED25519];
        typed.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.key_id, STANDARD.encode(typed))
    }
}

impl FromStr for NoteVerifier {
    type Err = NoteError;

    /// Parses a vkey and checks that its ID belongs to its name and key.
    fn from_str(vkey: &str) -> Result<Self, NoteError> {
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
        let (&kind, key) = typed.split_first().ok_or(NoteError::VerifierKeyShape)?;
        if kind != TYPE_ED25519 {
            return Err(NoteError::VerifierKeyType);
        }
        let key = VerifyingKey::try_from(key).map_err(|_| NoteError::VerifierKeyPoint)?;
        if key.is_weak() {
            return Err(NoteError::VerifierKeyPoint);
        }
        let verifier = Self::new(name, &key);
        if verifier.key_id != id {
            return Err(NoteError::VerifierKeyId);
        }
        Ok(verifier)
    }
}

fn key_id(name: &KeyName, key: &VerifyingKey) -> u32 {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(name.0.as_bytes())
        .chain_update([b'\n', TYPE_ED25519])
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
    public: NoteVerifier,
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
    fn line(&self, text: &str) -> String {
        let mut bytes = self.public.key_id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{LINE_PREFIX}{} {}\n", self.public.name, STANDARD.encode(bytes))
    }
}

/// A note of which at least one trusted key's signature was verified. Only
/// [`open`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedNote {
    text: String,
    signed_by: Vec<KeyName>,
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
    let mut signed_by: Vec<KeyName> = Vec::new();
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
    }
    if signed_by.is_empty() {
        return Err(NoteError::NoKnownSignature);
    }
    Ok(VerifiedNote { text: text.to_owned(), signed_by })
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

/// One signature line, decoded but not verified.
struct SignatureLine<'n> {
    name: &'n str,
    key_id: u32,
    signature: Vec<u8>,
}

impl<'n> SignatureLine<'n> {
    /// Parses a line without its newline. The base64 must be canonical, so that a
    /// signature has one spelling only.
    fn parse(line: &'n str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(LINE_PREFIX)?.split_once(' ')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        (is_key_name(name) && !signature.is_empty()).then(|| Self {
            name,
            key_id: u32::from_be_bytes(*id),
            signature: signature.to_vec(),
        })
    }
}

/// Splits a note into its text and its signature lines (section "Format").
fn split(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
    check_size(note)?;
    check_characters(note)?;
    // The *last* empty line separates; the text keeps the newline before it.
    let (text, block) =
        note.rfind("\n\n").and_then(|at| note.split_at_checked(at + 1)).ok_or(NoteError::MissingSignatures)?;
    let block =
        block.strip_prefix('\n').and_then(|block| block.strip_suffix('\n')).ok_or(NoteError::MissingSignatures)?;
    // Counted before anything is decoded. Not `lines()`, which forgives too much.
    if block.split('\n').count() > MAX_SIGNATURES {
        return Err(NoteError::TooManySignatures);
    }
    let lines = block
        .split('\n')
        .zip(1..)
        .map(|(line, number)| SignatureLine::parse(line).ok_or(NoteError::GarbledSignature(number)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((text, lines))
}

fn check_size(note: &str) -> Result<(), NoteError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge);
    }
    Ok(())
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.contains(|c: char| c < ' ' && c != '\n') {
        return Err(NoteError::ControlCharacter);
    }
    if !text.ends_with('\n') {
        return Err(NoteError::MissingNewline);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPEC_VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const SPEC_NOTE: &str = "This is an example message.\n\n\
        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    const SPEC_POEM: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\
        ed è subito sera.\n\n\
        — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

    fn signer(name: &str, seed: u8) -> NoteSigner {
        NoteSigner::new(KeyName::new(name).unwrap(), &SigningKey::from_bytes(&[seed; 32]))
    }

    fn names(note: &VerifiedNote) -> Vec<&str> {
        note.signed_by().iter().map(KeyName::as_str).collect()
    }

    fn raw_line(name: &str, id: u32, signature: &[u8]) -> String {
        let bytes = [&id.to_be_bytes()[..], signature].concat();
        format!("— {name} {}\n", STANDARD.encode(bytes))
    }

    #[test]
    fn the_specs_examples() {
        let verifier: NoteVerifier = SPEC_VKEY.parse().unwrap();
        assert_eq!(verifier.to_string(), SPEC_VKEY);
        assert_eq!(verifier.key_id(), 0x530d_903a);
        let note = open(SPEC_NOTE, &[verifier]).unwrap();
        assert_eq!(note.text(), "This is an example message.\n");
        assert_eq!(names(&note), ["example.com/foo"]);
        let text = unverified_text(SPEC_POEM).unwrap();
        assert!(text.ends_with(":\n\ned è subito sera.\n"));
    }

    /// The published key pair of Go's `golang.org/x/mod/sumdb/note` documentation:
    /// Ed25519 is deterministic, so the whole note is known.
    #[test]
    fn signs_as_the_go_implementation_does() {
        let seed = STANDARD.decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").unwrap();
        let key = SigningKey::try_from(&seed[1..]).unwrap();
        let peter = NoteSigner::new(KeyName::new("PeterNeumann").unwrap(), &key);
        assert_eq!(peter.verifier().to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
        let text = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n";
        let note = sign(text, &[&peter]).unwrap();
        assert_eq!(
            note,
            format!(
                "{text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
            )
        );
    }

    #[test]
    fn key_names_are_checked() {
        for bad in ["", "a b", "a+b", "a\u{a0}b", "a\u{2003}b", "a\nb", "a\u{1}b"] {
            assert_eq!(KeyName::new(bad), Err(NoteError::InvalidKeyName), "{bad:?}");
        }
        assert_eq!(KeyName::new("é.example/x").unwrap().as_str(), "é.example/x");
    }

    #[test]
    fn verifier_keys_are_checked() {
        let parse = |s: &str| s.parse::<NoteVerifier>().unwrap_err();
        let swap = |a, b| parse(&SPEC_VKEY.replacen(a, b, 1));
        assert_eq!(swap("530d903a", "530d903b"), NoteError::VerifierKeyId);
        assert_eq!(swap("foo", "bar"), NoteError::VerifierKeyId);
        assert_eq!(swap("530d903a", "530D903A"), NoteError::VerifierKeyShape);
        assert_eq!(swap("530d903a", "+530d903"), NoteError::VerifierKeyShape);
        assert_eq!(swap("+530d903a", ""), NoteError::VerifierKeyShape);
        assert_eq!(swap("+Ae", "+Be"), NoteError::VerifierKeyType);
        assert_eq!(swap("U2k", ""), NoteError::VerifierKeyShape);
        assert_eq!(swap("3U2k", ""), NoteError::VerifierKeyPoint);
        assert_eq!(swap("example.com/foo", ""), NoteError::InvalidKeyName);
        assert_eq!(parse(""), NoteError::VerifierKeyShape);
        // base64 that itself holds a plus
        let plus = (0..32).map(|seed| signer("a", seed).verifier().to_string());
        let plus: Vec<String> = plus.filter(|v| v.matches('+').count() > 2).collect();
        assert!(!plus.is_empty());
        for vkey in plus {
            let parsed: NoteVerifier = vkey.parse().unwrap();
            assert_eq!(parsed.to_string(), vkey);
        }
        // the neutral element: a key for which anyone can "sign"
        let mut weak = [0; 32];
        weak[0] = 1;
        let weak = VerifyingKey::from_bytes(&weak).unwrap();
        let weak = NoteVerifier::new(KeyName::new("weak").unwrap(), &weak);
        assert_eq!(parse(&weak.to_string()), NoteError::VerifierKeyPoint);
    }

    #[test]
    fn verification_is_strict() {
        // Under the neutral key, (R, S) = (neutral, 0) satisfies the plain equation
        // for every text.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let key = VerifyingKey::from_bytes(&neutral).unwrap();
        let weak = NoteVerifier::new(KeyName::new("weak").unwrap(), &key);
        let forged = [neutral, [0; 32]].concat();
        let note = format!("any\n\n{}", raw_line("weak", weak.key_id(), &forged));
        let name = weak.name().clone();
        assert_eq!(open(&note, &[weak]), Err(NoteError::BadSignature(name)));
    }

    #[test]
    fn two_parties_sign_and_countersign() {
        let (a, b) = (signer("a", 1), signer("b", 2));
        let trusted = [a.verifier().clone(), b.verifier().clone()];
        let both = sign("x\n", &[&a, &b]).unwrap();
        let one = sign("x\n", &[&a]).unwrap();
        assert_eq!(names(&open(&one, &trusted).unwrap()), ["a"]);
        assert_eq!(add_signature(&one, &b).unwrap(), both);
        assert_eq!(names(&open(&both, &trusted).unwrap()), ["a", "b"]);
        let again = NoteError::AlreadySigned(a.verifier().name().clone());
        assert_eq!(add_signature(&one, &a), Err(again.clone()));
        assert_eq!(sign("x\n", &[&a, &b, &a]), Err(again));
        assert_eq!(sign("x\n", &[]), Err(NoteError::NoSigner));
    }

    #[test]
    fn one_key_counts_once() {
        let (a, b) = (signer("a", 1), signer("b", 2));
        let note = sign("x\n", &[&a]).unwrap();
        let doubled = format!("{note}{}", a.line("x\n"));
        // The same verifier listed twice changes nothing.
        let trusted = [a.verifier(), b.verifier(), a.verifier()].map(Clone::clone);
        assert_eq!(names(&open(&doubled, &trusted).unwrap()), ["a"]);
        // A name with two keys, as in a rotation, is still one party.
        let newer = signer("a", 3);
        let note = sign("x\n", &[&a, &newer]).unwrap();
        let trusted = [a.verifier().clone(), newer.verifier().clone()];
        assert_eq!(names(&open(&note, &trusted).unwrap()), ["a"]);
    }

    #[test]
    fn ambiguous_trust_is_refused() {
        let (a, alias) = (signer("a", 1), signer("alias", 1));
        let note = sign("x\n", &[&a, &alias]).unwrap();
        let ambiguous = |v: &NoteVerifier| Err(NoteError::AmbiguousVerifiers(v.name.clone()));
        let trusted = [a.verifier().clone(), alias.verifier().clone()];
        assert_eq!(open(&note, &trusted), ambiguous(alias.verifier()));
        let mut collision = signer("a", 2).verifier().clone();
        collision.key_id = a.verifier().key_id();
        let trusted = [a.verifier().clone(), collision.clone()];
        assert_eq!(open(&note, &trusted), ambiguous(&collision));
    }

    #[test]
    fn unknown_signers_are_ignored_and_never_suffice() {
        let (a, stranger) = (signer("a", 1), signer("s", 9));
        let trusted = [a.verifier().clone()];
        let id = a.verifier().key_id();
        let note = sign("x\n", &[&stranger]).unwrap();
        assert_eq!(open(&note, &trusted), Err(NoteError::NoKnownSignature));
        assert_eq!(open(&note, &[]), Err(NoteError::NoKnownSignature));
        assert_eq!(open(SPEC_POEM, &trusted), Err(NoteError::NoKnownSignature));
        // Same name with another ID, same ID with another name, other algorithms.
        let note = format!(
            "{note}{}{}{}{}",
            raw_line("a", id ^ 1, &[7; 64]),
            raw_line("z", id, &[7; 64]),
            raw_line("pq", 5, &[7; 2420]),
            a.line("x\n"),
        );
        assert_eq!(names(&open(&note, &trusted).unwrap()), ["a"]);
    }

    #[test]
    fn a_trusted_keys_bad_signature_spoils_the_note() {
        let (a, b) = (signer("a", 1), signer("b", 2));
        let trusted = [a.verifier().clone(), b.verifier().clone()];
        let good = sign("x\n", &[&a]).unwrap();
        let bad = NoteError::BadSignature(b.verifier().name().clone());
        for line in [
            b.line("y\n"),
            raw_line("b", b.verifier().key_id(), &[1]),
            raw_line("b", b.verifier().key_id(), &[0; 64]),
            format!("{}{}", b.line("x\n"), b.line("y\n")), // also as a repetition
        ] {
            assert_eq!(open(&format!("{good}{line}"), &trusted), Err(bad.clone()));
        }
    }

    #[test]
    fn swapped_text_is_refused() {
        let a = signer("a", 1);
        let trusted = [a.verifier().clone()];
        let bad = Err(NoteError::BadSignature(a.verifier().name().clone()));
        let note = sign("x\n", &[&a]).unwrap();
        for text in ["y\n", "x\n\n", "\nx\n", "x \n", "\n"] {
            let swapped = format!("{text}{}", note.strip_prefix("x\n").unwrap());
            assert_eq!(open(&swapped, &trusted), bad, "{text:?}");
        }
        // The last empty line separates: what stands before it is all text.
        assert_eq!(open(&format!("{note}\n{}", a.line("x\n")), &trusted), bad);
    }

    #[test]
    fn garbled_notes_are_refused() {
        let a = signer("a", 1);
        let note = sign("x\n", &[&a]).unwrap();
        let line = a.line("x\n");
        let refused = |note: &str| open(note, &[a.verifier().clone()]).unwrap_err();
        let garbled = |line: &str| {
            let note = format!("{note}{line}");
            assert_eq!(unverified_text(&note), Err(refused(&note)));
            assert_eq!(add_signature(&note, &signer("b", 2)), Err(refused(&note)));
            refused(&note)
        };
        for bad in [
            "— a\n".to_owned(),
            "— a \n".to_owned(),
            "hello\n".to_owned(),
            line.replace('—', "-"),
            line.replace("— ", "—"),
            line.replace("— ", "—  "),
            line.replace("— ", " — "),
            line.replace(" a ", " a+b "),
            line.replace(" a ", " a\u{2003}b "),
            line.replace(" a ", " a b "),
            line.replace("=\n", "\n"),
            line.replace("=\n", "= \n"),
            raw_line("a", 1, &[]),
        ] {
            assert_eq!(garbled(&bad), NoteError::GarbledSignature(2), "{bad:?}");
        }
        // Non-canonical base64: the unused bits of the last symbol are not zero.
        let spelled = STANDARD.encode([0; 5]).replace("A=", "B=");
        assert_eq!(garbled(&format!("— a {spelled}\n")), NoteError::GarbledSignature(2));
        assert_eq!(garbled("\r\n"), NoteError::ControlCharacter);
        assert_eq!(garbled(line.trim_end()), NoteError::MissingNewline);
        assert_eq!(garbled("\n"), NoteError::MissingSignatures);
        assert_eq!(refused(""), NoteError::MissingNewline);
        assert_eq!(refused("x\n"), NoteError::MissingSignatures);
        assert_eq!(refused("x\n\n"), NoteError::MissingSignatures);
        assert_eq!(refused("x\n\n\n"), NoteError::MissingSignatures);
        assert_eq!(refused(&note.replace("\n\n", "\n")), NoteError::MissingSignatures);
        assert_eq!(refused(&note.replace('x', "\t")), NoteError::ControlCharacter);
        assert_eq!(sign("x\t\n", &[&a]), Err(NoteError::ControlCharacter));
        assert_eq!(sign("x", &[&a]), Err(NoteError::MissingNewline));
        assert_eq!(sign("", &[&a]), Err(NoteError::MissingNewline));
    }

    #[test]
    fn size_and_number_are_bounded() {
        let signers: Vec<NoteSigner> = (0..17).map(|i| signer("n", i)).collect();
        let refs: Vec<&NoteSigner> = signers.iter().collect();
        let trusted = [signers[15].verifier().clone()];
        let full = sign("x\n", &refs[..16]).unwrap();
        assert!(open(&full, &trusted).is_ok());
        let many = Err(NoteError::TooManySignatures);
        assert_eq!(sign("x\n", &refs), many);
        assert_eq!(add_signature(&full, refs[16]), many);
        let over = format!("{full}{}", refs[16].line("x\n"));
        assert_eq!(open(&over, &trusted), Err(NoteError::TooManySignatures));

        let room = MAX_NOTE_BYTES - sign("\n", &refs[..1]).unwrap().len();
        let text = format!("{}\n", "x".repeat(room));
        let trusted = [signers[0].verifier().clone()];
        let full = sign(&text, &refs[..1]).unwrap();
        assert_eq!(full.len(), MAX_NOTE_BYTES);
        assert_eq!(open(&full, &trusted).unwrap().text(), text);
        assert_eq!(add_signature(&full, refs[1]), Err(NoteError::TooLarge));
        let over = format!("x{full}");
        assert_eq!(open(&over, &trusted), Err(NoteError::TooLarge));
        assert_eq!(sign(&format!("x{text}"), &refs[..1]), Err(NoteError::TooLarge));
    }

    /// Compiles only while `NoteSigner` implements neither trait: with either, the
    /// inferred parameter would be ambiguous.
    #[test]
    fn a_signer_can_be_neither_printed_nor_cloned() {
        trait Unless<M> {
            fn absent() {}
        }
        struct IfDebug;
        struct IfClone;
        impl<T> Unless<()> for T {}
        impl<T: fmt::Debug> Unless<IfDebug> for T {}
        impl<T: Clone> Unless<IfClone> for T {}
        <NoteSigner as Unless<_>>::absent();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_signed_is_what_is_opened(text in "([a-z—+ é]{0,9}\n){1,6}", seed: [u8; 32]) {
            let key = SigningKey::from_bytes(&seed);
            let a = NoteSigner::new(KeyName::new("a/b").unwrap(), &key);
            let note = sign(&text, &[&a]).unwrap();
            let trusted = [a.verifier().to_string().parse().unwrap()];
            let opened = open(&note, &trusted).unwrap();
            prop_assert_eq!(opened.text(), &text);
            prop_assert_eq!(unverified_text(&note).unwrap(), &text);
        }

        /// Any one byte changed, anywhere in a note with one signature: refused.
        #[test]
        fn no_byte_can_be_changed(at in any::<prop::sample::Index>(), to in 0u8..128) {
            let a = signer("a", 1);
            let mut bytes = sign("first\n\nsecond\n", &[&a]).unwrap().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            if let Ok(changed) = String::from_utf8(bytes) {
                prop_assert!(open(&changed, &[a.verifier().clone()]).is_err());
            }
        }

        #[test]
        fn noise_is_refused_without_panic(noise in "(\n|— |a|=|A{6,9}| |\\PC){0,40}") {
            prop_assert!(open(&noise, &[signer("a", 1).verifier().clone()]).is_err());
            let _ = unverified_text(&noise);
            let _ = noise.parse::<NoteVerifier>();
        }
    }
}
