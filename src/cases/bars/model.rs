//! What is sent and answered about bars.

use super::Bar;
use crate::guard::record::{AccountId, BarId, CaseId};
use crate::guard::statement::BarReason;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody steps back from a case.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recusal {
    /// A code: the statement lies open in the database.
    #[garde(skip)]
    pub reason: BarReason,
}

/// The case is closed to whoever stepped back from it.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Recused {
    pub case: CaseId,
    pub at: DateTime<Utc>,
}

/// Somebody is to be kept off a case.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBar {
    #[garde(skip)]
    pub account: AccountId,
    /// A code: the statement lies open in the database.
    #[garde(skip)]
    pub reason: BarReason,
}

/// A bar, in force or lifted.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct BarView {
    pub id: BarId,
    /// Who is kept off the case.
    pub account: AccountId,
    /// Who said so: the same person, who stepped back, or a supervisor.
    pub by: AccountId,
    pub reason: BarReason,
    pub made_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted_by: Option<AccountId>,
}

impl From<Bar> for BarView {
    fn from(bar: Bar) -> Self {
        let Bar { id, account, reason, by, made_at, lifted, .. } = bar;
        let (lifted_at, lifted_by) = lifted.unzip();
        Self { id, account, by, reason, made_at, lifted_at, lifted_by }
    }
}
