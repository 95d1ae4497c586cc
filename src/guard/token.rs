//! The access token: a JWT with one algorithm, one type, one audience, five minutes, and ids only (RFC 8725).

use super::record::{AccountId, SessionId};
use crate::platform::remembered::Remembered;
use crate::platform::secrets::Live;
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
/// How far apart the clocks of two processes may be, and how long a request may be on its way.
pub const SLACK: TimeDelta = TimeDelta::seconds(30);
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

/// Signs and verifies access tokens. The keys are a secret of the service, the same on every replica; each token names
/// its own (`kid`).
pub struct Tokens {
    keys: Live<SigningKey>,
    /// Tokens whose signature was verified, by their digest, with their key's name. Whether one is still good is asked each
    /// time, and so is whether its key is.
    verified: Remembered<(String, Claims)>,
}

/// Tokens that are kept apart: a token is used for five minutes.
const TOKENS: usize = 4096;

impl Tokens {
    #[must_use]
    pub fn new(keys: Live<SigningKey>) -> Self {
        // A second call finds the same provider installed already, which is what is wanted.
        let _ = PROVIDER.install_default();
        Self { keys, verified: Remembered::new(TOKENS) }
    }

    /// A token for a session; `None` if it cannot be written.
    #[must_use]
    pub fn issue(&self, account: AccountId, session: SessionId, now: DateTime<Utc>) -> Option<String> {
        let keys = self.keys.get();
        let key = keys.current(now);
        let (typ, kid) = (Some(TYPE.to_owned()), Some(key.id.clone()));
        let header = Header { typ, kid, alg: Algorithm::EdDSA, ..Header::default() };
        let claims = Claims {
            sub: account,
            sid: session,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: (now + LIFE).timestamp(),
        };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(key.value.as_bytes())).ok()
    }

    /// What the token says, if it is one of ours and still good.
    #[must_use]
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let digest = Sha256::digest(token.as_bytes()).into();
        let (key, claims) = if let Some(known) = self.verified.get(&digest) {
            known
        } else {
            let read = self.read(token)?;
            self.verified.insert(digest, read.clone());
            read
        };
        if !self.takes(&key, now) {
            return None;
        }
        let in_time = claims.exp > now.timestamp() && claims.iat <= now.timestamp() + 30;
        in_time.then_some(claims)
    }

    /// Whether this key's tokens are taken: those of a key that was replaced until the last of them has run out, and those
    /// of one that is prepared already, since another process may use it a moment earlier.
    fn takes(&self, key: &str, now: DateTime<Utc>) -> bool {
        let keys = self.keys.get();
        keys.find(key).is_some() && keys.until(key).is_none_or(|until| now < until + LIFE + SLACK)
    }

    /// Whatever its times, with the name of its key.
    fn read(&self, token: &str) -> Option<(String, Claims)> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let keys = self.keys.get();
        let verifying = DecodingKey::from_ed_der(keys.find(&kid)?.value.verifying_key().as_bytes());
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // The clock is ours to give, so the times are compared below and not by the library's own clock.
        rules.validate_exp = false;
        let data = jsonwebtoken::decode::<Claims>(token, &verifying, &rules).ok()?;
        let (header, claims) = (data.header, data.claims);
        (header.typ.as_deref() == Some(TYPE) && header.alg == Algorithm::EdDSA).then_some((kid, claims))
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
    use crate::platform::secrets::{Version, Versions};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap_or_default()
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn tokens(id: &str, seed: u8) -> Tokens {
        Tokens::new(Live::only(id, key(seed)))
    }

    #[test]
    fn a_token_is_good_for_five_minutes_and_for_its_own_key() {
        let tokens = tokens("one", 1);
        let (account, session, now) = (AccountId::random(), SessionId::random(), at("2026-03-01T03:00:00Z"));
        let token = tokens.issue(account, session, now).unwrap_or_default();
        let claims = tokens.verify(&token, now + TimeDelta::minutes(4));
        assert!(claims.is_some_and(|claims| claims.sub == account && claims.sid == session));
        assert!(tokens.verify(&token, now + TimeDelta::minutes(6)).is_none());
        assert!(tokens.verify(&token, now - TimeDelta::minutes(6)).is_none());
        assert!(self::tokens("one", 2).verify(&token, now).is_none(), "another key of the same name");
        assert!(self::tokens("two", 1).verify(&token, now).is_none(), "a name that no key has");
    }

    #[test]
    fn a_new_key_is_taken_before_it_signs_and_an_old_one_until_its_tokens_have_run_out() {
        let switch = at("2026-03-01T03:01:00Z");
        let version = |id: &str, from, seed| Version { id: id.to_owned(), from, value: key(seed) };
        let rotated = Versions::new(version("one", None, 1), vec![version("two", Some(switch), 2)]);
        let (before, live) = (Live::only("one", key(1)), Live::new(rotated.clone()));
        let (late, early) = (Tokens::new(before.clone()), Tokens::new(live));
        let issue = |tokens: &Tokens, at| tokens.issue(AccountId::random(), SessionId::random(), at).unwrap();
        let old = issue(&early, switch - TimeDelta::seconds(1));
        assert!(
            late.verify(&old, switch).is_some(),
            "before the moment the old key signs, also where the new one is known"
        );
        let new = issue(&early, switch);
        assert!(late.verify(&new, switch).is_none(), "a key that was not read yet");
        // Read in time: nothing is made anew, the new values are simply there.
        before.take(&Live::new(rotated));
        assert!(late.verify(&new, switch - SLACK).is_some(), "of a process whose clock is ahead");
        let last = switch + TimeDelta::minutes(4);
        assert!(early.verify(&old, last).is_some() && late.verify(&old, last).is_some());
        // One that a thief signs with the old key, long after it was replaced.
        let end = switch + LIFE + SLACK;
        let stolen = Tokens::new(Live::only("one", key(1)));
        let forged = issue(&stolen, end);
        assert!(stolen.verify(&forged, end).is_some() && early.verify(&forged, end).is_none());
        assert!(early.verify(&forged, end - SLACK).is_some(), "which is why it is not taken for ever");
        assert!(early.verify(&forged, end).is_none(), "also when it was seen and remembered before");
    }

    #[test]
    fn no_other_algorithm_type_audience_or_key_is_taken() {
        let (tokens, now) = (tokens("one", 1), at("2026-03-01T03:00:00Z"));
        let good = Claims {
            sub: AccountId::random(),
            sid: SessionId::random(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: (now + LIFE).timestamp(),
        };
        let signing = EncodingKey::from_ed_der(key(1).as_bytes());
        let forged = |typ: &str, kid: Option<&str>, claims: &Claims| {
            let (typ, kid) = (Some(typ.to_owned()), kid.map(ToOwned::to_owned));
            let header = Header { typ, kid, alg: Algorithm::EdDSA, ..Header::default() };
            jsonwebtoken::encode(&header, claims, &signing).unwrap_or_default()
        };
        let kid = Some("one");
        assert!(tokens.verify(&forged(TYPE, kid, &good), now).is_some());
        assert!(tokens.verify(&forged("JWT", kid, &good), now).is_none());
        assert!(tokens.verify(&forged(TYPE, None, &good), now).is_none());
        assert!(tokens.verify(&forged(TYPE, Some("two"), &good), now).is_none());
        assert!(tokens.verify(&forged(TYPE, kid, &Claims { aud: "other".to_owned(), ..good }), now).is_none());
        assert!(tokens.verify("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.", now).is_none());
    }
}
