//! Reading: a look fetches what row-level security shows to the person, holds no transaction while it waits, and ends in
//! a receipt.

use super::gate::{About, Authorized, Does, ledger_problem};
use super::outage::Outages;
use super::record::AccountId;
use super::store::{self, SealedRow};
use super::trust::{Member, Trust};
use super::vault::{self, Sealed, VaultError};
use crate::audit::asked::Asked;
use crate::audit::entry::Entry;
use crate::audit::ledger::Ledger;
use crate::audit::mark::Mark;
use crate::audit::receipt::Receipt;
use crate::platform::clock::Clock;
use crate::platform::problem::Problem;
use crate::platform::{metrics, random};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// What a look and a unit of work need of the service.
#[derive(Clone)]
pub struct Places {
    pub main: PgPool,
    /// Finds out who asks, and nothing else.
    pub visits: PgPool,
    pub erasure: PgPool,
    pub ledger: Arc<Ledger>,
    /// Who goes on reading while the ledger lacks something.
    pub outages: Arc<Outages>,
    pub trust: Arc<Trust>,
    pub clock: Clock,
}

/// Waits until the entry of a read is durable.
async fn conclude<V: Does, K: About>(
    authorized: Authorized<V, K>,
    places: &Places,
    named: Vec<Uuid>,
    asked: Option<Asked>,
    versions: Vec<(Uuid, i64)>,
) -> Result<Receipt, Problem> {
    let mut entry = Entry { asked, ..authorized.entry(&places.clock, named) };
    let lacks = if versions.is_empty() { vec![] } else { places.ledger.lacks() };
    for lack in lacks {
        let outage = places.outages.opens(authorized.who().member.as_deref(), entry.relation, lack);
        let outage = outage.ok_or_else(|| Problem::from(lack))?;
        // One read, one mark: where it takes two outages, the entry names the one in spite of what it lacks first.
        entry.mark.get_or_insert_with(|| Mark::in_outage(outage.0, random::bytes()));
    }
    if entry.mark.is_some() {
        metrics::read_in_outage();
    }
    places.ledger.enter_read(entry, versions).await.map_err(ledger_problem)
}

/// A look at one record that was fetched in the round trip which found the session: the gate has let its person read it
/// since. Like a [`Look`] it ends in a receipt; it holds no connection.
pub struct Glance<V, K> {
    authorized: Authorized<V, K>,
    places: Places,
}

impl<V: Does, K: About> Glance<V, K> {
    #[must_use]
    pub fn new(places: &Places, authorized: Authorized<V, K>) -> Self {
        Self { authorized, places: places.clone() }
    }

    /// The row that was fetched, unopened, with its erasure key.
    ///
    /// # Errors
    /// [`VaultError`] when it is not as it was written, or its author is not this one.
    pub(crate) async fn take<T>(&self, row: SealedRow, author: &Member) -> Result<Vec<Sealed<T>>, VaultError> {
        let authors = HashMap::from([(author.account.0, author.keys.sign)]);
        vault::with_erasure_keys(&self.places.erasure, &self.places.trust, vec![row], &authors).await
    }

    /// Waits until the entry is durable.
    ///
    /// # Errors
    /// When the entry is not durable: then nothing may be shown.
    pub async fn conclude(self, named: Vec<Uuid>, versions: Vec<(Uuid, i64)>) -> Result<Receipt, Problem> {
        conclude(self.authorized, &self.places, named, None, versions).await
    }

    /// Looks again, and longer: under the session, with everything that can happen in between.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look(self) -> Result<Look<V, K>, Problem> {
        Look::begin(&self.places, self.authorized).await
    }
}

/// A person's read of something that the gate let them read. SQL of a capability takes the look, and no id.
pub struct Look<V, K> {
    authorized: Authorized<V, K>,
    transaction: Transaction<'static, Postgres>,
    places: Places,
    asked: Option<Asked>,
}

impl<V: Does, K: About> Look<V, K> {
    /// Begins to look, under the person's own session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(places: &Places, authorized: Authorized<V, K>) -> Result<Self, Problem> {
        let mut transaction = places.main.begin().await?;
        store::enter(&mut transaction, &authorized.who().lookup).await?;
        Ok(Self { authorized, transaction, places: places.clone(), asked: None })
    }

    /// Now, by the service's clock.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.places.clock.now()
    }

    pub fn authorized(&self) -> &Authorized<V, K> {
        &self.authorized
    }

    #[must_use]
    pub fn account(&self) -> AccountId {
        self.authorized.who().account
    }

    /// The record that this look is about; listing names none.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.authorized.record().unwrap_or_default()
    }

    /// What is sought in the ledger: the entry tells it.
    pub(crate) fn ask(&mut self, asked: Asked) {
        self.asked = Some(asked);
    }

    /// For the capability's own SQL.
    pub(crate) fn sql(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    pub(crate) fn with_trust(&mut self) -> (&mut PgConnection, &Trust) {
        (&mut self.transaction, &self.places.trust)
    }

    /// Fetches sealed records, unopened; those that the person cannot unwrap are not there.
    ///
    /// # Errors
    /// [`VaultError`] when one of them is not as it was written.
    pub async fn fetch<T>(&mut self, records: &[Uuid]) -> Result<Vec<Sealed<T>>, VaultError> {
        vault::fetch(&mut self.transaction, &self.places.erasure, &self.places.trust, records).await
    }

    /// Ends the look: gives the connection back, then waits until the entry is durable. `named` are the records that the
    /// answer tells of, `versions` those that will be opened.
    ///
    /// # Errors
    /// When the entry is not durable: then nothing may be shown.
    pub async fn conclude(self, named: Vec<Uuid>, versions: Vec<(Uuid, i64)>) -> Result<Receipt, Problem> {
        // Given up, not awaited: it is rolled back on the way back into the pool, while the entry is written.
        drop(self.transaction);
        conclude(self.authorized, &self.places, named, self.asked, versions).await
    }

    /// Ends a look that found nothing after all: recorded like a refusal, and answered like one.
    pub async fn conclude_absent(self) -> Problem {
        let record = self.authorized.record().into_iter().collect();
        let mut entry = self.authorized.entry(&self.places.clock, record);
        entry.outcome = crate::audit::entry::Outcome::Refused;
        drop(self.transaction);
        match self.places.ledger.enter(entry).await {
            Ok(()) => Problem::absent(),
            Err(error) => ledger_problem(error),
        }
    }
}
