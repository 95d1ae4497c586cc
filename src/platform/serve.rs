//! Serving: the listener, the sequencer beside it, and an orderly end.

use crate::audit::sequencer::{self, SequencerParts};
use crate::platform::app::App;
use crate::platform::router::router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A service that runs until it is told to stop.
pub struct Serving {
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    sequencer: JoinHandle<()>,
}

impl Serving {
    /// Begins to serve on a listener.
    #[must_use]
    pub fn start(app: &App, listener: TcpListener) -> Self {
        let (stop, stopped) = watch::channel(false);
        let sequencing = sequencer::run(
            SequencerParts {
                pool: app.databases.sequencer.clone(),
                key: app.checkpoint_key.clone(),
                origin: app.config.log_origin.clone(),
                folder: app.config.checkpoints.clone(),
                clock: app.places.clock.clone(),
            },
            stopped.clone(),
        );
        let sequencer = tokio::spawn(async move {
            // Nothing is sequenced from here on: the backlog grows, and reads of records are refused until somebody acts.
            if let Err(error) = sequencing.await {
                tracing::error!(%error, "ALARM: the sequencer has ended");
            }
        });
        let router = router(app.clone());
        let mut stopping = stopped;
        let server = tokio::spawn(async move {
            let until = async move {
                // An error means that the sender is gone, which is an end as well.
                let _ = stopping.wait_for(|stop| *stop).await;
            };
            axum::serve(listener, router).with_graceful_shutdown(until).await
        });
        Self { stop, server, sequencer }
    }

    /// Takes no more requests, finishes those under way, and ends the sequencer after its round.
    ///
    /// # Errors
    /// When the listener failed.
    pub async fn stop(self) -> std::io::Result<()> {
        self.stop.send_replace(true);
        let served = self.server.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let _ = self.sequencer.await;
        served
    }
}
