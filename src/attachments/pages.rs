//! Files: what hangs on a notice or on a section of a case, and one of them, which a browser stores and never shows.

use super::model::AttachmentView;
use crate::cases::section::{of_case, of_person};
use crate::guard::action::Purpose;
use crate::guard::record::RecordKind;
use crate::platform::http::Listed;
use crate::platform::page::{At, Layout, Pages, Refused, Visitor, page};
use crate::platform::problem::Problem;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/notices/{id}/files", of_notice)
        .get("/notices/{id}/files/{file}", one_of_notice)
        .get("/cases/{id}/sections/{kind}/files", of_section)
        .get("/cases/{id}/sections/{kind}/files/{file}", one_of_section)
        .get("/cases/{id}/persons/{person}/sections/{kind}/files", of_persons_section)
        .get("/cases/{id}/persons/{person}/sections/{kind}/files/{file}", one_of_persons_section)
}

#[derive(Template)]
#[template(path = "attachments/pages/files.html")]
struct FilesPage<'a> {
    page: Layout,
    /// What they hang on.
    on: &'a str,
    files: Vec<AttachmentView>,
}

impl FilesPage<'_> {
    /// A length, as people say it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template passes a reference")]
    fn size(&self, bytes: &u64) -> String {
        let (kib, mib) = (bytes.div_ceil(1024), bytes / (1024 * 1024));
        let (key, number) = if mib > 0 { ("files-mib", mib) } else { ("files-kib", kib) };
        self.page.say_with(key, "number", number.to_string())
    }
}

/// The same words for the address of the page and of the API.
async fn list(visitor: &Visitor, on: &str, purpose: Purpose) -> Result<Response, Refused> {
    let layout = visitor.layout("files-help").await?;
    let asked = visitor.get(format!("/api/v1{on}/attachments")).purpose(purpose);
    let files = asked.send::<Listed<AttachmentView>>().await?.body.items;
    Ok(page(StatusCode::OK, &FilesPage { page: layout, on, files }))
}

async fn one(visitor: &Visitor, on: &str, file: Uuid, purpose: Purpose) -> Result<Response, Refused> {
    visitor.get(format!("/api/v1{on}/attachments/{file}")).purpose(purpose).through().await
}

/// The address of a section; a word that is none goes nowhere.
fn section(case: Uuid, person: Option<Uuid>, kind: &str) -> Result<String, Refused> {
    let place = person.map_or_else(|| of_case(case, kind), |person| of_person(case, person, kind));
    if place.kind == RecordKind::Case {
        return Err(Problem::absent().into());
    }
    let within = person.map(|person| format!("/persons/{person}")).unwrap_or_default();
    Ok(format!("/cases/{case}{within}/sections/{}", place.kind))
}

async fn of_notice(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    list(&visitor, &format!("/notices/{id}"), Purpose::Intake).await
}

async fn one_of_notice(visitor: Visitor, At((id, file)): At<(Uuid, Uuid)>) -> Result<Response, Refused> {
    one(&visitor, &format!("/notices/{id}"), file, Purpose::Intake).await
}

async fn of_section(visitor: Visitor, At((case, kind)): At<(Uuid, String)>) -> Result<Response, Refused> {
    list(&visitor, &section(case, None, &kind)?, Purpose::CaseWork).await
}

async fn one_of_section(
    visitor: Visitor,
    At((case, kind, file)): At<(Uuid, String, Uuid)>,
) -> Result<Response, Refused> {
    one(&visitor, &section(case, None, &kind)?, file, Purpose::CaseWork).await
}

async fn of_persons_section(
    visitor: Visitor,
    At((case, person, kind)): At<(Uuid, Uuid, String)>,
) -> Result<Response, Refused> {
    list(&visitor, &section(case, Some(person), &kind)?, Purpose::CaseWork).await
}

async fn one_of_persons_section(
    visitor: Visitor,
    At((case, person, kind, file)): At<(Uuid, Uuid, String, Uuid)>,
) -> Result<Response, Refused> {
    one(&visitor, &section(case, Some(person), &kind)?, file, Purpose::CaseWork).await
}
