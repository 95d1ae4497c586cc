//! The gate: everybody who wants to do something to a record comes through here, and gets an [`Authorized`] or nothing.
//!
//! The gate finds out how the person stands to the record, asks the policy, and writes the refusal. It comes before
//! everything that looks at the record: preconditions, validation against it, its state, an idempotent replay. A refused
//! record and a missing one take the same way and give the same answer.

use super::action::{Purpose, Relation, Verb};
use super::policy::{Decision, DecisionTable};
use super::record::{CaseId, RecordKind};
use super::session::Who;
use super::store::{self, Found};
use crate::audit::entry::{Entry, Outcome};
use crate::audit::ledger::Ledger;
use crate::platform::clock::Clock;
use crate::platform::metrics;
use crate::platform::problem::Problem;
use sqlx::{PgConnection, PgPool};
use std::marker::PhantomData;
use std::sync::Arc;
use uuid::Uuid;

/// A verb as a type, so that a permission to read is another type than one to write.
pub trait Does {
    const VERB: Verb;
}

/// A family of kinds as a type.
pub trait About {
    /// Whether a permission about this family may name this kind.
    fn admits(kind: RecordKind) -> bool;
}

/// Verbs as types.
pub mod verbs {
    use super::{Does, Verb};
    macro_rules! verbs {
        ($($name:ident)+) => {$(
            #[doc = concat!("The verb `", stringify!($name), "`.")]
            pub struct $name;
            impl Does for $name { const VERB: Verb = Verb::$name; }
        )+};
    }
    verbs! {
        Create List Read Write HandOver Close Append Acknowledge Return Accept Assign Unassign Found Countersign Propose
        Disable Renew Decline Consent Transport Admit Transfer Exit Share Withdraw
    }
}

/// Kinds as types; the six sections are one family, told apart by the kind within.
pub mod kinds {
    use super::{About, RecordKind};
    macro_rules! kinds {
        ($($name:ident => $($kind:ident)|+,)+) => {$(
            #[doc = concat!("Records of the family `", stringify!($name), "`.")]
            pub struct $name;
            impl About for $name {
                fn admits(kind: RecordKind) -> bool { matches!(kind, $(RecordKind::$kind)|+) }
            }
        )+};
    }
    kinds! {
        Call => Call,
        Slip => Slip,
        Notice => Notice,
        Case => Case,
        Person => Person,
        Section => Identity | ContactAndSafety | Narrative | Care | Legal | Investigation,
        CaseNote => CaseNote,
        Attachment => Attachment,
        Accommodation => Accommodation,
        Address => Address,
        Placement => Placement,
        Arrival => Arrival,
        Care => Care,
        Consent => Consent,
        Training => Training,
        SharedKey => Intake | Review | Ledger,
        Organisation => Organisation,
        Account => Account,
        Membership => Membership,
        Colleague => Colleague,
        Session => Session,
        Status => Status,
        LedgerEntry => Ledger,
        Task => Task,
        Alert => Alert,
        Workload => Workload,
        Assignment => Assignment,
        Direction => Direction,
        Shift => Shift,
        Absence => Absence,
    }
}

/// What somebody wants to do something to.
#[derive(Clone, Copy)]
pub enum Target {
    /// Work that names no record yet: creating, listing.
    Kind(RecordKind),
    /// A call, a notice, the slip of one, a house, a consent; a task, an alert, a shift, an absence.
    Record(RecordKind, Uuid),
    /// A placement, or what hangs on it: where the person arrives, the care, the consents.
    OnPlacement(RecordKind, Uuid),
    /// Something that hangs on a call, and the call.
    OnCall(RecordKind, Uuid, Uuid),
    /// Something that hangs on a notice, and the notice.
    OnNotice(RecordKind, Uuid, Uuid),
    /// A case, or something on it: a section, a note, a person, an attachment.
    OnCase(RecordKind, CaseId, Uuid),
    /// Something of an organisation: its founding, its members.
    OfOrganisation(RecordKind, Uuid, Uuid),
    /// The person's own account or session.
    Own(RecordKind, Uuid),
}

impl Target {
    const fn kind(self) -> RecordKind {
        match self {
            Self::Kind(kind)
            | Self::Record(kind, _)
            | Self::OnPlacement(kind, _)
            | Self::OnCall(kind, ..)
            | Self::OnNotice(kind, ..)
            | Self::OnCase(kind, ..)
            | Self::OfOrganisation(kind, ..)
            | Self::Own(kind, _) => kind,
        }
    }

    const fn named(self) -> Option<Uuid> {
        match self {
            Self::Kind(_) => None,
            Self::Record(_, id)
            | Self::OnPlacement(_, id)
            | Self::OnCall(_, _, id)
            | Self::OnNotice(_, _, id)
            | Self::OnCase(_, _, id)
            | Self::OfOrganisation(_, _, id)
            | Self::Own(_, id) => Some(id),
        }
    }

    const fn case(self) -> Option<CaseId> {
        match self {
            Self::OnCase(_, case, _) => Some(case),
            _ => None,
        }
    }
}

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
            mark: None,
        }
    }
}

/// Decides with the policy's table, from relations found in the database under the person's own session.
pub struct Gate {
    policy: Arc<DecisionTable>,
    ledger: Arc<Ledger>,
    pool: PgPool,
    clock: Clock,
}

impl Gate {
    #[must_use]
    pub fn new(policy: Arc<DecisionTable>, ledger: Arc<Ledger>, pool: PgPool, clock: Clock) -> Self {
        Self { policy, ledger, pool, clock }
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
        self.open()?;
        let relations = self.relations(who, target).await?;
        self.decide(who, target, purpose, relations).await
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
        self.open()?;
        let relations = target.case().and_then(|case| found.of(who.account, case));
        let relations = relations.ok_or_else(|| Problem::fault("a relation was found of another person or case"))?;
        self.decide(who, target, purpose, or_stranger(relations)).await
    }

    fn open(&self) -> Result<(), Problem> {
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
        let allowed = relations.iter().copied().find(|relation| {
            K::admits(kind) && self.policy.decide(role, *relation, kind, V::VERB, purpose) == Decision::Allow
        });
        if let Some(relation) = allowed {
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
        let refusal = Entry {
            at: self.clock.now(),
            account: who.account,
            organisation: Some(who.organisation),
            role,
            relation: relations.first().copied().unwrap_or(Relation::None),
            verb: V::VERB,
            kind,
            purpose,
            outcome: Outcome::Refused,
            records: target.named().into_iter().collect(),
            mark: None,
        };
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
                let found = relations_in(&mut transaction, who, target).await?;
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

fn asks_purpose(kind: RecordKind, verb: Verb) -> bool {
    super::action::ALL_WORK.iter().any(|work| work.kind == kind && work.verb == verb && work.asks_purpose)
}

async fn relations_in(connection: &mut PgConnection, who: &Who, target: Target) -> Result<Vec<Relation>, sqlx::Error> {
    match target {
        Target::Record(RecordKind::Call, id) | Target::OnCall(_, id, _) => {
            store::relations_to_call(connection, who.account, id).await
        }
        Target::Record(RecordKind::Accommodation | RecordKind::Address, id) => {
            store::relations_to_house(connection, id).await
        }
        Target::OnPlacement(RecordKind::Care, id) => store::relations_to_care(connection, who.account, id).await,
        Target::OnPlacement(_, id) => store::relations_to_placement(connection, who.account, id).await,
        Target::Record(RecordKind::Consent, id) => store::relations_to_consent(connection, who.account, id).await,
        Target::Record(RecordKind::Session, id) => store::relations_to_session(connection, id).await,
        Target::Record(RecordKind::Task, id) => store::relations_to_task(connection, who.account, id).await,
        Target::Record(RecordKind::Alert, id) => store::relations_to_alert(connection, who.account, id).await,
        Target::Record(RecordKind::Direction, id) => store::relations_to_waiting_notice(connection, id).await,
        Target::Record(RecordKind::Shift, id) => store::relations_to_shift(connection, id).await,
        Target::Record(RecordKind::Absence, id) => store::relations_to_absence(connection, who.account, id).await,
        Target::Record(_, id) | Target::OnNotice(_, id, _) => {
            store::relations_to_notice(connection, who.account, id).await
        }
        Target::OnCase(_, case, _) => store::relations_to_case(connection, case.0).await,
        Target::OfOrganisation(_, organisation, _) => {
            let member = who.member.as_ref().is_some_and(|m| m.responsible && m.organisation.0 == organisation);
            let founder = organisation == who.organisation.0
                && store::is_founder(connection, who.account, who.organisation).await?;
            Ok((member || founder).then_some(Relation::ResponsibleOf).into_iter().collect())
        }
        Target::Kind(_) | Target::Own(..) => Ok(vec![]),
    }
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
            LedgerError::Store(_) => {
                Problem::away("database_away", "The ledger's database does not answer, so nothing is shown or stored.")
            }
        },
    }
}
