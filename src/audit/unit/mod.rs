//! Writing: a unit of work is one transaction that ends with its own entries in the ledger, or leaves no trace.
//!
//! A unit runs to its end once begun: the router runs each request in a task of its own, so a client that goes away
//! cancels nothing (sqlx 0.9.0 gives a connection back inside an open transaction when a `BEGIN` is cancelled).

mod made;
mod rows;
mod sealing;
mod store;
mod trusting;

pub use self::rows::Taken;

use self::made::Made;
use super::entry::{Entry, Outcome};
use super::mark::{Mark, RowKind};
use super::retention::label::Turn;
use crate::guard::gate::{About, Authorized, Does, ledger_problem};
use crate::guard::look::Places;
use crate::guard::record::{AccountId, CaseId};
use crate::guard::session::Who;
use crate::guard::store::{discard_erasure_keys, enter};
use crate::guard::trust::Trust;
use crate::guard::vouch::Voucher;
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use sqlx::{PgConnection, Postgres, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The code of a commit of which nobody knows whether it was carried out.
pub const OUTCOME_UNKNOWN: &str = "outcome_unknown";

/// The only way to change a record. SQL of a capability takes the unit, and no bare permission.
pub struct Unit<V, K> {
    authorized: Authorized<V, K>,
    transaction: Transaction<'static, Postgres>,
    places: Places,
    marks: Vec<Mark>,
    touched: Vec<Uuid>,
    turn: Option<(Uuid, Turn)>,
    rows: BTreeMap<(RowKind, Uuid), i64>,
    erase: Vec<Uuid>,
    made: Made,
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
        enter(&mut transaction, &authorized.who().lookup).await?;
        let touched = authorized.record().into_iter().collect();
        let places = places.clone();
        let made = Made::new(&places.erasure);
        Ok(Self {
            authorized,
            transaction,
            places,
            marks: Vec::new(),
            touched,
            turn: None,
            rows: BTreeMap::new(),
            erase: Vec::new(),
            made,
        })
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

    /// What the service itself vouches for.
    pub(crate) fn voucher(&self) -> &Voucher {
        self.places.trust.voucher()
    }

    /// Whether this unit itself named the record.
    #[must_use]
    pub fn has_touched(&self, record: Uuid) -> bool {
        self.touched.contains(&record)
    }

    /// This case is opened or closed with the unit. At most one is.
    pub(crate) fn turns(&mut self, case: CaseId, turn: Turn) {
        self.turn = Some((case.0, turn));
    }

    /// Names a record that this unit creates or changes without sealing anything.
    pub fn touch(&mut self, record: Uuid) {
        self.touched.push(record);
    }

    /// Whether there is nothing to commit yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.marks.is_empty() && self.touched.is_empty() && self.rows.is_empty()
    }

    /// Writes the entries and commits. When this returns, both are durable.
    ///
    /// # Errors
    /// When the ledger or the database refuses, nothing was stored. When the outcome of the commit is unknown the
    /// problem says so, and the same Idempotency-Key finds out.
    pub async fn commit(mut self) -> Result<Committed, Problem> {
        self.mark_rows().await?;
        let entries = self.entries();
        let mut lane = self.places.ledger.lane().await;
        self.places.ledger.write(&mut self.transaction, &mut lane, &entries).await?;
        // From here on they may be in use: a key is not erased while nobody knows what became of its record.
        let made = self.made.take();
        if let Err(error) = self.transaction.commit().await {
            // The lane stays uncertain and is closed.
            drop(lane);
            let problem = unknown_outcome(error);
            if problem.code() != OUTCOME_UNKNOWN {
                self.made.add(&made);
            }
            return Err(problem);
        }
        lane.committed();
        if !self.erase.is_empty() {
            // What is left behind if this fails opens nothing: its wraps are gone. The sweeper erases it, and at once what two
            // persons erased.
            if let Err(error) = discard_erasure_keys(&self.places.erasure, &self.erase).await {
                tracing::error!(%error, "erasure keys outlived their records");
            }
        }
        Ok(Committed(()))
    }

    /// Ends a unit that came upon a record which the person may not see, or which is not there: recorded as a refusal, with
    /// the answer that is given for both.
    pub async fn refuse(self, record: Uuid, answer: Problem) -> Problem {
        let mut entry = self.authorized.entry(&self.places.clock, vec![record]);
        entry.outcome = Outcome::Refused;
        if let Err(error) = self.transaction.rollback().await {
            return error.into();
        }
        match self.places.ledger.enter(entry).await {
            Ok(()) => answer,
            Err(error) => ledger_problem(error),
        }
    }

    /// Enters that what this unit was begun for had been done before, and is answered again. Nothing else of the unit remains.
    ///
    /// # Errors
    /// When the entry is not durable: then nothing may be answered.
    pub(crate) async fn repeated(&self) -> Result<(), Problem> {
        let record = self.authorized.record().into_iter().collect();
        let entry = Entry { outcome: Outcome::Repeated, ..self.authorized.entry(&self.places.clock, record) };
        self.places.ledger.enter(entry).await.map_err(ledger_problem)
    }

    fn entries(&self) -> Vec<Entry> {
        let entry =
            |records: Vec<Uuid>| Entry { turn: self.turn, ..self.authorized.entry(&self.places.clock, records) };
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
            OUTCOME_UNKNOWN,
            "The database went away while storing. Send the same again with the same Idempotency-Key: it is stored once.",
        ),
    }
}

fn ends_the_connection(answer: &dyn DatabaseError) -> bool {
    let severity = answer.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
    matches!(severity, Some(PgSeverity::Fatal | PgSeverity::Panic))
}
