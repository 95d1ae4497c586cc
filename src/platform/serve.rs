//! Serving: the listener, the sequencer beside it, and an orderly end.

use crate::audit::entry::Pseudonyms;
use crate::audit::ledger::{BEHIND, Backlog};
use crate::audit::sequencer::{self, SequencerParts};
use crate::audit::store::{newest_checkpoint, oldest_pending, placed, sequencer_is_alive};
use crate::audit::witnesses::Witnesses;
use crate::audit::witnesses::submit::{self, SubmitParts};
use crate::audit::witnesses::watch::{WAITS, Watch, size_of};
use crate::guard::tombstones::Tombstones;
use crate::platform::app::App;
use crate::platform::config::Refusals;
use crate::platform::listen::Listening;
use crate::platform::page::Pages;
use crate::platform::ready::Standing;
use crate::platform::router::{operators_router, router_with};
use crate::platform::schema::{Structure, StructureError};
use crate::platform::secrets::keep_fresh;
use crate::platform::{metrics, tls};
use axum_server::tls_rustls::RustlsConfig;
use sqlx::{Connection as _, PgPool};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A service that runs until it is told to stop.
pub struct Serving {
    app: App,
    /// Told first: no more requests.
    closing: watch::Sender<bool>,
    /// Told when the last request has been answered.
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    beside: Vec<JoinHandle<()>>,
}

/// Every how many seconds the structure of the databases is compared.
const STRUCTURE: u64 = 10;

/// A comparison that takes so long closes: somebody holds a lock on what is to be compared.
const STRUCTURE_WAITS: Duration = Duration::from_secs(15);

/// Compares the structure of the databases again and again. A database that does not answer says nothing of its structure; one that lets
/// the comparison wait does.
async fn watch_structure(app: App, mut stop: watch::Receiver<bool>) {
    let Some(kept) = &app.config.schema_pin else { return };
    let mut tick = tokio::time::interval(Duration::from_secs(STRUCTURE));
    tick.tick().await;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let ledger = &app.places.ledger;
        let compared = async {
            let comparison = Structure::check(&app.databases, kept);
            tokio::pin!(comparison);
            if let Ok(compared) = tokio::time::timeout(STRUCTURE_WAITS, &mut comparison).await {
                return compared;
            }
            tracing::error!("ALARM: the structure of the databases cannot be compared: something is locked");
            ledger.set_closed(true);
            comparison.await
        };
        let compared = tokio::select! {
            compared = compared => compared,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match compared {
            Ok(()) => ledger.set_closed(false),
            Err(StructureError::Changed | StructureError::NoPin) => ledger.set_closed(true),
            Err(error) => tracing::warn!(%error, "the structure of the databases was not compared"),
        }
    }
}

/// Looks once a second how long entries have waited for their place in the tree, those of this process by its own memory,
/// and those of others, or of an earlier process, by the queue; and whether everything is there that the service needs.
async fn watch_over(app: App, mut stop: watch::Receiver<bool>) {
    let (pool, ledger) = (&app.databases.sequencer, &app.places.ledger);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut backlog = Backlog::default();
    // What the configuration says of them was looked at when the service started.
    let mut witnesses = Witnesses::of(&app.config).ok().flatten().map(Watch::new);
    let mut away = false;
    loop {
        tokio::select! {
            _ = second.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let (replica, durable) = ledger.durable();
        let now = app.places.clock.instant();
        backlog.look(now, &durable);
        let waiting = backlog.waiting();
        let asked = async {
            let answers =
                (placed(pool, replica, &waiting).await, oldest_pending(pool).await, sequencer_is_alive(pool).await);
            let newest = async { newest_checkpoint(&mut *pool.acquire().await?).await };
            (answers, newest.await)
        };
        let mut complete = true;
        let (answers, newest) = tokio::time::timeout(WAITS, asked).await.unwrap_or_else(|_| {
            tracing::error!("ALARM: the ledger cannot be looked at: something is locked");
            complete = false;
            let late = || sqlx::Error::PoolTimedOut;
            ((Err(late()), Err(late()), Err(late())), Err(late()))
        });
        let (mut size, keys) = (None, app.log_keys());
        if let (Ok(newest), Ok(keys)) = (newest, &keys) {
            size = newest.as_ref().and_then(|newest| size_of(newest, keys));
            ledger.set_outdated(newest.as_ref().is_some_and(|newest| !keys.are_current(&newest.note)));
            if let Some(key) = newest.and_then(|newest| keys.announced(&newest.note)) {
                ledger.set_office(key);
            }
        }
        if let (Some(watch), Ok(keys)) = (&mut witnesses, &keys) {
            let looked = watch.look(pool, keys, size, app.places.clock.now(), now).await;
            ledger.set_unwitnessed(looked.unseen);
            complete &= looked.complete;
        }
        if complete {
            ledger.looked(Instant::now());
        }
        let error = answers.0.as_ref().err().or(answers.1.as_ref().err()).or(answers.2.as_ref().err());
        if let Some(error) = error.filter(|_| !away) {
            tracing::warn!(%error, "the main database does not answer");
        }
        away = error.is_some();
        let erasure = answers_at_all(&app.databases.sweeper.erasure).await;
        let (mut standing, mut queued) = (
            Standing {
                main: false,
                erasure,
                sequencer: false,
                behind: true,
                unwitnessed: ledger.is_unwitnessed(),
                closed: app.council.is_closed(),
                outage: false,
            },
            Duration::ZERO,
        );
        // Without an answer nothing has found its place: what waits grows older in the process's own memory.
        if let (Ok(placed), Ok(age), Ok(sequencer)) = answers {
            backlog.placed(&placed);
            // An age below nothing is a lie of who holds the database: it counts as too old.
            queued = age.map_or(Duration::ZERO, |age| age.to_std().unwrap_or(BEHIND));
            standing = Standing { main: true, sequencer, ..standing };
        }
        let oldest = backlog.oldest(now).max(queued);
        standing.behind = oldest >= BEHIND;
        ledger.set_behind(standing.behind);
        standing.outage = app.places.outages.opens_for_somebody(&ledger.lacks());
        app.ready.saw(standing, Instant::now());
        metrics::standing(standing.main, standing.erasure, standing.sequencer);
        metrics::backlog(oldest, standing.behind);
        metrics::recorder().run_upkeep();
    }
}

/// Whether a database answers within the second that there is to look.
async fn answers_at_all(pool: &PgPool) -> bool {
    let asked = async {
        let mut connection = pool.acquire().await.ok()?;
        connection.ping().await.ok()
    };
    tokio::time::timeout(Duration::from_secs(1), asked).await.is_ok_and(|answer| answer.is_some())
}

/// What the operator's own machines ask.
pub struct OperatorsDoor {
    closing: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
}

impl OperatorsDoor {
    /// Begins to answer `/metrics`, `/ready` and `/health`.
    #[must_use]
    pub fn open(app: &App, listener: TcpListener) -> Self {
        let (closing, closed) = watch::channel(false);
        let serving =
            Listening::from(listener).serve(operators_router(app.clone()), None, Duration::from_secs(1), closed);
        Self { closing, server: tokio::spawn(serving) }
    }

    /// Closes it.
    pub async fn close(self) {
        self.closing.send_replace(true);
        let _ = self.server.await;
    }
}

impl Serving {
    /// Begins to serve on a listener, without TLS.
    #[must_use]
    pub fn start(app: &App, listener: impl Into<Listening>) -> Self {
        Self::start_with(app, listener.into(), None, Pages::default())
    }

    /// The same with more pages than the service has by itself: for a demonstration.
    #[must_use]
    pub fn start_beside(app: &App, listener: impl Into<Listening>, pages: Pages) -> Self {
        Self::start_with(app, listener.into(), None, pages)
    }

    /// Begins to serve on a listener, with TLS if the configuration says so.
    ///
    /// # Errors
    /// [`Refusals`] when certificate and key are not a pair.
    pub fn start_configured(app: &App, listener: impl Into<Listening>) -> Result<Self, Refusals> {
        let tls = app.config.tls.as_ref().map(tls::load).transpose()?;
        let tls = tls.map(|tls| RustlsConfig::from_config(Arc::new(tls)));
        Ok(Self::start_with(app, listener.into(), tls, Pages::default()))
    }

    fn start_with(app: &App, listener: Listening, tls: Option<RustlsConfig>, pages: Pages) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (closing, closed) = watch::channel(false);
        let sequencing = sequencer::run(
            SequencerParts {
                pool: app.databases.sequencer.clone(),
                keys: app.secrets.ledger.clone(),
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
        let erased = Tombstones::new(app.databases.sweeper.erasure.clone(), app.config.checkpoints.clone());
        let mut beside = vec![
            sequencer,
            tokio::spawn(watch_over(app.clone(), stopped.clone())),
            tokio::spawn(watch_structure(app.clone(), stopped.clone())),
            tokio::spawn({
                let (council, stopped) = (Arc::clone(&app.council), stopped.clone());
                async move { council.watch(stopped).await }
            }),
            tokio::spawn(Arc::clone(&app.places.outages).watch(stopped.clone())),
            tokio::spawn(erased.run(stopped.clone())),
            tokio::spawn({
                let (pool, clock) = (app.databases.lookout.clone(), app.places.clock.clone());
                let pseudonyms = Pseudonyms::new(app.secrets.pseudonyms.clone());
                Arc::clone(&app.lookout).run(pool, pseudonyms, clock, stopped.clone())
            }),
            tokio::spawn(Arc::clone(&app.configured).keep_told(
                app.config.clone(),
                Arc::clone(&app.secrets),
                Arc::clone(&app.places.ledger),
                app.places.clock.clone(),
                stopped.clone(),
            )),
            tokio::spawn(keep_fresh(
                Arc::clone(&app.secrets),
                app.config.clone(),
                app.places.clock.clone(),
                stopped.clone(),
            )),
        ];
        let (pool, clock) = (app.databases.sequencer.clone(), app.places.clock.clone());
        match SubmitParts::of(&app.config, pool, app.secrets.ledger.clone(), clock) {
            Ok(Some(parts)) => beside.push(tokio::spawn(submit::run(parts, stopped.clone()))),
            Ok(None) => {}
            // The configuration was looked at when the service started; a file may have gone since. Reading closes.
            Err(error) => tracing::error!(%error, "ALARM: the ledger is shown to no witness"),
        }
        if app.config.sweeps {
            beside.push(tokio::spawn(app.databases.sweeper.clone().run(stopped.clone())));
            beside.push(tokio::spawn(app.eraser().run(stopped.clone())));
            // What the configuration says of witnesses was looked at when the service started.
            if let Ok(retention) = app.retention() {
                beside.push(tokio::spawn(retention.run(stopped.clone())));
            }
        }
        if app.config.keeps_time {
            let clock = app.places.clock.clone();
            beside.push(tokio::spawn(app.databases.timekeeper.clone().run(clock, stopped.clone())));
        }
        if let (Some(served), Some(files)) = (&tls, &app.config.tls) {
            beside.push(tokio::spawn(tls::keep_fresh(served.clone(), files.clone(), stopped)));
        }
        let server =
            tokio::spawn(listener.serve(router_with(app.clone(), pages), tls, app.config.stop_within(), closed));
        Self { app: app.clone(), closing, stop, server, beside }
    }

    /// Takes no more connections, finishes the requests under way within the configuration's bound, and then ends the
    /// sequencer after a last round, and the sweeper and the timekeeper after their own.
    ///
    /// # Errors
    /// When the listener failed.
    pub async fn stop(self) -> std::io::Result<()> {
        self.app.ready.end();
        self.closing.send_replace(true);
        let served = self.server.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        self.stop.send_replace(true);
        for task in self.beside {
            let _ = task.await;
        }
        served
    }
}
