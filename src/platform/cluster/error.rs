//! What can go wrong, and the two ways of running a program that tell it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

/// Why a cluster could not be found, made, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file or a program could not be used.
    #[error("{step}: {}: {source}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The file or the program.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("{step} failed ({status}): {said}")]
    Command {
        /// What was being done.
        step: &'static str,
        /// How the program ended.
        status: ExitStatus,
        /// The last lines of what it wrote to stderr and to the server's log.
        said: String,
    },
    /// There is no usable PostgreSQL and none could be installed.
    #[error(
        "no usable PostgreSQL: install PostgreSQL {needed} (on most systems the package \
         `postgresql`), or set HIMAYA_PG_BIN to the folder that holds its initdb, pg_ctl and \
         postgres{tried}"
    )]
    NoBinaries {
        /// The version that would do, in words.
        needed: String,
        /// What installing it here ended in, or nothing.
        tried: String,
    },
    /// There is no such program for clients.
    #[error(
        "there is no {0}: install PostgreSQL's programs for clients (on most systems the package `postgresql-client`), of \
         the server's version or newer, or set HIMAYA_PG_BIN to the folder that holds them"
    )]
    NoClient(&'static str),
    /// The environment variable `HIMAYA_PG_BIN` names something else.
    #[error("HIMAYA_PG_BIN is {}, but {why}", path.display())]
    BadBinaries {
        /// Its value.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// PostgreSQL refuses to run as root, and there is nobody to run it as.
    #[error("PostgreSQL does not run as root: add a user `postgres`, or run this as an ordinary user")]
    NoServerUser,
    /// The cluster is there and the password that opens it is not.
    #[error(
        "{} is missing or empty, but there is a cluster made with it in {}: \
         put the file back, or remove both", path.display(), data.display()
    )]
    PasswordLost {
        /// The file with the password.
        path: PathBuf,
        /// The cluster's data.
        data: PathBuf,
    },
    /// A server that does not sync is running where a durable one was asked for.
    #[error("the server running in {} does not write durably: stop it first", .0.display())]
    NotDurable(PathBuf),
}

pub(super) fn io<'a>(step: &'static str, path: &'a Path) -> impl Fn(io::Error) -> ClusterError + 'a {
    move |source| ClusterError::Io { step, path: path.to_owned(), source }
}

pub(super) fn output(command: &mut Command, step: &'static str) -> Result<Output, ClusterError> {
    let command = command.stdin(Stdio::null());
    let done = command.output();
    done.map_err(io(step, Path::new(command.get_program())))
}

pub(super) fn run(command: &mut Command, step: &'static str, log: Option<&Path>) -> Result<(), ClusterError> {
    let done = output(command, step)?;
    if done.status.success() {
        return Ok(());
    }
    let mut said = String::from_utf8_lossy(&done.stderr).into_owned();
    if let Some(log) = log.and_then(|path| fs::read(path).ok()) {
        let _ = write!(said, "\n{}", String::from_utf8_lossy(&log));
    }
    Err(ClusterError::Command { step, status: done.status, said: last_lines(&said) })
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.get(lines.len().saturating_sub(6)..).unwrap_or_default().join(" | ")
}
