//! The story that must run: a call at three in the morning becomes a sealed case that nobody else can open.
//!
//! Each step says who could and who could not read what. A step that does not come out as the law wants it is an error.

use super::actor::{Actor, ActorError, Reply};
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
    let operator = stage.who("operator1")?;
    stage.say("1. 03:00. The operator logs a call: safe to talk first, then what is said.");
    let silent = operator.post("/api/v1/calls", &json!({ "content": { "kind": "silent" } })).await?;
    ok(silent, 201, &operator, "close a silent call in one step")?;
    let opened = operator.post("/api/v1/calls", &json!({ "content": { "safe_to_talk": "yes" } })).await?;
    let opened = ok(opened, 201, &operator, "open a call")?;
    let path = format!("/api/v1/calls/{}", opened.id("id"));
    let content = json!({
        "safe_to_talk": "yes", "kind": "crisis", "language": "az", "danger": "immediate",
        "place": "a yellow house behind the bus station", "said": "They took her passport. She cannot leave.",
        "caller_is": "friend",
        "call_back": { "wanted": "yes", "when": "after nine", "how": "ask for the bakery", "number": "+994 00 000 00 00" },
        "person": { "first_name": "Leyla", "second_name": "Fictional", "age_estimate": 19, "citizenship": "AZ" }
    });
    let saved = operator.put(&path, opened.etag.as_deref().unwrap_or_default(), &content_body(&content)).await?;
    ok(saved, 200, &operator, "save the draft")?;
    stage
        .tries(
            &path,
            "the draft",
            "intake",
            &[
                ("operator1", 200),
                ("operator2", 404),
                ("hsupervisor1", 404),
                ("duty1", 404),
                ("officer1", 404),
                ("admin1", 404),
                ("auditor1", 404),
                ("coordinator1", 404),
            ],
        )
        .await?;
    let handed = operator.post(&format!("{path}/hand-over"), &json!({ "basis": "vital_interest" })).await?;
    let slip = ok(handed, 201, &operator, "hand the call over")?;
    stage.played.notice = slip.id("id");
    stage.say(format!("2. The call is handed over as notice {}. The operator keeps a slip.", slip.field("number")));
    stage.tries(&path, "the draft, now", "intake", &[("operator1", 404), ("hsupervisor1", 404)]).await?;
    let notice = format!("/api/v1/notices/{}", slip.id("id"));
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
    stage.tries(&notice, "the notice", "intake", &everybody).await?;
    stage
        .tries(
            &format!("/api/v1/slips/{}", slip.id("id")),
            "the slip",
            "intake",
            &[("operator1", 200), ("operator2", 404)],
        )
        .await?;
    let addendum = json!({ "text": "She called again: two men, a white van." });
    let added = operator.post(&format!("/api/v1/slips/{}/addenda", slip.id("id")), &addendum).await?;
    ok(added, 201, &operator, "append an addendum")?;
    Ok(())
}

/// A saved call is the whole content.
fn content_body(content: &serde_json::Value) -> serde_json::Value {
    json!({ "content": content })
}

async fn desk(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (duty, officer, operator) = (stage.who("duty1")?, stage.who("officer1")?, stage.who("operator1")?);
    let notice = format!("/api/v1/notices/{}", stage.played.notice);
    let queue = ok(duty.get("/api/v1/notices", "intake").await?, 200, &duty, "see the queue")?;
    let waiting = queue.field("items").as_array().map_or(0, Vec::len);
    stage.say(format!("3. The duty officer sees {waiting} notice in the queue, acknowledges, opens and accepts it."));
    ok(duty.post(&format!("{notice}/acknowledge"), &json!({})).await?, 200, &duty, "acknowledge")?;
    let slip = operator.get(&format!("/api/v1/slips/{}", stage.played.notice), "intake").await?;
    if slip.text_of("state") != "acknowledged" {
        return Err(ActorError::Other("the slip does not show the acknowledgement".to_owned()));
    }
    let accepted = duty.post(&format!("{notice}/accept"), &json!({ "officers": [officer.account] })).await?;
    let accepted = ok(accepted, 201, &duty, "accept")?;
    stage.played.case = accepted.id("case");
    let after = [("duty1", 200), ("officer1", 200), ("duty2", 404), ("officer2", 404), ("operator1", 404)];
    stage.tries(&notice, "the notice, accepted", "case_work", &after).await?;
    Ok(())
}

async fn case(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let officer = stage.who("officer1")?;
    let case = format!("/api/v1/cases/{}", stage.played.case);
    stage.say("4. The assigned officer works the case: a person, sections, a note.");
    let person = officer.post(&format!("{case}/persons"), &json!({ "category": "presumed_victim" })).await?;
    stage.played.person = ok(person, 201, &officer, "add a person")?.id("id");
    let identity = format!("{case}/persons/{}/sections/identity", stage.played.person);
    let read = ok(officer.get(&identity, "case_work").await?, 200, &officer, "read the identity")?;
    let mut content = read.field("content");
    set(&mut content, "first_name", "Leyla");
    set(&mut content, "second_name", "Fictional");
    let etag = read.etag.clone().unwrap_or_default();
    ok(officer.put(&identity, &etag, &content).await?, 200, &officer, "write the identity")?;
    let lost = officer.put(&identity, &etag, &content).await?;
    ok(lost, 412, &officer, "be told of a lost update")?;
    let narrative = format!("{case}/sections/narrative");
    let read = ok(officer.get(&narrative, "case_work").await?, 200, &officer, "read the narrative")?;
    let mut told = read.field("content");
    set(&mut told, "text", "Recruited as a waitress; passport taken on arrival.");
    ok(officer.put(&narrative, read.etag.as_deref().unwrap_or_default(), &told).await?, 200, &officer, "write")?;
    ok(
        officer.post(&format!("{case}/notes"), &json!({ "text": "Met her. She is safe tonight." })).await?,
        201,
        &officer,
        "note",
    )?;
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
    stage.tries(&narrative, "what happened", "case_work", &others).await?;
    Ok(())
}

async fn colleague(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let (officer, colleague) = (stage.who("officer1")?, stage.who("officer2")?);
    let duty = stage.who("duty1")?;
    let case = format!("/api/v1/cases/{}", stage.played.case);
    let narrative = format!("{case}/sections/narrative");
    stage.say("5. A colleague is given access, and loses it again with a new epoch: one officer proposes it, another confirms.");
    let given = json!({ "account": colleague.account, "relation": "assigned", "reason": "shift_change" });
    ok(officer.post(&format!("{case}/access"), &given).await?, 201, &officer, "give access")?;
    stage.tries(&narrative, "what happened", "case_work", &[("officer1", 200), ("officer2", 200)]).await?;
    let removal = json!({ "account": colleague.account });
    let proposed = officer.post(&format!("{case}/removals"), &removal).await?;
    let removal = ok(proposed, 201, &officer, "propose to take access away")?.id("id");
    let confirm = format!("{case}/removals/{removal}/confirm");
    ok(officer.post(&confirm, &json!({})).await?, 409, &officer, "be told that it takes two")?;
    ok(duty.post(&confirm, &json!({})).await?, 200, &duty, "confirm it")?;
    stage.tries(&narrative, "what happened, after", "case_work", &[("officer1", 200), ("officer2", 404)]).await?;
    Ok(())
}

async fn overseers(stage: &mut Stage<'_>) -> Result<(), ActorError> {
    let auditor = stage.who("auditor1")?;
    stage.say("6. The auditor reads the ledger under pseudonyms; nobody else does.");
    let ledger = "/api/v1/ledger/entries";
    stage
        .tries(
            ledger,
            "the ledger",
            "audit",
            &[
                ("auditor1", 200),
                ("auditor2", 200),
                ("admin1", 403),
                ("coordinator1", 403),
                ("officer1", 403),
                ("ssupervisor1", 403),
            ],
        )
        .await?;
    let entries = auditor.get(ledger, "audit").await?;
    let text = entries.text.clone();
    let real = stage.who("officer1")?.account.to_string();
    if text.contains(&real) || text.contains("Leyla") {
        return Err(ActorError::Other("the ledger names somebody".to_owned()));
    }
    let shown = entries.field("items").as_array().map_or(0, Vec::len);
    stage.say(format!("    {shown} entries on the first page, each under a pseudonym, none with content"));
    Ok(())
}

/// Sets one field of a section's content.
fn set(content: &mut serde_json::Value, field: &str, text: &str) {
    if let Some(fields) = content.as_object_mut() {
        fields.insert(field.to_owned(), json!(text));
    }
}
