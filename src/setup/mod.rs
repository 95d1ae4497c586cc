//! `himaya init`: from an empty PostgreSQL to a service that can start, with nobody in it but the administrators-to-be.
//!
//! It makes the roles, both databases, the service's own secrets, an empty file of pins and a configuration, and one
//! organisation, the technical administrator, with three empty accounts. Their people make their own keys at their first
//! sign-in and found the organisation like every other; until then nobody can do anything.

pub(crate) mod store;

pub use store::make_database;

use crate::audit::retention::RetentionConfig;
use crate::audit::snooping::SnoopingConfig;
use crate::guard::record::{AccountId, OrganisationId};
use crate::guard::statement::{OrganisationKind, hex};
use crate::platform::config::{
    AttachmentsConfig, Config, DatabaseConfig, LimitsConfig, Listen, address, keep_passwords,
};
use crate::platform::db::{self, MigrateError};
use crate::platform::secrets::{self, KeeperConfig, SecretsFor};
use crate::platform::{clock::Clock, random};
use crate::staff::http::{ENROLMENT, enrolment_code};
use crate::staff::store::{NewAccountRow, insert_account, insert_organisation};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

/// What `init` is told.
pub struct Plan {
    /// A superuser of the PostgreSQL server, used once.
    pub superuser: String,
    /// The same of the server for the erasure store, where that is another one.
    pub erasure_superuser: Option<String>,
    /// Where configuration, secrets, pins and checkpoints go.
    pub folder: PathBuf,
    /// Where the policies lie.
    pub policies: PathBuf,
    /// Name of the main database; the erasure store is called the same with `_erasure` behind it.
    pub database: String,
    /// The log's own name, which never changes again.
    pub log_origin: String,
    /// Whom the secrets are made for.
    pub secrets: SecretsFor,
    /// Handles of the first three accounts: two responsible persons, and all three custodians.
    pub administrators: [String; 3],
}

/// What `init` made.
pub struct Founded {
    pub config: Config,
    pub config_file: PathBuf,
    pub organisation: OrganisationId,
    /// Handle and one-time enrolment code of each administrator-to-be, to be handed over one by one.
    pub codes: Vec<(String, AccountId, String)>,
}

/// Why `init` stopped. What it made so far stays and is found again by the next run.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the schema: {0}")]
    Migrate(#[from] MigrateError),
    #[error("a file: {0}")]
    File(#[from] std::io::Error),
    #[error("the configuration cannot be written: {0}")]
    Config(String),
    #[error("an account or organisation of this name is there already: this database was set up before")]
    SetUpBefore,
    #[error(
        "a database is named with lower-case letters, digits and underscores, and a server's address is like \
             postgres://user@host/postgres"
    )]
    Name,
}

/// Sets everything up.
///
/// # Errors
/// [`SetupError`] with the step that failed. [`SetupError::SetUpBefore`] comes first of all, and then nothing is changed: the
/// passwords and the configuration of an installation are not made anew by a mistake.
pub async fn init(plan: &Plan, clock: &Clock) -> Result<Founded, SetupError> {
    let main = PgConnectOptions::from_str(&plan.superuser)?.database(&plan.database);
    if store::is_set_up(&main).await? {
        return Err(SetupError::SetUpBefore);
    }
    let config = databases(plan).await?;
    secrets::make(&config.secrets, plan.secrets)?;
    std::fs::create_dir_all(&config.checkpoints)?;
    if !config.pins.exists() {
        std::fs::write(&config.pins, "# One fingerprint of a founding statement a line.\n")?;
    }
    let config_file = plan.folder.join("himaya.toml");
    write_config(&config_file, &config)?;
    let (organisation, codes) = first_organisation(plan, &config, clock).await?;
    Ok(Founded { config, config_file, organisation, codes })
}

/// Makes roles and databases and brings them to this version's schema; returns the configuration that reaches them.
///
/// # Errors
/// [`SetupError`] with the step that failed.
pub async fn databases(plan: &Plan) -> Result<Config, SetupError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if plan.database.is_empty() || plan.database.len() > 40 || !plan.database.chars().all(allowed) {
        return Err(SetupError::Name);
    }
    let (main, erasure) = (plan.database.clone(), format!("{}_erasure", plan.database));
    let (first, second) = match &plan.erasure_superuser {
        None => (server(&plan.superuser, &[&main, &erasure]).await?, None),
        Some(other) => (server(&plan.superuser, &[&main]).await?, Some(server(other, &[&erasure]).await?)),
    };
    let second = second.as_ref().unwrap_or(&first);
    let database = DatabaseConfig {
        app: first.url("himaya_app", &main)?,
        door: first.url("himaya_door", &main)?,
        sequencer: first.url("himaya_sequencer", &main)?,
        auditor: first.url("himaya_auditor", &main)?,
        sweeper: first.url("himaya_sweeper", &main)?,
        timekeeper: first.url("himaya_timekeeper", &main)?,
        erasure: second.url("himaya_app", &erasure)?,
        erasure_sweeper: second.url("himaya_sweeper", &erasure)?,
        migrator: Some(first.url("himaya_migrator", &main)?),
        erasure_migrator: Some(second.url("himaya_migrator", &erasure)?),
        connections: 16,
    };
    let kept = plan.folder.join("schema");
    let migrators = (first.url("himaya_migrator", &main)?, second.url("himaya_migrator", &erasure)?);
    db::check_structure(&migrators.0, &migrators.1, &kept).await?;
    db::migrate(&migrators.0, &migrators.1, Some(&kept)).await?;
    Ok(Config {
        production: false,
        listen: Listen::Tcp(std::net::SocketAddr::from(([127, 0, 0, 1], 8080))),
        behind_proxy: false,
        tls: None,
        metrics_listen: std::net::SocketAddr::from(([127, 0, 0, 1], 9464)),
        stop_within_seconds: 30,
        policy_sha256: None,
        policy_keepers: None,
        oidc: None,
        ledger_verifiers: Vec::new(),
        database,
        policies: plan.policies.clone(),
        pins: plan.folder.join("pins"),
        schema_pin: Some(plan.folder.join("schema")),
        secrets: plan.folder.join("secrets"),
        secrets_keeper: KeeperConfig::Files,
        checkpoints: plan.folder.join("checkpoints"),
        log_origin: plan.log_origin.clone(),
        sweeps: true,
        keeps_time: true,
        erasure_backups_days: 30,
        sign_ins_at_once: 2,
        limits: LimitsConfig::default(),
        snooping: SnoopingConfig::default(),
        retention: RetentionConfig::default(),
        passkeys: None,
        attachments: Some(AttachmentsConfig::in_folder(plan.folder.join("attachments"))),
        witnesses: vec![],
        witnesses_needed: None,
    })
}

/// A PostgreSQL server with its roles, and the passwords that they have there.
struct Server {
    superuser: String,
    passwords: [(&'static str, String); store::LOGINS.len()],
}

impl Server {
    /// The address at which a role opens a database.
    fn url(&self, role: &str, database: &str) -> Result<String, SetupError> {
        let password = self.passwords.iter().find(|(known, _)| *known == role).map(|(_, password)| password);
        let address = address::elsewhere(&self.superuser, role, database).ok_or(SetupError::Name)?;
        Ok(address::with_password(&address, password.ok_or(SetupError::Name)?))
    }
}

/// Makes the roles, with new passwords, and these databases on a server.
async fn server(superuser: &str, databases: &[&str]) -> Result<Server, SetupError> {
    let options = PgConnectOptions::from_str(superuser)?;
    let mut connection = options.connect().await?;
    store::make_roles(&mut connection).await?;
    let passwords = store::LOGINS.map(|role| (role, hex(&random::bytes::<24>())));
    store::set_passwords(&mut connection, &passwords).await?;
    for name in databases {
        store::make_database(&mut connection, name).await?;
    }
    connection.close().await?;
    for name in databases {
        let mut connection = PgConnection::connect_with(&options.clone().database(name)).await?;
        store::own_schema(&mut connection).await?;
        connection.close().await?;
    }
    Ok(Server { superuser: superuser.to_owned(), passwords })
}

fn write_config(file: &Path, config: &Config) -> Result<(), SetupError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let database = keep_passwords(&config.secrets, &config.database)?;
    let written = Config { database, ..config.clone() };
    let text = toml::to_string_pretty(&written).map_err(|error| SetupError::Config(error.to_string()))?;
    let mut options = std::fs::OpenOptions::new();
    // No secret stands in it, and yet it is nobody's business where the databases are.
    options.write(true).create(true).truncate(true).mode(0o600).open(file)?.write_all(text.as_bytes())?;
    Ok(())
}

async fn first_organisation(
    plan: &Plan,
    config: &Config,
    clock: &Clock,
) -> Result<(OrganisationId, Vec<(String, AccountId, String)>), SetupError> {
    let mut connection = PgConnection::connect(&config.database.door).await?;
    let mut transaction = connection.begin().await?;
    let (organisation, now) = (OrganisationId::random(), clock.now());
    let kind = OrganisationKind::Administrator.as_str();
    if !insert_organisation(&mut transaction, organisation, kind, "Technical administrator", now).await? {
        return Err(SetupError::SetUpBefore);
    }
    let mut codes = Vec::new();
    for (i, handle) in plan.administrators.iter().enumerate() {
        let (code, hash) = enrolment_code();
        let id = AccountId::random();
        let row = NewAccountRow {
            id,
            organisation,
            handle,
            responsible: i < 2,
            custodian: true,
            enrolment_hash: &hash,
            enrolment_expires_at: now + ENROLMENT,
            now,
        };
        if !insert_account(&mut transaction, &row).await? {
            return Err(SetupError::SetUpBefore);
        }
        codes.push((handle.clone(), id, code));
    }
    transaction.commit().await?;
    Ok((organisation, codes))
}
