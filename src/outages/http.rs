//! The routes of outages: one proposes, another agrees, and either can end it.

use super::model::{NewOutage, OutageAgreement, OutageList, OutageState, OutageView};
use super::store::{self, OutageRow};
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::outage::{Proposed, Reader, Signers};
use crate::guard::record::{OrganisationId, OutageId, RecordKind};
use crate::guard::statement::{self, OutageStatement, hex};
use crate::guard::store::organisation_of_outage;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::credentials::shows_again;
use crate::staff::model::same_fingerprint;
use axum::Json;
use axum::extract::State;
use chrono::TimeDelta;
use sqlx::PgConnection;
use uuid::Uuid;

/// The most outages that a list shows.
const LIST: i64 = 100;

/// The newest outages, and what the ledger lacks now.
#[utoipa::path(
    get, path = "/api/v1/outages", operation_id = "list_outages", tag = "ledger",
    responses((status = 200, body = OutageList), (status = "4XX", body = ProblemDocument)),
)]
pub async fn list(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Json<OutageList>, Problem> {
    let leave = app.gate.authorize::<verbs::List, kinds::Outage>(&who, Target::Kind(RecordKind::Outage), None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows = store::newest(&mut look, LIST).await?;
    let mut items = Vec::with_capacity(rows.len());
    let (connection, trust) = look.with_trust();
    let reader = Reader { trust, policy: &app.policy, signers: Signers::Ever };
    for row in rows {
        items.extend(view(&app, reader, connection, row).await?);
    }
    look.conclude(items.iter().map(|item| item.id.0).collect(), vec![]).await?.spend();
    Ok(Json(OutageList { lacks: app.places.ledger.lacks(), items }))
}

/// An outage as it stands; nothing for what nobody has signed who may.
async fn view(
    app: &App,
    reader: Reader<'_>,
    connection: &mut PgConnection,
    row: OutageRow,
) -> Result<Option<OutageView>, Problem> {
    let now = app.places.clock.now();
    let Some(Proposed { stated, might: true, .. }) = reader.proposed(connection, &row.note).await? else {
        return Ok(None);
    };
    let agreed = match row.agreed_at {
        Some(_) => reader.agreed(connection, &row.note).await?,
        None => None,
    };
    let agreed_by = agreed.filter(|outage| outage.might).map(|outage| outage.agreed_by);
    if stated.outage.0 != row.id || agreed_by.is_none() != row.agreed_at.is_none() {
        return Ok(None);
    }
    let state = match agreed_by {
        _ if row.ended_at.is_some() => OutageState::Ended,
        _ if stated.until <= now || app.places.outages.is_over(stated.outage) => OutageState::Lapsed,
        Some(_) if app.places.outages.is_open(stated.outage) => OutageState::Open,
        Some(_) => OutageState::Signed,
        None => OutageState::Proposed,
    };
    Ok(Some(OutageView {
        id: stated.outage,
        organisation: stated.organisation,
        state,
        lacks: stated.lacks,
        reason: stated.reason,
        proposed_by: stated.proposed_by,
        agreed_by,
        from: stated.from,
        until: stated.until,
        ended_by: row.ended_by,
        ended_at: row.ended_at,
        fingerprint: hex(&statement::fingerprint(&row.note).map_err(|_| unsigned())?),
        statement: row.note,
    }))
}

/// The target of whoever wants to do something with an outage: where there is none, a record that is not there.
async fn target(app: &App, id: Uuid) -> Result<Target, Problem> {
    let mut connection = app.databases.app.acquire().await?;
    let organisation = organisation_of_outage(&mut connection, id).await?.unwrap_or(OrganisationId(Uuid::nil()));
    Ok(Target::OfOrganisation(RecordKind::Outage, organisation.0, id))
}

fn unsigned() -> Problem {
    Problem::fault("an outage could not be signed")
}

/// Propose that the assigned and duty readers of your organisation go on, in spite of what the ledger lacks.
#[utoipa::path(
    post, path = "/api/v1/outages", operation_id = "propose_outage", tag = "ledger",
    params(("Idempotency-Key" = String, Header)), request_body = NewOutage,
    responses(
        (status = 201, description = "It opens nothing yet. Telephone a supervisor or an auditor, and read the fingerprint to them.",
            body = OutageView),
        (status = 403, description = "`wrong_factor`.", body = ProblemDocument),
        (status = 404, description = "Your role proposes no outage.", body = ProblemDocument),
        (status = 409, description = "`nothing_lacks`: the process that answered does not lack all that is named.", body = ProblemDocument),
        (status = 422, description = "`lacks`, `reason` or `hours`.", body = ProblemDocument),
    ),
)]
pub async fn propose(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewOutage>,
) -> Result<Answer, Problem> {
    let own = who.organisation;
    let target = Target::OfOrganisation(RecordKind::Outage, own.0, own.0);
    let leave = app.gate.authorize::<verbs::Propose, kinds::Outage>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let lacks = new.lacks();
    // One that is signed while all is well would lie there for whoever makes the ledger fall behind.
    let lacking = app.places.ledger.lacks();
    if !lacks.iter().all(|lack| lacking.contains(lack)) {
        let well = "The process that answered does not lack all of this. Read; if that is refused, propose again what it is refused for.";
        return Err(unit.refuse(own.0, Problem::illegal("nothing_lacks", well)).await);
    }
    if let Err(problem) = shows_again(&app, &who, &new.shown).await {
        return Err(unit.refuse(own.0, problem).await);
    }
    let now = unit.now();
    let stated = OutageStatement {
        outage: OutageId::random(),
        organisation: own,
        lacks,
        reason: new.reason,
        proposed_by: who.account,
        from: now,
        until: now + TimeDelta::hours(i64::from(new.hours)),
    };
    let note = statement::sign(&stated, who.account, &who.keys).map_err(|_| unsigned())?;
    store::insert(&mut unit, &stated, &note).await?;
    let row = OutageRow { id: stated.outage.0, note, agreed_at: None, ended_at: None, ended_by: None };
    // Exactly what every process will check.
    let (connection, _) = unit.with_trust();
    let view = view(&app, app.places.outages.reader(), connection, row).await?.ok_or_else(unsigned)?;
    let answer = Answer::created(&view)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Agree to an outage that somebody else proposed: a supervisor of the organisation, or an auditor.
#[utoipa::path(
    post, path = "/api/v1/outages/{id}/countersign", operation_id = "countersign_outage", tag = "ledger",
    params(("id" = OutageId, Path)), request_body = OutageAgreement,
    responses(
        (status = 200, description = "`open`: those readers go on, within two seconds everywhere. `signed`: not yet here.", body = OutageView),
        (status = 403, description = "`wrong_factor`.", body = ProblemDocument),
        (status = 404, description = "There is no such outage for you.", body = ProblemDocument),
        (status = 409, description = "`signed_already`: somebody else agrees. `not_waiting`: propose it anew. `nothing_lacks`: the ledger is well.",
            body = ProblemDocument),
        (status = 422, description = "`fingerprint`: read it again.", body = ProblemDocument),
    ),
)]
pub async fn countersign(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<OutageAgreement>,
) -> Result<Answer, Problem> {
    let target = target(&app, id).await?;
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Outage>(&who, target, None).await?;
    let read = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = store::hold(&mut unit).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let (now, reader) = (unit.now(), app.places.outages.reader());
    let (connection, _) = unit.with_trust();
    let waits = view(&app, reader, connection, row).await?.filter(|view| view.state == OutageState::Proposed);
    let Some(waits) = waits else {
        let anew = "It waits for nobody any more, or whoever proposed it may not now. Propose it anew.";
        return Err(unit.refuse(id, Problem::illegal("not_waiting", anew)).await);
    };
    if waits.proposed_by == who.account {
        let other = "You proposed this yourself: somebody else agrees, or nobody. Nothing was opened.";
        return Err(unit.refuse(id, Problem::illegal("signed_already", other)).await);
    }
    if !same_fingerprint(&read.fingerprint, &waits.fingerprint) {
        return Err(Problem::field("fingerprint", "is not that of the statement as it stands: read it again"));
    }
    // It may have come right while they telephoned.
    let lacking = app.places.ledger.lacks();
    if !waits.lacks.iter().any(|lack| lacking.contains(lack)) {
        let well = "The process that answered lacks none of this any more, and opens records. Nothing was opened.";
        return Err(unit.refuse(id, Problem::illegal("nothing_lacks", well)).await);
    }
    if let Err(problem) = shows_again(&app, &who, &read.shown).await {
        return Err(unit.refuse(id, problem).await);
    }
    let note = statement::countersign(&waits.statement, who.account, &who.keys).map_err(|_| unsigned())?;
    store::agree(&mut unit, waits.id, &note).await?;
    let (connection, _) = unit.with_trust();
    let row = OutageRow { id, note, agreed_at: Some(now), ended_at: None, ended_by: None };
    let mut shown = view(&app, reader, connection, row).await?.ok_or_else(unsigned)?;
    let _committed = unit.commit().await?;
    look_at_once(&app).await;
    if app.places.outages.is_open(shown.id) {
        shown.state = OutageState::Open;
    }
    Answer::ok(&shown)
}

/// End an outage before its time: from then on it opens nothing, and never again.
#[utoipa::path(
    post, path = "/api/v1/outages/{id}/close", operation_id = "close_outage", tag = "ledger",
    params(("id" = OutageId, Path)),
    responses(
        (status = 200, description = "It is over, within two seconds everywhere.", body = OutageView),
        (status = 404, description = "There is no such outage for you.", body = ProblemDocument),
        (status = 409, description = "`not_open`: it is over already.", body = ProblemDocument),
    ),
)]
pub async fn close(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = target(&app, id).await?;
    let leave = app.gate.authorize::<verbs::Close, kinds::Outage>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = store::hold(&mut unit).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let (connection, trust) = unit.with_trust();
    let reader = Reader { trust, policy: &app.policy, signers: Signers::Ever };
    let open = view(&app, reader, connection, row).await?;
    // Also one whose end only this process has seen: another may read by it.
    let now = unit.now();
    let Some(open) = open.filter(|view| view.ended_at.is_none() && now < view.until) else {
        return Err(unit.refuse(id, Problem::illegal("not_open", "It is over already, and opens nothing.")).await);
    };
    let ended_at = store::end(&mut unit, open.id).await?;
    app.places.outages.end(open.id).await;
    let _committed = unit.commit().await?;
    look_at_once(&app).await;
    Answer::ok(&OutageView { state: OutageState::Ended, ended_by: Some(who.account), ended_at: Some(ended_at), ..open })
}

/// This replica knows at once, the others when they look.
async fn look_at_once(app: &App) {
    if let Err(error) = app.places.outages.look().await {
        tracing::warn!(%error, "outages were not looked at to the end");
    }
}
