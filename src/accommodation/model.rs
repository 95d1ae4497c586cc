//! Kinds, places, the seven conditions, courses; what is sent and answered.

use crate::guard::record::{AccommodationId, AccountId, OrganisationId, PlacementId};
use crate::guard::words::words;
use crate::platform::http::moment;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

words! {
    /// What kind of house it is.
    pub enum AccommodationKind {
        Shelter = "shelter",
        Transitional = "transitional",
        Emergency = "emergency",
    }
}

words! {
    /// For whom a place is.
    pub enum Places {
        Women = "women",
        Men = "men",
        Families = "families",
        Children = "children",
    }
}

words! {
    /// The seven conditions of secure accommodation (plan, section 6).
    pub enum Condition {
        SecuredBuilding = "secured_building",
        Telephone = "telephone",
        MedicalCare = "medical_care",
        LegalHelp = "legal_help",
        Translator = "translator",
        PlaceForConversation = "place_for_conversation",
        Confidentiality = "confidentiality",
    }
}

words! {
    /// Courses whose certificate opens work, and closes it when it has run out (R13).
    pub enum Course {
        CareForVictims = "care_for_victims",
        Identification = "identification",
        Evidence = "evidence",
        Surveillance = "surveillance",
    }
}

/// The course without which nobody works with residents.
pub const FOR_CARE: Course = Course::CareForVictims;
/// How long a certificate of either kind lasts at most.
pub const LONGEST: TimeDelta = TimeDelta::days(3 * 366);

/// A house with its places.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccommodation {
    #[garde(skip)]
    pub kind: AccommodationKind,
    #[garde(dive)]
    pub capacity: Capacity,
}

/// Places by type.
#[derive(Clone, Copy, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    #[serde(default)]
    #[garde(range(max = 1000))]
    #[schema(maximum = 1000)]
    pub women: u16,
    #[serde(default)]
    #[garde(range(max = 1000))]
    #[schema(maximum = 1000)]
    pub men: u16,
    #[serde(default)]
    #[garde(range(max = 1000))]
    #[schema(maximum = 1000)]
    pub families: u16,
    #[serde(default)]
    #[garde(range(max = 1000))]
    #[schema(maximum = 1000)]
    pub children: u16,
}

/// Which of the seven conditions were found to be met, and until when that counts.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCertificate {
    #[garde(length(max = 7), custom(crate::cases::iso::each_once))]
    #[schema(max_items = 7)]
    pub conditions: Vec<Condition>,
    #[garde(skip)]
    #[serde(deserialize_with = "moment")]
    pub expires_at: DateTime<Utc>,
}

/// The newest certificate of a house.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
pub struct CertificateView {
    pub missing: Vec<Condition>,
    pub certified_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Why nobody can be placed in a house now.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unfit {
    #[error("it has no certificate")]
    NoCertificate,
    #[error("its certificate has expired")]
    Expired,
    #[error("it does not meet the condition {0}")]
    Missing(Condition),
}

impl CertificateView {
    /// Whether somebody may be placed there (R28).
    ///
    /// # Errors
    /// [`Unfit`] with the first thing that is wrong.
    pub fn check(certificate: Option<&Self>, now: DateTime<Utc>) -> Result<(), Unfit> {
        let certificate = certificate.ok_or(Unfit::NoCertificate)?;
        if certificate.expires_at <= now {
            return Err(Unfit::Expired);
        }
        certificate.missing.first().map_or(Ok(()), |condition| Err(Unfit::Missing(*condition)))
    }

    /// Which of the seven are not among these.
    #[must_use]
    pub fn missing(met: &[Condition]) -> Vec<Condition> {
        Condition::ALL.iter().copied().filter(|condition| !met.contains(condition)).collect()
    }
}

/// Places of one type, and how many of them are free.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PlacesView {
    pub places: Places,
    pub capacity: i32,
    pub free: i64,
}

/// A house as everybody who places people sees it. Its address is not here.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AccommodationView {
    pub id: AccommodationId,
    pub organisation: OrganisationId,
    pub kind: AccommodationKind,
    pub places: Vec<PlacesView>,
    pub certificate: Option<CertificateView>,
    /// Whether somebody may be placed there now: all seven conditions are certified.
    pub open: bool,
}

/// Where a house lies. Sealed.
#[derive(Clone, Deserialize, Serialize, Validate, ToSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Address {
    #[garde(length(chars, min = 1, max = 500))]
    #[schema(min_length = 1, max_length = 500)]
    pub address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    pub directions: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(chars, max = 40))]
    #[schema(max_length = 40)]
    pub telephone: Option<String>,
}

/// The address was written.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct AddressWritten {
    pub id: AccommodationId,
    /// Current placements that another manager accepted. The house has moved, so their officers do not see the old address any
    /// more; they see the new one when that manager has written it as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_address: Vec<PlacementId>,
}

/// That somebody passed a course.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTraining {
    #[garde(skip)]
    pub account: AccountId,
    #[garde(skip)]
    pub course: Course,
    #[garde(skip)]
    #[serde(deserialize_with = "moment")]
    pub passed_at: DateTime<Utc>,
    #[garde(skip)]
    #[serde(deserialize_with = "moment")]
    pub expires_at: DateTime<Utc>,
}

/// A certificate of training.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct TrainingView {
    pub id: Uuid,
    pub account: AccountId,
    pub course: Course,
    pub passed_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub current: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_house_is_fit_with_all_seven_conditions_and_in_time_only() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let certificate = |met: &[Condition], days| CertificateView {
            missing: CertificateView::missing(met),
            certified_at: now,
            expires_at: now + TimeDelta::days(days),
        };
        assert_eq!(CertificateView::check(None, now), Err(Unfit::NoCertificate));
        assert_eq!(CertificateView::check(Some(&certificate(Condition::ALL, 1)), now), Ok(()));
        assert_eq!(CertificateView::check(Some(&certificate(Condition::ALL, 0)), now), Err(Unfit::Expired));
        for missing in Condition::ALL {
            let met: Vec<Condition> = Condition::ALL.iter().copied().filter(|one| one != missing).collect();
            assert_eq!(CertificateView::check(Some(&certificate(&met, 1)), now), Err(Unfit::Missing(*missing)));
        }
    }
}
