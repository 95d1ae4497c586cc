//! `himaya keys rotate` and `himaya keys retire`: a new value, and an end for those that nothing needs any more.
//!
//! Each is one file replaced as a whole, so whoever is cut off in the middle leaves all old or all new. Nothing has to be
//! stopped: a new value is known to every process before the first of them uses it.

use super::keeper::is_sealed;
use super::make::{SecretsFor, complete, fresh};
use super::needs::{Needs, needs};
use super::{Keeper, Named, Opened, PUBLIC, Secrets, file, id, opened};
use crate::guard::statement::hex;
use crate::platform::clock::Clock;
use crate::platform::config::{Config, ConfigError};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use file::Line;
use zeroize::Zeroizing;

/// How long before its first use a new value lies there, if nobody says otherwise.
pub const NOTICE: TimeDelta = TimeDelta::minutes(1);
/// Every process looks at its files several times in this time.
pub const LEAST_NOTICE: TimeDelta = TimeDelta::seconds(10);

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("the folder of secrets cannot be written: {0}")]
    File(#[from] std::io::Error),
    #[error("a database does not answer: {0}")]
    Store(#[from] sqlx::Error),
    #[error("a new value needs a notice of {} seconds at least: by then every process has read it", LEAST_NOTICE.num_seconds())]
    Notice,
    #[error("it took so long to write the new value that others could not read it in time: try again")]
    Late,
    #[error("secret {name}: the value {id} is prepared already, and used from {from} on")]
    Prepared { name: Named, id: String, from: DateTime<Utc> },
    #[error("secret {name}: {why}")]
    Needed { name: Named, why: String },
}

/// A new value.
pub struct Rotated {
    pub id: String,
    /// Used from then on.
    pub from: DateTime<Utc>,
}

/// Makes a new value, to be used after the notice.
///
/// # Errors
/// [`RotateError`]: then the file is as it was.
pub async fn rotate(config: &Config, name: Named, notice: TimeDelta, clock: &Clock) -> Result<Rotated, RotateError> {
    if notice < LEAST_NOTICE {
        return Err(RotateError::Notice);
    }
    // What follows from the ledger's first key is kept for itself before that key is one of several.
    if name == Named::Ledger {
        complete(&config.secrets)?;
        if !config.secrets.join(Named::Vouch.as_str()).exists() {
            return Err(Named::Vouch.wrong("the file cannot be read: it is not there").into());
        }
    }
    let keeper = Keeper::of(config)?;
    let held = file::hold(&config.secrets)?;
    let mut lines = read(config, name, &keeper).await?;
    if let Some((Line { from: Some(from), .. }, value)) = lines.last()
        && *from > clock.now()
    {
        return Err(RotateError::Prepared { name, id: id(name, value), from: *from });
    }
    let value = fresh(SecretsFor::Service);
    let sealed = keeper.seal(name, &value).await?;
    // Only now: waiting for another command, and sealing, take time that belongs to nobody's notice.
    let now = clock.now();
    let whole = TimeDelta::seconds(1);
    let from = (now + notice + whole).duration_trunc(whole).unwrap_or(now + notice);
    let line = Line { value: sealed, from: Some(from) };
    let value = Opened::Secret(value);
    let rotated = Rotated { id: id(name, &value), from };
    lines.push((line, value));
    let lines: Vec<Line> = lines.into_iter().map(|(line, _)| line).collect();
    let in_time = || clock.now() + LEAST_NOTICE <= from;
    if file::replace_if(&config.secrets, name.as_str(), &file::text(&lines), &held, in_time)? {
        return Ok(rotated);
    }
    Err(RotateError::Late)
}

/// Drops the values before the current one that nothing needs any more; of the ledger's keys the public half stays. Gives
/// the names of those dropped.
///
/// # Errors
/// [`RotateError::Needed`] when something needs all of them; then the file is as it was.
pub async fn retire(config: &Config, name: Named, now: DateTime<Utc>) -> Result<Vec<String>, RotateError> {
    let held = file::hold(&config.secrets)?;
    let secrets = Secrets::of_folder(config).await?;
    let old: Vec<Needs> = needs(config, &secrets, name, now).await?;
    let (free, needed): (Vec<_>, Vec<_>) =
        old.into_iter().filter(|old| !old.is_retired).partition(|old| old.by.is_none());
    if free.is_empty() {
        let reasons: Vec<String> =
            needed.into_iter().map(|old| format!("{} {}", old.id, old.by.unwrap_or_default())).collect();
        let why = if reasons.is_empty() { "has no older value".to_owned() } else { reasons.join("; ") };
        return Err(RotateError::Needed { name, why });
    }
    let free: Vec<String> = free.into_iter().map(|old| old.id).collect();
    let mut kept = Vec::new();
    for (line, value) in read(config, name, &Keeper::of(config)?).await? {
        if !free.contains(&id(name, &value)) {
            kept.push(line);
        } else if let (Named::Ledger, Some(key)) = (name, secrets.ledger.get().find(&id(name, &value))) {
            let public = format!("{PUBLIC}{}", hex(key.value.public.as_bytes()));
            kept.push(Line { value: Zeroizing::new(public), from: line.from });
        }
    }
    file::replace(&config.secrets, name.as_str(), &file::text(&kept), &held)?;
    Ok(free)
}

/// Seals every value that still lies open in its file; gives the names of the secrets that were changed. What is sealed
/// already stays as it is.
///
/// # Errors
/// [`RotateError`]; each file is then either as it was, or sealed.
pub async fn seal(config: &Config) -> Result<Vec<Named>, RotateError> {
    let keeper = Keeper::of(config)?;
    if !keeper.seals() {
        return Err(ConfigError::Keeper("names nobody who seals: set its provider first".to_owned()).into());
    }
    complete(&config.secrets)?;
    let held = file::hold(&config.secrets)?;
    let mut changed = Vec::new();
    for name in Named::ALL.iter().copied() {
        let text = file::read(&config.secrets.join(name.as_str()), name.as_str(), 0o077)?;
        let text = text.ok_or_else(|| name.wrong("the file cannot be read: it is not there"))?;
        let (mut lines, mut any) = (file::parse(name, &text)?, false);
        for line in &mut lines {
            if is_sealed(&line.value) || line.value.starts_with(PUBLIC) {
                continue;
            }
            let secret = Keeper::Open.open(name, &line.value).await?;
            let sealed = keeper.seal(name, &secret).await?;
            // What does not open again would be lost.
            if *keeper.open(name, &sealed).await? != *secret {
                return Err(name.wrong("what was sealed does not open again").into());
            }
            (line.value, any) = (sealed, true);
        }
        if any {
            file::replace(&config.secrets, name.as_str(), &file::text(&lines), &held)?;
            changed.push(name);
        }
    }
    Ok(changed)
}

/// The values that lie in the folder: what systemd handed over is a copy of them.
async fn read(config: &Config, name: Named, keeper: &Keeper) -> Result<Vec<(Line, Opened)>, ConfigError> {
    let text = file::read(&config.secrets.join(name.as_str()), name.as_str(), 0o077)?;
    let text = text.ok_or_else(|| name.wrong("the file cannot be read: it is not there"))?;
    opened(name, &text, keeper).await
}
