//! A new epoch: when somebody leaves a case, everything sealed on it is encrypted again under new keys, which are wrapped
//! to those who stay. One transaction, complete or not at all.
//!
//! A supervisor who takes somebody off holds no keys and only marks the epoch as pending; the next who works on the case
//! makes it.

use super::head::{self, Checked};
use super::model::{CaseRelation, CaseRow};
use super::store;
use super::team::{self, Teammate};
use crate::audit::unit::Unit;
use crate::guard::action::{Relation, Verb};
use crate::guard::gate::{About, Does, Target, kinds, verbs};
use crate::guard::policy::Decision;
use crate::guard::record::{CaseId, GrantId, RecordKind};
use crate::guard::session::Who;
use crate::guard::store::delete_old_wraps;
use crate::guard::vault::{Placement, SealingKey};
use crate::platform::app::App;
use crate::platform::problem::Problem;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use uuid::Uuid;

const INCOMPLETE: &str = "a new epoch does not cover everything on the case";

/// Makes the new epoch of a case if one is pending.
///
/// # Errors
/// As [`renew`].
pub(super) async fn complete<V: Does, K: About>(unit: &mut Unit<V, K>, checked: Checked) -> Result<CaseRow, Problem> {
    let case = checked.case.id;
    let staying = team::members(unit, &checked.case).await?;
    // Somebody who is no member any more leaves every case that they were on, with the first write to it.
    let stays = |grant: &GrantId| staying.iter().any(|mate| mate.grant == *grant);
    // Likewise who was there for a time that is over.
    let open = store::grants(unit, case).await?.into_iter().filter(|grant| grant.in_force || grant.lapsed);
    let gone: Vec<GrantId> = open.map(|grant| grant.grant).filter(|grant| !stays(grant)).collect();
    // Keys that are made anew for nobody would be the custodians' alone.
    let works = |mate: &Teammate| mate.relation == CaseRelation::Assigned && mate.is_there();
    if (!checked.case.epoch_pending && gone.is_empty()) || !staying.iter().any(works) {
        return Ok(checked.case);
    }
    let row = renew(unit, checked, &staying, &gone).await?;
    for grant in gone {
        unit.touch(grant.0);
        store::end_access(unit, grant).await?;
    }
    Ok(row)
}

/// Encrypts everything on the case again, for those who stay.
///
/// # Errors
/// A fault when something on the case cannot be opened by this person: a partial epoch would lock colleagues out.
pub(super) async fn renew<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    checked: Checked,
    staying: &[Teammate],
    leaving: &[GrantId],
) -> Result<CaseRow, Problem> {
    let Checked { mut case, head: old, lines } = checked;
    case.epoch += 1;
    case.epoch_pending = false;
    let who = unit.who();
    let records: Vec<Uuid> = lines.iter().map(|line| line.head.record).collect();
    let sealed = unit.fetch::<()>(&records).await?;
    if sealed.len() != lines.len() {
        return Err(Problem::fault(INCOMPLETE));
    }
    let mut keys: BTreeMap<Uuid, SealingKey> = BTreeMap::new();
    for record in &sealed {
        if let Entry::Vacant(key) = keys.entry(record.key_id()) {
            key.insert(SealingKey::of(&who.keys, record)?.renewed());
        }
    }
    let ids: Vec<Uuid> = keys.keys().copied().collect();
    let keys: Vec<SealingKey> = keys.into_values().collect();
    // What hangs on a section, and the notes, go with the section under whose key they are.
    let kind = |id| {
        let of_key = || lines.iter().filter(move |line| line.key == id);
        of_key().find(|line| line.head.record == id).or_else(|| of_key().next()).map(|line| line.kind)
    };
    let with_kinds = keys.iter().filter_map(|key| kind(key.id).map(|kind| (key, kind)));
    team::wrap_to_all(unit, &case, staying, with_kinds).await?;
    for record in &sealed {
        let line = lines.iter().find(|line| line.head.record == record.record());
        let key = keys.iter().find(|key| key.id == record.key_id());
        let (Some(line), Some(key)) = (line, key) else { return Err(Problem::fault(INCOMPLETE)) };
        let place = Placement {
            record: record.record(),
            kind: line.kind,
            case: Some(case.id),
            key_id: key.id,
            epoch: case.epoch,
            version: record.version() + 1,
        };
        unit.put_again(&place, key, record).await?;
    }
    store::set_epoch(unit, case.id, case.epoch).await?;
    // Before the old wraps go: they are what shows the case to somebody who is leaving it by their own hand.
    head::sign_after(unit, case.id, &old, leaving).await?;
    for id in ids {
        delete_old_wraps(unit.sql(), id, case.epoch).await?;
    }
    Ok(case)
}

/// Completes a pending epoch for somebody who comes to read the case and works on it: a write of its own, which they are
/// let through to on its own.
///
/// # Errors
/// As the gate refuses, and as [`renew`].
pub(super) async fn complete_pending_epoch(app: &App, who: &Arc<Who>, case: CaseId) -> Result<bool, Problem> {
    let kind = RecordKind::Case;
    // A reader whom the policy lets write nothing leaves the epoch pending; that is no attempt to be refused.
    if app.policy.decide(who.role(), Relation::Assigned, kind, Verb::Write, None) != Decision::Allow {
        return Ok(false);
    }
    let leave = app.gate.authorize::<verbs::Write, kinds::Case>(who, Target::OnCase(kind, case, case.0), None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    head::lock_and_check(&mut unit, case).await?;
    let _ = unit.commit().await?;
    Ok(true)
}
