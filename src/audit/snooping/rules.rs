//! When a day is not like the others: pure decisions.

use super::config::RuleConfig;
use super::model::Measure;
use chrono::{NaiveDate, TimeDelta};
use uuid::Uuid;

/// For how many days back a role's days are its habit.
pub const HABIT_DAYS: i64 = 28;
/// So many days of others make a habit; before that only `least` counts.
const ENOUGH: usize = 20;

/// One person's day, as far as one measure goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayOf {
    pub person: Uuid,
    pub day: NaiveDate,
    pub counted: i32,
}

/// What is told of a day, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub counted: i32,
    pub usual: i32,
    pub most: i32,
}

/// Compares a person's day with those of others of the same role. What counts against somebody is never part of what they
/// are compared with.
#[must_use]
pub fn judge(rule: RuleConfig, measure: Measure, own: DayOf, habit: &[DayOf]) -> Option<Told> {
    let since = own.day - TimeDelta::days(HABIT_DAYS);
    let recent = |one: &&DayOf| one.day > since && one.day <= own.day;
    if own.counted == 0 {
        return None;
    }
    let (counted, mut others) = if measure == Measure::Emergencies {
        // Rare, so it is the rate of four weeks that is compared, one person with another.
        let sum = |person: Uuid| {
            habit
                .iter()
                .filter(recent)
                .filter(|day| day.person == person && day.day != own.day)
                .map(|d| d.counted)
                .fold(0, i32::saturating_add)
        };
        let mut people: Vec<Uuid> = habit.iter().map(|day| day.person).filter(|who| *who != own.person).collect();
        people.sort_unstable();
        people.dedup();
        (own.counted.saturating_add(sum(own.person)), people.into_iter().map(sum).collect::<Vec<_>>())
    } else {
        (own.counted, habit.iter().filter(recent).filter(|day| day.person != own.person).map(|d| d.counted).collect())
    };
    others.sort_unstable();
    let usual = others.get(others.len() / 2).copied().unwrap_or_default();
    let least = i32::try_from(rule.least).unwrap_or(i32::MAX);
    // Of days there are many; of people few, and several of them may do it.
    let but = if measure == Measure::Emergencies { 4 } else { 50 };
    let most = if others.len() < ENOUGH { least } else { least.max(times(rule.factor, quantile(&others, but))) };
    (counted > most).then_some(Told { counted, usual, most })
}

/// What all but one in so many have at most.
fn quantile(sorted: &[i32], but: usize) -> i32 {
    let place = sorted.len().saturating_sub(1).saturating_sub(sorted.len() / but);
    sorted.get(place).copied().unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "a count of a day, times ten at most, saturates")]
fn times(factor: f64, count: i32) -> i32 {
    (f64::from(count) * factor).ceil() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: RuleConfig = RuleConfig { least: 10, factor: 1.5 };

    fn day(person: u128, day: u32, counted: i32) -> DayOf {
        DayOf { person: Uuid::from_u128(person), day: NaiveDate::from_ymd_opt(2026, 3, day).unwrap(), counted }
    }

    #[test]
    fn a_day_is_compared_with_those_of_others_and_never_with_ones_own() {
        let own = day(1, 20, 31);
        let others: Vec<_> = (1..20).flat_map(|d| [day(2, d, 20), day(3, d, 18), day(1, d, 500)]).collect();
        assert_eq!(judge(RULE, Measure::Records, own, &others), Some(Told { counted: 31, usual: 20, most: 30 }));
        assert_eq!(judge(RULE, Measure::Records, day(1, 20, 30), &others), None);
    }

    #[test]
    fn without_a_habit_only_the_least_counts_and_the_least_holds_with_one() {
        let few: Vec<_> = (1..8).map(|d| day(2, d, 100)).collect();
        assert_eq!(judge(RULE, Measure::Records, day(1, 20, 11), &few).map(|told| told.most), Some(10));
        let idle: Vec<_> = (1..20).flat_map(|d| [day(2, d, 0), day(3, d, 0)]).collect();
        assert_eq!(judge(RULE, Measure::Records, day(1, 20, 10), &idle), None);
    }

    #[test]
    fn emergencies_are_counted_over_four_weeks() {
        let rule = RuleConfig { least: 2, factor: 1.5 };
        let days = [day(1, 1, 1), day(1, 12, 1), day(2, 5, 1)];
        assert_eq!(judge(rule, Measure::Emergencies, day(1, 20, 1), &days).map(|told| told.counted), Some(3));
        assert_eq!(judge(rule, Measure::Emergencies, day(2, 20, 1), &days), None);
        let old = DayOf { day: NaiveDate::from_ymd_opt(2026, 1, 20).unwrap(), ..day(1, 1, 9) };
        assert_eq!(judge(rule, Measure::Emergencies, day(1, 20, 1), &[old]), None);
    }
}
