//! Three other methods, each as its users run it, on the same tables.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that made the rows")]

use super::super::catalogue::Span;
use super::fixture::Draw;
use super::world::{Shown, World};

/// Counts of 1 to 4 are hidden, as in the file of the United Nations Office on Drugs and Crime.
pub const THRESHOLD: i64 = 5;
/// What everybody's privacy costs in a year, over all tables.
pub const EPSILON: f64 = 4.0;

/// All figures exact, small ones hidden.
#[must_use]
pub fn suppressed(exact: &[i64]) -> Shown {
    exact.iter().map(|people| (*people == 0 || *people >= THRESHOLD).then_some(*people)).collect()
}

/// Each figure rounded to a multiple of the base by itself, up or down as the sum of its people's random numbers says: the same
/// people always give the same figure.
#[must_use]
pub fn cell_keyed(world: &World, draw: u64) -> Vec<Shown> {
    let base = world.domains.base();
    let mut year: Vec<u64> = vec![0; world.layout.len()];
    let mut all = Vec::with_capacity(world.months.len());
    for new in &world.months {
        for place in world.layout.places().iter().filter(|place| place.span == Span::Month) {
            year[place.start..place.start + place.len].fill(0);
        }
        for (person, key) in &new.people {
            let number = u64::from_be_bytes(person.0.first_chunk().copied().unwrap_or_default());
            let number = Draw::new("cell key", number ^ draw.rotate_left(17)).below(1 << 32);
            for (_, cell) in world.layout.cells(key) {
                year[cell] = (year[cell] + number) % (1 << 32);
            }
        }
        let shown = year.iter().zip(&new.exact).map(|(sum, exact)| {
            let rest = exact % base;
            let drawn = (i64::try_from(*sum).unwrap_or(0) * base) >> 32;
            Some(exact - rest + if drawn < rest { base } else { 0 })
        });
        all.push(shown.collect());
    }
    all
}

/// Geometric noise on the tables of the year, published once when it ends, and on each month's total. Everybody stands in one cell
/// of each of these tables, so each has its part of ε.
#[must_use]
pub fn private(world: &World, draw: u64) -> Vec<Shown> {
    let places = world.layout.places();
    let published =
        |place: &&super::super::layout::Place| place.span == Span::YearToDate || place.attributes.is_empty();
    let tables = i32::try_from(places.iter().filter(published).count()).unwrap_or(i32::MAX);
    let mut noise = Draw::new("noise", draw);
    let scale = f64::from(tables) / EPSILON;
    let mut all = Vec::with_capacity(world.months.len());
    for (at, new) in world.months.iter().enumerate() {
        let last = at + 1 == world.months.len();
        let mut shown: Shown = vec![None; world.layout.len()];
        for place in places.iter().filter(published).filter(|place| last || place.span == Span::Month) {
            let cells = place.start..place.start + place.len;
            for (figure, exact) in shown[cells.clone()].iter_mut().zip(&new.exact[cells]) {
                *figure = Some(exact + geometric(&mut noise, scale) - geometric(&mut noise, scale));
            }
        }
        all.push(shown);
    }
    all
}

/// How often something fails that fails with e^(−1/scale).
#[expect(clippy::cast_possible_truncation, reason = "a share that is drawn of 2^32 has a logarithm below 23")]
fn geometric(draw: &mut Draw, scale: f64) -> i64 {
    (-draw.share().ln() * scale).floor() as i64
}
