//! What is counted, and what the auditors are told.

use crate::guard::action::Role;
use crate::guard::record::OrganisationId;
use crate::guard::words::words;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

words! {
    /// What is counted of one person's day.
    pub enum Measure {
        /// Different records that were read or listed.
        Records = "records",
        /// Reads outside of the hours of the role; nothing for roles that keep a desk day and night.
        OffHours = "off_hours",
        /// By how many more cases were read on which the person did nothing, until four hours after the day, than such as they worked on.
        Fruitless = "fruitless",
        /// The same read again, beyond the third within an hour.
        Repeats = "repeats",
        /// Cases that were read because two custodians opened them, within four weeks.
        Emergencies = "emergencies",
        /// Cases that were read within an hour after it was changed who is on them.
        AfterChange = "after_change",
        /// What was asked for in vain.
        Refused = "refused",
    }
}

/// How many measures there are.
pub const MEASURES: usize = Measure::ALL.len();

/// A person's day that is not like other days of the role.
#[derive(Serialize, ToSchema)]
pub struct Suspicion {
    pub id: Uuid,
    /// A pseudonym, as entries of the ledger show it.
    pub person: String,
    pub organisation: OrganisationId,
    pub role: Role,
    pub measure: Measure,
    /// By the country's clocks.
    #[schema(value_type = String, format = Date)]
    pub day: NaiveDate,
    /// What was counted; it grows until the day is over.
    pub counted: i32,
    /// Half of the role's days have so many or fewer.
    pub usual: i32,
    /// More than so many is told.
    pub most: i32,
    pub raised_at: DateTime<Utc>,
    /// The same in a sentence.
    pub explanation: String,
}

/// What a suspicion says, in plain words.
#[must_use]
pub fn explanation(measure: Measure, counted: i32, usual: i32, most: i32) -> String {
    let what = match measure {
        Measure::Records => "different records were read or listed",
        Measure::OffHours => "reads were outside of the hours of this role",
        Measure::Fruitless => "more cases were read without anything done on them than were worked on",
        Measure::Repeats => "times the same was read again, beyond the third time within an hour",
        Measure::Emergencies => "cases were read within four weeks because two custodians opened them",
        Measure::AfterChange => "cases were read within an hour after it was changed who is on them",
        Measure::Refused => "times something was asked for that is not this person's",
    };
    format!(
        "{counted} {what}. On half of the days of people of this role it is {usual} or fewer; more than {most} is told. \
         There may be a good reason: ask."
    )
}
