//! A supervisor's instruction is carried out by somebody who holds the case's keys.
//!
//! A supervisor has no key, and so cannot bring anybody onto a case. What they sign waits ([`crate::supervision`]) until
//! the next session of a colleague who works on the case: that one gives access like any other ([`super::access`]), under
//! their own signature. An instruction is believed only if this service stored it, a member in force whose role instructs
//! signed exactly what the row says, it has not lapsed, and it was never carried out: the grant has the instruction's id.

use super::model::{CaseRelation, CaseRow, works};
use super::store::{self, AssignmentRow};
use super::{access, bars, head, team};
use crate::audit::unit::Unit;
use crate::guard::action::{Relation, Verb};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::policy::Decision;
use crate::guard::record::{CaseId, GrantId, RecordKind};
use crate::guard::session::Who;
use crate::guard::statement::{self, AccessReason, AssignmentStatement, claimed_signers};
use crate::guard::vouch::is_vouched;
use crate::platform::app::App;
use crate::platform::problem::Problem;
use std::sync::Arc;

type Carrying = Unit<verbs::Assign, kinds::Case>;

/// The most cases that one sign-in sees to; the others stand in the person's list.
const MOST: i64 = 20;

/// Carries out what waits on every case of somebody who has just signed in. What cannot be carried out must not keep
/// anybody from their work.
pub(crate) async fn carry_out_all_or_warn(app: &App, who: &Arc<Who>) {
    match waiting(app, who).await {
        Ok(cases) => {
            for case in cases {
                carry_out_or_warn(app, who, case).await;
            }
        }
        Err(problem) => tracing::warn!(code = problem.code(), "instructions were not looked for"),
    }
}

/// [`carry_out`], with a warning for an error.
pub(super) async fn carry_out_or_warn(app: &App, who: &Arc<Who>, case: CaseId) {
    if let Err(problem) = carry_out(app, who, case).await {
        tracing::warn!(code = problem.code(), "an instruction was not carried out");
    }
}

fn may(app: &App, who: &Who) -> bool {
    app.policy.decide(who.role(), Relation::Assigned, RecordKind::Case, Verb::Assign, None) == Decision::Allow
}

/// The cases on which something waits. Nothing of it is shown to anybody.
async fn waiting(app: &App, who: &Arc<Who>) -> Result<Vec<CaseId>, Problem> {
    if !may(app, who) {
        return Ok(Vec::new());
    }
    let target = Target::Kind(RecordKind::Task);
    let leave = app.gate.authorize::<verbs::List, kinds::Task>(who, target, None).await?;
    let mut look = Look::begin(&app.places, leave).await?;
    Ok(store::instructed_cases(&mut look, app.places.clock.now(), MOST).await?)
}

/// Carries out every believed instruction on a case, in the name of somebody who works on it.
async fn carry_out(app: &App, who: &Arc<Who>, case: CaseId) -> Result<(), Problem> {
    if !may(app, who) {
        return Ok(());
    }
    let target = Target::OnCase(RecordKind::Case, case, case.0);
    let leave = app.gate.authorize::<verbs::Assign, kinds::Case>(who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    let row = head::lock_and_check(&mut unit, case).await?;
    let mut done = 0_usize;
    for waiting in store::assignments(&mut unit, case).await? {
        done += usize::from(one(app, &mut unit, &row, &waiting).await?);
    }
    if done == 0 {
        return Ok(());
    }
    head::sign_new_head(&mut unit, case).await?;
    let _ = unit.commit().await?;
    Ok(())
}

/// Carries out one instruction, if it is believed. Whether anything was written.
async fn one(app: &App, unit: &mut Carrying, case: &CaseRow, waiting: &AssignmentRow) -> Result<bool, Problem> {
    let Some((stated, relation)) = believed(app, unit, case, waiting).await? else {
        // Passed over and not refused: a row that is planted must not stop those that are true.
        tracing::error!("ALARM: an instruction lies in the database that nobody gave");
        return Ok(false);
    };
    let grant = GrantId(stated.assignment.0);
    let mut theirs = store::grants(unit, case.id).await?;
    if theirs.iter().any(|given| given.grant == grant) {
        tracing::error!("ALARM: an instruction that was carried out was put back");
        return Ok(false);
    }
    let member = team::colleague(unit, case.organisation, stated.account).await?;
    let Some(member) = member.filter(|member| works(&app.policy, member.role, relation)) else { return Ok(false) };
    // For somebody who stands in, and signs in themselves: a colleague puts them on for good, as everybody else.
    if stated.account == unit.account() {
        return Ok(false);
    }
    // Who is kept off the case since stays off it, whatever was said before.
    if bars::barred(unit, case).await?.contains(&stated.account) {
        return Ok(false);
    }
    theirs.retain(|given| given.account == stated.account);
    // Whom a colleague put on in the meantime is there already, or was, and was taken off again for a reason.
    if !theirs.iter().any(|given| given.window.is_none() && (given.in_force || given.started_at >= stated.at)) {
        for standing_in in theirs.iter().filter(|given| given.in_force) {
            access::replace(unit, standing_in.grant).await?;
        }
        access::bring_on(unit, case, &member, relation, grant, AccessReason::Instructed).await?;
    }
    store::carried_out(unit, waiting.id).await?;
    Ok(true)
}

/// What an instruction says, if a supervisor of the case's organisation said it through this service.
async fn believed(
    app: &App,
    unit: &mut Carrying,
    case: &CaseRow,
    row: &AssignmentRow,
) -> Result<Option<(AssignmentStatement, CaseRelation)>, Problem> {
    let Some(signer) = claimed_signers(&row.note).next() else { return Ok(None) };
    if !is_vouched(row.vouch.as_deref(), &unit.voucher().assignment(row.id, signer, &row.note)) {
        return Ok(None);
    }
    // A member now: whoever was dismissed since instructs nobody any more.
    let Some(supervisor) = unit.member(signer).await? else { return Ok(None) };
    let instructs = supervisor.organisation == case.organisation
        && app.policy.decide(supervisor.role, Relation::SupervisorOf, RecordKind::Assignment, Verb::Create, None)
            == Decision::Allow;
    let verified = statement::verified::<AssignmentStatement>(&row.note, &[(supervisor.account, supervisor.keys.sign)]);
    let Some(stated) = verified.ok().filter(|_| instructs) else { return Ok(None) };
    let relation = CaseRelation::ALL.iter().copied().find(|relation| Relation::from(*relation) == stated.relation);
    let fits = stated.assignment == row.id
        && stated.case == case.id
        && stated.account == row.account
        && stated.lapses_at == row.lapses_at
        && stated.lapses_at > unit.now();
    Ok(relation.filter(|_| fits).map(|relation| (stated, relation)))
}
