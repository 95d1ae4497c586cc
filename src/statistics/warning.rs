//! Early warning: has more been counted than chance explains? It reads released figures only, so a light says nothing that they do not.
//!
//! With two years of history it is a cumulative sum for Poisson counts: what each month holds above a reference is added up, never
//! below zero, and the sum is compared with a limit. The limit comes from a simulation of quiet years with the same mean, which are
//! published by the same rounding: how often it is passed there is shown beside the light, because a light without its rate of
//! false alarms cannot be weighed. With five years it is also the bound of Farrington for the month, without his trend.

use super::trial::fixture::Draw;
use crate::guard::words::words;
use serde::Serialize;

words! {
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

/// A month with fewer on average is too little to watch by itself.
const BY_MONTH_FROM: f64 = 5.0;
/// What it is meant to notice: half as many again.
const NOTICED: f64 = 1.5;
/// Quiet years that are simulated to find the limit, and as many again to measure it.
const QUIET_YEARS: u64 = 400;
/// Of a hundred quiet years, so many may show red.
const ALLOWED: u64 = 5;

/// Watches the last twelve months of a series. `figures` are the released figures of all months, the oldest first, multiples of `base`.
///
/// `None` with less than two years before the last: there is nothing to compare with.
#[must_use]
pub fn watch(figures: &[i64], base: i64) -> Option<Warning> {
    let figures: Vec<f64> = figures.iter().map(|figure| whole(*figure)).collect();
    let months = figures.len().checked_sub(36).and_then(|from| figures.get(from..))?;
    let quarterly = mean(months.get(..24)?) < BY_MONTH_FROM;
    let spans = if quarterly { quarters(months) } else { months.to_vec() };
    let (before, watched) = spans.split_at(spans.len() * 2 / 3);
    let quiet = mean(before);
    let largest = |draw: &mut Draw| {
        let year = published(draw, quiet, spans.len(), base);
        let (before, watched) = year.split_at(year.len() * 2 / 3);
        sums(before, watched).into_iter().fold(0.0, f64::max)
    };
    let mut draw = Draw::new("early warning", 1);
    let mut found: Vec<f64> = (0..QUIET_YEARS).map(|_| largest(&mut draw)).collect();
    found.sort_by(f64::total_cmp);
    let limit = *found.iter().rev().nth(usize::try_from(QUIET_YEARS * ALLOWED / 100).ok()?)?;
    let passed = (0..QUIET_YEARS).filter(|_| largest(&mut draw) > limit).count();
    let reached = *sums(before, watched).last()?;
    let farrington = farrington(&figures);
    let light = if reached > limit || farrington == Some(true) {
        Light::Red
    } else if reached > limit / 2.0 {
        Light::Amber
    } else {
        Light::Green
    };
    let false_alarms = u8::try_from(passed * 100 / usize::try_from(QUIET_YEARS).ok()?).ok()?;
    Some(Warning { light, false_alarms, quarterly })
}

/// The cumulative sum after each of the watched spans.
fn sums(before: &[f64], watched: &[f64]) -> Vec<f64> {
    let quiet = mean(before).max(0.5);
    let reference = quiet * (NOTICED - 1.0) / NOTICED.ln();
    let mut sum: f64 = 0.0;
    watched
        .iter()
        .map(|figure| {
            sum = (sum + figure - reference).max(0.0);
            sum
        })
        .collect()
}

/// Spans of a series without anything to notice, as the method publishes them: what is counted is rounded, and the rest carried.
fn published(draw: &mut Draw, quiet: f64, spans: usize, base: i64) -> Vec<f64> {
    let base = whole(base);
    let mut carried = (draw.share() - 0.5) * base;
    (0..spans)
        .map(|_| {
            let exact = poisson(draw, quiet) + carried;
            let said = (exact / base).round().max(0.0) * base;
            carried = exact - said;
            said
        })
        .collect()
}

/// A Poisson number: how many draws it takes until their product is small; large means are added up from smaller ones.
fn poisson(draw: &mut Draw, mean: f64) -> f64 {
    let (mut left, mut count) = (mean, 0.0);
    while left > 0.0 {
        let least = (-left.min(20.0)).exp();
        left -= 20.0;
        let mut product = draw.share();
        while product > least {
            product *= draw.share();
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

fn quarters(months: &[f64]) -> Vec<f64> {
    months.chunks(3).map(|quarter| quarter.iter().sum()).collect()
}

fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / whole(i64::try_from(figures.len()).unwrap_or(i64::MAX)).max(1.0)
}

fn whole(people: i64) -> f64 {
    f64::from(i32::try_from(people).unwrap_or(i32::MAX))
}
