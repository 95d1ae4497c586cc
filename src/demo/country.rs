//! A fictional country, founded by the real commands over HTTP: nothing is written into the database behind the service.

use super::actor::{Actor, ActorError, Reply};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// One person to be: handle, role, and functions at the founding.
#[derive(Clone, Copy)]
pub struct Person {
    pub handle: &'static str,
    pub role: &'static str,
    pub responsible: bool,
    pub custodian: bool,
}

const fn founder(handle: &'static str, role: &'static str, responsible: bool) -> Person {
    Person { handle, role, responsible, custodian: true }
}

const fn member(handle: &'static str, role: &'static str) -> Person {
    Person { handle, role, responsible: false, custodian: false }
}

/// The organisations and their people. Each has two responsible persons and three custodians.
pub const ORGANISATIONS: &[(&str, &str, &[Person])] = &[
    (
        "auditor_office",
        "Office of Observation and Assessment",
        &[
            founder("auditor1", "auditor", true),
            founder("auditor2", "auditor", true),
            founder("auditor3", "auditor", false),
        ],
    ),
    (
        "helpline",
        "Helpline 152",
        &[
            founder("hsupervisor1", "helpline_supervisor", true),
            founder("hsupervisor2", "helpline_supervisor", true),
            founder("operator1", "helpline_operator", false),
            member("operator2", "helpline_operator"),
        ],
    ),
    (
        "squad",
        "Special Police Anti-Trafficking Squad",
        &[
            founder("ssupervisor1", "squad_supervisor", true),
            founder("ssupervisor2", "squad_supervisor", true),
            founder("duty1", "duty_officer", false),
            member("duty2", "duty_officer"),
            member("officer1", "squad_officer"),
            member("officer2", "squad_officer"),
        ],
    ),
    (
        "accommodation",
        "House of the Willow",
        &[
            founder("manager1", "shelter_manager", true),
            founder("worker1", "shelter_worker", true),
            founder("worker2", "shelter_worker", false),
        ],
    ),
    (
        "assistance",
        "Migration Service, Desk of Assistance",
        &[
            founder("liaison1", "liaison_officer", true),
            founder("liaison2", "liaison_officer", true),
            founder("liaison3", "liaison_officer", false),
        ],
    ),
    (
        "coordinator_office",
        "Office of the National Coordinator",
        &[
            founder("coordinator1", "coordinator", true),
            founder("statistician1", "statistician", true),
            founder("statistician2", "statistician", false),
        ],
    ),
];

/// Handles of the administrators, in the order of [`crate::setup::Plan`].
pub const ADMINISTRATORS: [&str; 3] = ["admin1", "admin2", "admin3"];

/// Everybody, signed in.
pub struct Country {
    pub base: String,
    people: BTreeMap<String, (Actor, &'static str)>,
    pub organisations: BTreeMap<String, Uuid>,
    pins: PathBuf,
}

impl Country {
    /// Founds the country on a service that has just been initialised.
    ///
    /// # Errors
    /// [`ActorError`] with the person and the step.
    pub async fn found(
        base: &str,
        pins: &Path,
        organisation: Uuid,
        codes: &[(String, Uuid, String)],
    ) -> Result<Self, ActorError> {
        let mut country = Self {
            base: base.to_owned(),
            people: BTreeMap::new(),
            organisations: BTreeMap::new(),
            pins: pins.to_owned(),
        };
        let people: Vec<Person> = codes
            .iter()
            .zip(ADMINISTRATORS)
            .enumerate()
            .map(|(i, (_, handle))| founder(handle, "administrator", i < 2))
            .collect();
        let codes: Vec<(Uuid, String)> = codes.iter().map(|(_, id, code)| (*id, code.clone())).collect();
        country.establish("technical_administrator", organisation, &people, &codes).await?;
        for (kind, name, people) in ORGANISATIONS {
            country.organisation(kind, name, people).await?;
        }
        Ok(country)
    }

    /// A country that was founded before: its people know their passphrases and are not signed in.
    #[must_use]
    pub fn known(
        base: &str,
        pins: &Path,
        people: impl IntoIterator<Item = (Actor, &'static str)>,
        organisations: BTreeMap<String, Uuid>,
    ) -> Self {
        let people = people.into_iter().map(|(actor, role)| (actor.handle.clone(), (actor, role))).collect();
        Self { base: base.to_owned(), people, organisations, pins: pins.to_owned() }
    }

    /// Signs in everybody who is not.
    ///
    /// # Errors
    /// [`ActorError`] with the person.
    pub async fn everybody_signs_in(&self) -> Result<(), ActorError> {
        let people: Vec<&Actor> = self.people.values().map(|(actor, _)| actor).collect();
        // As many at once as the service stretches: more would only wait, and on a busy machine for too long.
        for two in people.chunks(2) {
            futures_util::future::try_join_all(two.iter().map(|actor| actor.ready())).await?;
        }
        Ok(())
    }

    /// Somebody, by handle.
    ///
    /// # Errors
    /// [`ActorError::Other`] if there is nobody of that name.
    pub fn person(&self, handle: &str) -> Result<&Actor, ActorError> {
        self.people
            .get(handle)
            .map(|(actor, _)| actor)
            .ok_or_else(|| ActorError::Other(format!("nobody is called {handle}")))
    }

    /// Somebody, by handle and role.
    ///
    /// # Errors
    /// [`ActorError::Other`] if nobody of that role has that name.
    pub fn person_of(&self, handle: &str, role: &str) -> Result<&Actor, ActorError> {
        match self.people.get(handle) {
            Some((actor, own)) if *own == role => Ok(actor),
            _ => Err(ActorError::Other(format!("no {role} is called {handle}"))),
        }
    }

    /// Everybody with role: actor and role's word.
    pub fn everybody(&self) -> impl Iterator<Item = (&Actor, &'static str)> {
        self.people.values().map(|(actor, role)| (actor, *role))
    }

    /// The two responsible persons of the coordinator's office agree to the policy: one proposes it, the other countersigns.
    ///
    /// # Errors
    /// [`ActorError`] with the person and the step.
    pub async fn agree_to_policy(&self) -> Result<Reply, ActorError> {
        let (first, second) = (self.person("coordinator1")?, self.person("statistician1")?);
        let shown = |actor: &Actor| json!({ "passphrase": actor.passphrase });
        let proposed = first.post("/api/v1/policies", &json!({ "shown": shown(first) })).await?;
        let proposed = proposed.expect_status(201, &first.handle, "propose the policy")?;
        let path = format!("/api/v1/policies/{}/countersign", proposed.id("id"));
        let body = json!({ "fingerprint": proposed.text_of("fingerprint"), "shown": shown(second) });
        second.post(&path, &body).await?.expect_status(200, &second.handle, "agree to the policy")
    }

    /// Makes another organisation with its people.
    ///
    /// # Errors
    /// [`ActorError`] with the person and the step.
    pub async fn organisation(&mut self, kind: &str, name: &str, people: &[Person]) -> Result<Uuid, ActorError> {
        let admin = self.person("admin1")?.clone();
        let made = admin.post("/api/v1/organisations", &json!({ "kind": kind, "name": name })).await?;
        let id = made.expect_status(201, "admin1", "create an organisation")?.id("id");
        let mut codes = Vec::new();
        for person in people {
            codes.push(self.account(&admin, id, *person).await?);
        }
        self.establish(kind, id, people, &codes).await?;
        Ok(id)
    }

    async fn account(&self, admin: &Actor, organisation: Uuid, person: Person) -> Result<(Uuid, String), ActorError> {
        let body = json!({
            "organisation": organisation, "handle": person.handle,
            "responsible": person.responsible, "custodian": person.custodian
        });
        let made = admin.post("/api/v1/accounts", &body).await?.expect_status(201, "admin1", "create an account")?;
        Ok((made.id("id"), made.text_of("enrolment_code").to_owned()))
    }

    /// People enrol, found the organisation, pin it, and admit the others.
    async fn establish(
        &mut self,
        kind: &str,
        id: Uuid,
        people: &[Person],
        codes: &[(Uuid, String)],
    ) -> Result<(), ActorError> {
        let mut tasks = Vec::new();
        for (person, (_, code)) in people.iter().zip(codes) {
            let (base, handle, code) = (self.base.clone(), person.handle, code.clone());
            tasks.push(tokio::spawn(async move {
                let actor = Actor::enrol(&base, handle, &code).await?;
                actor.sign_in().await?;
                Ok::<_, ActorError>(actor)
            }));
        }
        let mut actors = Vec::new();
        for task in tasks {
            actors.push(task.await.map_err(|_| ActorError::Other("an enrolment broke off".to_owned()))??);
        }
        let with: Vec<(&Person, &Actor)> = people.iter().zip(&actors).collect();
        let responsible: Vec<&Actor> = with.iter().filter(|(p, _)| p.responsible).map(|(_, a)| *a).collect();
        let (Some(first), Some(second)) = (responsible.first(), responsible.get(1)) else {
            return Err(ActorError::Other("an organisation has two responsible persons".to_owned()));
        };
        let founders: Vec<Value> = with
            .iter()
            .filter(|(person, _)| person.responsible || person.custodian)
            .map(|(person, actor)| {
                json!({ "account": actor.account, "role": person.role, "key_fingerprint": actor.key_fingerprint })
            })
            .collect();
        let path = format!("/api/v1/organisations/{id}/founding");
        let proposed = first.post(&path, &json!({ "founders": founders })).await?;
        let fingerprint =
            proposed.expect_status(201, &first.handle, "propose a founding")?.text_of("fingerprint").to_owned();
        let body = json!({ "fingerprint": fingerprint });
        let signed = second.post(&format!("{path}/countersign"), &body).await?;
        signed.expect_status(200, &second.handle, "countersign a founding")?;
        self.pin(&fingerprint, kind)?;
        for (person, actor) in with.iter().filter(|(person, _)| !person.responsible && !person.custodian) {
            admit(id, first, second, person, actor).await?;
        }
        for (person, actor) in with {
            // Shared keys are made and wrapped at a sign-in by people who have a role.
            actor.sign_in().await?;
            self.people.insert(person.handle.to_owned(), (actor.clone(), person.role));
        }
        self.organisations.insert(kind.to_owned(), id);
        Ok(())
    }

    /// What the operator of the service does by hand: pins the fingerprint that the two people read out.
    fn pin(&self, fingerprint: &str, kind: &str) -> Result<(), ActorError> {
        let open = std::fs::OpenOptions::new().append(true).open(&self.pins);
        open.and_then(|mut file| writeln!(file, "{fingerprint}  # {kind}"))
            .map_err(|error| ActorError::Other(format!("the pins cannot be written: {error}")))
    }
}

/// Two responsible persons admit a member by the keys that the person read out.
///
/// # Errors
/// [`ActorError`] with the person and the step.
pub async fn admit(
    organisation: Uuid,
    first: &Actor,
    second: &Actor,
    person: &Person,
    actor: &Actor,
) -> Result<(), ActorError> {
    let path = format!("/api/v1/organisations/{organisation}/members");
    let body = json!({ "account": actor.account, "role": person.role, "key_fingerprint": actor.key_fingerprint });
    let proposed = first.post(&path, &body).await?.expect_status(201, &first.handle, "propose a member")?;
    let body = json!({ "fingerprint": proposed.text_of("fingerprint") });
    let path = format!("{path}/{}/countersign", proposed.id("id"));
    second.post(&path, &body).await?.expect_status(200, &second.handle, "countersign a member")?;
    Ok(())
}
