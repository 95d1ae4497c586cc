//! PostgreSQL's own programs, run so that no password stands in a list of processes.

use crate::platform::cluster::{Cluster, ClusterError};
use crate::platform::config::address;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("{0}")]
    Missing(#[from] ClusterError),
    #[error("{0} cannot be run: {1}")]
    Start(&'static str, std::io::Error),
    #[error("{0} failed: {1}")]
    Failed(&'static str, String),
}

/// Writes the whole database into a file, as one snapshot.
pub(super) async fn dump(address: &str, file: &Path) -> Result<(), ProgramError> {
    // Who reads a backup must not wait for ever behind a lock that somebody forgot.
    let arguments = ["--format=custom", "--lock-wait-timeout=60s", "--no-publications", "--no-subscriptions"];
    run("pg_dump", address, |command| command.args(arguments).arg("--file").arg(file)).await
}

/// Brings a dump into an empty database: all of it, or nothing.
pub(super) async fn restore(address: &str, file: &Path) -> Result<(), ProgramError> {
    run("pg_restore", address, |command| command.args(["--exit-on-error", "--single-transaction"]).arg(file)).await
}

async fn run(
    program: &'static str,
    address: &str,
    say: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<(), ProgramError> {
    let found = tokio::task::spawn_blocking(move || Cluster::find_client(program))
        .await
        .map_err(|error| ProgramError::Start(program, std::io::Error::other(error)))??;
    let (address, password) = address::without_password(address);
    let mut command = Command::new(found);
    say(&mut command).arg("--no-password").arg("--dbname").arg(address).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    let done = command.output().await.map_err(|error| ProgramError::Start(program, error))?;
    if done.status.success() {
        return Ok(());
    }
    // The first line names what is wrong; the others may quote rows.
    let said = String::from_utf8_lossy(&done.stderr);
    let first = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    Err(ProgramError::Failed(program, first.to_owned()))
}
