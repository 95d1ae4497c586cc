//! The doors of a witness, as C2SP `tlog-witness` has them: a log submits, and whoever may asks for the latest checkpoint.

use super::Witness;
use super::log::{LARGEST_SUBMISSION, Refusal};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Submissions that are judged at once; more are told to come back. Whoever is slow to send one has no place.
const AT_ONCE: usize = 32;

/// How long a body may take.
const BODY: Duration = Duration::from_secs(3);

struct Doors {
    witness: Arc<Witness>,
    places: Semaphore,
}

/// Everything that is answered.
pub(super) fn routes(witness: Arc<Witness>) -> Router {
    let doors = Doors { witness, places: Semaphore::new(AT_ONCE) };
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{hash}/checkpoint", get(checkpoint))
        .route("/health", get(async || "well\n"))
        .with_state(Arc::new(doors))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Whoever is at another size is told the size, and nothing else.
        if let Self::OtherSize(size) = self {
            return (self.status(), [(header::CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n")).into_response();
        }
        (self.status(), format!("{self}\n")).into_response()
    }
}

fn token(headers: &HeaderMap) -> Option<String> {
    let shown = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    shown.strip_prefix("Bearer ").map(str::to_owned)
}

async fn add_checkpoint(State(doors): State<Arc<Doors>>, headers: HeaderMap, body: Body) -> Response {
    let token = token(&headers);
    if !doors.witness.admits(token.as_deref()) {
        return Refusal::Unknown.into_response();
    }
    let body = match tokio::time::timeout(BODY, to_bytes(body, LARGEST_SUBMISSION)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n").into_response(),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the body takes too long\n").into_response(),
    };
    let Ok(body) = String::from_utf8(body.into()) else {
        return Refusal::Malformed("the body is not UTF-8".to_owned()).into_response();
    };
    let Ok(_place) = doors.places.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many submissions at once\n").into_response();
    };
    let witness = Arc::clone(&doors.witness);
    let judged = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body, token.as_deref())).await;
    match judged {
        Ok(Ok(line)) => line.into_response(),
        Ok(Err(refusal)) => {
            tracing::info!(%refusal, "nothing was cosigned");
            refusal.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn checkpoint(State(doors): State<Arc<Doors>>, Path(hash): Path<String>, headers: HeaderMap) -> Response {
    let (witness, token) = (Arc::clone(&doors.witness), token(&headers));
    match tokio::task::spawn_blocking(move || witness.checkpoint(&hash, token.as_deref())).await {
        Ok(Ok(note)) => note.into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
