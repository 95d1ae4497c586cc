//! Who works in one's own organisation: names and roles, to hand work to a colleague. Nobody else's people are told.

use super::model::ColleagueView;
use super::store;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, RecordKind};
use crate::guard::trust::TrustError;
use crate::platform::app::App;
use crate::platform::http::{Listed, Page, Paged, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;

/// List the members of one's own organisation that two responsible persons admitted.
#[utoipa::path(operation_id = "list_colleagues", get, path = "/api/v1/colleagues", tag = "staff", params(Page),
    responses((status = 200, body = Listed<ColleagueView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    paged: Paged,
) -> Result<Json<Listed<ColleagueView>>, Problem> {
    let target = Target::Kind(RecordKind::Colleague);
    let leave = app.gate.authorize::<verbs::List, kinds::Colleague>(&who, target, None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    // A page of accounts: those of them that are no colleagues are left out of it.
    let rows = store::people_of_mine(&mut look, paged.after_id()?, paged.most()).await?;
    let Listed { items: accounts, next } = paged.page(rows, |(account, _)| *account);
    let mut items = Vec::new();
    for (account, handle) in accounts {
        let (connection, trust) = look.with_trust();
        match trust.member(connection, AccountId(account)).await {
            Ok(member) => items.push(ColleagueView { account: member.account, handle, role: member.role }),
            Err(TrustError::Store(error)) => return Err(error.into()),
            // Not admitted, not any more, or not believed: no colleague.
            Err(_) => {}
        }
    }
    look.conclude(items.iter().map(|item| item.account.0).collect(), vec![]).await?.spend();
    Ok(Json(Listed { items, next }))
}
