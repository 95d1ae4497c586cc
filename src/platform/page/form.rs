//! What was typed into a form, as the browser sends it.

use super::{Refused, Visitor};
use crate::platform::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use uuid::Uuid;

/// More than any form of ours has. Each costs memory many times its own length, and whoever sends them need not be anybody.
const MOST_FIELDS: usize = 300;

/// The fields of one form, in their order. It may be content: it has no `Debug`, and stands in no log.
#[derive(Clone, Default)]
pub struct Fields(Arc<Vec<(String, String)>>);

impl Fields {
    /// Reads a body of the type that forms have, of no more fields than a form of ours.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        if text.split('&').nth(MOST_FIELDS).is_some() {
            return None;
        }
        let part = |part: &str| {
            let spaced = part.replace('+', " ");
            let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8().ok()?;
            // Forms send their line ends as two letters.
            Some(decoded.replace("\r\n", "\n"))
        };
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((part(name)?, part(value)?))
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect::<Option<_>>()?;
        Some(Self(Arc::new(pairs)))
    }

    /// A field that holds more than blanks.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.trim().is_empty())
    }

    /// Every field of this name: of a list several may be chosen.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same, or nothing of it.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Without those whose name begins so.
    #[must_use]
    pub fn without(&self, beginning: &str) -> Self {
        Self(Arc::new(self.0.iter().filter(|(name, _)| !name.starts_with(beginning)).cloned().collect()))
    }
}

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::fault("a form has no fields").into())
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::fault("a page has no visitor").into())
    }
}

/// What the address of a page names: an id, if nothing else is said. An address that holds none is answered like a record that is not there.
pub struct At<T = Uuid>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Path(named) = Path::from_request_parts(parts, state).await.map_err(|_| Problem::absent())?;
        Ok(Self(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let read = Fields::read("said=%C6%8Flif+%2B+b%0D%0Ac&empty=&blank=++&name".as_bytes()).unwrap();
        assert_eq!(read.get("said"), Some("Əlif + b\nc"));
        assert_eq!(
            (read.get("empty"), read.get("blank"), read.get("name"), read.get("none")),
            (None, None, None, None)
        );
        assert_eq!(read.iter().count(), 4);
        assert!(read.without("sa").get("said").is_none());
        for none in [&b"said=%FF"[..], b"%C6=1", b"\xff"] {
            assert!(Fields::read(none).is_none());
        }
        let many = |fields: usize| Fields::read(vec!["a"; fields].join("&").as_bytes());
        assert!(many(MOST_FIELDS).is_some() && many(MOST_FIELDS + 1).is_none());
    }
}
