//! A founding that follows, from what is there: the same organisation with its members, its CUSTODY and its policy, and others who
//! answer for it.

use super::model::{SuccessionState, SuccessionView, TO_SIGN};
use super::store::{self, SuccessionRow};
use crate::audit::unit::Unit;
use crate::guard::gate::{About, Does};
use crate::guard::record::{AccountId, OrganisationId, SuccessionId};
use crate::guard::statement::{
    self, FoundingMember, FoundingStatement, StatedSuccession, StatementError, claimed_signers, hex,
};
use crate::guard::trust::{AgreedPolicy, Agreeing, Custody, Founding, Trust, TrustError};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a founding follows, as it stands now.
pub struct Before {
    pub founding: Arc<Founding>,
    pub custody: Arc<Custody>,
}

impl Before {
    /// Nothing for an organisation that is not founded, or whose chain is not believed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of(
        trust: &Trust,
        connection: &mut sqlx::PgConnection,
        organisation: OrganisationId,
    ) -> Result<Option<Self>, Problem> {
        let founding = match trust.founding(connection, organisation).await {
            Ok(founding) => founding,
            Err(TrustError::Store(error)) => return Err(error.into()),
            Err(_) => return Ok(None),
        };
        match trust.custody(connection, organisation).await {
            Ok(custody) => Ok(Some(Self { founding, custody })),
            Err(TrustError::Store(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    fn agreeing(&self, next: &[AccountId]) -> Agreeing {
        Agreeing::of(&self.founding, next, &self.custody)
    }

    /// Whether somebody's signature belongs on it.
    pub fn may_sign(&self, stated: &FoundingStatement, account: AccountId) -> bool {
        let next = two_of(stated);
        let agreeing = self.agreeing(&next);
        next.contains(&account) || agreeing.present.contains(&account) || agreeing.custodians.contains(&account)
    }

    /// Whose signatures on it are right. Nobody else's is looked at.
    fn signed(&self, note: &str, stated: &FoundingStatement) -> BTreeSet<AccountId> {
        let key_of = |account: AccountId| {
            let named = self.founding.member(account).map(|member| member.keys.sign);
            let keeper = || self.custody.custodian(account).map(|custodian| custodian.keys.sign);
            let own = || stated.members.iter().find(|member| member.account == account)?.keys.keys().ok();
            named.or_else(keeper).or_else(|| own().map(|keys| keys.sign))
        };
        claimed_signers(note)
            .filter(|account| self.may_sign(stated, *account))
            .filter(|account| {
                let by = key_of(*account).map(|key| (*account, key));
                by.is_some_and(|by| statement::verified::<FoundingStatement>(note, &[by]).is_ok())
            })
            .collect()
    }

    /// It as it stands; nothing for what none of the two of its day has signed.
    pub fn view(&self, trust: &Trust, row: SuccessionRow, now: DateTime<Utc>) -> Option<SuccessionView> {
        let stated: FoundingStatement = statement::unverified(&row.note).ok()?;
        let own = stated.succession.as_ref().filter(|own| own.succession.0 == row.id && own.number == row.number)?;
        let fingerprint = statement::fingerprint(&row.note).ok()?;
        let follows = own.follows == hex(&self.founding.fingerprint());
        let (responsible, signed) = (two_of(&stated), self.signed(&row.note, &stated));
        let agreeing = self.agreeing(&responsible);
        let state = match (row.followed_at, row.declined_at) {
            (Some(_), _) => SuccessionState::InForce,
            (None, Some(_)) => SuccessionState::Declined,
            (None, None) if follows && now < own.lapses_at => SuccessionState::Proposed,
            (None, None) => SuccessionState::Lapsed,
        };
        if state == SuccessionState::Proposed && !agreeing.present.iter().any(|account| signed.contains(account)) {
            return None;
        }
        Some(SuccessionView {
            id: own.succession,
            number: own.number,
            state,
            waits_for: responsible.iter().copied().filter(|account| !signed.contains(account)).collect(),
            agreed: agreeing.agreed_by(&signed).is_some(),
            custodians_instead: agreeing.custodians_instead(),
            custodians: agreeing.custodians,
            signed_by: signed.into_iter().collect(),
            pinned: trust.is_pinned(&fingerprint),
            responsible,
            made_at: row.made_at,
            lapses_at: own.lapses_at,
            statement: row.note,
            fingerprint: hex(&fingerprint),
        })
    }
}

/// Its own two, in order.
fn two_of(stated: &FoundingStatement) -> Vec<AccountId> {
    let mut two: Vec<_> = stated.members.iter().filter(|member| member.responsible).map(|m| m.account).collect();
    two.sort_unstable();
    two
}

/// Everybody who is a member now, with these two as those who answer.
pub async fn members<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    before: &Before,
    two: [AccountId; 2],
) -> Result<Vec<FoundingMember>, Problem> {
    let organisation = before.founding.organisation;
    let mut members = Vec::new();
    for (account, handle, admitted) in store::people(unit, organisation).await? {
        let Some(member) = unit.member(account).await? else {
            // Whoever was changed in the database is not left out in silence: afterwards it could not be mended any more.
            if admitted || before.founding.member(account).is_some() {
                return Err(Problem::fault("somebody who was admitted is not believed"));
            }
            continue;
        };
        members.push(FoundingMember {
            account,
            handle,
            role: member.role,
            responsible: two.contains(&account),
            custodian: before.custody.custodian(account).is_some(),
            keys: member.keys.into(),
        });
    }
    Ok(members)
}

/// The founding that follows, as it would be signed now.
pub async fn draft<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    before: &Before,
    two: [AccountId; 2],
) -> Result<FoundingStatement, Problem> {
    let organisation = before.founding.organisation;
    let name = store::name(unit, organisation).await?.ok_or_else(Problem::absent)?;
    let members = members(unit, before, two).await?;
    let (connection, trust) = unit.with_trust();
    let agreed = match trust.agreements_of(connection, organisation).await {
        Ok(agreements) => agreements.in_force().map(AgreedPolicy::stated),
        Err(TrustError::Store(error)) => return Err(error.into()),
        Err(_) => return Err(Problem::fault("what was agreed about the policy is not as it was signed")),
    };
    let (custody, now) = (&before.custody, unit.now());
    Ok(FoundingStatement {
        organisation,
        kind: before.founding.kind,
        name,
        custody_key: custody.key,
        custody_public: hex(&custody.public().0),
        members,
        made_at: now,
        succession: Some(StatedSuccession {
            succession: SuccessionId::random(),
            number: before.founding.number() + 1,
            follows: hex(&before.founding.fingerprint()),
            custody_number: custody.number,
            custodians: custody.custodians.iter().map(crate::guard::trust::Custodian::stated).collect(),
            policy: agreed,
            lapses_at: now + TO_SIGN,
        }),
    })
}

/// Whether nothing has changed since this was written: everybody whom it names is what it says, and it names everybody.
pub async fn is_current<V: Does, K: About>(
    unit: &mut Unit<V, K>,
    before: &Before,
    stated: &FoundingStatement,
) -> Result<bool, Problem> {
    let Ok(two) = <[AccountId; 2]>::try_from(two_of(stated)) else { return Ok(false) };
    let now = draft(unit, before, two).await?;
    let (Some(then), Some(is)) = (&stated.succession, &now.succession) else { return Ok(false) };
    let line = |member: &FoundingMember| {
        (
            member.account,
            member.handle.clone(),
            member.role,
            member.responsible,
            member.custodian,
            member.keys.kem.clone(),
            member.keys.sign.clone(),
        )
    };
    Ok(stated.custody_key == now.custody_key
        && stated.name == now.name
        && then.follows == is.follows
        && then.custody_number == is.custody_number
        && then.policy == is.policy
        && stated.members.iter().map(line).eq(now.members.iter().map(line)))
}

pub fn fault(error: StatementError) -> Problem {
    match error {
        StatementError::SignedAlready => Problem::illegal("signed_already", "You have signed this already."),
        StatementError::NotSigned => {
            Problem::illegal("not_signed", "A signature on this founding is missing or wrong.")
        }
        StatementError::Malformed => Problem::fault("a founding that follows could not be written or read"),
    }
}
