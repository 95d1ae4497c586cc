//! The duty officer's pages: the queue with its clocks, a notice opened, and what becomes of it. Deciding is a page of its own, so that nobody
//! opens a notice a second time to press a button.

use crate::calls::pages::form::{self, Typed};
use crate::cases::model::{CaseRelation, CaseView};
use crate::guard::action::{Purpose, Relation, Verb};
use crate::guard::record::RecordKind;
use crate::notices::model::{
    Accepted, AddendumView, Escalation, NoticeState, NoticeView, QueueRow, ReturnCode, Stands,
};
use crate::platform::http::Listed;
use crate::platform::page::{At, Choice, Choices, Entry, Fields, Layout, Pages, Question, Refused, Visitor, go, page};
use crate::platform::problem::Problem;
use crate::staff::model::ColleagueView;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use uuid::Uuid;

pub const ENTRY: Entry = Entry {
    path: "/notices",
    name: "desk-title",
    kind: RecordKind::Notice,
    verb: Verb::List,
    purpose: Some(Purpose::Intake),
};

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/notices", first)
        .get("/notices/after/{cursor}", after)
        .get("/notices/{id}", read)
        .post("/notices/{id}/acknowledge", acknowledge)
        .get("/notices/{id}/accept", accepting)
        .post("/notices/{id}/accept", accept)
        .get("/notices/{id}/return", returning)
        .post("/notices/{id}/return", give_back)
}

#[derive(Template)]
#[template(path = "notices/pages/desk.html")]
struct DeskPage {
    page: Layout,
    /// Whose clock runs.
    waiting: Vec<QueueRow>,
    acknowledged: Vec<QueueRow>,
    next: Option<String>,
}

impl DeskPage {
    /// The keys are the most urgent one's.
    fn is_first(&self, row: &QueueRow) -> bool {
        self.waiting.first().is_some_and(|first| first.id == row.id)
    }
}

async fn list(visitor: &Visitor, after: &str) -> Result<Response, Refused> {
    let layout = visitor.layout("desk-help").await?;
    let asked = visitor.get(format!("/api/v1/notices{after}")).purpose(Purpose::Intake);
    let Listed { items, next } = asked.send::<Listed<QueueRow>>().await?.body;
    let (waiting, acknowledged) = items.into_iter().partition(|row| row.state == NoticeState::Sent);
    Ok(page(StatusCode::OK, &DeskPage { page: layout, waiting, acknowledged, next }))
}

async fn first(visitor: Visitor) -> Result<Response, Refused> {
    list(&visitor, "").await
}

async fn after(visitor: Visitor, At(cursor): At<String>) -> Result<Response, Refused> {
    // A place in the queue, as the API names it; it goes into an address.
    if !cursor.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-')) {
        return Err(Problem::absent().into());
    }
    list(&visitor, &format!("?cursor={cursor}")).await
}

#[derive(Template)]
#[template(path = "notices/pages/notice.html")]
struct NoticePage {
    page: Layout,
    id: Uuid,
    number: i64,
    state: NoticeState,
    escalation: Escalation,
    suspected: String,
    clock: String,
    basis: String,
    told: Vec<(String, String)>,
    addenda: Vec<AddendumView>,
    attachments: i64,
}

async fn read(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    let layout = visitor.layout("notice-help").await?;
    let notice = visitor.get(format!("/api/v1/notices/{id}")).purpose(Purpose::Intake).send::<NoticeView>().await?.body;
    let line = |(name, value): (&str, &str)| (form::name(&layout, name), form::said(&layout, name, value));
    let shown = NoticePage {
        id,
        number: notice.number,
        state: notice.state,
        escalation: notice.escalation,
        suspected: layout.moment(&notice.suspected_at),
        clock: layout.until(&notice.due_at),
        basis: layout.word("basis", notice.content.basis.as_str()),
        told: Typed::saved(&notice.content.call).iter().map(line).collect(),
        addenda: notice.addenda,
        attachments: notice.attachments,
        page: layout,
    };
    Ok(page(StatusCode::OK, &shown))
}

async fn acknowledge(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    visitor.post(format!("/api/v1/notices/{id}/acknowledge")).send::<Stands>().await?;
    Ok(go("/notices"))
}

#[derive(Template)]
#[template(path = "notices/pages/accept.html")]
struct AcceptPage {
    page: Layout,
    id: Uuid,
    key: String,
    case: Question,
    officers: Choices,
    words: String,
}

async fn accept_page(
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("accept-help").await?.with_form("accept");
    let own = visitor.get("/api/v1/cases?limit=100").purpose(Purpose::CaseWork).send::<Listed<CaseView>>().await?.body;
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let chosen = fields.text("case");
    let choice = |value: String, label: String| Choice { chosen: value == chosen, value, label };
    let existing =
        own.items.iter().filter(|case| case.relation == Relation::from(CaseRelation::Assigned)).map(|case| {
            let state = layout.word("case-state", case.state.as_str());
            choice(
                case.id.to_string(),
                format!("{} · {state}", layout.say_with("case-number", "number", case.number.to_string())),
            )
        });
    let cases = std::iter::once(choice(String::new(), layout.say("accept-new"))).chain(existing).collect();
    // Whoever accepts is on the case by that.
    let works = |person: &&ColleagueView| {
        Some(person.account) != layout.account && visitor.ever_does(person.role, RecordKind::Case, Verb::Write)
    };
    let officers = people.iter().filter(works).map(|person| Choice {
        value: person.account.to_string(),
        label: format!("{} · {}", person.handle, layout.word("post", person.role.as_str())),
        chosen: fields.all("officers").any(|chosen| chosen == person.account.to_string()),
    });
    let shown = AcceptPage {
        id,
        // The same key for the same form: whoever sends it twice opens one case.
        key: layout.key_after(fields, refused),
        case: Question::of_choices("case", layout.say("accept-as"), cases)
            .error(wrong("case").then(|| layout.say("accept-case-rule"))),
        officers: Choices::new("officers", layout.say("accept-officers"), officers.collect())
            .hint(layout.say("accept-officers-hint"))
            .error(wrong("officers").then(|| layout.say("accept-officers-rule"))),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &shown))
}

async fn accepting(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    accept_page(&visitor, id, &Fields::default(), None).await
}

async fn accept(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return accept_page(&visitor, id, &fields, None).await;
    }
    let how = json!({ "case": fields.get("case"), "officers": fields.all("officers").collect::<Vec<_>>() });
    let asked = visitor.post(format!("/api/v1/notices/{id}/accept")).key(&fields.text("key")).json(&how)?;
    match asked.send::<Accepted>().await {
        Ok(accepted) => Ok(go(&format!("/cases/{}", accepted.body.case))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => accept_page(&visitor, id, &fields, Some(&refused)).await,
    }
}

#[derive(Template)]
#[template(path = "notices/pages/return.html")]
struct ReturnPage {
    page: Layout,
    id: Uuid,
    code: Question,
    words: String,
}

async fn return_page(
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("return-help").await?.with_form("return");
    let layout = layout.for_who_does(RecordKind::Notice, Verb::Return)?;
    let words = ReturnCode::ALL.iter().map(|code| code.as_str());
    let wrong = refused.is_some_and(|refused| refused.fields().any(|name| name == "code"));
    let code = Question::of_words(&layout, ("code", "return-why", "return-code"), words, None, &fields.text("code"))
        .error(wrong.then(|| layout.say("return-rule")));
    let words = refused.map(|refused| refused.words(&layout)).unwrap_or_default();
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &ReturnPage { page: layout, id, code, words }))
}

async fn returning(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    return_page(&visitor, id, &Fields::default(), None).await
}

async fn give_back(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return return_page(&visitor, id, &fields, None).await;
    }
    let why = json!({ "code": fields.text("code") });
    match visitor.post(format!("/api/v1/notices/{id}/return")).json(&why)?.send::<Stands>().await {
        Ok(_) => Ok(go("/notices")),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => return_page(&visitor, id, &fields, Some(&refused)).await,
    }
}
