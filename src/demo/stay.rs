//! The story goes on: a place is found, the person stays there, is cared for, and leaves by her own act.

use super::actor::ActorError;
use super::cast::Auditor;
use super::country::Country;
use super::story::{Played, Stage, ok};
use crate::platform::clock::Clock;
use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

/// The seven conditions of secure accommodation.
pub const CONDITIONS: [&str; 7] = [
    "secured_building",
    "telephone",
    "medical_care",
    "legal_help",
    "translator",
    "place_for_conversation",
    "confidentiality",
];

/// Plays on after [`super::story::play`].
///
/// # Errors
/// [`ActorError`] at the first step that does not come out as it must.
pub async fn play(country: &Country, played: Played) -> Result<Played, ActorError> {
    let mut stage = Stage { country, played };
    stage.say("7. The shelter opens its house: places, the seven conditions, trained people, an address under seal.");
    stage.played.house = open_house(country).await?;
    request(&mut stage).await?;
    arrive(&mut stage).await?;
    care(&mut stage).await?;
    leave(&mut stage).await?;
    counters(&mut stage).await?;
    her_list(&mut stage).await?;
    Ok(stage.played)
}

/// Opens a house with everything that a placement needs. Its id.
///
/// # Errors
/// [`ActorError`] with the step.
pub async fn open_house(country: &Country) -> Result<Uuid, ActorError> {
    let (manager, worker) = (country.person("manager1")?, country.person("worker1")?);
    let now = Clock::default().now();
    let (passed, until) = (now - TimeDelta::days(30), now + TimeDelta::days(300));
    let training = |account: Uuid| json!({ "account": account, "course": "care_for_victims", "passed_at": passed, "expires_at": until });
    for (by, of) in [("manager1", "worker1"), ("manager1", "worker2"), ("worker1", "manager1")] {
        let entered = country.person(by)?.post("/api/v1/trainings", &training(country.person(of)?.account)).await?;
        entered.expect_status(201, by, "enter a training")?;
    }
    let house = json!({ "kind": "shelter", "capacity": { "women": 2, "families": 1 } });
    let house = ok(manager.post("/api/v1/accommodations", &house).await?, 201, manager, "open a house")?.id("id");
    let path = format!("/api/v1/accommodations/{house}");
    let certificate = json!({ "conditions": CONDITIONS, "expires_at": until });
    ok(manager.post(&format!("{path}/certificates"), &certificate).await?, 201, manager, "certify")?;
    let address = json!({ "address": "17 Plane Tree Lane, behind the old mill", "telephone": "+994 00 000 00 01" });
    ok(manager.put(&format!("{path}/address"), "\"0\"", &address).await?, 200, manager, "write the address")?;
    // Whoever of the shelter looks at the desk opens its intake.
    ok(worker.get("/api/v1/placements", "care").await?, 200, worker, "look at the desk")?;
    Ok(house)
}

/// What an officer asks a house for, for the person of the story.
#[must_use]
pub fn asked(played: &Played) -> Value {
    json!({
        "person": played.person, "accommodation": played.house, "places": "women", "basis": "consent",
        "needs": { "called": "Leyla", "age": "18-20", "languages": ["az"], "health": "A cough for a week.",
                   "safety": "Nobody says her name on the telephone." }
    })
}

/// A consent as it is recorded.
#[must_use]
pub fn said(recipient: Uuid, purpose: &str, section: &str, said: &str) -> Value {
    json!({ "purpose": purpose, "recipient": recipient, "section": section, "said": said, "source": "person",
            "explained": "Who will read it, what for, and that you can take it back at any time.", "language": "az" })
}

async fn request(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (officer, manager, worker) = (stage.who("officer1")?, stage.who("manager1")?, stage.who("worker1")?);
    let case = format!("/api/v1/cases/{}", stage.played.case);
    let shelter = stage.country.organisations.get("accommodation").copied().unwrap_or_default();
    stage.say("8. The officer asks for a place: with her consent, and with nothing of what happened to her.");
    let wanted = asked(&stage.played);
    let early = officer.post(&format!("{case}/placements"), &wanted).await?;
    ok(early, 409, &officer, "be refused without her consent")?;
    let consents = format!("{case}/persons/{}/consents", stage.played.person);
    let yes = said(shelter, "care", "placement", "given");
    ok(officer.post(&consents, &yes).await?, 201, &officer, "record her consent")?;
    let made = officer.post(&format!("{case}/placements"), &wanted).await?;
    stage.played.placement = ok(made, 201, &officer, "ask for a place")?.id("id");
    let placement = format!("/api/v1/placements/{}", stage.played.placement);
    let desk = [("manager1", 200), ("worker1", 200), ("worker2", 200), ("officer2", 404), ("coordinator1", 404)];
    stage.tries(&placement, "the request, at the shelter's desk", "care", &desk).await?;
    ok(worker.post(&format!("{placement}/acknowledge"), &json!({})).await?, 200, &worker, "acknowledge")?;
    let named = json!({ "workers": [worker.account] });
    ok(manager.post(&format!("{placement}/accept"), &named).await?, 200, &manager, "accept")?;
    stage.say("   The manager accepts it for one worker; from here on the desk does not open it.");
    let after = [("manager1", 200), ("worker1", 200), ("worker2", 404)];
    stage.tries(&placement, "the placement", "care", &after).await?;
    let arrival = format!("{placement}/arrival");
    let where_to = [("officer1", 200), ("duty1", 200), ("officer2", 404), ("worker1", 404), ("ssupervisor1", 404)];
    stage.tries(&arrival, "the address", "case_work", &where_to).await
}

async fn arrive(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (officer, worker) = (stage.who("officer1")?, stage.who("worker1")?);
    let placement = format!("/api/v1/placements/{}", stage.played.placement);
    stage.say("9. She agrees, is driven there, and is admitted.");
    let yes = json!({ "source": "person", "explained": "You may leave whenever you want.", "language": "az" });
    ok(officer.post(&format!("{placement}/consent"), &yes).await?, 200, &officer, "record that she agrees")?;
    ok(officer.post(&format!("{placement}/transport"), &json!({})).await?, 200, &officer, "drive her there")?;
    ok(worker.post(&format!("{placement}/admit"), &json!({})).await?, 200, &worker, "admit her")?;
    Ok(())
}

async fn care(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (officer, worker) = (stage.who("officer1")?, stage.who("worker1")?);
    let placement = format!("/api/v1/placements/{}", stage.played.placement);
    let care = format!("{placement}/care");
    let squad = stage.country.organisations.get("squad").copied().unwrap_or_default();
    stage.say("10. Her carer keeps the care record. The officers see it only while she consents.");
    let first = json!({ "psychological": "Sleeps badly.", "plan": "She wants to finish school.",
        "assistance": [{ "service": "medical", "state": "accepted" }, { "service": "legal", "state": "declined" }] });
    ok(worker.put(&care, "\"0\"", &first).await?, 200, &worker, "write the care")?;
    let carers = [("worker1", 200), ("worker2", 404), ("manager1", 404)];
    stage.tries(&care, "the care", "care", &carers).await?;
    stage.tries(&care, "the care, without consent", "case_work", &[("officer1", 404), ("duty1", 404)]).await?;
    let alone = worker.post(&format!("{care}/share"), &json!({})).await?;
    ok(alone, 409, &worker, "be refused to share it without her consent")?;
    let yes = said(squad, "case_work", "care", "given");
    let given = worker.post(&format!("{placement}/consents"), &yes).await?;
    let given = ok(given, 201, &worker, "record her consent")?.id("id");
    ok(worker.post(&format!("{care}/share"), &json!({})).await?, 200, &worker, "share the care")?;
    stage.tries(&care, "the care, with consent", "case_work", &[("officer1", 200), ("officer2", 404)]).await?;
    let back = officer.post(&format!("/api/v1/consents/{given}/withdraw"), &json!({})).await?;
    ok(back, 200, &officer, "write down that she takes it back")?;
    stage.tries(&care, "the care, taken back", "case_work", &[("officer1", 404), ("duty1", 404)]).await
}

async fn leave(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let worker = stage.who("worker1")?;
    let placement = format!("/api/v1/placements/{}", stage.played.placement);
    stage.say("11. She leaves. Nobody has to approve it; the address closes for the officers, and the care goes on.");
    ok(worker.post(&format!("{placement}/exit"), &json!({})).await?, 200, &worker, "write down that she left")?;
    let arrival = format!("{placement}/arrival");
    stage.tries(&arrival, "the address, after", "case_work", &[("officer1", 404), ("duty1", 404)]).await?;
    let care = format!("{placement}/care");
    let read = ok(worker.get(&care, "care").await?, 200, &worker, "read the care after she left")?;
    let on = json!({ "plan": "She starts evening school on Monday; we keep in touch." });
    ok(worker.put(&care, read.etag.as_deref().unwrap_or_default(), &on).await?, 200, &worker, "go on caring")?;
    Ok(())
}

async fn counters(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let coordinator = stage.who("coordinator1")?;
    stage.say("12. The coordinator sees how the country stands: in bands, and no record of any kind.");
    let status = "/api/v1/status";
    let looks = [("coordinator1", 200), ("officer1", 403), ("manager1", 403), ("admin1", 403)];
    stage.tries(status, "how the country stands", "", &looks).await?;
    let Played { notice, case, person, placement, .. } = stage.played;
    for path in [format!("notices/{notice}"), format!("cases/{case}"), format!("placements/{placement}")] {
        stage.tries(&format!("/api/v1/{path}"), "a record", "case_work", &[("coordinator1", 404)]).await?;
    }
    let seen = ok(coordinator.get(status, "").await?, 200, &coordinator, "look at the status")?;
    if [notice, case, person, placement].iter().any(|record| seen.text.contains(&record.to_string())) {
        return Err(ActorError::Other("the status names a record".to_owned()));
    }
    stage.say(format!("    notices: {}", seen.field("notices")));
    stage.say(format!("    places, as they were when the day began: {}", seen.field("places")));
    Ok(())
}

/// She asks who looked at what is known about her.
async fn her_list(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (auditor, case) = (Auditor::of(stage.country, "auditor1")?, stage.played.case);
    stage.say(
        "13. She asks who looked at the information about her. The auditors' office makes the list, in her language.",
    );
    let list = auditor.makes_list(case, "az", "application/json").await?;
    let lines = list.field("items").as_array().map_or(0, Vec::len);
    let real = stage.who("officer1")?;
    if lines == 0 || list.text.contains(&real.account.to_string()) || list.text.contains(&real.handle) {
        return Err(ActorError::Other("the list is empty, or names somebody".to_owned()));
    }
    let paper = auditor.makes_list(case, "az", "application/pdf").await?;
    if !paper.text.starts_with("%PDF") {
        return Err(ActorError::Other("the list is no paper".to_owned()));
    }
    stage.say(format!(
        "    {lines} lines by day, organisation, role and purpose, and no name; the same on paper, as PDF"
    ));
    Ok(())
}
