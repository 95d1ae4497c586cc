//! What every page shows beside its own work: where one may go, the languages, help, and the way out.

use super::door::whose;
use super::{Fields, Refused, Visitor, files};
use crate::guard::action::{Purpose, Relation, Role, Verb};
use crate::guard::policy::Decision;
use crate::guard::record::{AccountId, OrganisationId, RecordKind};
use crate::platform::language::{self, Language, say};
use crate::platform::problem::Problem;
use crate::staff::model::CurrentSession;
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};

/// A screen that somebody's day begins with, and the work that leads to it: whom the policy lets do that work is shown the way.
#[derive(Clone, Copy)]
pub struct Entry {
    pub path: &'static str,
    /// The key of its name.
    pub name: &'static str,
    pub kind: RecordKind,
    pub verb: Verb,
    pub purpose: Option<Purpose>,
}

/// Every such screen, in the order in which they are shown: the first is where a day begins.
const ENTRIES: [Entry; 11] = [
    crate::calls::pages::ENTRY,
    crate::notices::pages::desk::ENTRY,
    crate::cases::pages::ENTRY,
    crate::placements::pages::ENTRY,
    crate::placements::pages::SQUADS,
    crate::accommodation::pages::ENTRY,
    crate::notices::pages::ENTRY,
    crate::tasks::pages::ENTRY,
    crate::roster::pages::ENTRY,
    crate::staff::pages::administration::ORGANISATIONS,
    crate::staff::pages::administration::ACCOUNTS,
];

/// The API's code for a key under which something else was done before.
pub const KEY_USED: &str = "idempotency_key_reused";

/// One way to go.
pub struct Link {
    pub path: &'static str,
    pub name: String,
    pub here: bool,
}

/// A language to be chosen.
pub struct Spoken {
    pub code: &'static str,
    pub name: &'static str,
    pub here: bool,
}

/// What the templates of all pages have in common.
pub struct Layout {
    pub language: Language,
    pub path: String,
    /// The page that is shown again in another language.
    pub back: String,
    pub signed_in: bool,
    /// Who is signed in.
    pub account: Option<AccountId>,
    /// Where they work.
    pub organisation: Option<OrganisationId>,
    role: Option<Role>,
    pub links: Vec<Link>,
    /// The form whose text goes with the choice of another language; empty where there is nothing to lose.
    pub form: &'static str,
    /// The key of what this page's help says.
    pub help: &'static str,
    visitor: Visitor,
}

impl Visitor {
    /// The layout of a page for whoever is signed in.
    ///
    /// # Errors
    /// 401 `sign_in` when nobody is.
    pub async fn layout(&self, help: &'static str) -> Result<Layout, Refused> {
        let CurrentSession { account, organisation, role, .. } = self.current().await?;
        Ok(Layout {
            signed_in: true,
            account: Some(account),
            organisation: Some(organisation),
            role: Some(role),
            links: self.links(role),
            ..self.bare(help)
        })
    }

    /// The layout of a page for anybody.
    #[must_use]
    pub fn bare(&self, help: &'static str) -> Layout {
        Layout {
            language: self.language(),
            path: self.path().to_owned(),
            back: self.own_page().to_owned(),
            signed_in: false,
            account: None,
            organisation: None,
            role: None,
            links: Vec::new(),
            form: "",
            help,
            visitor: self.clone(),
        }
    }

    /// Whether somebody of this role does such work at all.
    #[must_use]
    pub fn ever_does(&self, role: Role, kind: RecordKind, verb: Verb) -> bool {
        self.console().0.policy.ever_does(role, kind, verb)
    }

    /// Whether somebody of this role does such work, who stands so to the record.
    #[must_use]
    pub fn may(&self, role: Role, relation: Relation, kind: RecordKind, verb: Verb, purpose: Option<Purpose>) -> bool {
        self.console().0.policy.decide(role, relation, kind, verb, purpose) == Decision::Allow
    }

    /// The screens that somebody of this role has, by name.
    #[must_use]
    pub fn screens(&self, role: Role) -> Vec<String> {
        self.links(role).into_iter().map(|link| link.name).collect()
    }

    fn links(&self, role: Role) -> Vec<Link> {
        let may = |entry: &&Entry| self.may(role, Relation::None, entry.kind, entry.verb, entry.purpose);
        let link = |entry: &Entry| Link {
            path: entry.path,
            name: say(self.language(), entry.name, &[]),
            here: self.path() == entry.path || self.path().starts_with(&format!("{}/", entry.path)),
        };
        ENTRIES.iter().filter(may).map(link).collect()
    }
}

impl Layout {
    /// Whose text goes with the choice of another language.
    #[must_use]
    pub fn with_form(self, form: &'static str) -> Self {
        Self { form, ..self }
    }

    /// Whose work this never is finds no such page.
    ///
    /// # Errors
    /// 404.
    pub fn for_who_does(self, kind: RecordKind, verb: Verb) -> Result<Self, Refused> {
        if self.does(kind, verb) { Ok(self) } else { Err(Problem::absent().into()) }
    }

    /// Whether this is work of whoever is signed in, some of it at least.
    #[must_use]
    pub fn does(&self, kind: RecordKind, verb: Verb) -> bool {
        self.role.is_some_and(|role| self.visitor.ever_does(role, kind, verb))
    }

    /// The first of these purposes for which they see such records at all.
    #[must_use]
    pub fn purpose(&self, kind: RecordKind, purposes: &[Purpose]) -> Purpose {
        let sees = |purpose: &Purpose| {
            self.role.is_some_and(|role| self.visitor.may(role, Relation::None, kind, Verb::List, Some(*purpose)))
        };
        purposes.iter().copied().find(|purpose| sees(purpose)).unwrap_or(Purpose::CaseWork)
    }

    /// The page that is looked at again, where this one is the answer to a form.
    #[must_use]
    pub fn back_to(self, page: impl Into<String>) -> Self {
        Self { back: page.into(), ..self }
    }

    /// A text.
    #[must_use]
    pub fn say(&self, key: &str) -> String {
        say(self.language, key, &[])
    }

    /// A text with one thing filled in.
    #[must_use]
    pub fn say_with(&self, key: &str, name: &'static str, value: impl AsRef<str>) -> String {
        say(self.language, key, &[(name, value.as_ref().into())])
    }

    /// A text that counts something.
    #[must_use]
    pub fn count(&self, key: &str, number: &i64) -> String {
        say(self.language, key, &[("number", (*number).into())])
    }

    /// A word of the domain, as people say it.
    #[must_use]
    pub fn word(&self, family: &str, word: &str) -> String {
        say(self.language, &format!("{family}-{word}"), &[])
    }

    /// A key for a form: sent twice, it does its work once.
    #[must_use]
    pub fn new_key(&self) -> String {
        crate::platform::random::uuid().simple().to_string()
    }

    /// The key of a form that is shown again: the same, so that it does its work once; another where that one stands for other work already.
    #[must_use]
    pub fn key_after(&self, sent: &Fields, refused: Option<&Refused>) -> String {
        let used = refused.is_some_and(|refused| refused.code() == KEY_USED);
        sent.get("key").filter(|_| !used).map_or_else(|| self.new_key(), str::to_owned)
    }

    /// Whose form this is: it goes with every form, so that it is not sent as somebody who signed in after them.
    #[must_use]
    pub fn whose(&self) -> String {
        self.account.map(whose).unwrap_or_default()
    }

    /// How many are free, of how many.
    #[must_use]
    pub fn free(&self, free: &i64, of: &i32) -> String {
        say(self.language, "page-free", &[("free", free.to_string().into()), ("all", of.to_string().into())])
    }

    /// A moment as the country's clocks show it: `23 noyabr 2026, 14:05`, or the time alone today.
    #[must_use]
    pub fn moment(&self, at: &DateTime<Utc>) -> String {
        let console = self.visitor.console();
        let (local, today) = (console.local(*at), console.local(self.visitor.now()).date_naive());
        let time = local.format("%H:%M").to_string();
        if local.date_naive() == today {
            return self.say_with("page-today-at", "time", &time);
        }
        let day = language::day(self.language, local.date_naive());
        say(self.language, "page-moment", &[("day", day.into()), ("time", time.into())])
    }

    /// How long it is until a moment, or since: `3 h 20 min left`.
    #[must_use]
    pub fn until(&self, at: &DateTime<Utc>) -> String {
        let left = *at - self.visitor.now();
        let minutes = left.num_minutes().abs();
        // As text: hours are not grouped like a number.
        let (hours, minutes) = ((minutes / 60).to_string(), (minutes % 60).to_string());
        let time = if hours == "0" {
            self.say_with("page-minutes", "minutes", minutes)
        } else {
            say(self.language, "page-hours", &[("hours", hours.into()), ("minutes", minutes.into())])
        };
        self.say_with(if left > TimeDelta::zero() { "page-left" } else { "page-over" }, "time", time)
    }

    #[must_use]
    pub fn languages(&self) -> Vec<Spoken> {
        // Each in its own words: whoever reads none of the others finds theirs.
        let name = |language| match language {
            Language::Azerbaijani => "Azərbaycanca",
            Language::Russian => "Русский",
            Language::English => "English",
        };
        let spoken = |language: &Language| Spoken {
            code: language.as_str(),
            name: name(*language),
            here: *language == self.language,
        };
        Language::ALL.iter().map(spoken).collect()
    }

    #[must_use]
    pub fn style(&self) -> &'static str {
        files::STYLE.path()
    }

    #[must_use]
    pub fn icon(&self) -> &'static str {
        files::ICON.path()
    }

    #[must_use]
    pub fn script(&self) -> &'static str {
        files::SCRIPT.path()
    }
}

/// A page, written.
pub fn page<T: Template>(status: StatusCode, template: &T) -> Response {
    let Ok(text) = template.render() else {
        return crate::platform::problem::Problem::fault("a page cannot be written").into_response();
    };
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], text).into_response()
}

/// On to another page, which is read and not sent again.
#[must_use]
pub fn go(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path.to_owned())]).into_response()
}
