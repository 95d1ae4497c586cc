//! A supervisor reads what the own people did. What is sought stands in the body and not in the address, which would keep it.

use super::model::{Cursor, FoundOfOwn, OwnDetail, OwnEntry, SoughtOfOwn, cut};
use super::people::People;
use super::store;
use crate::audit::entry::{Detail, Pseudonyms, Sphere};
use crate::audit::reading::{EntryView, Reading};
use crate::guard::action::Purpose;
use crate::guard::gate::{Authorized, Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::RecordKind;
use crate::guard::session::Who;
use crate::platform::app::App;
use crate::platform::http::{Body, Listed, Page, Paged, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::shared_keys;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Datelike as _, Utc};
use std::sync::Arc;
use uuid::Uuid;

/// Entries that one search looks through, and that it returns.
const MOST: i32 = 5000;
const PAGE: usize = 100;

type Leave = Authorized<verbs::List, kinds::OwnEntry>;

/// Read what the people of one's own organisation did, newest entries first, by name. Looking into it is an entry itself.
#[utoipa::path(operation_id = "oversight_list", get, path = "/api/v1/oversight/entries", tag = "ledger",
    params(Page, ("Purpose" = inline(Purpose), Header, description = "`supervision`")),
    responses((status = 200, body = Listed<OwnEntry>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    page: Paged,
) -> Result<Json<Listed<OwnEntry>>, Problem> {
    let leave = authorize(&app, &who, purpose).await?;
    let from = cursor(page.cursor.as_deref())?;
    let all = SoughtOfOwn::default();
    let most = usize::try_from(page.limit).unwrap_or(PAGE);
    let rows = i32::try_from(page.limit).unwrap_or(MOST);
    let FoundOfOwn { items, next, .. } = look_through(&app, &who, leave, all, (from, rows, most)).await?;
    Ok(Json(Listed { items, next }))
}

/// Search what the people of one's own organisation did, by person, kind, verb, purpose, outcome, record and time. The search is an
/// entry itself, with what was sought.
#[utoipa::path(operation_id = "oversight_search", post, path = "/api/v1/oversight/searches", tag = "ledger",
    request_body = SoughtOfOwn, params(("Purpose" = inline(Purpose), Header, description = "`supervision`")),
    responses((status = 200, body = FoundOfOwn), (status = "4XX", body = ProblemDocument)))]
pub async fn search(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    body: Body<SoughtOfOwn>,
) -> Result<Json<FoundOfOwn>, Problem> {
    let leave = authorize(&app, &who, purpose).await?;
    let sought = body.check()?;
    for (field, time) in [("from", sought.from), ("until", sought.until)] {
        if time.is_some_and(|time| !(1970..=2200).contains(&time.year())) {
            return Err(Problem::field(field, "is a time between 1970 and 2200"));
        }
    }
    if let (Some(from), Some(until)) = (sought.from, sought.until)
        && until <= from
    {
        return Err(Problem::field("until", "is not after `from`"));
    }
    let from = match (&sought.cursor, sought.until) {
        // An entry is sealed when it was made, or moments later.
        (None, Some(until)) => Cursor { hour: hour(until) + 1, ..Cursor::START },
        (text, _) => cursor(text.as_deref())?,
    };
    Ok(Json(look_through(&app, &who, leave, sought, (from, MOST, PAGE)).await?))
}

async fn authorize(app: &App, who: &Arc<Who>, purpose: Option<Purpose>) -> Result<Leave, Problem> {
    app.gate.authorize(who, Target::Kind(RecordKind::Oversight), purpose).await
}

fn cursor(text: Option<&str>) -> Result<Cursor, Problem> {
    let parsed = text.map_or(Some(Cursor::START), Cursor::parse);
    parsed.ok_or_else(|| Problem::field("cursor", "is not one of ours"))
}

fn hour(time: DateTime<Utc>) -> i64 {
    time.timestamp().div_euclid(3600)
}

/// From a cursor on through so many rows at most, to a page of so many entries that fit.
async fn look_through(
    app: &App,
    who: &Arc<Who>,
    leave: Leave,
    sought: SoughtOfOwn,
    (from, most, page): (Cursor, i32, usize),
) -> Result<FoundOfOwn, Problem> {
    shared_keys::renew_or_warn(app, who).await;
    let mut look = Look::begin(&app.places, leave).await?;
    let pseudonyms = Pseudonyms::new(app.secrets.pseudonyms.clone());
    let people = People::new(store::people(&mut look).await?, &pseudonyms);
    let person = match sought.person.as_deref().map(|named| people.find(named)) {
        Some(None) => {
            // Whom somebody looks for is not to be tried out unseen.
            look.ask(sought.asked(None));
            look.conclude(sought.record.into_iter().collect(), vec![]).await?.spend();
            return Err(Problem::field("person", "is nobody of your organisation"));
        }
        found => found.flatten(),
    };
    let rows = store::entries(&mut look, from, sought.from.map_or(0, hour), most).await?;
    let more = i32::try_from(rows.len()) == Ok(most);
    let (places, rows): (Vec<Cursor>, Vec<_>) = rows.into_iter().unzip();
    let end = places.last().copied().filter(|_| more);
    let reading = Reading::prepare_some(app, &mut look, who, rows).await?;
    let now = app.places.clock.now();
    if sought.asks() {
        look.ask(sought.asked(person.map(|account| pseudonyms.of(account, Sphere::Work, now))));
    }
    look.conclude(sought.record.into_iter().collect(), vec![]).await?.spend();
    let ever = person.map(|account| pseudonyms.ever_of(account));
    let (organisation, record) = (who.organisation, sought.record);
    // Which of them name a record is known when it is known what they may name.
    let enough = if record.is_some() { usize::MAX } else { page };
    // Thousands of signatures and seals: not on a thread that answers others.
    let fitting = tokio::task::spawn_blocking(move || {
        let own = |detail: &Detail| detail.organisation == Some(organisation);
        let fits = |entry: &EntryView| match &entry.detail {
            Some(detail) => own(detail) && sought.fits(detail, ever.as_deref()),
            None => entry.altered || entry.erased && !sought.asks(),
        };
        let mut looked_through = 0;
        let counted = reading.of_rows().inspect(|_| looked_through += 1);
        let fitting: Vec<(Cursor, EntryView)> =
            places.into_iter().zip(counted).filter(|(_, entry)| fits(entry)).take(enough).collect();
        (fitting, looked_through)
    });
    let (fitting, looked_through) = fitting.await.map_err(|_| Problem::fault("a search broke off"))?;
    let named: Vec<Uuid> = fitting
        .iter()
        .filter_map(|(_, entry)| entry.detail.as_ref())
        .flat_map(|detail| detail.records.clone())
        .collect();
    let shown = store::shown(&app.places, who, &named).await?;
    let mut items: Vec<(Cursor, OwnEntry)> = fitting
        .into_iter()
        .map(|(place, EntryView { position, detail, altered, erased, .. })| {
            let detail = detail.map(|detail| OwnDetail::of(detail, &people, &shown));
            (place, OwnEntry { position, detail, altered, erased })
        })
        .filter(|(_, entry)| entry.detail.as_ref().is_none_or(|detail| !detail.is_of_elsewhere()))
        .filter(|(_, entry)| match (record, &entry.detail) {
            (Some(record), Some(detail)) => detail.records.contains(&record),
            _ => true,
        })
        .collect();
    let next = cut(&mut items, page, end);
    let items = items.into_iter().map(|(_, entry)| entry).collect();
    Ok(FoundOfOwn { items, looked_through, next: next.map(Cursor::text) })
}
