//! The router: every route once, the console's pages beside them, and what holds for all of them.
//!
//! Each request runs in a task of its own, to its end: a client that goes away cancels nothing half-way. Each answer has
//! a request id, is not cached unless it can never change, and every failure is a problem document, those of the framework included.

use crate::platform::app::App;
use crate::platform::document::{Sessions, finished};
use crate::platform::http::{Here, LARGEST_BODY, Lasting};
use crate::platform::metrics;
use crate::platform::page::{self, Console, Pages};
use crate::platform::problem::Problem;
use crate::{
    absences, accommodation, alerts, attachments, audit, calls, cases, consents, custody, notices, outages, placements,
    policies, roster, staff, status, supervision, tasks,
};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;

/// Name and purpose of the API, for its document.
#[derive(OpenApi)]
#[openapi(info(
    title = "Himaya",
    description = "Case management for the protection of victims of human trafficking. A record that you may not see \
                   answers exactly like one that is not there."
), modifiers(&Sessions), security(("access_token" = [], "session_secret" = [])), tags(
    (name = "door", description = "Making keys with a one-time code, signing in and with what, keeping a session."),
    (name = "calls", description = "The helpline's calls: a draft for the shift, then the supervisor's."),
    (name = "notices", description = "A call handed over to the squad: the desk's queue, and the sender's slip."),
    (name = "cases", description = "Cases, their persons, sections and notes, and who is on them."),
    (name = "accommodation", description = "Houses, their places, certificates and addresses."),
    (name = "training", description = "Who passed which course, and until when that counts."),
    (name = "placements", description = "A person's stay in a house, from the squad's request to its end, and the care given."),
    (name = "consents", description = "What the person agrees to, and what not."),
    (name = "status", description = "How the country stands: counters in bands, for the coordinator."),
    (name = "work", description = "What is due, alerts, rosters, absences, and what supervisors see and instruct."),
    (name = "staff", description = "Organisations, accounts, foundings and members."),
    (name = "ledger", description = "What was done, under pseudonyms.")
))]
struct About;

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(About::openapi())
        .merge(staff::routes())
        .merge(calls::routes())
        .merge(notices::routes())
        .merge(cases::routes())
        .merge(attachments::routes())
        .merge(accommodation::routes())
        .merge(placements::routes())
        .merge(consents::routes())
        .merge(tasks::routes())
        .merge(alerts::routes())
        .merge(supervision::routes())
        .merge(status::routes())
        .merge(roster::routes())
        .merge(absences::routes())
        .merge(custody::routes())
        .merge(policies::routes())
        .merge(outages::routes())
        .merge(audit::http::routes())
        .merge(audit::tiles::routes())
}

/// The API's document, generated from the handlers.
#[must_use]
pub fn document() -> Document {
    finished(api().split_for_parts().1)
}

/// What everybody is answered beside the API: without a session, and about no record.
pub const BESIDE: [&str; 3] = ["/api/openapi.json", "/health", "/ready"];

/// The whole service.
pub fn router(app: App) -> Router {
    router_with(app, Pages::default())
}

/// The whole service, with more pages than it has by itself: a demonstration's.
pub fn router_with(app: App, more: Pages) -> Router {
    let (routes, document) = api().split_for_parts();
    let document = serde_json::to_vec(&finished(document)).unwrap_or_default();
    let [described, alive, whether_ready] = BESIDE;
    // The pages' way to the API: its routes with their limits and answers. Each page's request runs to its end already.
    let within = routes
        .clone()
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(CatchPanicLayer::custom(|_| Problem::fault("a handler panicked").into_response()))
        .layer(middleware::from_fn(answer))
        .with_state(app.clone());
    let console = Console::new(&app, within);
    let nowhere = |problem: fn() -> Problem| {
        let console = console.clone();
        move |uri: Uri, headers: HeaderMap| async move { nowhere(&console, &uri, &headers, problem()).await }
    };
    routes
        .route(described, get(move || async move { served(&document) }))
        .route(alive, get(|| async { "alive" }))
        .route(whether_ready, get(ready))
        .merge(page::router(&console, more))
        .fallback(nowhere(|| Problem::new(StatusCode::NOT_FOUND, "no_such_route", "There is no such address.")))
        .method_not_allowed_fallback(nowhere(|| {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", "This address does not take that method.")
        }))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(CatchPanicLayer::custom(|_| Problem::fault("a handler panicked").into_response()))
        .layer(middleware::from_fn(to_the_end))
        .layer(middleware::from_fn(answer))
        .with_state(app)
}

/// A browser that is not at the API gets a page.
async fn nowhere(console: &Console, uri: &Uri, headers: &HeaderMap, problem: Problem) -> Response {
    let wants = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if uri.path().starts_with("/api/") || !wants.contains("text/html") {
        return problem.into_response();
    }
    console.nowhere(headers, problem).await
}

/// What the operator's own machines ask, on a listener of its own.
pub fn operators_router(app: App) -> Router {
    Router::new()
        .route("/health", get(|| async { "alive" }))
        .route("/ready", get(ready))
        .route("/metrics", get(|| async { metrics::recorder().render() }))
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "no_such_route", "There is no such address.") })
        .layer(middleware::from_fn(render))
        .with_state(app)
}

async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    app.ready.told(Instant::now())
}

fn served(document: &[u8]) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document.to_vec()).into_response()
}

/// Runs the request in a task of its own, so that nothing of it is cancelled when the client goes away.
async fn to_the_end(mut request: Request, next: Next) -> Response {
    let (here, client) = Here::new();
    request.extensions_mut().insert(client);
    let task = tokio::spawn(next.run(request));
    let response = task.await.unwrap_or_else(|_| Problem::fault("a request's task ended early").into_response());
    here.answered();
    response
}

/// Gives the request its id, renders problems, and forbids caching.
async fn answer(request: Request, next: Next) -> Response {
    let id = crate::platform::random::uuid().to_string();
    let (method, started) = (request.method().clone(), std::time::Instant::now());
    let route = request.extensions().get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(&id);
    } else if response.status().is_client_error() && !has_body(&response) {
        response = Problem::new(response.status(), "refused", "The request was refused.").render(&id);
    }
    let lasts = response.extensions_mut().remove::<Lasting>().is_some() && response.status().is_success();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    // Asked for with a token: nobody on the way keeps it for others.
    let kept = if lasts { "private, max-age=31536000, immutable" } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // The route's pattern, never the path: ids stay out of the log.
    metrics::answered(route.as_deref(), &method, response.status(), started.elapsed());
    tracing::info!(
        request_id = %id,
        %method,
        route = route.as_deref().unwrap_or("none"),
        status = response.status().as_u16(),
        millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "answered"
    );
    response
}

/// Renders problems and nothing else: these requests are not logged or counted, they come every few seconds.
async fn render(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let id = crate::platform::random::uuid().to_string();
    response.extensions_mut().remove::<Problem>().map_or(response, |problem| problem.render(&id))
}

fn has_body(response: &Response) -> bool {
    response.headers().contains_key(header::CONTENT_TYPE)
}
