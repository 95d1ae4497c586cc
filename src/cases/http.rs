//! Cases themselves: the list, one case, its state, and the persons on it.

use super::document::{Content, OF_CASE, OF_PERSON, Place};
use super::model::{CaseDetail, CaseView, NewPerson, PersonListed, PersonMade, SectionListed, StateChange};
use super::sections::{ContactAndSafety, Identity};
use super::{assignments, head, opening, renewal, store, team};
use crate::audit::unit::Unit;
use crate::guard::action::{Purpose, Relation, Verb};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::policy::Decision;
use crate::guard::record::{CaseId, RecordKind, SectionId, SubjectId};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, IfMatch, Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// One's own cases, or, for the purpose of supervision, the squad's: clear rows, newest first.
#[utoipa::path(
    get, path = "/api/v1/cases", operation_id = "list_cases", tag = "cases",
    params(Page, ("Purpose" = inline(Purpose), Header, description = "`case_work` or `supervision`")),
    responses(
        (status = 200, description = "A page of cases.", body = Listed<CaseView>),
        (status = 403, description = "The role lists no cases.", body = ProblemDocument),
        (status = 422, description = "No purpose, or a cursor that is none.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    paged: Paged,
) -> Result<Json<Listed<CaseView>>, Problem> {
    let target = Target::Kind(RecordKind::Case);
    let leave = app.gate.authorize::<verbs::List, kinds::Case>(&who, target, purpose).await?;
    let (before, limit) = (paged.before()?, paged.limit + 1);
    let mut look = Look::begin(&app.places, leave).await?;
    let cases: Vec<CaseView> = if purpose == Some(Purpose::Supervision) {
        let supervised = store::supervised_cases(&mut look, before, limit).await?;
        supervised.iter().map(|case| CaseView::of(case, Relation::SupervisorOf)).collect()
    } else {
        let own = store::own_cases(&mut look, before, limit).await?;
        own.iter().map(|(case, relation)| CaseView::of(case, (*relation).into())).collect()
    };
    let page = paged.page(cases, |case| case.number);
    look.conclude(page.items.iter().map(|case| case.id.0).collect(), vec![]).await?.spend();
    Ok(Json(page))
}

/// One case: who is on it, its persons, and every kind of section, whether or not it holds anything.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}", operation_id = "read_case", tag = "cases",
    params(("id" = CaseId, Path), ("Purpose" = inline(Purpose), Header)),
    responses(
        (status = 200, description = "The case. The `ETag` is the version of its state.", body = CaseDetail,
            headers(("ETag" = String))),
        (status = 404, description = "There is no such case for the reader.", body = ProblemDocument),
    ),
)]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Case, case, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Case>(&who, target, purpose).await?;
    let relation = leave.relation();
    let mut look = Look::begin(&app.places, leave).await?;
    // Before the row: what changes in between makes the version too old, never too new.
    let standing = store::standing(look.sql(), case).await?;
    let (Some(row), Some(mut version)) = (store::case(&mut look, case).await?, standing) else {
        return Err(look.conclude_absent().await);
    };
    let access = store::access_list(&mut look, case).await?;
    let people = store::persons(&mut look, case).await?;
    let mut made = store::sections(&mut look, case).await?;
    let for_some = if relation == Relation::Emergency { Some(store::readable(&mut look, case).await?) } else { None };
    if let Some(held) = &for_some {
        made.retain(|(id, _)| held.contains(&id.0));
    }
    let for_some = for_some.is_some();
    let list = |person: Option<SubjectId>, kinds: &[RecordKind]| -> Vec<SectionListed> {
        let readable = |kind| app.policy.decide(who.role(), relation, kind, Verb::Read, purpose) == Decision::Allow;
        kinds.iter().map(|kind| listed(readable(*kind), for_some, &made, Place { case, person, kind: *kind })).collect()
    };
    let persons: Vec<PersonListed> =
        people.into_iter().map(|id| PersonListed { id, sections: list(Some(id), &OF_PERSON) }).collect();
    let mut detail = CaseDetail { case: CaseView::of(&row, relation), access, sections: list(None, &OF_CASE), persons };
    let instructed =
        relation == Relation::Assigned && store::has_assignments(&mut look, case, app.places.clock.now()).await?;
    look.conclude(named(&detail), vec![]).await?.spend();
    if instructed {
        // What is carried out now is seen at the next look. It must not keep anybody from the case.
        assignments::carry_out_or_warn(&app, &who, case).await;
    }
    if row.epoch_pending && relation == Relation::Assigned {
        detail.case.epoch_pending = !renewal::complete_pending_epoch(&app, &who, case).await?;
        version += i64::from(!detail.case.epoch_pending);
    }
    Ok(Answer::ok(&detail)?.version(version))
}

/// A section as it is listed: what the policy says of its kind, and its id only to who may open it; who was let in for some
/// sections opens those and no others.
fn listed(readable: bool, for_some: bool, made: &[(SectionId, Place)], place: Place) -> SectionListed {
    let id = made.iter().find(|(_, at)| *at == place).map(|(id, _)| *id).filter(|_| readable);
    SectionListed { kind: place.kind, id, readable: readable && (id.is_some() || !for_some) }
}

/// Every record that the answer names.
fn named(detail: &CaseDetail) -> Vec<Uuid> {
    let sections = |list: &[SectionListed]| list.iter().filter_map(|section| section.id).map(|id| id.0).collect();
    let mut named: Vec<Uuid> = sections(&detail.sections);
    named.push(detail.case.id.0);
    for person in &detail.persons {
        named.push(person.id.0);
        named.extend::<Vec<Uuid>>(sections(&person.sections));
    }
    named
}

/// Takes a case from one state to another: open ⇄ `follow_up` → closed → open. `If-Match` is the `ETag` with which the case was
/// read: what a colleague did to its state meanwhile is not undone unseen. Their notes and sections have versions of their own.
#[utoipa::path(
    patch, path = "/api/v1/cases/{id}", operation_id = "change_case_state", tag = "cases",
    params(("id" = CaseId, Path), ("If-Match" = String, Header)),
    request_body = StateChange,
    responses(
        (status = 200, description = "The case in its new state.", body = CaseView, headers(("ETag" = String))),
        (status = 404, description = "There is no such case for the writer.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`: the state does not allow it.", body = ProblemDocument),
        (status = 412, description = "`changed_meanwhile`: read the case again.", body = ProblemDocument),
        (status = 422, description = "A field is not right.", body = ProblemDocument),
        (status = 428, description = "`If-Match` is missing.", body = ProblemDocument),
    ),
)]
pub async fn change_state(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    if_match: IfMatch,
    body: Body<StateChange>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Case, case, id);
    let leave = app.gate.authorize::<verbs::Write, kinds::Case>(&who, target, None).await?;
    let relation = leave.relation();
    let change = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let checked = head::lock(&mut unit, case).await?;
    // Before its keys are made anew: that counts as a change of the row as well.
    if_match.check(store::standing(unit.sql(), case).await?.ok_or_else(Problem::absent)?)?;
    let mut row = renewal::complete(&mut unit, checked).await?;
    let before = row.state;
    row.state = before.become_next(change.state)?;
    if let Some(turn) = before.turn(row.state) {
        unit.turns(case, turn);
    }
    let version = store::set_state(&mut unit, case, row.state).await?;
    head::sign_new_head(&mut unit, case).await?;
    let _ = unit.commit().await?;
    Ok(Answer::ok(&CaseView::of(&row, relation))?.version(version))
}

/// Adds a person to a case, with their sections.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/persons", operation_id = "add_person_to_case", tag = "cases",
    params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewPerson,
    responses(
        (status = 201, description = "The person's id.", body = PersonMade),
        (status = 404, description = "There is no such case for the writer.", body = ProblemDocument),
        (status = 422, description = "A field is not right.", body = ProblemDocument),
    ),
)]
pub async fn add_person(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewPerson>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Person, case, id);
    let leave = app.gate.authorize::<verbs::Create, kinds::Person>(&who, target, None).await?;
    let raw = body.raw();
    let new = body.check()?;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let row = head::lock_and_check(&mut unit, case).await?;
    let team = team::members(&mut unit, &row).await?;
    let person = SubjectId::random();
    store::insert_person(&mut unit, case, person).await?;
    let identity = Identity { category: Some(new.category), ..Identity::default() };
    let contents =
        [Content::Identity(Box::new(identity)), Content::ContactAndSafety(Box::<ContactAndSafety>::default())];
    let contents = contents.into_iter().map(|content| (Some(person), content)).collect();
    opening::make_sections(&mut unit, &row, &team, contents).await?;
    head::sign_new_head(&mut unit, case).await?;
    unit.touch(person.0);
    let answer = Answer::created(&PersonMade { id: person })?;
    once.remember(&mut unit, &answer).await?;
    let _ = unit.commit().await?;
    Ok(answer)
}
