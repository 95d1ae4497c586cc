//! Configuration: one TOML file and `HIMAYA_…` environment variables over it; secrets only from files.
//!
//! `secrets` reads the files, `address` looks into database addresses, `attachments` is where files lie, `limits` how many
//! tries there are at the door, `production` what a real service must not be told. Each refusal names its field and what to do.

pub mod address;
mod attachments;
mod limits;
mod oidc;
mod passkeys;
mod patience;
mod production;
mod secrets;
mod verifiers;
mod witnesses;

pub use attachments::{AttachmentsConfig, S3Config, S3Keys, open_to_others};
pub use limits::LimitsConfig;
pub use oidc::OidcConfig;
pub use passkeys::PasskeysConfig;
pub use patience::Patience;
pub use production::{Refusal, Refusals, refusals, sink};
pub use secrets::keep_passwords;
pub(crate) use secrets::{make_folder, word as token_in};
pub use verifiers::LedgerVerifier;
pub use witnesses::LogWitnessConfig;

use super::secrets::KeeperConfig;
use crate::audit::retention::RetentionConfig;
use crate::audit::snooping::SnoopingConfig;
use crate::guard::record::OrganisationId;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Everything that can be set. Unknown fields are refused.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own, called by its name")]
pub struct Config {
    /// Whether victims' lives hang on it: then nothing is taken that only suits a trial (see [`refusals`]).
    pub production: bool,
    /// Where the service listens: `127.0.0.1:8080`, or `unix:/run/himaya/socket`.
    pub listen: Listen,
    /// Somebody else in front of the service speaks TLS: needed in production for an address that others reach. The last
    /// entry of their `X-Forwarded-For` is then the address under which tries are counted, so nobody else may reach it.
    pub behind_proxy: bool,
    /// The service speaks TLS itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Where `/metrics`, `/ready` and `/health` are answered without TLS, for the operator's own machines.
    pub metrics_listen: SocketAddr,
    /// How long requests under way may take when the service is told to end.
    pub stop_within_seconds: u64,
    pub database: DatabaseConfig,
    /// Folder with `model.conf` and `access.csv`.
    pub policies: PathBuf,
    /// The hash of the reviewed policy, as `himaya policy check` says it: no other policy decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_sha256: Option<String>,
    /// The organisation whose two responsible persons agree to each change of the policy. Without it, the only founded office of
    /// the coordinator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_keepers: Option<OrganisationId>,
    /// File with the pinned fingerprints of founding statements, one a line.
    pub pins: PathBuf,
    /// File with the fingerprints of both databases' structure, as `himaya migrate` kept it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_pin: Option<PathBuf>,
    /// Folder with the service's own secrets, each a file with a value a line: `pepper`, `token`, `ledger`, `pseudonyms`,
    /// `vouch`; and with the database roles' passwords, in files called like their field: `database.app`. The folder
    /// of systemd's credentials (`CREDENTIALS_DIRECTORY`) is looked into first.
    pub secrets: PathBuf,
    /// Who opens the service's own secrets.
    #[serde(default)]
    pub secrets_keeper: KeeperConfig,
    /// Folder outside the database into which each signed checkpoint is also written.
    pub checkpoints: PathBuf,
    /// First line of each checkpoint: the log's own name.
    pub log_origin: String,
    /// Whether this process sweeps once an hour, carries out erasures that two persons confirmed (`guard::sweep`), and erases what entries say
    /// when its time is over. Of several replicas at least one must.
    pub sweeps: bool,
    /// Whether this process looks at the clocks and raises alerts. Of several replicas at least one must.
    pub keeps_time: bool,
    /// Of how many `[[witnesses]]` a checkpoint needs the cosignature. For a quarter of an hour without, no record is opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnesses_needed: Option<usize>,
    /// For how many days a backup of the erasure store is kept at most: then a case that was erased is erased finally.
    #[serde(default = "kept")]
    pub erasure_backups_days: u16,
    /// How many passphrases are stretched at once (64 MiB each).
    pub sign_ins_at_once: usize,
    /// How many tries there may be at the door.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// When a person's day is told to the auditors.
    #[serde(default)]
    pub snooping: SnoopingConfig,
    /// For how long what the ledger's entries say is kept.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// To what people's passkeys are bound. Without it a trial is `localhost`, at any port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkeys: Option<PasskeysConfig>,
    /// Who else may name people. Without it nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcConfig>,
    /// Who checks the ledger from outside, besides the auditors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ledger_verifiers: Vec<LedgerVerifier>,
    /// Where attachments lie. Without it a trial takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<AttachmentsConfig>,
    /// Who watches the ledger from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<LogWitnessConfig>,
}

/// Certificate and key, both PEM. They are read again when they change, and on SIGHUP.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate and what leads to its root, its own first.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Connection addresses, one for each role: no role can do another's work. They hold no passwords in the file.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    pub app: String,
    pub door: String,
    pub sequencer: String,
    pub auditor: String,
    pub sweeper: String,
    pub timekeeper: String,
    /// The erasure store: another database, best on another server.
    pub erasure: String,
    pub erasure_sweeper: String,
    /// Needed for `migrate` and `init` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasure_migrator: Option<String>,
    /// Connections of the app's pool.
    pub connections: u32,
}

impl DatabaseConfig {
    /// Each address with its field's name, the optional ones where they are set.
    #[must_use]
    pub fn addresses(&self) -> Vec<(&'static str, &str)> {
        let Self {
            app,
            door,
            sequencer,
            auditor,
            sweeper,
            timekeeper,
            erasure,
            erasure_sweeper,
            migrator,
            erasure_migrator,
            ..
        } = self;
        let mut all = vec![
            ("database.app", app.as_str()),
            ("database.door", door),
            ("database.sequencer", sequencer),
            ("database.auditor", auditor),
            ("database.sweeper", sweeper),
            ("database.timekeeper", timekeeper),
            ("database.erasure", erasure),
            ("database.erasure_sweeper", erasure_sweeper),
        ];
        all.extend(migrator.as_deref().map(|address| ("database.migrator", address)));
        all.extend(erasure_migrator.as_deref().map(|address| ("database.erasure_migrator", address)));
        all
    }

    /// The same with every address changed.
    ///
    /// # Errors
    /// The first that `change` gives.
    pub fn change<E>(&self, mut change: impl FnMut(&'static str, &str) -> Result<String, E>) -> Result<Self, E> {
        let mut changed = self.clone();
        let Self {
            app,
            door,
            sequencer,
            auditor,
            sweeper,
            timekeeper,
            erasure,
            erasure_sweeper,
            migrator,
            erasure_migrator,
            ..
        } = &mut changed;
        let always = [app, door, sequencer, auditor, sweeper, timekeeper, erasure, erasure_sweeper].into_iter();
        let there = [migrator.as_mut(), erasure_migrator.as_mut()].into_iter().flatten();
        for ((field, old), new) in self.addresses().into_iter().zip(always.chain(there)) {
            // A migrator of one database only shifts nothing: the names come in the same order as the places.
            *new = change(field, old)?;
        }
        Ok(changed)
    }
}

/// Where the service listens.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Listen {
    /// Whether only this machine reaches it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err("a socket is named by its whole path: unix:/run/himaya/socket"),
            None => {
                text.parse().map(Self::Tcp).map_err(|_| "an address is like 127.0.0.1:8080 or unix:/run/himaya/socket")
            }
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Why the configuration is refused; the field or file is named.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("configuration: {0}")]
    Field(Box<figment::Error>),
    #[error("secret {name}: {reason}")]
    Secret { name: &'static str, reason: &'static str },
    #[error("secrets_keeper: {0}")]
    Keeper(String),
    /// Not to be tried again with the same PIN: a token locks after a few.
    #[error("secrets_keeper: {0}")]
    Login(String),
    #[error("{0}")]
    Refused(#[from] Refusals),
}

/// A month.
const fn kept() -> u16 {
    30
}

/// Variables that are read elsewhere and are no fields.
const NOT_FIELDS: [&str; 8] = [
    "PG_BIN",
    "TEST_PG",
    "TEST_PKCS11",
    "TEST_SOFTHSM_UTIL",
    "TEST_CHROMIUM",
    "CONFIG",
    "SUPERUSER_URL",
    "ERASURE_SUPERUSER_URL",
];

impl Config {
    /// Reads the file, then `HIMAYA_…` variables (`HIMAYA_DATABASE__APP` for `database.app`), then the passwords of the
    /// database roles from their files. A role without a file logs in as libpq would: by `PGPASSFILE` or `~/.pgpass`, or
    /// as the user that the system knows.
    ///
    /// # Errors
    /// [`ConfigError`] names the field that is missing, unknown or wrong.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let defaults = serde_json::json!({
            "production": false, "behind_proxy": false, "listen": "127.0.0.1:8080", "metrics_listen": "127.0.0.1:9464",
            "stop_within_seconds": 30, "policies": "policies", "log_origin": "himaya.example/ledger",
            "sweeps": true, "keeps_time": true, "sign_ins_at_once": 2, "database": { "connections": 16 }
        });
        let mut config: Self = Figment::from(Serialized::defaults(defaults))
            .merge(Toml::file_exact(file))
            .merge(Env::prefixed("HIMAYA_").ignore(&NOT_FIELDS).split("__"))
            .extract()
            .map_err(|error| ConfigError::Field(Box::new(error)))?;
        config.database = config.database.change(|field, address| {
            if address::has_password(address) {
                let why = "holds a password: put it into a file of this field's name in the folder `secrets`, and take it \
                           out here";
                return Err(ConfigError::from(Refusals::of(field, why)));
            }
            let password = secrets::password(&config.secrets, field)?;
            Ok(password.map_or_else(|| address.to_owned(), |password| address::with_password(address, &password)))
        })?;
        Ok(config)
    }

    /// How long requests under way may take at the end.
    #[must_use]
    pub fn stop_within(&self) -> Duration {
        Duration::from_secs(self.stop_within_seconds)
    }
}

#[cfg(test)]
mod tests;
