//! Serving: the listener, the sequencer beside it, and an orderly end.

use crate::audit::sequencer::{self, SequencerParts};
use crate::audit::store::oldest_pending;
use crate::platform::app::App;
use crate::platform::router::router;
use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A service that runs until it is told to stop.
pub struct Serving {
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    sequencer: JoinHandle<()>,
    watch: JoinHandle<()>,
}

/// How long an entry may wait for its place in the tree before no record is opened any more.
const BEHIND: TimeDelta = TimeDelta::seconds(30);

/// Looks once a second how long the oldest entry has waited.
async fn watch_queue(app: App, mut stop: watch::Receiver<bool>) {
    let mut second = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = second.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        // Without an answer nothing is known to be well.
        let waited = oldest_pending(&app.databases.sequencer).await;
        app.places.ledger.set_behind(!waited.is_ok_and(|age| age.is_none_or(|age| age < BEHIND)));
    }
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
        let watch = tokio::spawn(watch_queue(app.clone(), stopped.clone()));
        let router = router(app.clone());
        let mut stopping = stopped;
        let server = tokio::spawn(async move {
            let until = async move {
                // An error means that the sender is gone, which is an end as well.
                let _ = stopping.wait_for(|stop| *stop).await;
            };
            axum::serve(listener, router).with_graceful_shutdown(until).await
        });
        Self { stop, server, sequencer, watch }
    }

    /// Takes no more requests, finishes those under way, and ends the sequencer after its round.
    ///
    /// # Errors
    /// When the listener failed.
    pub async fn stop(self) -> std::io::Result<()> {
        self.stop.send_replace(true);
        let served = self.server.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let _ = self.sequencer.await;
        let _ = self.watch.await;
        served
    }
}
