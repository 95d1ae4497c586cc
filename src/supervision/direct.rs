//! A supervisor names the duty officer who is to take a notice.

use super::model::{Directed, NewDirection};
use super::store;
use crate::audit::unit::Unit;
use crate::guard::action::Verb;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{NoticeId, RecordKind};
use crate::notices;
use crate::notices::model::NoticeState;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::platform::random;
use axum::extract::State;

/// Directs a notice that waits to a duty officer. It stands in everybody's list at the desk with that name; its clock goes
/// on. Whoever is named last counts.
#[utoipa::path(
    post, path = "/api/v1/notices/{id}/direct", operation_id = "direct_notice", tag = "work",
    params(("id" = NoticeId, Path)), request_body = NewDirection,
    responses(
        (status = 200, description = "Named.", body = Directed),
        (status = 404, description = "There is no such notice for you.", body = ProblemDocument),
        (status = 409, description = "`illegal_transition`: somebody has it already.", body = ProblemDocument),
        (status = 422, description = "`account`: not a duty officer of the squad.", body = ProblemDocument),
    ),
)]
pub async fn direct(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<NewDirection>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Direction, id);
    let leave = app.gate.authorize::<verbs::Create, kinds::Direction>(&who, target, None).await?;
    let account = body.check()?.account;
    let mut unit = Unit::begin(&app.places, leave).await?;
    unit.serialise(id).await?;
    let Some(row) = notices::store::row(&mut unit, id).await? else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    if row.state() != Some(NoticeState::Sent) {
        return Err(Problem::illegal("illegal_transition", "Somebody at the desk has this notice already."));
    }
    let takes_notices = |role| app.policy.ever_does(role, RecordKind::Notice, Verb::Acknowledge);
    unit.member(account)
        .await?
        .filter(|member| member.organisation == who.organisation && takes_notices(member.role))
        .ok_or_else(|| Problem::field("account", "is not a duty officer of your squad"))?;
    let at = store::insert_direction(&mut unit, random::uuid(), account).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&Directed { notice: NoticeId(id), account, at })
}
