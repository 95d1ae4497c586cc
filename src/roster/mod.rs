//! Rosters: who is at which desk when, and when nobody is (R34: the helpline answers around the clock).
//!
//! A helpline has one desk, its line, and a squad one, its duty desk. A supervisor enters and cancels shifts; everybody who
//! is at the desk sees the roster and its gaps. A gap that comes within a day, or has begun, is told by
//! [`crate::alerts::timekeeper`].

pub mod http;
pub mod model;
pub mod pages;
pub(crate) mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(http::read)).routes(routes!(http::enter)).routes(routes!(http::cancel))
}
