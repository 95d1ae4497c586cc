//! How many tries there may be at the door, and that nobody is locked out by the tries of others.
//!
//! A try takes from a budget before anything costly is done for it, and gives it back when it was right: what is counted is
//! what was wrong, and what is under way. A person's own known device has a budget of its own, so that ten thousand wrong
//! tries from elsewhere do not keep them from their work. A name that nobody has is counted like any other.

use super::issued::Kind;
use super::{devices, store};
use crate::guard::keys::derive;
use crate::guard::record::{AccountId, DeviceId, SessionId};
use crate::platform::app::App;
use crate::platform::config::LimitsConfig;
use crate::platform::http::Origin;
use crate::platform::metrics;
use crate::platform::problem::Problem;
use crate::platform::secrets::{Live, Raw};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const DAY: u32 = 24 * 60;

/// How often a passkey may be asked for, for each wrong try that there may be: asking is not given back.
const ASKS: u32 = 20;

/// Who or what tries.
#[derive(Clone, Copy)]
pub enum Tries<'a> {
    /// Anybody who signs in from one address.
    From(&'a Origin),
    /// Anybody from one address who shows a code or a handle that is none. There is nothing to guess: it keeps the ledger and
    /// the database from being filled, and takes nothing from those who sign in.
    Stray(&'a Origin),
    /// Anybody for one name, whether somebody has it or not.
    For(&'a str),
    /// A device, by the token that the door gave it when somebody of this name signed in on it.
    On(&'a str),
    /// A ticket that the door gave to whom an issuer named.
    With(&'a [u8; 32]),
    /// Codes for one person, from devices that are not known.
    CodesFor(AccountId),
    /// Codes for one person, from known devices: from all of them together, or whoever once knew the passphrase and made twenty
    /// known would have twenty times as many.
    CodesOn(AccountId),
    /// Somebody who is signed in shows once more who they are. For each session: whoever has stolen one must not keep its
    /// owner from changing what they sign in with.
    Again(SessionId),
    /// Likewise, with a code.
    CodesAgain(SessionId),
    /// Anybody from one address who asks for a passkey. Each asks for a row: a house with many people needs some, and nobody
    /// fills the database.
    Asks(&'a Origin),
    /// Likewise, in a session.
    AsksAgain(SessionId),
    /// Anybody from one address who begins a way to the issuer. A row each, like [`Self::Asks`].
    Ways(&'a Origin),
    /// Anybody from one address who comes back from the issuer. Apart from [`Self::Stray`]: where naming is required, wrong
    /// codes of a neighbour must not keep anybody out.
    Returns(&'a Origin),
}

/// The budgets, and the secret under which what is counted is named.
pub struct Limits {
    peppers: Live<Raw>,
    told: LimitsConfig,
}

/// One try that was taken from a budget.
#[must_use = "a try that was right is given back"]
pub struct Taken(store::TryTaken);

impl Taken {
    /// What has to be kept of it, to give it back in another request.
    #[must_use]
    pub fn kept(&self) -> ([u8; 32], DateTime<Utc>) {
        self.0.kept()
    }

    /// One that was kept.
    pub fn of(bucket: [u8; 32], window_ends_at: DateTime<Utc>) -> Self {
        Self(store::TryTaken::of(bucket, window_ends_at))
    }
}

impl Limits {
    #[must_use]
    pub const fn new(peppers: Live<Raw>, told: LimitsConfig) -> Self {
        Self { peppers, told }
    }

    /// What is counted in one place. The same words in two places are two things: the place is hashed too. All replicas
    /// go over to the next pepper at one moment; what was counted until then begins anew.
    fn bucket(&self, tries: Tries<'_>, now: DateTime<Utc>) -> Result<[u8; 32], Problem> {
        let key = derive(&*self.peppers.get().current(now).value, &[], "himaya tries v1");
        let (place, what): (&[u8], &[u8]) = match &tries {
            Tries::From(origin) => (b"from", origin.bytes()),
            Tries::Stray(origin) => (b"stray", origin.bytes()),
            Tries::For(handle) => (b"for", handle.as_bytes()),
            Tries::On(token) => (b"on", token.as_bytes()),
            Tries::With(ticket) => (b"with", ticket.as_slice()),
            Tries::CodesFor(account) => (b"codes for", account.0.as_bytes()),
            Tries::CodesOn(account) => (b"codes on", account.0.as_bytes()),
            Tries::Again(session) => (b"again", session.0.as_bytes()),
            Tries::CodesAgain(session) => (b"codes again", session.0.as_bytes()),
            Tries::Asks(origin) => (b"asks", origin.bytes()),
            Tries::AsksAgain(session) => (b"asks again", session.0.as_bytes()),
            Tries::Ways(origin) => (b"ways", origin.bytes()),
            Tries::Returns(origin) => (b"returns", origin.bytes()),
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(&*key).map_err(|_| Problem::fault("a hash has no key"))?;
        for part in [place, what] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Ok(mac.finalize().into_bytes().into())
    }

    /// How many there may be in so many minutes.
    fn budget(&self, tries: Tries<'_>) -> (u32, u32) {
        let told = &self.told;
        match tries {
            Tries::From(_) | Tries::Stray(_) | Tries::Returns(_) => (told.address, told.window_minutes),
            Tries::For(_) | Tries::With(_) | Tries::Again(_) => (told.account, told.window_minutes),
            Tries::On(_) => (told.device, told.window_minutes),
            Tries::CodesFor(_) | Tries::CodesOn(_) | Tries::CodesAgain(_) => (told.codes_a_day, DAY),
            Tries::Asks(_) | Tries::Ways(_) => (told.address.saturating_mul(ASKS), told.window_minutes),
            Tries::AsksAgain(_) => (told.account.saturating_mul(ASKS), told.window_minutes),
        }
    }
}

/// Whoever cannot count lets nobody in.
fn uncounted(error: &sqlx::Error) -> Problem {
    tracing::warn!(%error, "tries cannot be counted: nobody is let in");
    Problem::away("database_away", "The database does not answer. Nothing was stored. Try again in seconds.")
}

/// Takes one try from a budget.
///
/// # Errors
/// 429 with the seconds to wait when it is used up; 503 when nobody can count.
pub async fn take(app: &App, tries: Tries<'_>) -> Result<Taken, Problem> {
    let (bucket, (most, minutes)) = (app.limits.bucket(tries, app.places.clock.now())?, app.limits.budget(tries));
    let door = &app.databases.door;
    let taken = store::take_try(door, &bucket, most, minutes).await.map_err(|error| uncounted(&error))?;
    let Some(taken) = taken else {
        metrics::too_many_tries();
        let seconds = store::seconds_to_wait(door, &bucket).await.map_err(|error| uncounted(&error))?;
        return Err(Problem::too_many_tries(seconds));
    };
    // Whoever begins a window takes some away that are over: the table does not grow with the tries of a year.
    if taken.first
        && let Err(error) = store::sweep_tries(door).await
    {
        tracing::warn!(%error, "old tries were not swept");
    }
    Ok(Taken(taken))
}

/// Gives back what a right try took, or one that came to nothing through no fault of the person.
pub async fn give_back(app: &App, taken: Vec<Taken>) {
    for Taken(one) in taken {
        if let Err(error) = store::give_try_back(&app.databases.door, &one).await {
            tracing::warn!(%error, "a try was not given back");
        }
    }
}

/// A try to sign in, and the device on which it is made, if it is known. On a known device it counts there alone: neither others'
/// tries for this name nor those of the house in which the person sits keep them out.
///
/// Whatever is looked up about the name is looked up behind a budget: a token that the door never gave out for it is none, and leads
/// to no look-up.
///
/// # Errors
/// As [`take`].
pub async fn sign_in(
    app: &App,
    origin: &Origin,
    handle: &str,
    shown: Option<&str>,
) -> Result<(Option<DeviceId>, Vec<Taken>), Problem> {
    let shown = shown.filter(|token| app.issued.knows(Kind::Device(handle), token));
    // Who copied a device's token and uses it up takes nothing away but that.
    if let Some(token) = shown
        && let Ok(on) = take(app, Tries::On(token)).await
    {
        if let Some(device) = devices::recognise(app, handle, token).await? {
            return Ok((Some(device), vec![on]));
        }
        // It was forgotten, or is used no more.
        give_back(app, vec![on]).await;
    }
    let from = take(app, Tries::From(origin)).await?;
    let taken = match take(app, Tries::For(handle)).await {
        Ok(taken) => vec![from, taken],
        Err(problem) => {
            // What is refused for the name is nothing that the house has tried.
            give_back(app, vec![from]).await;
            return Err(problem);
        }
    };
    let device = match shown {
        Some(known) => devices::recognise(app, handle, known).await?,
        None => None,
    };
    Ok((device, taken))
}
