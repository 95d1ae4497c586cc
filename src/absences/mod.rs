//! Absences: an officer is away, and a colleague who works on cases stands in on their cases for a time, and not for longer.
//!
//! The officer's own session signs a permission with an end for each case and wraps its keys for exactly that time, for all
//! of them in one transaction or for none. When the time is over, or the officer or a supervisor ends it early, access ends
//! at once, and the next who works on a case makes its keys anew. What happens on one case is `cases/standing_in.rs`.

pub mod http;
pub mod model;
pub(crate) mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(http::list, http::begin)).routes(routes!(http::end))
}
