//! The attack of two dates on a month in which one person came, and the attacker knows that: who was it?
//!
//! The attacker adds up, for each form, sex and age, how the figures of the year changed that such a person stands in, and names those
//! with the largest sum. If nothing changed there is nothing to name.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that made the rows")]

use super::super::catalogue::Span;
use super::super::domains::Key;
use super::super::publish::Refused;
use super::mean::Mean;
use super::world::{Method, World};

/// The months in which the one person comes; with each a quarter ends, so that every catalogue is shown whole.
const MONTHS: [u8; 4] = [3, 6, 9, 12];

/// Tries it for the first people of those months, each alone; adds how likely each is named rightly.
///
/// # Errors
/// When the cube refuses.
pub fn named(seed: u64, per_year: usize, method: Method, people: usize, found: &mut Mean) -> Result<(), Refused> {
    let Some(world) = World::of(seed, per_year, 12, None) else { return Ok(()) };
    let came = world.months.iter().filter(|new| MONTHS.contains(&new.month.month()));
    for (month, (person, key)) in
        came.flat_map(|new| new.people.iter().take(people).map(|one| (new.month.month(), one)))
    {
        let Some(alone) = World::ending_alone(seed, per_year, month, *person) else { continue };
        let published = alone.published(method, seed)?;
        let mut months = published.iter().rev();
        let Some(now) = months.next() else { continue };
        // What was shown last of a table that is not shown each month: of quarterly ones, three months ago.
        let change = |place: &super::super::layout::Place, cell: usize| {
            let back = if place.quarterly { 3 } else { 1 };
            let before = published.len().checked_sub(1 + back).and_then(|at| published.get(at)?[cell]);
            now[cell].zip(before).map_or(0, |(now, before)| now - before)
        };
        let who = |key: &Key| -> i64 {
            let places = world.layout.places().iter().filter(|place| place.span == Span::YearToDate);
            let told = places.filter(|place| !place.attributes.is_empty() && place.attributes.iter().all(|at| *at < 3));
            told.map(|place| place.weight * change(place, place.cell(key))).sum()
        };
        let sizes = world.sizes();
        let mut sums = Vec::new();
        for form in 0..sizes[0] {
            for sex in 0..sizes[1] {
                for age in 0..sizes[2] {
                    let mut guess = *key;
                    (guess[0], guess[1], guess[2]) = (form, sex, age);
                    sums.push((who(&guess), guess == *key));
                }
            }
        }
        let largest = sums.iter().map(|(sum, _)| *sum).max().unwrap_or(0);
        let best: Vec<bool> = sums.iter().filter(|(sum, _)| *sum == largest).map(|(_, right)| *right).collect();
        let right = largest > 0 && best.contains(&true);
        found.add(if right { 1.0 / f64::from(u32::try_from(best.len()).unwrap_or(u32::MAX)) } else { 0.0 });
    }
    Ok(())
}
