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
    /// What happened was erased, since the time for which such entries are kept was over.
    pub erased: bool,
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
            further: self.cursor.is_some(),
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

/// Cuts what was found to a page. Where to go on: behind a full page, else behind all that was looked through, if there is more.
pub(super) fn cut<T>(items: &mut Vec<(Cursor, T)>, page: usize, end: Option<Cursor>) -> Option<Cursor> {
    let full = items.len() >= page;
    items.truncate(page);
    if full { items.last().map(|(place, _)| *place) } else { end }
}

/// What each record may be called to the supervisor: itself, or the case on which it hangs. What is not in it is withheld.
pub(super) struct Shown(pub(super) HashMap<Uuid, Uuid>);

impl OwnDetail {
    /// Whether it says no more than that somebody did something on a case that is not the supervisor's: who is barred would learn of
    /// the bar, and who works on that case. What was refused says nothing of either.
    pub(super) fn is_of_elsewhere(&self) -> bool {
        self.withheld && self.records.is_empty() && self.outcome == Outcome::Done && is_on_a_case(self.kind)
    }

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
            asked: detail
                .asked
                .map(|asked| Asked { person: asked.person.filter(|_| !withheld).and_then(handle), ..asked }),
        }
    }
}

/// What hangs on a case.
const fn is_on_a_case(kind: RecordKind) -> bool {
    use RecordKind as K;
    matches!(
        kind,
        K::Case | K::Person | K::Identity | K::ContactAndSafety | K::Narrative | K::Care | K::Legal | K::Investigation
    ) || matches!(kind, K::CaseNote | K::Attachment | K::Placement | K::Arrival | K::Consent | K::Task | K::Assignment)
        || matches!(kind, K::Bar | K::Removal | K::Erasure | K::Hold | K::Opening | K::Emergency | K::Entrusting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::entry::Pseudonyms;
    use crate::platform::secrets::{Live, Version, Versions};
    use zeroize::Zeroizing;

    fn pseudonyms(keys: u8) -> Pseudonyms {
        let value = |seed: u8| Version {
            id: seed.to_string(),
            from: (seed > 0).then_some(DateTime::UNIX_EPOCH),
            value: Zeroizing::new([seed; 32]),
        };
        Pseudonyms::new(Live::new(Versions::new(value(0), (1..keys).map(value).collect())))
    }

    fn people() -> People {
        let colleague =
            |id, handle: &str| Colleague { account: AccountId(Uuid::from_u128(id)), handle: handle.to_owned() };
        People::new(vec![colleague(1, "one"), colleague(2, "two")], &pseudonyms(2))
    }

    fn detail(person: &str, records: &[u128]) -> Detail {
        Detail {
            salt: String::new(),
            at: DateTime::UNIX_EPOCH,
            person: person.to_owned(),
            organisation: None,
            role: Role::SquadOfficer,
            relation: Relation::Assigned,
            verb: Verb::Read,
            kind: RecordKind::Narrative,
            purpose: None,
            outcome: Outcome::Done,
            records: records.iter().copied().map(Uuid::from_u128).collect(),
            version: None,
            asked: Some(Asked { person: Some(person.to_owned()), ..Asked::default() }),
            erased: None,
        }
    }

    #[test]
    fn people_are_named_by_every_pseudonym_they_ever_had_and_others_by_none() {
        let (people, shown) = (people(), Shown(HashMap::new()));
        let account = AccountId(Uuid::from_u128(2));
        let ever = pseudonyms(2).ever_of(account);
        assert_eq!(ever.len(), 4);
        for pseudonym in &ever {
            let own = OwnDetail::of(detail(pseudonym, &[]), &people, &shown);
            assert_eq!(own.person.map(|person| person.account), Some(account));
            assert_eq!(own.asked.and_then(|asked| asked.person).as_deref(), Some("two"));
        }
        let other = pseudonyms(2).ever_of(AccountId(Uuid::from_u128(3)));
        let own = OwnDetail::of(detail(&other[0], &[]), &people, &shown);
        assert!(own.person.is_none() && own.asked.is_some_and(|asked| asked.person.is_none()));
        assert_eq!((people.find("two"), people.find(&account.to_string())), (Some(account), Some(account)));
        assert_eq!((people.find("three"), people.find(&Uuid::from_u128(3).to_string())), (None, None));
    }

    #[test]
    fn where_something_is_withheld_colleagues_are_too() {
        let people = people();
        let id = Uuid::from_u128;
        // 1 is a colleague; 7 a section of the case 8; 9 is nothing of which this supervisor may know.
        let shown = Shown(HashMap::from([(id(1), id(1)), (id(7), id(8)), (id(8), id(8))]));
        let own = |records: &[u128]| {
            let own = OwnDetail::of(detail("p-1", records), &people, &shown);
            (own.records, own.withheld)
        };
        assert_eq!(own(&[7, 8, 1]), (vec![id(1), id(8)], false));
        assert_eq!(own(&[7, 9, 1]), (vec![id(8)], true));
        assert_eq!(own(&[9]), (vec![], true));
        assert_eq!(own(&[]), (vec![], false));
    }

    #[test]
    fn a_page_goes_on_behind_its_last_entry() {
        let at = |position| Cursor { hour: 5, position };
        let (all, end) = ([(at(9), 'a'), (at(7), 'b'), (at(4), 'c')], Some(at(1)));
        for (page, left, next) in [(2, 2, Some(at(7))), (3, 3, Some(at(4))), (4, 3, end)] {
            let mut items = all.to_vec();
            assert_eq!((cut(&mut items, page, end), items.len()), (next, left));
        }
        assert_eq!(Cursor::parse(&at(9).text()), Some(at(9)));
        for text in ["", "5", "5.", ".9", "a.b", "5.9.1"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
