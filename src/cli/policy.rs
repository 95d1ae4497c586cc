//! `himaya policy agreed`.

use super::Outcome;
use himaya::doctor::council_of;
use himaya::guard::council::Standing;
use himaya::platform::clock::Clock;
use himaya::platform::config::Config;
use himaya::platform::secrets::Secrets;
use std::path::Path;
use std::process::ExitCode;

pub async fn agreed(config: &Path) -> Outcome {
    let config = Config::read(config)?;
    let secrets = Secrets::read(&config).await?;
    let council = council_of(&config, &secrets, &Clock::default()).await?;
    let standing = council.standing().await?;
    if let Some(all) = council.agreements().await? {
        for agreed in all.all() {
            println!("{:>4}  {}", agreed.number, himaya::guard::statement::hex(&agreed.digest));
        }
    }
    println!("{}.", council.told().await?);
    Ok(if standing == Standing::Agreed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
