//! Lanes: to number entries without a lock that everybody waits for, this process has several rows of its own.
//!
//! A lane's entries are dense and each names the hash of the one before. When the outcome of a commit is unknown the lane
//! is closed for good and a fresh one takes its place, so a lane never has two entries with one number.

use super::Written;
use crate::audit::entry::Place;
use crate::audit::tree::{self, Hash};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex as Short, PoisonError};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// Lanes that are written at once.
const LANES: usize = 8;

struct Lane {
    number: i32,
    next: i64,
    previous: Hash,
    /// Set while a commit is under way: still set when the lane is next taken means that nobody knows how it ended.
    uncertain: bool,
}

/// The lanes of this process.
pub(super) struct Lanes {
    replica: Uuid,
    open: [Mutex<Lane>; LANES],
    turn: AtomicUsize,
    next: AtomicI32,
    durable: Short<BTreeMap<i32, Written>>,
}

impl Lanes {
    pub(super) fn new(replica: Uuid) -> Self {
        let number = |index: usize| i32::try_from(index).unwrap_or(i32::MAX);
        Self {
            replica,
            open: std::array::from_fn(|index| Mutex::new(fresh(replica, number(index)))),
            turn: AtomicUsize::new(0),
            next: AtomicI32::new(number(LANES)),
            durable: Short::default(),
        }
    }

    /// A lane that nobody holds, or the next one to become free.
    pub(super) async fn take(&self) -> LaneHold<'_> {
        for lane in &self.open {
            if let Ok(lane) = lane.try_lock() {
                return self.hold(lane);
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % LANES;
        let [first, ..] = &self.open;
        self.hold(self.open.get(turn).unwrap_or(first).lock().await)
    }

    fn hold<'a>(&'a self, mut lane: MutexGuard<'a, Lane>) -> LaneHold<'a> {
        if lane.uncertain {
            *lane = fresh(self.replica, self.next.fetch_add(1, Ordering::Relaxed));
        }
        LaneHold { lanes: self, lane }
    }

    pub(super) fn durable(&self) -> (Uuid, Vec<Written>) {
        let durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        (self.replica, durable.values().copied().collect())
    }
}

fn fresh(replica: Uuid, number: i32) -> Lane {
    Lane { number, next: 0, previous: Place { replica, lane: number, n: 0 }.origin(), uncertain: false }
}

/// A lane held by one transaction.
pub(in crate::audit) struct LaneHold<'a> {
    lanes: &'a Lanes,
    lane: MutexGuard<'a, Lane>,
}

impl LaneHold<'_> {
    /// Where the next entry stands, and the one before it.
    pub(super) fn next(&self) -> (Place, Hash) {
        let place = Place { replica: self.lanes.replica, lane: self.lane.number, n: self.lane.next };
        (place, self.lane.previous)
    }

    /// The lane goes on after this leaf. It runs ahead of what is stored; only a commit makes that true.
    pub(super) fn wrote(&mut self, leaf: &[u8]) {
        self.lane.uncertain = true;
        self.lane.previous = tree::leaf_hash(leaf);
        self.lane.next += 1;
    }

    /// The transaction is committed: the lane goes on from here.
    pub(in crate::audit) fn committed(mut self) {
        self.lane.uncertain = false;
        let mut durable = self.lanes.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let (lane, n) = (self.lane.number, self.lane.next - 1);
        durable.insert(lane, Written { lane, n, leaf_hash: self.lane.previous });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lane_whose_commit_is_unknown_is_closed_and_its_entries_are_not_counted_as_durable() {
        let lanes = Lanes::new(Uuid::from_u128(1));
        let mut hold = lanes.take().await;
        hold.wrote(b"first");
        hold.committed();
        let mut hold = lanes.take().await;
        assert_eq!(hold.next().0.n, 1);
        hold.wrote(b"second");
        // Dropped as after a commit whose answer never came.
        drop(hold);
        let hold = lanes.take().await;
        let fresh = i32::try_from(LANES).unwrap();
        assert_eq!((hold.next().0.lane, hold.next().0.n), (fresh, 0));
        assert_eq!(hold.next().1, hold.next().0.origin());
        assert_eq!(lanes.durable().1, [Written { lane: 0, n: 0, leaf_hash: tree::leaf_hash(b"first") }]);
    }
}
