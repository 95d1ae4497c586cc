//! The roster of one's own desk: who is there when, and when nobody is.

use super::model::Roster;
use crate::guard::action::Verb;
use crate::guard::record::RecordKind;
use crate::platform::http::Listed;
use crate::platform::page::{Entry, Layout, Pages, Refused, Visitor, page};
use crate::staff::model::ColleagueView;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use std::collections::HashMap;

pub const ENTRY: Entry =
    Entry { path: "/roster", name: "roster-title", kind: RecordKind::Shift, verb: Verb::List, purpose: None };

#[must_use]
pub fn pages() -> Pages {
    Pages::default().get("/roster", read)
}

#[derive(Template)]
#[template(path = "roster/pages/roster.html")]
struct RosterPage {
    page: Layout,
    turns: Vec<Turn>,
}

/// Somebody's turn, or a time without anybody.
struct Turn {
    starts: String,
    ends: String,
    who: Option<String>,
}

async fn read(visitor: Visitor) -> Result<Response, Refused> {
    let layout = visitor.layout("roster-help").await?;
    let Roster { shifts, gaps } = visitor.get("/api/v1/roster").send().await?.body;
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let names: HashMap<_, _> = people.into_iter().map(|person| (person.account, person.handle)).collect();
    let unknown = layout.say("roster-somebody");
    let manned = shifts
        .into_iter()
        .map(|shift| (shift.span, Some(names.get(&shift.account).cloned().unwrap_or_else(|| unknown.clone()))));
    let mut turns: Vec<_> = manned.chain(gaps.into_iter().map(|gap| (gap, None))).collect();
    turns.sort_by_key(|(span, _)| span.starts_at);
    let turn = |(span, who): (super::model::Span, Option<String>)| Turn {
        starts: layout.moment(&span.starts_at),
        ends: layout.moment(&span.ends_at),
        who,
    };
    let turns = turns.into_iter().map(turn).collect();
    Ok(page(StatusCode::OK, &RosterPage { page: layout, turns }))
}
