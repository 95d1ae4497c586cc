//! Of which class an entry is, and when its time is over. Nothing here reads a clock or a database.

use crate::audit::entry::{Entry, Outcome};
use crate::guard::action::{Purpose, Relation, Verb};
use crate::guard::record::RecordKind;
use crate::guard::words::words;
use chrono::{DateTime, Months, Utc};

words! {
    /// What entries are kept for the same time. Each has its floor: the shortest period that a configuration may name.
    pub enum Class {
        /// What was read of a record, and what was done to one.
        Records = "records",
        /// What was refused, and who signed in.
        Refusals = "refusals",
        /// Lists and searches.
        Lists = "lists",
        /// Keys, members, policies, outages, custody, erasures and holds, and who is on a case; also what was read in an emergency or an outage.
        Changes = "changes",
    }
}

impl Class {
    /// The fewest months for which what its entries say is kept: whoever configures the service must not be able to hide what happened
    /// last year.
    #[must_use]
    pub const fn floor(self) -> u32 {
        match self {
            Self::Records => 36,
            Self::Refusals | Self::Lists => 24,
            Self::Changes => 120,
        }
    }

    /// The class of an entry.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let is_exception = entry.relation == Relation::Emergency || entry.purpose == Some(Purpose::Emergency);
        // A read has a mark only in an outage.
        let is_in_outage = matches!(entry.verb, Verb::Read | Verb::List) && entry.mark.is_some();
        if is_exception || is_in_outage {
            return Self::Changes;
        }
        match (entry.outcome, entry.kind, entry.verb) {
            (Outcome::Refused, ..) | (_, RecordKind::Session, _) => Self::Refusals,
            // These lists show content; and who looks into the ledger decides who is looked at.
            (_, RecordKind::CaseNote | RecordKind::Attachment | RecordKind::Consent, Verb::List) => Self::Records,
            (_, RecordKind::Ledger | RecordKind::AccessList | RecordKind::Oversight | RecordKind::Resolution, _) => {
                Self::Changes
            }
            (_, _, Verb::List) => Self::Lists,
            (_, kind, _) if decides(kind) => Self::Changes,
            (_, _, Verb::Assign | Verb::Unassign | Verb::Recuse | Verb::Lift | Verb::Share | Verb::Transfer) => {
                Self::Changes
            }
            _ => Self::Records,
        }
    }
}

/// Whether who may do what hangs on this kind of record. Every kind is named: one that is new belongs somewhere.
const fn decides(kind: RecordKind) -> bool {
    use RecordKind as K;
    match kind {
        K::Intake
        | K::Review
        | K::Training
        | K::Organisation
        | K::Account
        | K::Membership
        | K::Credential
        | K::Device
        | K::Assignment
        | K::Bar
        | K::Removal
        | K::Erasure
        | K::Hold
        | K::Direction
        | K::Absence
        | K::Ledger
        | K::Resolution
        | K::AccessList
        | K::Oversight
        | K::Opening
        | K::Emergency
        | K::Entrusting
        | K::Custody
        | K::Policy
        | K::Succession
        | K::Outage
        | K::Configuration => true,
        K::Call
        | K::Slip
        | K::Notice
        | K::Case
        | K::Person
        | K::Identity
        | K::ContactAndSafety
        | K::Narrative
        | K::Care
        | K::Legal
        | K::Investigation
        | K::CaseNote
        | K::Attachment
        | K::Accommodation
        | K::Address
        | K::Placement
        | K::Arrival
        | K::Consent
        | K::Colleague
        | K::Session
        | K::Task
        | K::Alert
        | K::Workload
        | K::Shift
        | K::Status => false,
    }
}

/// Whether what was entered in this hour, or before, has been kept for so many months at this time.
#[must_use]
pub fn is_over(hour: i64, months: u32, now: DateTime<Utc>) -> bool {
    let end = hour.checked_add(1).and_then(|hour| hour.checked_mul(3600));
    let end = end.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let until = end.and_then(|end| end.checked_add_months(Months::new(months)));
    until.is_some_and(|until| until <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::mark::Mark;
    use crate::guard::action::Role;
    use crate::guard::record::AccountId;
    use uuid::Uuid;

    fn entry(verb: Verb, kind: RecordKind) -> Entry {
        Entry {
            at: DateTime::UNIX_EPOCH,
            account: AccountId(Uuid::nil()),
            organisation: None,
            role: Role::SquadOfficer,
            relation: Relation::Assigned,
            verb,
            kind,
            purpose: Some(Purpose::CaseWork),
            outcome: Outcome::Done,
            records: vec![],
            asked: None,
            about: None,
            mark: None,
            erased: None,
            turn: None,
        }
    }

    #[test]
    fn each_entry_is_of_the_class_that_says_what_it_is() {
        let class = |verb, kind| Class::of(&entry(verb, kind));
        assert_eq!(class(Verb::Read, RecordKind::Narrative), Class::Records);
        assert_eq!(class(Verb::Write, RecordKind::Care), Class::Records);
        assert_eq!(class(Verb::List, RecordKind::Case), Class::Lists);
        assert_eq!(class(Verb::List, RecordKind::Ledger), Class::Changes);
        assert_eq!(class(Verb::List, RecordKind::AccessList), Class::Changes);
        assert_eq!(class(Verb::List, RecordKind::CaseNote), Class::Records);
        assert_eq!(class(Verb::Create, RecordKind::Session), Class::Refusals);
        assert_eq!(class(Verb::Countersign, RecordKind::Policy), Class::Changes);
        assert_eq!(class(Verb::Assign, RecordKind::Case), Class::Changes);
        assert_eq!(class(Verb::Lapse, RecordKind::Ledger), Class::Changes);
    }

    #[test]
    fn what_was_refused_is_one_class_and_what_was_read_by_exception_another() {
        let read = entry(Verb::Read, RecordKind::Narrative);
        assert_eq!(Class::of(&Entry { outcome: Outcome::Refused, ..read.clone() }), Class::Refusals);
        let mark = Some(Mark::in_outage(Uuid::nil(), [0; 32]));
        assert_eq!(Class::of(&Entry { mark, ..read.clone() }), Class::Changes);
        assert_eq!(Class::of(&Entry { mark, verb: Verb::List, ..read.clone() }), Class::Changes);
        assert_eq!(Class::of(&Entry { relation: Relation::Emergency, ..read.clone() }), Class::Changes);
        assert_eq!(Class::of(&Entry { purpose: Some(Purpose::Emergency), ..read }), Class::Changes);
    }

    #[test]
    fn a_period_is_over_when_the_whole_hour_is_so_old() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        // 2026-02-28T23:00Z: a year later there is no more of February.
        let hour = at(1_772_319_600).timestamp() / 3600;
        assert!(!is_over(hour, 12, at(1_803_859_199)) && is_over(hour, 12, at(1_803_859_200)));
        assert!(!is_over(i64::MAX, 1, at(1_803_859_200)));
    }
}
