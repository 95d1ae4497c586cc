//! A section, opened: read and replaced whole by who works on the case. Where a colleague saved meanwhile, both are shown, and whoever typed
//! chooses; nothing of either is lost.

use super::form::{self, Shown, Typed};
use super::of_person;
use crate::cases::document::OF_CASE;
use crate::cases::model::SectionStored;
use crate::guard::action::Purpose;
use crate::guard::record::RecordKind;
use crate::platform::page::{At, Fields, Layout, Pages, Refused, Visitor, go, page};
use crate::platform::problem::Problem;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/cases/{id}/sections/{kind}", read_of_case)
        .post("/cases/{id}/sections/{kind}", write_of_case)
        .get("/cases/{id}/persons/{person}/sections/{kind}", read_of_person)
        .post("/cases/{id}/persons/{person}/sections/{kind}", write_of_person)
}

/// Which section, and where it lies.
struct Place {
    case: String,
    path: String,
    kind: RecordKind,
}

impl Place {
    fn of_case((case, kind): (Uuid, String)) -> Result<Self, Refused> {
        let kind = kind.parse().ok().filter(|kind| OF_CASE.contains(kind)).ok_or_else(Problem::absent)?;
        let case = format!("/cases/{case}");
        Ok(Self { path: format!("{case}/sections/{kind}"), case, kind })
    }

    fn of_person((case, person, kind): (Uuid, Uuid, String)) -> Result<Self, Refused> {
        let kind = kind.parse().ok().filter(|kind| of_person(*kind)).ok_or_else(Problem::absent)?;
        let case = format!("/cases/{case}");
        Ok(Self { path: format!("{case}/persons/{person}/sections/{kind}"), case, kind })
    }
}

/// A section as the API gives it.
#[derive(Deserialize)]
struct Opened {
    content: Value,
    writable: bool,
}

async fn opened(visitor: &Visitor, place: &Place) -> Result<(Typed, String, bool), Refused> {
    let asked = visitor.get(format!("/api/v1{}", place.path)).purpose(Purpose::CaseWork);
    let given = asked.send::<Opened>().await?;
    Ok((Typed::saved(place.kind, &given.body.content), given.etag, given.body.writable))
}

#[derive(Template)]
#[template(path = "cases/pages/section.html")]
struct SectionPage<'a> {
    page: Layout,
    place: &'a Place,
    etag: &'a str,
    /// For who writes.
    form: Vec<Shown>,
    /// For who reads and does not write.
    told: Vec<(String, String)>,
    writable: bool,
    words: String,
}

fn shown(
    layout: Layout,
    place: &Place,
    (typed, etag, writable): (&Typed, &str, bool),
    refused: Option<&Refused>,
) -> Response {
    let layout = layout.back_to(&place.path).with_form(if writable { "section" } else { "" });
    let section = SectionPage {
        place,
        etag,
        form: if writable { form::form(&layout, typed, refused) } else { Vec::new() },
        told: if writable { Vec::new() } else { form::read(&layout, typed) },
        writable,
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    page(refused.map_or(StatusCode::OK, Refused::status), &section)
}

async fn read(visitor: &Visitor, place: &Place) -> Result<Response, Refused> {
    let layout = visitor.layout("section-help").await?;
    let (typed, etag, writable) = opened(visitor, place).await?;
    Ok(shown(layout, place, (&typed, &etag, writable), None))
}

async fn write(visitor: &Visitor, place: &Place, fields: &Fields) -> Result<Response, Refused> {
    let (mut typed, mut etag) = (Typed::of(place.kind, fields), fields.text("etag"));
    if fields.get("speak").is_some() {
        if fields.get("differs").is_some() {
            return conflict(visitor, place, &typed).await;
        }
        let layout = visitor.layout("section-help").await?;
        return Ok(shown(layout, place, (&typed, &etag, true), None));
    }
    match fields.get("choice") {
        Some("saved") => return Ok(go(&place.path)),
        Some("both") => {
            let (saved, newer, _) = opened(visitor, place).await?;
            (typed, etag) = (typed.joined(&saved), newer);
        }
        _ => {}
    }
    let asked = visitor.put(format!("/api/v1{}", place.path)).etag(&etag).json(&typed.content())?;
    match asked.send::<SectionStored>().await {
        Ok(_) => Ok(go(&place.case)),
        Err(refused) if refused.code() == "sign_in" => Err(refused),
        Err(refused) if refused.code() == "changed_meanwhile" => conflict(visitor, place, &typed).await,
        Err(refused) => {
            let layout = visitor.layout("section-help").await?;
            Ok(shown(layout, place, (&typed, &etag, true), Some(&refused)))
        }
    }
}

#[derive(Template)]
#[template(path = "cases/pages/conflict.html")]
struct ConflictPage<'a> {
    page: Layout,
    place: &'a Place,
    etag: String,
    typed: Vec<(&'static str, &'a str)>,
    differing: Vec<Differing>,
}

struct Differing {
    name: String,
    there: String,
    here: String,
}

async fn conflict(visitor: &Visitor, place: &Place, typed: &Typed) -> Result<Response, Refused> {
    let layout = visitor.layout("section-help").await?.with_form("conflict");
    let (saved, etag, _) = opened(visitor, place).await?;
    let differing = typed.differs(&saved).into_iter().map(|field| Differing {
        name: form::name(&layout, field),
        there: form::said(&layout, field, &saved),
        here: form::said(&layout, field, typed),
    });
    let conflict =
        ConflictPage { place, etag, typed: typed.iter().collect(), differing: differing.collect(), page: layout };
    Ok(page(StatusCode::PRECONDITION_FAILED, &conflict))
}

async fn read_of_case(visitor: Visitor, At(place): At<(Uuid, String)>) -> Result<Response, Refused> {
    read(&visitor, &Place::of_case(place)?).await
}

async fn read_of_person(visitor: Visitor, At(place): At<(Uuid, Uuid, String)>) -> Result<Response, Refused> {
    read(&visitor, &Place::of_person(place)?).await
}

async fn write_of_case(visitor: Visitor, At(place): At<(Uuid, String)>, fields: Fields) -> Result<Response, Refused> {
    write(&visitor, &Place::of_case(place)?, &fields).await
}

async fn write_of_person(
    visitor: Visitor,
    At(place): At<(Uuid, Uuid, String)>,
    fields: Fields,
) -> Result<Response, Refused> {
    write(&visitor, &Place::of_person(place)?, &fields).await
}
