//! Somebody else names the person, by `OpenID` Connect; it opens nothing.
//!
//! Whoever is signed in links their account to the issuer's subject (`links`). From then on the issuer names them (`naming`): that
//! gives a ticket, which stands for the name at one sign-in (`ticket`) and for nothing else. The passphrase opens the keys as before,
//! and before it does there is no session. A subject that is linked to nobody gets a ticket that looks the same.
//!
//! `way` is what binds the two ends of the way to the issuer: state, nonce and PKCE's verifier follow from one secret that the client
//! keeps, so that any replica can finish what another began, and the database holds a hash. `provider` asks the issuer; `outage` is what the
//! operator says while it is lost.

pub mod links;
pub mod model;
pub mod naming;
pub mod outage;
mod provider;
mod store;
mod ticket;
mod way;

pub use provider::Provider;
pub(super) use ticket::{Naming, Ticket, named, redeem};

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(naming::begin))
        .routes(routes!(naming::finish))
        .routes(routes!(links::list, links::begin))
        .routes(routes!(links::finish))
        .routes(routes!(links::remove))
}
