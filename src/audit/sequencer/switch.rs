//! Which key signs the checkpoints, and when the next one takes over.
//!
//! Entries are signed by the new key from its moment on. Checkpoints follow when none of the old key is on its way any
//! more: two minutes behind that moment, and two minutes behind the last entry of the old key, both keys sign. That tells a
//! process that missed the new key to write nothing more; and when for ten seconds nothing of the old key has come, the new
//! one signs alone. So nothing that was rightly written is refused, and what a stolen old key signs afterwards gets no place.

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

/// Every process looks at the newest checkpoint several times in this time.
pub(super) const NOTICE: Duration = Duration::from_secs(10);

/// How long after the new key's moment entries of the old one are waited for. Whoever stole it could go on for ever.
pub(in crate::audit) const LONGEST: Duration = Duration::from_mins(15);

/// Who signs the next checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    /// The key in office.
    Alone,
    /// The key in office, and the one that is to take over: whoever does not know that one learns that it should.
    WithNext(usize),
    /// The next key, from here on alone.
    Next(usize),
}

/// What whoever holds the office knows of the keys.
pub(super) struct Office {
    /// The key that signs, by its place among all.
    signs: usize,
    /// When an entry by an older key than the one in use was last placed, or the office begun.
    old_seen: Instant,
    /// Since when which key has signed besides.
    announced: Option<(usize, Instant)>,
    /// How many keys were introduced to outsiders.
    introduced: usize,
    told: bool,
    /// The next key's moment is longer past than anything rightly written takes.
    overdue: bool,
}

impl Office {
    pub(super) const fn new(signs: usize, now: Instant) -> Self {
        Self { signs, old_seen: now, announced: None, introduced: 1, told: false, overdue: false }
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

    /// Takes in the oldest key of what is placed now; says who signs the next checkpoint.
    pub(super) fn saw(
        &mut self,
        oldest: Option<usize>,
        versions: &Versions<LogKey>,
        now: DateTime<Utc>,
        instant: Instant,
    ) -> Signing {
        let current = versions.current(now);
        let wanted = versions.iter().position(|version| version.id == current.id).unwrap_or(0);
        if wanted <= self.signs {
            (self.told, self.announced, self.overdue) = (false, None, false);
            return Signing::Alone;
        }
        let begun = current.from.and_then(|from| (now - from).to_std().ok()).unwrap_or_default();
        self.overdue = begun >= LONGEST;
        if oldest.is_some_and(|oldest| oldest < wanted) {
            self.old_seen = instant;
            if begun >= QUIET && !self.told {
                self.told = true;
                tracing::warn!("entries are still signed with the key before: a process did not read the new one");
            }
        }
        if self.introduced <= wanted {
            return Signing::Alone;
        }
        let since = |earlier: Instant| instant.saturating_duration_since(earlier);
        // After an old backup came back the key in office may have been dropped: then there is nothing to wait for.
        if versions.iter().nth(self.signs).is_none_or(|version| version.value.signing.is_none()) {
            return Signing::Next(wanted);
        }
        let quiet_for = |time| self.overdue || since(self.old_seen) >= time;
        let signing = match self.announced.filter(|(key, _)| *key == wanted) {
            Some((_, at)) if since(at) >= NOTICE && quiet_for(NOTICE) => Signing::Next(wanted),
            Some(_) => Signing::WithNext(wanted),
            None if begun >= QUIET && quiet_for(QUIET) => Signing::WithNext(wanted),
            None => Signing::Alone,
        };
        if self.overdue && since(self.old_seen) < NOTICE && matches!(signing, Signing::Next(_)) {
            tracing::error!(
                "ALARM: entries still come signed with the key before, and another signs the ledger from here on: they get no \
                 place. A process is without the new key, or a thief has the old one"
            );
        }
        signing
    }

    /// Whether the old key has had its time: then nothing of it is waited for.
    pub(super) const fn is_overdue(&self) -> bool {
        self.overdue
    }

    /// The keys that sign the next checkpoint.
    pub(super) fn signers(
        &self,
        origin: &str,
        versions: &Versions<LogKey>,
        signing: Signing,
    ) -> Result<Vec<NoteSigner>, SequencerError> {
        let private: Vec<Option<&SigningKey>> = versions.iter().map(|version| version.value.signing.as_ref()).collect();
        let of = |place: usize| private.get(place).copied().flatten();
        let name = KeyName::new(origin)?;
        let keys = match signing {
            Signing::Alone => [of(self.signs), None],
            Signing::WithNext(next) => [of(self.signs), of(next)],
            Signing::Next(next) => [of(next), None],
        };
        let signers: Vec<_> = keys.into_iter().flatten().map(|key| NoteSigner::new(name.clone(), key)).collect();
        if signers.is_empty() { Err(SequencerError::NoKey) } else { Ok(signers) }
    }

    /// The checkpoint is durable.
    pub(super) fn signed(&mut self, signing: Signing, instant: Instant) {
        match signing {
            Signing::Alone => {}
            Signing::WithNext(next) => {
                if self.announced.is_none_or(|(key, _)| key != next) {
                    self.announced = Some((next, instant));
                }
            }
            Signing::Next(next) => {
                (self.signs, self.announced) = (next, None);
                tracing::info!("another key signs the ledger from here on");
            }
        }
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
        let instant = |seconds: u32| start + Duration::from_mins(10) + Duration::from_secs(seconds.into());
        let mut at = |seconds: u32, oldest| {
            let signing = office.saw(oldest, &versions, moment + TimeDelta::seconds(seconds.into()), instant(seconds));
            office.signed(signing, instant(seconds));
            let signers = office.signers("log.example", &versions, signing).unwrap().len();
            (signing, signers, office.signs())
        };
        let alone = (Signing::Alone, 1, 0);
        assert_eq!(at(0, Some(0)), alone, "its moment has come, and the old one's last entries are on their way");
        assert_eq!(at(119, Some(1)), alone);
        assert_eq!(at(130, Some(0)), alone, "a late one is still taken");
        assert_eq!(at(249, Some(1)), alone);
        // Both sign, and whoever missed the new key is told.
        let both = (Signing::WithNext(1), 2, 0);
        assert_eq!(at(250, Some(1)), both);
        assert_eq!(at(259, Some(0)), both, "what it wrote before it was told is still taken");
        assert_eq!(at(268, Some(1)), both);
        assert_eq!(at(269, Some(1)), (Signing::Next(1), 1, 1));
        assert_eq!(at(270, Some(1)), (Signing::Alone, 1, 1));
    }

    #[tokio::test]
    async fn whoever_goes_on_with_the_old_key_does_not_keep_it_in_office() {
        let ((versions, moment), start) = (versions(), Instant::now());
        let mut office = Office { introduced: 2, ..Office::new(0, start) };
        let mut switched = None;
        // An entry of the old key each second, as a thief would.
        for second in 0..1000_u32 {
            let instant = start + Duration::from_secs(second.into());
            let now = moment + TimeDelta::seconds(second.into());
            let signing = office.saw(Some(0), &versions, now, instant);
            office.signed(signing, instant);
            if office.signs() == 1 {
                switched = Some(second);
                break;
            }
        }
        assert_eq!(switched, Some(910), "a quarter of an hour, and ten seconds in which both sign");
    }

    #[tokio::test]
    async fn a_key_that_was_not_introduced_does_not_take_over_and_one_that_was_dropped_is_not_waited_for() {
        let ((versions, moment), start) = (versions(), Instant::now());
        let mut office = Office::new(0, start);
        let late = (moment + TimeDelta::hours(1), start + Duration::from_hours(1));
        assert_eq!(office.saw(Some(1), &versions, late.0, late.1), Signing::Alone);
        let mut old = versions.oldest().clone();
        old.value.signing = None;
        let dropped = Versions::new(old, vec![versions.newest().clone()]);
        let mut office = Office { introduced: 2, ..Office::new(0, start) };
        assert_eq!(office.saw(None, &dropped, moment, start), Signing::Next(1));
    }
}
