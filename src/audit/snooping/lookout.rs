//! Adds what this process counted to what others did, and tells the auditors.

use super::config::SnoopingConfig;
use super::model::Measure;
use super::rules::{DayOf, HABIT_DAYS, judge};
use super::store::{self, Suspected};
use super::tally::{Added, Tally};
use crate::audit::entry::{self, Pseudonyms, Sphere};
use crate::guard::action::Role;
use crate::platform::clock::Clock;
use crate::platform::metrics;
use crate::platform::random;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

/// How often what was counted is handed on.
const EVERY: Duration = Duration::from_secs(5);
/// After how long without handing on somebody is to see to it.
const SILENT: Duration = Duration::from_mins(5);
/// For how many days counts are kept.
const KEPT: TimeDelta = TimeDelta::days(60);

/// Counts for this process.
pub struct Lookout {
    tally: Mutex<Tally>,
    config: SnoopingConfig,
}

impl Lookout {
    #[must_use]
    pub fn new(config: SnoopingConfig) -> Arc<Self> {
        Arc::new(Self { tally: Mutex::default(), config })
    }

    /// Takes in what was entered.
    pub fn count(&self, entries: &[entry::Entry]) {
        let mut tally = self.tally();
        for entry in entries {
            tally.count(entry, &self.config);
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands on what was counted since the last time, and tells of days that are not like others; how many were told of.
    ///
    /// # Errors
    /// When the database does not answer: then everything is handed on the next time.
    pub async fn hand_on(&self, pool: &PgPool, pseudonyms: &Pseudonyms, clock: &Clock) -> Result<u64, sqlx::Error> {
        let now = clock.now();
        let today = self.config.day(now);
        let added = {
            let mut tally = self.tally();
            tally.judge(now, &self.config);
            tally.drain(today)
        };
        if added.is_empty() {
            return Ok(0);
        }
        match self.compare(pool, pseudonyms, now, &added).await {
            Ok(told) => {
                metrics::suspected(told);
                Ok(told)
            }
            Err(error) => {
                self.tally().put_back(added);
                Err(error)
            }
        }
    }

    /// In one transaction: what is added is compared, or is not added.
    async fn compare(
        &self,
        pool: &PgPool,
        pseudonyms: &Pseudonyms,
        now: DateTime<Utc>,
        added: &[Added],
    ) -> Result<u64, sqlx::Error> {
        let mut transaction = pool.begin().await?;
        let tagged: Vec<(Uuid, &Added)> =
            added.iter().map(|added| (pseudonyms.tag(added.account, now), added)).collect();
        let totals = store::add(&mut transaction, &tagged).await?;
        let by: HashMap<Uuid, &Added> = tagged.into_iter().collect();
        let mut habits: HashMap<(Role, Measure), Vec<DayOf>> = HashMap::new();
        let mut new = 0;
        for (measure, own) in totals {
            let Some(person) = by.get(&own.person) else { continue };
            let rule = self.config.rule(measure);
            // Below the least nothing is told, whatever the habit is.
            if measure != Measure::Emergencies && i64::from(own.counted) <= i64::from(rule.least) {
                continue;
            }
            let habit = match habits.entry((person.role, measure)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let since = self.config.day(now) - TimeDelta::days(HABIT_DAYS + 2);
                    place.insert(store::habit(&mut transaction, person.role, measure, since).await?)
                }
            };
            let Some(beyond) = judge(rule, measure, own, habit) else { continue };
            let suspected = Suspected {
                id: random::uuid(),
                person: pseudonyms.of(person.account, Sphere::Work, now),
                organisation: person.organisation,
                role: person.role,
                measure,
                day: own.day,
                told: beyond,
                now,
            };
            new += u64::from(store::suspect(&mut transaction, &suspected).await?);
        }
        transaction.commit().await?;
        Ok(new)
    }

    /// Hands on every few seconds, until `stop` says so, and then once more.
    pub async fn run(
        self: Arc<Self>,
        pool: PgPool,
        pseudonyms: Pseudonyms,
        clock: Clock,
        mut stop: watch::Receiver<bool>,
    ) {
        let (mut round, mut forgot, mut worked) = (tokio::time::interval(EVERY), None, Instant::now());
        loop {
            let last = tokio::select! {
                _ = round.tick() => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            match self.hand_on(&pool, &pseudonyms, &clock).await {
                Ok(0) => worked = Instant::now(),
                Ok(told) => {
                    worked = Instant::now();
                    tracing::warn!(told, "days that are not like others: the auditors are told");
                }
                Err(error) => {
                    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
                    tracing::warn!(code = code.as_deref(), "what was counted was not handed on; it comes again");
                }
            }
            if worked.elapsed() > SILENT {
                tracing::error!(
                    "ALARM: for five minutes nothing that was counted was handed on: nobody is told of who snoops"
                );
            }
            if last {
                return;
            }
            let today = self.config.day(clock.now());
            if forgot != Some(today) && store::forget(&pool, today - KEPT).await.is_ok() {
                forgot = Some(today);
            }
        }
    }
}
