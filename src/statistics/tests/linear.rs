//! The attack by complement and linkage with a linear program: over all people who could be behind a year's tables, between which
//! numbers does each small cell lie? The attacker knows the exact total, and everybody in the first region.

use super::super::catalogue::Span;
use super::super::coded::Attribute;
use super::super::domains::Key;
use super::super::layout::Place;
use super::super::trial::Method;
use super::super::trial::complement::{known, of_figure};
use super::super::trial::others::THRESHOLD;
use super::super::trial::world::{Shown, World};
use microlp::{ComparisonOp, OptimizationDirection, Problem};
use std::collections::BTreeMap;

/// What the attacker knows about the people by some attributes: variables are the cells of their full cross.
struct Program {
    /// At least, and at most, how many people each cell holds.
    cells: Vec<(f64, f64)>,
    /// Which cells a published figure adds up, and between which numbers the truth lies.
    sums: Vec<(Vec<usize>, f64, f64)>,
}

impl Program {
    /// The least, or the greatest, number of people in these cells together.
    fn extreme(&self, of: &[usize], direction: OptimizationDirection) -> f64 {
        let mut problem = Problem::new(direction);
        let variables: Vec<_> = self
            .cells
            .iter()
            .enumerate()
            .map(|(cell, bounds)| problem.add_var(if of.contains(&cell) { 1.0 } else { 0.0 }, *bounds))
            .collect();
        for (cells, low, high) in &self.sums {
            let sum: Vec<_> = cells.iter().map(|cell| (variables[*cell], 1.0)).collect();
            problem.add_constraint(sum.as_slice(), ComparisonOp::Ge, *low);
            problem.add_constraint(sum.as_slice(), ComparisonOp::Le, *high);
        }
        problem.solve().unwrap().into_solution().unwrap().objective()
    }

    /// Whether only one whole number is possible.
    fn determined(&self, of: &[usize]) -> bool {
        let low = (self.extreme(of, OptimizationDirection::Minimize) - 1e-4).ceil();
        let high = (self.extreme(of, OptimizationDirection::Maximize) + 1e-4).floor();
        (high - low).abs() < 0.5
    }
}

fn float(people: i64) -> f64 {
    f64::from(i32::try_from(people.min(1 << 20)).unwrap())
}

/// The cells of the cross of these attributes that a cell of a table adds up.
fn parts(cross: &[usize], sizes: &[usize], place: &Place, cell: usize) -> Vec<usize> {
    let all: usize = cross.iter().map(|attribute| sizes[*attribute]).product();
    (0..all)
        .filter(|part| {
            let mut key = Key::default();
            let mut rest = *part;
            for attribute in cross.iter().rev() {
                key[*attribute] = u16::try_from(rest % sizes[*attribute]).unwrap();
                rest /= sizes[*attribute];
            }
            place.cell(&key) == cell
        })
        .collect()
}

/// Of the small cells in the tables over these attributes, the share that is determined; and how many there are.
fn share(world: &World, method: Method, shown: &Shown, cross: &[Attribute]) -> (usize, usize) {
    let at = |one: &Attribute| Attribute::ALL.iter().position(|other| other == one).unwrap();
    let mut cross: Vec<usize> = cross.iter().map(at).collect();
    cross.sort_unstable();
    let sizes: Vec<usize> = world.sizes().into_iter().map(usize::from).collect();
    let exact = &world.months.last().unwrap().exact;
    let year: Vec<&Place> = world.layout.places().iter().filter(|place| place.span == Span::YearToDate).collect();
    let known = known(world, &year);
    let region = at(&Attribute::Region);
    // The people of the first region, by the cross: the attacker has their list.
    let mut own: BTreeMap<usize, i64> = BTreeMap::new();
    let of = |key: &Key| cross.iter().fold(0, |cell, one| cell * sizes[*one] + usize::from(key[*one]));
    for key in world.months.iter().flat_map(|new| new.people.values()).filter(|key| key[region] == 0) {
        *own.entry(of(key)).or_default() += 1;
    }
    let cells: usize = cross.iter().map(|one| sizes[*one]).product();
    let bounds = (0..cells).map(|cell| {
        let mine = float(own.get(&cell).copied().unwrap_or(0));
        let after: usize = cross.iter().rev().take_while(|one| **one != region).map(|one| sizes[*one]).product();
        let whole = cross.contains(&region) && (cell / after).is_multiple_of(sizes[region]);
        (mine, if whole { mine } else { f64::INFINITY })
    });
    let mut program = Program { cells: bounds.collect(), sums: Vec::new() };
    let mut small = Vec::new();
    for place in year.iter().filter(|place| place.attributes.iter().all(|one| cross.contains(one))) {
        for cell in place.start..place.start + place.len {
            let parts = parts(&cross, &sizes, place, cell);
            let (low, high) = if known[cell] {
                (exact[cell], exact[cell])
            } else {
                of_figure(method, shown[cell], world.domains.base(), place.attributes.len())
            };
            if !known[cell] && (1..THRESHOLD).contains(&exact[cell]) {
                small.push(parts.clone());
            }
            if !parts.is_empty() {
                program.sums.push((parts, float(low), float(high)));
            }
        }
    }
    let determined = small.iter().filter(|cells| program.determined(cells)).count();
    (determined, small.len())
}

/// Over the crosses that have tables inside.
fn all(seed: u64, people: usize, method: Method) -> (usize, usize) {
    use Attribute::{Age, Citizenship, Form, Recruiter, Region, Sex};
    let world = World::of(seed, people, 12, None).unwrap();
    let published = world.published(method, seed).unwrap();
    let crosses: [&[Attribute]; 4] =
        [&[Form, Sex, Age], &[Form, Sex, Region], &[Form, Citizenship], &[Form, Recruiter]];
    let each = crosses.into_iter().map(|cross| share(&world, method, published.last().unwrap(), cross));
    each.fold((0, 0), |(determined, small), (more, cells)| (determined + more, small + cells))
}

#[test]
fn the_program_finds_what_is_determined() {
    // a + b = 3, b + c = 1, c = 0: all is known; without the last, nothing is.
    let sums = vec![(vec![0, 1], 3.0, 3.0), (vec![1, 2], 1.0, 1.0)];
    let mut program = Program { cells: vec![(0.0, f64::INFINITY); 3], sums };
    assert!((0..3).all(|cell| !program.determined(&[cell])));
    assert!(program.determined(&[0, 1]));
    program.sums.push((vec![2], 0.0, 0.0));
    assert!((0..3).all(|cell| program.determined(&[cell])));
}

#[test]
fn no_small_cell_of_a_small_country_is_determined() {
    for seed in 1..=4 {
        let (determined, small) = all(seed, 60, Method::Increments);
        assert!(determined == 0 && small > 30, "{seed}: {determined} of {small}");
    }
}

#[test]
fn no_small_cell_of_a_larger_country_is_determined() {
    for seed in 1..=4 {
        let (determined, small) = all(seed, 250, Method::Increments);
        assert!(determined == 0 && small > 100, "{seed}: {determined} of {small}");
    }
}

/// The negative control: the same attack on hidden small cells finds many of them.
#[test]
fn cells_that_a_threshold_hides_are_determined() {
    let (determined, small) = all(1, 250, Method::Suppression);
    assert!(determined * 4 > small && small > 100, "{determined} of {small}");
}
