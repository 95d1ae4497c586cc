//! The auditor's view: the ledger under pseudonyms.

use super::reading::{EntryView, Reading};
use super::{access_list, oversight, resolutions, search, snooping, store};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::RecordKind;
use crate::platform::app::App;
use crate::platform::http::{Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::shared_keys;
use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of the ledger.
#[must_use]
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(search::search))
        .routes(routes!(snooping::http::list))
        .merge(access_list::routes())
        .merge(oversight::routes())
        .merge(resolutions::routes())
}

/// Read the ledger, newest entries first. Looking into it is an entry itself.
#[utoipa::path(operation_id = "ledger_list", get, path = "/api/v1/ledger/entries", tag = "ledger", params(Page, ("Purpose" = inline(crate::guard::action::Purpose), Header)),
    responses((status = 200, body = Listed<EntryView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    page: Paged,
) -> Result<Json<Listed<EntryView>>, Problem> {
    let target = Target::Kind(RecordKind::Ledger);
    let leave = app.gate.authorize::<verbs::List, kinds::LedgerEntry>(&who, target, purpose).await?;
    let before = page.before()?;
    shared_keys::renew_or_warn(&app, &who).await;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows = store::page(&app.databases.auditor, before, page.limit + 1).await?;
    let reading = Reading::prepare(&app, &mut look, &who, rows).await?;
    // What is shown is recorded first, as everywhere.
    look.conclude(vec![], vec![]).await?.spend();
    Ok(Json(page.page(reading.entries().collect(), |entry: &EntryView| entry.position)))
}
