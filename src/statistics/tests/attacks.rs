//! The attacks of the method's page, each with a control on which it succeeds.

use super::super::catalogue::Span;
use super::super::trial::fixture::Draw;
use super::super::trial::world::World;
use super::super::trial::{Effort, Method, Row, Told, run, table};

const NONE: Effort = Effort { targets: 0, alone: 0, keys: 0 };

fn rows(people: &[usize], seeds: u64, methods: &[Method], effort: Effort) -> Vec<Row> {
    run(&Told { people: people.to_vec(), seeds, methods: methods.to_vec(), effort }, |_, _| ()).unwrap()
}

#[test]
fn it_is_useful_enough() {
    for row in rows(&[60, 250, 1000], 8, &[Method::Increments], NONE) {
        let few = row.base == 5;
        assert_eq!(few, row.people < 100);
        assert!(row.one_way_mean_error.unwrap() <= if few { 2.6 } else { 1.6 }, "{:?}", row.one_way_mean_error);
        assert!(row.one_way_largest_error <= 2 * row.base);
        assert!(row.top_three_kept.unwrap() >= if row.people >= 1000 { 0.99 } else { 0.9 }, "{:?}", row.top_three_kept);
        assert!(row.month_total_error.unwrap() <= if few { 1.9 } else { 1.3 }, "{:?}", row.month_total_error);
        assert_eq!(row.sums_that_add, Some(1.0));
        assert_eq!(row.cells_hidden, Some(0.0));
    }
}

#[test]
fn two_dates_give_nobody_away_for_certain() {
    for row in rows(&[60, 250, 1000], 6, &[Method::Increments], NONE) {
        assert_eq!(row.two_dates_certain, Some(0.0));
        assert!(row.two_dates_guessed.unwrap() <= if row.base == 5 { 0.2 } else { 0.3 }, "{:?}", row.two_dates_guessed);
        assert_eq!(row.complement_determined, Some(0.0));
    }
    let control = &rows(&[250], 4, &[Method::Suppression], NONE)[0];
    assert!(control.two_dates_certain.unwrap() > 0.25, "a threshold gives a third of them away");
    assert!(control.complement_determined.unwrap() > 0.3);
}

/// Figures that never fall give this attack nothing. It is here for a method that forgets its carry, whose figures do.
#[test]
fn many_dates_tell_no_more_than_the_last() {
    for row in rows(&[60, 250], 4, &[Method::Increments], NONE) {
        assert_eq!(row.many_dates_gained, Some(0.0));
    }
    for control in rows(&[60, 250], 4, &[Method::Reprotected], NONE) {
        assert!(control.many_dates_gained.unwrap() > 0.1, "what is made anew each month gives its noise away");
    }
}

/// Whoever knows that one person came alone names her if she was counted up: once in so many as the base.
#[test]
fn who_came_alone_is_named_no_more_often_than_rounding_says() {
    for row in rows(&[60, 250], 12, &[Method::Increments], Effort { alone: 1, ..NONE }) {
        assert!(row.alone_named.unwrap() <= if row.base == 5 { 0.2 } else { 0.4 }, "{:?}", row.alone_named);
    }
    let control = &rows(&[250], 4, &[Method::Suppression], Effort { alone: 2, ..NONE })[0];
    assert!(control.alone_named.unwrap() > 0.8, "a threshold names nearly all of them");
}

#[test]
fn the_strong_adversary_is_not_certain() {
    for row in rows(&[60, 250, 1000], 16, &[Method::Increments], Effort { targets: 1, keys: 12, ..NONE }) {
        assert!(
            row.adversary.unwrap() <= if row.base == 5 { 0.85 } else { 0.92 },
            "{} {:?}",
            row.people,
            row.adversary
        );
        assert!(row.adversary.unwrap() > 0.5, "they learn something: it is not differential privacy");
    }
}

/// Adds up the first words of an attribute in 64 ways, with and without the last; what is between them is the last word's figure.
/// If each sum were rounded by itself, the mean of the differences would be the truth.
#[test]
fn overlapping_filters_give_the_frozen_cell_and_no_more() {
    let world = World::of(3, 250, 12, None).unwrap();
    let published = world.published(Method::Increments, 3).unwrap();
    let (shown, exact) = (published.last().unwrap(), &world.months.last().unwrap().exact);
    let by_region =
        world.layout.places().iter().find(|place| place.span == Span::YearToDate && place.name() == "region");
    let cells: Vec<usize> = by_region.map(|place| (place.start..place.start + place.len).collect()).unwrap();
    let mut draw = Draw::new("unions", 1);
    let (mut of_one, mut of_all) = (0.0, 0.0);
    for target in &cells {
        let (mut differences, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..64 {
            let union: Vec<usize> = cells.iter().copied().filter(|cell| cell != target && draw.below(2) == 0).collect();
            let sum = |row: &dyn Fn(usize) -> i64, with: bool| {
                union.iter().chain(with.then_some(target)).map(|cell| row(*cell)).sum::<i64>()
            };
            let figure = |cell: usize| shown[cell].unwrap();
            differences.push(sum(&figure, true) - sum(&figure, false));
            let mut rounded = |with| {
                let truth = sum(&|cell| exact[cell], with);
                truth / 3 * 3 + if i64::try_from(draw.below(3)).unwrap() < truth % 3 { 3 } else { 0 }
            };
            alone.push(rounded(true) - rounded(false));
        }
        assert!(differences.iter().all(|difference| Some(*difference) == shown[*target]));
        let off = |people: i64, times: i64| {
            f64::from(i32::try_from((people - times * exact[*target]).abs()).unwrap())
                / f64::from(i32::try_from(times).unwrap())
        };
        of_one += off(alone[0], 1);
        of_all += off(alone.iter().sum(), 64);
    }
    assert!(of_all < of_one / 3.0, "the control gives the truth away: {of_all} of {of_one}");
}

#[test]
fn the_trial_is_told_as_a_table() {
    let told = table(&rows(&[60], 1, Method::ALL, Effort { targets: 1, alone: 1, keys: 2 }));
    let lines: Vec<&str> = told.lines().collect();
    for method in Method::ALL {
        let line = lines.iter().find(|line| line.contains(method.as_str())).unwrap();
        assert_eq!(line.matches(" | ").count(), 2, "{line}");
        assert_eq!(line.matches(" -").count() > 0, *method == Method::Private, "{line}");
    }
    assert!(lines.iter().all(|line| line.chars().count() <= 150));
    assert!(told.contains("not differential privacy"));
}
