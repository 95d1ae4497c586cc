//! What a witness is told: where it listens, and whose checkpoints it sees. A file; variables `HIMAYA_WITNESS_…` stand over it.

use crate::audit::note::NoteVerifier;
use crate::guard::statement::unhex;
use crate::platform::config::{Listen, Refusal, Refusals, TlsConfig};
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Everything that can be set. Unknown fields are refused.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// `0.0.0.0:8443`, `127.0.0.1:8080`, or `unix:/run/witness/socket`.
    pub listen: Listen,
    /// Somebody else in front of the witness speaks TLS.
    pub behind_proxy: bool,
    /// The witness speaks TLS itself.
    pub tls: Option<TlsConfig>,
    /// What `himaya witness init` made: the key, and what was cosigned.
    pub folder: PathBuf,
    /// Whose checkpoints it sees.
    pub logs: Vec<LogConfig>,
}

/// A log.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The first line of its checkpoints.
    pub origin: String,
    /// Its public keys, the oldest first; one is enough where later ones are introduced (`himaya witness trust`).
    pub vkeys: Vec<String>,
    /// SHA-256 of the token that the log shows, in hexadecimal: without it nobody is answered about this log. Where none is
    /// set, whoever holds a signed checkpoint is.
    pub token_sha256: Option<String>,
}

impl LogConfig {
    /// The keys, the oldest first.
    ///
    /// # Errors
    /// What is wrong with one: a sentence that goes on after the field.
    pub(super) fn keys(&self) -> Result<Vec<NoteVerifier>, String> {
        let mut keys: Vec<NoteVerifier> = Vec::new();
        for vkey in &self.vkeys {
            let key: NoteVerifier = vkey.parse().map_err(|error| format!("holds {vkey}: {error}"))?;
            if key.name().as_str() != self.origin {
                return Err(format!("holds {vkey}, which is another log's than {}", self.origin));
            }
            if keys.contains(&key) {
                return Err(format!("holds {vkey} twice"));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            Err("is empty: name the key that the log's operator reads out".to_owned())
        } else {
            Ok(keys)
        }
    }

    /// The hash of the token, where one is asked for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn token(&self) -> Result<Option<[u8; 32]>, String> {
        let hash = self.token_sha256.as_deref().map(unhex).transpose();
        hash.map_err(|_| "is not a SHA-256 of 64 hexadecimal digits: `himaya witness token` prints one".to_owned())
    }
}

impl WitnessConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// The field that is missing, unknown or wrong.
    pub fn read(file: &Path) -> Result<Self, Box<figment::Error>> {
        let defaults = serde_json::json!({ "listen": "127.0.0.1:8089", "behind_proxy": false, "logs": [] });
        Figment::from(Serialized::defaults(defaults))
            .merge(Toml::file_exact(file))
            .merge(Env::prefixed("HIMAYA_WITNESS_").split("__"))
            .extract()
            .map_err(Box::new)
    }

    /// Sees that a witness can be this.
    ///
    /// # Errors
    /// [`Refusals`] names each field.
    pub fn check(&self) -> Result<(), Refusals> {
        let mut found = Vec::new();
        let mut refuse = |field: String, why: String| found.push(Refusal { field, why });
        if self.tls.is_none() && !self.behind_proxy && !self.listen.is_local() {
            let why = "is an address that others reach, and nobody speaks TLS there: set tls.certificate and tls.key, or \
                       behind_proxy = true if a proxy in front does";
            refuse("listen".to_owned(), why.to_owned());
        }
        if self.logs.is_empty() {
            refuse("logs".to_owned(), "is empty: name the log whose checkpoints are seen here".to_owned());
        }
        for (number, log) in self.logs.iter().enumerate() {
            if self.logs.iter().take(number).any(|other| other.origin == log.origin) {
                refuse(format!("logs[{number}].origin"), format!("is {} once more", log.origin));
            }
            if let Err(why) = log.keys() {
                refuse(format!("logs[{number}].vkeys"), why);
            }
            if let Err(why) = log.token() {
                refuse(format!("logs[{number}].token_sha256"), why);
            }
        }
        Refusals(found).or_none()
    }
}
