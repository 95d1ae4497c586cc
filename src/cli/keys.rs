//! `himaya keys`: erasure keys, and the values of the service's own secrets.

use super::{At, Outcome};
use chrono::TimeDelta;
use himaya::platform::clock::Clock;
use himaya::platform::config::Config;
use himaya::platform::db;
use himaya::platform::objects::Objects;
use himaya::platform::secrets::{self, NOTICE, Named};
use std::process::ExitCode;

#[derive(clap::Subcommand)]
pub enum Keys {
    /// Erase erasure keys that belong to no record, now instead of within the hour.
    Sweep {
        #[command(flatten)]
        at: At,
        /// Also when they are suspiciously many: first see that the main database is the right one, and the newest.
        #[arg(long)]
        however_many: bool,
    },
    /// Make a new value of a secret, while the service runs: every process reads it before any of them uses it.
    Rotate {
        /// Which: `pepper`, `token`, `ledger`, `pseudonyms` or `vouch`.
        secret: Named,
        #[command(flatten)]
        at: At,
        /// In how many seconds it is used. Longer where the file has to be copied to other machines first, or where processes
        /// read it only at their start, as systemd's credentials.
        #[arg(long, default_value_t = NOTICE.num_seconds())]
        in_seconds: i64,
    },
    /// Drop the values of a secret that nothing needs any more; refused while something does.
    Retire {
        /// Which.
        secret: Named,
        #[command(flatten)]
        at: At,
    },
    /// Seal the secrets that lie open in their files, with what `secrets_keeper` names. Keep an open copy away from the machine:
    /// without the keeper's key nothing opens them again.
    Seal(At),
}

pub async fn keys(told: Keys) -> Outcome {
    match told {
        Keys::Sweep { at, however_many } => sweep(&at.config, however_many).await,
        Keys::Rotate { secret, at, in_seconds } => {
            let config = Config::read(&at.config)?;
            let notice = TimeDelta::try_seconds(in_seconds).ok_or("--in-seconds is too long")?;
            let rotated = secrets::rotate(&config, secret, notice, &Clock::default()).await?;
            println!("{secret}: {} is used from {} on; keep a copy of the new file.", rotated.id, rotated.from);
            println!(
                "A process that has not read it by then refuses what others make with it: `himaya doctor` on each."
            );
            Ok(ExitCode::SUCCESS)
        }
        Keys::Seal(at) => {
            for name in secrets::seal(&Config::read(&at.config)?).await? {
                println!("{name} is sealed.");
            }
            println!("Every secret is sealed.");
            Ok(ExitCode::SUCCESS)
        }
        Keys::Retire { secret, at } => {
            let config = Config::read(&at.config)?;
            for id in secrets::retire(&config, secret, Clock::default().now()).await? {
                println!("{secret}: {id} is dropped. A copy is needed as long as there are backups from its time.");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn sweep(config: &std::path::Path, however_many: bool) -> Outcome {
    let config = Config::read(config)?;
    let mut databases = db::connect(&config.database).await?;
    databases.sweeper.objects =
        config.attachments.as_ref().map(|told| Objects::open(told, &config.secrets)).transpose()?;
    match databases.sweeper.sweep(however_many).await? {
        None => println!("A running service is sweeping at this moment."),
        Some(swept) => println!(
            "{} keys looked at: {} belong to no record, {} of them were erased; {} had come back and were erased again. {} \
             wraps had ended and were deleted.",
            swept.looked_at, swept.orphans, swept.erased, swept.again, swept.ended
        ),
    }
    let cleared = databases.sweeper.clear_objects().await?;
    println!("{} files looked at: {} were erased, and removed.", cleared.looked_at, cleared.removed);
    Ok(ExitCode::SUCCESS)
}
