//! The service, put together once at start and shared by every request.

use crate::audit::entry::Pseudonyms;
use crate::audit::keys::LogKeys;
use crate::audit::ledger::{Ledger, LedgerParts};
use crate::audit::note::NoteError;
use crate::audit::retention::Retention;
use crate::audit::retention::label::Labels;
use crate::audit::snooping::Lookout;
use crate::audit::store::newest_checkpoint;
use crate::audit::tiles::access::Verifiers;
use crate::audit::tiles::pruning::Pruning;
use crate::audit::witnesses::Witnesses;
use crate::guard::council::{Council, CouncilConfig, CouncilError};
use crate::guard::gate::Gate;
use crate::guard::look::Places;
use crate::guard::outage::Outages;
use crate::guard::passphrase::Stretcher;
use crate::guard::policy::{DecisionTable, PolicyError};
use crate::guard::sweep::Eraser;
use crate::guard::token::Tokens;
use crate::guard::tombstones::{self, TombstoneError};
use crate::guard::trust::Trust;
use crate::guard::vouch::Voucher;
use crate::platform::clock::Clock;
use crate::platform::config::{Config, ConfigError, Refusals, refusals};
use crate::platform::configured::Configured;
use crate::platform::db::{self, Databases};
use crate::platform::metrics;
use crate::platform::objects::{Objects, OpenError};
use crate::platform::ready::Readiness;
use crate::platform::schema::{Structure, StructureError};
use crate::platform::secrets::Secrets;
use crate::staff::issued::Issued;
use crate::staff::limits::Limits;
use crate::staff::oidc::Provider;
use crate::staff::passkeys::RelyingParty;
use chrono::TimeDelta;
use std::ops::Deref;
use std::sync::Arc;

/// A handle on the service; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What the service is made of.
pub struct Parts {
    pub places: Places,
    pub gate: Gate,
    pub policy: Arc<DecisionTable>,
    /// Whether two persons have agreed to it.
    pub council: Arc<Council>,
    pub tokens: Tokens,
    pub stretcher: Stretcher,
    pub limits: Limits,
    /// Who checks the ledger from outside.
    pub verifiers: Verifiers,
    /// From which entry on they are given the tree.
    pub pruning: Pruning,
    /// What the door gave out and knows again.
    pub issued: Issued,
    pub passkeys: RelyingParty,
    /// Who else names people; nothing where nobody does.
    pub oidc: Option<Provider>,
    pub databases: Databases,
    /// Counts who looks how much.
    pub lookout: Arc<Lookout>,
    /// Where the bytes of attachments lie; nothing where none are taken.
    pub objects: Option<Objects>,
    pub secrets: Arc<Secrets>,
    /// What the ledger was told of the settings.
    pub configured: Arc<Configured>,
    pub ready: Readiness,
    pub config: Config,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Refused(#[from] Refusals),
    #[error("the policy is refused: {0}")]
    Policy(#[from] PolicyError),
    #[error("the policy: {0}")]
    Council(#[from] CouncilError),
    #[error("a database does not answer: {0}")]
    Database(#[from] sqlx::Error),
    #[error("{0}")]
    Structure(#[from] StructureError),
    #[error("{0}")]
    Objects(#[from] OpenError),
    #[error("log_origin names no log: {0}")]
    Origin(#[from] NoteError),
    #[error("what was erased may be readable again, and cannot be erased: {0}")]
    Tombstones(#[from] TombstoneError),
}

impl App {
    /// What carries out the erasures that two persons confirmed.
    #[must_use]
    pub fn eraser(&self) -> Eraser {
        Eraser {
            sweeper: self.databases.sweeper.clone(),
            trust: Arc::clone(&self.places.trust),
            backups_kept: TimeDelta::days(self.config.erasure_backups_days.into()),
            checkpoints: self.config.checkpoints.clone(),
        }
    }

    /// What erases the details of entries whose time is over.
    ///
    /// # Errors
    /// [`Refusals`] when a witness's key is none.
    pub fn retention(&self) -> Result<Retention, Refusals> {
        Ok(Retention {
            reads: self.databases.auditor.clone(),
            erases: self.databases.retention.clone(),
            ledger: Arc::clone(&self.places.ledger),
            trust: Arc::clone(&self.places.trust),
            labels: Labels::new(self.secrets.pseudonyms.clone()),
            keys: self.secrets.ledger.clone(),
            origin: self.config.log_origin.clone(),
            witnesses: Witnesses::of(&self.config)?,
            config: self.config.retention.clone(),
            clock: self.places.clock.clone(),
        })
    }

    /// Reads secrets and policy, connects, and starts the ledger of this process.
    ///
    /// # Errors
    /// [`StartError`]; a service that is not whole does not start.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        metrics::recorder();
        let secrets = Arc::new(Secrets::read(&config).await?);
        LogKeys::of(&config.log_origin, &secrets.ledger.get())?;
        let policy = Arc::new(DecisionTable::from_dir(&config.policies).await?);
        refusals(&config, &secrets, &policy.hash()).or_none()?;
        let mut databases = db::connect(&config.database).await?;
        let objects = config.attachments.as_ref().map(|told| Objects::open(told, &config.secrets)).transpose()?;
        databases.sweeper.objects.clone_from(&objects);
        if let Some(kept) = &config.schema_pin {
            Structure::check(&databases, kept).await?;
        }
        // Before anybody is answered: somebody may have put an older database in place.
        tombstones::apply(&databases.sweeper, &config.checkpoints).await?;
        let voucher = Voucher::new(secrets.vouch.clone(), clock.clone());
        let trust = Arc::new(Trust::new(config.pins.clone(), Arc::clone(&policy), voucher));
        let told = CouncilConfig {
            named: config.policy_keepers,
            production: config.production,
            checkpoints: &config.checkpoints,
        };
        let (pool, asked) = (databases.app.clone(), Arc::clone(&trust));
        let council = Arc::new(Council::new(pool, asked, Arc::clone(&policy), clock.clone(), &told));
        let standing = council.look_at_start().await?;
        tracing::info!(?standing, "what was agreed about the policy");
        let lookout = Lookout::new(config.snooping.clone());
        let ledger = Ledger::start(LedgerParts {
            signing: secrets.ledger.clone(),
            pseudonyms: Pseudonyms::new(secrets.pseudonyms.clone()),
            labels: Labels::new(secrets.pseudonyms.clone()),
            policy: policy.hash(),
            clock: clock.clone(),
            trust: Arc::clone(&trust),
            pool: databases.ledger.clone(),
            lookout: Arc::clone(&lookout),
            checkpoints: config.checkpoints.clone(),
            witnessed: !config.witnesses.is_empty(),
        });
        // Known before the first entry is written: this process's clock may be behind the switch to another key.
        if let Ok(mut connection) = databases.sequencer.acquire().await
            && let Ok(Some(newest)) = newest_checkpoint(&mut connection).await
            && let Some(key) = LogKeys::of(&config.log_origin, &secrets.ledger.get())?.announced(&newest.note)
        {
            ledger.set_office(key);
        }
        let configured = Configured::begin(&config, &secrets, &ledger, &clock).await;
        let outages = Outages::new(
            databases.app.clone(),
            Arc::clone(&trust),
            Arc::clone(&policy),
            Arc::clone(&ledger),
            clock.clone(),
            config.checkpoints.clone(),
        );
        let places = Places {
            main: databases.app.clone(),
            visits: databases.visits.clone(),
            erasure: databases.erasure.clone(),
            ledger: Arc::clone(&ledger),
            outages,
            trust,
            clock: clock.clone(),
        };
        let gate = Gate::new(Arc::clone(&policy), Arc::clone(&council), ledger, databases.app.clone(), clock.clone());
        let oidc = Provider::open(&config, secrets.pepper.clone(), clock.clone())?;
        let verifiers = Verifiers::new(&config.ledger_verifiers);
        let limits = Limits::new(secrets.pepper.clone(), config.limits.clone());
        let passkeys = RelyingParty::new(config.passkeys.as_ref(), secrets.pseudonyms.clone())
            .map_err(|refusal| Refusals(vec![refusal]))?;
        let stretcher = Stretcher::new(secrets.pepper.clone(), config.sign_ins_at_once);
        Ok(Self(Arc::new(Parts {
            places,
            gate,
            policy,
            council,
            tokens: Tokens::new(secrets.token.clone()),
            stretcher,
            limits,
            verifiers,
            pruning: Pruning::new(config.retention.tiles),
            issued: Issued::new(secrets.pseudonyms.clone()),
            passkeys,
            lookout,
            oidc,
            databases,
            objects,
            secrets,
            configured: Arc::new(configured),
            ready: Readiness::default(),
            config,
        })))
    }

    /// The keys that sign the ledger, as they are known now.
    ///
    /// # Errors
    /// [`NoteError`] when the log's origin names none; then the service does not start.
    pub fn log_keys(&self) -> Result<LogKeys, NoteError> {
        LogKeys::of(&self.config.log_origin, &self.secrets.ledger.get())
    }
}
