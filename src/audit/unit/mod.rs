//! Writing: a unit of work is one transaction that ends with its own entries in the ledger, or leaves no trace.
//!
//! A unit runs to its end once begun: the router runs each request in a task of its own, so a client that goes away
//! cancels nothing (sqlx 0.9.0 gives a connection back inside an open transaction when a `BEGIN` is cancelled).

mod sealing;
mod trusting;

use super::entry::Entry;
use crate::guard::gate::{About, Authorized, Does};
use crate::guard::look::Places;
use crate::guard::record::AccountId;
use crate::guard::session::Who;
use crate::guard::store;
use crate::guard::trust::Trust;
use crate::guard::vault::Mark;
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use sqlx::{PgConnection, Postgres, Transaction};
use std::sync::Arc;
use uuid::Uuid;

/// The only way to change a record. SQL of a capability takes the unit, and no bare permission.
pub struct Unit<V, K> {
    authorized: Authorized<V, K>,
    transaction: Transaction<'static, Postgres>,
    places: Places,
    marks: Vec<Mark>,
    touched: Vec<Uuid>,
    erase: Vec<Uuid>,
}

/// A unit whose entries and changes are durable.
#[must_use = "only what is committed was done"]
pub struct Committed(());

impl<V: Does, K: About> Unit<V, K> {
    /// Begins a transaction under the person's own session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(places: &Places, authorized: Authorized<V, K>) -> Result<Self, Problem> {
        let mut transaction = places.main.begin().await?;
        store::enter(&mut transaction, &authorized.who().lookup).await?;
        let touched = authorized.record().into_iter().collect();
        let places = places.clone();
        Ok(Self { authorized, transaction, places, marks: Vec::new(), touched, erase: Vec::new() })
    }

    pub fn authorized(&self) -> &Authorized<V, K> {
        &self.authorized
    }

    #[must_use]
    pub fn who(&self) -> Arc<Who> {
        Arc::clone(self.authorized.who())
    }

    #[must_use]
    pub fn account(&self) -> AccountId {
        self.authorized.who().account
    }

    /// The record that this unit is about; nil before one is created.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.authorized.record().unwrap_or_default()
    }

    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.places.clock.now()
    }

    /// For the capability's own SQL.
    pub(crate) fn sql(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    pub(crate) fn with_trust(&mut self) -> (&mut PgConnection, &Trust) {
        (&mut self.transaction, &self.places.trust)
    }

    /// Whether this unit itself named the record.
    #[must_use]
    pub fn has_touched(&self, record: Uuid) -> bool {
        self.touched.contains(&record)
    }

    /// Names a record that this unit creates or changes without sealing anything.
    pub fn touch(&mut self, record: Uuid) {
        self.touched.push(record);
    }

    /// Whether there is nothing to commit yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.marks.is_empty() && self.touched.is_empty()
    }

    /// Writes the entries and commits. When this returns, both are durable.
    ///
    /// # Errors
    /// When the ledger or the database refuses, nothing was stored. When the outcome of the commit is unknown the
    /// problem says so, and the same Idempotency-Key finds out.
    pub async fn commit(mut self) -> Result<Committed, Problem> {
        let entries = self.entries();
        let mut lane = self.places.ledger.lane().await;
        self.places.ledger.write(&mut self.transaction, &mut lane, &entries).await?;
        if let Err(error) = self.transaction.commit().await {
            // The lane stays uncertain and is closed.
            drop(lane);
            return Err(unknown_outcome(error));
        }
        lane.committed();
        for key in self.erase {
            // What is left behind if this fails opens nothing: its wraps are gone. The sweeper comes again.
            if let Err(error) = store::delete_erasure_key(&self.places.erasure, key).await {
                tracing::error!(%error, "an erasure key outlived its record");
            }
        }
        Ok(Committed(()))
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |records: Vec<Uuid>| self.authorized.entry(&self.places.clock, records);
        let mut entries: Vec<Entry> =
            self.marks.iter().map(|mark| Entry { mark: Some(*mark), ..entry(vec![mark.record]) }).collect();
        let mut rest = self.touched.clone();
        rest.retain(|record| !self.marks.iter().any(|mark| mark.record == *record));
        if entries.is_empty() || !rest.is_empty() {
            entries.push(entry(rest));
        }
        entries
    }
}

fn unknown_outcome(error: sqlx::Error) -> Problem {
    match &error {
        // The server answered and goes on: the transaction was rolled back. An answer that ends the connection, the
        // server's own or that of something between here and there, says nothing of the commit.
        sqlx::Error::Database(answer) if !ends_the_connection(answer.as_ref()) => error.into(),
        _ => Problem::away(
            "outcome_unknown",
            "The database went away while storing. Send the same again with the same Idempotency-Key: it is stored once.",
        ),
    }
}

fn ends_the_connection(answer: &dyn DatabaseError) -> bool {
    let severity = answer.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
    matches!(severity, Some(PgSeverity::Fatal | PgSeverity::Panic))
}
