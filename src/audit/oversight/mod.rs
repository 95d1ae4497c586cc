//! What supervisors see of the ledger: the entries of their own organisation's people, by name, and nobody else's.
//!
//! The details of an organisation's entries are sealed under keys that are wrapped to its supervisors' OVERSIGHT key besides
//! (`ledger/details`); which entries those are the database finds by the session (`store::entries`, under row-level security), and
//! what they say is checked like what the auditors read (`reading`). A record is named only if row-level security shows it to the
//! supervisor, or the case on which it hangs (`store::shown`): so somebody who is kept off a case reads nothing of it here.

pub mod http;
pub mod model;
pub(crate) mod people;
pub(crate) mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of supervisors.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(http::list)).routes(routes!(http::search))
}
