//! Organisations and accounts: the administrator's work.

use super::model::{AccountMade, AccountView, Made, NewAccount, NewOrganisation, OrganisationView};
use super::store;
use crate::audit::mark::RowKind;
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, OrganisationId, RecordKind};
use crate::guard::statement::OrganisationKind;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, Listed, Page, Paged, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::platform::random;
use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

/// How long an enrolment code is good for.
pub const ENROLMENT: TimeDelta = TimeDelta::hours(72);

/// Create an organisation.
#[utoipa::path(operation_id = "create_organisation", post, path = "/api/v1/organisations", tag = "staff", request_body = NewOrganisation,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn create_organisation(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewOrganisation>,
) -> Result<Answer, Problem> {
    let leave = app
        .gate
        .authorize::<verbs::Create, kinds::Organisation>(&who, Target::Kind(RecordKind::Organisation), None)
        .await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let (id, now) = (OrganisationId::random(), unit.now());
    if !store::insert_organisation(unit.sql(), id, new.kind.as_str(), new.name.trim(), now).await? {
        return Err(Problem::illegal("name_taken", "An organisation of this name is there already."));
    }
    unit.wrote(RowKind::Organisation, id.0);
    let answer = Answer::created(&Made { id: id.0 })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// List the organisations.
#[utoipa::path(operation_id = "list_organisations", get, path = "/api/v1/organisations", tag = "staff", params(Page),
    responses((status = 200, body = Listed<OrganisationView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list_organisations(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    paged: Paged,
) -> Result<Json<Listed<OrganisationView>>, Problem> {
    let leave = app
        .gate
        .authorize::<verbs::List, kinds::Organisation>(&who, Target::Kind(RecordKind::Organisation), None)
        .await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows = store::organisations(&mut look, paged.after_id()?, paged.most()).await?;
    let page = paged.page(rows, |row| row.id).try_map(|row| -> Result<OrganisationView, Problem> {
        let kind: OrganisationKind =
            row.kind.parse().map_err(|_| Problem::fault("an organisation has no kind that is known"))?;
        Ok(OrganisationView { id: OrganisationId(row.id), kind, name: row.name, founded: row.founded })
    })?;
    look.conclude(page.items.iter().map(|item| item.id.0).collect(), vec![]).await?.spend();
    Ok(Json(page))
}

/// A one-time code and what is stored of it.
pub(crate) fn enrolment_code() -> (String, [u8; 32]) {
    let code = URL_SAFE_NO_PAD.encode(random::bytes::<18>());
    let hash = Sha256::digest(code.as_bytes()).into();
    (code, hash)
}

/// Makes an empty account in a transaction that somebody else commits.
pub(super) async fn make_account(
    connection: &mut PgConnection,
    new: &NewAccount,
    now: DateTime<Utc>,
) -> Result<Option<AccountMade>, sqlx::Error> {
    let (code, hash) = enrolment_code();
    let id = AccountId::random();
    let made = store::insert_account(
        connection,
        &store::NewAccountRow {
            id,
            organisation: new.organisation,
            handle: &new.handle,
            responsible: new.responsible,
            custodian: new.custodian,
            enrolment_hash: &hash,
            enrolment_expires_at: now + ENROLMENT,
            now,
        },
    )
    .await?;
    let made = made.then_some(AccountMade { id, enrolment_code: Some(code), enrolment_expires_at: now + ENROLMENT });
    Ok(made)
}

/// Create an empty account.
#[utoipa::path(operation_id = "create_account", post, path = "/api/v1/accounts", tag = "staff", request_body = NewAccount,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = AccountMade), (status = "4XX", body = ProblemDocument)))]
pub async fn create_account(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewAccount>,
) -> Result<Answer, Problem> {
    let leave =
        app.gate.authorize::<verbs::Create, kinds::Account>(&who, Target::Kind(RecordKind::Account), None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    if !store::organisation_exists(&mut unit, new.organisation).await? {
        return Err(Problem::field("organisation", "there is no such organisation"));
    }
    let now = unit.now();
    let made = make_account(unit.sql(), &new, now)
        .await?
        .ok_or_else(|| Problem::illegal("handle_taken", "An account of this name is there already."))?;
    unit.wrote(RowKind::Account, made.id.0);
    // The code is shown once: what is remembered for a repeated request is the account without it.
    let again = AccountMade { id: made.id, enrolment_code: None, enrolment_expires_at: made.enrolment_expires_at };
    once.remember(&mut unit, &Answer::created(&again)?).await?;
    let _committed = unit.commit().await?;
    Answer::created(&made)
}

/// List the accounts.
#[utoipa::path(operation_id = "list_accounts", get, path = "/api/v1/accounts", tag = "staff", params(Page),
    responses((status = 200, body = Listed<AccountView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list_accounts(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    paged: Paged,
) -> Result<Json<Listed<AccountView>>, Problem> {
    let leave =
        app.gate.authorize::<verbs::List, kinds::Account>(&who, Target::Kind(RecordKind::Account), None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows = store::accounts(&mut look, paged.after_id()?, paged.most()).await?;
    let page = paged.page(rows, |row| row.id).map(|row| AccountView {
        id: AccountId(row.id),
        organisation: OrganisationId(row.organisation_id),
        handle: row.handle,
        enrolled: row.enrolled,
        disabled: row.disabled,
    });
    look.conclude(page.items.iter().map(|item| item.id.0).collect(), vec![]).await?.spend();
    Ok(Json(page))
}

/// Disable an account: its sessions end with the next request.
#[utoipa::path(operation_id = "disable_account", post, path = "/api/v1/accounts/{id}/disable", tag = "staff", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn disable_account(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let leave = app
        .gate
        .authorize::<verbs::Disable, kinds::Account>(&who, Target::Record(RecordKind::Account, id), None)
        .await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if !store::disable_account(&mut unit).await? {
        return Err(unit.refuse(id, Problem::absent()).await);
    }
    let _committed = unit.commit().await?;
    Answer::ok(&Made { id })
}
