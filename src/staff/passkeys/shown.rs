//! A passkey that somebody shows: looked at here, used up where it leads to something.

use super::model::{Assertion, CeremonyKind};
use super::party::Unproven;
use crate::audit::entry::Outcome;
use crate::guard::action::Verb;
use crate::guard::keys::PersonKeys;
use crate::guard::passkey::PrfSlot;
use crate::guard::record::{AccountId, CredentialId, RecordKind, SessionId};
use crate::platform::app::App;
use crate::platform::problem::Problem;
use crate::staff::door::{Event, enter};
use crate::staff::factors::Proof;
use crate::staff::store::{self, KeptPasskey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A passkey that answered its challenge as it should.
pub struct Answered<'a> {
    pub kept: &'a KeptPasskey,
    pub proof: Proof,
}

impl Answered<'_> {
    /// Whether the person whose keys these are added this passkey. Otherwise somebody wrote it into the database.
    ///
    /// # Errors
    /// A fault: there is nothing that the person could do about it.
    pub fn is_theirs(&self, keys: &PersonKeys) -> Result<(), Problem> {
        let label = self.kept.bound().label(keys, &self.kept.sealed);
        label.map(|_| ()).ok_or_else(|| Problem::fault("ALARM: a passkey is not the one that its person added"))
    }

    /// The keys that it opens with what its PRF gave, and the slot sealed anew where the pepper has changed. `None` when that
    /// opens nothing.
    pub fn opens(&self, app: &App, given: &Assertion) -> Option<(PersonKeys, Option<(CredentialId, PrfSlot)>)> {
        let (prf, (id, slot)) = given.prf.as_ref().zip(self.kept.slot.as_ref())?;
        let (bound, now) = (self.kept.bound(), app.places.clock.now());
        let keys = bound.unlock(&app.secrets.pepper, prf, slot)?;
        let outdated = slot.is_outdated(&app.secrets.pepper, now);
        let anew = outdated.then(|| bound.lock(&app.secrets.pepper, prf, &keys, now).ok()).flatten();
        Some((keys, anew.map(|slot| (*id, slot))))
    }
}

/// Looks at an answer, at the door or in a session. `None` when it does not count; one that counts backwards is told.
///
/// # Errors
/// When it could not be looked at.
pub async fn look<'a>(
    app: &App,
    account: AccountId,
    passkeys: &'a [KeptPasskey],
    given: &Assertion,
    session: Option<SessionId>,
) -> Result<Option<Answered<'a>>, Problem> {
    let kind = if session.is_some() { CeremonyKind::Again } else { CeremonyKind::SignIn };
    let now = app.places.clock.now();
    let asked = store::ceremony(&app.databases.door, given.ceremony, kind, session, now).await?;
    let credential = URL_SAFE_NO_PAD.decode(&given.credential_id).unwrap_or_default();
    let kept = passkeys.iter().find(|kept| kept.credential == credential);
    // Whatever there is not, the same work is done.
    let challenge = asked.as_ref().map_or([0; 32], |asked| asked.challenge);
    let known = kept.filter(|_| asked.is_some()).map(|kept| (kept.registered.as_slice(), kept.counter));
    let checked = app.passkeys.check(&challenge, known, given);
    let Some(kept) = kept else { return Ok(None) };
    let handle = given.user_handle.as_deref().filter(|handle| !handle.is_empty());
    if handle.is_some_and(|handle| URL_SAFE_NO_PAD.decode(handle).ok().as_deref() != Some(account.0.as_bytes())) {
        return Ok(None);
    }
    match checked {
        Ok(counter) => {
            Ok(Some(Answered { kept, proof: Proof::Passkey { id: kept.id, ceremony: given.ceremony, counter } }))
        }
        Err(Unproven::Wrong) => Ok(None),
        Err(Unproven::CountsBackwards) => {
            tell(app, account, kept.id).await?;
            Ok(None)
        }
    }
}

/// Tells that there may be a copy of a passkey: in the ledger, to the operator, and to its person in the list of their
/// credentials.
async fn tell(app: &App, account: AccountId, id: CredentialId) -> Result<(), Problem> {
    tracing::error!("ALARM: a passkey counted backwards, so there may be a copy of it; it was refused");
    let event = Event {
        account,
        organisation: store::organisation_of(&app.databases.door, account).await?,
        kind: RecordKind::Credential,
        verb: Verb::Write,
        outcome: Outcome::Refused,
        records: vec![id.0],
    };
    enter(app, event).await?;
    Ok(store::passkey_copied(&app.databases.door, id, app.places.clock.now()).await?)
}
