//! Outages: while the ledger cannot do all of its work no record is opened, and two persons let the assigned and duty readers of one squad go
//! on for some hours (DESIGN section 5). Whoever of the squad needs it proposes; somebody who reads nothing by it agrees: a supervisor of
//! the squad, or an auditor. These routes open no record, so they answer while the ledger is behind or unseen. What is signed counts by
//! `guard::outage`, and no row; either end, and each read, stands in the ledger.

pub mod http;
pub mod model;
mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(http::list, http::propose))
        .routes(routes!(http::countersign))
        .routes(routes!(http::close))
}
