//! The shelter's pages: what the squad asks for, who lives in the house, and what is written down of them. A request or a stay opens by itself,
//! and whoever opens one is entered with it; deciding is a page of its own (`deciding`), and so is the care (`care`).

mod care;
mod deciding;
mod needs;
mod squad;

pub(crate) use needs::language;

#[cfg(test)]
pub(crate) use needs::NEEDS;

use super::content::{PlacementRow, PlacementView, Stands};
use super::model::PlacementState;
use crate::guard::action::{Purpose, Verb};
use crate::guard::record::{AccountId, RecordKind};
use crate::platform::http::Listed;
use crate::platform::page::{At, Entry, Layout, Pages, Refused, Visitor, go, page};
use crate::platform::problem::Problem;
use crate::staff::model::ColleagueView;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use std::collections::HashMap;
use uuid::Uuid;

pub const ENTRY: Entry = Entry {
    path: "/placements",
    name: "placements-title",
    kind: RecordKind::Placement,
    verb: Verb::List,
    purpose: Some(Purpose::Care),
};

/// The same for who brings people there.
pub const SQUADS: Entry = Entry { name: "placements-squad", purpose: Some(Purpose::CaseWork), ..ENTRY };

#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/placements", first)
        .get("/placements/names", first_with_names)
        .get("/placements/after/{cursor}", after)
        .get("/placements/{id}", read)
        .post("/placements/{id}/acknowledge", acknowledge)
        .post("/placements/{id}/admit", admit)
        .merge(deciding::pages())
        .merge(care::pages())
        .merge(squad::pages())
}

/// What can be done with a placement, and what stands beside it.
#[cfg(test)]
pub(crate) const STEPS: [&str; 13] = [
    "acknowledge",
    "accept",
    "decline",
    "consent",
    "transport",
    "admit",
    "exit",
    "transfer",
    "withdraw",
    "care",
    "consents",
    "workers",
    "arrival",
];

/// For what somebody looks at placements: the shelter to care, the squad for its case.
fn purpose(layout: &Layout) -> Purpose {
    layout.purpose(RecordKind::Placement, &[Purpose::Care, Purpose::CaseWork])
}

#[derive(Template)]
#[template(path = "placements/pages/placements.html")]
struct PlacementsPage {
    page: Layout,
    title: &'static str,
    groups: Vec<Group>,
    next: Option<String>,
    /// Whether those who are expected or live here are shown by how they are called: that opens each.
    named: bool,
    nameable: bool,
}

/// Placements that stand alike.
struct Group {
    name: &'static str,
    none: &'static str,
    rows: Vec<Shown>,
    /// The key that opens the first of them.
    key: &'static str,
}

struct Shown {
    row: PlacementRow,
    called: Option<String>,
    leaves: bool,
}

/// In which group a state stands: asked for, expected, living here, over.
const fn group(state: PlacementState) -> usize {
    match state {
        PlacementState::Requested | PlacementState::Acknowledged => 0,
        PlacementState::Matched | PlacementState::Consented | PlacementState::Transported => 1,
        PlacementState::Admitted => 2,
        _ => 3,
    }
}

async fn list(visitor: &Visitor, after: &str, named: bool) -> Result<Response, Refused> {
    let layout = visitor.layout("placements-help").await?.back_to("/placements");
    let purpose = purpose(&layout);
    let asked = visitor.get(format!("/api/v1/placements{after}")).purpose(purpose);
    let Listed { items, next } = asked.send::<Listed<PlacementRow>>().await?.body;
    let leaves = layout.does(RecordKind::Placement, Verb::Exit);
    let mut groups = [
        ("placements-asked", "placements-asked-none", "F2"),
        ("placements-expected", "placements-expected-none", "F4"),
        ("placements-here", "placements-here-none", "F8"),
        ("placements-over", "", ""),
    ]
    .map(|(name, none, key)| Group { name, none, rows: Vec::new(), key })
    .into_iter()
    .collect::<Vec<_>>();
    for row in items {
        let place = group(row.state);
        let called = if named && matches!(place, 1 | 2) { called(visitor, &row, purpose).await? } else { None };
        if let Some(group) = groups.get_mut(place) {
            group.rows.push(Shown { leaves: leaves && !row.state.is_over(), row, called });
        }
    }
    let nameable = !named && groups.iter().skip(1).take(2).any(|group| !group.rows.is_empty());
    groups.retain(|group| !group.none.is_empty() || !group.rows.is_empty());
    let title = if purpose == Purpose::Care { ENTRY.name } else { SQUADS.name };
    Ok(page(StatusCode::OK, &PlacementsPage { page: layout, title, groups, next, named, nameable }))
}

/// How somebody wants to be called, for whoever cares for them.
async fn called(visitor: &Visitor, row: &PlacementRow, purpose: Purpose) -> Result<Option<String>, Refused> {
    let asked = visitor.get(format!("/api/v1/placements/{}", row.id)).purpose(purpose);
    match asked.send::<PlacementView>().await {
        Ok(given) => Ok(Some(given.body.needs.called)),
        Err(refused) if refused.status() == StatusCode::NOT_FOUND => Ok(None),
        Err(refused) => Err(refused),
    }
}

async fn first(visitor: Visitor) -> Result<Response, Refused> {
    list(&visitor, "", false).await
}

async fn first_with_names(visitor: Visitor) -> Result<Response, Refused> {
    list(&visitor, "", true).await
}

async fn after(visitor: Visitor, At(cursor): At<String>) -> Result<Response, Refused> {
    // A place in the list, as the API names it; it goes into an address.
    if !cursor.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(Problem::absent().into());
    }
    list(&visitor, &format!("?cursor={cursor}"), false).await
}

#[derive(Template)]
#[template(path = "placements/pages/placement.html")]
struct PlacementPage {
    page: Layout,
    row: PlacementRow,
    told: Vec<(String, String)>,
    carers: Vec<String>,
    steps: Vec<Step>,
    /// What is not pressed by accident.
    last: Vec<Step>,
    /// Pages beside it.
    beside: Vec<Step>,
    words: String,
}

/// What can be done next.
struct Step {
    path: String,
    name: String,
    /// A page that asks more; what is none is done at once.
    asks: bool,
    /// What comes next by itself, and is what most come for.
    main: bool,
}

async fn shown(visitor: &Visitor, id: Uuid, refused: Option<&Refused>) -> Result<Response, Refused> {
    let path = format!("/placements/{id}");
    let layout = visitor.layout("placement-help").await?.back_to(&path);
    let view = visitor.get(format!("/api/v1{path}")).purpose(purpose(&layout)).send::<PlacementView>().await?.body;
    let people = visitor.get("/api/v1/colleagues?limit=100").send::<Listed<ColleagueView>>().await?.body.items;
    let names: HashMap<AccountId, String> = people.into_iter().map(|who| (who.account, who.handle)).collect();
    let carers = view.workers.iter().filter_map(|account| names.get(account).cloned()).collect();
    let placement = PlacementPage {
        told: needs::told(&layout, &view),
        carers,
        steps: steps(&layout, &path, view.row.state),
        last: last(&layout, &path, view.row.state),
        beside: beside(&layout, &path, &view),
        words: refused.map(|refused| refused.words(&layout)).unwrap_or_default(),
        row: view.row,
        page: layout,
    };
    Ok(page(refused.map_or(StatusCode::OK, Refused::status), &placement))
}

/// What whoever is signed in may do with it as it stands.
fn steps(layout: &Layout, path: &str, state: PlacementState) -> Vec<Step> {
    let all = [
        ("acknowledge", Verb::Acknowledge, state.acknowledge().is_ok(), false),
        ("accept", Verb::Accept, state.accept().is_ok(), true),
        ("decline", Verb::Decline, state.decline().is_ok(), true),
        ("consent", Verb::Consent, state.consent().is_ok(), true),
        ("transport", Verb::Transport, state.transport().is_ok(), false),
        ("admit", Verb::Admit, state.admit().is_ok(), false),
        ("exit", Verb::Exit, !state.is_over(), true),
    ];
    let steps = all.into_iter().filter(|(_, verb, may, _)| *may && layout.does(RecordKind::Placement, *verb));
    let step = |(place, (name, _, _, asks))| Step {
        path: format!("{path}/{name}"),
        name: layout.say(&format!("placement-do-{name}")),
        asks,
        main: place == 0 && name != "exit",
    };
    steps.enumerate().map(step).collect()
}

/// What ends it, and is asked about once more.
fn last(layout: &Layout, path: &str, state: PlacementState) -> Vec<Step> {
    let all = [
        ("transfer", Verb::Transfer, state.transfer().is_ok()),
        ("withdraw", Verb::Withdraw, state.withdraw().is_ok()),
    ];
    let steps = all.into_iter().filter(|(_, verb, may)| *may && layout.does(RecordKind::Placement, *verb));
    let step = |(name, _, _)| Step {
        path: format!("{path}/{name}"),
        name: layout.say(&format!("placement-do-{name}")),
        asks: false,
        main: false,
    };
    steps.map(step).collect()
}

/// The care and the person's word, for who cares for them; who they are, for who decides that.
fn beside(layout: &Layout, path: &str, view: &PlacementView) -> Vec<Step> {
    let cares = layout.account.is_some_and(|account| view.workers.contains(&account));
    let decides = layout.does(RecordKind::Placement, Verb::Assign) && view.manager == layout.account;
    let brings = view.case.is_some() && group(view.row.state) > 0 && !view.row.state.is_over();
    let all = [("care", cares), ("consents", cares || decides), ("workers", decides), ("arrival", brings)];
    let step = |(name, _)| Step {
        path: format!("{path}/{name}"),
        name: layout.say(&format!("placement-do-{name}")),
        asks: true,
        main: false,
    };
    all.into_iter().filter(|(_, shown)| *shown).map(step).collect()
}

async fn read(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    shown(&visitor, id, None).await
}

/// A step that asks nothing more. What was refused is told on the placement's own page, where it stands as it is now.
async fn step(visitor: &Visitor, id: Uuid, step: &str) -> Result<Response, Refused> {
    match visitor.post(format!("/api/v1/placements/{id}/{step}")).send::<Stands>().await {
        Ok(_) => Ok(go(&format!("/placements/{id}"))),
        Err(refused) if refused.code() == "sign_in" || refused.status() == StatusCode::NOT_FOUND => Err(refused),
        Err(refused) => shown(visitor, id, Some(&refused)).await,
    }
}

async fn acknowledge(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    step(&visitor, id, "acknowledge").await
}

async fn admit(visitor: Visitor, At(id): At) -> Result<Response, Refused> {
    step(&visitor, id, "admit").await
}
