//! States and content of a consent.

use crate::guard::action::Purpose;
use crate::guard::record::{ConsentId, OrganisationId};
use crate::guard::words::words;
use crate::platform::http::maybe_moment;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// What is shared, by kind of record.
    pub enum Section {
        Placement = "placement",
        Care = "care",
        Identity = "identity",
        ContactAndSafety = "contact_and_safety",
        Narrative = "narrative",
        Legal = "legal",
    }
}

words! {
    /// Where a consent stands. Expired is what a given one becomes by itself.
    pub enum ConsentState {
        Asked = "asked",
        Given = "given",
        Refused = "refused",
        Withdrawn = "withdrawn",
        Expired = "expired",
    }
}

words! {
    /// Who spoke.
    pub enum Source {
        Person = "person",
        Guardian = "guardian",
    }
}

words! {
    /// What was said when it was recorded, or later.
    pub enum Said {
        Asked = "asked",
        Given = "given",
        Refused = "refused",
    }
}

/// A step that the state does not allow; the state is named.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("A consent that is {0} cannot be {1}.")]
pub struct IllegalTransition(pub ConsentState, pub &'static str);

impl ConsentState {
    /// The person answers.
    ///
    /// # Errors
    /// Unless they were asked, and answer one way or the other.
    pub fn answer(self, said: Said) -> Result<Self, IllegalTransition> {
        match (self, said) {
            (Self::Asked, Said::Given) => Ok(Self::Given),
            (Self::Asked, Said::Refused) => Ok(Self::Refused),
            (state, Said::Asked) => Err(IllegalTransition(state, "asked again")),
            (state, _) => Err(IllegalTransition(state, "answered")),
        }
    }

    /// The person takes back what they said: a consent, or a refusal.
    ///
    /// # Errors
    /// When nothing was said, or it was taken back already.
    pub fn withdraw(self) -> Result<Self, IllegalTransition> {
        match self {
            Self::Given | Self::Refused => Ok(Self::Withdrawn),
            state => Err(IllegalTransition(state, "withdrawn")),
        }
    }

    /// How it stands at a moment.
    #[must_use]
    pub fn at(self, now: DateTime<Utc>, expires_at: Option<DateTime<Utc>>) -> Self {
        if self == Self::Given && expires_at.is_some_and(|end| end <= now) { Self::Expired } else { self }
    }
}

/// What the person was asked, or said.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// For what the recipient would see it.
    #[garde(skip)]
    pub purpose: Purpose,
    /// The organisation that would see it.
    #[garde(skip)]
    pub recipient: OrganisationId,
    #[garde(skip)]
    pub section: Section,
    #[garde(skip)]
    pub said: Said,
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
    /// Until when a consent counts; until it is taken back if absent.
    #[garde(skip)]
    #[serde(default, deserialize_with = "maybe_moment")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// The answer to what was asked before.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentAnswer {
    #[garde(skip)]
    pub said: Said,
    #[garde(skip)]
    pub source: Source,
}

/// What is sealed. Purpose, recipient and section stand in it too: the clear row beside it may be changed by who holds the
/// database.
#[derive(Deserialize, Serialize)]
pub struct ConsentContent {
    pub schema_version: u16,
    pub consent: ConsentId,
    pub purpose: Purpose,
    pub recipient: OrganisationId,
    pub section: Section,
    pub source: Source,
    pub explained: String,
    pub language: String,
}

pub const SCHEMA_VERSION: u16 = 1;

/// Where a consent stands.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ConsentStands {
    pub id: ConsentId,
    pub state: ConsentState,
}

/// A consent, opened.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ConsentView {
    pub id: ConsentId,
    pub purpose: Purpose,
    pub recipient: OrganisationId,
    pub section: Section,
    pub state: ConsentState,
    pub source: Source,
    pub explained: String,
    pub language: String,
    pub recorded_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConsentState as S;
    use chrono::TimeDelta;

    #[test]
    fn asked_is_answered_once_and_what_was_said_is_taken_back_once() {
        for state in S::ALL.iter().copied() {
            assert_eq!(state.answer(Said::Given).is_ok(), state == S::Asked, "{state}");
            assert_eq!(state.answer(Said::Refused).is_ok(), state == S::Asked, "{state}");
            assert!(state.answer(Said::Asked).is_err());
            assert_eq!(state.withdraw().is_ok(), matches!(state, S::Given | S::Refused), "{state}");
        }
    }

    #[test]
    fn a_given_consent_expires_and_a_refusal_does_not() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        assert_eq!(S::Given.at(now, Some(now)), S::Expired);
        assert_eq!(S::Given.at(now, Some(now + TimeDelta::seconds(1))), S::Given);
        assert_eq!(S::Given.at(now, None), S::Given);
        assert_eq!(S::Refused.at(now, Some(now)), S::Refused);
    }
}
