//! Signing in: words that open a person's keys and a second factor if they have one, or a passkey that is both, and the session
//! that begins.
//!
//! A name that nobody has takes the same way, for as long, to the same answer as one with wrong words. What counts once is
//! used up in the transaction that stores the session: whoever dies half-way has used nothing and let nobody in.

use super::door::{Event, enter, enter_for, hash};
use super::factors::{self, Denied, NewWords, Proof, SecondShown, opened, redeem};
use super::limits::{self, Taken, Tries};
use super::model::{SignIn, SignedInView};
use super::oidc::{Naming, Ticket};
use super::passkeys::model::Assertion;
use super::passkeys::shown::Answered;
use super::{devices, oidc, passkeys, shared_keys, store};
use crate::audit::entry::Outcome;
use crate::cases::assignments;
use crate::guard::action::{Purpose, Verb};
use crate::guard::keys::PersonKeys;
use crate::guard::passkey::PrfSlot;
use crate::guard::passphrase::{Comer, Passphrase, Slot, SlotKind};
use crate::guard::record::{AccountId, CredentialId, DeviceId, OrganisationId, RecordKind, SessionId};
use crate::guard::session::{self, LONGEST, Presented, SessionSecret};
use crate::guard::token;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Origin};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::platform::random;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use std::sync::Arc;
use uuid::Uuid;

/// Sign in.
#[utoipa::path(operation_id = "sign_in", post, path = "/api/v1/sessions", tag = "door", request_body = SignIn,
    security(()), responses((status = 201, body = SignedInView), (status = "4XX", body = ProblemDocument)))]
pub async fn sign_in(State(app): State<App>, origin: Origin, body: Body<SignIn>) -> Result<Answer, Problem> {
    let mut given = body.check()?;
    two_at_most(&given)?;
    let mut taken = Vec::new();
    let ticket = oidc::named(&app, &mut given, &mut taken).await?;
    let device = match limits::sign_in(&app, &origin, &given.handle, given.device.as_deref()).await {
        Ok((device, more)) => {
            taken.extend(more);
            device
        }
        Err(problem) => {
            limits::give_back(&app, taken).await;
            return Err(problem);
        }
    };
    match come_in(&app, given, ticket, device, &mut taken).await {
        Ok(view) => {
            limits::give_back(&app, taken).await;
            Answer::created(&view)
        }
        Err(denied) => {
            if !denied.counts {
                limits::give_back(&app, taken).await;
            }
            Err(denied.problem)
        }
    }
}

/// A recovery code stands for the passphrase or for the code, never for both.
fn two_at_most(given: &SignIn) -> Result<(), Problem> {
    let second = given.code.is_some() || given.passkey.is_some();
    match (&given.passphrase, &given.recovery_code) {
        (None, None) if given.passkey.is_none() => {
            Err(Problem::field("passphrase", "is needed, or a recovery code or a passkey in its place"))
        }
        (Some(_), Some(_)) if second => Err(Problem::field(
            "recovery_code",
            "stands for the passphrase or for the code: leave one of the three out",
        )),
        _ if given.code.is_some() && given.passkey.is_some() => {
            Err(Problem::field("code", "is not needed beside a passkey: leave one of them out"))
        }
        _ => Ok(()),
    }
}

/// Somebody who wants to come in: the account, or nobody's.
struct Caller {
    account: AccountId,
    organisation: Option<OrganisationId>,
    session: SessionId,
}

impl Caller {
    fn event(&self, outcome: Outcome) -> Event {
        Event {
            account: self.account,
            organisation: self.organisation,
            kind: RecordKind::Session,
            verb: Verb::Create,
            outcome,
            records: vec![self.session.0],
        }
    }

    /// Enters that they were not let in.
    async fn denied(&self, app: &App, denied: Denied) -> Denied {
        match enter(app, self.event(Outcome::Refused)).await {
            Ok(()) => denied,
            Err(problem) => Denied { problem, ..denied },
        }
    }
}

/// What was right: whose keys it opened, and what is to be used up.
struct Shown {
    keys: PersonKeys,
    first: Proof,
    second: Option<Proof>,
    /// The slot that the passphrase opened is sealed under a pepper, or at a cost, that is not in use any more.
    outdated: Option<CredentialId>,
    /// The slot that a passkey opened, sealed anew.
    anew: Option<(CredentialId, PrfSlot)>,
}

async fn come_in(
    app: &App,
    given: SignIn,
    ticket: Option<Ticket>,
    device: Option<DeviceId>,
    taken: &mut Vec<Taken>,
) -> Result<SignedInView, Denied> {
    let door = &app.databases.door;
    let found = store::account_signing_in(door, &given.handle).await?;
    let account = found.as_ref().map_or(AccountId(Uuid::nil()), |found| found.id);
    let organisation = found.map(|found| found.organisation);
    let caller = Caller { account, organisation, session: SessionId::random() };
    let shown = match look(app, account, &given, device, taken).await {
        Ok(shown) => shown,
        Err(denied) if denied.problem.status().is_server_error() => return Err(denied),
        Err(denied) => return Err(caller.denied(app, denied).await),
    };
    let renewed = Renewed::make(app, account, &shown).await?;
    let anew = sealed_anew(app, account, &given, &shown).await;
    let (secret, now) = (SessionSecret::generate(), app.places.clock.now());
    let refresh = URL_SAFE_NO_PAD.encode(random::bytes::<32>());
    let sealed = secret
        .seal_keys(caller.session, &shown.keys)
        .map_err(|_| Problem::fault("a session's keys cannot be sealed"))?;

    let mut transaction = door.begin().await?;
    let used = match use_up(&mut transaction, account, &shown, now).await {
        Ok(()) => oidc::redeem(app, &mut transaction, account, ticket, now).await,
        Err(denied) => Err(denied),
    };
    let naming = match used {
        Ok(naming) => naming,
        Err(denied) => {
            transaction.rollback().await?;
            return Err(caller.denied(app, denied).await);
        }
    };
    let made = renewed.keep(&mut transaction, &caller, now).await?;
    if let Some((id, slot)) = &anew {
        store::seal_slot_anew(&mut transaction, *id, slot).await?;
    }
    if let Some((id, slot)) = &shown.anew {
        store::seal_passkey_slot_anew(&mut transaction, *id, slot).await?;
    }
    let row = store::NewSession {
        id: caller.session,
        account,
        lookup_hash: &Sha256::digest(secret.lookup().bytes()),
        sealed_keys: &sealed,
        refresh_hash: &hash(&refresh),
        now,
        expires_at: now + LONGEST,
        second_factor_at: (shown.second.is_some() || shown.first.is_both()).then_some(now),
    };
    store::insert_session(&mut transaction, &row).await?;
    let named = (account, given.handle.as_str());
    let device = devices::remember(&app.issued, &mut transaction, named, device, given.device.clone()).await?;
    // Durable before the session is.
    if !made.is_empty() {
        let records = made.iter().map(|id| id.0).collect();
        let event = Event { kind: RecordKind::Credential, verb: Verb::Write, records, ..caller.event(Outcome::Done) };
        enter(app, event).await?;
    }
    let emergency = (naming == Naming::LeftOut).then_some(Purpose::Emergency);
    enter_for(app, caller.event(Outcome::Done), emergency).await?;
    transaction.commit().await?;
    let view = SignedInView {
        account,
        session: caller.session,
        role: crate::guard::action::Role::Unadmitted,
        access_token: app
            .tokens
            .issue(account, caller.session, now)
            .ok_or_else(|| Problem::fault("a token cannot be written"))?,
        session_secret: secret.reveal().as_str().to_owned(),
        refresh_handle: refresh,
        device,
        passphrase: renewed.passphrase.map(|new| new.words.reveal().to_owned()),
        recovery_code: renewed.recovery.map(|new| new.words.reveal().to_owned()),
        access_expires_at: now + token::LIFE,
        session_expires_at: now + LONGEST,
    };
    Ok(begin_work(app, view, now).await)
}

/// Looks at everything that was given, and uses nothing up.
async fn look(
    app: &App,
    account: AccountId,
    given: &SignIn,
    device: Option<DeviceId>,
    taken: &mut Vec<Taken>,
) -> Result<Shown, Denied> {
    let kept = store::credentials(&app.databases.door, account).await?;
    let comer = if device.is_some() { Comer::Known } else { Comer::Stranger };
    let passphrase = opened(app, comer, account, given.passphrase.as_deref(), kept.passphrase.as_ref()).await?;
    let recovery = opened(app, comer, account, given.recovery_code.as_deref(), kept.recovery.as_ref()).await?;
    let recovered = recovery.as_ref().map(|(id, _)| *id);
    let answered = match &given.passkey {
        Some(asserted) => passkeys::shown::look(app, account, &kept.passkeys, asserted, None).await?,
        None => None,
    };
    if let (Some(asserted), None, None) = (&given.passkey, &given.passphrase, &given.recovery_code) {
        return alone(app, asserted, answered);
    }
    let now = app.places.clock.now();
    let outdated = passphrase.as_ref().and(kept.passphrase.as_ref());
    let outdated = outdated.filter(|kept| app.stretcher.is_outdated(&kept.slot, now)).map(|kept| kept.id);
    let (first, keys) = if given.passphrase.is_some() {
        passphrase.map(|(id, keys)| (Proof::Passphrase(id), keys))
    } else {
        recovery.map(|(id, keys)| (Proof::RecoveryCode(id), keys))
    }
    .ok_or_else(|| Denied::wrong(factors::wrong_words()))?;
    if !kept.has_second() {
        return Ok(Shown { keys, first, second: None, outdated, anew: None });
    }
    let second = match (&given.code, &given.passphrase) {
        (Some(code), _) => SecondShown::Code(code),
        _ if given.passkey.is_some() => SecondShown::Passkey(answered),
        (None, Some(_)) if given.recovery_code.is_some() => SecondShown::RecoveryCode(recovered),
        // The words were right: nothing was guessed.
        (None, _) => return Err(Denied::uncounted(factors::second_factor_needed())),
    };
    let tries = if device.is_some() { Tries::CodesOn(account) } else { Tries::CodesFor(account) };
    let second = factors::second(app, &keys, &kept, second, (tries, taken)).await?;
    Ok(Shown { keys, first, second: Some(second), outdated, anew: None })
}

/// A passkey that stands alone: its owner was verified, and its PRF opens their keys.
fn alone(app: &App, asserted: &Assertion, answered: Option<Answered<'_>>) -> Result<Shown, Denied> {
    let wrong = || Denied::wrong(factors::wrong_words());
    let answered = answered.ok_or_else(wrong)?;
    if asserted.prf.is_none() || answered.kept.slot.is_none() {
        // It was the right one: nothing was guessed.
        return Err(Denied::uncounted(factors::passphrase_needed()));
    }
    let (keys, anew) = answered.opens(app, asserted).ok_or_else(wrong)?;
    answered.is_theirs(&keys)?;
    Ok(Shown { keys, first: answered.proof, second: None, outdated: None, anew })
}

/// After a rotation of the pepper a person's keys are sealed under the new one when they next sign in: only then are the words
/// at hand. Where that fails now, the next sign-in does it; the old pepper is kept until then.
async fn sealed_anew(app: &App, account: AccountId, given: &SignIn, shown: &Shown) -> Option<(CredentialId, Slot)> {
    let (id, words) = shown.outdated.zip(given.passphrase.as_deref())?;
    let words = Passphrase::typed(words);
    match app.stretcher.lock(SlotKind::Passphrase, &words, account, &shown.keys, app.places.clock.now()).await {
        Ok(slot) => Some((id, slot)),
        Err(error) => {
            tracing::warn!(%error, "a person's keys stay under the pepper before; they are sealed anew at the next sign-in");
            None
        }
    }
}

/// Uses up what was shown, alone with the account: what was replaced, used or set up since it was looked at does not count.
async fn use_up(
    connection: &mut PgConnection,
    account: AccountId,
    shown: &Shown,
    now: DateTime<Utc>,
) -> Result<(), Denied> {
    if !store::lock_account(connection, account).await? || !redeem(connection, shown.first, now).await? {
        return Err(Denied::wrong(factors::wrong_words()));
    }
    match shown.second {
        Some(second) if !redeem(connection, second, now).await? => Err(Denied::wrong(factors::wrong_second_factor())),
        None if !shown.first.is_both() && store::has_second(connection, account).await? => {
            Err(Denied::uncounted(factors::second_factor_needed()))
        }
        _ => Ok(()),
    }
}

/// Words that come in the place of those that were used up.
struct Renewed {
    passphrase: Option<NewWords>,
    recovery: Option<NewWords>,
}

impl Renewed {
    /// A recovery code that was used brings the next one; when it stood for the passphrase, a new passphrase as well.
    async fn make(app: &App, account: AccountId, shown: &Shown) -> Result<Self, Denied> {
        let stood = matches!(shown.first, Proof::RecoveryCode(_));
        let used = stood || matches!(shown.second, Some(Proof::RecoveryCode(_)));
        let mut renewed = Self { passphrase: None, recovery: None };
        if stood {
            renewed.passphrase = Some(NewWords::make(app, SlotKind::Passphrase, account, &shown.keys).await?);
        }
        if used {
            renewed.recovery = Some(NewWords::make(app, SlotKind::RecoveryCode, account, &shown.keys).await?);
        }
        Ok(renewed)
    }

    /// Stores them. A passphrase that was lost may have been found: all other sessions end with it.
    async fn keep(
        &self,
        connection: &mut PgConnection,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Vec<CredentialId>, sqlx::Error> {
        let mut made = Vec::new();
        for new in [&self.passphrase, &self.recovery].into_iter().flatten() {
            made.push(new.keep(connection, caller.account, now).await?);
        }
        if self.passphrase.is_some() {
            store::end_others(connection, caller.account, caller.session).await?;
        }
        Ok(made)
    }
}

/// Enters the new session once, as every request will, and does what waits for somebody with these keys. The session is there
/// already, and perhaps words that are in no other place: whatever fails here, they are told of it.
async fn begin_work(app: &App, view: SignedInView, now: DateTime<Utc>) -> SignedInView {
    let entered = match Presented::read(&app.tokens, &view.access_token, &view.session_secret, now) {
        Ok(presented) => session::enter(&app.places.visits, &app.places.trust, presented).await,
        Err(error) => Err(error),
    };
    let Ok(who) = entered else {
        tracing::error!("a new session could not be entered");
        return view;
    };
    let who = Arc::new(who);
    // New words do not wait for anything else.
    if view.passphrase.is_none() && view.recovery_code.is_none() {
        shared_keys::renew_or_warn(app, &who).await;
        assignments::carry_out_all_or_warn(app, &who).await;
    }
    SignedInView { role: who.role(), ..view }
}
