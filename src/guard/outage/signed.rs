//! What two persons signed, checked back to the pins. A row is words that somebody wrote: its note is read with the keys of those who are
//! members, by what the policy lets their roles do, and by nothing else that stands in the database.

use crate::guard::action::{Relation, Role, Verb};
use crate::guard::policy::{Decision, DecisionTable};
use crate::guard::record::{AccountId, OrganisationId, OutageId, RecordKind};
use crate::guard::statement::{self, Lack, OutageReason, OutageStatement, claimed_signers};
use crate::guard::trust::{Member, Trust, TrustError};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use std::sync::Arc;

/// The longest that two may open. Whoever needs more signs anew.
pub const LONGEST: TimeDelta = TimeDelta::hours(4);

/// A note may claim any number of signers; so many are looked at behind the first.
const SECONDS: usize = 4;

/// An outage to which two have agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    pub id: OutageId,
    pub organisation: OrganisationId,
    pub lacks: Vec<Lack>,
    pub reason: OutageReason,
    pub proposed_by: AccountId,
    pub agreed_by: AccountId,
    /// What the second works as.
    pub agreed_as: Role,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// By the policy and their roles as they are today, both might sign this: nothing else opens. Who looks back sees those also for whom
    /// that has changed since.
    pub might: bool,
}

/// What one has proposed.
pub struct Proposed {
    pub stated: OutageStatement,
    pub by: Arc<Member>,
    /// As in [`Outage`].
    pub might: bool,
}

/// Whose signatures count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signers {
    /// Members in force, whose accounts nobody disabled and whom the policy lets: an outage ends with those who made it.
    InForce,
    /// Also those who have left since, or might not any more: for who looks back.
    Ever,
}

/// How somebody stands to the outages of an organisation, by what two signed when they were admitted.
#[must_use]
pub fn relation(member: &Member, organisation: OrganisationId) -> Relation {
    if member.organisation == organisation { Relation::Duty } else { Relation::None }
}

/// Reads notes.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub trust: &'a Trust,
    pub policy: &'a DecisionTable,
    pub signers: Signers,
}

impl Reader<'_> {
    /// Somebody who signs this of an organisation's outage, and whether the policy lets them.
    async fn who(
        &self,
        connection: &mut PgConnection,
        account: AccountId,
        verb: Verb,
        organisation: OrganisationId,
    ) -> Result<Option<(Arc<Member>, bool)>, sqlx::Error> {
        let found = match self.signers {
            Signers::InForce => self.trust.member(connection, account).await,
            Signers::Ever => self.trust.signer(connection, account).await,
        };
        let member = match found {
            Ok(member) => member,
            Err(TrustError::Store(error)) => return Err(error),
            Err(_) => return Ok(None),
        };
        let relation = relation(&member, organisation);
        let might = self.policy.decide(member.role, relation, RecordKind::Outage, verb, None) == Decision::Allow;
        Ok((might || self.signers == Signers::Ever).then_some((member, might)))
    }

    /// What somebody has proposed who might.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn proposed(&self, connection: &mut PgConnection, note: &str) -> Result<Option<Proposed>, sqlx::Error> {
        let Ok(claimed) = statement::unverified::<OutageStatement>(note) else { return Ok(None) };
        let by = self.who(connection, claimed.proposed_by, Verb::Propose, claimed.organisation).await?;
        let Some((by, might)) = by else { return Ok(None) };
        let stated = statement::verified::<OutageStatement>(note, &[(by.account, by.keys.sign)]);
        Ok(stated.ok().filter(is_whole).map(|stated| Proposed { stated, by, might }))
    }

    /// What two have agreed to: another person than the one who proposed it, and each of them might.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn agreed(&self, connection: &mut PgConnection, note: &str) -> Result<Option<Outage>, sqlx::Error> {
        let Some(Proposed { stated, by: first, might }) = self.proposed(connection, note).await? else {
            return Ok(None);
        };
        for account in claimed_signers(note).filter(|account| *account != first.account).take(SECONDS) {
            let second = self.who(connection, account, Verb::Countersign, stated.organisation).await?;
            let Some((second, may_agree)) = second else { continue };
            let both = [(first.account, first.keys.sign), (second.account, second.keys.sign)];
            if statement::verified::<OutageStatement>(note, &both).is_ok() {
                return Ok(Some(Outage {
                    id: stated.outage,
                    organisation: stated.organisation,
                    lacks: stated.lacks,
                    reason: stated.reason,
                    proposed_by: first.account,
                    agreed_by: second.account,
                    agreed_as: second.role,
                    from: stated.from,
                    until: stated.until,
                    might: might && may_agree,
                }));
            }
        }
        Ok(None)
    }
}

/// It is in spite of something, and for some hours at most.
fn is_whole(stated: &OutageStatement) -> bool {
    !stated.lacks.is_empty() && stated.from < stated.until && stated.until - stated.from <= LONGEST
}
