//! The strong adversary: they know the method, and everybody else in the country, and ask whether one more person is there.
//!
//! They rehearse both answers with many keys, learn from that how often each of the person's cells says what, and then judge figures
//! that they have not seen. The area under the curve is how often they say rightly which of two is the one with the person: a half
//! is a guess, one is certainty.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that made the rows")]

use super::super::catalogue::Extent;
use super::super::coded::Pseudonym;
use super::super::domains::Key;
use super::super::publish::Refused;
use super::mean::Mean;
use super::world::{Method, World};
use std::collections::BTreeMap;

/// How hard the adversary tries.
#[derive(Clone, Copy)]
pub struct Effort {
    pub targets: usize,
    /// People who are tried as the only one of their month.
    pub alone: usize,
    /// Keys with which they rehearse each answer; as many are judged.
    pub keys: u64,
}

/// Adds the area under the curve for each person to the mean.
///
/// # Errors
/// When the cube refuses.
pub fn judge(seed: u64, per_year: usize, method: Method, effort: Effort, found: &mut Mean) -> Result<(), Refused> {
    // The person came in the first month that shows all tables.
    let Some(first) = World::of(seed, per_year, 1, None) else { return Ok(()) };
    let month = if first.domains.extent() == Extent::Full { 1 } else { 3 };
    let Some(with) = World::of(seed, per_year, month, None) else { return Ok(()) };
    let Some(last) = with.months.last() else { return Ok(()) };
    let targets: Vec<(Pseudonym, Key)> =
        last.people.iter().take(effort.targets).map(|(person, key)| (*person, *key)).collect();
    for (person, key) in targets {
        let Some(without) = World::of(seed, per_year, month, Some(person)) else { continue };
        let figures = |world: &World, from: u64| -> Result<Vec<Vec<i64>>, Refused> {
            (from..from + effort.keys).map(|draw| of_person(world, method, draw, &key)).collect()
        };
        let (there, gone) = (figures(&with, 0)?, figures(&without, 1 << 20)?);
        let rehearsed: Vec<Cell> =
            (0..there.first().map_or(0, Vec::len)).map(|at| Cell::of(&there, &gone, at)).collect();
        let score =
            |figures: &Vec<i64>| rehearsed.iter().zip(figures).map(|(cell, figure)| cell.speaks(*figure)).sum::<f64>();
        let there: Vec<f64> = figures(&with, 2 << 20)?.iter().map(score).collect();
        let gone: Vec<f64> = figures(&without, 3 << 20)?.iter().map(score).collect();
        found.add(area(&there, &gone));
    }
    Ok(())
}

/// All that was published of the cells of a person in her month, and how each had changed, if it is not the first.
fn of_person(world: &World, method: Method, draw: u64, key: &Key) -> Result<Vec<i64>, Refused> {
    let published = world.published(method, draw)?;
    let mut months = published.iter().rev();
    let (Some(now), before) = (months.next(), months.next()) else { return Ok(Vec::new()) };
    let hidden = -1000;
    let cells = world.layout.cells(key).flat_map(|(_, cell)| {
        let change = before.and_then(|before| Some(now[cell]? - before[cell]?));
        [now[cell].unwrap_or(hidden), change.unwrap_or(hidden)]
    });
    Ok(cells.collect())
}

/// How often a figure was said with the person and without.
struct Cell {
    there: BTreeMap<i64, f64>,
    gone: BTreeMap<i64, f64>,
}

impl Cell {
    fn of(there: &[Vec<i64>], gone: &[Vec<i64>], at: usize) -> Self {
        let count = |all: &[Vec<i64>]| {
            let mut counts = BTreeMap::new();
            for figures in all {
                *counts.entry(figures[at]).or_insert(0.5) += 1.0;
            }
            counts
        };
        Self { there: count(there), gone: count(gone) }
    }

    /// How much a figure speaks for the person.
    fn speaks(&self, figure: i64) -> f64 {
        let often = |counts: &BTreeMap<i64, f64>| counts.get(&figure).copied().unwrap_or(0.5);
        (often(&self.there) / often(&self.gone)).ln()
    }
}

/// How often a figure with the person scores above one without; a tie is half.
fn area(there: &[f64], gone: &[f64]) -> f64 {
    let mut wins = Mean::default();
    for with in there {
        for without in gone {
            let tie = (with - without).abs() < 1e-9;
            wins.add(if tie { 0.5 } else { f64::from(u8::from(with > without)) });
        }
    }
    wins.get().unwrap_or(0.5)
}
