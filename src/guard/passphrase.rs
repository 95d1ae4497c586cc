//! The passphrase that unlocks a person's keys: generated diceware, stretched by Argon2id in a bounded pool.
//!
//! There is no stored hash to compare with: the right passphrase is the one under which the keys open. The server's
//! pepper goes in as Argon2's secret, so a stolen database alone cannot even be guessed against.

use super::bytes::{self, ContentKey, Context};
use super::keys::{PersonKeys, derive};
use super::record::AccountId;
use super::words::words;
use crate::platform::objects::Places;
use crate::platform::secrets::{Live, Raw};
use crate::platform::{metrics, random};
use argon2::{Algorithm, Argon2, Params, Version};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

words! {
    /// What words open a slot. It is bound into what is sealed: a slot that is put down as another kind does not open.
    pub enum SlotKind {
        Passphrase = "passphrase",
        /// Printed, kept elsewhere, and used once.
        RecoveryCode = "recovery_code",
    }
}

impl SlotKind {
    /// Words in one that is generated: 7 × log2(7776) = 90 bits to be typed each day; 129 bits to be kept for years.
    #[must_use]
    pub const fn words(self) -> usize {
        match self {
            Self::Passphrase => 7,
            Self::RecoveryCode => 10,
        }
    }
}

/// Argon2id as OWASP's and RFC 9106's second choice would have it: 64 MiB, three passes, one lane.
pub const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

/// The most that a slot may cost.
const MOST: Cost = Cost { memory_kib: 1024 * 1024, passes: 16, lanes: 4 };

/// How many may wait for each run under way. Waiting costs no memory; at a third of a second a run the last of them
/// waits some eight seconds.
const QUEUE: usize = 24;

/// How many of these one person takes who is known: nobody fills the pool with devices of their own.
const OWN: usize = 2;

/// Who waits longer is told to come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Argon2id's cost, stored with each slot so that it can be raised later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

/// What a person types to sign in. Never logged, stored or shown again.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes what was typed; extra spaces and capitals do not matter, since the words are all lower case.
    #[must_use]
    pub fn typed(text: &str) -> Self {
        let mut clean = Zeroizing::new(String::with_capacity(text.len()));
        for (i, word) in text.split_whitespace().enumerate() {
            if i > 0 {
                clean.push(' ');
            }
            clean.push_str(&word.to_lowercase());
        }
        Self(clean)
    }

    /// Words of the EFF's large list (J. Bonneau, 2016), drawn evenly.
    #[must_use]
    pub fn generate(kind: SlotKind) -> Self {
        let list = diceware_wordlists::EFF_LONG_WORDLIST;
        let mut text = Zeroizing::new(String::with_capacity(kind.words() * 10));
        for i in 0..kind.words() {
            if i > 0 {
                text.push(' ');
            }
            text.push_str(draw(&list));
        }
        Self(text)
    }

    /// To be shown once, to the person it was made for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// One element, evenly: draws above the last whole multiple of the length are thrown away.
fn draw<'a>(list: &[&'a str]) -> &'a str {
    let count = u16::try_from(list.len()).unwrap_or(u16::MAX).max(1);
    let limit = u16::MAX - u16::MAX % count;
    loop {
        let number = u16::from_be_bytes(random::bytes());
        if number < limit
            && let Some(word) = list.get(usize::from(number % count))
        {
            return word;
        }
    }
}

/// A slot as stored: what opens it, salt, cost, which pepper, and the sealed keys.
pub struct Slot {
    pub kind: SlotKind,
    pub salt: [u8; 16],
    pub cost: Cost,
    /// The pepper's name; none in a slot from before peppers had names, which is of the oldest.
    pub pepper: Option<String>,
    pub sealed: Vec<u8>,
}

/// Why the keys did not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnlockError {
    #[error("these words do not open these keys")]
    WrongWords,
    #[error("too many people are signing in at once; try again in a few seconds")]
    Busy,
    #[error("the stretching of a passphrase failed")]
    Fault,
}

/// Who wants words to be looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Comer {
    /// Somebody on a device on which they have signed in, or in a session.
    Known,
    /// Anybody else. They never take all places: a flood of tries keeps nobody out who was in before.
    Stranger,
}

/// The bounded pool for Argon2id: each run takes 64 MiB, so few run at once, few wait, and the rest are told to come
/// back.
pub struct Stretcher {
    peppers: Live<Raw>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    own: Places,
    patience: Duration,
}

impl Stretcher {
    /// `at_once` runs of 64 MiB at a time, and a bounded queue behind them.
    #[must_use]
    pub fn new(peppers: Live<Raw>, at_once: usize) -> Self {
        Self {
            peppers,
            running: Arc::new(Semaphore::new(at_once.max(1))),
            waiting: Arc::new(Semaphore::new(at_once.max(1) * QUEUE)),
            strangers: Arc::new(Semaphore::new(at_once.max(1) * QUEUE / 2)),
            own: Places::new(OWN, PATIENCE),
            patience: PATIENCE,
        }
    }

    async fn stretch(
        &self,
        (comer, account): (Comer, AccountId),
        words: &Passphrase,
        pepper: Raw,
        salt: [u8; 16],
        cost: Cost,
    ) -> Result<ContentKey, UnlockError> {
        let busy = || {
            metrics::busy();
            UnlockError::Busy
        };
        let _of_their_kind = match comer {
            Comer::Known => self.own.of(account).await.ok_or_else(busy)?,
            Comer::Stranger => Arc::clone(&self.strangers).try_acquire_owned().map_err(|_| busy())?,
        };
        let _place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.running).acquire_owned())
            .await
            .map_err(|_| busy())?
            .map_err(|_| UnlockError::Fault)?;
        let words = words.0.clone();
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let params =
                Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| UnlockError::Fault)?;
            let argon2 = Argon2::new_with_secret(&*pepper, Algorithm::Argon2id, Version::V0x13, params)
                .map_err(|_| UnlockError::Fault)?;
            let mut stretched = Zeroizing::new([0_u8; 32]);
            argon2.hash_password_into(words.as_bytes(), &salt, &mut *stretched).map_err(|_| UnlockError::Fault)?;
            Ok(ContentKey::from_bytes(*derive(&*stretched, &[], "himaya passphrase slot v1")))
        })
        .await
        .map_err(|_| UnlockError::Fault)?
    }

    /// Seals a person's keys under new words, with the pepper in use.
    ///
    /// # Errors
    /// [`UnlockError::Busy`] when the pool is full.
    pub async fn lock(
        &self,
        kind: SlotKind,
        words: &Passphrase,
        account: AccountId,
        keys: &PersonKeys,
        now: DateTime<Utc>,
    ) -> Result<Slot, UnlockError> {
        let (salt, peppers) = (random::bytes(), self.peppers.get());
        let pepper = peppers.current(now);
        let key = self.stretch((Comer::Known, account), words, pepper.value.clone(), salt, COST).await?;
        let sealed =
            bytes::seal(&key, 1, &slot_context(account, kind), &*keys.to_secret()).map_err(|_| UnlockError::Fault)?;
        Ok(Slot { kind, salt, cost: COST, pepper: Some(pepper.id.clone()), sealed })
    }

    /// Whether a slot is to be sealed anew at the next chance: another pepper, or another cost, is in use by now. One from
    /// before peppers had names gets its name with the first rotation.
    #[must_use]
    pub fn is_outdated(&self, slot: &Slot, now: DateTime<Utc>) -> bool {
        let peppers = self.peppers.get();
        let own = slot.pepper.as_ref().unwrap_or(&peppers.oldest().id);
        slot.cost != COST || *own != peppers.current(now).id
    }

    /// Opens the keys, or says that these are the wrong words. Without a slot (no such account) it works just as long.
    ///
    /// # Errors
    /// [`UnlockError::WrongWords`]; [`UnlockError::Busy`] when the pool is full; [`UnlockError::Fault`] when the pepper is not
    /// there, so that nobody can tell.
    pub async fn unlock(
        &self,
        comer: Comer,
        words: &Passphrase,
        account: AccountId,
        slot: Option<&Slot>,
    ) -> Result<PersonKeys, UnlockError> {
        let (salt, cost) = slot.map_or((*b"no such account.", COST), |slot| (slot.salt, slot.cost));
        // What the database says of the cost is believed up to a point: else one row stops the pool for ever.
        if cost.memory_kib > MOST.memory_kib || cost.passes > MOST.passes || cost.lanes > MOST.lanes {
            return Err(UnlockError::Fault);
        }
        let peppers = self.peppers.get();
        let pepper = match slot.and_then(|slot| slot.pepper.as_deref()) {
            Some(named) => peppers.find(named),
            None => Some(peppers.oldest()),
        };
        // Whatever there is not, the same work is done.
        let any = pepper.unwrap_or(peppers.oldest());
        let key = self.stretch((comer, account), words, any.value.clone(), salt, cost).await?;
        if pepper.is_none() {
            // Nobody knows whether the words are right, so they are not counted as wrong ones.
            tracing::error!(
                "ALARM: a person's keys are sealed with a pepper that is not among the secrets of this process"
            );
            return Err(UnlockError::Fault);
        }
        let slot = slot.ok_or(UnlockError::WrongWords)?;
        let context = slot_context(account, slot.kind);
        let secret = bytes::open(&key, 1, &context, &slot.sealed).map_err(|_| UnlockError::WrongWords)?;
        PersonKeys::from_secret(&secret).map_err(|_| UnlockError::Fault)
    }
}

fn slot_context(account: AccountId, kind: SlotKind) -> Context {
    Context::new("credential_slots", account.0.into_bytes(), kind.as_str(), 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::secrets::{Version as Value, Versions};
    use chrono::TimeDelta;

    fn pepper(seed: u8) -> Live<Raw> {
        Live::only("first", Zeroizing::new([seed; 32]))
    }

    #[test]
    fn a_passphrase_is_seven_words_of_the_list_and_a_recovery_code_ten() {
        for (kind, count) in [(SlotKind::Passphrase, 7), (SlotKind::RecoveryCode, 10)] {
            let words = Passphrase::generate(kind);
            assert_eq!(words.reveal().split(' ').count(), count);
            assert_ne!(words.reveal(), Passphrase::generate(kind).reveal());
        }
    }

    #[tokio::test]
    async fn the_right_words_open_and_others_do_not() {
        let stretcher = Stretcher::new(pepper(7), 1);
        let kind = SlotKind::Passphrase;
        let (account, words, keys) = (AccountId::random(), Passphrase::generate(kind), PersonKeys::generate());
        let now = DateTime::UNIX_EPOCH;
        let slot = stretcher.lock(kind, &words, account, &keys, now).await.ok().filter(|slot| slot.cost == COST);
        let typed = Passphrase::typed(&format!("  {} ", words.reveal().to_uppercase()));
        let opened = stretcher.unlock(Comer::Stranger, &typed, account, slot.as_ref()).await;
        assert!(opened.is_ok_and(|opened| opened.to_secret() == keys.to_secret()));
        let wrong = stretcher.unlock(Comer::Stranger, &Passphrase::generate(kind), account, slot.as_ref()).await;
        assert_eq!(wrong.err(), Some(UnlockError::WrongWords));
        let other_account = stretcher.unlock(Comer::Stranger, &words, AccountId::random(), slot.as_ref()).await;
        assert_eq!(other_account.err(), Some(UnlockError::WrongWords));
        let pepper_lost = Stretcher::new(pepper(8), 1).unlock(Comer::Stranger, &words, account, slot.as_ref()).await;
        assert_eq!(pepper_lost.err(), Some(UnlockError::WrongWords), "under its name is another value");
        let other_kind = slot.map(|slot| Slot { kind: SlotKind::RecoveryCode, ..slot });
        let other_kind = stretcher.unlock(Comer::Stranger, &words, account, other_kind.as_ref()).await;
        assert_eq!(other_kind.err(), Some(UnlockError::WrongWords));
    }

    #[tokio::test]
    async fn a_slot_opens_with_the_pepper_that_it_names_and_is_sealed_anew_with_the_next() {
        let kind = SlotKind::Passphrase;
        let (account, words, keys) = (AccountId::random(), Passphrase::generate(kind), PersonKeys::generate());
        let (now, switch) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::minutes(1));
        let value = |id: &str, seed, from| Value { id: id.to_owned(), from, value: Zeroizing::new([seed; 32]) };
        let (first, second) = (value("first", 7, None), value("second", 8, Some(switch)));
        let both = Stretcher::new(Live::new(Versions::new(first, vec![second.clone()])), 1);
        let old = both.lock(kind, &words, account, &keys, now).await.unwrap();
        assert_eq!(old.pepper.as_deref(), Some("first"));
        assert!(!both.is_outdated(&old, now) && both.is_outdated(&old, switch));
        // From before peppers had names: the oldest.
        let unnamed = Slot { pepper: None, ..old };
        assert!(both.unlock(Comer::Stranger, &words, account, Some(&unnamed)).await.is_ok());
        assert!(!both.is_outdated(&unnamed, now) && both.is_outdated(&unnamed, switch));
        let new = both.lock(kind, &words, account, &keys, switch).await.unwrap();
        assert_eq!(new.pepper.as_deref(), Some("second"));
        // Without the old pepper the new slot opens, and the old one does not.
        let later = Stretcher::new(Live::new(Versions::new(second, vec![])), 1);
        assert!(later.unlock(Comer::Stranger, &words, account, Some(&new)).await.is_ok());
        let old = Slot { pepper: Some("first".to_owned()), ..unnamed };
        // Not that these were wrong words: nobody can know.
        assert_eq!(later.unlock(Comer::Stranger, &words, account, Some(&old)).await.err(), Some(UnlockError::Fault));
    }

    #[tokio::test]
    async fn strangers_leave_places_to_those_who_are_known() {
        let stretcher = Stretcher::new(pepper(7), 1);
        let (words, account) = (Passphrase::typed("a b"), AccountId::random());
        let flood = Arc::clone(&stretcher.strangers).acquire_many_owned(12).await;
        let refused = stretcher.unlock(Comer::Stranger, &words, account, None).await;
        assert_eq!(refused.err(), Some(UnlockError::Busy));
        let looked_at = stretcher.unlock(Comer::Known, &words, account, None).await;
        assert_eq!(looked_at.err(), Some(UnlockError::WrongWords));
        drop(flood);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_takes_all_places_by_being_known() {
        let stretcher = Stretcher::new(pepper(7), 1);
        let (words, account) = (Passphrase::typed("a b"), AccountId::random());
        let devices = (stretcher.own.of(account).await, stretcher.own.of(account).await);
        let refused = stretcher.unlock(Comer::Known, &words, account, None).await;
        assert_eq!(refused.err(), Some(UnlockError::Busy));
        drop(devices);
        let waiting = Arc::clone(&stretcher.waiting).available_permits();
        assert_eq!(waiting, QUEUE, "who waits for a place of their own takes none of others");
    }

    #[tokio::test]
    async fn a_full_pool_says_so_instead_of_queueing_for_ever() {
        let stretcher = Stretcher::new(pepper(7), 1);
        let all = Arc::clone(&stretcher.waiting).acquire_many_owned(24).await;
        let refused = stretcher.unlock(Comer::Stranger, &Passphrase::typed("a b"), AccountId::random(), None).await;
        assert_eq!(refused.err(), Some(UnlockError::Busy));
        drop(all);
    }
}
