//! The words that statements are made of: kinds of organisation, what a shared key is for, why somebody is given access, or
//! kept off.

use crate::guard::action::Role;
use crate::guard::words::words;
use chrono::TimeDelta;

words! {
    /// The kinds of participant (plan, section 3b), with the auditor and the technical administrator beside them.
    pub enum OrganisationKind {
        Squad = "squad",
        Helpline = "helpline",
        Accommodation = "accommodation",
        Assistance = "assistance",
        GuardingPolice = "guarding_police",
        ExecutiveBody = "executive_body",
        InternationalPartner = "international_partner",
        Coordinator = "coordinator_office",
        Auditor = "auditor_office",
        Administrator = "technical_administrator",
    }
}

impl OrganisationKind {
    /// The roles that an organisation of this kind has. Its responsible persons can admit to no other, so a helpline
    /// cannot make itself a duty officer.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::Squad => &[Role::DutyOfficer, Role::SquadOfficer, Role::SquadSupervisor],
            Self::Helpline => &[Role::HelplineOperator, Role::HelplineSupervisor],
            Self::Accommodation => &[Role::ShelterWorker, Role::ShelterManager],
            Self::Assistance | Self::GuardingPolice | Self::ExecutiveBody | Self::InternationalPartner => {
                &[Role::LiaisonOfficer]
            }
            Self::Coordinator => &[Role::Coordinator, Role::Statistician],
            Self::Auditor => &[Role::Auditor],
            Self::Administrator => &[Role::Administrator],
        }
    }
}

words! {
    /// What a key that an organisation holds together is for.
    pub enum SharedPurpose {
        Intake = "intake",
        Review = "review",
        Ledger = "ledger",
        Oversight = "oversight",
        Custody = "custody",
    }
}

impl SharedPurpose {
    /// How long an epoch lasts at most: a day of INTAKE, a month of REVIEW and of OVERSIGHT, a quarter of LEDGER.
    #[must_use]
    pub const fn life(self) -> TimeDelta {
        match self {
            Self::Intake => TimeDelta::hours(24),
            Self::Review | Self::Oversight => TimeDelta::days(31),
            Self::Ledger => TimeDelta::days(90),
            Self::Custody => TimeDelta::days(36_500),
        }
    }
}

words! {
    /// Why somebody is given access to a case. A code: the statement lies open in the database, where a sentence would
    /// say too much of the case.
    pub enum AccessReason {
        NoticeAccepted = "notice_accepted",
        /// A supervisor instructed it.
        Instructed = "instructed",
        ShiftChange = "shift_change",
        Absence = "absence",
        Workload = "workload",
        Expertise = "expertise",
        WishOfThePerson = "wish_of_the_person",
        /// Two custodians let somebody in for some hours.
        Emergency = "emergency",
        /// Two custodians gave it to somebody: nobody was left.
        NobodyLeft = "nobody_left",
    }
}

words! {
    /// Why somebody is kept off a case. A code, as with access.
    pub enum BarReason {
        ConflictOfInterest = "conflict_of_interest",
        Kinship = "kinship",
        /// They, or those close to them, are threatened.
        Threatened = "threatened",
        Other = "other",
    }
}

words! {
    /// What two persons do together, one of whom proposes it and the other confirms it.
    pub enum Act {
        /// A colleague is taken off a case.
        Removal = "removal",
        /// A case is erased for good.
        Erasure = "erasure",
        /// A hold on a case is lifted.
        HoldLift = "hold_lift",
    }
}

words! {
    /// Why a case is erased. A code: it outlives the case.
    pub enum ErasureReason {
        /// The time for which the law has it kept is over.
        RetentionEnded = "retention_ended",
        /// The person whom it is about asked for it.
        PersonAsked = "person_asked",
        RegisteredInError = "registered_in_error",
        CourtOrder = "court_order",
    }
}

words! {
    /// Why a case is not to be erased. A code, as with access.
    pub enum HoldReason {
        CourtProceedings = "court_proceedings",
        Complaint = "complaint",
        InvestigationOpen = "investigation_open",
    }
}

words! {
    /// Why two auditors ask who a pseudonym is. A code, as with access.
    pub enum ResolutionReason {
        /// A rule told of a day that is not like others.
        Suspicion = "suspicion",
        Complaint = "complaint",
        /// Something became known outside that only somebody here could know.
        Leak = "leak",
        CourtOrder = "court_order",
    }
}

words! {
    /// What the ledger lacks, so that no record is opened. The words are those of the problem that readers are told.
    pub enum Lack {
        /// Entries wait too long for their place in the tree.
        Behind = "ledger_behind",
        /// Too few of those outside have seen it.
        NotWitnessed = "ledger_not_witnessed",
    }
}

words! {
    /// Why records must be read in spite of what the ledger lacks. A code: it lies open.
    pub enum OutageReason {
        DangerToLife = "danger_to_life",
        PersonMissing = "person_missing",
        /// Officers are out, and need what stands on their case.
        OperationUnderWay = "operation_under_way",
        /// A notice's 24 hours run, and nobody can read it.
        NoticeWaits = "notice_waits",
    }
}
