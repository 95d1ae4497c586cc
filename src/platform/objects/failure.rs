//! What a store's failure is called in a log.

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};

/// What kind of failure it is, for a log: the store's own words name the object, and may repeat whatever it answered.
#[must_use]
pub fn kind(error: &Error) -> &'static str {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        match inner.downcast_ref::<HttpError>().map(HttpError::kind) {
            Some(HttpErrorKind::Timeout) => return "it did not answer in time",
            Some(HttpErrorKind::Connect) => return "it was not reached",
            Some(HttpErrorKind::Interrupted) => return "its answer broke off",
            _ => cause = inner.source(),
        }
    }
    match error {
        Error::NotFound { .. } => "there is no such object",
        Error::AlreadyExists { .. } | Error::Precondition { .. } => "there is such an object already",
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => "it refuses this service's keys",
        Error::NotSupported { .. } | Error::NotImplemented { .. } => "it does not know what was asked for",
        _ => "it failed",
    }
}
