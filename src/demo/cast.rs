//! Who is in the story, as types: each does what people of that role do, through the public API, and nothing else.

use super::actor::{Actor, ActorError, Reply};
use super::country::Country;
use reqwest::Method;
use serde_json::{Value, json};
use std::ops::Deref;
use uuid::Uuid;

/// Declares people of one role. Whoever is asked for by another role is not given.
macro_rules! cast {
    ($($(#[$meta:meta])* $name:ident = $role:literal,)+) => {$(
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name(Actor);

        impl $name {
            /// Somebody of this role, by name.
            ///
            /// # Errors
            /// [`ActorError::Other`] if nobody of this role is called so.
            pub fn of(country: &Country, handle: &str) -> Result<Self, ActorError> {
                country.person_of(handle, $role).cloned().map(Self)
            }
        }

        impl Deref for $name {
            type Target = Actor;

            fn deref(&self) -> &Actor {
                &self.0
            }
        }
    )+};
}

cast! {
    /// Answers the helpline.
    Operator = "helpline_operator",
    /// Reviews the calls that were not handed over.
    HelplineSupervisor = "helpline_supervisor",
    /// Takes what comes in at the squad's desk.
    DutyOfficer = "duty_officer",
    /// Works cases.
    SquadOfficer = "squad_officer",
    /// Reads the ledger.
    Auditor = "auditor",
    /// Makes empty organisations and accounts.
    Administrator = "administrator",
}

/// A call that is being written.
pub struct Draft {
    pub id: Uuid,
    etag: String,
}

impl Draft {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/api/v1/calls/{}", self.id)
    }
}

/// What the operator keeps of a notice.
pub struct Slip {
    pub notice: Uuid,
    pub number: i64,
}

impl Slip {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/api/v1/slips/{}", self.notice)
    }
}

impl Operator {
    /// A call that is over at once: silent, abusive, or about something else.
    ///
    /// # Errors
    /// [`ActorError`], as with everything here, if it does not come out so.
    pub async fn logs_in_one_step(&self, kind: &str) -> Result<Uuid, ActorError> {
        let logged = self.post("/api/v1/calls", &json!({ "content": { "kind": kind } })).await?;
        Ok(logged.expect_status(201, &self.handle, "log a call in one step")?.id("id"))
    }

    /// Safe to talk comes first.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn opens_call(&self, safe_to_talk: &str) -> Result<Draft, ActorError> {
        let opened = self.post("/api/v1/calls", &json!({ "content": { "safe_to_talk": safe_to_talk } })).await?;
        let opened = opened.expect_status(201, &self.handle, "open a call")?;
        Ok(Draft { id: opened.id("id"), etag: opened.etag.unwrap_or_default() })
    }

    /// Saves all that is written so far.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn saves(&self, draft: Draft, content: &Value) -> Result<Draft, ActorError> {
        let saved = self.put(&draft.path(), &draft.etag, &json!({ "content": content })).await?;
        let saved = saved.expect_status(200, &self.handle, "save a call")?;
        Ok(Draft { etag: saved.etag.unwrap_or_default(), ..draft })
    }

    /// Hands a call over; from here on it is not the operator's. Without a ground, who it is about stays behind.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn hands_over(&self, draft: &Draft, basis: &str) -> Result<Slip, ActorError> {
        let how = match basis {
            "pseudonymous" => json!({ "basis": basis, "leave_behind": true }),
            _ => json!({ "basis": basis }),
        };
        let handed = self.post(&format!("{}/hand-over", draft.path()), &how).await?;
        let slip = handed.expect_status(201, &self.handle, "hand a call over")?;
        Ok(Slip { notice: slip.id("id"), number: slip.field("number").as_i64().unwrap_or_default() })
    }

    /// Closes a call that is not handed over.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn closes(&self, draft: &Draft, outcome: &str) -> Result<(), ActorError> {
        let closed = self.post(&format!("{}/close", draft.path()), &json!({ "outcome": outcome })).await?;
        closed.expect_status(200, &self.handle, "close a call").map(|_| ())
    }

    /// The slip as it stands.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn reads(&self, slip: &Slip) -> Result<Reply, ActorError> {
        self.get(&slip.path(), "intake").await?.expect_status(200, &self.handle, "read a slip")
    }

    /// Says more about a notice, which the operator cannot read.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn appends(&self, slip: &Slip, text: &str) -> Result<(), ActorError> {
        let added = self.post(&format!("{}/addenda", slip.path()), &json!({ "text": text })).await?;
        added.expect_status(201, &self.handle, "append an addendum").map(|_| ())
    }
}

impl DutyOfficer {
    /// How many notices wait.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn sees_queue(&self) -> Result<usize, ActorError> {
        let queue = self.get("/api/v1/notices", "intake").await?;
        let queue = queue.expect_status(200, &self.handle, "see the queue")?;
        Ok(queue.field("items").as_array().map_or(0, Vec::len))
    }

    /// Says within the 24 hours that the squad has it.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn acknowledges(&self, notice: Uuid) -> Result<(), ActorError> {
        let done = self.post(&format!("/api/v1/notices/{notice}/acknowledge"), &json!({})).await?;
        done.expect_status(200, &self.handle, "acknowledge a notice").map(|_| ())
    }

    /// Gives a notice back to the helpline, with a code.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn returns(&self, notice: Uuid, code: &str) -> Result<(), ActorError> {
        let done = self.post(&format!("/api/v1/notices/{notice}/return"), &json!({ "code": code })).await?;
        done.expect_status(200, &self.handle, "return a notice").map(|_| ())
    }

    /// Takes a notice as a new case, for these officers beside oneself. The case.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn accepts(&self, notice: Uuid, officers: &[&SquadOfficer]) -> Result<Uuid, ActorError> {
        let officers: Vec<Uuid> = officers.iter().map(|officer| officer.account).collect();
        self.accepts_as(notice, &json!({ "officers": officers })).await
    }

    /// Takes a notice into a case that there is already.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn accepts_into(&self, notice: Uuid, case: Uuid) -> Result<(), ActorError> {
        let into = self.accepts_as(notice, &json!({ "case": case })).await?;
        if into == case { Ok(()) } else { Err(ActorError::Other("a notice went into another case".to_owned())) }
    }

    async fn accepts_as(&self, notice: Uuid, how: &Value) -> Result<Uuid, ActorError> {
        let accepted = self.post(&format!("/api/v1/notices/{notice}/accept"), how).await?;
        Ok(accepted.expect_status(201, &self.handle, "accept a notice")?.id("case"))
    }

    /// Confirms that a colleague be taken off a case.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn confirms_removal(&self, case: Uuid, removal: Uuid) -> Result<(), ActorError> {
        let done = self.post(&confirming(case, removal), &json!({})).await?;
        done.expect_status(200, &self.handle, "confirm a removal").map(|_| ())
    }
}

fn confirming(case: Uuid, removal: Uuid) -> String {
    format!("/api/v1/cases/{case}/removals/{removal}/confirm")
}

impl SquadOfficer {
    /// Adds a person; what they came as is sealed with who they are.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn adds_person(&self, case: Uuid, category: &str) -> Result<Uuid, ActorError> {
        let added = self.post(&format!("/api/v1/cases/{case}/persons"), &json!({ "category": category })).await?;
        Ok(added.expect_status(201, &self.handle, "add a person")?.id("id"))
    }

    /// Reads a section and writes it back with these fields; a second write over what was read first is refused.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn writes(&self, section: &str, fields: &[(&str, &str)]) -> Result<(), ActorError> {
        let read = self.get(section, "case_work").await?.expect_status(200, &self.handle, "read a section")?;
        let mut content = read.field("content");
        if let Some(content) = content.as_object_mut() {
            content.extend(fields.iter().map(|(field, text)| ((*field).to_owned(), json!(text))));
        }
        let etag = read.etag.unwrap_or_default();
        self.put(section, &etag, &content).await?.expect_status(200, &self.handle, "write a section")?;
        let lost = self.put(section, &etag, &content).await?;
        lost.expect_status(412, &self.handle, "be told of a lost update").map(|_| ())
    }

    /// Writes a note on a case.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn notes(&self, case: Uuid, text: &str) -> Result<(), ActorError> {
        let noted = self.post(&format!("/api/v1/cases/{case}/notes"), &json!({ "text": text })).await?;
        noted.expect_status(201, &self.handle, "write a note").map(|_| ())
    }

    /// Puts a colleague on a case.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn gives_access(&self, case: Uuid, colleague: &Self, reason: &str) -> Result<(), ActorError> {
        let given = json!({ "account": colleague.account, "relation": "assigned", "reason": reason });
        let given = self.post(&format!("/api/v1/cases/{case}/access"), &given).await?;
        given.expect_status(201, &self.handle, "give access").map(|_| ())
    }

    /// Proposes that a colleague be taken off a case, and learns that it takes another to confirm it.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn proposes_removal(&self, case: Uuid, colleague: &Self) -> Result<Uuid, ActorError> {
        let body = json!({ "account": colleague.account });
        let proposed = self.post(&format!("/api/v1/cases/{case}/removals"), &body).await?;
        let removal = proposed.expect_status(201, &self.handle, "propose to take access away")?.id("id");
        let alone = self.post(&confirming(case, removal), &json!({})).await?;
        alone.expect_status(409, &self.handle, "be told that it takes two")?;
        Ok(removal)
    }

    /// Takes a case from one state to another.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn changes_state(&self, case: Uuid, state: &str) -> Result<(), ActorError> {
        let path = format!("/api/v1/cases/{case}");
        let read = self.get(&path, "case_work").await?.expect_status(200, &self.handle, "look at a case")?;
        let request = self.request(Method::PATCH, &path).await.json(&json!({ "state": state }));
        let changed = self.send(request.header("if-match", read.etag.unwrap_or_default())).await?;
        changed.expect_status(200, &self.handle, "change a case's state").map(|_| ())
    }
}

impl HelplineSupervisor {
    /// Reads a call that was closed.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn reviews(&self, draft: &Draft) -> Result<Reply, ActorError> {
        self.get(&draft.path(), "supervision").await?.expect_status(200, &self.handle, "review a call")
    }
}

impl Auditor {
    /// The newest entries of the ledger.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn reads_ledger(&self) -> Result<Reply, ActorError> {
        let page = self.get("/api/v1/ledger/entries", "audit").await?;
        page.expect_status(200, &self.handle, "read the ledger")
    }

    /// The list of who opened a person's record, for her: as JSON, or on paper.
    ///
    /// # Errors
    /// [`ActorError`].
    pub async fn makes_list(&self, case: Uuid, language: &str, accept: &str) -> Result<Reply, ActorError> {
        let asked = json!({ "case": case, "language": language });
        let request = self.request(Method::POST, "/api/v1/ledger/access-lists").await.json(&asked);
        let made = self.send(request.header("purpose", "access_request").header("accept", accept)).await?;
        made.expect_status(200, &self.handle, "make a list of who opened a record")
    }
}
