//! The operator's pages of a hand-over: the last look, and the slips that are left of it.

pub(crate) mod desk;

use super::model::{Basis, Slip};
use crate::calls::pages::form::{self, Typed};
use crate::calls::pages::{Draft, draft};
use crate::guard::action::{Purpose, Verb};
use crate::guard::record::RecordKind;
use crate::platform::http::Listed;
use crate::platform::page::{At, Entry, Fields, Layout, Pages, Question, Refused, Text, Visitor, go, page};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

pub const ENTRY: Entry = Entry {
    path: "/slips",
    name: "slips-title",
    kind: RecordKind::Slip,
    verb: Verb::List,
    purpose: Some(Purpose::Intake),
};

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/calls/{id}/hand-over", last_look)
        .post("/calls/{id}/hand-over", hand_over)
        .get("/slips", newest)
        .get("/slips/before/{cursor}", before)
        .get("/slips/{id}", read)
        .post("/slips/{id}", append)
        .merge(desk::pages())
}

#[derive(Template)]
#[template(path = "notices/pages/hand_over.html")]
struct HandOverPage {
    page: Layout,
    id: Uuid,
    key: String,
    sent: Vec<(String, String)>,
    /// What goes over on a ground that names the person, and stays behind without one.
    naming: Vec<(String, String)>,
    basis: Question,
    leave_behind: bool,
    leave_behind_error: bool,
    suspected: Text,
    words: String,
    unreachable: bool,
}

async fn look(visitor: &Visitor, id: Uuid, fields: &Fields, refused: Option<&Refused>) -> Result<Response, Refused> {
    let layout = visitor.layout("hand-over-help").await?.with_form("hand-over");
    let Draft { content, .. } = draft(visitor, id).await?;
    let typed = Typed::saved(&content);
    let names = |name: &str| name.starts_with("person.") || name.starts_with("call_back.");
    let line = |(name, value): (&str, &str)| (form::name(&layout, name), form::said(&layout, name, value));
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let words = Basis::ALL.iter().map(|basis| basis.as_str());
    let basis = ("basis", "hand-over-basis", "basis");
    let shown = HandOverPage {
        id,
        // The same key for the same form: whoever sends it twice hands over once.
        key: layout.key_after(fields, refused),
        sent: typed.iter().filter(|(name, _)| !names(name)).map(line).collect(),
        naming: typed.iter().filter(|(name, _)| names(name)).map(line).collect(),
        basis: Question::of_words(&layout, basis, words, None, &fields.text("basis"))
            .hint(layout.say("hand-over-basis-hint"))
            .error(wrong("basis").then(|| layout.say("hand-over-basis-rule"))),
        leave_behind: fields.get("leave_behind").is_some(),
        leave_behind_error: wrong("leave_behind"),
        suspected: Text::line("suspected_at", layout.say("hand-over-suspected"))
            .kind("datetime-local")
            .hint(layout.say("hand-over-suspected-hint"))
            .value(&fields.text("suspected_at"))
            .error(wrong("suspected_at").then(|| layout.say("hand-over-suspected-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        unreachable: refused.is_some_and(|refused| refused.code() == "squad_not_reachable"),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &shown))
}

async fn last_look(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    look(&visitor, id, &Fields::default(), None).await
}

async fn hand_over(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return look(&visitor, id, &fields, None).await;
    }
    let leave_behind = fields.get("leave_behind").is_some();
    let mut how = json!({ "basis": fields.text("basis"), "leave_behind": leave_behind });
    if let (Some(how), Some(at)) = (how.as_object_mut(), fields.get("suspected_at")) {
        how.insert("suspected_at".to_owned(), json!(visitor.moment_typed(at)));
    }
    let asked = visitor.post(format!("/api/v1/calls/{id}/hand-over")).key(&fields.text("key")).json(&how)?;
    match asked.send::<Slip>().await {
        Ok(slip) => Ok(go(&format!("/slips/{}", slip.body.id))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => look(&visitor, id, &fields, Some(&refused)).await,
    }
}

#[derive(Template)]
#[template(path = "notices/pages/slips.html")]
struct SlipsPage {
    page: Layout,
    slips: Vec<Slip>,
    next: Option<String>,
}

async fn list(visitor: &Visitor, after: &str) -> Result<Response, Refused> {
    let layout = visitor.layout("slips-help").await?;
    let asked = visitor.get(format!("/api/v1/slips{after}")).purpose(Purpose::Intake);
    let listed = asked.send::<Listed<Slip>>().await?.body;
    Ok(page(StatusCode::OK, &SlipsPage { page: layout, slips: listed.items, next: listed.next }))
}

async fn newest(visitor: Visitor) -> Result<Response, Refused> {
    list(&visitor, "").await
}

async fn before(visitor: Visitor, At(cursor): At<i64>) -> Result<Response, Refused> {
    list(&visitor, &format!("?cursor={cursor}")).await
}

#[derive(Template)]
#[template(path = "notices/pages/slip.html")]
struct SlipPage {
    page: Layout,
    slip: Slip,
    key: String,
    text: Text,
    words: String,
    /// Until the squad has decided.
    takes_more: bool,
}

async fn shown(visitor: &Visitor, id: Uuid, fields: &Fields, refused: Option<&Refused>) -> Result<Response, Refused> {
    let layout = visitor.layout("slips-help").await?.with_form("addendum");
    let slip = visitor.get(format!("/api/v1/slips/{id}")).purpose(Purpose::Intake).send::<Slip>().await?.body;
    let wrong = refused.is_some_and(|refused| refused.fields().any(|name| name == "text"));
    let text = Text::line("text", layout.say("slip-addendum"))
        .rows(8)
        .hint(layout.say("slip-addendum-hint"))
        .value(&fields.text("text"))
        .error(wrong.then(|| layout.say("slip-addendum-rule")));
    let shown = SlipPage {
        key: layout.key_after(fields, refused),
        text,
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        // What was typed is shown, whatever became of the notice meanwhile.
        takes_more: slip.state.add_to().is_ok() || fields.get("text").is_some(),
        slip,
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &shown))
}

async fn read(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    shown(&visitor, id, &Fields::default(), None).await
}

async fn append(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return shown(&visitor, id, &fields, None).await;
    }
    let body = json!({ "text": fields.text("text") });
    let asked = visitor.post(format!("/api/v1/slips/{id}/addenda")).key(&fields.text("key")).json(&body)?;
    match asked.send::<Value>().await {
        Ok(_) => Ok(go(&format!("/slips/{id}"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => shown(&visitor, id, &fields, Some(&refused)).await,
    }
}
