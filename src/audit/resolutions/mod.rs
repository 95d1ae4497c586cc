//! Who a pseudonym of the ledger is. No auditor learns it alone: one asks, with the reason, another of the office countersigns, and for a
//! week from the asking the two of them are told who it is. Everything of it is an entry, each time that the name is read too.

pub mod http;
pub mod model;
mod rules;
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
        .routes(routes!(http::read))
}
