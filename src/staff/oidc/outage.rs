//! While the issuer is lost for longer, nobody has to be named for some hours: the operator says so, on each machine, and no process
//! starts anew. It is the operator's to say in any case, by a line of the configuration; this way it ends by itself.
//!
//! It says nothing about anything else: who signs in meanwhile shows their words and their second factor as ever, and the entry of the
//! sign-in says that it was in an emergency.

use crate::platform::config::ConfigError;
use crate::platform::secrets::file;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::io;
use std::path::Path;

/// The file beside the checkpoints: from when, and until when.
pub const FILE: &str = "oidc-outage";

/// For how long at most.
pub const LONGEST: TimeDelta = TimeDelta::hours(24);

/// Others may read it, and nobody else may write it.
const OTHERS_WRITE: u32 = 0o022;

/// Until when nobody has to be named, if that is so now. A file that is somebody else's, or too long, says nothing.
///
/// # Errors
/// What is wrong with the file.
pub fn until(folder: &Path, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, ConfigError> {
    let wrong = || ConfigError::Secret {
        name: FILE,
        reason: "is not a line of two moments, at most a day apart: `himaya oidc outage` writes it",
    };
    let Some(text) = file::read(&folder.join(FILE), FILE, OTHERS_WRITE)? else { return Ok(None) };
    let mut moments = text.split_whitespace().map(|word| DateTime::parse_from_rfc3339(word).map(|at| at.to_utc()));
    let (Some(Ok(from)), Some(Ok(until)), None) = (moments.next(), moments.next(), moments.next()) else {
        return Err(wrong());
    };
    if until - from > LONGEST {
        return Err(wrong());
    }
    Ok((from <= now && now < until).then_some(until))
}

/// From now on, for so long, nobody has to be named.
///
/// # Errors
/// When it is longer than a day, or cannot be written.
pub fn begin(folder: &Path, now: DateTime<Utc>, long: TimeDelta) -> io::Result<DateTime<Utc>> {
    if long <= TimeDelta::zero() || long > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an outage lasts for a day at most: begin it anew"));
    }
    let moment = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let until = now + long;
    let held = file::hold(folder)?;
    file::replace(folder, FILE, &format!("{} {}\n", moment(now), moment(until)), &held)?;
    Ok(until)
}

/// Whoever is linked has to be named again.
///
/// # Errors
/// When the file cannot be taken away.
pub fn end(folder: &Path) -> io::Result<()> {
    match std::fs::remove_file(folder.join(FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
