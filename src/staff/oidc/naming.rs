//! The issuer names somebody who wants to sign in.

use super::model::{OidcBegun, OidcNamed, OidcReturn, TICKET, WAY};
use super::provider::{AskError, Provider};
use super::store;
use super::ticket::Ticket;
use super::way::Way;
use crate::audit::entry::Outcome;
use crate::guard::action::Verb;
use crate::guard::record::{AccountId, RecordKind, SessionId};
use crate::platform::app::App;
use crate::platform::http::{Answer, Body, Origin};
use crate::platform::problem::{Problem, ProblemDocument};
use crate::staff::door::{Event, enter};
use crate::staff::issued::Kind;
use crate::staff::limits::{self, Taken, Tries};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

/// The provider, or the answer where there is none.
pub(super) fn provider(app: &App) -> Result<&Provider, Problem> {
    const NONE: Problem =
        Problem::new(StatusCode::NOT_FOUND, "no_issuer", "Here nobody else names people: sign in by name.");
    app.oidc.as_ref().ok_or(NONE)
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Away(why) => {
                tracing::warn!(%why, "the issuer cannot be asked");
                Self::away("issuer_away", "The issuer does not answer. Sign in by name, or try again in seconds.")
            }
            AskError::Refused(why) => {
                tracing::warn!(%why, "what the issuer said is not believed");
                refused()
            }
        }
    }
}

/// What is not believed of a way back, whatever it is.
pub(super) fn refused() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "not_named",
        "This names nobody: it is wrong, too old, or was used before. Begin anew.",
    )
}

/// Begins a way, and says where it leads.
pub(super) async fn begun(app: &App, session: Option<SessionId>, took: Option<Taken>) -> Result<Response, Problem> {
    let (way, now) = (Way::begin(), app.places.clock.now());
    let authorization_url = provider(app)?.where_to(&way).await?;
    let took = took.map(|taken| {
        let (bucket, window) = taken.kept();
        store::TookTry { bucket, window }
    });
    let expires_at = now + WAY;
    store::begin(&app.databases.door, &way.digest(), session, took.as_ref(), (now, expires_at)).await?;
    let cookie = way.cookie(WAY).ok_or_else(|| Problem::fault("a cookie cannot be written"))?;
    let answer = Answer::created(&OidcBegun { authorization_url, handle: way.handle(), expires_at })?;
    Ok(([(header::SET_COOKIE, cookie)], answer).into_response())
}

/// Be named by the issuer, in the place of typing the name.
#[utoipa::path(operation_id = "begin_oidc_sign_in", post, path = "/api/v1/oidc/sign-ins", tag = "door", security(()),
    responses((status = 201, body = OidcBegun),
        (status = 404, description = "`no_issuer`.", body = ProblemDocument),
        (status = 503, description = "`issuer_away`: the other ways of signing in go on.", body = ProblemDocument)))]
pub async fn begin(State(app): State<App>, origin: Origin) -> Result<Response, Problem> {
    provider(&app)?;
    let taken = limits::take(&app, Tries::Ways(&origin)).await?;
    begun(&app, None, Some(taken)).await
}

/// Come back from the issuer. A ticket is given whoever was named: the passphrase says at the sign-in whether it is somebody.
#[utoipa::path(operation_id = "finish_oidc_sign_in", post, path = "/api/v1/oidc/sign-ins/finish", tag = "door", security(()),
    request_body = OidcReturn,
    responses((status = 201, body = OidcNamed), (status = "4XX", body = ProblemDocument),
        (status = 503, description = "`issuer_away`: begin anew.", body = ProblemDocument)))]
pub async fn finish(
    State(app): State<App>,
    origin: Origin,
    headers: HeaderMap,
    body: Body<OidcReturn>,
) -> Result<Answer, Problem> {
    provider(&app)?;
    let given = body.check()?;
    let taken = limits::take(&app, Tries::Returns(&origin)).await?;
    match named(&app, &given, &headers).await {
        Ok((answer, began)) => {
            limits::give_back(&app, [Some(taken), began].into_iter().flatten().collect()).await;
            Ok(answer)
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            let nobody = AccountId(Uuid::nil());
            let event = Event {
                account: nobody,
                organisation: None,
                kind: RecordKind::Session,
                verb: Verb::Create,
                outcome: Outcome::Refused,
                records: vec![nobody.0],
            };
            enter(&app, event).await?;
            Err(problem)
        }
        Err(problem) => {
            limits::give_back(&app, vec![taken]).await;
            Err(problem)
        }
    }
}

async fn named(app: &App, given: &OidcReturn, headers: &HeaderMap) -> Result<(Answer, Option<Taken>), Problem> {
    let (door, now) = (&app.databases.door, app.places.clock.now());
    let (way, took) = back(app, given, headers, None).await?;
    let names = provider(app)?.names(&given.code, &way).await?;
    let text = app.issued.make(Kind::Ticket)?;
    let expires_at = now + TICKET;
    store::give_ticket(door, Ticket::of(&text).digest(), &names.known, &names.current, expires_at).await?;
    let began = took.map(|took| Taken::of(took.bucket, took.window));
    Ok((Answer::created(&OidcNamed { ticket: text, expires_at })?, began))
}

/// The way on which somebody comes back, used up: of this session, or of nobody's.
pub(super) async fn back(
    app: &App,
    given: &OidcReturn,
    headers: &HeaderMap,
    session: Option<SessionId>,
) -> Result<(Way, Option<store::TookTry>), Problem> {
    let way = Way::shown(given.handle.as_deref(), headers).filter(|way| way.is(&given.state)).ok_or_else(refused)?;
    let ended = store::end(&app.databases.door, &way.digest(), session, app.places.clock.now()).await?;
    Ok((way, ended.ok_or_else(refused)?))
}
