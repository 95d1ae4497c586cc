//! The service as authenticators know it: what it asks them, and whether the answer is right.
//!
//! The checks are those of webauthn-rs, with the owner's verification always required. What it does not know is added here:
//! the PRF extension. Its state between asking and checking is made anew from the challenge, the one thing that is stored: so
//! nobody who writes into the database asks for less.

use super::model::{Assertion, MOST, NewPasskey};
use crate::guard::keys::derive;
use crate::platform::config::{PasskeysConfig, Refusal};
use crate::platform::secrets::{Live, Raw};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    Webauthn, WebauthnError,
};

/// A passkey as an authenticator is asked for it.
pub struct Wanted {
    pub credential: Vec<u8>,
    pub prf_salt: [u8; 32],
    pub transports: Vec<String>,
}

/// What is kept of a new passkey.
pub struct Registered {
    pub credential: Vec<u8>,
    /// The public key, and what else was shown.
    pub shown: Vec<u8>,
    pub counter: i64,
}

/// Why an answer does not count.
#[derive(Debug, PartialEq, Eq)]
pub enum Unproven {
    Wrong,
    /// It is signed as it should be, but counts no higher than an earlier one: there may be a copy of this passkey.
    CountsBackwards,
}

/// The relying party.
pub struct RelyingParty {
    webauthn: Webauthn,
    /// What decoys are made of. These are never dropped, so decoys never change.
    secrets: Live<Raw>,
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The library's own state or options, with our challenge in the place of its own.
fn with_challenge<T: Serialize>(state: &T, path: &str, challenge: &[u8; 32]) -> Option<Value> {
    let mut state = serde_json::to_value(state).ok()?;
    *state.pointer_mut(path)? = json!(text(challenge));
    Some(state)
}

fn state<T: Serialize + DeserializeOwned>(state: &T, path: &str, challenge: &[u8; 32]) -> Option<T> {
    serde_json::from_value(with_challenge(state, path, challenge)?).ok()
}

impl RelyingParty {
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(told: Option<&PasskeysConfig>, secrets: Live<Raw>) -> Result<Self, Refusal> {
        Ok(Self { webauthn: PasskeysConfig::build(told)?, secrets })
    }

    /// Asks for a new passkey. Those that the person has already are named, so that no authenticator makes a second one.
    #[must_use]
    pub fn ask_for_new(
        &self,
        account: Uuid,
        handle: &str,
        has: &[Vec<u8>],
        challenge: &[u8; 32],
        prf_salt: &[u8; 32],
    ) -> Option<Value> {
        let (options, _) =
            self.webauthn.start_passkey_registration(account, handle, handle, Some(has.to_vec())).ok()?;
        let mut options = with_challenge(&options.public_key, "/challenge", challenge)?;
        *options.pointer_mut("/authenticatorSelection/residentKey")? = json!("preferred");
        let extensions = options.get_mut("extensions")?.as_object_mut()?;
        extensions.insert("prf".to_owned(), json!({ "eval": { "first": text(prf_salt) } }));
        Some(options)
    }

    /// Looks at a new passkey. `None` when it does not answer this challenge, or its owner was not verified.
    #[must_use]
    pub fn registered(&self, account: Uuid, challenge: &[u8; 32], given: &NewPasskey) -> Option<Registered> {
        let (_, asked) = self.webauthn.start_passkey_registration(account, "-", "-", None).ok()?;
        let asked: PasskeyRegistration = state(&asked, "/rs/challenge", challenge)?;
        let answer: RegisterPublicKeyCredential = serde_json::from_value(json!({
            "id": given.credential_id, "rawId": given.credential_id, "type": "public-key",
            "response": { "attestationObject": given.attestation_object, "clientDataJSON": given.client_data_json },
        }))
        .ok()?;
        let passkey = self.webauthn.finish_passkey_registration(&answer, &asked).inspect_err(why).ok()?;
        // What the authenticator signed says which passkey it is; what stands beside it says nothing.
        let credential = passkey.cred_id().clone();
        if URL_SAFE_NO_PAD.decode(&given.credential_id).ok()? != credential {
            return None;
        }
        let shown = serde_json::to_value(&passkey).ok()?;
        let counter = shown.pointer("/cred/counter")?.as_i64()?;
        Some(Registered { credential, shown: serde_json::to_vec(&shown).ok()?, counter })
    }

    /// Asks for one of these. At the door an authenticator is not told how it is reached: a decoy could not say.
    #[must_use]
    pub fn ask(&self, wanted: &[Wanted], challenge: &[u8; 32], at_the_door: bool) -> Option<Value> {
        let (options, _) = self.webauthn.start_discoverable_authentication().ok()?;
        let mut options = with_challenge(&options.public_key, "/challenge", challenge)?;
        let mut allowed = Vec::new();
        let mut salts = serde_json::Map::new();
        for one in wanted {
            let id = text(&one.credential);
            allowed.push(if at_the_door || one.transports.is_empty() {
                json!({ "type": "public-key", "id": id })
            } else {
                json!({ "type": "public-key", "id": id, "transports": one.transports })
            });
            salts.insert(text(&one.credential), json!({ "first": text(&one.prf_salt) }));
        }
        *options.get_mut("allowCredentials")? = json!(allowed);
        *options.get_mut("extensions")? = json!({ "prf": { "evalByCredential": salts } });
        Some(options)
    }

    /// Checks an answer. Where there is no such passkey the same work is done, for the same answer.
    ///
    /// # Errors
    /// An error unless it answers this challenge with this passkey, its owner verified, and counts on.
    pub fn check(&self, challenge: &[u8; 32], kept: Option<(&[u8], i64)>, given: &Assertion) -> Result<i64, Unproven> {
        let (shown, counter) = kept.unwrap_or((NOBODYS, 0));
        let proven = self.proven(challenge, shown, counter, given, kept.is_none());
        kept.ok_or(Unproven::Wrong)?;
        proven
    }

    fn proven(
        &self,
        challenge: &[u8; 32],
        shown: &[u8],
        counter: i64,
        given: &Assertion,
        nobodys: bool,
    ) -> Result<i64, Unproven> {
        let passkey = || -> Option<Passkey> {
            let mut shown: Value = serde_json::from_slice(shown).ok()?;
            *shown.pointer_mut("/cred/counter")? = json!(counter);
            if nobodys {
                *shown.pointer_mut("/cred/cred_id")? = json!(given.credential_id);
            }
            serde_json::from_value(shown).ok()
        };
        let (_, asked) = self.webauthn.start_discoverable_authentication().map_err(|_| Unproven::Wrong)?;
        let asked: DiscoverableAuthentication = state(&asked, "/ast/challenge", challenge).ok_or(Unproven::Wrong)?;
        let answer: PublicKeyCredential = serde_json::from_value(json!({
            "id": given.credential_id, "rawId": given.credential_id, "type": "public-key",
            "response": {
                "authenticatorData": given.authenticator_data, "clientDataJSON": given.client_data_json,
                "signature": given.signature, "userHandle": given.user_handle,
            },
        }))
        .map_err(|_| Unproven::Wrong)?;
        let passkey = passkey().ok_or(Unproven::Wrong)?;
        let checked = self.webauthn.finish_discoverable_authentication_v2(&answer, asked, &passkey);
        match checked.inspect_err(why) {
            Ok(result) => Ok(i64::from(result.counter())),
            Err(WebauthnError::CredentialPossibleCompromise) => Err(Unproven::CountsBackwards),
            Err(_) => Err(Unproven::Wrong),
        }
    }

    /// What is asked for at the door for a name: the passkeys that somebody has, and decoys up to [`MOST`], in an order of the name's
    /// own. It is the same each time, at every replica, as long as the passkeys are; decoys are as authenticators would have made them.
    #[must_use]
    pub fn at_the_door(&self, handle: &str, mut has: Vec<(Vec<u8>, [u8; 32])>) -> Vec<Wanted> {
        let key = derive(&*self.secrets.get().oldest().value, &[], "himaya passkey decoys v1");
        let drawn = |what: &[u8]| -> [u8; 32] {
            // A key of 32 bytes is never refused; without one the decoys would be the same for all names.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*key) else { return crate::platform::random::bytes() };
            mac.update(what);
            mac.update(handle.as_bytes());
            mac.finalize().into_bytes().into()
        };
        let decoy = |n: usize| {
            // The first is called as it was when it was the only one: it stays what it is.
            let part = |what: &str| drawn(if n == 0 { format!("{what}:") } else { format!("{n} {what}:") }.as_bytes());
            let length = match part("length").first() {
                Some(0..=63) => 16,
                Some(64..=127) => 20,
                Some(128..=191) => 32,
                _ => 64,
            };
            let mut credential = [part("first"), part("second")].concat();
            credential.truncate(length);
            Wanted { credential, prf_salt: part("salt"), transports: Vec::new() }
        };
        // All of them are made for every name: it takes as long.
        let mut wanted: Vec<Wanted> = (0..MOST).map(decoy).collect();
        has.truncate(MOST);
        wanted.truncate(MOST.saturating_sub(has.len()));
        let known = |(credential, prf_salt)| Wanted { credential, prf_salt, transports: Vec::new() };
        wanted.extend(has.into_iter().map(known));
        wanted.sort_by_cached_key(|one| drawn(&[b"order:", one.credential.as_slice()].concat()));
        wanted
    }
}

fn why(error: &WebauthnError) {
    tracing::debug!(%error, "an authenticator's answer does not count");
}

/// A passkey that nobody has: its public key is the curve's own base point.
const NOBODYS: &[u8] = br#"{"cred":{"cred_id":"AA","cred":{"type_":"ES256","key":{"EC_EC2":{"curve":"SECP256R1",
"x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}}},"counter":0,
"transports":null,"user_verified":true,"backup_eligible":false,"backup_state":false,"registration_policy":"required",
"extensions":{},"attestation":{"data":"None","metadata":"None"},"attestation_format":"none"}}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn party(seed: u8) -> RelyingParty {
        RelyingParty::new(None, Live::only("first", Zeroizing::new([seed; 32]))).unwrap()
    }

    #[test]
    fn nobodys_passkey_is_one() {
        assert!(serde_json::from_slice::<Passkey>(NOBODYS).is_ok());
    }

    #[test]
    fn a_name_is_always_answered_the_same_and_no_two_alike() {
        let (one, replica, other) = (party(1), party(1), party(2));
        let said = |party: &RelyingParty, handle: &str, has: &[u8]| {
            let has = has.iter().map(|byte| (vec![*byte; 32], [*byte; 32])).collect();
            let asked = party.at_the_door(handle, has);
            asked.into_iter().map(|wanted| (wanted.credential, wanted.prf_salt)).collect::<Vec<_>>()
        };
        let nobody = said(&one, "duty1", &[]);
        assert_eq!(nobody, said(&replica, "duty1", &[]));
        assert!(said(&one, "duty2", &[]).iter().all(|decoy| !nobody.contains(decoy)));
        assert!(said(&other, "duty1", &[]).iter().all(|decoy| !nobody.contains(decoy)));
        for has in [&[][..], &[1], &[1, 2], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]] {
            let asked = said(&one, "duty1", has);
            assert_eq!(asked.len(), MOST, "{has:?}");
            assert!(asked.iter().enumerate().all(|(n, wanted)| !asked[..n].contains(wanted)), "no two alike");
            assert!(has.iter().take(MOST).all(|byte| asked.contains(&(vec![*byte; 32], [*byte; 32]))), "{has:?}");
            // Those that are neither new nor gone stand in the same order.
            let stayed: Vec<_> = nobody.iter().filter(|decoy| asked.contains(decoy)).collect();
            assert_eq!(asked.iter().filter(|wanted| nobody.contains(wanted)).collect::<Vec<_>>(), stayed);
        }
        // Where a passkey stands tells nothing: each name has an order of its own.
        let places: std::collections::HashSet<_> = (0..40)
            .map(|n| said(&one, &format!("name{n}"), &[1]).iter().position(|(id, _)| *id == [1; 32]).unwrap())
            .collect();
        assert!(places.len() > MOST / 2, "{places:?}");
    }

    #[test]
    fn verification_is_asked_for_and_no_state_is_believed() {
        let asked = party(1).ask(&party(1).at_the_door("duty1", vec![]), &[7; 32], true).unwrap();
        assert_eq!((&asked["userVerification"], &asked["rpId"]), (&json!("required"), &json!("localhost")));
        assert_eq!(asked["challenge"], json!(text(&[7; 32])));
        let id = asked["allowCredentials"][0]["id"].as_str().unwrap();
        assert_eq!(asked["extensions"]["prf"]["evalByCredential"][id]["first"].as_str().unwrap().len(), 43);
    }
}
