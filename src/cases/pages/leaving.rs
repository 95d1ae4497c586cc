//! Who leaves a case: oneself at once, a colleague when two say so.

use crate::cases::model::{AccessEnded, CaseDetail, RemovalView};
use crate::guard::action::{Purpose, Verb};
use crate::guard::record::{AccountId, RecordKind};
use crate::platform::http::Listed;
use crate::platform::page::{At, Choice, Fields, Layout, Pages, Question, Refused, Visitor, go, page};
use crate::staff::model::ColleagueView;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/cases/{id}/removals", waiting)
        .post("/cases/{id}/removals", propose)
        .post("/cases/{id}/removals/{removal}/confirm", confirm)
        .post("/cases/{id}/leave", leave)
}

#[derive(Template)]
#[template(path = "cases/pages/removals.html")]
struct RemovalsPage {
    page: Layout,
    id: Uuid,
    key: String,
    waiting: Vec<Waiting>,
    account: Question,
    words: String,
}

struct Waiting {
    view: RemovalView,
    name: String,
    by: String,
    /// Whoever proposed it does not confirm it.
    own: bool,
}

async fn shown(visitor: &Visitor, id: Uuid, fields: &Fields, refused: Option<&Refused>) -> Result<Response, Refused> {
    let layout = visitor.layout("removals-help").await?.back_to(format!("/cases/{id}/removals")).with_form("removal");
    let path = format!("/api/v1/cases/{id}");
    let asked = visitor.get(format!("{path}/removals")).purpose(Purpose::CaseWork);
    let waiting = asked.send::<Listed<RemovalView>>().await?.body.items;
    let case = visitor.get(path).purpose(Purpose::CaseWork).send::<CaseDetail>().await?.body;
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let layout = layout.for_who_does(RecordKind::Removal, Verb::Propose)?;
    let names: HashMap<AccountId, String> = people.into_iter().map(|who| (who.account, who.handle)).collect();
    let name = |account: &AccountId| names.get(account).cloned().unwrap_or_else(|| layout.say("roster-somebody"));
    let chosen = fields.text("account");
    let others = case.access.iter().filter(|access| Some(access.account) != layout.account).map(|access| {
        let value = access.account.to_string();
        Choice { chosen: value == chosen, value, label: name(&access.account) }
    });
    let wrong = refused.is_some_and(|refused| refused.fields().any(|name| name == "account"));
    let account = Question::of_choices("account", layout.say("removal-who"), others.collect());
    let told = |view: RemovalView| Waiting {
        name: name(&view.account),
        by: name(&view.by),
        own: layout.account == Some(view.by),
        view,
    };
    let removals = RemovalsPage {
        id,
        key: layout.key_after(fields, refused),
        waiting: waiting.into_iter().map(told).collect(),
        account: account.error(wrong.then(|| layout.say("people-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &removals))
}

async fn waiting(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    shown(&visitor, id, &Fields::default(), None).await
}

async fn propose(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return shown(&visitor, id, &fields, None).await;
    }
    let asked = visitor.post(format!("/api/v1/cases/{id}/removals")).key(&fields.text("key"));
    match asked.json(&json!({ "account": fields.text("account") }))?.send::<RemovalView>().await {
        Ok(_) => Ok(go(&format!("/cases/{id}/removals"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => shown(&visitor, id, &fields, Some(&refused)).await,
    }
}

async fn confirm(visitor: Visitor, At((id, removal)): At<(Uuid, Uuid)>) -> Result<Response, Refused> {
    let asked = visitor.post(format!("/api/v1/cases/{id}/removals/{removal}/confirm"));
    match asked.send::<AccessEnded>().await {
        Ok(_) => Ok(go(&format!("/cases/{id}"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => shown(&visitor, id, &Fields::default(), Some(&refused)).await,
    }
}

/// One's own act, for everybody but the last.
async fn leave(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    let me = visitor.current().await?.account;
    match visitor.delete(format!("/api/v1/cases/{id}/access/{me}")).send::<AccessEnded>().await {
        Ok(_) => Ok(go("/cases")),
        Err(refused) => super::back_to_case::<()>(&visitor, id, Err(refused)).await,
    }
}
