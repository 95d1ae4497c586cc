//! What somebody shows: words that open their keys, and a second factor. Here it is only looked at; what counts once is used
//! up in the transaction that lets them in, by [`redeem`].

use super::limits::{self, Taken, Tries};
use super::passkeys::shown::Answered;
use super::store::{self, Kept, KeptSlot};
use crate::guard::keys::PersonKeys;
use crate::guard::passphrase::{Comer, Passphrase, Slot, SlotKind, UnlockError};
use crate::guard::record::{AccountId, CredentialId};
use crate::guard::totp::TotpSecret;
use crate::platform::app::App;
use crate::platform::problem::Problem;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Why somebody was not let in.
pub struct Denied {
    pub problem: Problem,
    /// It was a wrong try: what it took is not given back.
    pub counts: bool,
}

impl Denied {
    pub fn wrong(problem: Problem) -> Self {
        Self { problem, counts: true }
    }

    pub fn uncounted(problem: Problem) -> Self {
        Self { problem, counts: false }
    }
}

impl<E: Into<Problem>> From<E> for Denied {
    /// What is no answer to what was shown is no wrong try.
    fn from(error: E) -> Self {
        Self::uncounted(error.into())
    }
}

pub fn wrong_words() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "This name and these words do not belong together.")
}

pub fn second_factor_needed() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "second_factor_needed",
        "Send the same again with `code`, as your authenticator shows it; or with `passkey`; or with `recovery_code` beside the \
         passphrase.",
    )
}

pub fn passphrase_needed() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "passphrase_needed",
        "This passkey is yours and does not open your keys. Send the same again with `passphrase` beside it.",
    )
}

pub fn wrong_second_factor() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "wrong_second_factor",
        "This code or passkey does not count: it is wrong, too old, or was used before.",
    )
}

impl From<UnlockError> for Problem {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::WrongWords => wrong_words(),
            UnlockError::Busy => Self::away("signing_in_busy", "Too many people are signing in. Try again in seconds."),
            UnlockError::Fault => Self::fault("a passphrase could not be stretched"),
        }
    }
}

/// The slot that these words open, with the keys in it; nothing when they are wrong or nobody has such a slot. Words that
/// were given are stretched in any case: how long it takes tells nothing.
///
/// # Errors
/// [`UnlockError`] when they could not be looked at.
pub async fn opened(
    app: &App,
    comer: Comer,
    account: AccountId,
    words: Option<&str>,
    slot: Option<&KeptSlot>,
) -> Result<Option<(CredentialId, PersonKeys)>, UnlockError> {
    let Some(words) = words else { return Ok(None) };
    match app.stretcher.unlock(comer, &Passphrase::typed(words), account, slot.map(|slot| &slot.slot)).await {
        Ok(keys) => Ok(slot.map(|slot| (slot.id, keys))),
        Err(UnlockError::WrongWords) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Something that was right when it was looked at.
#[derive(Clone, Copy)]
pub enum Proof {
    Passphrase(CredentialId),
    /// Counts once.
    RecoveryCode(CredentialId),
    /// A code of this time step, which counts once.
    Step(CredentialId, i64),
    /// A passkey that answered this challenge, which counts once, and has counted so far.
    Passkey {
        id: CredentialId,
        ceremony: Uuid,
        counter: i64,
    },
}

impl Proof {
    #[must_use]
    pub fn is_second(self) -> bool {
        !matches!(self, Self::Passphrase(_))
    }

    /// Whether it is both factors at once: something that the person has, which verified who they are.
    #[must_use]
    pub fn is_both(self) -> bool {
        matches!(self, Self::Passkey { .. })
    }
}

/// Looks at a code, or at a passkey or a recovery code in its place, as the second factor of somebody whose keys are open. What it takes
/// from the day's budget is added to `taken`.
///
/// # Errors
/// [`Denied`] with `wrong_second_factor`, or when there were too many wrong ones today.
pub async fn second(
    app: &App,
    keys: &PersonKeys,
    kept: &Kept,
    shown: SecondShown<'_>,
    (tries, taken): (Tries<'_>, &mut Vec<Taken>),
) -> Result<Proof, Denied> {
    let proof = match shown {
        SecondShown::Code(code) => {
            // Six digits can be guessed, ten words cannot: whoever uses up the day's codes does not use up the printed one.
            taken.push(
                limits::take(app, tries)
                    .await
                    .map_err(|problem| Denied { counts: problem.status() == StatusCode::TOO_MANY_REQUESTS, problem })?,
            );
            let totp = kept.totp.as_ref().ok_or_else(|| Denied::wrong(wrong_second_factor()))?;
            let secret = TotpSecret::open(keys, totp.id, &totp.sealed)
                .ok_or_else(|| Problem::fault("the secret of an authenticator does not open"))?;
            secret.step_of(code, app.places.clock.now()).map(|step| Proof::Step(totp.id, step))
        }
        SecondShown::RecoveryCode(opened) => opened.map(Proof::RecoveryCode),
        SecondShown::Passkey(answered) => match answered {
            Some(answered) => {
                answered.is_theirs(keys)?;
                Some(answered.proof)
            }
            None => None,
        },
    };
    proof.ok_or_else(|| Denied::wrong(wrong_second_factor()))
}

/// What is shown as the second factor.
pub enum SecondShown<'a> {
    Code(&'a str),
    /// The slot that the recovery code opened, if it opened one.
    RecoveryCode(Option<CredentialId>),
    /// The passkey, if it answered as it should.
    Passkey(Option<Answered<'a>>),
}

/// Uses up what was shown. False when it does not count any more: it was used or replaced since it was looked at.
///
/// # Errors
/// When the database does not answer.
pub async fn redeem(connection: &mut PgConnection, proof: Proof, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    match proof {
        Proof::Passphrase(id) => store::slot_used(connection, id, now).await,
        Proof::RecoveryCode(id) => store::use_slot_up(connection, id).await,
        Proof::Step(id, step) => store::use_step(connection, id, step, now).await,
        Proof::Passkey { id, ceremony, counter } => Ok(store::use_ceremony_up(connection, ceremony, now).await?
            && store::passkey_used(connection, id, counter, now).await?),
    }
}

/// New words and the slot in which they lock the person's keys.
pub struct NewWords {
    pub words: Passphrase,
    pub slot: Slot,
}

impl NewWords {
    /// # Errors
    /// [`UnlockError::Busy`] when the pool is full.
    pub async fn make(app: &App, kind: SlotKind, account: AccountId, keys: &PersonKeys) -> Result<Self, UnlockError> {
        let words = Passphrase::generate(kind);
        let slot = app.stretcher.lock(kind, &words, account, keys, app.places.clock.now()).await?;
        Ok(Self { words, slot })
    }

    /// Puts the slot in the place of the one before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep(
        &self,
        connection: &mut PgConnection,
        account: AccountId,
        now: DateTime<Utc>,
    ) -> Result<CredentialId, sqlx::Error> {
        store::replace_slot(connection, account, &self.slot, now).await
    }
}
