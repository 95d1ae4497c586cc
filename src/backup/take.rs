//! Taking a backup.

use super::manifest::{CHECKPOINT, ERASURE, ERASURE_DUMP_DAYS, FILE, MAIN, Manifest, OBJECTS, is_introduction, sum};
use super::{ProgramError, Superusers, objects, programs};
use crate::platform::clock::Clock;
use crate::platform::config::{Config, address};
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error("the folder for the backup is not empty: give each backup one of its own")]
    NotEmpty,
    #[error("{0} is not an address of a database")]
    Address(&'static str),
    #[error("{0}")]
    Program(#[from] ProgramError),
    #[error("a file: {0}")]
    File(#[from] io::Error),
    #[error("the manifest: {0}")]
    Manifest(#[from] serde_json::Error),
}

/// Writes a backup into a folder of its own, in the order that [`super`] explains.
///
/// # Errors
/// [`TakeError`]; without its manifest the folder is no backup.
pub async fn take(config: &Config, superusers: &Superusers, to: &Path, clock: &Clock) -> Result<Manifest, TakeError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    if std::fs::read_dir(to)?.next().is_some() {
        return Err(TakeError::NotEmpty);
    }
    let named = |field, address: &str| address::database(address).ok_or(TakeError::Address(field));
    let main = named("database.app", &config.database.app)?;
    let erasure = named("database.erasure", &config.database.erasure)?;
    let began_at = clock.now();
    let mut written = Vec::new();
    match std::fs::copy(config.checkpoints.join("checkpoint"), to.join(CHECKPOINT)) {
        Ok(_) => written.push(CHECKPOINT.to_owned()),
        // Nothing was ever signed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    written.extend(introductions(&config.checkpoints, to)?);
    let dump = async |file: &str, server, database: String, field| {
        let address = address::to_database(server, &database).ok_or(TakeError::Address(field))?;
        programs::dump(&address, &to.join(file)).await?;
        Ok::<_, TakeError>(file.to_owned())
    };
    written.push(dump(MAIN, &superusers.main, main, "--superuser-url").await?);
    let folder = config.attachments.as_ref().and_then(|told| told.folder.clone());
    let to_objects = to.join(OBJECTS);
    // Read and written in pieces, and still for a while: not on a thread that others wait for.
    let objects = match folder {
        Some(folder) => tokio::task::spawn_blocking(move || objects::copy(&folder, &to_objects))
            .await
            .map_err(io::Error::other)??,
        None => BTreeMap::new(),
    };
    written.push(dump(ERASURE, &superusers.erasure, erasure, "--erasure-superuser-url").await?);
    let mut files = BTreeMap::new();
    for name in written {
        let file = to.join(&name);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
        std::fs::File::open(&file)?.sync_all()?;
        files.insert(name, sum(&file)?);
    }
    let ended_at = clock.now();
    let manifest = Manifest {
        format: 1,
        himaya: env!("CARGO_PKG_VERSION").to_owned(),
        began_at,
        ended_at,
        log_origin: config.log_origin.clone(),
        delete_erasure_dump_by: ended_at + TimeDelta::days(ERASURE_DUMP_DAYS),
        files,
        objects,
        objects_elsewhere: config
            .attachments
            .as_ref()
            .and_then(|told| told.s3.as_ref())
            .map(|s3| format!("the bucket {} at {}", s3.bucket, s3.endpoint)),
    };
    std::fs::write(to.join(FILE), serde_json::to_vec_pretty(&manifest)?)?;
    std::fs::File::open(to.join(FILE))?.sync_all()?;
    std::fs::File::open(to)?.sync_all()?;
    Ok(manifest)
}

/// Copies the notes that introduce the ledger's keys: without them nobody follows from the first key to a later one.
fn introductions(from: &Path, to: &Path) -> io::Result<Vec<String>> {
    let mut copied = Vec::new();
    let listed = match std::fs::read_dir(from) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(copied),
        Err(error) => return Err(error),
    };
    for entry in listed {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().filter(|name| is_introduction(name)) {
            std::fs::copy(entry.path(), to.join(name))?;
            copied.push(name.to_owned());
        }
    }
    Ok(copied)
}
