//! Notices: how a suspicion reaches the squad, and what the sender keeps of it (plan sections 3a, 5, 6; R14, R35).
//!
//! A helpline operator hands a call over: the draft and its keys are deleted, a notice is sealed with a fresh key to the
//! squad's INTAKE epoch, and from then on its content is 404 for the operator, who keeps a slip and may append sealed
//! addenda. The squad's duty officer sees the queue with each notice's 24-hour clock, acknowledges, opens, returns with a
//! code, or accepts: then the notice is sealed again to the officers of a case.
//!
//! `model` has the states and the clock, `hand_over` and `desk` the two sides, `slips` what the sender sees, `store` all
//! SQL. Read `crate::cases` next.

pub mod accept;
pub mod desk;
pub mod hand_over;
pub mod model;
pub mod pages;
pub mod slips;
pub(crate) mod store;

pub(crate) use slips::{Desk, open_desk};

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(hand_over::hand_over))
        .routes(routes!(slips::list))
        .routes(routes!(slips::read))
        .routes(routes!(slips::append))
        .routes(routes!(desk::list))
        .routes(routes!(desk::read))
        .routes(routes!(desk::acknowledge))
        .routes(routes!(desk::give_back))
        .routes(routes!(accept::accept))
}
