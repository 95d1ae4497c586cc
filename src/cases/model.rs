//! What is sent and answered about cases.

use super::states::CaseState;
use super::terms::Category;
use crate::guard::action::{Purpose, Relation, Role, Verb};
use crate::guard::policy::{Decision, DecisionTable};
use crate::guard::record::{
    AccountId, CaseId, CaseNoteId, OrganisationId, ProposalId, RecordKind, SectionId, SubjectId,
};
use crate::guard::statement::AccessReason;
use crate::guard::words::words;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// How a colleague is put on a case: to work on it, or to read it.
    pub enum CaseRelation {
        Assigned = "assigned",
        Granted = "granted",
        /// By two custodians, for some hours and some sections; no colleague gives it.
        Emergency = "emergency",
    }
}

impl From<CaseRelation> for Relation {
    fn from(relation: CaseRelation) -> Self {
        match relation {
            CaseRelation::Assigned => Self::Assigned,
            CaseRelation::Granted => Self::Granted,
            CaseRelation::Emergency => Self::Emergency,
        }
    }
}

/// Whether somebody of this role, put on a case so, does anything there. A supervisor looks at cases, and is never put on one:
/// whoever counts as left on a case must be able to work on it.
pub(crate) fn works(policy: &DecisionTable, role: Role, relation: CaseRelation) -> bool {
    let (verb, purpose) = match relation {
        CaseRelation::Assigned => (Verb::Write, None),
        CaseRelation::Granted => (Verb::Read, Some(Purpose::CaseWork)),
        CaseRelation::Emergency => (Verb::Read, Some(Purpose::Emergency)),
    };
    policy.decide(role, relation.into(), RecordKind::Case, verb, purpose) == Decision::Allow
}

/// Refuses what no colleague gives.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the validator passes a reference")]
pub(crate) fn by_colleagues(relation: &CaseRelation, _context: &()) -> garde::Result {
    match relation {
        CaseRelation::Emergency => Err(garde::Error::new("is given by two custodians: invoke an emergency")),
        CaseRelation::Assigned | CaseRelation::Granted => Ok(()),
    }
}

/// The clear row of a case.
#[derive(Clone)]
pub(crate) struct CaseRow {
    pub id: CaseId,
    pub number: i64,
    pub organisation: OrganisationId,
    pub state: CaseState,
    pub epoch: i32,
    pub epoch_pending: bool,
    pub opened_at: DateTime<Utc>,
}

/// A case as it is listed: what is clear, and how the reader stands to it.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CaseView {
    pub id: CaseId,
    /// To be said on the telephone; tells how many cases there are, not what they are about.
    pub number: i64,
    pub state: CaseState,
    pub opened_at: DateTime<Utc>,
    /// How the reader stands to the case.
    pub relation: Relation,
    /// Somebody was taken off the case, and its keys have not been renewed yet.
    pub epoch_pending: bool,
}

impl CaseView {
    pub(super) fn of(case: &CaseRow, relation: Relation) -> Self {
        Self {
            id: case.id,
            number: case.number,
            state: case.state,
            opened_at: case.opened_at,
            relation,
            epoch_pending: case.epoch_pending,
        }
    }
}

/// Somebody who works here and is on the case.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AccessView {
    pub account: AccountId,
    pub relation: CaseRelation,
    /// From when on; a stand-in's may still be to come.
    pub since: DateTime<Utc>,
    /// When it ends by itself: a stand-in's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// Access that has ended.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AccessEnded {
    pub account: AccountId,
    /// The next who works on the case makes its new keys; access has ended already.
    pub epoch_pending: bool,
}

/// A colleague is to be taken off a case.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRemoval {
    #[garde(skip)]
    pub account: AccountId,
}

/// A removal that waits for a second person.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct RemovalView {
    pub id: ProposalId,
    /// Who is to be taken off.
    pub account: AccountId,
    /// Who proposed it.
    pub by: AccountId,
    pub made_at: DateTime<Utc>,
    /// Afterwards it has no effect any more.
    pub lapses_at: DateTime<Utc>,
}

/// A section kind of a case or of a person. Every kind is listed, and whether one that the reader cannot open has
/// content is never told: so its id is not, either.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SectionListed {
    pub kind: RecordKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<SectionId>,
    /// Whether the reader may open sections of this kind.
    pub readable: bool,
}

/// A person on the case. Who they are, and as what they came, stands in their `identity` section.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PersonListed {
    pub id: SubjectId,
    pub sections: Vec<SectionListed>,
}

/// A case as the people on it see it.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CaseDetail {
    #[serde(flatten)]
    pub case: CaseView,
    /// Colleagues on the case.
    pub access: Vec<AccessView>,
    /// Sections of the case as a whole.
    pub sections: Vec<SectionListed>,
    pub persons: Vec<PersonListed>,
}

/// A new state for a case.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateChange {
    #[garde(skip)]
    pub state: CaseState,
}

/// A person to be added to a case.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// Sealed into the person's `identity`.
    #[garde(skip)]
    pub category: Category,
}

/// A person on the case by name.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PersonNamed {
    pub id: SubjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_name: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct PersonMade {
    pub id: SubjectId,
}

/// The version that was stored; also the `ETag`.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct SectionStored {
    pub id: SectionId,
    pub kind: RecordKind,
    pub version: i64,
}

/// A note on a case: it is never changed, only followed by another.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNote {
    #[garde(length(chars, min = 1, max = 20_000))]
    #[schema(min_length = 1, max_length = 20000)]
    pub text: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct NoteMade {
    pub id: CaseNoteId,
    /// Place in the case's notes, from 0.
    pub position: i64,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct NoteView {
    pub id: CaseNoteId,
    pub position: i64,
    pub author: AccountId,
    pub written_at: DateTime<Utc>,
    pub text: String,
}

/// A colleague to be put on a case.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccess {
    #[garde(skip)]
    pub account: AccountId,
    #[garde(custom(by_colleagues))]
    pub relation: CaseRelation,
    /// Why. Signed with the decision.
    #[garde(skip)]
    pub reason: AccessReason,
}
