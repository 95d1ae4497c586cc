//! Verbs and families of kinds as types: a permission for one work is no permission for another.

use crate::guard::action::Verb;
use crate::guard::record::RecordKind;

/// A verb as a type, so that a permission to read is another type than one to write.
pub trait Does {
    const VERB: Verb;
}

/// A family of kinds as a type.
pub trait About {
    /// Whether a permission about this family may name this kind.
    fn admits(kind: RecordKind) -> bool;
}

/// Verbs as types.
pub mod verbs {
    use super::{Does, Verb};
    macro_rules! verbs {
        ($($name:ident)+) => {$(
            #[doc = concat!("The verb `", stringify!($name), "`.")]
            pub struct $name;
            impl Does for $name { const VERB: Verb = Verb::$name; }
        )+};
    }
    verbs! {
        Create List Read Write HandOver Close Append Acknowledge Return Accept Assign Unassign Found Countersign Propose
        Disable Renew Decline Consent Transport Admit Transfer Exit Share Withdraw Agree Open Review
        Recuse Lift
    }
}

/// Kinds as types; the six sections are one family, told apart by the kind within.
pub mod kinds {
    use super::{About, RecordKind};
    macro_rules! kinds {
        ($($name:ident => $($kind:ident)|+,)+) => {$(
            #[doc = concat!("Records of the family `", stringify!($name), "`.")]
            pub struct $name;
            impl About for $name {
                fn admits(kind: RecordKind) -> bool { matches!(kind, $(RecordKind::$kind)|+) }
            }
        )+};
    }
    kinds! {
        Call => Call,
        Slip => Slip,
        Notice => Notice,
        Case => Case,
        Person => Person,
        Section => Identity | ContactAndSafety | Narrative | Care | Legal | Investigation,
        CaseNote => CaseNote,
        Attachment => Attachment,
        Accommodation => Accommodation,
        Address => Address,
        Placement => Placement,
        Arrival => Arrival,
        Care => Care,
        Consent => Consent,
        Training => Training,
        SharedKey => Intake | Review | Ledger | Oversight,
        Organisation => Organisation,
        Account => Account,
        Membership => Membership,
        Colleague => Colleague,
        Session => Session,
        Credential => Credential,
        Device => Device,
        Status => Status,
        LedgerEntry => Ledger,
        AccessList => AccessList,
        OwnEntry => Oversight,
        Task => Task,
        Alert => Alert,
        Workload => Workload,
        Assignment => Assignment,
        Bar => Bar,
        Removal => Removal,
        Erasure => Erasure,
        Hold => Hold,
        Direction => Direction,
        Shift => Shift,
        Absence => Absence,
        Opening => Opening | Emergency | Entrusting,
        Custody => Custody,
        Policy => Policy,
        Succession => Succession,
        Resolution => Resolution,
        Outage => Outage,
    }
}
