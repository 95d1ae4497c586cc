//! Houses: their free places and certificates, for who places people and who runs them; of one's own also whose training counts. Its manager opens
//! one, certifies it and writes down where it is: that page alone opens the address.

mod house;

use super::model::{AccommodationView, Course, TrainingView};
use crate::guard::action::Verb;
use crate::guard::record::{AccountId, RecordKind};
use crate::platform::http::Listed;
use crate::platform::page::{Entry, Fields, Layout, Pages, Question, Refused, Text, Visitor, go, page};
use crate::staff::model::{ColleagueView, Made};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::collections::HashMap;

pub const ENTRY: Entry =
    Entry { path: "/houses", name: "houses-title", kind: RecordKind::Accommodation, verb: Verb::List, purpose: None };

#[must_use]
pub fn pages() -> Pages {
    Pages::default().get("/houses", list).post("/houses", open).merge(house::pages())
}

#[derive(Template)]
#[template(path = "accommodation/pages/houses.html")]
struct HousesPage {
    page: Layout,
    houses: Vec<House>,
    trainings: Vec<Training>,
    /// For who runs a house.
    runs: bool,
    opens: bool,
    key: String,
    kind: Question,
    capacity: Vec<Text>,
    words: String,
}

struct House {
    view: AccommodationView,
    own: bool,
    /// What is missing, in words.
    missing: Vec<String>,
}

struct Training {
    name: String,
    course: String,
    until: String,
    current: bool,
}

const TYPES: [&str; 4] = ["women", "men", "families", "children"];

async fn shown(visitor: &Visitor, fields: &Fields, refused: Option<&Refused>) -> Result<Response, Refused> {
    let layout = visitor.layout("houses-help").await?.back_to("/houses").with_form("house");
    let listed = visitor.get("/api/v1/accommodations?limit=100").send::<Listed<AccommodationView>>().await?.body.items;
    let runs = layout.does(RecordKind::Care, Verb::Write);
    let house = |view: AccommodationView| {
        let missing = view.certificate.as_ref().map(|certificate| certificate.missing.clone()).unwrap_or_default();
        House {
            own: layout.organisation == Some(view.organisation),
            missing: missing.iter().map(|one| layout.word("condition", one.as_str())).collect(),
            view,
        }
    };
    let houses = listed.into_iter().map(house).filter(|house| house.own || !runs).collect();
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let number = |name: &&str| {
        Text::line(name, layout.word("places", name))
            .kind("number")
            .value(&fields.text(name))
            .error(wrong(&format!("capacity.{name}")).then(|| layout.say("house-places-rule")))
    };
    let kinds = super::model::AccommodationKind::ALL.iter().map(|kind| kind.as_str());
    let kind = Question::of_words(&layout, ("kind", "house-kind", "house"), kinds, None, &fields.text("kind"));
    let houses = HousesPage {
        houses,
        trainings: if runs { trainings(visitor, &layout).await? } else { Vec::new() },
        runs,
        opens: layout.does(RecordKind::Accommodation, Verb::Create),
        key: layout.key_after(fields, refused),
        kind: kind.error(wrong("kind").then(|| layout.say("consent-rule"))),
        capacity: TYPES.iter().map(number).collect(),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &houses))
}

/// Who passed what, and until when it counts: the newest of each course.
async fn trainings(visitor: &Visitor, layout: &Layout) -> Result<Vec<Training>, Refused> {
    let held = visitor.get("/api/v1/trainings?limit=100").send::<Listed<TrainingView>>().await?.body.items;
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let names: HashMap<AccountId, String> = people.into_iter().map(|who| (who.account, who.handle)).collect();
    let mut newest: HashMap<(AccountId, Course), TrainingView> = HashMap::new();
    for training in held {
        let of = (training.account, training.course);
        if newest.get(&of).is_none_or(|known| known.expires_at < training.expires_at) {
            newest.insert(of, training);
        }
    }
    let told = |training: TrainingView| {
        let key = if training.current { "training-until" } else { "training-over" };
        Some(Training {
            name: names.get(&training.account)?.clone(),
            course: layout.word("course", training.course.as_str()),
            until: layout.say_with(key, "at", layout.moment(&training.expires_at)),
            current: training.current,
        })
    };
    let mut all: Vec<Training> = newest.into_values().filter_map(told).collect();
    all.sort_by(|one, other| (&one.name, &one.course).cmp(&(&other.name, &other.course)));
    Ok(all)
}

async fn list(visitor: Visitor) -> Result<Response, Refused> {
    shown(&visitor, &Fields::default(), None).await
}

/// What was typed as a number. What is none is sent as it is, so that the API names the field.
fn number(typed: &str) -> serde_json::Value {
    match typed.trim() {
        "" => json!(0),
        typed => typed.parse::<u32>().map_or_else(|_| json!(typed), |number| json!(number)),
    }
}

async fn open(visitor: Visitor, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return shown(&visitor, &fields, None).await;
    }
    let capacity: serde_json::Map<_, _> =
        TYPES.iter().map(|name| ((*name).to_owned(), number(&fields.text(name)))).collect();
    let new = json!({ "kind": fields.text("kind"), "capacity": capacity });
    match visitor.post("/api/v1/accommodations").key(&fields.text("key")).json(&new)?.send::<Made>().await {
        Ok(_) => Ok(go("/houses")),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::FORBIDDEN => Err(refused),
        Err(refused) => shown(&visitor, &fields, Some(&refused)).await,
    }
}
