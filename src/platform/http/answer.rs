//! What a handler answers.

use crate::platform::problem::Problem;
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Put into an answer's extensions: what it says never changes, so whoever asked may keep it. Every other answer is not kept.
#[derive(Clone, Copy)]
pub struct Lasting;

/// An answer of ids, states and versions.
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: serde_json::Value,
    pub(super) version: Option<i64>,
}

impl Answer {
    /// # Errors
    /// If the body cannot be written as JSON, which no type here does.
    pub fn created<T: Serialize>(body: &T) -> Result<Self, Problem> {
        Self::with(StatusCode::CREATED, body)
    }

    /// # Errors
    /// As [`Self::created`].
    pub fn ok<T: Serialize>(body: &T) -> Result<Self, Problem> {
        Self::with(StatusCode::OK, body)
    }

    fn with<T: Serialize>(status: StatusCode, body: &T) -> Result<Self, Problem> {
        let body = serde_json::to_value(body).map_err(|_| Problem::fault("an answer cannot be written"))?;
        Ok(Self { status, body, version: None })
    }

    /// The version to send back in `If-Match`.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(version) = self.version
            && let Ok(etag) = HeaderValue::from_str(&format!("\"{version}\""))
        {
            headers.insert(header::ETAG, etag);
        }
        (self.status, headers, Json(self.body)).into_response()
    }
}
