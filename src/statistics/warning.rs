//! Early warning: has more been counted than chance explains? It reads released figures only, so a light says nothing that they do not.
//!
//! With two years of history it is a cumulative sum for Poisson counts: what each month holds above a reference is added up, never
//! below zero, and the sum is compared with a limit. The limit comes from a simulation of quiet years with the same mean, which are
//! published by the same rounding: how often it is passed there is shown beside the light, because a light without its rate of
//! false alarms cannot be weighed. With five years it is also the bound of Farrington for the month, without his trend.

use super::coded::AgeBand;
use super::release::{Kind, Release, Shown};
use crate::guard::words::words;
use serde::Serialize;

words! {
    /// What a series looks like.
    pub enum Light {
        /// Within what chance explains.
        Green = "green",
        /// Half of the way to the limit.
        Amber = "amber",
        /// Passed the limit: a reason to look, not a finding.
        Red = "red",
    }
}

/// What is shown of a series.
#[derive(Serialize)]
pub struct Warning {
    pub light: Light,
    /// Of a hundred quiet years, how many would have shown red at least once.
    pub false_alarms: u8,
    /// The figures were added up to quarters, because fewer than five came in a month.
    pub quarterly: bool,
}

/// A series that is watched.
pub struct Series {
    /// The table of months that it is taken from.
    pub table: String,
    /// The word of its attribute; none for the total.
    pub word: Option<String>,
    /// The released figures, the oldest first, without a gap up to the newest release.
    pub figures: Vec<i64>,
}

/// The registered series: the total, each form, minors and each region, by month. `releases` are a stage's, the oldest first.
///
/// A series begins anew after a release that does not have it: a country with few people shows the total only, and regions change.
#[must_use]
pub fn registered(releases: &[Release]) -> Vec<Series> {
    let months: Vec<&Release> = releases.iter().filter(|release| release.kind == Kind::Month).collect();
    let Some(newest) = months.last() else { return Vec::new() };
    let watched = |table: &Shown, words: &[String]| match table.name.as_str() {
        "total by month" | "form by month" | "region by month" => true,
        "age by month" => words.iter().any(|word| word == AgeBand::Child.as_str()),
        _ => false,
    };
    let cells = newest.tables.iter().flat_map(|table| table.cells.iter().map(move |cell| (table, &cell.words)));
    let series = cells.filter(|(table, words)| watched(table, words)).map(|(table, words)| {
        let spelt: Vec<&str> = words.iter().map(String::as_str).collect();
        let figure = |release: &&Release| release.table(&table.name)?.people(&spelt);
        let mut figures: Vec<i64> = months.iter().rev().map_while(figure).collect();
        figures.reverse();
        Series { table: table.name.clone(), word: words.first().cloned(), figures }
    });
    series.collect()
}

/// A month with fewer on average is too little to watch by itself.
const BY_MONTH_FROM: f64 = 5.0;
/// What it is meant to notice: half as many again.
const NOTICED: f64 = 1.5;
/// Quiet years that are simulated to find the limit, and as many again to measure it.
const QUIET_YEARS: usize = 400;
/// Of a hundred quiet years, so many may pass the limit.
const ALLOWED: usize = 5;
/// Months that lie before one that Farrington's bound is asked for.
const FIVE_YEARS: usize = 61;

/// Watches the last twelve months of a series. `figures` are the released figures of all months, the oldest first, multiples of `base`.
///
/// `None` with less than two years before the last: there is nothing to compare with.
#[must_use]
pub fn watch(figures: &[i64], base: i64) -> Option<Warning> {
    let figures: Vec<f64> = figures.iter().map(|figure| whole(*figure)).collect();
    let quiet = mean(figures.iter().rev().take(36).skip(12));
    let quarterly = quiet < BY_MONTH_FROM;
    let reached = *sums(&figures, quarterly)?.last()?;
    let stands_out = farrington(&figures);
    let months = if stands_out.is_some() { FIVE_YEARS + 12 } else { 36 };
    let mut rolls = Rolls(0);
    let largest = |months: &[f64]| sums(months, quarterly).unwrap_or_default().into_iter().fold(0.0, f64::max);
    let mut found: Vec<f64> = (0..QUIET_YEARS).map(|_| largest(&published(&mut rolls, quiet, months, base))).collect();
    found.sort_by(f64::total_cmp);
    let limit = *found.iter().rev().nth(QUIET_YEARS * ALLOWED / 100)?;
    let shows_red = |months: &[f64]| {
        let ends = FIVE_YEARS + 1..=months.len();
        largest(months) > limit || ends.filter_map(|end| farrington(months.get(..end)?)).any(|stands_out| stands_out)
    };
    let passed = (0..QUIET_YEARS).filter(|_| shows_red(&published(&mut rolls, quiet, months, base))).count();
    let light = if reached > limit || stands_out == Some(true) {
        Light::Red
    } else if reached > limit / 2.0 {
        Light::Amber
    } else {
        Light::Green
    };
    Some(Warning { light, false_alarms: u8::try_from(passed * 100 / QUIET_YEARS).ok()?, quarterly })
}

/// The cumulative sum after each month or quarter of the last year, against the two years before; `None` if there are none.
fn sums(months: &[f64], quarterly: bool) -> Option<Vec<f64>> {
    let months = months.get(months.len().checked_sub(36)?..)?;
    let spans: Vec<f64> = months.chunks(if quarterly { 3 } else { 1 }).map(|span| span.iter().sum()).collect();
    let (before, watched) = spans.split_at(spans.len() * 2 / 3);
    let reference = mean(before).max(0.5) * (NOTICED - 1.0) / NOTICED.ln();
    let mut sum: f64 = 0.0;
    let add = |figure: &f64| {
        sum = (sum + figure - reference).max(0.0);
        sum
    };
    Some(watched.iter().map(add).collect())
}

/// Months without anything to notice, as the method publishes them: what is counted is rounded, and the rest carried.
fn published(rolls: &mut Rolls, quiet: f64, months: usize, base: i64) -> Vec<f64> {
    let base = whole(base);
    let mut carried = (rolls.share() - 0.5) * base;
    let month = |_| {
        let exact = poisson(rolls, quiet) + carried;
        let said = (exact / base).round().max(0.0) * base;
        carried = exact - said;
        said
    };
    (0..months).map(month).collect()
}

/// Numbers for simulations: the generator `SplitMix64`. The same come out each time, so a light does not flicker.
struct Rolls(u64);

impl Rolls {
    /// Between 0 and 1, neither of them.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [a, b, c, d, ..] = (mixed ^ mixed >> 31).to_be_bytes();
        (f64::from(u32::from_be_bytes([a, b, c, d])) + 0.5) / 4_294_967_296.0
    }
}

/// A Poisson number: how many draws it takes until their product is small; large means are added up from smaller ones.
fn poisson(rolls: &mut Rolls, mean: f64) -> f64 {
    let (mut left, mut count) = (mean, 0.0);
    while left > 0.0 {
        let least = (-left.min(20.0)).exp();
        left -= 20.0;
        let mut product = rolls.share();
        while product > least {
            product *= rolls.share();
            count += 1.0;
        }
    }
    count
}

/// Whether the last month is above Farrington's bound by the same month and its neighbours in five years before; `None` with less.
fn farrington(figures: &[f64]) -> Option<bool> {
    let now = figures.len().checked_sub(1)?;
    let mut alike = Vec::with_capacity(15);
    for years in 1..=5 {
        let month = now.checked_sub(12 * years)?;
        alike.extend_from_slice(figures.get(month.checked_sub(1)?..=month + 1)?);
    }
    let (expected, count) = (mean(&alike).max(0.5), whole(i64::try_from(alike.len()).ok()?));
    let spread = alike.iter().map(|figure| (figure - expected).powi(2)).sum::<f64>() / (count - 1.0) / expected;
    // The normal quantile of one in two hundred, on the scale of the power of two thirds.
    let error = (2.0 / 3.0) * 2.58 * (spread.max(1.0) * (1.0 + 1.0 / count) / expected).sqrt();
    Some(*figures.last()? > expected * (1.0 + error).powf(1.5))
}

fn mean<'a>(figures: impl IntoIterator<Item = &'a f64>) -> f64 {
    let (sum, count) =
        figures.into_iter().fold((0.0, 0.0), |(sum, count): (f64, f64), figure| (sum + figure, count + 1.0));
    sum / count.max(1.0)
}

fn whole(people: i64) -> f64 {
    f64::from(i32::try_from(people).unwrap_or(i32::MAX))
}
