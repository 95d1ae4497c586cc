//! Those who watch the ledger from outside, as the service knows them.
//!
//! `submit` shows them each newest checkpoint and keeps what they cosign, by `wire`; `watch` is how every process finds out for
//! itself whether enough of them still see the ledger. Here is how cosignatures are counted: what the database says of them
//! counts for nothing but for the signatures in it.

mod store;
pub mod submit;
pub mod watch;
mod wire;

use super::keys::LogKeys;
use super::note::cosignature::CosignatureVerifier;
use super::note::only_by;
use super::retention::Seen;
use crate::platform::config::{Config, Refusals};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use std::collections::BTreeMap;
pub use store::Row;

/// So far a witness's clock may go ahead of ours. What it signs at a later time is not believed.
pub const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// The witnesses that are configured, and of how many a checkpoint needs the word.
#[derive(Clone)]
pub struct Witnesses {
    all: Vec<CosignatureVerifier>,
    needed: usize,
}

/// A checkpoint that enough witnesses cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    pub size: u64,
    /// The checkpoint with the cosignatures.
    pub note: String,
    /// Since when it is not seen any more by one witness too many: the oldest of the cosignatures that are needed.
    pub seen: DateTime<Utc>,
}

/// What a row says when it counts.
struct Word {
    /// The witness's place in the configuration.
    witness: usize,
    when: DateTime<Utc>,
    line: String,
    /// The checkpoint with the log's signatures alone.
    note: String,
}

impl Witnesses {
    /// Those of the configuration; `None` where nobody watches.
    ///
    /// # Errors
    /// [`Refusals`] when a key is none.
    pub fn of(config: &Config) -> Result<Option<Self>, Refusals> {
        let parsed = config.witnesses.iter().map(|told| told.vkey.parse());
        let all = parsed.collect::<Result<Vec<CosignatureVerifier>, _>>();
        let all = all.map_err(|error| Refusals::of("witnesses", format!("holds a key that is none: {error}")))?;
        let needed = config.witnesses_needed.unwrap_or(all.len());
        Ok((!all.is_empty()).then_some(Self { all, needed }))
    }

    /// Those whom somebody names, in the place of the configuration's. Each has a key of its own; `None` where nobody is named.
    #[must_use]
    pub fn named(all: Vec<CosignatureVerifier>, needed: usize) -> Option<Self> {
        (!all.is_empty()).then_some(Self { all, needed })
    }

    /// Their keys.
    #[must_use]
    pub fn all(&self) -> &[CosignatureVerifier] {
        &self.all
    }

    /// Of how many a checkpoint needs the cosignature.
    #[must_use]
    pub const fn needed(&self) -> usize {
        self.needed
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.all.iter().map(|witness| witness.name().to_string()).collect()
    }

    /// When this row's witness signed, and the line; `None` when it did not, when the checkpoint is not this log's, or when
    /// it claims a time to come.
    fn counts(&self, keys: &LogKeys, row: &Row, now: DateTime<Utc>) -> Option<Word> {
        let witness = self.all.iter().position(|witness| witness.name().as_str() == row.witness)?;
        // The log's lines alone: with others, or the same again and again, there would be no room for the witness's.
        let note = only_by(&row.note, keys.all()).ok()?;
        let checkpoint = keys.read(&note).ok()?.checkpoint;
        if u64::try_from(row.size) != Ok(checkpoint.size()) {
            return None;
        }
        let cosigned = self.all.get(witness)?.verify(&format!("{note}{}", row.line)).ok()?;
        let when = DateTime::from_timestamp(i64::try_from(cosigned.at).ok()?, 0)?;
        (when <= now + AHEAD).then_some(Word { witness, when, line: cosigned.line, note })
    }

    /// The largest checkpoint among these rows that enough witnesses cosigned.
    #[must_use]
    pub fn newest(&self, keys: &LogKeys, rows: &[Row], now: DateTime<Utc>) -> Option<Cosigned> {
        /// By witness, when it signed and the line.
        type Words = BTreeMap<usize, (DateTime<Utc>, String)>;
        let mut sizes: BTreeMap<i64, (String, Words)> = BTreeMap::new();
        for row in rows {
            let Some(Word { witness, when, line, note }) = self.counts(keys, row, now) else { continue };
            let (_, by) = sizes.entry(row.size).or_insert((note, BTreeMap::new()));
            if by.get(&witness).is_none_or(|(known, _)| *known < when) {
                by.insert(witness, (when, line));
            }
        }
        sizes.into_iter().rev().find_map(|(size, (note, by))| {
            let mut times: Vec<DateTime<Utc>> = by.values().map(|(when, _)| *when).collect();
            times.sort_unstable_by(|one, other| other.cmp(one));
            let seen = *times.get(self.needed.checked_sub(1)?)?;
            let lines: String = by.into_values().map(|(_, line)| line).collect();
            Some(Cosigned { size: u64::try_from(size).ok()?, note: format!("{note}{lines}"), seen })
        })
    }

    /// The newest checkpoint that may be shown to anybody: the newest that enough witnesses cosigned, with what they signed.
    /// However long ago that was, they say themselves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn served(
        &self,
        pool: &PgPool,
        keys: &LogKeys,
        now: DateTime<Utc>,
    ) -> Result<Option<Cosigned>, sqlx::Error> {
        Ok(self.newest(keys, &store::newest(pool, &self.names(), self.needed).await?, now))
    }

    /// What they signed first on each day, as far as these are the witnesses that did, and what they signed of checkpoints that were saved
    /// outside the database. Nothing that claims a time to come.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn history(
        &self,
        pool: &PgPool,
        keys: &LogKeys,
        saved: &[String],
        now: DateTime<Utc>,
    ) -> Result<Seen, sqlx::Error> {
        let rows = store::days(pool, &self.names()).await?;
        let signed = rows.iter().filter_map(|row| {
            let word = self.counts(keys, row, now)?;
            Some((word.witness, u64::try_from(row.size).ok()?, word.when))
        });
        let outside = saved.iter().flat_map(|note| self.signed(keys, note, now));
        Ok(Seen::new(signed.chain(outside).collect()))
    }

    /// Which of them signed a checkpoint that was saved, of which size it is, and when.
    fn signed(&self, keys: &LogKeys, note: &str, now: DateTime<Utc>) -> Vec<(usize, u64, DateTime<Utc>)> {
        let Ok(signed) = keys.read(note) else { return vec![] };
        let when = self.all.iter().enumerate().filter_map(|(which, witness)| {
            let when = DateTime::from_timestamp(i64::try_from(witness.verify(note).ok()?.at).ok()?, 0)?;
            (when <= now + AHEAD).then_some((which, signed.checkpoint.size(), when))
        });
        when.collect()
    }

    /// When each of them last cosigned a checkpoint of this log, in the order of the configuration.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn last(
        &self,
        pool: &PgPool,
        keys: &LogKeys,
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<DateTime<Utc>>>, sqlx::Error> {
        let mut last = vec![None; self.all.len()];
        for row in store::last(pool, &self.names()).await? {
            let Some(Word { witness, when, .. }) = self.counts(keys, &row, now) else { continue };
            if let Some(last) = last.get_mut(witness) {
                *last = (*last).max(Some(when));
            }
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::checkpoint::Checkpoint;
    use crate::audit::note::cosignature::CosignatureKey;
    use crate::audit::note::{self, KeyName, NoteSigner, unverified_text};
    use crate::audit::tree::{TreeHead, leaf_hash};
    use ed25519_dalek::SigningKey;

    const NOW: i64 = 1_800_000_000;

    fn witness(seed: u8) -> CosignatureKey {
        CosignatureKey::new(KeyName::new(format!("w{seed}.example")).unwrap(), &SigningKey::from_bytes(&[seed; 32]))
    }

    fn signer(seed: u8) -> NoteSigner {
        NoteSigner::new(KeyName::new("log.example").unwrap(), &SigningKey::from_bytes(&[seed; 32]))
    }

    fn checkpoint(size: u64, by: u8) -> String {
        let head = TreeHead { size, root: leaf_hash(&size.to_be_bytes()) };
        note::sign(&Checkpoint::new("log.example", head).unwrap().to_text(), &[&signer(by)]).unwrap()
    }

    /// A row as an honest submitter writes it.
    fn row(size: u64, seed: u8, at: i64) -> Row {
        let (note, witness) = (checkpoint(size, 1), witness(seed));
        let line = witness.cosign(unverified_text(&note).unwrap(), u64::try_from(at).unwrap());
        Row { size: i64::try_from(size).unwrap(), note, witness: witness.verifier().name().to_string(), line }
    }

    fn newest(rows: &[Row]) -> Option<(u64, i64)> {
        let all = [11, 12, 13].map(|seed| witness(seed).verifier().clone()).to_vec();
        let keys = LogKeys::in_order(vec![signer(1).verifier().clone()]);
        let cosigned = Witnesses { all, needed: 2 }.newest(&keys, rows, DateTime::from_timestamp(NOW, 0).unwrap())?;
        Some((cosigned.size, cosigned.seen.timestamp() - NOW))
    }

    #[test]
    fn the_largest_that_two_of_three_cosigned_counts_since_the_older_of_two() {
        assert_eq!(newest(&[row(7, 11, NOW - 9)]), None, "one is not enough");
        assert_eq!(newest(&[row(7, 11, NOW - 9), row(7, 11, NOW - 3)]), None, "nor one who signs twice");
        assert_eq!(newest(&[row(7, 11, NOW - 9), row(9, 12, NOW)]), None, "nor two who saw different ones");
        let all = [row(7, 11, NOW - 9), row(7, 12, NOW - 20), row(7, 13, NOW - 30), row(9, 11, NOW)];
        assert_eq!(newest(&all), Some((7, -20)));
        let more = [row(7, 11, NOW - 9), row(7, 12, NOW - 20), row(9, 12, NOW - 2), row(9, 13, NOW)];
        assert_eq!(newest(&more), Some((9, -2)));
        let again = [row(7, 11, NOW - 90), row(7, 11, NOW - 9), row(7, 12, NOW - 20)];
        assert_eq!(newest(&again), Some((7, -20)), "of one witness the newest word");
    }

    #[test]
    fn the_note_that_is_served_is_one_that_each_of_them_verifies() {
        let keys = LogKeys::in_order(vec![signer(1).verifier().clone()]);
        let all = [11, 12].map(|seed| witness(seed).verifier().clone()).to_vec();
        let witnesses = Witnesses { all: all.clone(), needed: 2 };
        let rows = [row(7, 11, NOW), row(7, 12, NOW)];
        let cosigned = witnesses.newest(&keys, &rows, DateTime::from_timestamp(NOW, 0).unwrap()).unwrap();
        assert!(keys.read(&cosigned.note).is_ok() && all.iter().all(|witness| witness.verify(&cosigned.note).is_ok()));
    }

    #[test]
    fn a_line_of_the_log_that_is_repeated_leaves_room_for_the_witnesses() {
        let again = |row: Row| {
            let (text, line) = row.note.rsplit_once("\n\n").unwrap();
            Row { note: format!("{text}\n\n{}", line.repeat(16)), ..row }
        };
        assert_eq!(newest(&[again(row(7, 11, NOW)), again(row(7, 12, NOW))]), Some((7, 0)));
    }

    #[test]
    fn what_somebody_wrote_into_the_database_counts_for_nothing() {
        let good = row(7, 11, NOW);
        assert_eq!(newest(&[row(7, 12, NOW), Row { ..row(7, 11, NOW) }]), Some((7, 0)));
        let planted = [
            // Of a witness who is none, under the name of one, of another checkpoint, of nothing.
            row(7, 99, NOW),
            Row { witness: "w12.example".to_owned(), ..row(7, 99, NOW) },
            Row { line: good.line.clone(), ..row(7, 12, NOW) },
            Row { line: row(9, 12, NOW).line, ..row(7, 12, NOW) },
            Row { line: "junk".to_owned(), ..row(7, 12, NOW) },
            Row { line: String::new(), ..row(7, 12, NOW) },
            // Filed under a larger size than it speaks of.
            Row { size: 8, ..row(7, 12, NOW) },
            // A time to come, by which it would count for ever.
            row(7, 12, NOW + 3600),
        ];
        for (number, planted) in planted.into_iter().enumerate() {
            assert_eq!(newest(&[row(7, 11, NOW), planted]), None, "{number}");
        }
        // A checkpoint that the log never signed, cosigned by everybody.
        let foreign = [11, 12].map(|seed| {
            let note = checkpoint(7, 2);
            let line = witness(seed).cosign(unverified_text(&note).unwrap(), NOW.unsigned_abs());
            Row { note, line, ..row(7, seed, NOW) }
        });
        assert_eq!(newest(&foreign), None);
    }
}
