//! States of a placement, and the codes that its clear row holds.

use crate::guard::words::words;

words! {
    /// Where a placement stands (requirements, state machine 8).
    pub enum PlacementState {
        Requested = "requested",
        Acknowledged = "acknowledged",
        Matched = "matched",
        Consented = "consented",
        Transported = "transported",
        Admitted = "admitted",
        Declined = "declined",
        ExitedByPerson = "exited_by_person",
        Transferred = "transferred",
        PlannedExit = "planned_exit",
        /// The squad took its request back, or the person did not consent.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// Why a shelter declines. A code: the request's clear row tells nothing of the person.
    pub enum DeclineCode {
        NoFreePlace = "no_free_place",
        CannotMeetNeeds = "cannot_meet_needs",
        SafetyConflict = "safety_conflict",
        OutOfService = "out_of_service",
    }
}

words! {
    /// Why a shelter may be told of a person before they arrive.
    pub enum PlacementBasis {
        /// A consent in force: purpose `care`, recipient the shelter, section `placement`.
        Consent = "consent",
        Child = "child",
        VitalInterest = "vital_interest",
    }
}

/// A step that the state does not allow; the state is named.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("A placement that is {0} cannot be {1}.")]
pub struct IllegalTransition(pub PlacementState, pub &'static str);

type Step = Result<PlacementState, IllegalTransition>;

impl PlacementState {
    /// Whether it is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Declined | Self::ExitedByPerson | Self::Transferred | Self::PlannedExit | Self::Withdrawn)
    }

    /// # Errors
    /// Unless it was just requested.
    pub fn acknowledge(self) -> Step {
        if self == Self::Requested { Ok(Self::Acknowledged) } else { Err(IllegalTransition(self, "acknowledged")) }
    }

    /// # Errors
    /// Unless it was acknowledged.
    pub fn accept(self) -> Step {
        if self == Self::Acknowledged { Ok(Self::Matched) } else { Err(IllegalTransition(self, "accepted")) }
    }

    /// # Errors
    /// Once the shelter has decided.
    pub fn decline(self) -> Step {
        match self {
            Self::Requested | Self::Acknowledged => Ok(Self::Declined),
            _ => Err(IllegalTransition(self, "declined")),
        }
    }

    /// # Errors
    /// Unless a place was found.
    pub fn consent(self) -> Step {
        if self == Self::Matched { Ok(Self::Consented) } else { Err(IllegalTransition(self, "consented to")) }
    }

    /// # Errors
    /// Before the person consented.
    pub fn transport(self) -> Step {
        if self == Self::Consented { Ok(Self::Transported) } else { Err(IllegalTransition(self, "transported")) }
    }

    /// # Errors
    /// Before the person consented. Who comes without the squad's car is admitted all the same.
    pub fn admit(self) -> Step {
        match self {
            Self::Consented | Self::Transported => Ok(Self::Admitted),
            _ => Err(IllegalTransition(self, "admitted")),
        }
    }

    /// # Errors
    /// Unless the person was admitted.
    pub fn transfer(self) -> Step {
        if self == Self::Admitted { Ok(Self::Transferred) } else { Err(IllegalTransition(self, "transferred")) }
    }

    /// # Errors
    /// Once the person was admitted: then they leave, and nobody takes a request back.
    pub fn withdraw(self) -> Step {
        match self {
            Self::Requested | Self::Acknowledged | Self::Matched | Self::Consented | Self::Transported => {
                Ok(Self::Withdrawn)
            }
            _ => Err(IllegalTransition(self, "withdrawn")),
        }
    }

    /// The person leaves: from every state that is not over (R29).
    ///
    /// # Errors
    /// When it is over already.
    pub fn exit(self, planned: bool) -> Step {
        match (self.is_over(), planned) {
            (true, _) => Err(IllegalTransition(self, "left")),
            (false, false) => Ok(Self::ExitedByPerson),
            (false, true) if self == Self::Admitted => Ok(Self::PlannedExit),
            (false, true) => Err(IllegalTransition(self, "left as planned")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PlacementState as S;

    fn legal(step: impl Fn(S) -> Step) -> Vec<S> {
        S::ALL.iter().copied().filter(|state| step(*state).is_ok()).collect()
    }

    #[test]
    fn each_step_has_its_states() {
        assert_eq!(legal(S::acknowledge), [S::Requested]);
        assert_eq!(legal(S::accept), [S::Acknowledged]);
        assert_eq!(legal(S::decline), [S::Requested, S::Acknowledged]);
        assert_eq!(legal(S::consent), [S::Matched]);
        assert_eq!(legal(S::transport), [S::Consented]);
        assert_eq!(legal(S::admit), [S::Consented, S::Transported]);
        assert_eq!(legal(S::transfer), [S::Admitted]);
        assert_eq!(legal(S::withdraw), [S::Requested, S::Acknowledged, S::Matched, S::Consented, S::Transported]);
        assert_eq!(legal(|state| state.exit(true)), [S::Admitted]);
    }

    #[test]
    fn the_person_leaves_from_every_state_that_is_not_over() {
        let open: Vec<S> = S::ALL.iter().copied().filter(|state| !state.is_over()).collect();
        assert_eq!(open.len(), 6);
        assert_eq!(legal(|state| state.exit(false)), open);
        assert!(open.iter().all(|state| state.exit(false) == Ok(S::ExitedByPerson)));
    }
}
