//! What follows from what was said: pure decisions about a call's content and state.

use super::content::CallContent;
use super::model::{CallError, CallOutcome, CallState};

/// The state in which a new call begins: a draft, or closed at once when its kind is a quick one.
///
/// # Errors
/// [`CallError::TooMuch`] for a quick call that comes with more than its kind and language;
/// [`CallError::AskFirst`] for another kind given before it was asked whether it is safe to talk.
pub fn opened(content: &CallContent) -> Result<CallState, CallError> {
    let Some(kind) = content.kind.filter(|kind| kind.is_quick()) else { return saved(CallState::Opened, content) };
    let surplus = beyond_kind_and_language(content);
    if !surplus.is_empty() {
        return Err(CallError::TooMuch(surplus));
    }
    Ok(CallState::Opened.triaged(kind)?.finished(CallOutcome::Closed)?)
}

/// The state of a draft whose whole content was saved.
///
/// Whether it is safe to talk is asked first, and what waits for the answer is the kind of the call, and with it the hand-over and the
/// end. Words do not wait: whoever calls in danger says where they are before anybody can ask, and what an operator has typed
/// is never refused or lost.
///
/// # Errors
/// [`CallError::AskFirst`] as in [`opened`]; [`CallError::TakenBack`] when the content lacks what the state rests on, so
/// that a draft never goes back; [`CallError::Illegal`] unless it is a draft.
pub fn saved(state: CallState, content: &CallContent) -> Result<CallState, CallError> {
    let state = state.saved()?;
    if state == CallState::SafetyChecked && content.safe_to_talk.is_none() {
        return Err(CallError::TakenBack("content.safe_to_talk"));
    }
    if state == CallState::Triaged && content.kind.is_none() {
        return Err(CallError::TakenBack("content.kind"));
    }
    if content.safe_to_talk.is_none() && content.kind.is_some_and(|kind| !kind.is_quick()) {
        return Err(CallError::AskFirst);
    }
    let state = if content.safe_to_talk.is_some() { state.safety_checked()? } else { state };
    Ok(match content.kind {
        Some(kind) => state.triaged(kind)?,
        None => state,
    })
}

/// The fields that a quick call does not keep and that are given all the same.
fn beyond_kind_and_language(content: &CallContent) -> Vec<&'static str> {
    // Every field by name: a new one has to be decided about here.
    let CallContent {
        kind: _,
        language: _,
        safe_to_talk,
        interpreter_needed,
        danger,
        place,
        said,
        caller_is,
        call_back,
        person,
    } = content;
    [
        ("content.safe_to_talk", safe_to_talk.is_some()),
        ("content.interpreter_needed", interpreter_needed.is_some()),
        ("content.danger", danger.is_some()),
        ("content.place", place.is_some()),
        ("content.said", said.is_some()),
        ("content.caller_is", caller_is.is_some()),
        ("content.call_back", call_back.is_some()),
        ("content.person", person.is_some()),
    ]
    .into_iter()
    .filter_map(|(field, given)| given.then_some(field))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::content::{CallKind, SafeToTalk};
    use super::super::model::IllegalTransition;
    use super::*;
    use proptest::prelude::*;

    fn content(safe: Option<SafeToTalk>, kind: Option<CallKind>) -> CallContent {
        CallContent { safe_to_talk: safe, kind, ..CallContent::default() }
    }

    /// The table of REQUIREMENTS, written down a second time: from where each state can be reached in one step.
    const TABLE: [(CallState, CallState); 9] = {
        use CallState::{CallbackScheduled, Closed, HandedOver, Opened, Referred, SafetyChecked, Triaged};
        [
            (Opened, SafetyChecked),
            // One save may answer both questions, and a quick call is asked neither.
            (Opened, Triaged),
            (SafetyChecked, Triaged),
            (Triaged, HandedOver),
            (Triaged, Referred),
            (Triaged, CallbackScheduled),
            (Triaged, Closed),
            // One step of the operator, for the quick kinds: `opened` and `triaged` within it.
            (Opened, Closed),
            (Opened, Opened),
        ]
    };

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Save(Option<SafeToTalk>, Option<CallKind>),
        Finish(CallOutcome),
        HandOver,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (
                proptest::option::of(proptest::sample::select(SafeToTalk::ALL)),
                proptest::option::of(proptest::sample::select(CallKind::ALL))
            )
                .prop_map(|(safe, kind)| Step::Save(safe, kind)),
            proptest::sample::select(CallOutcome::ALL).prop_map(Step::Finish),
            Just(Step::HandOver),
        ]
    }

    fn take(state: CallState, step: Step) -> Result<CallState, CallError> {
        match step {
            Step::Save(safe, kind) => saved(state, &content(safe, kind)),
            Step::Finish(outcome) => Ok(state.finished(outcome)?),
            Step::HandOver => Ok(state.hand_over()?),
        }
    }

    proptest! {
        #[test]
        fn no_sequence_of_steps_leaves_the_table(
            first in (proptest::option::of(proptest::sample::select(SafeToTalk::ALL)),
                      proptest::option::of(proptest::sample::select(CallKind::ALL))),
            steps in proptest::collection::vec(step(), 0..20),
        ) {
            let Ok(mut state) = opened(&content(first.0, first.1)) else { return Ok(()) };
            prop_assert!(TABLE.contains(&(CallState::Opened, state)));
            // What the draft rests on, kept beside the machine: a triaged draft was asked, or is of a quick kind.
            let mut last = first;
            for step in steps {
                match take(state, step) {
                    Ok(next) => {
                        prop_assert!(state.is_draft(), "{state} is final");
                        prop_assert!(next == state || TABLE.contains(&(state, next)), "{state} became {next}");
                        prop_assert!(!(state == CallState::Opened && next == CallState::Closed), "no draft closes untriaged");
                        if let Step::Save(safe, kind) = step {
                            last = (safe, kind);
                        }
                        state = next;
                    }
                    Err(CallError::Illegal(IllegalTransition { from, .. })) => prop_assert_eq!(from, state),
                    Err(CallError::TakenBack(field)) => {
                        let Step::Save(safe, kind) = step else { return Err(TestCaseError::fail("only a save takes back")) };
                        let missing = if field == "content.kind" { kind.is_none() } else { safe.is_none() };
                        prop_assert!(missing);
                    }
                    Err(CallError::AskFirst) => {}
                    Err(other) => return Err(TestCaseError::fail(other.to_string())),
                }
                if state == CallState::Triaged {
                    let (safe, kind) = last;
                    prop_assert!(kind.is_some_and(|kind| kind.is_quick() || safe.is_some()));
                }
                prop_assert!(state != CallState::Abandoned);
            }
        }
    }

    #[test]
    fn the_story_of_a_call_takes_every_step() {
        let state = opened(&content(None, None)).unwrap();
        assert_eq!(state, CallState::Opened);
        let state = saved(state, &content(Some(SafeToTalk::Unknown), None)).unwrap();
        assert_eq!(state, CallState::SafetyChecked);
        let state = saved(state, &content(Some(SafeToTalk::Yes), Some(CallKind::Crisis))).unwrap();
        assert_eq!(state, CallState::Triaged);
        let state = saved(state, &content(Some(SafeToTalk::Yes), Some(CallKind::Report))).unwrap();
        assert_eq!(state, CallState::Triaged);
        for (outcome, end) in [
            (CallOutcome::Referred, CallState::Referred),
            (CallOutcome::CallbackScheduled, CallState::CallbackScheduled),
            (CallOutcome::Closed, CallState::Closed),
        ] {
            assert_eq!(state.finished(outcome), Ok(end));
        }
        assert_eq!(state.hand_over(), Ok(CallState::HandedOver));
    }

    #[test]
    fn safety_is_asked_before_the_kind_but_for_quick_calls() {
        for kind in CallKind::ALL.iter().copied() {
            let found = saved(CallState::Opened, &content(None, Some(kind)));
            let wanted = if kind.is_quick() { Ok(CallState::Triaged) } else { Err(CallError::AskFirst) };
            assert_eq!(found, wanted, "{kind}");
        }
        let quick = CallKind::ALL.iter().filter(|kind| kind.is_quick()).map(|kind| kind.as_str()).collect::<Vec<_>>();
        assert_eq!(quick, ["silent", "abusive", "not_trafficking"]);
    }

    #[test]
    fn a_save_takes_nothing_back() {
        let checked = saved(CallState::SafetyChecked, &content(None, None));
        assert_eq!(checked, Err(CallError::TakenBack("content.safe_to_talk")));
        let quick = saved(CallState::SafetyChecked, &content(None, Some(CallKind::Silent)));
        assert_eq!(quick, Err(CallError::TakenBack("content.safe_to_talk")));
        let triaged = saved(CallState::Triaged, &content(Some(SafeToTalk::Yes), None));
        assert_eq!(triaged, Err(CallError::TakenBack("content.kind")));
    }

    #[test]
    fn an_untriaged_or_finished_call_does_not_finish() {
        for from in CallState::ALL.iter().copied().filter(|state| *state != CallState::Triaged) {
            let refused = from.finished(CallOutcome::Closed);
            assert_eq!(refused, Err(IllegalTransition { from, to: CallState::Closed }));
            assert!(refused.unwrap_err().to_string().contains(from.as_str()), "the state is named");
            assert_eq!(from.hand_over(), Err(IllegalTransition { from, to: CallState::HandedOver }));
        }
        for from in CallState::ALL.iter().copied().filter(|state| !state.is_draft()) {
            let refused = saved(from, &content(Some(SafeToTalk::Yes), Some(CallKind::Crisis)));
            assert!(matches!(refused, Err(CallError::Illegal(step)) if step.from == from), "{from}");
        }
    }

    #[test]
    fn a_quick_call_is_one_step_and_keeps_kind_and_language_only() {
        let mut quick = content(None, Some(CallKind::Abusive));
        quick.language = Some("az".into());
        assert_eq!(opened(&quick), Ok(CallState::Closed));
        quick.said = Some("a word".into());
        quick.safe_to_talk = Some(SafeToTalk::No);
        assert_eq!(opened(&quick), Err(CallError::TooMuch(vec!["content.safe_to_talk", "content.said"])));
    }
}
