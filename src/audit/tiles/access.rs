//! Who may fetch the tree: verifiers and witnesses whom the operator named, and the auditors.
//!
//! An entry's bytes tell nothing (`audit/entry`), so a verifier has a token and no account, no role and no keys: whoever steals one
//! learns how many entries there are, and when. What a verifier fetches is no entry in the ledger, which would grow by being checked; what
//! an auditor fetches is one, as everything that a person looks at.

use crate::guard::gate::{Target, kinds, verbs};
use crate::guard::look::Look;
use crate::guard::record::RecordKind;
use crate::guard::statement::hex;
use crate::platform::app::App;
use crate::platform::config::LedgerVerifier;
use crate::platform::http::{SESSION_HEADER, SignedIn, Stated};
use crate::platform::problem::Problem;
use crate::platform::random;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Requests of one verifier in a second, over any length of time: a ledger of a million entries takes under a minute.
const EACH_SECOND: u32 = 200;
/// Requests that one verifier may make at once after a pause.
const AT_ONCE: u32 = 600;

/// A new token, and what the configuration holds of it.
#[must_use]
pub fn new_token() -> (Zeroizing<String>, String) {
    let token = Zeroizing::new(hex(&*Zeroizing::new(random::bytes::<32>())));
    let digest = hex(&digest(&token));
    (token, digest)
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The verifiers whom the operator named, and how fast each has asked.
pub struct Verifiers {
    known: Vec<([u8; 32], String)>,
    pace: Mutex<HashMap<usize, Pace>>,
}

/// What a verifier may still ask for at once: it fills again with time.
#[derive(Clone, Copy)]
struct Pace {
    left: f64,
    since: Instant,
}

impl Verifiers {
    /// Those of the configuration; the service does not start with one whose digest is none.
    #[must_use]
    pub fn new(told: &[LedgerVerifier]) -> Self {
        let known = told.iter().filter_map(|one| Some((one.digest()?, one.name.clone()))).collect();
        Self { known, pace: Mutex::default() }
    }

    /// Whose token this is. Each is compared, in the same time: how long it takes says nothing of any of them.
    fn find(&self, token: &str) -> Option<usize> {
        let shown = digest(token);
        let mut found = 0_u64;
        for (place, (known, _)) in (1_u64..).zip(&self.known) {
            let same: Choice = known.ct_eq(&shown);
            found.conditional_assign(&place, same);
        }
        usize::try_from(found).ok()?.checked_sub(1)
    }

    /// Takes a request of one verifier, by its place in the configuration.
    ///
    /// # Errors
    /// 429 when it asks faster than anybody needs to.
    pub fn take(&self, verifier: usize, now: Instant) -> Result<(), Problem> {
        let mut paces = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(verifier).or_insert(Pace { left: f64::from(AT_ONCE), since: now });
        let gone = now.saturating_duration_since(pace.since).as_secs_f64();
        pace.left = (pace.left + gone * f64::from(EACH_SECOND)).min(f64::from(AT_ONCE));
        pace.since = pace.since.max(now);
        if pace.left < 1.0 {
            return Err(Problem::too_fast(Duration::from_secs(1)));
        }
        pace.left -= 1.0;
        Ok(())
    }

    /// Their names, in the order of the configuration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(|(_, name)| name.as_str())
    }
}

/// Somebody who may fetch the tree. Anybody else is told what a missing record is told; a stranger's guess costs one hash, and there is
/// nothing to guess in 32 random bytes, so nothing is counted.
pub struct Fetching;

impl FromRequestParts<App> for Fetching {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if parts.headers.contains_key(SESSION_HEADER) {
            return auditor(parts, app).await;
        }
        let sent = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = sent.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(Problem::absent)?;
        let verifier = app.verifiers.find(token).ok_or_else(Problem::absent)?;
        app.verifiers.take(verifier, app.places.clock.instant())?;
        Ok(Self)
    }
}

/// A person in a session: the policy says who.
async fn auditor(parts: &mut Parts, app: &App) -> Result<Fetching, Problem> {
    let SignedIn(who) = SignedIn::from_request_parts(parts, app).await?;
    let Stated(purpose) = Stated::from_request_parts(parts, app).await?;
    let leave =
        app.gate.authorize::<verbs::List, kinds::LedgerEntry>(&who, Target::Kind(RecordKind::Ledger), purpose).await?;
    Look::begin(&app.places, leave).await?.conclude(vec![], vec![]).await?.spend();
    Ok(Fetching)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_its_verifiers_and_no_other_is_anybodys() {
        let (one, other) = (new_token(), new_token());
        assert_ne!(*one.0, *other.0);
        let told = [("a", &one), ("b", &other)]
            .map(|(name, (_, digest))| LedgerVerifier { name: name.to_owned(), token_sha256: digest.clone() });
        let verifiers = Verifiers::new(&told);
        assert_eq!((verifiers.find(&one.0), verifiers.find(&other.0)), (Some(0), Some(1)));
        for wrong in ["", &one.1, &one.0[1..], &one.0.to_uppercase(), &format!("{}0", &*one.0)] {
            assert_eq!(verifiers.find(wrong), None, "{wrong}");
        }
        assert_eq!(Verifiers::new(&[]).find(&one.0), None);
    }

    #[tokio::test]
    async fn whoever_asks_too_fast_waits_and_keeps_nobody_else() {
        let (verifiers, now) = (Verifiers::new(&[]), Instant::now());
        let taken = |verifier, now| verifiers.take(verifier, now).is_ok();
        assert!((0..AT_ONCE).all(|_| taken(0, now)));
        assert!(!taken(0, now) && taken(1, now));
        let later = now + Duration::from_secs(1);
        assert!((0..EACH_SECOND).all(|_| taken(0, later)));
        assert!(!taken(0, later));
        let much_later = later + Duration::from_hours(1);
        assert!((0..AT_ONCE).all(|_| taken(0, much_later)) && !taken(0, much_later));
    }
}
