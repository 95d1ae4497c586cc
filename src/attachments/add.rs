//! Adding: a file is received first, and then stored with its record in one unit. What is acknowledged is durable, bytes
//! and row; what comes to nothing leaves no row, and its bytes and their key are removed.

use super::incoming::Incoming;
use super::model::{AttachmentMade, File, MOST, On, SCHEMA_VERSION};
use super::on;
use super::receive::{Received, receive};
use super::sink;
use super::store::{self, NewRow};
use super::told::Told;
use crate::audit::unit::{OUTCOME_UNKNOWN, Unit};
use crate::calls;
use crate::cases::{self, hanging};
use crate::guard::gate::{Authorized, kinds, verbs};
use crate::guard::record::{AttachmentId, ObjectId, RecordKind, SectionId};
use crate::guard::session::Who;
use crate::guard::vault::{Placement, SealingKey};
use crate::notices::{self, Desk};
use crate::platform::app::App;
use crate::platform::config::Patience;
use crate::platform::http::{Answer, IdempotencyKey, Once, still_signed_in};
use crate::platform::objects::{self as stored, Objects};
use crate::platform::problem::Problem;
use axum::extract::Request;
use axum::http::HeaderMap;
use std::sync::Arc;
use uuid::Uuid;

type Leave = Authorized<verbs::Append, kinds::Attachment>;
type Adding = Unit<verbs::Append, kinds::Attachment>;

/// The store of objects, where there is one.
pub(super) fn objects(app: &App) -> Result<&Objects, Problem> {
    app.objects.as_ref().ok_or_else(|| Problem::away("attachments_off", "This service was set up without attachments."))
}

/// Receives a file and hangs it on something.
///
/// # Errors
/// As the gate refuses; 4xx for what is not taken, by what is wrong with it; 503 when a store does not answer.
pub(super) async fn add(
    app: &App,
    who: &Arc<Who>,
    on: On,
    key: IdempotencyKey,
    request: Request,
) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    let patience = app.objects.as_ref().map_or_else(Patience::default, |objects| objects.limits.patience.clone());
    let mut incoming = Incoming::of(&parts.headers, body, patience);
    let added = received(app, who, on, &key, &parts.headers, &mut incoming).await;
    if added.is_err() {
        incoming.drain().await;
    }
    added
}

async fn received(
    app: &App,
    who: &Arc<Who>,
    on: On,
    key: &IdempotencyKey,
    headers: &HeaderMap,
    incoming: &mut Incoming,
) -> Result<Answer, Problem> {
    let leave = on::may_add(app, who, on).await?;
    // Whatever can be refused without the file is refused before it is sent; the key once more with what was sent.
    key.for_body(who, b"")?;
    let told = Told::of(headers)?;
    let objects = objects(app)?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let Some(_) = place(&mut unit, on).await? else { return Err(unit.refuse(on.id(), Problem::absent()).await) };
    drop(unit);

    let received = receive(&app.places.erasure, objects, who.account, &told, incoming).await?;
    let object = received.object;
    match hung(app, who, on, key, headers, told, received).await {
        Ok((answer, Kept::Stored)) => Ok(answer),
        // It may have been stored: then the bytes must stay. If not, they are swept.
        Err(problem) if problem.code() == OUTCOME_UNKNOWN => Err(problem),
        other => {
            discard(app, objects, object).await;
            other.map(|(answer, _)| answer)
        }
    }
}

/// Hangs what was received where it belongs. Much may have happened in a quarter of an hour: who asks is found out anew, and
/// the gate is asked again.
async fn hung(
    app: &App,
    who: &Arc<Who>,
    on: On,
    key: &IdempotencyKey,
    headers: &HeaderMap,
    told: Told,
    received: Received,
) -> Result<(Answer, Kept), Problem> {
    let who = still_signed_in(app, who, headers).await?;
    let sent = format!("{}\0{}\0{}", told.name, told.media_type, received.sha256());
    let once = key.for_body(&who, sent.as_bytes())?;
    let leave = on::may_add(app, &who, on).await?;
    store(app, leave, on, told, received, &once).await
}

/// Removes what was received for nothing. What is left behind is swept.
async fn discard(app: &App, objects: &Objects, object: ObjectId) {
    sink::forget(&app.places.erasure, object).await;
    remove(objects, object).await;
}

/// Removes an object whose key was erased.
pub(super) async fn remove(objects: &Objects, object: ObjectId) {
    if let Err(error) = objects.remove(object).await {
        tracing::warn!(why = stored::kind(&error), "an object that nobody needs is swept later");
    }
}

/// Whether the bytes that were received are in use now.
enum Kept {
    Stored,
    /// The same request was carried out before.
    Replayed,
}

/// What an attachment is sealed under, where it hangs.
enum Under {
    /// The draft's own key: it passes with the draft to whoever reviews it, and dies with it.
    Draft(SealingKey),
    /// A key of its own, for the squad's desk: the sender cannot open what was sent.
    Desk(Desk),
    Section(hanging::Under),
}

impl Under {
    fn section(&self) -> Option<SectionId> {
        if let Self::Section(under) = self { Some(under.section) } else { None }
    }
}

/// Finds the place in a unit, locked until it ends, if one more fits there. Nothing when there is no such place for the
/// person any more.
async fn place(unit: &mut Adding, on: On) -> Result<Option<Under>, Problem> {
    let under = match on {
        On::Call(id) => {
            if calls::store::draft(unit).await?.is_none() {
                return Ok(None);
            }
            let Some(draft) = unit.fetch::<()>(&[id.0]).await?.pop() else { return Ok(None) };
            Some(Under::Draft(SealingKey::of(&unit.who().keys, &draft)?))
        }
        On::Notice(id) => notices::open_desk(unit, id.0).await?.map(Under::Desk),
        On::Section(place) => hanging::under(unit, &place).await?.map(Under::Section),
    };
    let Some(under) = under else { return Ok(None) };
    let there = under.section().map_or_else(|| on.id(), |section| section.0);
    if store::count(unit, there).await? >= MOST {
        let why = format!("{MOST} attachments hang there, the most that may. Nothing was stored.");
        return Err(Problem::illegal("too_many", why));
    }
    Ok(Some(under))
}

async fn store(
    app: &App,
    leave: Leave,
    on: On,
    told: Told,
    received: Received,
    once: &Once,
) -> Result<(Answer, Kept), Problem> {
    let mut unit = Unit::begin(&app.places, leave).await?;
    if let Some(answer) = once.replay(&mut unit).await? {
        return Ok((answer, Kept::Replayed));
    }
    let Some(under) = place(&mut unit, on).await? else {
        return Err(unit.refuse(on.id(), Problem::absent()).await);
    };
    let (id, object) = (AttachmentId::random(), received.object);
    let row = NewRow { id, on, section: under.section(), object, digest: received.digest.to_vec() };
    store::insert(&mut unit, &row).await?;
    let file = File {
        schema_version: SCHEMA_VERSION,
        on,
        name: told.name,
        media_type: received.media_type,
        stored: received.stored,
        received: received.came_in,
        object,
        key: received.key,
        author: unit.account(),
        added_at: unit.now(),
    };
    match &under {
        Under::Draft(key) => {
            unit.put(&placement(id, key.id), key, &file).await?;
        }
        Under::Desk(desk) => {
            let key = unit.new_key(id.0).await?;
            unit.put(&placement(id, id.0), &key, &file).await?;
            unit.insert_wraps(&desk.wraps(&key)?).await?;
        }
        Under::Section(under) => {
            let On::Section(place) = on else { return Err(Problem::fault("a section that is none")) };
            let sealed = Placement { case: Some(place.case), epoch: under.epoch, ..placement(id, under.key.id) };
            unit.put(&sealed, &under.key, &file).await?;
            cases::sign_new_head(&mut unit, place.case).await?;
        }
    }
    let answer = Answer::created(&AttachmentMade { id })?;
    once.remember(&mut unit, &answer).await?;
    let _committed = unit.commit().await?;
    Ok((answer, Kept::Stored))
}

/// Where the record of an attachment is sealed outside a case.
pub(super) fn placement(id: AttachmentId, key_id: Uuid) -> Placement {
    Placement { record: id.0, kind: RecordKind::Attachment, case: None, key_id, epoch: 1, version: 1 }
}
