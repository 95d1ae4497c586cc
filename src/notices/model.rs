//! States, clock and content of a notice.

use crate::calls::model::CallContent;
use crate::guard::record::{AccountId, AddendumId, CaseId, NoticeId, OrganisationId};
use crate::guard::words::words;
use crate::platform::http::maybe_moment;
use crate::platform::problem::Problem;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// On what ground a hand-over names a person. Without one it is pseudonymous.
    pub enum Basis {
        Consent = "consent",
        Child = "child",
        VitalInterest = "vital_interest",
        /// On no ground that names the person: who it is about, and how to call back, are not sent.
        Pseudonymous = "pseudonymous",
    }
}

words! {
    /// Where a notice stands. `drafted` is the call's own draft.
    pub enum NoticeState {
        Sent = "sent",
        Acknowledged = "acknowledged",
        Accepted = "accepted",
        Returned = "returned",
    }
}

words! {
    /// Why the squad returns a notice. A code and nothing else: the sender's slip holds no content.
    pub enum ReturnCode {
        NotTrafficking = "not_trafficking",
        TooLittleToActOn = "too_little_to_act_on",
        KnownAlready = "known_already",
        OtherAuthority = "other_authority",
    }
}

words! {
    /// How far the 24 hours from suspicion to acknowledgement have run.
    pub enum Escalation {
        InTime = "in_time",
        Half = "half_gone",
        ThreeQuarters = "three_quarters_gone",
        Overdue = "overdue",
        Acknowledged = "acknowledged",
    }
}

/// The squad acknowledges within this time of the recorded moment of suspicion (R14).
pub const DEADLINE: TimeDelta = TimeDelta::hours(24);

/// A step that the state does not allow; the state is named.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("A notice that is {0} cannot be {1}.{hint} Nothing was stored.", hint = self.hint())]
pub struct IllegalTransition(pub NoticeState, pub &'static str);

impl IllegalTransition {
    /// What comes first, where something does.
    fn hint(&self) -> &'static str {
        if self.0 == NoticeState::Sent { " Acknowledge it first." } else { "" }
    }
}

impl NoticeState {
    /// # Errors
    /// Unless it was just sent.
    pub fn acknowledge(self) -> Result<Self, IllegalTransition> {
        match self {
            Self::Sent => Ok(Self::Acknowledged),
            Self::Acknowledged | Self::Accepted | Self::Returned => Err(IllegalTransition(self, "acknowledged")),
        }
    }

    /// # Errors
    /// Unless it was acknowledged: whoever decides has said that they have it.
    pub fn accept(self) -> Result<Self, IllegalTransition> {
        match self {
            Self::Acknowledged => Ok(Self::Accepted),
            Self::Sent | Self::Accepted | Self::Returned => Err(IllegalTransition(self, "accepted")),
        }
    }

    /// # Errors
    /// Unless it was acknowledged.
    pub fn give_back(self) -> Result<Self, IllegalTransition> {
        match self {
            Self::Acknowledged => Ok(Self::Returned),
            Self::Sent | Self::Accepted | Self::Returned => Err(IllegalTransition(self, "returned")),
        }
    }

    /// # Errors
    /// Once the squad has decided.
    pub fn add_to(self) -> Result<Self, IllegalTransition> {
        match self {
            Self::Sent | Self::Acknowledged => Ok(self),
            Self::Accepted | Self::Returned => Err(IllegalTransition(self, "added to")),
        }
    }
}

/// How far the clock has run; it stops at the acknowledgement and nothing else moves it.
#[must_use]
pub fn escalation(
    suspected_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Escalation {
    if acknowledged_at.is_some() {
        return Escalation::Acknowledged;
    }
    let gone = now - suspected_at;
    if gone >= DEADLINE {
        Escalation::Overdue
    } else if gone >= DEADLINE * 3 / 4 {
        Escalation::ThreeQuarters
    } else if gone >= DEADLINE / 2 {
        Escalation::Half
    } else {
        Escalation::InTime
    }
}

/// How a call is handed over.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    #[garde(skip)]
    pub basis: Basis,
    /// For a pseudonymous hand-over of a draft that holds a person, a call-back or attachments: these stay behind and die
    /// with the draft. Without this word such a hand-over is refused.
    #[serde(default)]
    #[garde(skip)]
    pub leave_behind: bool,
    /// The squad; may be left out where there is one.
    #[garde(skip)]
    pub squad: Option<OrganisationId>,
    /// When the suspicion arose; by default the call's start, and never later than that. The 24 hours run from here.
    #[garde(skip)]
    #[serde(default, deserialize_with = "maybe_moment")]
    pub suspected_at: Option<DateTime<Utc>>,
}

/// What is sealed to the squad.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeContent {
    pub basis: Basis,
    pub call: CallContent,
}

impl NoticeContent {
    /// What goes over on this basis. Without one, who it is about and how to call back stay behind, and die with the
    /// draft; what was said is the operator's own words, and they are asked to name nobody in them.
    ///
    /// # Errors
    /// 422 when something would die unseen.
    pub fn of(basis: Basis, leave_behind: bool, mut call: CallContent) -> Result<Self, Problem> {
        match basis {
            Basis::Consent | Basis::Child | Basis::VitalInterest => {}
            Basis::Pseudonymous if leave_behind || (call.person.is_none() && call.call_back.is_none()) => {
                call.person = None;
                call.call_back = None;
            }
            Basis::Pseudonymous => {
                return Err(Problem::field(
                    "leave_behind",
                    "is needed: without a ground to name the person, who it is about and how to call back are not sent, \
                     and are lost with the draft",
                ));
            }
        }
        Ok(Self { basis, call })
    }
}

/// What the sender keeps: no content.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Slip {
    pub id: NoticeId,
    /// To be said on the telephone.
    pub number: i64,
    pub state: NoticeState,
    pub sent_at: DateTime<Utc>,
    pub suspected_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_code: Option<ReturnCode>,
    /// How many addenda were appended.
    pub addenda: i64,
    /// How many files went with it, or were added.
    pub attachments: i64,
}

/// Something the sender adds.
#[derive(Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddendumContent {
    #[garde(length(chars, min = 1, max = 20_000))]
    #[schema(min_length = 1, max_length = 20000)]
    pub text: String,
}

/// A row of the squad's queue.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct QueueRow {
    pub id: NoticeId,
    pub number: i64,
    pub state: NoticeState,
    pub sender_organisation: OrganisationId,
    pub suspected_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub escalation: Escalation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Of one that came back to its sender's supervisor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_code: Option<ReturnCode>,
}

/// A notice, opened.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct NoticeView {
    pub id: NoticeId,
    pub number: i64,
    pub state: NoticeState,
    pub suspected_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub escalation: Escalation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    pub content: NoticeContent,
    pub addenda: Vec<AddendumView>,
    /// How many files hang on it: they are listed at its `attachments`.
    pub attachments: i64,
}

/// An addendum, opened.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AddendumView {
    pub id: AddendumId,
    pub added_at: DateTime<Utc>,
    pub text: String,
}

/// Where a notice stands after a step.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Stands {
    pub id: NoticeId,
    pub state: NoticeState,
}

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Return {
    #[garde(skip)]
    pub code: ReturnCode,
}

/// How a notice is accepted: as a new case, or into one that the acceptor is assigned to.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    #[garde(skip)]
    pub case: Option<CaseId>,
    /// Officers of the squad who are assigned beside the acceptor; for a new case only.
    #[garde(length(max = 10))]
    #[schema(max_items = 10)]
    #[serde(default)]
    pub officers: Vec<AccountId>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    pub id: NoticeId,
    pub state: NoticeState,
    pub case: CaseId,
    pub case_number: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_clock_escalates_at_half_three_quarters_and_the_whole() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let at = |minutes| escalation(start, None, start + TimeDelta::minutes(minutes));
        assert_eq!(at(0), Escalation::InTime);
        assert_eq!(at(12 * 60 - 1), Escalation::InTime);
        assert_eq!(at(12 * 60), Escalation::Half);
        assert_eq!(at(18 * 60), Escalation::ThreeQuarters);
        assert_eq!(at(24 * 60 - 1), Escalation::ThreeQuarters);
        assert_eq!(at(24 * 60), Escalation::Overdue);
        assert_eq!(escalation(start, Some(start), start + TimeDelta::days(9)), Escalation::Acknowledged);
    }

    #[test]
    fn who_it_is_about_and_how_to_call_back_go_over_on_a_ground_that_names_the_person_and_on_no_other() {
        for basis in Basis::ALL.iter().copied() {
            for (leave_behind, person, call_back) in [false, true]
                .into_iter()
                .flat_map(|leave| [false, true].map(|person| (leave, person)))
                .flat_map(|(leave, person)| [false, true].map(|back| (leave, person, back)))
            {
                let told = |person, call_back| {
                    let mut told =
                        json!({ "safe_to_talk": "yes", "kind": "crisis", "place": "a yellow house", "said": "Help." });
                    if person {
                        told["person"] = json!({ "first_name": "Leyla" });
                    }
                    if call_back {
                        told["call_back"] = json!({ "number": "+994 00 000 00 00" });
                    }
                    told
                };
                let call = serde_json::from_value(told(person, call_back)).unwrap();
                let sent = NoticeContent::of(basis, leave_behind, call);
                let names = basis != Basis::Pseudonymous;
                if !names && !leave_behind && (person || call_back) {
                    let refused = format!("{:?}", sent.err().unwrap());
                    assert!(refused.contains("field: \"leave_behind\""), "{refused}");
                    continue;
                }
                let sent = serde_json::to_value(sent.ok().unwrap()).unwrap();
                let expected = told(names && person, names && call_back);
                assert_eq!(sent, json!({ "basis": basis, "call": expected }), "{basis} {leave_behind}");
            }
        }
    }

    #[test]
    fn every_step_is_legal_from_one_state_only() {
        let legal = |step: fn(NoticeState) -> Result<NoticeState, IllegalTransition>| {
            NoticeState::ALL.iter().copied().filter(|state| step(*state).is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(legal(NoticeState::acknowledge), [NoticeState::Sent]);
        assert_eq!(legal(NoticeState::accept), [NoticeState::Acknowledged]);
        assert_eq!(legal(NoticeState::give_back), [NoticeState::Acknowledged]);
        assert_eq!(legal(NoticeState::add_to), [NoticeState::Sent, NoticeState::Acknowledged]);
        let refused = NoticeState::Accepted.acknowledge().err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some("A notice that is accepted cannot be acknowledged. Nothing was stored."));
    }
}
