//! What a shelter decides: who cares for the person, that it takes nobody in, and, without deciding anything, that somebody left.

use super::purpose;
use crate::accommodation::model::{FOR_CARE, TrainingView};
use crate::guard::action::Verb;
use crate::guard::record::{AccountId, RecordKind};
use crate::placements::content::{PlacementRow, PlacementView, Stands};
use crate::placements::model::DeclineCode;
use crate::platform::http::Listed;
use crate::platform::page::{At, Choice, Choices, Fields, Layout, Pages, Question, Refused, Visitor, go, page};
use crate::staff::model::ColleagueView;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/placements/{id}/accept", accepting)
        .post("/placements/{id}/accept", accept)
        .get("/placements/{id}/workers", naming)
        .post("/placements/{id}/workers", name)
        .get("/placements/{id}/decline", declining)
        .post("/placements/{id}/decline", decline)
        .get("/placements/{id}/exit", leaving)
        .post("/placements/{id}/exit", leave)
}

#[derive(Template)]
#[template(path = "placements/pages/workers.html")]
struct WorkersPage {
    page: Layout,
    path: String,
    back: String,
    title: &'static str,
    what: &'static str,
    act: &'static str,
    etag: String,
    workers: Choices,
    words: String,
}

/// Until when somebody's training for this work counts, of those whose does.
async fn trained(visitor: &Visitor) -> Result<HashMap<AccountId, DateTime<Utc>>, Refused> {
    let held = visitor.get("/api/v1/trainings?limit=100").send::<Listed<TrainingView>>().await?.body.items;
    let counts = held.into_iter().filter(|training| training.current && training.course == FOR_CARE);
    let mut until = HashMap::new();
    for training in counts {
        let end = until.entry(training.account).or_insert(training.expires_at);
        *end = training.expires_at.max(*end);
    }
    Ok(until)
}

/// Who can be named, each with the training; who is named already stays to be seen.
async fn workers(
    visitor: &Visitor,
    layout: &Layout,
    chosen: &[String],
    refused: Option<&Refused>,
) -> Result<Choices, Refused> {
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let trained = trained(visitor).await?;
    let choice = |person: &ColleagueView| {
        let (until, value) = (trained.get(&person.account), person.account.to_string());
        let chosen = chosen.contains(&value);
        let training = match until {
            Some(until) => layout.say_with("workers-trained", "at", layout.moment(until)),
            None if chosen => layout.say("workers-untrained"),
            None => return None,
        };
        let cares = visitor.ever_does(person.role, RecordKind::Care, Verb::Share);
        let label = format!("{} · {} · {training}", person.handle, layout.word("post", person.role.as_str()));
        cares.then_some(Choice { value, label, chosen })
    };
    let named = |field: &str| field.split('[').next() == Some("workers");
    let wrong = refused.is_some_and(|refused| refused.fields().any(named));
    let choices = people.iter().filter_map(choice).collect();
    let choices = Choices::new("workers", layout.say("workers-who"), choices).hint(layout.say("workers-hint"));
    Ok(choices.error(wrong.then(|| layout.say("workers-rule"))))
}

fn chosen(fields: &Fields) -> Vec<String> {
    fields.all("workers").map(str::to_owned).collect()
}

async fn accept_page(
    visitor: &Visitor,
    id: Uuid,
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("placement-accept-help").await?.with_form("workers");
    let workers = workers(visitor, &layout, &chosen(fields), refused).await?;
    let layout = layout.for_who_does(RecordKind::Placement, Verb::Accept)?;
    let accept = WorkersPage {
        path: format!("/placements/{id}/accept"),
        back: format!("/placements/{id}"),
        title: "placement-accept",
        what: "placement-accept-what",
        act: "placement-accept-do",
        etag: String::new(),
        workers,
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &accept))
}

async fn accepting(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    accept_page(&visitor, id, &Fields::default(), None).await
}

async fn accept(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return accept_page(&visitor, id, &fields, None).await;
    }
    let how = json!({ "workers": chosen(&fields) });
    let done = visitor.post(format!("/api/v1/placements/{id}/accept")).json(&how)?.send::<Stands>().await;
    match done {
        Ok(_) => Ok(go(&format!("/placements/{id}"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => accept_page(&visitor, id, &fields, Some(&refused)).await,
    }
}

/// Who cares for somebody from here on; `typed` is what was chosen, where the form comes back.
async fn workers_page(
    visitor: &Visitor,
    id: Uuid,
    typed: Option<&Fields>,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let layout = visitor.layout("placement-workers-help").await?.with_form("workers");
    let asked = visitor.get(format!("/api/v1/placements/{id}")).purpose(purpose(&layout));
    let given = asked.send::<PlacementView>().await?;
    let layout = layout.for_who_does(RecordKind::Placement, Verb::Assign)?;
    let named = || given.body.workers.iter().map(ToString::to_string).collect();
    // Who else named them meanwhile is told, and what they chose is what stands there.
    let newer = refused.is_some_and(|refused| refused.code() == "changed_meanwhile");
    let (etag, chosen) = match typed.filter(|_| !newer) {
        Some(fields) => (fields.text("etag"), chosen(fields)),
        None => (given.etag.clone(), named()),
    };
    let shown = WorkersPage {
        path: format!("/placements/{id}/workers"),
        back: format!("/placements/{id}"),
        title: "placement-workers",
        what: "placement-workers-what",
        act: "placement-workers-do",
        etag,
        workers: workers(visitor, &layout, &chosen, refused).await?,
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &shown))
}

async fn naming(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    workers_page(&visitor, id, None, None).await
}

async fn name(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return workers_page(&visitor, id, Some(&fields), None).await;
    }
    let asked = visitor.put(format!("/api/v1/placements/{id}/workers")).etag(&fields.text("etag"));
    match asked.json(&json!({ "workers": chosen(&fields) }))?.send::<Stands>().await {
        Ok(_) => Ok(go(&format!("/placements/{id}"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => workers_page(&visitor, id, Some(&fields), Some(&refused)).await,
    }
}

#[derive(Template)]
#[template(path = "placements/pages/asked.html")]
struct AskedPage {
    page: Layout,
    path: String,
    title: &'static str,
    what: &'static str,
    act: &'static str,
    /// Which place it is; empty if it stands too far down the list.
    number: String,
    question: Question,
    words: String,
}

/// Which page it is, and what it asks.
#[derive(Clone, Copy)]
enum Asks {
    Decline,
    Exit,
}

/// How somebody leaves: by oneself, or as was planned.
const EXITS: [&str; 2] = ["own", "planned"];

/// Which place it is, as the newest of the list name it: nothing is opened for it.
async fn number(visitor: &Visitor, layout: &Layout, id: Uuid) -> Result<String, Refused> {
    let asked = visitor.get("/api/v1/placements?limit=100").purpose(purpose(layout));
    let rows = match asked.send::<Listed<PlacementRow>>().await {
        Ok(given) => given.body.items,
        Err(refused) if refused.code() == "sign_in" => return Err(refused),
        // Who may list nothing leaves all the same.
        Err(_) => Vec::new(),
    };
    let row = rows.iter().find(|row| row.id.0 == id);
    Ok(row.map(|row| layout.say_with("placement-number", "number", row.number.to_string())).unwrap_or_default())
}

async fn asked_page(
    visitor: &Visitor,
    (id, asks): (Uuid, Asks),
    fields: &Fields,
    refused: Option<&Refused>,
) -> Result<Response, Refused> {
    let (verb, name) = match asks {
        Asks::Decline => (Verb::Decline, "decline"),
        Asks::Exit => (Verb::Exit, "exit"),
    };
    let layout = visitor.layout("placement-asked-help").await?.with_form("asked");
    let number = number(visitor, &layout, id).await?;
    let layout = layout.for_who_does(RecordKind::Placement, verb)?;
    let wrong = |field: &str| refused.is_some_and(|refused| refused.fields().any(|name| name == field));
    let question = match asks {
        Asks::Decline => {
            let words = DeclineCode::ALL.iter().map(|code| code.as_str());
            let said = ("code", "placement-decline-why", "decline-code");
            Question::of_words(&layout, said, words, None, &fields.text("code"))
                .error(wrong("code").then(|| layout.say("placement-decline-rule")))
        }
        // Nothing is chosen beforehand: it cannot be taken back.
        Asks::Exit => {
            let said = ("planned", "placement-exit-how", "placement-exit");
            Question::of_words(&layout, said, EXITS.into_iter(), None, &fields.text("planned"))
                .error(wrong("planned").then(|| layout.say("placement-decline-rule")))
        }
    };
    let (title, what, act) = match asks {
        Asks::Decline => ("placement-decline", "placement-decline-what", "placement-decline-do"),
        Asks::Exit => ("placement-exit", "placement-exit-what", "placement-exit-do"),
    };
    let asked = AskedPage {
        path: format!("/placements/{id}/{name}"),
        title,
        what,
        act,
        number,
        question,
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &asked))
}

async fn declining(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    asked_page(&visitor, (id, Asks::Decline), &Fields::default(), None).await
}

async fn leaving(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    asked_page(&visitor, (id, Asks::Exit), &Fields::default(), None).await
}

/// It is over, or its page says why not.
async fn over(
    visitor: &Visitor,
    (id, asks): (Uuid, Asks),
    fields: &Fields,
    done: Result<Stands, Refused>,
) -> Result<Response, Refused> {
    match done {
        Ok(_) => Ok(go("/placements")),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => asked_page(visitor, (id, asks), fields, Some(&refused)).await,
    }
}

async fn decline(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return asked_page(&visitor, (id, Asks::Decline), &fields, None).await;
    }
    let why = json!({ "code": fields.text("code") });
    let done = visitor.post(format!("/api/v1/placements/{id}/decline")).json(&why)?.send().await;
    over(&visitor, (id, Asks::Decline), &fields, done.map(|given| given.body)).await
}

async fn leave(visitor: Visitor, At(id): At, fields: Fields) -> Result<Response, Refused> {
    if fields.get("speak").is_some() {
        return asked_page(&visitor, (id, Asks::Exit), &fields, None).await;
    }
    // What was not said goes on as nothing: whoever may is told so, and whoever may not is entered.
    let planned = fields.get("planned").filter(|how| EXITS.contains(how)).map(|how| how == "planned");
    let how = json!({ "planned": planned });
    let done = visitor.post(format!("/api/v1/placements/{id}/exit")).json(&how)?.send().await;
    over(&visitor, (id, Asks::Exit), &fields, done.map(|given| given.body)).await
}
