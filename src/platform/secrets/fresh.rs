//! Reads the secrets again when their files change, and on SIGHUP.

use super::{KeeperConfig, Named, Secrets, places};
use crate::platform::clock::Clock;
use crate::platform::config::{Config, ConfigError};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the files are looked at: much shorter than the least notice that a new value is given.
const EVERY: Duration = Duration::from_secs(2);
/// How long what cannot be read is left alone at most, and between two reports of one lasting fault.
const LONGEST: Duration = Duration::from_mins(1);

type Stamp = Vec<Option<(u64, u64, i64, i64)>>;

fn stamp(config: &Config) -> Stamp {
    let files = Named::ALL.iter().flat_map(|name| places(config, *name)).map(|(file, _)| file);
    // With another PIN or token it may go well.
    let keeper = match &config.secrets_keeper {
        KeeperConfig::Files | KeeperConfig::Credentials => None,
        KeeperConfig::Vault(vault) => Some(vault.token_file.clone()),
        KeeperConfig::Pkcs11(token) => Some(token.pin_file.clone()),
    };
    files
        .chain(keeper)
        .map(|file| {
            let about = std::fs::metadata(file).ok()?;
            Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
        })
        .collect()
}

/// What went wrong the last time, and when it is tried again.
#[derive(Default)]
struct Failed {
    /// The files as they were then.
    stamp: Option<Stamp>,
    times: u32,
    /// Until then the same files are left alone; for ever when a PIN was wrong: each try counts, and the token locks.
    until: Option<Instant>,
}

impl Failed {
    fn is_due(&self, stamp: &Stamp, now: Instant) -> bool {
        self.stamp.as_ref() != Some(stamp) || self.until.is_some_and(|until| now >= until)
    }

    fn again(&mut self, error: &ConfigError, stamp: Stamp, now: Instant) {
        // Two seconds, four, and so on to a minute.
        let wait = EVERY.saturating_mul(1 << self.times.min(5)).min(LONGEST);
        self.until = (!matches!(error, ConfigError::Login(_))).then(|| now + wait);
        (self.stamp, self.times) = (Some(stamp), self.times.saturating_add(1));
    }
}

/// Hands new values to everybody who holds the secrets. What cannot be read changes nothing, and is tried again.
pub async fn keep_fresh(secrets: Arc<Secrets>, config: Config, clock: Clock, mut stop: watch::Receiver<bool>) {
    let mut hangup = signal(SignalKind::hangup()).ok();
    // What was read at the start may have changed since.
    let (mut known, mut failed) = (None, Failed::default());
    let mut tick = tokio::time::interval(EVERY);
    loop {
        let told = async {
            match hangup.as_mut() {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        let asked = tokio::select! {
            _ = tick.tick() => false,
            _ = told => true,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let now = stamp(&config);
        if !asked && (known.as_ref() == Some(&now) || !failed.is_due(&now, Instant::now())) {
            continue;
        }
        let fresh = Secrets::read(&config).await;
        match fresh.and_then(|fresh| secrets.are_all_in(&fresh, clock.now()).map(|()| fresh)) {
            Ok(fresh) => {
                secrets.take(&fresh);
                if known.is_some() || failed.times > 0 {
                    tracing::info!("the secrets were read again");
                }
                (known, failed) = (Some(now), Failed::default());
            }
            Err(error) => {
                tracing::error!(%error, "ALARM: the secrets stay as they were, and what others make with new ones is refused");
                failed.again(&error, now, Instant::now());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wrong_pin_is_tried_once_and_what_else_fails_ever_more_seldom() {
        let (start, old) = (Instant::now(), vec![Some((1, 2, 3, 4))]);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut failed = Failed::default();
        assert!(failed.is_due(&old, start));
        failed.again(&ConfigError::Login("nobody can log in".to_owned()), old.clone(), start);
        assert!(!failed.is_due(&old, at(86_400)), "each try with a wrong PIN counts");
        assert!(failed.is_due(&vec![Some((1, 2, 3, 5))], at(2)), "another file, another try");

        let mut failed = Failed::default();
        let (mut tries, other) = (Vec::new(), ConfigError::Keeper("away".to_owned()));
        for second in (0..=200).step_by(2) {
            if failed.is_due(&old, at(second)) {
                tries.push(second);
                failed.again(&other, old.clone(), at(second));
            }
        }
        assert_eq!(tries, [0, 2, 6, 14, 30, 62, 122, 182]);
    }
}
