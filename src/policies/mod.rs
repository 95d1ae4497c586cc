//! Which policy decides: a change takes two persons. One responsible person of the organisation that answers for the policy proposes it, with
//! the files themselves, and the other countersigns what differs. Both sign one statement, which names the digest; a process that has
//! another policy is closed, and takes no more than that (`guard::council`).

pub mod http;
pub mod model;
mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(http::list, http::propose)).routes(routes!(http::countersign))
}
