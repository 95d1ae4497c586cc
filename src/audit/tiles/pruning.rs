//! From which entry on the tree is given to others, by C2SP tlog-tiles, "Pruning". What lies before is denied, and not deleted: a wrong setting is
//! put right by another, and a witness far behind still gets its proof.
//!
//! The minimum index is the beginning of a bundle, and all of that bundle is older than the period, by the entries' own hours: so whoever
//! checks from outside sees for themselves that nothing younger is kept from them.

use super::model::{Holds, Tile, WIDTH, hashes_at};
use crate::audit::keys::LogKeys;
use crate::audit::retention::Period;
use crate::audit::search;
use crate::platform::problem::Problem;
use chrono::{DateTime, Months, Utc};
use sqlx::PgPool;
use tokio::sync::Mutex;

/// For how long tiles are given, at least: whoever checks the ledger once a year has seen each entry.
pub const FLOOR: u32 = 24;

/// The minimum index of one process, looked up once an hour.
pub struct Pruning {
    period: Period,
    known: Mutex<Option<(i64, u64)>>,
}

impl Pruning {
    #[must_use]
    pub fn new(period: Period) -> Self {
        Self { period, known: Mutex::default() }
    }

    /// The index before which nothing is given to others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn minimum(&self, pool: &PgPool, keys: &LogKeys, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
        let hour = now.timestamp().div_euclid(3600);
        let mut known = self.known.lock().await;
        if let Some((_, minimum)) = known.filter(|(looked, _)| *looked == hour) {
            return Ok(minimum);
        }
        let minimum = minimum(pool, keys, self.period, now).await?;
        *known = Some((hour, minimum));
        Ok(minimum)
    }
}

/// The same, looked up now. What time it is the newest entry says, unless the clock says less: one that runs ahead prunes nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn minimum(pool: &PgPool, keys: &LogKeys, period: Period, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let Period::Months(months) = period else { return Ok(0) };
    let newest = search::newest_hour(pool, keys).await?;
    let newest =
        newest.and_then(|hour| DateTime::from_timestamp(hour.checked_mul(3600)?, 0)).map(|newest| newest.min(now));
    let Some(oldest) = newest.and_then(|now| now.checked_sub_months(Months::new(months.max(FLOOR)))) else {
        return Ok(0);
    };
    let first = search::after(pool, keys, oldest.timestamp().div_euclid(3600) - 1, 0).await?;
    Ok(rounded(u64::try_from(first).unwrap_or_default()))
}

/// Where the last full bundle begins that lies before an entry.
const fn rounded(first: u64) -> u64 {
    (first / WIDTH).saturating_sub(1) * WIDTH
}

/// Whether nothing is given of this tile: it ends where others may begin, or the full one does that it is a part of.
#[must_use]
pub fn is_pruned(tile: Tile, minimum: u64) -> bool {
    let level = match tile.holds() {
        Holds::Hashes(level) => level,
        Holds::Entries => 0,
    };
    // The full tile ends at or before the minimum if as many of its hashes lie there.
    tile.n().checked_add(1).and_then(|next| next.checked_mul(WIDTH)).is_some_and(|end| end <= hashes_at(level, minimum))
}

/// That it is not given any more; which entries are, it says.
#[must_use]
pub fn gone(minimum: u64) -> Problem {
    Problem::gone(
        "pruned",
        format!(
            "The tree is given from entry {minimum} on. What is asked for lies before it: ask the operator, who still has it."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_is_pruned_when_all_of_it_lies_before_the_minimum() {
        let pruned = |name: &str, minimum| is_pruned(Tile::parse(name).unwrap(), minimum);
        for (name, end) in [
            ("entries/000", 256),
            ("0/000", 256),
            ("0/000.p/9", 256),
            ("entries/003.p/1", 1024),
            ("1/000", 65_536),
            ("1/000.p/1", 65_536),
            ("1/002", 196_608),
            ("2/000.p/1", 16_777_216),
        ] {
            assert!(!pruned(name, 0) && !pruned(name, end - 1) && pruned(name, end) && pruned(name, end + 1), "{name}");
        }
        assert!(!pruned("63/000", u64::MAX));
    }

    #[test]
    fn a_bundle_of_what_is_over_is_given() {
        assert_eq!([0, 255, 256, 511, 512, 700].map(rounded), [0, 0, 0, 0, 256, 256]);
    }
}
