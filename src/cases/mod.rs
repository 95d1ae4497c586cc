//! Cases: what the squad works on once a notice is accepted. A case is a clear row, people who are on it, and sealed
//! sections, each under a key of its own.
//!
//! `http` lists cases and reads one, `section` and `notes` open and write what is sealed, `access` brings colleagues
//! on, `leaving` and `removal` take them off, `bars` keeps them off; `two_persons` is what nobody does alone, `erasure` ends a case for good, and `holds` keep it from that. `opening` is for [`crate::notices`], which makes a case of a notice.
//!
//! Two things hold everywhere: whoever writes signs a new `head` that lists every sealed version of the case, and whoever
//! reads compares with it; keys are wrapped only to the `team`, whose permissions are signed. When somebody leaves, `renewal`
//! encrypts everything anew. Read `head` and `renewal` first; `document` and `sections` say what is inside, `persons` names who it is about,
//! and `pages` shows it to officers.

pub mod access;
pub(crate) mod assignments;
pub mod bars;
pub(crate) mod by_custody;
pub mod codes;
pub mod document;
pub mod erasure;
pub(crate) mod hanging;
pub(crate) mod head;
pub mod holds;
pub mod http;
pub(crate) mod iso;
pub mod leaving;
pub mod model;
pub mod notes;
pub(crate) mod opening;
pub mod pages;
pub mod persons;
pub mod removal;
pub(crate) mod renewal;
pub mod section;
pub mod sections;
mod signed;
pub(crate) mod standing_in;
pub mod states;
pub(crate) mod store;
pub(crate) mod team;
pub mod terms;
pub(crate) mod two_persons;

pub(crate) use by_custody::lock_and_see;
pub(crate) use head::{lock_and_check, sign_new_head, vouched};
pub(crate) use notes::seal_beside_notes;
pub(crate) use opening::open_new;
pub(crate) use team::{assigned, epoch, is_assigned, team};

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(http::list))
        .routes(routes!(http::read, http::change_state))
        .routes(routes!(persons::list, http::add_person))
        .routes(routes!(section::read_of_case, section::write_of_case))
        .routes(routes!(section::read_of_person, section::write_of_person))
        .routes(routes!(notes::list, notes::append))
        .routes(routes!(access::give))
        .routes(routes!(leaving::end))
        .routes(routes!(removal::list, removal::propose))
        .routes(routes!(removal::confirm))
        .routes(routes!(erasure::http::proposed, erasure::http::propose))
        .routes(routes!(erasure::http::confirm))
        .routes(routes!(erasure::http::list))
        .routes(routes!(holds::http::list, holds::http::place))
        .routes(routes!(holds::http::propose_lift))
        .routes(routes!(holds::http::confirm_lift))
        .routes(routes!(bars::http::recuse))
        .routes(routes!(bars::http::list, bars::http::create))
        .routes(routes!(bars::http::lift))
}
