//! The routes of calls. Each asks the gate first, then looks at what was sent, then at the record.

use super::content::CallContent;
use super::model::{
    CallClosed, CallClosing, CallError, CallOpened, CallOutcome, CallSave, CallSaved, CallState, CallSummary, CallView,
    NewCall, SHIFT,
};
use super::store::NewCallRow;
use super::{rules, seal, store};
use crate::audit::unit::Unit;
use crate::guard::action::Purpose;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{CallId, RecordKind};
use crate::guard::vault::{self, Sealed, SealingKey, VaultError};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, IfMatch, Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{FieldProblem, Problem, ProblemDocument};
use crate::tasks::call_back;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use uuid::Uuid;

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Illegal(step) if step.from.is_draft() => {
                Self::illegal("triage_first", format!("Say first what kind of call it is: {step}. Nothing was stored."))
            }
            CallError::Illegal(step) => {
                Self::illegal("illegal_transition", format!("Not now: {step}. Nothing was stored."))
            }
            CallError::AskFirst => Self::field("content.safe_to_talk", "ask first whether it is safe to talk"),
            CallError::TakenBack(field) => {
                Self::field(field, "was given before, so it may be changed but not left out")
            }
            CallError::TooMuch(fields) => {
                let message = "is not kept of a call of this kind: leave it out";
                let named = |field: &str| FieldProblem { field: field.to_owned(), message: message.to_owned() };
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "A field is not right. Nothing was stored.")
                    .with_fields(fields.into_iter().map(named).collect())
            }
        }
    }
}

/// Opens a call, or finishes it at once when it is silent, abusive or not about trafficking.
#[utoipa::path(
    post, path = "/api/v1/calls", tag = "calls", request_body = NewCall,
    params(("Idempotency-Key" = String, Header, description = "New for each new call")),
    responses(
        (status = 201, description = "Stored", body = CallOpened, headers(("ETag" = String))),
        (status = 409, description = "The same request is being carried out", body = ProblemDocument),
        (status = 422, description = "A field is not right", body = ProblemDocument),
    )
)]
pub async fn open(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewCall>,
) -> Result<impl IntoResponse, Problem> {
    let leave = app.gate.authorize::<verbs::Create, kinds::Call>(&who, Target::Kind(RecordKind::Call), None).await?;
    let raw = body.raw();
    let content = body.check()?.content;
    let once = key.for_body(&who, &raw)?;
    let state = rules::opened(&content)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let holders = seal::holders(&app.policy, &mut unit).await?;
    let (id, opened_at) = (CallId::random(), unit.now());
    let finished = !state.is_draft();
    let expires_at = if finished { opened_at } else { opened_at + SHIFT };
    let closed_at = finished.then_some(opened_at);
    let row = NewCallRow { id, organisation: who.organisation, state, opened_at, expires_at, closed_at };
    store::insert(&mut unit, &row).await?;
    let key = unit.new_key(id.0).await?;
    let place = seal::placement(id, 1);
    if finished {
        unit.put(&place, &key, &content).await?;
        seal::hold_for_review(&mut unit, &key, &holders).await?;
    } else {
        seal::hold_for_shift(&mut unit, &key, &holders, expires_at).await?;
        unit.put(&place, &key, &content).await?;
    }
    let answer = Answer::created(&CallOpened { id, state, version: 1, opened_at, expires_at })?.version(1);
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// The operator's own calls (`Purpose: intake`), or those to be reviewed (`Purpose: supervision`); newest first.
#[utoipa::path(
    get, path = "/api/v1/calls", tag = "calls",
    params(Page, ("Purpose" = Purpose, Header, description = "`intake` or `supervision`")),
    responses(
        (status = 200, description = "States and times, and nothing that was said", body = Listed<CallSummary>),
        (status = 422, description = "A field is not right", body = ProblemDocument),
    )
)]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    paged: Result<Paged, Problem>,
) -> Result<impl IntoResponse, Problem> {
    let leave = app.gate.authorize::<verbs::List, kinds::Call>(&who, Target::Kind(RecordKind::Call), purpose).await?;
    let paged = paged?;
    let before = opened_before(&paged)?;
    let mut look = Look::begin(&app.places, leave).await?;
    let most = paged.limit + 1;
    let found = match purpose {
        Some(Purpose::Intake) => store::own(&mut look, before, most).await?,
        _ => store::to_review(&mut look, before, most).await?,
    };
    let page = paged.page(found, |call| call.opened_at.timestamp_micros());
    let named: Vec<Uuid> = page.items.iter().map(|call| call.id.0).collect();
    look.conclude(named, vec![]).await?.spend();
    Ok(Json(page))
}

fn opened_before(paged: &Paged) -> Result<Option<DateTime<Utc>>, Problem> {
    match paged.before()? {
        i64::MAX => Ok(None),
        micros => DateTime::from_timestamp_micros(micros)
            .filter(|_| micros >= 0)
            .map(Some)
            .ok_or_else(|| Problem::field("cursor", "is not one of ours")),
    }
}

/// Reads a call: the operator their own draft, a supervisor what was closed or abandoned.
#[utoipa::path(
    get, path = "/api/v1/calls/{id}", tag = "calls",
    params(("id" = CallId, Path), ("Purpose" = Purpose, Header, description = "`intake` or `supervision`")),
    responses(
        (status = 200, description = "The call", body = CallView, headers(("ETag" = String))),
        (status = 404, description = "There is no such call for you", body = ProblemDocument),
    )
)]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let target = Target::Record(RecordKind::Call, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Call>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let found = store::call(&mut look).await?;
    let sealed = match look.fetch::<CallContent>(&[id]).await {
        // Handed over between the row and its key: absent like any other, with its entry. Otherwise the row is there still.
        Err(VaultError::Erased) if store::call(&mut look).await?.is_none() => Vec::new(),
        fetched => fetched?,
    };
    let (Some(call), Some(version)) = (found, sealed.first().map(Sealed::version)) else {
        return Err(look.conclude_absent().await);
    };
    let receipt = look.conclude(vec![id], vec![(id, version)]).await?;
    let opened = vault::open(receipt, &who, sealed)?.pop().ok_or_else(Problem::absent)?;
    let view = CallView {
        id: call.id,
        state: call.state,
        version,
        opened_at: call.opened_at,
        expires_at: call.expires_at,
        content: opened.disclose(),
    };
    Ok(([(header::ETAG, format!("\"{version}\""))], Json(view)))
}

/// Saves the whole content of a draft, as often as the operator likes. Its state follows from the content.
#[utoipa::path(
    put, path = "/api/v1/calls/{id}", tag = "calls", request_body = CallSave,
    params(("id" = CallId, Path), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses(
        (status = 200, description = "Stored", body = CallSaved, headers(("ETag" = String))),
        (status = 404, description = "There is no such draft of yours", body = ProblemDocument),
        (status = 409, description = "The call's state does not allow it", body = ProblemDocument),
        (status = 412, description = "Somebody saved meanwhile", body = ProblemDocument),
        (status = 422, description = "A field is not right", body = ProblemDocument),
        (status = 428, description = "If-Match is missing", body = ProblemDocument),
    )
)]
pub async fn save(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    if_match: IfMatch,
    body: Body<CallSave>,
) -> Result<impl IntoResponse, Problem> {
    let target = Target::Record(RecordKind::Call, id);
    let leave = app.gate.authorize::<verbs::Write, kinds::Call>(&who, target, None).await?;
    let content = body.check()?.content;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(draft) = store::draft(&mut unit).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let Some(sealed) = unit.fetch::<CallContent>(&[id]).await?.pop() else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    if_match.check(sealed.version())?;
    let state = rules::saved(draft.state(), &content)?;
    let version = sealed.version() + 1;
    let key = SealingKey::of(&who.keys, &sealed)?;
    unit.put(&seal::placement(CallId(id), version), &key, &content).await?;
    stored(store::set_state(&mut unit, &draft, state).await?)?;
    let _committed = unit.commit().await?;
    Ok(Answer::ok(&CallSaved { id: CallId(id), state, version })?.version(version))
}

/// Finishes a triaged call that is not handed over. From here on its operator does not read it; a supervisor may. With
/// `callback_scheduled` the operator keeps how to call back, as a task.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/close", tag = "calls", request_body = CallClosing,
    params(("id" = CallId, Path)),
    responses(
        (status = 200, description = "Finished", body = CallClosed),
        (status = 404, description = "There is no such draft of yours", body = ProblemDocument),
        (status = 409, description = "It was not said yet what kind of call it is", body = ProblemDocument),
        (status = 422, description = "A field is not right", body = ProblemDocument),
    )
)]
pub async fn close(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<CallClosing>,
) -> Result<impl IntoResponse, Problem> {
    let target = Target::Record(RecordKind::Call, id);
    let leave = app.gate.authorize::<verbs::Close, kinds::Call>(&who, target, None).await?;
    let CallClosing { outcome, call_back_at } = body.check()?;
    if call_back_at.is_some() && outcome != CallOutcome::CallbackScheduled {
        return Err(Problem::field("call_back_at", "goes with the outcome `callback_scheduled`"));
    }
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(draft) = store::draft(&mut unit).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let state: CallState = draft.state().finished(outcome).map_err(CallError::from)?;
    let closed_at = unit.now();
    stored(store::finish(&mut unit, state, closed_at).await?)?;
    let task = if outcome == CallOutcome::CallbackScheduled {
        let call = unit.fetch::<CallContent>(&[id]).await?.pop();
        let call = call.ok_or_else(|| Problem::fault("a draft is not sealed to its operator"))?;
        Some(call_back::make(&app.policy, &mut unit, &call, call_back_at).await?)
    } else {
        None
    };
    seal::pass_to_review(&mut unit).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&CallClosed { id: CallId(id), state, closed_at, task })
}

/// The draft is locked by this unit, so its row is there.
fn stored(done: bool) -> Result<(), Problem> {
    if done { Ok(()) } else { Err(Problem::fault("a locked draft is gone")) }
}
