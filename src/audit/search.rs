//! The auditor's search. What is sought stands in the body and not in the address, which would keep it.
//!
//! Entries are sealed, so nothing is looked up: those of the time asked for are opened one after the other, newest first,
//! and compared. One request looks through 5000 entries; the next goes on where it stopped.

use super::asked::Asked;
use super::entry::{Detail, Outcome};
use super::keys::LogKeys;
use super::reading::{self, EntryView, Reading};
use super::store;
use crate::guard::action::{Purpose, Role, Verb};
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{OrganisationId, RecordKind};
use crate::platform::app::App;
use crate::platform::http::{Body, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::shared_keys;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

/// Entries that one request looks through.
const MOST: i64 = 5000;
/// Entries that one request returns.
const PAGE: usize = 100;
/// An entry gets its place after it was made, when the sequencer has stood still long after, and clocks of processes differ: so
/// much around a time is looked through as well, and compared by the entry's own time.
pub(super) const MARGIN: TimeDelta = TimeDelta::hours(24);
/// So many entries in a row that are older than that end a search.
const IN_A_ROW: usize = 256;

/// What is sought: entries that fit everything that is stated. Without anything, all of them.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Sought {
    /// A pseudonym, as entries show it.
    #[schema(min_length = 1, max_length = 100)]
    #[garde(inner(length(chars, min = 1, max = 100)))]
    pub person: Option<String>,
    #[garde(skip)]
    pub organisation: Option<OrganisationId>,
    #[garde(skip)]
    pub role: Option<Role>,
    #[garde(skip)]
    pub kind: Option<RecordKind>,
    #[garde(skip)]
    pub verb: Option<Verb>,
    #[garde(skip)]
    pub purpose: Option<Purpose>,
    #[garde(skip)]
    pub outcome: Option<Outcome>,
    /// A record that the entry names.
    #[garde(skip)]
    pub record: Option<Uuid>,
    /// Entries made at this time or later.
    #[garde(skip)]
    pub from: Option<DateTime<Utc>>,
    /// Entries made before this time.
    #[garde(skip)]
    pub until: Option<DateTime<Utc>>,
    /// `next` of the answer before, to the same question.
    #[schema(minimum = 0)]
    #[garde(inner(range(min = 0)))]
    pub below: Option<i64>,
}

impl Sought {
    /// As the search's own entry tells it, beside the record and the organisation that it names.
    fn asked(&self) -> Asked {
        Asked {
            person: self.person.clone(),
            role: self.role,
            kind: self.kind,
            verb: self.verb,
            purpose: self.purpose,
            outcome: self.outcome,
            from: self.from,
            until: self.until,
            further: self.below.is_some(),
        }
    }

    fn fits(&self, detail: &Detail) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, there: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| there == Some(wanted))
        }
        is(self.person.as_ref(), Some(&detail.person))
            && is(self.organisation.as_ref(), detail.organisation.as_ref())
            && is(self.role.as_ref(), Some(&detail.role))
            && is(self.kind.as_ref(), Some(&detail.kind))
            && is(self.verb.as_ref(), Some(&detail.verb))
            && is(self.purpose.as_ref(), detail.purpose.as_ref())
            && is(self.outcome.as_ref(), Some(&detail.outcome))
            && self.record.is_none_or(|record| detail.records.contains(&record))
            && self.from.is_none_or(|from| detail.at >= from)
            && self.until.is_none_or(|until| detail.at < until)
    }
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub struct Found {
    /// Newest first. An entry that was altered fits every question: nobody can say any more what it was.
    pub items: Vec<EntryView>,
    /// Entries that were looked through.
    pub looked_through: usize,
    /// Of those, entries that are sealed to a key which this auditor does not hold.
    pub not_readable: usize,
    /// Of those, entries of which it was erased what they said, since their time was over. They may be what is sought: nobody can say.
    pub erased: usize,
    /// Send as `below` to go on, also if nothing was found up to here; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Search the ledger by person (a pseudonym), organisation, role, kind, verb, purpose, outcome, record and time. The
/// search is an entry itself, with what was sought.
#[utoipa::path(operation_id = "ledger_search", post, path = "/api/v1/ledger/searches", tag = "ledger", request_body = Sought,
    params(("Purpose" = inline(Purpose), Header)),
    responses((status = 200, body = Found), (status = "4XX", body = ProblemDocument)))]
pub async fn search(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    body: Body<Sought>,
) -> Result<Json<Found>, Problem> {
    let target = Target::Kind(RecordKind::Ledger);
    let leave = app.gate.authorize::<verbs::List, kinds::LedgerEntry>(&who, target, purpose).await?;
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
    shared_keys::renew_or_warn(&app, &who).await;
    let mut look = Look::begin(&app.places, leave).await?;
    let auditor = &app.databases.auditor;
    let below = match (sought.below, sought.until) {
        (Some(below), _) => below,
        (None, Some(until)) => {
            let log = app.log_keys().map_err(|_| Problem::fault("the log's origin names no key"))?;
            after(&app.databases.auditor, &log, (until + MARGIN).timestamp().div_euclid(3600), 0).await?
        }
        (None, None) => i64::MAX,
    };
    let rows = store::page(auditor, below, MOST).await?;
    let reached = rows.last().map(|row| row.position).filter(|_| i64::try_from(rows.len()) == Ok(MOST));
    let reading = Reading::prepare(&app, &mut look, &who, rows).await?;
    look.ask(sought.asked());
    let named = sought.record.into_iter().chain(sought.organisation.map(|organisation| organisation.0));
    look.conclude(named.collect(), vec![]).await?.spend();
    // Thousands of signatures and seals: not on a thread that answers others.
    let found = tokio::task::spawn_blocking(move || found(&sought, reading.entries(), reached)).await;
    Ok(Json(found.map_err(|_| Problem::fault("a search broke off"))?))
}

/// The first position behind all entries of an hour and before, by what the leaves say themselves: they are signed, and the
/// times in the database's other columns are not. Where a leaf is not as it was written, or of the entries that the log `signed_for` one
/// is not there, later ones are looked through too.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn after(auditor: &PgPool, log: &LogKeys, hour: i64, signed_for: i64) -> Result<i64, sqlx::Error> {
    let newest = store::page(auditor, i64::MAX, 1).await?.first().map_or(0, |row| row.position + 1);
    let (mut from, mut upto) = (0, newest.max(signed_for));
    while from < upto {
        let middle = from + (upto - from) / 2;
        let row = store::page(auditor, middle + 1, 1).await?.pop().filter(|row| row.position == middle);
        let later = row.and_then(|row| reading::hour_of(&row, log)).is_some_and(|own| own > hour);
        (from, upto) = if later { (from, middle) } else { (middle + 1, upto) };
    }
    Ok(upto)
}

/// The hour of the newest entry; nothing where there is none, or it is not as it was written.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn newest_hour(auditor: &PgPool, log: &LogKeys) -> Result<Option<i64>, sqlx::Error> {
    Ok(store::page(auditor, i64::MAX, 1).await?.first().and_then(|row| reading::hour_of(row, log)))
}

/// Whether a long row of these entries is older than what is asked for: then nothing of it is left further down.
pub(super) fn is_over<'a>(entries: impl Iterator<Item = &'a EntryView>, from: Option<DateTime<Utc>>) -> bool {
    let Some(too_old) = from.map(|from| from - MARGIN) else { return false };
    let mut in_a_row = 0;
    entries.map(|entry| entry.detail.as_ref().is_some_and(|detail| detail.at < too_old)).any(|is_too_old| {
        in_a_row = if is_too_old { in_a_row + 1 } else { 0 };
        // One process with a wrong clock must not end a search.
        in_a_row == IN_A_ROW
    })
}

/// Compares entry by entry, and stops at a full page, or where a long row of entries is older than what is asked for.
fn found(sought: &Sought, entries: impl Iterator<Item = EntryView>, reached: Option<i64>) -> Found {
    let mut found = Found { items: Vec::new(), looked_through: 0, not_readable: 0, erased: 0, next: reached };
    let (too_old, mut in_a_row) = (sought.from.map(|from| from - MARGIN), 0);
    for entry in entries {
        let position = entry.position;
        found.looked_through += 1;
        let is_too_old = |detail: &Detail| too_old.is_some_and(|too_old| detail.at < too_old);
        in_a_row = if entry.detail.as_ref().is_some_and(is_too_old) { in_a_row + 1 } else { 0 };
        match &entry.detail {
            Some(detail) if sought.fits(detail) => found.items.push(entry),
            Some(_) => {}
            None if entry.altered => found.items.push(entry),
            None if entry.erased => found.erased += 1,
            None => found.not_readable += 1,
        }
        // One process with a wrong clock must not end a search.
        if in_a_row == IN_A_ROW {
            found.next = None;
            break;
        }
        if found.items.len() == PAGE {
            found.next = Some(position);
            break;
        }
    }
    found
}
