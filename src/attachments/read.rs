//! Reading: what hangs somewhere is listed with its names, or one of it is given out. Both open its record, against a
//! receipt that the entry is durable.

use super::add::objects;
use super::model::{AttachmentView, File, On, SCHEMA_VERSION};
use super::store::{self, Row};
use super::{give, on};
use crate::cases::{self, hanging};
use crate::guard::action::Purpose;
use crate::guard::gate::{Does, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::AttachmentId;
use crate::guard::session::Who;
use crate::guard::vault::{self, Sealed, VaultError};
use crate::platform::app::App;
use crate::platform::http::{Client, Listed};
use crate::platform::problem::Problem;
use axum::Json;
use axum::response::Response;
use std::sync::Arc;
use uuid::Uuid;

/// What hangs there, each with its name: there are never so many that pages are needed.
///
/// # Errors
/// As the gate refuses; a fault when something is not as it was sealed.
pub(super) async fn list(
    app: &App,
    who: &Arc<Who>,
    purpose: Option<Purpose>,
    on: On,
) -> Result<Json<Listed<AttachmentView>>, Problem> {
    let leave = on::may_read::<verbs::List>(app, who, on, on.id(), purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let Some((rows, sealed)) = fetch(&mut look, on, None).await? else { return Err(look.conclude_absent().await) };
    let named = if rows.is_empty() { vec![on.id()] } else { rows.iter().map(|row| row.id).collect() };
    let mut items = Vec::with_capacity(rows.len());
    let mut files = open(look, who, named, sealed, on).await?;
    for row in &rows {
        let file = take(&mut files, row)?;
        items.push(AttachmentView::of(AttachmentId(row.id), file));
    }
    Ok(Json(Listed { items, next: None }))
}

/// One of it, as an opaque stream.
///
/// # Errors
/// As the gate refuses; a fault when record or bytes are not as they were sealed.
pub(super) async fn content(
    app: &App,
    who: &Arc<Who>,
    purpose: Option<Purpose>,
    on: On,
    attachment: Uuid,
    client: Client,
) -> Result<Response, Problem> {
    let leave = on::may_read::<verbs::Read>(app, who, on, attachment, purpose).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    let found = fetch(&mut look, on, Some(AttachmentId(attachment))).await?;
    let Some((rows, sealed)) = found.filter(|(rows, _)| !rows.is_empty()) else {
        return Err(look.conclude_absent().await);
    };
    let mut files = open(look, who, vec![attachment], sealed, on).await?;
    let row = rows.first().ok_or_else(Problem::absent)?;
    let file = take(&mut files, row)?;
    let key = file.key.content_key(&app.places.erasure, file.object).await?;
    let reader = give::Reader { account: who.account, until: who.expires_at, clock: app.places.clock.clone(), client };
    give::answer(objects(app)?, file, key, &row.digest, reader).await
}

/// The rows, and what is sealed of each. Nothing when what they hang on is not there for the person any more.
async fn fetch<V: Does>(
    look: &mut Look<V, kinds::Attachment>,
    on: On,
    one: Option<AttachmentId>,
) -> Result<Option<(Vec<Row>, Vec<Sealed<File>>)>, Problem> {
    let (there, case) = match on {
        On::Call(id) => (id.0, None),
        On::Notice(id) => (id.0, store::case_of_notice(look, id.0).await?),
        On::Section(place) => match hanging::section(look, &place).await? {
            Some(section) => (section.0, Some(place.case)),
            None => return Ok(None),
        },
    };
    let rows = store::hanging(look, there, one).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let sealed = match case {
        // Once a notice is accepted, the head of the case vouches for what hangs on it.
        Some(case) => match cases::vouched(look, case, &ids).await? {
            Some((_, sealed)) => sealed,
            None => return Ok(None),
        },
        None => match look.fetch(&ids).await {
            // Handed over between the rows and their keys.
            Err(VaultError::Erased) if matches!(on, On::Call(_)) && !store::is_call(look, there).await? => {
                return Ok(None);
            }
            fetched => fetched?,
        },
    };
    if sealed.len() == rows.len() {
        let gone = rows.is_empty() && matches!(on, On::Call(_)) && !store::is_call(look, there).await?;
        return Ok((!gone).then_some((rows, sealed)));
    }
    // Passed on between the two: then the person opens none of it any more.
    if sealed.is_empty() { Ok(None) } else { Err(Problem::fault("an attachment is not sealed like what it hangs on")) }
}

async fn open<V: Does>(
    look: Look<V, kinds::Attachment>,
    who: &Arc<Who>,
    named: Vec<Uuid>,
    sealed: Vec<Sealed<File>>,
    on: On,
) -> Result<Vec<(Uuid, File)>, Problem> {
    let versions: Vec<(Uuid, i64)> = sealed.iter().map(|sealed| (sealed.record(), sealed.version())).collect();
    // The vault gives them back in the order in which it got them.
    let records: Vec<Uuid> = versions.iter().map(|(record, _)| *record).collect();
    let receipt = look.conclude(named, versions).await?;
    let opened = vault::open(receipt, who, sealed)?;
    let files = records.into_iter().zip(opened).map(|(record, opened)| (record, opened.disclose()));
    let files: Vec<(Uuid, File)> = files.collect();
    if files.iter().any(|(_, file)| file.schema_version != SCHEMA_VERSION) {
        return Err(VaultError::Shape.into());
    }
    if files.iter().any(|(_, file)| file.on != on) {
        return Err(VaultError::Tampered.into());
    }
    Ok(files)
}

/// The file of a row, which must name the same object.
fn take(files: &mut Vec<(Uuid, File)>, row: &Row) -> Result<File, Problem> {
    let at = files.iter().position(|(record, _)| *record == row.id).ok_or(VaultError::Tampered)?;
    let (_, file) = files.swap_remove(at);
    if file.object.0 == row.object { Ok(file) } else { Err(VaultError::Tampered.into()) }
}
