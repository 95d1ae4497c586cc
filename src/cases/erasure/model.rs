//! What is sent and answered about erasures.

use crate::cases::model::CaseRow;
use crate::cases::two_persons::Proposal;
use crate::guard::record::{AccountId, CaseId, ProposalId};
use crate::guard::statement::ErasureReason;
use crate::guard::words::words;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// How far an erasure has come.
    pub enum ErasureState {
        /// It waits for a second person. Nothing has happened.
        Proposed = "proposed",
        /// Two persons have said so: there is no such case any more. Its last keys are being erased.
        Erasing = "erasing",
        /// Its last key is gone. Backups of the erasure store may still have it.
        ErasedOnline = "erased_online",
        /// And these are gone too: nothing of it opens, from whatever copy.
        ErasedFinally = "erased_finally",
    }
}

/// A case is to be erased.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewErasure {
    /// A code: it is kept when the case is gone.
    #[garde(skip)]
    pub reason: ErasureReason,
}

/// An erasure, proposed or done.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ErasureView {
    pub id: ProposalId,
    pub case: CaseId,
    /// The case's number.
    pub number: i64,
    pub state: ErasureState,
    pub reason: ErasureReason,
    pub proposed_by: AccountId,
    pub proposed_at: DateTime<Utc>,
    /// While it is proposed: afterwards it has no effect any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lapses_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<DateTime<Utc>>,
    /// When its last key was erased, by the database's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online_at: Option<DateTime<Utc>>,
    /// When it is erased finally: the last backup of the erasure store that could have a key of it is gone by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_at: Option<DateTime<Utc>>,
}

impl ErasureView {
    /// One that waits for a second person.
    pub(super) fn waits(case: &CaseRow, made: &Proposal) -> Option<Self> {
        Some(Self {
            id: made.id,
            case: case.id,
            number: case.number,
            state: ErasureState::Proposed,
            reason: made.what.reason?,
            proposed_by: made.by,
            proposed_at: made.made_at,
            lapses_at: Some(made.lapses_at),
            confirmed_by: None,
            erased_at: None,
            online_at: None,
            final_at: None,
        })
    }
}
