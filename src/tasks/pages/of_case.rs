//! A task of a case: read, done, handed on, and made for a colleague on the case.

use crate::cases::model::CaseDetail;
use crate::guard::action::{Purpose, Verb};
use crate::guard::record::{AccountId, RecordKind};
use crate::platform::http::Listed;
use crate::platform::page::{At, Choice, Fields, Layout, Pages, Question, Refused, Text, Visitor, go, page};
use crate::staff::model::ColleagueView;
use crate::tasks::model::{TaskDetail, TaskKind, TaskStands, TaskView};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/tasks/{id}", read)
        .post("/tasks/{id}/done", done)
        .post("/tasks/{id}/hand-on", hand_on)
        .get("/cases/{id}/tasks", asked)
        .post("/cases/{id}/tasks", make)
}

#[derive(Template)]
#[template(path = "tasks/pages/task.html")]
struct TaskPage {
    page: Layout,
    task: TaskView,
    text: String,
    colleagues: Question,
    words: String,
}

async fn colleagues(visitor: &Visitor) -> Result<Vec<ColleagueView>, Refused> {
    Ok(visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items)
}

fn choice(person: ColleagueView, chosen: &str) -> Choice {
    let value = person.account.to_string();
    Choice { chosen: value == chosen, value, label: person.handle }
}

async fn shown(visitor: &Visitor, id: Uuid, refused: Option<&Refused>) -> Result<Response, Refused> {
    let layout = visitor.layout("task-help").await?.back_to(format!("/tasks/{id}"));
    let asked = visitor.get(format!("/api/v1/tasks/{id}")).purpose(Purpose::CaseWork);
    let TaskDetail { task, text, .. } = asked.send().await?.body;
    let works = |person: &ColleagueView| {
        visitor.ever_does(person.role, RecordKind::Case, Verb::Write) && person.account != task.assignee
    };
    let people = colleagues(visitor).await?.into_iter().filter(works).map(|person| choice(person, "")).collect();
    let wrong = refused.is_some_and(|refused| refused.fields().any(|name| name == "assignee"));
    let shown = TaskPage {
        text: text.unwrap_or_default(),
        colleagues: Question::of_choices("assignee", layout.say("back-to"), people)
            .folded()
            .error(wrong.then(|| layout.say("task-assignee-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        task,
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &shown))
}

async fn read(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    shown(&visitor, id, None).await
}

/// What was refused is told on the task's own page.
async fn then(visitor: &Visitor, id: Uuid, done: Result<TaskStands, Refused>) -> Result<Response, Refused> {
    match done {
        Ok(_) => Ok(go("/cases")),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => shown(visitor, id, Some(&refused)).await,
    }
}

async fn done(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    let done = visitor.post(format!("/api/v1/tasks/{id}/done")).send().await.map(|given| given.body);
    then(&visitor, id, done).await
}

async fn hand_on(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    let to = json!({ "assignee": fields.text("assignee") });
    let done = visitor.post(format!("/api/v1/tasks/{id}/hand-on")).json(&to)?.send().await.map(|given| given.body);
    then(&visitor, id, done).await
}

#[derive(Template)]
#[template(path = "tasks/pages/new.html")]
struct NewPage {
    page: Layout,
    id: Uuid,
    key: String,
    kind: Question,
    text: Text,
    due_at: Text,
    assignee: Question,
    words: String,
}

async fn new(visitor: &Visitor, id: Uuid, fields: &Fields, refused: Option<&Refused>) -> Result<Response, Refused> {
    let layout = visitor.layout("task-new-help").await?.with_form("task");
    let case = visitor.get(format!("/api/v1/cases/{id}")).purpose(Purpose::CaseWork).send::<CaseDetail>().await?.body;
    let names: HashMap<AccountId, ColleagueView> =
        colleagues(visitor).await?.into_iter().map(|who| (who.account, who)).collect();
    let chosen = fields.get("assignee").map(str::to_owned).or_else(|| Some(layout.account?.to_string()));
    let chosen = chosen.unwrap_or_default();
    let mut names = names;
    let assignees =
        case.access.iter().filter_map(|access| names.remove(&access.account)).map(|who| choice(who, &chosen));
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let kinds = TaskKind::ALL.iter().filter(|kind| **kind != TaskKind::CallBack).map(|kind| kind.as_str());
    let new = NewPage {
        id,
        key: layout.key_after(fields, refused),
        kind: Question::of_words(&layout, ("kind", "task-kind", "task"), kinds, None, &fields.text("kind"))
            .error(wrong("kind").then(|| layout.say("task-kind-rule"))),
        text: Text::line("text", layout.say("task-text"))
            .rows(4)
            .value(&fields.text("text"))
            .error(wrong("text").then(|| layout.say("task-text-rule"))),
        due_at: Text::line("due_at", layout.say("task-due"))
            .kind("datetime-local")
            .value(&fields.text("due_at"))
            .error(wrong("due_at").then(|| layout.say("task-due-rule"))),
        assignee: Question::of_choices("assignee", layout.say("task-who"), assignees.collect())
            .folded()
            .error(wrong("assignee").then(|| layout.say("task-assignee-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &new))
}

async fn asked(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    new(&visitor, id, &Fields::default(), None).await
}

async fn make(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return new(&visitor, id, &fields, None).await;
    }
    let body = json!({
        "kind": fields.text("kind"),
        "text": fields.text("text"),
        "assignee": fields.text("assignee"),
        "due_at": visitor.moment_typed(&fields.text("due_at")),
    });
    let asked = visitor.post(format!("/api/v1/cases/{id}/tasks")).key(&fields.text("key")).json(&body)?;
    match asked.send::<TaskStands>().await {
        Ok(_) => Ok(go(&format!("/cases/{id}"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => new(&visitor, id, &fields, Some(&refused)).await,
    }
}
