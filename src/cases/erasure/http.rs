//! The routes of erasures.

use super::model::{ErasureState, ErasureView, NewErasure};
use super::store::{self, Erased};
use super::{NOT_BELIEVED, believed};
use crate::audit::unit::Unit;
use crate::cases::bars;
use crate::cases::holds;
use crate::cases::store as cases;
use crate::cases::two_persons::{self, Proposed};
use crate::guard::action::Purpose;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{CaseId, ProposalId, RecordKind};
use crate::guard::statement::Act;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, InPath, Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// Proposes that a case be erased for good. Nothing changes until a second supervisor confirms it, within seven days.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/erasures", operation_id = "propose_erasure", tag = "cases",
    params(("id" = CaseId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewErasure,
    responses(
        (status = 201, description = "Proposed; it waits for a second person.", body = ErasureView),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
        (status = 409, description = "`on_hold`: the law keeps it, with the reason; `proposed_already`.",
            body = ProblemDocument),
        (status = 422, description = "A field is not right.", body = ProblemDocument),
    ),
)]
pub async fn propose(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<NewErasure>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Erasure, case, id);
    let leave = app.gate.authorize::<verbs::Propose, kinds::Erasure>(&who, target, None).await?;
    let raw = body.raw();
    let reason = body.check()?.reason;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let Some(row) = cases::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    holds::refuse_held(&mut unit, &row).await?;
    let what = Proposed { act: Act::Erasure, about: id, account: None, reason: Some(reason) };
    let made = two_persons::propose(&mut unit, &app.policy, &row, what).await?;
    let view = ErasureView::waits(&row, &made).ok_or_else(|| Problem::fault(NOT_BELIEVED))?;
    let answer = Answer::created(&view)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Whether it is proposed that a case be erased: for those who work on it as well, who may know why it must not be.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}/erasures", operation_id = "list_proposed_erasures", tag = "cases",
    params(("id" = CaseId, Path), ("Purpose" = inline(Purpose), Header, description = "`case_work` or `supervision`")),
    responses(
        (status = 200, description = "What waits for a second person.", body = Listed<ErasureView>),
        (status = 404, description = "There is no such case for you.", body = ProblemDocument),
    ),
)]
pub async fn proposed(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
) -> Result<Json<Listed<ErasureView>>, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Erasure, case, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Erasure>(&who, target, purpose).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = cases::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    let waiting = two_persons::waiting(&mut unit, &app.policy, &row, Act::Erasure).await?;
    let items: Vec<ErasureView> = waiting.iter().filter_map(|made| ErasureView::waits(&row, made)).collect();
    for item in &items {
        unit.touch(item.id.0);
    }
    let _committed = unit.commit().await?;
    Ok(Json(Listed { items, next: None }))
}

/// Confirms as the second person that a case be erased. From now on there is no such case for anybody, and nothing of it opens.
#[utoipa::path(
    post, path = "/api/v1/cases/{id}/erasures/{erasure}/confirm", operation_id = "confirm_erasure", tag = "cases",
    params(("id" = CaseId, Path), ("erasure" = ProposalId, Path)),
    responses(
        (status = 200, description = "Erased. `GET /api/v1/erasures` says how far its keys and copies are.", body = ErasureView),
        (status = 404, description = "There is no such proposal for you.", body = ProblemDocument),
        (status = 409, description = "`on_hold`: the law keeps it, with the reason; `same_person`: you proposed it; `lapsed`: it \
            has no effect any more.", body = ProblemDocument),
    ),
)]
pub async fn confirm(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    InPath((id, erasure)): InPath<(Uuid, Uuid)>,
) -> Result<Answer, Problem> {
    let case = CaseId(id);
    let target = Target::OnCase(RecordKind::Erasure, case, id);
    let leave = app.gate.authorize::<verbs::Countersign, kinds::Erasure>(&who, target, None).await?;
    // The database counts every hold but those; and takes no session's word for which they are.
    app.eraser().disregard_planted(case).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(row) = cases::lock(&mut unit, case).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    holds::refuse_held(&mut unit, &row).await?;
    let confirmed = two_persons::confirm(&mut unit, &app.policy, &row, Act::Erasure, ProposalId(erasure)).await;
    let made = match confirmed {
        Ok(made) => made,
        Err(problem) if problem.code() == Problem::absent().code() => return Err(unit.refuse(erasure, problem).await),
        Err(problem) => return Err(problem),
    };
    let mut view = ErasureView::waits(&row, &made).ok_or_else(|| Problem::fault(NOT_BELIEVED))?;
    let barred: Vec<_> = bars::barred(&mut unit, &row).await?.into_iter().collect();
    let erased = Erased {
        id: made.id,
        case,
        number: row.number,
        organisation: row.organisation,
        reason: view.reason,
        proposed_by: made.by,
        proposed_at: made.made_at,
        note: &made.note,
        barred: &barred,
    };
    let at = unit.now();
    // By another role than this session's: the database takes no case away because a session alone says so.
    let transaction = store::transaction(&mut unit).await?;
    app.eraser().order(made.id, who.account, &transaction).await?;
    store::insert(&mut unit, &erased).await?;
    store::take_away(&mut unit, made.id, case).await?;
    let _committed = unit.commit().await?;
    view.state = ErasureState::Erasing;
    (view.lapses_at, view.confirmed_by, view.erased_at) = (None, Some(who.account), Some(at));
    Answer::ok(&view)
}

/// What is left of erased cases: number, who erased it, when, why, and how far its keys and copies are. For a supervisor the
/// squad's, for an auditor all. The highest number first.
#[utoipa::path(
    get, path = "/api/v1/erasures", operation_id = "list_erasures", tag = "cases",
    params(Page, ("Purpose" = inline(Purpose), Header, description = "`supervision` or `audit`")),
    responses(
        (status = 200, description = "A page of erasures.", body = Listed<ErasureView>),
        (status = 403, description = "Your role sees none.", body = ProblemDocument),
    ),
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    paged: Result<Paged, Problem>,
) -> Result<Json<Listed<ErasureView>>, Problem> {
    let target = Target::Kind(RecordKind::Erasure);
    let leave = app.gate.authorize::<verbs::List, kinds::Erasure>(&who, target, purpose).await?;
    let paged = paged?;
    let before = paged.before()?;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows = store::erasures(&mut look, before, paged.limit + 1).await?;
    let Listed { items: rows, next } = paged.page(rows, |row| row.number);
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(believed(&mut look, row).await?);
    }
    look.conclude(items.iter().flat_map(|item| [item.id.0, item.case.0]).collect(), vec![]).await?.spend();
    Ok(Json(Listed { items, next }))
}
