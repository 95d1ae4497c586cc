//! Which policy two responsible persons have agreed to. Each agreement follows the one before by its number and is signed by both
//! of the organisation that answers for the policy, checked back to its pinned founding: a row alone agrees to nothing, and an
//! older policy comes back only by a new agreement.

use super::{Founding, Trust, TrustError};
use crate::guard::record::{AccountId, OrganisationId, PolicyId};
use crate::guard::statement::{self, OrganisationKind, PolicyStatement, StatementError, unhex};
use crate::guard::store;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::VerifyingKey;
use sqlx::PgConnection;
use std::sync::Arc;

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
}

/// All agreements of the organisation that answers for the policy, in their order.
pub struct Agreements {
    founding: Arc<Founding>,
    agreed: Vec<AgreedPolicy>,
}

impl Agreements {
    #[must_use]
    pub fn organisation(&self) -> OrganisationId {
        self.founding.organisation
    }

    /// The two who agree.
    #[must_use]
    pub fn responsible(&self) -> Vec<AccountId> {
        let mut two: Vec<_> = self.founding.responsible().into_iter().map(|(account, _)| account).collect();
        two.sort_unstable();
        two
    }

    /// With which key one of the two signs.
    #[must_use]
    pub fn key_of(&self, account: AccountId) -> Option<VerifyingKey> {
        self.founding.responsible().into_iter().find(|(own, _)| *own == account).map(|(_, key)| key)
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
        self.follows(&statement::verified(note, &self.founding.responsible())?)
    }

    /// What one of the two proposes; it counts once the other has signed too.
    ///
    /// # Errors
    /// [`StatementError`] unless this person, one of the two, signed it.
    pub fn proposed(&self, note: &str, by: AccountId) -> Result<PolicyStatement, StatementError> {
        let key = self.key_of(by).ok_or(StatementError::NotSigned)?;
        let stated: PolicyStatement = statement::verified(note, &[(by, key)])?;
        if stated.organisation == self.organisation() { Ok(stated) } else { Err(StatementError::Malformed) }
    }

    fn follows(&self, stated: &PolicyStatement) -> Result<AgreedPolicy, StatementError> {
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
        let mut all = Agreements { founding, agreed: Vec::new() };
        for row in store::agreed_policies(connection, all.organisation()).await? {
            match all.followed_by(&row.note) {
                Ok(next) if next.id.0 == row.id => all.agreed.push(next),
                _ => {
                    tracing::error!("ALARM: a policy lies in the database as agreed that two persons did not agree to");
                }
            }
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
        Ok(Some(all))
    }
}
