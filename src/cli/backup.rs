//! `himaya backup` and `himaya restore`.

use super::Outcome;
use himaya::backup::{self, ERASURE_DUMP_DAYS, Restore, Superusers, Which};
use himaya::platform::clock::Clock;
use himaya::platform::config::Config;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Servers {
    /// The configuration.
    #[arg(long, env = "HIMAYA_CONFIG", default_value = "himaya.toml")]
    config: PathBuf,
    /// Address of a superuser of the main database's server. Without a password in it, the one that libpq would take:
    /// `PGPASSFILE` or `~/.pgpass`.
    #[arg(long, env = "HIMAYA_SUPERUSER_URL", hide_env_values = true)]
    superuser_url: String,
    /// The same for the erasure store's server, where that is another one.
    #[arg(long, env = "HIMAYA_ERASURE_SUPERUSER_URL", hide_env_values = true)]
    erasure_superuser_url: Option<String>,
}

impl Servers {
    fn superusers(&self) -> Superusers {
        let erasure = self.erasure_superuser_url.clone().unwrap_or_else(|| self.superuser_url.clone());
        Superusers { main: self.superuser_url.clone(), erasure }
    }
}

#[derive(clap::Args)]
pub struct Backup {
    #[command(flatten)]
    servers: Servers,
    /// A folder that is empty or not there yet.
    #[arg(long)]
    to: PathBuf,
}

#[derive(clap::Args)]
pub struct BringBack {
    #[command(flatten)]
    servers: Servers,
    /// The folder of the backup.
    #[arg(long)]
    from: PathBuf,
    /// The erasure store still stands: restore the main database only. The store is newer than its backup.
    #[arg(long)]
    keep_erasure_store: bool,
    /// Go on although the checkpoints kept outside speak of entries that this backup has not. They are set aside.
    #[arg(long)]
    lose_newer_entries: bool,
    /// Go on although there is no file `tombstones` in the folder of checkpoints: what was erased since the backup is readable then.
    #[arg(long)]
    without_tombstones: bool,
}

pub async fn backup(told: Backup) -> Outcome {
    let config = Config::read(&told.servers.config)?;
    let manifest = backup::take(&config, &told.servers.superusers(), &told.to, &Clock::default()).await?;
    for (name, sum) in &manifest.files {
        println!("{name:<14} {:>12} bytes  {}", sum.bytes, sum.sha256);
    }
    println!(
        "Delete erasure.dump by {}: what is erased can be read from old backups until then ({ERASURE_DUMP_DAYS} days).",
        manifest.delete_erasure_dump_by.date_naive()
    );
    let bytes: u64 = manifest.objects.values().map(|sum| sum.bytes).sum();
    println!("{:<14} {bytes:>12} bytes in {} files", "objects", manifest.objects.len());
    if let Some(elsewhere) = &manifest.objects_elsewhere {
        println!("Attachments are not in it: they lie in {elsewhere}. See to a backup of that.");
    }
    println!("The secrets and the pins are not in it: keep a copy of them, elsewhere.");
    Ok(ExitCode::SUCCESS)
}

pub async fn restore(told: BringBack) -> Outcome {
    let config = Config::read(&told.servers.config)?;
    let which = if told.keep_erasure_store { Which::MainOnly } else { Which::Both };
    let superusers = told.servers.superusers();
    let plan = Restore {
        from: &told.from,
        superusers: &superusers,
        which,
        lose_newer_entries: told.lose_newer_entries,
        without_tombstones: told.without_tombstones,
    };
    let done = backup::restore(&config, &plan, &Clock::default()).await?;
    println!("Restored as of {}; {} sessions ended.", done.manifest.began_at, done.sessions_ended);
    println!("{} keys that were erased since then, or before, are erased.", done.tombstones);
    if done.cases_hidden > 0 {
        println!("{} cases came back that two persons had erased: they are there for nobody.", done.cases_hidden);
    }
    let mut well = done.ledger.ok();
    match done.swept {
        Ok(Some(swept)) => println!("{} keys belonged to no record and were erased.", swept.orphans),
        Ok(None) => {
            println!(
                "Keys without a record were left alone. A service erases them for ever as soon as it runs: if there may be"
            );
            println!("a newer backup of the main database, look for it before you start one.");
        }
        Err(error) => {
            println!("FOUND: {error}");
            well = false;
        }
    }
    if let Some(aside) = done.set_aside {
        println!("Newer checkpoints were set aside in {}: they are the evidence of what is lost.", aside.display());
    }
    println!(
        "{} entries, {} records, {} rows and {} files compared.",
        done.ledger.entries, done.ledger.records, done.ledger.rows, done.ledger.objects
    );
    for finding in &done.ledger.findings {
        println!("FOUND: {finding}");
    }
    println!("Accounts that were disabled and accesses that were ended since the backup are as they were at its time:");
    println!("do them again before people sign in. Then `himaya doctor`, and `himaya serve`.");
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
