//! A witness's folder: `key`, its private key; `vkey`, the public one; `logs/<hash of the origin>/`, what it knows of each log.

use super::WitnessError;
use super::config::WitnessConfig;
use super::log::Log;
use crate::audit::note::cosignature::{CosignatureKey, CosignatureVerifier};
use crate::audit::note::{KeyName, NoteError, NoteVerifier};
use crate::guard::statement::{hex, unhex};
use crate::platform::config::{ConfigError, make_folder};
use crate::platform::random;
use crate::platform::secrets::file;
use ed25519_dalek::SigningKey;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const KEY: &str = "key";
const VKEY: &str = "vkey";

/// What is wrong with a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{0}: {1}")]
    Files(PathBuf, io::Error),
    #[error("{0} holds a witness's key already: another one would be another witness")]
    Taken(PathBuf),
    #[error("another process works with {0}: two could cosign two faces of a log")]
    Busy(PathBuf),
    #[error("{0}")]
    Key(#[from] ConfigError),
    #[error("{0} holds no key of a witness: `himaya witness init` makes one")]
    NoKey(PathBuf),
    #[error("{0}")]
    Name(#[from] NoteError),
    #[error("this note introduces no key that follows those known of a log of this configuration")]
    Introduction,
    #[error("the witness has not worked on {0} in this folder yet: start it, then give it the note again")]
    NotBegun(String),
}

/// Makes a folder with a new key, and says the public one.
///
/// # Errors
/// [`FolderError`] when there is a key already, or it cannot be written.
pub fn init(folder: &Path, name: &str) -> Result<CosignatureVerifier, FolderError> {
    let name = KeyName::new(name)?;
    let files = |error| FolderError::Files(folder.to_owned(), error);
    make_folder(folder).map_err(files)?;
    let held = file::hold(folder).map_err(files)?;
    if folder.join(KEY).exists() {
        return Err(FolderError::Taken(folder.to_owned()));
    }
    let seed = Zeroizing::new(random::bytes());
    let key = CosignatureKey::new(name, &SigningKey::from_bytes(&seed));
    // The public half first: without the private one it is nothing, and the next try replaces it.
    file::replace(folder, VKEY, &format!("{}\n", key.verifier()), &held).map_err(files)?;
    let text = Zeroizing::new(format!("{}\n", &*Zeroizing::new(hex(&*seed))));
    file::replace(folder, KEY, &text, &held).map_err(files)?;
    Ok(key.verifier().clone())
}

/// Takes a note in, by which a known key of a log introduces the next one, and says that one. A running witness reads it with
/// the next submission.
///
/// # Errors
/// [`FolderError::Introduction`] when it is none, [`FolderError::NotBegun`] before the witness was ever started with that log.
pub fn trust(config: &WitnessConfig, note: &str) -> Result<NoteVerifier, FolderError> {
    let mut waits = None;
    for told in &config.logs {
        let log = Log::known(told, &config.folder).map_err(|_| FolderError::Introduction)?;
        if !log.has_begun() {
            waits.get_or_insert_with(|| told.origin.clone());
            continue;
        }
        let files = |error| FolderError::Files(config.folder.clone(), error);
        if let Some(introduced) = log.introduce(note).map_err(files)? {
            return Ok(introduced);
        }
    }
    Err(waits.map_or(FolderError::Introduction, FolderError::NotBegun))
}

/// How the witness stands to a log.
pub struct Standing {
    pub origin: String,
    /// When it last cosigned a checkpoint, in seconds since 1970, and of how many entries.
    pub seen: Option<(u64, u64)>,
    /// How many pieces of evidence there are, and where.
    pub evidence: (usize, PathBuf),
}

/// Looks at what a witness keeps, also while it works.
///
/// # Errors
/// What cannot be read, or is not what this witness left.
pub fn standing(config: &WitnessConfig) -> Result<Vec<Standing>, WitnessError> {
    let vkey = std::fs::read_to_string(config.folder.join(VKEY));
    let vkey = vkey.map_err(|_| FolderError::NoKey(config.folder.clone()))?;
    let own: CosignatureVerifier = vkey.trim().parse().map_err(FolderError::Name)?;
    let each = config.logs.iter().map(|told| {
        let log = Log::known(told, &config.folder)?;
        let wrong = |error: super::Refusal| WitnessError::Log { origin: told.origin.clone(), why: error.to_string() };
        let seen = log.seen(&own).map_err(wrong)?;
        Ok(Standing { origin: told.origin.clone(), seen, evidence: (log.evidence(), log.evidence_folder()) })
    });
    each.collect()
}

/// A folder that this process alone works with.
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes it.
    ///
    /// # Errors
    /// [`FolderError::Busy`] when another process has it.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        let files = |error| FolderError::Files(path.to_owned(), error);
        let mut options = OpenOptions::new();
        let lock = options.create(true).append(true).mode(0o600).open(path.join(".serving")).map_err(files)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(std::fs::TryLockError::WouldBlock) => Err(FolderError::Busy(path.to_owned())),
            Err(std::fs::TryLockError::Error(error)) => Err(files(error)),
        }
    }

    /// The key, which must be the one whose public half stands beside it.
    ///
    /// # Errors
    /// [`FolderError`] when it is not there, others can read it, or it is another one.
    pub fn key(&self) -> Result<CosignatureKey, FolderError> {
        let none = || FolderError::NoKey(self.path.clone());
        let seed = file::read(&self.path.join(KEY), KEY, 0o077)?.ok_or_else(none)?;
        let seed = Zeroizing::new(unhex(seed.trim()).map_err(|_| none())?);
        let vkey = std::fs::read_to_string(self.path.join(VKEY)).map_err(|_| none())?;
        let public: CosignatureVerifier = vkey.trim().parse()?;
        let key = CosignatureKey::new(public.name().clone(), &SigningKey::from_bytes(&seed));
        if *key.verifier() == public { Ok(key) } else { Err(none()) }
    }
}
