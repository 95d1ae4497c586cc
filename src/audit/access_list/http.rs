//! The auditors' office makes the list. Whose it is stands in the body and not in the address, which would keep it.

use super::held;
use super::hers::Hers;
use super::model::{AccessList, Counted, LONGEST, NewAccessList};
use super::rules::Count;
use super::words::{self, Found, Names};
use super::{paper, store};
use crate::audit::asked::Asked;
use crate::audit::reading::{EntryView, Reading};
use crate::audit::{search, store as ledger_store};
use crate::cases::erasure;
use crate::guard::action::Purpose;
use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::{AccountId, CaseId, OrganisationId, RecordKind};
use crate::guard::statement::Lack;
use crate::guard::trust::TrustError;
use crate::guard::vouch::is_vouched;
use crate::platform::app::App;
use crate::platform::http::{Body, SignedIn, Stated};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::shared_keys;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Entries that one request looks through.
const MOST: i64 = 10_000;
/// So many that were counted already are looked at again when it goes on: what one unit wrote stands together, on both sides of
/// where a request ended.
const AGAIN: i64 = 64;
const PDF: &str = "application/pdf";
/// It says nothing of what it is, or whose.
const FILE: &str = "attachment; filename=\"list.pdf\"";

type Looking = Look<verbs::List, kinds::AccessList>;

/// Make, for the person concerned, the list of who opened her record: by day, organisation, role and purpose, in her language. It
/// is stored nowhere; that it was made is an entry. With `Accept: application/pdf` it is a paper for her.
#[utoipa::path(
    post, path = "/api/v1/ledger/access-lists", operation_id = "make_access_list", tag = "ledger", request_body = NewAccessList,
    params(("Purpose" = inline(Purpose), Header, description = "`access_request`")),
    responses(
        (status = 200, description = "The list, or as much of it as was counted; as PDF only when it is whole.",
            content((AccessList = "application/json"), (String = "application/pdf"))),
        (status = 403, description = "The role makes none.", body = ProblemDocument),
        (status = 409, description = "`list_not_whole`: go on with JSON until `more` is false, then ask for the PDF with that `so_far`. \
            `list_too_long`: ask for a shorter time.", body = ProblemDocument),
        (status = 422, description = "A field is not right.", body = ProblemDocument),
    ),
)]
pub async fn make(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Stated(purpose): Stated,
    headers: HeaderMap,
    body: Body<NewAccessList>,
) -> Result<Response, Problem> {
    let target = Target::Kind(RecordKind::AccessList);
    let leave = app.gate.authorize::<verbs::List, kinds::AccessList>(&who, target, purpose).await?;
    let asked = body.check()?;
    let now = app.places.clock.now();
    let today = app.config.snooping.day(now);
    let counted = begin(&app, who.account, &asked, today)?;
    shared_keys::renew_or_warn(&app, &who).await;
    let mut look = Look::begin(&app.places, leave).await?;

    let ids: Vec<Uuid> = asked.case.iter().map(|case| case.0).chain(asked.records.iter().copied()).collect();
    let hanging = store::hanging(&mut look, &ids).await?;
    let lacks = ids.iter().position(|id| !hanging.records.contains(id) && !hanging.erased.contains(id));
    let mut hers = Hers::new(ids.clone(), hanging.records);
    // A row that says so is not enough: whoever plants one would have what is missing pass for erased.
    let erased = erasure::are_erased(&mut look, &hanging.erased).await?;
    let missing = match asked.case {
        Some(case) => add_listed(&app, &mut look, case, &mut hers).await?.unwrap_or(!erased),
        None => !erased && !hanging.erased.is_empty(),
    };
    let found = Found { erased, lost: missing, today: counted.until >= today };

    let (upto, rows, kept_back) = rows(&app, &counted).await?;
    let reached = rows.last().map(|row| row.position).filter(|_| is_full(&rows));
    let reading = Reading::prepare(&app, &mut look, &who, rows).await?;
    look.ask(Asked { from: start(counted.from), until: start(counted.until.succ_opt()), ..Asked::default() });
    // That she was asked for is entered before anything is known of her, and whether there is such a case or not.
    look.conclude(ids, vec![]).await?.spend();
    if let Some(at) = lacks {
        let field = if asked.case.is_some() && at == 0 { "case".to_owned() } else { "records".to_owned() };
        return Err(Problem::field(field, "names no case, call or notice: copy the id anew"));
    }

    let days = app.config.snooping.clone();
    // Thousands of signatures and seals: not on a thread that answers others.
    let count = tokio::task::spawn_blocking(move || {
        let day_of = |at| days.day(at);
        let mut count = Count::new(counted, hers, &day_of);
        let entries: Vec<EntryView> = reading.of_rows().collect();
        let over = search::is_over(entries.iter(), start(count.counted.from));
        count.take(&entries, upto);
        count.counted.altered = count.counted.altered.saturating_add(kept_back);
        count.counted.below = reached.filter(|_| !over);
        (!count.is_too_long()).then_some(count.counted)
    });
    let count = count.await.map_err(|_| Problem::fault("counting broke off"))?;
    let mut counted = count.ok_or_else(too_long)?;
    counted.behind |= app.places.ledger.lacks().contains(&Lack::Behind);
    let names = names(&app, &counted).await?;
    let so_far = so_far(&app, who.account, &asked, &counted)?;
    let list = words::list(asked.language, &counted, &found, &names, so_far);
    answer(list, &headers, today).await
}

/// What was counted before, if the service gave it to this auditor for this question; else nothing yet.
fn begin(app: &App, auditor: AccountId, asked: &NewAccessList, today: NaiveDate) -> Result<Counted, Problem> {
    if asked.case.is_none() && asked.records.is_empty() {
        return Err(Problem::field("case", "is needed, or `records`"));
    }
    let until = asked.until.unwrap_or(today).min(today);
    if asked.from.is_some_and(|from| from > until) {
        return Err(Problem::field("from", "lies after `until`, or after today"));
    }
    let Some(so_far) = &asked.so_far else {
        return Ok(Counted {
            from: asked.from,
            until,
            below: Some(i64::MAX),
            lines: BTreeMap::new(),
            learnt: BTreeSet::new(),
            altered: 0,
            unreadable: 0,
            old: 0,
            behind: false,
        });
    };
    let foreign = || Problem::field("so_far", "was not given to you for this question: begin anew");
    let bytes = URL_SAFE_NO_PAD.decode(so_far).map_err(|_| foreign())?;
    let (code, json) = bytes.split_at_checked(32).ok_or_else(foreign)?;
    let expected = app.places.trust.voucher().access_list(auditor, &question(asked), json);
    if !is_vouched(Some(code), &expected) {
        return Err(foreign());
    }
    serde_json::from_slice(json).map_err(|_| foreign())
}

/// What was counted, with the service's code over it: nobody puts in or takes out a line on the way.
fn so_far(app: &App, auditor: AccountId, asked: &NewAccessList, counted: &Counted) -> Result<String, Problem> {
    let json = serde_json::to_vec(counted).map_err(|_| Problem::fault("what was counted cannot be written"))?;
    let code = app.places.trust.voucher().access_list(auditor, &question(asked), &json);
    let text = URL_SAFE_NO_PAD.encode([code.as_slice(), &json].concat());
    if text.len() <= LONGEST { Ok(text) } else { Err(too_long()) }
}

fn too_long() -> Problem {
    Problem::illegal(
        "list_too_long",
        "That is more than anybody reads. Ask for a shorter time, and make several lists.",
    )
}

/// What must stay the same from request to request. In which language does not matter.
fn question(asked: &NewAccessList) -> Vec<u8> {
    let days = [asked.from, asked.until].map(|day| day.map_or_else(|| "-".to_owned(), |day| day.to_string()));
    let ids = asked.case.iter().map(|case| case.0).chain(asked.records.iter().copied());
    [days.join(" ").into_bytes(), ids.flat_map(Uuid::into_bytes).collect()].concat()
}

/// The beginning of a day somewhere: a day's margin is looked through besides.
fn start(day: Option<NaiveDate>) -> Option<DateTime<Utc>> {
    day.map(|day| day.and_time(NaiveTime::MIN).and_utc())
}

/// The next rows, newest first, the position from which on they were not counted yet, and how many entries are not where the log
/// signed them to be.
async fn rows(app: &App, counted: &Counted) -> Result<(i64, Vec<ledger_store::Page>, u32), Problem> {
    let Some(below) = counted.below else { return Ok((0, Vec::new(), 0)) };
    let auditor = &app.databases.auditor;
    let log = app.log_keys().map_err(|_| Problem::fault("the log's origin names no key"))?;
    // First: what comes later is no fault.
    let end = held::signed_for(app, &log).await?;
    let until = start(counted.until.checked_add_days(Days::new(2))).filter(|_| below == i64::MAX);
    let upto = match until {
        Some(until) => search::after(auditor, &log, (until + search::MARGIN).timestamp().div_euclid(3600), end).await?,
        None => below,
    };
    let above = upto.saturating_add(AGAIN);
    let rows = ledger_store::page(auditor, above, MOST + AGAIN).await?;
    let kept_back = held::kept_back(&rows, upto, above.min(end), !is_full(&rows));
    Ok((upto, rows, u32::try_from(kept_back).unwrap_or(u32::MAX)))
}

/// Whether there may be more rows below these.
fn is_full(rows: &[ledger_store::Page]) -> bool {
    i64::try_from(rows.len()) == Ok(MOST + AGAIN)
}

/// Adds what the case's head lists. Whether something is not where it was, the head itself or what it lists; nothing where there is no
/// head.
async fn add_listed(app: &App, look: &mut Looking, case: CaseId, hers: &mut Hers) -> Result<Option<bool>, Problem> {
    let Some(row) = store::head(&app.databases.auditor, case).await? else { return Ok(None) };
    let (connection, trust) = look.with_trust();
    let signer = match trust.signer(connection, row.signer).await {
        Ok(signer) => signer,
        Err(TrustError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(Some(true)),
    };
    let vouched = is_vouched(row.vouch.as_deref(), &trust.voucher().head(case, row.number, row.signer, &row.note));
    let head = trust.head(&row.note, &signer).ok().filter(|head| vouched && head.case == case);
    Ok(Some(head.is_none_or(|head| hers.add_listed(&head))))
}

/// What the organisations are called by what the two who answer for each signed: a row can be changed by who owns the database.
async fn names(app: &App, counted: &Counted) -> Result<Names, Problem> {
    let mut connection = app.places.main.acquire().await?;
    let mut names = Names::new();
    let all: BTreeSet<OrganisationId> = counted.lines.keys().filter_map(|kind| kind.organisation).collect();
    for organisation in all {
        names.insert(organisation, name(app, &mut connection, organisation).await?);
    }
    Ok(names)
}

async fn name(app: &App, connection: &mut PgConnection, id: OrganisationId) -> Result<Option<String>, Problem> {
    match app.places.trust.founding(connection, id).await {
        Ok(founding) => Ok(Some(founding.name.clone())),
        Err(TrustError::Store(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

async fn answer(list: AccessList, headers: &HeaderMap, today: NaiveDate) -> Result<Response, Problem> {
    if !wants_paper(headers) {
        return Ok(Json(list).into_response());
    }
    if list.more {
        let go_on = "Nobody is given half a list: ask for JSON with `so_far` until `more` is false, then for the PDF.";
        return Err(Problem::illegal("list_not_whole", go_on));
    }
    let printed = tokio::task::spawn_blocking(move || paper::print(&list, today));
    let printed = printed.await.map_err(|_| Problem::fault("printing broke off"))?;
    let pdf = printed.map_err(|_| Problem::fault("a list cannot be printed"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(PDF)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(FILE)),
    ];
    Ok((headers, pdf).into_response())
}

/// Whether a PDF is among what is accepted by name.
fn wants_paper(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).filter_map(|one| one.split(';').next());
    types.any(|one| one.trim().eq_ignore_ascii_case(PDF))
}
