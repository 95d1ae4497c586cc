//! Times that a client sends.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize as _, Deserializer};

/// The years that a time in a request may lie in: none of a living person's is outside, and the database stores all.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2199;

/// A time as the database stores it: in whole microseconds. What is signed or vouched for has to be what comes back from
/// there, so a finer time is cut before anybody signs it. For `#[serde(deserialize_with)]` on every time of a request.
///
/// # Errors
/// What is no time of RFC 3339, or lies outside the years 1900 to 2199.
pub fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
    use chrono::Datelike as _;
    let sent = DateTime::<Utc>::deserialize(from)?;
    let stored = DateTime::from_timestamp_micros(sent.timestamp_micros());
    stored
        .filter(|time| YEARS.contains(&time.year()))
        .ok_or_else(|| serde::de::Error::custom("is a time between the years 1900 and 2199"))
}

/// [`moment`], where one may be absent; together with `#[serde(default)]`.
///
/// # Errors
/// As [`moment`].
pub fn maybe_moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    #[derive(serde::Deserialize)]
    struct Moment(#[serde(deserialize_with = "moment")] DateTime<Utc>);
    Ok(Option::<Moment>::deserialize(from)?.map(|moment| moment.0))
}

/// A day, where one may be absent; for `#[serde(deserialize_with)]` together with `#[serde(default)]`.
///
/// # Errors
/// What is no day like `2026-03-01`, or lies outside the years 1900 to 2199.
pub fn maybe_day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NaiveDate>, D::Error> {
    use chrono::Datelike as _;
    let Some(sent) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let day = sent.parse::<NaiveDate>().ok().filter(|day| YEARS.contains(&day.year()) && day.to_string() == sent);
    // As the libraries say what they expect: the field's problem is made of it.
    day.map(Some).ok_or_else(|| serde::de::Error::custom("not a day, expected a day"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Sent {
        #[serde(deserialize_with = "moment")]
        at: DateTime<Utc>,
        #[serde(default, deserialize_with = "maybe_moment")]
        until: Option<DateTime<Utc>>,
    }

    #[test]
    fn a_time_is_cut_to_what_the_database_stores() {
        let sent: Sent = serde_json::from_str(
            r#"{"at":"2026-12-01T08:00:00.123456789Z","until":"2026-12-01T10:00:60.999999999+02:00"}"#,
        )
        .unwrap();
        assert_eq!(sent.at.to_rfc3339(), "2026-12-01T08:00:00.123456+00:00");
        let until = sent.until.unwrap();
        assert_eq!(Some(until), DateTime::from_timestamp_micros(until.timestamp_micros()));
        for none in [r#"{"at":"2026-12-01T08:00:00Z"}"#, r#"{"at":"2026-12-01T08:00:00Z","until":null}"#] {
            assert!(serde_json::from_str::<Sent>(none).unwrap().until.is_none());
        }
    }

    #[test]
    fn a_day_is_written_in_one_way() {
        #[derive(serde::Deserialize)]
        struct Sent(#[serde(deserialize_with = "maybe_day")] Option<NaiveDate>);
        let sent = |text: &str| serde_json::from_str::<Sent>(text).map(|Sent(day)| day);
        assert_eq!(sent("\"2026-03-01\"").unwrap(), NaiveDate::from_ymd_opt(2026, 3, 1));
        assert_eq!(sent("null").unwrap(), None);
        for none in ["\"2026-3-1\"", "\"2026-02-30\"", "\"1899-12-31\"", "\"2200-01-01\"", "\"today\"", "7"] {
            assert!(sent(none).is_err(), "{none}");
        }
    }

    #[test]
    fn a_time_that_no_database_stores_is_none() {
        for sent in [
            "-200000-01-01T00:00:00Z",
            "+262142-12-31T23:59:59Z",
            "1899-12-31T23:59:59Z",
            "2200-01-01T00:00:00Z",
            "soon",
        ] {
            assert!(serde_json::from_str::<Sent>(&format!(r#"{{"at":"{sent}"}}"#)).is_err(), "{sent}");
        }
    }
}
