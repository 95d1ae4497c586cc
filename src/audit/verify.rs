//! The verifier: reads the whole ledger as an outsider would and believes nothing but the log's public keys,
//! checkpoints that were saved outside the database, witnesses, and its own clock.
//!
//! What it cannot find: the last entries of a lane, deleted from the queue as well within the moment before they were
//! numbered; and what was done to both the database and every saved checkpoint by who holds the log's private key.

mod above;
mod checkpoints;
mod finding;
mod kept;
mod objects;
mod outages;
pub mod outside;
mod retained;
mod rows;
mod steps;
mod store;
mod walk;

pub use checkpoints::BadCheckpoint;
pub use finding::{Finding, Kept};
pub use outages::{OutageReport, Outages};

use super::keys::LogKeys;
use super::retention::label::Labels;
use super::retention::{Class, Seen};
use super::witnesses::Witnesses;
use crate::guard::trust::Agreements;
use crate::platform::clock::Clock;
use chrono::{DateTime, Utc};
use kept::Cases;
use sqlx::PgPool;
use std::collections::BTreeMap;
use steps::Steps;
use uuid::Uuid;
use walk::Walk;

/// Findings that are listed at most; the others are counted.
const LISTED: usize = 100;

/// What was read and what was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Entries stored.
    pub entries: u64,
    /// Leaves of the tree.
    pub leaves: u64,
    /// Entries that wait for their number, as they may for a moment.
    pub unsequenced: u64,
    /// Signed checkpoints, stored and saved, that were compared with the tree.
    pub checkpoints: u64,
    /// Sealed records that were compared with the ledger.
    pub records: u64,
    /// Clear rows that were compared with the ledger.
    pub rows: u64,
    /// Sealed files that were compared with their rows, where that was asked ([`Report::compare_objects`]).
    pub objects: u64,
    /// Of those, how many are not there because their key was erased: their rows came back with a restore.
    pub erased: u64,
    /// Of the rows, those that stand in nobody's register: those of `himaya init`, and from before there were registers. Their
    /// number never grows.
    pub unregistered: u64,
    /// Each policy under which entries were made, in the order of its first one.
    pub policy_changes: Vec<PolicyChange>,
    /// Each time that two persons let readers go on in spite of the ledger, newest first, where that was asked ([`Report::compare_outages`]).
    pub outages: Vec<OutageReport>,
    /// Entries of which it was erased what they said, since the time of their class was over and as an entry tells.
    pub retained: BTreeMap<Class, u64>,
    /// At most a hundred.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub unlisted: u64,
    /// The position of the first entry that is wrong, where one can be named; it is known however much else is found.
    pub first_wrong: Option<i64>,
}

/// Where a policy first and last decided. While replicas are exchanged two policies may take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyChange {
    /// The hash of the policy.
    pub policy: [u8; 32],
    pub first: i64,
    pub last: i64,
    pub entries: u64,
}

impl Report {
    /// Whether the ledger is as it promises to be.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < LISTED {
            self.findings.push(finding);
        } else {
            self.unlisted += 1;
        }
    }

    /// How much was found so far.
    fn found(&self) -> u64 {
        self.unlisted + self.findings.len() as u64
    }

    /// The entry at this position is wrong, or the one that a later one names is no longer the one that stood there.
    fn wrong(&mut self, position: i64) {
        self.first_wrong = Some(self.first_wrong.map_or(position, |first| first.min(position)));
    }

    fn policy(&mut self, policy: [u8; 32], position: i64) {
        PolicyChange::count(&mut self.policy_changes, policy, position);
    }
}

impl PolicyChange {
    fn count(all: &mut Vec<Self>, policy: [u8; 32], position: i64) {
        // From the back: it is nearly always the newest one.
        if let Some(known) = all.iter_mut().rev().find(|known| known.policy == policy) {
            known.last = position;
            known.entries += 1;
        } else {
            all.push(Self { policy, first: position, last: position, entries: 1 });
        }
    }
}

/// Why nothing was verified. What is wrong with the ledger is a [`Finding`], not this.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the database does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error("the store of attachments does not answer: {}", crate::platform::objects::kind(.0))]
    Objects(#[from] object_store::Error),
}

/// Verifies the ledger as it stands at one moment, as the auditor's role. `saved` are the texts of checkpoints from
/// outside the database; without any, a database that was rolled back as a whole looks whole. `with_records` also
/// compares every sealed record and every clear row with what the ledger says of it, which keeps 80 bytes an entry in
/// memory.
///
/// # Errors
/// [`VerifyError`] when it could not be read to the end; then nothing is known.
pub async fn verify(
    pool: &PgPool,
    keys: &LogKeys,
    saved: &[String],
    with_records: bool,
) -> Result<Report, VerifyError> {
    let believed = Believed { saved, ..Believed::at(Clock::default().now()) };
    verify_with(pool, keys, with_records, believed, |_, _| ()).await
}

/// What is believed beside the log's keys.
pub struct Believed<'a> {
    /// Texts of checkpoints from outside the database.
    pub saved: &'a [String],
    /// Where it is known: entries that were made under a policy to which nobody ever agreed are marked.
    pub agreed: Option<Agreed>,
    /// By whose clocks what was erased is held to its time: those whom the verifier names, or the configuration's. Whoever could put a
    /// witness of their own into the configuration is believed no further than they are.
    pub witnesses: Option<&'a Witnesses>,
    /// With the service's secrets: what was erased is held to the cases that it was about.
    pub labels: Option<Labels>,
    /// What time it is, by the verifier's own clock: nothing in the ledger happened later, whatever it and witnesses say.
    pub now: DateTime<Utc>,
}

impl Believed<'_> {
    /// Nothing but what time it is.
    #[must_use]
    pub const fn at(now: DateTime<Utc>) -> Self {
        Self { saved: &[], agreed: None, witnesses: None, labels: None, now }
    }
}

/// What two persons agreed to about the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The first agreement: from the entry that says so on, each entry is made under a policy of `digests`.
    pub first: Uuid,
    /// All policies to which they ever agreed.
    pub digests: Vec<[u8; 32]>,
}

impl Agreed {
    /// Nothing where nobody has agreed to any policy yet.
    #[must_use]
    pub fn of(agreements: &Agreements) -> Option<Self> {
        let first = agreements.all().first()?.id.0;
        Some(Self { first, digests: agreements.all().iter().map(|agreed| agreed.digest).collect() })
    }
}

/// The same, by what is believed. `progress` is told how many of how many numbered entries are done: never fewer than before, and all of
/// them at the end.
///
/// # Errors
/// As [`verify`].
pub async fn verify_with(
    pool: &PgPool,
    keys: &LogKeys,
    with_records: bool,
    believed: Believed<'_>,
    progress: impl FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    let Believed { saved, agreed, witnesses, labels, now } = believed;
    let seen = match witnesses {
        Some(witnesses) => witnesses.history(pool, keys, saved, now).await?,
        None => Seen::default(),
    };
    let hour = now.timestamp().div_euclid(3600);
    let mut snapshot = store::snapshot(pool).await?;
    // The verifier's own time: nobody else's says how long an entry has waited.
    let mut walk = Walk::new(keys, with_records, hour);
    walk.hold_to(agreed);
    walk.cases = labels.map(|labels| Cases::new(labels, seen.clone()));
    walk.take_retained(&mut snapshot, seen, hour).await?;
    walk.take_saved(saved);
    let size = store::size(&mut snapshot).await?;
    walk.tree(&mut snapshot, Steps::new(size, progress)).await?;
    walk.above(&mut snapshot).await?;
    walk.unsequenced(&mut snapshot).await?;
    if with_records {
        walk.records(&mut snapshot).await?;
        walk.rows(&mut snapshot).await?;
    }
    let erasures = walk.end_retained();
    walk.kept(&mut snapshot, erasures).await?;
    snapshot.rollback().await?;
    walk.policies();
    Ok(walk.report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn findings_beyond_a_hundred_are_counted() {
        let mut report = Report::default();
        assert!(report.ok());
        for version in 0..102 {
            report.find(Finding::RecordEdited { record: Uuid::nil(), version });
        }
        assert_eq!((report.findings.len(), report.unlisted, report.ok()), (100, 2, false));
    }

    #[test]
    fn a_policy_is_told_once() {
        let mut report = Report::default();
        for (position, policy) in [1, 1, 2, 1, 2].into_iter().enumerate() {
            report.policy([policy; 32], i64::try_from(position).unwrap());
        }
        let first = PolicyChange { policy: [1; 32], first: 0, last: 3, entries: 3 };
        assert_eq!(report.policy_changes, [first, PolicyChange { policy: [2; 32], first: 2, last: 4, entries: 2 }]);
    }
}
