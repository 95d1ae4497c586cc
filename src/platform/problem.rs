//! What a client is told when something is not done: RFC 9457 problem details with a stable `code`.
//!
//! A problem never repeats input, names no record and tells no reason that differs between "refused" and "missing".

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;
use utoipa::ToSchema;

/// A failed field: where it is and what it must be. The value is not repeated.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Dotted path of the field, as the client sent it.
    pub field: String,
    pub message: String,
}

/// The document that is sent, `application/problem+json`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemDocument {
    /// A URN that ends in the code.
    pub r#type: String,
    pub title: String,
    pub status: u16,
    /// Stable: clients may compare it.
    pub code: String,
    /// One sentence for a tired reader.
    pub detail: String,
    /// To be told on the telephone when asking for help.
    pub request_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

/// A refusal or a failure on its way to the client.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldProblem>,
    retry_after: Option<u32>,
}

impl Problem {
    #[must_use]
    pub const fn new(status: StatusCode, code: &'static str, detail: &'static str) -> Self {
        Self { status, code, detail: Cow::Borrowed(detail), errors: Vec::new(), retry_after: None }
    }

    /// There is nothing here that you may see: the one answer for a refused record and for a missing one.
    #[must_use]
    pub const fn absent() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such record for you.")
    }

    /// A kind of work that this role never does. No record is named.
    #[must_use]
    pub const fn not_your_work() -> Self {
        Self::new(StatusCode::FORBIDDEN, "not_your_work", "Your role does not do this kind of work.")
    }

    #[must_use]
    pub const fn sign_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "sign_in", "Sign in to go on.")
    }

    /// A field that breaks a rule.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A field is not right. Nothing was stored.");
        problem.errors.push(FieldProblem { field: field.into(), message: message.into() });
        problem
    }

    #[must_use]
    pub fn with_fields(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    /// A step that the record's state does not allow.
    #[must_use]
    pub fn illegal(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: detail.into(), ..Self::new(StatusCode::CONFLICT, code, "") }
    }

    /// It was given once, and is not any more.
    #[must_use]
    pub fn gone(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: detail.into(), ..Self::new(StatusCode::GONE, code, "") }
    }

    /// More than is taken; the limit is named.
    #[must_use]
    pub fn too_large(what: &str, limit: u64) -> Self {
        let detail = format!("{what} is larger than {}, the most that is taken. Nothing was stored.", in_words(limit));
        Self { detail: detail.into(), ..Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "") }
    }

    /// Somebody else wrote in between; what was sent was not stored.
    #[must_use]
    pub const fn lost_update() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "changed_meanwhile",
            "Somebody changed this after you read it. Read it again, then send your change. Nothing was stored.",
        )
    }

    /// A defect or a tampered row: opaque to the caller, logged once here.
    #[must_use]
    pub fn fault(what: &'static str) -> Self {
        tracing::error!(what, "fault");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", "Something is wrong on our side. Nothing was stored.")
    }

    /// Something that is needed does not answer. Nothing was stored, and trying again is right.
    #[must_use]
    pub fn away(code: &'static str, detail: &'static str) -> Self {
        Self { retry_after: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail) }
    }

    /// Too many wrong tries: wait so long.
    #[must_use]
    pub fn too_many_tries(seconds: u32) -> Self {
        const DETAIL: &str = "There were too many wrong tries. Wait, then try again. On a device on which you have signed \
                              in before, others' tries do not count.";
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", DETAIL) }
    }

    /// Right requests, and faster than they are answered.
    #[must_use]
    pub fn too_fast(wait: Duration) -> Self {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        let detail = "These requests come faster than they are answered. Wait, then go on.";
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_fast", detail) }
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The document, with the id of the request that it answers.
    #[must_use]
    pub fn document(&self, request_id: &str) -> ProblemDocument {
        ProblemDocument {
            r#type: format!("urn:himaya:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail.clone().into_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        }
    }

    /// The response, with the id of the request that it answers.
    #[must_use]
    pub fn render(&self, request_id: &str) -> Response {
        let mut response = (self.status, axum::Json(self.document(request_id))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A size as a person says it.
fn in_words(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}

impl IntoResponse for Problem {
    /// The router's outermost layer renders it, since only that knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let away = |detail| Self::away("database_away", detail);
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_) => {
                // The kind alone: what a driver says may quote what was sent.
                let kind = match &error {
                    sqlx::Error::Io(error) => error.kind().to_string(),
                    sqlx::Error::PoolTimedOut => "no connection became free".to_owned(),
                    sqlx::Error::PoolClosed => "the service ends".to_owned(),
                    _ => "the connection is of no use".to_owned(),
                };
                tracing::warn!(kind, "the database does not answer");
                away(
                    "The database does not answer. Nothing was stored; what you typed is still with you. Send it again.",
                )
            }
            sqlx::Error::Database(inner) => {
                let code = inner.code().unwrap_or_default().into_owned();
                // 57P0x: shutting down; 53xxx: out of resources; 40xxx: serialisation, deadlock; 55P03: a row is held.
                if code.starts_with("57P") || code.starts_with("53") || code.starts_with("40") || code.starts_with("08")
                    // The database does not take connections at the moment.
                    || code == "55000"
                    || code == "55P03"
                {
                    tracing::warn!(code, "the database cannot serve now");
                    return away("The database cannot serve now. Nothing was stored. Send it again.");
                }
                // The message may quote a row, so only the code and the constraint's name are logged.
                tracing::error!(code, constraint = inner.constraint(), table = inner.table(), "the database refused");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "fault",
                    "Something is wrong on our side. Nothing was stored.",
                )
            }
            _ => Self::fault("a query does not fit the database"),
        }
    }
}
