//! Asking who a pseudonym is, agreeing to it, and being told.

use super::model::{LASTS, NewResolution, ResolutionAgreement, ResolutionState, ResolutionView, Resolved};
use super::rules::Stated;
use super::store::{self, Somebody};
use crate::audit::entry::Pseudonyms;
use crate::audit::unit::Unit;
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{OrganisationId, RecordKind, ResolutionId};
use crate::guard::statement::{self, ResolutionStatement, StatementError, hex};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, Listed, Page, Paged, SignedIn, Stated as Why};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::credentials::shows_again;
use crate::staff::model::same_fingerprint;
use axum::Json;
use axum::extract::State;
use sqlx::PgConnection;
use uuid::Uuid;

/// What was asked about pseudonyms in one's own office, newest first. It does not say who anybody is.
#[utoipa::path(operation_id = "list_resolutions", get, path = "/api/v1/ledger/resolutions", tag = "ledger",
    params(Page, ("Purpose" = inline(Purpose), Header)),
    responses((status = 200, body = Listed<ResolutionView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Why(purpose): Why,
    page: Paged,
) -> Result<Json<Listed<ResolutionView>>, Problem> {
    let target = Target::Kind(RecordKind::Resolution);
    let leave = app.gate.authorize::<verbs::List, kinds::Resolution>(&who, target, purpose).await?;
    let before = page.before()?;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows = store::page(&mut look, who.organisation, before, page.limit + 1).await?;
    let Listed { items: rows, next } = page.page(rows, |row| row.number);
    let now = look.now();
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let (connection, trust) = look.with_trust();
        let stated = Stated::check(connection, trust, who.organisation, row).await?;
        items.extend(stated.and_then(|stated| stated.view(now)));
    }
    look.conclude(items.iter().map(|item| item.id.0).collect(), vec![]).await?.spend();
    Ok(Json(Listed { items, next }))
}

/// Ask who a pseudonym is. Another auditor of the office countersigns; then both are told, until a week from now.
#[utoipa::path(
    post, path = "/api/v1/ledger/resolutions", operation_id = "propose_resolution", tag = "ledger",
    params(("Idempotency-Key" = String, Header)), request_body = NewResolution,
    responses(
        (status = 201, description = "It waits for another auditor.", body = ResolutionView),
        (status = 403, description = "`wrong_factor`.", body = ProblemDocument),
        (status = 422, description = "`person`: no entry shows this pseudonym, or it was made under a secret that the service no longer has.",
            body = ProblemDocument),
    ),
)]
pub async fn propose(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewResolution>,
) -> Result<Answer, Problem> {
    let target = Target::Kind(RecordKind::Resolution);
    let leave = app.gate.authorize::<verbs::Propose, kinds::Resolution>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let id = ResolutionId::random();
    if let Err(problem) = shows_again(&app, &who, &new.shown).await {
        return Err(unit.refuse(id.0, problem).await);
    }
    if person_behind(&app, unit.sql(), &new.person).await?.is_none() {
        let unknown = Problem::field("person", "is no pseudonym of this ledger: copy it as the entry shows it");
        return Err(unit.refuse(id.0, unknown).await);
    }
    let now = unit.now();
    let stated = ResolutionStatement {
        resolution: id,
        organisation: who.organisation,
        person: new.person,
        reason: new.reason,
        made_at: now,
        lapses_at: now + LASTS,
    };
    let note = statement::sign(&stated, who.account, &who.keys).map_err(fault)?;
    store::insert(&mut unit, &stated, &note).await?;
    let asked = held(&mut unit, who.organisation, id.0).await?.filter(|asked| asked.signed_by == [who.account]);
    let view = asked
        .and_then(|asked| asked.view(now))
        .ok_or_else(|| Problem::fault("a resolution is not as it was signed"))?;
    let answer = Answer::created(&view)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Agree, as another auditor of the office, that a pseudonym be resolved.
#[utoipa::path(
    post, path = "/api/v1/ledger/resolutions/{id}/countersign", operation_id = "countersign_resolution", tag = "ledger",
    params(("id" = ResolutionId, Path)), request_body = ResolutionAgreement,
    responses(
        (status = 200, description = "Both may read who it is.", body = ResolutionView),
        (status = 403, description = "`wrong_factor`.", body = ProblemDocument),
        (status = 404, description = "There is no such resolution for you.", body = ProblemDocument),
        (status = 409, description = "`signed_already`: another auditor signs. `resolution_over`: it was agreed to, or has lapsed.",
            body = ProblemDocument),
    ),
)]
pub async fn countersign(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<ResolutionAgreement>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Resolution, id);
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Resolution>(&who, target, None).await?;
    let read = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    unit.serialise(id).await?;
    let Some(asked) = held(&mut unit, who.organisation, id).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    if !same_fingerprint(&read.fingerprint, &hex(&statement::fingerprint(asked.note()).map_err(fault)?)) {
        return Err(Problem::field("fingerprint", "is not that of the statement as it stands: read it again"));
    }
    let now = unit.now();
    if asked.state(now) != ResolutionState::Proposed {
        let over = "Two auditors have agreed to it already, or its week is over. Ask anew if it is still needed.";
        return Err(Problem::illegal("resolution_over", over));
    }
    if let Err(problem) = shows_again(&app, &who, &read.shown).await {
        return Err(unit.refuse(id, problem).await);
    }
    let note = statement::countersign(asked.note(), who.account, &who.keys).map_err(fault)?;
    store::agree(&mut unit, &note).await?;
    let agreed = held(&mut unit, who.organisation, id).await?.filter(|agreed| agreed.tells(who.account, now));
    let view = agreed
        .and_then(|agreed| agreed.view(now))
        .ok_or_else(|| Problem::fault("a resolution is not as it was signed"))?;
    let _committed = unit.commit().await?;
    Answer::ok(&view)
}

/// Read who it is, as one of the two who signed. Each time is an entry.
#[utoipa::path(
    get, path = "/api/v1/ledger/resolutions/{id}", operation_id = "read_resolution", tag = "ledger",
    params(("id" = ResolutionId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, body = Resolved),
        (status = 404, description = "Not signed by you, or not by two, or its week is over.", body = ProblemDocument),
    ),
)]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    Why(purpose): Why,
) -> Result<Json<Resolved>, Problem> {
    let target = Target::Record(RecordKind::Resolution, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Resolution>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let now = look.now();
    let (connection, trust) = look.with_trust();
    let agreed = match store::one(connection, who.organisation, id).await? {
        Some(row) => Stated::check(connection, trust, who.organisation, row).await?,
        None => None,
    };
    let Some(agreed) = agreed.filter(|agreed| agreed.tells(who.account, now)) else {
        return Err(look.conclude_absent().await);
    };
    let ResolutionStatement { person, lapses_at, .. } = agreed.statement;
    let found = person_behind(&app, look.sql(), &person).await?;
    let found = found.ok_or_else(|| Problem::fault("a pseudonym that was resolved leads to nobody"))?;
    let Somebody { account, handle, organisation } = found;
    look.conclude(vec![id], vec![]).await?.spend();
    Ok(Json(Resolved { person, account, handle, organisation, lapses_at }))
}

async fn held<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    office: OrganisationId,
    id: Uuid,
) -> Result<Option<Stated>, Problem> {
    let (connection, trust) = unit.with_trust();
    let Some(row) = store::one(connection, office, id).await? else { return Ok(None) };
    Ok(Stated::check(connection, trust, office, row).await?)
}

/// Whose pseudonym this is, under any of the service's secrets: everybody's are computed and compared, and the database is asked
/// for everybody, so that its statements do not say who it was.
async fn person_behind(
    app: &App,
    connection: &mut PgConnection,
    person: &str,
) -> Result<Option<Somebody>, sqlx::Error> {
    let pseudonyms = Pseudonyms::new(app.secrets.pseudonyms.clone());
    let (mut after, mut found) = (Uuid::nil(), None);
    loop {
        let some = store::everybody(connection, after).await?;
        let Some(last) = some.last() else { return Ok(found) };
        after = last.account.0;
        for somebody in some {
            if pseudonyms.ever_of(somebody.account).iter().any(|own| own == person) {
                found = Some(somebody);
            }
        }
    }
}

fn fault(error: StatementError) -> Problem {
    match error {
        StatementError::SignedAlready => {
            Problem::illegal("signed_already", "You have signed this already; another auditor signs it.")
        }
        StatementError::NotSigned | StatementError::Malformed => {
            Problem::fault("a statement about a pseudonym could not be written or read")
        }
    }
}
