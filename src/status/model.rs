//! The counters, as they are shown.

use crate::accommodation::model::Places;
use crate::guard::record::OrganisationId;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// How the country stands now.
#[derive(Serialize, ToSchema)]
pub struct Status {
    pub at: DateTime<Utc>,
    pub notices: Notices,
    /// The last twelve complete months, newest first.
    pub calls: Vec<Calls>,
    /// The whole country's, in houses where somebody could be placed when the day began (UTC); never by house.
    pub places: Vec<FreePlaces>,
    pub organisations: i64,
    /// Accounts that are not disabled.
    pub staff: i64,
    /// Those of them with a current training.
    pub trained: i64,
    /// Tasks of each squad.
    pub tasks: Vec<Tasks>,
    /// `ready`, or the code of what the service lacks now.
    pub system: String,
    /// The ledger has fallen behind, so no record is opened now.
    pub ledger_behind: bool,
    /// Too few witnesses have seen the ledger, so no record is opened now.
    pub ledger_not_witnessed: bool,
    /// In spite of that, two persons let officers of a squad go on reading.
    pub ledger_outage: bool,
}

/// Notices to the squad. A band is `0`, `1-2`, `3-9`, or the number from ten on.
#[derive(Serialize, ToSchema)]
pub struct Notices {
    /// Not acknowledged yet.
    pub waiting: String,
    /// Of these, those whose 24 hours are over.
    pub overdue: String,
    /// In how many of a hundred notices of the last twelve complete months the 24 hours were kept, to the next five; absent
    /// where there were fewer than twelve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_time_percent: Option<i32>,
}

/// Calls to the helpline in one month.
#[derive(Serialize, ToSchema)]
pub struct Calls {
    /// `YYYY-MM`.
    pub month: String,
    /// Absent where there were fewer than ten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<i64>,
}

/// Tasks of one organisation. Both are absent where it has fewer than ten open cases.
#[derive(Serialize, ToSchema)]
pub struct Tasks {
    pub organisation: OrganisationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<i64>,
    /// Of these, those whose time is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overdue: Option<i64>,
}

/// Places of one type.
#[derive(Serialize, ToSchema)]
pub struct FreePlaces {
    pub places: Places,
    /// How many there are; absent where fewer than three houses have some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<i64>,
    /// `0`, `1-2` or `3+`.
    pub free: String,
}
