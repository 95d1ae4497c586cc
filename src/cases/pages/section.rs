//! A section, opened: read and replaced whole by who works on the case. Where a colleague saved meanwhile, what both changed is put together
//! (`join`) and shown before it is saved; nothing of either is lost.

use super::form::{self, Shown, Typed};
use super::join::{self, Base, Marks};
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
    /// Whether a colleague saved meanwhile, and both are put together here.
    joined: bool,
    hidden: Vec<(String, String)>,
    /// For who writes.
    form: Vec<Shown>,
    /// For who reads and does not write.
    told: Vec<(String, String)>,
    writable: bool,
    words: String,
}

/// What a form holds: what is typed, over what it was typed, and what of it was put together with a colleague's.
struct Written {
    typed: Typed,
    base: Base,
    marks: Marks,
    etag: String,
    /// Whether somebody saved meanwhile: that is told, also where nothing of it was changed.
    met: bool,
}

impl Written {
    fn sent(place: &Place, fields: &Fields) -> Self {
        let (typed, base) = (Typed::of(place.kind, fields), Base::of(place.kind, fields));
        let marks = Marks::of(place.kind, fields);
        Self { typed, base, met: marks.any(), marks, etag: fields.text("etag") }
    }
}

fn shown(layout: Layout, place: &Place, written: &Written, writable: bool, refused: Option<&Refused>) -> Response {
    let layout = layout.back_to(&place.path).with_form(if writable { "section" } else { "" });
    let Written { typed, base, marks, etag, met } = written;
    let asked = marks.any() && !marks.all_chosen() && refused.is_none();
    let wrong: Vec<&str> = refused.map(|refused| refused.fields().collect()).unwrap_or_default();
    let section = SectionPage {
        place,
        etag,
        joined: *met,
        hidden: [base.hidden(), marks.hidden()].concat(),
        form: if writable { form::form(&layout, typed, marks, &wrong) } else { Vec::new() },
        told: if writable { Vec::new() } else { form::read(&layout, typed) },
        writable,
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    let status = if asked { StatusCode::PRECONDITION_FAILED } else { StatusCode::OK };
    page(refused.map_or(status, Refused::status), &section)
}

async fn read(visitor: &Visitor, place: &Place) -> Result<Response, Refused> {
    let layout = visitor.layout("section-help").await?;
    let (typed, etag, writable) = opened(visitor, place).await?;
    let written = Written { base: Base::read(&typed), typed, marks: Marks::default(), etag, met: false };
    Ok(shown(layout, place, &written, writable, None))
}

async fn write(visitor: &Visitor, place: &Place, fields: &Fields) -> Result<Response, Refused> {
    let written = Written::sent(place, fields);
    if fields.get("speak").is_some() || !written.marks.all_chosen() {
        let layout = visitor.layout("section-help").await?;
        return Ok(shown(layout, place, &written, true, None));
    }
    let asked = visitor.put(format!("/api/v1{}", place.path)).etag(&written.etag).json(&written.typed.content())?;
    match asked.send::<SectionStored>().await {
        Ok(_) => Ok(go(&place.case)),
        Err(refused) if refused.code() == "sign_in" => Err(refused),
        Err(refused) if refused.code() == "changed_meanwhile" => together(visitor, place, &written).await,
        Err(refused) => {
            let layout = visitor.layout("section-help").await?;
            Ok(shown(layout, place, &written, true, Some(&refused)))
        }
    }
}

/// A colleague saved meanwhile: what both changed is put together, and shown before any of it is saved.
async fn together(visitor: &Visitor, place: &Place, written: &Written) -> Result<Response, Refused> {
    let layout = visitor.layout("section-help").await?;
    let (saved, etag, writable) = opened(visitor, place).await?;
    let one = join::one_between(&written.etag, &etag);
    let (typed, marks) = join::joined(&written.base, &written.typed, &saved, one);
    let both = Written { base: Base::read(&saved), typed, marks, etag, met: true };
    let mut response = shown(layout, place, &both, writable, None);
    *response.status_mut() = StatusCode::PRECONDITION_FAILED;
    Ok(response)
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
