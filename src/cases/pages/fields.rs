//! Which fields each section has, and the carers' record, in the order in which they are asked for, and how each is asked.

use crate::cases::codes::{
    DecisionMaker, Education, ExploitationType, Gender, LabourIndustry, MaritalStatus, MethodOfControl,
    MethodOfRecruitment, RelationshipToTrafficker, SexExploitationType, TraffickingStatus, Website,
};
use crate::cases::states::ProsecutionStage;
use crate::cases::terms::{Act, Category, Means, Offer, PreferredSex, Risk, SafeToContact, Sex};
use crate::guard::record::RecordKind;
use crate::placements::care::Assisted;

/// The words of a list.
pub type Words = fn() -> Vec<&'static str>;

macro_rules! words {
    ($list:ty) => {
        || <$list>::ALL.iter().map(|word| word.as_str()).collect()
    };
}

/// How a field is asked for.
#[derive(Clone, Copy)]
pub enum Asks {
    Line,
    /// Several lines, so many.
    Text(u8),
    Day,
    Number,
    /// A code of ISO 3166.
    Country,
    /// Several of them.
    Countries,
    /// A code of ISO 639.
    Language,
    YesOrNo,
    /// One of a list; the family under which its words are said.
    One(&'static str, Words),
    /// Any of a list.
    Any(&'static str, Words),
}

/// A field of a section, under the name that the API has for it.
pub struct Field {
    pub name: &'static str,
    pub asks: Asks,
}

const fn field(name: &'static str, asks: Asks) -> Field {
    Field { name, asks }
}

use Asks::{Any, Countries, Country, Day, Line, Number, One, YesOrNo};

const IDENTITY: [Field; 15] = [
    field("category", One("category", words!(Category))),
    field("first_name", Line),
    field("middle_name", Line),
    field("second_name", Line),
    field("birthdate", Day),
    field("age_is_doubtful", YesOrNo),
    field("sex", One("sex", words!(Sex))),
    field("gender", One("gender", words!(Gender))),
    field("citizenship", Countries),
    field("identity_number", Line),
    field("primary_language", Asks::Language),
    field("secondary_language", Asks::Language),
    field("marital_status", One("marital", words!(MaritalStatus))),
    field("number_of_children", Number),
    field("education", One("education", words!(Education))),
];

const CONTACT: [Field; 12] = [
    field("safe_to_contact", One("safe-to-contact", words!(SafeToContact))),
    field("how_to_contact", Asks::Text(3)),
    field("risk", One("risk", words!(Risk))),
    field("risk_notes", Asks::Text(5)),
    field("mobile_phone", Line),
    field("home_phone", Line),
    field("email", Line),
    field("street", Line),
    field("city", Line),
    field("country", Country),
    field("preferred_sex_of_interviewer", One("preferred-sex", words!(PreferredSex))),
    field("preferred_sex_of_interpreter", One("preferred-sex", words!(PreferredSex))),
];

const NARRATIVE: [Field; 12] = [
    field("text", Asks::Text(16)),
    field("recruitment_methods", Any("recruitment", words!(MethodOfRecruitment))),
    field("acts", Any("act", words!(Act))),
    field("means", Any("means", words!(Means))),
    field("methods_of_control", Any("control", words!(MethodOfControl))),
    field("exploitation_types", Any("exploitation", words!(ExploitationType))),
    field("forced_labour_industry", One("industry", words!(LabourIndustry))),
    field("sex_exploitation_types", Any("sex-exploitation", words!(SexExploitationType))),
    field("relationship_to_trafficker", One("trafficker", words!(RelationshipToTrafficker))),
    field("age_when_trafficked", Number),
    field("recruitment_websites", Any("website", words!(Website))),
    field("websites", Any("website", words!(Website))),
];

const LEGAL: [Field; 5] = [
    field("trafficking_status", One("trafficking-status", words!(TraffickingStatus))),
    field("decided_by", One("decision-maker", words!(DecisionMaker))),
    field("rights_notice_given_on", Day),
    field("lawyer", One("offer", words!(Offer))),
    field("notes", Asks::Text(8)),
];

const INVESTIGATION: [Field; 2] =
    [field("prosecution_stage", One("stage", words!(ProsecutionStage))), field("leads", Asks::Text(14))];

/// The carers' record: their texts, then each kind of help, where it stands and what is to be said of it.
const CARE: [Field; 19] = [
    field("plan", Asks::Text(6)),
    field("medical", Asks::Text(6)),
    field("psychological", Asks::Text(6)),
    field("medical_help", ASSISTED),
    field("medical_said", Asks::Text(2)),
    field("psychological_help", ASSISTED),
    field("psychological_said", Asks::Text(2)),
    field("legal_help", ASSISTED),
    field("legal_said", Asks::Text(2)),
    field("interpreting_help", ASSISTED),
    field("interpreting_said", Asks::Text(2)),
    field("education_help", ASSISTED),
    field("education_said", Asks::Text(2)),
    field("work_help", ASSISTED),
    field("work_said", Asks::Text(2)),
    field("material_help", ASSISTED),
    field("material_said", Asks::Text(2)),
    field("family_contact_help", ASSISTED),
    field("family_contact_said", Asks::Text(2)),
];

const ASSISTED: Asks = One("assisted", words!(Assisted));

/// The fields of a section; none for a kind that has no form.
#[must_use]
pub fn fields(kind: RecordKind) -> &'static [Field] {
    match kind {
        RecordKind::Identity => &IDENTITY,
        RecordKind::ContactAndSafety => &CONTACT,
        RecordKind::Narrative => &NARRATIVE,
        RecordKind::Legal => &LEGAL,
        RecordKind::Investigation => &INVESTIGATION,
        RecordKind::Care => &CARE,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::document::{OF_CASE, OF_PERSON};
    use crate::cases::pages::form::Typed;
    use crate::cases::sections::{ContactAndSafety, Identity, Investigation, Legal, Narrative};
    use crate::platform::page::Fields;
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use utoipa::PartialSchema;

    /// What a section may hold, from the API's own description of it.
    fn names<T: PartialSchema>() -> Vec<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    fn every_field_has_its_place<T: PartialSchema + Serialize + DeserializeOwned>(kind: RecordKind) {
        let mut here: Vec<&str> = fields(kind).iter().map(|field| field.name).collect();
        let mut there = names::<T>();
        here.sort_unstable();
        there.sort_unstable();
        assert_eq!(here, there, "{kind}");
        // What is typed into each is what the API takes, and it comes back the same.
        let value = |field: &Field| match field.asks {
            Line | Asks::Text(_) => " Ə\n".to_owned(),
            Day => "2009-02-28".to_owned(),
            Number => "7".to_owned(),
            Country | Asks::Language => "az".to_owned(),
            Countries => "AZ, ge".to_owned(),
            YesOrNo => "false".to_owned(),
            One(_, words) | Any(_, words) => words()[0].to_owned(),
        };
        let sent: Vec<String> = fields(kind)
            .iter()
            .map(|field| {
                format!(
                    "{}={}",
                    field.name,
                    percent_encoding::utf8_percent_encode(&value(field), percent_encoding::NON_ALPHANUMERIC)
                )
            })
            .collect();
        let typed = Typed::of(kind, &Fields::read(sent.join("&").as_bytes()).unwrap());
        let stored = serde_json::to_value(serde_json::from_value::<T>(typed.content()).unwrap()).unwrap();
        let back = Typed::saved(kind, &stored);
        assert_eq!(back.content(), stored, "{kind}");
        assert!(Typed::saved(kind, &typed.content()) == back, "{kind}");
    }

    #[test]
    fn every_field_of_a_section_has_a_place_in_its_form() {
        every_field_has_its_place::<Identity>(RecordKind::Identity);
        every_field_has_its_place::<ContactAndSafety>(RecordKind::ContactAndSafety);
        every_field_has_its_place::<Narrative>(RecordKind::Narrative);
        every_field_has_its_place::<Legal>(RecordKind::Legal);
        every_field_has_its_place::<Investigation>(RecordKind::Investigation);
        for kind in OF_CASE.into_iter().chain(OF_PERSON) {
            assert!(!fields(kind).is_empty(), "{kind}");
        }
    }
}
