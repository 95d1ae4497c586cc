//! The administrator's pages: organisations, empty accounts, and whether the service is well. Nothing of a person, a call or a case stands here;
//! whom an account is for, and as what, two responsible persons say.

use crate::guard::action::{Purpose, Verb};
use crate::guard::record::{OrganisationId, RecordKind};
use crate::guard::statement::OrganisationKind;
use crate::platform::http::Listed;
use crate::platform::page::{
    At, Choice, Choices, Entry, Fields, Layout, Pages, Question, Refused, Text, Visitor, go, page,
};
use crate::staff::model::{AccountMade, AccountView, Made, OrganisationView};
use askama::Template;
use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

pub const ORGANISATIONS: Entry = Entry {
    path: "/organisations",
    name: "organisations-title",
    kind: RecordKind::Organisation,
    verb: Verb::List,
    purpose: None::<Purpose>,
};

pub const ACCOUNTS: Entry =
    Entry { path: "/accounts", name: "accounts-title", kind: RecordKind::Account, ..ORGANISATIONS };

/// What the service says of itself, each in words of its own.
pub const HEALTH: [&str; 6] = ["ready", "outage", "ledger_behind", "ledger_not_witnessed", "no_sequencer", "other"];

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/organisations", organisations)
        .post("/organisations", make_organisation)
        .get("/accounts", accounts)
        .get("/accounts/after/{cursor}", accounts_after)
        .post("/accounts", make_account)
        .post("/accounts/{id}/disable", disable)
}

#[derive(Template)]
#[template(path = "staff/pages/organisations.html")]
struct OrganisationsPage {
    page: Layout,
    organisations: Vec<OrganisationView>,
    health: String,
    well: bool,
    key: String,
    kind: Question,
    name: Text,
    words: String,
}

async fn all(visitor: &Visitor) -> Result<Vec<OrganisationView>, Refused> {
    Ok(visitor.get("/api/v1/organisations?limit=100").send::<Listed<OrganisationView>>().await?.body.items)
}

/// Whether the service is well, as it tells whoever asks.
async fn health(visitor: &Visitor) -> &'static str {
    let Ok(told) = visitor.get("/ready").without_session().through().await else { return "other" };
    let told = to_bytes(told.into_body(), 100).await.unwrap_or_default();
    HEALTH.into_iter().find(|known| known.as_bytes() == told.as_ref()).unwrap_or("other")
}

async fn organisations_page(
    visitor: &Visitor,
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("organisations-help").await?.back_to("/organisations").with_form("organisation");
    let organisations = all(visitor).await?;
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let kinds = OrganisationKind::ALL.iter().map(|kind| kind.as_str());
    let said = ("kind", "organisation-kind", "organisation");
    let health = health(visitor).await;
    let shown = OrganisationsPage {
        organisations,
        health: layout.word("health", health),
        well: health == "ready",
        key: layout.key_after(fields, refused),
        kind: Question::of_words(&layout, said, kinds, Some("field-unstated"), &fields.text("kind"))
            .folded()
            .error(wrong("kind").then(|| layout.say("consent-rule"))),
        name: Text::line("name", layout.say("organisation-name"))
            .value(&fields.text("name"))
            .error(wrong("name").then(|| layout.say("organisation-name-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &shown))
}

async fn organisations(visitor: Visitor) -> Result<Response, Refused> {
    organisations_page(&visitor, &Fields::default(), None).await
}

async fn make_organisation(visitor: Visitor, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return organisations_page(&visitor, &fields, None).await;
    }
    let new = json!({ "kind": fields.text("kind"), "name": fields.text("name").trim() });
    match visitor.post("/api/v1/organisations").key(&fields.text("key")).json(&new)?.send::<Made>().await {
        Ok(_) => Ok(go("/organisations")),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::FORBIDDEN => Err(refused),
        Err(refused) => organisations_page(&visitor, &fields, Some(&refused)).await,
    }
}

#[derive(Template)]
#[template(path = "staff/pages/accounts.html")]
struct AccountsPage {
    page: Layout,
    accounts: Vec<Account>,
    next: Option<String>,
    key: String,
    organisation: Question,
    handle: Text,
    functions: Choices,
    words: String,
}

struct Account {
    view: AccountView,
    organisation: String,
    standing: String,
}

/// What somebody may be besides, while their organisation is being founded.
const FUNCTIONS: [&str; 2] = ["responsible", "custodian"];

async fn accounts_page(
    visitor: &Visitor,
    after: &str,
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("accounts-help").await?.back_to("/accounts").with_form("account");
    let Listed { items, next } =
        visitor.get(format!("/api/v1/accounts{after}")).send::<Listed<AccountView>>().await?.body;
    let organisations = all(visitor).await?;
    let names: HashMap<OrganisationId, String> =
        organisations.iter().map(|known| (known.id, known.name.clone())).collect();
    let account = |view: AccountView| {
        let standing = match (view.disabled, view.enrolled) {
            (true, _) => "account-disabled",
            (false, true) => "account-enrolled",
            (false, false) => "account-empty",
        };
        let organisation = names.get(&view.organisation).cloned().unwrap_or_default();
        Account { organisation, standing: layout.say(standing), view }
    };
    let chosen = fields.text("organisation");
    let unstated = Choice { value: String::new(), label: layout.say("field-unstated"), chosen: false };
    let choice = |known: &OrganisationView| {
        let value = known.id.to_string();
        Choice { chosen: value == chosen, value, label: known.name.clone() }
    };
    let function = |name: &&str| Choice {
        value: (*name).to_owned(),
        label: layout.word("function", name),
        chosen: fields.all("functions").any(|chosen| chosen == *name),
    };
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let choices = std::iter::once(unstated).chain(organisations.iter().map(choice)).collect();
    let shown = AccountsPage {
        accounts: items.into_iter().map(account).collect(),
        next,
        key: layout.key_after(fields, refused),
        organisation: Question::of_choices("organisation", layout.say("account-where"), choices)
            .folded()
            .error(wrong("organisation").then(|| layout.say("consent-rule"))),
        handle: Text::line("handle", layout.say("sign-in-name"))
            .hint(layout.say("account-handle-hint"))
            .value(&fields.text("handle"))
            .error(wrong("handle").then(|| layout.say("account-handle-rule"))),
        functions: Choices::new("functions", layout.say("account-functions"), FUNCTIONS.iter().map(function).collect())
            .hint(layout.say("account-functions-hint")),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &shown))
}

async fn accounts(visitor: Visitor) -> Result<Response, Refused> {
    accounts_page(&visitor, "", &Fields::default(), None).await
}

async fn accounts_after(visitor: Visitor, At(cursor): At) -> Result<Response, Refused> {
    accounts_page(&visitor, &format!("?cursor={cursor}"), &Fields::default(), None).await
}

/// The code with which somebody makes their keys: shown once.
#[derive(Template)]
#[template(path = "staff/pages/account_made.html")]
struct MadePage {
    page: Layout,
    handle: String,
    code: Option<String>,
    until: String,
}

async fn make_account(visitor: Visitor, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return accounts_page(&visitor, "", &fields, None).await;
    }
    let is = |function: &str| fields.all("functions").any(|chosen| chosen == function);
    let handle = fields.text("handle").trim().to_owned();
    let new = json!({ "organisation": fields.text("organisation"), "handle": handle,
        "responsible": is("responsible"), "custodian": is("custodian") });
    match visitor.post("/api/v1/accounts").key(&fields.text("key")).json(&new)?.send::<AccountMade>().await {
        Ok(made) => {
            let layout = visitor.layout("accounts-help").await?.back_to("/accounts");
            let until = layout.moment(&made.body.enrolment_expires_at);
            Ok(page(StatusCode::OK, &MadePage { page: layout, handle, code: made.body.enrolment_code, until }))
        }
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::FORBIDDEN => Err(refused),
        Err(refused) => accounts_page(&visitor, "", &fields, Some(&refused)).await,
    }
}

async fn disable(visitor: Visitor, At(id): At<Uuid>) -> Result<Response, Refused> {
    visitor.post(format!("/api/v1/accounts/{id}/disable")).send::<Made>().await?;
    Ok(go("/accounts"))
}
