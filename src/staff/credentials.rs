//! One's own ways to show who one is: seen, changed, added and removed.
//!
//! A session is not enough for a change: somebody else may sit before it. Each asks for a factor shown anew in the same
//! request: with an authenticator its code, with a passkey that, or the recovery code in the place of either; without them the
//! passphrase. The person's keys
//! stay what they are and are only locked anew, so no record is sealed again. The passphrase is changed and never removed.

mod change;

pub(crate) use change::shows_again;

use super::factors;
use super::limits::{self, Tries};
use super::model::{CredentialChanged, CredentialView, Fresh, TotpBegun, TotpCode};
use super::store;
use crate::guard::gate::{Authorized, Target, kinds, ledger_problem, verbs};
use crate::guard::passphrase::SlotKind;
use crate::guard::record::{CredentialId, RecordKind};
use crate::guard::session::Who;
use crate::guard::totp::TotpSecret;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Listed, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use axum::Json;
use axum::extract::State;
pub(super) use change::{Change, What, carry_out, change, changed, no_way_back, refused, too_many};
use chrono::TimeDelta;
use std::sync::Arc;

/// How long the secret of an authenticator waits for its first code.
const BEGUN: TimeDelta = TimeDelta::minutes(15);

/// What I can sign in with.
#[utoipa::path(operation_id = "list_credentials", get, path = "/api/v1/credentials", tag = "door",
    responses((status = 200, body = Listed<CredentialView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Json<Listed<CredentialView>>, Problem> {
    let target = Target::Own(RecordKind::Credential, who.session.0);
    let leave = app.gate.authorize::<verbs::List, kinds::Credential>(&who, target, None).await?;
    let door = &app.databases.door;
    let mut items = store::credential_views(door, who.account).await?;
    let passkeys = store::passkeys(door, who.account).await?;
    items.extend(passkeys.iter().map(|kept| CredentialView::of_passkey(kept, &who.keys)));
    items.sort_by_key(|item| (item.made_at, item.id));
    let entry = leave.entry(&app.places.clock, items.iter().map(|item| item.id.0).collect());
    app.places.ledger.enter(entry).await.map_err(ledger_problem)?;
    Ok(Json(Listed { items, next: None }))
}

/// Get a new passphrase. The one before opens nothing any more, and all my other sessions end.
#[utoipa::path(operation_id = "change_passphrase", post, path = "/api/v1/credentials/passphrase", tag = "door",
    request_body = Fresh,
    responses((status = 200, body = CredentialChanged), (status = "4XX", body = ProblemDocument)))]
pub async fn change_passphrase(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    body: Body<Fresh>,
) -> Result<Answer, Problem> {
    let leave = may_write(&app, &who).await?;
    change(&app, &who, leave, &body.check()?, What::NewWords(SlotKind::Passphrase)).await
}

/// Get a recovery code, to be printed. An earlier one counts no more.
#[utoipa::path(operation_id = "make_recovery_code", post, path = "/api/v1/credentials/recovery-code", tag = "door",
    request_body = Fresh,
    responses((status = 200, body = CredentialChanged), (status = "4XX", body = ProblemDocument)))]
pub async fn make_recovery_code(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    body: Body<Fresh>,
) -> Result<Answer, Problem> {
    let leave = may_write(&app, &who).await?;
    change(&app, &who, leave, &body.check()?, What::NewWords(SlotKind::RecoveryCode)).await
}

/// Have no recovery code any more.
#[utoipa::path(operation_id = "remove_recovery_code", post, path = "/api/v1/credentials/recovery-code/remove",
    tag = "door", request_body = Fresh,
    responses((status = 200, body = CredentialChanged), (status = "4XX", body = ProblemDocument)))]
pub async fn remove_recovery_code(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    body: Body<Fresh>,
) -> Result<Answer, Problem> {
    let leave = may_withdraw(&app, &who).await?;
    change(&app, &who, leave, &body.check()?, What::NoRecoveryCode).await
}

/// Begin with an authenticator. It counts once a code of it was right; until then whatever there was goes on.
#[utoipa::path(operation_id = "begin_totp", post, path = "/api/v1/credentials/totp", tag = "door", request_body = Fresh,
    responses((status = 201, body = TotpBegun), (status = "4XX", body = ProblemDocument)))]
pub async fn begin_totp(State(app): State<App>, SignedIn(who): SignedIn, body: Body<Fresh>) -> Result<Answer, Problem> {
    let leave = may_write(&app, &who).await?;
    let fresh = body.check()?;
    let (secret, id) = (TotpSecret::generate(), CredentialId::random());
    let sealed =
        secret.seal(&who.keys, id).map_err(|_| Problem::fault("the secret of an authenticator is not sealed"))?;
    let handle = store::handle_of(&app.databases.door, who.account).await?;
    let changed = changed(&app, &who, leave, &fresh, What::BeginTotp(id, sealed)).await?;
    Answer::created(&TotpBegun {
        secret: secret.reveal().as_str().to_owned(),
        uri: secret.uri(&handle).as_str().to_owned(),
        recovery_code: changed.recovery_code,
    })
}

/// Show the first code: from here on my authenticator is asked for whenever I sign in.
#[utoipa::path(operation_id = "confirm_totp", post, path = "/api/v1/credentials/totp/confirm", tag = "door",
    request_body = TotpCode,
    responses((status = 200, body = CredentialChanged), (status = "4XX", body = ProblemDocument)))]
pub async fn confirm_totp(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    body: Body<TotpCode>,
) -> Result<Answer, Problem> {
    let leave = may_write(&app, &who).await?;
    let given = body.check()?;
    let now = app.places.clock.now();
    let begun = store::begun_totp(&app.databases.door, who.account, now - BEGUN).await?;
    let Some(begun) = begun else {
        return Err(Problem::illegal(
            "not_begun",
            "Begin with the authenticator first, not longer than a quarter of an hour ago.",
        ));
    };
    let taken = vec![limits::take(&app, Tries::Again(who.session)).await?];
    let secret = TotpSecret::open(&who.keys, begun.id, &begun.sealed)
        .ok_or_else(|| Problem::fault("the secret of an authenticator does not open"))?;
    let Some(step) = secret.step_of(&given.code, now) else {
        return Err(refused(&app, leave, factors::wrong_second_factor()).await);
    };
    limits::give_back(&app, taken).await;
    let changed = carry_out(&app, &who, leave, None, Change::of(What::ConfirmTotp(begun.id, step))).await?;
    Answer::ok(&changed)
}

/// Sign in without an authenticator again.
#[utoipa::path(operation_id = "remove_totp", post, path = "/api/v1/credentials/totp/remove", tag = "door",
    request_body = Fresh,
    responses((status = 200, body = CredentialChanged), (status = "4XX", body = ProblemDocument)))]
pub async fn remove_totp(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    body: Body<Fresh>,
) -> Result<Answer, Problem> {
    let leave = may_withdraw(&app, &who).await?;
    change(&app, &who, leave, &body.check()?, What::NoTotp).await
}

pub(super) async fn may_write(
    app: &App,
    who: &Arc<Who>,
) -> Result<Authorized<verbs::Write, kinds::Credential>, Problem> {
    app.gate.authorize(who, Target::Own(RecordKind::Credential, who.session.0), None).await
}

pub(super) async fn may_withdraw(
    app: &App,
    who: &Arc<Who>,
) -> Result<Authorized<verbs::Withdraw, kinds::Credential>, Problem> {
    app.gate.authorize(who, Target::Own(RecordKind::Credential, who.session.0), None).await
}
