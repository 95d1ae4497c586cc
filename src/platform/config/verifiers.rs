//! Who checks the ledger from outside.

use super::Refusal;
use serde::{Deserialize, Serialize};

/// `[[ledger_verifiers]]`: somebody who may fetch the tree and the entries' bytes, which tell nothing, and nothing else. `himaya audit
/// verifier` makes the token.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerVerifier {
    /// Who it is.
    pub name: String,
    /// The SHA-256 of the token, hexadecimal: the token itself is nowhere here.
    pub token_sha256: String,
}

impl LedgerVerifier {
    /// The digest, if it is one.
    #[must_use]
    pub fn digest(&self) -> Option<[u8; 32]> {
        let (pairs, rest) = self.token_sha256.as_bytes().as_chunks::<2>();
        let mut digest = [0; 32];
        if pairs.len() != digest.len() || !rest.is_empty() {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(pairs) {
            let text = std::str::from_utf8(pair).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(text, 16).ok()?;
        }
        Some(digest)
    }

    /// What is wrong with them.
    pub(super) fn faults(all: &[Self]) -> Vec<Refusal> {
        let mut found = Vec::new();
        for (place, one) in all.iter().enumerate() {
            let mut refuse = |field: &str, why: &str| {
                found.push(Refusal { field: format!("ledger_verifiers[{place}].{field}"), why: why.to_owned() });
            };
            let before = all.get(..place).unwrap_or_default();
            if one.name.trim().is_empty() || before.iter().any(|other| other.name == one.name) {
                refuse(
                    "name",
                    "is empty or another verifier's: say who it is, so that you know whose token to take away",
                );
            }
            match one.digest() {
                None => refuse(
                    "token_sha256",
                    "is no SHA-256 in hexadecimal: `himaya audit verifier NAME` makes a token and says it",
                ),
                Some(digest) if before.iter().any(|other| other.digest() == Some(digest)) => {
                    refuse("token_sha256", "is another verifier's: make each a token of their own");
                }
                Some(_) => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_let_nobody_in_or_two_under_one_token_is_refused() {
        let one = |name: &str, digest: &str| LedgerVerifier { name: name.to_owned(), token_sha256: digest.to_owned() };
        let (a, b) = ("0a".repeat(32), "0B".repeat(32));
        assert_eq!(one("x", &b).digest(), Some([11; 32]));
        assert_eq!(LedgerVerifier::faults(&[one("x", &a), one("y", &b)]), []);
        for (wrong, field) in [
            (vec![one("", &a)], "ledger_verifiers[0].name"),
            (vec![one("x", &a), one("x", &b)], "ledger_verifiers[1].name"),
            (vec![one("x", &a), one("y", &a.to_uppercase())], "ledger_verifiers[1].token_sha256"),
            (vec![one("x", &a[2..])], "ledger_verifiers[0].token_sha256"),
            (vec![one("x", &a.replace('a', "g"))], "ledger_verifiers[0].token_sha256"),
            (vec![one("x", &a.replacen("0a", "+a", 1))], "ledger_verifiers[0].token_sha256"),
        ] {
            let found: Vec<String> = LedgerVerifier::faults(&wrong).into_iter().map(|refusal| refusal.field).collect();
            assert_eq!(found, [field]);
        }
    }
}
