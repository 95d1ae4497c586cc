//! What is asked for, counted, and given out.

use crate::guard::action::{Purpose, Role};
use crate::guard::record::{CaseId, OrganisationId};
use crate::guard::words::words;
use crate::platform::http::maybe_day;
use crate::platform::language::Language;
use chrono::NaiveDate;
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use uuid::Uuid;

/// Bytes of `so_far`; with it a body stays within what every route takes.
pub(super) const LONGEST: usize = 200_000;

/// Whose record, of which time, in which language.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccessList {
    /// Her case, with everything that hangs on it.
    #[garde(skip)]
    pub case: Option<CaseId>,
    /// Calls and notices about her that became no case.
    #[serde(default)]
    #[schema(max_items = 20)]
    #[garde(length(max = 20))]
    pub records: Vec<Uuid>,
    /// The first day, by the country's clocks; without it, from the beginning.
    #[serde(default, deserialize_with = "maybe_day")]
    #[schema(value_type = Option<String>, format = Date)]
    #[garde(skip)]
    pub from: Option<NaiveDate>,
    /// The last day, today at the latest; without it, today.
    #[serde(default, deserialize_with = "maybe_day")]
    #[schema(value_type = Option<String>, format = Date)]
    #[garde(skip)]
    pub until: Option<NaiveDate>,
    #[garde(skip)]
    pub language: Language,
    /// `so_far` of the answer before, to the same question.
    #[schema(max_length = 200_000)]
    #[garde(inner(length(max = LONGEST)))]
    pub so_far: Option<String>,
}

words! {
    /// What was done with a record, as far as the person is told.
    pub enum Deed {
        /// Content was opened.
        Looked = "looked",
        /// It stood in a list, without content.
        Listed = "listed",
        Changed = "changed",
        /// Somebody was given access, lost it, or was kept off.
        Admitted = "admitted",
        /// Custodians, or who asked them.
        Custody = "custody",
        /// Somebody looked into the ledger for it. Not counted: one search takes many requests.
        Audited = "audited",
        /// It was tried, and refused.
        Refused = "refused",
    }
}

words! {
    /// Why something may be missing from a list.
    pub enum Gap {
        Altered = "altered",
        Unreadable = "unreadable",
        /// Entries whose time is over: what they said was erased.
        Old = "old",
        Erased = "erased",
        Lost = "lost",
        Behind = "behind",
        Today = "today",
    }
}

/// What is counted as one line, in the order in which the lines stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(super) struct Kind {
    pub day: NaiveDate,
    pub organisation: Option<OrganisationId>,
    pub role: Role,
    pub purpose: Option<Purpose>,
    pub deed: Deed,
}

/// What was counted, from the newest entry down to a position.
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Counted {
    /// The span, by the country's days: whatever was open at the beginning is settled here.
    pub from: Option<NaiveDate>,
    pub until: NaiveDate,
    /// Where to go on; nothing at the end.
    pub below: Option<i64>,
    #[serde(with = "as_list")]
    pub lines: BTreeMap<Kind, u32>,
    /// What the ledger itself said to be hers.
    pub learnt: BTreeSet<Uuid>,
    pub altered: u32,
    pub unreadable: u32,
    /// Entries that say nothing any more, since their time was over.
    pub old: u32,
    pub behind: bool,
}

/// JSON has no keys but text.
mod as_list {
    use super::Kind;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::collections::BTreeMap;

    pub fn serialize<S: Serializer>(lines: &BTreeMap<Kind, u32>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(lines)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Kind, u32>, D::Error> {
        Ok(Vec::<(Kind, u32)>::deserialize(from)?.into_iter().collect())
    }
}

/// One line.
#[derive(Serialize, ToSchema)]
pub struct AccessLine {
    /// By the country's clocks.
    #[schema(value_type = String, format = Date)]
    pub day: NaiveDate,
    /// None for somebody who had no organisation.
    pub organisation: Option<OrganisationId>,
    pub role: Role,
    /// None where no purpose is stated: for work other than reading.
    pub purpose: Option<Purpose>,
    pub deed: Deed,
    /// How often.
    pub times: u32,
    /// All of it in her language.
    pub words: LineWords,
}

/// A line in words.
#[derive(Serialize, ToSchema)]
pub struct LineWords {
    pub day: String,
    /// The organisation, as it is called by what the two who answer for it signed.
    pub organisation: String,
    pub role: String,
    pub purpose: String,
    pub deed: String,
}

/// Why something may be missing.
#[derive(Serialize, ToSchema)]
pub struct AccessGap {
    pub gap: Gap,
    /// In her language.
    pub words: String,
}

/// Who opened a person's record, the oldest first.
#[derive(Serialize, ToSchema)]
pub struct AccessList {
    pub language: Language,
    /// The first day that was asked for.
    #[schema(value_type = Option<String>, format = Date)]
    pub from: Option<NaiveDate>,
    #[schema(value_type = String, format = Date)]
    pub until: NaiveDate,
    pub items: Vec<AccessLine>,
    /// Why lines may be missing; empty where none is.
    pub gaps: Vec<AccessGap>,
    /// There are entries which were not looked through yet: send `so_far` back until there are none.
    pub more: bool,
    /// What was counted, with the service's code: to go on, or to get the same as PDF without counting again.
    pub so_far: String,
}
