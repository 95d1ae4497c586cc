//! The service's own secrets: what they are, where they lie, and how they are exchanged while it runs.
//!
//! `file` is how the values of one lie in a file, `versions` which of them is used, `keeper` who opens and seals them
//! (`transit`: Vault or OpenBao; `token`: PKCS#11), `fresh` reads them again when they change, `rotate` makes new ones and drops old ones.

pub mod file;
mod fresh;
mod keeper;
mod make;
mod needs;
mod rotate;
pub(crate) mod store;
mod token;
mod transit;
mod versions;

pub use fresh::keep_fresh;
pub use keeper::{Keeper, KeeperConfig};
pub use make::{SecretsFor, complete, make};
pub use needs::{Needs, needs};
pub use rotate::{LEAST_NOTICE, NOTICE, RotateError, Rotated, retire, rotate, seal};
pub use token::TokenConfig;
pub use transit::TransitConfig;
pub use versions::{Live, Version, Versions};

use crate::guard::keys::derive;
use crate::guard::statement::{hex, unhex};
use crate::guard::words::words;
use crate::platform::config::{Config, ConfigError};
use chrono::{DateTime, Utc};
use ed25519_dalek::{SigningKey, VerifyingKey};
use file::Line;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

words! {
    /// The secrets, called like their files.
    pub enum Named {
        /// Argon2id's own secret: without it nobody guesses passphrases, or signs in.
        Pepper = "pepper",
        /// Signs access tokens.
        Token = "token",
        /// Signs entries and checkpoints.
        Ledger = "ledger",
        /// People stand in the ledger under pseudonyms that follow from it.
        Pseudonyms = "pseudonyms",
        /// Vouches for what the service stored.
        Vouch = "vouch",
    }
}

/// 32 secret bytes.
pub type Raw = Zeroizing<[u8; 32]>;

/// A key that signs the ledger. Of one that was replaced long ago only the public half is kept.
#[derive(Clone)]
pub struct LogKey {
    pub public: VerifyingKey,
    pub signing: Option<SigningKey>,
}

impl From<SigningKey> for LogKey {
    fn from(key: SigningKey) -> Self {
        Self { public: key.verifying_key(), signing: Some(key) }
    }
}

/// The service's own secrets. A stolen database with all of them still opens no record.
pub struct Secrets {
    pub pepper: Live<Raw>,
    pub token: Live<SigningKey>,
    pub ledger: Live<LogKey>,
    pub pseudonyms: Live<Raw>,
    pub vouch: Live<Raw>,
    /// The names of those that a demonstration made.
    pub of_a_demo: Vec<&'static str>,
}

/// What stands in front of a key of which only the public half is kept.
const PUBLIC: &str = "public:";

/// A value as it lies in a file, opened.
enum Opened {
    Secret(Raw),
    Public(VerifyingKey),
}

impl Secrets {
    /// Reads the files, and has sealed ones opened.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that is missing, is readable by others, or holds no values, and for a keeper that does not
    /// open it.
    pub async fn read(config: &Config) -> Result<Self, ConfigError> {
        let keeper = Keeper::of(config)?;
        Self::read_with(&|name| place(config, name), &keeper, derives(config)).await
    }

    /// As they lie in the folder, whatever copies systemd handed over: for the commands that change them.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn of_folder(config: &Config) -> Result<Self, ConfigError> {
        let text = |name: Named| file::read(&config.secrets.join(name.as_str()), name.as_str(), 0o077);
        Self::read_with(&text, &Keeper::of(config)?, derives(config)).await
    }

    async fn read_with(
        text: &(impl Fn(Named) -> Result<Option<Zeroizing<String>>, ConfigError> + Sync),
        keeper: &Keeper,
        derives: bool,
    ) -> Result<Self, ConfigError> {
        let mut of_a_demo = Vec::new();
        let mut all = Vec::new();
        for name in Named::ALL.iter().copied() {
            let opened = match text(name)? {
                Some(text) => opened(name, &text, keeper).await?,
                // From before it had a file of its own: see `vouch_of_ledger`.
                None if name == Named::Vouch => Vec::new(),
                None => return Err(name.wrong("the file cannot be read: it is not there")),
            };
            if opened.iter().any(|(_, value)| matches!(value, Opened::Secret(secret) if make::is_of_a_demo(secret))) {
                of_a_demo.push(name.as_str());
            }
            all.push((name, opened));
        }
        let mut take = |wanted: Named| {
            let found = all.iter_mut().find(|(name, _)| *name == wanted);
            found.map(|(_, opened)| std::mem::take(opened)).unwrap_or_default()
        };
        let ledger = versions(Named::Ledger, take(Named::Ledger), |value| match value {
            Opened::Secret(secret) => Ok(LogKey::from(SigningKey::from_bytes(&secret))),
            Opened::Public(public) => Ok(LogKey { public, signing: None }),
        })?;
        let vouch = match take(Named::Vouch) {
            none if none.is_empty() => {
                // With a second key of the ledger there has been a file, and it was lost: what follows from the first key may
                // be another value.
                let follows = derives && ledger.iter().count() == 1;
                let key = ledger.oldest().value.signing.as_ref().filter(|_| follows);
                let key = key.ok_or_else(|| Named::Vouch.wrong("the file cannot be read: it is not there"))?;
                vec![(Line { value: Zeroizing::default(), from: None }, Opened::Secret(vouch_of_ledger(key)))]
            }
            some => some,
        };
        let secret = |name: Named, values| versions(name, values, |value| secret_of(name, value)).map(Live::new);
        Ok(Self {
            pepper: secret(Named::Pepper, take(Named::Pepper))?,
            token: Live::new(versions(Named::Token, take(Named::Token), |value| {
                secret_of(Named::Token, value).map(|secret| SigningKey::from_bytes(&secret))
            })?),
            pseudonyms: secret(Named::Pseudonyms, take(Named::Pseudonyms))?,
            vouch: secret(Named::Vouch, vouch)?,
            ledger: Live::new(ledger),
            of_a_demo,
        })
    }

    /// Whether all values are still there that nothing ever drops, as far as they were in use. A file that was lost, or that
    /// an old copy was put over, must not make a running service forget what it vouched for.
    ///
    /// # Errors
    /// [`ConfigError::Secret`] with the first that is not.
    pub fn are_all_in(&self, fresh: &Self, now: DateTime<Utc>) -> Result<(), ConfigError> {
        fn gone<T>(known: &Live<T>, fresh: &Live<T>, now: DateTime<Utc>) -> bool {
            let (known, fresh) = (known.get(), fresh.get());
            let mut used = known.iter().filter(|version| version.from.is_none_or(|from| from <= now));
            used.any(|version| fresh.find(&version.id).is_none())
        }
        for (name, gone) in [
            (Named::Vouch, gone(&self.vouch, &fresh.vouch, now)),
            (Named::Pseudonyms, gone(&self.pseudonyms, &fresh.pseudonyms, now)),
            (Named::Ledger, gone(&self.ledger, &fresh.ledger, now)),
        ] {
            if gone {
                return Err(name.wrong("a value that was in use is gone from the file: put it back"));
            }
        }
        Ok(())
    }

    /// Hands what was read anew to everybody who holds these.
    pub fn take(&self, fresh: &Self) {
        self.pepper.take(&fresh.pepper);
        self.token.take(&fresh.token);
        self.pseudonyms.take(&fresh.pseudonyms);
        self.vouch.take(&fresh.vouch);
        self.ledger.take(&fresh.ledger);
    }
}

/// Whether a missing `vouch` may be from before it had a file. Who names a keeper uses a version that made it.
fn derives(config: &Config) -> bool {
    config.secrets_keeper == KeeperConfig::Files
}

impl Named {
    fn wrong(self, reason: &'static str) -> ConfigError {
        ConfigError::Secret { name: self.as_str(), reason }
    }
}

/// What the service vouched with before that had a secret of its own: it followed from the first key of the ledger.
fn vouch_of_ledger(key: &SigningKey) -> Raw {
    derive(key.as_bytes(), &[], "himaya vouch v1")
}

fn secret_of(name: Named, value: Opened) -> Result<Raw, ConfigError> {
    match value {
        Opened::Secret(secret) => Ok(secret),
        Opened::Public(_) => Err(name.wrong("holds a public key, which only `ledger` may")),
    }
}

async fn opened(name: Named, text: &str, keeper: &Keeper) -> Result<Vec<(Line, Opened)>, ConfigError> {
    let mut all = Vec::new();
    for line in file::parse(name, text)? {
        let value = match line.value.strip_prefix(PUBLIC) {
            Some(public) => Opened::Public(
                unhex(public)
                    .ok()
                    .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
                    .ok_or_else(|| name.wrong("holds a public key that is none"))?,
            ),
            None => Opened::Secret(keeper.open(name, &line.value).await?),
        };
        all.push((line, value));
    }
    Ok(all)
}

fn versions<T>(
    name: Named,
    values: Vec<(Line, Opened)>,
    make: impl Fn(Opened) -> Result<T, ConfigError>,
) -> Result<Versions<T>, ConfigError> {
    let mut all = Vec::with_capacity(values.len());
    for (line, value) in values {
        all.push(Version { id: id(name, &value), from: line.from, value: make(value)? });
    }
    if all.is_empty() {
        return Err(name.wrong("is not 64 hexadecimal digits"));
    }
    let oldest = all.remove(0);
    Ok(Versions::new(oldest, all))
}

/// A value's name. A key that signs is named after its public half, which stays when the private one goes.
fn id(name: Named, value: &Opened) -> String {
    let of = |bytes: &[u8; 32]| {
        let digest = Sha256::new().chain_update(b"himaya secret id v1\0").chain_update(name.as_str()).chain_update([0]);
        let digest = digest.chain_update(bytes).finalize();
        hex(digest.get(..8).unwrap_or_default())
    };
    match (name, value) {
        (_, Opened::Public(public)) => of(public.as_bytes()),
        (Named::Token | Named::Ledger, Opened::Secret(secret)) => {
            of(SigningKey::from_bytes(secret).verifying_key().as_bytes())
        }
        (_, Opened::Secret(secret)) => of(secret),
    }
}

/// What stands in the file of a secret: the credential of that name that systemd hands over, or else the file in the
/// folder; `None` when there is neither.
fn place(config: &Config, name: Named) -> Result<Option<Zeroizing<String>>, ConfigError> {
    for (file, others) in places(config, name) {
        if let Some(text) = file::read(&file, name.as_str(), others)? {
            return Ok(Some(text));
        }
    }
    if config.secrets_keeper == KeeperConfig::Credentials {
        return Err(name.wrong("is not among systemd's credentials, and secrets_keeper has it looked for nowhere else"));
    }
    Ok(None)
}

/// Where a secret may lie, and whose rights to read it are too many.
fn places(config: &Config, name: Named) -> Vec<(PathBuf, u32)> {
    let own = (config.secrets.join(name.as_str()), 0o077);
    match (handed(), config.secrets_keeper == KeeperConfig::Credentials) {
        // The mask of systemd's access list looks like the group's right to read.
        (Some(handed), only) => {
            let handed = (handed.join(name.as_str()), 0o037);
            if only { vec![handed] } else { vec![handed, own] }
        }
        (None, true) => Vec::new(),
        (None, false) => vec![own],
    }
}

/// The folder of systemd's credentials.
pub(crate) fn handed() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY")
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(&folder).into())
}

#[cfg(test)]
mod tests;
