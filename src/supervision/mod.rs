//! Supervision: clocks and workload, and no content (N4, N5, R12).
//!
//! A supervisor sees how much each colleague has to do and what is late (`workload`), names a duty officer for a notice
//! that waits (`direct`), and instructs that somebody be put on a case (`instruct`). They hold no key of a case: what they
//! sign is carried out by the next session of somebody who does (`cases/assignments.rs`), and is shown as pending until
//! then. Taking somebody off a case, and reading closed calls by REVIEW, are [`crate::cases`]' and [`crate::calls`]'.

pub mod direct;
pub mod instruct;
pub mod model;
pub(crate) mod store;
pub mod workload;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(workload::read))
        .routes(routes!(instruct::instruct))
        .routes(routes!(direct::direct))
}
