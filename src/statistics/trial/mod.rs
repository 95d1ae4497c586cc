//! The trial: the method beside itself made anew each month and three others, on the same people who do not exist. How useful is
//! what each publishes, and what do the attacks get out of it?
//!
//! `fixture` makes the people, `world` lets each method publish a year of them, `others` are the other methods; `utility`
//! measures the use; `two_dates`, `many_dates`, `alone`, `complement` and `adversary` attack.

mod adversary;
mod alone;
pub(super) mod complement;
pub mod fixture;
pub(super) mod many_dates;
mod mean;
pub(super) mod others;
mod table;
mod two_dates;
mod utility;
pub(super) mod world;

pub use adversary::Effort;
pub use table::table;
pub use world::Method;

use super::publish::Refused;
use many_dates::ManyDates;
use mean::Mean;
use two_dates::TwoDates;
use utility::Utility;
use world::World;

/// What is tried.
pub struct Told {
    /// People in a year, one trial for each number.
    pub people: Vec<usize>,
    /// How many countries for each number.
    pub seeds: u64,
    pub methods: Vec<Method>,
    pub effort: Effort,
}

/// What came out for one method and one number of people.
pub struct Row {
    pub people: usize,
    pub method: Method,
    /// Of the cubes.
    pub base: i64,
    /// Mean error of the year's one-way figures, in people.
    pub one_way_mean_error: Option<f64>,
    pub one_way_largest_error: i64,
    /// Share.
    pub top_three_kept: Option<f64>,
    /// In people.
    pub month_total_error: Option<f64>,
    /// Share.
    pub sums_that_add: Option<f64>,
    /// Share of the cells that are not zero.
    pub cells_hidden: Option<f64>,
    /// Share of the new people that some table tells alone, for certain; nothing for a method that publishes once a year.
    pub two_dates_certain: Option<f64>,
    /// Share of them that the best guess finds alone, in the worst table.
    pub two_dates_guessed: Option<f64>,
    /// By what share an error falls from one release to all; nothing likewise.
    pub many_dates_gained: Option<f64>,
    /// Share of people who came alone in a month, and are named.
    pub alone_named: Option<f64>,
    /// Share of the small cells.
    pub complement_determined: Option<f64>,
    /// Area under the curve.
    pub adversary: Option<f64>,
}

/// Tries all methods on all numbers of people. `progress` hears how much is done, of how much.
///
/// # Errors
/// When a release of the cube is refused.
pub fn run(told: &Told, mut progress: impl FnMut(u64, u64)) -> Result<Vec<Row>, Refused> {
    let trials = told.people.len() * told.methods.len();
    let all = u64::try_from(trials).unwrap_or(u64::MAX).saturating_mul(told.seeds);
    let mut rows = Vec::with_capacity(trials);
    let mut done = 0;
    for people in &told.people {
        for method in &told.methods {
            rows.push(try_one(told, *people, *method, || {
                done += 1;
                progress(done, all);
            })?);
        }
    }
    Ok(rows)
}

fn try_one(told: &Told, people: usize, method: Method, mut step: impl FnMut()) -> Result<Row, Refused> {
    let (mut utility, mut dates, mut many) = (Utility::default(), TwoDates::default(), ManyDates::default());
    let (mut determined, mut adversary, mut alone) = (Mean::default(), Mean::default(), Mean::default());
    let mut base = 0;
    for seed in 1..=told.seeds {
        if let Some(world) = World::of(seed, people, 12, None) {
            base = world.domains.base();
            let published = world.published(method, seed)?;
            utility.measure(&world, &published);
            complement::determined(&world, method, &published, &mut determined);
            dates.watch(&world, method, &published);
        }
        if let Some(world) = World::quiet(seed, people).filter(|_| method != Method::Private) {
            many.watch(&world, &world.published(method, seed)?);
        }
        if method != Method::Private {
            alone::named(seed, people, method, told.effort.alone, &mut alone)?;
        }
        if told.effort.keys > 0 {
            adversary::judge(seed, people, method, told.effort, &mut adversary)?;
        }
        step();
    }
    let monthly = method != Method::Private;
    Ok(Row {
        people,
        method,
        base,
        one_way_mean_error: utility.one_way.get(),
        one_way_largest_error: utility.largest,
        top_three_kept: utility.top_three.get(),
        month_total_error: utility.month.get(),
        sums_that_add: utility.adds.get(),
        cells_hidden: utility.hidden.get(),
        two_dates_certain: monthly.then(|| dates.certain()),
        two_dates_guessed: monthly.then(|| dates.guessed()),
        many_dates_gained: many.gained(),
        alone_named: alone.get(),
        complement_determined: determined.get(),
        adversary: adversary.get(),
    })
}
