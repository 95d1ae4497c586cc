//! What is no key name, no verifier key, and what a signer does not do.

use super::*;
use crate::audit::note::tests::{SPEC_VKEY, signer};

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
