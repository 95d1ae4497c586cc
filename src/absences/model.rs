//! What an absence is.

use crate::guard::record::{AbsenceId, AccountId, CaseId};
use crate::guard::statement::Window;
use crate::platform::http::{maybe_moment, moment};
use crate::platform::problem::Problem;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long a colleague stands in at most; whoever is away for longer is taken off their cases.
const LONGEST: TimeDelta = TimeDelta::days(92);

/// An officer will be away.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAbsence {
    /// A colleague of the same organisation who works on cases.
    #[garde(skip)]
    pub stand_in: AccountId,
    /// Now if absent.
    #[garde(skip)]
    #[serde(default, deserialize_with = "maybe_moment")]
    pub from: Option<DateTime<Utc>>,
    #[garde(skip)]
    #[serde(deserialize_with = "moment")]
    pub until: DateTime<Utc>,
    /// All open cases to which the officer is assigned if absent.
    #[garde(inner(length(max = 200)))]
    #[schema(max_items = 200)]
    pub cases: Option<Vec<CaseId>>,
}

impl NewAbsence {
    /// From when until when, if that can be.
    ///
    /// # Errors
    /// 422 that names the field.
    pub fn window(&self, now: DateTime<Utc>) -> Result<Window, Problem> {
        // What began a moment ago begins now: nobody had it before it was signed.
        let window = Window { from: self.from.map_or(now, |from| from.max(now)), until: self.until };
        if window.until <= window.from {
            return Err(Problem::field("until", "comes after `from`, and is still to come"));
        }
        if window.until > now + LONGEST {
            return Err(Problem::field("until", "is not more than 92 days ahead"));
        }
        Ok(window)
    }
}

/// A colleague stands in.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AbsenceView {
    pub id: AbsenceId,
    /// Who is away.
    pub account: AccountId,
    pub stand_in: AccountId,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// When it was ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// On which cases, as far as the reader sees them.
    pub cases: Vec<CaseId>,
}

/// What was handed over.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AbsenceBegun {
    pub id: AbsenceId,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// The stand-in's for that time.
    pub cases: Vec<CaseId>,
    /// The stand-in is on these already, and stays.
    pub on_already: Vec<CaseId>,
}

/// An absence that was ended early.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct AbsenceEnded {
    pub id: AbsenceId,
    /// On how many cases access ended.
    pub cases: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absence_has_an_end_that_is_to_come_and_not_far() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let at = |hours| now + TimeDelta::hours(hours);
        let window = |from: Option<i64>, until| {
            let (from, stand_in) = (from.map(at), AccountId(uuid::Uuid::nil()));
            NewAbsence { stand_in, from, until: at(until), cases: None }.window(now)
        };
        assert_eq!(window(None, 8).unwrap(), Window { from: now, until: at(8) });
        assert_eq!(window(Some(-5), 8).unwrap().from, now, "nothing counts before it was signed");
        assert_eq!(window(Some(5), 8).unwrap().from, at(5));
        for (from, until) in [(None, 0), (None, -1), (Some(8), 8), (Some(9), 8), (None, 92 * 24 + 1)] {
            assert!(window(from, until).is_err(), "{from:?} {until}");
        }
    }
}
