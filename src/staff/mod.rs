//! The people who work here and how they come in: organisations, accounts, foundings, memberships, signing in, and the
//! keys that an organisation holds together.
//!
//! The administrator makes organisations and empty accounts. A person makes keys with a code (`door`), signs in
//! (`sign_in`, by what `factors` look at, within the `limits`, with what the door `issued` before, perhaps named by somebody else: `oidc`), and changes how
//! (`credentials`, `passkeys`, `devices`). Two
//! responsible persons found the organisation (`founding`), admit its members (`membership`), and are followed by others
//! (`succession`). Nobody of these can
//! read a record by it. `shared_keys` makes INTAKE, REVIEW and LEDGER epochs and passes open notices on.

pub mod colleagues;
pub mod credentials;
pub mod devices;
pub mod door;
mod factors;
pub mod founding;
pub mod http;
pub mod issued;
pub mod limits;
pub mod membership;
pub mod model;
pub mod oidc;
pub mod pages;
pub mod passkeys;
pub mod sessions;
pub mod shared_keys;
pub mod sign_in;
pub(crate) mod store;
pub mod succession;

use crate::platform::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this capability.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(http::create_organisation, http::list_organisations))
        .routes(routes!(http::create_account, http::list_accounts))
        .routes(routes!(http::disable_account))
        .routes(routes!(founding::propose, founding::read))
        .routes(routes!(founding::countersign))
        .routes(routes!(membership::list))
        .routes(routes!(colleagues::list))
        .routes(routes!(membership::propose))
        .routes(routes!(membership::countersign))
        .routes(routes!(door::enrol))
        .routes(routes!(sign_in::sign_in, sessions::list, sessions::end_others))
        .routes(routes!(sessions::end))
        .routes(routes!(devices::list))
        .routes(routes!(credentials::list))
        .routes(routes!(credentials::change_passphrase))
        .routes(routes!(credentials::make_recovery_code))
        .routes(routes!(credentials::remove_recovery_code))
        .routes(routes!(credentials::begin_totp))
        .routes(routes!(credentials::confirm_totp))
        .routes(routes!(credentials::remove_totp))
        .routes(routes!(passkeys::ceremonies::ask_at_the_door))
        .routes(routes!(passkeys::ceremonies::ask))
        .routes(routes!(passkeys::ceremonies::begin))
        .routes(routes!(passkeys::ceremonies::confirm))
        .routes(routes!(passkeys::ceremonies::unlock))
        .routes(routes!(passkeys::ceremonies::remove))
        .routes(routes!(devices::forget))
        .merge(oidc::routes())
        .merge(succession::routes())
        .routes(routes!(door::refresh))
        .routes(routes!(door::current, door::sign_out))
}
