//! The attack of two dates: what somebody learns of the people who came between two releases.
//!
//! The attacker knows the method and, better than anybody could, how often each change of a figure meant how many people: it is
//! counted on the very figures that are attacked. For each crossed cell they guess what a change most often meant.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that made the rows")]

use super::super::catalogue::Span;
use super::super::domains::Key;
use super::world::{Method, Shown, World};
use std::collections::{BTreeMap, BTreeSet};

/// What a change looked like: the figures before and after where they are hidden, else what lies between them, and the smallest
/// change among the one-way figures above.
type Signal = (usize, Option<i64>, Option<i64>, i64);

/// All changes that were seen.
#[derive(Default)]
pub struct TwoDates {
    /// For each table and signal: how many cells grew by how many people.
    meant: BTreeMap<Signal, BTreeMap<i64, u32>>,
    /// For each table: all new people.
    new: BTreeMap<usize, u32>,
    /// For each new person: the signals of the cells in which she was the only new one.
    alone: Vec<Vec<Signal>>,
    /// How many of them two exact figures show.
    exactly: u32,
}

/// From how many cells on a signal that always meant the same is called certain.
const SURE_FROM: u32 = 50;

impl TwoDates {
    pub fn watch(&mut self, world: &World, method: Method, published: &[Shown]) {
        let (mut before, mut known) = (vec![0; world.layout.len()], vec![Some(0); world.layout.len()]);
        let mut waiting: Vec<Key> = Vec::new();
        for (new, shown) in world.months.iter().zip(published) {
            waiting.extend(new.people.values());
            let one_way: Vec<_> = world.layout.places().iter().filter(|p| p.attributes.len() == 1).collect();
            let mut signals: BTreeMap<usize, Signal> = BTreeMap::new();
            let mut exactly: BTreeSet<usize> = BTreeSet::new();
            for (t, place) in world.layout.places().iter().enumerate() {
                if place.span != Span::YearToDate || place.attributes.len() < 2 || !place.shown(new.month) {
                    continue;
                }
                let mut parents = Vec::new();
                for coarse in one_way.iter().filter(|coarse| coarse.span == place.span) {
                    parents.extend(place.sums_to(coarse).map(|kept| (*coarse, kept)));
                }
                for cell in place.start..place.start + place.len {
                    let grew = new.exact[cell] - before[cell];
                    let change = |cell: usize| Some(shown[cell]? - known[cell]?);
                    let above = parents.iter().map(|(coarse, kept)| place.parent_of(cell, coarse, kept));
                    let above = above.filter_map(change).min().unwrap_or(0);
                    let signal = match change(cell) {
                        Some(change) => (t, Some(change), None, above),
                        None => (t, known[cell], shown[cell].map(|now| -1 - now), above),
                    };
                    *self.meant.entry(signal).or_default().entry(grew).or_default() += 1;
                    *self.new.entry(t).or_default() += u32::try_from(grew).unwrap_or(0);
                    if grew == 1 {
                        signals.insert(cell, signal);
                        // Where two exact figures are shown, nothing has to be guessed.
                        if method == Method::Suppression && change(cell).is_some() {
                            exactly.insert(cell);
                        }
                    }
                }
                let cells = place.start..place.start + place.len;
                before[cells.clone()].copy_from_slice(&new.exact[cells]);
            }
            for place in world.layout.places().iter().filter(|place| place.shown(new.month)) {
                let cells = place.start..place.start + place.len;
                known[cells.clone()].copy_from_slice(&shown[cells]);
            }
            if signals.is_empty() {
                continue;
            }
            for key in waiting.drain(..) {
                let cells: Vec<usize> = world.layout.cells(&key).map(|(_, cell)| cell).collect();
                self.exactly += u32::from(cells.iter().any(|cell| exactly.contains(cell)));
                self.alone.push(cells.iter().filter_map(|cell| signals.get(cell).copied()).collect());
            }
        }
    }

    /// The share of new people who stand alone in a cell of some table and are known to, for certain.
    #[must_use]
    pub fn certain(&self) -> f64 {
        let sure = |signal: &Signal| {
            let meant = self.meant.get(signal);
            meant.is_some_and(|meant| meant.len() == 1 && meant.get(&1).is_some_and(|cells| *cells >= SURE_FROM))
        };
        let found = self.alone.iter().filter(|signals| signals.iter().any(sure)).count();
        let found = u32::try_from(found).unwrap_or(u32::MAX).max(self.exactly);
        f64::from(found) / f64::from(u32::try_from(self.alone.len()).unwrap_or(u32::MAX).max(1))
    }

    /// The share of new people who stand alone in a cell of some table, and of whose cell the best guess says so; the worst table.
    #[must_use]
    pub fn guessed(&self) -> f64 {
        let mut right: BTreeMap<usize, u32> = BTreeMap::new();
        for ((t, ..), meant) in &self.meant {
            let best = meant.iter().max_by_key(|(_, cells)| **cells);
            if best.is_some_and(|(people, _)| *people == 1) {
                *right.entry(*t).or_default() += meant[&1];
            }
        }
        let shares = right
            .iter()
            .map(|(t, people)| f64::from(*people) / f64::from(self.new.get(t).copied().unwrap_or(0).max(1)));
        shares.fold(0.0, f64::max)
    }
}
