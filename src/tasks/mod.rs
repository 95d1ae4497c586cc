//! Tasks: what somebody is to do until a time, and the clocks that they answer for.
//!
//! A task of a case is made by who works on it, for a colleague on it; its words are sealed under the key of
//! `investigation`, like a note's. A call-back is made when an operator finishes a call: how to call back is sealed to
//! that operator, who reads nothing else of the call any more, and to the supervisors. A clear row holds who, when, and
//! which kind. `list` is what is due for one person, `make` and `change` write, `call_back` is for [`crate::calls`].

pub(crate) mod call_back;
pub mod change;
pub mod list;
pub mod make;
pub mod model;
pub mod pages;
pub mod read;
pub(crate) mod store;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(make::make))
        .routes(routes!(read::read))
        .routes(routes!(change::done))
        .routes(routes!(change::hand_on))
}
