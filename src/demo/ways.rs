//! The other ways that a call and a notice can go, and how people come to be here at all.

use super::actor::ActorError;
use super::cast::{Administrator, DutyOfficer, HelplineSupervisor, Operator, SquadOfficer};
use super::country::Country;
use super::story::{Played, Stage};
use serde_json::json;

/// Plays on after [`super::stay::play`].
///
/// # Errors
/// [`ActorError`] at the first step that does not come out as it must.
pub async fn play(country: &Country, played: Played) -> Result<Played, ActorError> {
    let mut stage = Stage { country, played };
    closed(&mut stage).await?;
    returned(&mut stage).await?;
    into_the_case(&mut stage).await?;
    people_and_state(&mut stage).await?;
    founded(&mut stage).await?;
    Ok(stage.played)
}

/// Closed without a hand-over: the supervisor's to review, and nobody's else.
async fn closed(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let operator = Operator::of(stage.country, "operator1")?;
    let supervisor = HelplineSupervisor::of(stage.country, "hsupervisor1")?;
    stage.say("14. A call that asks for information is closed: its content goes to the supervisor, for review.");
    let draft = operator.opens_call("yes").await?;
    let content =
        json!({ "safe_to_talk": "yes", "kind": "information", "said": "asked which papers a waitress needs abroad" });
    let draft = operator.saves(draft, &content).await?;
    operator.closes(&draft, "closed").await?;
    let reviewed = supervisor.reviews(&draft).await?;
    if reviewed.field("content").get("said") != content.get("said") {
        return Err(ActorError::Other("the supervisor reads another call".to_owned()));
    }
    stage
        .tries(
            &draft.path(),
            "the closed call",
            "supervision",
            &[("hsupervisor1", 200), ("duty1", 404), ("auditor1", 404)],
        )
        .await?;
    stage.tries(&draft.path(), "the closed call, as intake", "intake", &[("operator1", 404), ("operator2", 404)]).await
}

/// Handed over without a ground that names the person, and returned with a code.
async fn returned(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (operator, duty) = (Operator::of(stage.country, "operator2")?, DutyOfficer::of(stage.country, "duty2")?);
    stage.say("15. Without consent a notice names nobody. The duty officer returns it, with a code and no content.");
    let draft = operator.opens_call("yes").await?;
    let content = json!({
        "safe_to_talk": "yes", "kind": "crisis", "said": "A neighbour hears quarrels.",
        "person": { "first_name": "Somebody" }
    });
    let draft = operator.saves(draft, &content).await?;
    let slip = operator.hands_over(&draft, "pseudonymous").await?;
    let path = format!("/api/v1/notices/{}", slip.notice);
    let read = duty.get(&path, "intake").await?.expect_status(200, &duty.handle, "read a notice")?;
    if read.text.contains("Somebody") {
        return Err(ActorError::Other("a pseudonymous notice names the person".to_owned()));
    }
    duty.acknowledges(slip.notice).await?;
    duty.returns(slip.notice, "too_little_to_act_on").await?;
    let said = operator.reads(&slip).await?;
    if said.text_of("return_code") != "too_little_to_act_on" {
        return Err(ActorError::Other("the slip does not show the return".to_owned()));
    }
    stage.say("    the slip says: too_little_to_act_on");
    stage.tries(&path, "the returned notice", "intake", &[("duty2", 404), ("operator2", 404), ("officer1", 404)]).await
}

/// A second call about the same person.
async fn into_the_case(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (operator, duty) = (Operator::of(stage.country, "operator2")?, DutyOfficer::of(stage.country, "duty1")?);
    stage.say("16. Another call about her: the duty officer who is on the case takes the notice into it.");
    let draft = operator.opens_call("no").await?;
    let content =
        json!({ "safe_to_talk": "no", "kind": "crisis", "danger": "immediate", "said": "They look for her." });
    let draft = operator.saves(draft, &content).await?;
    let slip = operator.hands_over(&draft, "vital_interest").await?;
    duty.acknowledges(slip.notice).await?;
    duty.accepts_into(slip.notice, stage.played.case).await?;
    let readers = [("duty1", 200), ("officer1", 200), ("duty2", 404), ("officer2", 404), ("operator2", 404)];
    stage.tries(&format!("/api/v1/notices/{}", slip.notice), "the second notice", "case_work", &readers).await
}

/// Everybody on a case is somebody to it; and a case has an end.
async fn people_and_state(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (officer, case) = (SquadOfficer::of(stage.country, "officer1")?, stage.played.case);
    stage.say("17. A witness, a sister and the victim of another come onto the case, each under seal; then it is followed up and closed.");
    for category in ["witness", "family_member", "victim"] {
        let person = officer.adds_person(case, category).await?;
        let identity = format!("/api/v1/cases/{case}/persons/{person}/sections/identity");
        let readers = [("officer1", 200), ("officer2", 404), ("worker1", 404)];
        stage.tries(&identity, &format!("who the {category} is"), "case_work", &readers).await?;
    }
    for state in ["follow_up", "closed", "open"] {
        officer.changes_state(case, state).await?;
    }
    stage.say("    followed up, closed, and taken up again");
    Ok(())
}

/// Nobody comes here by one person's hand.
async fn founded(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let admin = Administrator::of(stage.country, "admin1")?;
    stage.say(
        "18. How they all came here: the administrator makes empty organisations and accounts, and admits nobody.",
    );
    let squad = stage.country.organisations.get("squad").copied().unwrap_or_default();
    let made = admin.post("/api/v1/accounts", &json!({ "organisation": squad, "handle": "ghost1" })).await?;
    let ghost = made.expect_status(201, &admin.handle, "make an empty account")?.id("id");
    let body = json!({ "account": ghost, "role": "squad_officer", "key_fingerprint": "none" });
    for handle in ["admin1", "officer1", "auditor1"] {
        let tried = stage.who(handle)?.post(&format!("/api/v1/organisations/{squad}/members"), &body).await?;
        tried.expect_status(404, handle, "be kept from admitting anybody")?;
    }
    stage.say("    an account that nobody was admitted to opens nothing; the two responsible persons of the squad would have to sign");
    Ok(())
}
