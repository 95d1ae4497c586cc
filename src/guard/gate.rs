//! The gate: everybody who wants to do something to a record comes through here, and gets an [`Authorized`] or nothing.
//!
//! The gate finds out how the person stands to the record, asks the policy, and writes the refusal. It comes before
//! everything that looks at the record: preconditions, validation against it, its state, an idempotent replay. A refused
//! record and a missing one take the same way and give the same answer.

mod target;
mod work;

pub use target::Target;
pub use work::{About, Does, kinds, verbs};

use super::action::{Purpose, Relation, Verb};
use super::council::Council;
use super::policy::{Decision, DecisionTable};
use super::record::{CaseId, RecordKind};
use super::session::Who;
use super::store::{self, Found};
use crate::audit::entry::{Entry, Outcome};
use crate::audit::ledger::Ledger;
use crate::platform::clock::Clock;
use crate::platform::metrics;
use crate::platform::problem::Problem;
use sqlx::PgPool;
use std::marker::PhantomData;
use std::sync::Arc;
use uuid::Uuid;

/// Leave to do one thing to one record, for one person and purpose. Only the gate makes one; it is used once.
#[must_use = "the gate let somebody through for a reason"]
pub struct Authorized<V, K> {
    who: Arc<Who>,
    kind: RecordKind,
    record: Option<Uuid>,
    case: Option<CaseId>,
    relation: Relation,
    purpose: Option<Purpose>,
    leave: PhantomData<fn() -> (V, K)>,
}

impl<V: Does, K: About> Authorized<V, K> {
    #[must_use]
    pub fn who(&self) -> &Arc<Who> {
        &self.who
    }

    #[must_use]
    pub fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The record that was named; for creating and listing there is none.
    #[must_use]
    pub fn record(&self) -> Option<Uuid> {
        self.record
    }

    #[must_use]
    pub fn case(&self) -> Option<CaseId> {
        self.case
    }

    #[must_use]
    pub fn relation(&self) -> Relation {
        self.relation
    }

    /// The entry that says that it was done.
    #[must_use]
    pub fn entry(&self, clock: &Clock, records: Vec<Uuid>) -> Entry {
        Entry {
            at: clock.now(),
            account: self.who.account,
            organisation: Some(self.who.organisation),
            role: self.who.role(),
            relation: self.relation,
            verb: V::VERB,
            kind: self.kind,
            purpose: self.purpose,
            outcome: Outcome::Done,
            records,
            asked: None,
            about: self.case.map(|case| case.0).or(self.record),
            mark: None,
            erased: None,
            turn: None,
        }
    }
}

/// Leave, or what somebody gets who has none: see `Gate::authorize_or`.
pub enum Passed<V, K, T> {
    Leave(Authorized<V, K>),
    Instead(T),
}

/// Decides with the policy's table, from relations found in the database under the person's own session.
pub struct Gate {
    policy: Arc<DecisionTable>,
    council: Arc<Council>,
    ledger: Arc<Ledger>,
    pool: PgPool,
    clock: Clock,
}

impl Gate {
    #[must_use]
    pub fn new(
        policy: Arc<DecisionTable>,
        council: Arc<Council>,
        ledger: Arc<Ledger>,
        pool: PgPool,
        clock: Clock,
    ) -> Self {
        Self { policy, council, ledger, pool, clock }
    }

    /// Lets the person through or writes the refusal.
    ///
    /// # Errors
    /// 404 for a named record, whatever the reason; 403 for a kind of work that the role never does and that names no
    /// record; 422 when no purpose is stated for a read; 503 when the refusal could not be recorded.
    pub async fn authorize<V: Does, K: About>(
        &self,
        who: &Arc<Who>,
        target: Target,
        purpose: Option<Purpose>,
    ) -> Result<Authorized<V, K>, Problem> {
        self.open(target.kind())?;
        let relations = self.relations(who, target).await?;
        self.decide(who, target, purpose, relations).await
    }

    /// [`Self::authorize`], where a refusal is written only when `instead` finds nothing: what the person was given before.
    ///
    /// # Errors
    /// As [`Self::authorize`], and those of `instead`.
    pub(crate) async fn authorize_or<V: Does, K: About, T>(
        &self,
        who: &Arc<Who>,
        target: Target,
        purpose: Option<Purpose>,
        instead: impl Future<Output = Result<Option<T>, Problem>>,
    ) -> Result<Passed<V, K, T>, Problem> {
        self.open(target.kind())?;
        let relations = self.relations(who, target).await?;
        if self.allowed::<V, K>(who, target, purpose, &relations).is_none()
            && let Some(found) = instead.await?
        {
            let repeated = self.without_leave::<V>(who, target, purpose, &relations, Outcome::Repeated);
            self.ledger.enter(repeated).await.map_err(ledger_problem)?;
            return Ok(Passed::Instead(found));
        }
        self.decide(who, target, purpose, relations).await.map(Passed::Leave)
    }

    /// [`Self::authorize`] with the relations to the case that the same round trip found which found the session.
    ///
    /// # Errors
    /// As [`Self::authorize`]; a fault for what was found of somebody else, or of another case.
    pub(crate) async fn authorize_found<V: Does, K: About>(
        &self,
        who: &Arc<Who>,
        target: Target,
        purpose: Option<Purpose>,
        found: Found,
    ) -> Result<Authorized<V, K>, Problem> {
        self.open(target.kind())?;
        let relations = target.case().and_then(|case| found.of(who.account, case));
        let relations = relations.ok_or_else(|| Problem::fault("a relation was found of another person or case"))?;
        self.decide(who, target, purpose, or_stranger(relations)).await
    }

    fn open(&self, kind: RecordKind) -> Result<(), Problem> {
        self.council.open(kind)?;
        if self.ledger.is_closed() {
            return Err(Problem::away(
                "structure_changed",
                "A database is not as it was set up, so nothing is shown or stored. Tell the administrator, and telephone.",
            ));
        }
        Ok(())
    }

    async fn decide<V: Does, K: About>(
        &self,
        who: &Arc<Who>,
        target: Target,
        purpose: Option<Purpose>,
        relations: Vec<Relation>,
    ) -> Result<Authorized<V, K>, Problem> {
        let (kind, role) = (target.kind(), who.role());
        if let Some(relation) = self.allowed::<V, K>(who, target, purpose, &relations) {
            return Ok(Authorized {
                who: Arc::clone(who),
                kind,
                record: target.named(),
                case: target.case(),
                relation,
                purpose,
                leave: PhantomData,
            });
        }
        let refusal = self.without_leave::<V>(who, target, purpose, &relations, Outcome::Refused);
        metrics::refused();
        self.ledger.enter(refusal).await.map_err(ledger_problem)?;
        // Asked of everybody who ever does this work, whatever record is named: it tells nothing of the record.
        if purpose.is_none() && asks_purpose(kind, V::VERB) && self.policy.ever_does(role, kind, V::VERB) {
            let words: Vec<&str> = Purpose::ALL.iter().map(|purpose| purpose.as_str()).collect();
            let message = format!("says why you read: send one Purpose header with one of: {}", words.join(", "));
            return Err(Problem::field("Purpose", message));
        }
        if target.named().is_some() {
            return Err(Problem::absent());
        }
        Err(Problem::not_your_work())
    }

    /// The entry of what somebody asked for whom the policy does not let through.
    fn without_leave<V: Does>(
        &self,
        who: &Who,
        target: Target,
        purpose: Option<Purpose>,
        relations: &[Relation],
        outcome: Outcome,
    ) -> Entry {
        Entry {
            at: self.clock.now(),
            account: who.account,
            organisation: Some(who.organisation),
            role: who.role(),
            relation: relations.first().copied().unwrap_or(Relation::None),
            verb: V::VERB,
            kind: target.kind(),
            purpose,
            outcome,
            records: target.named().into_iter().collect(),
            asked: None,
            about: target.case().map(|case| case.0),
            mark: None,
            erased: None,
            turn: None,
        }
    }

    /// By which of their relations the policy lets the person through.
    fn allowed<V: Does, K: About>(
        &self,
        who: &Who,
        target: Target,
        purpose: Option<Purpose>,
        relations: &[Relation],
    ) -> Option<Relation> {
        let (kind, role) = (target.kind(), who.role());
        relations.iter().copied().find(|relation| {
            K::admits(kind) && self.policy.decide(role, *relation, kind, V::VERB, purpose) == Decision::Allow
        })
    }

    async fn relations(&self, who: &Who, target: Target) -> Result<Vec<Relation>, Problem> {
        let found = match target {
            Target::Kind(_) => vec![],
            Target::Own(_, id) => {
                let own = id == who.account.0 || id == who.session.0;
                own.then_some(Relation::Oneself).into_iter().collect()
            }
            Target::Record(..)
            | Target::OnPlacement(..)
            | Target::OnCall(..)
            | Target::OnNotice(..)
            | Target::OnCase(..)
            | Target::OfOrganisation(..) => {
                let mut transaction = self.pool.begin().await?;
                store::enter(&mut transaction, &who.lookup).await?;
                let found = target::relations_in(&mut transaction, who, target).await?;
                // Given up, not awaited: it is rolled back on the way back into the pool.
                drop(transaction);
                found
            }
        };
        Ok(or_stranger(found))
    }
}

/// Everybody stands to everything at least as a stranger; the same one look-up is made for a missing record.
fn or_stranger(found: Vec<Relation>) -> Vec<Relation> {
    if found.is_empty() { vec![Relation::None] } else { found }
}

pub(crate) fn asks_purpose(kind: RecordKind, verb: Verb) -> bool {
    super::action::ALL_WORK.iter().any(|work| work.kind == kind && work.verb == verb && work.asks_purpose)
}

/// What a reader is told when the ledger did not take the entry.
#[must_use]
pub fn ledger_problem(error: Arc<crate::audit::ledger::LedgerError>) -> Problem {
    use crate::audit::ledger::LedgerError;
    match Arc::try_unwrap(error) {
        Ok(error) => error.into(),
        // A batch's error is shared by all who waited for it.
        Err(shared) => match &*shared {
            LedgerError::NoAuditor => LedgerError::NoAuditor.into(),
            LedgerError::Seal => LedgerError::Seal.into(),
            LedgerError::Full => LedgerError::Full.into(),
            LedgerError::Late => LedgerError::Late.into(),
            LedgerError::Unsigned => LedgerError::Unsigned.into(),
            LedgerError::Store(_) => {
                Problem::away("database_away", "The ledger's database does not answer, so nothing is shown or stored.")
            }
        },
    }
}
