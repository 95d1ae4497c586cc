//! Writing: a unit of work is one transaction that ends with its own entries in the ledger, or leaves no trace.
//!
//! A unit runs to its end once begun: the router runs each request in a task of its own, so a client that goes away
//! cancels nothing (sqlx 0.9.0 gives a connection back inside an open transaction when a `BEGIN` is cancelled).

use super::entry::Entry;
use crate::guard::gate::{About, Authorized, Does};
use crate::guard::look::Places;
use crate::guard::record::AccountId;
use crate::guard::session::Who;
use crate::guard::store;
use crate::guard::trust::Trust;
use crate::guard::vault::{self, Mark, Placement, Sealed, SealingKey, VaultError};
use crate::platform::problem::Problem;
use chrono::{DateTime, Utc};
use serde::Serialize;
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

    #[must_use]
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

    /// Names a record that this unit creates or changes without sealing anything.
    pub fn touch(&mut self, record: Uuid) {
        self.touched.push(record);
    }

    /// Fetches sealed records, unopened, to seal them again.
    ///
    /// # Errors
    /// [`VaultError`] when one of them is not as it was written.
    pub async fn fetch<T>(&mut self, records: &[Uuid]) -> Result<Vec<Sealed<T>>, VaultError> {
        let account = self.account();
        vault::fetch(&mut self.transaction, &self.places.erasure, &self.places.trust, account, records).await
    }

    /// Makes keys to seal under; their erasure keys are durable before anything uses them.
    ///
    /// # Errors
    /// When the erasure store does not answer.
    pub async fn new_keys(&self, ids: &[Uuid]) -> Result<Vec<SealingKey>, VaultError> {
        vault::new_keys(&self.places.erasure, ids).await
    }

    /// [`Self::new_keys`] for one.
    ///
    /// # Errors
    /// When the erasure store does not answer.
    pub async fn new_key(&self, id: Uuid) -> Result<SealingKey, VaultError> {
        self.new_keys(&[id]).await?.pop().ok_or(VaultError::NoKey)
    }

    /// Seals and stores one version of a record; the ledger will say so.
    ///
    /// # Errors
    /// [`VaultError`] as the database refuses.
    pub async fn put<T: Serialize>(
        &mut self,
        place: &Placement,
        key: &SealingKey,
        content: &T,
    ) -> Result<Mark, VaultError> {
        let who = self.who();
        let mark = vault::put(&mut self.transaction, who.account, &who.keys, place, key, content).await?;
        self.marks.push(mark);
        Ok(mark)
    }

    /// Seals a record again under another key without turning it into content.
    ///
    /// # Errors
    /// [`VaultError`] when it does not open, or as the database refuses.
    pub async fn put_again<T>(
        &mut self,
        place: &Placement,
        key: &SealingKey,
        sealed: &Sealed<T>,
    ) -> Result<Mark, VaultError> {
        let who = self.who();
        let plain = vault::decrypt(&who.keys, sealed)?;
        let mark = vault::put_bytes(&mut self.transaction, who.account, &who.keys, place, key, &plain).await?;
        self.marks.push(mark);
        Ok(mark)
    }

    /// Erases a record's erasure key once this unit is committed: not before, since a unit may still fail.
    pub fn erase_after_commit(&mut self, key: Uuid) {
        self.erase.push(key);
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
        let mut entries: Vec<Entry> = self
            .marks
            .iter()
            .map(|mark| Entry { mark: Some(*mark), ..entry(vec![mark.record]) })
            .collect();
        let mut rest = self.touched.clone();
        rest.retain(|record| !self.marks.iter().any(|mark| mark.record == *record));
        if entries.is_empty() || !rest.is_empty() {
            entries.push(entry(rest));
        }
        entries
    }
}

fn unknown_outcome(error: sqlx::Error) -> Problem {
    match error {
        // The server answered: the transaction was rolled back.
        sqlx::Error::Database(_) => error.into(),
        _ => Problem::away(
            "outcome_unknown",
            "The database went away while storing. Send the same again with the same Idempotency-Key: it is stored once.",
        ),
    }
}
