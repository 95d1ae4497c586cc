//! Who is on a case, proven: each permission is signed by a colleague who was on the case, and each colleague is a member
//! in force. Keys are wrapped to these people only, so a row added to the database gives nobody a key.

use super::bars;
use super::model::{CaseRelation, CaseRow};
use super::store::{self, GrantRow, NewGrant};
use crate::audit::unit::Unit;
use crate::guard::action::Relation;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AbsenceId, AccountId, CaseId, GrantId, OrganisationId, RecordKind};
use crate::guard::statement::{self, AccessReason, GrantStatement, Window, claimed_signers};
use crate::guard::store::WrapWrite;
use crate::guard::trust::{Member, TrustError};
use crate::guard::vault::{SealingKey, VaultError, active};
use crate::platform::problem::Problem;
use ed25519_dalek::VerifyingKey;
use std::collections::BTreeSet;
use std::sync::Arc;

const UNSIGNED: &str = "access to a case is not signed by somebody who was on it";

/// A colleague on a case.
pub(crate) struct Teammate {
    pub member: Arc<Member>,
    pub grant: GrantId,
    pub relation: CaseRelation,
    /// From when until when, for a stand-in.
    pub window: Option<Window>,
    /// By whose signature; their own where two custodians gave it.
    pub giver: AccountId,
    /// Which kinds of section it is for, where it is not for all.
    sections: Option<Vec<RecordKind>>,
    begun: bool,
}

impl Teammate {
    /// Somebody who is on the case from now on.
    pub(super) fn new(member: Arc<Member>, grant: GrantId, relation: CaseRelation, giver: AccountId) -> Self {
        Self { member, grant, relation, window: None, giver, sections: None, begun: true }
    }

    /// Whether they are on it now: a stand-in's time may be to come.
    pub(crate) fn is_there(&self) -> bool {
        self.begun
    }

    /// Whether their permission is for records of this kind.
    pub(crate) fn holds(&self, kind: RecordKind) -> bool {
        self.sections.as_ref().is_none_or(|sections| sections.contains(&kind))
    }

    /// A key of the case, wrapped to them for as long as they are on it.
    pub(crate) fn wrap(&self, key: &SealingKey, case: CaseId, epoch: i32) -> Result<WrapWrite, VaultError> {
        let wrap = key.wrap_to(&self.member.recipient(), Some(case), epoch, Some(self.grant))?;
        Ok(for_the_time(wrap, self.window))
    }
}

/// A wrap that opens from when until when the permission counts.
pub(super) fn for_the_time(wrap: WrapWrite, window: Option<Window>) -> WrapWrite {
    match window {
        Some(window) => active(wrap, Some(window.from), Some(window.until)),
        None => wrap,
    }
}

/// The verified members on a case, with the permission that each rests on.
///
/// # Errors
/// A fault when a permission in force is not signed as it must be; absent when there is no such case for the person.
pub(crate) async fn team<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<Vec<Teammate>, Problem> {
    let row = store::lock(unit, case).await?.ok_or_else(Problem::absent)?;
    members(unit, &row).await
}

/// Whether somebody is assigned to the case now.
///
/// # Errors
/// As the database refuses.
pub(crate) async fn is_assigned<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    account: AccountId,
) -> Result<bool, Problem> {
    let assigned = |grant: &GrantRow| grant.account == account && grant.relation == CaseRelation::Assigned;
    Ok(store::grants(unit, case).await?.iter().any(|grant| grant.begun && assigned(grant)))
}

/// The verified members who are assigned to a case that this unit has locked, stand-ins and those to come included.
///
/// # Errors
/// As [`team`].
pub(crate) async fn assigned<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
) -> Result<Vec<Teammate>, Problem> {
    let mut mates = members(unit, case).await?;
    mates.retain(|mate| mate.relation == CaseRelation::Assigned);
    Ok(mates)
}

/// Refuses who stands in for a colleague: they put nobody on a case and take nobody off, since what they did would outlast
/// their own time.
///
/// # Errors
/// 409 `standing_in`.
pub(super) async fn check_for_good<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<(), Problem> {
    let account = unit.account();
    let for_good = |grant: &GrantRow| grant.begun && grant.account == account && grant.window.is_none();
    if store::grants(unit, case).await?.iter().any(for_good) {
        return Ok(());
    }
    Err(Problem::illegal(
        "standing_in",
        "You stand in for a colleague: whoever is on this case for good decides who is on it. Nothing was stored.",
    ))
}

/// The epoch in which records are sealed to the case: read it after the case is locked.
///
/// # Errors
/// Absent when there is no such case for the person.
pub(crate) async fn epoch<V: Does, K: About>(unit: &mut Unit<V, K>, case: CaseId) -> Result<i32, Problem> {
    Ok(store::lock(unit, case).await?.ok_or_else(Problem::absent)?.epoch)
}

/// The permissions of those who stand in for somebody on a case, also for one who is no member any more.
pub(super) async fn stand_ins_for<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    absent: AccountId,
) -> Result<Vec<GrantId>, Problem> {
    let grants = store::grants(unit, case.id).await?;
    let givers = check_signatures(unit, case, &grants).await?;
    let theirs = grants.into_iter().zip(givers).filter(|(grant, giver)| {
        grant.in_force && grant.window.is_some() && giver.by_colleague && giver.account == absent
    });
    Ok(theirs.map(|(grant, _)| grant.grant).collect())
}

/// [`team`] for a case that is locked, with the relations. Who is no member any more, or is kept off the case, is left out, and
/// with them who stands in for them: nothing more is wrapped to these.
pub(super) async fn members<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
) -> Result<Vec<Teammate>, Problem> {
    let grants = store::grants(unit, case.id).await?;
    let givers = check_signatures(unit, case, &grants).await?;
    let barred = bars::barred(unit, case).await?;
    let counts = |grant: &GrantRow| grant.in_force && !barred.contains(&grant.account);
    let mut team = Vec::new();
    for (grant, giver) in grants.into_iter().zip(givers).filter(|(grant, _)| counts(grant)) {
        if let Some(member) = colleague(unit, case.organisation, grant.account).await? {
            let Giver { account: giver, sections, .. } = giver;
            let GrantRow { grant, relation, window, begun, .. } = grant;
            team.push(Teammate { member, grant, relation, window, giver, sections, begun });
        }
    }
    let for_good = |mate: &&Teammate| mate.window.is_none() && mate.relation == CaseRelation::Assigned;
    let remaining: BTreeSet<AccountId> = team.iter().filter(for_good).map(|mate| mate.member.account).collect();
    // Where nobody else is left to work on it, who stands in does so to the end of their time.
    if !remaining.is_empty() {
        let stands_in = |mate: &Teammate| mate.window.is_some() && mate.giver != mate.member.account;
        team.retain(|mate| !stands_in(mate) || remaining.contains(&mate.giver));
    }
    Ok(team)
}

/// The member in force of an organisation; nothing for anybody else.
pub(super) async fn colleague<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    organisation: OrganisationId,
    account: AccountId,
) -> Result<Option<Arc<Member>>, Problem> {
    Ok(unit.member(account).await?.filter(|member| member.organisation == organisation))
}

/// Who gave a permission, and for what.
struct Giver {
    /// The person's own account where two custodians gave it.
    account: AccountId,
    by_colleague: bool,
    sections: Option<Vec<RecordKind>>,
}

/// Every permission ever given on the case names exactly its row and is signed by somebody who was on the case, or by two
/// custodians. Only one person gave theirs to themselves: who opened the case. Who gave each, in their order.
async fn check_signatures<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    grants: &[GrantRow],
) -> Result<Vec<Giver>, Problem> {
    let people: BTreeSet<AccountId> = grants.iter().map(|grant| grant.account).collect();
    let mut openers = 0;
    let mut givers = Vec::with_capacity(grants.len());
    for grant in grants {
        let (giver, signers) = match grant.opening {
            None => {
                let giver = claimed_signers(&grant.note).find(|signer| people.contains(signer));
                let giver = giver.ok_or_else(|| Problem::fault(UNSIGNED))?;
                let (connection, trust) = unit.with_trust();
                let signer = trusted(trust.signer(connection, giver).await)?;
                if signer.organisation != case.organisation {
                    return Err(Problem::fault(UNSIGNED));
                }
                (giver, vec![(signer.account, signer.keys.sign)])
            }
            Some(_) => (grant.account, two_custodians(unit, case, &grant.note).await?),
        };
        let stated: GrantStatement =
            statement::verified(&grant.note, &signers).map_err(|_| Problem::fault(UNSIGNED))?;
        let fits = stated.grant == grant.grant
            && stated.opening == grant.opening
            && (stated.sections.is_some() == (stated.relation == Relation::Emergency))
            && stated.case == case.id
            && stated.account == grant.account
            && stated.relation == grant.relation.into()
            && stated.window == grant.window
            && stated.absence == grant.absence;
        if !fits {
            return Err(Problem::fault(UNSIGNED));
        }
        let by_colleague = grant.opening.is_none();
        openers += usize::from(by_colleague && giver == grant.account);
        givers.push(Giver { account: giver, by_colleague, sections: stated.sections });
    }
    if openers == 1 { Ok(givers) } else { Err(Problem::fault(UNSIGNED)) }
}

/// The two custodians of the case's organisation, of now or of then, whose signatures a permission claims to carry.
async fn two_custodians<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    note: &str,
) -> Result<Vec<(AccountId, VerifyingKey)>, Problem> {
    let (connection, trust) = unit.with_trust();
    let custody = trusted(trust.custody(connection, case.organisation).await)?;
    let named: BTreeSet<AccountId> = claimed_signers(note).collect();
    let signers: Vec<_> =
        named.into_iter().filter_map(|account| custody.ever(account).map(|key| (account, key))).collect();
    if signers.len() >= 2 { Ok(signers) } else { Err(Problem::fault(UNSIGNED)) }
}

/// A permission, signed by this person.
///
/// # Errors
/// When the statement cannot be written.
pub(super) fn grant<V: Does, K: About>(
    unit: &Unit<V, K>,
    case: CaseId,
    account: AccountId,
    relation: CaseRelation,
    reason: AccessReason,
) -> Result<NewGrant, Problem> {
    grant_as(unit, case, GrantId::random(), account, relation, reason, None)
}

/// [`grant`] under an id that is given, for a stand-in's time where there is one.
///
/// # Errors
/// When the statement cannot be written.
pub(super) fn grant_as<V: Does, K: About>(
    unit: &Unit<V, K>,
    case: CaseId,
    grant: GrantId,
    account: AccountId,
    relation: CaseRelation,
    reason: AccessReason,
    standing_in: Option<(Window, AbsenceId)>,
) -> Result<NewGrant, Problem> {
    let who = unit.who();
    let (window, absence) = standing_in.unzip();
    let (relation_stated, at) = (relation.into(), unit.now());
    let (opening, sections) = (None, None);
    let statement = GrantStatement {
        grant,
        case,
        account,
        relation: relation_stated,
        reason,
        at,
        window,
        absence,
        opening,
        sections,
    };
    let note = statement::sign(&statement, who.account, &who.keys)
        .map_err(|_| Problem::fault("a permission cannot be written"))?;
    Ok(NewGrant { grant, account, relation, note, window, absence, opening: None })
}

/// Wraps keys of a case, in its epoch and each of a kind of section, to colleagues and to the organisation's CUSTODY.
///
/// # Errors
/// When the organisation's founding is not believed, or as the database refuses.
pub(super) async fn wrap_to_all<'k, V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    team: &[Teammate],
    keys: impl Iterator<Item = (&'k SealingKey, RecordKind)>,
) -> Result<(), Problem> {
    let custody = unit.custody(case.organisation).await?;
    let custody = custody.ok_or_else(|| Problem::fault("a case of an organisation that is not founded"))?.recipient();
    let mut wraps = Vec::new();
    for (key, kind) in keys {
        for mate in team.iter().filter(|mate| mate.holds(kind)) {
            wraps.push(mate.wrap(key, case.id, case.epoch)?);
        }
        wraps.push(key.wrap_to(&custody, Some(case.id), case.epoch, None)?);
    }
    // All in one statement: row-level security lets the first wraps of a new key in only together.
    unit.insert_wraps(&wraps).await
}

/// A chain of trust that breaks is a fault; a database that does not answer is not.
pub(super) fn trusted<T>(checked: Result<T, TrustError>) -> Result<T, Problem> {
    checked.map_err(|error| match error {
        TrustError::Store(error) => error.into(),
        error => VaultError::Trust(error).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::keys::PersonKeys;
    use crate::guard::statement::{countersign, sign};
    use crate::platform::clock::Clock;

    #[test]
    fn a_note_names_its_signers_and_its_text_does_not() {
        let keys = PersonKeys::generate();
        let (first, second) = (AccountId::random(), AccountId::random());
        let statement = GrantStatement {
            grant: GrantId::random(),
            case: CaseId::random(),
            account: AccountId::random(),
            relation: CaseRelation::Granted.into(),
            reason: AccessReason::ShiftChange,
            at: Clock::default().now(),
            window: None,
            absence: None,
            opening: None,
            sections: None,
        };
        let once = sign(&statement, first, &keys).unwrap();
        assert_eq!(claimed_signers(&once).collect::<Vec<_>>(), [first]);
        let twice = countersign(&once, second, &PersonKeys::generate()).unwrap();
        assert_eq!(claimed_signers(&twice).collect::<BTreeSet<_>>(), BTreeSet::from([first, second]));
    }
}
