//! Who opens what lies in the files of secrets.

use super::token::{self, Token, TokenConfig};
use super::transit::{self, Transit, TransitConfig};
use super::{Named, Raw};
use crate::guard::statement::{hex, unhex};
use crate::platform::config::{Config, ConfigError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Who opens the secrets. None of these settings is a secret itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "provider", rename_all = "lowercase", deny_unknown_fields)]
pub enum KeeperConfig {
    /// They lie open in files that only the service reads: in the folder, or among systemd's credentials.
    #[default]
    Files,
    /// They lie open among systemd's credentials, and nowhere else.
    Credentials,
    /// They lie in files, sealed by the transit engine of HashiCorp Vault or OpenBao.
    Vault(TransitConfig),
    /// They lie in files, sealed by a key in a hardware security module.
    Pkcs11(TokenConfig),
}

/// What is refused where values are to be sealed.
const OPEN: &str = "lies open in its file, and secrets_keeper names who seals it: himaya keys seal";

/// Whether a value was sealed, by whomever.
pub(super) fn is_sealed(value: &str) -> bool {
    transit::is_sealed(value) || token::is_sealed(value)
}

/// Opens values as they lie in files, and seals new ones.
pub enum Keeper {
    Open,
    Vault(Box<Transit>),
    Pkcs11(Token),
}

impl Keeper {
    /// The one that the configuration names.
    ///
    /// # Errors
    /// [`ConfigError`] when it cannot be reached.
    pub fn of(config: &Config) -> Result<Self, ConfigError> {
        match &config.secrets_keeper {
            KeeperConfig::Files | KeeperConfig::Credentials => Ok(Self::Open),
            KeeperConfig::Vault(config) => Ok(Self::Vault(Box::new(Transit::new(config)?))),
            KeeperConfig::Pkcs11(config) => Ok(Self::Pkcs11(Token::new(config)?)),
        }
    }

    /// Opens a value.
    ///
    /// # Errors
    /// [`ConfigError`] when it is none.
    pub async fn open(&self, name: Named, value: &str) -> Result<Raw, ConfigError> {
        match self {
            Self::Open if is_sealed(value) => {
                Err(name.wrong("is sealed, and secrets_keeper does not say who opens it"))
            }
            Self::Open => unhex(value).map(Zeroizing::new).map_err(|_| name.wrong("is not 64 hexadecimal digits")),
            Self::Vault(_) | Self::Pkcs11(_) if !is_sealed(value) => Err(name.wrong(OPEN)),
            Self::Vault(transit) => transit.open(name, value).await,
            Self::Pkcs11(token) => token.open(name, value).await,
        }
    }

    /// Whether it seals: there is somebody to ask.
    #[must_use]
    pub const fn seals(&self) -> bool {
        !matches!(self, Self::Open)
    }

    /// A value as it is to lie in a file.
    ///
    /// # Errors
    /// [`ConfigError`] when it cannot be sealed.
    pub async fn seal(&self, name: Named, secret: &Raw) -> Result<Zeroizing<String>, ConfigError> {
        match self {
            Self::Open => Ok(Zeroizing::new(hex(&**secret))),
            Self::Vault(transit) => transit.seal(name, secret).await,
            Self::Pkcs11(token) => token.seal(name, secret).await,
        }
    }
}
