//! The squad's side of a placement: a house is asked for a place, with what care needs and nothing of what happened; then that the person agrees,
//! and where the house is.

use super::needs::language;
use crate::accommodation::model::{AccommodationView, Address, Places};
use crate::calls::pages::form::LANGUAGES;
use crate::cases::codes::Gender;
use crate::consents::model::Source;
use crate::guard::action::{Purpose, Verb};
use crate::guard::record::RecordKind;
use crate::placements::content::{AgeBand, Stands};
use crate::placements::model::PlacementBasis;
use crate::platform::http::Listed;
use crate::platform::page::{At, Choice, Fields, Layout, Pages, Question, Refused, Text, Visitor, go, page};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/cases/{id}/persons/{person}/placements", asking)
        .post("/cases/{id}/persons/{person}/placements", ask)
        .get("/placements/{id}/consent", agreeing)
        .post("/placements/{id}/consent", agree)
        .get("/placements/{id}/arrival", arrival)
        .post("/placements/{id}/transport", transport)
        .post("/placements/{id}/transfer", transfer)
        .post("/placements/{id}/withdraw", withdraw)
}

#[derive(Template)]
#[template(path = "placements/pages/request.html")]
struct RequestPage {
    page: Layout,
    path: String,
    back: String,
    key: String,
    /// For whom, where, and why they may be told.
    questions: Vec<Question>,
    called: Text,
    about: Vec<Question>,
    texts: Vec<Text>,
    words: String,
}

/// The texts of what care needs, and how long each may be.
const TEXTS: [(&str, u8); 4] = [("safety", 3), ("health", 4), ("diet_and_faith", 2), ("wishes", 3)];

async fn request_page(
    visitor: &Visitor,
    (case, person): (Uuid, Uuid),
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("placement-ask-help").await?.with_form("request");
    let houses = visitor.get("/api/v1/accommodations?limit=100").send::<Listed<AccommodationView>>().await?.body.items;
    let layout = layout.for_who_does(RecordKind::Placement, Verb::Create)?;
    let wrong =
        |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name.split('[').next() == Some(field)));
    let rule = |field: &str| wrong(field).then(|| layout.say("placement-ask-rule"));
    let chosen = fields.text("accommodation");
    let house = |house: AccommodationView| {
        let free = house.places.iter().filter(|places| places.capacity > 0).map(|places| {
            let name = layout.word("places", places.places.as_str());
            format!("{name}: {}", layout.free(&places.free, &places.capacity))
        });
        let (value, free) = (house.id.to_string(), free.collect::<Vec<_>>().join(", "));
        Choice {
            chosen: value == chosen,
            value,
            label: format!("{} · {} · {free}", layout.word("house", house.kind.as_str()), house.organisation.short()),
        }
    };
    let open = houses.into_iter().filter(|house| house.open).map(house).collect();
    let of =
        |name: &'static str, field: &str, label: &str, family: &str, words: Vec<&'static str>, none: Option<&str>| {
            let question =
                Question::of_words(&layout, (name, label, family), words.into_iter(), none, &fields.text(name));
            question.error(rule(field))
        };
    let spoken = |name: &'static str, label: &str| {
        let none = Choice { value: String::new(), label: layout.say("field-unstated"), chosen: false };
        let chosen = fields.text(name);
        let codes = LANGUAGES.iter().filter(|code| **code != "und");
        let choice = |code: &&str| Choice {
            value: (**code).to_owned(),
            label: language(&layout, code),
            chosen: **code == chosen,
        };
        let choices = std::iter::once(none).chain(codes.map(choice)).collect();
        Question::of_choices(name, layout.say(label), choices).folded()
    };
    let unstated = Choice { value: String::new(), label: layout.say("field-unstated"), chosen: false };
    let ages = AgeBand::ALL.iter().map(|band| Choice {
        value: band.as_str().to_owned(),
        label: layout.say_with("needs-years", "band", band.as_str()),
        chosen: fields.text("age") == band.as_str(),
    });
    let words = |field: &'static str| wrong(&format!("needs.{field}")).then(|| layout.say("placement-text-rule"));
    let text = |(name, rows): (&'static str, u8)| {
        Text::line(name, layout.say(&format!("needs-{name}"))).rows(rows).value(&fields.text(name)).error(words(name))
    };
    let places = Places::ALL.iter().map(|places| places.as_str()).collect();
    let bases = PlacementBasis::ALL.iter().map(|basis| basis.as_str()).collect();
    let genders = Gender::ALL.iter().map(|gender| gender.as_str()).collect();
    let shown = RequestPage {
        path: format!("/cases/{case}/persons/{person}/placements"),
        back: format!("/cases/{case}"),
        key: layout.key_after(fields, refused),
        questions: vec![
            Question::of_choices("accommodation", layout.say("placement-where"), open)
                .hint(layout.say("placement-where-hint"))
                .error(rule("accommodation")),
            of("places", "places", "placement-places", "places", places, None),
            of("basis", "basis", "needs-basis", "placement-basis", bases, None)
                .hint(layout.say("placement-basis-hint")),
        ],
        called: Text::line("called", layout.say("needs-called"))
            .hint(layout.say("placement-called-hint"))
            .value(&fields.text("called"))
            .error(words("called")),
        about: vec![
            Question::of_choices("age", layout.say("needs-age"), std::iter::once(unstated).chain(ages).collect())
                .folded()
                .error(rule("needs.age")),
            of("gender", "needs.gender", "needs-gender", "gender", genders, Some("field-unstated")).folded(),
            spoken("language", "placement-language"),
            spoken("second_language", "placement-second-language"),
            of(
                "interpreter",
                "needs.needs_interpreter",
                "needs-interpreter",
                "answer",
                vec!["true", "false"],
                Some("field-unstated"),
            ),
        ],
        texts: std::iter::once(
            Text::line("children", layout.say("needs-children"))
                .kind("number")
                .value(&fields.text("children"))
                .error(words("children")),
        )
        .chain(TEXTS.into_iter().map(text))
        .collect(),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &shown))
}

/// What was typed, as the API takes it; what was not stated is not sent.
fn request(person: Uuid, fields: &Fields) -> Value {
    let mut needs = Map::from_iter([
        ("called".to_owned(), json!(fields.text("called").trim())),
        ("age".to_owned(), json!(fields.text("age"))),
        ("needs_interpreter".to_owned(), json!(fields.text("interpreter") == "true")),
    ]);
    let mut languages: Vec<&str> =
        ["language", "second_language"].into_iter().filter_map(|name| fields.get(name)).collect();
    languages.dedup();
    needs.insert("languages".to_owned(), json!(languages));
    if let Some(children) = fields.get("children") {
        let number = children.trim().parse::<u32>().map_or_else(|_| json!(children), |number| json!(number));
        needs.insert("children".to_owned(), number);
    }
    for name in ["gender", "safety", "health", "diet_and_faith", "wishes"] {
        needs.extend(fields.get(name).map(|text| (name.to_owned(), json!(text))));
    }
    json!({
        "person": person,
        "accommodation": fields.text("accommodation"),
        "places": fields.text("places"),
        "basis": fields.text("basis"),
        "needs": needs,
    })
}

async fn asking(visitor: Visitor, At(of): At<(Uuid, Uuid)>) -> Result<Response, Refused> {
    request_page(&visitor, of, &Fields::default(), None).await
}

async fn ask(visitor: Visitor, At((case, person)): At<(Uuid, Uuid)>, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return request_page(&visitor, (case, person), &fields, None).await;
    }
    let asked = visitor.post(format!("/api/v1/cases/{case}/placements")).key(&fields.text("key"));
    match asked.json(&request(person, &fields))?.send::<Stands>().await {
        Ok(made) => Ok(go(&format!("/placements/{}", made.body.id))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => request_page(&visitor, (case, person), &fields, Some(&refused)).await,
    }
}

#[derive(Template)]
#[template(path = "placements/pages/agree.html")]
struct AgreePage {
    page: Layout,
    id: Uuid,
    questions: Vec<Question>,
    explained: Text,
    words: String,
}

async fn agree_page(
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("placement-agree-help").await?.with_form("agree");
    let layout = layout.for_who_does(RecordKind::Placement, Verb::Consent)?;
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let who = Source::ALL.iter().map(|source| source.as_str());
    let spoken = fields.get("language").unwrap_or("az");
    let languages = LANGUAGES.iter().filter(|code| **code != "und").map(|code| Choice {
        value: (*code).to_owned(),
        label: language(&layout, code),
        chosen: *code == spoken,
    });
    let source =
        Question::of_words(&layout, ("source", "consent-who", "consent-by"), who, None, &fields.text("source"));
    let agree = AgreePage {
        id,
        questions: vec![
            source.error(wrong("source").then(|| layout.say("consent-rule"))),
            Question::of_choices("language", layout.say("consent-language"), languages.collect()).folded(),
        ],
        explained: Text::line("explained", layout.say("consent-explained"))
            .rows(3)
            .hint(layout.say("placement-agree-hint"))
            .value(&fields.text("explained"))
            .error(wrong("explained").then(|| layout.say("consent-explained-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &agree))
}

async fn agreeing(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    agree_page(&visitor, id, &Fields::default(), None).await
}

async fn agree(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return agree_page(&visitor, id, &fields, None).await;
    }
    let given = json!({ "source": fields.text("source"), "explained": fields.text("explained"), "language": fields.text("language") });
    match visitor.post(format!("/api/v1/placements/{id}/consent")).json(&given)?.send::<Stands>().await {
        Ok(_) => Ok(go(&format!("/placements/{id}"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => agree_page(&visitor, id, &fields, Some(&refused)).await,
    }
}

#[derive(Template)]
#[template(path = "placements/pages/arrival.html")]
struct ArrivalPage {
    page: Layout,
    id: Uuid,
    lines: Vec<(String, String)>,
}

/// Where the house is: a page of its own, since it is read for one thing only.
async fn arrival(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    let layout = visitor.layout("placement-arrival-help").await?;
    let asked = visitor.get(format!("/api/v1/placements/{id}/arrival")).purpose(Purpose::CaseWork);
    let Address { address, directions, telephone } = asked.send().await?.body;
    let lines = [("address", Some(address)), ("directions", directions), ("telephone", telephone)];
    let line = |(name, value): (&str, Option<String>)| Some((layout.say(&format!("house-{name}-line")), value?));
    let lines = lines.into_iter().filter_map(line).collect();
    Ok(page(StatusCode::OK, &ArrivalPage { page: layout, id, lines }))
}

async fn transport(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    super::step(&visitor, id, "transport").await
}

async fn transfer(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    super::step(&visitor, id, "transfer").await
}

async fn withdraw(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    super::step(&visitor, id, "withdraw").await
}
