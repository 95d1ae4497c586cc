//! `himaya init`: from an empty PostgreSQL to a service that can start, with nobody in it but the administrators-to-be.
//!
//! It makes the roles, both databases, the service's own secrets, an empty file of pins and a configuration, and one
//! organisation, the technical administrator, with three empty accounts. Their people make their own keys at their first
//! sign-in and found the organisation like every other; until then nobody can do anything.

pub(crate) mod store;

pub use store::make_database;

use crate::guard::record::{AccountId, OrganisationId};
use crate::guard::statement::{OrganisationKind, hex};
use crate::platform::config::{Config, DatabaseConfig, make_secrets};
use crate::platform::db::{self, MigrateError};
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
    /// Where configuration, secrets, pins and checkpoints go.
    pub folder: PathBuf,
    /// Where the policies lie.
    pub policies: PathBuf,
    /// Name of the main database; the erasure store is called the same with `_erasure` behind it.
    pub database: String,
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
    #[error("a database is named with lower-case letters, digits and underscores")]
    Name,
}

/// Sets everything up.
///
/// # Errors
/// [`SetupError`] with the step that failed.
pub async fn init(plan: &Plan, clock: &Clock) -> Result<Founded, SetupError> {
    let config = databases(plan).await?;
    make_secrets(&config.secrets)?;
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
    let superuser = PgConnectOptions::from_str(&plan.superuser)?;
    let mut connection = superuser.connect().await?;
    store::make_roles(&mut connection).await?;
    let passwords = store::LOGINS.map(|role| (role, hex(&random::bytes::<24>())));
    store::set_passwords(&mut connection, &passwords).await?;
    for name in [&main, &erasure] {
        store::make_database(&mut connection, name).await?;
    }
    connection.close().await?;
    for name in [&main, &erasure] {
        let mut connection = PgConnection::connect_with(&superuser.clone().database(name)).await?;
        store::own_schema(&mut connection).await?;
        connection.close().await?;
    }
    let url = |role: &str, database: &str| {
        let password = passwords.iter().find(|(known, _)| *known == role).map(|(_, password)| password.as_str());
        address(&plan.superuser, role, password.ok_or(SetupError::Name)?, database)
    };
    let database = DatabaseConfig {
        app: url("himaya_app", &main)?,
        door: url("himaya_door", &main)?,
        sequencer: url("himaya_sequencer", &main)?,
        auditor: url("himaya_auditor", &main)?,
        sweeper: url("himaya_sweeper", &main)?,
        erasure: url("himaya_app", &erasure)?,
        erasure_sweeper: url("himaya_sweeper", &erasure)?,
        migrator: Some(url("himaya_migrator", &main)?),
        erasure_migrator: Some(url("himaya_migrator", &erasure)?),
        connections: 16,
    };
    db::migrate(&url("himaya_migrator", &main)?, &url("himaya_migrator", &erasure)?).await?;
    Ok(Config {
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 8080)),
        database,
        policies: plan.policies.clone(),
        pins: plan.folder.join("pins"),
        secrets: plan.folder.join("secrets"),
        checkpoints: plan.folder.join("checkpoints"),
        log_origin: "himaya.example/ledger".to_owned(),
        sign_ins_at_once: 2,
    })
}

/// The superuser's address with another role, password and database.
fn address(superuser: &str, role: &str, password: &str, database: &str) -> Result<String, SetupError> {
    // postgres://user:password@host:port/database?options
    let rest = superuser.split_once('@').map(|(_, rest)| rest).ok_or(SetupError::Name)?;
    let (host, after) = rest.split_once('/').ok_or(SetupError::Name)?;
    let options = after.split_once('?').map(|(_, options)| format!("?{options}")).unwrap_or_default();
    Ok(format!("postgres://{role}:{password}@{host}/{database}{options}"))
}

fn write_config(file: &Path, config: &Config) -> Result<(), SetupError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let text = toml::to_string_pretty(config).map_err(|error| SetupError::Config(error.to_string()))?;
    let mut options = std::fs::OpenOptions::new();
    // It holds the database roles' passwords.
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
