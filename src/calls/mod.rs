//! Calls to the helpline: a call is written down, then handed over or closed, and not read again.
//!
//! The operator opens a draft and saves it as the caller speaks; its state follows from what was said (`rules`). A draft
//! has a key of its own, wrapped to the operator until the shift ends, and asleep to the supervisors' REVIEW key and to
//! CUSTODY. Closing takes the operator's wrap away and wakes the others; a draft that nobody finished wakes them by
//! itself. A silent, an abusive and a mistaken call is one step, and keeps next to nothing.
//!
//! Operators use it during the call, supervisors to review what was not handed over; [`crate::notices`] takes a draft
//! over by `store`. Read next: `model` for what a call is, `rules` for its states, `http` for the way of a request.

pub mod content;
pub mod http;
pub mod model;
pub mod pages;
pub mod rules;
mod seal;
pub(crate) mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(http::open, http::list))
        .routes(routes!(http::read, http::save))
        .routes(routes!(http::close))
}
