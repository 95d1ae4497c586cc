//! What a person agrees to and what not, as they said it: read, written down, and taken back. The same for somebody on a case and for somebody in
//! a house.

use super::model::{ConsentStands, ConsentState, ConsentView, Said, Section, Source};
use crate::accommodation::model::AccommodationView;
use crate::calls::pages::form::LANGUAGES;
use crate::guard::action::Purpose;
use crate::guard::record::OrganisationId;
use crate::placements::content::PlacementView;
use crate::placements::pages::language;
use crate::platform::http::Listed;
use crate::platform::page::{At, Choice, Fields, Layout, Pages, Question, Refused, Text, Visitor, go, own_path, page};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/placements/{id}/consents", of_placement)
        .post("/placements/{id}/consents", record_on_placement)
        .get("/cases/{id}/persons/{person}/consents", of_person)
        .post("/cases/{id}/persons/{person}/consents", record_on_person)
        .post("/consents/{id}/answer", answer)
        .post("/consents/{id}/withdraw", withdraw)
}

/// On what it is recorded.
#[derive(Clone, Copy)]
enum On {
    Placement(Uuid),
    Person(Uuid, Uuid),
}

impl On {
    fn path(self) -> String {
        match self {
            Self::Placement(id) => format!("/placements/{id}/consents"),
            Self::Person(case, person) => format!("/cases/{case}/persons/{person}/consents"),
        }
    }

    fn back(self) -> String {
        match self {
            Self::Placement(id) => format!("/placements/{id}"),
            Self::Person(case, _) => format!("/cases/{case}"),
        }
    }

    const fn purpose(self) -> Purpose {
        match self {
            Self::Placement(_) => Purpose::Care,
            Self::Person(..) => Purpose::CaseWork,
        }
    }

    /// What a recipient would see it for.
    const fn theirs(self) -> Purpose {
        match self {
            Self::Placement(_) => Purpose::CaseWork,
            Self::Person(..) => Purpose::Care,
        }
    }

    /// What may be shared from here, the likeliest first.
    const fn sections(self) -> &'static [Section] {
        match self {
            Self::Placement(_) => &[Section::Care],
            Self::Person(..) => Section::ALL,
        }
    }
}

/// Somebody who would see it, by the name that there is for them.
struct Recipient {
    id: OrganisationId,
    name: String,
}

/// Who would see it: the squad that asked for the place, or the houses.
async fn recipients(visitor: &Visitor, layout: &Layout, on: On) -> Result<Vec<Recipient>, Refused> {
    if let On::Placement(id) = on {
        let asked = visitor.get(format!("/api/v1/placements/{id}")).purpose(Purpose::Care);
        let squad = asked.send::<PlacementView>().await?.body.squad;
        return Ok(vec![Recipient { id: squad, name: layout.say("consent-to-squad") }]);
    }
    let houses = visitor.get("/api/v1/accommodations?limit=100").send::<Listed<AccommodationView>>().await?.body.items;
    let mut all: Vec<Recipient> = Vec::new();
    for house in houses {
        if all.iter().any(|known| known.id == house.organisation) {
            continue;
        }
        let kind = layout.word("house", house.kind.as_str());
        let name = format!("{kind} · {}", house.organisation.short());
        all.push(Recipient { id: house.organisation, name });
    }
    Ok(all)
}

#[derive(Template)]
#[template(path = "consents/pages/consents.html")]
struct ConsentsPage {
    page: Layout,
    path: String,
    back: String,
    consents: Vec<Shown>,
    next: Option<String>,
    key: String,
    questions: Vec<Question>,
    /// What is not asked since there is one answer.
    fixed: Vec<(&'static str, String)>,
    what: String,
    explained: Text,
    language: Question,
    expires: Text,
    words: String,
    open: bool,
}

struct Shown {
    view: ConsentView,
    what: String,
    said: String,
    language: String,
    /// Whether it was asked, and not answered yet.
    asked: bool,
    taken_back: bool,
}

fn in_words(layout: &Layout, view: ConsentView, recipients: &[Recipient]) -> Shown {
    let name = recipients.iter().find(|known| known.id == view.recipient).map(|known| known.name.clone());
    let own = layout.organisation == Some(view.recipient);
    let name = name.unwrap_or_else(|| layout.say(if own { "consent-to-own" } else { "consent-to-other" }));
    let section = layout.word("consent-section", view.section.as_str());
    let (said, source) =
        (layout.word("consent-state", view.state.as_str()), layout.word("consent-by", view.source.as_str()));
    Shown {
        what: format!("{section} · {name}"),
        said: format!("{said} · {source}"),
        language: language(layout, &view.language),
        asked: view.state == ConsentState::Asked,
        taken_back: matches!(view.state, ConsentState::Given | ConsentState::Refused),
        view,
    }
}

async fn shown(visitor: &Visitor, on: On, fields: &Fields, refused: Option<&Refused>) -> Result<Response, Refused> {
    let layout = visitor.layout("consents-help").await?.back_to(on.path()).with_form("consent");
    let asked = visitor.get(format!("/api/v1{}?limit=100", on.path())).purpose(on.purpose());
    let Listed { items, next } = asked.send::<Listed<ConsentView>>().await?.body;
    let recipients = recipients(visitor, &layout, on).await?;
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let rule = |field: &str, key: &str| wrong(field).then(|| layout.say(key));
    let of = |name: &'static str, label: &str, family: &str, words: Vec<&'static str>| {
        Question::of_words(&layout, (name, label, family), words.into_iter(), None, &fields.text(name))
            .error(rule(name, "consent-rule"))
    };
    let sections: Vec<&'static str> = on.sections().iter().map(|section| section.as_str()).collect();
    let chosen = fields.text("recipient");
    let choice = |known: &Recipient| {
        let value = known.id.to_string();
        Choice { chosen: value == chosen, value, label: known.name.clone() }
    };
    let (mut questions, mut fixed, mut what) = (Vec::new(), Vec::new(), String::new());
    if let ([recipient], [section]) = (recipients.as_slice(), sections.as_slice()) {
        fixed = vec![("recipient", recipient.id.to_string()), ("section", (*section).to_owned())];
        what = format!("{} · {}", layout.word("consent-section", section), recipient.name);
    } else {
        let choices = recipients.iter().map(choice).collect();
        let to = Question::of_choices("recipient", layout.say("consent-to"), choices);
        questions.push(to.error(rule("recipient", "consent-rule")));
        questions.push(of("section", "consent-of", "consent-section", sections));
    }
    questions.push(of("said", "consent-said", "consent-said", Said::ALL.iter().map(|said| said.as_str()).collect()));
    questions.push(of("source", "consent-who", "consent-by", Source::ALL.iter().map(|who| who.as_str()).collect()));
    let spoken = fields.get("language").unwrap_or("az");
    let languages = LANGUAGES.iter().filter(|code| **code != "und").map(|code| Choice {
        value: (*code).to_owned(),
        label: language(&layout, code),
        chosen: *code == spoken,
    });
    let consents = ConsentsPage {
        path: on.path(),
        back: on.back(),
        consents: items.into_iter().map(|view| in_words(&layout, view, &recipients)).collect(),
        next,
        key: layout.key_after(fields, refused),
        questions,
        fixed,
        what,
        explained: Text::line("explained", layout.say("consent-explained"))
            .rows(3)
            .hint(layout.say("consent-explained-hint"))
            .value(&fields.text("explained"))
            .error(rule("explained", "consent-explained-rule")),
        language: Question::of_choices("language", layout.say("consent-language"), languages.collect())
            .folded()
            .error(rule("language", "consent-rule")),
        expires: Text::line("expires_at", layout.say("consent-until"))
            .kind("datetime-local")
            .hint(layout.say("consent-until-hint"))
            .value(&fields.text("expires_at"))
            .error(rule("expires_at", "consent-until-rule")),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        open: refused.is_some() || fields.get("explained").is_some(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &consents))
}

async fn record(visitor: &Visitor, on: On, fields: &Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return shown(visitor, on, fields, None).await;
    }
    let mut new = json!({
        "purpose": on.theirs(),
        "recipient": fields.text("recipient"),
        "section": fields.text("section"),
        "said": fields.text("said"),
        "source": fields.text("source"),
        "explained": fields.text("explained"),
        "language": fields.text("language"),
    });
    if let (Some(new), Some(at)) = (new.as_object_mut(), fields.get("expires_at")) {
        new.insert("expires_at".to_owned(), json!(visitor.moment_typed(at)));
    }
    let asked = visitor.post(format!("/api/v1{}", on.path())).key(&fields.text("key")).json(&new)?;
    match asked.send::<ConsentStands>().await {
        Ok(_) => Ok(go(&on.path())),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => shown(visitor, on, fields, Some(&refused)).await,
    }
}

async fn of_placement(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    shown(&visitor, On::Placement(id), &Fields::default(), None).await
}

async fn record_on_placement(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    record(&visitor, On::Placement(id), &fields).await
}

async fn of_person(visitor: Visitor, At((case, person)): At<(Uuid, Uuid)>) -> Result<Response, Refused> {
    shown(&visitor, On::Person(case, person), &Fields::default(), None).await
}

async fn record_on_person(
    visitor: Visitor,
    At((case, person)): At<(Uuid, Uuid)>,
    fields: Fields,
) -> Result<Response, Refused> {
    record(&visitor, On::Person(case, person), &fields).await
}

/// Back to where it is shown.
fn back(fields: &Fields) -> Response {
    go(own_path(fields.get("to").unwrap_or("/")))
}

/// One button says both: what was answered, and by whom.
async fn answer(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    let answer = fields.text("answer");
    let (said, source) = answer.split_once('.').unwrap_or((&answer, ""));
    let body = json!({ "said": said, "source": source });
    visitor.post(format!("/api/v1/consents/{id}/answer")).json(&body)?.send::<Value>().await?;
    Ok(back(&fields))
}

async fn withdraw(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    visitor.post(format!("/api/v1/consents/{id}/withdraw")).send::<Value>().await?;
    Ok(back(&fields))
}
