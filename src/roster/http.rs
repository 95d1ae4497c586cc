//! The routes of rosters.

use super::model::{NewShift, Roster, ShiftCancelled, ShiftView, Span, WEEK};
use super::store;
use crate::audit::unit::Unit;
use crate::guard::action::{Role, Verb};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{RecordKind, ShiftId};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, SignedIn, maybe_moment};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::sync::Arc;

/// Which time of a roster is asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Now if absent.
    #[serde(default, deserialize_with = "maybe_moment")]
    pub from: Option<DateTime<Utc>>,
    /// A week later if absent.
    #[serde(default, deserialize_with = "maybe_moment")]
    pub until: Option<DateTime<Utc>>,
}

impl FromRequestParts<App> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let asked = Query::<Self>::from_request_parts(parts, app).await;
        asked.map(|Query(asked)| asked).map_err(|_| Problem::field("query", "takes the times `from` and `until`"))
    }
}

/// The roster of one's own desk, with the times when nobody is there.
#[utoipa::path(
    get, path = "/api/v1/roster", operation_id = "read_roster", tag = "work", params(Asked),
    responses(
        (status = 200, description = "Turns and gaps.", body = Roster),
        (status = 403, description = "Your role has no roster.", body = ProblemDocument),
        (status = 422, description = "`from` or `until` is not a time.", body = ProblemDocument),
    ),
)]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    asked: Result<Asked, Problem>,
) -> Result<Json<Roster>, Problem> {
    let target = Target::Kind(RecordKind::Shift);
    let leave = app.gate.authorize::<verbs::List, kinds::Shift>(&who, target, None).await?;
    let asked = asked?;
    let starts_at = asked.from.unwrap_or_else(|| app.places.clock.now());
    let span = Span { starts_at, ends_at: asked.until.unwrap_or(starts_at + WEEK) };
    span.check_asked()?;
    let mut look = Look::begin(&app.places, leave).await?;
    let roster = Roster { shifts: store::shifts(&mut look, span).await?, gaps: store::gaps(&mut look, span).await? };
    look.conclude(roster.shifts.iter().map(|shift| shift.id.0).collect(), vec![]).await?.spend();
    Ok(Json(roster))
}

/// Whether somebody of this role is at a desk: takes calls, or notices.
fn is_at_a_desk(app: &Arc<crate::guard::policy::DecisionTable>, role: Role) -> bool {
    app.ever_does(role, RecordKind::Call, Verb::Create) || app.ever_does(role, RecordKind::Notice, Verb::Acknowledge)
}

/// Enters a turn of a colleague at the desk.
#[utoipa::path(
    post, path = "/api/v1/roster/shifts", operation_id = "enter_shift", tag = "work", request_body = NewShift,
    params(("Idempotency-Key" = String, Header)),
    responses(
        (status = 201, description = "On the roster.", body = ShiftView),
        (status = 409, description = "`already_on_shift`: they have another turn in this time.", body = ProblemDocument),
        (status = 422, description = "A field is not right; `account`: nobody of the desk.", body = ProblemDocument),
    ),
)]
pub async fn enter(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    key: IdempotencyKey,
    body: Body<NewShift>,
) -> Result<Answer, Problem> {
    let target = Target::Kind(RecordKind::Shift);
    let leave = app.gate.authorize::<verbs::Create, kinds::Shift>(&who, target, None).await?;
    let raw = body.raw();
    let new = body.check()?;
    let once = key.for_body(&who, &raw)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let span = Span { starts_at: new.starts_at, ends_at: new.ends_at };
    span.check(unit.now())?;
    unit.member(new.account)
        .await?
        .filter(|member| member.organisation == who.organisation && is_at_a_desk(&app.policy, member.role))
        .ok_or_else(|| Problem::field("account", "is not a colleague of yours at the desk"))?;
    unit.serialise(new.account.0).await?;
    if store::is_there(&mut unit, new.account, span).await? {
        return Err(Problem::illegal("already_on_shift", "They have another turn in this time. Nothing was stored."));
    }
    let id = ShiftId::random();
    store::insert(&mut unit, id, new.account, span).await?;
    let answer = Answer::created(&ShiftView { id, account: new.account, span })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// Takes a turn off the roster.
#[utoipa::path(
    delete, path = "/api/v1/roster/shifts/{id}", operation_id = "cancel_shift", tag = "work",
    params(("id" = ShiftId, Path)),
    responses(
        (status = 200, description = "Off the roster.", body = ShiftCancelled),
        (status = 404, description = "There is no such turn for you.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`: it is off already.", body = ProblemDocument),
    ),
)]
pub async fn cancel(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
) -> Result<Json<ShiftCancelled>, Problem> {
    let target = Target::Record(RecordKind::Shift, id);
    let leave = app.gate.authorize::<verbs::Close, kinds::Shift>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if !store::cancel(&mut unit).await? {
        return Err(Problem::illegal("illegal_transition", "This turn is off the roster already."));
    }
    let _ = unit.commit().await?;
    Ok(Json(ShiftCancelled { id: ShiftId(id) }))
}
