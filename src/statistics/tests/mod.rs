//! What the method promises, on people who do not exist.

mod attacks;
mod linear;
mod method;
mod refusals;
mod revision;
mod side_channels;
mod stages;
mod yearly;

use super::coded::{CodedRecord, Month, Stage};
use super::domains::Domains;
use super::key::StatisticsKey;
use super::publish::{Opening, Published, Refused, publish};
use super::trial::fixture;

/// A country, its words and its key.
struct Country {
    domains: Domains,
    key: StatisticsKey,
    records: Vec<CodedRecord>,
}

fn month(month: u8) -> Month {
    Month::new(2026, month).unwrap()
}

impl Country {
    /// So many people in 2026, and as many in each of the two years before.
    fn of(seed: u64, people: usize) -> Self {
        let mut records = fixture::people(seed, people, 2024..2027);
        let before: Vec<CodedRecord> = records.iter().filter(|record| record.reached.year() < 2026).cloned().collect();
        records.retain(|record| record.reached.year() == 2026);
        let domains = Domains::freeze(Stage::Identification, 2026, &fixture::regions(), &before).unwrap();
        Self { domains, key: StatisticsKey::new(fixture::Draw::new("key", seed).bytes()), records }
    }

    fn opening(&self, now: Month) -> Opening<'_> {
        Opening { domains: &self.domains, key: &self.key, records: &self.records, now }
    }

    /// Opens a month as soon as it has ended.
    fn publish(&self, period: Month, before: Option<&Published>) -> Result<Published, Refused> {
        publish(&self.opening(period.next()), period, before.map(|before| (&before.release, &before.carry)))
    }

    /// All releases until this month's.
    fn until(&self, last: u8) -> Vec<Published> {
        let mut all: Vec<Published> = Vec::new();
        for period in (1..=last).map(month) {
            let published = self.publish(period, all.last()).unwrap();
            all.push(published);
        }
        all
    }
}
