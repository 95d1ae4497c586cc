//! A JSON body, checked, and what is said about one that does not fit.

use crate::platform::app::App;
use crate::platform::problem::{FieldProblem, Problem};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use garde::Validate;
use serde::de::DeserializeOwned;

/// The largest body that a route takes.
pub const LARGEST_BODY: usize = 256 * 1024;

/// A JSON body that fits its type, with the bytes it was sent as. `check` applies the fields' own bounds: handlers call
/// it after the gate, so that nothing about a record can be learnt from a bad body.
pub struct Body<T> {
    value: Result<T, Problem>,
    raw: Bytes,
}

impl<T> Body<T>
where
    T: Validate<Context = ()>,
{
    /// The content, within its bounds.
    ///
    /// # Errors
    /// 400 for what is no JSON, 422 with the field's name for what does not fit.
    pub fn check(self) -> Result<T, Problem> {
        let value = self.value?;
        value.validate().map_err(|report| {
            let errors = report
                .iter()
                .map(|(path, error)| FieldProblem { field: path.to_string(), message: error.to_string() })
                .collect();
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A field is not right. Nothing was stored.")
                .with_fields(errors)
        })?;
        Ok(value)
    }

    /// The bytes, for telling a repeated request from another one under the same key.
    #[must_use]
    pub fn raw(&self) -> Bytes {
        self.raw.clone()
    }
}

impl<T: DeserializeOwned + Send> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.split(';').next().is_some_and(|kind| kind.trim() == "application/json"));
        let raw = Bytes::from_request(request, app).await.map_err(|_| {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The body is larger than 256 KiB. Nothing was stored.",
            )
        })?;
        let value = if json {
            parse(&raw)
        } else {
            Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "Send the body as application/json. Nothing was stored.",
            ))
        };
        Ok(Self { value, raw })
    }
}

fn parse<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Problem> {
    let malformed = |detail| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail);
    if std::str::from_utf8(raw).is_err() {
        return Err(malformed("The body is not UTF-8. Nothing was stored."));
    }
    // A list in place of an object would be read as its fields in their order.
    if raw.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|first| *first == b'[') {
        return Err(Problem::field("body", "has the wrong type: an object stands here"));
    }
    let mut reader = serde_json::Deserializer::from_slice(raw);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                let (field, message) = what_does_not_fit(&path, &inner.to_string());
                Problem::field(field, message)
            }
            _ => malformed("The body is not JSON. Nothing was stored."),
        }
    })?;
    reader.end().map_err(|_| malformed("There is something behind the JSON. Nothing was stored."))?;
    Ok(value)
}

/// Field and rule, from the library's sentence; the value, which that sentence may quote, is left out.
fn what_does_not_fit(path: &str, sentence: &str) -> (String, String) {
    if let Some(rest) = sentence.strip_prefix("missing field `") {
        let name = rest.split('`').next().unwrap_or_default();
        let whole = if path == "." { name.to_owned() } else { format!("{path}.{name}") };
        return (shown(&whole), "is needed".to_owned());
    }
    // What stands behind the last "expected" is the type's own: the client's words come before it.
    let expected = sentence.rfind("expected ").and_then(|at| sentence.get(at + 9..)).unwrap_or_default();
    let rule = if sentence.starts_with("unknown field") {
        "there is no such field".to_owned()
    } else if sentence.starts_with("unknown variant") {
        let words = expected.strip_prefix("one of ").unwrap_or(expected).replace('`', "");
        format!("is one of: {}", words.replace(" or ", ", "))
    } else if sentence.starts_with("duplicate field") {
        "stands twice".to_owned()
    } else {
        what_is_wanted(sentence, expected)
    };
    (shown(path), rule)
}

fn what_is_wanted(sentence: &str, expected: &str) -> String {
    let wanted = match expected.split([' ', ',']).next().unwrap_or_default() {
        "a" if expected.starts_with("a day") => "a day like 2026-03-01",
        "a" if expected.starts_with("a boolean") => "true or false",
        "a" if expected.starts_with("a string") => "a text",
        "a" if expected.starts_with("a sequence") => "a list",
        "a" if expected.starts_with("a map") => "an object",
        "struct" => "an object",
        "u8" => "a whole number from 0 to 255",
        "u16" | "u32" | "u64" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        // chrono's readers say nothing of what they expect.
        _ if sentence.contains("input") || sentence.contains("range") => "a time like 2026-03-01T04:00:00Z",
        _ if sentence.contains("UUID") => "an id",
        _ => return "has the wrong type".to_owned(),
    };
    format!("has the wrong type: {wanted} stands here")
}

/// A path as it may be sent back. The names in it are the client's own words: they are repeated only when they look like
/// names, since somebody may have typed content where a name belongs.
fn shown(path: &str) -> String {
    let like_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    if path.len() <= 120 && path.chars().all(like_a_name) { path.to_owned() } else { "body".to_owned() }
}
