//! Slips: what the sender sees of a notice after handing it over. No content, not even their own.

use super::model::{AddendumContent, Slip};
use super::store;
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AddendumId, NoticeId, RecordKind};
use crate::guard::statement::SharedPurpose;
use crate::guard::store::WrapWrite;
use crate::guard::trust::Recipient;
use crate::guard::vault::{Placement, SealingKey, VaultError};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, IdempotencyKey, Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::model::Made;
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

pub(super) fn slip(row: &store::Row) -> Result<Slip, Problem> {
    Ok(Slip {
        id: NoticeId(row.id),
        number: row.number,
        state: row.state().ok_or_else(|| Problem::fault("a notice has no known state"))?,
        sent_at: row.sent_at,
        suspected_at: row.suspected_at,
        acknowledged_at: row.acknowledged_at,
        return_code: row.return_code(),
        addenda: row.addenda,
        attachments: row.attachments,
    })
}

/// List one's own slips, newest first.
#[utoipa::path(operation_id = "slip_list", get, path = "/api/v1/slips", tag = "notices", params(Page, ("Purpose" = inline(crate::guard::action::Purpose), Header)),
    responses((status = 200, body = Listed<Slip>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    page: Paged,
) -> Result<Json<Listed<Slip>>, Problem> {
    let leave = app.gate.authorize::<verbs::List, kinds::Slip>(&who, Target::Kind(RecordKind::Slip), purpose).await?;
    let before = page.before()?;
    let mut look = Look::begin(&app.places, leave).await?;
    let rows = store::slips(&mut look, before, page.limit + 1).await?;
    let slips = rows.iter().map(slip).collect::<Result<Vec<_>, _>>()?;
    let listed = page.page(slips, |slip| slip.number);
    look.conclude(listed.items.iter().map(|slip| slip.id.0).collect(), vec![]).await?.spend();
    Ok(Json(listed))
}

/// Read one slip.
#[utoipa::path(operation_id = "slip_read", get, path = "/api/v1/slips/{id}", tag = "notices",
    params(("id" = uuid::Uuid, Path), ("Purpose" = inline(crate::guard::action::Purpose), Header)),
    responses((status = 200, body = Slip), (status = "4XX", body = ProblemDocument)))]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    Stated(purpose): Stated,
) -> Result<Json<Slip>, Problem> {
    let target = Target::Record(RecordKind::Slip, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Slip>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let Some(row) = store::looked_at(&mut look).await? else { return Err(look.conclude_absent().await) };
    look.conclude(vec![id], vec![]).await?.spend();
    Ok(Json(slip(&row)?))
}

/// Append something to a notice that was handed over. It is sealed at once, and cannot be read again either.
#[utoipa::path(operation_id = "slip_append", post, path = "/api/v1/slips/{id}/addenda", tag = "notices", request_body = AddendumContent,
    params(("id" = uuid::Uuid, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn append(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    key: IdempotencyKey,
    body: Body<AddendumContent>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Slip, id);
    let leave = app.gate.authorize::<verbs::Append, kinds::Slip>(&who, target, None).await?;
    let once = key.for_body(&who, &body.raw())?;
    let content = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok(answer);
    }
    let desk = open_desk(&mut unit, id).await?.ok_or_else(Problem::absent)?;
    let addendum = AddendumId::random();
    store::insert_addendum(&mut unit, addendum).await?;
    let sealing = unit.new_key(addendum.0).await?;
    let place =
        Placement { record: addendum.0, kind: RecordKind::Slip, case: None, key_id: addendum.0, epoch: 1, version: 1 };
    unit.put(&place, &sealing, &content).await?;
    unit.insert_wraps(&desk.wraps(&sealing)?).await?;
    let answer = Answer::created(&Made { id: addendum.0 })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok(answer)
}

/// To whom is sealed what goes to the squad's desk: the day's INTAKE, and CUSTODY.
pub(crate) struct Desk {
    pub intake: Recipient,
    pub custody: Recipient,
}

impl Desk {
    /// A key, wrapped to both.
    pub(crate) fn wraps(&self, key: &SealingKey) -> Result<[WrapWrite; 2], VaultError> {
        Ok([key.wrap_to(&self.intake, None, 1, None)?, key.wrap_to(&self.custody, None, 1, None)?])
    }
}

/// The desk at which a notice lies, as long as it takes more. Nothing when there is no such notice.
///
/// # Errors
/// 409 once the squad has decided; 503 when nobody holds its intake.
pub(crate) async fn open_desk<V: Does, K: About>(unit: &mut Unit<V, K>, notice: Uuid) -> Result<Option<Desk>, Problem> {
    unit.serialise(notice).await?;
    let Some(row) = store::row(unit, notice).await? else { return Ok(None) };
    let state = row.state().ok_or_else(|| Problem::fault("a notice has no known state"))?;
    state.add_to().map_err(|error| {
        // A new contact has a clock of its own: appended to what is decided, it would wait unseen.
        Problem::illegal(
            "illegal_transition",
            format!("{error} Log a new call and hand it over, and name this number."),
        )
    })?;
    let Some(squad) = store::squad_of(unit, notice).await? else { return Ok(None) };
    let unreachable = || Problem::away("squad_not_reachable", "The squad's intake is closed. Telephone the squad.");
    let custody = unit.custody(squad).await?.ok_or_else(unreachable)?;
    let intake = unit.shared_key(squad, SharedPurpose::Intake).await?.ok_or_else(unreachable)?;
    if !unit.is_held(intake.id).await? {
        return Err(unreachable());
    }
    Ok(Some(Desk { intake: intake.recipient, custody: custody.recipient() }))
}
