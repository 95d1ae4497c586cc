//! The console: what all its pages share. A page stands next to its capability (`pages.rs`, `pages/*.html`) and is a thin layer over
//! the API: it asks the API's own router within the process (`ask`), as the person whose session the cookies hold (`visitor`,
//! `cookies`), so that no wall, no entry and no limit is passed by or written twice. No page knows a database.
//!
//! `door` stands before every page: it takes a form only from a page of its own (`csrf`), signs in again whoever's session ended while they
//! typed, says what was refused in words (`refused`), and forbids everything that a page does not need (`headers`). `form` is what was typed,
//! `layout` what every page shows, `files` the style sheet and the script, `doors` the ways in: sign-in, quick exit, language, help.

mod ask;
mod cookies;
mod csrf;
mod door;
mod doors;
mod files;
mod form;
mod headers;
mod inputs;
mod layout;
mod refused;
mod visitor;

pub use ask::Given;
pub use doors::own_path;
pub use form::{At, Fields};
pub use inputs::{Choice, Choices, Question, Text};
pub use layout::{Entry, Layout, go, page};
pub use refused::{Refused, SAID};
pub use visitor::{Renewals, Visitor};

use crate::guard::policy::DecisionTable;
use crate::platform::app::App;
use crate::platform::clock::Clock;
use crate::platform::problem::Problem;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{HeaderMap, Method};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, FixedOffset, Utc};
use std::sync::Arc;

/// The largest form that is taken: a text of 100 KB in a script other than Latin is three times as long on its way.
const LARGEST_FORM: usize = 1024 * 1024;

/// What pages are made with: the API, the policy that says what a role does, and the time.
#[derive(Clone)]
pub struct Console(Arc<Parts>);

struct Parts {
    api: Router,
    policy: Arc<DecisionTable>,
    clock: Clock,
    offset: FixedOffset,
    renewals: Renewals,
}

impl Console {
    /// Over the API's router, with its state and its answers.
    #[must_use]
    pub fn new(app: &App, api: Router) -> Self {
        let offset = app.config.snooping.offset();
        let (policy, clock) = (Arc::clone(&app.policy), app.places.clock.clone());
        Self(Arc::new(Parts { api, policy, clock, offset, renewals: Renewals::default() }))
    }

    /// Now, as the clocks of the country say it.
    #[must_use]
    pub fn local(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.with_timezone(&self.0.offset)
    }

    /// What somebody is told who asks for an address that there is not.
    pub async fn nowhere(&self, headers: &HeaderMap, problem: Problem) -> Response {
        door::nowhere(self, headers, problem).await
    }
}

/// Pages with their addresses, which are kept beside the router so that a test can try each.
#[derive(Default)]
pub struct Pages {
    router: Router<Console>,
    listed: Vec<(Method, &'static str)>,
}

impl Pages {
    #[must_use]
    pub fn get<H: Handler<T, Console>, T: 'static>(mut self, path: &'static str, page: H) -> Self {
        self.listed.push((Method::GET, path));
        Self { router: self.router.route(path, get(page)), ..self }
    }

    #[must_use]
    pub fn post<H: Handler<T, Console>, T: 'static>(mut self, path: &'static str, page: H) -> Self {
        self.listed.push((Method::POST, path));
        Self { router: self.router.route(path, post(page)), ..self }
    }

    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.listed.extend(other.listed);
        Self { router: self.router.merge(other.router), ..self }
    }
}

/// Every page there is.
fn pages() -> Pages {
    doors::pages()
        .merge(crate::staff::pages::pages())
        .merge(crate::calls::pages::pages())
        .merge(crate::notices::pages::pages())
        .merge(crate::tasks::pages::pages())
        .merge(crate::roster::pages::pages())
        .merge(crate::cases::pages::pages())
        .merge(crate::attachments::pages::pages())
        .merge(crate::placements::pages::pages())
        .merge(crate::accommodation::pages::pages())
        .merge(crate::consents::pages::pages())
}

/// Their addresses, with the method.
#[must_use]
pub fn listed() -> Vec<(Method, &'static str)> {
    pages().listed
}

/// The pages, and more of them where there are, behind their door.
pub fn router(console: &Console, more: Pages) -> Router<App> {
    pages()
        .merge(more)
        .router
        .layer(DefaultBodyLimit::disable())
        .route_layer(middleware::from_fn_with_state(console.clone(), door::door))
        .with_state(console.clone())
}
