//! Serving: the listener, the sequencer beside it, and an orderly end.

use crate::audit::ledger::{BEHIND, Backlog};
use crate::audit::sequencer::{self, SequencerParts};
use crate::audit::store::{oldest_pending, placed};
use crate::platform::app::App;
use crate::platform::router::router;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A service that runs until it is told to stop.
pub struct Serving {
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    sequencer: JoinHandle<()>,
    watch: JoinHandle<()>,
    sweeper: JoinHandle<()>,
}

/// Looks once a second how long entries have waited for their place in the tree: those of this process by its own memory,
/// and those of others, or of an earlier process, by the queue.
async fn watch_backlog(app: App, mut stop: watch::Receiver<bool>) {
    let (pool, ledger) = (&app.databases.sequencer, &app.places.ledger);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut backlog = Backlog::default();
    loop {
        tokio::select! {
            _ = second.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let (replica, durable) = ledger.durable();
        let now = app.places.clock.instant();
        backlog.look(now, &durable);
        let answers = (placed(pool, replica, &backlog.waiting()).await, oldest_pending(pool).await);
        // Without an answer nothing is known to be well.
        let (Ok(placed), Ok(queued)) = answers else {
            ledger.set_behind(true);
            continue;
        };
        backlog.placed(&placed);
        // An age below nothing is a lie of who holds the database: it counts as too old.
        let queued = queued.map_or(Duration::ZERO, |age| age.to_std().unwrap_or(BEHIND));
        ledger.set_behind(backlog.oldest(now).max(queued) >= BEHIND);
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
        let watch = tokio::spawn(watch_backlog(app.clone(), stopped.clone()));
        let sweeper = tokio::spawn(app.databases.sweeper.clone().run(stopped.clone()));
        let router = router(app.clone());
        let mut stopping = stopped;
        let server = tokio::spawn(async move {
            let until = async move {
                // An error means that the sender is gone, which is an end as well.
                let _ = stopping.wait_for(|stop| *stop).await;
            };
            axum::serve(listener, router).with_graceful_shutdown(until).await
        });
        Self { stop, server, sequencer, watch, sweeper }
    }

    /// Takes no more requests, finishes those under way, and ends sequencer and sweeper after their rounds.
    ///
    /// # Errors
    /// When the listener failed.
    pub async fn stop(self) -> std::io::Result<()> {
        self.stop.send_replace(true);
        let served = self.server.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let _ = self.sequencer.await;
        let _ = self.watch.await;
        let _ = self.sweeper.await;
        served
    }
}
