//! Configuration: one TOML file and `HIMAYA_…` environment variables over it; secrets only from files.

use ed25519_dalek::SigningKey;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Everything that can be set. Unknown fields are refused.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the service listens.
    pub listen: SocketAddr,
    pub database: DatabaseConfig,
    /// Folder with `model.conf` and `access.csv`.
    pub policies: PathBuf,
    /// File with the pinned fingerprints of founding statements, one a line.
    pub pins: PathBuf,
    /// Folder with the service's own secrets, each a file of 64 hexadecimal digits: `pepper`, `token`, `ledger`,
    /// `pseudonyms`.
    pub secrets: PathBuf,
    /// Folder outside the database into which each signed checkpoint is also written.
    pub checkpoints: PathBuf,
    /// First line of each checkpoint: the log's own name.
    pub log_origin: String,
    /// How many passphrases are stretched at once (64 MiB each).
    pub sign_ins_at_once: usize,
}

/// Connection addresses, one for each role: no role can do another's work.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    pub app: String,
    pub door: String,
    pub sequencer: String,
    pub auditor: String,
    pub sweeper: String,
    /// The erasure store: another database, best on another server.
    pub erasure: String,
    pub erasure_sweeper: String,
    /// Needed for `migrate` and `init` only.
    pub migrator: Option<String>,
    pub erasure_migrator: Option<String>,
    /// Connections of the app's pool.
    pub connections: u32,
}

/// Why the configuration is refused; the field or file is named.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("configuration: {0}")]
    Field(Box<figment::Error>),
    #[error("secret {name}: {reason}")]
    Secret { name: &'static str, reason: &'static str },
}

impl Config {
    /// Reads the file, then `HIMAYA_…` variables (`HIMAYA_DATABASE__APP` for `database.app`).
    ///
    /// # Errors
    /// [`ConfigError::Field`] names the field that is missing, unknown or wrong.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let defaults = serde_json::json!({
            "listen": "127.0.0.1:8080", "policies": "policies", "log_origin": "himaya.example/ledger",
            "sign_ins_at_once": 2, "database": { "connections": 16 }
        });
        Figment::from(Serialized::defaults(defaults))
            .merge(Toml::file_exact(file))
            .merge(Env::prefixed("HIMAYA_").ignore(&["PG_BIN", "TEST_PG", "CONFIG"]).split("__"))
            .extract()
            .map_err(|error| ConfigError::Field(Box::new(error)))
    }
}

/// The service's own secrets. A stolen database with all of them still opens no record.
pub struct Secrets {
    pub pepper: Zeroizing<[u8; 32]>,
    pub token: SigningKey,
    pub ledger: SigningKey,
    pub pseudonyms: Zeroizing<[u8; 32]>,
}

/// The names of the secret files.
pub const SECRET_FILES: [&str; 4] = ["pepper", "token", "ledger", "pseudonyms"];

impl Secrets {
    /// Reads the four files.
    ///
    /// # Errors
    /// [`ConfigError::Secret`] for a file that is missing, is readable by others, or is not 64 hexadecimal digits.
    pub fn read(folder: &Path) -> Result<Self, ConfigError> {
        let [pepper, token, ledger, pseudonyms] = SECRET_FILES;
        Ok(Self {
            pepper: secret(folder, pepper)?,
            token: SigningKey::from_bytes(&*secret(folder, token)?),
            ledger: SigningKey::from_bytes(&*secret(folder, ledger)?),
            pseudonyms: secret(folder, pseudonyms)?,
        })
    }
}

fn secret(folder: &Path, name: &'static str) -> Result<Zeroizing<[u8; 32]>, ConfigError> {
    use std::os::unix::fs::PermissionsExt as _;
    let wrong = |reason| ConfigError::Secret { name, reason };
    let file = folder.join(name);
    let about = std::fs::metadata(&file).map_err(|_| wrong("the file cannot be read"))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(wrong("the file can be read by others: make it 0600"));
    }
    let text = Zeroizing::new(std::fs::read_to_string(&file).map_err(|_| wrong("the file cannot be read"))?);
    crate::guard::statement::unhex(text.trim()).map(Zeroizing::new).map_err(|_| wrong("is not 64 hexadecimal digits"))
}

/// Makes the secrets that are not there yet, each in a file of its own that only the service can read.
///
/// # Errors
/// When the folder cannot be written.
pub fn make_secrets(folder: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for name in SECRET_FILES {
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name));
        match made {
            Ok(mut file) => {
                let secret = Zeroizing::new(crate::platform::random::bytes::<32>());
                writeln!(file, "{}", &*Zeroizing::new(crate::guard::statement::hex(&*secret)))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
