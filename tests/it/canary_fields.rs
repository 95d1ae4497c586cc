//! Where a canary is planted: in every text and date that the API's own document takes, or the field stands in a reviewed list.

use serde_json::{Value, json};
use std::collections::BTreeSet;

/// In no word list, no code and no test but this one.
pub const CANARY: &str = "Qanarya7391";
/// The same as a date.
pub const DATE: &str = "1987-03-14";

/// Texts in which no canary is planted, and why.
const NOT_PLANTED: [(&str, &[&str]); 8] = [
    ("codes of two or three letters", &["Identity.citizenship", "Needs.languages"]),
    ("stands in a clear column, and names no victim", &["NewOrganisation.name", "NewAccount.handle"]),
    (
        "the digest of a statement or a key that others can see",
        &[
            "Agreement.fingerprint",
            "Countersignature.fingerprint",
            "OutageAgreement.fingerprint",
            "ResolutionAgreement.fingerprint",
            "SuccessionSignature.fingerprint",
            "FounderRole.key_fingerprint",
            "NewMembership.key_fingerprint",
        ],
    ),
    (
        "a name or a pseudonym of somebody who works here, and where a page goes on: in the sealed entry of the look, and nowhere else",
        &["NewResolution.person", "SoughtOfOwn.cursor", "SoughtOfOwn.person"],
    ),
    ("a policy is there to be read", &["NewPolicy.model", "NewPolicy.rules"]),
    (
        "shown with a step that is taken in a session, and stored nowhere: `credentials.rs`",
        &["Fresh.passphrase", "Fresh.code", "Fresh.recovery_code", "TotpCode.code"],
    ),
    (
        "what a browser and its authenticator say: `passkeys.rs` looks for it",
        &[
            "Assertion.authenticator_data",
            "Assertion.client_data_json",
            "Assertion.credential_id",
            "Assertion.prf",
            "Assertion.signature",
            "Assertion.user_handle",
            "NewPasskey.attestation_object",
            "NewPasskey.client_data_json",
            "NewPasskey.credential_id",
            "NewPasskey.prf",
            "NewPasskey.transports",
        ],
    ),
    ("another issuer's, and used once: `oidc.rs`", &["OidcReturn.code", "OidcReturn.handle", "OidcReturn.state"]),
];

fn not_planted() -> BTreeSet<String> {
    NOT_PLANTED.iter().flat_map(|(_, fields)| fields.iter().map(|field| (*field).to_owned())).collect()
}

/// How often one of the canaries stands in a text.
pub fn times(text: &str) -> usize {
    text.matches(CANARY).count() + text.matches(DATE).count()
}

/// What a field takes.
enum Shape {
    Text(usize),
    Date,
    Texts,
    Object(String),
    Objects(String),
    /// A number, a yes or no, or one of a list of words.
    Coded,
}

/// The fields of the API's document, and those that were planted so far.
pub struct Fields {
    document: Value,
    planted: BTreeSet<String>,
}

impl Fields {
    pub fn new() -> Self {
        let document = serde_json::to_value(himaya::platform::router::document()).unwrap();
        Self { document, planted: BTreeSet::new() }
    }

    fn named(&self, name: &str) -> &Value {
        &self.document["components"]["schemas"][name]
    }

    fn refers(schema: &Value) -> Option<&str> {
        schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
    }

    fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
        ["oneOf", "anyOf", "allOf"].into_iter().flat_map(|key| schema[key].as_array().into_iter().flatten())
    }

    fn shape(&self, schema: &Value) -> Shape {
        if let Some(name) = Self::refers(schema) {
            let there = self.named(name);
            return if there["properties"].is_object() { Shape::Object(name.to_owned()) } else { self.shape(there) };
        }
        let found = Self::alternatives(schema).map(|schema| self.shape(schema));
        if let Some(shape) = found.into_iter().find(|shape| !matches!(shape, Shape::Coded)) {
            return shape;
        }
        let is = |kind: &str| {
            schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.contains(&json!(kind)))
        };
        if is("array") {
            return match self.shape(&schema["items"]) {
                Shape::Object(name) => Shape::Objects(name),
                Shape::Text(_) | Shape::Date => Shape::Texts,
                _ => Shape::Coded,
            };
        }
        let free = ["enum", "const", "pattern", "format"].iter().all(|key| schema[key].is_null());
        match schema["format"].as_str() {
            Some("date") => Shape::Date,
            _ if is("string") && free => {
                Shape::Text(schema["maxLength"].as_u64().map_or(usize::MAX, |most| usize::try_from(most).unwrap()))
            }
            _ => Shape::Coded,
        }
    }

    /// A body of this name: what is given, and the canary in every other text and date that it takes.
    pub fn filled(&mut self, name: &str, given: &Value) -> Value {
        let (mut body, properties) = (given.clone(), self.named(name)["properties"].clone());
        for (field, schema) in properties.as_object().unwrap() {
            let full = format!("{name}.{field}");
            if not_planted().contains(&full) {
                continue;
            }
            let planted = match self.shape(schema) {
                Shape::Object(inner) => {
                    let given = if given[field].is_null() { json!({}) } else { given[field].clone() };
                    body[field] = self.filled(&inner, &given);
                    continue;
                }
                Shape::Objects(inner) => {
                    body[field] = json!([self.filled(&inner, &given[field][0])]);
                    continue;
                }
                _ if !given[field].is_null() => continue,
                Shape::Text(most) => json!(format!("{CANARY} {field}").chars().take(most).collect::<String>()),
                Shape::Date => json!(DATE),
                Shape::Texts => json!([CANARY]),
                Shape::Coded => continue,
            };
            body[field] = planted;
            self.planted.insert(full);
        }
        body
    }

    /// Every text and date that some request takes.
    fn taken(&self) -> BTreeSet<String> {
        let mut objects = BTreeSet::new();
        for item in self.document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                if let Some(json) = operation["requestBody"]["content"].get("application/json") {
                    self.reach(&json["schema"], &mut objects);
                }
            }
        }
        let mut taken = BTreeSet::new();
        for name in objects {
            for (field, schema) in self.named(&name)["properties"].as_object().unwrap() {
                if matches!(self.shape(schema), Shape::Text(_) | Shape::Date | Shape::Texts) {
                    taken.insert(format!("{name}.{field}"));
                }
            }
        }
        taken
    }

    fn reach(&self, schema: &Value, objects: &mut BTreeSet<String>) {
        if let Some(name) = Self::refers(schema) {
            let there = self.named(name);
            if there["properties"].is_object() && !objects.insert(name.to_owned()) {
                return;
            }
            return self.reach(there, objects);
        }
        let properties = schema["properties"].as_object().into_iter().flat_map(|fields| fields.values());
        for inner in Self::alternatives(schema).chain(properties).chain(schema.get("items")) {
            self.reach(inner, objects);
        }
    }

    /// Every field that takes a text or a date was planted, or stands in the list; and the list says no more than that.
    pub fn are_all_planted(&self) {
        let (taken, listed) = (self.taken(), not_planted());
        assert!(taken.len() > 70, "{}", taken.len());
        let missed: Vec<_> =
            taken.iter().filter(|field| !self.planted.contains(*field) && !listed.contains(*field)).collect();
        assert!(missed.is_empty(), "no canary was planted in {missed:?}");
        let stale: Vec<_> = listed.difference(&taken).collect();
        assert!(stale.is_empty(), "not taken by any request: {stale:?}");
    }
}
