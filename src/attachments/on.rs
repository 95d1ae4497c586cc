//! Who may: whoever reads what an attachment hangs on reads the attachment, and whoever writes there adds one. The gate is
//! asked for the one, and then for the other, so no line of the policy opens an attachment by itself.

use super::model::On;
use crate::cases::section;
use crate::guard::action::Purpose;
use crate::guard::gate::{Authorized, Does, Target, kinds, verbs};
use crate::guard::record::RecordKind;
use crate::guard::session::Who;
use crate::platform::app::App;
use crate::platform::problem::Problem;
use std::sync::Arc;
use uuid::Uuid;

fn target(on: On, record: Uuid) -> Target {
    match on {
        On::Call(id) => Target::OnCall(RecordKind::Attachment, id.0, record),
        On::Notice(id) => Target::OnNotice(RecordKind::Attachment, id.0, record),
        On::Section(place) => Target::OnCase(RecordKind::Attachment, place.case, record),
    }
}

/// Leave to list or read what hangs there; `record` is the attachment, or for a list what it hangs on.
///
/// # Errors
/// As the gate refuses the one or the other.
pub(super) async fn may_read<V: Does>(
    app: &App,
    who: &Arc<Who>,
    on: On,
    record: Uuid,
    purpose: Option<Purpose>,
) -> Result<Authorized<V, kinds::Attachment>, Problem> {
    match on {
        On::Call(id) => {
            let call = Target::Record(RecordKind::Call, id.0);
            drop(app.gate.authorize::<verbs::Read, kinds::Call>(who, call, purpose).await?);
        }
        On::Notice(id) => {
            let notice = Target::Record(RecordKind::Notice, id.0);
            drop(app.gate.authorize::<verbs::Read, kinds::Notice>(who, notice, purpose).await?);
        }
        On::Section(place) => {
            drop(app.gate.authorize::<verbs::Read, kinds::Section>(who, section::target(&place), purpose).await?);
        }
    }
    app.gate.authorize(who, target(on, record), purpose).await
}

/// Leave to add one there.
///
/// # Errors
/// As the gate refuses the one or the other.
pub(super) async fn may_add(
    app: &App,
    who: &Arc<Who>,
    on: On,
) -> Result<Authorized<verbs::Append, kinds::Attachment>, Problem> {
    match on {
        On::Call(id) => {
            let call = Target::Record(RecordKind::Call, id.0);
            drop(app.gate.authorize::<verbs::Write, kinds::Call>(who, call, None).await?);
        }
        On::Notice(id) => {
            let slip = Target::Record(RecordKind::Slip, id.0);
            drop(app.gate.authorize::<verbs::Append, kinds::Slip>(who, slip, None).await?);
        }
        On::Section(place) => {
            drop(app.gate.authorize::<verbs::Write, kinds::Section>(who, section::target(&place), None).await?);
        }
    }
    app.gate.authorize(who, target(on, on.id()), None).await
}
