//! Asking for a passkey, adding one, having it open the person's keys, and removing it.

use super::model::{
    AskedAtTheDoor, Assertion, CeremonyKind, MOST, NewPasskey, PasskeyAsked, PasskeyBegun, PasskeyMade,
};
use super::party::Wanted;
use super::shown;
use crate::guard::record::{CredentialId, SessionId};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Id, Origin, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::platform::random;
use crate::staff::credentials::{
    Change, What, carry_out, change, changed, may_withdraw, may_write, no_way_back, refused, too_many,
};
use crate::staff::factors;
use crate::staff::limits::{self, Tries};
use crate::staff::model::{CredentialChanged, Fresh};
use crate::staff::store::{self, KeptPasskey, NewCeremony};
use axum::extract::State;
use chrono::TimeDelta;

/// How long a challenge waits: as long as a browser is told to wait for its person.
const WAITS: TimeDelta = TimeDelta::minutes(5);

fn begun(app: &App, kind: CeremonyKind, session: Option<SessionId>) -> NewCeremony {
    let new = matches!(kind, CeremonyKind::Register).then(|| (CredentialId::random(), random::bytes()));
    let expires_at = app.places.clock.now() + WAITS;
    NewCeremony { id: random::uuid(), kind, session, challenge: random::bytes(), new, expires_at }
}

fn unwritten() -> Problem {
    Problem::fault("what an authenticator is asked cannot be written")
}

/// Keeps a challenge, and takes some away that were never answered.
async fn keep(app: &App, ceremony: &NewCeremony) -> Result<(), Problem> {
    let door = &app.databases.door;
    store::begin_ceremony(&mut *door.acquire().await?, ceremony).await?;
    if let Err(error) = store::sweep_ceremonies(door, app.places.clock.now()).await {
        tracing::warn!(%error, "old challenges were not swept");
    }
    Ok(())
}

/// Ask for a passkey, to sign in with it. Whoever has none, or is nobody, is asked for as many as anybody else.
#[utoipa::path(operation_id = "ask_for_passkey_at_door", post, path = "/api/v1/sessions/passkey", tag = "door",
    request_body = AskedAtTheDoor, security(()),
    responses((status = 201, body = PasskeyAsked), (status = "4XX", body = ProblemDocument)))]
pub async fn ask_at_the_door(
    State(app): State<App>,
    origin: Origin,
    body: Body<AskedAtTheDoor>,
) -> Result<Answer, Problem> {
    let given = body.check()?;
    // Each is a row: it is not given back.
    let _one = limits::take(&app, Tries::Asks(&origin)).await?;
    let found = store::passkeys_of_name(&app.databases.door, &given.handle).await?;
    let wanted = app.passkeys.at_the_door(&given.handle, found);
    let ceremony = begun(&app, CeremonyKind::SignIn, None);
    let options = app.passkeys.ask(&wanted, &ceremony.challenge, true).ok_or_else(unwritten)?;
    keep(&app, &ceremony).await?;
    Answer::created(&PasskeyAsked { ceremony: ceremony.id, options })
}

/// Ask for one of my passkeys, to show once more who I am.
#[utoipa::path(operation_id = "ask_for_passkey", post, path = "/api/v1/credentials/passkeys/ask", tag = "door",
    responses((status = 201, body = PasskeyAsked), (status = "4XX", body = ProblemDocument)))]
pub async fn ask(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Answer, Problem> {
    // Whoever may change what they sign in with may be asked for it.
    let _leave = may_write(&app, &who).await?;
    let _one = limits::take(&app, Tries::AsksAgain(who.session)).await?;
    let has = store::passkeys(&app.databases.door, who.account).await?;
    if has.is_empty() {
        return Err(Problem::illegal("no_passkey", "You have no passkey. Add one first."));
    }
    let wanted: Vec<Wanted> = has
        .into_iter()
        .map(|kept| Wanted { credential: kept.credential, prf_salt: kept.prf_salt, transports: kept.transports })
        .collect();
    let ceremony = begun(&app, CeremonyKind::Again, Some(who.session));
    let options = app.passkeys.ask(&wanted, &ceremony.challenge, false).ok_or_else(unwritten)?;
    keep(&app, &ceremony).await?;
    Answer::created(&PasskeyAsked { ceremony: ceremony.id, options })
}

/// Begin with a new passkey. It counts once its authenticator has shown it.
#[utoipa::path(operation_id = "begin_passkey", post, path = "/api/v1/credentials/passkeys", tag = "door",
    request_body = Fresh,
    responses((status = 201, body = PasskeyBegun), (status = "4XX", body = ProblemDocument)))]
pub async fn begin(State(app): State<App>, SignedIn(who): SignedIn, body: Body<Fresh>) -> Result<Answer, Problem> {
    let leave = may_write(&app, &who).await?;
    let fresh = body.check()?;
    let door = &app.databases.door;
    let has: Vec<Vec<u8>> = store::passkeys(door, who.account).await?.into_iter().map(|kept| kept.credential).collect();
    if has.len() >= MOST {
        return Err(too_many());
    }
    // Before an authenticator makes one; what counts is asked again when it is shown.
    if !store::ways(&mut *door.acquire().await?, who.account).await?.without_a_passkey {
        return Err(no_way_back());
    }
    let handle = store::handle_of(door, who.account).await?;
    let ceremony = begun(&app, CeremonyKind::Register, Some(who.session));
    let (id, salt) = ceremony.new.ok_or_else(unwritten)?;
    let options =
        app.passkeys.ask_for_new(who.account.0, &handle, &has, &ceremony.challenge, &salt).ok_or_else(unwritten)?;
    let asked = ceremony.id;
    let changed = changed(&app, &who, leave, &fresh, What::BeginPasskey(id, Box::new(ceremony))).await?;
    Answer::created(&PasskeyBegun { ceremony: asked, options, recovery_code: changed.recovery_code })
}

/// Show the new passkey: from here on it, or another second factor, is asked for whenever I sign in with my passphrase.
#[utoipa::path(operation_id = "confirm_passkey", post, path = "/api/v1/credentials/passkeys/confirm", tag = "door",
    request_body = NewPasskey,
    responses((status = 200, body = PasskeyMade), (status = "4XX", body = ProblemDocument)))]
pub async fn confirm(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    body: Body<NewPasskey>,
) -> Result<Answer, Problem> {
    let leave = may_write(&app, &who).await?;
    let given = body.check()?;
    let now = app.places.clock.now();
    let (kind, session) = (CeremonyKind::Register, Some(who.session));
    let asked = store::ceremony(&app.databases.door, given.ceremony, kind, session, now).await?;
    let Some((challenge, (id, prf_salt))) = asked.and_then(|asked| Some((asked.challenge, asked.new?))) else {
        return Err(Problem::illegal("not_begun", "Begin with the passkey first, not longer than five minutes ago."));
    };
    let taken = vec![limits::take(&app, Tries::Again(who.session)).await?];
    let Some(registered) = app.passkeys.registered(who.account.0, &challenge, &given) else {
        return Err(refused(&app, leave, factors::wrong_second_factor()).await);
    };
    limits::give_back(&app, taken).await;
    let mut new = KeptPasskey {
        account: who.account,
        id,
        credential: registered.credential,
        registered: registered.shown,
        sealed: Vec::new(),
        counter: registered.counter,
        transports: given.transports,
        prf_salt,
        made_at: now,
        last_used_at: None,
        copied_at: None,
        slot: None,
    };
    let unsealed = |_| Problem::fault("a passkey is not sealed");
    new.sealed = new.bound().seal(&who.keys, given.label.as_deref().unwrap_or_default()).map_err(unsealed)?;
    if let Some(prf) = &given.prf {
        new.slot = Some((id, new.bound().lock(&app.secrets.pepper, prf, &who.keys, now).map_err(unsealed)?));
    }
    let opens_keys = new.slot.is_some();
    let what = What::ConfirmPasskey(given.ceremony, Box::new(new));
    let changed = carry_out(&app, &who, leave, None, Change::of(what)).await?;
    Answer::ok(&PasskeyMade { id, opens_keys, ended: changed.ended })
}

/// Have a passkey open my keys: with what its PRF gave when it was asked for just now.
#[utoipa::path(operation_id = "unlock_with_passkey", post, path = "/api/v1/credentials/passkeys/unlock", tag = "door",
    request_body = Assertion,
    responses((status = 200, body = PasskeyMade), (status = "4XX", body = ProblemDocument)))]
pub async fn unlock(State(app): State<App>, SignedIn(who): SignedIn, body: Body<Assertion>) -> Result<Answer, Problem> {
    let leave = may_write(&app, &who).await?;
    let given = body.check()?;
    let prf = given.prf.as_ref().ok_or_else(|| Problem::field("prf", "is needed: what the PRF extension gave"))?;
    let has = store::passkeys(&app.databases.door, who.account).await?;
    let taken = vec![limits::take(&app, Tries::Again(who.session)).await?];
    let Some(answered) = shown::look(&app, who.account, &has, &given, Some(who.session)).await? else {
        return Err(refused(&app, leave, factors::wrong_second_factor()).await);
    };
    limits::give_back(&app, taken).await;
    answered.is_theirs(&who.keys)?;
    let slot = answered.kept.bound().lock(&app.secrets.pepper, prf, &who.keys, app.places.clock.now());
    let slot = slot.map_err(|_| Problem::fault("a passkey's slot is not sealed"))?;
    let id = answered.kept.id;
    let what = Change::of(What::UnlockWith(id, slot));
    let changed = carry_out(&app, &who, leave, Some(answered.proof), what).await?;
    Answer::ok(&PasskeyMade { id, opens_keys: true, ended: changed.ended })
}

/// Sign in without this passkey again.
#[utoipa::path(operation_id = "remove_passkey", post, path = "/api/v1/credentials/passkeys/{id}/remove", tag = "door",
    params(("id" = CredentialId, Path)), request_body = Fresh,
    responses((status = 200, body = CredentialChanged), (status = "4XX", body = ProblemDocument)))]
pub async fn remove(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    Id(id): Id,
    body: Body<Fresh>,
) -> Result<Answer, Problem> {
    let leave = may_withdraw(&app, &who).await?;
    change(&app, &who, leave, &body.check()?, What::NoPasskey(CredentialId(id))).await
}
