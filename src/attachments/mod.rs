//! Attachments: files that hang on a call, on a notice, or on a section of a case, and go where that goes.
//!
//! An attachment is a record like any other: what the file is called, of what type and how large it is, and its hashes, are
//! sealed (`model`). Its bytes are too many for the database: once its headers are right (`told`) they come in within their
//! times (`incoming`), and are received, sealed and stored piece by piece (`receive`, `sink`), under a random name in a store of objects and a key that stands in that record, and given out as an opaque
//! stream that nothing executes or shows (`give`). Images lose their metadata on the way in (`image`).
//!
//! Who reads or writes what it hangs on, reads or adds attachments: the gate is asked for both (`on`). On a draft they are
//! sealed under the draft's own key, on a section under the section's, on a notice under a key each, as addenda are
//! (`add`); at a hand-over they pass to the notice, or die with the draft (`pass_on`). `read` lists and opens them,
//! `pages` shows them to people.

mod add;
pub mod give;
pub mod http;
mod image;
mod incoming;
pub mod model;
mod on;
pub mod pages;
mod pass_on;
mod read;
mod receive;
mod sink;
mod store;
mod told;

pub(crate) use pass_on::pass_to_notice;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(http::list_of_call, http::add_to_call))
        .routes(routes!(http::read_of_call))
        .routes(routes!(http::add_to_notice))
        .routes(routes!(http::list_of_notice))
        .routes(routes!(http::read_of_notice))
        .routes(routes!(http::list_of_case, http::add_to_case))
        .routes(routes!(http::read_of_case))
        .routes(routes!(http::list_of_person, http::add_to_person))
        .routes(routes!(http::read_of_person))
}
