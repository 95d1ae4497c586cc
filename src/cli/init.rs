//! `himaya init`.

use super::Outcome;
use himaya::platform::clock::Clock;
use himaya::platform::secrets::SecretsFor;
use himaya::setup::{self, Plan};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Init {
    /// Address of a superuser, used once: `postgres://user:password@host/postgres`. Without a password in it, the one
    /// that libpq would take: `PGPASSFILE` or `~/.pgpass`.
    #[arg(long, env = "HIMAYA_SUPERUSER_URL", hide_env_values = true)]
    superuser_url: String,
    /// The same on the server for the erasure store, where that is another one.
    #[arg(long, env = "HIMAYA_ERASURE_SUPERUSER_URL", hide_env_values = true)]
    erasure_superuser_url: Option<String>,
    /// Where configuration, secrets and pins go.
    #[arg(long)]
    folder: PathBuf,
    /// Where the policies lie.
    #[arg(long, default_value = "policies")]
    policies: PathBuf,
    /// The log's own name, the first line of each checkpoint: it never changes again.
    #[arg(long, default_value = "himaya.example/ledger")]
    log_origin: String,
    /// Handles of the first three administrators.
    #[arg(long, num_args = 3, value_names = ["FIRST", "SECOND", "THIRD"])]
    administrators: Vec<String>,
}

pub async fn init(told: Init) -> Outcome {
    let administrators: [String; 3] = if told.administrators.is_empty() {
        himaya::demo::country::ADMINISTRATORS.map(str::to_owned)
    } else {
        told.administrators.try_into().map_err(|_| "three administrators are needed")?
    };
    std::fs::create_dir_all(&told.folder)?;
    let plan = Plan {
        superuser: told.superuser_url,
        erasure_superuser: told.erasure_superuser_url,
        folder: told.folder,
        policies: told.policies,
        database: "himaya".to_owned(),
        log_origin: told.log_origin,
        secrets: SecretsFor::Service,
        administrators,
    };
    let founded = setup::init(&plan, &Clock::default()).await?;
    println!("Set up. The configuration is {}.", founded.config_file.display());
    println!("Hand each of these people their one-time code; each makes keys with it at the first sign-in:");
    for (handle, _, code) in &founded.codes {
        println!("  {handle:<14} {code}");
    }
    println!("Then two of them found the organisation {} and you pin its fingerprint in", founded.organisation);
    println!("{} (README, \"Founding\").", founded.config.pins.display());
    println!("Before people's lives hang on it: `production = true`, and see README, \"Running it for real\".");
    Ok(ExitCode::SUCCESS)
}
