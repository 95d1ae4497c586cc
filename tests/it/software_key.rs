//! An authenticator in software: does what it is told, also what none should.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The page in which the person sits.
pub const ORIGIN: &str = "http://localhost:4711";

/// A passkey and the authenticator that holds it.
#[derive(Clone)]
pub struct SoftwareKey {
    signing: SigningKey,
    pub id: Vec<u8>,
    pub counter: u32,
    /// Many never count: they stay at zero.
    pub counts: bool,
    /// Whether it verifies its owner.
    pub verifies: bool,
    pub origin: &'static str,
    prf: Option<[u8; 32]>,
}

pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl SoftwareKey {
    pub fn new(prf: bool) -> Self {
        let signing = SigningKey::from_slice(&himaya::platform::random::bytes::<32>()).unwrap();
        let id = himaya::platform::random::bytes::<32>().to_vec();
        let prf = prf.then(himaya::platform::random::bytes);
        Self { signing, id, counter: 1, counts: true, verifies: true, origin: ORIGIN, prf }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let said =
            json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false });
        serde_json::to_vec(&said).unwrap()
    }

    fn data(&self, rp: &Value, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(rp.as_str().unwrap()).to_vec();
        data.push(0x01 | if self.verifies { 0x04 } else { 0 } | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn prf(&self, salt: &Value) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.prf?).unwrap();
        mac.update(&URL_SAFE_NO_PAD.decode(salt.as_str()?).unwrap());
        Some(text(&mac.finalize().into_bytes()))
    }

    /// What it shows when it makes a passkey, with what its PRF gives.
    pub fn made(&self, begun: &Value, with_prf: bool) -> Value {
        let options = &begun["options"];
        let mut data = self.data(&options["rp"]["id"], 0x40);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        let point = self.signing.verifying_key().to_sec1_point(false);
        // A map of five: EC2, ES256, P-256, x, y.
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(point.x().unwrap());
        data.extend([0x22, 0x58, 0x20]);
        data.extend(point.y().unwrap());
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt");
        object.push(0x64);
        object.extend(b"none");
        object.push(0x67);
        object.extend(b"attStmt");
        object.extend([0xa0, 0x68]);
        object.extend(b"authData");
        object.extend([0x58, u8::try_from(data.len()).unwrap()]);
        object.extend(&data);
        let mut shown = json!({
            "ceremony": begun["ceremony"], "credential_id": text(&self.id), "attestation_object": text(&object),
            "client_data_json": text(&self.client_data("webauthn.create", options)), "transports": ["internal"],
        });
        if let Some(prf) = self.prf(&options["extensions"]["prf"]["eval"]["first"]).filter(|_| with_prf) {
            shown["prf"] = json!(prf);
        }
        shown
    }

    /// Its answer to a challenge.
    pub fn answer(&mut self, asked: &Value) -> Value {
        if self.counts {
            self.counter += 1;
        }
        let options = &asked["options"];
        let (data, client) = (self.data(&options["rpId"], 0), self.client_data("webauthn.get", options));
        let signature: Signature = self.signing.sign(&[&data[..], &Sha256::digest(&client)].concat());
        let mut shown = json!({
            "ceremony": asked["ceremony"], "credential_id": text(&self.id), "authenticator_data": text(&data),
            "client_data_json": text(&client), "signature": text(signature.to_der().as_bytes()),
        });
        if let Some(prf) = self.prf(&options["extensions"]["prf"]["evalByCredential"][text(&self.id)]["first"]) {
            shown["prf"] = json!(prf);
        }
        shown
    }
}
