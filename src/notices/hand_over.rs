//! Handing a call over: the draft dies, the notice is sealed to the squad, the operator keeps a slip.

use super::model::{HandOver, NoticeContent, NoticeState, Slip};
use super::slips::Desk;
use super::store::{self, NewNotice};
use crate::attachments;
use crate::audit::unit::Unit;
use crate::calls::model::{CallContent, CallError};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::{CallId, NoticeId, OrganisationId, RecordKind};
use crate::guard::statement::{OrganisationKind, SharedPurpose};
use crate::guard::vault::Placement;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, Once, Passage, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::extract::State;
use chrono::TimeDelta;

/// How far back a suspicion may lie: what is typed wrong must not stand at the top of the queue for ever.
const OLDEST: TimeDelta = TimeDelta::days(30);

type HandingOver = Unit<verbs::HandOver, kinds::Call>;

/// Hand a call over to the squad. It cannot be read again by the one who hands it over.
///
/// Sent again with the same `Idempotency-Key` it is answered as the first time, although the call is no longer the sender's:
/// `GET /api/v1/slips` shows what became of it since.
#[utoipa::path(operation_id = "hand_over", post, path = "/api/v1/calls/{id}/hand-over", tag = "notices", request_body = HandOver,
    params(("id" = uuid::Uuid, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Slip), (status = "4XX", body = ProblemDocument), (status = 503, body = ProblemDocument)))]
pub async fn hand_over(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<HandOver>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Call, id);
    let once = key.for_body(&who, &body.raw());
    let leave = match Once::leave_or_answer(once.as_ref().ok(), &app, &who, target).await? {
        Passage::Leave(leave) => leave,
        Passage::Instead(answer) => return Ok(answer),
    };
    let once = once?;
    let how = body.check()?;
    let mut unit: HandingOver = Unit::begin(&app.places, leave).await?;
    // Before any key is made: those are durable at once.
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let Some(draft) = crate::calls::store::draft(&mut unit).await? else {
        // The same request, sent twice, was carried out while this one waited for the draft.
        return match once.replay(&mut unit).await? {
            Some(answer) => Ok(answer),
            None => Err(unit.refuse(id, Problem::absent()).await),
        };
    };
    draft.state().hand_over().map_err(CallError::from)?;
    let suspected_at = how.suspected_at.unwrap_or(draft.opened_at);
    if suspected_at > draft.opened_at || suspected_at < draft.opened_at - OLDEST {
        return Err(Problem::field("suspected_at", "lies before the start of the call, by not more than thirty days"));
    }
    let squad = squad(&mut unit, how.squad).await?;
    let custody = unit.custody(squad).await?.ok_or_else(no_intake)?;
    let intake = unit.shared_key(squad, SharedPurpose::Intake).await?.ok_or_else(no_intake)?;
    if !unit.is_held(intake.id).await? {
        return Err(no_intake());
    }

    let notice = NoticeId::random();
    store::insert(&mut unit, &NewNotice { id: notice, squad, intake: intake.id, suspected_at }).await?;
    let sealing = unit.new_key(notice.0).await?;
    let place =
        Placement { record: notice.0, kind: RecordKind::Notice, case: None, key_id: notice.0, epoch: 1, version: 1 };
    let Some(call) = unit.fetch::<CallContent>(&[id]).await?.pop() else {
        return Err(unit.refuse(id, Problem::absent()).await);
    };
    unit.put_from(&place, &sealing, &call, |call: CallContent| NoticeContent::of(how.basis, how.leave_behind, call))
        .await?;
    let desk = Desk { intake: intake.recipient, custody: custody.recipient() };
    unit.insert_wraps(&desk.wraps(&sealing)?).await?;
    // Before the draft's key goes, under which they are sealed.
    let left =
        attachments::pass_to_notice(&mut unit, (CallId(id), notice), (how.basis, how.leave_behind), &desk).await?;
    unit.forget(id, call.key_id()).await?;
    crate::calls::store::delete_draft(&mut unit).await?;

    let row = store::row(&mut unit, notice.0).await?.ok_or_else(|| Problem::fault("a new notice is not there"))?;
    let slip = super::slips::slip(&row)?;
    debug_assert_eq!(slip.state, NoticeState::Sent);
    let answer = Answer::created(&slip)?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    left.remove(&app).await;
    Ok(answer)
}

fn no_intake() -> Problem {
    Problem::away(
        "squad_not_reachable",
        "No duty officer has opened the squad's intake in the last day. Telephone the squad now; your draft is kept.",
    )
}

/// The squad that was named, or the only one.
async fn squad(unit: &mut HandingOver, named: Option<OrganisationId>) -> Result<OrganisationId, Problem> {
    let mut founded = Vec::new();
    for squad in unit.organisations_of_kind(OrganisationKind::Squad).await? {
        let believed = unit.founding(squad).await?.is_some_and(|founding| founding.kind == OrganisationKind::Squad);
        if believed && named.is_none_or(|named| named == squad) {
            founded.push(squad);
        }
    }
    match (founded.as_slice(), named) {
        ([squad], _) => Ok(*squad),
        ([], None) => Err(no_intake()),
        _ => Err(Problem::field("squad", "names one of the founded squads")),
    }
}
