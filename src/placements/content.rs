//! What is asked, sealed and shown of a placement.

use super::model::{DeclineCode, PlacementBasis, PlacementState};
use crate::accommodation::model::Places;
use crate::cases::codes::Gender;
use crate::consents::model::Source;
use crate::guard::record::{AccommodationId, AccountId, CaseId, OrganisationId, PlacementId, SubjectId};
use crate::guard::words::words;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// How old about: bands as the CTDC publishes them.
    pub enum AgeBand {
        UpTo8 = "0-8",
        From9 = "9-17",
        From18 = "18-20",
        From21 = "21-23",
        From24 = "24-26",
        From27 = "27-29",
        From30 = "30-38",
        From39 = "39-47",
        From48 = "48+",
    }
}

impl AgeBand {
    /// Whether everybody of this band is under eighteen.
    #[must_use]
    pub const fn is_child(self) -> bool {
        matches!(self, Self::UpTo8 | Self::From9)
    }
}

/// What is needed to care for the person: nothing of what happened, and nothing of the investigation.
#[derive(Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// How the person wants to be called; need not be their name.
    #[garde(length(chars, min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    pub called: String,
    #[garde(skip)]
    pub age: AgeBand,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub gender: Option<Gender>,
    /// ISO 639.
    #[serde(default)]
    #[garde(length(max = 8), inner(custom(crate::cases::iso::language)))]
    #[schema(max_items = 8)]
    pub languages: Vec<String>,
    #[serde(default)]
    #[garde(skip)]
    pub needs_interpreter: bool,
    /// Children who come along.
    #[serde(default)]
    #[garde(range(max = 20))]
    #[schema(maximum = 20)]
    pub children: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 4000))]
    #[schema(max_length = 4000)]
    pub health: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    pub diet_and_faith: Option<String>,
    /// Who must not come near, and what must not be said to whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 4000))]
    #[schema(max_length = 4000)]
    pub safety: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    pub wishes: Option<String>,
}

/// The officer's request.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlacement {
    /// Whom of the case it is for.
    #[garde(skip)]
    pub person: SubjectId,
    #[garde(skip)]
    pub accommodation: AccommodationId,
    #[garde(skip)]
    pub places: Places,
    /// Why the shelter may be told of the person: a consent that is recorded, or what takes its place.
    #[garde(skip)]
    pub basis: PlacementBasis,
    #[garde(dive)]
    pub needs: Needs,
}

/// That the person said yes, after it was explained.
#[derive(Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentGiven {
    #[garde(skip)]
    pub source: Source,
    /// The words in which it was explained.
    #[garde(length(chars, min = 1, max = 4000))]
    #[schema(min_length = 1, max_length = 4000)]
    pub explained: String,
    /// In which language: ISO 639.
    #[garde(custom(crate::cases::iso::language))]
    #[schema(pattern = "^[a-z]{2,3}$")]
    pub language: String,
}

/// What is sealed. Who may open it stands inside, signed with it by whoever sealed it: a row added beside it in the
/// database gives nobody a key.
#[derive(Deserialize, Serialize)]
pub struct PlacementContent {
    pub schema_version: u16,
    /// What the clear row says too; whoever holds the database could change it there.
    pub case: CaseId,
    pub shelter: OrganisationId,
    pub person: SubjectId,
    pub needs: Needs,
    /// The squad's people to whom it is sealed.
    pub officers: Vec<AccountId>,
    /// The shelter's, once it has accepted: who cares for the person,
    pub workers: Vec<AccountId>,
    /// and who decided.
    pub manager: Option<AccountId>,
    pub basis: PlacementBasis,
    pub consent: Option<ConsentGiven>,
}

pub const SCHEMA_VERSION: u16 = 1;

/// The shelter accepts, and names who will care for the person.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    #[garde(length(min = 1, max = 20), custom(crate::cases::iso::each_once))]
    #[schema(min_items = 1, max_items = 20)]
    pub workers: Vec<AccountId>,
}

/// The shelter declines.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    #[garde(skip)]
    pub code: DeclineCode,
}

/// How the person left.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// Whether the house and the person had planned it. Both are the person's own act.
    #[serde(default)]
    #[garde(skip)]
    pub planned: bool,
}

/// Where a placement stands.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Stands {
    pub id: PlacementId,
    pub number: i64,
    pub state: PlacementState,
}

/// A placement in a list: nothing of the person.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PlacementRow {
    pub id: PlacementId,
    pub number: i64,
    pub accommodation: AccommodationId,
    pub places: Places,
    pub state: PlacementState,
    pub decline_code: Option<DeclineCode>,
    pub requested_at: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub admitted_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A placement, opened.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PlacementView {
    #[serde(flatten)]
    pub row: PlacementRow,
    /// For the squad only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// Who asked: with whom the person may share their care.
    pub squad: OrganisationId,
    pub person: SubjectId,
    pub needs: Needs,
    pub basis: PlacementBasis,
    pub officers: Vec<AccountId>,
    pub workers: Vec<AccountId>,
    /// Who of the shelter decided.
    pub manager: Option<AccountId>,
    pub consent: Option<ConsentGiven>,
}
