//! The operator's pages of a call: started by one key, written down as it is said, and ended. Handing over is next door
//! (`notices::pages`).

pub(crate) mod form;

use super::content::{CallContent, CallKind};
use super::model::{CallClosed, CallOpened, CallOutcome, CallSaved, CallState, CallSummary, CallView};
use crate::guard::action::{Purpose, Verb};
use crate::guard::record::RecordKind;
use crate::platform::http::Listed;
use crate::platform::page::{At, Entry, Fields, Layout, Pages, Question, Refused, Text, Visitor, go, page};
use askama::Template;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use form::{Form, Typed};
use serde_json::json;
use uuid::Uuid;

pub const ENTRY: Entry = Entry {
    path: "/calls",
    name: "calls-title",
    kind: RecordKind::Call,
    verb: Verb::List,
    purpose: Some(Purpose::Intake),
};

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/calls", newest)
        .get("/calls/before/{cursor}", before)
        .post("/calls", open)
        .get("/calls/{id}", read)
        .post("/calls/{id}", save)
        .get("/calls/{id}/end", last_look)
        .post("/calls/{id}/end", end)
}

#[derive(Template)]
#[template(path = "calls/pages/calls.html")]
struct CallsPage {
    page: Layout,
    calls: Vec<Row>,
    next: Option<String>,
    quick: Vec<Quick>,
}

struct Row {
    path: String,
    state: String,
    opened: String,
    is_draft: bool,
}

/// A call that is over at once, and the key that logs it.
struct Quick {
    kind: &'static str,
    label: String,
    key: &'static str,
}

fn quick(layout: &Layout) -> Vec<Quick> {
    let quick = CallKind::ALL.iter().filter(|kind| kind.is_quick());
    // The keys of functions: on every keyboard the same, and no letter that somebody types.
    let keyed = quick.zip(["F4", "F8", "F9"]);
    keyed
        .map(|(kind, key)| Quick { kind: kind.as_str(), label: layout.word("call-kind", kind.as_str()), key })
        .collect()
}

async fn list(visitor: &Visitor, after: &str) -> Result<Response, Refused> {
    let layout = visitor.layout("calls-help").await?;
    let asked = visitor.get(format!("/api/v1/calls{after}")).purpose(Purpose::Intake);
    let listed = asked.send::<Listed<CallSummary>>().await?.body;
    let row = |call: CallSummary| Row {
        path: format!("/calls/{}", call.id),
        state: layout.word("call-state", call.state.as_str()),
        opened: layout.moment(&call.opened_at),
        is_draft: call.state.is_draft(),
    };
    let (calls, quick) = (listed.items.into_iter().map(row).collect(), quick(&layout));
    Ok(page(StatusCode::OK, &CallsPage { calls, next: listed.next, quick, page: layout }))
}

async fn newest(visitor: Visitor) -> Result<Response, Refused> {
    list(&visitor, "").await
}

async fn before(visitor: Visitor, At(cursor): At<i64>) -> Result<Response, Refused> {
    list(&visitor, &format!("?cursor={cursor}")).await
}

/// A call begins: with nothing, or over at once.
async fn open(visitor: Visitor, fields: Fields) -> Result<Response, Refused> {
    let content = fields.get("kind").map_or_else(|| json!({}), |kind| json!({ "kind": kind }));
    let body = json!({ "content": content });
    let opened = visitor.post("/api/v1/calls").key(&fields.text("key")).json(&body)?.send::<CallOpened>().await?.body;
    Ok(if opened.state.is_draft() { go(&format!("/calls/{}", opened.id)) } else { go("/calls") })
}

#[derive(Template)]
#[template(path = "calls/pages/call.html")]
struct CallPage<'a> {
    page: Layout,
    id: Uuid,
    etag: &'a str,
    opened: String,
    elapsed: i64,
    form: Form,
    words: String,
    quick: Vec<Quick>,
}

/// A draft as it stands.
pub struct Draft {
    pub content: CallContent,
    pub opened_at: DateTime<Utc>,
    pub state: CallState,
    etag: String,
}

/// Reads a draft of one's own.
///
/// # Errors
/// 404 when there is none.
pub async fn draft(visitor: &Visitor, id: Uuid) -> Result<Draft, Refused> {
    let given = visitor.get(format!("/api/v1/calls/{id}")).purpose(Purpose::Intake).send::<CallView>().await?;
    let CallView { content, opened_at, state, .. } = given.body;
    Ok(Draft { content, opened_at, state, etag: given.etag })
}

/// The call's page, with what is wrong with it.
fn shown(
    visitor: &Visitor,
    (layout, id): (Layout, Uuid),
    (typed, etag): (&Typed, &str),
    opened_at: DateTime<Utc>,
    refused: Option<&Refused>,
) -> Response {
    let status = refused.map_or(StatusCode::OK, Refused::status);
    let layout = layout.with_form("call");
    let call = CallPage {
        id,
        etag,
        opened: opened_at.to_rfc3339(),
        elapsed: (visitor.now() - opened_at).num_seconds().max(0),
        form: Form::new(&layout, typed, refused),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        quick: quick(&layout),
        page: layout,
    };
    page(status, &call)
}

async fn read(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    let layout = visitor.layout("call-help").await?;
    let draft = draft(&visitor, id).await?;
    let typed = Typed::saved(&draft.content);
    Ok(shown(&visitor, (layout, id), (&typed, &draft.etag), draft.opened_at, None))
}

/// Saves what was typed, and goes on as the button says that was pressed.
async fn save(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    let (path, mut typed, mut etag) = (format!("/calls/{id}"), Typed::of(&fields), fields.text("etag"));
    if fields.get("differs").is_some() && fields.get("choice").is_none() {
        // Another language was chosen, and none of both.
        return conflict(&visitor, id, &typed).await;
    }
    match fields.get("choice") {
        Some("saved") => return Ok(go(&path)),
        Some("both") => {
            let draft = draft(&visitor, id).await?;
            typed = typed.joined(&Typed::saved(&draft.content));
            etag = draft.etag;
        }
        _ => {}
    }
    let then = fields.text("do");
    let quick = then.strip_prefix("quick-").and_then(|kind| kind.parse::<CallKind>().ok());
    if let Some(kind) = quick {
        typed = typed.with_kind(kind);
    }
    let body = json!({ "content": typed.content() });
    let asked = visitor.put(format!("/api/v1{path}")).etag(&etag).json(&body)?;
    match asked.send::<CallSaved>().await {
        Ok(saved) if visitor.is_script() => Ok(Json(json!({ "etag": saved.etag })).into_response()),
        Ok(saved) => on(&visitor, (id, &fields), &typed, (&saved.etag, saved.body.state), (&then, quick)).await,
        Err(refused) if refused.code() == "sign_in" => Err(refused),
        Err(refused) if visitor.is_script() => Ok(told(&visitor, &refused)),
        Err(refused) if refused.code() == "changed_meanwhile" => conflict(&visitor, id, &typed).await,
        Err(refused) if refused.status() == StatusCode::NOT_FOUND => gone(&visitor, &typed).await,
        Err(refused) => {
            let layout = visitor.layout("call-help").await?;
            let opened = opened(&visitor, &fields);
            Ok(shown(&visitor, (layout, id), (&typed, &etag), opened, Some(&refused)))
        }
    }
}

fn opened(visitor: &Visitor, fields: &Fields) -> DateTime<Utc> {
    fields.get("opened").and_then(|text| text.parse().ok()).unwrap_or_else(|| visitor.now())
}

/// What a script is told: which fields are not right, in words.
fn told(visitor: &Visitor, refused: &Refused) -> Response {
    let layout = visitor.bare("");
    let wrong = form::FIELDS.iter().filter_map(|name| Some((*name, form::error(&layout, Some(refused), name)?)));
    let wrong: std::collections::BTreeMap<_, _> = wrong.collect();
    let told = json!({ "code": refused.code(), "words": refused.words(&layout), "wrong": wrong });
    (refused.status(), Json(told)).into_response()
}

/// It is saved: on to the hand-over, to the end, or back to the page.
async fn on(
    visitor: &Visitor,
    (id, fields): (Uuid, &Fields),
    typed: &Typed,
    (etag, state): (&str, CallState),
    (then, quick): (&str, Option<CallKind>),
) -> Result<Response, Refused> {
    let path = format!("/calls/{id}");
    if quick.is_some() && !typed.is_more_than_kind() {
        close(visitor, id, &json!({ "outcome": CallOutcome::Closed })).await?;
        return Ok(go("/calls"));
    }
    let next = match then {
        "hand-over" => "hand-over",
        "end" => "end",
        _ if quick.is_some() => "end",
        _ => return Ok(go(&path)),
    };
    if state == CallState::Triaged {
        return Ok(go(&format!("{path}/{next}")));
    }
    // What kind of call it is has to be said before either.
    let layout = visitor.layout("call-help").await?;
    let unsaid = crate::platform::problem::Problem::field("content.kind", "is needed").into();
    Ok(shown(visitor, (layout, id), (typed, etag), opened(visitor, fields), Some(&unsaid)))
}

#[derive(Template)]
#[template(path = "calls/pages/conflict.html")]
struct ConflictPage {
    page: Layout,
    id: Uuid,
    etag: String,
    opened: String,
    typed: Vec<(&'static str, String)>,
    differing: Vec<Differing>,
}

struct Differing {
    name: String,
    there: String,
    here: String,
}

/// Somebody saved meanwhile, in another tab or at another place: both are shown, and nothing is lost of either.
async fn conflict(visitor: &Visitor, id: Uuid, typed: &Typed) -> Result<Response, Refused> {
    let layout = visitor.layout("call-help").await?;
    let draft = draft(visitor, id).await?;
    let saved = Typed::saved(&draft.content);
    let shows = |name: &'static str| Differing {
        name: form::name(&layout, name),
        there: form::said(&layout, name, saved.get(name)),
        here: form::said(&layout, name, typed.get(name)),
    };
    let conflict = ConflictPage {
        id,
        etag: draft.etag,
        opened: draft.opened_at.to_rfc3339(),
        typed: typed.iter().map(|(name, value)| (name, value.to_owned())).collect(),
        differing: typed.differs(&saved).into_iter().map(shows).collect(),
        page: layout.with_form("conflict"),
    };
    Ok(page(StatusCode::PRECONDITION_FAILED, &conflict))
}

#[derive(Template)]
#[template(path = "calls/pages/gone.html")]
struct GonePage {
    page: Layout,
    typed: String,
}

/// The call is no draft of theirs any more: what they typed since is shown, to be used elsewhere.
async fn gone(visitor: &Visitor, typed: &Typed) -> Result<Response, Refused> {
    let layout = visitor.layout("call-help").await?;
    let line = |(name, value)| format!("{}: {}", form::name(&layout, name), form::said(&layout, name, value));
    let typed = typed.iter().map(line).collect::<Vec<_>>().join("\n");
    Ok(page(StatusCode::NOT_FOUND, &GonePage { page: layout, typed }))
}

#[derive(Template)]
#[template(path = "calls/pages/end.html")]
struct EndPage {
    page: Layout,
    id: Uuid,
    kind: String,
    outcome: Question,
    at: Text,
    words: String,
}

async fn end_page(
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("call-help-end").await?.with_form("end");
    let draft = draft(visitor, id).await?;
    let chosen = fields.get("outcome").unwrap_or(CallOutcome::Closed.as_str());
    let words = CallOutcome::ALL.iter().map(|outcome| outcome.as_str());
    let wrong = |name: &str| refused.is_some_and(|refused| refused.fields().any(|field| field == name));
    let shown = EndPage {
        id,
        kind: draft.content.kind.map(|kind| layout.word("call-kind", kind.as_str())).unwrap_or_default(),
        outcome: Question::of_words(&layout, ("outcome", "call-outcome", "call-outcome"), words, None, chosen),
        at: Text::line("call_back_at", layout.say("call-back-at"))
            .kind("datetime-local")
            .hint(layout.say("call-back-at-hint"))
            .value(&fields.text("call_back_at"))
            .error(wrong("call_back_at").then(|| layout.say("call-back-at-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &shown))
}

async fn last_look(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    end_page(&visitor, id, &Fields::default(), None).await
}

async fn close(visitor: &Visitor, id: Uuid, closing: &serde_json::Value) -> Result<CallClosed, Refused> {
    Ok(visitor.post(format!("/api/v1/calls/{id}/close")).json(closing)?.send().await?.body)
}

async fn end(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return end_page(&visitor, id, &fields, None).await;
    }
    let mut closing = json!({ "outcome": fields.text("outcome") });
    let at = fields.get("call_back_at").filter(|_| fields.text("outcome") == CallOutcome::CallbackScheduled.as_str());
    if let (Some(closing), Some(at)) = (closing.as_object_mut(), at) {
        closing.insert("call_back_at".to_owned(), json!(visitor.moment_typed(at)));
    }
    match close(&visitor, id, &closing).await {
        Ok(closed) => Ok(go(if closed.task.is_some() { "/call-backs" } else { "/calls" })),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => end_page(&visitor, id, &fields, Some(&refused)).await,
    }
}
