//! Which policy two responsible persons have agreed to. Each agreement follows the one before by its number and is signed by both
//! of the organisation that answers for the policy, checked back to its pinned founding: a row alone agrees to nothing, and an
//! older policy comes back only by a new agreement.

use super::{Founding, Trust, TrustError};
use crate::guard::action::Role;
use crate::guard::record::{AccountId, OrganisationId, PolicyId};
use crate::guard::statement::{self, OrganisationKind, PolicyStatement, StatedAgreement, StatementError, hex, unhex};
use crate::guard::store;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::VerifyingKey;
use sqlx::PgConnection;
use std::sync::Arc;
use uuid::Uuid;

/// How long a policy may count beside the one that follows it.
pub const LONGEST_OVERLAP: TimeDelta = TimeDelta::days(7);

/// A policy to which two responsible persons have agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreedPolicy {
    pub id: PolicyId,
    /// The first is 1.
    pub number: i32,
    pub digest: [u8; 32],
    /// So long the one before counts beside it.
    pub before_until: DateTime<Utc>,
    /// Of its statement.
    pub fingerprint: [u8; 32],
}

impl AgreedPolicy {
    /// As it stands in a founding that follows.
    #[must_use]
    pub fn stated(&self) -> StatedAgreement {
        StatedAgreement { policy: self.id, fingerprint: hex(&self.fingerprint) }
    }
}

/// All agreements of the organisation that answers for the policy, in their order.
pub struct Agreements {
    founding: Arc<Founding>,
    agreed: Vec<AgreedPolicy>,
    /// Those who answered for it before, with their keys.
    former: Vec<(AccountId, VerifyingKey)>,
}

impl Agreements {
    #[must_use]
    pub fn organisation(&self) -> OrganisationId {
        self.founding.organisation
    }

    /// The two who agree.
    #[must_use]
    pub fn responsible(&self) -> Vec<AccountId> {
        self.founding.responsible()
    }

    /// What the two work as.
    #[must_use]
    pub fn roles(&self) -> Vec<Role> {
        self.founding.members.values().filter(|member| member.responsible).map(|member| member.role).collect()
    }

    /// With which key one of the two signs.
    #[must_use]
    pub fn key_of(&self, account: AccountId) -> Option<VerifyingKey> {
        self.founding.two().into_iter().find(|(own, _)| *own == account).map(|(_, key)| key)
    }

    #[must_use]
    pub fn all(&self) -> &[AgreedPolicy] {
        &self.agreed
    }

    /// The latest.
    #[must_use]
    pub fn in_force(&self) -> Option<&AgreedPolicy> {
        self.agreed.last()
    }

    /// Whether a policy decides now: the latest, and for the time that was agreed the one before it.
    #[must_use]
    pub fn counts(&self, digest: &[u8; 32], now: DateTime<Utc>) -> bool {
        let mut newest = self.agreed.iter().rev();
        let Some(latest) = newest.next() else { return false };
        latest.digest == *digest
            || (now < latest.before_until && newest.next().is_some_and(|before| before.digest == *digest))
    }

    /// The agreement that this note is: signed by both, and following the latest.
    ///
    /// # Errors
    /// [`StatementError`] for anything else.
    pub fn followed_by(&self, note: &str) -> Result<AgreedPolicy, StatementError> {
        self.follows(&statement::verified(note, &self.founding.two())?, statement::fingerprint(note)?)
    }

    /// What one of the two proposes; it counts once the other has signed too. What was agreed to is also by those who answered before.
    ///
    /// # Errors
    /// [`StatementError`] unless this person, one of them, signed it.
    pub fn proposed(&self, note: &str, by: AccountId) -> Result<PolicyStatement, StatementError> {
        let former = || self.former.iter().find(|(account, _)| *account == by).map(|(_, key)| *key);
        let own = self.key_of(by);
        let key = own.or_else(former).ok_or(StatementError::NotSigned)?;
        let stated: PolicyStatement = statement::verified(note, &[(by, key)])?;
        let counts = own.is_some() || self.agreed.iter().any(|agreed| agreed.id == stated.policy);
        if counts && stated.organisation == self.organisation() { Ok(stated) } else { Err(StatementError::Malformed) }
    }

    /// Goes on to each founding that begins with the latest agreement: from there on its two agree.
    fn pass_on(&mut self, rest: &mut &[Arc<Founding>]) {
        while let Some((next, others)) = rest.split_first() {
            if next.policy() != self.in_force().map(AgreedPolicy::stated) {
                break;
            }
            self.former.extend(self.founding.two());
            (self.founding, *rest) = (Arc::clone(next), others);
        }
    }

    fn follows(&self, stated: &PolicyStatement, fingerprint: [u8; 32]) -> Result<AgreedPolicy, StatementError> {
        let latest = self.in_force();
        let fits = stated.organisation == self.organisation()
            && stated.number == latest.map_or(1, |latest| latest.number + 1)
            && stated.follows == latest.map(|latest| latest.id)
            && self.agreed.iter().all(|earlier| earlier.id != stated.policy)
            && stated.before_until <= stated.made_at + LONGEST_OVERLAP;
        if !fits {
            return Err(StatementError::Malformed);
        }
        Ok(AgreedPolicy {
            id: stated.policy,
            number: stated.number,
            digest: unhex(&stated.digest)?,
            before_until: stated.before_until,
            fingerprint,
        })
    }
}

impl Trust {
    /// The organisation whose responsible persons answer for the policy: the one that is named, or else the only founded office
    /// of the coordinator. `None` while there is none.
    ///
    /// # Errors
    /// [`TrustError::Several`] when nobody says which.
    pub async fn policy_keepers(
        &self,
        connection: &mut PgConnection,
        named: Option<OrganisationId>,
    ) -> Result<Option<Arc<Founding>>, TrustError> {
        let candidates = match named {
            Some(named) => vec![named],
            None => store::organisations_of_kind(connection, OrganisationKind::Coordinator.as_str()).await?,
        };
        let mut found = None;
        for organisation in candidates {
            let founding = match self.founding(connection, organisation).await {
                // Whoever runs the service has no say in what it allows.
                Ok(founding) if founding.kind != OrganisationKind::Administrator => founding,
                Err(TrustError::Store(error)) => return Err(error.into()),
                Ok(_) | Err(_) => continue,
            };
            if found.replace(founding).is_some() {
                return Err(TrustError::Several);
            }
        }
        Ok(found)
    }

    /// What was agreed about the policy, or `None` while nobody can agree yet.
    ///
    /// # Errors
    /// [`TrustError::WentBack`] when an agreement is gone that this process has seen.
    pub async fn policies(
        &self,
        connection: &mut PgConnection,
        named: Option<OrganisationId>,
    ) -> Result<Option<Agreements>, TrustError> {
        let Some(founding) = self.policy_keepers(connection, named).await? else { return Ok(None) };
        Ok(Some(self.agreements_of(connection, founding.organisation).await?))
    }

    /// What the two of an organisation agreed about the policy, whether or not they answer for it today.
    ///
    /// # Errors
    /// [`TrustError::WentBack`] when an agreement is gone that this process has seen, or with which others began to answer.
    pub async fn agreements_of(
        &self,
        connection: &mut PgConnection,
        organisation: OrganisationId,
    ) -> Result<Agreements, TrustError> {
        let foundings = self.foundings(connection, organisation).await?;
        let Some((first, mut rest)) = foundings.split_first() else { return Err(TrustError::Forming) };
        if !rest.is_empty() {
            // Whether each was agreed to is checked there.
            self.custody(connection, organisation).await?;
        }
        let mut all = Agreements { founding: Arc::clone(first), agreed: Vec::new(), former: Vec::new() };
        let (mut after, mut planted) = ((0, Uuid::nil()), 0_u64);
        loop {
            let run = store::agreed_policies(connection, organisation, after).await?;
            let Some(last) = run.last() else { break };
            after = (last.number, last.id);
            for row in &run {
                all.pass_on(&mut rest);
                match all.followed_by(&row.note) {
                    Ok(next) if next.id.0 == row.id => all.agreed.push(next),
                    _ => planted += 1,
                }
            }
        }
        if planted > 0 {
            tracing::error!(
                planted,
                "ALARM: policies lie in the database as agreed that two persons did not agree to; they do not count"
            );
        }
        all.pass_on(&mut rest);
        if !rest.is_empty() {
            tracing::error!("ALARM: an agreement about the policy is gone with which other responsible persons began");
            return Err(TrustError::WentBack);
        }
        let mut seen = self.seen();
        let highest = seen.highest_policy.entry(all.organisation()).or_default();
        let number = all.in_force().map_or(0, |latest| latest.number);
        if number < *highest {
            tracing::error!("ALARM: an agreement about the policy was taken away");
            return Err(TrustError::WentBack);
        }
        *highest = number;
        drop(seen);
        Ok(all)
    }
}
