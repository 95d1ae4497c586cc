//! Finds the item that is best counted up, among hundreds of thousands, without looking at each.
//!
//! All items stand in a tree by the words of their keys. What an item costs is a sum over the tables, and for each table the least
//! cost below each beginning of a key is kept, so a branch whose least sum is not below the best one found is left out.
//! The answer is the one that a look at every item would give; a test compares them.

#![expect(clippy::indexing_slicing, reason = "every place comes from the tree and the layout that made the rows")]

use super::domains::Key;
use super::layout::Layout;

/// How deep the tree is: one word of the key on each level.
const LEVELS: usize = super::coded::Attribute::ALL.len();
/// How many tables a catalogue may have.
const TABLES: usize = 32;

/// Somebody of whom it is open whether the published figures count her group up.
pub struct Item {
    pub key: Key,
    /// Who goes first.
    pub rank: [u8; 32],
}

/// The nodes of one level, in the order of their keys.
#[derive(Default)]
struct Level {
    word: Vec<u16>,
    /// Where the children of each begin on the next level; one more at the end.
    first: Vec<usize>,
    parent: Vec<usize>,
    /// How many items below each are down.
    down: Vec<usize>,
}

/// The errors of all cells, and the items that are down.
pub struct Best<'a> {
    layout: &'a Layout,
    items: &'a [Item],
    errors: Vec<i64>,
    /// How much an error in each cell weighs.
    weights: &'a [i64],
    /// What it costs to count up once more in each cell: w·(b + 2·e), since w·((e + b)² − e²) is b times that.
    costs: Vec<i64>,
    /// For each table and each number of its words that are known: the least cost below.
    least: Vec<Vec<Vec<i64>>>,
    levels: Vec<Level>,
    /// Which tables have the attribute of a level, and at which of their own places.
    on_level: Vec<Vec<(usize, usize)>>,
}

/// What a search carries down.
struct Found {
    cost: i64,
    item: Option<usize>,
}

impl<'a> Best<'a> {
    /// `items` are sorted by their keys, which differ, and all down; errors and `base` are scaled alike.
    pub fn new(layout: &'a Layout, base: i64, items: &'a [Item], errors: Vec<i64>, weights: &'a [i64]) -> Self {
        assert!(layout.places().len() <= TABLES, "a catalogue has at most 32 tables");
        let mut levels: Vec<Level> = (0..LEVELS).map(|_| Level::default()).collect();
        for (place, item) in items.iter().enumerate() {
            let before = place.checked_sub(1).map(|before| &items[before].key);
            let same = before.map_or(0, |before| before.iter().zip(&item.key).take_while(|(a, b)| a == b).count());
            for level in same..LEVELS {
                let parent = level.checked_sub(1).map_or(0, |above| levels[above].word.len() - 1);
                let below = levels.get(level + 1).map_or(0, |below| below.word.len());
                let node = &mut levels[level];
                node.word.push(item.key[level]);
                node.first.push(below);
                node.parent.push(parent);
                node.down.push(0);
            }
            let mut node = place;
            for level in levels.iter_mut().rev() {
                level.down[node] += 1;
                node = level.parent[node];
            }
        }
        for level in 0..LEVELS {
            let end = levels.get(level + 1).map_or(0, |below| below.word.len());
            levels[level].first.push(end);
        }
        let on_level = (0..LEVELS)
            .map(|level| {
                let tables = layout.places().iter().enumerate();
                tables.filter_map(|(t, place)| Some((t, place.attributes.iter().position(|a| *a == level)?))).collect()
            })
            .collect();
        let costs = errors.iter().zip(weights).map(|(error, weight)| weight * (base + 2 * error)).collect();
        let mut best = Self { layout, items, errors, weights, costs, least: Vec::new(), levels, on_level };
        best.least = layout.places().iter().map(|place| best.least_of(place)).collect();
        best
    }

    fn least_of(&self, place: &super::layout::Place) -> Vec<Vec<i64>> {
        let mut below: Vec<i64> = self.costs[place.start..place.start + place.len].to_vec();
        let mut all = Vec::with_capacity(place.sizes.len() + 1);
        for size in place.sizes.iter().rev() {
            let above = below.chunks(*size).map(|chunk| chunk.iter().copied().min().unwrap_or(i64::MAX)).collect();
            all.push(std::mem::replace(&mut below, above));
        }
        all.push(below);
        all.reverse();
        all
    }

    pub fn into_errors(self) -> Vec<i64> {
        self.errors
    }

    /// What it costs to count an item up that is down.
    pub fn cost(&self, item: usize) -> i64 {
        self.layout.cells(&self.items[item].key).map(|(_, cell)| self.costs[cell]).sum()
    }

    /// Counts an item up (`by` is the base) or takes it back (`by` is less than zero).
    pub fn count(&mut self, item: usize, by: i64) {
        let key = self.items[item].key;
        for (t, place) in self.layout.places().iter().enumerate() {
            let mut cell = place.cell(&key);
            self.errors[cell] += by;
            let dearer = 2 * self.weights[cell] * by;
            self.costs[cell] += dearer;
            cell -= place.start;
            let rows = &mut self.least[t];
            let mut known = place.sizes.len();
            rows[known][cell] += dearer;
            while known > 0 {
                let size = place.sizes[known - 1];
                let from = cell / size * size;
                let least = rows[known][from..from + size].iter().copied().min().unwrap_or(i64::MAX);
                cell /= size;
                known -= 1;
                if rows[known][cell] == least {
                    break;
                }
                rows[known][cell] = least;
            }
        }
        let (mut node, down) = (item, by < 0);
        for level in self.levels.iter_mut().rev() {
            level.down[node] = if down { level.down[node] + 1 } else { level.down[node] - 1 };
            node = level.parent[node];
        }
    }

    /// The item that is down and costs least, if that is less than `than`; of equals the one with the smallest rank.
    pub fn below(&self, than: i64) -> Option<usize> {
        let mut found = Found { cost: than, item: None };
        let bound = self.least.iter().map(|least| least[0][0]).sum();
        let top = self.levels.first().map_or(0, |level| level.word.len());
        self.descend(0, 0..top, bound, &[0; TABLES], &mut found);
        found.item
    }

    fn descend(
        &self,
        level: usize,
        nodes: std::ops::Range<usize>,
        bound: i64,
        at: &[usize; TABLES],
        found: &mut Found,
    ) {
        for node in nodes {
            if self.levels[level].down[node] == 0 {
                continue;
            }
            let word = usize::from(self.levels[level].word[node]);
            let (mut bound, mut at) = (bound, *at);
            for (t, known) in &self.on_level[level] {
                let (place, least) = (&self.layout.places()[*t], &self.least[*t]);
                let below = at[*t] * place.sizes[*known] + word;
                bound += least[known + 1][below] - least[*known][at[*t]];
                at[*t] = below;
            }
            // Nothing below is less, and an equal counts only beside another that was found.
            if bound > found.cost || (bound == found.cost && found.item.is_none()) {
                continue;
            }
            if level + 1 < LEVELS {
                let children = self.levels[level].first[node]..self.levels[level].first[node + 1];
                self.descend(level + 1, children, bound, &at, found);
            } else if bound < found.cost
                || found.item.is_some_and(|other| self.items[node].rank < self.items[other].rank)
            {
                *found = Found { cost: bound, item: Some(node) };
            }
        }
    }
}
