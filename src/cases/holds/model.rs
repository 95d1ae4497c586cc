//! What is sent and answered about holds.

use super::Hold;
use crate::cases::two_persons::Proposal;
use crate::guard::record::{AccountId, HoldId, ProposalId};
use crate::guard::statement::HoldReason;
use crate::platform::problem::Problem;
use chrono::{DateTime, SubsecRound as _, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A case is not to be erased.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// A code: the statement lies open in the database.
    #[garde(skip)]
    pub reason: HoldReason,
    /// In force until then; without it until two persons lift it.
    #[garde(skip)]
    pub until: Option<DateTime<Utc>>,
}

impl NewHold {
    /// Until when, if that can be: to the second, as it is signed and stored.
    ///
    /// # Errors
    /// 422 that names the field.
    pub fn end(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Problem> {
        let until = self.until.map(|until| until.trunc_subsecs(0));
        if until.is_some_and(|until| until <= now) {
            return Err(Problem::field("until", "is still to come"));
        }
        Ok(until)
    }
}

/// A hold, in force, over or lifted.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct HoldView {
    pub id: HoldId,
    pub reason: HoldReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Who placed it.
    pub by: AccountId,
    pub made_at: DateTime<Utc>,
    /// While it is, the case is not erased.
    pub in_force: bool,
    /// That it be lifted is proposed, and waits for a second person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lift: Option<LiftView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<DateTime<Utc>>,
    /// Who proposed that it be lifted, and who confirmed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<Vec<AccountId>>,
}

impl HoldView {
    pub(super) fn of(hold: &Hold, now: DateTime<Utc>, lift: Option<LiftView>) -> Self {
        let in_force = hold.is_in_force(now);
        let Hold { id, reason, until, by, made_at, lifted } = *hold;
        let (lifted_at, lifted_by) = lifted.map(|(at, by)| (at, by.to_vec())).unzip();
        Self { id, reason, until, by, made_at, in_force, lift, lifted_at, lifted_by }
    }
}

/// That a hold be lifted: it waits for a second person.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct LiftView {
    pub id: ProposalId,
    pub by: AccountId,
    pub made_at: DateTime<Utc>,
    /// Afterwards it has no effect any more.
    pub lapses_at: DateTime<Utc>,
}

impl From<&Proposal> for LiftView {
    fn from(made: &Proposal) -> Self {
        Self { id: made.id, by: made.by, made_at: made.made_at, lapses_at: made.lapses_at }
    }
}
