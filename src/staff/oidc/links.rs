//! By whom one is named: linked by oneself, signed in and with a factor shown anew, and by nobody else. Never by an address or a name that
//! the issuer tells.

use super::model::{OidcBegun, OidcLinkView, OidcReturn};
use super::{naming, store};
use crate::audit::entry::Outcome;
use crate::guard::gate::{Authorized, Does, Target, kinds, ledger_problem, verbs};
use crate::guard::record::RecordKind;
use crate::guard::session::Who;
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Listed, SignedIn};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::credentials::shows_again;
use crate::staff::model::{Fresh, Made};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use std::sync::Arc;
use uuid::Uuid;

/// By whom I am named.
#[utoipa::path(operation_id = "list_oidc_links", get, path = "/api/v1/oidc/links", tag = "door",
    responses((status = 200, body = Listed<OidcLinkView>), (status = "4XX", body = ProblemDocument)))]
pub async fn list(State(app): State<App>, SignedIn(who): SignedIn) -> Result<Json<Listed<OidcLinkView>>, Problem> {
    let target = Target::Own(RecordKind::Credential, who.session.0);
    let leave = app.gate.authorize::<verbs::List, kinds::Credential>(&who, target, None).await?;
    let issuer = app.oidc.as_ref().map(|oidc| oidc.issuer().to_owned()).unwrap_or_default();
    let rows = store::links(&app.databases.door, who.account).await?;
    let view = |row: store::LinkRow| OidcLinkView {
        id: row.id,
        issuer: issuer.clone(),
        made_at: row.made_at,
        last_used_at: row.last_used_at,
    };
    let items: Vec<OidcLinkView> = rows.into_iter().map(view).collect();
    entered(&app, &leave, items.iter().map(|item| item.id).collect(), Outcome::Done).await?;
    Ok(Json(Listed { items, next: None }))
}

/// Begin to be named by the issuer, as somebody who is signed in.
#[utoipa::path(operation_id = "begin_oidc_link", post, path = "/api/v1/oidc/links", tag = "door", request_body = Fresh,
    responses((status = 201, body = OidcBegun), (status = "4XX", body = ProblemDocument),
        (status = 503, description = "`issuer_away`.", body = ProblemDocument)))]
pub async fn begin(State(app): State<App>, SignedIn(who): SignedIn, body: Body<Fresh>) -> Result<Response, Problem> {
    let leave = may_write(&app, &who).await?;
    let fresh = body.check()?;
    naming::provider(&app)?;
    if let Err(problem) = shows_again(&app, &who, &fresh).await {
        return Err(refused(&app, leave, problem).await);
    }
    let begun = naming::begun(&app, Some(who.session), None).await?;
    entered(&app, &leave, vec![who.account.0], Outcome::Done).await?;
    Ok(begun)
}

/// Come back from the issuer: from now on it names me.
#[utoipa::path(operation_id = "finish_oidc_link", post, path = "/api/v1/oidc/links/finish", tag = "door", request_body = OidcReturn,
    responses((status = 201, body = Made),
        (status = 403, description = "`not_named`.", body = ProblemDocument),
        (status = 409, description = "`linked_already`.", body = ProblemDocument),
        (status = 503, description = "`issuer_away`: begin anew.", body = ProblemDocument)))]
pub async fn finish(
    State(app): State<App>,
    SignedIn(who): SignedIn,
    headers: HeaderMap,
    body: Body<OidcReturn>,
) -> Result<Answer, Problem> {
    let leave = may_write(&app, &who).await?;
    let given = body.check()?;
    let asked = async {
        let (way, _) = naming::back(&app, &given, &headers, Some(who.session)).await?;
        Ok::<_, Problem>(naming::provider(&app)?.names(&given.code, &way).await?)
    };
    let names = match asked.await {
        Ok(names) => names,
        // 401 would say that the session is over, which it is not.
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            let not_named = Problem::new(
                StatusCode::FORBIDDEN,
                "not_named",
                "This names nobody: it is wrong, too old, or was used before. Begin anew.",
            );
            return Err(refused(&app, leave, not_named).await);
        }
        Err(problem) => return Err(problem),
    };
    let mut transaction = app.databases.door.begin().await?;
    let alive = crate::staff::store::lock_account(&mut transaction, who.account).await?
        && crate::staff::store::session_lives(&mut transaction, who.account, who.session).await?;
    if !alive {
        return Err(Problem::sign_in());
    }
    let now = app.places.clock.now();
    let made = store::link(&mut transaction, who.account, &names.known, &names.current, now).await?;
    let Some(id) = made else {
        transaction.rollback().await?;
        let already =
            "You are linked already, or the issuer names somebody else by this. Take the old link away first.";
        return Err(refused(&app, leave, Problem::illegal("linked_already", already)).await);
    };
    entered(&app, &leave, vec![id], Outcome::Done).await?;
    transaction.commit().await?;
    Answer::created(&Made { id })
}

/// Be named by nobody else any more.
#[utoipa::path(operation_id = "remove_oidc_link", post, path = "/api/v1/oidc/links/remove", tag = "door", request_body = Fresh,
    responses((status = 200, body = Made), (status = "4XX", body = ProblemDocument)))]
pub async fn remove(State(app): State<App>, SignedIn(who): SignedIn, body: Body<Fresh>) -> Result<Answer, Problem> {
    let target = Target::Own(RecordKind::Credential, who.session.0);
    let leave = app.gate.authorize::<verbs::Withdraw, kinds::Credential>(&who, target, None).await?;
    let fresh = body.check()?;
    if let Err(problem) = shows_again(&app, &who, &fresh).await {
        return Err(refused(&app, leave, problem).await);
    }
    let mut transaction = app.databases.door.begin().await?;
    let Some(id) = store::unlink(&mut transaction, who.account).await? else {
        transaction.rollback().await?;
        return Err(refused(&app, leave, Problem::absent()).await);
    };
    entered(&app, &leave, vec![id], Outcome::Done).await?;
    transaction.commit().await?;
    Answer::ok(&Made { id })
}

async fn may_write(app: &App, who: &Arc<Who>) -> Result<Authorized<verbs::Write, kinds::Credential>, Problem> {
    app.gate.authorize(who, Target::Own(RecordKind::Credential, who.session.0), None).await
}

async fn entered<V: Does>(
    app: &App,
    leave: &Authorized<V, kinds::Credential>,
    about: Vec<Uuid>,
    outcome: Outcome,
) -> Result<(), Problem> {
    let mut entry = leave.entry(&app.places.clock, about);
    entry.outcome = outcome;
    app.places.ledger.enter(entry).await.map_err(ledger_problem)
}

/// Enters that nothing was changed.
async fn refused<V: Does>(app: &App, leave: Authorized<V, kinds::Credential>, problem: Problem) -> Problem {
    match entered(app, &leave, vec![], Outcome::Refused).await {
        Ok(()) => problem,
        Err(error) => error,
    }
}
