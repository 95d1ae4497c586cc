//! What the API's document promises of every operation, and that the service hands out that document.

use crate::harness::World;
use himaya::platform::router::document;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn the_document() -> Value {
    serde_json::to_value(document()).unwrap()
}

/// Every operation: `METHOD path`, and what the document says of it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let methods = |item: &'_ Value| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let all = paths.iter().flat_map(|(path, item)| {
        methods(item).into_iter().map(move |method| (format!("{} {path}", method.to_uppercase()), &item[&method]))
    });
    all.collect()
}

fn asks(operation: &Value, header: &str) -> bool {
    operation["parameters"].as_array().is_some_and(|all| all.iter().any(|p| p["name"] == header && p["in"] == "header"))
}

#[test]
fn the_document_is_openapi_3_1_and_each_operation_has_a_name_of_its_own() {
    let document = the_document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let names: Vec<&str> = operations(&document).iter().map(|(_, op)| op["operationId"].as_str().unwrap()).collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    assert!(names.len() == distinct.len() && names.len() > 35, "{} operations, {} names", names.len(), distinct.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_hands_out_the_document_that_was_generated() {
    let world = World::new().await;
    let served = reqwest::get(format!("{}/api/openapi.json", world.base)).await.unwrap();
    assert_eq!(served.status(), 200);
    assert_eq!(served.json::<Value>().await.unwrap(), the_document());
}

/// What creates something and takes no key for repeating: why not.
const WITHOUT_KEY: &[(&str, &str)] = &[
    ("POST /api/v1/credentials/passkeys", "a challenge: the next one takes its place"),
    ("POST /api/v1/credentials/passkeys/ask", "a challenge: the next one takes its place"),
    ("POST /api/v1/credentials/totp", "a secret that counts once it is confirmed: the next one takes its place"),
    ("POST /api/v1/enrolments", "the code in it is good once"),
    ("POST /api/v1/oidc/links", "a way that is begun: another one is another"),
    ("POST /api/v1/oidc/links/finish", "the state in it is good once"),
    ("POST /api/v1/oidc/sign-ins", "a way that is begun: another one is another"),
    ("POST /api/v1/oidc/sign-ins/finish", "the state in it is good once"),
    ("POST /api/v1/sessions", "signing in again is another session"),
    ("POST /api/v1/sessions/passkey", "a challenge: another one is another"),
];

#[test]
fn whatever_creates_is_stored_once_however_often_it_is_sent() {
    let document = the_document();
    let creates = operations(&document);
    let creates = creates.iter().filter(|(name, op)| name.starts_with("POST ") && !op["responses"]["201"].is_null());
    let loose: BTreeSet<&str> =
        creates.filter(|(_, op)| !asks(op, "Idempotency-Key")).map(|(name, _)| name.as_str()).collect();
    assert_eq!(loose, WITHOUT_KEY.iter().map(|(name, _)| *name).collect());
}

#[test]
fn whatever_replaces_names_the_version_that_was_read() {
    let document = the_document();
    let all = operations(&document);
    let replaces = all.iter().filter(|(name, _)| name.starts_with("PUT ") || name.starts_with("PATCH "));
    let loose: BTreeSet<&str> =
        replaces.filter(|(_, op)| !asks(op, "If-Match")).map(|(name, _)| name.as_str()).collect();
    assert_eq!(loose, BTreeSet::new());
}

/// Words of a standard's own list, which the document cannot name one by one; each is looked up when it comes.
const LOOKED_UP: &[&str] = &["Identity.citizenship[]", "Needs.languages[]", "NewPasskey.transports[]"];

/// Everything that is sent, by where it stands: what it names besides, and what has no end.
fn look_through<'a>(
    document: &'a Value,
    schema: &'a Value,
    place: &str,
    seen: &mut BTreeSet<&'a str>,
    loose: &mut BTreeMap<String, &'static str>,
) {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/schemas/")) {
        if seen.insert(name) {
            look_through(document, &document["components"]["schemas"][name], name, seen, loose);
        }
        return;
    }
    for group in ["oneOf", "anyOf", "allOf"] {
        for part in schema[group].as_array().into_iter().flatten() {
            look_through(document, part, place, seen, loose);
        }
    }
    let is = |kind: &str| {
        schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.iter().any(|t| t == kind))
    };
    let bounded = |bounds: &[&str]| bounds.iter().any(|bound| !schema[bound].is_null());
    if is("object") {
        if schema["additionalProperties"] != Value::Bool(false) {
            loose.insert(place.to_owned(), "takes fields that it does not know");
        }
        for (field, part) in schema["properties"].as_object().into_iter().flatten() {
            look_through(document, part, &format!("{place}.{field}"), seen, loose);
        }
    }
    if is("string") && !bounded(&["enum", "const", "format", "maxLength", "pattern"]) {
        loose.insert(place.to_owned(), "a string without a bound");
    }
    if is("integer") && !bounded(&["enum", "maximum", "format"]) {
        loose.insert(place.to_owned(), "a number without a bound");
    }
    if is("array") {
        // Of a closed list of words each comes once.
        let of_words = schema["items"]["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/schemas/"));
        let of_words = of_words.is_some_and(|name| document["components"]["schemas"][name]["enum"].is_array());
        if !of_words && !bounded(&["maxItems"]) {
            loose.insert(place.to_owned(), "a list without a bound");
        }
        look_through(document, &schema["items"], &format!("{place}[]"), seen, loose);
    }
}

#[test]
fn whatever_is_sent_is_closed_and_has_bounds() {
    let document = the_document();
    let (mut seen, mut loose) = (BTreeSet::new(), BTreeMap::new());
    for (name, operation) in operations(&document) {
        // A file's own bytes have a bound that the configuration sets.
        let bodies = operation["requestBody"]["content"].as_object().into_iter().flatten();
        for (_, content) in bodies.filter(|(media, _)| *media == "application/json") {
            look_through(&document, &content["schema"], &name, &mut seen, &mut loose);
        }
    }
    assert!(seen.len() > 40, "{} schemas", seen.len());
    loose.retain(|place, _| !LOOKED_UP.contains(&place.as_str()));
    assert!(loose.is_empty(), "{loose:#?}");
}

#[test]
fn the_document_names_the_words_that_are_sent_and_both_halves_of_a_session() {
    use himaya::guard::action::{Purpose, Role};
    let document = the_document();
    let schemas = &document["components"]["schemas"];
    let words = |schema: &str| schemas[schema]["enum"].clone();
    assert_eq!(words("Role"), serde_json::to_value(Role::ALL).unwrap());
    let purposes = document["paths"]["/api/v1/notices/{id}"]["get"]["parameters"][1]["schema"]["enum"].clone();
    assert_eq!(purposes, serde_json::to_value(Purpose::ALL).unwrap());
    // Every word that is published is one that is sent: none is a name of the source.
    for (name, schema) in schemas.as_object().unwrap() {
        for word in schema["enum"].as_array().into_iter().flatten().filter_map(|word| word.as_str()) {
            let coded =
                matches!(name.as_str(), "Role" | "CallKind" | "CallState" | "NoticeState" | "ReturnCode" | "Basis");
            assert!(!coded || word.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}: {word}");
        }
    }
    let session = serde_json::json!([{ "access_token": [], "session_secret": [] }]);
    assert_eq!(document["security"], session);
    let open: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, item)| item["post"]["security"].is_array())
        .map(|(path, _)| path.as_str())
        .collect();
    let naming = ["/api/v1/oidc/sign-ins", "/api/v1/oidc/sign-ins/finish"];
    let doors = ["/api/v1/sessions", "/api/v1/sessions/passkey", "/api/v1/sessions/refresh"];
    assert_eq!(open, [&["/api/v1/enrolments"][..], &naming, &doors].concat());
}
