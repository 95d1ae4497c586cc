//! `himaya witness`: for whoever watches a log from outside.

use super::Outcome;
use super::serve::until_told;
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
