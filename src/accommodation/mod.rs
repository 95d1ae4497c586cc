//! Secure accommodation: what a shelter offers, whether it meets the plan's seven conditions, and who there is trained.
//!
//! Kind, places and certificates are public among those who work here, so that an officer can choose. Where the house lies
//! is sealed apart, typed by its manager; an officer sees it for a current placement only (see [`crate::placements`]).

pub mod address;
pub mod http;
pub mod model;
pub(crate) mod pages;
pub(crate) mod store;
pub mod training;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(http::create, http::list))
        .routes(routes!(http::certify))
        .routes(routes!(address::read, address::write))
        .routes(routes!(training::create, training::list))
}
