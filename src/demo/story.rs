//! The story that must run: a call at three in the morning becomes a sealed case that nobody else can open.
//!
//! Each step says who could and who could not read what. A step that does not come out as the law wants it is an error. This is the
//! shortest way through; `ways` has the other ways that a call and a notice can go.

use super::actor::{Actor, ActorError, Reply};
use super::cast::{Auditor, DutyOfficer, Operator, Slip, SquadOfficer};
use super::country::Country;
use serde_json::json;
use uuid::Uuid;

/// What was played, line by line, with the ids that came to be.
#[derive(Default)]
pub struct Played {
    pub lines: Vec<String>,
    pub notice: Uuid,
    pub case: Uuid,
    pub person: Uuid,
    /// The house, and the placement there; nil until [`super::stay::play`].
    pub house: Uuid,
    pub placement: Uuid,
}

pub(super) struct Stage<'a> {
    pub(super) country: &'a Country,
    pub(super) played: Played,
}

impl Stage<'_> {
    pub(super) fn say(&mut self, line: impl Into<String>) {
        self.played.lines.push(line.into());
    }

    pub(super) fn who(&self, handle: &str) -> Result<Actor, ActorError> {
        self.country.person(handle).cloned()
    }

    /// These people try to read this, and each gets what is expected.
    pub(super) async fn tries(
        &mut self,
        path: &str,
        what: &str,
        purpose: &str,
        expected: &[(&str, u16)],
    ) -> Result<(), ActorError> {
        for (handle, status) in expected {
            let reply = self.who(handle)?.get(path, purpose).await?;
            reply.expect_status(*status, handle, "get the expected answer")?;
        }
        let could = names(expected, |status| status == 200);
        let could_not = names(expected, |status| status != 200);
        self.say(format!("    {what}: read by {could}; refused to {could_not}"));
        Ok(())
    }
}

fn names(expected: &[(&str, u16)], keep: impl Fn(u16) -> bool) -> String {
    let kept: Vec<String> = expected
        .iter()
        .filter(|(_, status)| keep(*status))
        .map(|(handle, status)| if *status == 200 { (*handle).to_owned() } else { format!("{handle} ({status})") })
        .collect();
    if kept.is_empty() { "nobody".to_owned() } else { kept.join(", ") }
}

/// Plays the whole story.
///
/// # Errors
/// [`ActorError`] at the first step that does not come out as it must.
pub async fn play(country: &Country) -> Result<Played, ActorError> {
    country.everybody_signs_in().await?;
    let mut stage = Stage { country, played: Played::default() };
    call(&mut stage).await?;
    desk(&mut stage).await?;
    case(&mut stage).await?;
    colleague(&mut stage).await?;
    overseers(&mut stage).await?;
    Ok(stage.played)
}

pub(super) fn ok(reply: Reply, status: u16, who: &Actor, what: &'static str) -> Result<Reply, ActorError> {
    reply.expect_status(status, &who.handle, what)
}

async fn call(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let operator = Operator::of(stage.country, "operator1")?;
    stage.say("1. 03:00. The operator logs a call: safe to talk first, then what is said.");
    operator.logs_in_one_step("silent").await?;
    stage.say("    a silent call just before was logged in one step");
    let draft = operator.opens_call("yes").await?;
    let content = json!({
        "safe_to_talk": "yes", "kind": "crisis", "language": "az", "danger": "immediate",
        "place": "a yellow house behind the bus station", "said": "They took her passport. She cannot leave.",
        "caller_is": "friend",
        "call_back": { "wanted": "yes", "when": "after nine", "how": "ask for the bakery", "number": "+994 00 000 00 00" },
        "person": { "first_name": "Leyla", "second_name": "Fictional", "age_estimate": 19, "citizenship": "AZ" }
    });
    let draft = operator.saves(draft, &content).await?;
    let own = [
        ("operator1", 200),
        ("operator2", 404),
        ("hsupervisor1", 404),
        ("duty1", 404),
        ("officer1", 404),
        ("admin1", 404),
        ("auditor1", 404),
        ("coordinator1", 404),
    ];
    stage.tries(&draft.path(), "the draft", "intake", &own).await?;
    let slip = operator.hands_over(&draft, "vital_interest").await?;
    stage.played.notice = slip.notice;
    stage.say(format!("2. The call is handed over as notice {}. The operator keeps a slip.", slip.number));
    stage.tries(&draft.path(), "the draft, now", "intake", &[("operator1", 404), ("hsupervisor1", 404)]).await?;
    let everybody = [
        ("duty1", 200),
        ("duty2", 200),
        ("operator1", 404),
        ("operator2", 404),
        ("hsupervisor1", 404),
        ("officer1", 404),
        ("ssupervisor1", 404),
        ("admin1", 404),
        ("auditor1", 404),
        ("coordinator1", 404),
        ("worker1", 404),
    ];
    stage.tries(&format!("/api/v1/notices/{}", slip.notice), "the notice", "intake", &everybody).await?;
    stage.tries(&slip.path(), "the slip", "intake", &[("operator1", 200), ("operator2", 404)]).await?;
    operator.appends(&slip, "She called again: two men, a white van.").await?;
    stage.say("    the operator adds what was said later, under seal, and cannot read it again either");
    Ok(())
}

async fn desk(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (duty, officer) = (DutyOfficer::of(stage.country, "duty1")?, SquadOfficer::of(stage.country, "officer1")?);
    let operator = Operator::of(stage.country, "operator1")?;
    let slip = Slip { notice: stage.played.notice, number: 0 };
    let waiting = duty.sees_queue().await?;
    stage.say(format!("3. The duty officer sees {waiting} notice in the queue, acknowledges, opens and accepts it."));
    duty.acknowledges(slip.notice).await?;
    if operator.reads(&slip).await?.text_of("state") != "acknowledged" {
        return Err(ActorError::Other("the slip does not show the acknowledgement".to_owned()));
    }
    stage.played.case = duty.accepts(slip.notice, &[&officer]).await?;
    let after = [("duty1", 200), ("officer1", 200), ("duty2", 404), ("officer2", 404), ("operator1", 404)];
    stage.tries(&format!("/api/v1/notices/{}", slip.notice), "the notice, accepted", "case_work", &after).await
}

async fn case(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (officer, case) = (SquadOfficer::of(stage.country, "officer1")?, stage.played.case);
    stage.say("4. The assigned officer works the case: a person, sections, a note.");
    stage.played.person = officer.adds_person(case, "presumed_victim").await?;
    let identity = format!("/api/v1/cases/{case}/persons/{}/sections/identity", stage.played.person);
    officer.writes(&identity, &[("first_name", "Leyla"), ("second_name", "Fictional")]).await?;
    let narrative = format!("/api/v1/cases/{case}/sections/narrative");
    officer.writes(&narrative, &[("text", "Recruited as a waitress; passport taken on arrival.")]).await?;
    officer.notes(case, "Met her. She is safe tonight.").await?;
    let others = [
        ("officer1", 200),
        ("duty1", 200),
        ("officer2", 404),
        ("duty2", 404),
        ("ssupervisor1", 404),
        ("operator1", 404),
        ("worker1", 404),
        ("manager1", 404),
        ("coordinator1", 404),
        ("statistician1", 404),
        ("auditor1", 404),
        ("admin1", 404),
    ];
    stage.tries(&identity, "who she is", "case_work", &others).await?;
    stage.tries(&narrative, "what happened", "case_work", &others).await
}

async fn colleague(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let officer = SquadOfficer::of(stage.country, "officer1")?;
    let (colleague, duty) = (SquadOfficer::of(stage.country, "officer2")?, DutyOfficer::of(stage.country, "duty1")?);
    let case = stage.played.case;
    let narrative = format!("/api/v1/cases/{case}/sections/narrative");
    stage.say("5. A colleague is given access, and loses it again with a new epoch: one officer proposes it, another confirms.");
    officer.gives_access(case, &colleague, "shift_change").await?;
    stage.tries(&narrative, "what happened", "case_work", &[("officer1", 200), ("officer2", 200)]).await?;
    let removal = officer.proposes_removal(case, &colleague).await?;
    duty.confirms_removal(case, removal).await?;
    stage.tries(&narrative, "what happened, after", "case_work", &[("officer1", 200), ("officer2", 404)]).await
}

async fn overseers(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let auditor = Auditor::of(stage.country, "auditor1")?;
    stage.say("6. The auditor reads the ledger under pseudonyms; nobody else does.");
    let expected = [
        ("auditor1", 200),
        ("auditor2", 200),
        ("admin1", 403),
        ("coordinator1", 403),
        ("officer1", 403),
        ("ssupervisor1", 403),
    ];
    stage.tries("/api/v1/ledger/entries", "the ledger", "audit", &expected).await?;
    let entries = auditor.reads_ledger().await?;
    let real = stage.who("officer1")?.account.to_string();
    if entries.text.contains(&real) || entries.text.contains("Leyla") {
        return Err(ActorError::Other("the ledger names somebody".to_owned()));
    }
    let shown = entries.field("items").as_array().map_or(0, Vec::len);
    stage.say(format!("    {shown} entries on the first page, each under a pseudonym, none with content"));
    Ok(())
}
