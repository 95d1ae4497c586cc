//! The access token: a JWT with one algorithm, one type, one audience, five minutes, and ids only (RFC 8725).

use super::record::{AccountId, SessionId};
use crate::platform::remembered::Remembered;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use signature::Verifier;

/// How long an access token is good for.
pub const LIFE: TimeDelta = TimeDelta::minutes(5);
const TYPE: &str = "at+jwt";
const ISSUER: &str = "himaya";
const AUDIENCE: &str = "himaya-api";

/// What a token says: ids and times, nothing of the person.
#[derive(Clone, Serialize, Deserialize)]
pub struct Claims {
    pub sub: AccountId,
    pub sid: SessionId,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

/// Signs and verifies access tokens. The key is a secret of the service, the same on every replica.
pub struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    /// Tokens whose signature was verified, by their digest. Whether one is still good is asked each time.
    verified: Remembered<Claims>,
}

/// Tokens that are kept apart: a token is used for five minutes.
const TOKENS: usize = 4096;

impl Tokens {
    #[must_use]
    pub fn new(key: &SigningKey) -> Self {
        // A second call finds the same provider installed already, which is what is wanted.
        let _ = PROVIDER.install_default();
        Self {
            signing: EncodingKey::from_ed_der(key.as_bytes()),
            verifying: DecodingKey::from_ed_der(key.verifying_key().as_bytes()),
            verified: Remembered::new(TOKENS),
        }
    }

    /// A token for a session; `None` if it cannot be written.
    #[must_use]
    pub fn issue(&self, account: AccountId, session: SessionId, now: DateTime<Utc>) -> Option<String> {
        let header = Header { typ: Some(TYPE.to_owned()), alg: Algorithm::EdDSA, ..Header::default() };
        let claims = Claims {
            sub: account,
            sid: session,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: (now + LIFE).timestamp(),
        };
        jsonwebtoken::encode(&header, &claims, &self.signing).ok()
    }

    /// What the token says, if it is one of ours and still good.
    #[must_use]
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let digest = Sha256::digest(token.as_bytes()).into();
        let claims = if let Some(claims) = self.verified.get(&digest) {
            claims
        } else {
            let claims = self.read(token)?;
            self.verified.insert(digest, claims.clone());
            claims
        };
        let in_time = claims.exp > now.timestamp() && claims.iat <= now.timestamp() + 30;
        in_time.then_some(claims)
    }

    /// Whatever its times.
    fn read(&self, token: &str) -> Option<Claims> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // The clock is ours to give, so the times are compared below and not by the library's own clock.
        rules.validate_exp = false;
        let data = jsonwebtoken::decode::<Claims>(token, &self.verifying, &rules).ok()?;
        let (header, claims) = (data.header, data.claims);
        (header.typ.as_deref() == Some(TYPE) && header.alg == Algorithm::EdDSA).then_some(claims)
    }
}

/// The library takes its cryptography from outside; here Ed25519 and nothing else, so no other algorithm can be asked
/// for. Keys are raw: 32 bytes of seed, or of public key.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        only_eddsa(*algorithm)?;
        let seed: [u8; 32] = key.as_bytes().try_into().map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?;
        Ok(Box::new(Signs(SigningKey::from_bytes(&seed))))
    },
    verifier_factory: |algorithm, key| {
        only_eddsa(*algorithm)?;
        let public: [u8; 32] =
            key.try_get_as_bytes()?.try_into().map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?;
        let key = VerifyingKey::from_bytes(&public).map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?;
        Ok(Box::new(Verifies(key)))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

fn only_eddsa(algorithm: Algorithm) -> Result<(), Error> {
    if algorithm == Algorithm::EdDSA { Ok(()) } else { Err(ErrorKind::InvalidAlgorithm.into()) }
}

struct Signs(SigningKey);

impl signature::Signer<Vec<u8>> for Signs {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).to_bytes().to_vec())
    }
}

impl JwtSigner for Signs {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct Verifies(VerifyingKey);

impl Verifier<Vec<u8>> for Verifies {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| signature::Error::new())?;
        self.0.verify_strict(message, &signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Verifies {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap_or_default()
    }

    #[test]
    fn a_token_is_good_for_five_minutes_and_for_its_own_key() {
        let tokens = Tokens::new(&SigningKey::from_bytes(&[1; 32]));
        let (account, session, now) = (AccountId::random(), SessionId::random(), at("2026-03-01T03:00:00Z"));
        let token = tokens.issue(account, session, now).unwrap_or_default();
        let claims = tokens.verify(&token, now + TimeDelta::minutes(4));
        assert!(claims.is_some_and(|claims| claims.sub == account && claims.sid == session));
        assert!(tokens.verify(&token, now + TimeDelta::minutes(6)).is_none());
        assert!(tokens.verify(&token, now - TimeDelta::minutes(6)).is_none());
        assert!(Tokens::new(&SigningKey::from_bytes(&[2; 32])).verify(&token, now).is_none());
    }

    #[test]
    fn no_other_algorithm_type_or_audience_is_taken() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let (tokens, now) = (Tokens::new(&key), at("2026-03-01T03:00:00Z"));
        let good = Claims {
            sub: AccountId::random(),
            sid: SessionId::random(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: (now + LIFE).timestamp(),
        };
        let signing = EncodingKey::from_ed_der(key.as_bytes());
        let forged = |typ: &str, claims: &Claims| {
            let header = Header { typ: Some(typ.to_owned()), alg: Algorithm::EdDSA, ..Header::default() };
            jsonwebtoken::encode(&header, claims, &signing).unwrap_or_default()
        };
        assert!(tokens.verify(&forged(TYPE, &good), now).is_some());
        assert!(tokens.verify(&forged("JWT", &good), now).is_none());
        assert!(tokens.verify(&forged(TYPE, &Claims { aud: "other".to_owned(), ..good }), now).is_none());
        assert!(tokens.verify("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.", now).is_none());
    }
}
