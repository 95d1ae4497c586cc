//! Consents recorded, answered, read and taken back. On a case they are sealed with the person's identity, on a placement
//! with the placement.

use super::model::{
    ConsentAnswer, ConsentContent, ConsentStands, ConsentState, ConsentView, IllegalTransition, NewConsent,
    SCHEMA_VERSION, Said,
};
use super::store::{self, Place, Row};
use crate::audit::unit::Unit;
use crate::cases;
use crate::cases::document::Place as SectionPlace;
use crate::guard::action::Purpose;
use crate::guard::gate::{About, Authorized, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{CaseId, ConsentId, PlacementId, RecordKind, SubjectId};
use crate::guard::session::Who;
use crate::guard::vault::{self, Placement, Sealed, SealingKey};
use crate::placements;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, InPath, Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

type Recording = Unit<verbs::Create, kinds::Consent>;

/// A recipient's own word for the person's consent is none.
fn own_favour() -> Problem {
    Problem::illegal(
        "own_favour",
        "Nobody records a consent in favour of their own organisation: who works with the person there does.",
    )
}

fn illegal(error: &IllegalTransition) -> Problem {
    Problem::illegal("illegal_transition", error.to_string())
}

/// Record what somebody on a case was asked or said, about sections of the case.
#[utoipa::path(operation_id = "record_consent_on_case", post, path = "/api/v1/cases/{id}/persons/{person}/consents",
    tag = "consents", request_body = NewConsent,
    params(("id" = CaseId, Path), ("person" = SubjectId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = ConsentStands), (status = "4XX", body = ProblemDocument)))]
pub async fn record_on_case(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((case, person)): InPath<(Uuid, Uuid)>,
    key: IdempotencyKey,
    body: Body<NewConsent>,
) -> Result<Answer, Problem> {
    let case = CaseId(case);
    let target = Target::OnCase(RecordKind::Consent, case, person);
    let leave = app.gate.authorize::<verbs::Create, kinds::Consent>(&who, target, None).await?;
    record(&app, leave, key, body, Parent::Case(case, SubjectId(person))).await
}

/// Record what the person of a placement was asked or said.
#[utoipa::path(operation_id = "record_consent_on_placement", post, path = "/api/v1/placements/{id}/consents",
    tag = "consents", request_body = NewConsent,
    params(("id" = PlacementId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = ConsentStands), (status = "4XX", body = ProblemDocument)))]
pub async fn record_on_placement(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewConsent>,
) -> Result<Answer, Problem> {
    let target = Target::OnPlacement(RecordKind::Consent, id);
    let leave = app.gate.authorize::<verbs::Create, kinds::Consent>(&who, target, None).await?;
    record(&app, leave, key, body, Parent::Placement).await
}

/// On what a consent is recorded.
#[derive(Clone, Copy)]
enum Parent {
    Case(CaseId, SubjectId),
    Placement,
}

async fn record(
    app: &App,
    leave: Authorized<verbs::Create, kinds::Consent>,
    key: IdempotencyKey,
    body: Body<NewConsent>,
    parent: Parent,
) -> Result<Answer, Problem> {
    let once = key.for_body(leave.who(), &body.raw())?;
    let new = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    if new.expires_at.is_some_and(|end| end <= unit.now()) {
        return Err(Problem::field("expires_at", "lies in the future"));
    }
    if unit.founding(new.recipient).await?.is_none() {
        return Err(Problem::field("recipient", "is no founded organisation"));
    }
    let own = new.recipient == unit.who().organisation;
    if own && new.said == Said::Given {
        return Err(own_favour());
    }
    let (place, under) = match parent {
        Parent::Case(case, person) => on_case(&mut unit, case, person).await?,
        Parent::Placement => on_placement(&mut unit).await?,
    };
    let id = ConsentId::random();
    store::insert(&mut unit, id, &place, &new).await?;
    let content = ConsentContent {
        schema_version: SCHEMA_VERSION,
        consent: id,
        purpose: new.purpose,
        recipient: new.recipient,
        section: new.section,
        source: new.source,
        explained: new.explained,
        language: new.language,
    };
    let sealed_at = Placement { record: id.0, kind: RecordKind::Consent, version: 1, ..under.place };
    unit.put(&sealed_at, &under.key, &content).await?;
    if new.said == Said::Refused {
        store::tell_recipients(&mut unit, id).await?;
        placements::stop_sharing(&mut unit, place.case, place.person, new.recipient, new.section).await?;
    }
    if let Parent::Case(case, _) = parent {
        cases::sign_new_head(&mut unit, case).await?;
    }
    let state = match new.said {
        Said::Asked => ConsentState::Asked,
        Said::Given => ConsentState::Given,
        Said::Refused => ConsentState::Refused,
    };
    let answer = Answer::created(&ConsentStands { id, state })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// The key under which a consent is sealed: that of what it is recorded on.
struct Under {
    key: SealingKey,
    place: Placement,
}

impl Under {
    fn of(who: &Who, sealed: &Sealed<()>, case: Option<CaseId>) -> Result<Self, Problem> {
        let key = SealingKey::of(&who.keys, sealed)?;
        let place = Placement {
            record: Uuid::nil(),
            kind: RecordKind::Consent,
            case,
            key_id: key.id,
            epoch: sealed.epoch(),
            version: 1,
        };
        Ok(Self { key, place })
    }
}

async fn on_case(unit: &mut Recording, case: CaseId, person: SubjectId) -> Result<(Place, Under), Problem> {
    cases::lock_and_check(unit, case).await?;
    super::hold(unit, case, person).await?;
    let identity = SectionPlace { case, person: Some(person), kind: RecordKind::Identity };
    let Some(section) = cases::store::section_to_write(unit, &identity).await? else { return Err(Problem::absent()) };
    let sealed = unit.fetch::<()>(&[section.0]).await?.pop();
    let sealed = sealed.ok_or_else(|| Problem::fault("a section is not sealed to somebody on its case"))?;
    let under = Under::of(&unit.who(), &sealed, Some(case))?;
    Ok((Place { case, person, placement: None }, under))
}

async fn on_placement(unit: &mut Recording) -> Result<(Place, Under), Problem> {
    let row = placements::held_with_all(unit).await?;
    let sealed = unit.fetch::<()>(&[row.shown.id.0]).await?.pop().ok_or_else(Problem::absent)?;
    let under = Under::of(&unit.who(), &sealed, None)?;
    Ok((Place { case: row.case, person: row.person, placement: Some(row.shown.id) }, under))
}

/// What somebody on a case consented to and refused.
#[utoipa::path(operation_id = "list_consents_on_case", get, path = "/api/v1/cases/{id}/persons/{person}/consents",
    tag = "consents",
    params(Page, ("id" = CaseId, Path), ("person" = SubjectId, Path), ("Purpose" = inline(Purpose), Header)),
    responses((status = 200, body = Listed<ConsentView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list_on_case(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((case, person)): InPath<(Uuid, Uuid)>,
    Stated(purpose): Stated,
    paged: Result<Paged, Problem>,
) -> Result<Json<Listed<ConsentView>>, Problem> {
    let (case, person) = (CaseId(case), SubjectId(person));
    let target = Target::OnCase(RecordKind::Consent, case, person.0);
    let leave = app.gate.authorize::<verbs::List, kinds::Consent>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let page = page(&mut look, &Place { case, person, placement: None }, paged).await?;
    let ids: Vec<Uuid> = page.items.iter().map(|row| row.id.0).collect();
    let Some((_, sealed)) = cases::vouched(&mut look, case, &ids).await? else {
        return Err(look.conclude_absent().await);
    };
    shown(&app, &who, look, page, sealed).await
}

/// What the person of a placement consented to and refused, as it was recorded there.
#[utoipa::path(operation_id = "list_consents_on_placement", get, path = "/api/v1/placements/{id}/consents",
    tag = "consents", params(Page, ("id" = PlacementId, Path), ("Purpose" = inline(Purpose), Header)),
    responses((status = 200, body = Listed<ConsentView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list_on_placement(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    Stated(purpose): Stated,
    paged: Result<Paged, Problem>,
) -> Result<Json<Listed<ConsentView>>, Problem> {
    let target = Target::OnPlacement(RecordKind::Consent, id);
    let leave = app.gate.authorize::<verbs::List, kinds::Consent>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let Some(row) = placements::store::looked_at(&mut look).await? else { return Err(look.conclude_absent().await) };
    let place = Place { case: row.case, person: row.person, placement: Some(row.shown.id) };
    let page = page(&mut look, &place, paged).await?;
    let ids: Vec<Uuid> = page.items.iter().map(|row| row.id.0).collect();
    let sealed = look.fetch(&ids).await?;
    // An officer comes to a case before a colleague brings them to its placements: they see rows there, and hold no key.
    if sealed.len() != ids.len() {
        return Err(look.conclude_absent().await);
    }
    shown(&app, &who, look, page, sealed).await
}

async fn page<K: About>(
    look: &mut Look<verbs::List, K>,
    place: &Place,
    paged: Result<Paged, Problem>,
) -> Result<Listed<Row>, Problem> {
    let paged = paged?;
    let rows = store::list(look, place, paged.after_id()?, paged.most()).await?;
    Ok(paged.page(rows, |row| row.id.0))
}

async fn shown<K: About>(
    app: &App,
    who: &Arc<Who>,
    look: Look<verbs::List, K>,
    page: Listed<Row>,
    sealed: Vec<Sealed<ConsentContent>>,
) -> Result<Json<Listed<ConsentView>>, Problem> {
    if sealed.len() != page.items.len() {
        return Err(Problem::fault("a consent is not sealed to who may see it"));
    }
    let versions: Vec<(Uuid, i64)> = sealed.iter().map(|one| (one.record(), one.version())).collect();
    let mut named: Vec<Uuid> = versions.iter().map(|(record, _)| *record).collect();
    named.extend(look.authorized().record());
    let receipt = look.conclude(named, versions.clone()).await?;
    let opened = vault::open(receipt, who, sealed)?;
    let mut contents: HashMap<Uuid, ConsentContent> =
        versions.iter().zip(opened).map(|((record, _), opened)| (*record, opened.disclose())).collect();
    let now = app.places.clock.now();
    Ok(Json(page.try_map(|row| view(&row, contents.remove(&row.id.0), now))?))
}

fn view(
    row: &Row,
    content: Option<ConsentContent>,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<ConsentView, Problem> {
    let content = content.filter(|content| {
        content.schema_version == SCHEMA_VERSION
            && content.consent == row.id
            && content.purpose == row.purpose
            && content.recipient == row.recipient
            && content.section == row.section
    });
    let content = content.ok_or(vault::VaultError::Tampered)?;
    Ok(ConsentView {
        id: row.id,
        purpose: row.purpose,
        recipient: row.recipient,
        section: row.section,
        state: row.state.at(now, row.expires_at),
        source: content.source,
        explained: content.explained,
        language: content.language,
        recorded_at: row.recorded_at,
        expires_at: row.expires_at,
        ended_at: row.ended_at,
    })
}

/// The person answers what they were asked.
#[utoipa::path(operation_id = "answer_consent", post, path = "/api/v1/consents/{id}/answer", tag = "consents",
    request_body = ConsentAnswer, params(("id" = ConsentId, Path)),
    responses((status = 200, body = ConsentStands), (status = "4XX", body = ProblemDocument)))]
pub async fn answer(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<ConsentAnswer>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Consent, id);
    let leave = app.gate.authorize::<verbs::Create, kinds::Consent>(&who, target, None).await?;
    let answer = body.check()?;
    let (mut unit, row) = held(Unit::begin(&app.places, leave).await?).await?;
    let state = row.state.answer(answer.said).map_err(|error| illegal(&error))?;
    if state == ConsentState::Given && row.recipient == who.organisation {
        return Err(own_favour());
    }
    let sealed = unit.fetch::<ConsentContent>(&[id]).await?.pop().ok_or_else(Problem::absent)?;
    let key = SealingKey::of(&who.keys, &sealed)?;
    let place = Placement {
        record: id,
        kind: RecordKind::Consent,
        case: row.placement.is_none().then_some(row.case),
        key_id: sealed.key_id(),
        epoch: sealed.epoch(),
        version: sealed.version() + 1,
    };
    let source = answer.source;
    unit.put_from(&place, &key, &sealed, |content: ConsentContent| Ok(ConsentContent { source, ..content })).await?;
    store::set_state(&mut unit, &row, state).await?;
    if state == ConsentState::Refused {
        store::tell_recipients(&mut unit, row.id).await?;
        placements::stop_sharing(&mut unit, row.case, row.person, row.recipient, row.section).await?;
    }
    if row.placement.is_none() {
        cases::sign_new_head(&mut unit, row.case).await?;
    }
    let _committed = unit.commit().await?;
    Answer::ok(&ConsentStands { id: row.id, state })
}

/// The person takes back what they said. Sharing stops with this answer; nobody needs a training to write it down.
#[utoipa::path(operation_id = "withdraw_consent", post, path = "/api/v1/consents/{id}/withdraw", tag = "consents",
    params(("id" = ConsentId, Path)),
    responses((status = 200, body = ConsentStands), (status = "4XX", body = ProblemDocument)))]
pub async fn withdraw(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Consent, id);
    let leave = app.gate.authorize::<verbs::Withdraw, kinds::Consent>(&who, target, None).await?;
    let (mut unit, row) = held(Unit::begin(&app.places, leave).await?).await?;
    let state = row.state.withdraw().map_err(|error| illegal(&error))?;
    store::set_state(&mut unit, &row, state).await?;
    if row.state == ConsentState::Given {
        store::tell_recipients(&mut unit, row.id).await?;
        placements::stop_sharing(&mut unit, row.case, row.person, row.recipient, row.section).await?;
    }
    let _committed = unit.commit().await?;
    Answer::ok(&ConsentStands { id: row.id, state })
}

/// The consent that a unit is about, with everything that a sharing of the same person holds: the case first, where it is
/// recorded there, then the placements.
async fn held<V: Does>(mut unit: Unit<V, kinds::Consent>) -> Result<(Unit<V, kinds::Consent>, Row), Problem> {
    match looked_for(&mut unit).await {
        Ok(row) => Ok((unit, row)),
        // Whoever may know that it is there, and not reach it, asked for it no less.
        Err(problem) if problem.code() == Problem::absent().code() => {
            let consent = unit.id();
            Err(unit.refuse(consent, problem).await)
        }
        Err(problem) => Err(problem),
    }
}

async fn looked_for<V: Does>(unit: &mut Unit<V, kinds::Consent>) -> Result<Row, Problem> {
    let (case, person) = store::found(unit).await?.ok_or_else(Problem::absent)?;
    if cases::is_assigned(unit, case, unit.account()).await? {
        cases::lock_and_check(unit, case).await?;
    }
    super::hold(unit, case, person).await?;
    store::held(unit).await
}
