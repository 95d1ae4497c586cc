//! The way through the ledger: the tree in its order, then what waits outside it, then the records.

use super::checkpoints::Claims;
use super::finding::{Finding, Kept};
use super::kept::Cases;
use super::retained::{Ended, Erasure, Retained};
use super::steps::Steps;
use super::store::{self, StoredRecord, TreeRow, Unsequenced};
use super::{Agreed, LISTED, PolicyChange, Report};
use crate::audit::entry::{Leaf, Place};
use crate::audit::keys::{LogKeys, Signed};
use crate::audit::mark::{Named, RowKind};
use crate::audit::retention::Seen;
use crate::audit::tree::{self, Frontier, Hash};
use crate::guard::bytes::digest;
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Entries that are read at once.
const RUN: i64 = 4096;
/// Records that are read at once: each may be of two megabytes.
const RECORDS: i64 = 64;

/// What entries say under one name.
pub(super) struct Written {
    pub(super) digest: [u8; 32],
    /// How many entries say it.
    pub(super) times: u64,
}

/// A row was struck off as it stood, and not as it came: whether it ever stood so is known when all entries are.
pub(super) struct Doubt {
    /// The name under which it was struck off.
    pub(super) named: Named,
    /// How it stood then; more than one when somebody planted others under its number.
    pub(super) digests: Vec<[u8; 32]>,
    pub(super) finding: Finding,
    pub(super) found_if_entered: bool,
}

/// The last entry of a lane.
struct Last {
    n: i64,
    hash: Hash,
    /// Where it stands in the tree, if it has its number.
    position: Option<i64>,
}

pub(super) struct Walk<'a> {
    keys: &'a LogKeys,
    /// From which sizes on which key signs, as the stored checkpoints and the saved ones say.
    switches: Vec<(u64, usize)>,
    stored: Claims,
    saved: Claims,
    /// Of the saved ones: which it is, its size, and which key signed it.
    signed: Vec<(i64, u64, usize)>,
    /// None once a position is empty: then no later root can be known.
    tree: Option<Frontier>,
    /// The last entry of each lane so far.
    lanes: HashMap<(Uuid, i32), Last>,
    marks: Option<HashMap<[u8; 32], Written>>,
    /// What further entries say under a name that another entry has already: nearly always nothing.
    others: HashMap<[u8; 32], Vec<[u8; 32]>>,
    /// What is found only if rows were struck off that were never entered, or only if they were.
    pub(super) doubts: Vec<Doubt>,
    /// The hour of the newest entry, or the one that it is.
    newest: i64,
    /// The entry that has waited longest for its number, with its hour.
    longest: Option<(i64, Place)>,
    /// What two persons agreed to about the policy; where the first entry stands behind the one that says that they first did; and
    /// the policies of entries from there on to which they did not.
    agreed: Option<Agreed>,
    agreed_from: Option<i64>,
    unagreed: Vec<PolicyChange>,
    /// What is said to be erased since its time was over.
    retained: Retained,
    /// What labels say of cases; none where the service's secrets are not there.
    pub(super) cases: Option<Cases>,
    pub(super) report: Report,
}

impl<'a> Walk<'a> {
    pub(super) fn new(keys: &'a LogKeys, with_records: bool, hour: i64) -> Self {
        Self {
            keys,
            switches: Vec::new(),
            stored: Claims::new(Kept::Database),
            saved: Claims::new(Kept::Outside),
            signed: Vec::new(),
            tree: Some(Frontier::new()),
            lanes: HashMap::new(),
            marks: with_records.then(HashMap::new),
            others: HashMap::new(),
            doubts: Vec::new(),
            newest: hour,
            longest: None,
            agreed: None,
            agreed_from: None,
            unagreed: Vec::new(),
            retained: Retained::default(),
            cases: None,
            report: Report::default(),
        }
    }

    /// Holds the entries to what two persons agreed to about the policy.
    pub(super) fn hold_to(&mut self, agreed: Option<Agreed>) {
        self.agreed = agreed;
    }

    /// Takes in what is said to be erased since its time was over, what witnesses say of the time, and which hour it is.
    pub(super) async fn take_retained(
        &mut self,
        connection: &mut PgConnection,
        seen: Seen,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        self.retained = Retained::read(connection, seen, now).await?;
        Ok(())
    }

    /// Tells of it what is not so. What was erased then, at which time.
    pub(super) fn end_retained(&mut self) -> Vec<Erasure> {
        let Ended { erased, findings, erasures } = std::mem::take(&mut self.retained).end();
        self.report.retained = erased;
        for finding in findings {
            self.report.find(finding);
        }
        erasures
    }

    /// What an entry was about, where somebody can know it; a label that is not as it was sealed is told.
    fn about(&mut self, position: i64, leaf: &Leaf, row: &TreeRow) -> Option<Uuid> {
        let known = self.cases.as_mut()?.labelled(position, leaf, row.label.as_deref(), !row.has_detail);
        known.unwrap_or_else(|()| {
            self.report.find(Finding::LabelGone { place: leaf.place });
            None
        })
    }

    fn policy(&mut self, leaf: &Leaf, position: i64) {
        self.report.policy(leaf.policy, position);
        let Some(agreed) = &self.agreed else { return };
        // The row of a change comes in when one has signed; it stands for the second time when both have.
        let both = Named::Standing { kind: RowKind::PolicyChange, row: agreed.first, standing: 2 };
        if self.agreed_from.is_none() && leaf.mark == both.name() {
            self.agreed_from = Some(position);
        }
        if self.agreed_from.is_some() && !agreed.digests.contains(&leaf.policy) {
            PolicyChange::count(&mut self.unagreed, leaf.policy, position);
        }
    }

    /// Tells which policies decided to which nobody agreed. Where no entry speaks of the first agreement, somebody took it away: then
    /// every entry is held to the agreements.
    pub(super) fn policies(&mut self) {
        if let (Some(agreed), None) = (&self.agreed, self.agreed_from) {
            let never = |change: &&PolicyChange| !agreed.digests.contains(&change.policy);
            self.unagreed = self.report.policy_changes.iter().filter(never).copied().collect();
        }
        for change in std::mem::take(&mut self.unagreed) {
            self.report.find(Finding::PolicyNotAgreed { change });
        }
    }

    pub(super) fn take_saved(&mut self, saved: &[String]) {
        for (which, note) in (1..).zip(saved) {
            match self.keys.read(note) {
                Ok(signed) => {
                    self.saved.add(&signed.checkpoint);
                    self.signed.push((which, signed.checkpoint.size(), signed.key));
                }
                Err(reason) => {
                    let reason = reason.to_string();
                    self.report.find(Finding::CheckpointForged { kept: Kept::Outside, which, reason });
                }
            }
        }
        // What was saved outside counts whatever the database says by now: its owner may have put an older key back.
        self.signed.sort_by_key(|(_, size, key)| (*size, *key));
        for (_, size, key) in &self.signed {
            if *key > self.signs_at(*size) {
                self.switches.push((*size, *key));
            }
        }
        self.report.checkpoints += saved.len() as u64;
    }

    async fn take_stored(
        &mut self,
        connection: &mut PgConnection,
        after: Option<i64>,
        upto: Option<i64>,
    ) -> Result<(), sqlx::Error> {
        let filed = store::checkpoints(connection, after, upto).await?;
        self.report.checkpoints += filed.len() as u64;
        for stored in filed {
            match self.keys.read(&stored.note) {
                Ok(Signed { checkpoint, key }) if u64::try_from(stored.size) == Ok(checkpoint.size()) => {
                    self.stored.add(&checkpoint);
                    let signs = self.signs_at(checkpoint.size());
                    if key > signs {
                        self.switches.push((checkpoint.size(), key));
                    } else if key < signs {
                        self.report.find(Finding::CheckpointByOldKey { kept: Kept::Database, which: stored.size });
                    }
                }
                Ok(Signed { checkpoint, .. }) => {
                    self.report.find(Finding::CheckpointMisfiled { filed: stored.size, says: checkpoint.size() });
                }
                Err(reason) => self.report.find(Finding::CheckpointForged {
                    kept: Kept::Database,
                    which: stored.size,
                    reason: reason.to_string(),
                }),
            }
        }
        Ok(())
    }

    /// Walks the tree, run by run, with the checkpoints of each run.
    pub(super) async fn tree(
        &mut self,
        connection: &mut PgConnection,
        mut steps: Steps<impl FnMut(u64, u64)>,
    ) -> Result<(), sqlx::Error> {
        let (mut next, mut compared) = (0, None);
        loop {
            let run = store::leaves(connection, next, RUN).await?;
            let Some(end) = run.last().map(|row| row.position.saturating_add(1)) else { break };
            self.take_stored(connection, compared, Some(end)).await?;
            if next == 0 {
                self.meet(0);
            }
            for row in &run {
                if row.position != next {
                    self.report.find(Finding::PositionsMissing { first: next, last: row.position.saturating_sub(1) });
                    self.report.wrong(next);
                    self.tree = None;
                }
                self.leaf(row);
                next = row.position.saturating_add(1);
                let done = u64::try_from(next).unwrap_or(u64::MAX);
                self.meet(done);
                steps.at(done);
            }
            compared = Some(end);
        }
        steps.end();
        self.take_stored(connection, compared, None).await?;
        let size = u64::try_from(next).unwrap_or(u64::MAX);
        self.meet(size);
        for (which, size, key) in std::mem::take(&mut self.signed) {
            if key < self.signs_at(size) {
                self.report.find(Finding::CheckpointByOldKey { kept: Kept::Outside, which });
            }
        }
        for finding in self.stored.end(size).into_iter().chain(self.saved.end(size)) {
            self.report.find(finding);
        }
        if self.stored.newest() < size {
            self.report.find(Finding::NotCovered { covered: self.stored.newest(), leaves: size });
        }
        Ok(())
    }

    /// How many leaves were walked, if no position was empty.
    pub(super) fn dense(&self) -> Option<u64> {
        self.tree.as_ref().map(Frontier::size)
    }

    /// Which key signs when the tree has so many leaves: the checkpoint at which a key takes over is the first that it
    /// signs.
    fn signs_at(&self, size: u64) -> usize {
        self.switches.iter().filter(|(from, _)| *from <= size).map(|(_, key)| *key).max().unwrap_or(0)
    }

    fn meet(&mut self, size: u64) {
        let head = || self.tree.as_ref().map(Frontier::head);
        let told = [self.stored.meet(size, head), self.saved.meet(size, head)];
        for finding in told.into_iter().flatten() {
            self.report.find(finding);
        }
    }

    fn leaf(&mut self, row: &TreeRow) {
        let (position, place) = (row.position, Place { replica: row.replica, lane: row.lane, n: row.n });
        self.report.leaves += 1;
        let found = self.report.found();
        // The tree is made of what was numbered, so that an entry changed later shows as just that.
        let numbered = row.leaf_hash.as_slice().try_into().map_or_else(|_| tree::empty_root(), Hash::from_bytes);
        if let Some(tree) = &mut self.tree {
            let _ = tree.append(numbered);
        }
        let leaf = if let (Some(bytes), Some(signature)) = (&row.leaf, &row.signature) {
            self.report.entries += 1;
            if tree::leaf_hash(bytes) == numbered {
                let signs = self.signs_at(u64::try_from(position).unwrap_or(u64::MAX));
                let leaf = self.entry(place, bytes, signature, signs);
                let hour = leaf.as_ref().map(|leaf| leaf.hour);
                let about = leaf.as_ref().and_then(|leaf| self.about(position, leaf, row));
                if !row.has_detail && !self.retained.names(position, hour, about) {
                    self.report.find(Finding::DetailDeleted { place });
                }
                leaf
            } else {
                self.report.find(Finding::EntryEdited { position, place });
                None
            }
        } else {
            self.report.find(Finding::EntryDeleted { position, place });
            None
        };
        if let Some(leaf) = &leaf {
            self.retained.entered(position, leaf);
            self.policy(leaf, position);
        }
        self.follow(place, leaf.as_ref(), numbered, Some(position));
        if self.report.found() > found {
            self.report.wrong(position);
        }
    }

    /// What an entry says and who signed it. A leaf of another place is told, and not given further.
    fn entry(&mut self, place: Place, bytes: &[u8], signature: &[u8], signs: usize) -> Option<Leaf> {
        let Some(leaf) = Leaf::parse(bytes) else {
            self.report.find(Finding::NotALeaf { place });
            return None;
        };
        match self.keys.signer(bytes, signature) {
            None => self.report.find(Finding::NotSignedByUs { place }),
            Some(key) if key < signs => self.report.find(Finding::SignedByOldKey { place }),
            Some(_) => {}
        }
        if leaf.place != place {
            self.report.find(Finding::OtherPlace { place });
            return None;
        }
        self.newest = self.newest.max(leaf.hour);
        if let Some(marks) = &mut self.marks {
            let written = marks.entry(leaf.mark).or_insert(Written { digest: leaf.digest, times: 0 });
            written.times += 1;
            if written.digest != leaf.digest {
                self.others.entry(leaf.mark).or_default().push(leaf.digest);
            }
        }
        Some(leaf)
    }

    /// The next entry of its lane: dense, and naming the one before. The walk then goes on from what is there, so that
    /// one fault is told once.
    fn follow(&mut self, place: Place, leaf: Option<&Leaf>, hash: Hash, position: Option<i64>) {
        let last = self.lanes.insert((place.replica, place.lane), Last { n: place.n, hash, position });
        let (expected, previous, before) =
            last.map_or((0, place.origin(), None), |Last { n, hash, position }| (n.saturating_add(1), hash, position));
        if place.n != expected {
            self.report.find(Finding::LaneBroken { place, expected });
        } else if leaf.is_some_and(|leaf| leaf.previous != previous) {
            self.report.find(Finding::ChainBroken { place });
            // The earlier one may be what was changed.
            if let Some(before) = before {
                self.report.wrong(before);
            }
        }
    }

    /// Walks the entries that have no number: each the tail of its lane, and each in the queue.
    pub(super) async fn unsequenced(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut after = None;
        loop {
            let run = store::unsequenced(connection, after, RUN).await?;
            let Some(last) = run.last() else { break };
            after = Some(Place { replica: last.replica, lane: last.lane, n: last.n });
            for row in &run {
                self.waiting(row);
            }
        }
        for row in store::misqueued(connection, i64::try_from(LISTED).unwrap_or(i64::MAX)).await? {
            let place = Place { replica: row.replica, lane: row.lane, n: row.n };
            self.report.find(if row.sequenced {
                Finding::QueuedAgain { place }
            } else {
                Finding::WaitingEntryDeleted { place }
            });
        }
        self.stalled();
        Ok(())
    }

    /// Entries wait for moments, and while the service is down. One is told for all: what is kept from the tree can be
    /// deleted without a trace.
    fn stalled(&mut self) {
        let Some((hour, place)) = self.longest else { return };
        let hours = self.newest.saturating_sub(hour);
        if hours > 1 {
            self.report.find(Finding::Stalled { place, hours });
        }
    }

    fn waiting(&mut self, row: &Unsequenced) {
        let place = Place { replica: row.replica, lane: row.lane, n: row.n };
        self.report.entries += 1;
        self.report.unsequenced += 1;
        // What has no number yet is of now.
        if !row.has_detail {
            self.report.find(Finding::DetailDeleted { place });
        }
        let leaf = self.entry(place, &row.leaf, &row.signature, self.signs_at(u64::MAX));
        if self.lanes.get(&(place.replica, place.lane)).is_some_and(|last| place.n <= last.n) {
            self.report.find(Finding::LeftOut { place });
            return;
        }
        if !row.queued {
            self.report.find(Finding::NotQueued { place });
        }
        if let Some(leaf) = leaf.as_ref().filter(|leaf| self.longest.is_none_or(|(hour, _)| leaf.hour < hour)) {
            self.longest = Some((leaf.hour, place));
        }
        self.follow(place, leaf.as_ref(), tree::leaf_hash(&row.leaf), None);
    }

    /// What entries say under a name.
    pub(super) fn entered(&self, named: Named) -> Option<&Written> {
        self.marks.as_ref().and_then(|marks| marks.get(&named.name()))
    }

    /// Every digest that entries say under a name.
    pub(super) fn digests(&self, named: Named) -> Vec<[u8; 32]> {
        let first = self.entered(named).map(|written| written.digest);
        let others = self.others.get(&named.name()).into_iter().flatten().copied();
        first.into_iter().chain(others).collect()
    }

    /// Decides what was in doubt: one look at everything that was entered, for all of it.
    pub(super) fn settle(&mut self) {
        let doubts = std::mem::take(&mut self.doubts);
        let names: HashSet<[u8; 32]> = doubts.iter().map(|doubt| doubt.named.name()).collect();
        let asked: HashSet<[u8; 32]> = doubts.iter().flat_map(|doubt| doubt.digests.iter().copied()).collect();
        let said = self.marks.iter().flatten().map(|(name, written)| (name, written.digest));
        let more = self.others.iter().flat_map(|(name, digests)| digests.iter().map(move |digest| (name, *digest)));
        // That it was struck off says of no row that it was ever entered.
        let entered: HashSet<[u8; 32]> = said
            .chain(more)
            .filter(|(name, digest)| asked.contains(digest) && !names.contains(*name))
            .map(|(_, digest)| digest)
            .collect();
        for doubt in doubts {
            if doubt.digests.iter().any(|digest| entered.contains(digest)) == doubt.found_if_entered {
                self.report.find(doubt.finding);
            }
        }
    }

    /// Compares every sealed record with the entries that speak of it.
    pub(super) async fn records(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut after = None;
        loop {
            let run = store::records(connection, after, RECORDS).await?;
            let Some(last) = run.last() else { return Ok(()) };
            after = Some(last.record_id);
            for row in &run {
                self.record(row);
            }
        }
    }

    fn record(&mut self, row: &StoredRecord) {
        self.report.records += 1;
        let (record, version) = (row.record_id, row.version);
        let entered = |version| self.entered(Named::Content { record, version });
        let later = version.checked_add(1).and_then(entered).is_some();
        let finding = match entered(version) {
            None => Some(Finding::RecordNotEntered { record, version }),
            Some(Written { times: 2.., .. }) => Some(Finding::RecordEnteredTwice { record, version }),
            Some(written) if written.digest != digest(&row.blob) => Some(Finding::RecordEdited { record, version }),
            Some(_) => None,
        };
        let old = later.then_some(Finding::OldVersionPutBack { record, version });
        for finding in finding.into_iter().chain(old) {
            self.report.find(finding);
        }
    }
}

#[cfg(test)]
mod tests;
