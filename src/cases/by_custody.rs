//! Two custodians let somebody onto a case ([`crate::custody`]): in an emergency for some hours and some sections, or for good
//! where nobody is left.
//!
//! The first custodian signs the permission, the second countersigns it and carries it out in their own session, with the
//! CUSTODY key that only the two together opened. Neither is on the case before or after; row-level security lets the second
//! through for that one transaction.

use super::model::{CaseRelation, CaseRow};
use super::store::{self, NewGrant};
use super::team::{self, Teammate};
use super::{access, bars, head};
use crate::audit::unit::Unit;
use crate::guard::action::Relation;
use crate::guard::custody::OpenCustody;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccountId, CaseId, GrantId, OpeningId, RecordKind};
use crate::guard::statement::{self, AccessReason, GrantStatement, Window};
use crate::guard::trust::Member;
use crate::guard::vault::{Sealed, SealingKey};
use crate::platform::problem::Problem;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::VerifyingKey;
use std::collections::BTreeMap;
use uuid::Uuid;

/// By how much two replicas' clocks may be apart.
const SKEW: TimeDelta = TimeDelta::seconds(30);

/// What the two let somebody do.
pub(crate) enum LetIn {
    /// Read these kinds of section, from the first custodian's signature on, for so many hours.
    Emergency { sections: Vec<RecordKind>, hours: i64 },
    /// Work on it for good.
    NobodyLeft,
}

impl LetIn {
    /// How the person stands to the case then.
    pub(crate) fn relation(&self) -> CaseRelation {
        match self {
            Self::Emergency { .. } => CaseRelation::Emergency,
            Self::NobodyLeft => CaseRelation::Assigned,
        }
    }

    /// Whether a signed permission says this and no more: a custodian who was bribed signs for years, and the second would
    /// countersign it.
    fn is_what_is_stated(&self, stated: &GrantStatement, now: DateTime<Utc>) -> bool {
        match self {
            Self::Emergency { sections, hours } => {
                let in_time = |window: Window| {
                    window.from <= now + SKEW
                        && now < window.until
                        && window.until - window.from <= TimeDelta::hours(*hours)
                };
                stated.relation == Relation::Emergency
                    && stated.sections.as_ref() == Some(sections)
                    && stated.window.is_some_and(in_time)
            }
            Self::NobodyLeft => {
                stated.relation == Relation::Assigned && stated.sections.is_none() && stated.window.is_none()
            }
        }
    }
}

/// The permission for a case, signed by the first custodian.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn permission<V: Does, K: About>(
    unit: &Unit<V, K>,
    opening: OpeningId,
    case: CaseId,
    account: AccountId,
    what: &LetIn,
) -> Result<String, Problem> {
    let (who, at) = (unit.who(), unit.now());
    let (relation, reason, window, sections) = match what {
        LetIn::Emergency { sections, hours } => {
            let window = Window { from: at, until: at + TimeDelta::hours(*hours) };
            (CaseRelation::Emergency, AccessReason::Emergency, Some(window), Some(sections.clone()))
        }
        LetIn::NobodyLeft => (CaseRelation::Assigned, AccessReason::NobodyLeft, None, None),
    };
    let (grant, relation, opening) = (GrantId::random(), relation.into(), Some(opening));
    let stated =
        GrantStatement { grant, case, account, relation, reason, at, window, absence: None, opening, sections };
    statement::sign(&stated, who.account, &who.keys).map_err(|_| Problem::fault("a permission cannot be written"))
}

/// Holds a case against everybody who would write to it.
///
/// # Errors
/// Absent where the opening does not reach it.
pub(crate) async fn lock_and_see<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    others: &[AccountId],
) -> Result<(), Problem> {
    let row = store::lock(unit, case).await?.ok_or_else(Problem::absent)?;
    let account = unit.account();
    // Whoever is kept off a case is no custodian for it either, and asks for nothing there.
    let barred = bars::barred(unit, &row).await?;
    if barred.contains(&account) || others.iter().any(|other| barred.contains(other)) {
        return Err(Problem::absent());
    }
    Ok(())
}

/// What the first custodian signed for a case.
pub(crate) struct Signed<'a> {
    pub opening: OpeningId,
    pub what: &'a LetIn,
    pub note: &'a str,
    pub first: (AccountId, VerifyingKey),
}

/// Carries a permission out that the first custodian signed: countersigned, the keys wrapped, the head signed. Until when it
/// lasts.
///
/// # Errors
/// 409 where somebody is left who works on the case, or the person is on it; a fault when the case is not as its head says.
pub(crate) async fn let_in<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    member: &Member,
    signed: &Signed<'_>,
    custody: &[OpenCustody],
) -> Result<Option<Window>, Problem> {
    let checked = head::lock(unit, case).await?;
    let who = unit.who();
    bars::refuse_barred(unit, &checked.case, member.account).await?;
    // The first custodian's signature, before the second's stands beside it.
    let stated: GrantStatement = statement::verified(signed.note, &[signed.first])
        .map_err(|_| Problem::fault("a permission is not as the first custodian signed it"))?;
    let note = statement::countersign(signed.note, who.account, &who.keys)
        .map_err(|_| Problem::fault("a permission cannot be countersigned"))?;
    let relation = CaseRelation::ALL.iter().copied().find(|relation| stated.relation == (*relation).into());
    let fits = stated.account == member.account
        && stated.case == case
        && stated.opening == Some(signed.opening)
        && stated.absence.is_none()
        && signed.what.is_what_is_stated(&stated, unit.now());
    let relation = relation.filter(|_| fits).ok_or_else(|| Problem::fault("a permission is not what was asked for"))?;
    if member.organisation != checked.case.organisation {
        return Err(Problem::illegal("not_a_colleague", "This person does not work in the squad whose case it is."));
    }
    if relation == CaseRelation::Assigned {
        nobody_is_left(unit, &checked.case).await?;
    }
    for there in store::grants(unit, case).await?.into_iter().filter(|grant| grant.account == member.account) {
        match (there.in_force, there.lapsed, there.relation) {
            // A second emergency begins as the first ends; what lapsed makes way.
            (true, _, CaseRelation::Emergency) | (_, true, _) => access::replace(unit, there.grant).await?,
            (true, ..) => {
                return Err(Problem::illegal("already_on_case", "This person is on the case. Nothing was opened."));
            }
            _ => {}
        }
    }
    let NewGrant { grant, window, .. } = store_permission(unit, case, member, relation, note, &stated).await?;
    let holds = |kind: &RecordKind| stated.sections.as_ref().is_none_or(|sections| sections.contains(kind));
    let mut wraps = Vec::new();
    for (key, kind) in keys(unit, &checked.case, custody).await? {
        if holds(&kind) {
            let wrap = key.wrap_to(&member.recipient(), Some(case), checked.case.epoch, Some(grant))?;
            wraps.push(team::for_the_time(wrap, window));
        }
    }
    unit.insert_wraps(&wraps).await?;
    if window.is_none() {
        // Whoever had the keys before has left: the first write makes new ones.
        store::set_epoch_pending(unit, case).await?;
    }
    head::sign_new_head(unit, case).await?;
    Ok(window)
}

async fn store_permission<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: CaseId,
    member: &Member,
    relation: CaseRelation,
    note: String,
    stated: &GrantStatement,
) -> Result<NewGrant, Problem> {
    let GrantStatement { grant, window, opening, .. } = *stated;
    let new = NewGrant { grant, account: member.account, relation, note, window, absence: None, opening };
    unit.touch(grant.0);
    store::insert_grants(unit, case, std::slice::from_ref(&new)).await?;
    Ok(new)
}

/// For good only where nobody is left who could give it.
async fn nobody_is_left<V: Does, K: About>(unit: &mut Unit<V, K>, case: &CaseRow) -> Result<(), Problem> {
    let works = |mate: &Teammate| mate.relation == CaseRelation::Assigned && mate.window.is_none();
    if team::members(unit, case).await?.iter().any(works) {
        return Err(Problem::illegal(
            "somebody_is_left",
            "Somebody works on one of these cases, and can put a colleague on it. Nothing was opened.",
        ));
    }
    Ok(())
}

/// Every key of a case, each with the kind of section that it is for, through CUSTODY.
async fn keys<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    case: &CaseRow,
    custody: &[OpenCustody],
) -> Result<Vec<(SealingKey, RecordKind)>, Problem> {
    let missing = || Problem::fault("something on a case is not sealed to the CUSTODY that was opened");
    let mut under: BTreeMap<Uuid, Vec<Sealed<()>>> = BTreeMap::new();
    let mut records = 0;
    for sealed in unit.fetch_in_custody(case.id).await? {
        records += 1;
        under.entry(sealed.key_id()).or_default().push(sealed);
    }
    if records != store::lines(unit, case.id).await?.len() {
        return Err(missing());
    }
    let mut keys = Vec::with_capacity(under.len());
    for (id, sealed) in under {
        let own = sealed.iter().find(|sealed| sealed.record() == id).or_else(|| sealed.first()).ok_or_else(missing)?;
        let open = custody.iter().find(|open| own.custody() == Some(open.key)).ok_or_else(missing)?;
        keys.push((SealingKey::of_custody(open, own)?, own.kind()?));
    }
    Ok(keys)
}
