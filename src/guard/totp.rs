//! Codes of an authenticator (RFC 6238): six digits, thirty seconds, SHA-1, since that is what every authenticator has.
//!
//! The secret is sealed under a key that only the person's own private keys give: it opens once the passphrase was right,
//! and neither a stolen database nor the service's secrets reveal it. Nor can anybody plant one who does not hold those
//! keys, as they could if it were wrapped to the public key.

use super::bytes::{self, ContentKey, Context};
use super::keys::PersonKeys;
use super::record::CredentialId;
use crate::platform::random;
use chrono::{DateTime, Utc};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

/// Bytes of a secret: as many as SHA-1 gives, as RFC 4226 recommends.
const LENGTH: usize = 20;

/// What the person's authenticator and the service share.
pub struct TotpSecret(Zeroizing<[u8; LENGTH]>);

fn context(id: CredentialId) -> Context {
    Context::new("totp_secrets", id.0.into_bytes(), "secret", 1, 1)
}

fn key(keys: &PersonKeys) -> ContentKey {
    ContentKey::from_bytes(*keys.derive("himaya totp secret v1"))
}

impl TotpSecret {
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random::bytes()))
    }

    /// Seals it for its own row.
    ///
    /// # Errors
    /// If the cipher refuses, which it does for no secret of this length.
    pub fn seal(&self, keys: &PersonKeys, id: CredentialId) -> Result<Vec<u8>, bytes::SealError> {
        bytes::seal(&key(keys), 1, &context(id), &*self.0)
    }

    /// Opens what was sealed for this row under these keys; `None` for anything else.
    #[must_use]
    pub fn open(keys: &PersonKeys, id: CredentialId, sealed: &[u8]) -> Option<Self> {
        let secret = bytes::open(&key(keys), 1, &context(id), sealed).ok()?;
        let secret: [u8; LENGTH] = secret.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(secret)))
    }

    /// As people type it, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(Secret::new_stack(*self.0).to_base32())
    }

    /// As authenticators read it from a picture, to be shown once. A handle has no letter that must be written otherwise.
    #[must_use]
    pub fn uri(&self, handle: &str) -> Zeroizing<String> {
        let secret = self.reveal();
        Zeroizing::new(format!("otpauth://totp/Himaya:{handle}?secret={}&issuer=Himaya", secret.as_str()))
    }

    /// The time step of which this is the code, if it is that of now, of the one before or of the next: clocks differ.
    /// Whether that step was used before is asked in the database.
    #[must_use]
    pub fn step_of(&self, code: &str, now: DateTime<Utc>) -> Option<i64> {
        let digits: Zeroizing<String> = Zeroizing::new(code.split_whitespace().collect());
        let seconds = u64::try_from(now.timestamp()).ok()?;
        i64::try_from(self.totp()?.check(&digits, seconds)?).ok()
    }

    fn totp(&self) -> Option<Totp> {
        Builder::new().with_secret(Secret::new_stack(*self.0)).with_skew(1).build().ok()
    }

    /// The code that an authenticator shows at this moment: the client's part, for tests.
    #[cfg(feature = "test-support")]
    #[must_use]
    pub fn code_at(base32: &str, now: DateTime<Utc>) -> String {
        let secret = Secret::try_from_base32(base32).ok();
        let totp = secret.and_then(|secret| Builder::new().with_secret(secret).build().ok());
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        totp.map(|totp| totp.generate(seconds).to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap_or_default()
    }

    #[test]
    fn codes_are_those_of_the_rfc_and_good_for_a_step_more_or_less() {
        // RFC 6238, appendix B, cut to six digits.
        let secret = TotpSecret(Zeroizing::new(*b"12345678901234567890"));
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(secret.step_of(code, at(time)), Some(time / 30));
            for (seconds, good) in [(-30, true), (30, true), (-61, false), (61, false)] {
                let step = secret.step_of(code, at(time) + TimeDelta::seconds(seconds));
                assert_eq!(step, good.then_some(time / 30), "{code} {seconds}");
            }
        }
        assert_eq!(secret.step_of("287 082", at(59)), Some(1));
        for wrong in ["287083", "28708", "2870820", "", "28708x"] {
            assert_eq!(secret.step_of(wrong, at(59)), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_opens_with_its_persons_keys_in_its_own_row_only() {
        let (secret, keys, id) = (TotpSecret::generate(), PersonKeys::generate(), CredentialId::random());
        let sealed = secret.seal(&keys, id).unwrap_or_default();
        assert!(TotpSecret::open(&keys, id, &sealed).is_some_and(|opened| *opened.0 == *secret.0));
        assert!(TotpSecret::open(&PersonKeys::generate(), id, &sealed).is_none());
        assert!(TotpSecret::open(&keys, CredentialId::random(), &sealed).is_none());
    }
}
