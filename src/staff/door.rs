//! The door: making keys at the first sign-in, signing in, and keeping a session alive.
//!
//! Everything here works without a session, through the door's own database role. A wrong handle and a wrong passphrase
//! take the same time and get the same answer.

use super::model::{
    CurrentSession, Enrolled, Enrolment, Made, Refresh, Refreshed, SignIn, SignedInView, key_fingerprint,
};
use super::{shared_keys, store};
use crate::audit::entry::{Entry, Outcome};
use crate::audit::unit::Unit;
use crate::cases::assignments;
use crate::guard::action::{Relation, Role, Verb};
use crate::guard::gate::{Target, kinds, ledger_problem, verbs};
use crate::guard::keys::PersonKeys;
use crate::guard::passphrase::{Passphrase, Slot, UnlockError};
use crate::guard::record::{AccountId, OrganisationId, RecordKind, SessionId};
use crate::guard::session::{self, LONGEST, Presented, SessionSecret};
use crate::guard::token;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::platform::random;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use uuid::Uuid;

/// How long the refresh handle before the newest one is still good: a client may not have got the answer.
const GRACE: TimeDelta = TimeDelta::seconds(30);

fn wrong() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "This name and these words do not belong together.")
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

impl From<UnlockError> for Problem {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::WrongWords => wrong(),
            UnlockError::Busy => Self::away("signing_in_busy", "Too many people are signing in. Try again in seconds."),
            UnlockError::Fault => Self::fault("a passphrase could not be stretched"),
        }
    }
}

struct Event {
    account: AccountId,
    organisation: Option<OrganisationId>,
    kind: RecordKind,
    verb: Verb,
    outcome: Outcome,
    record: Uuid,
}

async fn enter(app: &App, event: Event) -> Result<(), Problem> {
    let entry = Entry {
        at: app.places.clock.now(),
        account: event.account,
        organisation: event.organisation,
        role: Role::Unadmitted,
        relation: Relation::Oneself,
        verb: event.verb,
        kind: event.kind,
        purpose: None,
        outcome: event.outcome,
        records: vec![event.record],
        mark: None,
    };
    app.places.ledger.enter(entry).await.map_err(ledger_problem)
}

/// Make keys, once, with the code that the administrator handed over.
#[utoipa::path(operation_id = "enrol", post, path = "/api/v1/enrolments", tag = "door", request_body = Enrolment,
    security(()), responses((status = 201, body = Enrolled), (status = "4XX", body = ProblemDocument)))]
pub async fn enrol(State(app): State<App>, body: Body<Enrolment>) -> Result<Answer, Problem> {
    let given = body.check()?;
    let (code, now) = (hash(&given.code), app.places.clock.now());
    let door = &app.databases.door;
    let Some((account, organisation)) = store::account_enrolling(door, &given.handle, &code, now).await? else {
        let nobody = AccountId(Uuid::nil());
        let refused = Event {
            account: nobody,
            organisation: None,
            kind: RecordKind::Account,
            verb: Verb::Create,
            outcome: Outcome::Refused,
            record: nobody.0,
        };
        enter(&app, refused).await?;
        return Err(wrong());
    };
    let (keys, words) = (PersonKeys::generate(), Passphrase::generate());
    let public = keys.public().map_err(|_| Problem::fault("new keys are none"))?;
    let slot = app.stretcher.lock(&words, account, &keys, app.places.clock.now()).await?;
    let event = Event {
        account,
        organisation: Some(organisation),
        kind: RecordKind::Account,
        verb: Verb::Create,
        outcome: Outcome::Done,
        // Not the account's id: beside the pseudonym it would tell the auditor who that is.
        record: Uuid::nil(),
    };
    enter(&app, event).await?;
    if !store::store_enrolment(door, account, &code, &public, &slot, now).await? {
        return Err(wrong());
    }
    Answer::created(&Enrolled {
        account,
        passphrase: words.reveal().to_owned(),
        key_fingerprint: key_fingerprint(&public),
    })
}

/// Sign in.
#[utoipa::path(operation_id = "sign_in", post, path = "/api/v1/sessions", tag = "door", request_body = SignIn,
    security(()), responses((status = 201, body = SignedInView), (status = "4XX", body = ProblemDocument)))]
pub async fn sign_in(State(app): State<App>, body: Body<SignIn>) -> Result<Answer, Problem> {
    let given = body.check()?;
    let found = store::account_signing_in(&app.databases.door, &given.handle).await?;
    let (account, organisation) =
        found.as_ref().map_or((AccountId(Uuid::nil()), None), |account| (account.id, Some(account.organisation)));
    let slot = found.as_ref().and_then(|account| account.slot.as_ref());
    let words = Passphrase::typed(&given.passphrase);
    let unlocked = app.stretcher.unlock(&words, account, slot).await;
    let outcome = if unlocked.is_ok() { Outcome::Done } else { Outcome::Refused };
    let session = SessionId::random();
    let event =
        Event { account, organisation, kind: RecordKind::Session, verb: Verb::Create, outcome, record: session.0 };
    enter(&app, event).await?;
    let keys = unlocked?;
    if let Some(old) = slot.filter(|slot| app.stretcher.is_outdated(slot, app.places.clock.now())) {
        seal_anew_or_warn(&app, &words, account, &keys, old).await;
    }
    let view = start(&app, account, session, &keys).await?;
    Answer::created(&view)
}

/// After a rotation of the pepper a person's keys are sealed under the new one when they next sign in: only then are the words
/// at hand. What fails is done at the next sign-in; the old pepper is kept until then.
async fn seal_anew_or_warn(app: &App, words: &Passphrase, account: AccountId, keys: &PersonKeys, old: &Slot) {
    let sealed = match app.stretcher.lock(words, account, keys, app.places.clock.now()).await {
        Ok(new) => {
            store::replace_slot(&app.databases.door, account, old, &new).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = sealed {
        tracing::warn!(error, "a person's keys stay under the pepper before; they are sealed anew at the next sign-in");
    }
}

async fn start(app: &App, account: AccountId, session: SessionId, keys: &PersonKeys) -> Result<SignedInView, Problem> {
    let (secret, now) = (SessionSecret::generate(), app.places.clock.now());
    let refresh = URL_SAFE_NO_PAD.encode(random::bytes::<32>());
    let sealed = secret.seal_keys(session, keys).map_err(|_| Problem::fault("a session's keys cannot be sealed"))?;
    let row = store::NewSession {
        id: session,
        account,
        lookup_hash: &Sha256::digest(secret.lookup().bytes()),
        sealed_keys: &sealed,
        refresh_hash: &hash(&refresh),
        now,
        expires_at: now + LONGEST,
    };
    store::insert_session(&app.databases.door, &row).await?;
    let access = app.tokens.issue(account, session, now).ok_or_else(|| Problem::fault("a token cannot be written"))?;
    let text = secret.reveal();
    let entered = match Presented::read(&app.tokens, &access, &text, now) {
        Ok(presented) => session::enter(&app.places.visits, &app.places.trust, presented).await,
        Err(error) => Err(error),
    };
    let who = Arc::new(entered.map_err(|_| Problem::fault("a new session does not open"))?);
    shared_keys::renew_or_warn(app, &who).await;
    assignments::carry_out_all_or_warn(app, &who).await;
    Ok(SignedInView {
        account,
        session,
        role: who.role(),
        access_token: access,
        session_secret: text.as_str().to_owned(),
        refresh_handle: refresh,
        access_expires_at: now + token::LIFE,
        session_expires_at: now + LONGEST,
    })
}

/// Get a new access token and refresh handle.
#[utoipa::path(operation_id = "refresh", post, path = "/api/v1/sessions/refresh", tag = "door", request_body = Refresh,
    security(()), responses((status = 200, body = Refreshed), (status = "4XX", body = ProblemDocument)))]
pub async fn refresh(State(app): State<App>, body: Body<Refresh>) -> Result<Answer, Problem> {
    let given = body.check()?;
    let now = app.places.clock.now();
    let mut transaction = app.databases.door.begin().await?;
    let found = store::session_to_refresh(&mut transaction, &hash(&given.refresh_handle)).await?;
    let Some(found) = found else {
        return Err(Problem::sign_in());
    };
    if !found.current && now > found.refreshed_at + GRACE {
        store::end_session(&mut transaction, found.id, now).await?;
        transaction.commit().await?;
        tracing::warn!("a refresh handle was used again after it was replaced; the session is ended");
        return Err(Problem::sign_in());
    }
    let refresh = URL_SAFE_NO_PAD.encode(random::bytes::<32>());
    store::rotate_refresh(&mut transaction, found.id, &hash(&refresh), now).await?;
    transaction.commit().await?;
    let (account, session) = (AccountId(found.account_id), SessionId(found.id));
    let access = app.tokens.issue(account, session, now).ok_or_else(|| Problem::fault("a token cannot be written"))?;
    Answer::ok(&Refreshed {
        account,
        session,
        access_token: access,
        refresh_handle: refresh,
        access_expires_at: now + token::LIFE,
        session_expires_at: found.expires_at,
    })
}

/// Who am I?
#[utoipa::path(operation_id = "current", get, path = "/api/v1/sessions/current", tag = "door",
    responses((status = 200, body = CurrentSession), (status = "4XX", body = ProblemDocument)))]
pub async fn current(SignedIn(who): SignedIn) -> Json<CurrentSession> {
    Json(CurrentSession {
        session: who.session,
        account: who.account,
        organisation: who.organisation,
        role: who.role(),
        expires_at: who.expires_at,
    })
}

/// Sign out: the session ends at once, on every replica.
#[utoipa::path(operation_id = "sign_out", delete, path = "/api/v1/sessions/current", tag = "door",
    responses((status = 200, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn sign_out(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Answer, Problem> {
    let target = Target::Own(RecordKind::Session, who.session.0);
    let leave = app.gate.authorize::<verbs::Close, kinds::Session>(&who, target, None).await?;
    let mut unit = Unit::begin(&app.places, leave).await?;
    store::leave(&mut unit).await?;
    let _committed = unit.commit().await?;
    Answer::ok(&Made { id: who.session.0 })
}
