//! Which checkpoint others are given.
//!
//! Whoever owns the database can put any row in the first place: an old checkpoint, one filed under another size, one signed with a
//! key that was stolen before it was replaced. So it is compared with the one that is kept outside the database. Only an operator who holds
//! both, and the log's key, could serve another tree; that is for the witnesses to find.

use super::store::{self, Filed};
use crate::audit::keys::{LogKeys, Signed};
use crate::audit::verify::BadCheckpoint;
use sqlx::PgPool;
use std::io;
use std::path::Path;

/// Why no checkpoint is given to anybody.
#[derive(Debug, thiserror::Error)]
pub enum NoneGiven {
    #[error("the database does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error("the folder of checkpoints does not answer: {0}")]
    Folder(#[from] io::Error),
    #[error("there is no checkpoint yet")]
    Empty,
    #[error("the checkpoint {place} is not this log's: {why}")]
    Forged { place: &'static str, why: BadCheckpoint },
    #[error("the newest checkpoint in the database is filed under size {filed}, and says {says}")]
    Misfiled { filed: i64, says: u64 },
    #[error(
        "the newest checkpoint in the database is signed by an older key than the one kept outside: that key was stolen"
    )]
    OldKey,
    #[error(
        "the checkpoint kept outside speaks of {kept} entries, the database of {stored}: the database was rolled back"
    )]
    RolledBack { kept: u64, stored: u64 },
    #[error("the database and the checkpoint kept outside have two different trees of {0} entries")]
    Forked(u64),
}

/// The newest checkpoint as it is given to others, with its note.
pub struct Newest {
    pub signed: Signed,
    pub note: String,
}

/// The newest checkpoint of the database, if it is this log's and nothing kept in the folder contradicts it.
///
/// # Errors
/// [`NoneGiven`]: nothing is served then.
pub async fn newest(pool: &PgPool, keys: &LogKeys, folder: &Path) -> Result<Newest, NoneGiven> {
    // First: what is kept outside is already in the database, so that nothing that goes on meanwhile looks like a rollback.
    let kept = match tokio::fs::read(folder.join("checkpoint")).await {
        Ok(kept) => Some(String::from_utf8_lossy(&kept).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let filed = store::newest(pool).await?;
    let newest = filed.map(|filed| judge(filed, keys)).transpose()?;
    let Some(kept) = kept else { return newest.ok_or(NoneGiven::Empty) };
    let kept = keys.read(&kept).map_err(|why| NoneGiven::Forged { place: "kept outside", why })?;
    let size = kept.checkpoint.size();
    let newest = newest.ok_or(NoneGiven::RolledBack { kept: size, stored: 0 })?;
    let stored = newest.signed.checkpoint.size();
    if newest.signed.key < kept.key {
        return Err(NoneGiven::OldKey);
    }
    if stored < size {
        return Err(NoneGiven::RolledBack { kept: size, stored });
    }
    if stored == size && newest.signed.checkpoint.root() != kept.checkpoint.root() {
        return Err(NoneGiven::Forked(size));
    }
    Ok(newest)
}

fn judge(Filed { size, note }: Filed, keys: &LogKeys) -> Result<Newest, NoneGiven> {
    let signed = keys.read(&note).map_err(|why| NoneGiven::Forged { place: "in the database", why })?;
    let says = signed.checkpoint.size();
    if u64::try_from(size) != Ok(says) {
        return Err(NoneGiven::Misfiled { filed: size, says });
    }
    Ok(Newest { signed, note })
}
