//! The ways in and out that belong to no capability: home, quick exit, language, help, the neutral page, and the files.

use super::form::Fields;
use super::layout::{go, page};
use super::{Layout, Pages, Refused, Visitor, cookies, files};
use askama::Template;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{Datelike as _, Days, Months, NaiveDate};

/// The pages that belong to everybody.
#[must_use]
pub fn pages() -> Pages {
    Pages::default()
        .get("/", home)
        .get("/help", help)
        .get("/calendar", calendar)
        .get(files::AT, files::file)
        .post("/language", speak)
        .post("/exit", leave)
}

#[derive(Template)]
#[template(path = "platform/page/pages/home.html")]
struct Home {
    page: Layout,
}

/// Where a day begins: the first screen of one's work, or the door.
async fn home(visitor: Visitor) -> Result<Response, Refused> {
    if visitor.session().is_none() {
        return Ok(crate::staff::pages::sign_in_for(&visitor, None));
    }
    let layout = visitor.layout("page-help-home").await?;
    Ok(match layout.links.first() {
        Some(link) => go(link.path),
        None => page(StatusCode::OK, &Home { page: layout }),
    })
}

#[derive(Template)]
#[template(path = "platform/page/pages/help.html")]
struct Help {
    page: Layout,
}

async fn help(visitor: Visitor) -> Response {
    let layout = visitor.layout("page-help-help").await.unwrap_or_else(|_| visitor.bare("page-help-help"));
    page(StatusCode::OK, &Help { page: layout })
}

/// A path of ours, and nothing that leads elsewhere.
#[must_use]
pub fn own_path(path: &str) -> &str {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '/' | '-');
    if path.starts_with('/') && !path.starts_with("//") && path.chars().all(plain) { path } else { "/" }
}

/// Another language: the door has seen to it already.
async fn speak(_: Visitor, fields: Fields) -> Response {
    go(own_path(fields.get("to").unwrap_or("/")))
}

/// Quick exit: the session ends, nothing of it stays in the browser, and a page follows that tells nobody anything.
async fn leave(visitor: Visitor) -> Response {
    // Whoever has no session any more leaves all the same.
    if visitor.session().is_some()
        && let Err(refused) = visitor.delete("/api/v1/sessions/current").send::<serde_json::Value>().await
        && refused.code() != "sign_in"
    {
        tracing::warn!(code = refused.code(), "a session was left and not ended; it ends by itself");
    }
    let mut response = go("/calendar");
    // Not `cookies`: that would end other services' sessions under the same domain.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\", \"storage\""));
    // Instead of those that a renewal may have set just now.
    let _ = visitor.to_be_set();
    visitor.keeps(cookies::drop_all());
    response.into_response()
}

#[derive(Template)]
#[template(path = "platform/page/pages/calendar.html")]
struct Calendar {
    page: Layout,
    month: String,
    days: Vec<String>,
    /// Weeks from Monday on; nothing where no day of the month is.
    weeks: Vec<Vec<Option<Day>>>,
}

struct Day {
    number: u32,
    today: bool,
}

/// A page with nothing of ours on it.
async fn calendar(visitor: Visitor) -> Response {
    let layout = visitor.bare("");
    let today = visitor.console().local(visitor.now()).date_naive();
    let month = today.format("%m.%Y").to_string();
    let days = (1..=7).map(|day| layout.say(&format!("weekday-{day}"))).collect();
    let shown = |number| Day { number, today: number == today.day() };
    let weeks = weeks(today).into_iter().map(|week| week.into_iter().map(|day| day.map(shown)).collect()).collect();
    page(StatusCode::OK, &Calendar { month, days, weeks, page: layout })
}

fn weeks(today: NaiveDate) -> Vec<Vec<Option<u32>>> {
    let first = today.with_day(1).unwrap_or(today);
    let end = first.checked_add_months(Months::new(1)).unwrap_or(first);
    let before = u64::from(first.weekday().num_days_from_monday());
    let mut day = first.checked_sub_days(Days::new(before)).unwrap_or(first);
    let mut weeks = Vec::new();
    while day < end {
        let week = day.iter_days().take(7).map(|day| (day >= first && day < end).then(|| day.day())).collect();
        weeks.push(week);
        day = day.checked_add_days(Days::new(7)).unwrap_or(end);
    }
    weeks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_else() {
        for own in ["/", "/calls", "/calls/4c5f0b1e-aa/hand-over"] {
            assert_eq!(own_path(own), own);
        }
        for other in ["//evil.example", "https://evil.example", "/\\evil.example", "/a?b=c", "", "/%2f", "/a\nb", "/A"]
        {
            assert_eq!(own_path(other), "/", "{other}");
        }
    }

    #[test]
    fn a_month_is_whole_weeks_from_monday_on() {
        let november = weeks(NaiveDate::from_ymd_opt(2026, 11, 23).unwrap());
        assert_eq!(november.len(), 6);
        assert_eq!(november[0], [None, None, None, None, None, None, Some(1)]);
        assert_eq!(november[5], [Some(30), None, None, None, None, None, None]);
        assert_eq!(november.iter().flatten().flatten().count(), 30);
        assert_eq!(weeks(NaiveDate::from_ymd_opt(2027, 2, 14).unwrap()).len(), 4);
    }
}
