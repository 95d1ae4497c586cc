//! What stands before every page: see the module's own words.

use super::form::Fields;
use super::layout::{KEY_USED, page};
use super::refused::Refused;
use super::visitor::Visitor;
use super::{Console, LARGEST_FORM, Layout, cookies, csrf, headers};
use crate::guard::record::AccountId;
use crate::guard::statement::hex;
use crate::platform::language::Language;
use crate::platform::problem::Problem;
use crate::staff::pages;
use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Lets a request through to its page, and makes of what the page answers what the browser is to see.
pub async fn door(State(console): State<Console>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if nobody_asked(&parts.headers) {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::VARY, "sec-purpose")]).into_response();
    }
    let fields = if parts.method == Method::POST { form(&parts, body).await } else { Ok(Fields::default()) };
    let chosen = fields.as_ref().ok().and_then(|fields| fields.get("speak")).and_then(|word| word.parse().ok());
    let visitor = Visitor::of(&console, &parts, chosen);
    visitor.keeps(chosen.map(Language::as_str).map(cookies::keep_language).unwrap_or_default());
    let response = match fields {
        Ok(fields) => {
            let came = come_back(&visitor, &fields).await;
            let fields = fields.without("again-");
            match came {
                Ok(()) if let Err(refused) = their_own(&visitor, &fields).await => {
                    shown(&visitor, &fields, refused.into_response()).await
                }
                Ok(()) => {
                    parts.extensions.insert(visitor.clone());
                    parts.extensions.insert(fields.clone());
                    shown(&visitor, &fields, next.run(Request::from_parts(parts, Body::empty())).await).await
                }
                Err(refused) => pages::again(&visitor, &fields, Some(&refused)),
            }
        }
        Err(refused) => shown(&visitor, &Fields::default(), refused.into_response()).await,
    };
    finished(&visitor, response)
}

/// A browser that fetches what somebody might look at next: a read would be entered that nobody made.
fn nobody_asked(headers: &HeaderMap) -> bool {
    let purpose = headers.get("sec-purpose").map(|value| value.to_str().unwrap_or_default());
    purpose.is_some_and(|purpose| purpose.split([';', ',']).any(|word| word.trim() == "prefetch"))
}

/// What a form holds, if a page of ours sends it.
async fn form(parts: &Parts, body: Body) -> Result<Fields, Refused> {
    if !csrf::from_own_page(&parts.headers) {
        const WHY: &str = "This does not come from a page of ours, or the browser does not say from where.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "not_from_here", WHY).into());
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let body = to_bytes(body, LARGEST_FORM).await;
    let body = body.map_err(|_| Problem::too_large("The form", u64::try_from(LARGEST_FORM).unwrap_or(u64::MAX)))?;
    let fields = Fields::read(&body).filter(|_| kind.starts_with("application/x-www-form-urlencoded"));
    fields.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "not_a_form", "This is no form.").into())
}

/// Signs in whoever's session ended while they typed, before their form goes on as if nothing had been.
async fn come_back(visitor: &Visitor, fields: &Fields) -> Result<(), Refused> {
    if fields.get("again-handle").is_none() && fields.get("again-passphrase").is_none() {
        return Ok(());
    }
    let mut shown = json!({ "handle": fields.text("again-handle"), "passphrase": fields.text("again-passphrase") });
    if let (Some(shown), Some(code)) = (shown.as_object_mut(), fields.get("again-code")) {
        shown.insert("code".to_owned(), json!(code.trim()));
    }
    visitor.sign_in(shown).await.map(|_| ())
}

/// The field that says whose form it is.
const WHOSE: &str = "whose";

/// Somebody, as their forms say it: nothing that names them elsewhere.
pub fn whose(account: AccountId) -> String {
    let digest = hex(&Sha256::digest([b"whose form this is", account.0.as_bytes().as_slice()].concat()));
    digest.get(..20).unwrap_or(&digest).to_owned()
}

/// A form is sent as who filled it in, and not as who signed in after them in the same browser.
async fn their_own(visitor: &Visitor, fields: &Fields) -> Result<(), Refused> {
    let Some(said) = fields.get(WHOSE) else { return Ok(()) };
    match visitor.current().await {
        Ok(current) if whose(current.account) == said => Ok(()),
        Ok(_) => {
            const WHY: &str = "Somebody else has signed in since this form was filled in.";
            Err(Problem::new(StatusCode::CONFLICT, "another_account", WHY).into())
        }
        Err(refused) => Err(refused),
    }
}

/// A refusal as a page, with nothing lost of what was typed.
async fn shown(visitor: &Visitor, fields: &Fields, mut response: Response) -> Response {
    let extensions = response.extensions_mut();
    let refused = extensions.remove::<Refused>().or_else(|| extensions.remove::<Problem>().map(Refused::from));
    let Some(refused) = refused else { return response };
    if refused.code() == "sign_in" {
        visitor.forgets_session();
    }
    if visitor.is_script() {
        return (refused.status(), axum::Json(json!({ "code": refused.code() }))).into_response();
    }
    if refused.code() == "sign_in" {
        return match fields.iter().next() {
            Some(_) => pages::again(visitor, fields, None),
            None => pages::sign_in_for(visitor, Some(&refused)),
        };
    }
    if is_kept(fields, &refused) {
        return unsent(visitor, fields, &refused);
    }
    problem(visitor, &refused).await
}

/// From so many letters on a text is one that nobody wants to type again.
const LONG: usize = 40;

fn is_long(value: &str) -> bool {
    value.chars().nth(LONG).is_some()
}

/// Whether what was typed is given back: what may go well when it is sent again, and words that stand nowhere else. Never a passphrase.
fn is_kept(fields: &Fields, refused: &Refused) -> bool {
    let secret = fields.iter().any(|(name, _)| matches!(name, "passphrase" | "code" | "recovery_code"));
    let passing = refused.status().is_server_error() || refused.status() == StatusCode::TOO_MANY_REQUESTS;
    let typed = fields.iter().any(|(_, value)| is_long(value));
    let whole = matches!(refused.code(), KEY_USED | "another_account");
    !secret && fields.iter().next().is_some() && (passing || typed || whole)
}

#[derive(Template)]
#[template(path = "platform/page/pages/unsent.html")]
struct Unsent<'a> {
    page: Layout,
    words: String,
    fields: Vec<(&'a str, &'a str)>,
    /// The key in the place of one that stands for other work.
    key: Option<String>,
    texts: Vec<&'a str>,
}

/// Nothing was stored: what was typed is there to be sent again, or copied.
fn unsent(visitor: &Visitor, fields: &Fields, refused: &Refused) -> Response {
    let layout = visitor.bare("");
    let words = refused.words(&layout);
    let key = (refused.code() == KEY_USED).then(|| layout.new_key());
    let kept = |name: &str| name != "speak" && (name != "key" || key.is_none());
    let fields: Vec<(&str, &str)> = fields.iter().filter(|(name, _)| kept(name)).collect();
    let texts = fields.iter().map(|(_, value)| *value).filter(|value| is_long(value)).collect();
    page(refused.status(), &Unsent { page: layout, words, fields, key, texts })
}

#[derive(Template)]
#[template(path = "platform/page/pages/problem.html")]
struct ProblemPage<'a> {
    page: Layout,
    words: String,
    request_id: &'a str,
}

async fn problem(visitor: &Visitor, refused: &Refused) -> Response {
    let layout = visitor.layout("page-help-problem").await.unwrap_or_else(|_| visitor.bare("page-help-problem"));
    let words = refused.words(&layout);
    page(refused.status(), &ProblemPage { page: layout, words, request_id: refused.request_id() })
}

/// An address that there is not.
pub async fn nowhere(console: &Console, headers: &HeaderMap, problem_: Problem) -> Response {
    let visitor = Visitor::stranger(console, headers);
    let response = problem(&visitor, &problem_.into()).await;
    finished(&visitor, response)
}

fn finished(visitor: &Visitor, mut response: Response) -> Response {
    for cookie in visitor.to_be_set() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    headers::forbid(response.headers_mut());
    response
}
