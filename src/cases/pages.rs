//! The officer's pages: one's cases with what is due, and a case as one page: its sections and who reads each, its persons, its tasks, who is on
//! it. A section opens by itself (`section`), and so do the notes (`notes`) and putting a colleague on the case (`people`): what nobody opens
//! is not read.

mod fields;
pub(crate) mod form;
pub(crate) mod join;
mod leaving;
mod notes;
mod people;
mod section;

#[cfg(test)]
pub(crate) use people::REASONS;

use super::document::OF_PERSON;
use super::model::{AccessView, CaseDetail, CaseRelation, CaseView, PersonMade, PersonNamed, SectionListed};
use super::states::CaseState;
use super::terms::Category;
use crate::guard::action::{Purpose, Relation, Role, Verb};
use crate::guard::record::{AccountId, CaseId, RecordKind, SubjectId};
use crate::platform::http::Listed;
use crate::platform::page::{At, Entry, Fields, Layout, Pages, Question, Refused, Visitor, go, page};
use crate::staff::model::ColleagueView;
use crate::tasks::model::{DueList, TaskView};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

pub const ENTRY: Entry = Entry {
    path: "/cases",
    name: "cases-title",
    kind: RecordKind::Case,
    verb: Verb::List,
    purpose: Some(Purpose::CaseWork),
};

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/cases", newest)
        .get("/cases/before/{cursor}", before)
        .get("/cases/{id}", read)
        .get("/cases/{id}/names", read_with_names)
        .post("/cases/{id}/state", change_state)
        .post("/cases/{id}/persons", add_person)
        .merge(section::pages())
        .merge(notes::pages())
        .merge(people::pages())
        .merge(leaving::pages())
}

#[derive(Template)]
#[template(path = "cases/pages/cases.html")]
struct CasesPage {
    page: Layout,
    due: Vec<Due>,
    cases: Vec<CaseView>,
    next: Option<String>,
}

/// Something to be done on a case.
struct Due {
    task: TaskView,
    /// The case's number, where the case is on this page.
    number: Option<i64>,
}

async fn list(visitor: &Visitor, after: &str) -> Result<Response, Refused> {
    let layout = visitor.layout("cases-help").await?;
    let asked = visitor.get(format!("/api/v1/cases{after}")).purpose(Purpose::CaseWork);
    let Listed { items, next } = asked.send::<Listed<CaseView>>().await?.body;
    let numbers: HashMap<CaseId, i64> = items.iter().map(|case| (case.id, case.number)).collect();
    let due = due(visitor)
        .await?
        .into_iter()
        .map(|task| Due { number: task.case.and_then(|case| numbers.get(&case).copied()), task });
    Ok(page(StatusCode::OK, &CasesPage { due: due.collect(), cases: items, next, page: layout }))
}

/// What the person has to do on cases.
async fn due(visitor: &Visitor) -> Result<Vec<TaskView>, Refused> {
    let due = visitor.get("/api/v1/tasks?due=any").send::<DueList>().await?.body;
    Ok(due.tasks.into_iter().filter(|task| task.case.is_some()).collect())
}

async fn newest(visitor: Visitor) -> Result<Response, Refused> {
    list(&visitor, "").await
}

async fn before(visitor: Visitor, At(cursor): At<i64>) -> Result<Response, Refused> {
    list(&visitor, &format!("?cursor={cursor}")).await
}

#[derive(Template)]
#[template(path = "cases/pages/case.html")]
struct CasePage {
    page: Layout,
    case: CaseView,
    etag: String,
    sections: Vec<Section>,
    persons: Vec<Person>,
    /// Whether the persons are shown by name: that reads who each of them is.
    named: bool,
    mates: Vec<Mate>,
    tasks: Vec<TaskView>,
    next: Vec<CaseState>,
    /// Who works on it writes; who was let in to read reads.
    works: bool,
    /// The key of the form that adds a person.
    key: String,
    category: Question,
    words: String,
}

/// A section as it stands on its case's page: nothing of what it holds.
struct Section {
    name: String,
    /// Where it opens, for whoever may open it.
    path: Option<String>,
    /// Who else could: names, each with the reason.
    readers: Vec<String>,
    /// Nobody here reads it, and why.
    kept: Option<String>,
}

struct Person {
    label: String,
    /// Where what is theirs alone stands.
    path: String,
    sections: Vec<Section>,
}

/// A colleague on the case.
struct Mate {
    name: String,
    role: Option<Role>,
    why: String,
    access: AccessView,
}

/// How somebody stands to a case, in words.
fn why(layout: &Layout, access: &AccessView) -> String {
    let since = |key: &str, at: DateTime<Utc>| layout.say_with(key, "at", layout.moment(&at));
    match (access.relation, access.until) {
        (CaseRelation::Assigned, None) => since("access-assigned", access.since),
        (CaseRelation::Assigned, Some(until)) => since("access-stands-in", until),
        (CaseRelation::Granted, None) => since("access-granted", access.since),
        (CaseRelation::Granted, Some(until)) => since("access-granted-until", until),
        (CaseRelation::Emergency, until) => since("access-emergency", until.unwrap_or(access.since)),
    }
}

async fn mates(visitor: &Visitor, layout: &Layout, access: Vec<AccessView>) -> Result<Vec<Mate>, Refused> {
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let known: HashMap<AccountId, ColleagueView> = people.into_iter().map(|who| (who.account, who)).collect();
    let mate = |access: AccessView| {
        let who = known.get(&access.account);
        let name = who.map_or_else(|| layout.say("roster-somebody"), |who| who.handle.clone());
        Mate { name, role: who.map(|who| who.role), why: why(layout, &access), access }
    };
    Ok(access.into_iter().map(mate).collect())
}

/// The sections of a case, or of a person on it.
struct Sections<'a> {
    visitor: &'a Visitor,
    layout: &'a Layout,
    mates: &'a [Mate],
}

impl Sections<'_> {
    fn shown(&self, beginning: &str, listed: &[SectionListed]) -> Vec<Section> {
        listed.iter().map(|section| self.one(beginning, section)).collect()
    }

    fn one(&self, beginning: &str, section: &SectionListed) -> Section {
        let kind = section.kind;
        // The shelter's: what officers see of it, they see at the placement, and with the person's consent only.
        let kept = (kind == RecordKind::Care).then(|| self.layout.say("section-care-kept"));
        let readers = self.mates.iter().filter(|mate| kept.is_none() && self.reads(mate, kind));
        Section {
            name: self.layout.word("section", kind.as_str()),
            path: section.id.filter(|_| kept.is_none()).map(|_| format!("{beginning}/sections/{kind}")),
            readers: readers.map(|mate| format!("{} · {}", mate.name, mate.why)).collect(),
            kept,
        }
    }

    fn reads(&self, mate: &Mate, kind: RecordKind) -> bool {
        let relation = mate.access.relation;
        let purpose = if relation == CaseRelation::Emergency { Purpose::Emergency } else { Purpose::CaseWork };
        mate.role.is_some_and(|role| self.visitor.may(role, relation.into(), kind, Verb::Read, Some(purpose)))
    }
}

/// Who a person is, in a line; their place among the persons where nothing of it is written down.
fn label(layout: &Layout, place: i64, who: Option<&PersonNamed>) -> String {
    let nameless = layout.say_with("case-person", "number", place.to_string());
    let Some(who) = who else { return nameless };
    let parts: Vec<&str> = [&who.first_name, &who.second_name].into_iter().flatten().map(String::as_str).collect();
    let name = if parts.is_empty() { nameless } else { parts.join(" ") };
    match who.category {
        Some(category) => format!("{name} · {}", layout.word("category", category.as_str())),
        None => name,
    }
}

async fn case_page(
    visitor: &Visitor,
    (id, named): (Uuid, bool),
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let path = format!("/cases/{id}");
    let layout = visitor.layout("case-help").await?.back_to(&path);
    let given = visitor.get(format!("/api/v1{path}")).purpose(Purpose::CaseWork).send::<CaseDetail>().await?;
    let CaseDetail { case, access, sections, persons } = given.body;
    let mates = mates(visitor, &layout, access).await?;
    let tasks = due(visitor).await?.into_iter().filter(|task| task.case == Some(case.id)).collect();
    let shown = Sections { visitor, layout: &layout, mates: &mates };
    let mut identities: HashMap<SubjectId, PersonNamed> = HashMap::new();
    if named {
        let asked = visitor.get(format!("/api/v1{path}/persons")).purpose(Purpose::CaseWork);
        identities.extend(asked.send::<Listed<PersonNamed>>().await?.body.items.into_iter().map(|who| (who.id, who)));
    }
    let persons = persons.iter().zip(1_i64..).map(|(person, place)| Person {
        label: label(&layout, place, identities.get(&person.id)),
        path: format!("{path}/persons/{}", person.id),
        sections: shown.shown(&format!("{path}/persons/{}", person.id), &person.sections),
    });
    let (persons, sections) = (persons.collect(), shown.shown(&path, &sections));
    let words = Category::ALL.iter().map(|category| category.as_str());
    let case_page = CasePage {
        next: CaseState::ALL.iter().copied().filter(|next| case.state.become_next(*next).is_ok()).collect(),
        works: case.relation == Relation::Assigned,
        etag: given.etag,
        key: layout.new_key(),
        category: Question::of_words(&layout, ("category", "case-person-category", "category"), words, None, ""),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        case,
        sections,
        persons,
        named,
        tasks,
        mates,
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &case_page))
}

async fn read(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    case_page(&visitor, (id, false), None).await
}

async fn read_with_names(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    case_page(&visitor, (id, true), None).await
}

/// What was refused is told on the case's own page, where it stands as it is now.
async fn back_to_case<T>(visitor: &Visitor, id: Uuid, done: Result<T, Refused>) -> Result<Response, Refused> {
    match done {
        Ok(_) => Ok(go(&format!("/cases/{id}"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => case_page(visitor, (id, false), Some(&refused)).await,
    }
}

async fn change_state(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    let asked = visitor.patch(format!("/api/v1/cases/{id}")).etag(&fields.text("etag"));
    let done = asked.json(&json!({ "state": fields.text("state") }))?.send::<CaseView>().await;
    back_to_case(&visitor, id, done).await
}

async fn add_person(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    let asked = visitor.post(format!("/api/v1/cases/{id}/persons")).key(&fields.text("key"));
    let done = asked.json(&json!({ "category": fields.text("category") }))?.send::<PersonMade>().await;
    back_to_case(&visitor, id, done).await
}

/// Whether this is a kind that stands on a case's page.
fn of_person(kind: RecordKind) -> bool {
    OF_PERSON.contains(&kind)
}
