//! What has to hold before anything is published. The exact figures are counted anew for it, apart from the errors that were carried.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that made the rows")]

use super::catalogue::Span;
use super::domains::Key;
use super::layout::{Layout, Place};
use std::collections::BTreeMap;

/// A gate that did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Gate {
    #[error("a figure is further from the truth than the method allows")]
    TooFar,
    #[error("a figure is below zero")]
    BelowZero,
    #[error("a figure is not a multiple of the base")]
    NotAMultiple,
    #[error("a sum does not add")]
    DoesNotAdd,
}

/// Counts people in every cell: `year` in those of the year, `month` in those of the month.
pub fn exact(layout: &Layout, year: &BTreeMap<Key, i64>, month: &BTreeMap<Key, i64>) -> Vec<i64> {
    let mut counts = vec![0; layout.len()];
    for (groups, span) in [(year, Span::YearToDate), (month, Span::Month)] {
        for (key, people) in groups {
            for (_, cell) in layout.cells(key).filter(|(place, _)| place.span == span) {
                counts[cell] += people;
            }
        }
    }
    counts
}

/// How far from the truth a figure of this table may be: 2b for the year's totals and one-way tables, else 3b.
const fn bound(place: &Place, base: i64) -> i64 {
    if matches!(place.span, Span::YearToDate) && place.attributes.len() < 2 { 2 * base } else { 3 * base }
}

/// The cells whose figures are too far from the truth or below zero, each with by how many people.
pub fn too_far(layout: &Layout, base: i64, published: &[i64], exact: &[i64]) -> Vec<(usize, i64)> {
    let cells = layout.places().iter().flat_map(|place| {
        let bound = bound(place, base);
        let wrong = (place.start..place.start + place.len).map(|cell| (cell, published[cell] - exact[cell]));
        wrong.filter(move |(cell, wrong)| wrong.abs() > bound || published[*cell] < 0)
    });
    cells.collect()
}

/// Whether all gates hold.
///
/// # Errors
/// The first that does not.
pub fn check(layout: &Layout, base: i64, published: &[i64], exact: &[i64]) -> Result<(), Gate> {
    if published.iter().any(|figure| *figure < 0) {
        return Err(Gate::BelowZero);
    }
    if published.iter().any(|figure| figure % base != 0) {
        return Err(Gate::NotAMultiple);
    }
    if !too_far(layout, base, published, exact).is_empty() {
        return Err(Gate::TooFar);
    }
    if sums(layout, published).all(|(sum, shown)| sum == shown) { Ok(()) } else { Err(Gate::DoesNotAdd) }
}

/// Every sum of the catalogue: what the cells of a finer table add up to, and what the coarser table says.
pub fn sums<'a>(layout: &'a Layout, figures: &'a [i64]) -> impl Iterator<Item = (i64, i64)> + 'a {
    layout.places().iter().flat_map(move |fine| {
        let coarser = layout.places().iter().filter_map(move |coarse| Some((coarse, fine.sums_to(coarse)?)));
        coarser.flat_map(move |(coarse, kept)| {
            let mut added = vec![0; coarse.len];
            for cell in fine.start..fine.start + fine.len {
                added[fine.parent_of(cell, coarse, &kept) - coarse.start] += figures[cell];
            }
            let shown = figures[coarse.start..coarse.start + coarse.len].to_vec();
            added.into_iter().zip(shown)
        })
    })
}
