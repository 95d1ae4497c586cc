//! The notes of a case, in the order in which they were written: its history. A note is never changed, only followed by another.

use crate::cases::model::{NoteMade, NoteView};
use crate::guard::action::Purpose;
use crate::guard::record::AccountId;
use crate::platform::http::Listed;
use crate::platform::page::{At, Fields, Layout, Pages, Refused, Text, Visitor, go, page};
use crate::staff::model::ColleagueView;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/cases/{id}/notes", first)
        .get("/cases/{id}/notes/after/{cursor}", after)
        .post("/cases/{id}/notes", append)
}

#[derive(Template)]
#[template(path = "cases/pages/notes.html")]
struct NotesPage {
    page: Layout,
    id: Uuid,
    notes: Vec<Note>,
    next: Option<String>,
    key: String,
    text: Text,
    words: String,
}

struct Note {
    author: String,
    written: String,
    text: String,
}

async fn shown(
    visitor: &Visitor,
    (id, after): (Uuid, &str),
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("notes-help").await?.back_to(format!("/cases/{id}/notes")).with_form("note");
    let asked = visitor.get(format!("/api/v1/cases/{id}/notes{after}")).purpose(Purpose::CaseWork);
    let Listed { items, next } = asked.send::<Listed<NoteView>>().await?.body;
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let names: HashMap<AccountId, String> = people.into_iter().map(|who| (who.account, who.handle)).collect();
    let note = |note: NoteView| Note {
        author: names.get(&note.author).cloned().unwrap_or_else(|| layout.say("roster-somebody")),
        written: layout.moment(&note.written_at),
        text: note.text,
    };
    let wrong = refused.is_some_and(|refused| refused.fields().any(|name| name == "text"));
    let notes = NotesPage {
        id,
        notes: items.into_iter().map(note).collect(),
        next,
        key: layout.key_after(fields, refused),
        text: Text::line("text", layout.say("note-new"))
            .rows(6)
            .hint(layout.say("note-hint"))
            .value(&fields.text("text"))
            .error(wrong.then(|| layout.say("note-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &notes))
}

async fn first(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    shown(&visitor, (id, ""), &Fields::default(), None).await
}

async fn after(visitor: Visitor, At((id, cursor)): At<(Uuid, i64)>) -> Result<Response, Refused> {
    shown(&visitor, (id, &format!("?cursor={cursor}")), &Fields::default(), None).await
}

async fn append(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return shown(&visitor, (id, ""), &fields, None).await;
    }
    let asked = visitor.post(format!("/api/v1/cases/{id}/notes")).key(&fields.text("key"));
    match asked.json(&json!({ "text": fields.text("text") }))?.send::<NoteMade>().await {
        Ok(_) => Ok(go(&format!("/cases/{id}/notes"))),
        Err(refused) if refused.code() == "sign_in" => Err(refused),
        Err(refused) => shown(&visitor, (id, ""), &fields, Some(&refused)).await,
    }
}
