//! What is signed about a case: who has access to it, who is kept off it, what two do together, and its head.

use super::{AccessReason, Act, BarReason, ErasureReason, HoldReason, hex};
use crate::guard::action::Relation;
use crate::guard::record::{
    AbsenceId, AccountId, AssignmentId, BarId, CaseId, GrantId, HoldId, OpeningId, ProposalId, RecordKind,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A person is given access to a case; signed by the person who gave it.
#[derive(Serialize, Deserialize)]
pub struct GrantStatement {
    pub grant: GrantId,
    pub case: CaseId,
    pub account: AccountId,
    pub relation: Relation,
    pub reason: AccessReason,
    pub at: DateTime<Utc>,
    /// A stand-in's counts from a time until a time; every other until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// And it is of this absence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absence: Option<AbsenceId>,
    /// Two custodians gave it, by this opening: then both have signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<OpeningId>,
    /// It is for these kinds of section and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sections: Option<Vec<RecordKind>>,
}

/// A time with an end.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// A supervisor, who holds no key of a case, instructs those who do to put somebody on it; signed by the supervisor. It
/// becomes a grant with the same id, so it is carried out once.
#[derive(Serialize, Deserialize)]
pub struct AssignmentStatement {
    pub assignment: AssignmentId,
    pub case: CaseId,
    pub account: AccountId,
    pub relation: Relation,
    pub at: DateTime<Utc>,
    /// Afterwards it has no effect any more.
    pub lapses_at: DateTime<Utc>,
}

/// Somebody is kept off a case: signed by themselves, who step back from it, or by a supervisor.
#[derive(Serialize, Deserialize)]
pub struct BarStatement {
    pub bar: BarId,
    pub case: CaseId,
    pub account: AccountId,
    pub reason: BarReason,
    pub at: DateTime<Utc>,
}

/// A bar has no effect any more; signed by a supervisor. It gives nobody access back.
#[derive(Serialize, Deserialize)]
pub struct BarLiftStatement {
    pub bar: BarId,
    pub case: CaseId,
    pub account: AccountId,
    pub at: DateTime<Utc>,
}

/// Something that nobody does alone; signed by who proposes it, and then by who confirms it.
#[derive(Serialize, Deserialize)]
pub struct ProposalStatement {
    pub proposal: ProposalId,
    pub act: Act,
    pub case: CaseId,
    /// To what: a removal ends this permission, and no later one of the same person; an erasure ends this case, and a hold is
    /// lifted by its own id.
    pub about: Uuid,
    /// Whom it concerns, who has no part in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Why, where a case is to be erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ErasureReason>,
    pub at: DateTime<Utc>,
    /// Afterwards it has no effect any more.
    pub lapses_at: DateTime<Utc>,
}

/// A case is not to be erased; signed by a supervisor. Two persons lift it, by a [`ProposalStatement`].
#[derive(Serialize, Deserialize)]
pub struct HoldStatement {
    pub hold: HoldId,
    pub case: CaseId,
    pub reason: HoldReason,
    /// In force until then; without it until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

/// Everything sealed of a case as its last writer left it: an older version put back does not agree with it.
#[derive(Serialize, Deserialize)]
pub struct CaseHead {
    pub case: CaseId,
    pub number: i64,
    pub epoch: i32,
    /// The permissions in force, in order: one that had ended and is put back is not among them, and one that was written
    /// anew is another.
    pub team: Vec<TeamLine>,
    /// Every bar there ever was on the case, in order: one that is taken away in the database is missed at the next write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bars: Vec<BarLine>,
    /// How many notes the officers have written on the case.
    pub notes: i64,
    pub sealed: Vec<HeadLine>,
}

/// One permission on a case: id, SHA-256 of the signed statement, and its own end where it has one.
#[derive(Serialize, Deserialize, PartialEq, Eq, Clone)]
pub struct TeamLine {
    pub grant: GrantId,
    pub digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl TeamLine {
    #[must_use]
    pub fn of(grant: GrantId, note: &str, window: Option<Window>) -> Self {
        Self { grant, digest: hex(&Sha256::digest(note.as_bytes())), until: window.map(|window| window.until) }
    }
}

/// One bar on a case: id, and SHA-256 of the signed statement.
#[derive(Serialize, Deserialize, PartialEq, Eq, Clone)]
pub struct BarLine {
    pub bar: BarId,
    pub digest: String,
}

impl BarLine {
    #[must_use]
    pub fn of(bar: BarId, note: &str) -> Self {
        Self { bar, digest: hex(&Sha256::digest(note.as_bytes())) }
    }
}

/// One sealed record of a case: id, version and SHA-256 of its bytes.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
pub struct HeadLine {
    pub record: Uuid,
    pub version: i64,
    pub digest: String,
}
