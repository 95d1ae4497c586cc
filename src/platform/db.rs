//! Connections: one pool for each database role, so that no role can do another's work.

mod store;

use super::config::DatabaseConfig;
use super::schema::{self, StructureError};
use crate::alerts::timekeeper::Timekeeper;
use crate::guard::sweep::Sweeper;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

/// After this long without work a connection is asked whether it still answers.
const IDLE: Duration = Duration::from_secs(1);

/// Connections for finding out who asks: each is held for one round trip. They wait for no lock longer than a second: a
/// session that injected SQL locked does not keep everybody else out.
const VISITS: u32 = 8;

/// Settings on which the walls rest. A connection asks for them itself, over what somebody wrote down for its role or for the
/// database: without the first a receipt would say durable of what is not, and the second says which table a name means.
const SETTINGS: [(&str, &str); 2] = [("synchronous_commit", "on"), ("search_path", "public")];

/// The pools of one process.
#[derive(Clone)]
pub struct Databases {
    /// Serves requests.
    pub app: PgPool,
    /// Finds out who asks, as the app: the two statements of `session_enter` and `visit_section`, what checks a founding that
    /// follows another (once), and nothing else ever. They set nothing and no text goes into them but as a parameter, so there is nothing to look for when one was answered.
    pub visits: PgPool,
    /// Writes the entries of reads, as the app: a pool of its own, so that entries never wait behind the requests that
    /// wait for them.
    pub ledger: PgPool,
    /// Signs people in.
    pub door: PgPool,
    /// Numbers ledger entries.
    pub sequencer: PgPool,
    /// Reads the ledger.
    pub auditor: PgPool,
    /// The second, small database.
    pub erasure: PgPool,
    /// Erases keys that belong to nothing.
    pub sweeper: Sweeper,
    /// As the sweeper: erases what entries say when its time is over.
    pub retention: PgPool,
    /// Raises alerts.
    pub timekeeper: Timekeeper,
    /// As the timekeeper: hands on what was counted of who looks how much.
    pub lookout: PgPool,
}

/// A pool whose connections serve one person after the other: one in which something was left behind serves nobody more.
fn shared(url: &str, most: u32) -> Result<PgPool, sqlx::Error> {
    shared_with(url, most, &[])
}

fn shared_with(url: &str, most: u32, more: &[(&str, &str)]) -> Result<PgPool, sqlx::Error> {
    let checked = PgPoolOptions::new().after_release(|connection, _| {
        Box::pin(async move {
            // A transaction that was given up is rolled back on the same way.
            let clean = store::is_clean(connection).await?;
            if !clean {
                tracing::warn!("a connection in which something was left behind is closed: was SQL injected?");
            }
            Ok(clean)
        })
    });
    pool_with(checked, url, most, more)
}

fn pool(url: &str, most: u32) -> Result<PgPool, sqlx::Error> {
    pool_with(PgPoolOptions::new(), url, most, &[])
}

fn pool_with(pool: PgPoolOptions, url: &str, most: u32, more: &[(&str, &str)]) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?
        .options(SETTINGS)
        .options(more.iter().copied())
        // Statements carry no content, but a slow one is not worth a log line with its text.
        .log_statements(tracing::log::LevelFilter::Off)
        .application_name("himaya");
    // Each connection answered when it was released. Only one that has been idle since is asked again: a round trip for
    // every request would buy nothing.
    let asked = pool.test_before_acquire(false).before_acquire(|connection, about| {
        Box::pin(async move {
            if about.idle_for > IDLE {
                connection.ping().await?;
            }
            Ok(true)
        })
    });
    Ok(asked.max_connections(most).acquire_timeout(Duration::from_secs(5)).connect_lazy_with(options))
}

/// Opens the pools and sees that each role can log in.
///
/// # Errors
/// When an address is malformed or a database does not answer.
pub async fn connect(config: &DatabaseConfig) -> Result<Databases, sqlx::Error> {
    let databases = Databases {
        app: shared(&config.app, config.connections)?,
        visits: pool_with(PgPoolOptions::new(), &config.app, VISITS, &[("lock_timeout", "1s")])?,
        ledger: shared(&config.app, 3)?,
        // Whoever holds a row by injected SQL must not hold the door.
        door: shared_with(&config.door, 4, &[("lock_timeout", "2s"), ("idle_in_transaction_session_timeout", "20s")])?,
        sequencer: pool(&config.sequencer, 2)?,
        auditor: pool(&config.auditor, 4)?,
        erasure: pool(&config.erasure, config.connections)?,
        sweeper: Sweeper { main: pool(&config.sweeper, 1)?, erasure: pool(&config.erasure_sweeper, 2)?, objects: None },
        // Of its own: two persons who confirm an erasure do not wait for a batch.
        retention: pool_with(
            PgPoolOptions::new(),
            &config.sweeper,
            1,
            &[("lock_timeout", "5s"), ("statement_timeout", "60s"), ("idle_in_transaction_session_timeout", "60s")],
        )?,
        timekeeper: Timekeeper { main: pool(&config.timekeeper, 1)? },
        // Of its own: whoever holds a row of what is counted must not stop the clocks.
        lookout: pool_with(
            PgPoolOptions::new(),
            &config.timekeeper,
            1,
            &[("lock_timeout", "5s"), ("statement_timeout", "20s"), ("idle_in_transaction_session_timeout", "20s")],
        )?,
    };
    for pool in databases.all() {
        pool.acquire().await?;
    }
    Ok(databases)
}

/// Brings both databases to this version's schema, as the migrator.
///
/// # Errors
/// When a migration fails; it is then rolled back.
pub async fn migrate(main: &str, erasure: &str, kept: Option<&Path>) -> Result<(), MigrateError> {
    let (mut main, mut erasure) = (PgConnection::connect(main).await?, PgConnection::connect(erasure).await?);
    sqlx::migrate!("migrations/main").run(&mut main).await?;
    sqlx::migrate!("migrations/erasure").run(&mut erasure).await?;
    if let Some(kept) = kept {
        schema::keep_migrated(&mut main, &mut erasure, kept).await?;
    }
    main.close().await?;
    erasure.close().await?;
    Ok(())
}

/// Compares the structure of both databases with the one that was kept, if one was: what was changed by another hand must
/// not be kept as if it had been migrated.
///
/// # Errors
/// When they differ.
pub async fn check_structure(main: &str, erasure: &str, kept: &Path) -> Result<(), MigrateError> {
    if kept.exists() {
        let (mut main, mut erasure) = (PgConnection::connect(main).await?, PgConnection::connect(erasure).await?);
        schema::check_migrated(&mut main, &mut erasure, kept).await?;
        main.close().await?;
        erasure.close().await?;
    }
    Ok(())
}

/// Why the schema was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),
    #[error("{0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("{0}")]
    Structure(#[from] StructureError),
}

impl Databases {
    fn all(&self) -> [&PgPool; 12] {
        let (Sweeper { main, erasure, .. }, app) = (&self.sweeper, &self.app);
        let (visits, times) = (&self.visits, &self.timekeeper.main);
        let (door, auditor, lookout, retention) = (&self.door, &self.auditor, &self.lookout, &self.retention);
        let (ledger, sequencer) = (&self.ledger, &self.sequencer);
        [app, visits, ledger, door, sequencer, auditor, &self.erasure, main, erasure, times, lookout, retention]
    }

    /// Closes every pool.
    pub async fn close(&self) {
        for pool in self.all() {
            pool.close().await;
        }
    }
}
