//! What nobody does alone on a case: one person proposes it, another confirms it, and only then it happens.
//!
//! Both sign one statement. A proposal is believed when this service stored it and its signer, a member now who could still
//! propose the same, signed exactly what its row says. It lapses after seven days, is confirmed once, and never by who
//! proposed it or whom it concerns. What is done then is the caller's: [`super::removal`], [`super::erasure`], [`super::holds`].

pub(crate) mod store;

use self::store::ProposalRow;
use super::model::{CaseRelation, CaseRow};
use super::{store as cases, team};
use crate::audit::unit::Unit;
use crate::guard::action::{Relation, Verb};
use crate::guard::gate::{About, Does};
use crate::guard::policy::{Decision, DecisionTable};
use crate::guard::record::{AccountId, ProposalId, RecordKind};
use crate::guard::statement::{self, Act, ErasureReason, ProposalStatement};
use crate::guard::vouch::is_vouched;
use crate::platform::problem::Problem;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// A proposal that nobody confirmed within this time has no effect any more.
const LAPSES: TimeDelta = TimeDelta::days(7);

/// What is proposed.
#[derive(Clone, Copy)]
pub(super) struct Proposed {
    pub act: Act,
    pub about: Uuid,
    /// Whom it concerns, who has no part in it.
    pub account: Option<AccountId>,
    /// Why, where a case is to be erased: signed, and in no column.
    pub reason: Option<ErasureReason>,
}

impl Proposed {
    /// Whether both would do the same, for whatever reason.
    fn is_as(&self, other: &Self) -> bool {
        (self.act, self.about, self.account) == (other.act, other.about, other.account)
    }
}

/// A proposal that is believed.
pub(super) struct Proposal {
    pub id: ProposalId,
    pub by: AccountId,
    pub what: Proposed,
    pub made_at: DateTime<Utc>,
    pub lapses_at: DateTime<Utc>,
    /// The statement, with every signature that it has.
    pub note: String,
}

/// The kind of record that the policy asks for.
const fn kind(act: Act) -> RecordKind {
    match act {
        Act::Removal => RecordKind::Removal,
        Act::Erasure => RecordKind::Erasure,
        Act::HoldLift => RecordKind::Hold,
    }
}

/// Proposes something on a case that is locked.
///
/// # Errors
/// 409 `proposed_already`; 409 `standing_in` for who is on the case for a time only.
pub(super) async fn propose<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    policy: &DecisionTable,
    case: &CaseRow,
    what: Proposed,
) -> Result<Proposal, Problem> {
    check_for_good(unit, case).await?;
    if waiting(unit, policy, case, what.act).await?.iter().any(|proposal| proposal.what.is_as(&what)) {
        return Err(Problem::illegal(
            "proposed_already",
            "The same is proposed already, and waits for a second person. Nothing was stored.",
        ));
    }
    let (id, who, made_at) = (ProposalId::random(), unit.who(), unit.now());
    let lapses_at = made_at + LAPSES;
    let Proposed { act, about, account, reason } = what;
    let stated = ProposalStatement { proposal: id, act, case: case.id, about, account, reason, at: made_at, lapses_at };
    let note =
        statement::sign(&stated, who.account, &who.keys).map_err(|_| Problem::fault("a proposal cannot be written"))?;
    store::insert(unit, case.id, &stated, &note).await?;
    Ok(Proposal { id, by: who.account, what, made_at, lapses_at, note })
}

/// Proposals that wait for a second person, the oldest first. One that does not count is passed over: its proposer has left the
/// case, or it was planted, which must not stop those that are true.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn waiting<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    policy: &DecisionTable,
    case: &CaseRow,
    act: Act,
) -> Result<Vec<Proposal>, Problem> {
    let mut waiting = Vec::new();
    for row in store::waiting(unit, case.id, act).await? {
        if let Some(proposal) = believed(unit, policy, case, row).await? {
            waiting.push(proposal);
        }
    }
    Ok(waiting)
}

/// Confirms a proposal, once, on a case that is locked. The caller does what it says in the same unit.
///
/// # Errors
/// Absent when there is no such proposal for the person; 409 `same_person` for who proposed it, `lapsed` when it has no effect
/// any more, `illegal_transition` when it was confirmed.
pub(super) async fn confirm<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    policy: &DecisionTable,
    case: &CaseRow,
    act: Act,
    id: ProposalId,
) -> Result<Proposal, Problem> {
    let row = store::proposal(unit, case.id, act, id).await?.ok_or_else(Problem::absent)?;
    if row.confirmed {
        return Err(Problem::illegal("illegal_transition", "This was confirmed already. Nothing was stored."));
    }
    let lapsed =
        || Problem::illegal("lapsed", "This proposal has no effect any more: make a new one. Nothing was stored.");
    if row.lapses_at <= unit.now() {
        return Err(lapsed());
    }
    let proposal = believed(unit, policy, case, row).await?.ok_or_else(lapsed)?;
    let who = unit.who();
    if proposal.by == who.account {
        return Err(Problem::illegal(
            "same_person",
            "You proposed this yourself: somebody else confirms it. Nothing was stored.",
        ));
    }
    if proposal.what.account == Some(who.account) {
        return Err(Problem::absent());
    }
    check_for_good(unit, case).await?;
    let both = statement::countersign(&proposal.note, who.account, &who.keys)
        .map_err(|_| Problem::fault("a proposal cannot be countersigned"))?;
    store::confirm(unit, id, &both).await?;
    Ok(Proposal { note: both, ..proposal })
}

/// Whoever decides about others on a case is on it for good, or supervises it.
async fn check_for_good<V: Does, K: About>(unit: &mut Unit<V, K>, case: &CaseRow) -> Result<(), Problem> {
    if unit.authorized().relation() == Relation::SupervisorOf {
        return Ok(());
    }
    team::check_for_good(unit, case.id).await
}

/// What a proposal says, if it counts: this service stored it, and whoever signed it could still propose the same.
async fn believed<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    policy: &DecisionTable,
    case: &CaseRow,
    row: ProposalRow,
) -> Result<Option<Proposal>, Problem> {
    let Some(by) = statement::claimed_signers(&row.note).next() else { return Ok(None) };
    if !is_vouched(Some(&row.vouch), &unit.voucher().proposal(row.id, by, &row.note)) {
        return Ok(None);
    }
    let Some(signer) = team::colleague(unit, case.organisation, by).await? else { return Ok(None) };
    let verified = statement::verified::<ProposalStatement>(&row.note, &[(by, signer.keys.sign)]);
    let Ok(stated) = verified else { return Ok(None) };
    let what = Proposed { act: stated.act, about: stated.about, account: stated.account, reason: stated.reason };
    let fits = stated.proposal == row.id
        && stated.case == case.id
        && what.is_as(&row.what)
        && what.reason.is_some() == (what.act == Act::Erasure)
        && stated.at == row.made_at
        && stated.lapses_at == row.lapses_at;
    let on_case = cases::grants(unit, case.id).await?.into_iter().any(|grant| {
        grant.begun && grant.account == by && grant.window.is_none() && grant.relation == CaseRelation::Assigned
    });
    let barred = super::bars::barred(unit, case).await?.contains(&by);
    let may = |relation| policy.decide(signer.role, relation, kind(what.act), Verb::Propose, None) == Decision::Allow;
    let counts = fits && !barred && ((on_case && may(Relation::Assigned)) || may(Relation::SupervisorOf));
    let ProposalRow { id, made_at, lapses_at, note, .. } = row;
    Ok(counts.then_some(Proposal { id, by, what, made_at, lapses_at, note }))
}
