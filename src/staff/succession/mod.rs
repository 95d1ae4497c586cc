//! Others answer for an organisation: one of the two responsible persons leaves, or is lost.
//!
//! A founding that follows is proposed by one of the two of today (`propose`), signed by its own two and by those who may replace
//! the two before, pinned by the operator of the service, and put in force (`follow`). Who may, and why each signature counts, is
//! `guard::trust`'s `Succession`.

mod draft;
pub mod follow;
pub mod model;
pub mod propose;
mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(propose::list, propose::propose))
        .routes(routes!(propose::countersign))
        .routes(routes!(follow::found))
        .routes(routes!(follow::decline))
}
