//! What an opening is: why, for whom, and how it stands.

use crate::guard::record::{AccountId, CaseId, OpeningId, OrganisationId, RecordKind, SharedKeyId};
use crate::guard::words::words;
use crate::platform::problem::Problem;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long an opening that was invoked waits for custodians, and one that is no emergency for the second of them.
pub const LAPSES: TimeDelta = TimeDelta::hours(24);

/// The most cases that are entrusted at once.
pub const MOST_CASES: usize = 100;

words! {
    /// What CUSTODY is opened for.
    pub enum Why {
        /// Somebody must look at a case that is not theirs, now.
        Emergency = "emergency",
        /// Nobody who works on these cases is left.
        NobodyLeft = "nobody_left",
        /// Nothing is looked at: the key is made anew, and what rested on older ones passes on to it.
        Renewal = "renewal",
    }
}

words! {
    /// Why, in a code: it lies open, where a sentence would say too much of the case.
    pub enum Reason {
        DangerToLife = "danger_to_life",
        PersonMissing = "person_missing",
        NobodyReachable = "nobody_reachable",
        CourtOrder = "court_order",
        NobodyLeft = "nobody_left",
        CustodiansChanged = "custodians_changed",
    }
}

words! {
    /// How an opening stands.
    pub enum OpeningState {
        /// It waits for the first custodian.
        Invoked = "invoked",
        /// It waits for the second.
        Agreed = "agreed",
        Opened = "opened",
        Declined = "declined",
        /// Somebody else has looked at it.
        Reviewed = "reviewed",
    }
}

words! {
    /// What somebody else found.
    pub enum Verdict {
        Justified = "justified",
        NotJustified = "not_justified",
    }
}

/// A step that an opening cannot take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("An opening that is {from} cannot be {to} any more. Nothing was stored.")]
pub struct IllegalStep {
    from: OpeningState,
    to: OpeningState,
}

impl From<IllegalStep> for Problem {
    fn from(error: IllegalStep) -> Self {
        Self::illegal("illegal_transition", error.to_string())
    }
}

impl OpeningState {
    /// The step to another state: invoked → agreed → opened → reviewed, or declined before it was opened.
    ///
    /// # Errors
    /// [`IllegalStep`] for any other.
    pub fn step(self, to: Self) -> Result<Self, IllegalStep> {
        let legal = matches!(
            (self, to),
            (Self::Invoked, Self::Agreed | Self::Declined)
                | (Self::Agreed, Self::Opened | Self::Declined)
                | (Self::Opened, Self::Reviewed)
        );
        if legal { Ok(to) } else { Err(IllegalStep { from: self, to }) }
    }
}

/// The sections that an emergency can be for. Care is not among them: it is the carers', and the person's consent decides.
pub const FOR_EMERGENCY: [RecordKind; 5] = [
    RecordKind::Identity,
    RecordKind::ContactAndSafety,
    RecordKind::Narrative,
    RecordKind::Legal,
    RecordKind::Investigation,
];

/// Somebody must look at a case that is not theirs, now.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEmergency {
    /// The case's number, as it is said on the telephone.
    #[garde(range(min = 1))]
    #[schema(minimum = 1)]
    pub case_number: i64,
    #[garde(skip)]
    pub reason: Reason,
    /// The kinds of section that are needed, and no more.
    #[garde(length(min = 1, max = 5), inner(custom(for_emergency)))]
    #[schema(min_items = 1, max_items = 5)]
    pub sections: Vec<RecordKind>,
    /// For how long, from the first custodian's signature on.
    #[garde(range(min = 1, max = 4))]
    #[schema(minimum = 1, maximum = 4)]
    pub hours: i16,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the validator passes a reference")]
fn for_emergency(kind: &RecordKind, _context: &()) -> garde::Result {
    if FOR_EMERGENCY.contains(kind) {
        return Ok(());
    }
    Err(garde::Error::new("is one of identity, contact_and_safety, narrative, legal and investigation"))
}

impl NewEmergency {
    /// Each kind once, in a fixed order.
    #[must_use]
    pub fn sections(&self) -> Vec<RecordKind> {
        FOR_EMERGENCY.into_iter().filter(|kind| self.sections.contains(kind)).collect()
    }
}

/// Cases on which nobody is left are given to somebody.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEntrusting {
    /// A colleague who works on cases.
    #[garde(skip)]
    pub account: AccountId,
    #[garde(length(min = 1, max = 100))]
    #[schema(min_items = 1, max_items = 100)]
    pub cases: Vec<CaseId>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Invoked {
    pub id: OpeningId,
    /// To be told to the custodians: SHA-256 of the signed statement's text.
    pub fingerprint: String,
    /// Afterwards it is too late for the custodians.
    pub lapses_at: DateTime<Utc>,
}

/// An opening, to whom it concerns.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct OpeningView {
    pub id: OpeningId,
    pub organisation: OrganisationId,
    pub why: Why,
    pub reason: Reason,
    pub state: OpeningState,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<AccountId>,
    /// Empty but in an emergency.
    pub sections: Vec<RecordKind>,
    /// 0 but in an emergency.
    pub hours: i16,
    pub cases: Vec<CaseId>,
    pub invoked_by: AccountId,
    pub invoked_at: DateTime<Utc>,
    pub lapses_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed_by: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// What was asked for, signed by who asked: what both custodians confirm.
    pub statement: String,
    /// SHA-256 of the statement's text.
    pub fingerprint: String,
}

/// The first of two has signed.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Agreed {
    pub id: OpeningId,
    /// Until when the second may open.
    pub lapses_at: DateTime<Utc>,
}

/// Two have opened.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Opened {
    pub id: OpeningId,
    /// When an emergency ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// The CUSTODY key that is in force from here on.
    pub custody_key: SharedKeyId,
    /// How many keys still rest on an older one: a renewal finishes what was interrupted.
    pub rest_on_older: i64,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct OpeningEnded {
    pub id: OpeningId,
    pub state: OpeningState,
}

/// What somebody else found.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    #[garde(skip)]
    pub verdict: Verdict,
}

/// Somebody who keeps a part of CUSTODY.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct KeeperView {
    pub account: AccountId,
    pub organisation: OrganisationId,
    /// As it was read out when they were admitted.
    pub key_fingerprint: String,
}

/// An organisation's CUSTODY.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CustodyView {
    pub key: SharedKeyId,
    /// How many keys came before this one.
    pub number: i32,
    pub custodians: Vec<KeeperView>,
    /// How many keys of records still rest on an older one.
    pub rest_on_older: i64,
    /// What waits for the other responsible person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed: Option<CustodyProposed>,
}

/// Other custodians, as both responsible persons sign them.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKeepers {
    /// All of them, three to seven; two at least of the organisation itself.
    #[garde(length(min = 3, max = 7))]
    #[schema(min_items = 3, max_items = 7)]
    pub custodians: Vec<AccountId>,
}

/// A CUSTODY statement, with its fingerprint to be read out.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct CustodyProposed {
    pub key: SharedKeyId,
    pub statement: String,
    /// SHA-256 of the statement's text.
    pub fingerprint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_takes_its_steps_and_no_others() {
        use OpeningState::{Agreed, Declined, Invoked, Opened, Reviewed};
        let legal = [(Invoked, Agreed), (Invoked, Declined), (Agreed, Opened), (Agreed, Declined), (Opened, Reviewed)];
        for from in OpeningState::ALL {
            for to in OpeningState::ALL {
                assert_eq!(from.step(*to).is_ok(), legal.contains(&(*from, *to)), "{from} to {to}");
            }
        }
    }
}
