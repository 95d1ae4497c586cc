//! Status: what the National Coordinator sees at any time. Operational counters in the bands of the statistics page (queues,
//! clocks, timeliness, free places), nothing that counts persons, and no record of any kind.
//!
//! The bands are made in the database (`migrations/main/0014_status.sql`). Released tables are another capability.

pub mod http;
pub mod model;
mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(http::read))
}
