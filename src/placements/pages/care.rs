//! The carers' record of somebody: the plan, what is medical and psychological, and each kind of help with where it stands. Two carers who save
//! at once are put together as in a case.

use super::purpose;
use crate::cases::pages::form::{self, Shown, Typed};
use crate::cases::pages::join::{self, Base, Marks};
use crate::guard::record::RecordKind;
use crate::placements::care::{Assistance, Care, CareStored, Service};
use crate::placements::content::PlacementView;
use crate::platform::page::{At, Fields, Layout, Pages, Refused, Visitor, go, page};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/placements/{id}/care", read)
        .post("/placements/{id}/care", write)
        .post("/placements/{id}/care/share", share)
}

const TEXTS: [&str; 3] = ["plan", "medical", "psychological"];

fn help(service: Service) -> String {
    format!("{service}_help")
}

fn said(service: Service) -> String {
    format!("{service}_said")
}

/// The record as the form asks for it, and what of it the form does not show: a second item of a kind of help.
fn asked(care: &Care) -> (Typed, Vec<Value>) {
    let mut fields = Map::new();
    for (name, text) in TEXTS.into_iter().zip([&care.plan, &care.medical, &care.psychological]) {
        fields.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
    }
    let mut more = Vec::new();
    for item in &care.assistance {
        let Assistance { service, state, notes } = item;
        if fields.contains_key(&help(*service)) {
            more.push(json!(item));
            continue;
        }
        fields.insert(help(*service), json!(state.as_str()));
        fields.extend(notes.as_ref().map(|notes| (said(*service), json!(notes))));
    }
    (Typed::saved(RecordKind::Care, &Value::Object(fields)), more)
}

/// What is typed, as the API takes it, with the kinds of help in the order in which they are sent; or the fields that are missing.
fn told(typed: &Typed, more: &[Value]) -> Result<(Value, Vec<Service>), Vec<String>> {
    let fields = typed.content();
    let (mut items, mut order, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for service in Service::ALL.iter().copied() {
        match (fields.get(help(service)), fields.get(said(service))) {
            (Some(state), Some(notes)) => items.push(json!({ "service": service, "state": state, "notes": notes })),
            (Some(state), None) => items.push(json!({ "service": service, "state": state })),
            // What is said of a help of which nothing else is said would be lost.
            (None, Some(_)) => missing.push(help(service)),
            (None, None) => continue,
        }
        order.push(service);
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    items.extend_from_slice(more);
    let mut care = Map::from_iter([("assistance".to_owned(), Value::Array(items))]);
    for name in TEXTS {
        care.extend(fields.get(name).map(|text| (name.to_owned(), text.clone())));
    }
    Ok((Value::Object(care), order))
}

/// What a form holds.
struct Written {
    typed: Typed,
    base: Base,
    marks: Marks,
    more: Vec<Value>,
    etag: String,
    /// Whether somebody saved meanwhile: that is told, also where nothing of it was changed.
    met: bool,
}

impl Written {
    fn sent(fields: &Fields) -> Self {
        let kind = RecordKind::Care;
        let more = serde_json::from_str(fields.get("more").unwrap_or("[]")).unwrap_or_default();
        let (typed, base, marks) = (Typed::of(kind, fields), Base::of(kind, fields), Marks::of(kind, fields));
        Self { typed, base, met: marks.any(), marks, more, etag: fields.text("etag") }
    }
}

#[derive(Template)]
#[template(path = "placements/pages/care.html")]
struct CarePage {
    page: Layout,
    id: Uuid,
    etag: String,
    more: String,
    joined: bool,
    /// Whether there is a record that can be shared.
    there: bool,
    hidden: Vec<(String, String)>,
    form: Vec<Shown>,
    words: String,
}

fn shown(layout: Layout, id: Uuid, written: &Written, wrong: &[&str], words: String, status: StatusCode) -> Response {
    let layout = layout.back_to(format!("/placements/{id}/care")).with_form("care");
    let care = CarePage {
        id,
        etag: written.etag.clone(),
        more: Value::Array(written.more.clone()).to_string(),
        joined: written.met,
        there: written.etag != NONE_YET,
        hidden: [written.base.hidden(), written.marks.hidden()].concat(),
        form: form::form(&layout, &written.typed, &written.marks, wrong),
        words,
        page: layout,
    };
    page(status, &care)
}

/// The version of a record that nobody has begun.
const NONE_YET: &str = "\"0\"";

/// As it is stored; for who cares for the person, an empty one where nobody has begun it.
async fn stored(visitor: &Visitor, layout: &Layout, id: Uuid) -> Result<Written, Refused> {
    let (path, purpose) = (format!("/api/v1/placements/{id}"), purpose(layout));
    let (care, etag) = match visitor.get(format!("{path}/care")).purpose(purpose).send::<Care>().await {
        Ok(given) => (given.body, given.etag),
        Err(refused) if refused.status() == StatusCode::NOT_FOUND => {
            let view = visitor.get(path).purpose(purpose).send::<PlacementView>().await?.body;
            if !layout.account.is_some_and(|account| view.workers.contains(&account)) {
                return Err(refused);
            }
            let empty = Care { medical: None, psychological: None, plan: None, assistance: Vec::new() };
            (empty, NONE_YET.to_owned())
        }
        Err(refused) => return Err(refused),
    };
    let (typed, more) = asked(&care);
    Ok(Written { base: Base::read(&typed), typed, marks: Marks::default(), more, etag, met: false })
}

async fn read(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    let layout = visitor.layout("care-help").await?;
    let written = stored(&visitor, &layout, id).await?;
    Ok(shown(layout, id, &written, &[], String::new(), StatusCode::OK))
}

async fn write(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    let layout = visitor.layout("care-help").await?;
    let written = Written::sent(&fields);
    if fields.get("speak").is_some() || !written.marks.all_chosen() {
        let chosen = if written.marks.all_chosen() { StatusCode::OK } else { StatusCode::PRECONDITION_FAILED };
        return Ok(shown(layout, id, &written, &[], String::new(), chosen));
    }
    let (care, order) = match told(&written.typed, &written.more) {
        Ok(told) => told,
        Err(missing) => {
            let wrong: Vec<&str> = missing.iter().map(String::as_str).collect();
            let words = layout.say("problem-invalid");
            return Ok(shown(layout, id, &written, &wrong, words, StatusCode::UNPROCESSABLE_ENTITY));
        }
    };
    let asked = visitor.put(format!("/api/v1/placements/{id}/care")).etag(&written.etag).json(&care)?;
    match asked.send::<CareStored>().await {
        Ok(_) => Ok(go(&format!("/placements/{id}"))),
        Err(refused) if refused.code() == "changed_meanwhile" => {
            let saved = stored(&visitor, &layout, id).await?;
            let one = join::one_between(&written.etag, &saved.etag);
            let (typed, marks) = join::joined(&written.base, &written.typed, &saved.typed, one);
            let both = Written { typed, marks, met: true, ..saved };
            Ok(shown(layout, id, &both, &[], String::new(), StatusCode::PRECONDITION_FAILED))
        }
        Err(refused) if refused.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            let wrong: Vec<String> = refused.fields().map(|field| in_form(field, &order)).collect();
            let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
            let words = refused.words(&layout);
            Ok(shown(layout, id, &written, &wrong, words, refused.status()))
        }
        Err(refused) => Err(refused),
    }
}

/// The field of the form behind a field of the API: `assistance[2].notes` is what is said of the third help that was sent.
fn in_form(field: &str, order: &[Service]) -> String {
    let place = field.strip_prefix("assistance[").and_then(|rest| rest.split_once(']'));
    let service = place.and_then(|(place, rest)| Some((order.get(place.parse::<usize>().ok()?)?, rest)));
    match service {
        Some((service, ".notes")) => said(*service),
        Some((service, _)) => help(*service),
        None => field.to_owned(),
    }
}

async fn share(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    let done = visitor.post(format!("/api/v1/placements/{id}/care/share")).send::<CareStored>().await;
    let layout = visitor.layout("care-help").await?;
    match done {
        Ok(given) => {
            let words = layout.say(if given.body.shared { "care-shared" } else { "care-shared-nobody" });
            Ok(page(StatusCode::OK, &SharedPage { page: layout, id, words }))
        }
        Err(refused) if refused.status() == StatusCode::CONFLICT => {
            let words = layout.say("care-share-none");
            Ok(page(refused.status(), &SharedPage { page: layout, id, words }))
        }
        Err(refused) => Err(refused),
    }
}

/// What came of sharing it.
#[derive(Template)]
#[template(path = "placements/pages/shared.html")]
struct SharedPage {
    page: Layout,
    id: Uuid,
    words: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_record_is_lost_on_its_way_through_the_form() {
        let care = json!({ "medical": "A cough.", "plan": "School.", "assistance": [
            { "service": "medical", "state": "accepted", "notes": "Tuesday" }, { "service": "legal", "state": "declined" },
            { "service": "medical", "state": "offered" } ] });
        let (typed, more) = asked(&serde_json::from_value(care.clone()).unwrap());
        assert_eq!(more.len(), 1);
        let (back, order) = told(&typed, &more).unwrap();
        assert_eq!(back, care);
        assert_eq!(in_form("assistance[1].notes", &order), "legal_said");
        assert_eq!(in_form("assistance[0].state", &order), "medical_help");
        assert_eq!(
            (in_form("plan", &order), in_form("assistance[9]", &order)),
            ("plan".into(), "assistance[9]".into())
        );
        let half = Typed::of(RecordKind::Care, &Fields::read(b"work_said=Baker").unwrap());
        assert_eq!(told(&half, &[]).unwrap_err(), ["work_help"]);
    }
}
