//! What a backup is made of: names, sums and times.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use uuid::Uuid;

pub(super) const FILE: &str = "manifest.json";
pub(super) const MAIN: &str = "main.dump";
pub(super) const ERASURE: &str = "erasure.dump";
pub(super) const CHECKPOINT: &str = "checkpoint";
/// A folder: the sealed bytes of attachments, each under its own name.
pub(super) const OBJECTS: &str = "objects";

/// For how many days the erasure store's dump is kept: what is erased can be read from old backups until then.
pub const ERASURE_DUMP_DAYS: i64 = 7;

/// The list that is written last: a folder without it is no backup.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1.
    pub format: u32,
    /// The version of this program.
    pub himaya: String,
    pub began_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub log_origin: String,
    /// When `erasure.dump` is to be deleted.
    pub delete_erasure_dump_by: DateTime<Utc>,
    pub files: BTreeMap<String, Sum>,
    /// The sealed bytes of attachments, in a folder of their own.
    #[serde(default)]
    pub objects: BTreeMap<Uuid, Sum>,
    /// Where they lie instead, if they are in a bucket: that one's own backups are its operator's task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects_elsewhere: Option<String>,
}

/// A file as it was written.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Sum {
    pub bytes: u64,
    pub sha256: String,
}

/// Why a folder is no backup, or not as it was written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{FILE} cannot be read ({0}): is this a backup, and was it finished?")]
    Unreadable(std::io::Error),
    #[error("{FILE} is not one of ours: {0}")]
    Malformed(serde_json::Error),
    #[error("the backup is of format {0}, which this version does not know")]
    Format(u32),
    #[error("{0} cannot be read: {1}")]
    File(String, std::io::Error),
    #[error("{0} is not as it was written: its sum differs")]
    Changed(String),
    #[error("{0} is not in the backup's list")]
    Missing(&'static str),
}

/// Whether this is the name of a note that introduces a key of the ledger: nothing else, and no way to another folder.
pub(super) fn is_introduction(name: &str) -> bool {
    name.strip_suffix(".key").is_some_and(|key| key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The sum of a file, read in pieces: a dump may be larger than memory.
pub(super) fn sum(file: &Path) -> std::io::Result<Sum> {
    let mut opened = std::fs::File::open(file)?;
    let (mut digest, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = opened.read(&mut piece)?;
        let Some(new) = piece.get(..read).filter(|new| !new.is_empty()) else { break };
        digest.update(new);
        bytes += read as u64;
    }
    let sha256: [u8; 32] = digest.finalize().into();
    Ok(Sum { bytes, sha256: crate::guard::statement::hex(&sha256) })
}

impl Manifest {
    /// Reads the list and compares every file in it.
    ///
    /// # Errors
    /// [`ManifestError`] with the first file that is not as it was written.
    pub fn check(folder: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read(folder.join(FILE)).map_err(ManifestError::Unreadable)?;
        let manifest: Self = serde_json::from_slice(&text).map_err(ManifestError::Malformed)?;
        if manifest.format != 1 {
            return Err(ManifestError::Format(manifest.format));
        }
        for (name, written) in &manifest.files {
            let known = [MAIN, ERASURE, CHECKPOINT].contains(&name.as_str()) || is_introduction(name);
            let found = if known { sum(&folder.join(name)) } else { Err(std::io::ErrorKind::NotFound.into()) };
            match found {
                Ok(found) if found == *written => {}
                Ok(_) => return Err(ManifestError::Changed(name.clone())),
                // The one file that is deleted before the others.
                Err(error) if name == ERASURE && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(ManifestError::File(name.clone(), error)),
            }
        }
        for (object, written) in &manifest.objects {
            let name = format!("{OBJECTS}/{object}");
            match sum(&folder.join(&name)) {
                Ok(found) if found == *written => {}
                Ok(_) => return Err(ManifestError::Changed(name)),
                Err(error) => return Err(ManifestError::File(name, error)),
            }
        }
        Ok(manifest)
    }
}
