//! Which key signs the checkpoints, and when the next one takes over.
//!
//! Entries are signed by the new key from its moment on. Checkpoints follow when it is certain that none of the old key is
//! on its way any more: two minutes behind that moment, and two minutes behind the last entry of the old key. So nothing
//! that was rightly written is ever refused, and what a stolen old key signs afterwards never gets a place.

use super::SequencerError;
use super::sink::Sink;
use crate::audit::keys::introduction;
use crate::audit::note::{KeyName, NoteSigner};
use crate::platform::secrets::{LogKey, Version, Versions};
use chrono::{DateTime, Utc};
use ed25519_dalek::SigningKey;
use std::time::Duration;
use tokio::time::Instant;

/// Longer than a transaction may be under way after it has signed.
pub(super) const QUIET: Duration = Duration::from_mins(2);

/// What whoever holds the office knows of the keys.
pub(super) struct Office {
    /// The key that signs, by its place among all.
    signs: usize,
    /// When an entry by an older key than the one in use was last placed, or the office begun.
    old_seen: Instant,
    /// How many keys were introduced to outsiders.
    introduced: usize,
    told: bool,
}

impl Office {
    pub(super) const fn new(signs: usize, now: Instant) -> Self {
        Self { signs, old_seen: now, introduced: 1, told: false }
    }

    pub(super) const fn signs(&self) -> usize {
        self.signs
    }

    /// Keeps outside, for each key that is known and was not introduced yet, the note by which the one before introduces
    /// it.
    pub(super) async fn introduce(
        &mut self,
        origin: &str,
        versions: &Versions<LogKey>,
        sink: &mut Sink,
    ) -> Result<(), SequencerError> {
        let all: Vec<&Version<LogKey>> = versions.iter().collect();
        while let Some([old, new]) = all.get(self.introduced.saturating_sub(1)..=self.introduced) {
            // Without a private half it was kept long ago: nobody drops one before.
            if let Some((name, note)) = introduction(origin, old, new)?
                && !sink.introduce(&name, &note).await
            {
                return Ok(());
            }
            self.introduced += 1;
        }
        Ok(())
    }

    /// Takes in the oldest key of what is placed now; says whether, and which, another key takes over with the next
    /// checkpoint.
    pub(super) fn saw(
        &mut self,
        oldest: Option<usize>,
        versions: &Versions<LogKey>,
        now: DateTime<Utc>,
        instant: Instant,
    ) -> Option<usize> {
        let current = versions.current(now);
        let wanted = versions.iter().position(|version| version.id == current.id).unwrap_or(0);
        if wanted <= self.signs {
            self.told = false;
            return None;
        }
        let begun = current.from.and_then(|from| (now - from).to_std().ok()).unwrap_or_default();
        if oldest.is_some_and(|oldest| oldest < wanted) {
            self.old_seen = instant;
            if begun >= QUIET && !self.told {
                self.told = true;
                tracing::warn!(
                    "entries are still signed with the key of the ledger that was replaced: a process did not read the new one"
                );
            }
        }
        let quiet = begun >= QUIET && instant.saturating_duration_since(self.old_seen) >= QUIET;
        // After an old backup came back the key in office may have been dropped: then there is nothing to wait for.
        let gone = versions.iter().nth(self.signs).is_none_or(|version| version.value.signing.is_none());
        ((quiet || gone) && self.introduced > wanted).then_some(wanted)
    }

    /// Who signs the next checkpoint: the key in office, and the one that takes over.
    pub(super) fn signers(
        &self,
        origin: &str,
        versions: &Versions<LogKey>,
        switch: Option<usize>,
    ) -> Result<Vec<NoteSigner>, SequencerError> {
        let private: Vec<Option<&SigningKey>> = versions.iter().map(|version| version.value.signing.as_ref()).collect();
        let of = |place: usize| private.get(place).copied().flatten();
        let name = KeyName::new(origin)?;
        let keys = [of(self.signs), switch.and_then(of)];
        let signers: Vec<_> = keys.into_iter().flatten().map(|key| NoteSigner::new(name.clone(), key)).collect();
        if signers.is_empty() { Err(SequencerError::NoKey) } else { Ok(signers) }
    }

    /// The checkpoint is durable.
    pub(super) fn switched(&mut self, switch: Option<usize>) {
        let Some(switch) = switch else { return };
        self.signs = switch;
        tracing::info!("another key signs the ledger from here on; the one before signed this with it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn versions() -> (Versions<LogKey>, DateTime<Utc>) {
        let moment = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let version =
            |seed: u8, from| Version { id: seed.to_string(), from, value: SigningKey::from_bytes(&[seed; 32]).into() };
        (Versions::new(version(1, None), vec![version(2, Some(moment))]), moment)
    }

    #[tokio::test]
    async fn the_next_key_takes_over_when_nothing_of_the_old_one_is_on_its_way() {
        let ((versions, moment), start) = (versions(), Instant::now());
        let mut office = Office { introduced: 2, ..Office::new(0, start) };
        let mut at = |seconds: u32, oldest| {
            office.saw(
                oldest,
                &versions,
                moment + TimeDelta::seconds(seconds.into()),
                start + Duration::from_secs(600) + Duration::from_secs(seconds.into()),
            )
        };
        assert_eq!(at(0, Some(0)), None, "its moment has come, and the old one's last entries are on their way");
        assert_eq!(at(119, Some(1)), None);
        assert_eq!(at(130, Some(0)), None, "a late one is still taken");
        assert_eq!(at(249, Some(1)), None);
        assert_eq!(at(250, Some(1)), Some(1));
        // Both sign the checkpoint at which it does.
        assert_eq!(office.signers("log.example", &versions, Some(1)).unwrap().len(), 2);
        office.switched(Some(1));
        assert_eq!(office.signs(), 1);
        assert_eq!(office.signers("log.example", &versions, None).unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_key_that_was_not_introduced_does_not_take_over() {
        let ((versions, moment), start) = (versions(), Instant::now());
        let mut office = Office::new(0, start);
        let late = (moment + TimeDelta::hours(1), start + Duration::from_secs(3600));
        assert_eq!(office.saw(Some(1), &versions, late.0, late.1), None);
    }
}
