//! The timekeeper: looks at the clocks and has alerts raised, under a database role of its own that sees no row.
//!
//! One statement finds everything that is due and stores what was never raised (`raise_alerts`). A unique key lets each
//! alert in once ever, so any number of replicas may look; a lock lets one of them look at a time. A process that is killed
//! in between has raised all of it or nothing, and the next look, here or elsewhere, finds the same again: nothing is kept
//! in memory.

use super::store;
use crate::notices::model::DEADLINE;
use crate::platform::clock::Clock;
use crate::platform::metrics;
use chrono::TimeDelta;
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::watch;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(30);
/// After how long without a look somebody is to see to it.
const SILENT: Duration = Duration::from_mins(15);
/// How long before a desk is without anybody it is said.
const AHEAD: TimeDelta = TimeDelta::hours(24);

/// What the timekeeper works on, under its own role.
#[derive(Clone)]
pub struct Timekeeper {
    pub main: PgPool,
}

impl Timekeeper {
    /// Looks at the clocks once; how many alerts were raised, `None` when another replica is looking.
    ///
    /// # Errors
    /// When the database does not answer; then nothing was raised.
    pub async fn look(&self, clock: &Clock) -> Result<Option<u64>, sqlx::Error> {
        let mut transaction = self.main.begin().await?;
        if !store::looking_alone(&mut transaction).await? {
            return Ok(None);
        }
        let raised = store::raise(&mut transaction, clock.let_pass(), DEADLINE, AHEAD).await?;
        transaction.commit().await?;
        metrics::looked_at_the_clocks(raised);
        Ok(Some(raised))
    }

    /// Looks now and twice a minute, until `stop` says so.
    pub async fn run(self, clock: Clock, mut stop: watch::Receiver<bool>) {
        let mut round = tokio::time::interval(EVERY);
        let mut looked = clock.instant();
        loop {
            tokio::select! {
                _ = round.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            match self.look(&clock).await {
                Ok(Some(raised)) => {
                    looked = clock.instant();
                    if raised > 0 {
                        tracing::info!(raised, "alerts");
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
                    tracing::warn!(code = code.as_deref(), "the timekeeper could not look; it comes again");
                }
            }
            // Another replica may look at each of these moments, but hardly at all of them.
            if clock.instant().duration_since(looked) > SILENT {
                tracing::error!("ALARM: this process has not looked at the clocks for a quarter of an hour");
            }
        }
    }
}
