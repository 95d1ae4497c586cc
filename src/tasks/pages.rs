//! Call-backs: what is due, how it is safe to call, and that it was done or handed on.

mod of_case;

use super::model::{DueList, TaskDetail, TaskKind, TaskView};
use crate::calls::pages::form;
use crate::guard::action::{Purpose, Verb};
use crate::guard::record::RecordKind;
use crate::platform::http::Listed;
use crate::platform::page::{At, Choice, Entry, Fields, Layout, Pages, Question, Refused, Visitor, go, page};
use crate::staff::model::ColleagueView;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

/// Whoever takes calls calls back.
pub const ENTRY: Entry = Entry {
    path: "/call-backs",
    name: "back-title",
    kind: RecordKind::Call,
    verb: Verb::List,
    purpose: Some(Purpose::Intake),
};

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/call-backs", list)
        .get("/call-backs/{id}", read)
        .post("/call-backs/{id}/done", done)
        .post("/call-backs/{id}/hand-on", hand_on)
        .merge(of_case::pages())
}

#[derive(Template)]
#[template(path = "tasks/pages/call_backs.html")]
struct CallBacks {
    page: Layout,
    due: Vec<TaskView>,
}

async fn list(visitor: Visitor) -> Result<Response, Refused> {
    let layout = visitor.layout("back-help").await?;
    let listed = visitor.get("/api/v1/tasks?due=any").send::<DueList>().await?.body;
    let due = listed.tasks.into_iter().filter(|task| task.kind == TaskKind::CallBack).collect();
    Ok(page(StatusCode::OK, &CallBacks { page: layout, due }))
}

#[derive(Template)]
#[template(path = "tasks/pages/call_back.html")]
struct CallBackPage {
    page: Layout,
    task: TaskView,
    told: Vec<(String, String)>,
    colleagues: Question,
    words: String,
}

async fn shown(visitor: &Visitor, id: Uuid, refused: Option<&Refused>) -> Result<Response, Refused> {
    let layout = visitor.layout("back-help").await?.back_to(format!("/call-backs/{id}"));
    let asked = visitor.get(format!("/api/v1/tasks/{id}")).purpose(Purpose::Intake);
    let TaskDetail { task, call_back, .. } = asked.send().await?.body;
    let call_back = call_back.unwrap_or_default();
    let wanted = call_back.wanted.map(|wanted| wanted.as_str().to_owned());
    let told = [("wanted", wanted), ("when", call_back.when), ("how", call_back.how), ("number", call_back.number)];
    let line = |(name, value): (&str, Option<String>)| {
        let name = format!("call_back.{name}");
        Some((form::name(&layout, &name), form::said(&layout, &name, &value?)))
    };
    let told = told.into_iter().filter_map(line).collect();
    let colleagues = colleagues(visitor, &layout, &task).await?;
    let words = refused.map(|refused| refused.words(&layout)).unwrap_or_default();
    let status = refused.map_or(StatusCode::OK, Refused::status);
    Ok(page(status, &CallBackPage { page: layout, task, told, colleagues, words }))
}

/// Who may take it: whoever of the same work is no longer the one who has it.
async fn colleagues(visitor: &Visitor, layout: &Layout, task: &TaskView) -> Result<Question, Refused> {
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let calls_back = |person: &ColleagueView| {
        visitor.ever_does(person.role, RecordKind::Call, Verb::Close) && person.account != task.assignee
    };
    let choice =
        |person: ColleagueView| Choice { value: person.account.to_string(), label: person.handle, chosen: false };
    let choices = people.into_iter().filter(calls_back).map(choice).collect();
    Ok(Question::of_choices("assignee", layout.say("back-to"), choices).folded())
}

async fn read(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    shown(&visitor, id, None).await
}

async fn done(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    visitor.post(format!("/api/v1/tasks/{id}/done")).send::<Value>().await?;
    Ok(go("/call-backs"))
}

async fn hand_on(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    let body = json!({ "assignee": fields.text("assignee") });
    match visitor.post(format!("/api/v1/tasks/{id}/hand-on")).json(&body)?.send::<Value>().await {
        Ok(_) => Ok(go("/call-backs")),
        Err(refused) if refused.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            shown(&visitor, id, Some(&refused)).await
        }
        Err(refused) => Err(refused),
    }
}
