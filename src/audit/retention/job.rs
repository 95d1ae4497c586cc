//! Goes through the ledger from its beginning, batch by batch, and erases what entries say whose time is over.

use super::announced::{Announced, Periods};
use super::config::{Period, RetentionConfig};
use super::label::{Label, Labels};
use super::rules::{Class, is_over};
use super::statement::{Statement, mark};
use super::store::{self, Announcing, Labelled};
use super::told_time::Seen;
use crate::audit::entry::{Entry, Leaf, Outcome, Place};
use crate::audit::keys::LogKeys;
use crate::audit::ledger::{Ledger, LedgerError};
use crate::audit::tree;
use crate::audit::witnesses::Witnesses;
use crate::guard::action::{Relation, Role, Verb};
use crate::guard::record::{AccountId, RecordKind};
use crate::guard::trust::Trust;
use crate::platform::clock::Clock;
use crate::platform::random;
use crate::platform::secrets::{Live, LogKey};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// How often a pass begins.
const EVERY: Duration = Duration::from_hours(6);
/// How long it rests between two batches: others use the same database.
const REST: Duration = Duration::from_millis(100);
/// Positions that are looked at together; as many are erased at once at most (`erase_details`).
const BATCH: i64 = 1024;
/// Cosignatures that are deleted at once.
const THINNED: i32 = 5000;

/// Erases what is over.
#[derive(Clone)]
pub struct Retention {
    /// As the auditor: reads the ledger.
    pub reads: PgPool,
    /// As the sweeper: erases. One connection of its own.
    pub erases: PgPool,
    pub ledger: Arc<Ledger>,
    pub trust: Arc<Trust>,
    pub labels: Labels,
    pub keys: Live<LogKey>,
    pub origin: String,
    pub witnesses: Option<Witnesses>,
    pub config: RetentionConfig,
    pub clock: Clock,
}

/// What one pass did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Details that were erased.
    pub erased: u64,
    /// Entries whose time is over, kept since their case is open or under a hold.
    pub kept: u64,
    /// Cosignatures that nobody needs any more.
    pub thinned: u64,
    /// Entries whose label the service did not seal, or that are not as they were written: somebody changed the database. They are kept; and
    /// all are where one of them announces periods.
    pub strange: u64,
}

/// Why a pass ended early. The next one begins anew; what was erased stays so.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    #[error("the database does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error("no entry can be made of it: {0}")]
    Ledger(#[from] Arc<LedgerError>),
    #[error("the log's origin names no key")]
    Origin,
    #[error("the entries cannot be signed for by this service")]
    Seal,
}

/// An entry whose time is over, unless its case keeps it.
struct Over {
    position: i64,
    label: Label,
}

impl Retention {
    /// Goes through the whole ledger once. Where nobody outside says what time it is, nothing is erased.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub async fn pass(&self, stop: &watch::Receiver<bool>) -> Result<Passed, RetentionError> {
        let mut passed = Passed::default();
        let Some(witnesses) = &self.witnesses else { return Ok(passed) };
        let keys = LogKeys::of(&self.origin, &self.keys.get()).map_err(|_| RetentionError::Origin)?;
        passed.thinned = self.thin(witnesses, stop).await?;
        let clock = self.clock.now();
        let Some(served) = witnesses.served(&self.reads, &keys, clock).await? else { return Ok(passed) };
        // A clock that runs ahead makes nothing older than enough witnesses say that it is.
        let now = served.seen.min(clock);
        let seen = witnesses.history(&self.reads, &keys, &[], clock).await?;
        let size = store::tree_size(&self.reads).await?;
        let mut from = 0;
        while from < size && !*stop.borrow() {
            let upto = from.saturating_add(BATCH).min(size);
            let mut transaction = self.erases.begin().await?;
            if !store::alone(&mut transaction).await? {
                // Another replica is at it.
                return Ok(passed);
            }
            // Each time anew: another process may have announced a longer period just now.
            let announced = store::announcing(&self.reads).await?;
            let Some(periods) = self.periods(&announced, &keys, &seen, now, &mut passed) else { return Ok(passed) };
            let Some(shortest) = periods.shortest() else { return Ok(passed) };
            // Only now: what another one erased just before is not there any more.
            let rows = store::labelled(&self.reads, from, upto).await?;
            let looked = self.look(&rows, &keys, (&seen, now), &periods, &mut passed);
            let (erased, kept) = self.erase(&mut transaction, looked, now, &periods).await?;
            transaction.commit().await?;
            passed.erased += erased;
            passed.kept += kept;
            // Everything behind is younger: what was numbered late comes with a later pass.
            let hours = rows.iter().filter_map(|row| Leaf::parse(&row.leaf)).map(|leaf| leaf.hour);
            if hours.min().is_some_and(|oldest| !is_over(oldest, shortest, now)) {
                break;
            }
            from = upto;
            tokio::time::sleep(REST).await;
        }
        Ok(passed)
    }

    /// The periods that count now. Nothing is erased where none were announced long enough ago, or somebody changed an announcement.
    fn periods(
        &self,
        rows: &[Announcing],
        keys: &LogKeys,
        seen: &Seen,
        now: DateTime<Utc>,
        passed: &mut Passed,
    ) -> Option<Periods> {
        let mut announced = Announced::default();
        for row in rows {
            let numbered = tree::leaf_hash(&row.leaf).as_bytes()[..] == row.leaf_hash;
            let leaf = Leaf::parse(&row.leaf).filter(|_| numbered && keys.signer(&row.leaf, &row.signature).is_some());
            let Some((hour, periods)) = leaf.and_then(|leaf| Some((leaf.hour, Periods::announced(&leaf)?))) else {
                passed.strange += 1;
                return None;
            };
            announced.add(row.position, hour, periods, seen);
        }
        announced.now(now.timestamp().div_euclid(3600), &Periods::of(&self.config))
    }

    /// Which of these entries are over, by their own class and time.
    fn look(
        &self,
        rows: &[Labelled],
        keys: &LogKeys,
        (seen, now): (&Seen, DateTime<Utc>),
        periods: &Periods,
        passed: &mut Passed,
    ) -> Vec<Over> {
        let mut over = Vec::new();
        for row in rows {
            let place = Place { replica: row.replica, lane: row.lane, n: row.n };
            let leaf = Leaf::parse(&row.leaf).filter(|leaf| leaf.place == place);
            let (Some(leaf), Some(label)) = (leaf, self.labels.open(place, &row.label)) else {
                passed.strange += 1;
                continue;
            };
            let Period::Months(months) = periods.period(label.class) else { continue };
            let hour = seen.hour_of(row.position, leaf.hour);
            if !is_over(hour, months.max(label.class.floor()), now) {
                continue;
            }
            // Only now: whoever puts an older hour into a leaf cannot sign it.
            let numbered = tree::leaf_hash(&row.leaf).as_bytes()[..] == row.leaf_hash;
            if numbered && keys.signer(&row.leaf, &row.signature).is_some() {
                over.push(Over { position: row.position, label });
            } else {
                passed.strange += 1;
            }
        }
        over
    }

    /// Enters and erases what no case keeps, class by class; how many that were, and how many are kept.
    async fn erase(
        &self,
        connection: &mut PgConnection,
        over: Vec<Over>,
        now: DateTime<Utc>,
        periods: &Periods,
    ) -> Result<(u64, u64), RetentionError> {
        if over.is_empty() {
            return Ok((0, 0));
        }
        let about: Vec<Uuid> = over.iter().filter_map(|over| over.label.about).collect();
        let for_cases = store::kept_for_cases(connection, &about, now).await?;
        let (mut by_class, mut erased, mut kept): (BTreeMap<Class, Vec<i64>>, _, _) = (BTreeMap::new(), 0, 0);
        for Over { position, label } in over {
            if label.about.is_some_and(|about| for_cases.contains(&about)) {
                kept += 1;
            } else {
                by_class.entry(label.class).or_default().push(position);
                erased += 1;
            }
        }
        for (class, positions) in by_class {
            let Period::Months(months) = periods.period(class) else { continue };
            let id = random::uuid();
            let statement = Statement { class, months: months.max(class.floor()), positions };
            let text = statement.to_text();
            self.ledger.enter(self.entry(id, &statement, &text)).await?;
            let code = self.trust.voucher().retention(id, &text);
            store::erase(connection, id, &statement, &text, &*code).await?;
        }
        Ok((erased, kept))
    }

    /// The entry that tells it: nobody did it, and its time was over.
    fn entry(&self, id: Uuid, statement: &Statement, text: &str) -> Entry {
        Entry {
            at: self.clock.now(),
            account: AccountId(Uuid::nil()),
            organisation: None,
            role: Role::Unadmitted,
            relation: Relation::None,
            verb: Verb::Lapse,
            kind: RecordKind::Ledger,
            purpose: None,
            outcome: Outcome::Done,
            records: vec![id],
            asked: None,
            about: None,
            mark: Some(mark(id, text)),
            erased: Some(statement.told()),
            turn: None,
        }
    }

    /// Deletes cosignatures that nobody needs any more, as many as there are.
    async fn thin(&self, witnesses: &Witnesses, stop: &watch::Receiver<bool>) -> Result<u64, RetentionError> {
        let needed = i64::try_from(witnesses.needed()).unwrap_or(i64::MAX);
        let mut all = 0;
        while !*stop.borrow() {
            let mut transaction = self.erases.begin().await?;
            if !store::alone(&mut transaction).await? {
                break;
            }
            let gone = store::thin_cosignatures(&mut transaction, &witnesses.names(), needed, THINNED).await?;
            transaction.commit().await?;
            all += gone.unsigned_abs();
            if gone < i64::from(THINNED) {
                break;
            }
            tokio::time::sleep(REST).await;
        }
        Ok(all)
    }

    /// Passes now and every few hours, until `stop` says so.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut round = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = round.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            match self.pass(&stop).await {
                Ok(Passed { erased, kept, thinned, strange }) => {
                    if erased > 0 || thinned > 0 {
                        tracing::info!(
                            erased,
                            kept,
                            thinned,
                            "what entries said whose time was over, and cosignatures"
                        );
                    }
                    if strange > 0 {
                        tracing::error!(strange, "ALARM: entries are not as the service wrote them: verify the ledger");
                    }
                }
                Err(error) => tracing::warn!(%error, "what is over was not erased to the end; the next time goes on"),
            }
        }
    }
}
