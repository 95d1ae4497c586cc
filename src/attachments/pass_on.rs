//! A draft is handed over: what hangs on it passes to the notice, or dies with the draft.

use super::add::{placement, remove};
use super::model::{File, On};
use super::store::{self, NewRow, Row};
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AttachmentId, CallId, NoticeId, ObjectId};
use crate::notices::Desk;
use crate::notices::model::Basis;
use crate::platform::app::App;
use crate::platform::problem::Problem;
use uuid::Uuid;

/// Objects whose keys die with a unit.
#[must_use = "their bytes are removed once the unit is committed"]
pub(crate) struct Left(Vec<ObjectId>);

impl Left {
    /// Removes the bytes, which nothing opens any more.
    pub(crate) async fn remove(self, app: &App) {
        let Some(objects) = &app.objects else { return };
        for object in self.0 {
            remove(objects, object).await;
        }
    }
}

/// Takes what hangs on a locked draft over to its notice: each record is sealed anew, under a key that only the squad's desk
/// opens, as another attachment; the bytes stay where they are, under the key that this record holds. The draft's own
/// key dies with the draft. On no ground that names the person, nothing is taken over: nobody can see what a file tells.
///
/// # Errors
/// 422 when something would die unseen; a fault when an attachment does not open.
pub(crate) async fn pass_to_notice<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    (call, notice): (CallId, NoticeId),
    (basis, leave_behind): (Basis, bool),
    desk: &Desk,
) -> Result<Left, Problem> {
    let rows = store::hanging_on_draft(unit, call.0).await?;
    if rows.is_empty() {
        return Ok(Left(Vec::new()));
    }
    match basis {
        Basis::Consent | Basis::Child | Basis::VitalInterest => {
            pass(unit, call, notice, rows, desk).await?;
            Ok(Left(Vec::new()))
        }
        Basis::Pseudonymous if leave_behind => leave(unit, rows).await,
        Basis::Pseudonymous => Err(Problem::field(
            "leave_behind",
            "is needed: without a ground to name the person attachments are not sent, since nobody can see what they tell, \
             and are lost with the draft",
        )),
    }
}

async fn pass<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    call: CallId,
    notice: NoticeId,
    rows: Vec<Row>,
    desk: &Desk,
) -> Result<(), Problem> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let fresh: Vec<Uuid> = ids.iter().map(|_| AttachmentId::random().0).collect();
    let keys = unit.new_keys(&fresh).await?;
    let mut sealed = unit.fetch::<File>(&ids).await?;
    for (row, key) in rows.into_iter().zip(keys) {
        let at = sealed.iter().position(|sealed| sealed.record() == row.id);
        let at = at.ok_or_else(|| Problem::fault("an attachment is not sealed to the operator of its draft"))?;
        let (old, id) = (sealed.swap_remove(at), AttachmentId(key.id));
        unit.put_from(&placement(id, key.id), &key, &old, |file: File| {
            if file.on != On::Call(call) || file.object.0 != row.object {
                return Err(Problem::fault("an attachment hangs where it was not put"));
            }
            Ok(File { on: On::Notice(notice), ..file })
        })
        .await?;
        unit.insert_wraps(&desk.wraps(&key)?).await?;
        unit.forget(row.id, old.key_id()).await?;
        store::delete(unit, AttachmentId(row.id)).await?;
        let (on, object) = (On::Notice(notice), ObjectId(row.object));
        store::insert(unit, &NewRow { id, on, section: None, object, digest: row.digest }).await?;
    }
    Ok(())
}

async fn leave<V: Does, K: About>(unit: &mut Unit<V, K>, rows: Vec<Row>) -> Result<Left, Problem> {
    let mut left = Vec::with_capacity(rows.len());
    for row in rows {
        // The record, and with the unit's commit the erasure key of the bytes. The record's own key is the draft's.
        unit.forget(row.id, row.object).await?;
        store::delete(unit, AttachmentId(row.id)).await?;
        left.push(ObjectId(row.object));
    }
    Ok(Left(left))
}
