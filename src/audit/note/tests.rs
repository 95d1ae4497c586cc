//! What signing and opening promise, beside the specification's own examples and those of the Go implementation.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{SigningKey, VerifyingKey};

use proptest::prelude::*;

pub(super) const SPEC_VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_NOTE: &str = "This is an example message.\n\n\
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const SPEC_POEM: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\
    ed è subito sera.\n\n\
    — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

pub(super) fn signer(name: &str, seed: u8) -> NoteSigner {
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
