//! The two state machines: of a case, and of the prosecution. An illegal step is refused by name.

use crate::audit::retention::label::Turn;
use crate::guard::words::words;
use crate::platform::problem::Problem;

words! {
    /// Where a case stands; clear, since it tells nothing of a person. HTCDS `cas_Status`: `open` is `Active`,
    /// `follow_up` is `FollowUp`, `closed` is `Closed`.
    pub enum CaseState {
        Open = "open",
        FollowUp = "follow_up",
        Closed = "closed",
    }
}

words! {
    /// How far the prosecution has come (requirement R19).
    pub enum ProsecutionStage {
        Identified = "identified",
        CoerciveMeasures = "coercive_measures",
        Charged = "charged",
        InCourt = "in_court",
        Sentenced = "sentenced",
        Acquitted = "acquitted",
    }
}

/// A step that the state does not allow, by name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} is `{from}`, which does not become `{to}`.{hint} Nothing was stored.")]
pub struct IllegalTransition {
    what: &'static str,
    from: &'static str,
    to: &'static str,
    /// What to do first, with a space before it; empty where nothing leads there.
    hint: &'static str,
}

impl From<IllegalTransition> for Problem {
    fn from(illegal: IllegalTransition) -> Self {
        Self::illegal("illegal_transition", illegal.to_string())
    }
}

impl CaseState {
    /// The state after this one: open ⇄ follow-up → closed, and closed → open when it is taken up again. So a case is closed in
    /// two steps, and follow-up, in which somebody asks how the person is, is never passed by.
    ///
    /// # Errors
    /// [`IllegalTransition`] for every other step, the one to the same state included.
    pub const fn become_next(self, next: Self) -> Result<Self, IllegalTransition> {
        match (self, next) {
            (Self::Open, Self::FollowUp) | (Self::FollowUp, Self::Open | Self::Closed) | (Self::Closed, Self::Open) => {
                Ok(next)
            }
            _ => Err(IllegalTransition {
                what: "the case",
                from: self.as_str(),
                to: next.as_str(),
                hint: self.first_step_to(next),
            }),
        }
    }

    /// What a step to the next state is to the ledger, which keeps what was done about a case that is not closed.
    #[must_use]
    pub const fn turn(self, next: Self) -> Option<Turn> {
        match (self, next) {
            (Self::Open | Self::FollowUp, Self::Closed) => Some(Turn::Closed),
            (Self::Closed, Self::Open | Self::FollowUp) => Some(Turn::Opened),
            _ => None,
        }
    }

    /// What leads to a state that is two steps away.
    const fn first_step_to(self, next: Self) -> &'static str {
        match (self, next) {
            (Self::Open, Self::Closed) => " Take it to `follow_up` first, and then to `closed`.",
            (Self::Closed, Self::FollowUp) => " Take it to `open` first, and then to `follow_up`.",
            _ => "",
        }
    }
}

impl ProsecutionStage {
    /// The stage after this one: identified → coercive measures → charged → in court → sentenced or acquitted.
    ///
    /// # Errors
    /// [`IllegalTransition`] for every other step; staying is none.
    pub const fn become_next(self, next: Self) -> Result<Self, IllegalTransition> {
        match (self, next) {
            (Self::Identified, Self::CoerciveMeasures)
            | (Self::CoerciveMeasures, Self::Charged)
            | (Self::Charged, Self::InCourt)
            | (Self::InCourt, Self::Sentenced | Self::Acquitted) => Ok(next),
            _ => Err(IllegalTransition { what: "the prosecution", from: self.as_str(), to: next.as_str(), hint: "" }),
        }
    }

    /// Whether a section that says `before` may say `after`. What was never stated may begin at any stage: the squad
    /// also takes over prosecutions that are under way.
    ///
    /// # Errors
    /// [`IllegalTransition`] as [`Self::become_next`], and for a stage that is taken away.
    pub fn check(before: Option<Self>, after: Option<Self>) -> Result<(), IllegalTransition> {
        match (before, after) {
            (None, _) => Ok(()),
            (Some(before), Some(after)) if before == after => Ok(()),
            (Some(before), Some(after)) => before.become_next(after).map(|_| ()),
            (Some(before), None) => {
                Err(IllegalTransition { what: "the prosecution", from: before.as_str(), to: "not stated", hint: "" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_takes_four_steps_and_no_other() {
        use CaseState::{Closed, FollowUp, Open};
        let legal = [(Open, FollowUp), (FollowUp, Open), (FollowUp, Closed), (Closed, Open)];
        for &from in CaseState::ALL {
            for &to in CaseState::ALL {
                assert_eq!(from.become_next(to).is_ok(), legal.contains(&(from, to)), "{from} → {to}");
            }
        }
        let named = Problem::from(Open.become_next(Closed).unwrap_err());
        assert_eq!((named.status().as_u16(), named.code()), (409, "illegal_transition"));
    }

    #[test]
    fn a_refused_step_names_both_states() {
        let text = CaseState::Closed.become_next(CaseState::FollowUp).unwrap_err().to_string();
        assert!(text.contains("`closed`") && text.contains("`follow_up`"), "{text}");
    }

    #[test]
    fn a_state_two_steps_away_is_refused_with_the_step_that_comes_first() {
        let text = |from: CaseState, to| from.become_next(to).unwrap_err().to_string();
        let closing = text(CaseState::Open, CaseState::Closed);
        assert!(
            closing.contains("Take it to `follow_up` first, and then to `closed`. Nothing was stored."),
            "{closing}"
        );
        let again = text(CaseState::Closed, CaseState::FollowUp);
        assert!(again.contains("Take it to `open` first, and then to `follow_up`. Nothing was stored."), "{again}");
        for state in CaseState::ALL.iter().copied() {
            assert!(!text(state, state).contains("first"), "{state}");
        }
    }

    #[test]
    fn a_prosecution_goes_one_step_forward_or_stays() {
        let all = ProsecutionStage::ALL;
        for (from_place, &from) in all.iter().enumerate() {
            for (to_place, &to) in all.iter().enumerate() {
                let ends = to == ProsecutionStage::Acquitted && from == ProsecutionStage::InCourt;
                let forward = to_place == from_place + 1 && from != ProsecutionStage::Sentenced;
                assert_eq!(from.become_next(to).is_ok(), forward || ends, "{from} → {to}");
                let stays = from == to;
                assert_eq!(ProsecutionStage::check(Some(from), Some(to)).is_ok(), forward || ends || stays);
            }
            assert!(ProsecutionStage::check(None, Some(from)).is_ok());
            assert!(ProsecutionStage::check(Some(from), None).is_err());
        }
    }
}
