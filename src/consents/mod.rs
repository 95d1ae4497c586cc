//! Consents: what the person agrees to, and what not: for which purpose, with whom, about which section (requirements,
//! state machine 6).
//!
//! Officers record them on the case, carers on the placement; the words in which it was explained are sealed there. The
//! service asks `sharing::word` at each new sharing. A refusal of a section to a recipient wins over every consent, and what is
//! taken back counts no more from the same commit on.

pub mod http;
pub mod model;
pub(crate) mod pages;
pub mod sharing;
pub(crate) mod store;

pub use model::Section;
pub(crate) use sharing::{About, Word, hold, word};

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(http::record_on_case, http::list_on_case))
        .routes(routes!(http::record_on_placement, http::list_on_placement))
        .routes(routes!(http::answer))
        .routes(routes!(http::withdraw))
}
