//! What rests on an older CUSTODY key passes on to the one in force, in steps that each commit: a crash in between loses nothing,
//! since the shares of an older key stay until nothing rests on it.

use super::asked::Held;
use super::store::{self, WrapToMove};
use crate::audit::unit::Unit;
use crate::guard::custody::OpenCustody;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::record::RecordKind;
use crate::guard::session::Who;
use crate::guard::trust::Custody;
use crate::platform::app::App;
use crate::platform::problem::Problem;
use std::sync::Arc;
use uuid::Uuid;

/// How many keys one transaction passes on: about 50 ms of work.
const STEP: i64 = 500;

/// Passes everything on. How many keys still rest on older ones, since nobody opened those or they do not open.
///
/// # Errors
/// When the database does not answer; what was passed on stays so.
pub(super) async fn all(
    app: &App,
    who: &Arc<Who>,
    held: &Held,
    keys: &[OpenCustody],
    next: &Custody,
) -> Result<i64, Problem> {
    for old in keys.iter().filter(|old| old.key != next.key) {
        let mut after = (Uuid::nil(), 0);
        while let Some(last) = step(app, who, held, old, next, after).await? {
            after = last;
        }
    }
    let mut unit = begin(app, who, held).await?;
    // Nobody seals to a key in the moment in which its shares go.
    unit.custody_to_replace(held.organisation).await?;
    store::drop_empty_shares(&mut unit, held.id).await?;
    let rest = store::rest_on_older(unit.sql(), held.organisation, next.key).await?;
    let _committed = unit.commit().await?;
    Ok(rest)
}

async fn begin(app: &App, who: &Arc<Who>, held: &Held) -> Result<Unit<verbs::Renew, kinds::Custody>, Problem> {
    let target = Target::OfOrganisation(RecordKind::Custody, held.organisation.0, held.organisation.0);
    let leave = app.gate.authorize::<verbs::Renew, kinds::Custody>(who, target, None).await?;
    Unit::begin(&app.places, leave).await
}

/// One step; the last key that it saw, or nothing when there are no more.
async fn step(
    app: &App,
    who: &Arc<Who>,
    held: &Held,
    old: &OpenCustody,
    next: &Custody,
    after: (Uuid, i32),
) -> Result<Option<(Uuid, i32)>, Problem> {
    let mut unit = begin(app, who, held).await?;
    // Nor does another key come in force in the middle of a step.
    unit.custody(held.organisation).await?;
    let found = store::wraps_to_move(&mut unit, held.id, old.key, after, STEP).await?;
    let Some(last) = found.last().map(|wrap| (wrap.key, wrap.epoch)) else { return Ok(None) };
    let mut moved = Vec::with_capacity(found.len());
    for wrap in found {
        let epoch = u32::try_from(wrap.epoch).unwrap_or_default();
        if let Ok(bytes) = old.pass_on(&wrap.wrap, wrap.case, wrap.key, epoch, &next.recipient()) {
            moved.push(WrapToMove { wrap: bytes, ..wrap });
        } else {
            // It stays where it is, and is counted: nobody opens it, and nothing else is kept from passing on.
            tracing::error!("ALARM: a wrap to CUSTODY does not open");
        }
    }
    if !store::move_wraps(&mut unit, held.id, (old.key, next.key), &moved).await? {
        return Err(Problem::illegal(
            "custody_moved_on",
            "Another CUSTODY key has followed: a renewal goes on from there.",
        ));
    }
    let _committed = unit.commit().await?;
    Ok(Some(last))
}
