//! Who is to answer for an organisation is proposed by one of the two who do, and signed by those who may.

use super::draft::{Before, draft, fault, is_current};
use super::model::{NewSuccession, SuccessionSignature, SuccessionState, SuccessionView};
use super::store::{self, Proposed, SuccessionRow};
use crate::audit::unit::Unit;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{OrganisationId, RecordKind, SuccessionId};
use crate::guard::statement::{self, FoundingStatement};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, InPath, Listed, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::credentials::shows_again;
use crate::staff::model::same_fingerprint;
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// The most that a list shows.
const LIST: i64 = 50;

pub(super) fn target(organisation: Uuid, id: Uuid) -> Target {
    Target::OfOrganisation(RecordKind::Succession, organisation, id)
}

/// The foundings that follow an organisation's first, in force or waiting; newest first.
#[utoipa::path(
    get, path = "/api/v1/organisations/{id}/successions", operation_id = "list_successions", tag = "staff",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = Listed<SuccessionView>),
        (status = 404, description = "You have no part in it.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
) -> Result<Json<Listed<SuccessionView>>, Problem> {
    let leave = app.gate.authorize::<verbs::List, kinds::Succession>(&who, target(id, id), None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let (connection, trust) = look.with_trust();
    let Some(before) = Before::of(trust, connection, OrganisationId(id)).await? else {
        return Err(look.conclude_absent().await);
    };
    let (rows, now) = (store::successions(&mut look, LIST).await?, app.places.clock.now());
    let mut items: Vec<_> = rows.into_iter().filter_map(|row| before.view(&app.places.trust, row, now)).collect();
    items.sort_by(|one, other| other.made_at.cmp(&one.made_at).then(one.id.0.cmp(&other.id.0)));
    look.conclude(items.iter().map(|item| item.id.0).collect(), vec![]).await?.spend();
    Ok(Json(Listed { items, next: None }))
}

/// Propose who is to answer for the organisation, as one of the two who do.
#[utoipa::path(
    post, path = "/api/v1/organisations/{id}/successions", operation_id = "propose_succession", tag = "staff",
    params(("id" = Uuid, Path), ("Idempotency-Key" = String, Header)), request_body = NewSuccession,
    responses(
        (status = 201, description = "It waits for signatures and its pin.", body = SuccessionView),
        (status = 403, description = "`wrong_factor`.", body = ProblemDocument),
        (status = 404, description = "You do not answer for such an organisation.", body = ProblemDocument),
        (status = 422, description = "`responsible`.", body = ProblemDocument),
    ),
)]
pub async fn propose(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewSuccession>,
) -> Result<Answer, Problem> {
    let leave = app.gate.authorize::<verbs::Propose, kinds::Succession>(&who, target(id, id), None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    if let Err(problem) = shows_again(&app, &who, &new.shown).await {
        return Err(unit.refuse(id, problem).await);
    }
    unit.serialise(id).await?;
    let (connection, trust) = unit.with_trust();
    let Some(before) = Before::of(trust, connection, OrganisationId(id)).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let mut two = new.responsible;
    two.sort_unstable();
    let two = match *two.as_slice() {
        [first, second] if first != second => [first, second],
        _ => return Err(Problem::field("responsible", "names two different people")),
    };
    if before.founding.responsible() == two {
        return Err(Problem::field("responsible", "names the two of today"));
    }
    let stated = draft(&mut unit, &before, two).await?;
    if stated.members.iter().filter(|member| member.responsible).count() != 2 {
        return Err(Problem::field("responsible", "names an account that is no admitted member of this organisation"));
    }
    let Some(own) = &stated.succession else { return Err(Problem::fault("a founding follows nothing")) };
    let note = statement::sign(&stated, who.account, &who.keys).map_err(fault)?;
    let row = SuccessionRow {
        id: own.succession.0,
        number: own.number,
        note,
        made_at: stated.made_at,
        declined_at: None,
        followed_at: None,
        proposed_by: Some(who.account.0),
    };
    let proposed = Proposed {
        id: own.succession,
        organisation: stated.organisation,
        number: own.number,
        two,
        note: &row.note,
        made_at: row.made_at,
        lapses_at: own.lapses_at,
    };
    store::decline_earlier(&mut unit, stated.organisation).await?;
    store::insert(&mut unit, &proposed).await?;
    let now = unit.now();
    let view = before.view(&app.places.trust, row, now);
    // Exactly what the others will be shown: somebody whose keys are not those of the founding signs nothing here.
    let view = view.ok_or_else(|| Problem::fault("a founding that follows is not as it was signed"))?;
    let answer = Answer::created(&view)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Sign it: as one of the two of today, as one of the two who are to answer, or as a custodian in the place of one who cannot.
#[utoipa::path(
    post, path = "/api/v1/organisations/{id}/successions/{succession}/countersign", operation_id = "countersign_succession",
    tag = "staff", params(("id" = Uuid, Path), ("succession" = SuccessionId, Path)), request_body = SuccessionSignature,
    responses(
        (status = 200, body = SuccessionView),
        (status = 403, description = "`wrong_factor`.", body = ProblemDocument),
        (status = 404, description = "There is no such founding for you to sign.", body = ProblemDocument),
        (status = 409, description = "`signed_already`: the others sign. `succession_moved_on`: propose it anew.",
            body = ProblemDocument),
    ),
)]
pub async fn countersign(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, succession)): InPath<(Uuid, Uuid)>,
    body: Body<SuccessionSignature>,
) -> Result<Answer, Problem> {
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Succession>(&who, target(id, succession), None).await?;
    let read = body.check()?;
    let (organisation, succession) = (OrganisationId(id), SuccessionId(succession));
    let mut unit = Unit::begin(&app.places, leave).await?;
    unit.serialise(id).await?;
    let (connection, trust) = unit.with_trust();
    let before = Before::of(trust, connection, organisation).await?;
    let row = store::waiting(&mut unit, organisation, succession).await?;
    let (Some(before), Some(mut row)) = (before, row) else {
        return Err(unit.refuse(succession.0, Problem::absent()).await);
    };
    let stated: FoundingStatement = statement::unverified(&row.note).map_err(fault)?;
    if !before.may_sign(&stated, who.account) {
        return Err(unit.refuse(succession.0, Problem::absent()).await);
    }
    if !same_fingerprint(&read.fingerprint, &statement::hex(&statement::fingerprint(&row.note).map_err(fault)?)) {
        return Err(Problem::field("fingerprint", "is not that of the statement as it stands: read it again"));
    }
    let now = unit.now();
    // Nobody signs a list of members that is not the one that the service itself would write.
    if !is_current(&mut unit, &before, &stated).await? {
        return Err(unit.refuse(succession.0, super::follow::moved_on()).await);
    }
    let signed = statement::countersign(&row.note, who.account, &who.keys).map_err(fault)?;
    row.note.clone_from(&signed);
    let view = before.view(&app.places.trust, row, now).filter(|view| view.state == SuccessionState::Proposed);
    let Some(view) = view else { return Err(super::follow::moved_on()) };
    if !view.signed_by.contains(&who.account) {
        return Err(Problem::fault("a signature on a founding is not by the keys that are known"));
    }
    if let Err(problem) = shows_again(&app, &who, &read.shown).await {
        return Err(unit.refuse(succession.0, problem).await);
    }
    store::sign(&mut unit, succession, &signed).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&view)
}
