//! The structure of the databases, pinned outside them.
//!
//! Whoever owns a database can hide a row from every request with one policy, or undo a write with a trigger, and the
//! ledger would vouch for what is then there. So `himaya init` and `himaya migrate` keep a fingerprint of everything that
//! decides what a statement does: policies, functions, triggers, rules, views, defaults, rights, owners, roles. The service
//! compares it at its start and while it runs, and closes when it differs; so does `himaya audit verify`.

mod store;

use crate::guard::statement::{hex, unhex};
use crate::platform::db::Databases;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use std::io::Write as _;
use std::path::Path;

/// The fingerprint of the main database's structure, and of the erasure store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure {
    main: [u8; 32],
    erasure: [u8; 32],
}

/// Why the structure is not the one that was kept.
#[derive(Debug, thiserror::Error)]
pub enum StructureError {
    #[error("schema_pin: the file of the structure's fingerprints cannot be read: run `himaya migrate`")]
    NoPin,
    #[error(
        "the structure of a database is not the one that `himaya migrate` kept: policies, functions, triggers or rights \
         were changed. Find out by whom before anything else"
    )]
    Changed,
    #[error("a database does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error("the file of the structure's fingerprints cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

impl Structure {
    /// As it is now.
    ///
    /// # Errors
    /// When a database does not answer.
    pub async fn now(main: &PgPool, erasure: &PgPool) -> Result<Self, sqlx::Error> {
        let (mut main, mut erasure) = (main.acquire().await?, erasure.acquire().await?);
        Ok(Self { main: fingerprint(&mut main).await?, erasure: fingerprint(&mut erasure).await? })
    }

    /// As it was kept.
    ///
    /// # Errors
    /// [`StructureError::NoPin`] when there is no such file, or it is none.
    pub fn kept(file: &Path) -> Result<Self, StructureError> {
        let text = std::fs::read_to_string(file).map_err(|_| StructureError::NoPin)?;
        let mut lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| unhex(line.trim()).ok());
        match (lines.next(), lines.next(), lines.next()) {
            (Some(main), Some(erasure), None) => Ok(Self { main, erasure }),
            _ => Err(StructureError::NoPin),
        }
    }

    /// Keeps it, in the place of what was kept before.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, file: &Path) -> std::io::Result<()> {
        let mut new = std::fs::File::create(file.with_extension("new"))?;
        writeln!(new, "# The structure of the main database and of the erasure store, as it was migrated.")?;
        writeln!(new, "{}\n{}", hex(&self.main), hex(&self.erasure))?;
        new.sync_all()?;
        std::fs::rename(file.with_extension("new"), file)
    }

    /// Compares with what was kept.
    ///
    /// # Errors
    /// [`StructureError`] unless it is the same.
    pub async fn check(databases: &Databases, file: &Path) -> Result<(), StructureError> {
        let kept = Self::kept(file)?;
        let now = Self::now(&databases.sweeper.main, &databases.sweeper.erasure).await?;
        if now == kept { Ok(()) } else { Err(StructureError::Changed) }
    }
}

/// Keeps the structure as the migrator finds it.
///
/// # Errors
/// [`StructureError`] when a database does not answer or the file cannot be written.
pub async fn keep_migrated(
    main: &mut PgConnection,
    erasure: &mut PgConnection,
    file: &Path,
) -> Result<(), StructureError> {
    let structure = Structure { main: fingerprint(main).await?, erasure: fingerprint(erasure).await? };
    Ok(structure.keep(file)?)
}

/// Compares what the migrator finds with what was kept.
///
/// # Errors
/// [`StructureError`] unless it is the same.
pub async fn check_migrated(
    main: &mut PgConnection,
    erasure: &mut PgConnection,
    file: &Path,
) -> Result<(), StructureError> {
    let now = Structure { main: fingerprint(main).await?, erasure: fingerprint(erasure).await? };
    if now == Structure::kept(file)? { Ok(()) } else { Err(StructureError::Changed) }
}

async fn fingerprint(connection: &mut PgConnection) -> Result<[u8; 32], sqlx::Error> {
    let mut digest = Sha256::new();
    for line in store::structure(connection).await? {
        digest.update(u64::try_from(line.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(line.as_bytes());
    }
    Ok(digest.finalize().into())
}
