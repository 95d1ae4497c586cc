//! That nothing of the ledger is kept back from a list: it holds as many entries as the log signed for, each in its place.
//!
//! The verifier proves more, by every hash from the first entry to the newest checkpoint. Here it is enough that whoever holds
//! the database cannot take the oldest or newest entries away, or put an entry twice to fill the place of another, in silence.

use crate::audit::keys::LogKeys;
use crate::audit::sequencer::kept_size;
use crate::audit::store::{Page, newest_checkpoint};
use crate::audit::witnesses::watch::size_of;
use crate::platform::app::App;
use std::collections::HashMap;
use uuid::Uuid;

/// How many entries the log signed for, in the database or in the folder of checkpoints beside it: an older database has fewer.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn signed_for(app: &App, log: &LogKeys) -> Result<i64, sqlx::Error> {
    let newest = newest_checkpoint(&mut *app.databases.auditor.acquire().await?).await?;
    let stored = newest.as_ref().and_then(|newest| size_of(newest, log));
    let kept = kept_size(&app.config.checkpoints, log).await;
    let size = stored.max(kept).unwrap_or_default();
    Ok(i64::try_from(size).unwrap_or(i64::MAX))
}

/// How many entries below `upto` are not where they have to be: of those from `end` down to the last of these rows, or down to
/// the first entry of all where these rows are the `last` ones.
pub(super) fn kept_back(rows: &[Page], upto: i64, end: i64, last: bool) -> u64 {
    let between = |from: i64, to: i64| u64::try_from(to.min(upto) - from).unwrap_or_default();
    let (mut above, mut gone) = (end, 0);
    let mut lanes: HashMap<(Uuid, i32), i64> = HashMap::new();
    for row in rows {
        gone += between(row.position + 1, above);
        above = row.position;
        // The entries of a lane follow each other, so one that stands twice, or is left out, shows.
        let follows = lanes.insert((row.replica, row.lane), row.n).is_none_or(|next| row.n + 1 == next);
        gone += u64::from(!follows && row.position < upto);
    }
    gone + if last { between(0, above) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows at these positions, newest first, of one lane unless said otherwise.
    fn rows(places: &[(i64, i64)]) -> Vec<Page> {
        let row = |&(position, n): &(i64, i64)| Page {
            position,
            replica: Uuid::nil(),
            lane: 0,
            n,
            leaf_hash: Vec::new(),
            leaf: None,
            signature: None,
            detail: None,
            detail_key: None,
            key_id: None,
            wrap: None,
        };
        places.iter().map(row).collect()
    }

    #[test]
    fn the_newest_the_oldest_and_those_between_are_missed() {
        let all = [(4, 4), (3, 3), (2, 2), (1, 1), (0, 0)];
        let gone = |places: &[(i64, i64)]| kept_back(&rows(places), i64::MAX, 5, true);
        assert_eq!(gone(&all), 0);
        assert_eq!(gone(&all[1..]), 1, "the newest");
        assert_eq!(gone(&all[..3]), 2, "the oldest");
        assert_eq!(gone(&[]), 5);
        assert_eq!(kept_back(&rows(&all[..3]), i64::MAX, 5, false), 0, "those below are for the next request");
        // An entry that came since is no fault.
        assert_eq!(gone(&[(5, 5), (4, 4), (3, 3), (2, 2), (1, 1), (0, 0)]), 0);
    }

    #[test]
    fn what_fills_the_place_of_another_is_seen() {
        let gone = |places: &[(i64, i64)]| kept_back(&rows(places), i64::MAX, 5, true);
        assert!(gone(&[(4, 4), (3, 3), (2, 3), (1, 1), (0, 0)]) > 0, "one that stands twice");
        assert!(gone(&[(4, 4), (3, 2), (2, 1), (1, 0), (0, 0)]) > 0, "one that was left out");
        let mut other = rows(&[(4, 4), (3, 9), (2, 3), (1, 2), (0, 1)]);
        if let Some(row) = other.get_mut(1) {
            row.lane = 1;
        }
        assert_eq!(kept_back(&other, i64::MAX, 5, true), 0, "lanes are counted each by itself");
    }

    #[test]
    fn what_was_counted_before_is_not_counted_again() {
        // The two above were looked at by the request before; the place at 2 is empty, and so is the one at 4.
        assert_eq!(kept_back(&rows(&[(5, 5), (3, 4), (1, 1), (0, 0)]), 4, 6, true), 1 + 1);
        assert_eq!(kept_back(&rows(&[(5, 5), (3, 3)]), 3, 6, false), 0);
    }
}
