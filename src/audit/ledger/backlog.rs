//! How long entries of this process wait for their place in the tree.
//!
//! The process trusts its own memory of what it wrote, not the queue in the database, nor what the database says of its
//! lanes: whoever holds that could take an entry out of the queue, and nobody would wait for it any more. An entry has its
//! place when its own leaf hash stands there; since each leaf names the one before, all of the lane up to it is placed.

use crate::audit::tree::Hash;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// How long an entry may wait before no record is opened any more (DESIGN section 5).
pub const BEHIND: Duration = Duration::from_secs(30);
/// Looks that are kept apart; beyond that the newest ones count as one, so that a long wait takes no more memory.
const LOOKS: usize = 64;

/// An entry of this process: its lane, its number there, and the hash of its leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Written {
    pub lane: i32,
    pub n: i64,
    pub leaf_hash: Hash,
}

/// What was durable when somebody looked, as far as it has no place yet.
#[derive(Default)]
pub struct Backlog {
    waiting: VecDeque<(Instant, HashMap<i32, Written>)>,
    placed: HashMap<i32, i64>,
}

impl Backlog {
    /// Takes in what is durable now: the last entry of each lane.
    pub fn look(&mut self, now: Instant, durable: &[Written]) {
        let fresh: Vec<Written> = durable.iter().copied().filter(|entry| self.is_new(entry)).collect();
        if fresh.is_empty() {
            return;
        }
        if self.waiting.len() < LOOKS {
            self.waiting.push_back((now, HashMap::new()));
        }
        if let Some((_, lanes)) = self.waiting.back_mut() {
            lanes.extend(fresh.into_iter().map(|entry| (entry.lane, entry)));
        }
    }

    fn is_new(&self, entry: &Written) -> bool {
        let waits = self.waiting.iter().rev().find_map(|(_, lanes)| lanes.get(&entry.lane)).map(|known| known.n);
        let placed = self.placed.get(&entry.lane).copied();
        waits.max(placed).is_none_or(|known| entry.n > known)
    }

    /// The entries whose place is to be asked for.
    #[must_use]
    pub fn waiting(&self) -> Vec<Written> {
        self.waiting.iter().flat_map(|(_, lanes)| lanes.values().copied()).collect()
    }

    /// Takes in what stands in the tree in the places of waiting entries. One with another hash is not the entry.
    pub fn placed(&mut self, found: &[Written]) {
        let own: Vec<Written> = found.iter().copied().filter(|entry| self.waits(entry)).collect();
        for entry in own {
            let last = self.placed.entry(entry.lane).or_insert(entry.n);
            *last = entry.n.max(*last);
        }
        for (_, lanes) in &mut self.waiting {
            lanes.retain(|lane, entry| self.placed.get(lane).is_none_or(|placed| *placed < entry.n));
        }
        self.waiting.retain(|(_, lanes)| !lanes.is_empty());
    }

    fn waits(&self, entry: &Written) -> bool {
        self.waiting.iter().any(|(_, lanes)| lanes.get(&entry.lane) == Some(entry))
    }

    /// For how long the oldest entry has waited: exact to the time between two looks.
    #[must_use]
    pub fn oldest(&self, now: Instant) -> Duration {
        self.waiting.front().map_or(Duration::ZERO, |(since, _)| now.saturating_duration_since(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// An entry whose hash follows from its place.
    fn entry(lane: i32, n: i64) -> Written {
        Written { lane, n, leaf_hash: crate::audit::tree::leaf_hash(format!("{lane} {n}").as_bytes()) }
    }

    #[tokio::test]
    async fn the_oldest_entry_counts_until_it_has_its_place() {
        let (start, mut backlog) = (Instant::now(), Backlog::default());
        backlog.look(start, &[entry(0, 4)]);
        backlog.look(start + SECOND, &[entry(0, 9), entry(1, 0)]);
        assert_eq!(backlog.waiting().len(), 3);
        backlog.placed(&[]);
        assert_eq!(backlog.oldest(start + 5 * SECOND), 5 * SECOND);
        // The first is placed: what came a second later is now the oldest.
        backlog.placed(&[entry(0, 4)]);
        assert_eq!(backlog.oldest(start + 5 * SECOND), 4 * SECOND);
        backlog.placed(&[entry(0, 9)]);
        assert_eq!(backlog.oldest(start + 5 * SECOND), 4 * SECOND, "the other lane still waits");
        backlog.placed(&[entry(1, 0)]);
        assert_eq!(backlog.oldest(start + 5 * SECOND), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_later_entry_that_is_placed_brings_those_before_it_along() {
        let (start, mut backlog) = (Instant::now(), Backlog::default());
        backlog.look(start, &[entry(0, 4)]);
        backlog.look(start + SECOND, &[entry(0, 9)]);
        backlog.placed(&[entry(0, 9)]);
        assert_eq!((backlog.oldest(start + 5 * SECOND), backlog.waiting()), (Duration::ZERO, vec![]));
    }

    #[tokio::test]
    async fn what_stands_in_its_place_with_another_hash_is_not_the_entry() {
        let (start, mut backlog) = (Instant::now(), Backlog::default());
        backlog.look(start, &[entry(0, 4)]);
        // Another leaf in the place, a later place that nobody asked for, and another lane.
        backlog.placed(&[Written { n: 4, ..entry(0, 5) }, entry(0, 1_000_000), entry(1, 4)]);
        assert_eq!(backlog.oldest(start + 31 * SECOND), 31 * SECOND);
        assert_eq!(backlog.waiting(), [entry(0, 4)]);
    }

    #[tokio::test]
    async fn what_was_placed_does_not_wait_again() {
        let (start, mut backlog) = (Instant::now(), Backlog::default());
        backlog.look(start, &[entry(0, 4)]);
        backlog.placed(&[entry(0, 4)]);
        backlog.look(start + SECOND, &[entry(0, 4)]);
        assert_eq!(backlog.oldest(start + 2 * SECOND), Duration::ZERO);
        assert!(backlog.waiting.is_empty());
    }

    #[tokio::test]
    async fn a_long_wait_takes_no_more_memory_and_is_as_long_as_it_is() {
        let (start, mut backlog) = (Instant::now(), Backlog::default());
        for n in 0..1000 {
            backlog.look(start + u32::try_from(n).unwrap() * SECOND, &[entry(0, n)]);
        }
        assert_eq!(backlog.waiting().len(), LOOKS);
        assert_eq!(backlog.oldest(start + 1000 * SECOND), 1000 * SECOND);
        backlog.placed(&[entry(0, 999)]);
        assert!(backlog.waiting.is_empty());
    }
}
