//! Whether the policy of this process may decide: two responsible persons have agreed to it (`trust/policy.rs`).
//!
//! Before the first agreement nothing is opened but what leads to it: people sign in, organisations are founded, and the two propose and
//! agree. A process with another policy than the agreed one is closed: people sign in there, and the two propose and countersign, so that
//! a repair can be signed wherever a process runs; nothing else, since what decides there was agreed to by nobody. In a trial (`production = false`) a policy decides until the first agreement was made; from then on only one that was agreed to, so
//! that a line of the configuration does not undo what two persons did. The latest agreement is also kept beside the checkpoints: a database
//! in which it is missing was rolled back.

mod kept;
mod told;

pub(crate) use kept::keep;

use super::policy::DecisionTable;
use super::record::{OrganisationId, RecordKind};
use super::statement::hex;
use super::trust::{Agreements, Trust, TrustError};
use crate::platform::clock::Clock;
use crate::platform::problem::Problem;
use sqlx::PgPool;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The file beside the checkpoints.
pub const KEPT: &str = "policy-agreed";

/// Every how many seconds it is looked whether the policy is still the one that two persons have agreed to.
const AGAIN: Duration = Duration::from_secs(2);

/// What was seen so long ago does not count any more: whoever holds a lock on the table would keep an agreement from being seen.
const STALE: Duration = Duration::from_secs(15);

/// How the policy of this process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Two have agreed to it.
    Agreed,
    /// Nobody has agreed to any yet.
    NoneYet,
    /// Another one was agreed to.
    Another,
}

/// What is opened at this process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opens {
    /// What it takes to sign that another policy decides.
    Repair = 0,
    /// What leads to the first agreement: also founding organisations.
    Founding = 1,
    /// What its policy allows.
    All = 2,
}

/// Why nobody knows, or the start is refused.
#[derive(Debug, thiserror::Error)]
pub enum CouncilError {
    #[error("what was agreed about the policy could not be read: {0}")]
    Store(#[from] sqlx::Error),
    #[error("what was agreed about the policy is not believed: {0}")]
    Trust(TrustError),
    #[error(
        "the database knows of fewer agreements about the policy than {} does: it was rolled back, or a pin was taken away. Find \
         out why before anything is served",
        .0.display()
    )]
    RolledBack(PathBuf),
    #[error(
        "{} names an agreement of organisation {organisation}, and now another one, or none, answers for the policy: one line of the \
         configuration, or one pin, does not undo what two persons did. Only when both of those persons want it is the file set aside",
        file.display()
    )]
    Handed { file: PathBuf, organisation: OrganisationId },
    #[error("{}: {why}", file.display())]
    Kept { file: PathBuf, why: std::io::Error },
}

impl From<TrustError> for CouncilError {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::Store(error) => Self::Store(error),
            error => Self::Trust(error),
        }
    }
}

/// Looks at the agreements, and remembers whether the policy of this process may decide.
pub struct Council {
    pool: PgPool,
    trust: Arc<Trust>,
    clock: Clock,
    policy: Arc<DecisionTable>,
    /// The organisation that the configuration names.
    named: Option<OrganisationId>,
    production: bool,
    kept: PathBuf,
    opens: AtomicU8,
    /// When somebody last saw what was agreed, once somebody looks regularly.
    looked: Mutex<Option<Instant>>,
}

/// What a council is told by the configuration.
pub struct CouncilConfig<'a> {
    pub named: Option<OrganisationId>,
    pub production: bool,
    pub checkpoints: &'a Path,
}

impl Council {
    #[must_use]
    pub fn new(
        pool: PgPool,
        trust: Arc<Trust>,
        policy: Arc<DecisionTable>,
        clock: Clock,
        told: &CouncilConfig<'_>,
    ) -> Self {
        let CouncilConfig { named, production, checkpoints } = *told;
        let kept = checkpoints.join(KEPT);
        Self {
            pool,
            trust,
            clock,
            policy,
            named,
            production,
            kept,
            opens: AtomicU8::new(Opens::Repair as u8),
            looked: Mutex::default(),
        }
    }

    /// The policy of this process.
    #[must_use]
    pub fn policy(&self) -> &DecisionTable {
        &self.policy
    }

    /// What was agreed, as far as it is believed.
    ///
    /// # Errors
    /// [`CouncilError`].
    pub async fn agreements(&self) -> Result<Option<Agreements>, CouncilError> {
        let mut connection = self.pool.acquire().await?;
        Ok(self.trust.policies(&mut connection, self.named).await?)
    }

    /// The organisation whose two responsible persons agree.
    ///
    /// # Errors
    /// [`CouncilError`].
    pub async fn keepers(&self) -> Result<Option<OrganisationId>, CouncilError> {
        let mut connection = self.pool.acquire().await?;
        let founding = self.trust.policy_keepers(&mut connection, self.named).await?;
        Ok(founding.map(|founding| founding.organisation))
    }

    /// Looks again. Whatever is wrong closes; only a database that does not answer says nothing.
    ///
    /// # Errors
    /// [`CouncilError`].
    pub async fn look(&self) -> Result<Standing, CouncilError> {
        match self.seen(true).await {
            Ok(standing) => {
                let opens = match standing {
                    Standing::Agreed => Opens::All,
                    Standing::NoneYet if !self.production => Opens::All,
                    Standing::NoneYet => Opens::Founding,
                    Standing::Another => Opens::Repair,
                };
                let before = self.opens.swap(opens as u8, Ordering::SeqCst);
                if before == Opens::All as u8 && opens != Opens::All {
                    tracing::error!("ALARM: the policy of this process was not agreed to: nothing is shown or stored");
                }
                Ok(standing)
            }
            Err(error @ CouncilError::Store(_)) => Err(error),
            Err(error) => {
                self.opens.store(Opens::Repair as u8, Ordering::SeqCst);
                Err(error)
            }
        }
    }

    /// Looks again and again, until the end. A look waits as long as the database makes it wait, with one connection; meanwhile
    /// what was seen before grows old.
    pub async fn watch(&self, mut stop: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(AGAIN);
        self.seen_now();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let looked = tokio::select! {
                looked = self.look() => looked,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match looked {
                Ok(_) => self.seen_now(),
                Err(error) => {
                    tracing::warn!(%error, "what was agreed about the policy was not looked at");
                    // What is not believed has closed already; nothing was seen only where nobody answered.
                    if !matches!(error, CouncilError::Store(_)) {
                        self.seen_now();
                    }
                }
            }
        }
    }

    fn seen_now(&self) {
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_stale(&self) -> bool {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|looked| looked.elapsed() > STALE)
    }

    /// How things stand, without keeping anything of it.
    ///
    /// # Errors
    /// [`CouncilError`].
    pub async fn standing(&self) -> Result<Standing, CouncilError> {
        self.seen(false).await
    }

    async fn seen(&self, keeps: bool) -> Result<Standing, CouncilError> {
        let agreements = self.agreements().await?;
        let kept = self.kept()?;
        let latest = agreements.as_ref().and_then(|all| Some((all.organisation(), all.in_force()?)));
        let now = latest.map(|(organisation, latest)| (organisation, latest.number));
        if let Some((organisation, number)) = kept {
            let answers = agreements.as_ref().map(Agreements::organisation).or(self.named);
            // In a trial too: otherwise whoever writes the configuration names an organisation of their own, and agrees with themselves.
            if answers.is_some_and(|answers| answers != organisation) {
                return Err(CouncilError::Handed { file: self.kept.clone(), organisation });
            }
            if now.is_none_or(|(_, latest)| latest < number) {
                return Err(CouncilError::RolledBack(self.kept.clone()));
            }
        }
        if let Some((organisation, latest)) = latest
            && keeps
            && kept != now
        {
            let text = format!("{organisation} {} {}\n", latest.number, hex(&latest.digest));
            keep(&self.kept, &text).map_err(|error| self.unkept(error))?;
        }
        Ok(match agreements {
            Some(all) if all.counts(&self.policy.hash(), self.clock.now()) => Standing::Agreed,
            Some(all) if all.in_force().is_some() => Standing::Another,
            _ => Standing::NoneYet,
        })
    }

    /// As [`Self::look`], for a process that starts: one whose policy is another one starts closed, and says what to do.
    ///
    /// # Errors
    /// [`CouncilError`].
    pub async fn look_at_start(&self) -> Result<Standing, CouncilError> {
        let standing = self.look().await?;
        if standing == Standing::Another {
            let told = self.told().await?;
            tracing::error!(
                "ALARM: this process starts closed, and opens nothing but what leads to an agreement: {told}"
            );
        }
        Ok(standing)
    }

    /// Whether this process opens nothing but a repair of its policy.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.opens.load(Ordering::SeqCst) == Opens::Repair as u8
    }

    /// What is refused while the policy of this process may not decide.
    ///
    /// # Errors
    /// 503, but for the kinds that lead to an agreement.
    pub fn open(&self, kind: RecordKind) -> Result<(), Problem> {
        let opens = self.opens.load(Ordering::SeqCst);
        if signs_a_repair(kind) {
            return Ok(());
        }
        // What leads to an agreement too: signing in makes keys for whom the policy of this process names.
        if self.is_stale() {
            return Err(Problem::away(
                "policy_unknown",
                "What was agreed about the policy cannot be read. Tell the administrator, and telephone.",
            ));
        }
        if opens == Opens::All as u8 || (opens >= Opens::Founding as u8 && leads_to_agreement(kind)) {
            return Ok(());
        }
        Err(Problem::away(
            "policy_not_agreed",
            "Two responsible persons have not agreed to the policy of this service, so nothing is shown or stored. Tell the \
             administrator, and telephone.",
        ))
    }
}

/// Signing in and agreeing. What these do is checked by signatures, or is the person's own: a policy that nobody agreed to gives nobody
/// anything by them.
const fn signs_a_repair(kind: RecordKind) -> bool {
    use RecordKind as K;
    matches!(kind, K::Session | K::Credential | K::Device | K::Policy | K::Succession)
}

/// Founding organisations, signing in and agreeing: no record of anybody who is protected.
const fn leads_to_agreement(kind: RecordKind) -> bool {
    use RecordKind as K;
    matches!(
        kind,
        K::Organisation
            | K::Account
            | K::Membership
            | K::Colleague
            | K::Session
            | K::Credential
            | K::Device
            | K::Intake
            | K::Review
            | K::Policy
            | K::Succession
    )
}
