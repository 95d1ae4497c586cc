//! The attack by complement and linkage: what follows from all tables together, when the exact total and one region are known.
//!
//! Each figure says between which numbers the truth lies; sums narrow that, until nothing moves. It finds what somebody finds
//! with a pencil. A linear program would find no less and may find more.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that made the rows")]

use super::super::catalogue::Span;
use super::super::coded::Attribute;
use super::super::layout::Place;
use super::mean::Mean;
use super::others::THRESHOLD;
use super::world::{Method, Shown, World};

/// More than any count.
const MANY: i64 = 1 << 40;

/// Which small cells of the year's tables are determined: of those with 1 to 4 people that the attacker did not know.
pub fn determined(world: &World, method: Method, published: &[Shown], found: &mut Mean) {
    let Some((new, shown)) = world.months.iter().zip(published).next_back() else { return };
    let places: Vec<&Place> = world.layout.places().iter().filter(|place| place.span == Span::YearToDate).collect();
    let known = known(world, &places);
    let mut between: Vec<(i64, i64)> = vec![(0, MANY); world.layout.len()];
    for place in &places {
        for cell in place.start..place.start + place.len {
            between[cell] = if known[cell] {
                (new.exact[cell], new.exact[cell])
            } else {
                of_figure(method, shown[cell], world.domains.base(), place.attributes.len())
            };
        }
    }
    narrow(&places, &mut between);
    for cell in places.iter().flat_map(|place| place.start..place.start + place.len) {
        if !known[cell] && (1..THRESHOLD).contains(&new.exact[cell]) {
            found.add(f64::from(u8::from(between[cell].0 == between[cell].1)));
        }
    }
}

/// The total, and all cells of the first region: its own authority knows them.
pub fn known(world: &World, places: &[&Place]) -> Vec<bool> {
    let region = Attribute::ALL.iter().position(|attribute| *attribute == Attribute::Region);
    let mut known = vec![false; world.layout.len()];
    known[0] = true;
    for place in places {
        let Some(at) = place.attributes.iter().position(|attribute| Some(*attribute) == region) else { continue };
        let after: usize = place.sizes.iter().skip(at + 1).product();
        for cell in 0..place.len {
            known[place.start + cell] = (cell / after).is_multiple_of(place.sizes[at]);
        }
    }
    known
}

/// Between which numbers the truth lies, by the rules of the method.
pub fn of_figure(method: Method, shown: Option<i64>, base: i64, attributes: usize) -> (i64, i64) {
    let within = |figure: i64, slack: i64| ((figure - slack).max(0), figure + slack);
    match (method, shown) {
        (Method::Suppression, None) => (1, THRESHOLD - 1),
        (Method::Suppression, Some(figure)) => (figure, figure),
        (Method::CellKey, Some(figure)) => within(figure, base - 1),
        (Method::Increments | Method::Reprotected, Some(figure)) => {
            let (low, high) = within(figure, if attributes < 2 { 2 * base } else { 3 * base });
            // Each time the base was published, at least one person was there.
            (low.max(figure / base), high)
        }
        (_, None) | (Method::Private, _) => (0, MANY),
    }
}

/// Lets every sum narrow its parts, and the parts their sum.
fn narrow(places: &[&Place], between: &mut [(i64, i64)]) {
    let mut sums: Vec<(usize, Vec<usize>)> = Vec::new();
    for fine in places {
        for coarse in places {
            let Some(kept) = fine.sums_to(coarse) else { continue };
            let mut parts = vec![Vec::new(); coarse.len];
            for cell in fine.start..fine.start + fine.len {
                parts[fine.parent_of(cell, coarse, &kept) - coarse.start].push(cell);
            }
            sums.extend(parts.into_iter().enumerate().map(|(cell, parts)| (coarse.start + cell, parts)));
        }
    }
    let mut moved = true;
    while moved {
        moved = false;
        for (whole, parts) in &sums {
            let low: i64 = parts.iter().map(|part| between[*part].0).sum();
            let high: i64 = parts.iter().map(|part| between[*part].1).sum();
            let (from, to) = between[*whole];
            let tight = (from.max(low), to.min(high));
            moved |= tight != (from, to);
            between[*whole] = tight;
            for part in parts {
                let (from, to) = between[*part];
                let narrower = (from.max(tight.0 - (high - to)), to.min(tight.1 - (low - from)));
                moved |= narrower != (from, to);
                between[*part] = narrower;
            }
        }
    }
}
