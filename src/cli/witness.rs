//! `himaya witness`: for whoever watches a log from outside.

use super::Outcome;
use super::serve::until_told;
use chrono::{DateTime, TimeDelta};
use himaya::guard::statement::hex;
use himaya::platform::clock::Clock;
use himaya::platform::listen::Listening;
use himaya::platform::random;
use himaya::witness::config::WitnessConfig;
use himaya::witness::{self, Witness as Witnessing};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(clap::Subcommand)]
pub enum Witness {
    /// Make a key in a new folder, and print the public one, which the log's operator needs.
    Init {
        #[arg(long)]
        folder: PathBuf,
        /// The witness's name, such as `ombudsman.example/witness`: it never changes again.
        #[arg(long)]
        name: String,
    },
    /// See checkpoints, and cosign those that only add to the ones before.
    Serve(AtWitness),
    /// Say up to where each log was seen, and when, and whether there is evidence against it; 1 if somebody has to look.
    Status(AtWitness),
    /// Take in the note by which a log's key introduces the next one, as its operator sent it.
    Trust {
        #[command(flatten)]
        at: AtWitness,
        /// The file, such as `5f0c91aa03b2de41.key`.
        note: PathBuf,
    },
    /// Print a new token for a log, and its hash, which goes into the configuration.
    Token,
}

#[derive(clap::Args)]
pub struct AtWitness {
    /// The witness's configuration.
    #[arg(long, default_value = "witness.toml")]
    config: PathBuf,
}

pub async fn witness(told: Witness) -> Outcome {
    match told {
        Witness::Init { folder, name } => println!("{}", witness::init(&folder, &name)?),
        Witness::Serve(at) => serve(&at).await?,
        Witness::Status(at) => return status(&WitnessConfig::read(&at.config)?),
        Witness::Trust { at, note } => {
            let config = WitnessConfig::read(&at.config)?;
            config.check()?;
            let introduced = witness::trust(&config, &std::fs::read_to_string(note)?)?;
            println!("From now on this key may sign as well: {introduced}");
        }
        Witness::Token => {
            let token = hex(&random::bytes::<32>());
            let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
            println!("{token}\ntoken_sha256 = \"{}\"", hex(&hash));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A log that was not seen for so long is silent: it shows itself every two minutes.
const SILENT: TimeDelta = TimeDelta::hours(1);

fn status(config: &WitnessConfig) -> Outcome {
    let (now, mut well) = (Clock::default().now(), true);
    for log in witness::standing(config)? {
        let seen = log.seen.and_then(|(at, size)| Some((DateTime::from_timestamp(i64::try_from(at).ok()?, 0)?, size)));
        match seen {
            Some((at, size)) => println!("{}: {size} entries, seen last at {at}.", log.origin),
            None => println!("{}: never seen.", log.origin),
        }
        if seen.is_none_or(|(at, _)| now - at > SILENT) {
            println!("  LOOK: it is silent. Call its operator, and whoever else watches it.");
            well = false;
        }
        if log.evidence.0 > 0 {
            println!("  LOOK: {} pieces of evidence in {}.", log.evidence.0, log.evidence.1.display());
            well = false;
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(at: &AtWitness) -> Result<(), Box<dyn std::error::Error>> {
    let config = WitnessConfig::read(&at.config)?;
    let witness = Arc::new(Witnessing::open(&config, Clock::default())?);
    let listening = Listening::at(&config.listen).await.map_err(|error| format!("listen cannot be opened: {error}"))?;
    tracing::info!(address = %config.listen, vkey = %witness.verifier(), "witnessing");
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(async move { witness.serve(&config, listening, stopped).await });
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return Ok(ended??),
        () = until_told() => {}
    }
    tracing::info!("ending: submissions under way are finished first");
    stop.send_replace(true);
    Ok(serving.await??)
}
