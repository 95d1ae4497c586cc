//! The attack of many dates: whether all releases of a year together tell more of a cell than the last alone.
//!
//! It is made on a country to which nobody came after June, which the attacker does not know. Figures of the year never fall, so they take
//! the closest row of figures that do not fall: where the truth stood still, that is the mean of what was said about it. A method
//! that says the same again gives nothing away by it; one that draws anew each month gives its noise away.

use super::super::catalogue::Span;
use super::mean::Mean;
use super::world::{Shown, World};

/// How wrong the attacker is about the crossed cells that are not zero.
#[derive(Default)]
pub struct ManyDates {
    last: Mean,
    all: Mean,
}

impl ManyDates {
    pub fn watch(&mut self, world: &World, published: &[Shown]) {
        let Some(new) = world.months.last() else { return };
        let year = world.layout.places().iter().filter(|p| p.span == Span::YearToDate && p.attributes.len() > 1);
        for cell in year.flat_map(|place| place.start..place.start + place.len) {
            let said = published.iter().filter_map(|shown| shown.get(cell).copied().flatten());
            let said: Vec<f64> = said.filter_map(|figure| i32::try_from(figure).ok()).map(f64::from).collect();
            let (Some(last), Some(truth)) = (said.last(), new.exact.get(cell).filter(|people| **people > 0)) else {
                continue;
            };
            let truth = f64::from(i32::try_from(*truth).unwrap_or(i32::MAX));
            self.last.add((last - truth).abs());
            self.all.add((rising(&said) - truth).abs());
        }
    }

    /// By what share the error falls from one release to all.
    #[must_use]
    pub fn gained(&self) -> Option<f64> {
        let (last, all) = (self.last.get()?, self.all.get()?);
        (last > 0.0).then(|| 1.0 - all / last)
    }
}

/// The last of the row that does not fall and is closest to this one, by pooling neighbours that do.
fn rising(said: &[f64]) -> f64 {
    let mut pools: Vec<(f64, f64)> = Vec::new();
    for figure in said {
        let mut pool = (*figure, 1.0);
        while let Some((sum, count)) = pools.pop_if(|(sum, count)| *sum / *count > pool.0 / pool.1) {
            pool = (pool.0 + sum, pool.1 + count);
        }
        pools.push(pool);
    }
    pools.last().map_or(0.0, |(sum, count)| sum / count)
}
