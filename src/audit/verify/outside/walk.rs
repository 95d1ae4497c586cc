//! What has to be done in the entries' order: lanes, policies, and the tree.

use super::check::{Checked, Entry, Unread};
use super::fault::Fault;
use super::{PolicyChange, Report};
use crate::audit::entry::Place;
use crate::audit::retention::rules;
use crate::audit::sequencer::LONGEST;
use crate::audit::tiles::model::{HEIGHT, Holds, Tile, WIDTH};
use crate::audit::tiles::pruning;
use crate::audit::tree::{Frontier, Hash, TreeHead, tree_root};
use crate::audit::verify::checkpoints::Claims;
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use uuid::Uuid;

/// The last entry of a lane.
struct Last {
    n: i64,
    hash: Hash,
    entry: u64,
}

pub(super) struct Walk {
    head: TreeHead,
    /// What was saved, still to be met.
    claims: Claims,
    tree: Frontier,
    /// The first entry that is given.
    begins: u64,
    lanes: HashMap<(Uuid, i32), Last>,
    /// The hashes of each level above the leaves since its last full tile.
    above: Vec<Vec<Hash>>,
    /// Tiles of those levels that became full.
    full: Vec<(Tile, Vec<Hash>)>,
    /// Entries of which it was told that they cannot be read: as many may be missing from the lanes.
    unread: u64,
    /// Since when the key that signed the checkpoint signs nothing any more, where another replaced it.
    retired: Option<DateTime<Utc>>,
    /// The hour of the newest entry, and of the first one.
    hour: i64,
    first_hour: Option<i64>,
    /// Which hour it is: what claims to be later makes nothing older.
    now: i64,
    too_many_policies: bool,
    report: Report,
}

/// For so many months, less the days that clocks and a sequencer may be apart, a log is given to others.
const PRUNED: u32 = pruning::FLOOR;
const APART: i64 = 7 * 24;

/// Whether the entry of one hour is so many months older than that of another.
fn is_over(first: i64, months: u32, newest: i64) -> bool {
    let newest = newest.checked_add(APART).and_then(|hour| hour.checked_mul(3600));
    newest
        .and_then(|newest| DateTime::from_timestamp(newest, 0))
        .is_some_and(|newest| rules::is_over(first, months, newest))
}

/// So many policies are listed at most.
const POLICIES: usize = 1000;

impl Walk {
    /// `begun` are the hashes of each level above the leaves that lie before the first entry, since its last full tile: none where nothing was pruned.
    pub(super) fn new(
        head: TreeHead,
        begun: Vec<Vec<Hash>>,
        mut claims: Claims,
        retired: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        mut report: Report,
    ) -> Self {
        let mut tree = Frontier::new();
        for (level, hashes) in (1..).zip(&begun).collect::<Vec<(u32, _)>>().into_iter().rev() {
            for hash in hashes {
                // In this order, the largest first, each has its place.
                let _ = tree.append_subtree(*hash, HEIGHT * level);
            }
        }
        let begins = tree.size();
        if let Some(finding) = claims.meet(begins, || Some(tree.head())) {
            report.find(Fault::Saved(finding));
        }
        Self {
            head,
            claims,
            tree,
            begins,
            lanes: HashMap::new(),
            above: begun,
            full: Vec::new(),
            unread: 0,
            retired,
            hour: 0,
            first_hour: None,
            now: now.timestamp().div_euclid(3600),
            too_many_policies: false,
            report,
        }
    }

    pub(super) const fn size(&self) -> u64 {
        self.head.size
    }

    /// The first entry that is given.
    pub(super) const fn begins(&self) -> u64 {
        self.begins
    }

    /// The entry up to which all were read.
    pub(super) const fn entries(&self) -> u64 {
        self.begins.saturating_add(self.report.entries)
    }

    pub(super) fn find(&mut self, fault: Fault) {
        self.report.find(fault);
    }

    /// Takes the next tile. `false` if nothing can be said of what follows: without its hashes the tree does not go on.
    pub(super) fn tile(&mut self, checked: Result<Checked, Unread>) -> bool {
        let first = self.tree.size();
        match checked {
            Err(unread) => {
                self.unread(unread, Some(first));
                false
            }
            Ok(checked) => {
                match checked.entries {
                    Ok(entries) => {
                        for ((entry, read), hash) in (first..).zip(entries).zip(&checked.hashes) {
                            self.entry(entry, &read, *hash);
                        }
                    }
                    // The tree is that of the hashes; of these entries nothing is known.
                    Err(unread) => {
                        self.unread += checked.tile.width();
                        self.unread(unread, Some(first));
                    }
                }
                self.append(checked.tile, &checked.hashes, checked.root)
            }
        }
    }

    fn unread(&mut self, unread: Unread, first: Option<u64>) {
        self.find(match unread {
            Unread::Refused(tile, why) => Fault::Unreadable { what: tile.to_string(), why, first },
            Unread::Missing(tile) => Fault::Missing { what: tile.to_string(), first },
            Unread::Bytes(tile, reason) => Fault::Bytes { what: tile.to_string(), reason, first },
        });
    }

    fn entry(&mut self, entry: u64, read: &Entry, hash: Hash) {
        self.report.entries += 1;
        if !matches!(read, Entry::Leaf { .. }) {
            self.unread += 1;
        }
        match read {
            Entry::Gone => self.find(Fault::Gone(entry)),
            Entry::Edited => self.find(Fault::Edited(entry)),
            Entry::NotALeaf => self.find(Fault::NotALeaf(entry)),
            Entry::Leaf { place, previous, policy, hour } => {
                self.hour = self.hour.max(*hour);
                self.first_hour.get_or_insert(*hour);
                self.policy(entry, *policy);
                self.follow(entry, *place, *previous, hash);
            }
        }
    }

    /// Policies are few. Whoever invents one for each entry would keep the verifier busy for days.
    fn policy(&mut self, entry: u64, policy: [u8; 32]) {
        let known = &mut self.report.policy_changes;
        if known.len() < POLICIES || known.iter().any(|change| change.policy == policy) {
            PolicyChange::count(known, policy, i64::try_from(entry).unwrap_or(i64::MAX));
        } else if !std::mem::replace(&mut self.too_many_policies, true) {
            self.find(Fault::TooManyPolicies(entry));
        }
    }

    /// The next entry of its lane. The walk then goes on from what is there, so that one fault is told once. An entry that could
    /// not be read was told already, and is missing in some lane.
    fn follow(&mut self, entry: u64, place: Place, previous: Hash, hash: Hash) {
        let last = self.lanes.insert((place.replica, place.lane), Last { n: place.n, hash, entry });
        let (expected, named, before) = match &last {
            Some(last) => (last.n.saturating_add(1), last.hash, Some(last.entry)),
            // Its earlier entries may lie before the first one that is given.
            None if self.begins > 0 && place.n > 0 => return,
            None => (0, place.origin(), None),
        };
        if place.n != expected {
            let skipped = place.n.checked_sub(expected).and_then(|skipped| u64::try_from(skipped).ok());
            match skipped.filter(|skipped| *skipped <= self.unread) {
                Some(skipped) => self.unread -= skipped,
                None => self.find(Fault::LaneBroken { entry, place, expected }),
            }
        } else if previous != named {
            self.find(Fault::ChainBroken { entry, place, before });
        }
    }

    fn append(&mut self, tile: Tile, hashes: &[Hash], root: Option<Hash>) -> bool {
        let end = tile.range().end;
        match root {
            // Nobody saved a checkpoint in the midst of it.
            Some(root) if self.claims.next().is_none_or(|size| size >= end) => {
                if self.tree.append_subtree(root, HEIGHT).is_err() {
                    return false;
                }
                self.meet();
            }
            _ => {
                for hash in hashes {
                    if self.tree.append(*hash).is_err() {
                        return false;
                    }
                    self.meet();
                }
            }
        }
        if let Some(root) = root {
            self.rise(1, root);
        }
        true
    }

    fn meet(&mut self) {
        let tree = &self.tree;
        if let Some(finding) = self.claims.meet(tree.size(), || Some(tree.head())) {
            self.find(Fault::Saved(finding));
        }
    }

    /// A hash of a level above the leaves is known.
    fn rise(&mut self, level: u8, hash: Hash) {
        let at = usize::from(level) - 1;
        if self.above.len() <= at {
            self.above.push(Vec::new());
        }
        let Some(hashes) = self.above.get_mut(at) else { return };
        hashes.push(hash);
        if hashes.len() as u64 == WIDTH {
            let hashes = std::mem::take(hashes);
            let covered = self.tree.size();
            let n = (covered >> (HEIGHT * (u32::from(level) + 1))).saturating_sub(1);
            let root = tree_root(&hashes);
            self.full.extend(Tile::of(Holds::Hashes(level), n, covered).map(|tile| (tile, hashes)));
            self.rise(level + 1, root);
        }
    }

    /// Tiles above the leaves that became full since somebody last asked.
    pub(super) fn above(&mut self) -> Vec<(Tile, Vec<Hash>)> {
        std::mem::take(&mut self.full)
    }

    /// At the end, those that did not.
    pub(super) fn unfinished(&mut self) -> Vec<(Tile, Vec<Hash>)> {
        let size = self.tree.size();
        let left = (1_u8..).zip(std::mem::take(&mut self.above)).filter(|(_, hashes)| !hashes.is_empty());
        left.filter_map(|(level, hashes)| {
            let n = size >> (HEIGHT * (u32::from(level) + 1));
            Some((Tile::of(Holds::Hashes(level), n, size)?, hashes))
        })
        .collect()
    }

    /// All has been read, or all that can be.
    pub(super) fn end(mut self) -> Report {
        let whole = self.tree.size() == self.head.size;
        if whole && self.tree.root() != self.head.root {
            self.find(Fault::OtherRoot);
        }
        // What was saved is compared with the checkpoint itself where its entries could not be read.
        let findings = if whole { self.claims.end(self.tree.size()) } else { self.claims.cut_off(&self.head) };
        for finding in findings {
            self.find(Fault::Saved(finding));
        }
        let newest = self.hour.min(self.now);
        if self.begins > 0 && self.first_hour.is_none_or(|first| !is_over(first, PRUNED, newest)) {
            self.find(Fault::PrunedEarly(self.begins));
        }
        let newest = self.hour.checked_mul(3600).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        if let Some(since) = self.retired.filter(|since| newest.is_some_and(|newest| newest >= *since + LONGEST)) {
            self.find(Fault::RetiredKey { since });
        }
        self.report.faults.sort_by_key(|fault| !fault.is_grave());
        self.report.lanes = self.lanes.len() as u64;
        self.report
    }
}
