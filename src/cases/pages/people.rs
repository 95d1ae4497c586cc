//! Who is on a case: a colleague is put on it, to work on it or to read it.

use crate::cases::model::{AccessView, CaseRelation};
use crate::guard::action::Verb;
use crate::guard::record::RecordKind;
use crate::guard::statement::AccessReason;
use crate::platform::http::Listed;
use crate::platform::page::{At, Choice, Fields, Layout, Pages, Question, Refused, Visitor, go, page};
use crate::staff::model::ColleagueView;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default().get("/cases/{id}/access", asked).post("/cases/{id}/access", give)
}

/// The reasons for which one colleague puts another on a case; the others are the service's own.
pub const REASONS: [AccessReason; 5] = [
    AccessReason::ShiftChange,
    AccessReason::Absence,
    AccessReason::Workload,
    AccessReason::Expertise,
    AccessReason::WishOfThePerson,
];

#[derive(Template)]
#[template(path = "cases/pages/people.html")]
struct PeoplePage {
    page: Layout,
    id: Uuid,
    key: String,
    account: Question,
    relation: Question,
    reason: Question,
    words: String,
}

async fn shown(visitor: &Visitor, id: Uuid, fields: &Fields, refused: Option<&Refused>) -> Result<Response, Refused> {
    let layout = visitor.layout("people-help").await?.with_form("people");
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let layout = layout.for_who_does(RecordKind::Case, Verb::Assign)?;
    let works = |person: &ColleagueView| {
        Some(person.account) != layout.account && visitor.ever_does(person.role, RecordKind::Case, Verb::Write)
    };
    let chosen = fields.text("account");
    let colleague = |person: ColleagueView| {
        let value = person.account.to_string();
        let label = format!("{} · {}", person.handle, layout.word("post", person.role.as_str()));
        Choice { chosen: value == chosen, value, label }
    };
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let relations = [CaseRelation::Assigned, CaseRelation::Granted].into_iter().map(CaseRelation::as_str);
    let reasons = REASONS.into_iter().map(AccessReason::as_str);
    let account = people.into_iter().filter(works).map(colleague).collect();
    let relation = ("relation", "people-relation", "people-relation");
    let people = PeoplePage {
        id,
        key: layout.key_after(fields, refused),
        account: Question::of_choices("account", layout.say("people-who"), account)
            .folded()
            .error(wrong("account").then(|| layout.say("people-rule"))),
        relation: Question::of_words(&layout, relation, relations, None, &fields.text("relation"))
            .error(wrong("relation").then(|| layout.say("people-rule"))),
        reason: Question::of_words(
            &layout,
            ("reason", "people-why", "access-reason"),
            reasons,
            None,
            &fields.text("reason"),
        )
        .error(wrong("reason").then(|| layout.say("people-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &people))
}

async fn asked(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    shown(&visitor, id, &Fields::default(), None).await
}

async fn give(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return shown(&visitor, id, &fields, None).await;
    }
    let asked = visitor.post(format!("/api/v1/cases/{id}/access")).key(&fields.text("key"));
    let new = json!({ "account": fields.text("account"), "relation": fields.text("relation"), "reason": fields.text("reason") });
    match asked.json(&new)?.send::<AccessView>().await {
        Ok(_) => Ok(go(&format!("/cases/{id}"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => shown(&visitor, id, &fields, Some(&refused)).await,
    }
}
