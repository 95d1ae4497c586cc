//! The door: making keys with a one-time code, and keeping a session alive. Signing in is next door (`sign_in`).
//!
//! Who comes without a session is dealt with by the door's own database role, which sees no record.

use super::factors::wrong_words;
use super::limits::{self, Tries};
use super::model::{CurrentSession, Enrolled, Enrolment, Made, Refresh, Refreshed, key_fingerprint};
use super::store;
use crate::audit::entry::{Entry, Outcome};
use crate::audit::unit::Unit;
use crate::guard::action::{Purpose, Relation, Role, Verb};
use crate::guard::gate::{Target, kinds, ledger_problem, verbs};
use crate::guard::keys::PersonKeys;
use crate::guard::passphrase::{Passphrase, SlotKind};
use crate::guard::record::{AccountId, OrganisationId, RecordKind, SessionId};
use crate::guard::token;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Origin, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::platform::random;
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// How long the refresh handle before the newest one is still good: a client may not have got the answer.
const GRACE: TimeDelta = TimeDelta::seconds(30);

pub(super) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// What is entered of somebody who has no session yet.
pub(super) struct Event {
    pub account: AccountId,
    pub organisation: Option<OrganisationId>,
    pub kind: RecordKind,
    pub verb: Verb,
    pub outcome: Outcome,
    pub records: Vec<Uuid>,
}

pub(super) async fn enter(app: &App, event: Event) -> Result<(), Problem> {
    enter_for(app, event, None).await
}

/// The same, for a purpose that the entry tells.
pub(super) async fn enter_for(app: &App, event: Event, purpose: Option<Purpose>) -> Result<(), Problem> {
    let entry = Entry {
        at: app.places.clock.now(),
        account: event.account,
        organisation: event.organisation,
        role: Role::Unadmitted,
        relation: Relation::Oneself,
        verb: event.verb,
        kind: event.kind,
        purpose,
        outcome: event.outcome,
        records: event.records,
        asked: None,
        about: None,
        mark: None,
        erased: None,
        turn: None,
    };
    app.places.ledger.enter(entry).await.map_err(ledger_problem)
}

/// Make keys, once, with the code that the administrator handed over.
#[utoipa::path(operation_id = "enrol", post, path = "/api/v1/enrolments", tag = "door", request_body = Enrolment,
    security(()), responses((status = 201, body = Enrolled), (status = "4XX", body = ProblemDocument)))]
pub async fn enrol(State(app): State<App>, origin: Origin, body: Body<Enrolment>) -> Result<Answer, Problem> {
    let given = body.check()?;
    let (code, now) = (hash(&given.code), app.places.clock.now());
    let door = &app.databases.door;
    let Some((account, organisation)) = store::account_enrolling(door, &given.handle, &code, now).await? else {
        // A code is long: only whoever was given it sends the right one, and is never kept out by others.
        let _wrong = limits::take(&app, Tries::Stray(&origin)).await?;
        let nobody = AccountId(Uuid::nil());
        let refused = Event {
            account: nobody,
            organisation: None,
            kind: RecordKind::Account,
            verb: Verb::Create,
            outcome: Outcome::Refused,
            records: vec![nobody.0],
        };
        enter(&app, refused).await?;
        return Err(wrong_words());
    };
    let (keys, words) = (PersonKeys::generate(), Passphrase::generate(SlotKind::Passphrase));
    let public = keys.public().map_err(|_| Problem::fault("new keys are none"))?;
    let slot = app.stretcher.lock(SlotKind::Passphrase, &words, account, &keys, app.places.clock.now()).await?;
    let event = Event {
        account,
        organisation: Some(organisation),
        kind: RecordKind::Account,
        verb: Verb::Create,
        outcome: Outcome::Done,
        // Not the account's id: beside the pseudonym it would tell the auditor who that is.
        records: vec![Uuid::nil()],
    };
    enter(&app, event).await?;
    if !store::store_enrolment(door, account, &code, &public, &slot, now).await? {
        return Err(wrong_words());
    }
    Answer::created(&Enrolled {
        account,
        passphrase: words.reveal().to_owned(),
        key_fingerprint: key_fingerprint(&public),
    })
}

/// Get a new access token and refresh handle.
#[utoipa::path(operation_id = "refresh", post, path = "/api/v1/sessions/refresh", tag = "door", request_body = Refresh,
    security(()), responses((status = 200, body = Refreshed), (status = "4XX", body = ProblemDocument)))]
pub async fn refresh(State(app): State<App>, origin: Origin, body: Body<Refresh>) -> Result<Answer, Problem> {
    let given = body.check()?;
    let now = app.places.clock.now();
    let mut transaction = app.databases.door.begin().await?;
    let found = store::session_to_refresh(&mut transaction, &hash(&given.refresh_handle)).await?;
    let Some(found) = found else {
        drop(transaction);
        // Likewise.
        let _wrong = limits::take(&app, Tries::Stray(&origin)).await?;
        return Err(Problem::sign_in());
    };
    if !found.current && now > found.refreshed_at + GRACE {
        store::end_session(&mut transaction, found.id, now).await?;
        transaction.commit().await?;
        // Somebody has what was the person's alone.
        let event = Event {
            account: AccountId(found.account_id),
            organisation: None,
            kind: RecordKind::Session,
            verb: Verb::Close,
            outcome: Outcome::Refused,
            records: vec![found.id],
        };
        enter(&app, event).await?;
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
