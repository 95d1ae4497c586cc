//! Placements: a person's stay in secure accommodation, from the squad's request to its end (plan, section 6).
//!
//! `request` is the officer's: what is needed to care for the person and no more, sealed to the shelter's INTAKE. `desk` is
//! the shelter's answer; acceptance seals it again to named workers, and the address to the officers of this placement
//! (`arrival`). `stay` is what follows. The person leaves by their own act in any state, and nobody approves it. `care` is
//! the carers' own record; it outlives the stay.
//!
//! `pages` is the shelter's screen. `sealing` says to whom all of it is wrapped. What the person consents to stands in [`crate::consents`].

pub mod arrival;
pub mod care;
pub mod content;
pub mod desk;
pub mod model;
pub(crate) mod pages;
pub mod request;
mod sealing;
mod sharing;
pub mod stay;
pub(crate) mod store;

pub(crate) use arrival::{copy_again, hold_copies};
pub(crate) use sealing::{share_with, strike};
pub(crate) use sharing::{goes_on, held_with_all, stop_sharing, wanted};

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(request::create))
        .routes(routes!(desk::list))
        .routes(routes!(desk::read))
        .routes(routes!(desk::acknowledge))
        .routes(routes!(desk::accept))
        .routes(routes!(desk::decline))
        .routes(routes!(arrival::read))
        .routes(routes!(stay::consent))
        .routes(routes!(stay::transport))
        .routes(routes!(stay::admit))
        .routes(routes!(stay::transfer))
        .routes(routes!(stay::withdraw))
        .routes(routes!(stay::exit))
        .routes(routes!(stay::assign_workers))
        .routes(routes!(care::read, care::write))
        .routes(routes!(care::share))
}
