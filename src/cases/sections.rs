//! What the sections of a case hold. A section is sealed whole: each field of it is content, coded ones too. Every field
//! may be absent. [`super::document`] is how they are sealed.

use super::codes::{
    DecisionMaker, Education, ExploitationType, Gender, LabourIndustry, MaritalStatus, MethodOfControl,
    MethodOfRecruitment, RelationshipToTrafficker, SexExploitationType, TraffickingStatus, Website,
};
use super::iso;
use super::states::ProsecutionStage;
use super::terms::{Act, Category, Means, Offer, PreferredSex, Risk, SafeToContact, Sex};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who a person on the case is. HTCDS section "Person".
#[derive(Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// As what the person came to the case.
    #[garde(skip)]
    pub category: Option<Category>,
    /// HTCDS `prs_FirstName`.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    pub first_name: Option<String>,
    /// HTCDS `prs_MiddleName`; here also the patronymic.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    pub middle_name: Option<String>,
    /// HTCDS `prs_SecondName`.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    pub second_name: Option<String>,
    /// HTCDS `prs_Birthdate`, `YYYY-MM-DD`.
    #[garde(inner(custom(iso::date)))]
    #[schema(format = Date)]
    pub birthdate: Option<String>,
    /// Whether the age is in doubt. If it is, the person is treated as a child.
    #[garde(skip)]
    pub age_is_doubtful: Option<bool>,
    /// ISO 5218.
    #[garde(skip)]
    pub sex: Option<Sex>,
    /// HTCDS `prs_Gender`.
    #[garde(skip)]
    pub gender: Option<Gender>,
    /// HTCDS `prs_Citizenship`, ISO 3166.
    #[garde(length(max = 10), custom(iso::each_once), inner(custom(iso::country)))]
    #[schema(max_items = 10)]
    pub citizenship: Vec<String>,
    /// HTCDS `prs_IdentityNumber`.
    #[garde(length(chars, max = 100))]
    #[schema(max_length = 100)]
    pub identity_number: Option<String>,
    /// HTCDS `prs_PrimaryLanguage`, ISO 639.
    #[garde(inner(custom(iso::language)))]
    #[schema(pattern = "^[a-z]{2,3}$")]
    pub primary_language: Option<String>,
    /// HTCDS `prs_SecondaryLanguage`, ISO 639.
    #[garde(inner(custom(iso::language)))]
    #[schema(pattern = "^[a-z]{2,3}$")]
    pub secondary_language: Option<String>,
    /// HTCDS `prs_MaritalStatus`.
    #[garde(skip)]
    pub marital_status: Option<MaritalStatus>,
    /// HTCDS `prs_NumberOfChildren`.
    #[garde(range(max = 50))]
    #[schema(maximum = 50)]
    pub number_of_children: Option<u8>,
    /// HTCDS `prs_HighestLevelOfEducation`.
    #[garde(skip)]
    pub education: Option<Education>,
}

/// How to reach a person without harm, and the danger they are in.
#[derive(Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContactAndSafety {
    /// HTCDS `prs_MobilePhone`.
    #[garde(length(chars, max = 50))]
    #[schema(max_length = 50)]
    pub mobile_phone: Option<String>,
    /// HTCDS `prs_HomePhone`.
    #[garde(length(chars, max = 50))]
    #[schema(max_length = 50)]
    pub home_phone: Option<String>,
    /// HTCDS `prs_Email`.
    #[garde(length(chars, max = 254))]
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// HTCDS `prs_MailingStreet`.
    #[garde(length(chars, max = 500))]
    #[schema(max_length = 500)]
    pub street: Option<String>,
    /// HTCDS `prs_MailingCity`.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    pub city: Option<String>,
    /// HTCDS `prs_MailingCountry`, ISO 3166.
    #[garde(inner(custom(iso::country)))]
    #[schema(pattern = "^[A-Z]{2}$")]
    pub country: Option<String>,
    #[garde(skip)]
    pub safe_to_contact: Option<SafeToContact>,
    /// When, how and through whom the person wants to be reached.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    pub how_to_contact: Option<String>,
    #[garde(skip)]
    pub preferred_sex_of_interviewer: Option<PreferredSex>,
    #[garde(skip)]
    pub preferred_sex_of_interpreter: Option<PreferredSex>,
    #[garde(skip)]
    pub risk: Option<Risk>,
    #[garde(length(chars, max = 10_000))]
    #[schema(max_length = 10000)]
    pub risk_notes: Option<String>,
}

/// What happened. HTCDS section "Person - Victim Context", with the Palermo Protocol's acts and means.
#[derive(Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Narrative {
    #[garde(length(chars, max = 50_000))]
    #[schema(max_length = 50000)]
    pub text: Option<String>,
    /// HTCDS `vic_MethodOfRecruitment`.
    #[garde(custom(iso::each_once))]
    pub recruitment_methods: Vec<MethodOfRecruitment>,
    /// Palermo Protocol, article 3 (a).
    #[garde(custom(iso::each_once))]
    pub acts: Vec<Act>,
    /// Palermo Protocol, article 3 (a).
    #[garde(custom(iso::each_once))]
    pub means: Vec<Means>,
    /// HTCDS `vic_MethodsOfControl`.
    #[garde(custom(iso::each_once))]
    pub methods_of_control: Vec<MethodOfControl>,
    /// HTCDS `vic_TypeOfExploitation`.
    #[garde(custom(iso::each_once))]
    pub exploitation_types: Vec<ExploitationType>,
    /// HTCDS `vic_ForcedLabourIndustry`.
    #[garde(skip)]
    pub forced_labour_industry: Option<LabourIndustry>,
    /// HTCDS `vic_TypeOfSexExploitation`.
    #[garde(custom(iso::each_once))]
    pub sex_exploitation_types: Vec<SexExploitationType>,
    /// HTCDS `vic_RelationshipToTrafficker`.
    #[garde(skip)]
    pub relationship_to_trafficker: Option<RelationshipToTrafficker>,
    /// HTCDS `vic_AgeWhenTrafficked`, in years.
    #[garde(range(max = 120))]
    #[schema(maximum = 120)]
    pub age_when_trafficked: Option<u8>,
    /// HTCDS `vic_RecruitmentWebsitesAndApps`.
    #[garde(custom(iso::each_once))]
    pub recruitment_websites: Vec<Website>,
    /// HTCDS `vic_ExploitationWebsitesAndApps`.
    #[garde(custom(iso::each_once))]
    pub websites: Vec<Website>,
}

/// How the person stands in the proceedings (requirement R07).
#[derive(Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Legal {
    /// HTCDS `vic_TraffickingStatus`.
    #[garde(skip)]
    pub trafficking_status: Option<TraffickingStatus>,
    /// HTCDS `vic_TraffickingStatusDecisionMakingOrg`.
    #[garde(skip)]
    pub decided_by: Option<DecisionMaker>,
    /// Day on which the person was told their rights, `YYYY-MM-DD`.
    #[garde(inner(custom(iso::date)))]
    #[schema(format = Date)]
    pub rights_notice_given_on: Option<String>,
    /// Whether a lawyer was offered, and what the person said.
    #[garde(skip)]
    pub lawyer: Option<Offer>,
    #[garde(length(chars, max = 20_000))]
    #[schema(max_length = 20000)]
    pub notes: Option<String>,
}

/// The squad's own work on the case.
#[derive(Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Investigation {
    /// Begins at any stage, since prosecutions are also taken over; then goes one step forward at a time, never back.
    #[garde(skip)]
    pub prosecution_stage: Option<ProsecutionStage>,
    #[garde(length(chars, max = 50_000))]
    #[schema(max_length = 50000)]
    pub leads: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned + Validate<Context = ()>>(json: &str) -> Result<T, String> {
        let value: T = serde_json::from_str(json).map_err(|error| error.to_string())?;
        value.validate().map_err(|report| report.to_string())?;
        Ok(value)
    }

    #[test]
    fn nothing_need_be_known() {
        assert!(read::<Identity>("{}").is_ok() && read::<ContactAndSafety>("{}").is_ok());
        assert!(read::<Narrative>("{}").is_ok() && read::<Legal>("{}").is_ok() && read::<Investigation>("{}").is_ok());
    }

    #[test]
    fn what_is_read_can_be_sent_back() {
        let identity = read::<Identity>(
            r#"{"category":"presumed_victim","first_name":"Əsmər","birthdate":"2009-02-28","sex":"female",
                "gender":"Feminine","citizenship":["AZ","GE"],"primary_language":"az","number_of_children":0}"#,
        );
        let json = serde_json::to_string(&identity.unwrap_or_default()).unwrap();
        assert!(json.contains("Əsmər"));
        assert!(read::<Identity>(&json).is_ok());
    }

    #[test]
    fn bounds_name_the_field() {
        let refused = |wrong: Result<Identity, String>, field: &str| {
            let report = wrong.err().unwrap();
            assert!(report.starts_with(field), "{report}");
        };
        refused(read(r#"{"birthdate":"28.02.2009"}"#), "birthdate");
        refused(read(r#"{"citizenship":["AZ","XX"]}"#), "citizenship[1]");
        refused(read(r#"{"citizenship":["AZ","AZ"]}"#), "citizenship");
        refused(read(r#"{"primary_language":"Azerbaijani"}"#), "primary_language");
        refused(read(r#"{"number_of_children":51}"#), "number_of_children");
        refused(read(&format!(r#"{{"first_name":"{}"}}"#, "ə".repeat(201))), "first_name");
        assert!(read::<Identity>(&format!(r#"{{"first_name":"{}"}}"#, "ə".repeat(200))).is_ok());
        assert!(read::<Narrative>(r#"{"acts":["transfer","transfer"]}"#).is_err());
        assert!(read::<Narrative>(&format!(r#"{{"text":"{}"}}"#, "x".repeat(50_001))).is_err());
        assert!(read::<Investigation>(&format!(r#"{{"leads":"{}"}}"#, "x".repeat(50_001))).is_err());
    }

    #[test]
    fn a_field_that_is_not_there_is_refused() {
        assert!(read::<Legal>(r#"{"verdict":"x"}"#).is_err());
        assert!(read::<Narrative>(r#"{"methods_of_control":["restrictsMovement"]}"#).is_err());
    }
}
