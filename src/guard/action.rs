//! Who may do what: the closed vocabulary that the policy speaks.
//!
//! Everything here is finite, so the whole policy can be enumerated once at start (see [`super::policy`]) and printed
//! for review in `policies/access-matrix.txt`.

use super::record::RecordKind;
use super::words::words;

words! {
    /// What a person does for the organisation; stated by two responsible persons when they admit the member.
    pub enum Role {
        HelplineOperator = "helpline_operator",
        HelplineSupervisor = "helpline_supervisor",
        DutyOfficer = "duty_officer",
        SquadOfficer = "squad_officer",
        SquadSupervisor = "squad_supervisor",
        ShelterWorker = "shelter_worker",
        ShelterManager = "shelter_manager",
        LiaisonOfficer = "liaison_officer",
        Coordinator = "coordinator",
        Statistician = "statistician",
        Auditor = "auditor",
        Administrator = "administrator",
        /// Signed in with keys of their own, but not admitted by two responsible persons yet: a role that does nothing.
        Unadmitted = "unadmitted",
    }
}

words! {
    /// How a person stands to one record. Computed by the gate from the database, never sent by a client.
    pub enum Relation {
        OwnDraft = "own_draft",
        Sender = "sender",
        Duty = "duty",
        Assigned = "assigned",
        Granted = "granted",
        /// Let in by two custodians for some hours.
        Emergency = "emergency",
        SupervisorOf = "supervisor_of",
        CustodianOf = "custodian_of",
        /// One of the two responsible persons named by the organisation's founding statement.
        ResponsibleOf = "responsible_of",
        /// Named on a placement, while the training that it takes has run out: only what cannot wait.
        Untrained = "untrained",
        /// The person consented that this organisation's officers see it.
        Consented = "consented",
        /// The record is the person's own account or session.
        Oneself = "oneself",
        None = "none",
    }
}

words! {
    /// Why somebody reads. Stated with each read of a record, and written to the ledger.
    pub enum Purpose {
        Intake = "intake",
        CaseWork = "case_work",
        Care = "care",
        Supervision = "supervision",
        Emergency = "emergency",
        Recovery = "recovery",
        AccessRequest = "access_request",
        Audit = "audit",
    }
}

words! {
    /// What is done to a record. One word, one meaning, for every kind.
    pub enum Verb {
        Create = "create",
        List = "list",
        Read = "read",
        Write = "write",
        HandOver = "hand_over",
        Close = "close",
        Append = "append",
        Acknowledge = "acknowledge",
        Return = "return",
        Accept = "accept",
        Assign = "assign",
        Unassign = "unassign",
        Found = "found",
        Countersign = "countersign",
        Propose = "propose",
        Disable = "disable",
        Renew = "renew",
        Decline = "decline",
        /// The person's consent to a placement is recorded.
        Consent = "consent",
        Transport = "transport",
        Admit = "admit",
        Transfer = "transfer",
        /// The person leaves: their own act, which is only written down.
        Exit = "exit",
        /// Sealed to somebody else too, as the person consented.
        Share = "share",
        /// Taken back: a request by who made it, a consent or a refusal by the person.
        Withdraw = "withdraw",
        /// The first of two custodians.
        Agree = "agree",
        /// The second of two custodians: from here on it is open.
        Open = "open",
        /// Somebody else looks at what was opened.
        Review = "review",
        /// Steps back from a case for good: nobody puts them on it again.
        Recuse = "recuse",
        /// What a supervisor put in the way is taken out of it.
        Lift = "lift",
        /// It is over by itself, as those who made it said: nobody does it.
        Lapse = "lapse",
        /// A process works with it from here on: nobody of the organisations does it.
        Begin = "begin",
    }
}

/// One line of the closed list of work: a kind, a verb, the relations in which it can stand and whether it is a read
/// for which a purpose is stated.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    pub kind: RecordKind,
    pub verb: Verb,
    pub relations: &'static [Relation],
    pub asks_purpose: bool,
}

const fn work(kind: RecordKind, verb: Verb, relations: &'static [Relation], asks_purpose: bool) -> Work {
    Work { kind, verb, relations, asks_purpose }
}

/// All work there is. What is not on this list has no entry in the decision table, and is refused.
pub const ALL_WORK: &[Work] = {
    use RecordKind as K;
    use Relation::{
        Assigned, Consented, CustodianOf, Duty, Emergency, Granted, None as Stranger, Oneself, OwnDraft, ResponsibleOf,
        Sender, SupervisorOf, Untrained,
    };
    use Verb as V;
    const CALL: &[Relation] = &[OwnDraft, SupervisorOf, Stranger];
    const NOTICE: &[Relation] = &[Duty, Sender, Assigned, SupervisorOf, Stranger];
    const CASE: &[Relation] = &[Assigned, Granted, Emergency, SupervisorOf, Stranger];
    const HOUSE: &[Relation] = &[Duty, Stranger];
    const PLACEMENT: &[Relation] = &[Assigned, Duty, Untrained, Stranger];
    const CARE: &[Relation] = &[Assigned, Granted, Emergency, SupervisorOf, Consented, Untrained, Stranger];
    const ATTACHMENT: &[Relation] = &[OwnDraft, Sender, Duty, Assigned, Granted, SupervisorOf, Stranger];
    const STAFF: &[Relation] = &[ResponsibleOf, Oneself, Stranger];
    const TASK: &[Relation] = &[Assigned, Duty, SupervisorOf, Stranger];
    const ABSENCE: &[Relation] = &[Oneself, Assigned, SupervisorOf, Stranger];
    const OPENING: &[Relation] = &[CustodianOf, SupervisorOf, Oneself, Stranger];
    const CUSTODY: &[Relation] = &[CustodianOf, ResponsibleOf, Stranger];
    const RESPONSIBLE: &[Relation] = &[ResponsibleOf, Stranger];
    // Who is named by it is oneself.
    const SUCCESSION: &[Relation] = &[ResponsibleOf, CustodianOf, Oneself, Stranger];
    const RESOLUTION: &[Relation] = &[Duty, Oneself, Stranger];
    // Whoever works in the organisation whose readers it is for, and everybody else.
    const OUTAGE: &[Relation] = &[Duty, Stranger];
    const NOBODY: &[Relation] = &[Stranger];
    &[
        work(K::Call, V::Create, NOBODY, false),
        work(K::Call, V::List, NOBODY, true),
        work(K::Call, V::Read, CALL, true),
        work(K::Call, V::Write, CALL, false),
        work(K::Call, V::HandOver, CALL, false),
        work(K::Call, V::Close, CALL, false),
        work(K::Slip, V::List, NOBODY, true),
        work(K::Slip, V::Read, NOTICE, true),
        work(K::Slip, V::Append, NOTICE, false),
        work(K::Notice, V::List, NOBODY, true),
        work(K::Notice, V::Read, NOTICE, true),
        work(K::Notice, V::Acknowledge, NOTICE, false),
        work(K::Notice, V::Return, NOTICE, false),
        work(K::Notice, V::Accept, NOTICE, false),
        work(K::Intake, V::Renew, NOBODY, false),
        work(K::Review, V::Renew, NOBODY, false),
        work(K::Case, V::List, NOBODY, true),
        work(K::Case, V::Read, CASE, true),
        work(K::Case, V::Write, CASE, false),
        work(K::Case, V::Assign, CASE, false),
        work(K::Case, V::Unassign, CASE, false),
        work(K::Person, V::Create, CASE, false),
        work(K::Identity, V::Read, CASE, true),
        work(K::Identity, V::Write, CASE, false),
        work(K::ContactAndSafety, V::Read, CASE, true),
        work(K::ContactAndSafety, V::Write, CASE, false),
        work(K::Narrative, V::Read, CASE, true),
        work(K::Narrative, V::Write, CASE, false),
        work(K::Care, V::Read, CARE, true),
        work(K::Care, V::Write, CARE, false),
        work(K::Care, V::Share, CARE, false),
        work(K::Legal, V::Read, CASE, true),
        work(K::Legal, V::Write, CASE, false),
        work(K::Investigation, V::Read, CASE, true),
        work(K::Investigation, V::Write, CASE, false),
        work(K::CaseNote, V::List, CASE, true),
        work(K::CaseNote, V::Append, CASE, false),
        work(K::Attachment, V::List, ATTACHMENT, true),
        work(K::Attachment, V::Read, ATTACHMENT, true),
        work(K::Attachment, V::Append, ATTACHMENT, false),
        work(K::Accommodation, V::Create, NOBODY, false),
        work(K::Accommodation, V::List, NOBODY, false),
        work(K::Accommodation, V::Append, HOUSE, false),
        work(K::Address, V::Read, HOUSE, true),
        work(K::Address, V::Write, HOUSE, false),
        work(K::Training, V::Create, STAFF, false),
        work(K::Training, V::List, NOBODY, false),
        work(K::Placement, V::Create, CASE, false),
        work(K::Placement, V::List, NOBODY, true),
        work(K::Placement, V::Read, PLACEMENT, true),
        work(K::Placement, V::Acknowledge, PLACEMENT, false),
        work(K::Placement, V::Accept, PLACEMENT, false),
        work(K::Placement, V::Decline, PLACEMENT, false),
        work(K::Placement, V::Assign, PLACEMENT, false),
        work(K::Placement, V::Consent, PLACEMENT, false),
        work(K::Placement, V::Transport, PLACEMENT, false),
        work(K::Placement, V::Admit, PLACEMENT, false),
        work(K::Placement, V::Transfer, PLACEMENT, false),
        work(K::Placement, V::Withdraw, PLACEMENT, false),
        work(K::Placement, V::Exit, PLACEMENT, false),
        work(K::Arrival, V::Read, PLACEMENT, true),
        work(K::Consent, V::Create, PLACEMENT, false),
        work(K::Consent, V::List, PLACEMENT, true),
        work(K::Consent, V::Withdraw, PLACEMENT, false),
        work(K::Organisation, V::Create, NOBODY, false),
        work(K::Organisation, V::List, NOBODY, false),
        work(K::Organisation, V::Found, STAFF, false),
        work(K::Organisation, V::Countersign, STAFF, false),
        work(K::Account, V::Create, NOBODY, false),
        work(K::Account, V::List, STAFF, false),
        work(K::Account, V::Disable, STAFF, false),
        work(K::Membership, V::List, STAFF, false),
        work(K::Membership, V::Propose, STAFF, false),
        work(K::Membership, V::Countersign, STAFF, false),
        work(K::Colleague, V::List, NOBODY, false),
        work(K::Session, V::List, STAFF, false),
        work(K::Session, V::Close, STAFF, false),
        work(K::Credential, V::List, STAFF, false),
        work(K::Credential, V::Write, STAFF, false),
        work(K::Credential, V::Withdraw, STAFF, false),
        work(K::Device, V::List, STAFF, false),
        work(K::Device, V::Withdraw, STAFF, false),
        work(K::Status, V::List, NOBODY, false),
        work(K::Task, V::List, NOBODY, false),
        work(K::Task, V::Create, CASE, false),
        work(K::Task, V::Read, TASK, true),
        work(K::Task, V::Close, TASK, false),
        work(K::Task, V::HandOver, TASK, false),
        work(K::Alert, V::List, NOBODY, false),
        work(K::Alert, V::Acknowledge, TASK, false),
        work(K::Workload, V::Read, NOBODY, true),
        work(K::Assignment, V::Create, CASE, false),
        work(K::Bar, V::Recuse, CASE, false),
        work(K::Bar, V::Create, CASE, false),
        work(K::Bar, V::List, CASE, true),
        work(K::Bar, V::Lift, CASE, false),
        work(K::Removal, V::Propose, CASE, false),
        work(K::Removal, V::List, CASE, true),
        work(K::Removal, V::Countersign, CASE, false),
        work(K::Erasure, V::Propose, CASE, false),
        work(K::Erasure, V::Read, CASE, true),
        work(K::Erasure, V::Countersign, CASE, false),
        work(K::Erasure, V::List, NOBODY, true),
        work(K::Hold, V::Create, CASE, false),
        work(K::Hold, V::List, CASE, true),
        work(K::Hold, V::Propose, CASE, false),
        work(K::Hold, V::Countersign, CASE, false),
        work(K::Direction, V::Create, NOTICE, false),
        work(K::Shift, V::List, NOBODY, false),
        work(K::Shift, V::Create, NOBODY, false),
        work(K::Shift, V::Close, TASK, false),
        work(K::Absence, V::List, NOBODY, false),
        work(K::Absence, V::Create, NOBODY, false),
        work(K::Absence, V::Close, ABSENCE, false),
        work(K::Emergency, V::Create, NOBODY, false),
        work(K::Entrusting, V::Create, NOBODY, false),
        work(K::Opening, V::List, NOBODY, false),
        work(K::Opening, V::Agree, OPENING, false),
        work(K::Opening, V::Open, OPENING, false),
        work(K::Opening, V::Decline, OPENING, false),
        work(K::Opening, V::Review, OPENING, false),
        work(K::Custody, V::Read, CUSTODY, false),
        work(K::Custody, V::Renew, CUSTODY, false),
        work(K::Custody, V::Propose, CUSTODY, false),
        work(K::Custody, V::Countersign, CUSTODY, false),
        work(K::Policy, V::List, NOBODY, false),
        work(K::Policy, V::Propose, RESPONSIBLE, false),
        work(K::Policy, V::Countersign, RESPONSIBLE, false),
        work(K::Succession, V::List, SUCCESSION, false),
        work(K::Succession, V::Propose, RESPONSIBLE, false),
        work(K::Succession, V::Countersign, SUCCESSION, false),
        work(K::Succession, V::Found, SUCCESSION, false),
        work(K::Succession, V::Decline, SUCCESSION, false),
        work(K::Outage, V::List, NOBODY, false),
        work(K::Outage, V::Propose, OUTAGE, false),
        work(K::Outage, V::Countersign, OUTAGE, false),
        work(K::Outage, V::Close, OUTAGE, false),
        work(K::Ledger, V::List, NOBODY, true),
        work(K::Ledger, V::Renew, NOBODY, false),
        work(K::AccessList, V::List, NOBODY, true),
        work(K::Resolution, V::List, NOBODY, true),
        work(K::Resolution, V::Propose, NOBODY, false),
        work(K::Resolution, V::Countersign, RESOLUTION, false),
        work(K::Resolution, V::Read, RESOLUTION, true),
        work(K::Oversight, V::List, NOBODY, true),
        work(K::Oversight, V::Renew, NOBODY, false),
    ]
};
