//! The door's pages: signing in, and again where a session ended while somebody typed; the first time, with a code; one's own sessions.

pub(crate) mod administration;

use super::model::{Enrolled, SessionView};
use crate::platform::http::Listed;
use crate::platform::page::{At, Fields, Layout, Pages, Refused, Text, Visitor, go, own_path, page};
use askama::Template;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .post("/sign-in", sign_in)
        .get("/first", first)
        .post("/first", enrol)
        .get("/sessions", sessions)
        .post("/sessions/{id}/end", end)
        .post("/sessions/end-others", end_others)
        .post("/sign-out", sign_out)
        .merge(administration::pages())
}

#[derive(Template)]
#[template(path = "staff/pages/sign_in.html")]
struct SignInPage<'a> {
    page: Layout,
    words: String,
    to: &'a str,
    texts: Vec<Text>,
    lost: Vec<Text>,
    open: bool,
}

/// The name, the passphrase, and the authenticator's code.
fn asked(layout: &Layout, beginning: &str, handle: &str) -> Vec<Text> {
    let name = |name: &str| format!("{beginning}{name}");
    vec![
        Text::line(&name("handle"), layout.say("sign-in-name")).value(handle).fill("username"),
        Text::line(&name("passphrase"), layout.say("sign-in-passphrase")).kind("password").fill("current-password"),
        Text::line(&name("code"), layout.say("sign-in-code"))
            .hint(layout.say("sign-in-code-hint"))
            .fill("one-time-code"),
    ]
}

fn sign_in_page(visitor: &Visitor, fields: &Fields, to: &str, refused: Option<&Refused>) -> Response {
    let layout = visitor.bare("sign-in-help").back_to(to);
    let lost = Text::line("recovery_code", layout.say("sign-in-recovery"));
    let status = refused.map_or(StatusCode::OK, Refused::status);
    let shown = SignInPage {
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        to,
        texts: asked(&layout, "", &fields.text("handle")),
        lost: vec![lost],
        open: fields.get("recovery_code").is_some(),
        page: layout,
    };
    page(status, &shown)
}

/// The door, in the place of a page that only somebody signed in is shown: afterwards that page follows.
#[must_use]
pub fn sign_in_for(visitor: &Visitor, refused: Option<&Refused>) -> Response {
    sign_in_page(visitor, &Fields::default(), own_path(visitor.own_page()), refused)
}

async fn sign_in(visitor: Visitor, fields: Fields) -> Result<Response, Refused> {
    let to = own_path(fields.get("to").unwrap_or("/")).to_owned();
    let mut shown = json!({ "handle": fields.text("handle").trim() });
    for name in ["passphrase", "recovery_code", "code"] {
        if let (Some(shown), Some(value)) = (shown.as_object_mut(), fields.get(name)) {
            shown.insert(name.to_owned(), json!(value.trim()));
        }
    }
    let view = match visitor.sign_in(shown).await {
        Ok(view) => view,
        Err(refused) if visitor.is_script() => {
            let words = refused.words(&visitor.bare(""));
            return Ok((refused.status(), Json(json!({ "code": refused.code(), "words": words }))).into_response());
        }
        Err(refused) => return Ok(sign_in_page(&visitor, &fields, &to, Some(&refused))),
    };
    if visitor.is_script() {
        return Ok(Json(json!({ "code": "signed_in" })).into_response());
    }
    if view.passphrase.is_some() || view.recovery_code.is_some() {
        let layout = visitor.bare("sign-in-help");
        let (passphrase, recovery_code) = (view.passphrase, view.recovery_code);
        return Ok(page(StatusCode::OK, &WordsPage { page: layout, passphrase, recovery_code, to: &to }));
    }
    Ok(go(&to))
}

/// What is shown once: words that came in the place of those that were used up.
#[derive(Template)]
#[template(path = "staff/pages/words.html")]
struct WordsPage<'a> {
    page: Layout,
    passphrase: Option<String>,
    recovery_code: Option<String>,
    to: &'a str,
}

#[derive(Template)]
#[template(path = "platform/page/pages/again.html")]
struct AgainPage<'a> {
    page: Layout,
    words: String,
    fields: Vec<(&'a str, &'a str)>,
    texts: Vec<Text>,
}

/// Signing in again on the page on which a session ended, with everything that was typed there.
#[must_use]
pub fn again(visitor: &Visitor, fields: &Fields, refused: Option<&Refused>) -> Response {
    let layout = visitor.bare("sign-in-help");
    let words = refused.map(|refused| refused.words(&layout)).unwrap_or_default();
    let kept = fields.iter().filter(|(name, _)| *name != "speak").collect();
    let texts = asked(&layout, "again-", "");
    let status = refused.map_or(StatusCode::UNAUTHORIZED, Refused::status);
    page(status, &AgainPage { page: layout, words, fields: kept, texts })
}

#[derive(Template)]
#[template(path = "staff/pages/first.html")]
struct FirstPage {
    page: Layout,
    words: String,
    texts: Vec<Text>,
}

fn first_page(visitor: &Visitor, fields: &Fields, refused: Option<&Refused>) -> Response {
    let layout = visitor.bare("first-help").back_to("/first");
    let words = match refused {
        Some(refused) if refused.code() == "wrong_credentials" => layout.say("first-wrong"),
        Some(refused) => refused.words(&layout),
        None => String::new(),
    };
    let handle = Text::line("handle", layout.say("sign-in-name")).value(&fields.text("handle")).fill("username");
    let code = Text::line("code", layout.say("first-code")).hint(layout.say("first-code-hint"));
    let status = refused.map_or(StatusCode::OK, Refused::status);
    page(status, &FirstPage { page: layout, words, texts: vec![handle, code] })
}

async fn first(visitor: Visitor) -> Response {
    first_page(&visitor, &Fields::default(), None)
}

#[derive(Template)]
#[template(path = "staff/pages/first_done.html")]
struct FirstDone {
    page: Layout,
    passphrase: String,
    account: String,
    fingerprint: String,
}

async fn enrol(visitor: Visitor, fields: Fields) -> Result<Response, Refused> {
    let body = json!({ "handle": fields.text("handle").trim(), "code": fields.text("code").trim() });
    match visitor.post("/api/v1/enrolments").without_session().json(&body)?.send::<Enrolled>().await {
        Ok(made) => Ok(page(
            StatusCode::OK,
            &FirstDone {
                page: visitor.bare("first-help"),
                passphrase: made.body.passphrase,
                account: made.body.account.to_string(),
                fingerprint: made.body.key_fingerprint,
            },
        )),
        Err(refused) => Ok(first_page(&visitor, &fields, Some(&refused))),
    }
}

#[derive(Template)]
#[template(path = "staff/pages/sessions.html")]
struct SessionsPage {
    page: Layout,
    sessions: Vec<SessionView>,
}

async fn sessions(visitor: Visitor) -> Result<Response, Refused> {
    let layout = visitor.layout("sessions-help").await?;
    let listed = visitor.get("/api/v1/sessions").send::<Listed<SessionView>>().await?.body;
    Ok(page(StatusCode::OK, &SessionsPage { page: layout, sessions: listed.items }))
}

async fn end(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    visitor.delete(format!("/api/v1/sessions/{id}")).send::<Value>().await?;
    Ok(go("/sessions"))
}

async fn end_others(visitor: Visitor) -> Result<Response, Refused> {
    visitor.delete("/api/v1/sessions").send::<Value>().await?;
    Ok(go("/sessions"))
}

/// The session ends; the device stays known, and the language.
async fn sign_out(visitor: Visitor) -> Result<Response, Refused> {
    match visitor.delete("/api/v1/sessions/current").send::<Value>().await {
        Ok(_) => {}
        Err(refused) if refused.code() == "sign_in" => {}
        Err(refused) => return Err(refused),
    }
    visitor.forgets_session();
    Ok(go("/"))
}
