//! How long entries of this process wait for their place in the tree.
//!
//! The process trusts its own memory of what it wrote, not the queue in the database: whoever holds that could take an
//! entry out of the queue, and nobody would wait for it any more.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// How long an entry may wait before no record is opened any more (DESIGN section 5).
pub const BEHIND: Duration = Duration::from_secs(30);

/// What was durable when somebody looked, as far as it has no place yet.
#[derive(Default)]
pub struct Backlog {
    waiting: VecDeque<(Instant, HashMap<i32, i64>)>,
}

impl Backlog {
    /// Takes in what is durable now, and what of it has its place: of both, the last number of each lane.
    pub fn look(&mut self, now: Instant, durable: &[(i32, i64)], placed: &HashMap<i32, i64>) {
        let newer = |lane: &i32, n: &i64| {
            let known = self.waiting.iter().rev().find_map(|(_, lanes)| lanes.get(lane));
            known.is_none_or(|known| n > known)
        };
        let fresh: HashMap<i32, i64> = durable.iter().copied().filter(|(lane, n)| newer(lane, n)).collect();
        self.waiting.push_back((now, fresh));
        for (_, lanes) in &mut self.waiting {
            lanes.retain(|lane, n| placed.get(lane).is_none_or(|placed| placed < n));
        }
        self.waiting.retain(|(_, lanes)| !lanes.is_empty());
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

    fn lanes(lanes: &[(i32, i64)]) -> HashMap<i32, i64> {
        lanes.iter().copied().collect()
    }

    #[tokio::test]
    async fn the_oldest_entry_counts_until_it_has_its_place() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut backlog = Backlog::default();
        backlog.look(start, &[(0, 4)], &lanes(&[]));
        backlog.look(start + second, &[(0, 9), (1, 0)], &lanes(&[(0, 3)]));
        assert_eq!(backlog.oldest(start + 5 * second), 5 * second);
        // The first is placed: what came a second later is now the oldest.
        backlog.look(start + 2 * second, &[(0, 9), (1, 0)], &lanes(&[(0, 5)]));
        assert_eq!(backlog.oldest(start + 5 * second), 4 * second);
        backlog.look(start + 3 * second, &[(0, 9), (1, 0)], &lanes(&[(0, 9)]));
        assert_eq!(backlog.oldest(start + 5 * second), 4 * second, "the other lane still waits");
        backlog.look(start + 4 * second, &[(0, 9), (1, 0)], &lanes(&[(0, 9), (1, 0)]));
        assert_eq!(backlog.oldest(start + 5 * second), Duration::ZERO);
    }

    #[tokio::test]
    async fn what_was_placed_does_not_wait_again() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut backlog = Backlog::default();
        backlog.look(start, &[(0, 4)], &lanes(&[(0, 4)]));
        backlog.look(start + second, &[(0, 4)], &lanes(&[(0, 4)]));
        assert_eq!(backlog.oldest(start + 2 * second), Duration::ZERO);
        assert!(backlog.waiting.is_empty());
    }
}
