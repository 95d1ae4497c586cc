//! Shifts, and the times when nobody is there.

use crate::guard::record::{AccountId, ShiftId};
use crate::platform::http::moment;
use crate::platform::problem::Problem;
use chrono::{DateTime, TimeDelta, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How long one turn lasts at most.
const LONGEST: TimeDelta = TimeDelta::hours(24);
/// How much of a roster is shown at once, and how far ahead it is made.
const FURTHEST: TimeDelta = TimeDelta::days(400);
/// How much is shown if nobody says.
pub const WEEK: TimeDelta = TimeDelta::days(7);

/// A time with an end.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

impl Span {
    /// What of a gap lies within this time; nothing if none of it does.
    #[must_use]
    pub fn part_of(self, gap: Self) -> Option<Self> {
        let (starts_at, ends_at) = (self.starts_at.max(gap.starts_at), self.ends_at.min(gap.ends_at));
        (starts_at < ends_at).then_some(Self { starts_at, ends_at })
    }

    /// Whether somebody can be at a desk for this time.
    ///
    /// # Errors
    /// 422 that names the field.
    pub fn check(self, now: DateTime<Utc>) -> Result<(), Problem> {
        if self.ends_at <= self.starts_at || self.ends_at - self.starts_at > LONGEST {
            return Err(Problem::field("ends_at", "comes after `starts_at`, by not more than 24 hours"));
        }
        if self.ends_at <= now || self.starts_at > now + FURTHEST {
            return Err(Problem::field(
                "starts_at",
                "is a turn that is not over yet, and not more than 400 days ahead",
            ));
        }
        Ok(())
    }

    /// Whether so much of a roster is shown.
    ///
    /// # Errors
    /// 422 that names the field.
    pub fn check_asked(self) -> Result<(), Problem> {
        if self.ends_at <= self.starts_at || self.ends_at - self.starts_at > FURTHEST {
            return Err(Problem::field("until", "comes after `from`, by not more than 400 days"));
        }
        Ok(())
    }
}

/// A turn at the desk.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ShiftView {
    pub id: ShiftId,
    pub account: AccountId,
    #[serde(flatten)]
    pub span: Span,
}

/// The roster of one's own desk.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Roster {
    pub shifts: Vec<ShiftView>,
    /// When nobody is there.
    pub gaps: Vec<Span>,
}

/// A turn to be entered.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShift {
    /// A colleague who is at the desk.
    #[garde(skip)]
    pub account: AccountId,
    #[garde(skip)]
    #[serde(deserialize_with = "moment")]
    pub starts_at: DateTime<Utc>,
    #[garde(skip)]
    #[serde(deserialize_with = "moment")]
    pub ends_at: DateTime<Utc>,
}

/// A turn that is off the roster.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ShiftCancelled {
    pub id: ShiftId,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: i64, until: i64) -> Span {
        let at = |hours| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hours);
        Span { starts_at: at(from), ends_at: at(until) }
    }

    #[test]
    fn a_gap_is_shown_as_far_as_it_was_asked_for() {
        assert_eq!(span(0, 10).part_of(span(-5, 3)), Some(span(0, 3)));
        assert_eq!(span(0, 10).part_of(span(8, 30)), Some(span(8, 10)));
        assert_eq!(span(0, 10).part_of(span(10, 12)), None);
        assert_eq!(span(0, 10).part_of(span(-2, 0)), None);
    }

    #[test]
    fn a_turn_has_a_length_and_is_not_over() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        for (from, until, right) in [
            (0, 8, true),
            (-4, 4, true),
            (0, 24, true),
            (0, 25, false),
            (8, 8, false),
            (8, 0, false),
            (-9, -1, false),
            (9601, 9602, false),
        ] {
            assert_eq!(span(from, until).check(now).is_ok(), right, "{from} {until}");
        }
    }
}
