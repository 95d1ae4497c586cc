//! What is protected: one record is the unit of authorisation, of encryption and of audit.

use super::words::words;
use uuid::Uuid;

words! {
    /// The kinds of record. The six sections of a case are kinds of their own: different people see them, so they are
    /// different records with different keys, not masked fields of one.
    pub enum RecordKind {
        Call = "call",
        /// What the sender of a notice keeps: its number, state and return code, and no content.
        Slip = "slip",
        Notice = "notice",
        /// The short-lived key to which notices are sealed.
        Intake = "intake",
        /// The monthly key of an organisation's supervisors.
        Review = "review",
        Case = "case",
        /// A victim, presumed victim, witness or family member on a case.
        Person = "person",
        Identity = "identity",
        ContactAndSafety = "contact_and_safety",
        Narrative = "narrative",
        Care = "care",
        Legal = "legal",
        Investigation = "investigation",
        CaseNote = "case_note",
        /// A file that hangs on a call, on a notice or on a section.
        Attachment = "attachment",
        /// A house of secure accommodation with its public facts.
        Accommodation = "accommodation",
        /// Where a house lies: for its managers.
        Address = "address",
        /// A person's stay in a house, from the request to its end.
        Placement = "placement",
        /// Where the person of one placement is brought: the address, for the people of that placement.
        Arrival = "arrival",
        /// What the person consented to, or refused: purpose, recipient, section.
        Consent = "consent",
        /// A certificate of training.
        Training = "training",
        Organisation = "organisation",
        Account = "account",
        Membership = "membership",
        /// Who works in one's own organisation, by name and role: what everybody there knows.
        Colleague = "colleague",
        Session = "session",
        /// A way to show who one is: a passphrase, a recovery code, an authenticator.
        Credential = "credential",
        /// Somewhere a person has signed in before.
        Device = "device",
        /// Something to be done by somebody until a time; its words hang on a case, or on a call.
        Task = "task",
        /// A clock has run: raised by the timekeeper, acknowledged by people.
        Alert = "alert",
        /// Who has how much to do: for their supervisor.
        Workload = "workload",
        /// A supervisor's signed instruction to put somebody on a case.
        Assignment = "assignment",
        /// Somebody is kept off a case.
        Bar = "bar",
        /// That a colleague be taken off a case: proposed by one person, confirmed by another.
        Removal = "removal",
        /// A case is erased for good: proposed by one person, confirmed by another.
        Erasure = "erasure",
        /// A case is not to be erased, by law: two persons lift it.
        Hold = "hold",
        /// Which duty officer is to take a notice that waits.
        Direction = "direction",
        /// A turn at a desk.
        Shift = "shift",
        /// Somebody is away, and a colleague stands in.
        Absence = "absence",
        /// Operational counters in bands: of nobody.
        Status = "status",
        Ledger = "ledger",
        /// Who opened a person's record, for that person: made of the ledger, and stored nowhere.
        AccessList = "access_list",
        /// That two auditors be told who a pseudonym of the ledger is.
        Resolution = "resolution",
        /// What the people of one's own organisation did, by the ledger; and the monthly key of those who see it.
        Oversight = "oversight",
        /// Two custodians open CUSTODY, once, for one reason.
        Opening = "opening",
        /// Somebody must look at a case that is not theirs, at once.
        Emergency = "emergency",
        /// A case on which nobody is left is given to somebody.
        Entrusting = "entrusting",
        /// The CUSTODY key of an organisation and who keeps it.
        Custody = "custody",
        /// Which policy decides: changed by two responsible persons.
        Policy = "policy",
        /// Other responsible persons of an organisation.
        Succession = "succession",
        /// Two persons let readers go on while the ledger cannot do all of its work.
        Outage = "outage",
        /// What the operator has set for a process, by its fingerprint.
        Configuration = "configuration",
    }
}

impl RecordKind {
    /// Whether whoever does something about it is named by their account to people of other organisations, the auditors among them.
    #[must_use]
    pub fn is_signed_by_name(self) -> bool {
        use RecordKind as K;
        matches!(
            self,
            K::Organisation
                | K::Membership
                | K::Custody
                | K::Succession
                | K::Opening
                | K::Emergency
                | K::Entrusting
                | K::Erasure
                | K::Policy
                | K::Outage
                | K::Resolution
        )
    }
}

/// Declares a typed id: two kinds of record cannot be mixed up by swapping two arguments.
macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident,)+) => {$(
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
            utoipa::ToSchema, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new random id (version 4: it tells nothing of when the record came to be).
            #[must_use]
            pub fn random() -> Self {
                Self(crate::platform::random::uuid())
            }

            /// Its first eight letters: by them people tell apart what has no name, on a screen and on the telephone.
            #[must_use]
            pub fn short(self) -> String {
                self.0.simple().to_string().chars().take(8).collect()
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// A call to the helpline, draft or closed.
    CallId,
    /// A notice to the squad; the sender's slip carries the same id.
    NoticeId,
    /// Something the sender added to a notice after handing it over.
    AddendumId,
    CaseId,
    /// A person on a case: never the id of a colleague.
    SubjectId,
    SectionId,
    CaseNoteId,
    AttachmentId,
    /// The sealed bytes of an attachment, in the store of objects, and their erasure key.
    ObjectId,
    /// A house of secure accommodation.
    AccommodationId,
    PlacementId,
    ConsentId,
    /// A signed permission to read a case.
    GrantId,
    OrganisationId,
    /// A member of staff: whoever signs in.
    AccountId,
    SessionId,
    /// One of a person's ways to show who they are.
    CredentialId,
    /// A device on which somebody has signed in.
    DeviceId,
    /// One epoch of a key that an organisation holds together: INTAKE, REVIEW, LEDGER or OVERSIGHT.
    SharedKeyId,
    MembershipId,
    TaskId,
    AlertId,
    /// A supervisor's instruction; the grant that it becomes has the same id.
    AssignmentId,
    BarId,
    /// Something that one person proposes and another confirms.
    ProposalId,
    /// That a case is not to be erased.
    HoldId,
    ShiftId,
    AbsenceId,
    /// One use of CUSTODY by two custodians.
    OpeningId,
    /// That another policy is to decide.
    PolicyId,
    /// That others answer for an organisation.
    SuccessionId,
    /// That a pseudonym of the ledger be resolved.
    ResolutionId,
    /// That readers go on while the ledger lacks something.
    OutageId,
}
