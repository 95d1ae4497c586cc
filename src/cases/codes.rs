//! The code lists of the Human Trafficking Case Data Standard 2.0 (IOM, CC BY 4.0), spelt as there.
//!
//! Coded fields stand in sealed sections like free text: a code about a person is content. Lists that the standard does
//! not have are in [`super::terms`].

use crate::guard::words::words;

words! {
    /// How the person sees their gender. HTCDS `prs_Gender`.
    pub enum Gender {
        Feminine = "Feminine",
        Masculine = "Masculine",
        TransgenderFeminine = "TransgenderFeminine",
        TransgenderMasculine = "TransgenderMasculine",
        NonConforming = "NonConforming",
        NonSpecifiedUnknown = "NonSpecifiedUnknown",
    }
}

words! {
    /// Marital status. HTCDS `prs_MaritalStatus`.
    pub enum MaritalStatus {
        Single = "Single",
        Married = "Married",
        Widowed = "Widowed",
        Divorced = "Divorced",
        Separated = "Separated",
        RegisteredPartnership = "RegisteredPartnership",
    }
}

words! {
    /// Highest level of education (the levels of ISCED 2011). HTCDS `prs_HighestLevelOfEducation`.
    pub enum Education {
        EarlyChildhood = "EarlyChildhoodEducation",
        Primary = "PrimaryEducation",
        LowerSecondary = "LowerSecondaryEducation",
        UpperSecondary = "UpperSecondaryEducation",
        PostSecondaryNonTertiary = "PostSecondaryNonTertiaryEducation",
        ShortCycleTertiary = "ShortCycleTertiaryEducation",
        Bachelors = "BachelorsOrEquivalentLevel",
        Masters = "MastersOrEquivalentLevel",
        Doctoral = "DoctoralOrEquivalentLevel",
    }
}

words! {
    /// Whether the person has been identified as a victim. HTCDS `vic_TraffickingStatus`.
    pub enum TraffickingStatus {
        Possible = "PossibleVictimOfTrafficking",
        Actual = "ActualVictimOfTrafficking",
        NotAVictim = "NotAVictimOfTrafficking",
    }
}

words! {
    /// Who decided on the trafficking status. HTCDS `vic_TraffickingStatusDecisionMakingOrg`.
    pub enum DecisionMaker {
        Police = "Police",
        Ngo = "NGO",
        CourtOrProsecution = "CourtOrProsecution",
        NonPoliceGovernmentalOrganization = "NonPoliceGovernmentalOrganization",
        Other = "Other",
    }
}

words! {
    /// How the person knew the trafficker. The last word is spelt as the standard spells it. HTCDS `vic_RelationshipToTrafficker`.
    pub enum RelationshipToTrafficker {
        Familial = "Familial",
        Acquainted = "Acquainted",
        Unacquainted = "Unaquainted",
    }
}

words! {
    /// Websites and apps; the same list stands for recruitment (`vic_RecruitmentWebsitesAndApps`). HTCDS `vic_ExploitationWebsitesAndApps`.
    pub enum Website {
        Facebook = "Facebook",
        Instagram = "Instagram",
        WhatsApp = "WhatsApp",
        Telegram = "Telegram",
        FacebookMessenger = "FacebookMessenger",
        Viber = "Viber",
        SnapChat = "SnapChat",
        Line = "Line",
        FourSale = "4Sale",
        WeChat = "WeChat",
        Qq = "QQ",
        QZone = "QZone",
        TikTok = "TikTok",
        Twitter = "Twitter",
        Other = "Other",
    }
}

words! {
    /// How the person was recruited. HTCDS `vic_MethodOfRecruitment`.
    pub enum MethodOfRecruitment {
        AtAPlaceOfBusiness = "AtAPlaceOfBusiness",
        AtAnEducationalInstitution = "AtAnEducationalInstitution",
        AtWork = "AtWork",
        ThroughOnlineSocialNetworks = "ThroughOnlineSocialNetworks",
        ThroughAnOnlineAdvertisement = "ThroughAnOnlineAdvertisement",
        ThroughATelevisionAdvert = "ThroughATelevisionAdvert",
        ThroughANewspaperAdvert = "ThroughANewspaperAdvert",
        ThroughFamilyOrFamilyEvents = "ThroughFamilyOrFamilyEvents",
        ThroughFriendsOrSocialEvents = "ThroughFriendsOrSocialEvents",
        Other = "Other",
    }
}

words! {
    /// How the person was controlled: the list, and two words that only its definitions name. HTCDS `vic_MethodsOfControl`.
    pub enum MethodOfControl {
        PhysicalThreats = "PhysicalThreats",
        ThreatsLawEnforcement = "ThreatsLawEnforcement",
        ThreatensChildrenFamily = "ThreatensChildrenFamily",
        DebtBondage = "DebtBondage",
        FalsePromises = "FalsePromises",
        PhysicalAbuse = "PhysicalAbuse",
        SexualAbuse = "SexualAbuse",
        TakesEarnings = "TakesEarnings",
        RestrictsFinancialAccess = "RestrictsFinancialAccess",
        RestrictsMedicalCare = "RestrictsMedicalCare",
        WithholdsNecessities = "WithholdsNecessities",
        PsychologicalAbuse = "PsychologicalAbuse",
        PsychoactiveSubstance = "PsychoactiveSubstance",
        ExcessiveWorkingHours = "ExcessiveWorkingHours",
        WithholdsDocuments = "WithholdsDocuments",
        Other = "Other",
        /// From the definitions of `vic_MethodsOfControl`, not from its list.
        RestrictsMovement = "RestrictsMovement",
        /// Likewise.
        UsesChildren = "UsesChildren",
    }
}

words! {
    /// What the person was exploited for. HTCDS `vic_TypeOfExploitation`.
    pub enum ExploitationType {
        ForcedLabour = "ForcedLabour",
        SexualExploitation = "SexualExploitation",
        ChildLabour = "ChildLabour",
        ForcedMarriage = "ForcedMarriage",
        Servitude = "Servitude",
        ForcedMilitaryByNonStateActors = "ForcedMilitaryByNonStateActors",
        OrganRemoval = "OrganRemoval",
        ForcedBegging = "ForcedBegging",
        ForcedAdoption = "ForcedAdoption",
        Surrogacy = "Surrogacy",
        Other = "Other",
    }
}

words! {
    /// Industry of forced labour: the sections A to U of ISIC revision 4. HTCDS `vic_ForcedLabourIndustry`.
    pub enum LabourIndustry {
        AgricultureForestryAndFishing = "A_AgricultureForestryAndFishing",
        MiningAndQuarrying = "B_MiningAndQuarrying",
        Manufacturing = "C_Manufacturing",
        ElectricityGasSteamAndAirConditioningSupply = "D_ElectricityGasSteamAndAirConditioningSupply",
        WaterSupplySewerageWasteManagement = "E_WaterSupplySewerageWasteManagement",
        Construction = "F_Construction",
        WholesaleAndRetailTradeRepairOfMotorVehicles = "G_WholesaleAndRetailTradeRepairOfMotorVehicles",
        TransportationAndStorage = "H_TransportationAndStorage",
        AccommodationAndFoodServiceActivities = "I_AccommodationAndFoodServiceActivities",
        InformationAndCommunication = "J_InformationAndCommunication",
        FinancialAndInsuranceActivities = "K_FinancialAndInsuranceActivities",
        RealEstateActivities = "L_RealEstateActivities",
        ProfessionalScientificAndTechnicalActivities = "M_ProfessionalScientificAndTechnicalActivities",
        AdministrativeAndSupportServiceActivities = "N_AdministrativeAndSupportServiceActivities",
        PublicAdministrationAndDefence = "O_PublicAdministrationAndDefence",
        Education = "P_Education",
        HumanHealthAndSocialWorkActivities = "Q_HumanHealthAndSocialWorkActivities",
        ArtsEntertainmentAndRecreation = "R_ArtsEntertainmentAndRecreation",
        OtherServiceActivities = "S_OtherServiceActivities",
        ActivitiesOfHouseholdsAsEmployers = "T_ActivitiesOfHouseholdsAsEmployers",
        ActivitiesOfExtraterritorialOrganizations = "U_ActivitiesOfExtraterritorialOrganizations",
    }
}

words! {
    /// Kind of sexual exploitation. HTCDS `vic_TypeOfSexExploitation`.
    pub enum SexExploitationType {
        Prostitution = "Prostitution",
        Pornography = "Pornography",
        RemoteInteractiveServices = "RemoteInteractiveServices",
        PrivateSexualServices = "PrivateSexualServices",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// The lists as the standard's own file has them.
    fn standard() -> HashMap<String, Vec<String>> {
        serde_json::from_str(include_str!("htcds.json")).unwrap()
    }

    fn spelt<T: Copy>(all: &[T], spell: impl Fn(T) -> &'static str) -> Vec<String> {
        all.iter().map(|word| spell(*word).to_owned()).collect()
    }

    #[test]
    fn lists_are_the_standards() {
        let standard = standard();
        let same = |field: &str, ours: Vec<String>| assert_eq!(standard.get(field), Some(&ours), "{field}");
        same("prs_Gender", spelt(Gender::ALL, Gender::as_str));
        same("prs_MaritalStatus", spelt(MaritalStatus::ALL, MaritalStatus::as_str));
        same("prs_HighestLevelOfEducation", spelt(Education::ALL, Education::as_str));
        same("vic_TraffickingStatus", spelt(TraffickingStatus::ALL, TraffickingStatus::as_str));
        same("vic_TraffickingStatusDecisionMakingOrg", spelt(DecisionMaker::ALL, DecisionMaker::as_str));
        same("vic_RelationshipToTrafficker", spelt(RelationshipToTrafficker::ALL, RelationshipToTrafficker::as_str));
        same("vic_ExploitationWebsitesAndApps", spelt(Website::ALL, Website::as_str));
        same("vic_MethodOfRecruitment", spelt(MethodOfRecruitment::ALL, MethodOfRecruitment::as_str));
        same("vic_TypeOfExploitation", spelt(ExploitationType::ALL, ExploitationType::as_str));
        same("vic_ForcedLabourIndustry", spelt(LabourIndustry::ALL, LabourIndustry::as_str));
        same("vic_TypeOfSexExploitation", spelt(SexExploitationType::ALL, SexExploitationType::as_str));
        same("vic_RecruitmentWebsitesAndApps", spelt(Website::ALL, Website::as_str));
    }

    #[test]
    fn methods_of_control_are_the_union() {
        let mut expected = standard().remove("vic_MethodsOfControl").unwrap();
        expected.extend(["RestrictsMovement".to_owned(), "UsesChildren".to_owned()]);
        assert_eq!(spelt(MethodOfControl::ALL, MethodOfControl::as_str), expected);
    }

    #[test]
    fn a_code_is_read_as_it_is_written() {
        for word in Website::ALL {
            let json = serde_json::to_string(word).unwrap();
            assert_eq!(json, format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<Website>(&json).unwrap(), *word);
        }
        assert!(serde_json::from_str::<Gender>("\"feminine\"").is_err());
    }
}
