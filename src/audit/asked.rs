//! What somebody who looked into the ledger asked for, as the entry of it tells.

use super::entry::Outcome;
use crate::guard::action::{Purpose, Role, Verb};
use crate::guard::record::RecordKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What was sought. The record and the organisation that were sought are among the records that the entry names.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// A pseudonym, like those of entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<RecordKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verb: Option<Verb>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Whether it goes on with an answer that was given before: no question of its own. The entry does not tell it.
    #[serde(skip)]
    pub further: bool,
}
