//! What two custodians do together. CUSTODY's private half is in no single hand ([`crate::guard::custody`]); it is opened for one
//! reason that is written down, by two, each in a session of their own, and every opening ends in a new key.
//!
//! An opening is *invoked* (`invoke`) by a signed statement that both custodians confirm (`asked`), *agreed* to by the first custodian (`agree`), *opened* by the second (`open`), and *reviewed*
//! by somebody else where it was an emergency (`review`). What it is for is done in the same transaction that opens it
//! (`cases::by_custody`); then everything that rests on the old key is passed on to the new one (`pass_on`), in steps
//! that may be interrupted. `keepers` names other custodians: both responsible persons sign.

pub mod agree;
mod asked;
pub mod http;
pub mod invoke;
pub mod keepers;
pub mod model;
pub mod open;
mod pass_on;
pub mod review;
pub(crate) mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(invoke::emergency))
        .routes(routes!(invoke::entrust))
        .routes(routes!(http::list))
        .routes(routes!(agree::agree))
        .routes(routes!(agree::decline))
        .routes(routes!(open::open))
        .routes(routes!(review::review))
        .routes(routes!(http::read, keepers::propose))
        .routes(routes!(keepers::countersign))
        .routes(routes!(invoke::renewal))
}
