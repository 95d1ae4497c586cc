//! One section: read with its version, replaced whole by who read that version.

use super::document::{Content, Document, NewDocument, OF_CASE, OF_PERSON, Place};
use super::model::SectionStored;
use super::states::ProsecutionStage;
use super::{head, renewal, store};
use crate::audit::unit::Unit;
use crate::guard::action::{Purpose, Relation, Verb};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::{Glance, Look};
use crate::guard::policy::Decision;
use crate::guard::record::{AccountId, CaseId, RecordKind, SectionId, SubjectId};
use crate::guard::session::{self, Presented, Who};
use crate::guard::store::{Notes, VisitedSection};
use crate::guard::trust::Trust;
use crate::guard::vault::{self, Placement, Sealed, SealingKey};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, IfMatch, InPath, Shown, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;

/// A section, opened for the person who asked.
#[derive(Serialize, ToSchema)]
pub struct SectionView {
    pub id: SectionId,
    pub kind: RecordKind,
    /// To be sent back in `If-Match`; also the `ETag`.
    pub version: i64,
    pub schema_version: u16,
    /// Whether the reader may replace it too.
    pub writable: bool,
    pub content: Content,
}

/// The kind that a path names, if it stands at this level. Any other word goes to the gate as a kind that is no section:
/// it is refused and recorded like a section that somebody may not see.
fn kind_at(level: &[RecordKind], word: &str) -> RecordKind {
    word.parse().ok().filter(|kind| level.contains(kind)).unwrap_or(RecordKind::Case)
}

pub(crate) fn of_case(case: Uuid, word: &str) -> Place {
    Place { case: CaseId(case), person: None, kind: kind_at(&OF_CASE, word) }
}

pub(crate) fn of_person(case: Uuid, person: Uuid, word: &str) -> Place {
    Place { case: CaseId(case), person: Some(SubjectId(person)), kind: kind_at(&OF_PERSON, word) }
}

/// The gate is asked before it is known whether there is such a section: the person or the case stands for it.
pub(crate) fn target(place: &Place) -> Target {
    Target::OnCase(place.kind, place.case, place.person.map_or(place.case.0, |person| person.0))
}

/// A section of the case as a whole: `narrative`, `legal` or `investigation`.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/sections/{kind}", operation_id = "read_case_section", tag = "cases",
    params(("id" = CaseId, Path), ("kind" = RecordKind, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "The section; `ETag` is its version.", body = SectionView),
        (status = 404, description = "There is no such section for the reader.", body = ProblemDocument),
    ),
)]
pub async fn read_of_case(
    State(app): State<App>,
    Shown(presented): Shown,
    Stated(purpose): Stated,
    path: Result<InPath<(Uuid, String)>, Problem>,
) -> Result<Response, Problem> {
    let place = path.map(|InPath((case, kind))| of_case(case, &kind));
    read(&app, presented, purpose, place).await
}

/// A person's section: `identity` or `contact_and_safety`.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/persons/{person}/sections/{kind}", operation_id = "read_person_section", tag = "cases",
    params(
        ("id" = CaseId, Path), ("person" = SubjectId, Path), ("kind" = RecordKind, Path),
        ("Purpose" = inline(Purpose), Header),
    ),
    responses(
        (status = 200, description = "The section; `ETag` is its version.", body = SectionView),
        (status = 404, description = "There is no such section for the reader.", body = ProblemDocument),
    ),
)]
pub async fn read_of_person(
    State(app): State<App>,
    Shown(presented): Shown,
    Stated(purpose): Stated,
    path: Result<InPath<(Uuid, Uuid, String)>, Problem>,
) -> Result<Response, Problem> {
    let place = path.map(|InPath((case, person, kind))| of_person(case, person, &kind));
    read(&app, presented, purpose, place).await
}

async fn read(
    app: &App,
    presented: Presented,
    purpose: Option<Purpose>,
    place: Result<Place, Problem>,
) -> Result<Response, Problem> {
    let (visits, trust) = (&app.places.visits, &app.places.trust);
    let place = match place {
        Ok(place) => place,
        Err(problem) => {
            // Who asks comes first, whatever is asked for.
            session::enter(visits, trust, presented).await?;
            return Err(problem);
        }
    };
    let person = place.person.map(|person| person.0);
    let visit = session::visit(visits, trust, presented, place.case, person, place.kind).await?;
    let who = &Arc::new(visit.who);
    let gate = &app.gate;
    let leave = gate.authorize_found::<verbs::Read, kinds::Section>(who, target(&place), purpose, visit.found).await?;
    let relation = leave.relation();
    let glance = Glance::new(&app.places, leave);
    let as_visited = as_visited(trust, &glance, &place, visit.section, app.places.clock.now()).await;
    let (id, receipt, sealed) = if let Some((id, sealed)) = as_visited {
        let version = (sealed.record(), sealed.version());
        (id, glance.conclude(vec![id.0], vec![version]).await?, vec![sealed])
    } else {
        let mut look = glance.look().await?;
        let Some((id, sealed)) = looked_up(&mut look, &place).await? else {
            return Err(look.conclude_absent().await);
        };
        let versions = sealed.iter().map(|sealed| (sealed.record(), sealed.version())).collect();
        (id, look.conclude(vec![id.0], versions).await?, sealed)
    };
    let opened = vault::open(receipt, who, sealed)?.pop().ok_or_else(Problem::absent)?;
    let version = opened.version();
    let content = Content::read(opened.disclose(), &place)?;
    let schema_version = super::document::SCHEMA_VERSION;
    let writable = app.policy.decide(who.role(), relation, place.kind, Verb::Write, None) == Decision::Allow;
    let view = SectionView { id, kind: place.kind, version, schema_version, writable, content };
    Ok(([(header::ETAG, format!("\"{version}\""))], Json(view)).into_response())
}

/// The section as the visit found it, if all of it agrees. Whatever does not (nothing there, a write in between, an author
/// who is not believed, a key that is gone) is looked at again, and told from there.
async fn as_visited(
    trust: &Trust,
    glance: &Glance<verbs::Read, kinds::Section>,
    place: &Place,
    section: Option<VisitedSection>,
    now: DateTime<Utc>,
) -> Option<(SectionId, Sealed<Document>)> {
    let VisitedSection { organisation, epoch, head, signer, author, row } = section?;
    let believed = |account, notes: &Notes| {
        trust.member_of_notes(account, notes.founding.as_deref(), notes.membership.as_deref()).ok()
    };
    let (signer, author) = (believed(head.signer, &signer)?, believed(AccountId(row.author), &author)?);
    let (case, id) = (place.case, SectionId(row.record_id));
    let (number, note, vouch) = (head.number, head.note, head.vouch);
    let head = store::HeadRow { case, organisation, epoch, number, note, signer: head.signer, vouch };
    let head = head::believed_of(trust, &head, &signer).ok()?;
    let sealed = glance.take::<Document>(row, &author).await.ok()?;
    if head::vouches(&head, &[id.0], &sealed, now) { Some((id, sealed.into_iter().next()?)) } else { None }
}

/// The same, under the session and with everything that may happen in between.
async fn looked_up(
    look: &mut Look<verbs::Read, kinds::Section>,
    place: &Place,
) -> Result<Option<(SectionId, Vec<Sealed<Document>>)>, Problem> {
    let Some(id) = store::section_to_read(look, place).await? else { return Ok(None) };
    // Let in for other sections: no key of this one was given to them, and that is as it should be.
    let for_some = look.authorized().relation() == Relation::Emergency;
    if for_some && !store::readable(look, place.case).await?.contains(&id.0) {
        return Ok(None);
    }
    Ok(head::vouched::<Document, _, _>(look, place.case, &[id.0]).await?.map(|(_, sealed)| (id, sealed)))
}

/// Replaces a section of the case. The whole content is sent.
#[utoipa::path(
    put, path = "/api/v1/cases/{id}/sections/{kind}", operation_id = "write_case_section", tag = "cases",
    params(("id" = CaseId, Path), ("kind" = RecordKind, Path), ("If-Match" = String, Header)),
    request_body = Content,
    responses(
        (status = 200, description = "Stored; `ETag` is the new version.", body = SectionStored),
        (status = 404, description = "There is no such section for the writer.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`: the prosecution does not take this step.",
            body = ProblemDocument),
        (status = 412, description = "Somebody changed it meanwhile.", body = ProblemDocument),
        (status = 422, description = "A field is not right.", body = ProblemDocument),
        (status = 428, description = "`If-Match` is missing.", body = ProblemDocument),
    ),
)]
pub async fn write_of_case(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((case, kind)): InPath<(Uuid, String)>,
    if_match: IfMatch,
    request: Request,
) -> Result<Answer, Problem> {
    write(&app, &who, of_case(case, &kind), &if_match, request).await
}

/// Replaces a person's section. The whole content is sent.
#[utoipa::path(
    put, path = "/api/v1/cases/{id}/persons/{person}/sections/{kind}", operation_id = "write_person_section", tag = "cases",
    params(
        ("id" = CaseId, Path), ("person" = SubjectId, Path), ("kind" = RecordKind, Path),
        ("If-Match" = String, Header),
    ),
    request_body = Content,
    responses(
        (status = 200, description = "Stored; `ETag` is the new version.", body = SectionStored),
        (status = 404, description = "There is no such section for the writer.", body = ProblemDocument),
        (status = 412, description = "Somebody changed it meanwhile.", body = ProblemDocument),
        (status = 422, description = "A field is not right.", body = ProblemDocument),
        (status = 428, description = "`If-Match` is missing.", body = ProblemDocument),
    ),
)]
pub async fn write_of_person(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((case, person, kind)): InPath<(Uuid, Uuid, String)>,
    if_match: IfMatch,
    request: Request,
) -> Result<Answer, Problem> {
    write(&app, &who, of_person(case, person, &kind), &if_match, request).await
}

async fn write(
    app: &App,
    who: &Arc<Who>,
    place: Place,
    if_match: &IfMatch,
    request: Request,
) -> Result<Answer, Problem> {
    let leave = app.gate.authorize::<verbs::Write, kinds::Section>(who, target(&place), None).await?;
    let content = sent(app, place.kind, request).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let checked = head::lock(&mut unit, place.case).await?;
    let Some(id) = store::section_to_write(&mut unit, &place).await? else { return Err(Problem::absent()) };
    let read = checked.lines.iter().find(|line| line.head.record == id.0).map(|line| line.head.version);
    // Before a pending epoch is completed, which makes a new version of everything that nobody has read yet.
    if_match.check(read.ok_or_else(|| Problem::fault("a section is not on its case's head"))?)?;
    let case = renewal::complete(&mut unit, checked).await?;
    let sealed = unit.fetch::<Document>(&[id.0]).await?.pop();
    let sealed = sealed.ok_or_else(|| Problem::fault("a section is not sealed to somebody on its case"))?;
    if place.kind == RecordKind::Investigation
        && let Err(illegal) = ProsecutionStage::check(stated_stage(who, &sealed, &place)?, content.stage())
    {
        let version = sealed.version();
        drop(unit);
        return Err(tell_stage(app, who, &place, (id, version), illegal.into()).await);
    }
    let key = SealingKey::of(&who.keys, &sealed)?;
    let version = sealed.version() + 1;
    let placement = Placement {
        record: id.0,
        kind: place.kind,
        case: Some(place.case),
        key_id: key.id,
        epoch: case.epoch,
        version,
    };
    unit.put(&placement, &key, &NewDocument::new(&place, &content)).await?;
    head::sign_new_head(&mut unit, place.case).await?;
    let answer = Answer::ok(&SectionStored { id, kind: place.kind, version })?.version(version);
    let _ = unit.commit().await?;
    Ok(answer)
}

/// The content that was sent, read as the kind in its address: only after the gate has let the writer through.
async fn sent(app: &App, kind: RecordKind, request: Request) -> Result<Content, Problem> {
    Ok(match kind {
        RecordKind::Identity => Content::Identity(Body::<Box<_>>::from_request(request, app).await?.check()?),
        RecordKind::ContactAndSafety => {
            Content::ContactAndSafety(Body::<Box<_>>::from_request(request, app).await?.check()?)
        }
        RecordKind::Narrative => Content::Narrative(Body::<Box<_>>::from_request(request, app).await?.check()?),
        RecordKind::Legal => Content::Legal(Body::<Box<_>>::from_request(request, app).await?.check()?),
        RecordKind::Investigation => Content::Investigation(Body::<Box<_>>::from_request(request, app).await?.check()?),
        _ => return Err(Problem::absent()),
    })
}

/// The stage that the investigation states now. It does not leave this unit; see [`tell_stage`].
fn stated_stage(who: &Who, sealed: &Sealed<Document>, place: &Place) -> Result<Option<ProsecutionStage>, Problem> {
    let plain = vault::decrypt(&who.keys, sealed)?;
    let document: Document = serde_json::from_slice(&plain).map_err(|_| vault::VaultError::Shape)?;
    Ok(Content::read(document, place)?.stage())
}

/// A refusal that names the stage discloses it, so it is a read: let through, entered, and closed like one, before it is told.
async fn tell_stage(
    app: &App,
    who: &Arc<Who>,
    place: &Place,
    (id, version): (SectionId, i64),
    illegal: Problem,
) -> Problem {
    let read = async {
        let purpose = Some(Purpose::CaseWork);
        let leave = app.gate.authorize::<verbs::Read, kinds::Section>(who, target(place), purpose).await?;
        Look::begin(&app.places, leave).await?.conclude(vec![id.0], vec![(id.0, version)]).await
    };
    match read.await {
        Ok(receipt) => {
            receipt.spend();
            illegal
        }
        Err(refused) => refused,
    }
}
