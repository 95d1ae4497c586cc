//! Reads the secrets again when their files change, and on SIGHUP.

use super::{Named, Secrets, places};
use crate::platform::config::Config;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often the files are looked at: much shorter than the least notice that a new value is given.
const EVERY: Duration = Duration::from_secs(2);
/// Looks between two reports of one lasting fault: a minute.
const REMIND: u32 = 30;

type Stamp = Vec<Option<(u64, u64, i64, i64)>>;

fn stamp(config: &Config) -> Stamp {
    let files = Named::ALL.iter().flat_map(|name| places(config, *name));
    files
        .map(|(file, _)| {
            let about = std::fs::metadata(file).ok()?;
            Some((about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
        })
        .collect()
}

/// Hands new values to everybody who holds the secrets. What cannot be read changes nothing, and is tried again.
pub async fn keep_fresh(secrets: Arc<Secrets>, config: Config, mut stop: watch::Receiver<bool>) {
    let mut hangup = signal(SignalKind::hangup()).ok();
    // What was read at the start may have changed since.
    let (mut known, mut faults) = (None, 0_u32);
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
        let now = Some(stamp(&config));
        if !asked && now == known {
            continue;
        }
        match Secrets::read(&config).await {
            Ok(fresh) => {
                secrets.take(&fresh);
                if known.is_some() || faults > 0 {
                    tracing::info!("the secrets were read again");
                }
                (known, faults) = (now, 0);
            }
            Err(error) => {
                if faults.is_multiple_of(REMIND) {
                    tracing::error!(%error, "ALARM: the secrets stay as they were, and what others make with new ones is refused");
                }
                faults = faults.saturating_add(1);
            }
        }
    }
}
