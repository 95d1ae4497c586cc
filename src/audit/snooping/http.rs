//! What the auditors are told.

use super::model::Suspicion;
use super::store;
use crate::guard::action::Purpose;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::RecordKind;
use crate::platform::app::App;
use crate::platform::http::{Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;

/// Days of people that are not like other days of their role, newest first, each with the reason in a sentence. People stand
/// under pseudonyms.
#[utoipa::path(operation_id = "list_suspicions", get, path = "/api/v1/ledger/suspicions", tag = "ledger",
    params(Page, ("Purpose" = inline(Purpose), Header)),
    responses((status = 200, body = Listed<Suspicion>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    page: Paged,
) -> Result<Json<Listed<Suspicion>>, Problem> {
    let target = Target::Kind(RecordKind::Ledger);
    let leave = app.gate.authorize::<verbs::List, kinds::LedgerEntry>(&who, target, purpose).await?;
    let before = page.before()?;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows = store::suspicions(&mut look, before, page.limit + 1).await?;
    let Listed { items, next } = page.page(rows, |(number, _)| *number);
    let items: Vec<Suspicion> = items.into_iter().map(|(_, suspicion)| suspicion).collect();
    look.conclude(items.iter().map(|item| item.id).collect(), vec![]).await?.spend();
    Ok(Json(Listed { items, next }))
}
