//! Coded answers that the case data standard has no list for: the Palermo Protocol's words, ISO 5218, and the service's
//! own. "Declined" is not "unknown", and neither is "no".

use crate::guard::words::words;

words! {
    /// As what a person came to the case (requirement R27).
    pub enum Category {
        Victim = "victim",
        PresumedVictim = "presumed_victim",
        Witness = "witness",
        FamilyMember = "family_member",
    }
}

words! {
    /// Sex, as ISO 5218 lists it (0, 1, 2, 9).
    pub enum Sex {
        NotKnown = "not_known",
        Male = "male",
        Female = "female",
        NotApplicable = "not_applicable",
    }
}

words! {
    /// What was done: Palermo Protocol, article 3 (a).
    pub enum Act {
        Recruitment = "recruitment",
        Transportation = "transportation",
        Transfer = "transfer",
        Harbouring = "harbouring",
        Receipt = "receipt",
    }
}

words! {
    /// How it was done: Palermo Protocol, article 3 (a). For a child none is needed (article 3 (c)).
    pub enum Means {
        ThreatOrUseOfForce = "threat_or_use_of_force",
        OtherCoercion = "other_coercion",
        Abduction = "abduction",
        Fraud = "fraud",
        Deception = "deception",
        AbuseOfPower = "abuse_of_power",
        AbuseOfVulnerability = "abuse_of_a_position_of_vulnerability",
        PaymentsToController = "payments_to_a_person_in_control",
    }
}

words! {
    /// Whether the person may be contacted without danger to them.
    pub enum SafeToContact {
        Yes = "yes",
        No = "no",
        Unknown = "unknown",
        Declined = "declined",
    }
}

words! {
    /// By whom a person prefers to be heard (requirement R38).
    pub enum PreferredSex {
        Female = "female",
        Male = "male",
        NoPreference = "no_preference",
        Declined = "declined",
    }
}

words! {
    /// Danger to the person, as last assessed.
    pub enum Risk {
        Low = "low",
        Medium = "medium",
        High = "high",
        Imminent = "imminent",
    }
}

words! {
    /// What became of an offer to the person.
    pub enum Offer {
        Offered = "offered",
        Accepted = "accepted",
        Declined = "declined",
    }
}
