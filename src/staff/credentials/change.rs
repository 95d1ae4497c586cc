//! A change of one's credentials: the factor that is shown anew, what it leads to, and the transaction that holds both.

use crate::audit::entry::Outcome;
use crate::guard::gate::{Authorized, Does, kinds, ledger_problem};
use crate::guard::passkey::PrfSlot;
use crate::guard::passphrase::{Comer, SlotKind};
use crate::guard::record::{AccountId, CredentialId, SessionId};
use crate::guard::session::Who;
use crate::platform::app::App;
use crate::platform::http::Answer;
use crate::platform::problem::Problem;
use crate::staff::factors::{self, Denied, NewWords, Proof, SecondShown, opened, redeem};
use crate::staff::limits::{self, Taken, Tries};
use crate::staff::model::{CredentialChanged, Fresh};
use crate::staff::passkeys::model::MOST;
use crate::staff::passkeys::shown;
use crate::staff::store::{self, KeptPasskey, NewCeremony};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::sync::Arc;
use uuid::Uuid;

/// What is to be changed.
pub(in crate::staff) enum What {
    NewWords(SlotKind),
    NoRecoveryCode,
    BeginTotp(CredentialId, Vec<u8>),
    ConfirmTotp(CredentialId, i64),
    NoTotp,
    BeginPasskey(CredentialId, Box<NewCeremony>),
    ConfirmPasskey(Uuid, Box<KeptPasskey>),
    UnlockWith(CredentialId, PrfSlot),
    NoPasskey(CredentialId),
}

/// A change, with all the new words that it brings.
pub(in crate::staff) struct Change {
    what: What,
    passphrase: Option<NewWords>,
    recovery: Option<NewWords>,
}

impl Change {
    pub(in crate::staff) fn of(what: What) -> Self {
        Self { what, passphrase: None, recovery: None }
    }

    /// New words are stretched before anything is locked. A recovery code that was shown is used up and brings the next
    /// one, unless the person wants none.
    async fn make(app: &App, who: &Who, what: What, proof: Proof) -> Result<Self, Problem> {
        let used = matches!(proof, Proof::RecoveryCode(_)) && !matches!(what, What::NoRecoveryCode);
        let mut change = Self::of(what);
        if matches!(change.what, What::NewWords(SlotKind::Passphrase)) {
            change.passphrase = Some(NewWords::make(app, SlotKind::Passphrase, who.account, &who.keys).await?);
        }
        if used || matches!(change.what, What::NewWords(SlotKind::RecoveryCode)) {
            change.recovery = Some(NewWords::make(app, SlotKind::RecoveryCode, who.account, &who.keys).await?);
        }
        Ok(change)
    }

    /// In the transaction: which credentials it was about. `None` when what was to be removed or confirmed is not there.
    async fn store(
        &self,
        connection: &mut PgConnection,
        who: &Who,
        proof: Option<Proof>,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<CredentialId>>, sqlx::Error> {
        let mut about = Vec::new();
        for new in [&self.passphrase, &self.recovery].into_iter().flatten() {
            about.push(new.keep(connection, who.account, now).await?);
        }
        match &self.what {
            What::NewWords(_) => {}
            What::NoRecoveryCode => {
                // Who shows the code to give it away has used it up by that.
                let shown = match proof {
                    Some(Proof::RecoveryCode(id)) => Some(id),
                    _ => None,
                };
                about.extend(store::remove_slot(connection, who.account, SlotKind::RecoveryCode).await?.or(shown));
            }
            What::BeginTotp(id, sealed) => {
                store::begin_totp(connection, who.account, *id, sealed, now).await?;
                about.push(*id);
            }
            What::ConfirmTotp(id, step) => {
                if store::activate_totp(connection, who.account, *id, *step, now).await? {
                    about.push(*id);
                }
            }
            What::NoTotp => about.extend(store::remove_totp(connection, who.account).await?),
            What::BeginPasskey(id, ceremony) => {
                store::begin_ceremony(connection, ceremony).await?;
                about.push(*id);
            }
            What::ConfirmPasskey(ceremony, new) => {
                if store::use_ceremony_up(connection, *ceremony, now).await?
                    && store::keep_passkey(connection, new, now).await?
                {
                    about.push(new.id);
                }
            }
            What::UnlockWith(id, slot) => {
                store::keep_passkey_slot(connection, who.account, *id, slot, now).await?;
                about.push(*id);
            }
            What::NoPasskey(id) => {
                if store::remove_passkey(connection, who.account, *id).await? {
                    about.push(*id);
                }
            }
        }
        Ok((!about.is_empty()).then_some(about))
    }
}

pub(in crate::staff) async fn change<V: Does>(
    app: &App,
    who: &Arc<Who>,
    leave: Authorized<V, kinds::Credential>,
    fresh: &Fresh,
    what: What,
) -> Result<Answer, Problem> {
    Answer::ok(&changed(app, who, leave, fresh, what).await?)
}

pub(in crate::staff) async fn changed<V: Does>(
    app: &App,
    who: &Arc<Who>,
    leave: Authorized<V, kinds::Credential>,
    fresh: &Fresh,
    what: What,
) -> Result<CredentialChanged, Problem> {
    let mut taken = Vec::new();
    match shown_anew(app, who, fresh, &mut taken).await {
        Ok(proof) => {
            limits::give_back(app, taken).await;
            let change = Change::make(app, who, what, proof).await?;
            carry_out(app, who, leave, Some(proof), change).await
        }
        Err(denied) if denied.counts => Err(refused(app, leave, denied.problem).await),
        Err(denied) => {
            limits::give_back(app, taken).await;
            Err(denied.problem)
        }
    }
}

/// There is a passkey to come, and nothing else to come in by on the day on which it is lost.
pub(in crate::staff) fn no_way_back() -> Problem {
    Problem::illegal(
        "no_way_back",
        "A passkey would be your only second factor, and whoever loses it is locked out. Take a recovery code first, and print it \
         (POST /api/v1/credentials/recovery-code), or set up an authenticator (POST /api/v1/credentials/totp).",
    )
}

pub(in crate::staff) fn too_many() -> Problem {
    Problem::illegal("too_many_passkeys", "You have ten passkeys. Remove one that you do not use.")
}

/// Why a change does not do, as everything stands after it: nobody depends on a single device. Asked in its transaction, alone with
/// the account, since two changes at once would each find what the other takes away.
async fn hinders(
    connection: &mut PgConnection,
    account: AccountId,
    what: &What,
) -> Result<Option<Problem>, sqlx::Error> {
    if !matches!(what, What::ConfirmPasskey(..) | What::NoRecoveryCode | What::NoTotp) {
        return Ok(None);
    }
    let ways = store::ways(connection, account).await?;
    let last = || {
        Problem::illegal(
            "last_way_in",
            "A passkey would be your only second factor, and whoever loses it is locked out. Have both a recovery code and an \
             authenticator before you give one of them away, or remove your passkeys first.",
        )
    };
    Ok(match what {
        What::ConfirmPasskey(..) if ways.passkeys > MOST => Some(too_many()),
        _ if ways.passkeys == 0 || ways.without_a_passkey => None,
        What::ConfirmPasskey(..) => Some(no_way_back()),
        _ => Some(last()),
    })
}

/// Looks at the factor that came with the request.
async fn shown_anew(app: &App, who: &Who, fresh: &Fresh, taken: &mut Vec<Taken>) -> Result<Proof, Denied> {
    let kept = store::credentials(&app.databases.door, who.account).await?;
    let needed = |field, message: &'static str| Denied::uncounted(Problem::field(field, message));
    taken.push(limits::take(app, Tries::Again(who.session)).await.map_err(Denied::uncounted)?);
    let denied = |problem: Problem| Denied::wrong(problem);
    if !kept.has_second() {
        // Whoever never saw the answer with their new passphrase has the printed code.
        if let (None, Some(words)) = (&fresh.passphrase, &fresh.recovery_code) {
            let found = opened(app, Comer::Known, who.account, Some(words), kept.recovery.as_ref()).await?;
            return found.map(|(id, _)| Proof::RecoveryCode(id)).ok_or_else(|| denied(not_again()));
        }
        let words = fresh.passphrase.as_deref().ok_or_else(|| needed("passphrase", "is needed for this, once more"))?;
        let found = opened(app, Comer::Known, who.account, Some(words), kept.passphrase.as_ref()).await?;
        return found.map(|(id, _)| Proof::Passphrase(id)).ok_or_else(|| denied(not_again()));
    }
    let shown = match (&fresh.code, &fresh.passkey, &fresh.recovery_code) {
        (Some(code), None, None) => SecondShown::Code(code),
        (None, Some(given), None) => {
            SecondShown::Passkey(shown::look(app, who.account, &kept.passkeys, given, Some(who.session)).await?)
        }
        (None, None, Some(words)) => {
            let found = opened(app, Comer::Known, who.account, Some(words), kept.recovery.as_ref()).await?;
            SecondShown::RecoveryCode(found.map(|(id, _)| id))
        }
        _ => {
            let (field, message) = match kept.totp {
                Some(_) => {
                    ("code", "is needed for this, as your authenticator shows it; or `passkey`, or `recovery_code`")
                }
                None => ("passkey", "is needed for this, as it answers when it is asked for; or `recovery_code`"),
            };
            return Err(needed(field, message));
        }
    };
    let second = factors::second(app, &who.keys, &kept, shown, (Tries::CodesAgain(who.session), taken)).await;
    second.map_err(|denied| Denied { problem: at_a_session(denied.problem), ..denied })
}

/// Somebody shows once more who they are, for something that is not done at the door: looked at, and used up before it is done.
/// A recovery code does not do: the next one would have to be told with the answer.
///
/// # Errors
/// 403 when it shows nobody, or not them; 422 when what is needed was not sent.
pub(crate) async fn shows_again(app: &App, who: &Who, fresh: &Fresh) -> Result<(), Problem> {
    if fresh.recovery_code.is_some() {
        return Err(Problem::field(
            "recovery_code",
            "is not taken here: show the passphrase, or the authenticator's code",
        ));
    }
    let mut taken = Vec::new();
    let shown = shown_anew(app, who, fresh, &mut taken).await;
    if shown.as_ref().err().is_none_or(|denied| !denied.counts) {
        limits::give_back(app, taken).await;
    }
    let proof = shown.map_err(|denied| at_a_session(denied.problem))?;
    let now = app.places.clock.now();
    let mut transaction = app.databases.door.begin().await?;
    let alive = store::lock_account(&mut transaction, who.account).await?
        && store::session_lives(&mut transaction, who.account, who.session).await?;
    if !alive {
        return Err(Problem::sign_in());
    }
    // A passphrase counts alone only as long as there is no second factor: there may be one since it was looked at.
    let outdated = !proof.is_second() && store::has_second(&mut transaction, who.account).await?;
    if outdated || !redeem(&mut transaction, proof, now).await? {
        return Err(not_again());
    }
    if proof.is_second() {
        store::second_factor_shown(&mut transaction, who.session, now).await?;
    }
    Ok(transaction.commit().await?)
}

/// 401 would say that the session is over, which it is not.
fn at_a_session(problem: Problem) -> Problem {
    if problem.status() == StatusCode::UNAUTHORIZED { not_again() } else { problem }
}

fn not_again() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "wrong_factor",
        "This does not show who you are: it is wrong, too old, or was used before. Nothing was changed.",
    )
}

/// Enters that nothing was changed.
pub(in crate::staff) async fn refused<V: Does>(
    app: &App,
    leave: Authorized<V, kinds::Credential>,
    problem: Problem,
) -> Problem {
    let mut entry = leave.entry(&app.places.clock, vec![]);
    entry.outcome = Outcome::Refused;
    match app.places.ledger.enter(entry).await {
        Ok(()) => at_a_session(problem),
        Err(error) => ledger_problem(error),
    }
}

/// Uses up what was shown, changes what is to be changed, and ends all other sessions: in one transaction, alone with the
/// account, and after its entry is durable.
pub(in crate::staff) async fn carry_out<V: Does>(
    app: &App,
    who: &Arc<Who>,
    leave: Authorized<V, kinds::Credential>,
    proof: Option<Proof>,
    change: Change,
) -> Result<CredentialChanged, Problem> {
    let now = app.places.clock.now();
    let mut transaction = app.databases.door.begin().await?;
    let alive = store::lock_account(&mut transaction, who.account).await?
        && store::session_lives(&mut transaction, who.account, who.session).await?;
    if !alive {
        return Err(Problem::sign_in());
    }
    // A passphrase counts alone only as long as there is no second factor: there may be one since it was looked at.
    let outdated =
        matches!(proof, Some(Proof::Passphrase(_))) && store::has_second(&mut transaction, who.account).await?;
    if let Some(proof) = proof
        && (outdated || !redeem(&mut transaction, proof, now).await?)
    {
        transaction.rollback().await?;
        return Err(refused(app, leave, not_again()).await);
    }
    let Some(about) = change.store(&mut transaction, who, proof, now).await? else {
        transaction.rollback().await?;
        return Err(refused(app, leave, Problem::absent()).await);
    };
    if let Some(problem) = hinders(&mut transaction, who.account, &change.what).await? {
        transaction.rollback().await?;
        return Err(refused(app, leave, problem).await);
    }
    if proof.is_none_or(Proof::is_second) {
        store::second_factor_shown(&mut transaction, who.session, now).await?;
    }
    let ended: Vec<SessionId> = match change.what {
        // Nothing counts yet.
        What::BeginTotp(..) | What::BeginPasskey(..) => vec![],
        _ => store::end_others(&mut transaction, who.account, who.session).await?,
    };
    let entry = leave.entry(&app.places.clock, about.iter().map(|id| id.0).collect());
    app.places.ledger.enter(entry).await.map_err(ledger_problem)?;
    transaction.commit().await?;
    let reveal = |new: Option<NewWords>| new.map(|new| new.words.reveal().to_owned());
    Ok(CredentialChanged { passphrase: reveal(change.passphrase), recovery_code: reveal(change.recovery), ended })
}
