//! Clocks, disks and certificates.

use super::certificate::{named, not_after};
use super::{Findings, Verdict, store};
use crate::platform::clock::Clock;
use crate::platform::config::{Config, TlsConfig};
use crate::platform::objects::Objects;
use crate::platform::tls;
use chrono::TimeDelta;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

/// Clocks further apart make entries, shifts and 24-hour clocks disagree.
const APART: TimeDelta = TimeDelta::seconds(2);
/// A certificate is exchanged before it is this near its end.
const SOON: TimeDelta = TimeDelta::days(14);
/// A disk with less is nearly full.
const LEAST: u64 = 1 << 30;

pub(super) async fn clocks(findings: &mut Findings, field: &str, clock: &Clock, connection: &mut PgConnection) {
    let about = format!("{field}: clock");
    let before = clock.now();
    match store::time(connection).await {
        Ok(theirs) => {
            // What the way there and back took is nobody's fault.
            let apart = if theirs < before { before - theirs } else { (theirs - clock.now()).max(TimeDelta::zero()) };
            if apart < APART {
                findings.well(about, "agrees with this machine's");
            } else {
                let seconds = apart.num_seconds();
                findings.wrong(
                    about,
                    format!("is {seconds} seconds from this machine's: set up time synchronisation on both"),
                );
            }
        }
        Err(error) => findings.wrong(about, format!("does not answer: {error}")),
    }
}

/// How much space the folder's disk has left.
pub(super) fn space(findings: &mut Findings, about: &str, folder: &Path) {
    space_above(findings, about, folder, LEAST, "make room before the disk is full");
}

/// Whether so much space is left, and what to do if it is not.
fn space_above(findings: &mut Findings, about: &str, folder: &Path, least: u64, advice: &str) {
    let about = format!("{about}: free space");
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let said = format!("{} MiB at {}", free >> 20, folder.display());
            if free < least {
                findings.wrong(about, format!("only {said}: {advice}"));
            } else {
                findings.well(about, said);
            }
        }
        Err(error) => findings.wrong(about, format!("of {} cannot be seen: {error}", folder.display())),
    }
}

/// Whether attachments can be written where they are to lie, and how much space is left there. What is wrong with the
/// settings themselves was said among the refusals.
pub(super) async fn attachments(findings: &mut Findings, config: &Config) {
    const ABOUT: &str = "attachments";
    let Some(told) = &config.attachments else {
        return findings.add(ABOUT, Verdict::NotAsked, "none are taken: no folder and no bucket is set");
    };
    if let Some(folder) = &told.folder {
        if folder.exists() {
            let least = told.keep_free().max(LEAST);
            let advice = format!("below {} MiB no file is taken", told.keep_free_mib);
            space_above(findings, ABOUT, folder, least, &advice);
        } else {
            findings.add(ABOUT, Verdict::NotAsked, "the folder is made when the service starts");
        }
    } else if let Ok(objects) = Objects::open(told, &config.secrets) {
        match objects.probe().await {
            Ok(()) => findings.well(ABOUT, "the bucket takes an object, gives it back and removes it"),
            Err(error) => findings.wrong(ABOUT, format!("the bucket does not do its work: {error}")),
        }
    }
}

/// The same for the server's data, where that can be found: a server on this machine tells in a file beside its socket.
pub(super) fn data_directory(findings: &mut Findings, field: &str, address: &str) {
    let folder = PgConnectOptions::from_str(address).ok().and_then(|options| {
        let lock = options.get_socket()?.join(format!(".s.PGSQL.{}.lock", options.get_port()));
        let text = std::fs::read_to_string(lock).ok()?;
        Some(PathBuf::from(text.lines().nth(1)?))
    });
    match folder {
        Some(folder) => space(findings, &format!("{field}: data"), &folder),
        None => findings.add(
            format!("{field}: data: free space"),
            Verdict::NotAsked,
            "only the database's own machine and administrator are told where the data is: look there",
        ),
    }
}

/// Whether certificate and key are a pair, and good for a while.
pub(super) fn certificate(findings: &mut Findings, files: &TlsConfig, clock: &Clock) {
    if let Err(refused) = tls::load(files) {
        for refusal in refused.0 {
            findings.wrong(refusal.field, refusal.why);
        }
        return;
    }
    let Ok(chain) = tls::chain(&files.certificate) else { return };
    for (at, certificate) in chain.iter().enumerate() {
        let about = format!("tls.certificate: {}", named(at));
        match not_after(certificate) {
            None => findings.wrong(about, "has no end that can be read"),
            Some(end) if end <= clock.now() => {
                findings.wrong(about, format!("ended on {}: renew it now", end.date_naive()));
            }
            Some(end) if end - clock.now() < SOON => {
                findings.wrong(
                    about,
                    format!("ends on {}: renew it; the service takes the new one by itself", end.date_naive()),
                );
            }
            Some(end) => findings.well(about, format!("is good until {}", end.date_naive())),
        }
    }
}
