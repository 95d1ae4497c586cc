//! Openings and CUSTODY, as they are looked at.

use super::model::{CustodyProposed, CustodyView, KeeperView, OpeningView};
use super::store;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{OrganisationId, RecordKind};
use crate::guard::statement::{self, hex};
use crate::guard::trust::TrustError;
use crate::platform::app::App;
use crate::platform::http::{Id, Listed, Page, Paged, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::model::key_fingerprint;
use axum::Json;
use axum::extract::State;

/// The openings that concern me: those that I asked for or that are for me, those of the CUSTODY that I keep, and for a
/// supervisor the squad's, for an auditor all. Newest first.
#[utoipa::path(
    get, path = "/api/v1/openings", operation_id = "list_openings", tag = "custody", params(Page),
    responses((status = 200, body = Listed<OpeningView>), (status = "4XX", body = ProblemDocument)),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    paged: Paged,
) -> Result<Json<Listed<OpeningView>>, Problem> {
    let target = Target::Kind(RecordKind::Opening);
    let leave = app.gate.authorize::<verbs::List, kinds::Opening>(&who, target, None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let found = store::openings(&mut look, paged.after_id()?, paged.most()).await?;
    let page = paged.page(found, |opening| opening.id.0);
    look.conclude(page.items.iter().map(|item| item.id.0).collect(), vec![]).await?.spend();
    Ok(Json(page))
}

/// Who keeps an organisation's CUSTODY.
#[utoipa::path(
    get, path = "/api/v1/organisations/{id}/custody", operation_id = "read_custody", tag = "custody",
    params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = CustodyView),
        (status = 404, description = "You keep no part of it and are not responsible for it.", body = ProblemDocument),
    ),
)]
pub async fn read(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Json<CustodyView>, Problem> {
    let target = Target::OfOrganisation(RecordKind::Custody, id, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Custody>(&who, target, None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let (connection, trust) = look.with_trust();
    let custody = match trust.custody(connection, OrganisationId(id)).await {
        Ok(custody) => custody,
        Err(TrustError::Store(error)) => return Err(error.into()),
        Err(_) => return Err(look.conclude_absent().await),
    };
    let rest_on_older = store::rest_on_older(look.sql(), custody.organisation, custody.key).await?;
    let proposed = store::newest_proposal(&mut look, custody.organisation, custody.number + 1).await?;
    look.conclude(vec![id], vec![]).await?.spend();
    let custodians = custody.custodians.iter().map(|custodian| KeeperView {
        account: custodian.account,
        organisation: custodian.organisation,
        key_fingerprint: key_fingerprint(&custodian.keys),
    });
    Ok(Json(CustodyView {
        key: custody.key,
        number: custody.number,
        custodians: custodians.collect(),
        rest_on_older,
        proposed: proposed.map(|(key, note)| shown(key, note)).transpose()?,
    }))
}

/// A proposal with what is read out.
pub(super) fn shown(key: crate::guard::record::SharedKeyId, note: String) -> Result<CustodyProposed, Problem> {
    let fingerprint =
        statement::fingerprint(&note).map_err(|_| Problem::fault("a CUSTODY statement is not as it was stored"))?;
    Ok(CustodyProposed { key, statement: note, fingerprint: hex(&fingerprint) })
}
