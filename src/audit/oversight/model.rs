//! Entries as a supervisor sees them.

use super::people::People;
use crate::audit::asked::Asked;
use crate::audit::entry::{Detail, Outcome};
use crate::guard::action::{Purpose, Relation, Role, Verb};
use crate::guard::record::{AccountId, RecordKind};
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use utoipa::ToSchema;
use uuid::Uuid;

/// Somebody of the supervisor's own organisation, also one who has left.
#[derive(Clone, Serialize, ToSchema)]
pub struct Colleague {
    pub account: AccountId,
    pub handle: String,
}

/// What somebody did.
#[derive(Serialize, ToSchema)]
pub struct OwnDetail {
    pub at: DateTime<Utc>,
    /// None if no account of the organisation stands under the entry's pseudonym any more.
    pub person: Option<Colleague>,
    pub role: Role,
    pub relation: Relation,
    pub verb: Verb,
    pub kind: RecordKind,
    pub purpose: Option<Purpose>,
    pub outcome: Outcome,
    /// Of the records that it names, those that this supervisor may know of; in the place of what hangs on a case, the case.
    pub records: Vec<Uuid>,
    /// It names others besides.
    pub withheld: bool,
    /// What a look into the ledger asked for; `person` is a handle.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// An entry as a supervisor reads it.
#[derive(Serialize, ToSchema)]
pub struct OwnEntry {
    /// Its index in the tree.
    pub position: i64,
    /// What happened, if the entry is as it was written.
    pub detail: Option<OwnDetail>,
    /// The entry or its detail was changed after it was written, or its detail deleted: somebody changed the database behind
    /// the service. Tell the auditors.
    pub altered: bool,
}

/// What is sought: entries that fit everything that is stated. Without anything, all of them.
#[derive(Default, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct SoughtOfOwn {
    /// The handle or the account of somebody of the own organisation, also of one who has left.
    #[schema(min_length = 1, max_length = 100)]
    #[garde(inner(length(chars, min = 1, max = 100)))]
    pub person: Option<String>,
    #[garde(skip)]
    pub kind: Option<RecordKind>,
    #[garde(skip)]
    pub verb: Option<Verb>,
    #[garde(skip)]
    pub purpose: Option<Purpose>,
    #[garde(skip)]
    pub outcome: Option<Outcome>,
    /// A record that the supervisor may know of: entries that name it, or what hangs on it if it is a case.
    #[garde(skip)]
    pub record: Option<Uuid>,
    /// Entries made at this time or later.
    #[garde(skip)]
    pub from: Option<DateTime<Utc>>,
    /// Entries made before this time.
    #[garde(skip)]
    pub until: Option<DateTime<Utc>>,
    /// `next` of the answer before, to the same question.
    #[schema(max_length = 50)]
    #[garde(inner(length(max = 50)))]
    pub cursor: Option<String>,
}

impl SoughtOfOwn {
    /// Whether an entry fits, but for the record, of which nobody says yet whether it may be known. `person` are the pseudonyms of
    /// who is sought.
    pub(super) fn fits(&self, detail: &Detail, person: Option<&[String]>) -> bool {
        person.is_none_or(|person| person.contains(&detail.person))
            && self.kind.is_none_or(|kind| detail.kind == kind)
            && self.verb.is_none_or(|verb| detail.verb == verb)
            && self.purpose.is_none_or(|purpose| detail.purpose == Some(purpose))
            && self.outcome.is_none_or(|outcome| detail.outcome == outcome)
            && self.from.is_none_or(|from| detail.at >= from)
            && self.until.is_none_or(|until| detail.at < until)
    }

    /// Whether anything is sought; a record stands among those that the entry names.
    pub(super) fn asks(&self) -> bool {
        let words = (self.kind, self.verb, self.purpose, self.outcome) != (None, None, None, None);
        words || self.person.is_some() || self.from.is_some() || self.until.is_some()
    }

    /// As the search's own entry tells it.
    pub(super) fn asked(&self, person: Option<String>) -> Asked {
        Asked {
            person,
            role: None,
            kind: self.kind,
            verb: self.verb,
            purpose: self.purpose,
            outcome: self.outcome,
            from: self.from,
            until: self.until,
        }
    }
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub struct FoundOfOwn {
    /// By the hour in which they were made, newest first. An entry that was altered fits every question: nobody can say any more
    /// what it was.
    pub items: Vec<OwnEntry>,
    /// Entries that were looked through.
    pub looked_through: usize,
    /// Send as `cursor` to go on, also if nothing was found up to here; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Where a page ends: an hour since 1970, and a position among the entries whose keys are of that hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cursor {
    pub(super) hour: i64,
    pub(super) position: i64,
}

impl Cursor {
    /// Before everything.
    pub(super) const START: Self = Self { hour: i64::MAX, position: i64::MAX };

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (hour, position) = text.split_once('.')?;
        Some(Self { hour: hour.parse().ok()?, position: position.parse().ok()? })
    }

    pub(super) fn text(self) -> String {
        format!("{}.{}", self.hour, self.position)
    }
}

/// What each record may be called to the supervisor: itself, or the case on which it hangs. What is not in it is withheld.
pub(super) struct Shown(pub(super) HashMap<Uuid, Uuid>);

impl OwnDetail {
    /// Names who did it, and withholds what the supervisor may not know of. Where something is withheld, colleagues whom it names
    /// are as well: who they are on a case that is not the supervisor's is what the case would tell.
    pub(super) fn of(detail: Detail, people: &People, shown: &Shown) -> Self {
        let withheld = detail.records.iter().any(|record| !shown.0.contains_key(record));
        let named = detail.records.iter().filter_map(|record| shown.0.get(record));
        let records: BTreeSet<Uuid> = named.filter(|record| !withheld || !people.is_one(**record)).copied().collect();
        let handle = |person: String| people.by_pseudonym(&person).map(|person| person.handle.clone());
        Self {
            at: detail.at,
            person: people.by_pseudonym(&detail.person).cloned(),
            role: detail.role,
            relation: detail.relation,
            verb: detail.verb,
            kind: detail.kind,
            purpose: detail.purpose,
            outcome: detail.outcome,
            records: records.into_iter().collect(),
            withheld,
            asked: detail.asked.map(|asked| Asked { person: asked.person.and_then(handle), ..asked }),
        }
    }
}
