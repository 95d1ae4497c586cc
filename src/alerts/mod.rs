//! Alerts: what people are told by the product itself when a clock has run (R14, R34): a notice's 24 hours at half, three
//! quarters and the whole, a task that is overdue, a desk that nobody keeps.
//!
//! An alert holds ids and codes. The `timekeeper` raises each once ever, whatever the number of replicas; here people see
//! those that are theirs, their desk's or their organisation's, and acknowledge them. Who did is kept; who saw them stands
//! in the ledger. The rules of what is raised are SQL (`raise_alerts` in `migrations/main/0015_work.sql`), since the
//! timekeeper's role sees no row.

pub mod http;
pub mod model;
pub(crate) mod store;
pub mod timekeeper;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(http::list)).routes(routes!(http::acknowledge))
}
