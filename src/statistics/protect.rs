//! One month's step of the protected increments cube, in whole numbers: errors are scaled by 2^20.
//!
//! Who is new is grouped by the full key. Of each group the whole multiples of the base are published; of the rest it is open whether
//! the base is added once more or not, and it is added where it takes most off the errors of all tables together. Every figure
//! is a sum of the same groups, so all tables add.

#![expect(clippy::indexing_slicing, reason = "every place comes from the layout that made the rows")]

use super::best::{Best, Item};
use super::catalogue::Span;
use super::coded::Month;
use super::domains::Key;
use super::key::{ONE, StatisticsKey};
use super::layout::Layout;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Those who are new, under one key; less than none if a revision takes more out than it brings.
#[derive(Clone, Copy)]
pub struct Group {
    pub people: i64,
    /// The smallest rank among them.
    pub rank: [u8; 32],
}

/// Published figures and errors, a number for each cell of the layout.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// People, multiples of the base.
    pub published: Vec<i64>,
    /// Published less exact less dither, scaled by 2^20.
    pub errors: Vec<i64>,
}

/// How a try goes about it.
pub struct Try {
    /// How much an error in each cell weighs.
    pub weights: Vec<i64>,
    /// By how many groups more, or less, than the total asks for are counted up.
    pub more: i64,
}

impl Try {
    /// The first one: each cell weighs what its table does.
    pub fn first(layout: &Layout) -> Self {
        let weights = layout.places().iter().flat_map(|place| std::iter::repeat_n(place.weight, place.len)).collect();
        Self { weights, more: 0 }
    }
}

/// Adds what is new to the figures. `turns` orders the passes.
pub fn protect(
    layout: &Layout,
    base: i64,
    mut figures: Figures,
    groups: &BTreeMap<Key, Group>,
    Try { weights, more }: &Try,
    turns: impl Fn(&Item) -> [u8; 32],
) -> Figures {
    let mut items = Vec::new();
    for (key, group) in groups {
        // Of those whom a revision takes out, more than the whole multiples: what is left is up to be counted again.
        let whole = group.people.div_euclid(base) * base;
        for (_, cell) in layout.cells(key) {
            figures.published[cell] += whole;
            figures.errors[cell] += (whole - group.people) * ONE;
        }
        if whole < group.people {
            items.push(Item { key: *key, rank: group.rank });
        }
    }
    let up = (rounded(-figures.errors[0], base * ONE) + more).clamp(0, i64::try_from(items.len()).unwrap_or(i64::MAX));
    let mut first: Vec<usize> = (0..items.len()).collect();
    first.sort_by_key(|item| items[*item].rank);
    first.truncate(usize::try_from(up).unwrap_or(0));
    let mut best = Best::new(layout, base * ONE, &items, figures.errors, weights);
    for item in &first {
        best.count(*item, base * ONE);
    }
    let turn: Vec<[u8; 32]> = items.iter().map(turns).collect();
    let mut up = first;
    for _ in 0..2 {
        up.sort_by_key(|item| turn[*item]);
        for place in &mut up {
            best.count(*place, -base * ONE);
            // Δu + Δj < 0 says that j costs less than u.
            let cost = best.cost(*place);
            if let Some(better) = best.below(cost) {
                *place = better;
            }
            best.count(*place, base * ONE);
        }
    }
    for item in up {
        for (_, cell) in layout.cells(&items[item].key) {
            figures.published[cell] += base;
        }
    }
    Figures { published: figures.published, errors: best.into_errors() }
}

/// How the cells of a span begin: nothing published, and each error as far below zero as its dither; the total has none.
pub fn begin(figures: &mut Figures, layout: &Layout, span: Span, base: i64, key: &StatisticsKey, month: Month) {
    let Figures { published, errors } = figures;
    published.resize(layout.len(), 0);
    errors.resize(layout.len(), 0);
    for place in layout.places().iter().filter(|place| place.span == span) {
        for (cell, error) in errors.iter_mut().enumerate().skip(place.start).take(place.len) {
            *error = -key.dither(&layout.label(place, cell, month), base);
        }
    }
    if span == Span::YearToDate {
        errors[0] = 0;
    }
}

/// The nearest multiple: `value / of`, halves away from zero.
const fn rounded(value: i64, of: i64) -> i64 {
    if value >= 0 { (2 * value + of) / (2 * of) } else { -((of - 2 * value) / (2 * of)) }
}
