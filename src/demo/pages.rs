//! The page on which one tries every role: who there is in the demonstration, each with a button that signs in as them. Whoever starts a
//! service otherwise has no such page: the demonstration gives it to its own, with the passphrases that it made for this run.

use super::country::Country;
use crate::guard::action::Role;
use crate::platform::page::{Layout, Pages, Visitor, page};
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::{Arc, OnceLock};

/// Where it stands.
pub const AT: &str = "/try";

/// Somebody of the demonstration.
pub struct Sign {
    role: &'static str,
    handle: String,
    passphrase: String,
}

/// Who there is, once the country is founded.
pub type People = Arc<OnceLock<Vec<Sign>>>;

/// Everybody of a country.
#[must_use]
pub fn people(country: &Country) -> Vec<Sign> {
    let sign = |(actor, role): (&super::actor::Actor, &'static str)| Sign {
        role,
        handle: actor.handle.clone(),
        passphrase: actor.passphrase.clone(),
    };
    let mut people: Vec<Sign> = country.everybody().map(sign).collect();
    // In the order in which a call goes through the country.
    people.sort_by_key(|sign| Role::ALL.iter().position(|role| role.as_str() == sign.role));
    people
}

#[derive(Template)]
#[template(path = "demo/pages/people.html")]
struct PeoplePage<'a> {
    page: Layout,
    people: Vec<(&'a Sign, String)>,
}

/// The page, for the service of the demonstration.
#[must_use]
pub fn pages(people: &People) -> Pages {
    let people = Arc::clone(people);
    Pages::default().get(AT, move |visitor: Visitor| async move { shown(&visitor, &people) })
}

fn shown(visitor: &Visitor, people: &People) -> Response {
    let people = people.get().map(Vec::as_slice).unwrap_or_default();
    let layout = visitor.bare("demo-help");
    let screens = |sign: &Sign| sign.role.parse().map(|role| visitor.screens(role).join(" · ")).unwrap_or_default();
    let told = |sign| match screens(sign) {
        none if none.is_empty() => (sign, layout.say("demo-none")),
        screens => (sign, screens),
    };
    let people = people.iter().map(told).collect();
    page(StatusCode::OK, &PeoplePage { page: layout, people })
}
