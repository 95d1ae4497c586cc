//! Whether the client that asked is still there. A request runs to its end whatever the client does; what only reads, and
//! holds nothing that must be finished, may end when nobody waits for it any more.

use crate::platform::app::App;
use crate::platform::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::sync::watch;

/// Held on the client's side: it goes with the connection.
pub struct Here(watch::Sender<()>);

/// The client, as the request's own task sees it.
#[derive(Clone)]
pub struct Client(watch::Receiver<()>);

impl Here {
    #[must_use]
    pub fn new() -> (Self, Client) {
        let (here, client) = watch::channel(());
        (Self(here), Client(client))
    }

    /// The answer is there: the client has waited for it.
    pub fn answered(self) {
        drop(self.0);
    }
}

impl Client {
    /// Returns when the client has gone.
    pub async fn gone(&mut self) {
        // Nothing is ever sent.
        while self.0.changed().await.is_ok() {}
    }
}

impl FromRequestParts<App> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Problem::fault("a request does not know its client"))
    }
}
