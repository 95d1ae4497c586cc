//! One house, for its manager: which of the seven conditions it meets, and where it is.

use crate::accommodation::model::{AccommodationView, Address, AddressWritten, Condition};
use crate::guard::action::{Purpose, Verb};
use crate::guard::record::RecordKind;
use crate::platform::http::Listed;
use crate::platform::page::{At, Choice, Choices, Fields, Layout, Pages, Refused, Text, Visitor, go, page};
use crate::platform::problem::Problem;
use crate::staff::model::Made;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, json};
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/houses/{id}/certificate", certificate)
        .post("/houses/{id}/certificate", certify)
        .get("/houses/{id}/address", address)
        .post("/houses/{id}/address", write)
}

#[derive(Template)]
#[template(path = "accommodation/pages/certificate.html")]
struct CertificatePage {
    page: Layout,
    id: Uuid,
    key: String,
    conditions: Choices,
    expires: Text,
    words: String,
}

async fn certificate_page(
    visitor: &Visitor,
    id: Uuid,
    typed: Option<&Fields>,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("house-certificate-help").await?.with_form("certificate");
    let houses = visitor.get("/api/v1/accommodations?limit=100").send::<Listed<AccommodationView>>().await?.body.items;
    let layout = layout.for_who_does(RecordKind::Accommodation, Verb::Append)?;
    let house = houses.into_iter().find(|house| house.id.0 == id && Some(house.organisation) == layout.organisation);
    let house = house.ok_or_else(Problem::absent)?;
    let met = |condition: &Condition| match (typed, &house.certificate) {
        (Some(fields), _) => fields.all("conditions").any(|met| met == condition.as_str()),
        (None, Some(certificate)) => !certificate.missing.contains(condition),
        (None, None) => false,
    };
    let choice = |condition: &Condition| Choice {
        value: condition.as_str().to_owned(),
        label: layout.word("condition", condition.as_str()),
        chosen: met(condition),
    };
    let fields = typed.cloned().unwrap_or_default();
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let choices = Condition::ALL.iter().map(choice).collect();
    let certificate = CertificatePage {
        id,
        key: layout.key_after(&fields, refused),
        conditions: Choices::new("conditions", layout.say("house-conditions"), choices)
            .hint(layout.say("house-conditions-hint")),
        expires: Text::line("expires_at", layout.say("house-until"))
            .kind("datetime-local")
            .hint(layout.say("house-until-hint"))
            .value(&fields.text("expires_at"))
            .error(wrong("expires_at").then(|| layout.say("house-until-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &certificate))
}

async fn certificate(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    certificate_page(&visitor, id, None, None).await
}

async fn certify(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return certificate_page(&visitor, id, Some(&fields), None).await;
    }
    let met: Vec<&str> = fields.all("conditions").collect();
    let new = json!({ "conditions": met, "expires_at": visitor.moment_typed(&fields.text("expires_at")) });
    let asked = visitor.post(format!("/api/v1/accommodations/{id}/certificates")).key(&fields.text("key"));
    match asked.json(&new)?.send::<Made>().await {
        Ok(_) => Ok(go("/houses")),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => certificate_page(&visitor, id, Some(&fields), Some(&refused)).await,
    }
}

#[derive(Template)]
#[template(path = "accommodation/pages/address.html")]
struct AddressPage {
    page: Layout,
    id: Uuid,
    etag: String,
    texts: Vec<Text>,
    /// What another manager wrote meanwhile.
    there: Vec<(String, String)>,
    words: String,
}

const LINES: [(&str, u8); 3] = [("address", 2), ("directions", 3), ("telephone", 1)];

/// As it is stored, with its version; empty where nobody has written it.
async fn stored(visitor: &Visitor, id: Uuid) -> Result<(Address, String), Refused> {
    let asked = visitor.get(format!("/api/v1/accommodations/{id}/address")).purpose(Purpose::Care);
    match asked.send::<Address>().await {
        Ok(given) => Ok((given.body, given.etag)),
        Err(refused) if refused.status() == StatusCode::NOT_FOUND => {
            Ok((Address { address: String::new(), directions: None, telephone: None }, "\"0\"".to_owned()))
        }
        Err(refused) => Err(refused),
    }
}

fn lines(address: &Address) -> [(&'static str, String); 3] {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        ("address", address.address.clone()),
        ("directions", of(&address.directions)),
        ("telephone", of(&address.telephone)),
    ]
}

fn address_page(
    layout: Layout,
    id: Uuid,
    (typed, etag): (&[(&'static str, String)], String),
    there: &[(&'static str, String)],
    refused: Option<&Refused>,
) -> Response {
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let label = |name: &str| layout.say(&format!("house-{name}-line"));
    let text = |(name, rows): (&'static str, u8)| {
        let value = typed.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str());
        let error = wrong(name).then(|| layout.say("house-address-rule"));
        Text::line(name, label(name)).rows(rows).value(value).error(error)
    };
    let differs =
        |(name, saved): &&(&'static str, String)| !typed.iter().any(|(known, value)| known == name && value == saved);
    let shown = AddressPage {
        id,
        etag,
        texts: LINES.into_iter().map(text).collect(),
        there: there.iter().filter(differs).map(|(name, saved)| (label(name), saved.clone())).collect(),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    page(refused.map_or(StatusCode::OK, Refused::status), &shown)
}

async fn layout(visitor: &Visitor) -> Result<Layout, Refused> {
    Ok(visitor.layout("house-address-help").await?.with_form("address"))
}

async fn address(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    let layout = layout(&visitor).await?;
    let (address, etag) = stored(&visitor, id).await?;
    let layout = layout.for_who_does(RecordKind::Address, Verb::Write)?;
    Ok(address_page(layout, id, (&lines(&address), etag), &[], None))
}

async fn write(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    let layout = layout(&visitor).await?;
    let typed = LINES.map(|(name, _)| (name, fields.text(name)));
    if fields.get("speak").is_some() {
        return Ok(address_page(layout, id, (&typed, fields.text("etag")), &[], None));
    }
    let new: Map<_, _> = typed
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let asked = visitor.put(format!("/api/v1/accommodations/{id}/address")).etag(&fields.text("etag")).json(&new)?;
    match asked.send::<AddressWritten>().await {
        Ok(given) if given.body.without_address.is_empty() => Ok(go("/houses")),
        Ok(_) => Ok(page(StatusCode::OK, &MovedPage { page: layout })),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        // Another manager wrote meanwhile: what stands there now is shown beside what was typed, before that replaces it.
        Err(refused) if refused.code() == "changed_meanwhile" => {
            let (there, etag) = stored(&visitor, id).await?;
            Ok(address_page(layout, id, (&typed, etag), &lines(&there), Some(&refused)))
        }
        Err(refused) => Ok(address_page(layout, id, (&typed, fields.text("etag")), &[], Some(&refused))),
    }
}

/// The house has moved, and others have to write it as well.
#[derive(Template)]
#[template(path = "accommodation/pages/moved.html")]
struct MovedPage {
    page: Layout,
}
