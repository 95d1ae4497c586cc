//! The duty officer's desk: the queue with its clocks, and a notice acknowledged, opened or returned.

use super::model::{
    AddendumContent, AddendumView, DEADLINE, NoticeContent, NoticeState, NoticeView, QueueRow, Return, Stands,
    escalation,
};
use super::store;
use crate::audit::unit::Unit;
use crate::cases;
use crate::guard::action::Verb;
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AddendumId, CaseId, NoticeId, OrganisationId, RecordKind};
use crate::guard::statement::SharedPurpose;
use crate::guard::vault::{self, Sealed, SealingKey};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::shared_keys;
use axum::Json;
use axum::extract::State;
use std::collections::HashMap;
use uuid::Uuid;

pub(super) fn state_of(row: &store::Row) -> Result<NoticeState, Problem> {
    row.state().ok_or_else(|| Problem::fault("a notice has no known state"))
}

/// The queue: open notices, the most urgent first. For the sender's supervisors, those that the squad returned, newest first.
#[utoipa::path(operation_id = "notice_list", get, path = "/api/v1/notices", tag = "notices",
    params(Page, ("Purpose" = inline(crate::guard::action::Purpose), Header)),
    responses((status = 200, body = Listed<QueueRow>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    paged: Paged,
) -> Result<Json<Listed<QueueRow>>, Problem> {
    let leave =
        app.gate.authorize::<verbs::List, kinds::Notice>(&who, Target::Kind(RecordKind::Notice), purpose).await?;
    let after = paged.after()?.unwrap_or([i64::MIN; 3]);
    shared_keys::renew_or_warn(&app, &who).await;
    let mut look = Look::begin(&app.places, leave).await?;
    let now = app.places.clock.now();
    let rows = store::queue(&mut look, after, paged.most()).await?;
    let page = paged.page(rows, |row| row.place().map(|number| number.to_string()).join("."));
    let page = page.try_map(|row| -> Result<QueueRow, Problem> {
        Ok(QueueRow {
            id: NoticeId(row.id),
            number: row.number,
            state: state_of(&row)?,
            sender_organisation: OrganisationId(row.sender_organisation_id),
            suspected_at: row.suspected_at,
            due_at: row.suspected_at + DEADLINE,
            escalation: escalation(row.suspected_at, row.acknowledged_at, now),
            acknowledged_at: row.acknowledged_at,
            return_code: row.return_code(),
        })
    })?;
    look.conclude(page.items.iter().map(|row| row.id.0).collect(), vec![]).await?.spend();
    Ok(Json(page))
}

/// Open a notice with its addenda.
#[utoipa::path(operation_id = "notice_read", get, path = "/api/v1/notices/{id}", tag = "notices",
    params(("id" = Uuid, Path), ("Purpose" = inline(crate::guard::action::Purpose), Header)),
    responses((status = 200, body = NoticeView), (status = "4XX", body = ProblemDocument)))]
pub async fn read(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    Stated(purpose): Stated,
) -> Result<Json<NoticeView>, Problem> {
    let target = Target::Record(RecordKind::Notice, id);
    let leave = app.gate.authorize::<verbs::Read, kinds::Notice>(&who, target, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let Some(row) = store::looked_at(&mut look).await? else { return Err(look.conclude_absent().await) };
    let case = row.case_id.map(CaseId);
    let Some(notice) = sealed::<NoticeContent>(&mut look, case, &[id]).await?.and_then(|mut found| found.pop()) else {
        return Err(look.conclude_absent().await);
    };
    let added = store::addenda(&mut look).await?;
    let ids: Vec<Uuid> = added.iter().map(|row| row.id).collect();
    let Some(mut addenda) = sealed::<AddendumContent>(&mut look, case, &ids).await? else {
        return Err(look.conclude_absent().await);
    };
    if addenda.len() != ids.len() {
        return Err(Problem::fault("an addendum is not sealed to the desk"));
    }
    let order: HashMap<Uuid, usize> = ids.iter().enumerate().map(|(i, id)| (*id, i)).collect();
    addenda.sort_by_key(|sealed| order.get(&sealed.record()).copied());

    let versions = |sealed: &Sealed<AddendumContent>| (sealed.record(), sealed.version());
    let opened_addenda: Vec<(Uuid, i64)> = addenda.iter().map(versions).collect();
    let all = [vec![(id, notice.version())], opened_addenda.clone()].concat();
    let named = all.iter().map(|(record, _)| *record).collect();
    let mut receipt = look.conclude(named, all).await?;
    let for_addenda = receipt.take(&opened_addenda);
    let content = vault::open(receipt, &who, vec![notice])?.pop().ok_or_else(Problem::absent)?;
    let texts = vault::open(for_addenda, &who, addenda)?;
    let shown = opened_addenda.iter().zip(texts).filter_map(|((record, _), opened)| {
        let added_at = added.iter().find(|row| row.id == *record)?.added_at;
        Some(AddendumView { id: AddendumId(*record), added_at, text: opened.disclose().text })
    });
    Ok(Json(NoticeView {
        id: NoticeId(id),
        number: row.number,
        state: state_of(&row)?,
        suspected_at: row.suspected_at,
        due_at: row.suspected_at + DEADLINE,
        escalation: escalation(row.suspected_at, row.acknowledged_at, app.places.clock.now()),
        case: row.case_id.map(CaseId),
        addenda: shown.collect(),
        attachments: row.attachments,
        content: content.disclose(),
    }))
}

/// Once accepted, a notice and its addenda are part of the case, and its head vouches for them. Nothing when access has
/// ended meanwhile.
async fn sealed<T>(
    look: &mut Look<verbs::Read, kinds::Notice>,
    case: Option<CaseId>,
    records: &[Uuid],
) -> Result<Option<Vec<Sealed<T>>>, Problem> {
    match case {
        Some(case) => Ok(cases::vouched(look, case, records).await?.map(|(_, sealed)| sealed)),
        None => Ok(Some(look.fetch(records).await?)),
    }
}

/// A notice with its addenda, as they lie sealed: all of them, or a fault. What is left out here would be lost unseen.
///
/// # Errors
/// A fault when one of them cannot be unwrapped.
pub(super) async fn hanging_sealed<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    notice: Uuid,
) -> Result<Vec<Sealed<serde_json::Value>>, Problem> {
    let ids = crate::staff::store::sealed_of_notice(unit, notice).await?;
    let sealed = unit.fetch(&ids).await?;
    if sealed.len() == ids.len() {
        Ok(sealed)
    } else {
        Err(Problem::fault("something on a notice is not sealed to the desk"))
    }
}

/// Acknowledge a notice: the squad has it, and its clock stops.
#[utoipa::path(operation_id = "notice_acknowledge", post, path = "/api/v1/notices/{id}/acknowledge", tag = "notices", params(("id" = Uuid, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn acknowledge(State(app): State<App>, SignedIn(who): SignedIn, Id(id): Id) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Notice, id);
    let leave = app.gate.authorize::<verbs::Acknowledge, kinds::Notice>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    unit.serialise(id).await?;
    let Some(row) = store::row(&mut unit, id).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let state =
        state_of(&row)?.acknowledge().map_err(|error| Problem::illegal("illegal_transition", error.to_string()))?;
    store::set_acknowledged(&mut unit).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&Stands { id: NoticeId(id), state })
}

/// Return a notice with a code. Its content passes to the sender's supervisor; the sender's slip shows the code.
#[utoipa::path(operation_id = "notice_give_back", post, path = "/api/v1/notices/{id}/return", tag = "notices", request_body = Return,
    params(("id" = Uuid, Path)),
    responses((status = 200, body = Stands), (status = "4XX", body = ProblemDocument)))]
pub async fn give_back(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Return>,
) -> Result<Answer, Problem> {
    let target = Target::Record(RecordKind::Notice, id);
    let leave = app.gate.authorize::<verbs::Return, kinds::Notice>(&who, target, None).await?;
    let why = body.check()?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    unit.serialise(id).await?;
    let Some(row) = store::row(&mut unit, id).await? else { return Err(unit.refuse(id, Problem::absent()).await) };
    let state =
        state_of(&row)?.give_back().map_err(|error| Problem::illegal("illegal_transition", error.to_string()))?;
    store::set_returned(&mut unit, why.code).await?;
    let hanging = hanging_sealed(&mut unit, id).await?;
    // Whose it is, is said by who sealed it: the row beside it may be changed by who holds the database.
    let notice = hanging.iter().find(|sealed| sealed.record() == id).ok_or_else(Problem::absent)?;
    let author = unit.signer(notice.author()).await?;
    let sent = author.filter(|author| {
        author.organisation.0 == row.sender_organisation_id
            && app.policy.ever_does(author.role, RecordKind::Call, Verb::HandOver)
    });
    let sender = sent.ok_or_else(|| Problem::fault("a notice is not its sender's"))?.organisation;
    let review = unit.shared_key(sender, SharedPurpose::Review).await?.ok_or_else(|| {
        Problem::away("no_review_key", "The sender's supervisor has no key in force to receive it. Telephone them.")
    })?;
    for sealed in hanging {
        let sealing = SealingKey::of(&who.keys, &sealed)?;
        let wrap = sealing.wrap_to(&review.recipient, None, sealed.epoch(), None)?;
        unit.replace_shared_wraps(sealed.key_id(), wrap).await?;
        unit.touch(sealed.record());
    }
    let _committed = unit.commit().await?;
    Answer::ok(&Stands { id: NoticeId(id), state })
}
